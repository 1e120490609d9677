//! Audit (design 11, row 15): who read what, when, on what basis; names from the owner's own grants.

use std::collections::{BTreeMap, BTreeSet};

use medibloc_ledger::{AuditLine, AuditTrail, Event};
use medibloc_record::{AccountId, GrantId, ReceiptId, RecordId, Timestamp};

use crate::erase::ReadBy;
use crate::grant::Artefact;
use crate::party::table;
use crate::ports::Change;
use crate::sync::Cursor;
use crate::{GivenGrant, JourneyError, Party};

/// One line for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedLine {
    /// The receipt.
    pub line: AuditLine,
    /// Name of the contact that the grant was given to.
    pub name: String,
}

/// A receipt as a sync took it: what can be said of a read while the chain does not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptReceipt {
    /// The record.
    pub record: RecordId,
    /// The reader's pseudonym.
    pub reader: AccountId,
    /// On what consent.
    pub grant: GrantId,
    /// The receipt.
    pub receipt: ReceiptId,
    /// Where it stands; none if this home did not keep that.
    pub block: Option<u64>,
    /// The reader, as lines name contacts.
    pub called: String,
    /// The consent; none if it is not here.
    pub basis: Option<Artefact>,
    /// Whether this home knows that the consent gave the record's key; none if the consent is not here.
    pub is_given: Option<bool>,
}

/// A record of somebody else that was read under an own address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnRead {
    /// The receipt.
    pub line: AuditLine,
    /// Whose record it is.
    pub owner: AccountId,
    /// The consent that it was read on; none if it is not here any more.
    pub basis: Option<Artefact>,
    /// Whether this home opened it; none if it is not known here, because another home of the phrase had it cleared.
    pub opened: Option<bool>,
}

impl Party {
    /// Every receipt of the own records, with names.
    pub async fn audit(&self) -> Result<Vec<NamedLine>, JourneyError> {
        self.named(self.audit_trail().await?)
    }

