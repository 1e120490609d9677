//! What is not well beside what keeps a gateway or keeper from being ready.

use std::sync::Arc;

use async_trait::async_trait;
use medibloc_api::paths;
use medibloc_ledger::{BlockEvents, Events, LedgerError};
use medibloc_node::{DailyLimits, Gateway, GatewayConfig, Starting, gateway_with_upkeep};

use crate::http::{Draft, Ground, serve};
use crate::watching::{figure, figures, reason};

/// A chain whose node does not answer.
struct Silent;

#[async_trait]
impl Events for Silent {
    async fn events(&self, _from: u64, _most: u32) -> Result<Vec<BlockEvents>, LedgerError> {
        Err(LedgerError::Unreachable {
            from: "the chain".into(),
            why: "no answer".into(),
        })
    }

    async fn hash_of(&self, _number: u64) -> Result<Option<[u8; 32]>, LedgerError> {
        Ok(None)
    }
}

/// While it was not ready, all that was not well beside it read as well, and alerts went quiet.
#[tokio::test]
async fn what_is_not_well_is_told_while_it_is_not_ready_too() {
    let wrong = "https://other.example.org/";
    let ground = Ground::with_keeper_at(wrong);
    ground.registered(1).await;
    let full = || DailyLimits {
        little_room: u64::MAX,
        ..DailyLimits::default()
    };
    let gateway = serve(|url| {
        let config = GatewayConfig {
            known_as: vec![wrong.to_owned()],
            ..ground.gateway_config(url, full())
        };
        let on = Gateway {
            events: Arc::new(Silent),
            ..ground.parts()
        };
        let (router, upkeep) = gateway_with_upkeep(on, config).unwrap();
        router.nest("/operator", upkeep.operator())
    })
    .await;
    let keeper = serve(|url| {
        let events = Arc::new(Silent);
        ground.keeper_with(url, ground.folder.path(), events, full())
    })
    .await;
    let part = |name: &str| format!("medibloc_degraded{{part=\"{name}\"}}");
    // The chain tells a keeper's URL.
    for (url, parts) in [(&gateway, &["url", "disk"][..]), (&keeper, &["disk"][..])] {
        let told = reason(url).await;
        let text = figures(url).await;
        assert!(figure(&text, "medibloc_ready") < 1.0, "{told}");
        for name in parts {
            assert!(figure(&text, &part(name)) > 0.0, "{name}: {text}");
        }
        assert!(figure(&text, &part("wallet")) < 1.0, "{text}");
        assert!(!told.starts_with("degraded"), "{told}");
        let names: Vec<&str> = told.split("; degraded, too: ").collect();
        for name in parts {
            assert!(names[1].contains(name), "{told}");
        }
        assert!(told.contains(" MiB are free on the disk"), "{told}");
    }
    let ready = Draft::get(paths::READYZ).send(&gateway, None).await;
    let ready = ready.unwrap_err();
    assert!(!ready.detail.contains("degraded"), "{}", ready.detail);
}

/// Whoever asked before the chain answered was told what the operator alone is to know.
#[tokio::test]
async fn before_the_chain_answers_its_operator_alone_is_told_why() {
    for (starting, is_told) in [
        (Starting::default(), false),
        (Starting::for_operator(), true),
    ] {
        let url = serve(|_| starting.router()).await;
        Draft::get(paths::HEALTHZ).send(&url, None).await.unwrap();
        for path in [paths::READYZ, paths::NODE] {
            let told = Draft::get(path).send(&url, None).await.unwrap_err();
            assert_eq!(told.status, 503, "{path}");
            assert_eq!(
                told.detail.contains("chain"),
                is_told,
                "{path}: {}",
                told.detail
            );
        }
    }
}
