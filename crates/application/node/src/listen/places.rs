//! Who is connected, and who has to go when somebody else comes: never a peer whose request is being worked on, never one of
//! a source with fewer connections, always the one that has kept the listener waiting longest. What a trusted proxy brings is
//! counted by whom it speaks for, from a request's head until its answer has left; between, the connection is the proxy's.

mod held;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::bounds::{Bounds, Source};
use crate::figures::{self, Gone};

pub(super) use held::FREE;

/// Connections that a source has for sure, as long as others have more.
const FEW: usize = 4;

/// All connections of a listener.
#[derive(Debug)]
pub(super) struct Places {
    bounds: Bounds,
    start: Instant,
    held: AtomicUsize,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    /// Connections of sources.
    count: usize,
    sources: BTreeMap<Source, Crowd>,
    /// Connections of proxies that speak for nobody now.
    proxies: Crowd,
}

/// The connections of a source.
#[derive(Debug, Default)]
struct Crowd {
    seats: BTreeMap<u64, Arc<Seat>>,
    held: Arc<AtomicUsize>,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Seat {
    /// Milliseconds of the listener at which the peer's turn began.
    since: AtomicU64,
    /// A request is being worked on.
    busy: AtomicBool,
    /// The answer's body has been taken over by the connection.
    answered: AtomicBool,
    held: AtomicUsize,
    whose: Mutex<Whose>,
    away: Notify,
    start: Instant,
}

/// Whom a connection counts for.
#[derive(Clone, Debug)]
struct Whose {
    /// None if it is a proxy's that speaks for nobody now.
    source: Option<Source>,
    /// What all of that source hold.
    held: Arc<AtomicUsize>,
}

/// Why somebody has no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoPlace {
    /// The source has as many connections as one may have, and none of them waits for long.
    OfSource,
    /// Nobody has to go for it.
    Full,
}

impl Places {
    pub(super) fn new(bounds: Bounds) -> Arc<Self> {
        Arc::new(Self {
            bounds,
            start: Instant::now(),
            held: AtomicUsize::new(0),
            table: Mutex::default(),
        })
    }

    /// A place for a peer's connection, perhaps another's; none if it has to go itself.
    pub(super) fn take(self: &Arc<Self>, source: Source) -> Option<Place> {
        let mut table = self.table();
        let room = self.make_place(&mut table, source, self.bounds.a_source);
        let room = room.and_then(|()| self.make_line(&mut table));
        self.told(room).ok()?;
        table.count += 1;
        Some(self.sit(&mut table, Some(source)))
    }

    /// A place for a proxy's connection, whoever it speaks for: its request's head says that.
    pub(super) fn take_for_proxy(self: &Arc<Self>) -> Option<Place> {
        let mut table = self.table();
        let room = self.make_line(&mut table);
        self.told(room).ok()?;
        Some(self.sit(&mut table, None))
    }

    fn sit(self: &Arc<Self>, table: &mut Table, source: Option<Source>) -> Place {
        let id = table.next;
        table.next += 1;
        let crowd = table.crowd(source);
        let held = crowd.held.clone();
        let seat = Arc::new(Seat {
            since: AtomicU64::new(self.millis()),
            busy: AtomicBool::new(false),
            answered: AtomicBool::new(false),
            held: AtomicUsize::new(0),
            whose: Mutex::new(Whose { source, held }),
            away: Notify::new(),
            start: self.start,
        });
        crowd.seats.insert(id, seat.clone());
        figures::connection_opened();
        Place {
            places: self.clone(),
            is_proxys: source.is_none(),
            id,
            seat,
        }
    }

    /// Sees to it that a source may have one connection more.
    fn make_place(&self, table: &mut Table, source: Source, most: usize) -> Result<(), NoPlace> {
        let own = table.sources.get(&source).map_or(0, Crowd::len);
        if own >= most {
            let longest = table.sources.get(&source).and_then(|crowd| {
                let (_, id) = crowd.longest(self.millis(), self.bounds.patience)?;
                Some((source, id))
            });
            return self.send_away(table, longest, Gone::OfSource);
        }
        if table.count < self.bounds.connections {
            return Ok(());
        }
        let grace = if own < FEW {
            Duration::ZERO
        } else {
            self.bounds.patience
        };
        let now = self.millis();
        // Of those with as many, the one that has waited longest: an address is no reason to go.
        let crowds = table.sources.iter();
        let largest = crowds
            .filter(|(it, crowd)| crowd.len() > own || **it == source)
            .filter_map(|(it, crowd)| {
                let (waited, id) = crowd.longest(now, grace)?;
                Some((crowd.len(), waited, *it, id))
            })
            .max()
            .map(|(_, _, it, id)| (it, id));
        self.send_away(table, largest, Gone::Full)
    }

    /// Sees to it that there is a line for one connection more. Those of proxies that speak for nobody have lines beyond all
    /// places, or nobody behind a proxy could say that it comes to a full listener; the idle ones of them go first.
    fn make_line(&self, table: &mut Table) -> Result<(), NoPlace> {
        let lines = self.bounds.connections + self.bounds.reserve();
        if table.count + table.proxies.len() < lines {
            return Ok(());
        }
        let idle = table.proxies.longest(self.millis(), self.bounds.brief);
        let (_, id) = idle.ok_or(NoPlace::Full)?;
        self.remove(table, None, id);
        Ok(())
    }

    fn send_away(
        &self,
        table: &mut Table,
        who: Option<(Source, u64)>,
        why: Gone,
    ) -> Result<(), NoPlace> {
        let (source, id) = who.ok_or(match why {
            Gone::OfSource => NoPlace::OfSource,
            _ => NoPlace::Full,
        })?;
        self.remove(table, Some(source), id);
        figures::connection_gone(why);
        Ok(())
    }

