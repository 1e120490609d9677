//! Sync (design 11, rows 3, 9–11): events of the chain, letters, unfinished jobs. Safe to run at any time and to
//! break off at any instant: every step is keyed by what it is about and simply done again.

use std::collections::BTreeMap;

use medibloc_ledger::{Event, EventRef};
use medibloc_record::{AccountId, Digest, RecordId};
use serde::{Deserialize, Serialize};

use crate::accept::is_temporary;
use crate::grant::PendingRequest;
use crate::mail::Message;
use crate::party::{AddressUse, OwnAddress, decode, table};
use crate::{JourneyError, Party, Standing};

/// Blocks asked for at a time.
const PAGE: u32 = 500;

/// What a sync found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncReport {
    /// Records that are accepted now.
    pub accepted: Vec<RecordId>,
    /// Records that are not accepted, with the reason.
    pub not_accepted: Vec<(RecordId, String)>,
    /// Grants received.
    pub grants: usize,
    /// Contacts and requests received.
    pub letters: usize,
    /// What could not be done now and is done by the next sync.
    pub later: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Cursor {
    next: u64,
}

impl Party {
    /// Fetches everything that is new for every own address, and goes on with unfinished jobs.
    pub async fn sync(&self) -> Result<SyncReport, JourneyError> {
        let mut report = SyncReport::default();
        if let Err(error) = self.resume_writes().await {
            report.later.push(error.to_string());
        }
        self.sync_chain(&mut report).await?;
        self.sync_mail(&mut report).await?;
        Ok(report)
    }

    async fn sync_chain(&self, report: &mut SyncReport) -> Result<(), JourneyError> {
        let mut own: BTreeMap<AccountId, OwnAddress> = self
            .addresses()?
            .into_iter()
            .map(|own| (own.id(), own))
            .collect();
        let account = self.account();
        own.insert(account.id(), account);
        let start: Cursor = self.row(table::CURSOR, b"chain")?.unwrap_or_default();
        let (events, next) = self.events_from(start.next).await?;
        let capsules = newest_capsules(&events);
        let mut complete = true;
        for (_, event) in &events {
            let done = self.take_event(&own, event, &capsules, report).await;
            match done {
                Ok(()) => {}
                Err(error) if is_temporary(&error) => {
                    complete = false;
                    report.later.push(error.to_string());
                }
                Err(error) => report.later.push(error.to_string()),
            }
        }
        complete &= self.recheck(&own, report).await?;
        if complete {
            self.put(table::CURSOR, b"chain", &Cursor { next })?;
        }
        Ok(())
    }

    async fn take_event(
        &self,
        own: &BTreeMap<AccountId, OwnAddress>,
        event: &Event,
        capsules: &BTreeMap<RecordId, Digest>,
        report: &mut SyncReport,
    ) -> Result<(), JourneyError> {
        match event {
            Event::Anchored(anchor) => {
                let Some(address) = own.get(&anchor.owner) else {
                    return Ok(());
                };
                let capsule = capsules
                    .get(&anchor.record_id())
                    .copied()
                    .unwrap_or(anchor.capsule);
                let kept = self.look_at(address, anchor, capsule).await?;
                match kept.standing {
                    Standing::Accepted => report.accepted.push(kept.record()),
                    Standing::NotAccepted { because } => {
                        report.not_accepted.push((anchor.record_id(), because));
                    }
                    Standing::Checked | Standing::Erased => {}
                }
            }
            Event::Granted(grant) => {
                let Some(address) = own.get(&grant.reader) else {
                    return Ok(());
                };
                self.take_grant(address, grant).await?;
                report.grants += 1;
            }
            Event::Erased { record } => self.mark_erased(*record)?,
            _ => {}
        }
        Ok(())
    }

    /// Looks again at records that were checked but lacked acknowledgements.
    async fn recheck(
        &self,
        own: &BTreeMap<AccountId, OwnAddress>,
        report: &mut SyncReport,
    ) -> Result<bool, JourneyError> {
        for kept in self
            .records()?
            .into_iter()
            .filter(|kept| kept.standing == Standing::Checked)
        {
            let Some(address) = own.get(&kept.anchor.owner) else {
                continue;
            };
            match self.look_at(address, &kept.anchor, kept.capsule).await {
                Ok(kept) if kept.is_accepted() => report.accepted.push(kept.record()),
                Ok(_) => report.later.push(format!(
                    "record {}: too few keepers have their share yet",
                    kept.record()
                )),
                Err(error) if is_temporary(&error) => report.later.push(error.to_string()),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    async fn sync_mail(&self, report: &mut SyncReport) -> Result<(), JourneyError> {
        for own in self
            .addresses()?
            .into_iter()
            .filter(|own| own.purpose != AddressUse::Own)
        {
            for letter in self.letters(&own).await? {
                let taken = match letter.message {
                    Message::Card(card) => self.take_card(&own, letter.signer, card).await,
                    Message::Access(request) => {
                        self.take_request(&own, letter.id, letter.signer, request)
                    }
                    Message::MoreReaders { .. } | Message::Ended { .. } => Ok(()),
                };
                match taken {
                    Ok(()) => report.letters += 1,
                    Err(error) if is_temporary(&error) => {
                        report.later.push(error.to_string());
                        continue;
                    }
                    Err(error) => report.later.push(error.to_string()),
                }
                self.letter_done(&own, letter.id).await?;
            }
        }
        Ok(())
    }

    fn take_request(
        &self,
        own: &OwnAddress,
        id: [u8; 32],
        signer: medibloc_record::Address,
        request: crate::mail::AccessRequest,
    ) -> Result<(), JourneyError> {
        let contact = self.contact(own.id())?;
        if contact
            .card
            .account
            .is_some_and(|account| account.first_address() != signer)
        {
            return Err(JourneyError::Untrusted {
                what: "access request",
                why: "it is not from the contact of this address".into(),
            });
        }
        let pending = PendingRequest {
            own: own.id(),
            id,
            name: contact.name,
            request,
        };
        self.put(table::REQUESTS, &id, &pending)
    }

    /// All final events from a block on, with the block to start from next time.
    pub(crate) async fn events_from(
        &self,
        from: u64,
    ) -> Result<(Vec<(EventRef, Event)>, u64), JourneyError> {
        let mut found = Vec::new();
        let mut next = from;
        loop {
            let blocks = self.ports.events.events(next, PAGE).await?;
            let Some(last) = blocks.last() else {
                return Ok((found, next));
            };
            next = last.number + 1;
            for block in blocks {
                for (index, event) in (0u32..).zip(block.events) {
                    found.push((
                        EventRef {
                            block: block.number,
                            index,
                        },
                        event,
                    ));
                }
            }
        }
    }

    pub(crate) fn mark_erased(&self, record: RecordId) -> Result<(), JourneyError> {
        if let Some(bytes) = self.ports.vault.get(table::RECORDS, record.as_bytes())? {
            let mut kept: crate::KeptRecord = decode("record", &bytes)?;
            kept.standing = Standing::Erased;
            self.put(table::RECORDS, record.as_bytes(), &kept)?;
        }
        Ok(())
    }
}

fn newest_capsules(events: &[(EventRef, Event)]) -> BTreeMap<RecordId, Digest> {
    events
        .iter()
        .filter_map(|(_, event)| match event {
            Event::CapsuleReplaced { record, digest, .. } => Some((*record, *digest)),
            _ => None,
        })
        .collect()
}
