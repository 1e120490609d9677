//! What an operator sees of a node and of a keeper.

use std::sync::Arc;

use async_trait::async_trait;
use medibloc_api::{Code, paths};
use medibloc_dag::Cid;
use medibloc_ledger::{BlockEvents, Events, LedgerError};
use medibloc_node::DailyLimits;

use crate::http::{Draft, Ground, code, serve};
use crate::ids;

/// A chain that gives no block.
struct Behind;

#[async_trait]
impl Events for Behind {
    async fn events(&self, _from: u64, _most: u32) -> Result<Vec<BlockEvents>, LedgerError> {
        Ok(Vec::new())
    }
}

async fn figures(url: &str) -> String {
    let text = Draft::get(paths::METRICS).send(url, None).await.unwrap();
    String::from_utf8(text).unwrap()
}

fn figure(text: &str, name: &str) -> f64 {
    let prefix = format!("{name} ");
    let value = text.lines().find_map(|line| line.strip_prefix(&prefix));
    let value = value.unwrap_or_else(|| panic!("{name} is not told: {text}"));
    value.parse().unwrap()
}

#[tokio::test]
async fn limits_refused_signatures_disk_and_lag_are_told_without_saying_whose() {
    let ground = Ground::new();
    let (key, other) = (ground.registered(1).await, ground.registered(2).await);
    let most = DailyLimits {
        requests: 8,
        ..DailyLimits::default()
    };
    let url = serve(|url| ground.gateway(url, most)).await;
    let ask = ids(paths::HAS, &[Cid::of_raw(b"another's")]);
    let bad = "medibloc_refused_signatures_total{why=\"bad-signature\"}";
    let before = figure(&figures(&url).await, bad);
    let requests = "medibloc_limit_used_ratio{limit=\"requests\"}";
    assert!(figure(&figures(&url).await, requests) < 0.1);
    for _ in 0..4 {
        ask.by(&url, &key).await.unwrap();
    }
    ask.by(&url, &other).await.unwrap();
    let mut forged = ask.sign(&url, &other);
    forged.address = key.address();
    let answer = ask.send(&url, Some(&forged)).await;
    assert_eq!(code(answer), Some(Code::BadSignature));
    let text = figures(&url).await;
    // Half of what one may have, by whom is not said.
    assert!((figure(&text, requests) - 0.5).abs() < 1e-9, "{text}");
    assert!(figure(&text, bad) >= before + 1.0, "{text}");
    assert!(figure(&text, "medibloc_disk_free_bytes") > 0.0);
    assert!(figure(&text, "medibloc_disk_bytes") > 0.0);
    assert!(figure(&text, "medibloc_blocks_behind") < 1.0);
    assert!(figure(&text, "medibloc_final_block_age_seconds") >= 0.0);
    assert!(!text.contains(&hex::encode(key.address().as_bytes())));
    for _ in 0..4 {
        ask.by(&url, &key).await.unwrap();
    }
    let refused = ask.by(&url, &key).await;
    assert_eq!(code(refused), Some(Code::Limit));
    assert!(figure(&figures(&url).await, requests) >= 1.0);
}

#[tokio::test]
async fn a_node_and_a_keeper_that_are_behind_their_chain_say_by_how_much() {
    let ground = Ground::new();
    let key = ground.registered(1).await;
    let (gateway, keeper) = (
        serve(|url| {
            let limits = DailyLimits::default();
            let events = Arc::new(Behind);
            ground
                .gateway_over(url, limits, ground.store.clone(), events)
                .0
        })
        .await,
        serve(|url| ground.keeper_over(url, ground.folder.path(), Arc::new(Behind))).await,
    );
    for url in [gateway, keeper] {
        // Whoever asks makes it look.
        let _ = ids(paths::HAS, &[]).by(&url, &key).await;
        let _ = Draft::get(paths::READYZ).send(&url, None).await;
        let text = figures(&url).await;
        assert!(figure(&text, "medibloc_blocks_behind") >= 1.0, "{text}");
        assert!(figure(&text, "medibloc_disk_free_bytes") > 0.0);
    }
}
