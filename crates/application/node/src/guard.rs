//! Who is let in: a request signed by a registered address, for this node, now, once, within its daily limits.

mod burnt;

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::header::AUTHORIZATION;
use medibloc_api::{Authorization, Code, Problem, RequestText, limits as limits_of_api};
use medibloc_keys::recover;
use medibloc_ledger::Outcome;
use medibloc_record::{AccountId, Address, Digest, Timestamp, TypedDomain};
use rusqlite::{OptionalExtension as _, params};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::chain::Follower;
use crate::clock::Clock;
use crate::db::{Db, DbError, Durability};
use crate::fault::Fault;
use crate::figures;
use crate::limits::{self, DailyLimits, Fullest, Taken, Use, What};
use crate::room::Stay;
use crate::source::Origin;
use crate::work::Toll;

const NONCES: &str = "
CREATE TABLE IF NOT EXISTS nonces (
    address BLOB NOT NULL, nonce BLOB NOT NULL, expiry INTEGER NOT NULL,
    PRIMARY KEY (address, nonce)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS nonces_by_expiry ON nonces (expiry);
CREATE TABLE IF NOT EXISTS outcomes (
    call BLOB PRIMARY KEY, block INTEGER NOT NULL, tx BLOB NOT NULL, at INTEGER NOT NULL
    ) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS outcomes_by_time ON outcomes (at);
";

/// Requests of one account that are answered at a time; its others wait behind them, not before another's.
const LANE: usize = 8;
/// Requests of one account that wait.
const WAITING: usize = 256;
/// Seconds that a body may take whose bytes are few.
const PATIENCE: Duration = Duration::from_secs(20);
const WEEK: u64 = 7 * 86_400;
/// One network has at most so small a part of a day's registrations.
const PART: u64 = 4;
/// Seconds that the model may be behind when the chain is silent.
const STALE: Duration = Duration::from_secs(60);

/// A request that was let in.
#[derive(Debug)]
pub(crate) struct Admitted {
    /// Who signed it.
    pub(crate) address: Address,
    /// Its account.
    pub(crate) account: AccountId,
    /// The body.
    pub(crate) body: Vec<u8>,
    /// Its account's place among those that are answered.
    _lane: OwnedSemaphorePermit,
}

pub(crate) struct Guard {
    node: String,
    domain: TypedDomain,
    clock: Clock,
    follower: Arc<Follower>,
    limits: DailyLimits,
    fullest: Fullest,
    db: Db,
    pub(crate) toll: Toll,
    lanes: Mutex<HashMap<(AccountId, Line), Arc<Lane>>>,
}

/// An account's lines. Calls wait for blocks: nothing else of that account waits behind them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Line {
    Requests,
    Calls,
    /// Calls that take something back: none waits behind what else its account sent.
    Withdrawals,
}

