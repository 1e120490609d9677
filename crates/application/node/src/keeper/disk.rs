//! A keeper's disk: each share rests under a local key of its record's own, the local keys in a file of their own that
//! overwrites what is deleted. Destroying the local key destroys the share, also in backups of the share's file.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use medibloc_consent::SignedLine;
use medibloc_dag::cbor;
use medibloc_keeper::{Effect, KeptShare, State};
use medibloc_keys::{Entropy, SealingSecret, Share, hpke_open, hpke_seal, wipe_stack};
use medibloc_record::{AccountId, Digest, RecordId, Timestamp, Wrapped};
use rusqlite::{OptionalExtension, params};
use zeroize::Zeroizing;

use crate::clock::OsEntropy;
use crate::db::{Db, DbError, Durability};
use crate::guard::signed;

const SHARES: &str = "
CREATE TABLE IF NOT EXISTS shares (
    record BLOB PRIMARY KEY, key_set BLOB NOT NULL, committee INTEGER NOT NULL,
    share BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS erased (record BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS feed (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, owner BLOB NOT NULL, record BLOB NOT NULL,
    fact BLOB NOT NULL, line BLOB NOT NULL, UNIQUE (owner, record, fact));
CREATE TABLE IF NOT EXISTS answered (digest BLOB PRIMARY KEY, expiry INTEGER NOT NULL) WITHOUT ROWID;
";

const KEYS: &str =
    "CREATE TABLE IF NOT EXISTS keys (record BLOB PRIMARY KEY, key BLOB NOT NULL) WITHOUT ROWID;";

pub(super) struct Disk {
    shares: Db,
    keys: Db,
    storage: SealingSecret,
    /// Keys of erased records that were back, and were destroyed again.
    erased_again: AtomicU64,
}

fn info(what: &str, record: RecordId) -> Vec<u8> {
    [
        b"medibloc/v1/keeper/".as_slice(),
        what.as_bytes(),
        record.as_bytes(),
    ]
    .concat()
}

/// What SQLite's callbacks may answer with.
fn corrupt() -> rusqlite::Error {
    rusqlite::Error::InvalidColumnType(0, "sealed".into(), rusqlite::types::Type::Blob)
}

impl Disk {
    pub(super) fn open(folder: Option<&Path>, storage: SealingSecret) -> Result<Self, DbError> {
        let path = |name: &str| folder.map(|folder| folder.join(name));
        Ok(Self {
            shares: Db::open(
                path("keeper.sqlite").as_deref(),
                Durability::PowerCut,
                SHARES,
            )?,
            keys: Db::open(path("keys.sqlite").as_deref(), Durability::Shredding, KEYS)?,
            storage,
            erased_again: AtomicU64::new(0),
        })
    }

    /// Lets the shares' file grow to so many pages; with 1 not at all.
    #[cfg(test)]
    pub(super) fn limit_pages(&self, pages: u32) {
        self.shares
            .now(|db| db.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())))
            .expect("a pragma");
    }

    /// Everything that was made durable.
    pub(super) fn load(&self, now: Timestamp) -> Result<State, DbError> {
        let loaded = self.read(now);
        wipe_stack();
        loaded
    }

    fn read(&self, now: Timestamp) -> Result<State, DbError> {
        if self.is_of_another_key()? {
            return Err(DbError::OtherKey);
        }
        self.destroy_again()?;
        let mut state = State::new();
        type Row = ([u8; 32], [u8; 32], u32, Vec<u8>);
        let rows: Vec<Row> = self.shares.now(|db| {
            db.prepare("SELECT record, key_set, committee, share FROM shares")?
                .query_map([], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
                })?
                .collect()
        })?;
        for (record, key_set, committee, sealed) in rows {
            let record = RecordId::new(record);
            // Its local key is gone if the process died while it was being destroyed.
            let Some(key) = self.local_key(record)? else {
                continue;
            };
            let wrapped: Wrapped = cbor::from_slice(&sealed).map_err(|_| corrupt())?;
            let plain = hpke_open(&key, &info("share", record), &wrapped).map_err(|_| corrupt())?;
            let share = KeptShare {
                share: Share::from_slice(&plain).ok_or_else(corrupt)?,
                key_set: Digest::new(key_set),
                committee,
            };
            state.restore_share(record, share);
        }
        let erased: Vec<[u8; 32]> = self.shares.now(|db| {
            db.prepare("SELECT record FROM erased")?
                .query_map([], |row| row.get(0))?
                .collect()
        })?;
        for record in erased {
            state.restore_erased(RecordId::new(record));
        }
        let lines: Vec<([u8; 20], Vec<u8>)> = self.shares.now(|db| {
            db.prepare("SELECT owner, line FROM feed ORDER BY seq")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })?;
        for (owner, line) in lines {
            let line: SignedLine = cbor::from_slice(&line).map_err(|_| corrupt())?;
            state.feed_mut().restore(AccountId::new(owner), line);
        }
        let answered: Vec<([u8; 32], i64)> = self.shares.now(|db| {
            // No request is answered that ends later than in ten minutes; older versions kept some for ever.
            db.prepare("SELECT digest, expiry FROM answered WHERE expiry BETWEEN ?1 AND ?2")?
                .query_map(params![signed(now.0), signed(now.plus(600).0)], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?
                .collect()
        })?;
        for (digest, expiry) in answered {
            state.restore_answered(digest, Timestamp(expiry.unsigned_abs()));
        }
        if let Some(why) = self.gap(state.share_count())? {
            tracing::error!(why, "the data folder is not whole");
        }
        Ok(state)
    }

    /// Destroys keys of records that are erased: an older `keys.sqlite` brings them back, and with one of them any older copy of
    /// the other file gives the share.
    pub(super) fn destroy_again(&self) -> Result<(), DbError> {
        let here: Vec<[u8; 32]> = self.keys.now(|db| {
            db.prepare_cached("SELECT record FROM keys")?
                .query_map([], |row| row.get(0))?
                .collect()
        })?;
        let back: Vec<[u8; 32]> = self.shares.now(|db| {
            let mut is_erased = db.prepare_cached("SELECT 1 FROM erased WHERE record = ?1")?;
            let mut back = Vec::new();
            for record in here {
                if is_erased.exists([record])? {
                    back.push(record);
                }
            }
            Ok(back)
        })?;
        if back.is_empty() {
            return Ok(());
        }
        self.keys.now(|db| {
            let transaction = db.transaction()?;
            for record in &back {
                transaction
                    .prepare_cached("DELETE FROM keys WHERE record = ?1")?
                    .execute([record])?;
            }
            transaction.commit()
        })?;
        self.keys.shred()?;
        let keys = back.len();
        self.erased_again.fetch_add(keys as u64, Ordering::Relaxed);
        tracing::warn!(
            keys,
            "keys of erased records' shares were back, since an older keys.sqlite was put in its place; they are destroyed again: \
             destroy that copy"
        );
        Ok(())
    }

    /// How many keys that were.
    pub(super) fn erased_again(&self) -> u64 {
        self.erased_again.load(Ordering::Relaxed)
    }

    /// What one of the two files lacks that the other has something of. A crash leaves a difference of one record.
    fn gap(&self, opened: usize) -> Result<Option<&'static str>, DbError> {
        let count = |db: &Db, table: &str| {
            let query = format!("SELECT COUNT(*) FROM {table}");
            db.now(|db| db.query_row(&query, [], |row| row.get::<_, u32>(0)))
        };
        let (shares, keys) = (count(&self.shares, "shares")?, count(&self.keys, "keys")?);
        let gap = if opened == 0 && shares > 1 {
            "keeper.sqlite has shares, and keys.sqlite none of their keys: put both of one copy there, with their files that end in -wal"
        } else if shares == 0 && keys > 1 {
            "keys.sqlite has keys of shares, and keeper.sqlite has no share: put both of one copy there, with their files that end in -wal"
        } else {
            return Ok(None);
        };
        Ok(Some(gap))
    }

    /// Carries effects out, all durable when it returns.
    pub(super) fn keep(
        &self,
        effects: &[Effect],
        answered: Option<(Digest, Timestamp)>,
        now: Timestamp,
    ) -> Result<(), DbError> {
        if effects.is_empty() && answered.is_none() {
            return Ok(());
        }
        // Local keys first: a share is never written without its key, and a key is gone before the tombstone stands.
        let mut sealed = Vec::new();
        for effect in effects {
            match effect {
                Effect::StoreShare { record, share } => {
                    let key = match self.local_key(*record)? {
                        Some(key) => key,
                        None => self.make_local_key(*record)?,
                    };
                    let wrapped = hpke_seal(
                        &key.public(),
                        &info("share", *record),
                        share.share.expose(),
                        &mut OsEntropy,
                    )
                    .map_err(|_| corrupt())?;
                    sealed.push((
                        *record,
                        share.key_set,
                        share.committee,
                        cbor::to_vec(&wrapped),
                    ));
                }
                Effect::DestroyShare { record } => {
                    self.keys.now(|db| {
                        db.execute("DELETE FROM keys WHERE record = ?1", [record.as_bytes()])
                    })?;
                    self.keys.shred()?;
                }
                _ => {}
            }
        }
        self.shares.now(|db| {
            let transaction = db.transaction()?;
            for (record, key_set, committee, share) in &sealed {
                transaction
                    .prepare_cached("INSERT OR REPLACE INTO shares VALUES (?1, ?2, ?3, ?4)")?
                    .execute(params![
                        record.as_bytes(),
                        key_set.as_bytes(),
                        committee,
                        share
                    ])?;
            }
            for effect in effects {
                match effect {
                    Effect::DestroyShare { record } => {
                        transaction.execute(
                            "DELETE FROM shares WHERE record = ?1",
                            [record.as_bytes()],
                        )?;
                        transaction.execute(
                            "INSERT OR IGNORE INTO erased VALUES (?1)",
                            [record.as_bytes()],
                        )?;
                    }
                    Effect::Feed { owner, line } => {
                        transaction
                            .prepare_cached(
                                "INSERT INTO feed (owner, record, fact, line) VALUES (?1, ?2, ?3, ?4)
                                 ON CONFLICT (owner, record, fact) DO UPDATE SET line = excluded.line",
                            )?
                            .execute(params![
                                owner.as_bytes(),
                                line.line.record.as_bytes(),
                                cbor::to_vec(&line.line.fact),
                                cbor::to_vec(line)
                            ])?;
                    }
                    _ => {}
                }
            }
            if let Some((digest, expiry)) = answered {
                transaction
                    .prepare_cached("DELETE FROM answered WHERE expiry < ?1")?
                    .execute([signed(now.0)])?;
                transaction
                    .prepare_cached("INSERT OR REPLACE INTO answered VALUES (?1, ?2)")?
                    .execute(params![digest.as_bytes(), signed(expiry.0)])?;
            }
            transaction.commit()
        })
    }

    /// Whether there are local keys, and the storage key opens none of them: a damaged one is another thing.
    fn is_of_another_key(&self) -> Result<bool, DbError> {
        let all: Vec<([u8; 32], Vec<u8>)> = self.keys.now(|db| {
            db.prepare("SELECT record, key FROM keys")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })?;
        let opens = |(record, sealed): &([u8; 32], Vec<u8>)| {
            let wrapped = cbor::from_slice::<Wrapped>(sealed);
            let info = info("key", RecordId::new(*record));
            wrapped.is_ok_and(|it| hpke_open(&self.storage, &info, &it).is_ok())
        };
        Ok(!all.is_empty() && !all.iter().any(opens))
    }

    fn local_key(&self, record: RecordId) -> Result<Option<SealingSecret>, DbError> {
        let sealed: Option<Vec<u8>> = self.keys.now(|db| {
            db.prepare_cached("SELECT key FROM keys WHERE record = ?1")?
                .query_row([record.as_bytes()], |row| row.get(0))
                .optional()
        })?;
        let Some(sealed) = sealed else {
            return Ok(None);
        };
        let wrapped: Wrapped = cbor::from_slice(&sealed).map_err(|_| corrupt())?;
        let plain =
            hpke_open(&self.storage, &info("key", record), &wrapped).map_err(|_| corrupt())?;
        let bytes = <[u8; 32]>::try_from(plain.as_slice()).map_err(|_| corrupt())?;
        Ok(Some(SealingSecret::from_bytes(1, bytes)))
    }

    fn make_local_key(&self, record: RecordId) -> Result<SealingSecret, DbError> {
        let mut bytes = Zeroizing::new([0; 32]);
        OsEntropy.fill(bytes.as_mut());
        let wrapped = hpke_seal(
            &self.storage.public(),
            &info("key", record),
            bytes.as_slice(),
            &mut OsEntropy,
        )
        .map_err(|_| corrupt())?;
        self.keys.now(|db| {
            db.prepare_cached("INSERT INTO keys VALUES (?1, ?2)")?
                .execute(params![record.as_bytes(), cbor::to_vec(&wrapped)])
        })?;
        Ok(SealingSecret::from_bytes(1, *bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use medibloc_consent::{FeedFact, FeedLine};
    use medibloc_record::Signature;

    const RECORD: RecordId = RecordId::new([3; 32]);
    const OWNER: AccountId = AccountId::new([4; 20]);
    const NOW: Timestamp = Timestamp(1_000);

    fn open(folder: &Path, storage: u8) -> Result<(Disk, State), DbError> {
        let disk = Disk::open(Some(folder), SealingSecret::from_bytes(1, [storage; 32]))?;
        let state = disk.load(NOW)?;
        Ok((disk, state))
    }

    fn stored(byte: u8) -> Effect {
        Effect::StoreShare {
            record: RECORD,
            share: KeptShare {
                share: Share::new([byte; 32]),
                key_set: Digest::new([6; 32]),
                committee: 1,
            },
        }
    }

    fn line(count: u32) -> SignedLine {
        SignedLine {
            line: FeedLine {
                record: RECORD,
                fact: FeedFact::Strangers,
                count,
                first: NOW,
                last: NOW,
            },
            signature: Signature::new([5; 65]),
        }
    }

    fn told(count: u32) -> Effect {
        Effect::Feed {
            owner: OWNER,
            line: line(count),
        }
    }

    fn contains(folder: &Path, name: &str, needle: &[u8]) -> bool {
        let bytes = std::fs::read(folder.join(name)).unwrap_or_default();
        bytes.windows(needle.len()).any(|window| window == needle)
    }

    #[test]
    fn what_was_kept_is_there_after_a_restart_and_never_in_the_clear() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let (disk, state) = open(path, 1).unwrap();
        assert_eq!(state.share_count(), 0);
        disk.keep(&[stored(0xab), told(1)], None, NOW).unwrap();
        disk.keep(&[stored(0xac), told(2)], None, NOW).unwrap();
        drop(disk);
        let (_, state) = open(path, 1).unwrap();
        assert_eq!(state.share_count(), 1);
        assert_eq!(state.feed().of(OWNER), [line(2)]);
        for name in ["keeper.sqlite", "keeper.sqlite-wal", "keys.sqlite"] {
            assert!(!contains(path, name, &[0xac; 32]), "{name}");
        }
        let error = open(path, 2).err().unwrap().to_string();
        assert!(error.contains("another storage key"), "{error}");
    }

    #[test]
    fn a_folder_of_which_one_file_is_another_copys_says_which() {
        for (table, expected) in [("shares", "has no share"), ("keys", "none of their keys")] {
            let (disk, _) = open(tempfile::tempdir().unwrap().path(), 1).unwrap();
            for byte in [1, 2] {
                let record = RecordId::new([byte; 32]);
                let Effect::StoreShare { share, .. } = stored(byte) else {
                    unreachable!("it is one");
                };
                let stored = Effect::StoreShare { record, share };
                disk.keep(&[stored], None, NOW).unwrap();
            }
            assert_eq!(disk.gap(2).unwrap(), None);
            let db = match table {
                "shares" => &disk.shares,
                _ => &disk.keys,
            };
            db.now(|db| db.execute(&format!("DELETE FROM {table}"), []))
                .unwrap();
            let told = disk.gap(0).unwrap().unwrap();
            assert!(told.contains(expected), "{told}");
        }
    }

    #[test]
    fn a_destroyed_share_does_not_come_back_with_a_backup_of_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let (disk, _) = open(path, 1).unwrap();
        disk.keep(&[stored(0xab)], None, NOW).unwrap();
        let key = disk
            .keys
            .now(|db| db.query_row("SELECT key FROM keys", [], |row| row.get::<_, Vec<u8>>(0)))
            .unwrap();
        disk.keys.shred().unwrap();
        assert!(contains(path, "keys.sqlite", &key), "the positive control");
        drop(disk);
        let backup = folder.path().join("backup");
        std::fs::copy(path.join("keeper.sqlite"), &backup).unwrap();
        let (disk, _) = open(path, 1).unwrap();
        disk.keep(&[Effect::DestroyShare { record: RECORD }], None, NOW)
            .unwrap();
        for name in ["keys.sqlite", "keys.sqlite-wal"] {
            assert!(!contains(path, name, &key), "it is overwritten in {name}");
        }
        drop(disk);
        let (_, state) = open(path, 1).unwrap();
        assert_eq!(state.share_count(), 0);
        std::fs::copy(&backup, path.join("keeper.sqlite")).unwrap();
        let _ = std::fs::remove_file(path.join("keeper.sqlite-wal"));
        let _ = std::fs::remove_file(path.join("keeper.sqlite-shm"));
        let (_, state) = open(path, 1).unwrap();
        assert_eq!(state.share_count(), 0, "the backup has no key");
    }
}
