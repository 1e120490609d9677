//! Who may have which block. A block belongs to a record if the record's anchored package leads to it and the record's
//! author or owner brought it here: nobody comes by another's blocks by naming them in a package of their own.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use medibloc_api::Code;
use medibloc_dag::{Budget, Cid, Codec};
use medibloc_record::{AccountId, Digest, Package, RecordId, Timestamp};
use medibloc_store::OwnStore;
use rusqlite::{OptionalExtension, params};

use crate::chain::{Follower, Model, Object, RecordEntry};
use crate::db::Db;
use crate::fault::Fault;
use crate::guard::signed;

/// Seconds that a block is kept though no final event names it (design 11), and between two collections.
const UNNAMED: u64 = 86_400;
const BETWEEN: u64 = 3_600;
/// Blocks looked at in one question.
const PAGE: u32 = 1_000;

/// How a block stands to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It may have it.
    Entitled,
    /// It was owner or author of the record, which is erased.
    OfErased,
    /// Nothing: as if it were not there.
    None,
}

pub(crate) struct Access {
    pub(super) store: Arc<dyn OwnStore>,
    /// When unnamed blocks were collected last.
    pub(super) collected: Mutex<Timestamp>,
    /// Blocks are being brought, or being taken away: never both.
    pub(super) keeping: tokio::sync::RwLock<()>,
    pub(super) follower: Arc<Follower>,
    pub(super) db: Db,
}

impl Access {
    /// Brings the model to the last final block; learns new records' blocks and deletes erased ones'.
    pub(super) async fn refresh(&self) -> Result<(), Fault> {
        self.follower.refresh().await?;
        let erased: Vec<RecordId> = self
            .follower
            .read(|model| model.to_erase.iter().copied().collect());
        for record in erased {
            self.erase_record(record).await?;
            self.follower.change(|model| model.to_erase.remove(&record));
        }
        Ok(())
    }

    /// Remembers who brought blocks.
    pub(super) async fn uploaded(
        &self,
        account: AccountId,
        cids: Vec<Cid>,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let work = move |db: &mut rusqlite::Connection| {
            let transaction = db.transaction()?;
            for cid in cids {
                transaction
                    .prepare_cached("INSERT OR REPLACE INTO uploads VALUES (?1, ?2, ?3)")?
                    .execute(params![cid.to_bytes(), account.as_bytes(), signed(now.0)])?;
            }
            transaction.commit()
        };
        Ok(self.db.run(work).await?)
    }

    /// How a block stands to an account.
    pub(super) async fn standing(&self, account: AccountId, cid: &Cid) -> Result<Standing, Fault> {
        let objects = self.objects(cid).await?;
        let by_object = self.follower.read(|model| {
            objects
                .iter()
                .any(|object| model.may_have(account, *object))
        });
        if by_object {
            return Ok(Standing::Entitled);
        }
        let mut records = self.records_of(cid).await?;
        if records.is_empty() && objects.is_empty() {
            self.index_for(account).await?;
            records = self.records_of(cid).await?;
        }
        let of_objects = objects.iter().filter_map(|object| match object {
            Object::Of(record) | Object::Capsule(record) => Some(*record),
            _ => None,
        });
        let named: Vec<RecordId> = of_objects.collect();
        let by_record = self.follower.read(|model| {
            if records.iter().any(|it| model.may_read(account, *it)) {
                return Standing::Entitled;
            }
            let mut erased = records.iter().chain(&named).filter(|it| {
                model.is_party(account, **it) && model.record(**it).is_some_and(|it| it.erased)
            });
            if erased.next().is_some() {
                Standing::OfErased
            } else {
                Standing::None
            }
        });
        if by_record == Standing::None && self.has_uploaded(account, cid).await? {
            return Ok(Standing::Entitled);
        }
        Ok(by_record)
    }

