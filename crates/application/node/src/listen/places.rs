//! Who is connected, and who has to go when somebody else comes: never a peer whose request is being worked on, never one of
//! a source with fewer connections, always the one that has kept the listener waiting longest.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::bounds::{Bounds, Source};

/// Connections that a source has for sure, as long as others have more.
const FEW: usize = 4;

/// What a body or answer holds without being counted.
pub(super) const FREE: usize = 16 << 10;

/// All connections of a listener.
#[derive(Debug)]
pub(super) struct Places {
    bounds: Bounds,
    start: Instant,
    held: AtomicUsize,
    table: Mutex<Table>,
    /// Requests at once of those whom proxies speak for.
    visits: Mutex<BTreeMap<Source, usize>>,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    count: usize,
    sources: BTreeMap<Source, Crowd>,
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
    held_by_source: Arc<AtomicUsize>,
    away: Notify,
    start: Instant,
}

impl Places {
    pub(super) fn new(bounds: Bounds) -> Arc<Self> {
        Arc::new(Self {
            bounds,
            start: Instant::now(),
            held: AtomicUsize::new(0),
            table: Mutex::default(),
            visits: Mutex::default(),
        })
    }

    /// A request of somebody whom a proxy speaks for; none if there are as many as one source may have connections.
    pub(super) fn visit(self: &Arc<Self>, source: Source) -> Option<Visit> {
        let mut visits = self.visits.lock().unwrap_or_else(PoisonError::into_inner);
        let count = visits.entry(source).or_default();
        if *count >= self.bounds.a_source {
            return None;
        }
        *count += 1;
        let places = self.clone();
        Some(Visit { places, source })
    }

    /// A place for a connection, perhaps another's; none if it has to go itself. Proxies are bounded in all alone.
    pub(super) fn take(self: &Arc<Self>, source: Source, is_proxy: bool) -> Option<Place> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let own = table
            .sources
            .get(&source)
            .map_or(0, |crowd| crowd.seats.len());
        if own >= self.bounds.a_source && !is_proxy {
            self.send_away(&mut table, source, self.bounds.patience)?;
        } else if table.count >= self.bounds.connections {
            let largest = table
                .sources
                .iter()
                .max_by_key(|(_, crowd)| crowd.seats.len())
                .filter(|(_, crowd)| crowd.seats.len() > own)
                .map_or(source, |(source, _)| *source);
            let grace = if own < FEW {
                Duration::ZERO
            } else {
                self.bounds.patience
            };
            self.send_away(&mut table, largest, grace)?;
        }
        let id = table.next;
        table.next += 1;
        table.count += 1;
        let crowd = table.sources.entry(source).or_default();
        let seat = Arc::new(Seat {
            since: AtomicU64::new(self.millis()),
            busy: AtomicBool::new(false),
            answered: AtomicBool::new(false),
            held: AtomicUsize::new(0),
            held_by_source: crowd.held.clone(),
            away: Notify::new(),
            start: self.start,
        });
        crowd.seats.insert(id, seat.clone());
        Some(Place {
            places: self.clone(),
            source,
            id,
            seat,
        })
    }

    /// Sends away who has kept the listener waiting longest of a source; none if nobody has for so long.
    fn send_away(&self, table: &mut Table, source: Source, grace: Duration) -> Option<()> {
        let crowd = table.sources.get(&source)?;
        let now = self.millis();
        let (id, _) = crowd
            .seats
            .iter()
            .filter(|(_, seat)| !seat.busy.load(Relaxed))
            .map(|(id, seat)| (*id, seat.since.load(Relaxed)))
            .min_by_key(|(_, since)| *since)
            .filter(|(_, since)| u128::from(now.saturating_sub(*since)) >= grace.as_millis())?;
        self.remove(table, source, id);
        Some(())
    }

    fn remove(&self, table: &mut Table, source: Source, id: u64) {
        let Some(crowd) = table.sources.get_mut(&source) else {
            return;
        };
        if let Some(seat) = crowd.seats.remove(&id) {
            table.count -= 1;
            seat.away.notify_one();
        }
        if crowd.seats.is_empty() && crowd.held.load(Relaxed) == 0 {
            table.sources.remove(&source);
        }
    }

    /// Sends away whoever holds most of the source that holds most, if that is not the one who asks.
    fn make_room(&self, asks: &Arc<Seat>) -> bool {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let crowds = table.sources.iter();
        let largest = crowds.max_by_key(|(_, crowd)| crowd.held.load(Relaxed));
        let Some((source, crowd)) = largest else {
            return false;
        };
        let of_source = crowd.held.load(Relaxed);
        if Arc::ptr_eq(&crowd.held, &asks.held_by_source)
            || of_source <= asks.held_by_source.load(Relaxed)
        {
            return false;
        }
        let now = self.millis();
        let seat = crowd
            .seats
            .iter()
            .filter(|(_, seat)| !seat.busy.load(Relaxed))
            .filter(|(_, seat)| {
                u128::from(now - now.min(seat.since.load(Relaxed)))
                    >= self.bounds.patience.as_millis()
            })
            .max_by_key(|(_, seat)| seat.held.load(Relaxed));
        let Some((id, seat)) = seat.map(|(id, seat)| (*id, seat.clone())) else {
            return false;
        };
        let source = *source;
        self.remove(&mut table, source, id);
        drop(table);
        self.release(&seat);
        true
    }

    fn release(&self, seat: &Seat) {
        self.let_go(seat, usize::MAX);
    }

    /// Up to this many bytes; what was given back before is not given back again.
    fn let_go(&self, seat: &Seat, most: usize) {
        let less = |held: usize| Some(held.saturating_sub(most));
        let before = seat.held.fetch_update(Relaxed, Relaxed, less).unwrap_or(0);
        let held = before.min(most);
        self.held.fetch_sub(held, Relaxed);
        seat.held_by_source.fetch_sub(held, Relaxed);
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
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
}