    /// Every receipt of the own records that a sync took, in chain order; the chain is not asked.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn audit_kept(&self) -> Result<Vec<KeptReceipt>, JourneyError> {
        let mut kept = Vec::new();
        for read in self.rows::<ReadBy>(table::READ_BY)? {
            let given: Option<GivenGrant> = self.row(table::GRANTS, read.grant.as_bytes())?;
            let called = self.reader_name(read.grant, read.reader)?;
            kept.push(KeptReceipt {
                record: read.record,
                reader: read.reader,
                grant: read.grant,
                receipt: read.receipt,
                block: read.block,
                called: called.unwrap_or_else(|| format!("unknown reader {}", read.reader)),
                basis: given.map(|given| given.artefact),
                is_given: None,
            });
        }
        let gave = self.are_known_to_give(kept.iter().map(|read| (read.grant, read.record)))?;
        for (read, gave) in kept.iter_mut().zip(gave) {
            read.is_given = gave;
        }
        kept.sort_by_key(|read| (read.block, read.receipt));
        Ok(kept)
    }

    /// Rows of reads in these blocks, which syncs took and told: the chain that is followed from now on may say them once more.
    pub(crate) fn told_reads(
        &self,
        blocks: core::ops::Range<u64>,
    ) -> Result<Vec<Change>, JourneyError> {
        let mut reads = self.rows::<ReadBy>(table::READ_BY)?;
        reads.retain(|read| read.block.is_some_and(|block| blocks.contains(&block)));
        let told = reads.into_iter().map(|read| {
            let is_told = true;
            ReadBy { is_told, ..read }.row()
        });
        Ok(told.collect())
    }

    /// Whether a read was told before another chain was followed.
    pub(crate) fn is_told(
        &self,
        record: RecordId,
        receipt: ReceiptId,
    ) -> Result<bool, JourneyError> {
        let read: Option<ReadBy> = self.row(table::READ_BY, &ReadBy::key(record, receipt))?;
        Ok(read.is_some_and(|read| read.is_told))
    }

    /// The last block whose events this home took; none if it took none.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn synced_to(&self) -> Result<Option<u64>, JourneyError> {
        let cursor: Cursor = self.row(table::CURSOR, b"chain")?.unwrap_or_default();
        Ok(cursor.next.checked_sub(1))
    }

    /// Every receipt of one own record, with names.
    ///
    /// # Errors
    /// If it is not here, the chain does not answer, or the vault fails.
    pub async fn reads_of(&self, record: RecordId) -> Result<Vec<NamedLine>, JourneyError> {
        let mut trail = self.trail_from(self.record(record)?.block).await?;
        trail.lines.retain(|line| line.record == record);
        self.named(trail)
    }

    /// Consents to read that stand as of a time of the chain and have the key of an own record.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn given_with(
        &self,
        record: RecordId,
        now: Timestamp,
    ) -> Result<Vec<(GrantId, GivenGrant)>, JourneyError> {
        let mut found = Vec::new();
        for (id, given) in self.grants()? {
            let grant = given.artefact.grant.as_ref();
            if given.revoked || grant.is_none_or(|grant| grant.terms.until <= now) {
                continue;
            }
            let has = given.artefact.records.contains(&record);
            if has || (self.deliveries(id)?.iter()).any(|list| list.records.contains(&record)) {
                found.push((id, given));
            }
        }
        Ok(found)
    }

    fn named(&self, trail: AuditTrail) -> Result<Vec<NamedLine>, JourneyError> {
        let mut names: BTreeMap<GrantId, String> = self
            .grants()?
            .into_iter()
            .map(|(id, given)| (id, given.artefact.name))
            .collect();
        for grant in self.unopened_consents()? {
            names.insert(grant.id, self.name_of_reader(grant.reader)?);
        }
        let lines = trail.lines.into_iter();
        let named = lines.map(|line| NamedLine {
            name: names
                .get(&line.grant)
                .cloned()
                .unwrap_or_else(|| format!("unknown reader {}", line.reader)),
            line,
        });
        Ok(named.collect())
    }

    /// Every receipt of the own records, as the chain tells it.
    pub async fn audit_trail(&self) -> Result<AuditTrail, JourneyError> {
        self.trail_from(0).await
    }

    async fn trail_from(&self, first: u64) -> Result<AuditTrail, JourneyError> {
        let own: Vec<AccountId> = self.addresses()?.iter().map(|own| own.id()).collect();
        let mut trail = AuditTrail::default();
        let mut next = first;
        loop {
            let blocks = self.ports.events.events(next, 500).await?;
            let Some(last) = blocks.last() else {
                return Ok(trail);
            };
            next = last.number + 1;
            for block in blocks {
                for event in &block.events {
                    if let Event::ReadOpened {
                        receipt,
                        record,
                        owner,
                        reader,
                        grant,
                        ..
                    } = event
                        && own.contains(owner)
                    {
                        trail.lines.push(AuditLine {
                            receipt: *receipt,
                            record: *record,
                            reader: *reader,
                            grant: *grant,
                            at: block.time,
                            block: block.number,
                            block_hash: block.hash,
                        });
                    }
                }
            }
        }
    }

    /// Every read of somebody else's record under an own address, in chain order.
    ///
    /// # Errors
    /// If the chain does not answer, or the vault fails.
    pub async fn own_reads(&self) -> Result<Vec<OwnRead>, JourneyError> {
        let held = self.held()?.into_iter().filter_map(|held| {
            let id = held.artefact.grant.as_ref()?.id;
            Some((id, held.artefact))
        });
        // Of one that is not held any more, what was noted of it while it was.
        let mut terms = self.noted_held()?;
        terms.extend(held);
        let held = terms;
        let own = self.reading_addresses()?;
        let (mut reads, mut events) = (Vec::new(), Vec::new());
        self.each_block(|block| {
            for event in &block.events {
                if let Event::ReadOpened {
                    receipt,
                    record,
                    owner,
                    reader,
                    grant,
                    ..
                } = event
                    && own.contains(reader)
                {
                    let line = AuditLine {
                        receipt: *receipt,
                        record: *record,
                        reader: *reader,
                        grant: *grant,
                        at: block.time,
                        block: block.number,
                        block_hash: block.hash,
                    };
                    let basis = held.get(grant).cloned();
                    reads.push(OwnRead {
                        line,
                        owner: *owner,
                        basis,
                        opened: None,
                    });
                    events.push(event.clone());
                }
            }
        })
        .await?;
        for (read, event) in reads.iter_mut().zip(&events) {
            if self.asked_here(event)? {
                read.opened = Some(!self.is_not_opened(read.line.receipt)?);
            }
        }
        Ok(reads)
    }

    /// Own addresses under which others' records may be read: the public account, too.
    pub(crate) fn reading_addresses(&self) -> Result<BTreeSet<AccountId>, JourneyError> {
        let mut own: BTreeSet<AccountId> = self.addresses()?.iter().map(|own| own.id()).collect();
        own.insert(self.account().id());
        Ok(own)
    }

    /// Signed statements of keepers that a record's share is gone.
    pub fn deletion_statements(&self) -> Result<usize, JourneyError> {
        Ok(self.ports.vault.list(table::STATEMENTS)?.len())
    }
}
