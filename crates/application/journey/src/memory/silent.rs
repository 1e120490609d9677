//! Peers that take a question and never answer it, or late and wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use super::lock;
use crate::ports::PortError;

/// Who of a [`World`](super::World) is silent or late.
#[derive(Debug)]
pub struct Silent {
    keepers: Mutex<BTreeSet<u8>>,
    nodes: Mutex<BTreeSet<String>>,
    late_keepers: Mutex<BTreeMap<u8, Duration>>,
    late_nodes: Mutex<BTreeMap<String, Duration>>,
    /// What the question that was put last takes, until somebody waits for it.
    takes: Mutex<Option<Duration>>,
    /// Answers of the late that came.
    came: watch::Sender<usize>,
    /// All that was ever waited.
    passed: Mutex<Duration>,
    asked: watch::Sender<usize>,
    waited: Mutex<Duration>,
    is_held: AtomicBool,
}

impl Default for Silent {
    fn default() -> Self {
        Self {
            keepers: Mutex::default(),
            nodes: Mutex::default(),
            late_keepers: Mutex::default(),
            late_nodes: Mutex::default(),
            takes: Mutex::default(),
            came: watch::Sender::new(0),
            passed: Mutex::default(),
            asked: watch::Sender::new(0),
            waited: Mutex::default(),
            is_held: AtomicBool::new(false),
        }
    }
}

impl Silent {
    /// A keeper answers no question from now on; reads are questions, too.
    pub fn add_keeper(&self, index: u8) {
        lock(&self.keepers).insert(index);
    }

    /// A keeper answers again.
    pub fn remove_keeper(&self, index: u8) {
        lock(&self.keepers).remove(&index);
    }

    /// A node takes no letter from now on.
    pub fn add_node(&self, url: &str) {
        lock(&self.nodes).insert(url.into());
    }

    /// A node takes letters again.
    pub fn remove_node(&self, url: &str) {
        lock(&self.nodes).remove(url);
    }

    /// A keeper answers every question after so long from now on, and that it has nothing of what is asked for.
    pub fn delay_keeper(&self, index: u8, by: Duration) {
        lock(&self.late_keepers).insert(index, by);
    }

    /// A keeper answers in time again, and rightly.
    pub fn hurry_keeper(&self, index: u8) {
        lock(&self.late_keepers).remove(&index);
    }

    /// A node refuses every letter after so long from now on.
    pub fn delay_node(&self, url: &str, by: Duration) {
        lock(&self.late_nodes).insert(url.into(), by);
    }

    /// No time passes from now on while somebody waits; else it passes at once, as nobody here is slow.
    pub fn hold_time(&self) {
        self.is_held.store(true, Ordering::SeqCst);
    }

    /// How long those that are silent were waited for, since this was asked last.
    pub fn waited(&self) -> Duration {
        core::mem::take(&mut *lock(&self.waited))
    }

    /// Questions that were put to those that are silent, so far.
    pub fn asked(&self) -> usize {
        *self.asked.borrow()
    }

    /// Ends when so many questions were put to those that are silent.
    pub async fn until_asked(&self, count: usize) {
        let mut asked = self.asked.subscribe();
        // The sender lives as long as this does.
        let _ = asked.wait_for(|so_far| *so_far >= count).await;
    }

    /// All that was ever waited for anybody.
    pub(super) fn elapsed(&self) -> Duration {
        *lock(&self.passed)
    }

    pub(super) async fn wait(&self, time: Duration) {
        let takes = lock(&self.takes).take();
        let is_anybody = !lock(&self.keepers).is_empty() || !lock(&self.nodes).is_empty();
        let is_anybody = is_anybody || takes.is_some();
        if !is_anybody || self.is_held.load(Ordering::SeqCst) {
            return pending().await;
        }
        let begun = self.elapsed();
        // All that are asked at once are waited for at once.
        tokio::task::yield_now().await;
        let until = begun + takes.map_or(time, |takes| takes.min(time));
        let passes = until.saturating_sub(self.elapsed());
        *lock(&self.waited) += passes;
        *lock(&self.passed) += passes;
        if takes.is_some_and(|takes| takes <= time) {
            self.came.send_modify(|came| *came += 1);
            pending().await
        }
    }

    /// Ends when a keeper answers; says no if that is late.
    pub(super) async fn keeper(&self, index: u8) -> Result<(), PortError> {
        let is_silent = lock(&self.keepers).contains(&index);
        let late = lock(&self.late_keepers).get(&index).copied();
        let peer = format!("keeper {index}");
        self.answer(is_silent, late, peer).await
    }

    /// Ends when a node answers; says no if that is late.
    pub(super) async fn node(&self, url: &str) -> Result<(), PortError> {
        let is_silent = lock(&self.nodes).contains(url);
        let late = lock(&self.late_nodes).get(url).copied();
        self.answer(is_silent, late, url.to_owned()).await
    }

    async fn answer(
        &self,
        is_silent: bool,
        late: Option<Duration>,
        peer: String,
    ) -> Result<(), PortError> {
        if !is_silent && late.is_none() {
            return Ok(());
        }
        self.asked.send_modify(|asked| *asked += 1);
        if is_silent {
            return pending().await;
        }
        *lock(&self.takes) = late;
        // The sender lives as long as this does.
        let _ = self.came.subscribe().changed().await;
        Err(PortError::Refused {
            peer,
            why: "it has nothing of this".into(),
        })
    }
}
