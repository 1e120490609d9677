//! What follows in the vault when an errand's call is final, and what is taken back when it was refused.

use medibloc_ledger::{Call, Outcome};
use medibloc_record::{AccountId, GrantId, ReceiptId, RecordId};

use crate::errand::{Errand, gone};
use crate::grant::deliver::delivery_key;
use crate::party::{ACCOUNT_KEY, change, table};
use crate::ports::Change;
use crate::read::KeptReceipt;
use crate::set_back::is_worthless;
use crate::times::End;
use crate::{GivenGrant, JourneyError, KeptRecord, Party, Standing};

impl Party {
    /// Rows that change in the same step as the errand ends.
    pub(crate) fn after(
        &self,
        errand: &Errand,
        outcome: Outcome,
    ) -> Result<Vec<Change>, JourneyError> {
        let own = errand.own;
        let mut times = match End::of_call(own, &errand.call) {
            Some(end) => self.ended_rows(end, outcome.block, false)?,
            None => Vec::new(),
        };
        let given = match &errand.call {
            Call::Grant { grant, .. } if !is_worthless(grant) => Some(grant.id),
            Call::GrantWrite(write) => {
                Some(GrantId::derive(write.owner, write.author, write.nonce))
            }
            _ => None,
        };
        if let Some(given) = given {
            times.extend(self.given_row(given, outcome.block)?);
        }
        let mut changes = self.rows_after(errand, outcome)?;
        changes.extend(times);
        Ok(changes)
    }

    fn rows_after(&self, errand: &Errand, outcome: Outcome) -> Result<Vec<Change>, JourneyError> {
        let own = errand.own;
        match &errand.call {
            Call::Revoke(grant) => self.revoked_where(|id, _| id == grant.id),
            Call::RevokeReader { reader } => self.revoked_where(|_, given| {
                let grant = given.artefact.grant.as_ref();
                given.own == own && grant.is_some_and(|grant| grant.reader == *reader)
            }),
            Call::RevokeWrite { author } => self.writes_revoked_where(|given| {
                let write = given.artefact.write;
                given.own == own && write.is_some_and(|write| write.author == *author)
            }),
            Call::RevokeAll => {
                let mut changes = self.revoked_where(|_, given| given.own == own)?;
                changes.extend(self.writes_revoked_where(|given| given.own == own)?);
                // A consent that was signed before and is not on chain is not signed again: it was taken back.
                let signed = self.errands()?.into_iter().filter(|other| {
                    other.own == own
                        && other.number() < errand.number()
                        && other.is_a_consent()
                        && !other.is_unsent()
                });
                changes.extend(signed.map(|other| gone(&other.key)));
                Ok(changes)
            }
            Call::OpenRead {
                record,
                nonce,
                grant,
                ..
            } => {
                let receipt = KeptReceipt {
                    id: ReceiptId::derive(*record, own, grant.id, *nonce),
                    record: *record,
                    reader: own,
                    grant: grant.id,
                    outcome,
                    at: self.ports.clock.now(),
                };
                Ok(vec![
                    change(table::RECEIPTS, record.as_bytes(), &receipt),
                    Self::not_opened_row(receipt.id),
                ])
            }
            Call::Accept(anchor) => self.after_accept(anchor.record_id()),
            Call::Erase(anchor) => self.after_erase(anchor.record_id(), outcome),
            Call::RotateSealingKey { .. } => self.next_key(own),
            Call::RotateAddress { next, .. } => self.handed_on(own, *next),
            Call::ReplaceCapsule { anchor, capsule } => {
                let record = anchor.record_id();
                let mut kept: KeptRecord = self.live_record(record)?;
                kept.capsule = *capsule;
                Ok(vec![change(table::RECORDS, record.as_bytes(), &kept)])
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Final, so it is accepted here, too: until the next sync it would seem to wait for something.
    fn after_accept(&self, record: RecordId) -> Result<Vec<Change>, JourneyError> {
        let kept = self.row::<KeptRecord>(table::RECORDS, record.as_bytes())?;
        let Some(mut kept) = kept.filter(|kept| kept.standing == Standing::Checked) else {
            return Ok(Vec::new());
        };
        kept.standing = Standing::Accepted;
        Ok(vec![change(table::RECORDS, record.as_bytes(), &kept)])
    }

    /// Rows that are taken back because the contracts refused.
    pub(crate) fn undo(&self, errand: &Errand) -> Result<Vec<Change>, JourneyError> {
        let (table, key) = match &errand.call {
            // The row is of the consent whose id was to be used up.
            Call::Grant { grant, .. } if is_worthless(grant) => return Ok(Vec::new()),
            Call::Grant { grant, .. } => (table::GRANTS, grant.id.as_bytes().to_vec()),
            Call::GrantWrite(write) => {
                let id = GrantId::derive(write.owner, write.author, write.nonce);
                (table::WRITE_GRANTS, id.as_bytes().to_vec())
            }
            Call::Deliver { grant, number, .. } => {
                (table::DELIVERIES, delivery_key(grant.id, *number))
            }
            Call::Erase(anchor) => (table::ERASING, anchor.record_id().as_bytes().to_vec()),
            _ => return Ok(Vec::new()),
        };
        let kept = self.dropped_row(&errand.call)?;
        Ok(kept
            .into_iter()
            .chain([Change::Delete { table, key }])
            .collect())
    }

    /// Marks consents as revoked that stand on chain; what is to be given only later is not meant.
    pub(crate) fn revoked_where(
        &self,
        ends: impl Fn(GrantId, &GivenGrant) -> bool,
    ) -> Result<Vec<Change>, JourneyError> {
        let mut changes = Vec::new();
        for (id, mut given) in self.grants()? {
            if !given.revoked && ends(id, &given) && !self.is_to_be_given(id)? {
                given.revoked = true;
                given.revoked_at = Some(self.ports.clock.now());
                changes.push(change(table::GRANTS, id.as_bytes(), &given));
            }
        }
        Ok(changes)
    }

    pub(crate) fn writes_revoked_where(
        &self,
        ends: impl Fn(&GivenGrant) -> bool,
    ) -> Result<Vec<Change>, JourneyError> {
        let mut changes = Vec::new();
        for (id, mut given) in self.write_grants()? {
            if !given.revoked && ends(&given) && !self.is_to_be_given(id)? {
                given.revoked = true;
                given.revoked_at = Some(self.ports.clock.now());
                changes.push(change(table::WRITE_GRANTS, id.as_bytes(), &given));
            }
        }
        Ok(changes)
    }

    fn next_key(&self, id: AccountId) -> Result<Vec<Change>, JourneyError> {
        let mut own = self.own_address(id)?;
        own.key_version += 1;
        Ok(vec![match own.index {
            Some(_) => change(table::ADDRESSES, own.address.as_bytes(), &own),
            None => change(table::CURSOR, ACCOUNT_KEY, &own.key_version),
        }])
    }
}
