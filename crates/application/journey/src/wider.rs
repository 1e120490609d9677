//! What a key that was given once is worth beside a consent to more than it gives. On the chain a consent to a class or to all is to
//! every record of an address: what names another person, and in consents of before categories, dates and how sensitive, are kept by
//! which keys are delivered under it alone. Who kept the key of another record opens that one under it, too. Under a listed consent
//! nobody opens what is in none of its lists.

use std::collections::{BTreeMap, BTreeSet};

use medibloc_consent::Scope;
use medibloc_ledger::Event;
use medibloc_record::{AccountId, GrantId, RecordId};

use crate::grant::deliver::Delivery;
use crate::grant::plan::is_in;
use crate::party::table;
use crate::{GivenGrant, JourneyError, KeptRecord, Party, Standing, StillStanding};

impl Party {
    /// Consents that stand and that were not to give the records of this one, under which its contact opens them all the same if it
    /// kept their keys.
    ///
    /// # Errors
    /// If the vault fails.
    pub async fn key_opens_under(
        &self,
        id: GrantId,
        given: &GivenGrant,
    ) -> Result<Vec<StillStanding>, JourneyError> {
        let records = self.keys_given(id, given)?;
        let mut wider = self.wider_of(given.artefact.party, &records).await?;
        wider.retain(|one| one.id != id);
        Ok(wider)
    }

    /// The same before one record is given to the contact that is paired with an own address.
    ///
    /// # Errors
    /// If it is no contact, or the vault fails.
    pub async fn key_will_open_under(
        &self,
        paired: AccountId,
        record: RecordId,
    ) -> Result<Vec<StillStanding>, JourneyError> {
        let party = self.contact(paired)?.party;
        self.wider_of(party, &BTreeSet::from([record])).await
    }

    /// Of each read, by consent, record and block, whether the consent gave the record's key; none if that is not known here, because
    /// the consent or one of its key lists is not here.
    ///
    /// # Errors
    /// If the chain does not answer, or the vault fails.
    pub async fn gave(
        &self,
        reads: &[(GrantId, RecordId, u64)],
    ) -> Result<Vec<Option<bool>>, JourneyError> {
        let known = reads.iter().map(|(id, record, _)| (*id, *record));
        let mut gave = self.are_known_to_give(known)?;
        if !gave.contains(&Some(false)) {
            return Ok(gave);
        }
        // Not as far as is known here: the chain says which lists there are.
        let here = self.rows::<Delivery>(table::DELIVERIES)?.into_iter();
        let here: BTreeSet<(GrantId, u32)> = here.map(|it| (it.grant, it.number)).collect();
        let mut lacking: BTreeMap<GrantId, u64> = BTreeMap::new();
        self.each_block(|block| {
            for event in &block.events {
                if let Event::Delivered { grant, number, .. } = event
                    && !here.contains(&(*grant, *number))
                {
                    lacking.entry(*grant).or_insert(block.number);
                }
            }
        })
        .await?;
        for ((id, _, by), gave) in reads.iter().zip(&mut gave) {
            if *gave == Some(false) && lacking.get(id).is_some_and(|first| first <= by) {
                *gave = None;
            }
        }
        Ok(gave)
    }

    /// Of each consent and record, whether this home knows that the one gave the key of the other; none if the consent is not here.
    /// The chain is not asked.
    pub(crate) fn are_known_to_give(
        &self,
        reads: impl Iterator<Item = (GrantId, RecordId)>,
    ) -> Result<Vec<Option<bool>>, JourneyError> {
        let mut lists: Option<Vec<Delivery>> = None;
        let mut gave = Vec::new();
        for (id, record) in reads {
            let given: Option<GivenGrant> = self.row(table::GRANTS, id.as_bytes())?;
            let Some((records, grant)) =
                given.and_then(|given| Some((given.artefact.records, given.artefact.grant?)))
            else {
                gave.push(None);
                continue;
            };
            // Contracts and keepers let no other one be read under a consent to one.
            let is_one = grant.terms.scope == Scope::One(record);
            if is_one || records.contains(&record) {
                gave.push(Some(true));
                continue;
            }
            let lists = match &mut lists {
                Some(lists) => lists,
                none => none.insert(self.rows(table::DELIVERIES)?),
            };
            let mut of = lists.iter().filter(|list| list.grant == id);
            gave.push(Some(of.any(|list| list.records.contains(&record))));
        }
        Ok(gave)
    }

    /// Records whose keys left under a consent.
    fn keys_given(
        &self,
        id: GrantId,
        given: &GivenGrant,
    ) -> Result<BTreeSet<RecordId>, JourneyError> {
        let mut records: BTreeSet<RecordId> = given.artefact.records.iter().copied().collect();
        for delivery in self.deliveries(id)? {
            records.extend(delivery.records);
        }
        Ok(records)
    }

    /// Consents of a contact that stand, and to whose address one of these records belongs without being given by them.
    async fn wider_of(
        &self,
        party: AccountId,
        records: &BTreeSet<RecordId>,
    ) -> Result<Vec<StillStanding>, JourneyError> {
        let now = self.earlier_now().await?;
        let mut wider = Vec::new();
        for (id, given) in self.grants()? {
            let Some(grant) = &given.artefact.grant else {
                continue;
            };
            let scope = grant.terms.scope;
            if matches!(scope, Scope::One(_) | Scope::Listed(_))
                || given.artefact.party != party
                || given.revoked
                || grant.terms.until <= now
                || self.is_being_revoked(id, &given)?
            {
                continue;
            }
            let gives = self.covered_by(&given)?;
            let mut opens = false;
            for record in records.iter().filter(|record| !gives.contains(record)) {
                let kept = self.standing_kept(*record)?;
                opens |=
                    kept.is_some_and(|kept| kept.anchor.owner == given.own && is_in(scope, &kept));
            }
            if opens {
                wider.push(StillStanding {
                    id,
                    until: grant.terms.until,
                    is_pending: self.is_on_its_way(id)?,
                });
            }
        }
        Ok(wider)
    }

    /// An own record that is not erased; none if it is not here.
    fn standing_kept(&self, record: RecordId) -> Result<Option<KeptRecord>, JourneyError> {
        let kept: Option<KeptRecord> = self.row(table::RECORDS, record.as_bytes())?;
        Ok(kept.filter(|kept| kept.standing != Standing::Erased))
    }
}