    /// Whether an account may erase a block: the owner of a finally erased record that no other record shares, or who
    /// alone brought a block that nothing names.
    pub(super) async fn may_erase(&self, account: AccountId, cid: &Cid) -> Result<(), Fault> {
        let mut records = self.records_of(cid).await?;
        let objects = self.objects(cid).await?;
        records.extend(objects.iter().filter_map(|object| match object {
            Object::Of(record) | Object::Capsule(record) => Some(*record),
            _ => None,
        }));
        if self.standing(account, cid).await? == Standing::None {
            return Err(Fault::not_found("block"));
        }
        let allowed = if records.is_empty() {
            objects.is_empty() && self.uploaders(cid).await? == [account]
        } else {
            self.follower.read(|model| {
                records.iter().all(|id| {
                    model
                        .record(*id)
                        .is_some_and(|it| it.erased && it.anchor.owner == account)
                })
            })
        };
        if allowed {
            Ok(())
        } else {
            Err(Fault::new(
                Code::NotYours,
                "blocks of a record are erased when its owner has erased it on chain",
            ))
        }
    }

    /// What the block is on chain, as far as who named it brought it.
    async fn objects(&self, cid: &Cid) -> Result<Vec<Object>, Fault> {
        let named = |model: &Model| model.objects(Digest::new(cid.digest())).to_vec();
        let mut objects = self.follower.read(named);
        if cid.codec() != Codec::DagCbor || objects.is_empty() {
            return Ok(Vec::new());
        }
        let uploaders = self.uploaders(cid).await?;
        self.follower.read(|model| {
            objects.retain(|object| uploaders.iter().any(|it| model.brings(*it, *object)));
        });
        Ok(objects)
    }

    async fn records_of(&self, cid: &Cid) -> Result<Vec<RecordId>, Fault> {
        let cid = cid.to_bytes();
        let rows: Vec<[u8; 32]> = self
            .db
            .run(move |db| {
                db.prepare_cached("SELECT record FROM refs WHERE cid = ?1")?
                    .query_map(params![cid], |row| row.get(0))?
                    .collect()
            })
            .await?;
        Ok(rows.into_iter().map(RecordId::new).collect())
    }

    async fn uploaders(&self, cid: &Cid) -> Result<Vec<AccountId>, Fault> {
        let cid = cid.to_bytes();
        let rows: Vec<[u8; 20]> = self
            .db
            .run(move |db| {
                db.prepare_cached("SELECT account FROM uploads WHERE cid = ?1")?
                    .query_map(params![cid], |row| row.get(0))?
                    .collect()
            })
            .await?;
        Ok(rows.into_iter().map(AccountId::new).collect())
    }

    async fn has_uploaded(&self, account: AccountId, cid: &Cid) -> Result<bool, Fault> {
        Ok(self.uploaders(cid).await?.contains(&account))
    }

    /// Learns the blocks of records that an account may read and that are not known yet.
    async fn index_for(&self, account: AccountId) -> Result<(), Fault> {
        let waiting: Vec<RecordId> = self.follower.read(|model| {
            let readable = model.unindexed.iter().copied();
            readable.filter(|id| model.may_read(account, *id)).collect()
        });
        for record in waiting {
            self.index(record).await?;
        }
        Ok(())
    }

    /// Learns a record's blocks, if its package and everything above the leaves is here.
    async fn index(&self, record: RecordId) -> Result<(), Fault> {
        let entry = self.follower.read(|model| model.record(record));
        let Some(entry) = entry else {
            return Ok(());
        };
        if !self.is_indexed(record).await? {
            let (cids, is_all) = self.blocks_of(&entry).await?;
            if !is_all {
                return Ok(());
            }
            let work = move |db: &mut rusqlite::Connection| {
                let transaction = db.transaction()?;
                for cid in cids {
                    transaction
                        .prepare_cached("INSERT OR IGNORE INTO refs VALUES (?1, ?2)")?
                        .execute(params![cid.to_bytes(), record.as_bytes()])?;
                }
                transaction
                    .prepare_cached("INSERT OR IGNORE INTO indexed VALUES (?1)")?
                    .execute(params![record.as_bytes()])?;
                transaction.commit()
            };
            self.db.run(work).await?;
        }
        self.follower
            .change(|model| model.unindexed.remove(&record));
        Ok(())
    }

