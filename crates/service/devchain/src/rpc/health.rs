//! Whether the chain lives and takes transactions, for whoever watches it; and what brings it back after a full disk.

use std::time::Duration;

use axum::{
    Router,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
    routing::get,
};

use super::server::host_is_loopback;
use crate::chain::{Chain, Mining, Pace};

/// Between two looks at the disk.
const LOOK: Duration = Duration::from_secs(2);
/// The longest pause between two tries of a disk that refuses though it seems to have room: each opens the file anew.
const LATER: Duration = Duration::from_secs(60);
/// Bytes free with fewer of which the log warns.
const LITTLE_ROOM: u64 = 512 << 20;

/// `/healthz` while the process lives; `/readyz` while it takes transactions, and 503 else. What its disk refuses is told to the log
/// alone; that its clock is or was wrong, everybody sees by the newest block.
pub(super) fn routes(chain: Chain) -> Router {
    let ready = move |headers: HeaderMap| {
        let chain = chain.clone();
        async move {
            let pace = tokio::task::spawn_blocking(move || (chain.takes_blocks(), chain.pace()));
            let found = match pace.await {
                Ok((true, Ok(pace))) => clock(pace),
                _ => Err("its operator is told why".to_owned()),
            };
            told(&headers, found)
        }
    };
    Router::new()
        .route(
            "/healthz",
            get(async |headers: HeaderMap| told(&headers, Ok(None))),
        )
        .route("/readyz", get(ready))
}

/// What is not well with the chain's time, though it serves; or why it does not.
fn clock(pace: Pace) -> Result<Option<String>, String> {
    match pace {
        Pace::Even => Ok(None),
        Pace::Waits { by } => Ok(Some(format!(
            "the newest block is {by} s ahead of this computer's clock, and those that come have its time until the clock is there: \
             look whether the clock is right now; if it is, wait"
        ))),
        Pace::Stands { by } => Err(format!(
            "no block is made: the newest one is {by} s ahead of this computer's clock; correct the clock, or wait until it is there"
        )),
    }
}

fn told(headers: &HeaderMap, found: Result<Option<String>, String>) -> Response {
    if !host_is_loopback(headers) {
        return (StatusCode::FORBIDDEN, "name a loopback host").into_response();
    }
    match found {
        Ok(None) => "ok\n".into_response(),
        Ok(Some(why)) => format!("degraded: {why}\n").into_response(),
        Err(why) => {
            let why = format!("not ready; {why}\n");
            (StatusCode::SERVICE_UNAVAILABLE, why).into_response()
        }
    }
}

/// Makes the blocks of [`Mining::EveryMillis`] and looks after the disk; it never ends.
pub(super) async fn upkeep(chain: Chain) {
    let watching = watch(chain.clone());
    match chain.mining() {
        Mining::Instant => watching.await,
        Mining::EveryMillis(every) => {
            tokio::select! {
                () = watching => {}
                () = tick(chain, every) => {}
            }
        }
    }
}

async fn tick(chain: Chain, every: u64) {
    let mut ticks = tokio::time::interval(Duration::from_millis(every.max(1)));
    loop {
        ticks.tick().await;
        let chain = chain.clone();
        let mined = tokio::task::spawn_blocking(move || {
            (chain.takes_blocks() && chain.waits()).then(|| chain.mine())
        })
        .await;
        if let Ok(Some(Err(error))) = mined {
            tracing::error!(%error, "no block");
        }
    }
}

/// Looks at the disk for as long as it is polled: warns before it is full, and goes on once it takes blocks again.
async fn watch(chain: Chain) {
    let mut pause = LOOK;
    let mut was_little = false;
    let mut was = Pace::Even;
    loop {
        tokio::time::sleep(pause).await;
        let looked = chain.clone();
        let looked = tokio::task::spawn_blocking(move || {
            (looked.recover(), looked.free_bytes(), looked.pace())
        });
        let Ok((recovered, free, found)) = looked.await else {
            continue;
        };
        if let Ok(found) = found {
            log_pace(was, found);
            was = found;
        }
        pause = match recovered {
            Err(crate::DiskError::Resting) | Ok(()) => LOOK,
            Err(_) => (pause * 2).min(LATER),
        };
        let is_little = free.is_some_and(|free| free < LITTLE_ROOM);
        if is_little && !was_little {
            tracing::warn!(
                mib = free.unwrap_or_default() >> 20,
                "little room is free on the disk of the chain; free some: on a full one it takes no transactions"
            );
        } else if was_little && !is_little {
            tracing::info!("there is room on the disk of the chain again");
        }
        was_little = is_little;
    }
}

/// Tells the log when it changes, not how it goes on.
fn log_pace(was: Pace, is: Pace) {
    if core::mem::discriminant(&was) == core::mem::discriminant(&is) {
        return;
    }
    match clock(is) {
        Ok(None) => tracing::info!("the clock has reached the newest block: time goes on"),
        Ok(Some(why)) => tracing::warn!(why, "degraded"),
        Err(why) => tracing::error!(why, "not ready"),
    }
}
