//! Erasure that is one (design 11, row 16b): final on chain first, then rows, keys, blobs, files and caches of the
//! record go in one step here, at the keepers and at storage; a tombstone stays. Every device of the phrase, every
//! granted reader and the author do the same when they see the event ([`Party::forget`]).

use std::collections::BTreeSet;

use medibloc_consent::{AnchorFields, DeletionStatement};
use medibloc_dag::Cid;
use medibloc_keys::recover;
use medibloc_ledger::{Call, Outcome, RecordFacts};
use medibloc_record::{AccountId, GrantId, ReceiptId, RecordId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::bounds;
use crate::deadline::REQUEST_LIFE;
use crate::errand::{Errand, Luggage, errand_key, gone};
use crate::grant::deliver::{Delivery, delivery_key};
use crate::grant::kept::RecordKeys;
use crate::grant::{GivenGrant, HeldGrant};
use crate::looks::Look;
use crate::party::{change, table};
use crate::ports::{Change, PortError};
use crate::read::KeptCopy;
use crate::together::{Asked, all};
use crate::wipe::{Tell, Wipe, cid_of, objects_of};
use crate::write::WriteJob;
use crate::{JourneyError, KeptRecord, Left, Outputs, Party, Standing, SyncReport};

mod anchored;
mod document;
mod seen;
mod written;

use document::ErasedDocument;
pub use written::ErasedWritten;

/// A reader that says that it purged an erased record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purge {
    /// The address that it read under.
    pub reader: AccountId,
    /// When its letter came.
    pub at: Timestamp,
    /// Files that it wrote out and keeps.
    pub files: u32,
    /// Which files another home of its phrase wrote out is not known.
    #[serde(default, skip_serializing_if = "crate::left::is_false")]
    pub unknown: bool,
    /// What it wrote to standard output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<Outputs>,
}

impl Purge {
    /// What is left of it.
    pub const fn left(&self) -> Left {
        Left {
            files: self.files,
            unknown: self.unknown,
            outputs: self.outputs,
        }
    }
}

/// What stays of an erased record: its tombstone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// Which.
    pub record: RecordId,
    /// Whose.
    pub owner: AccountId,
    /// When: the time of the block, as near as it is known here.
    pub at: Timestamp,
    /// By a command of this vault; else another device of the phrase did it, or another owner.
    pub here: bool,
    /// Readers that purged.
    pub purges: Vec<Purge>,
    /// The block up to which its receipts were looked at, which is that of the erasure: later ones there are none. None until
    /// a sync has come so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_until: Option<u64>,
    /// Keepers that signed that their share is destroyed, of how many; none until they were asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<Signed>,
    /// Whether its author was told, who has this home; none if it was not written here for somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author_told: Option<bool>,
    /// Of which document it was made here, by a key of the phrase; none if it was not, or that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) document: Option<ErasedDocument>,
}

/// How many of all keepers signed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// How many did.
    pub by: usize,
    /// How many there are.
    pub of: usize,
    /// How many make it final; none from older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needed: Option<usize>,
}

/// Somebody who was cleared to read an own record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReadBy {
    pub(crate) record: RecordId,
    pub(crate) reader: AccountId,
    pub(crate) grant: GrantId,
    pub(crate) receipt: ReceiptId,
    /// Where the receipt stands; none in rows of before that was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) block: Option<u64>,
    /// A sync told it from the chain that was left: the one that is followed now says it once more.
    #[serde(default, skip_serializing_if = "crate::left::is_false")]
    pub(crate) is_told: bool,
}

impl ReadBy {
    pub(crate) fn key(record: RecordId, receipt: ReceiptId) -> Vec<u8> {
        [record.as_bytes().as_slice(), receipt.as_bytes()].concat()
    }

    pub(crate) fn row(&self) -> Change {
        change(table::READ_BY, &Self::key(self.record, self.receipt), self)
    }
}

/// What an erasure does with files that were exported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exports {
    /// Those that are unchanged are deleted.
    #[default]
    Delete,
    /// They stay.
    Keep,
}

/// How an erasure went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErasedNow {
    /// Keepers that signed a deletion; n − t + 1 of them are final.
    pub statements: usize,
    /// The chain that this home went on with does not have it: nobody else was asked.
    pub off_chain: bool,
    /// Exported files that were deleted, with the reason.
    pub files_removed: Vec<String>,
    /// Exported files that stay, with the reason.
    pub files_left: Vec<String>,
}

