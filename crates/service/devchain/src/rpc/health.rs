//! Whether the chain lives and takes transactions, for whoever watches it; and what brings it back after a full disk.

use std::time::Duration;

use axum::{
    Router,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
    routing::get,
};

use super::server::host_is_loopback;
use crate::chain::{Chain, Mining};

/// Between two looks at the disk.
const LOOK: Duration = Duration::from_secs(2);
/// The longest pause between two tries of a disk that refuses though it seems to have room: each opens the file anew.
const LATER: Duration = Duration::from_secs(60);
/// Bytes free with fewer of which the log warns.
const LITTLE_ROOM: u64 = 512 << 20;

/// `/healthz` while the process lives; `/readyz` while it takes transactions, and 503 else, without a reason: that is in the log.
pub(super) fn routes(chain: Chain) -> Router {
    let ready = move |headers: HeaderMap| {
        let is_ready = chain.takes_blocks();
        async move { told(&headers, is_ready) }
    };
    Router::new()
        .route(
            "/healthz",
            get(async |headers: HeaderMap| told(&headers, true)),
        )
        .route("/readyz", get(ready))
}

fn told(headers: &HeaderMap, is_well: bool) -> Response {
    if !host_is_loopback(headers) {
        return (StatusCode::FORBIDDEN, "name a loopback host").into_response();
    }
    match is_well {
        true => "ok\n".into_response(),
        false => (
            StatusCode::SERVICE_UNAVAILABLE,
            "not ready; its operator is told why\n",
        )
            .into_response(),
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
    loop {
        tokio::time::sleep(pause).await;
        let looked = chain.clone();
        let looked = tokio::task::spawn_blocking(move || (looked.recover(), looked.free_bytes()));
        let Ok((recovered, free)) = looked.await else {
            continue;
        };
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
