//! Mailboxes: sealed letters wait for their recipients, bounded by number, bytes and age. Strangers, accredited senders
//! and the recipient's own contacts have a part of a mailbox each, and none takes of another's. Who sends most goes
//! first among the first two; a contact's letter that was taken is never thrown out.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::response::Response;
use medibloc_api::{Code, Letter, LetterPage, LettersDone, Problem, limits};
use medibloc_dag::cbor;
use medibloc_record::AccountId;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
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
CREATE TABLE IF NOT EXISTS letters_from (
    seq INTEGER PRIMARY KEY, recipient BLOB NOT NULL, account BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS letters_from_account ON letters_from (recipient, account);
CREATE TRIGGER IF NOT EXISTS letters_less AFTER DELETE ON letters BEGIN
    DELETE FROM letters_from WHERE seq = OLD.seq;
END;
INSERT OR IGNORE INTO letters_from SELECT seq, recipient, sender FROM letters;
CREATE INDEX IF NOT EXISTS letters_by_age ON letters (at);
CREATE TABLE IF NOT EXISTS wrote_to (
    account BLOB NOT NULL, other BLOB NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (account, other)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS wrote_to_by_age ON wrote_to (at);
CREATE TABLE IF NOT EXISTS wrote (
    account BLOB NOT NULL, other BLOB NOT NULL, PRIMARY KEY (account, other)) WITHOUT ROWID;
INSERT OR IGNORE INTO wrote_to SELECT account, other, 0 FROM wrote;
DELETE FROM wrote;
";

/// What strangers have of a mailbox together: 1,000 letters and 32 MiB with the next two.
const STRANGERS: Room = Room {
    letters: 400,
    bytes: 8 << 20,
    name: "400 waiting letters or 8 MiB of strangers",
};
/// What accredited senders to whom the recipient did nothing yet have together.
const ACCREDITED: Room = Room {
    letters: 200,
    bytes: 6 << 20,
    name: "200 waiting letters or 6 MiB of accredited senders",
};
/// What the recipient's contacts have together.
const PAIRED: Room = Room {
    letters: 400,
    bytes: 18 << 20,
    name: "400 waiting letters or 18 MiB of contacts",
};
/// What each contact has though the others filled their part.
const RESERVE: Room = Room {
    letters: 20,
    bytes: 512 << 10,
    name: "20 waiting letters or 512 KiB of one contact in a full mailbox",
};
/// What one stranger has.
const STRANGER: Room = Room {
    letters: 50,
    bytes: 1 << 20,
    name: "50 waiting letters or 1 MiB of one stranger",
};
/// What one accredited sender has.
const KNOWN: Room = Room {
    letters: 100,
    bytes: 4 << 20,
    name: "100 waiting letters or 4 MiB of one accredited sender",
};
/// What one contact has.
const CONTACT: Room = Room {
    letters: 400,
    bytes: 12 << 20,
    name: "400 waiting letters or 12 MiB of one sender",
};
/// Seconds that a letter waits, and that who wrote to whom is known after the last letter.
const AGE: u64 = 90 * 86_400;
/// Bytes of letters in one answer.
const PAGE: usize = 2 << 20;

#[derive(Clone, Copy)]
struct Room {
    letters: i64,
    bytes: i64,
    name: &'static str,
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
    /// The recipient wrote to it, or gave it something to read or to write.
    Paired = 2,
}

impl Standing {
    /// What one sender has, and all of its standing together.
    const fn rooms(self) -> (Room, Room) {
        match self {
            Self::Stranger => (STRANGER, STRANGERS),
            Self::Accredited => (KNOWN, ACCREDITED),
            Self::Paired => (CONTACT, PAIRED),
        }
    }
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
        if to == from || model.has_given_to(to, from) {
            Standing::Paired
        } else if model.is_accredited(from, now) {
            Standing::Accredited
        } else {
            Standing::Stranger
        }
    });
    let taken = on.guard.take_letter(&admitted, to).await?;
    let body = admitted.body.clone();
    let follower = on.follower.clone();
    let keep = move |db: &mut Connection| {
        // Whom the recipient gave something since its letters came.
        let is_contact = |sender| follower.read(|model| model.has_given_to(to, sender));
        let transaction = db.transaction()?;
        let parties = (to, from);
        let kept = keep(
            &transaction,
            parties,
            (&letter, &body),
            standing,
            now.0,
            is_contact,
        )?;
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
    (letter, body): (&Letter, &[u8]),
    mut standing: Standing,
    now: u64,
    is_contact: impl Fn(AccountId) -> bool,
) -> rusqlite::Result<Kept> {
    drop_old(db, now)?;
    let known = db
        .prepare_cached("SELECT 1 FROM letters WHERE recipient = ?1 AND id = ?2")?
        .exists(params![to.as_bytes(), letter.id])?;
    if known {
        return Ok(Kept::Yes);
    }
    let wrote = db
        .prepare_cached("SELECT 1 FROM wrote_to WHERE account = ?1 AND other = ?2")?
        .exists(params![to.as_bytes(), from.as_bytes()])?;
    if wrote {
        standing = Standing::Paired;
    }
    let length = signed(body.len() as u64);
    raise(db, to, from, standing)?;
    // By account: an address that follows another has no room of its own.
    let (count, bytes): (i64, i64) = db
        .prepare_cached(
            "SELECT COUNT(*), COALESCE(SUM(LENGTH(body)), 0) FROM letters_from JOIN letters USING (seq)
             WHERE letters_from.recipient = ?1 AND account = ?2",
        )?
        .query_row(params![to.as_bytes(), from.as_bytes()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let own = (count + 1, bytes + length);
    let (share, together) = standing.rooms();
    if !share.has(own.0, own.1) {
        return Ok(Kept::Full(share.name));
    }
    let has_room = make_room(db, to, standing, own, length, is_contact)?;
    let is_reserved = standing == Standing::Paired && RESERVE.has(own.0, own.1);
    if !has_room && !is_reserved {
        return Ok(Kept::Full(together.name));
    }
    db.prepare_cached(
        "INSERT INTO letters (recipient, sender, id, body, at, standing)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        to.as_bytes(),
        letter.sender.as_bytes(),
        letter.id,
        body,
        signed(now),
        standing as i64
    ])?;
    db.prepare_cached("INSERT INTO letters_from VALUES (?1, ?2, ?3)")?
        .execute(params![
            db.last_insert_rowid(),
            to.as_bytes(),
            from.as_bytes()
        ])?;
    // Its own letters alone renew it: nobody stays another's contact by writing to it.
    db.prepare_cached("INSERT OR REPLACE INTO wrote_to VALUES (?1, ?2, ?3)")?
        .execute(params![from.as_bytes(), to.as_bytes(), signed(now)])?;
    // What the other sent before is a contact's letter from now on.
    raise(db, from, to, Standing::Paired)?;
    Ok(Kept::Yes)
}

/// Drops letters that waited too long, and who wrote to whom before: whom an account gave something is its contact by the chain.
fn drop_old(db: &Connection, now: u64) -> rusqlite::Result<()> {
    let before = params![signed(now.saturating_sub(AGE))];
    // A version before this one kept no time: it begins now.
    db.prepare_cached("UPDATE wrote_to SET at = ?1 WHERE at = 0")?
        .execute(params![signed(now)])?;
    db.prepare_cached("DELETE FROM letters WHERE at < ?1")?
        .execute(before)?;
    db.prepare_cached("DELETE FROM wrote_to WHERE at < ?1")?
        .execute(before)?;
    Ok(())
}

/// The same though nobody writes.
pub(super) async fn upkeep(on: &Parts) -> Result<(), Fault> {
    let now = on.guard.now().0;
    Ok(on.db.run(move |db| drop_old(db, now)).await?)
}

/// A sender's waiting letters are of its present standing, unless they were of a higher one.
fn raise(
    db: &Transaction<'_>,
    to: AccountId,
    sender: AccountId,
    standing: Standing,
) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE letters SET standing = ?3 WHERE standing < ?3
         AND seq IN (SELECT seq FROM letters_from WHERE recipient = ?1 AND account = ?2)",
    )?
    .execute(params![to.as_bytes(), sender.as_bytes(), standing as i64])?;
    Ok(())
}