impl Party {
    /// Erases a record: final on chain first, then everything here in one step, then keepers destroy their local keys
    /// and storage deletes. Gives the number of keepers that signed a deletion.
    ///
    /// # Errors
    /// If the contracts refuse, nothing was removed. If somebody does not answer, it is kept and `sync` goes on.
    pub async fn erase(&self, record: RecordId) -> Result<usize, JourneyError> {
        Ok(self.erase_with(record, Exports::Delete).await?.statements)
    }

    /// The same, with a say about exported files.
    ///
    /// # Errors
    /// Like [`Party::erase`].
    pub async fn erase_with(
        &self,
        record: RecordId,
        exports: Exports,
    ) -> Result<ErasedNow, JourneyError> {
        self.ports.vault.free_reserve();
        let kept = self.kept_or_anchored(record)?;
        let key = errand_key("erase", &[record.as_bytes()]);
        let mut is_mine = true;
        if kept.is_off_chain() && self.is_lacking(record).await? {
            return self.erase_off_chain(&kept, exports).await;
        }
        if self.errand(&key)?.is_some() {
            self.finish(&key).await?;
        } else if self.known_facts(record).await?.is_some_and(|it| it.erased) {
            // Unless this home did it, another device of the phrase was before it.
            is_mine = self.erasure(record)?.is_some_and(|erasure| erasure.here);
            if self.erasure(record)?.is_none() {
                self.put(table::ERASING, record.as_bytes(), &exports)?;
                self.is_erased_by_now(record).await?;
            }
        } else {
            let what = format!("erasure of record {record}");
            let call = Call::Erase(kept.anchor);
            // What waits to give it does not go any more, whether the erasure goes now or later.
            let (over, mut rows) = self.undo_giving(record)?;
            rows.push(change(table::ERASING, record.as_bytes(), &exports));
            let luggage = Luggage {
                rows,
                ..Luggage::default()
            };
            let errand = self.keep_errand(None, key, what, kept.anchor.owner, call, luggage);
            let errand = errand.await?;
            self.ports.vault.drop_blobs(&over)?;
            self.go_on(errand).await?;
        }
        let changes = self.forget(record, self.chain_now().await?, is_mine)?;
        self.ports.vault.apply(changes)?;
        let (mut left, mut later) = (Vec::new(), Vec::new());
        self.resume_wipes(&mut left, &mut later).await?;
        self.note_reads(record).await?;
        let left = left.into_iter().filter(|(of, _)| *of == record);
        Ok(ErasedNow {
            off_chain: false,
            statements: self
                .collect_statements(&kept, &mut BTreeSet::new())
                .await?
                .0,
            files_removed: self
                .take_removed(|of| of == record)?
                .into_values()
                .flatten()
                .collect(),
            files_left: left.map(|(_, file)| file).collect(),
        })
    }

    /// A record that the chain does not have is erased here alone. The order is kept as long as what its author signed for the chain
    /// that was left could still come to this one.
    async fn erase_off_chain(
        &self,
        kept: &KeptRecord,
        exports: Exports,
    ) -> Result<ErasedNow, JourneyError> {
        let (record, owner) = (kept.record(), kept.anchor.owner);
        let what = format!("erasure of record {record}");
        let (over, mut rows) = self.undo_giving(record)?;
        rows.push(change(table::ERASING, record.as_bytes(), &exports));
        rows.extend(self.forget(record, self.chain_now().await?, true)?);
        let luggage = Luggage {
            rows,
            ..Luggage::default()
        };
        let (key, call) = (
            errand_key("erase", &[record.as_bytes()]),
            Call::Erase(kept.anchor),
        );
        self.keep_errand(None, key, what, owner, call, luggage)
            .await?;
        self.ports.vault.drop_blobs(&over)?;
        let (mut left, mut later) = (Vec::new(), Vec::new());
        self.resume_wipes(&mut left, &mut later).await?;
        let left = left.into_iter().filter(|(of, _)| *of == record);
        Ok(ErasedNow {
            statements: 0,
            off_chain: true,
            files_removed: self
                .take_removed(|of| of == record)?
                .into_values()
                .flatten()
                .collect(),
            files_left: left.map(|(_, file)| file).collect(),
        })
    }

