//! Mailboxes: sealed letters wait for their recipients, bounded by number, bytes and age. Room is by sender: strangers
//! share a part of a mailbox, nobody has more than a share, and who sends most goes first.

use std::sync::Arc;

use axum::extract::{Path, Query, Request, State};
use axum::response::Response;
use medibloc_api::{Code, Letter, LetterPage, LettersDone, Problem, limits};
use medibloc_dag::cbor;
use medibloc_record::AccountId;
use rusqlite::{OptionalExtension, Transaction, params};
use serde::Deserialize;

use crate::fault::{Fault, done as nothing, object};
use crate::gateway::Parts;
use crate::guard::signed;

pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS letters (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, recipient BLOB NOT NULL, sender BLOB NOT NULL,
    id BLOB NOT NULL, body BLOB NOT NULL, at INTEGER NOT NULL, standing INTEGER NOT NULL DEFAULT 0,
    UNIQUE (recipient, id));
CREATE INDEX IF NOT EXISTS letters_by_sender ON letters (recipient, sender);
CREATE TABLE IF NOT EXISTS wrote (
    account BLOB NOT NULL, other BLOB NOT NULL, PRIMARY KEY (account, other)) WITHOUT ROWID;
";

/// What waits in one mailbox at most.
const ALL: Room = Room {
    letters: 1_000,
    bytes: 32 << 20,
};
/// What strangers have of it together.
const STRANGERS: Room = Room {
    letters: 400,
    bytes: 8 << 20,
};
/// What one stranger has.
const STRANGER: Room = Room {
    letters: 50,
    bytes: 1 << 20,
};
/// What one accredited or paired sender has.
const KNOWN: Room = Room {
    letters: 400,
    bytes: 12 << 20,
};
/// Seconds that a letter waits.
const AGE: u64 = 90 * 86_400;
/// Bytes of letters in one answer.
const PAGE: usize = 2 << 20;

#[derive(Clone, Copy)]
struct Room {
    letters: i64,
    bytes: i64,
}

impl Room {
    const fn has(self, letters: i64, bytes: i64) -> bool {
        letters <= self.letters && bytes <= self.bytes
    }
}

/// How a sender stands to a recipient, as far as a node can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Stranger = 0,
    /// The authority vouches for it.
    Accredited = 1,
    /// The recipient wrote to it, or one gave the other a grant.
    Paired = 2,
}