/// Makes room for a letter of some bytes among those of its standing. Of what there is too much, letters or bytes, the
/// oldest letter of who has most goes, if that is more than the new one's sender would have; no contact's goes.
fn make_room(
    db: &Transaction<'_>,
    to: AccountId,
    standing: Standing,
    own: (i64, i64),
    length: i64,
    is_contact: impl Fn(AccountId) -> bool,
) -> rusqlite::Result<bool> {
    let (_, room) = standing.rooms();
    loop {
        let (count, bytes): (i64, i64) = db
            .prepare_cached(
                "SELECT COUNT(*), COALESCE(SUM(LENGTH(body)), 0) FROM letters
                 WHERE recipient = ?1 AND standing = ?2",
            )?
            .query_row(params![to.as_bytes(), standing as i64], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        if room.has(count + 1, bytes + length) {
            return Ok(true);
        }
        if standing == Standing::Paired {
            return Ok(false);
        }
        let are_too_many = count >= room.letters;
        let most = if are_too_many {
            "SELECT account, COUNT(*) AS most FROM letters JOIN letters_from USING (seq)
             WHERE letters.recipient = ?1 AND standing = ?2
             GROUP BY account ORDER BY most DESC, MIN(seq) LIMIT 1"
        } else {
            "SELECT account, SUM(LENGTH(body)) AS most FROM letters JOIN letters_from USING (seq)
             WHERE letters.recipient = ?1 AND standing = ?2
             GROUP BY account ORDER BY most DESC, MIN(seq) LIMIT 1"
        };
        let greediest: Option<([u8; 20], i64)> = db
            .prepare_cached(most)?
            .query_row(params![to.as_bytes(), standing as i64], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        let Some((sender, most)) = greediest else {
            return Ok(false);
        };
        let sender = AccountId::new(sender);
        if is_contact(sender) {
            raise(db, to, sender, Standing::Paired)?;
            continue;
        }
        if most <= if are_too_many { own.0 } else { own.1 } {
            return Ok(false);
        }
        db.prepare_cached(
            "DELETE FROM letters WHERE seq =
             (SELECT MIN(seq) FROM letters_from WHERE recipient = ?1 AND account = ?2)",
        )?
        .execute(params![to.as_bytes(), sender.as_bytes()])?;
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
    query: Result<Query<After>, QueryRejection>,
    request: Request,
) -> Result<Response, Fault> {
    let query = query.map_err(|_| Fault::other_query("after=NUMBER"))?;
    let Query(After { after }) = query;
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
    let remove = move |db: &mut Connection| {
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
