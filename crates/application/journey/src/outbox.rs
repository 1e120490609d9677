//! Letters on their way: sealed once, kept before they leave, sent again as they are. The recipient takes the same id
//! only once, so a letter may be sent as often as needed.

use medibloc_record::{Address, SealingKey};
use serde::{Deserialize, Serialize};

use crate::mail::Message;
use crate::party::{OwnAddress, change, table};
use crate::ports::{Change, Letter};
use crate::{JourneyError, Party};

/// A sealed letter with where it goes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Outgoing {
    /// What it is about.
    #[serde(with = "serde_bytes")]
    pub(crate) key: [u8; 32],
    /// Which own address sends.
    pub(crate) from: medibloc_record::AccountId,
    /// The recipient's node.
    pub(crate) node: String,
    /// The letter.
    pub(crate) letter: Letter,
    /// The node has taken it.
    pub(crate) sent: bool,
    /// Why it could not be sent.
    pub(crate) problem: Option<String>,
}

impl Party {
    /// Seals a letter; it leaves when its row is kept.
    pub(crate) fn compose(
        &self,
        key: [u8; 32],
        from: &OwnAddress,
        (to, to_key): (Address, &SealingKey),
        node: &str,
        message: &Message,
    ) -> Result<Outgoing, JourneyError> {
        Ok(Outgoing {
            key,
            from: from.id(),
            node: node.to_owned(),
            letter: self.seal_letter(from, to, to_key, message)?,
            sent: false,
            problem: None,
        })
    }

    /// The letter about something, sent or not.
    pub(crate) fn outgoing(&self, key: &[u8; 32]) -> Result<Option<Outgoing>, JourneyError> {
        self.row(table::LETTERS, key)
    }

    /// Sends a kept letter, also once more.
    pub(crate) async fn post(&self, mut outgoing: Outgoing) -> Result<(), JourneyError> {
        let from = self.own_address(outgoing.from)?;
        let signer = self.signer(&from);
        let mailbox = self.ports.network.mailbox(&signer, &outgoing.node);
        mailbox.send(&outgoing.letter).await?;
        if !outgoing.sent {
            outgoing.sent = true;
            outgoing.problem = None;
            self.put(table::LETTERS, &outgoing.key, &outgoing)?;
        }
        Ok(())
    }

    /// Sends every letter that has not left; tells what could not be done now.
    pub(crate) async fn resume_letters(&self, later: &mut Vec<String>) -> Result<(), JourneyError> {
        let waiting: Vec<Outgoing> = self.rows(table::LETTERS)?;
        for outgoing in waiting.into_iter().filter(|outgoing| !outgoing.sent) {
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
        Ok(())
    }
}

/// The row that keeps a letter.
pub(crate) fn letter_row(outgoing: &Outgoing) -> Change {
    change(table::LETTERS, &outgoing.key, outgoing)
}
