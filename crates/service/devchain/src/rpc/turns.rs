//! Who is answered next when more is asked than can be worked on: sources share the work, whoever asks little goes first, and who
//! waits holds no thread.

use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

/// Questions of one source that wait for one kind of work.
const WAITING: usize = 64;

/// Sources that are remembered before those that are owed nothing are forgotten.
const REMEMBERED: usize = 1_000;

/// Who asks. All are on this machine: whom a proxy speaks for is one by the address that it names, every other connection is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Source {
    /// Somebody behind a proxy: an IPv4 address, or the 48 bits of an IPv6 one that a site has.
    Named(IpAddr),
    /// A connection.
    Connection(SocketAddr),
}

impl Source {
    pub(super) fn named(address: IpAddr) -> Self {
        Self::Named(match address.to_canonical() {
            IpAddr::V6(address) => {
                let site = address.to_bits() & (u128::MAX << 80);
                IpAddr::V6(Ipv6Addr::from_bits(site))
            }
            address => address,
        })
    }
}

/// Work of one kind.
#[derive(Debug)]
pub(super) struct Turns {
    at_once: usize,
    state: Mutex<State>,
}

/// Fair queueing: each source's questions get times one after another as if it had its share of the work alone, and the one whose
/// time ends first is next. Times are amounts of work.
#[derive(Debug, Default)]
struct State {
    running: usize,
    /// What a source had done that always had its share.
    now: u64,
    /// Sources that wait or are worked for.
    busy: u64,
    lines: HashMap<Source, Line>,
    /// By end, then in the order in which they came.
    waiting: BTreeMap<(u64, u64), Waiter>,
    came: u64,
}

#[derive(Debug, Default)]
struct Line {
    /// When the last of its questions ends.
    end: u64,
    waiting: usize,
    running: usize,
}

impl Line {
    fn is_idle(&self) -> bool {
        self.waiting + self.running == 0
    }
}

#[derive(Debug)]
struct Waiter {
    source: Source,
    go: oneshot::Sender<()>,
}

/// A place: in the line, then at work. Whoever drops it leaves either.
#[derive(Debug)]
pub(super) struct Turn {
    turns: Arc<Turns>,
    source: Source,
    cost: u64,
    key: (u64, u64),
}

impl Turns {
    pub(super) fn new(at_once: usize) -> Arc<Self> {
        Arc::new(Self {
            at_once: at_once.max(1),
            state: Mutex::default(),
        })
    }

    /// Waits for a turn; none if too many of this source wait. Cancel-safe: who is dropped waits no more.
    pub(super) async fn take(self: &Arc<Self>, source: Source, cost: u64) -> Option<Turn> {
        let (turn, go) = self.line_up(source, cost)?;
        go.await.ok()?;
        Some(turn)
    }

    fn line_up(
        self: &Arc<Self>,
        source: Source,
        cost: u64,
    ) -> Option<(Turn, oneshot::Receiver<()>)> {
        let mut state = self.state();
        let State {
            now, lines, busy, ..
        } = &mut *state;
        if lines.len() > REMEMBERED {
            lines.retain(|_, line| !line.is_idle() || line.end > *now);
        }
        let line = lines.entry(source).or_default();
        if line.waiting >= WAITING {
            return None;
        }
        if line.is_idle() {
            *busy += 1;
        }
        line.waiting += 1;
        line.end = line.end.max(*now).saturating_add(cost);
        let end = line.end;
        state.came += 1;
        let key = (end, state.came);
        let (go, gone) = oneshot::channel();
        state.waiting.insert(key, Waiter { source, go });
        self.begin(&mut state);
        drop(state);
        let turn = Turn {
            turns: self.clone(),
            source,
            cost,
            key,
        };
        Some((turn, gone))
    }

    /// Begins what there is room for. One source never has all of it, unless there is only one place.
    fn begin(&self, state: &mut State) {
        let most = (self.at_once / 2).max(1);
        while state.running < self.at_once {
            let lines = &state.lines;
            let may = |waiter: &Waiter| {
                let line = lines.get(&waiter.source);
                line.is_none_or(|line| line.running < most)
            };
            let next = state.waiting.iter().find(|(_, waiter)| may(waiter));
            let Some((key, _)) = next else {
                return;
            };
            let key = *key;
            let Some(Waiter { source, go }) = state.waiting.remove(&key) else {
                return;
            };
            state.running += 1;
            if let Some(line) = state.lines.get_mut(&source) {
                line.waiting -= 1;
                line.running += 1;
            }
            // Who does not hear it any more gives the place back by dropping its turn.
            let _ = go.send(());
        }
    }

    /// How many are worked for.
    #[cfg(test)]
    pub(super) fn working(&self) -> usize {
        self.state().running
    }

    /// How many wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.state().waiting.len()
    }

    /// What a source had done that always had its share.
    #[cfg(test)]
    pub(super) fn now(&self) -> u64 {
        self.state().now
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// It takes so much, and not what was thought before: its source owes the rest, or has it back.
    pub(super) fn settle(&mut self, cost: u64) {
        let mut state = self.turns.state();
        if let Some(line) = state.lines.get_mut(&self.source) {
            line.end = line.end.saturating_sub(self.cost).saturating_add(cost);
        }
        self.cost = cost;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.turns.state();
        let waited = state.waiting.remove(&self.key).is_some();
        if !waited {
            state.running -= 1;
            state.now = state.now.saturating_add(self.cost / state.busy.max(1));
        }
        let State {
            lines, busy, now, ..
        } = &mut *state;
        if let Some(line) = lines.get_mut(&self.source) {
            if waited {
                line.waiting -= 1;
            } else {
                line.running -= 1;
            }
            if line.is_idle() {
                *busy -= 1;
                if line.end <= *now {
                    lines.remove(&self.source);
                }
            }
        }
        self.turns.begin(&mut state);
    }
}

#[cfg(test)]
mod tests;
