//! Taking back a record that was written for somebody (design 03, `Records.retract`): its author says on the chain that it is not to be
//! relied on. It stays its owner's, who alone can erase it.

use std::collections::BTreeSet;

use medibloc_consent::AnchorFields;
use medibloc_ledger::{Call, Event, EventRef};
use medibloc_record::{AccountId, RecordId};

use crate::errand::{Luggage, errand_key};
use crate::party::table;
use crate::sync::Cursor;
use crate::{Haste, JourneyError, Party};

impl Party {
    /// Takes back a record that was written here for somebody; what was begun is gone on with.
    ///
    /// # Errors
    /// If it was not written here for somebody or is not on the chain yet, or the contracts refuse, as they do while the authority
    /// has suspended its author. If nobody carries the call, it is kept and `sync` goes on with it.
    pub async fn retract(&self, record: RecordId) -> Result<(), JourneyError> {
        self.ports.vault.free_reserve();
        let anchor = self.written_for_somebody(record)?;
        let key = errand_key("retract", &[record.as_bytes()]);
        if self.errand(&key)?.is_some() {
            return self.finish(&key).await;
        }
        let facts = self.known_facts(record).await?;
        if facts.is_some_and(|facts| facts.erased) {
            let at = self.erasure(record)?.map(|erasure| erasure.at);
            return Err(JourneyError::Erased { record, at });
        }
        if facts.is_some_and(|facts| facts.retracted) {
            return Ok(());
        }
        if facts.is_none() && self.is_left_with_its_chain(record).await? {
            return Err(JourneyError::Unknown {
                what: format!("record {record} on the chain as it stands"),
                hint: "nobody can be given it, so there is nothing to take back; import the document again if it is wanted",
            });
        }
        let what = format!("taking back record {record}");
        let (own, call) = (anchor.author, Call::Retract(anchor));
        let done = self.begin(key, what, own, call, Luggage::default());
        done.await.map(drop)
    }

    /// What taking this record back now would show.
    ///
    /// # Errors
    /// If it was not written here for somebody, or the vault fails.
    pub fn haste_of_retracting(&self, record: RecordId) -> Result<Vec<Haste>, JourneyError> {
        self.haste_of_acting(&[self.written_for_somebody(record)?.author])
    }

    /// Whether the chain refuses this account to take anything back, as of its newest block.
    pub(crate) async fn is_suspended(&self, account: AccountId) -> Result<bool, JourneyError> {
        let now = self.right_head().await?.time;
        Ok(self.ports.facts.standing(account, now).await?.suspended)
    }

    fn written_for_somebody(&self, record: RecordId) -> Result<AnchorFields, JourneyError> {
        let hint = "`medibloc record list --written` shows what was written here for others and is on the chain";
        let what = || format!("record {record}, written here for somebody and sent");
        self.authored_anchor(record)?
            .filter(|anchor| anchor.author != anchor.owner)
            .ok_or_else(|| JourneyError::Unknown { what: what(), hint })
    }

    /// Records that the chain says were taken back since the last sync took its events.
    pub(crate) async fn taken_back_since(&self) -> Result<BTreeSet<RecordId>, JourneyError> {
        let since: Cursor = self.row(table::CURSOR, b"chain")?.unwrap_or_default();
        Ok(taken_back(&self.events_from(since.next).await?.0))
    }
}

fn taken_back(events: &[(EventRef, Event)]) -> BTreeSet<RecordId> {
    let of = |event: &Event| match event {
        Event::Retracted { record } => Some(*record),
        _ => None,
    };
    events.iter().filter_map(|(_, event)| of(event)).collect()
}
