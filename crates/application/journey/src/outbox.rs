//! Letters on their way: sealed once, kept before they leave, sent again as they are. The recipient takes the same id
//! only once, so a letter may be sent as often as needed.

use std::collections::BTreeMap;

use medibloc_record::{AccountId, Address, SealingKey, Timestamp};
use serde::{Deserialize, Serialize};

use crate::doors::{self, Pairing};
use crate::errand::errand_key;
use crate::mail::Message;
use crate::party::{OwnAddress, change, table};
use crate::ports::{Change, Letter};
use crate::together::{Asked, all};
use crate::{JourneyError, Party, Question};

/// How long a letter that was sent is kept, to be sent once more if it is asked for.
const KEEP_SENT: u64 = 90 * 86_400;

/// How long a reader may take to say that it purged.
const REMIND_AFTER: u64 = 86_400;

/// A sealed letter with where it goes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Outgoing {
    /// What it is about.
    #[serde(with = "serde_bytes")]
    pub(crate) key: [u8; 32],
    /// Which own address sends.
    pub(crate) from: AccountId,
    /// The recipient's node.
    pub(crate) node: String,
    /// The letter.
    pub(crate) letter: Letter,
    /// When a node last took it.
    pub(crate) sent: Option<Timestamp>,
    /// Why it could not be sent.
    pub(crate) problem: Option<String>,
    /// The request in it and whom it asks: it is asked anew if the key that signed it ends before it leaves. None of other letters,
    /// which the chain tells, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) question: Option<(AccountId, Question)>,
}

impl Party {
    /// Seals a letter; it leaves when its row is kept.
    pub(crate) fn compose(
        &self,
        key: [u8; 32],
        pairing: Option<&Pairing>,
        from: &OwnAddress,
        (to, to_key): (Address, &SealingKey),
        node: &str,
        message: &Message,
    ) -> Result<Outgoing, JourneyError> {
        let tagged_by = doors::key_of(pairing)?;
        let mut letter = self.seal_letter(from, to, to_key, message)?;
        doors::tag(&mut letter, &tagged_by);
        Ok(Outgoing {
            key,
            from: from.id(),
            node: node.to_owned(),
            letter,
            sent: None,
            problem: None,
            question: None,
        })
    }

    /// The letter about something, sent or not.
    pub(crate) fn outgoing(&self, key: &[u8; 32]) -> Result<Option<Outgoing>, JourneyError> {
        self.row(table::LETTERS, key)
    }

    /// Sends a kept letter, also once more.
    pub(crate) async fn post(&self, mut outgoing: Outgoing) -> Result<(), JourneyError> {
        self.is_listed("letter", &outgoing.node)?;
        let from = self.own_address(outgoing.from)?;
        let signer = self.signer(&from);
        let mailbox = self.ports.network.mailbox(&signer, &outgoing.node);
        mailbox.send(&outgoing.letter).await?;
        outgoing.sent = Some(self.ports.clock.now());
        outgoing.problem = None;
        outgoing.question = None;
        self.put(table::LETTERS, &outgoing.key, &outgoing)
    }

    /// Sends every letter that has not left; tells what could not be done now.
    pub(crate) async fn resume_letters(&self, later: &mut Vec<String>) -> Result<(), JourneyError> {
        let now = self.ports.clock.now();
        self.ask_anew(later).await?;
        let mut waiting: BTreeMap<String, Vec<Outgoing>> = BTreeMap::new();
        for outgoing in self.rows::<Outgoing>(table::LETTERS)? {
            if let Some(sent) = outgoing.sent {
                if now.since(sent) > KEEP_SENT {
                    self.ports.vault.apply(vec![Change::Delete {
                        table: table::LETTERS,
                        key: outgoing.key.to_vec(),
                    }])?;
                }
                continue;
            }
            // Nobody takes it, and it would be kept as sent.
            if outgoing.question.is_some() && self.is_signed_before(&outgoing)? {
                continue;
            }
            let node = outgoing.node.clone();
            waiting.entry(node).or_default().push(outgoing);
        }
        // Each node by itself: none keeps the letters to others.
        let mut open: Vec<Asked<'_, _>> = Vec::new();
        for letters in waiting.into_values() {
            open.push(Box::pin(self.send_to_one(letters)));
        }
        for told in all(open).await {
            later.extend(told?);
        }
        Ok(())
    }