/// The line of one account.
#[derive(Debug)]
struct Lane {
    open: Arc<Semaphore>,
    waiting: AtomicUsize,
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
            toll: Toll::new(limits.registration_work),
            limits,
            fullest: Fullest::default(),
            db: Db::open(
                path.as_deref(),
                Durability::Process,
                &[NONCES, limits::SCHEMA].concat(),
            )?,
            lanes: Mutex::default(),
        })
    }

    /// The URL that requests to it are signed for.
    pub(crate) fn node(&self) -> &str {
        &self.node
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    pub(crate) const fn limits(&self) -> &DailyLimits {
        &self.limits
    }

    /// Lets a request in and counts it, or says why not.
    pub(crate) async fn admit(&self, request: Request, limit: usize) -> Result<Admitted, Fault> {
        let admitted = self.admit_free(request, limit).await?;
        self.count(&admitted, 1, admitted.body.len()).await?;
        Ok(admitted)
    }

    /// Lets a request in that no limit counts, or says why not.
    pub(crate) async fn admit_free(
        &self,
        request: Request,
        limit: usize,
    ) -> Result<Admitted, Fault> {
        let admitted = self.admit_signed(request, limit).await;
        if let Err(fault) = &admitted {
            figures::refused(fault.0.code);
        }
        admitted
    }

    async fn admit_signed(&self, request: Request, limit: usize) -> Result<Admitted, Fault> {
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
        let address = authorization.address;
        // All of it before the line: strangers and copies stand in nobody's.
        let mut account = self.account(address).await?;
        self.once(&authorization, now).await?;
        let lane = self.lane(account, Line::Requests);
        let place = match lane.open.clone().try_acquire_owned() {
            Ok(place) => place,
            Err(_) => {
                let turn = lane.turn();
                let place = match head.extensions.get::<Stay>() {
                    Some(stay) => stay.wait(turn).await??,
                    None => turn.await?,
                };
                // Meanwhile another address may have taken its place.
                account = self.account(address).await?;
                place
            }
        };
        Ok(Admitted {
            address,
            account,
            body,
            _lane: place,
        })
    }

    /// Waits for the account's turn. Its line is its own: a full one keeps nobody else waiting.
    pub(crate) async fn line_up(
        &self,
        account: AccountId,
        line: Line,
    ) -> Result<OwnedSemaphorePermit, Fault> {
        self.lane(account, line).turn().await
    }

    fn lane(&self, account: AccountId, line: Line) -> Arc<Lane> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if lanes.len() > 1_000 {
            lanes.retain(|_, lane| Arc::strong_count(lane) > 1 || !lane.is_idle());
        }
        let new = || {
            Arc::new(Lane {
                open: Arc::new(Semaphore::new(LANE)),
                waiting: AtomicUsize::new(0),
            })
        };
        lanes.entry((account, line)).or_insert_with(new).clone()
    }

    /// Whose key it is now: one that was rotated away opens nothing from that block on.
    pub(crate) async fn account_now(&self, address: Address) -> Result<Option<AccountId>, Fault> {
        if let Err(fault) = self.follower.refresh().await
            && !self.follower.has_looked_within(STALE)
        {
            return Err(fault.into());
        }
        Ok(self.follower.account_of(address).await?)
    }

    async fn account(&self, address: Address) -> Result<AccountId, Fault> {
        self.account_now(address).await?.ok_or_else(|| {
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

    /// Counts what an account uses, by whichever address; refuses what is over its day's limits.
    pub(crate) async fn count(
        &self,
        by: &Admitted,
        requests: u64,
        bytes: usize,
    ) -> Result<Taken, Fault> {
        let uses = self.uses_of(by.account, requests, bytes as u64);
        self.take(uses).await
    }

    /// Bytes that may be kept of an account in all.
    pub(crate) fn most_held(&self, account: AccountId) -> u64 {
        self.times(account, self.limits.held)
    }

    /// Takes a letter between two accounts, and the request that it comes in.
    pub(crate) async fn take_letter(&self, by: &Admitted, to: AccountId) -> Result<Taken, Fault> {
        let who = [by.account.as_bytes().as_slice(), to.as_bytes()].concat();
        let most = self.times(by.account, self.limits.letters);
        let mut uses = self.uses_of(by.account, 1, by.body.len() as u64);
        uses.push(Use {
            what: What::Letters,
            who,
            amount: 1,
            most,
        });
        self.take(uses).await
    }

    /// Takes what a call of an account may cost; [`Guard::give_back`] gives back what it did not.
    pub(crate) async fn take_call(
        &self,
        account: AccountId,
        bytes: usize,
        gas: u64,
    ) -> Result<Taken, Fault> {
        let mut uses = self.uses_of(account, 1, bytes as u64);
        uses.extend(self.gas(account, gas));
        self.take(uses).await
    }

    /// Gas of an account and of the node, as [`Guard::take_call`] counts it.
    pub(crate) fn gas(&self, account: AccountId, amount: u64) -> [Use; 2] {
        let own = Use {
            what: What::Gas,
            who: account.as_bytes().to_vec(),
            amount,
            most: self.times(account, self.limits.gas),
        };
        [own, self.gas_of_node(Some(account), amount)]
    }

    /// Gas of the node for an account, or for one that is not there yet.
    pub(crate) fn gas_of_node(&self, account: Option<AccountId>, amount: u64) -> Use {
        let all = self.limits.gas_of_node;
        let is_accredited = account.is_some_and(|it| self.is_accredited(it));
        let most = if is_accredited { all } else { all - all / PART };
        Use {
            what: What::GasOfNode,
            who: Vec::new(),
            amount,
            most,
        }
    }

    /// Gas that calls have used today of the node's own limit.
    pub(crate) async fn gas_today(&self) -> Result<u64, DbError> {
        limits::used(&self.db, self.now(), self.gas_of_node(None, 0)).await
    }

    /// Drops what was used on the days before, sources among it, though nothing is counted today.
    pub(crate) async fn forget_days_before(&self) -> Result<(), DbError> {
        limits::forget_days_before(&self.db, self.now()).await
    }

    /// Takes a registration by an unregistered address.
    pub(crate) async fn take_registration(&self, source: Origin, gas: u64) -> Result<Taken, Fault> {
        let one = |what, who: &[u8], most| Use {
            what,
            who: who.to_vec(),
            amount: 1,
            most,
        };
        let (most, all) = (
            self.limits.registrations_a_source,
            self.limits.registrations,
        );
        let mut named = self.limits.registrations_of.iter();
        let named = named.find(|(address, _)| Origin::new(Some(**address)) == source);
        let of_source = named.map_or(most, |(_, most)| *most);
        let mut uses = vec![one(
            What::OfSource,
            source.to_string().as_bytes(),
            of_source,
        )];
        if named.is_none() {
            uses.extend(source.wider().into_iter().map(|(network, times)| {
                let most = most.saturating_mul(times).min(most.max(all / PART));
                one(What::OfNetwork, network.as_bytes(), most)
            }));
        }
        uses.push(one(What::OfNode, b"", all));
        uses.push(self.gas_of_node(None, gas));
        self.take(uses).await
    }

    /// Counts a call that was executed before and that this node does not remember: neither its signer's limits nor
    /// another's are used up by whoever brings it again.
    pub(crate) async fn count_replay(&self, source: Origin, of: Address) -> Result<(), Fault> {
        let source = source.to_string();
        // A former address's are its account's, too; one without an account counts by itself.
        let account = self.follower.read(|model| model.reaches(of));
        let of = account.map_or(*of.as_bytes(), |account| *account.as_bytes());
        let replay = Use {
            what: What::Replays,
            who: [of.as_slice(), source.as_bytes()].concat(),
            amount: 1,
            most: self.limits.requests,
        };
        self.take(vec![replay]).await.map(drop)
    }

    /// Remembers how a call fared, for a week: a copy of what the chain says.
    pub(crate) async fn remember(&self, call: Digest, outcome: Outcome) {
        let now = self.now().0;
        let keep = move |db: &mut rusqlite::Connection| {
            db.prepare_cached("DELETE FROM outcomes WHERE at < ?1")?
                .execute(params![signed(now.saturating_sub(WEEK))])?;
            db.prepare_cached("INSERT OR REPLACE INTO outcomes VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![
                    call.as_bytes(),
                    signed(outcome.block),
                    outcome.transaction,
                    signed(now)
                ])
        };
        if let Err(error) = self.db.run(keep).await {
            tracing::warn!(%error, "an outcome is not remembered; the chain has it");
        }
    }

    /// How a call fared, if it is remembered.
    pub(crate) async fn outcome(&self, call: Digest) -> Result<Option<Outcome>, Fault> {
        let look = move |db: &mut rusqlite::Connection| {
            db.prepare_cached("SELECT block, tx FROM outcomes WHERE call = ?1")?
                .query_row(params![call.as_bytes()], |row| {
                    let block: i64 = row.get(0)?;
                    Ok(Outcome {
                        block: block.unsigned_abs(),
                        transaction: row.get(1)?,
                    })
                })
                .optional()
        };
        Ok(self.db.run(look).await?)
    }

    async fn take(&self, uses: Vec<Use>) -> Result<Taken, Fault> {
        limits::take(&self.db, self.now(), uses, &self.fullest).await
    }

    /// How far the day's limits are used, in the text form of Prometheus.
    pub(crate) fn figures(&self, to: &mut String) {
        self.fullest.text(to, self.now());
    }

    pub(crate) async fn give_back(&self, taken: Taken) {
        if let Err(error) = limits::give_back(&self.db, taken).await {
            tracing::error!(%error, "what was not used could not be given back");
        }
    }

    /// By account, not by address: handing it on gives no second day.
    fn uses_of(&self, account: AccountId, requests: u64, bytes: u64) -> Vec<Use> {
        let one = |what, amount, most| Use {
            what,
            who: account.as_bytes().to_vec(),
            amount,
            most: self.times(account, most),
        };
        vec![
            one(What::Requests, requests, self.limits.requests),
            one(What::Bytes, bytes, self.limits.bytes),
        ]
    }

    fn is_accredited(&self, account: AccountId) -> bool {
        let now = self.now();
        self.follower
            .read(|model| model.is_accredited(account, now))
    }

    /// A limit as it is for an account: accredited ones work for many.
    fn times(&self, account: AccountId, limit: u64) -> u64 {
        if self.is_accredited(account) {
            limit.saturating_mul(self.limits.accredited_times.max(1))
        } else {
            limit
        }
    }
}

impl Lane {
    async fn turn(&self) -> Result<OwnedSemaphorePermit, Fault> {
        let place = Waiting::among(self)?;
        let open = self.open.clone().acquire_owned().await;
        drop(place);
        open.map_err(|_| Fault::new(Code::Unavailable, "the node is ending"))
    }

    fn is_idle(&self) -> bool {
        self.open.available_permits() == LANE && self.waiting.load(Ordering::Relaxed) == 0
    }
}

/// One that waits in a line; it leaves when it is dropped, too.
struct Waiting<'a>(&'a Lane);

