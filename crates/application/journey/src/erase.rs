//! Erasure that is one (design 11, row 16b): final on chain first, then rows, keys, blobs, files and caches of the
//! record go in one step here, at the keepers and at storage; a tombstone stays. Every device of the phrase, every
//! granted reader and the author do the same when they see the event ([`Party::forget`]).

use std::collections::BTreeSet;

use medibloc_dag::Cid;
use medibloc_ledger::{Call, Outcome, RecordFacts};
use medibloc_record::{AccountId, GrantId, ReceiptId, RecordId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::deadline::REQUEST_LIFE;
use crate::errand::{Errand, Luggage, errand_key, gone};
use crate::grant::GivenGrant;
use crate::grant::deliver::{Delivery, delivery_key};
use crate::party::{change, table};
use crate::ports::Change;
use crate::{JourneyError, KeptRecord, Left, Outputs, Party, Standing, SyncReport};

mod anchored;
mod document;
mod forget;
mod guards;
mod seen;
mod statements;
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
    /// Who wrote it, whose later words of it count; none in tombstones of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<AccountId>,
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

impl Signed {
    /// Whether as many signed as make it final: an older version did not keep how many those are.
    pub fn is_final(&self) -> bool {
        self.needed.is_some_and(|needed| self.by >= needed)
    }
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
    /// Keepers that signed a deletion.
    pub statements: usize,
    /// So many keepers of the record's own committee make it final.
    pub needed: usize,
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
        let asked = self.collect_statements(&kept, &mut BTreeSet::new()).await?;
        Ok(ErasedNow {
            off_chain: false,
            statements: asked.signed.by,
            needed: asked.signed.needed.unwrap_or_default(),
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
            needed: 0,
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
}
