//! Calls on their way to a block. One that is brought again joins the first, whoever brings it: it stands in no line, and
//! is counted for nobody. What was begun is carried through, even if whoever brought it has gone.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use medibloc_api::Code;
use medibloc_ledger::{Outcome, Withdrawal};
use medibloc_record::{AccountId, Digest};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::fault::Fault;
use crate::panics::{Task, caught};

type Arrival = Option<Result<Outcome, Fault>>;

/// The calls of one gateway, with the tasks that carry them; they end with it.
#[derive(Default)]
pub(super) struct Flights {
    way: Arc<Mutex<HashMap<Digest, watch::Receiver<Arrival>>>>,
    taking_back: Mutex<HashSet<(AccountId, Withdrawal)>>,
    tasks: Mutex<JoinSet<()>>,
}

/// One call on its way, to wait for.
pub(super) struct Flight(watch::Receiver<Arrival>);

/// A withdrawal on its way: the same one takes nothing back beside it.
pub(super) struct TakingBack<'a> {
    flights: &'a Flights,
    what: (AccountId, Withdrawal),
}

impl Flights {
    /// The call, if it is on its way.
    pub(super) fn join(&self, call: Digest) -> Option<Flight> {
        lock(&self.way).get(&call).cloned().map(Flight)
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
        way.insert(call, told.clone());
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
        Some(Flight(told))
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
        let came = self.0.wait_for(Option::is_some).await;
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
