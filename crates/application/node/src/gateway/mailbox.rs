//! Mailboxes: sealed letters wait for their recipients, bounded by number, bytes and age.

use std::sync::Arc;

use axum::extract::{Path, Query, Request, State};
use axum::response::Response;
use medibloc_api::{Code, Letter, LetterPage, limits};
use medibloc_dag::cbor;
use rusqlite::{OptionalExtension, params};
use serde::Deserialize;

use crate::fault::{Fault, done as nothing, object};
use crate::gateway::Parts;
use crate::guard::signed;

/// Letters that wait in one mailbox.
const LETTERS: i64 = 1_000;
/// Bytes that wait in one mailbox.
const BYTES: i64 = 32 << 20;
/// Letters of one sender that wait in one mailbox: nobody fills another's alone.
const OF_A_SENDER: i64 = 200;
/// Seconds that a letter waits.
const AGE: u64 = 90 * 86_400;

enum Kept {
    Yes,
    Full(&'static str),
}

pub(super) async fn send(
    State(on): State<Arc<Parts>>,
    request: Request,
) -> Result<Response, Fault> {
    let admitted = on.guard.admit(request, limits::LETTER).await?;
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
    if on.follower.account_of(letter.recipient).await?.is_none() {
        return Err(Fault::new(
            Code::NotFound,
            "the recipient is not a registered address",
        ));
    }
    let now = on.guard.now().0;
    let body = admitted.body;
    let kept = on
        .db
        .run(move |db| {
            let transaction = db.transaction()?;
            transaction
                .prepare_cached("DELETE FROM letters WHERE at < ?1")?
                .execute(params![signed(now.saturating_sub(AGE))])?;
            let to = letter.recipient.as_bytes();
            let known = transaction
                .prepare_cached("SELECT 1 FROM letters WHERE recipient = ?1 AND id = ?2")?
                .query_row(params![to, letter.id], |_| Ok(()))
                .optional()?;
            if known.is_some() {
                return Ok(Kept::Yes);
            }
            let (count, bytes, same): (i64, i64, i64) = transaction
                .prepare_cached(
                    "SELECT COUNT(*), COALESCE(SUM(LENGTH(body)), 0), COUNT(*) FILTER (WHERE sender = ?2)
                     FROM letters WHERE recipient = ?1",
                )?
                .query_row(params![to, letter.sender.as_bytes()], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })?;
            if same >= OF_A_SENDER {
                return Ok(Kept::Full("200 waiting letters of one sender"));
            }
            if count >= LETTERS || bytes + signed(body.len() as u64) > BYTES {
                return Ok(Kept::Full("1,000 waiting letters or 32 MiB of one mailbox"));
            }
            transaction
                .prepare_cached(
                    "INSERT INTO letters (recipient, sender, id, body, at) VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![
                    to,
                    letter.sender.as_bytes(),
                    letter.id,
                    body,
                    signed(now)
                ])?;
            transaction.commit()?;
            Ok(Kept::Yes)
        })
        .await?;
    match kept {
        Kept::Yes => Ok(nothing()),
        Kept::Full(limit) => Err(Fault::new(
            Code::Limit,
            format!("the node's limit of {limit} is reached; wait until the recipient syncs"),
        )),
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
    let admitted = on.guard.admit(request, 0).await?;
    let address = admitted.address;
    let rows: Vec<(i64, Vec<u8>)> = on
        .db
        .run(move |db| {
            db.prepare_cached(
                "SELECT seq, body FROM letters WHERE recipient = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
            )?
            .query_map(
                params![
                    address.as_bytes(),
                    signed(after),
                    signed(limits::LETTERS as u64)
                ],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?
            .collect()
        })
        .await?;
    let mut page = LetterPage::default();
    for (_, body) in &rows {
        match cbor::from_slice(body) {
            Ok(letter) => page.letters.push(letter),
            Err(_) => tracing::error!("a kept letter is corrupt"),
        }
    }
    if rows.len() == limits::LETTERS {
        page.next = rows.last().map(|(seq, _)| seq.unsigned_abs());
    }
    let bytes = rows.iter().map(|(_, body)| body.len()).sum();
    on.guard.count(address, 0, bytes).await?;
    Ok(object(&page))
}

pub(super) async fn done(
    State(on): State<Arc<Parts>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fault> {
    let admitted = on.guard.admit(request, 0).await?;
    let mut bytes = [0; 32];
    hex::decode_to_slice(&id, &mut bytes).map_err(|_| Fault::not_found("letter"))?;
    let removed = on
        .db
        .run(move |db| {
            db.prepare_cached("DELETE FROM letters WHERE recipient = ?1 AND id = ?2")?
                .execute(params![admitted.address.as_bytes(), bytes])
        })
        .await?;
    if removed == 0 {
        return Err(Fault::not_found("letter"));
    }
    Ok(nothing())
}