impl<'a> Waiting<'a> {
    fn among(lane: &'a Lane) -> Result<Self, Fault> {
        let place = Self(lane);
        if lane.waiting.fetch_add(1, Ordering::Relaxed) >= WAITING {
            let name = format!("{WAITING} waiting requests of this account");
            let problem = Problem::new(
                Code::Limit,
                format!("the node's limit of {name} is reached; wait for their answers"),
            );
            return Err(problem.about(name).until(1).into());
        }
        Ok(place)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl core::fmt::Debug for Guard {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Guard")
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

/// SQLite's integers are signed.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A body of at most `limit` bytes.
pub(crate) async fn read(body: axum::body::Body, limit: usize) -> Result<Vec<u8>, Fault> {
    let slow = || Fault::new(Code::Unavailable, "the body came too slowly");
    // Large ones have the whole request's time.
    let patience = if limit > limits_of_api::CALL {
        Duration::from_secs(60)
    } else {
        PATIENCE
    };
    let read = tokio::time::timeout(patience, to_bytes(body, limit));
    match read.await.map_err(|_| slow())? {
        Ok(bytes) => Ok(bytes.into()),
        Err(_) => Err(Fault::new(
            Code::TooLarge,
            format!("the body was cut off or is over {limit} bytes"),
        )),
    }
}
