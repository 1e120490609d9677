//! Anchors whose packages the node does not have: asked for many at once and set down together, so that an author that
//! anchors what it never stored costs its patient next to nothing.

use std::collections::{BTreeMap, BTreeSet};

use medibloc_consent::AnchorFields;
use medibloc_ledger::{Event, EventRef};
use medibloc_record::{AccountId, Digest, RecordId};

use crate::party::{OwnAddress, change, table};
use crate::sync::SyncReport;
use crate::wipe::cid_of;
use crate::{JourneyError, KeptRecord, Party, Standing};

/// Packages asked for at once.
const MANY: usize = 256;

impl Party {
    /// New anchors of own addresses that need not be looked at one by one. If the node does not answer, none: each is
    /// then looked at, and says so.
    pub(crate) async fn absent(
        &self,
        own: &BTreeMap<AccountId, OwnAddress>,
        events: &[(EventRef, Event)],
        capsules: &BTreeMap<RecordId, Digest>,
        report: &mut SyncReport,
    ) -> Result<BTreeSet<RecordId>, JourneyError> {
        let mut asked: BTreeMap<AccountId, Vec<(u64, &AnchorFields)>> = BTreeMap::new();
        for (at, event) in events {
            if let Event::Anchored(anchor) = event
                && own.contains_key(&anchor.owner)
                && self
                    .ports
                    .vault
                    .get(table::RECORDS, anchor.record_id().as_bytes())?
                    .is_none()
            {
                let of = asked.entry(anchor.owner).or_default();
                of.push((at.block, anchor));
            }
        }
        let mut absent = BTreeSet::new();
        for (owner, anchors) in asked {
            let Some(address) = own.get(&owner) else {
                continue;
            };
            let store = self.ports.network.store(&self.signer(address));
            for window in anchors.chunks(MANY) {
                let cids: Vec<_> = window.iter().map(|(_, it)| cid_of(it.package)).collect();
                let Ok(there) = store.has(&cids).await else {
                    continue;
                };
                let mut changes = Vec::new();
                for ((block, anchor), _) in window.iter().zip(there).filter(|(_, there)| !there) {
                    let cid = cid_of(anchor.package);
                    if self.ports.vault.blob(&cid)?.is_some() {
                        continue;
                    }
                    let record = anchor.record_id();
                    let kept = set_down(anchor, *block, capsules.get(&record), &cid.to_string());
                    if let Standing::NotAccepted { because } = &kept.standing {
                        report.not_accepted.push((record, because.clone()));
                    }
                    changes.push(change(table::RECORDS, record.as_bytes(), &kept));
                    absent.insert(record);
                }
                self.ports.vault.apply(changes)?;
            }
        }
        Ok(absent)
    }
}

fn set_down(
    anchor: &AnchorFields,
    block: u64,
    capsule: Option<&Digest>,
    package: &str,
) -> KeptRecord {
    let because = JourneyError::Unknown {
        what: format!("the package {package}"),
        hint: "no node has it for this address; sync again later, or ask the author to store it again",
    };
    KeptRecord {
        anchor: *anchor,
        block,
        standing: Standing::NotAccepted {
            because: because.to_string(),
        },
        manifest: None,
        capsule: capsule.copied().unwrap_or(anchor.capsule),
        incomplete: true,
        retracted: false,
        warning: None,
    }
}