    /// Those that somebody takes: a question that a key of before signed would be kept as sent, and is asked anew.
    fn without_void(&self, letters: Vec<Outgoing>) -> Result<Vec<Outgoing>, JourneyError> {
        let mut left = Vec::with_capacity(letters.len());
        for letter in letters {
            let is_void = letter.sent.is_none()
                && letter.question.is_some()
                && self.is_signed_before(&letter)?;
            if !is_void {
                left.push(letter);
            }
        }
        Ok(left)
    }

    /// Sends letters to one node; tells what could not be done now.
    async fn send_to_one(&self, letters: Vec<Outgoing>) -> Result<Vec<String>, JourneyError> {
        let mut later = Vec::new();
        for outgoing in letters {
            if self.patience.is_called() {
                break;
            }
            let mut kept = outgoing.clone();
            match self.post(outgoing).await {
                Ok(()) => {}
                Err(error @ JourneyError::Port(crate::ports::PortError::Vault { .. })) => {
                    return Err(error);
                }
                Err(error) => {
                    later.push(format!("a letter to {}: {error}", kept.letter.recipient));
                    kept.problem = Some(error.to_string());
                    self.put(table::LETTERS, &kept.key, &kept)?;
                }
            }
        }
        Ok(later)
    }
}

/// How far back letters that were sent go out once more: as long as a copy of a node may be old.
const SENT_AGAIN: u64 = 7 * 86_400;
/// Letters that go out once more at a time, the newest.
const MOST_SENT_AGAIN: usize = 400;

/// What became of letters that were sent once more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LettersAgain {
    /// How many a node took.
    pub sent: usize,
    /// How many of the last seven days are more than go out at a time.
    pub left: usize,
    /// What could not be sent, with the reason; it waits for the next sync.
    pub failed: Vec<String>,
}

impl Party {
    /// Sends the letters of the last seven days once more, and those that no node took yet: whether a node still has one that waits there nobody can ask but its
    /// recipient, who takes it once however often it comes.
    ///
    /// # Errors
    /// If the vault fails.
    pub async fn send_letters_again(&self) -> Result<LettersAgain, JourneyError> {
        let now = self.ports.clock.now();
        let mut letters: Vec<Outgoing> = self.rows(table::LETTERS)?;
        // What no node took yet, the last time either, is owed as long as it is not taken.
        letters.retain(|it| it.sent.is_none_or(|sent| now.since(sent) <= SENT_AGAIN));
        let mut letters = self.without_void(letters)?;
        letters.sort_by_key(|it| (it.sent.is_some(), core::cmp::Reverse(it.sent)));
        let mut again = LettersAgain {
            left: letters.len().saturating_sub(MOST_SENT_AGAIN),
            ..LettersAgain::default()
        };
        letters.truncate(MOST_SENT_AGAIN);
        let tried = letters.len();
        let mut of: BTreeMap<String, Vec<Outgoing>> = BTreeMap::new();
        for letter in letters {
            // One that is not taken now waits for the next sync.
            let letter = Outgoing {
                sent: None,
                ..letter
            };
            of.entry(letter.node.clone()).or_default().push(letter);
        }
        let mut open: Vec<Asked<'_, _>> = Vec::new();
        for letters in of.into_values() {
            open.push(Box::pin(self.send_to_one(letters)));
        }
        for told in all(open).await {
            again.failed.extend(told?);
        }
        again.sent = tried - again.failed.len();
        Ok(again)
    }

    /// Tells readers that have not said that they purged once more, a day after the last time; letters may be lost.
    pub(crate) fn remind_readers(&self) -> Result<(), JourneyError> {
        let now = self.ports.clock.now();
        for (id, given) in self.grants()? {
            if !given.revoked || given.purged {
                continue;
            }
            let letter = self.outgoing(&errand_key("ended", &[id.as_bytes()]))?;
            if let Some(mut letter) = letter
                && letter
                    .sent
                    .is_some_and(|sent| now.since(sent) >= REMIND_AFTER)
            {
                letter.sent = None;
                self.put(table::LETTERS, &letter.key, &letter)?;
            }
        }
        Ok(())
    }
}

/// The row that keeps a letter.
pub(crate) fn letter_row(outgoing: &Outgoing) -> Change {
    change(table::LETTERS, &outgoing.key, outgoing)
}