    async fn is_indexed(&self, record: RecordId) -> Result<bool, Fault> {
        let found = self
            .db
            .run(move |db| {
                db.prepare_cached("SELECT 1 FROM indexed WHERE record = ?1")?
                    .query_row(params![record.as_bytes()], |_| Ok(()))
                    .optional()
            })
            .await?;
        Ok(found.is_some())
    }

    /// Takes away blocks that were brought a day ago and that no record and no final event names. Whoever still wants
    /// one stores it again.
    pub(super) async fn collect(&self, now: Timestamp) -> Result<(), Fault> {
        {
            let mut last = self
                .collected
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if now.since(*last) < BETWEEN {
                return Ok(());
            }
            *last = now;
        }
        let waiting: Vec<RecordId> = self
            .follower
            .read(|model| model.unindexed.iter().copied().collect());
        let mut wanted = BTreeSet::new();
        for record in waiting {
            self.index(record).await?;
            // Some of its blocks are still to come: those that are here wait for them.
            if let Some(entry) = self.follower.read(|model| model.record(record)) {
                wanted.extend(self.blocks_of(&entry).await?.0);
            }
        }
        let before = signed(now.0.saturating_sub(UNNAMED));
        let mut after = Vec::new();
        loop {
            let from = after.clone();
            let page: Vec<Vec<u8>> = self
                .db
                .run(move |db| {
                    db.prepare_cached(
                        "SELECT cid FROM uploads WHERE cid > ?1
                         AND NOT EXISTS (SELECT 1 FROM refs WHERE refs.cid = uploads.cid)
                         GROUP BY cid HAVING MAX(at) <= ?2 ORDER BY cid LIMIT ?3",
                    )?
                    .query_map(params![from, before, PAGE], |row| row.get(0))?
                    .collect()
                })
                .await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after.clone_from(last);
            let mut unnamed = Vec::new();
            for cid in page.iter().filter_map(|cid| Cid::from_bytes(cid).ok()) {
                if !wanted.contains(&cid) && self.objects(&cid).await?.is_empty() {
                    unnamed.push(cid);
                }
            }
            if !unnamed.is_empty() {
                self.let_go(unnamed, before).await?;
            }
        }
    }

    /// Takes blocks away that nobody brought since, then forgets who did; after a crash between both it is done again.
    async fn let_go(&self, cids: Vec<Cid>, before: i64) -> Result<(), Fault> {
        let _alone = self.keeping.write().await;
        let old = move |db: &mut rusqlite::Connection| {
            let mut query =
                db.prepare_cached("SELECT MAX(at) <= ?2 FROM uploads WHERE cid = ?1")?;
            let mut old = Vec::new();
            for cid in cids {
                let is_old: Option<bool> =
                    query.query_row(params![cid.to_bytes(), before], |row| row.get(0))?;
                if is_old == Some(true) {
                    old.push(cid);
                }
            }
            Ok(old)
        };
        let old = self.db.run(old).await?;
        self.store.remove(&old).await?;
        tracing::info!(blocks = old.len(), "blocks that nothing names are gone");
        let forget = move |db: &mut rusqlite::Connection| {
            let transaction = db.transaction()?;
            for cid in old {
                transaction
                    .prepare_cached("DELETE FROM uploads WHERE cid = ?1")?
                    .execute(params![cid.to_bytes()])?;
            }
            transaction.commit()
        };
        Ok(self.db.run(forget).await?)
    }

