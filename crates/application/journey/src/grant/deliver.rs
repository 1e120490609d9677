//! Deliver (design 11, row 11b): keys of records that were accepted after a class or all grant was given. A durable
//! errand a list; only accepted records are delivered, and only while the grant lives.

use std::collections::BTreeSet;

use medibloc_consent::Scope;
use medibloc_ledger::Call;
use medibloc_record::{GrantId, RecordId};
use serde::{Deserialize, Serialize};

use crate::accept::KeptRecord;
use crate::errand::{Luggage, errand_key};
use crate::grant::GivenGrant;
use crate::grant::give::KEYS_IN_A_LIST;
use crate::grant::plan::is_in;
use crate::party::{change, table};
use crate::{JourneyError, Party, SyncReport, counted};

/// One key list that was given to a reader, as the owner keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Delivery {
    pub(crate) grant: GrantId,
    pub(crate) number: u32,
    pub(crate) records: Vec<RecordId>,
}

pub(crate) fn delivery_key(grant: GrantId, number: u32) -> Vec<u8> {
    [grant.as_bytes().as_slice(), &number.to_be_bytes()].concat()
}

impl Party {
    /// Gives the keys of newly accepted records to the readers of class and all grants.
    pub(crate) async fn deliver_new(&self, report: &mut SyncReport) -> Result<(), JourneyError> {
        let now = self.chain_now().await?;
        for (id, given) in self.grants()? {
            let terms = given.artefact.grant.as_ref().map(|grant| &grant.terms);
            let standing = terms.is_some_and(|terms| {
                !matches!(terms.scope, Scope::One(_)) && terms.until > now && !given.revoked
            });
            let begun = errand_key("grant", &[id.as_bytes()]);
            // What is about to be taken back gets nothing more.
            if !standing || self.errand(&begun)?.is_some() || self.ends_all(given.own)? {
                continue;
            }
            match self.deliver_under(id, &given).await {
                Ok(count) => report.delivered += count,
                Err(error) => report.later.push(error.to_string()),
            }
        }
        Ok(())
    }

    async fn deliver_under(&self, id: GrantId, given: &GivenGrant) -> Result<usize, JourneyError> {
        let Some(grant) = given.artefact.grant.clone() else {
            return Ok(0);
        };
        let mut delivered: BTreeSet<RecordId> = given.artefact.records.iter().copied().collect();
        let mut number = 0;
        for delivery in self.deliveries(id)? {
            // One list at a time: what is accepted meanwhile goes with the next.
            let pending = errand_key("deliver", &[&delivery_key(id, delivery.number)]);
            if self.errand(&pending)?.is_some() {
                return Ok(0);
            }
            delivered.extend(&delivery.records);
            number = number.max(delivery.number);
        }
        let mut records: Vec<KeptRecord> = self.records()?;
        records.retain(|kept| {
            kept.anchor.owner == given.own
                && kept.is_accepted()
                && !kept.retracted
                && is_in(grant.terms.scope, kept)
                && kept.fits(
                    given.artefact.sensitivity,
                    &given.artefact.categories,
                    given.artefact.dates.as_ref(),
                )
                && !delivered.contains(&kept.record())
        });
        let records = self.not_being_erased(records)?;
        let own = self.own_address(given.own)?;
        let reader_key = if records.is_empty() {
            return Ok(0);
        } else {
            self.key_of(grant.reader).await?
        };
        for list in records.chunks(KEYS_IN_A_LIST) {
            number += 1;
            let keys = self.shared_keys(&own, list).await?;
            let made =
                self.make_delivery_object(&own, (grant.reader, &reader_key), (id, number), &keys)?;
            self.ports.vault.put_blob(&made.block)?;
            let delivery = Delivery {
                grant: id,
                number,
                records: list.iter().map(KeptRecord::record).collect(),
            };
            let key = delivery_key(id, number);
            self.begin_at(
                self.ports.due(),
                errand_key("deliver", &[&key]),
                format!(
                    "{} to {}",
                    counted(list.len(), "record"),
                    given.artefact.name
                ),
                given.own,
                Call::Deliver {
                    grant: grant.clone(),
                    number,
                    digest: made.digest,
                },
                Luggage {
                    objects: vec![*made.block.cid()],
                    rows: vec![change(table::DELIVERIES, &key, &delivery)],
                    ..Luggage::default()
                },
            )
            .await?;
        }
        Ok(records.len())
    }

    /// Key lists given under a grant.
    pub(crate) fn deliveries(&self, grant: GrantId) -> Result<Vec<Delivery>, JourneyError> {
        let mut deliveries: Vec<Delivery> = self.rows(table::DELIVERIES)?;
        deliveries.retain(|delivery| delivery.grant == grant);
        Ok(deliveries)
    }
}