enum Kept {
    Yes,
    Full(&'static str),
}

pub(super) async fn send(
    State(on): State<Arc<Parts>>,
    request: Request,
) -> Result<Response, Fault> {
    let admitted = on.guard.admit_free(request, limits::LETTER).await?;
    let letter: Letter =
        cbor::from_slice(&admitted.body).map_err(|_| Fault::malformed("a letter"))?;
    if letter.version != 1 {
        return Err(Fault::malformed("a letter of version 1"));
    }
    if letter.sender != admitted.address {
        return Err(Fault::new(
            Code::NotYours,
            "the letter names another sender than the request's signer",
        ));
    }
    // An address that was rotated away still leads to its account: who has not heard of it loses no letter.
    let known = on.follower.read(|model| model.reaches(letter.recipient));
    let to = match known {
        Some(account) => Some(account),
        None => on.follower.account_of(letter.recipient).await?,
    };
    let to =
        to.ok_or_else(|| Fault::new(Code::NotFound, "the recipient is not a registered address"))?;
    let now = on.guard.now();
    let from = admitted.account;
    let standing = on.follower.read(|model| {
        if to == from || model.are_paired(to, from) {
            Standing::Paired
        } else if model.is_accredited(from, now) {
            Standing::Accredited
        } else {
            Standing::Stranger
        }
    });
    let taken = on.guard.take_letter(&admitted, letter.recipient).await?;
    let body = admitted.body.clone();
    let keep = move |db: &mut rusqlite::Connection| {
        let transaction = db.transaction()?;
        let kept = keep(&transaction, (to, from), &letter, &body, standing, now.0)?;
        transaction.commit()?;
        Ok(kept)
    };
    let kept = on.db.run(keep).await.map_err(Fault::from);
    match kept {
        Ok(Kept::Yes) => Ok(nothing()),
        Ok(Kept::Full(limit)) => {
            on.guard.give_back(taken).await;
            Err(Problem::new(
                Code::Limit,
                format!("the node's limit of {limit} is reached; it ends when the recipient syncs"),
            )
            .about(limit)
            .until(3_600)
            .into())
        }
        Err(fault) => {
            on.guard.give_back(taken).await;
            Err(fault)
        }
    }
}

fn keep(
    db: &Transaction<'_>,
    (to, from): (AccountId, AccountId),
    letter: &Letter,
    body: &[u8],
    mut standing: Standing,
    now: u64,
) -> rusqlite::Result<Kept> {
    db.prepare_cached("DELETE FROM letters WHERE at < ?1")?
        .execute(params![signed(now.saturating_sub(AGE))])?;
    let known = db
        .prepare_cached("SELECT 1 FROM letters WHERE recipient = ?1 AND id = ?2")?
        .exists(params![to.as_bytes(), letter.id])?;
    if known {
        return Ok(Kept::Yes);
    }
    let wrote = db
        .prepare_cached("SELECT 1 FROM wrote WHERE account = ?1 AND other = ?2")?
        .exists(params![to.as_bytes(), from.as_bytes()])?;
    if wrote {
        standing = Standing::Paired;
    }
    let length = signed(body.len() as u64);
    let sender = letter.sender.as_bytes();
    let (count, bytes): (i64, i64) = db
        .prepare_cached(
            "SELECT COUNT(*), COALESCE(SUM(LENGTH(body)), 0) FROM letters
             WHERE recipient = ?1 AND sender = ?2",
        )?
        .query_row(params![to.as_bytes(), sender], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let (share, name) = match standing {
        Standing::Stranger => (STRANGER, "50 waiting letters or 1 MiB of one stranger"),
        _ => (KNOWN, "400 waiting letters or 12 MiB of one sender"),
    };
    if !share.has(count + 1, bytes + length) {
        return Ok(Kept::Full(name));
    }
    let own = bytes + length;
    if standing == Standing::Stranger
        && !make_room(
            db,
            to,
            STRANGERS,
            Standing::Stranger,
            (standing, own, length),
        )?
    {
        return Ok(Kept::Full("400 waiting letters or 8 MiB of strangers"));
    }
    if !make_room(db, to, ALL, Standing::Paired, (standing, own, length))? {
        return Ok(Kept::Full("1,000 waiting letters or 32 MiB of one mailbox"));
    }
    db.prepare_cached(
        "INSERT INTO letters (recipient, sender, id, body, at, standing)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        to.as_bytes(),
        sender,
        letter.id,
        body,
        signed(now),
        standing as i64
    ])?;
    db.prepare_cached("INSERT OR IGNORE INTO wrote VALUES (?1, ?2)")?
        .execute(params![from.as_bytes(), to.as_bytes()])?;
    Ok(Kept::Yes)
}

/// Makes room for a letter of some bytes among those up to a standing: the oldest of who sends most goes first, and
/// only from senders of lower standing, or of the same who have more waiting than the new one would.
fn make_room(
    db: &Transaction<'_>,
    to: AccountId,
    room: Room,
    up_to: Standing,
    (standing, own, length): (Standing, i64, i64),
) -> rusqlite::Result<bool> {
    loop {
        let (count, bytes): (i64, i64) = db
            .prepare_cached(
                "SELECT COUNT(*), COALESCE(SUM(LENGTH(body)), 0) FROM letters
                 WHERE recipient = ?1 AND standing <= ?2",
            )?
            .query_row(params![to.as_bytes(), up_to as i64], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        if room.has(count + 1, bytes + length) {
            return Ok(true);
        }
        let greediest: Option<(Vec<u8>, i64, i64)> = db
            .prepare_cached(
                "SELECT sender, MAX(standing), SUM(LENGTH(body)) AS bytes FROM letters
                 WHERE recipient = ?1 AND standing <= ?2 GROUP BY sender
                 ORDER BY MAX(standing), bytes DESC LIMIT 1",
            )?
            .query_row(params![to.as_bytes(), standing as i64], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        let Some((sender, its, bytes)) = greediest else {
            return Ok(false);
        };
        if its == standing as i64 && bytes <= own {
            return Ok(false);
        }
        db.prepare_cached(
            "DELETE FROM letters WHERE seq =
             (SELECT MIN(seq) FROM letters WHERE recipient = ?1 AND sender = ?2)",
        )?
        .execute(params![to.as_bytes(), sender])?;
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct After {
    #[serde(default)]
    after: u64,
}

pub(super) async fn fetch(
    State(on): State<Arc<Parts>>,
    Query(After { after }): Query<After>,
    request: Request,
) -> Result<Response, Fault> {
    let admitted = on.guard.admit_free(request, 0).await?;
    let account = admitted.account;
    let (rows, more) = on
        .db
        .run(move |db| {
            let mut query = db.prepare_cached(
                "SELECT seq, body FROM letters WHERE recipient = ?1 AND seq > ?2 ORDER BY seq",
            )?;
            let mut rows = query.query(params![account.as_bytes(), signed(after)])?;
            let (mut page, mut bytes): (Vec<(i64, Vec<u8>)>, usize) = (Vec::new(), 0);
            while let Some(row) = rows.next()? {
                if page.len() == limits::LETTERS || bytes >= PAGE {
                    return Ok((page, true));
                }
                let body: Vec<u8> = row.get(1)?;
                bytes += body.len();
                page.push((row.get(0)?, body));
            }
            Ok((page, false))
        })
        .await?;
    let mut page = LetterPage::default();
    for (_, body) in &rows {
        match cbor::from_slice(body) {
            Ok(letter) => page.letters.push(letter),
            Err(_) => tracing::error!("a kept letter is corrupt"),
        }
    }
    if more {
        page.next = rows.last().map(|(seq, _)| seq.unsigned_abs());
    }
    Ok(object(&page))
}

pub(super) async fn done(
    State(on): State<Arc<Parts>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fault> {
    let admitted = on.guard.admit_free(request, 0).await?;
    let mut bytes = [0; 32];
    hex::decode_to_slice(&id, &mut bytes).map_err(|_| Fault::not_found("letter"))?;
    let removed = on
        .db
        .run(move |db| {
            db.prepare_cached("DELETE FROM letters WHERE recipient = ?1 AND id = ?2")?
                .execute(params![admitted.account.as_bytes(), bytes])
        })
        .await?;
    if removed == 0 {
        return Err(Fault::not_found("letter"));
    }
    Ok(nothing())
}

pub(super) async fn done_all(
    State(on): State<Arc<Parts>>,
    request: Request,
) -> Result<Response, Fault> {
    let admitted = on.guard.admit_free(request, limits::DONE_BYTES).await?;
    let malformed = || Fault::malformed("a list of letters of version 1");
    let done: LettersDone = cbor::from_slice(&admitted.body).map_err(|_| malformed())?;
    if done.version != 1 || done.ids.is_empty() == done.senders.is_empty() {
        return Err(malformed());
    }
    if done.ids.len().max(done.senders.len()) > limits::DONE {
        return Err(Fault::new(
            Code::TooLarge,
            format!("over {} letters at once", limits::DONE),
        ));
    }
    let account = admitted.account;
    let remove = move |db: &mut rusqlite::Connection| {
        let transaction = db.transaction()?;
        for id in &done.ids {
            transaction
                .prepare_cached("DELETE FROM letters WHERE recipient = ?1 AND id = ?2")?
                .execute(params![account.as_bytes(), id.as_slice()])?;
        }
        for sender in &done.senders {
            transaction
                .prepare_cached("DELETE FROM letters WHERE recipient = ?1 AND sender = ?2")?
                .execute(params![account.as_bytes(), sender.as_bytes()])?;
        }
        transaction.commit()
    };
    on.db.run(remove).await?;
    Ok(nothing())
}