    /// The blocks here that a record's package leads to, as far as author or owner brought them, and whether those are
    /// all.
    async fn blocks_of(&self, entry: &RecordEntry) -> Result<(BTreeSet<Cid>, bool), Fault> {
        let anchor = &entry.anchor;
        let package = Cid::from_dag_cbor_digest(anchor.package.to_bytes());
        let (mut found, mut is_all) = (BTreeSet::new(), true);
        let Some(bytes) = self.store.get(&package).await? else {
            return Ok((found, false));
        };
        // A package that is none leads to nothing; it is never looked at again.
        let Ok(package) = Package::parse(&bytes) else {
            return Ok((found, true));
        };
        let mut budget = Budget::of_record();
        for walk in package.walks(&mut budget) {
            // A file that is not of the layout leads to what was found before that was seen, and no further.
            let Ok(mut walk) = walk else {
                continue;
            };
            while let Some(wanted) = walk.next_block() {
                let cid = *wanted.cid();
                let uploaders = self.uploaders(&cid).await?;
                if !uploaders.contains(&anchor.author) && !uploaders.contains(&anchor.owner) {
                    is_all &= self.store.has(&[cid]).await? == [true];
                    continue;
                }
                if !wanted.is_leaf() {
                    let Some(bytes) = self.store.get(&cid).await? else {
                        is_all = false;
                        continue;
                    };
                    if walk.take(&wanted, &bytes).is_err() {
                        break;
                    }
                }
                found.insert(cid);
            }
        }
        Ok((found, is_all))
    }

    /// Deletes what only erased records have.
    async fn erase_record(&self, record: RecordId) -> Result<(), Fault> {
        if self.is_erased(record).await? {
            return Ok(());
        }
        // Another record may have the same blocks: all must be known before any is deleted.
        let unindexed: Vec<RecordId> = self
            .follower
            .read(|model| model.unindexed.iter().copied().collect());
        for record in unindexed {
            self.index(record).await?;
        }
        let Some(entry) = self.follower.read(|model| model.record(record)) else {
            return Ok(());
        };
        let rows: Vec<Vec<u8>> = self
            .db
            .run(move |db| {
                db.prepare_cached("SELECT cid FROM refs WHERE record = ?1")?
                    .query_map(params![record.as_bytes()], |row| row.get(0))?
                    .collect()
            })
            .await?;
        let anchor = entry.anchor;
        let own = [
            anchor.package,
            anchor.key_set,
            anchor.capsule,
            anchor.attestation,
        ];
        let mut cids: Vec<Cid> = rows
            .iter()
            .filter_map(|cid| Cid::from_bytes(cid).ok())
            .collect();
        // A record that is not whole here has no refs yet.
        cids.extend(self.blocks_of(&entry).await?.0);
        cids.extend(own.map(|digest| Cid::from_dag_cbor_digest(digest.to_bytes())));
        cids.extend(self.follower.read(|model| model.capsules_of(record)));
        for cid in cids {
            if !self.is_shared(&cid).await? {
                self.store.erase(&[cid]).await?;
            }
        }
        self.db
            .run(move |db| {
                db.execute(
                    "INSERT OR IGNORE INTO erased VALUES (?1)",
                    params![record.as_bytes()],
                )
            })
            .await?;
        tracing::info!("an erased record's blocks are deleted");
        Ok(())
    }

    async fn is_erased(&self, record: RecordId) -> Result<bool, Fault> {
        let found = self
            .db
            .run(move |db| {
                db.prepare_cached("SELECT 1 FROM erased WHERE record = ?1")?
                    .query_row(params![record.as_bytes()], |_| Ok(()))
                    .optional()
            })
            .await?;
        Ok(found.is_some())
    }

    /// Whether a record that is not erased has the block too.
    async fn is_shared(&self, cid: &Cid) -> Result<bool, Fault> {
        let records = self.records_of(cid).await?;
        let objects = self.objects(cid).await?;
        Ok(self.follower.read(|model| {
            let lives = |id: &RecordId| model.record(*id).is_some_and(|it| !it.erased);
            records.iter().any(lives)
                || objects.iter().any(|object| match object {
                    Object::Of(record) | Object::Capsule(record) => lives(record),
                    _ => true,
                })
        }))
    }
}
