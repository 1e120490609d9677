//! Notes that an account keeps for itself, sealed with its phrase: this node gives them to that account alone, and can leave
//! them out or give an older one, but neither read nor make one.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::response::Response;
use medibloc_api::{Code, KeepNote, Note, NotePage, Problem, limits};
use medibloc_dag::cbor;
use medibloc_record::{AccountId, Digest};
use rusqlite::{OptionalExtension as _, Transaction, params};
use serde::Deserialize;

use crate::fault::{Fault, object};
use crate::gateway::Parts;
use crate::guard::signed;

pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS notes (
    account BLOB NOT NULL, place INTEGER NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY (account, place));
";

/// Bytes of all notes of an account that is not accredited: a person's, or a pseudonym's, are few.
const ROOM: i64 = 1 << 20;
/// Bytes of notes in one answer.
const PAGE: usize = 2 << 20;

enum Kept {
    Yes,
    Another,
    Full,
}

pub(super) async fn keep(
    State(on): State<Arc<Parts>>,
    request: Request,
) -> Result<Response, Fault> {
    let admitted = on.guard.admit_free(request, limits::NOTE).await?;
    let note: KeepNote =
        cbor::from_slice(&admitted.body).map_err(|_| Fault::malformed("a note"))?;
    let has_form = note.version == 1
        && note.note.place < limits::PLACES
        && limits::NOTES.contains(&note.note.sealed.len());
    if !has_form {
        return Err(Fault::malformed(
            "a note of version 1, at a place below 16, with 4, 16, 64 or 256 KiB",
        ));
    }
    let account = admitted.account;
    let now = on.guard.now();
    let is_accredited = on.follower.read(|model| model.is_accredited(account, now));
    // Of this account's own day: nobody else's is touched.
    let taken = on.guard.count(&admitted, 1, admitted.body.len()).await?;
    let write = move |db: &mut rusqlite::Connection| {
        let transaction = db.transaction()?;
        let kept = write(&transaction, account, &note, is_accredited)?;
        transaction.commit()?;
        Ok(kept)
    };
    match on.db.run(write).await.map_err(Fault::from) {
        Ok(Kept::Yes) => Ok(object(&true)),
        Ok(Kept::Another) => {
            on.guard.give_back(taken).await;
            Ok(object(&false))
        }
        Ok(Kept::Full) => {
            on.guard.give_back(taken).await;
            let limit = "1 MiB of notes of one account";
            let detail = format!(
                "the node's limit of {limit} is reached; it is greater for an accredited account"
            );
            Err(Problem::new(Code::Limit, detail)
                .about(limit)
                .until(86_400)
                .into())
        }
        Err(fault) => {
            on.guard.give_back(taken).await;
            Err(fault)
        }
    }
}

fn write(
    db: &Transaction<'_>,
    account: AccountId,
    keep: &KeepNote,
    is_accredited: bool,
) -> rusqlite::Result<Kept> {
    let (place, sealed) = (keep.note.place, &keep.note.sealed);
    let there: Option<Vec<u8>> = db
        .prepare_cached("SELECT sealed FROM notes WHERE account = ?1 AND place = ?2")?
        .query_row(params![account.as_bytes(), place], |row| row.get(0))
        .optional()?;
    if there.as_ref() == Some(sealed) {
        // The answer to the request of before was lost.
        return Ok(Kept::Yes);
    }
    let digest = there
        .as_deref()
        .map(|sealed| *Digest::of(sealed).as_bytes());
    if digest != keep.follows.map(serde_bytes::ByteArray::into_array) {
        return Ok(Kept::Another);
    }
    let others: i64 = db
        .prepare_cached(
            "SELECT COALESCE(SUM(LENGTH(sealed)), 0) FROM notes WHERE account = ?1 AND place <> ?2",
        )?
        .query_row(params![account.as_bytes(), place], |row| row.get(0))?;
    if !is_accredited && others + signed(sealed.len() as u64) > ROOM {
        return Ok(Kept::Full);
    }
    db.prepare_cached("INSERT OR REPLACE INTO notes VALUES (?1, ?2, ?3)")?
        .execute(params![account.as_bytes(), place, sealed])?;
    Ok(Kept::Yes)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct From {
    #[serde(default)]
    from: u64,
}

pub(super) async fn own(
    State(on): State<Arc<Parts>>,
    query: Result<Query<From>, QueryRejection>,
    request: Request,
) -> Result<Response, Fault> {
    let query = query.map_err(|_| Fault::other_query("from=NUMBER"))?;
    let Query(From { from }) = query;
    let admitted = on.guard.admit_free(request, 0).await?;
    let account = admitted.account;
    let read = move |db: &mut rusqlite::Connection| {
        let mut query = db.prepare_cached(
            "SELECT place, sealed FROM notes WHERE account = ?1 AND place >= ?2 ORDER BY place",
        )?;
        let mut rows = query.query(params![account.as_bytes(), signed(from)])?;
        let mut page = NotePage {
            version: 1,
            ..NotePage::default()
        };
        let mut bytes = 0;
        while let Some(row) = rows.next()? {
            let note = Note {
                place: row.get(0)?,
                sealed: row.get(1)?,
            };
            if bytes + note.sealed.len() > PAGE {
                page.next = Some(note.place);
                break;
            }
            bytes += note.sealed.len();
            page.notes.push(note);
        }
        Ok(page)
    };
    Ok(object(&on.db.run(read).await?))
}
