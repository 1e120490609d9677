//! What a stopped gateway or keeper read, looked at from outside: its last block, and to go on with another history.

use std::path::{Path, PathBuf};

use medibloc_dag::cbor;
use medibloc_ledger::{BlockEvents, Event, Events, LedgerError, Mark, Marks};
use rusqlite::{OptionalExtension as _, params};

use super::SCHEMA;
use crate::db::{Db, DbError, Durability};
use crate::guard::signed;

/// Why a folder cannot go on with the chain as it stands.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotAccepted {
    /// There is no copy of the chain.
    #[error(
        "there is no chain.sqlite with a block in it: the program that is started here reads the chain from its first block"
    )]
    Nothing,
    /// The folder's program is running.
    #[error(
        "the gateway or keeper of this data folder is running, and would go on with what it read: stop it, then do it again. Nothing \
         was changed"
    )]
    Running,
    /// The chain has all that was read.
    #[error("the chain has every block that was read here: there is nothing to accept")]
    Same,
    /// The chain has nothing of what was read.
    #[error(
        "the chain has no block that was read here: it is another chain; compare deployment.json and its rpc_urls with the other \
         parties. Nothing was changed"
    )]
    Another,
    /// The chain does not answer.
    #[error(transparent)]
    Chain(#[from] LedgerError),
    /// The folder's copy cannot be read or changed.
    #[error(transparent)]
    Disk(#[from] DbError),
}

/// What was taken back of a copy of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakenBack {
    /// The newest block with events that both have: the chain is read from there.
    pub shared: Mark,
    /// The last one that was read and that the chain does not have.
    pub left: Mark,
    /// Events of the blocks that were taken back.
    pub events: usize,
    /// How many of these took back a consent, or erased or retracted a record.
    pub withdrawals: usize,
}

/// The last final block that a gateway or keeper took, by its data folder; none if it took none.
///
/// # Errors
/// If the folder's copy of the chain cannot be read.
pub fn last_block(folder: &Path) -> Result<Option<Mark>, DbError> {
    open(folder)?.map_or(Ok(None), |kept| mark_of(&kept))
}

/// Lets a stopped gateway or keeper go on with the chain as it stands, from the newest block with events that both have. What it
/// read after that is forgotten; what it did by it (blocks and shares that were deleted) stays done.
///
/// # Errors
/// If its program is running, there is nothing to accept, or the chain is another one: then nothing was changed.
pub async fn accept_chain(folder: &Path, events: &dyn Events) -> Result<TakenBack, NotAccepted> {
    let path = place(folder).ok_or(NotAccepted::Nothing)?;
    let kept = Db::open_alone(&path, Durability::Process, SCHEMA)?.ok_or(NotAccepted::Running)?;
    let left = mark_of(&kept)?.ok_or(NotAccepted::Nothing)?;
    match left.check_now(events).await {
        Ok(()) => return Err(NotAccepted::Same),
        Err(LedgerError::SetBack { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let bodies: Vec<Vec<u8>> = kept.now(|db| {
        db.prepare("SELECT body FROM blocks ORDER BY number")?
            .query_map([], |row| row.get(0))?
            .collect()
    })?;
    let blocks: Vec<BlockEvents> = bodies
        .iter()
        .filter_map(|body| cbor::from_slice(body).ok())
        .collect();
    let read = Marks::of(blocks.iter().map(Mark::of));
    let shared = read.shared(events).await?.ok_or(NotAccepted::Another)?;
    let gone = || {
        let after = blocks.iter().filter(|block| block.number > shared.number);
        after.flat_map(|block| &block.events)
    };
    let takes_back = |event: &&Event| {
        matches!(
            event,
            Event::Revoked { .. }
                | Event::ReaderRevoked { .. }
                | Event::WriteRevoked { .. }
                | Event::AllRevoked { .. }
                | Event::Erased { .. }
                | Event::Retracted { .. }
        )
    };
    let taken_back = TakenBack {
        shared,
        left,
        events: gone().count(),
        withdrawals: gone().filter(takes_back).count(),
    };
    kept.now(|db| {
        let transaction = db.transaction()?;
        let number = signed(shared.number);
        transaction.execute("DELETE FROM blocks WHERE number > ?1", params![number])?;
        transaction.execute(
            "INSERT OR REPLACE INTO mark VALUES (0, ?1, ?2)",
            params![number, cbor::to_vec(&shared)],
        )?;
        transaction.commit()
    })?;
    Ok(taken_back)
}

fn open(folder: &Path) -> Result<Option<Db>, DbError> {
    place(folder)
        .map(|path| Db::open(Some(&path), Durability::Process, SCHEMA))
        .transpose()
}

/// Where a folder's copy of the chain is, if there is one.
fn place(folder: &Path) -> Option<PathBuf> {
    let path = folder.join("chain.sqlite");
    path.exists().then_some(path)
}

fn mark_of(kept: &Db) -> Result<Option<Mark>, DbError> {
    let body: Option<Vec<u8>> = kept.now(|db| {
        db.query_row("SELECT body FROM mark", [], |row| row.get(0))
            .optional()
    })?;
    Ok(body.and_then(|body| cbor::from_slice(&body).ok()))
}
