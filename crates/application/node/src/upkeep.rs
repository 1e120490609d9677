//! What a member's program does while nobody asks: follow the chain, delete what was erased.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;

use crate::fault::Fault;
use crate::gateway::Parts;
use crate::keeper::Shell;
use crate::panics::{Task, caught};

/// Follows the chain for a gateway or a keeper.
pub struct Upkeep {
    of: Of,
    operator: Router,
}

enum Of {
    Gateway(Arc<Parts>),
    Keeper(Arc<Shell>),
}

impl Upkeep {
    pub(crate) const fn of_gateway(parts: Arc<Parts>, operator: Router) -> Self {
        let of = Of::Gateway(parts);
        Self { of, operator }
    }

    pub(crate) const fn of_keeper(shell: Arc<Shell>, operator: Router) -> Self {
        let of = Of::Keeper(shell);
        Self { of, operator }
    }

    /// What the operator may ask, and nobody else: figures, and why it is not ready. For an address that strangers do not reach.
    pub fn operator(&self) -> Router {
        self.operator.clone()
    }

    /// Looks once; false if the chain or a disk did not answer.
    pub async fn once(&self) -> bool {
        let look = async {
            let looked: Result<(), Fault> = match &self.of {
                Of::Gateway(parts) => parts.upkeep().await,
                Of::Keeper(shell) => shell.upkeep().await,
            };
            looked.is_ok()
        };
        caught(Task::Upkeep, look).await.unwrap_or(false)
    }

    /// Looks again and again; it ends when it is dropped.
    pub async fn run(self, every: Duration) {
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.once().await;
        }
    }
}

impl core::fmt::Debug for Upkeep {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Upkeep")
    }
}