    /// Whoever has no place is counted.
    fn told(&self, room: Result<(), NoPlace>) -> Result<(), NoPlace> {
        room.inspect_err(|why| {
            figures::connection_gone(match why {
                NoPlace::OfSource => Gone::RefusedOfSource,
                NoPlace::Full => Gone::RefusedFull,
            });
        })
    }

    /// Takes a connection out of its crowd and tells it to go, if it is there.
    fn remove(&self, table: &mut Table, source: Option<Source>, id: u64) {
        if let Some(seat) = table.take(source, id) {
            seat.away.notify_one();
            figures::connection_closed();
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Table {
    fn crowd(&mut self, source: Option<Source>) -> &mut Crowd {
        match source {
            Some(source) => self.sources.entry(source).or_default(),
            None => &mut self.proxies,
        }
    }

    /// Takes a connection out; none if it is not there any more.
    fn take(&mut self, source: Option<Source>, id: u64) -> Option<Arc<Seat>> {
        let Some(source) = source else {
            return self.proxies.seats.remove(&id);
        };
        let seat = self.sources.get_mut(&source)?.seats.remove(&id);
        self.forget_if_empty(Some(source));
        self.count -= usize::from(seat.is_some());
        seat
    }

    fn forget_if_empty(&mut self, source: Option<Source>) {
        let Some(source) = source else {
            return;
        };
        let crowd = self.sources.get(&source);
        if crowd.is_some_and(|it| it.seats.is_empty() && it.held.load(Relaxed) == 0) {
            self.sources.remove(&source);
        }
    }
}

impl Crowd {
    fn len(&self) -> usize {
        self.seats.len()
    }

    /// Who has kept the listener waiting longest, and for so long at least.
    fn longest(&self, now: u64, grace: Duration) -> Option<(u64, u64)> {
        self.seats
            .iter()
            .filter(|(_, seat)| !seat.busy.load(Relaxed))
            .map(|(id, seat)| (now.saturating_sub(seat.since.load(Relaxed)), *id))
            .filter(|(waited, _)| u128::from(*waited) >= grace.as_millis())
            // Of those that came within a millisecond, the first.
            .max_by_key(|(waited, id)| (*waited, core::cmp::Reverse(*id)))
    }
}

impl Seat {
    /// The peer has to do something from now on.
    pub(super) fn peers_turn(&self) {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.since.store(now, Relaxed);
        self.busy.store(false, Relaxed);
    }

    /// A request is being worked on.
    pub(super) fn own_turn(&self) {
        self.busy.store(true, Relaxed);
    }

    pub(super) fn set_answered(&self, is: bool) {
        self.answered.store(is, Relaxed);
    }

    pub(super) fn is_answered(&self) -> bool {
        self.answered.load(Relaxed)
    }

    /// Until it has to go.
    pub(super) async fn sent_away(&self) {
        self.away.notified().await;
    }

    fn whose(&self) -> MutexGuard<'_, Whose> {
        self.whose.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    is_proxys: bool,
    id: u64,
    seat: Arc<Seat>,
}

impl Place {
    pub(super) const fn seat(&self) -> &Arc<Seat> {
        &self.seat
    }

    pub(super) fn bounds(&self) -> &Bounds {
        &self.places.bounds
    }

    /// A proxy's connection speaks for this source from now on, perhaps in another's place.
    pub(super) fn speaks_for(&self, named: Named) -> Result<(), NoPlace> {
        let mut table = self.places.table();
        let before = self.seat.whose().source;
        let (source, most) = match named {
            Named::Other(source) => (source, self.places.bounds.a_source),
            Named::Proxy(source) => (source, usize::MAX),
        };
        // Whoever was sent away meanwhile has no place to move from.
        let seat = table.take(before, self.id).ok_or(NoPlace::Full)?;
        let room = self.places.make_place(&mut table, source, most);
        let told = self.places.told(room);
        let source = told.is_ok().then_some(source);
        table.count += usize::from(source.is_some());
        seat.peers_turn();
        self.move_to(&mut table, source, seat);
        told
    }

    /// The answer has left: a proxy's connection speaks for nobody until the next request.
    pub(super) fn rests(&self) {
        self.seat.peers_turn();
        if !self.is_proxys {
            return;
        }
        let mut table = self.places.table();
        let before = self.seat.whose().source;
        if let Some(seat) = table.take(before, self.id) {
            self.move_to(&mut table, None, seat);
        }
    }

    fn move_to(&self, table: &mut Table, source: Option<Source>, seat: Arc<Seat>) {
        let crowd = table.crowd(source);
        let held = crowd.held.clone();
        crowd.seats.insert(self.id, seat);
        let mut whose = self.seat.whose();
        let moved = self.seat.held.load(Relaxed);
        whose.held.fetch_sub(moved, Relaxed);
        held.fetch_add(moved, Relaxed);
        let before = core::mem::replace(&mut *whose, Whose { source, held });
        table.forget_if_empty(before.source);
    }
}

/// Whom a proxy speaks for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Named {
    /// Somebody else.
    Other(Source),
    /// Itself, or somebody whom it does not name: bounded in all alone.
    Proxy(Source),
}

impl Drop for Place {
    fn drop(&mut self) {
        self.release();
        let mut table = self.places.table();
        let source = self.seat.whose().source;
        self.places.remove(&mut table, source, self.id);
    }
}

#[cfg(test)]
mod tests;
