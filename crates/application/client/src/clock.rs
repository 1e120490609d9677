//! The machine's clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use medibloc_journey::Clock;
use medibloc_record::Timestamp;

/// The machine's clock, in whole seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Timestamp(since.map_or(0, |since| since.as_secs()))
    }

    async fn wait(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}
