//! Peers that take a question and never answer it.

use std::collections::BTreeSet;
use std::future::pending;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use super::lock;

/// Who of a [`World`](super::World) is silent.
#[derive(Debug)]
pub struct Silent {
    keepers: Mutex<BTreeSet<u8>>,
    nodes: Mutex<BTreeSet<String>>,
    asked: watch::Sender<usize>,
    waited: Mutex<Duration>,
    is_held: AtomicBool,
}

impl Default for Silent {
    fn default() -> Self {
        Self {
            keepers: Mutex::default(),
            nodes: Mutex::default(),
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

    pub(super) async fn wait(&self, time: Duration) {
        let is_anybody = !lock(&self.keepers).is_empty() || !lock(&self.nodes).is_empty();
        if !is_anybody || self.is_held.load(Ordering::SeqCst) {
            return pending().await;
        }
        *lock(&self.waited) += time;
    }

    pub(super) async fn keeper(&self, index: u8) {
        let is_silent = lock(&self.keepers).contains(&index);
        self.answer(is_silent).await;
    }

    pub(super) async fn node(&self, url: &str) {
        let is_silent = lock(&self.nodes).contains(url);
        self.answer(is_silent).await;
    }

    async fn answer(&self, is_silent: bool) {
        if is_silent {
            self.asked.send_modify(|asked| *asked += 1);
            pending::<()>().await;
        }
    }
}
