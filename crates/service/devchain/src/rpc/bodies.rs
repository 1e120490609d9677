//! What the bodies of all requests that are read, wait or are answered take of memory together. Sources share it: where it does not
//! suffice, whoever holds the most gives up its longest, and who asks little is answered.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use super::turns::Source;

/// What a body takes beside its bytes, so that empty ones are no way around the bound.
const BESIDE: usize = 512;

/// The bodies that are held.
#[derive(Debug)]
pub(super) struct Bodies {
    /// Bytes of all of them.
    most: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    bytes: usize,
    came: u64,
    of: HashMap<Source, Held>,
}

/// Those of one source.
#[derive(Debug, Default)]
struct Held {
    bytes: usize,
    bodies: HashMap<u64, One>,
}

#[derive(Debug)]
struct One {
    bytes: usize,
    /// Tells its request to end.
    _gives_up: oneshot::Sender<()>,
}

/// A body's place. Dropping it gives the memory back.
#[derive(Debug)]
pub(super) struct Body {
    bodies: Arc<Bodies>,
    source: Source,
    id: u64,
}

/// Ends when a body has to make room for others.
pub(super) type GivenUp = oneshot::Receiver<()>;

impl Bodies {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            state: Mutex::default(),
        })
    }

    /// A request that begins to be read, and what ends when it is given up.
    pub(super) fn begin(self: &Arc<Self>, source: Source) -> (Body, GivenUp) {
        let (gives_up, given_up) = oneshot::channel();
        let mut state = self.state();
        state.came += 1;
        let id = state.came;
        let held = state.of.entry(source).or_default();
        let one = One {
            bytes: 0,
            _gives_up: gives_up,
        };
        held.bodies.insert(id, one);
        drop(state);
        let body = Body {
            bodies: self.clone(),
            source,
            id,
        };
        body.grow(BESIDE);
        (body, given_up)
    }

    /// Bytes that are held.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.state().bytes
    }

    /// Whether any of this source is held.
    #[cfg(test)]
    pub(super) fn has(&self, source: Source) -> bool {
        self.state().of.contains_key(&source)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Body {
    /// It takes so many bytes more. Whoever holds the most makes room, this source, too.
    pub(super) fn grow(&self, more: usize) {
        let mut state = self.bodies.state();
        let Some(held) = state.of.get_mut(&self.source) else {
            return;
        };
        let Some(one) = held.bodies.get_mut(&self.id) else {
            return;
        };
        one.bytes += more;
        held.bytes += more;
        state.bytes += more;
        while state.bytes > self.bodies.most && state.give_up_the_longest() {}
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.bodies.state().end(self.source, self.id);
    }
}

impl State {
    fn give_up_the_longest(&mut self) -> bool {
        let most = self.of.iter().max_by_key(|(_, held)| held.bytes);
        let longest = most.and_then(|(source, held)| {
            let longest = held.bodies.iter().max_by_key(|(id, one)| (one.bytes, **id));
            longest.map(|(id, _)| (*source, *id))
        });
        longest.is_some_and(|(source, id)| self.end(source, id))
    }

    /// Whether it was there.
    fn end(&mut self, source: Source, id: u64) -> bool {
        let Some(held) = self.of.get_mut(&source) else {
            return false;
        };
        let Some(one) = held.bodies.remove(&id) else {
            return false;
        };
        held.bytes -= one.bytes;
        self.bytes -= one.bytes;
        if held.bodies.is_empty() {
            self.of.remove(&source);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(n: u8) -> Source {
        Source::named([192, 0, 2, n].into())
    }

    #[test]
    fn whoever_holds_the_most_makes_room() {
        let bodies = Bodies::new(100_000);
        let begin = |n: u8, bytes: usize| {
            let (body, given_up) = bodies.begin(source(n));
            body.grow(bytes);
            (body, given_up)
        };
        let is_given_up = |given_up: &mut GivenUp| {
            given_up.try_recv() == Err(oneshot::error::TryRecvError::Closed)
        };
        let mut flood: Vec<_> = (0..30).map(|_| begin(1, 10_000)).collect();
        assert!(bodies.bytes() <= 100_000);
        let stand = flood
            .iter_mut()
            .filter_map(|(_, up)| (!is_given_up(up)).then_some(()));
        assert_eq!(stand.count(), 9, "they share what one source may hold");
        let (victim, mut up) = begin(2, 20_000);
        assert!(!is_given_up(&mut up), "who asks little is answered");
        assert!(bodies.bytes() <= 100_000);
        // Alone beside it a body longer than all there is room for is nobody else's matter.
        let (long, mut gone) = begin(3, 200_000);
        assert!(is_given_up(&mut gone) && !is_given_up(&mut up));
        long.grow(10);
        drop((victim, long, flood));
        assert_eq!(bodies.bytes(), 0);
    }

    #[test]
    fn empty_bodies_have_an_end_too() {
        let bodies = Bodies::new(100 * BESIDE);
        let flood: Vec<_> = (0..1_000).map(|_| bodies.begin(source(1))).collect();
        assert_eq!(bodies.bytes(), 100 * BESIDE);
        drop(flood);
        assert_eq!(bodies.bytes(), 0);
    }
}
