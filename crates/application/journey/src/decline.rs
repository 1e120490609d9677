//! A second answer to an invitation, or a late one: nothing of it is kept, and who sent it is told.

use crate::doors::{Pairing, UsedInvitation};
use crate::errand::errand_key;
use crate::mail::{Message, Opened, WhyDeclined};
use crate::outbox::letter_row;
use crate::pairing::{ContactCard, Offered};
use crate::party::{OwnAddress, change, table};
use crate::ports::Change;
use crate::{Invitation, JourneyError, Party, SyncReport};
use medibloc_keys::PairingKey;
use medibloc_record::AccountId;

/// How many that come too late are told; an invitation is for one.
const MOST_TOLD: u8 = 8;

impl Party {
    /// A card for an invitation that is not open any more.
    pub(crate) async fn decline_second(
        &self,
        own: &OwnAddress,
        letter: &Opened,
        card: &ContactCard,
    ) -> Result<Vec<Change>, JourneyError> {
        let used: Option<UsedInvitation> = self.row(table::USED, own.address.as_bytes())?;
        let Some(mut used) = used.filter(|used| used.by != letter.account) else {
            // The same card once more.
            return Ok(Vec::new());
        };
        if used.told >= MOST_TOLD {
            return Ok(Vec::new());
        }
        used.told += 1;
        let why = WhyDeclined::Used;
        let mut changes = self
            .decline(own, letter, card, why, &used.invitation)
            .await?;
        changes.push(change(table::USED, own.address.as_bytes(), &used));
        Ok(changes)
    }

    /// The letter that says why.
    pub(crate) async fn decline(
        &self,
        own: &OwnAddress,
        letter: &Opened,
        card: &ContactCard,
        why: WhyDeclined,
        invitation: &Invitation,
    ) -> Result<Vec<Change>, JourneyError> {
        if !self.ports.network.is_listed(&card.node) {
            return Ok(Vec::new());
        }
        let (_, to_key) = self.reached(letter.account).await?;
        let (secret, domain) = (invitation.secret(), &self.ports.domain);
        let key = PairingKey::derive(&secret, domain, own.address, letter.signer);
        let answer = self.compose(
            errand_key("declined", &[&letter.id]),
            Some(&Pairing::new(&key, [0; 32])),
            own,
            (letter.signer, &to_key),
            &card.node,
            &Message::Declined { why },
        )?;
        Ok(vec![letter_row(&answer)])
    }

    /// Refuses an invitation of which it is known here that an answer comes to nothing, with the reason.
    pub(crate) fn is_open_yet(&self, owner: AccountId) -> Result<(), JourneyError> {
        let declined: Option<WhyDeclined> = self.row(table::DECLINED, owner.as_bytes())?;
        let why = match declined {
            Some(why) => format!("it {}; ask for a new one", in_words(why)),
            None if self.bears(owner)? => {
                "this home answered it before, and the pairing stands: `medibloc contact list` shows it".into()
            }
            None => return Ok(()),
        };
        let what = "invitation";
        Err(JourneyError::Untrusted { what, why })
    }

    /// Whether an owner gave anything to this party.
    fn bears(&self, owner: AccountId) -> Result<bool, JourneyError> {
        let may_write = self.ports.vault.get(table::MAY_WRITE, owner.as_bytes())?;
        let held = self.held()?;
        Ok(may_write.is_some() || held.iter().any(|held| held.artefact.paired == owner))
    }

    /// An owner says that an answer came too late: the pairing never was. One that bore anything stays.
    pub(crate) fn take_declined(
        &self,
        owner: AccountId,
        why: WhyDeclined,
        report: &mut SyncReport,
    ) -> Result<Vec<Change>, JourneyError> {
        self.patron(owner)?;
        if self.bears(owner)? {
            return Ok(Vec::new());
        }
        report.declined.push(format!(
            "the invitation of {owner} {}; ask for a new one",
            in_words(why)
        ));
        let mut changes = vec![
            Change::Delete {
                table: table::PATRONS,
                key: owner.as_bytes().to_vec(),
            },
            change(table::DECLINED, owner.as_bytes(), &why),
        ];
        changes.extend(self.patron_noted_no_more(owner)?);
        for (key, offered) in self.keyed_rows::<Offered>(table::OFFERED)? {
            if offered.owner == owner {
                let table = table::OFFERED;
                changes.push(Change::Delete { table, key });
            }
        }
        Ok(changes)
    }
}

const fn in_words(why: WhyDeclined) -> &'static str {
    match why {
        WhyDeclined::Used => "was used by somebody else before",
        WhyDeclined::Expired => "had expired when the answer came",
    }
}
