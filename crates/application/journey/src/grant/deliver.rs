//! Deliver (design 11, row 11b): keys of records that were accepted after a class or all grant was given. A durable
//! errand a list; only accepted records are delivered, and only while the grant lives.

use std::collections::BTreeSet;

use medibloc_consent::Scope;
use medibloc_ledger::Call;
use medibloc_record::{GrantId, RecordId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::accept::KeptRecord;
use crate::errand::{Luggage, errand_key};
use crate::grant::GivenGrant;
use crate::grant::give::KEYS_IN_A_LIST;
use crate::grant::plan::is_in;
use crate::party::{change, table};
use crate::{JourneyError, Party, SyncReport, Unread, counted};

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

/// An own record that a standing consent covers and that is not passed on by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldBack {
    /// The record.
    pub record: RecordId,
    /// Its title, if it has one.
    pub title: Option<String>,
    /// Why it is not known whom it names; none if it is.
    pub unread: Option<Unread>,
    /// Names of the contacts that would get it.
    pub readers: Vec<String>,
}

/// Whether an accepted record is one that a standing consent is about.
fn is_covered(given: &GivenGrant, kept: &KeptRecord) -> bool {
    let artefact = &given.artefact;
    kept.anchor.owner == given.own
        && kept.is_accepted()
        && artefact.about().is_some_and(|scope| is_in(scope, kept))
        && kept.fits(
            artefact.sensitivity,
            &artefact.categories,
            artefact.dates.as_ref(),
        )
}

impl Party {
    /// Gives the keys of newly accepted records to the readers of class and all grants.
    pub(crate) async fn deliver_new(&self, report: &mut SyncReport) -> Result<(), JourneyError> {
        let now = self.chain_now().await?;
        for (id, given) in self.grants()? {
            // What is about to be taken back gets nothing more.
            let begun = errand_key("grant", &[id.as_bytes()]);
            if !self.goes_on(&given, now)? || self.errand(&begun)?.is_some() {
                continue;
            }
            match self.deliver_under(id, &given).await {
                Ok(count) => report.delivered += count,
                Err(error) => report.later.push(error.to_string()),
            }
        }
        report.held_back = self.held_back(now)?;
        Ok(())
    }

    /// Whether what is accepted from now on follows under a consent by itself.
    pub(super) fn goes_on(&self, given: &GivenGrant, now: Timestamp) -> Result<bool, JourneyError> {
        let terms = given.artefact.grant.as_ref().map(|grant| &grant.terms);
        let standing = terms.is_some_and(|terms| {
            !matches!(terms.scope, Scope::One(_)) && terms.until > now && !given.revoked
        });
        Ok(standing && !self.ends_all(given.own)?)
    }

    /// Own records that a standing consent covers and that are not delivered under it ([`Party::not_passed_on`]), as of a time of
    /// the chain. One that [`Party::confirm_record`] keeps goes with the next sync.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn held_back(&self, now: Timestamp) -> Result<Vec<HeldBack>, JourneyError> {
        let others = self.not_passed_on()?;
        let mut records = self.records()?;
        records.retain(|kept| others.contains(&kept.record()) && !kept.retracted);
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let records = self.not_being_erased(records)?;
        let mut found: Vec<(KeptRecord, BTreeSet<String>)> = records
            .into_iter()
            .map(|kept| (kept, BTreeSet::new()))
            .collect();
        let called = self.names()?;
        for (id, given) in self.grants()? {
            if !self.goes_on(&given, now)? {
                continue;
            }
            let mut has = given.artefact.records.clone();
            for delivery in self.deliveries(id)? {
                has.extend(delivery.records);
            }
            let meant = self.meant_under(&given)?;
            for (kept, readers) in &mut found {
                let record = kept.record();
                let waits = !has.contains(&record) && !meant.contains(&record);
                if waits && is_covered(&given, kept) {
                    readers.insert(called.given(&given));
                }
            }
        }
        found.retain(|(_, readers)| !readers.is_empty());
        let told = found.into_iter().map(|(kept, readers)| HeldBack {
            record: kept.record(),
            unread: kept.named.unread(),
            title: kept.manifest.and_then(|manifest| manifest.title),
            readers: readers.into_iter().collect(),
        });
        Ok(told.collect())
    }

    async fn deliver_under(&self, id: GrantId, given: &GivenGrant) -> Result<usize, JourneyError> {
        let Some(grant) = given.artefact.grant.clone() else {
            return Ok(0);
        };
        let mut delivered: BTreeSet<RecordId> = given.artefact.records.iter().copied().collect();
        let mut numbers = BTreeSet::new();
        for delivery in self.deliveries(id)? {
            // One list at a time: what is accepted meanwhile goes with the next.
            let pending = errand_key("deliver", &[&delivery_key(id, delivery.number)]);
            if self.errand(&pending)?.is_some() {
                return Ok(0);
            }
            delivered.extend(&delivery.records);
            numbers.insert(delivery.number);
        }
        let (others, meant) = (self.not_passed_on()?, self.meant_under(given)?);
        let mut records: Vec<KeptRecord> = self.records()?;
        records.retain(|kept| {
            let record = kept.record();
            !kept.retracted
                && is_covered(given, kept)
                && !delivered.contains(&record)
                // Its owner has not said whose it is, and a key cannot be taken back.
                && (!others.contains(&record) || meant.contains(&record))
        });
        let records = self.not_being_erased(records)?;
        if !records.is_empty() {
            self.still_confirmed(given)?;
        }
        let own = self.own_address(given.own)?;
        let reader_key = if records.is_empty() {
            return Ok(0);
        } else {
            self.key_of(grant.reader).await?
        };
        for list in records.chunks(KEYS_IN_A_LIST) {
            let number = self.number_besides(&mut numbers);
            let mut keys = self.shared_keys(&own, list).await?;
            let root = match given.artefact.is_listed() {
                true => Some(self.list_of(&mut keys)),
                false => None,
            };
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
                    self.names()?.given(given)
                ),
                given.own,
                Call::Deliver {
                    grant: grant.clone(),
                    number,
                    digest: made.digest,
                    root,
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

    /// A number for one more list, which these do not have. It is drawn, not counted: another device of the phrase gives lists of its
    /// own, and two of one number would be taken for one.
    fn number_besides(&self, numbers: &mut BTreeSet<u32>) -> u32 {
        loop {
            let [a, b, c, d, ..] = self.ports.random();
            let number = u32::from_be_bytes([a, b, c, d]);
            if numbers.insert(number) {
                return number;
            }
        }
    }

    /// Key lists given under a grant.
    pub(crate) fn deliveries(&self, grant: GrantId) -> Result<Vec<Delivery>, JourneyError> {
        let mut deliveries: Vec<Delivery> = self.rows(table::DELIVERIES)?;
        deliveries.retain(|delivery| delivery.grant == grant);
        Ok(deliveries)
    }
}
