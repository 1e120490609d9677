//! Which blocks a record has: learnt from its package once, outside requests, a bounded part at a time. What is still
//! to be looked at rests in the database, so that a restart goes on and memory stays small.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use medibloc_dag::{Cid, Codec, unixfs};
use medibloc_record::{AccountId, Digest, Package, RecordId};
use medibloc_store::StoreError;
use rusqlite::{OptionalExtension as _, params};

use super::access::Access;
use super::led::Led;
use crate::chain::RecordEntry;
use crate::fault::{Fault, damaged};
use crate::panics::{Panicked, Task, caught};

pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS refs (
    cid BLOB NOT NULL, record BLOB NOT NULL, PRIMARY KEY (cid, record)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS refs_by_record ON refs (record);
CREATE TABLE IF NOT EXISTS frontier (
    record BLOB NOT NULL, cid BLOB NOT NULL, PRIMARY KEY (record, cid)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS frontier_by_cid ON frontier (cid);
CREATE TABLE IF NOT EXISTS packages (
    record BLOB PRIMARY KEY, verdict TEXT NOT NULL) WITHOUT ROWID;
";

/// Blocks of one part, and nodes among them: a node has up to 1,024 links.
const PART: u32 = 64;
const NODES: usize = 4;
/// New records that are asked about at once.
const SIFTED: usize = 256;
/// Blocks of one record, brought or not: 1 TiB of leaves.
const MOST_BLOCKS: i64 = 1 << 20;

/// What became of a record's package; kept, so that it is never looked at again.
const OPEN: &str = "open";
const WHOLE: &str = "whole";
const FOREIGN: &str = "its package says another record";
const NONE: &str = "its package is none";
const TOO_LARGE: &str = "its package leads to too many blocks";
const PANICKED: &str = "set aside: its package ended the task that looked at it";

/// What came of one part.
enum Part {
    More,
    /// A whole round is over in which something came.
    Round,
    Missing,
    Settled(&'static str),
}

/// The one worker: it is there while there is something to do.
#[derive(Debug, Default)]
pub(super) struct Worker {
    running: AtomicBool,
    /// Something was looked at, or is gone.
    pub(super) progress: tokio::sync::Notify,
}

/// Whether a verdict makes the record's names count.
pub(super) fn is_sound(verdict: &str) -> bool {
    verdict == OPEN || verdict == WHOLE
}

/// Whether a verdict ends the work on a package.
pub(super) fn is_settled(verdict: &str) -> bool {
    verdict != OPEN
}

impl Access {
    /// Looks at new records, in the background.
    pub(super) fn kick(self: &Arc<Self>) {
        self.absorb();
        if self.worker.running.swap(true, Ordering::SeqCst) {
            return;
        }
        let access = self.clone();
        // It owns itself and ends when nothing is due: nobody waits for it.
        drop(tokio::spawn(async move {
            if caught(Task::Index, access.work()).await.is_err() {
                access.worker.running.store(false, Ordering::SeqCst);
            }
        }));
    }

    /// Takes new records over from the model.
    pub(super) fn absorb(&self) {
        let verdicts = self.verdicts.read().unwrap_or_else(PoisonError::into_inner);
        // The queue first: a record is always in the one or the other.
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let mut erasures = self.erasures.lock().unwrap_or_else(PoisonError::into_inner);
        erasures.retry();
        self.follower.change(|model| {
            for id in std::mem::take(&mut model.unindexed) {
                let settled = verdicts.get(&id).is_some_and(|it| it.settled);
                if let Some(entry) = model.record(id).filter(|_| !settled) {
                    queue.add(id, &entry);
                }
            }
            // Together: every record from before an erasure is in the queue, then.
            let anchored = model.anchored_records();
            for id in std::mem::take(&mut model.to_erase) {
                if let Some(entry) = model.record(id) {
                    let parties = [entry.anchor.author, entry.anchor.owner];
                    erasures.add(id, parties, anchored);
                }
            }
        });
    }

    async fn work(&self) {
        loop {
            match self.rank().await {
                Ok(()) => self.erase_next().await,
                Err(fault) => {
                    tracing::warn!(why = ?fault.0.code, "what owners stand for is looked at again");
                }
            }
            self.sift().await;
            let (next, is_idle) = {
                let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
                let mut erasures = self.erasures.lock().unwrap_or_else(PoisonError::into_inner);
                for record in queue.take_aged() {
                    erasures.looked_at(record);
                }
                let next = queue.next(Instant::now());
                let is_idle = next.is_none() && !queue.has_arrived() && !erasures.is_ready();
                if is_idle {
                    // Whoever adds something from now on starts another worker.
                    self.worker.running.store(false, Ordering::SeqCst);
                }
                (next, is_idle)
            };
            if let Some(record) = next {
                self.look_at(record).await;
            } else if is_idle {
                self.worker.progress.notify_waiters();
                return;
            }
            self.worker.progress.notify_waiters();
            tokio::task::yield_now().await;
        }
    }

    /// Asks of many new records at once whether anything of them is here: junk of which nothing was brought costs one
    /// statement each.
    async fn sift(&self) {
        let arrived = {
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.arrived(SIFTED)
        };
        if arrived.is_empty() {
            return;
        }
        let packages = arrived.iter().map(|(_, package, _)| package_cid(*package));
        let traces = self.traces(&packages.collect::<Vec<_>>()).await;
        let is_here: Vec<bool> = match traces {
            Ok(traces) => {
                let each = traces.iter().zip(&arrived);
                each.map(|(trace, (.., parties))| is_brought(&trace.uploaders, parties))
                    .collect()
            }
            // Each is looked at by itself.
            Err(_) => vec![true; arrived.len()],
        };
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        for ((id, ..), is_here) in arrived.into_iter().zip(is_here) {
            if is_here {
                queue.again(id);
            } else {
                queue.pause(id, now);
            }
        }
    }

    /// One part of one record, and when the next is due.
    async fn look_at(&self, record: RecordId) {
        let part = match caught(Task::Index, self.part(record)).await {
            Ok(Ok(part)) => part,
            Ok(Err(_)) => Part::Missing,
            Err(Panicked) => Part::Settled(PANICKED),
        };
        let part = match part {
            Part::Settled(verdict) if self.settle(record, verdict).await.is_err() => Part::Missing,
            part => part,
        };
        let came_late = {
            let is_erased = self.follower.read(|model| model.is_erased(record));
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            let was_looked_at = !queue.is_fresh(record);
            match part {
                // Who brings block after block of an erased record has each looked at in its pauses.
                Part::Round if is_erased && was_looked_at => {
                    queue.pause(record, Instant::now());
                    true
                }
                Part::More => {
                    queue.again(record);
                    false
                }
                Part::Round => {
                    queue.again_after_round(record);
                    false
                }
                Part::Missing => {
                    queue.pause(record, Instant::now());
                    false
                }
                Part::Settled(_) => {
                    queue.remove(record);
                    true
                }
            }
        };
        if came_late {
            self.erase_what_came_late(record).await;
        }
    }

    /// Records that wait for one of these blocks, of which the account is a party, need not pause any more.
    pub(super) async fn wake(&self, account: AccountId, brought: Vec<Cid>) -> Result<(), Fault> {
        let mut woken: Vec<RecordId> = {
            let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            let objects = brought.iter().filter(|cid| cid.codec() == Codec::DagCbor);
            objects
                .flat_map(|cid| queue.of_package(Digest::new(cid.digest())))
                .collect()
        };
        let waiting = move |db: &mut rusqlite::Connection| {
            let mut query = db.prepare_cached("SELECT record FROM frontier WHERE cid = ?1")?;
            let mut found: Vec<[u8; 32]> = Vec::new();
            for cid in brought {
                let rows = query.query_map(params![cid.to_bytes()], |row| row.get(0))?;
                for record in rows {
                    found.push(record?);
                }
            }
            Ok(found)
        };
        let waiting = self.db.run(waiting).await?;
        let waiting = waiting.into_iter().map(RecordId::new);
        // Nobody reads what comes of an erased record: it is found in a pause.
        self.follower
            .read(|model| woken.extend(waiting.filter(|id| !model.is_erased(*id))));
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        for record in woken {
            queue.wake(account, record);
        }
        Ok(())
    }

    /// Waits until new records that an account may read were looked at, at most a second.
    pub(super) async fn wait_for(&self, account: AccountId) {
        let end = tokio::time::Instant::now() + Duration::from_secs(1);
        loop {
            let progress = self.worker.progress.notified();
            let mut progress = std::pin::pin!(progress);
            progress.as_mut().enable();
            let fresh: Vec<RecordId> = {
                let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
                queue.fresh().take(1_000).collect()
            };
            let waits = self
                .follower
                .read(|model| fresh.iter().any(|id| model.may_read(account, *id)));
            if !waits || tokio::time::timeout_at(end, progress).await.is_err() {
                return;
            }
        }
    }

    /// Waits until nothing is due, at most two seconds.
    pub(super) async fn wait_for_work(&self) {
        let end = tokio::time::Instant::now() + Duration::from_secs(2);
        loop {
            let progress = self.worker.progress.notified();
            let mut progress = std::pin::pin!(progress);
            progress.as_mut().enable();
            let runs = self.worker.running.load(Ordering::SeqCst);
            if !runs || tokio::time::timeout_at(end, progress).await.is_err() {
                return;
            }
        }
    }

    /// One part of one record.
    async fn part(&self, record: RecordId) -> Result<Part, Fault> {
        let Some(entry) = self.follower.read(|model| model.record(record)) else {
            return Ok(Part::Settled(NONE));
        };
        let is_open = {
            let verdicts = self.verdicts.read().unwrap_or_else(PoisonError::into_inner);
            verdicts.contains_key(&record)
        };
        if !is_open {
            let begun = self.begin(record, &entry).await?;
            if let Some(part) = begun {
                return Ok(part);
            }
        }
        self.go_on(record, &entry).await
    }

    /// Reads the package: only what says that it is this record's names anything.
    async fn begin(&self, record: RecordId, entry: &RecordEntry) -> Result<Option<Part>, Fault> {
        let cid = package_cid(entry.anchor.package);
        let uploaders = self.uploaders(&cid).await?;
        if !is_brought(&uploaders, &[entry.anchor.author, entry.anchor.owner]) {
            return Ok(Some(Part::Missing));
        }
        let Some(bytes) = self.read_block(&cid).await? else {
            return Ok(Some(Part::Missing));
        };
        let Ok(package) = Package::parse(&bytes) else {
            return Ok(Some(Part::Settled(NONE)));
        };
        if package.record != record {
            return Ok(Some(Part::Settled(FOREIGN)));
        }
        let roots = package.parts.iter().map(|part| part.cid);
        let roots: Vec<Cid> = roots.chain(package.manifest_cid).collect();
        let led = self.led(record, entry);
        let begin = move |db: &mut rusqlite::Connection| {
            let transaction = db.transaction()?;
            led.name(&transaction)?;
            for cid in roots {
                transaction
                    .prepare_cached("INSERT OR IGNORE INTO frontier VALUES (?1, ?2)")?
                    .execute(params![record.as_bytes(), cid.to_bytes()])?;
            }
            transaction
                .prepare_cached("INSERT OR IGNORE INTO packages VALUES (?1, ?2)")?
                .execute(params![record.as_bytes(), OPEN])?;
            if !led.has_room(&transaction)? {
                return Ok(false);
            }
            transaction.commit()?;
            Ok(true)
        };
        if !self.db.run(begin).await? {
            return Ok(Some(no_room()));
        }
        self.say(record, OPEN);
        Ok(None)
    }

    /// Follows what is open: blocks that author or owner brought.
    async fn go_on(&self, record: RecordId, entry: &RecordEntry) -> Result<Part, Fault> {
        let from = self.cursor(record);
        let (author, owner) = (entry.anchor.author, entry.anchor.owner);
        let after = from.clone();
        let page: Vec<(Vec<u8>, bool)> = self
            .db
            .run(move |db| {
                db.prepare_cached(
                    "SELECT cid, EXISTS (SELECT 1 FROM uploads WHERE uploads.cid = frontier.cid
                       AND account IN (?3, ?4)) FROM frontier
                     WHERE record = ?1 AND cid > ?2 ORDER BY cid LIMIT ?5",
                )?
                .query_map(
                    params![
                        record.as_bytes(),
                        after,
                        author.as_bytes(),
                        owner.as_bytes(),
                        PART
                    ],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )?
                .collect()
            })
            .await?;
        let is_end = page.len() < PART as usize;
        let (mut done, mut children, mut nodes) = (Vec::new(), Vec::new(), 0);
        let (mut last, mut cut) = (from, false);
        for (bytes, brought) in page {
            let Ok(cid) = Cid::from_bytes(&bytes) else {
                done.push((bytes, false));
                continue;
            };
            if nodes == NODES && cid.codec() == Codec::DagPb {
                cut = true;
                break;
            }
            last.clone_from(&bytes);
            // A payload is a file; an object is never a part of one.
            if cid.codec() == Codec::DagCbor {
                done.push((bytes, false));
            } else if !brought {
                continue;
            } else if cid.codec() == Codec::DagPb {
                nodes += 1;
                let node = match self.read_block(&cid).await {
                    // It keeps back none of the others, and is looked at again when it comes again.
                    Err(StoreError::Corrupt { .. }) => {
                        damaged();
                        None
                    }
                    found => found?,
                };
                let Some(node) = node else {
                    continue;
                };
                children.extend(unixfs::links(&cid, &node).unwrap_or_default());
                done.push((bytes, true));
            } else if self.store.has(&[cid]).await? == [true] {
                done.push((bytes, true));
            }
        }
        let moved = !done.is_empty();
        let led = self.led(record, entry);
        let Some((left, blocks)) = self.write_down(led, done, children).await? else {
            return Ok(no_room());
        };
        if blocks > MOST_BLOCKS {
            return Ok(Part::Settled(TOO_LARGE));
        }
        if left == 0 {
            return Ok(Part::Settled(WHOLE));
        }
        let mut cursors = self.cursors.lock().unwrap_or_else(PoisonError::into_inner);
        let cursor = cursors.entry(record).or_default();
        cursor.1 |= moved;
        if !is_end || cut {
            cursor.0 = last;
            return Ok(Part::More);
        }
        // A whole round in which nothing came: what is left is not here.
        let moved = cursor.1;
        cursors.remove(&record);
        Ok(if moved { Part::Round } else { Part::Missing })
    }

    fn cursor(&self, record: RecordId) -> Vec<u8> {
        let cursors = self.cursors.lock().unwrap_or_else(PoisonError::into_inner);
        cursors
            .get(&record)
            .map(|(at, _)| at.clone())
            .unwrap_or_default()
    }

    /// Keeps what a part found; gives whether blocks are open and how many the record has, or none if there is no room.
    async fn write_down(
        &self,
        led: Led,
        done: Vec<(Vec<u8>, bool)>,
        children: Vec<Cid>,
    ) -> Result<Option<(i64, i64)>, Fault> {
        let write = move |db: &mut rusqlite::Connection| {
            let transaction = db.transaction()?;
            led.name(&transaction)?;
            let id = led.record.as_bytes();
            for (cid, counts) in &done {
                if *counts {
                    led.refer(&transaction, cid)?;
                }
                transaction
                    .prepare_cached("DELETE FROM frontier WHERE record = ?1 AND cid = ?2")?
                    .execute(params![id, cid])?;
            }
            let is_small = children.is_empty();
            for cid in children {
                transaction
                    .prepare_cached(
                        "INSERT OR IGNORE INTO frontier SELECT ?1, ?2
                         WHERE NOT EXISTS (SELECT 1 FROM refs WHERE cid = ?2 AND record = ?1)
                         AND NOT EXISTS (SELECT 1 FROM beyond WHERE cid = ?2 AND record = ?1)",
                    )?
                    .execute(params![id, cid.to_bytes()])?;
            }
            let count = |query: &str| {
                transaction
                    .prepare_cached(query)?
                    .query_row(params![id], |row| row.get(0))
            };
            // Whether anything is left; only that.
            let left = count("SELECT EXISTS (SELECT 1 FROM frontier WHERE record = ?1)")?;
            let blocks = count("SELECT refs + open FROM led WHERE record = ?1")?;
            // What makes no more rows always has room.
            if !is_small && !led.has_room(&transaction)? {
                return Ok(None);
            }
            transaction.commit()?;
            Ok(Some((left, blocks)))
        };
        Ok(self.db.run(write).await?)
    }

    async fn settle(&self, record: RecordId, verdict: &'static str) -> Result<(), Fault> {
        if verdict != WHOLE {
            tracing::warn!(why = verdict, "a record's package is left out");
        }
        let keep = move |db: &mut rusqlite::Connection| {
            let transaction = db.transaction()?;
            transaction
                .prepare_cached("DELETE FROM frontier WHERE record = ?1")?
                .execute(params![record.as_bytes()])?;
            transaction
                .prepare_cached("INSERT OR REPLACE INTO packages VALUES (?1, ?2)")?
                .execute(params![record.as_bytes(), verdict])?;
            transaction.commit()
        };
        self.db.run(keep).await?;
        let entry = self.follower.read(|model| model.record(record));
        if let Some(entry) = entry.filter(|_| !is_sound(verdict)) {
            self.forget_refs(self.led(record, &entry)).await?;
        }
        let mut cursors = self.cursors.lock().unwrap_or_else(PoisonError::into_inner);
        cursors.remove(&record);
        drop(cursors);
        self.say(record, verdict);
        Ok(())
    }

    fn say(&self, record: RecordId, verdict: &str) {
        let mut verdicts = self
            .verdicts
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        verdicts.insert(record, super::access::Verdict::of(verdict));
    }

    /// Whether this block waits to be looked at for some record.
    pub(super) async fn is_awaited(&self, cid: &Cid) -> Result<bool, Fault> {
        let cid = cid.to_bytes();
        let found = self.db.run(move |db| {
            db.prepare_cached("SELECT 1 FROM frontier WHERE cid = ?1")?
                .query_row(params![cid], |_| Ok(()))
                .optional()
        });
        Ok(found.await?.is_some())
    }
}

/// A record that waits until its author has room for more rows.
fn no_room() -> Part {
    tracing::debug!(
        "an author's records lead to more blocks than one may have; its next ones wait until some are erased"
    );
    Part::Missing
}

fn package_cid(package: Digest) -> Cid {
    Cid::from_dag_cbor_digest(package.to_bytes())
}

fn is_brought(uploaders: &[AccountId], parties: &[AccountId]) -> bool {
    uploaders.iter().any(|it| parties.contains(it))
}
