//! Who is let in: a request signed by a registered address, for this node, now, once, within its daily limits.

use std::path::Path;
use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::header::AUTHORIZATION;
use medibloc_api::{Authorization, Code, Problem, RequestText};
use medibloc_keys::recover;
use medibloc_record::{AccountId, Address, Digest, Timestamp, TypedDomain};
use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};

use crate::chain::Follower;
use crate::clock::Clock;
use crate::db::{Db, DbError, Durability};
use crate::fault::Fault;

const DAY: u64 = 86_400;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS nonces (
    address BLOB NOT NULL, nonce BLOB NOT NULL, expiry INTEGER NOT NULL,
    PRIMARY KEY (address, nonce)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS nonces_by_expiry ON nonces (expiry);
CREATE TABLE IF NOT EXISTS used (
    day INTEGER NOT NULL, who BLOB NOT NULL, requests INTEGER NOT NULL, bytes INTEGER NOT NULL,
    PRIMARY KEY (day, who)) WITHOUT ROWID;
";

/// What one day allows (UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DailyLimits {
    /// Requests of one address.
    pub requests: u64,
    /// Bytes of one address, both ways.
    pub bytes: u64,
    /// Registrations of unregistered addresses from one source.
    pub registrations_a_source: u64,
    /// Registrations of unregistered addresses in all.
    pub registrations: u64,
}

impl Default for DailyLimits {
    fn default() -> Self {
        Self {
            requests: 1_000,
            bytes: 1_000_000_000,
            registrations_a_source: 100,
            registrations: 10_000,
        }
    }
}

/// A request that was let in.
#[derive(Debug)]
pub(crate) struct Admitted {
    /// Who signed it.
    pub(crate) address: Address,
    /// Its account.
    pub(crate) account: AccountId,
    /// The body.
    pub(crate) body: Vec<u8>,
}

pub(crate) struct Guard {
    node: String,
    domain: TypedDomain,
    clock: Clock,
    follower: Arc<Follower>,
    limits: DailyLimits,
    db: Db,
}

