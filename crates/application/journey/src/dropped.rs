//! Consents that were to be given and never were: what is planned can be dropped, and who looks for it finds that.

use medibloc_ledger::Call;
use medibloc_record::{AccountId, GrantId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::errand::{errand_key, gone};
use crate::grant::GivenGrant;
use crate::party::{change, table};
use crate::ports::Change;
use crate::set_back::is_worthless;
use crate::views::about_word;
use crate::{JourneyError, Party};

/// A consent that was dropped before it was on the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DroppedConsent {
    /// The id that it was to have.
    pub id: GrantId,
    /// The own address that was to give it.
    pub own: AccountId,
    /// Name of the contact.
    pub name: String,
    /// The own address that the contact is paired with.
    pub paired: AccountId,
    /// `one`, `classes`, `all` or `write`.
    pub scope: String,
    /// When, by this machine's clock.
    pub at: Timestamp,
}

impl Party {
    /// Consents that were dropped, the oldest first.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn dropped_consents(&self) -> Result<Vec<DroppedConsent>, JourneyError> {
        let mut dropped: Vec<DroppedConsent> = self.rows(table::DROPPED)?;
        let given = self.grants()?.into_iter().chain(self.write_grants()?);
        let given: Vec<GrantId> = given.map(|(id, _)| id).collect();
        // The same may have been given again.
        dropped.retain(|one| !given.contains(&one.id));
        dropped.sort_by_key(|one| (one.at, one.id));
        Ok(dropped)
    }

    /// The end of a consent to read that never left.
    pub(crate) fn drop_consent(&self, id: GrantId) -> Result<Vec<Change>, JourneyError> {
        let begun = errand_key("grant", &[id.as_bytes()]);
        let kept = match self.errand(&begun)? {
            Some(errand) => self.dropped_row(&errand.call)?,
            None => None,
        };
        let row = Change::Delete {
            table: table::GRANTS,
            key: id.as_bytes().to_vec(),
        };
        Ok([gone(&begun), row].into_iter().chain(kept).collect())
    }

    /// What is kept of a consent whose row goes because it did not come to be.
    pub(crate) fn dropped_row(&self, call: &Call) -> Result<Option<Change>, JourneyError> {
        let (table, id) = match call {
            // What only uses up the id of another one gives nothing.
            Call::Grant { grant, .. } if is_worthless(grant) => return Ok(None),
            Call::Grant { grant, .. } => (table::GRANTS, grant.id),
            Call::GrantWrite(write) => {
                let id = GrantId::derive(write.owner, write.author, write.nonce);
                (table::WRITE_GRANTS, id)
            }
            _ => return Ok(None),
        };
        let given: Option<GivenGrant> = self.row(table, id.as_bytes())?;
        Ok(given.map(|given| {
            let dropped = DroppedConsent {
                id,
                own: given.own,
                paired: given.artefact.paired,
                scope: given.artefact.about().map_or("write", about_word).into(),
                name: given.artefact.name,
                at: self.ports.clock.now(),
            };
            change(table::DROPPED, id.as_bytes(), &dropped)
        }))
    }
}