    /// Whether the right chain answers and does not have a record.
    pub(crate) async fn is_lacking(&self, record: RecordId) -> Result<bool, JourneyError> {
        let answers = match self.check_chain().await {
            Ok(()) => self.ports.facts.record(record).await,
            Err(JourneyError::Ledger(_)) => return Ok(false),
            Err(error) => return Err(error),
        };
        Ok(matches!(answers, Ok(None)))
    }

    /// Whether an errand is to erase what this chain does not have; it ends when nothing that was signed before can bring that to the
    /// chain any more.
    pub(crate) async fn erases_nothing(&self, errand: &Errand) -> Result<bool, JourneyError> {
        let Call::Erase(anchor) = &errand.call else {
            return Ok(false);
        };
        let record = anchor.record_id();
        let erasure = self.erasure(record)?;
        let kept: Option<KeptRecord> = self.row(table::RECORDS, record.as_bytes())?;
        let is_over = kept.is_some_and(|kept| kept.is_off_chain());
        let Some(erasure) = erasure.filter(|_| is_over) else {
            return Ok(false);
        };
        if !self.is_lacking(record).await? {
            return Ok(false);
        }
        // A chain that is away by now stops nothing else that is due.
        let now = self.chain_now().await;
        if now.is_ok_and(|now| erasure.at.plus(REQUEST_LIFE) < now) {
            self.ports.vault.apply(vec![gone(&errand.key)])?;
        }
        Ok(true)
    }

    /// The end of what waits to give a record: consents to it alone, and what is to give it among others, which is made anew
    /// without it. Its objects, and the rows. What may have left is not sent again; its row stays, to explain it if it comes to be
    /// on the chain.
    fn undo_giving(&self, record: RecordId) -> Result<(Vec<Cid>, Vec<Change>), JourneyError> {
        let (mut objects, mut rows) = (Vec::new(), Vec::new());
        for errand in self.errands()? {
            let among = match &errand.call {
                _ if !errand.is_unsent() => false,
                Call::Grant { grant, .. } => {
                    let given: Option<GivenGrant> = self.row(table::GRANTS, grant.id.as_bytes())?;
                    given.is_some_and(|given| given.artefact.records.contains(&record))
                }
                Call::Deliver { grant, number, .. } => {
                    let key = delivery_key(grant.id, *number);
                    let delivery: Option<Delivery> = self.row(table::DELIVERIES, &key)?;
                    delivery.is_some_and(|delivery| delivery.records.contains(&record))
                }
                _ => false,
            };
            if !among && !errand.gives_alone(record) {
                continue;
            }
            objects.extend(errand.objects());
            if errand.is_unsent() {
                rows.extend(self.undo(&errand)?);
            }
            rows.push(gone(&errand.key));
        }
        Ok((objects, rows))
    }

    /// What the right chain says of a record; none, too, while it does not answer: what is taken back is kept then.
    pub(crate) async fn known_facts(
        &self,
        record: RecordId,
    ) -> Result<Option<RecordFacts>, JourneyError> {
        let asked = async {
            self.check_chain().await?;
            Ok(self.ports.facts.record(record).await?)
        };
        match asked.await {
            Err(JourneyError::Ledger(_)) => Ok(None),
            asked => asked,
        }
    }

