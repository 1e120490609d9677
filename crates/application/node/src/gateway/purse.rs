//! The relay's coins. What a number of revocations and erasures would cost is kept for them: whoever uses up the rest stops
//! nobody from taking back.

use core::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use medibloc_api::{Code, Problem};
use medibloc_ledger::LedgerError;
use medibloc_ledger_evm::Funds;

use super::relay::{Forward, WITHDRAWAL};
use crate::fault::Fault;

/// For so long a look at the wallet is good, unless a call that it pays for has ended since.
const FRESH: Duration = Duration::from_secs(1);

/// When whoever was refused for the reserve may ask again, in seconds: coins come from people.
const LATER: u64 = 600;

/// What the wallet pays for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// For everything.
    Ample,
    /// For taking back alone.
    Low,
    /// Not for one revocation.
    Empty,
}

#[derive(Clone, Copy)]
struct Seen {
    /// None if nothing pays.
    funds: Option<Funds>,
    at: Instant,
    /// Calls that had ended by then.
    ended: u64,
}

pub(super) struct Purse {
    relay: Arc<dyn Forward>,
    /// Gas that is kept for taking back.
    reserve: u64,
    /// Whose turn it is to look. Cancel-safe: it guards nothing.
    turn: tokio::sync::Mutex<()>,
    seen: Mutex<Option<Seen>>,
    /// Gas of calls that are not final, which the wallet may not have paid yet.
    on_way: AtomicU64,
    /// Calls that have ended, those that take back, too: each makes what was seen of the wallet old.
    ended: AtomicU64,
    /// Gas of the day, for `/metrics`.
    today: AtomicU64,
}

/// Gas of a call on its way.
pub(super) struct Paid<'a> {
    purse: &'a Purse,
    gas: u64,
}

impl Purse {
    /// With coins kept for so many withdrawals.
    pub(super) fn new(relay: Arc<dyn Forward>, withdrawals: u64) -> Self {
        Self {
            relay,
            reserve: withdrawals.saturating_mul(WITHDRAWAL),
            turn: tokio::sync::Mutex::default(),
            seen: Mutex::default(),
            on_way: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            today: AtomicU64::new(0),
        }
    }

    /// Pays for a call that takes nothing back, if that leaves the reserve whole, whatever else is on its way.
    pub(super) async fn pay(&self, gas: u64) -> Result<Paid<'_>, Fault> {
        let seen = self.look().await?;
        let before = self.on_way.fetch_add(gas, Ordering::SeqCst);
        let needed = self.reserve.saturating_add(before).saturating_add(gas);
        if seen.funds.is_some_and(|funds| funds.gas() < needed) {
            self.on_way.fetch_sub(gas, Ordering::SeqCst);
            let why = "the relay keeps what it has for revocations and erasures; its operator must add coins";
            let problem = Problem::new(Code::Limit, why).about(why).until(LATER);
            return Err(problem.into());
        }
        Ok(Paid { purse: self, gas })
    }

    /// For a call that takes back, which is never refused: what is kept is kept for it.
    pub(super) const fn pay_back(&self) -> Paid<'_> {
        Paid {
            purse: self,
            gas: 0,
        }
    }

    /// What the wallet pays for, at most a second ago, and after every call that has ended.
    pub(super) async fn level(&self) -> Result<Level, LedgerError> {
        let seen = self.look().await?;
        Ok(self.level_of(seen.funds))
    }

    /// Takes in how much gas was used today.
    pub(super) fn count(&self, gas: u64) {
        self.today.store(gas, Ordering::SeqCst);
    }

    /// The figures in the text form of Prometheus.
    pub(super) fn figures(&self, to: &mut String) {
        let mut gauge = |name: &str, help: &str, value: u128| {
            let _ = write!(
                to,
                "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n"
            );
        };
        let seen = *lock(&self.seen);
        if let Some(funds) = seen.and_then(|seen| seen.funds) {
            gauge(
                "medibloc_wallet_balance",
                "The relay's coins, in the chain's smallest.",
                funds.coins,
            );
            gauge(
                "medibloc_wallet_withdrawals",
                "Revocations or erasures that they pay for.",
                (funds.gas() / WITHDRAWAL).into(),
            );
        }
        gauge(
            "medibloc_wallet_reserve_withdrawals",
            "Revocations or erasures that it always keeps coins for.",
            (self.reserve / WITHDRAWAL).into(),
        );
        gauge(
            "medibloc_gas_today",
            "Gas that counts for the node's limit of this day (UTC).",
            self.today.load(Ordering::SeqCst).into(),
        );
    }

    async fn look(&self) -> Result<Seen, LedgerError> {
        let _turn = self.turn.lock().await;
        let (at, ended) = (Instant::now(), self.ended.load(Ordering::SeqCst));
        let is_good = |seen: &Seen| seen.ended == ended && at.duration_since(seen.at) < FRESH;
        let seen = *lock(&self.seen);
        if let Some(seen) = seen.filter(is_good) {
            return Ok(seen);
        }
        let funds = self.relay.funds().await?;
        let seen = Seen { funds, at, ended };
        *lock(&self.seen) = Some(seen);
        Ok(seen)
    }

    fn level_of(&self, funds: Option<Funds>) -> Level {
        match funds.map(Funds::gas) {
            Some(gas) if gas < WITHDRAWAL => Level::Empty,
            Some(gas) if gas < self.reserve => Level::Low,
            _ => Level::Ample,
        }
    }
}

impl Drop for Paid<'_> {
    fn drop(&mut self) {
        // In this order: between the two, less seems to be left than is.
        self.purse.ended.fetch_add(1, Ordering::SeqCst);
        self.purse.on_way.fetch_sub(self.gas, Ordering::SeqCst);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
