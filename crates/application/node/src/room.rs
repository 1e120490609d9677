//! Places that requests take while a node works on them, and others while they wait: for their turn, for a block. Nobody
//! has more of either than are left, so a source without any always finds one.

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{ConnectInfo, Request};
use medibloc_api::{Code, Problem};

use crate::fault::Fault;
use crate::figures;
use crate::listen::Source;
use crate::source::Origin;

/// So many places.
#[derive(Debug)]
pub(crate) struct Room {
    most: usize,
    taken: Mutex<HashMap<Origin, usize>>,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    room: Arc<Room>,
    of: Origin,
}

impl Room {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            taken: Mutex::default(),
        })
    }

    /// A place for a source that has fewer than are left.
    pub(crate) fn take(self: &Arc<Self>, of: Origin) -> Option<Place> {
        let mut taken = self.taken();
        let left = self.most.saturating_sub(taken.values().sum());
        let own = taken.get(&of).copied().unwrap_or_default();
        if own >= left {
            return None;
        }
        taken.insert(of, own + 1);
        drop(taken);
        let room = self.clone();
        Some(Place { room, of })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<Origin, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.room.taken();
        match taken.get_mut(&self.of) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                taken.remove(&self.of);
            }
        }
    }
}

/// Rooms for what waits.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    /// For what takes something back: nothing else that waits leaves it none.
    pub(crate) withdrawals: Arc<Room>,
    /// For everything else.
    pub(crate) others: Arc<Room>,
}

/// What waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum For {
    Withdrawal,
    Other,
}

/// A request's place while it is worked on, in the request's extensions. What waits does it aside.
#[derive(Clone, Debug)]
pub(crate) struct Stay(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    work: Arc<Room>,
    waiting: Waiting,
    of: Origin,
    place: Mutex<Option<Place>>,
}

impl Stay {
    /// A place for work, if there is one; `waiting` is for when it waits.
    pub(crate) fn begin(work: &Arc<Room>, waiting: &Waiting, request: &Request) -> Option<Self> {
        let of = origin(request);
        let place = work.take(of)?;
        Some(Self(Arc::new(Inner {
            work: work.clone(),
            waiting: waiting.clone(),
            of,
            place: Mutex::new(Some(place)),
        })))
    }

    /// A place to wait; the one for work is free from now on.
    pub(crate) fn step_aside(&self, what: For) -> Result<Place, Fault> {
        let room = match what {
            For::Withdrawal => &self.0.waiting.withdrawals,
            For::Other => &self.0.waiting.others,
        };
        let place = room.take(self.0.of).ok_or_else(busy)?;
        *self.place() = None;
        Ok(place)
    }

    /// Gives up the place for work, and waits in none: for what is bounded otherwise.
    pub(crate) fn leave(&self) {
        *self.place() = None;
    }

    /// Waits aside, then takes a place for work again.
    pub(crate) async fn wait<T>(&self, wait: impl Future<Output = T>) -> Result<T, Fault> {
        let aside = self.step_aside(For::Other)?;
        let came = wait.await;
        let place = self.0.work.take(self.0.of).ok_or_else(busy)?;
        *self.place() = Some(place);
        drop(aside);
        Ok(came)
    }

    fn place(&self) -> MutexGuard<'_, Option<Place>> {
        self.0.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who asks, as the listener knows it.
fn origin(request: &Request) -> Origin {
    let named = request.extensions().get::<Source>().map(|it| it.0);
    let peer = || {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        peer.map(|it| it.0.ip())
    };
    Origin::new(named.or_else(peer)).site()
}

pub(crate) fn busy() -> Fault {
    figures::limit_reached("places");
    Problem::new(Code::Unavailable, "the node is busy")
        .until(1)
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    fn of(number: u8) -> Origin {
        Origin::new(Some(IpAddr::from([192, 0, 2, number])))
    }

    #[test]
    fn whoever_has_none_finds_a_place_however_many_the_others_want() {
        for sources in 1..=100 {
            let room = Room::new(512);
            let mut held = Vec::new();
            for _ in 0..512 {
                held.extend((1..=sources).filter_map(|number| room.take(of(number))));
            }
            assert!(held.len() < 512 && held.len() >= 256, "{}", held.len());
            assert!(room.take(of(0)).is_some(), "beside {sources} sources");
            held.clear();
            assert!(room.taken().is_empty(), "nothing is kept");
        }
    }
}