    /// Whether an erasure was begun and has not ended, or is done.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn erasure_is_begun(&self, record: RecordId) -> Result<bool, JourneyError> {
        let key = errand_key("erase", &[record.as_bytes()]);
        Ok(self.errand(&key)?.is_some() || self.erasure(record)?.is_some())
    }

    /// Rows of an erasure that just became final.
    pub(crate) fn after_erase(
        &self,
        record: RecordId,
        _: Outcome,
    ) -> Result<Vec<Change>, JourneyError> {
        self.forget(record, self.ports.clock.now(), true)
    }

    /// The event: whoever has anything of the record forgets it, and says so if it had read it.
    pub(crate) async fn take_erased(
        &self,
        record: RecordId,
        block: u64,
        report: &mut SyncReport,
    ) -> Result<(), JourneyError> {
        let is_mine = self.row::<KeptRecord>(table::RECORDS, record.as_bytes())?;
        let is_news = is_mine.is_some_and(|kept| kept.standing != Standing::Erased);
        let had_copy = self.read_before(record)?.is_some();
        let blocks = self.ports.events.events(block, 1).await?;
        let at = match blocks.first().filter(|found| found.number == block) {
            Some(found) => found.time,
            None => self.chain_now().await?,
        };
        let changes = self.forget(record, at, false)?;
        let is_done = changes.is_empty();
        self.ports.vault.apply(changes)?;
        if is_done {
            return Ok(());
        }
        if is_news {
            report.erased.push(record);
        }
        if had_copy {
            report.purged.push(record);
        }
        self.resume_wipes(&mut report.files_left, &mut report.later)
            .await
    }

    /// Everything that has to change here when a record is erased, as one step: keys, jobs, copies, errands and
    /// descriptions go, the tombstone comes, and the wipe of blobs and files begins. Nothing if nothing of it is here.
    pub(crate) fn forget(
        &self,
        record: RecordId,
        at: Timestamp,
        here: bool,
    ) -> Result<Vec<Change>, JourneyError> {
        let id = record.as_bytes();
        let (mut changes, mut roots, mut tell) = (Vec::new(), Vec::new(), Vec::new());
        let mut owner = None;
        let delete = |table: &'static str| Change::Delete {
            table,
            key: id.to_vec(),
        };
        let (mut is_here, mut is_written, mut original) = (false, false, None);
        let kept = self.row::<KeptRecord>(table::RECORDS, id)?;
        if let Some(look) = self.row::<Look>(table::LOOKS, id)? {
            is_here = true;
            owner = Some(look.anchor.owner);
            roots.extend(objects_of(&look.anchor));
            changes.push(delete(table::LOOKS));
            if kept.is_none() {
                changes.push(change(table::RECORDS, id, &look.erased()));
            }
        }
        if let Some(mut kept) = kept {
            is_here |= kept.standing != Standing::Erased || kept.manifest.is_some();
            owner = Some(kept.anchor.owner);
            roots.extend(objects_of(&kept.anchor));
            roots.push(cid_of(kept.capsule));
            if kept.anchor.author == kept.anchor.owner {
                original = document::original_of(&kept);
            }
            if let Some(manifest) = &kept.manifest {
                roots.extend(manifest.parts.iter().map(|part| part.cid));
            }
            kept.standing = Standing::Erased;
            kept.manifest = None;
            kept.named = crate::Named::Nobody;
            kept.incomplete = false;
            changes.push(change(table::RECORDS, id, &kept));
        }
        changes.extend(self.noted_no_more(record)?);
        for jobs in [table::JOBS, table::WRITTEN] {
            if let Some(job) = self.row::<WriteJob>(jobs, id)? {
                is_here = true;
                is_written |= job.anchor.author != job.anchor.owner;
                owner = Some(job.anchor.owner);
                original = Some(job.original);
                roots.extend(objects_of(&job.anchor));
                roots.extend(job.blocks.iter().copied());
                changes.push(delete(jobs));
            }
        }
        let elsewhere: Option<AnchorFields> = self.row(table::WRITTEN_ELSEWHERE, id)?;
        if let Some(anchor) = elsewhere {
            is_here = true;
            is_written = true;
            owner = Some(anchor.owner);
            changes.push(delete(table::WRITTEN_ELSEWHERE));
        }
        if let Some(copy) = self.row::<KeptCopy>(table::READS, id)? {
            is_here = true;
            roots.extend(copy.manifest.parts.iter().map(|part| part.cid));
            changes.push(delete(table::READS));
        }
        for said in [table::TAKEN_BACK, table::LOOKED_BACK, table::COPIES] {
            if self.ports.vault.get(said, id)?.is_some() {
                changes.push(delete(said));
            }
        }
        if self.ports.vault.get(table::RECEIPTS, id)?.is_some() {
            changes.push(delete(table::RECEIPTS));
        }
        let (objects, rows) = self.objects_of_alone(record)?;
        roots.extend(objects);
        changes.extend(rows);
        let keys = self.keys_of_record(record)?;
        for held in self.held()? {
            if let Some((of, rows, letter)) =
                self.without_key(held, (record, keys.as_ref()), &mut roots)?
            {
                is_here = true;
                owner = Some(of);
                changes.extend(rows);
                tell.push(letter);
            }
        }
        if keys.is_some() {
            changes.push(delete(table::HELD_KEYS));
        }
        let (objects, rows) = self.undo_giving(record)?;
        is_here |= !rows.is_empty();
        roots.extend(objects);
        changes.extend(rows);
        for errand in self.errands()? {
            if errand.is_about(record) {
                is_here = true;
                roots.extend(errand.objects());
                changes.push(gone(&errand.key));
            }
        }
        let wished: Option<Exports> = self.row(table::ERASING, id)?;
        // It was ordered here, though the order was broken off and a sync meets the event.
        let ordered = self.errand(&errand_key("erase", &[id]))?.is_some();
        let here = here || ordered;
        let before: Option<Erasure> = self.row(table::ERASED, id)?;
        let Some(owner) = owner.or(before.as_ref().map(|before| before.owner)) else {
            return Ok(Vec::new());
        };
        if let Some(before) = &before
            && !is_here
            && (before.here || !here)
        {
            return Ok(Vec::new());
        }
        let files = self.exports_of(record)?;
        changes.push(delete(table::ERASING));
        let mut erasure = before.unwrap_or(Erasure {
            record,
            owner,
            at,
            here,
            purges: Vec::new(),
            read_until: None,
            signed: None,
            author_told: None,
            document: None,
        });
        erasure.here |= here;
        erasure.author_told = erasure.author_told.or(is_written.then_some(false));
        erasure.document = erasure
            .document
            .or(original.map(|original| self.erased_document(owner, &original)));
        changes.push(change(table::ERASED, id, &erasure));
        let key = errand_key("erased", &[id]);
        if self.ports.vault.get(table::WIPES, &key)?.is_none() {
            let cids = self.only_of(&BTreeSet::from([record]), roots)?;
            let wipe = Wipe {
                key,
                cids,
                files,
                unknown: self.read_elsewhere(None, |of| of == record)?,
                outputs: self
                    .outputs_of(record)?
                    .map(|outputs| (record, outputs))
                    .into_iter()
                    .collect(),
                keep_files: wished == Some(Exports::Keep),
                tell,
                end: None,
            };
            changes.push(wipe.row());
        }
        Ok(changes)
    }

    /// A held grant without the key of a record, and the letter about it; none if it has none.
    fn without_key(
        &self,
        mut held: HeldGrant,
        (record, keys): (RecordId, Option<&RecordKeys>),
        roots: &mut Vec<Cid>,
    ) -> Result<Option<(AccountId, Vec<Change>, Tell)>, JourneyError> {
        let Some(grant) = held.id() else {
            return Ok(None);
        };
        let Some((anchor, mut rows)) = self.without_key_of(&mut held, (record, keys))? else {
            return Ok(None);
        };
        roots.extend(objects_of(&anchor));
        let named = &mut held.artefact.records;
        let has_room = named.len() < bounds::MOST_KEYS || self.was_read(record)?;
        if has_room && !named.contains(&record) {
            named.push(record);
        }
        let tell = Tell {
            letter: errand_key("purged-erased", &[record.as_bytes(), grant.as_bytes()]),
            own: held.own,
            owner: held.owner,
            node: held.artefact.owner_node.clone(),
            pairing: held.artefact.pairing.clone(),
            grants: Vec::new(),
            records: vec![record],
        };
        rows.push(change(table::SHARED_GRANTS, grant.as_bytes(), &held));
        Ok(Some((held.owner, rows, tell)))
    }

    /// An own record that is not erased: what every step that gives anything of a record begins with.
    ///
    /// # Errors
    /// [`JourneyError::Erased`] with the time, or that it is not known here.
    pub(crate) fn live_record(&self, record: RecordId) -> Result<KeptRecord, JourneyError> {
        let kept = self.record(record)?;
        if kept.standing == Standing::Erased {
            return Err(self.erased_error(record)?);
        }
        Ok(kept)
    }

    /// An own record that is not erased and of which no erasure was begun: what every step that gives it away or writes it
    /// out begins with.
    ///
    /// # Errors
    /// [`JourneyError::Erased`], [`JourneyError::BeingErased`], or that it is not known here.
    pub(crate) fn standing_record(&self, record: RecordId) -> Result<KeptRecord, JourneyError> {
        let kept = self.live_record(record)?;
        if self.erasure_is_begun(record)? {
            return Err(JourneyError::BeingErased { record });
        }
        Ok(kept)
    }

    /// Those of which no erasure was begun: what is about to be erased is given to nobody.
    pub(crate) fn not_being_erased(
        &self,
        records: Vec<KeptRecord>,
    ) -> Result<Vec<KeptRecord>, JourneyError> {
        let mut standing = Vec::with_capacity(records.len());
        for kept in records {
            if !self.erasure_is_begun(kept.record())? {
                standing.push(kept);
            }
        }
        Ok(standing)
    }

    /// Refuses a record that was erased, or of which the erasure was begun.
    ///
    /// # Errors
    /// [`JourneyError::Erased`], [`JourneyError::BeingErased`], or that it is not known here.
    pub fn must_not_be_erased(&self, record: RecordId) -> Result<(), JourneyError> {
        self.standing_record(record).map(drop)
    }

    /// The same of what the chain says now, if it answers: what another device of the phrase erased is purged in the same act.
    ///
    /// # Errors
    /// [`JourneyError::Erased`]; that it is not here, or the vault fails.
    pub async fn must_not_be_erased_now(&self, record: RecordId) -> Result<(), JourneyError> {
        self.must_not_be_erased(record)?;
        self.must_not_be_gone_now(record).await
    }

    /// The same of any record that something is here of, own or not.
    ///
    /// # Errors
    /// [`JourneyError::Erased`]; that the vault fails.
    pub async fn must_not_be_gone_now(&self, record: RecordId) -> Result<(), JourneyError> {
        if self.known_facts(record).await?.is_some_and(|it| it.erased)
            && self.is_erased_by_now(record).await?
        {
            return Err(self.erased_error(record)?);
        }
        Ok(())
    }

    pub(crate) fn erased_error(&self, record: RecordId) -> Result<JourneyError, JourneyError> {
        let at = self.erasure(record)?.map(|erasure| erasure.at);
        Ok(JourneyError::Erased { record, at })
    }

    /// Asks keepers for their deletion statements, those that are `away` not; keeps those that are signed, and counts them and
    /// the keepers.
    pub(crate) async fn collect_statements(
        &self,
        kept: &KeptRecord,
        away: &mut BTreeSet<u8>,
    ) -> Result<(usize, usize), JourneyError> {
        let record = kept.record();
        let own = self.own_address(kept.anchor.owner)?;
        let committee = self.committee_at(kept.block).await?;
        let keepers = self.ports.network.keepers(&self.signer(&own));
        let mut statements = 0;
        let mut open: Vec<Asked<'_, _>> = Vec::new();
        for keeper in &committee.keepers {
            let key = [record.as_bytes().as_slice(), &[keeper.index]].concat();
            if self.ports.vault.get(table::STATEMENTS, &key)?.is_some() {
                statements += 1;
                continue;
            }
            if away.contains(&keeper.index) {
                continue;
            }
            let keepers = keepers.clone();
            open.push(Box::pin(async move {
                let answer = keepers.deletion(keeper.index, record).await;
                (keeper, key, answer)
            }));
        }
        for (keeper, key, answer) in all(open).await {
            if let Err(PortError::Unreachable { .. }) = &answer {
                away.insert(keeper.index);
            }
            if let Ok(Some(statement)) = answer
                && recover(
                    &DeletionStatement::digest(keeper.signer, record, &self.ports.domain),
                    &statement.signature,
                )
                .is_ok_and(|signer| signer == keeper.signer)
            {
                self.put(table::STATEMENTS, &key, &statement)?;
                statements += 1;
            }
        }
        let threshold = committee.committee.threshold;
        let signed = Signed {
            by: statements,
            of: committee.keepers.len(),
            needed: Some(usize::from(threshold.n() - threshold.t() + 1)),
        };
        if let Some(mut erasure) = self.erasure(record)?
            && erasure.signed != Some(signed)
        {
            erasure.signed = Some(signed);
            self.put(table::ERASED, record.as_bytes(), &erasure)?;
        }
        Ok((signed.by, signed.of))
    }

    /// Goes on asking for deletion statements until every keeper has signed.
    pub(crate) async fn resume_erasures(
        &self,
        later: &mut Vec<String>,
    ) -> Result<(), JourneyError> {
        let mut erased = self.records()?;
        // For what this chain does not have no keeper signs; nothing of it can be read either.
        erased.retain(|kept| kept.standing == Standing::Erased && !kept.is_off_chain());
        // Who does not answer is not asked for the next one.
        let mut away = BTreeSet::new();
        for kept in erased {
            if self.patience.is_called() {
                break;
            }
            let (got, of) = self.collect_statements(&kept, &mut away).await?;
            if got < of {
                later.push(format!(
                    "erasure of record {}: {got} of {of} keepers signed",
                    kept.record()
                ));
            }
        }
        Ok(())
    }
}
