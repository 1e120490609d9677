//! What bodies and answers on their way hold of a listener's memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::{Place, Places, Seat};
use crate::figures::{self, Gone};

/// What a body or answer holds without being counted.
pub(in crate::listen) const FREE: usize = 16 << 10;

impl Places {
    /// Sends away whoever holds most of the source that holds most, if that is not the one who asks.
    fn make_room(&self, asks: &Arc<AtomicUsize>) -> bool {
        let mut table = self.table();
        let crowds = table.sources.iter();
        let largest = crowds.max_by_key(|(_, crowd)| crowd.held.load(Relaxed));
        let Some((source, crowd)) = largest else {
            return false;
        };
        let of_source = crowd.held.load(Relaxed);
        if Arc::ptr_eq(&crowd.held, asks) || of_source <= asks.load(Relaxed) {
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
        self.remove(&mut table, Some(source), id);
        figures::connection_gone(Gone::Memory);
        drop(table);
        self.release(&seat);
        true
    }

    fn release(&self, seat: &Seat) {
        self.let_go(seat, usize::MAX);
    }

    /// Up to this many bytes; what was given back before is not given back again.
    fn let_go(&self, seat: &Seat, most: usize) {
        // Nobody moves it to another source between the two.
        let whose = seat.whose();
        let less = |held: usize| Some(held.saturating_sub(most));
        let before = seat.held.fetch_update(Relaxed, Relaxed, less).unwrap_or(0);
        let held = before.min(most);
        self.held.fetch_sub(held, Relaxed);
        whose.held.fetch_sub(held, Relaxed);
    }
}

impl Place {
    /// Whether this many bytes more may be held for this connection.
    pub(in crate::listen) fn hold(&self, bytes: usize) -> bool {
        let (places, seat) = (&self.places, &self.seat);
        // The connection's own task alone moves it to another source, and it is here.
        let of_source = seat.whose().held.clone();
        let add = |to: &AtomicUsize, most: usize| {
            to.fetch_update(Relaxed, Relaxed, |held| {
                held.checked_add(bytes).filter(|sum| *sum <= most)
            })
            .is_ok()
        };
        if !add(&of_source, places.bounds.memory_a_source) {
            return false;
        }
        while !add(&places.held, places.bounds.memory) {
            if !places.make_room(&of_source) {
                of_source.fetch_sub(bytes, Relaxed);
                return false;
            }
        }
        seat.held.fetch_add(bytes, Relaxed);
        true
    }

    /// So many bytes are held no more.
    pub(in crate::listen) fn let_go(&self, bytes: usize) {
        self.places.let_go(&self.seat, bytes);
    }

    /// Nothing is held any more.
    pub(in crate::listen) fn release(&self) {
        self.places.release(&self.seat);
    }
}