impl Guard {
    pub(crate) fn open(
        folder: Option<&Path>,
        node: &str,
        domain: TypedDomain,
        clock: Clock,
        follower: Arc<Follower>,
        limits: DailyLimits,
    ) -> Result<Self, DbError> {
        let path = folder.map(|folder| folder.join("gate.sqlite"));
        Ok(Self {
            node: node.to_owned(),
            domain,
            clock,
            follower,
            limits,
            db: Db::open(path.as_deref(), Durability::Process, SCHEMA)?,
        })
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Lets a request in, or says why not.
    pub(crate) async fn admit(&self, request: Request, limit: usize) -> Result<Admitted, Fault> {
        let (head, body) = request.into_parts();
        let authorization: Authorization = head
            .headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .parse()
            .map_err(|error: medibloc_api::HeaderError| {
                Fault::new(Code::Unsigned, error.to_string())
            })?;
        let now = self.now();
        authorization
            .check_time(now)
            .map_err(|error| Fault::new(Code::Expired, error.to_string()))?;
        let body = read(body, limit).await?;
        let text = RequestText {
            node: &self.node,
            method: head.method.as_str(),
            target: head
                .uri
                .path_and_query()
                .map_or("/", |target| target.as_str()),
            body: Digest::of(&body),
            nonce: authorization.nonce,
            expiry: authorization.expiry,
        };
        let signer = recover(&text.digest(&self.domain), &authorization.signature);
        if signer.ok() != Some(authorization.address) {
            return Err(Fault::new(
                Code::BadSignature,
                format!(
                    "the signature is not the address's over this request to {}",
                    self.node
                ),
            ));
        }
        let account = self.account(authorization.address).await?;
        self.once(&authorization, now).await?;
        self.count(authorization.address, 1, body.len()).await?;
        Ok(Admitted {
            address: authorization.address,
            account,
            body,
        })
    }

    async fn account(&self, address: Address) -> Result<AccountId, Fault> {
        self.follower.account_of(address).await?.ok_or_else(|| {
            Fault::new(
                Code::NotRegistered,
                "only registered addresses may use this node",
            )
        })
    }

    /// The nonce is used now and never again.
    async fn once(&self, authorization: &Authorization, now: Timestamp) -> Result<(), Fault> {
        let (address, nonce) = (authorization.address, authorization.nonce);
        let (expiry, now) = (authorization.expiry.0, now.0);
        let fresh = self
            .db
            .run(move |db| {
                db.prepare_cached("DELETE FROM nonces WHERE expiry < ?1")?
                    .execute(params![signed(now)])?;
                db.prepare_cached("INSERT OR IGNORE INTO nonces VALUES (?1, ?2, ?3)")?
                    .execute(params![
                        address.as_bytes(),
                        nonce.as_bytes(),
                        signed(expiry)
                    ])
            })
            .await?;
        if fresh == 1 {
            Ok(())
        } else {
            Err(Fault::new(
                Code::Replayed,
                "a request with this nonce was answered before",
            ))
        }
    }

    /// Counts what an address uses; refuses what is over its day's limits.
    pub(crate) async fn count(
        &self,
        address: Address,
        requests: u64,
        bytes: usize,
    ) -> Result<(), Fault> {
        let bytes = bytes as u64;
        let limits = self.limits;
        let used = self
            .add(
                address.as_bytes().to_vec(),
                (requests, bytes),
                (limits.requests, limits.bytes),
            )
            .await?;
        match used {
            Ok(()) => Ok(()),
            Err((requests, _)) if requests > limits.requests => {
                Err(limit("requests of this address", limits.requests))
            }
            Err(_) => Err(limit("bytes of this address", limits.bytes)),
        }
    }

    /// Counts a registration by an unregistered address.
    pub(crate) async fn count_registration(&self, source: &str) -> Result<(), Fault> {
        let limits = self.limits;
        let key = [b"from ".as_slice(), source.as_bytes()].concat();
        let most = (limits.registrations_a_source, u64::MAX);
        if self.add(key, (1, 0), most).await?.is_err() {
            return Err(limit(
                "registrations of this source",
                limits.registrations_a_source,
            ));
        }
        let most = (limits.registrations, u64::MAX);
        if self.add(b"all".to_vec(), (1, 0), most).await?.is_err() {
            return Err(limit("registrations of this node", limits.registrations));
        }
        Ok(())
    }

    /// Counts a call that was executed before, by whoever brings it again: its signer's limit is not theirs to use up.
    pub(crate) async fn count_replay(&self, source: &str) -> Result<(), Fault> {
        let most = self.limits.requests;
        let key = [b"again ".as_slice(), source.as_bytes()].concat();
        if self.add(key, (1, 0), (most, u64::MAX)).await?.is_err() {
            return Err(limit("repeated calls of this source", most));
        }
        Ok(())
    }

    /// Adds to today's use if it stays within the limits; else tells what it would be.
    async fn add(
        &self,
        who: Vec<u8>,
        (requests, bytes): (u64, u64),
        (most_requests, most_bytes): (u64, u64),
    ) -> Result<Result<(), (u64, u64)>, Fault> {
        let day = signed(self.now().0 / DAY);
        let result = self
            .db
            .run(move |db| {
                let transaction = db.transaction()?;
                transaction
                    .prepare_cached("DELETE FROM used WHERE day < ?1")?
                    .execute(params![day])?;
                let used: Option<(i64, i64)> = transaction
                    .prepare_cached("SELECT requests, bytes FROM used WHERE day = ?1 AND who = ?2")?
                    .query_row(params![day, who], |row| Ok((row.get(0)?, row.get(1)?)))
                    .optional()?;
                let (old_requests, old_bytes) = used.unwrap_or_default();
                let sum = (
                    old_requests.unsigned_abs().saturating_add(requests),
                    old_bytes.unsigned_abs().saturating_add(bytes),
                );
                if sum.0 > most_requests || sum.1 > most_bytes {
                    return Ok(Err(sum));
                }
                transaction
                    .prepare_cached("INSERT OR REPLACE INTO used VALUES (?1, ?2, ?3, ?4)")?
                    .execute(params![day, who, signed(sum.0), signed(sum.1)])?;
                transaction.commit()?;
                Ok(Ok(()))
            })
            .await?;
        Ok(result)
    }
}

impl core::fmt::Debug for Guard {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Guard")
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

fn limit(what: &str, most: u64) -> Fault {
    let name = format!("{most} {what} a day");
    Problem::new(
        Code::Limit,
        format!("the node's limit of {name} is reached"),
    )
    .about(name)
    .into()
}

/// SQLite's integers are signed.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A body of at most `limit` bytes.
pub(crate) async fn read(body: axum::body::Body, limit: usize) -> Result<Vec<u8>, Fault> {
    match to_bytes(body, limit).await {
        Ok(bytes) => Ok(bytes.into()),
        Err(_) => Err(Fault::new(
            Code::TooLarge,
            format!("the body was cut off or is over {limit} bytes"),
        )),
    }
}
