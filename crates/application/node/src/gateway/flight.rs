//! Calls on their way to a block. One that is brought again joins the first, whoever brings it: it stands in no line, and
//! is counted for nobody. A few wait for the same answer; others are told at once that it is on its way. What was begun is carried through, even if whoever brought it has gone.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use medibloc_api::{Code, Problem};
use medibloc_ledger::{Outcome, Withdrawal};
use medibloc_record::{AccountId, Digest};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use crate::fault::Fault;
use crate::panics::{Task, caught};

type Arrival = Option<Result<Outcome, Fault>>;

/// Copies of one call that wait for its answer, beside whoever brought it first.
const COPIES: usize = 4;

/// When whoever may not wait asks again, in seconds: a block later.
const LATER: u64 = 2;

/// One call on its way.
struct OnWay {
    told: watch::Receiver<Arrival>,
    copies: Arc<Semaphore>,
}

/// The calls of one gateway, with the tasks that carry them; they end with it.
#[derive(Default)]
pub(super) struct Flights {
    way: Arc<Mutex<HashMap<Digest, OnWay>>>,
    taking_back: Mutex<HashSet<(AccountId, Withdrawal)>>,
    tasks: Mutex<JoinSet<()>>,
}

/// One call on its way, to wait for.
pub(super) struct Flight {
    told: watch::Receiver<Arrival>,
    _copy: Option<OwnedSemaphorePermit>,
}

/// A withdrawal on its way: the same one takes nothing back beside it.
pub(super) struct TakingBack<'a> {
    flights: &'a Flights,
    what: (AccountId, Withdrawal),
}

impl Flights {
    /// The call, if it is on its way; a fault if as many wait for it as may.
    pub(super) fn join(&self, call: Digest) -> Result<Option<Flight>, Fault> {
        let way = lock(&self.way);
        let Some(on_way) = way.get(&call) else {
            return Ok(None);
        };
        let copy = on_way.copies.clone().try_acquire_owned();
        let copy = copy.map_err(|_| {
            let detail = "this call is on its way to a block, and others wait for its answer already; ask again for it later";
            Fault::from(Problem::new(Code::Unavailable, detail).until(LATER))
        })?;
        Ok(Some(Flight {
            told: on_way.told.clone(),
            _copy: Some(copy),
        }))
    }

    /// Begins to carry a call; none if it is on its way already.
    pub(super) fn begin(
        &self,
        call: Digest,
        carry: impl Future<Output = Result<Outcome, Fault>> + Send + 'static,
    ) -> Option<Flight> {
        let mut way = lock(&self.way);
        if way.contains_key(&call) {
            return None;
        }
        let (tell, told) = watch::channel(None);
        let on_way = OnWay {
            told: told.clone(),
            copies: Arc::new(Semaphore::new(COPIES)),
        };
        way.insert(call, on_way);
        drop(way);
        let way = self.way.clone();
        let mut tasks = lock(&self.tasks);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            let broken = |_| {
                Err(Fault::new(
                    Code::Internal,
                    "the node has a fault in this call",
                ))
            };
            let result = caught(Task::Answer, carry).await.unwrap_or_else(broken);
            tell.send_replace(Some(result));
            lock(&way).remove(&call);
        });
        Some(Flight { told, _copy: None })
    }

    /// Claims a withdrawal, unless the same one is on its way.
    pub(super) fn take_back(&self, by: AccountId, what: Withdrawal) -> Option<TakingBack<'_>> {
        let what = (by, what);
        let is_first = lock(&self.taking_back).insert(what);
        is_first.then_some(TakingBack {
            flights: self,
            what,
        })
    }
}

impl Flight {
    /// How it fared.
    pub(super) async fn arrival(mut self) -> Result<Outcome, Fault> {
        let ending = || Fault::new(Code::Unavailable, "the node is ending");
        let came = self.told.wait_for(Option::is_some).await;
        let came = came.map_err(|_| ending())?;
        came.clone().unwrap_or_else(|| Err(ending()))
    }
}

impl Drop for TakingBack<'_> {
    fn drop(&mut self) {
        lock(&self.flights.taking_back).remove(&self.what);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