/// A request behind a proxy, until it is answered.
#[derive(Debug)]
pub(super) struct Visit {
    places: Arc<Places>,
    source: Source,
}

impl Drop for Visit {
    fn drop(&mut self) {
        let visits = self.places.visits.lock();
        let mut visits = visits.unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = visits.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                visits.remove(&self.source);
            }
        }
    }
}

/// A connection's place; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    source: Source,
    id: u64,
    seat: Arc<Seat>,
}

impl Place {
    pub(super) const fn seat(&self) -> &Arc<Seat> {
        &self.seat
    }

    pub(super) const fn places(&self) -> &Arc<Places> {
        &self.places
    }

    pub(super) fn bounds(&self) -> &Bounds {
        &self.places.bounds
    }

    /// Whether this many bytes more may be held for this connection.
    pub(super) fn hold(&self, bytes: usize) -> bool {
        let (places, seat) = (&self.places, &self.seat);
        let add = |to: &AtomicUsize, most: usize| {
            to.fetch_update(Relaxed, Relaxed, |held| {
                held.checked_add(bytes).filter(|sum| *sum <= most)
            })
            .is_ok()
        };
        if !add(&seat.held_by_source, places.bounds.memory_a_source) {
            return false;
        }
        while !add(&places.held, places.bounds.memory) {
            if !places.make_room(seat) {
                seat.held_by_source.fetch_sub(bytes, Relaxed);
                return false;
            }
        }
        seat.held.fetch_add(bytes, Relaxed);
        true
    }

    /// So many bytes are held no more.
    pub(super) fn let_go(&self, bytes: usize) {
        self.places.let_go(&self.seat, bytes);
    }

    /// Nothing is held any more.
    pub(super) fn release(&self) {
        self.places.release(&self.seat);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.release();
        let mut table = self
            .places
            .table
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.places.remove(&mut table, self.source, self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(last: u8) -> Source {
        Source::of([192, 0, 2, last].into())
    }

    fn places(connections: usize, a_source: usize) -> Arc<Places> {
        Places::new(Bounds {
            connections,
            a_source,
            memory: 100,
            memory_a_source: 60,
            ..Bounds::default()
        })
    }

    /// As if its peer's turn had begun long ago: at the begin of a listener that is made [`later`].
    fn waits(place: &Place) {
        place.seat.since.store(0, Relaxed);
    }

    /// As if the listener had begun a minute ago.
    fn later(places: &mut Arc<Places>) {
        let inner = Arc::get_mut(places).expect("no connection yet");
        inner.start -= Duration::from_secs(60);
    }

    fn is_away(place: &Place) -> bool {
        let table = place.places.table.lock().unwrap();
        !table
            .sources
            .get(&place.source)
            .is_some_and(|crowd| crowd.seats.contains_key(&place.id))
    }

    #[test]
    fn a_source_at_its_cap_gives_up_its_own_slowest_and_shuts_nobody_else_out() {
        let mut places = places(10, 2);
        later(&mut places);
        let one = places.take(source(1), false).unwrap();
        let two = places.take(source(1), false).unwrap();
        assert!(
            places.take(source(1), false).is_none(),
            "nobody waits for long"
        );
        let other = places.take(source(2), false).unwrap();
        waits(&two);
        let three = places.take(source(1), false).unwrap();
        assert!(is_away(&two) && !is_away(&one) && !is_away(&other) && !is_away(&three));
        waits(&one);
        one.seat.own_turn();
        assert!(
            places.take(source(1), false).is_none(),
            "it is being worked on"
        );
        drop(one);
        assert!(places.take(source(1), false).is_some());
    }

    #[test]
    fn a_full_listener_takes_the_place_from_the_largest_source() {
        let mut places = places(4, 3);
        later(&mut places);
        let crowd: Vec<Place> = (0..3)
            .map(|_| places.take(source(1), false).unwrap())
            .collect();
        let other = places.take(source(2), false).unwrap();
        waits(&other);
        waits(&crowd[1]);
        let new = places.take(source(3), false).unwrap();
        assert!(is_away(&crowd[1]) && !is_away(&other) && !is_away(&new));
        let fifth = places.take(source(9), true).unwrap();
        assert!(
            !is_away(&other) && !is_away(&new) && !is_away(&fifth),
            "of the largest again"
        );
    }

    #[test]
    fn who_comes_through_a_proxy_is_counted_by_requests() {
        let places = places(10, 2);
        let (one, two) = (places.visit(source(1)), places.visit(source(1)));
        assert!(one.is_some() && two.is_some() && places.visit(source(1)).is_none());
        assert!(places.visit(source(2)).is_some());
        drop((one, two));
        assert!(places.visit(source(1)).is_some());
    }

    #[test]
    fn what_is_held_is_bounded_and_the_largest_holder_goes_first() {
        let mut places = places(10, 10);
        later(&mut places);
        let one = places.take(source(1), false).unwrap();
        assert!(one.hold(50) && !one.hold(20), "60 of one source");
        let two = places.take(source(2), false).unwrap();
        assert!(two.hold(40));
        let three = places.take(source(3), false).unwrap();
        assert!(!three.hold(30), "nobody waits for long");
        waits(&one);
        assert!(three.hold(30) && is_away(&one) && !is_away(&two));
        drop(one);
        assert_eq!(places.held.load(Relaxed), 70, "given back once");
        two.release();
        drop((two, three));
        assert_eq!(places.held.load(Relaxed), 0);
        assert!(places.table.lock().unwrap().sources.is_empty());
    }
}
