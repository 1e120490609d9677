//! Clocks of devices, each off by some seconds or minutes for as long as it lives.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use medibloc_journey::Clock;
use medibloc_record::Timestamp;

use super::Chance;

/// A clock that is off by so many seconds.
pub(super) struct Off(Arc<dyn Clock>, i64);

impl Off {
    /// A device's clock: as far off as follows from its number, one way or the other, at most so many seconds.
    pub(super) fn of(right: Arc<dyn Clock>, seed: u64, most: u64) -> Arc<dyn Clock> {
        // Not from the life's own chance: with other clocks it is the same life.
        let by = Chance::new(seed).below(2 * most + 1);
        Arc::new(Self(right, by.cast_signed() - most.cast_signed()))
    }
}

#[async_trait]
impl Clock for Off {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.now().0.saturating_add_signed(self.1))
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    async fn wait(&self, time: Duration) {
        self.0.wait(time).await;
    }
}
