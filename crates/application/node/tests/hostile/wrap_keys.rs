//! When a keeper destroys the wrap key before its current one.

use std::path::Path;
use std::sync::atomic::Ordering;

use axum::Router;
use medibloc_api::paths;
use medibloc_keys::SeededEntropy;
use medibloc_ledger::KeeperFacts;
use medibloc_node::{Keeper, KeeperConfig, KeeperKeys, Upkeep, keeper_with_upkeep};
use medibloc_record::Threshold;

use crate::http::{DOMAIN, Draft, Ground, NOW, serve};
use crate::watching::reason;

/// A week and a day: by then the key before has ended.
const LATER: u64 = 8 * 86_400;

/// Keys that the file has for wraps.
fn kept(file: &Path) -> usize {
    let text = std::fs::read(file).unwrap();
    let file: serde_json::Value = serde_json::from_slice(&text).unwrap();
    file["wrap_keys"].as_array().unwrap().len()
}

/// A keeper that looks at its key file.
fn keeper(ground: &Ground, url: &str, file: &Path) -> (Router, Upkeep) {
    let on = Keeper {
        keys: KeeperKeys::read(file).unwrap(),
        facts: ground.ledger.clone(),
        events: ground.ledger.clone(),
        clock: ground.clock(),
    };
    let config = KeeperConfig {
        url: url.to_owned(),
        folder: None,
        keys: Some(file.to_owned()),
        domain: DOMAIN,
        first_block: 0,
        finality_lag: 0,
        limits: medibloc_node::DailyLimits::default(),
    };
    keeper_with_upkeep(on, config).unwrap()
}

/// The keeper's own clock alone was enough, and what is destroyed never comes back.
#[tokio::test]
async fn a_wrap_key_is_destroyed_when_clock_and_chain_agree_that_its_time_is_over() {
    for (clock_first, alone) in [(true, "the clock"), (false, "the chain")] {
        let ground = Ground::new();
        let file = ground.folder.path().join("keeper.json");
        let keys = ground.keys.clone().rotated(&mut SeededEntropy::new(5));
        keys.retire(NOW).write(&file).unwrap();
        let (_, upkeep) = keeper(&ground, "http://127.0.0.1:9", &file);
        let look = async || {
            // The second looks at keys by what the first read of the chain.
            upkeep.once().await;
            upkeep.once().await;
            kept(&file)
        };
        let clock = || ground.now.store(NOW.0 + LATER, Ordering::SeqCst);
        let chain = async |seed| {
            ground.ledger.set_time(NOW.plus(LATER));
            ground.registered(seed).await;
        };
        assert_eq!(look().await, 2);
        match clock_first {
            true => clock(),
            false => chain(1).await,
        }
        assert_eq!(look().await, 2, "{alone} alone");
        match clock_first {
            true => chain(1).await,
            false => clock(),
        }
        assert_eq!(look().await, 1, "both");
    }
}

/// For up to two seconds after a rotation a keeper was not ready, for a reason that was not so.
#[tokio::test]
async fn a_keeper_is_ready_right_after_a_rotation_and_says_so_of_an_older_file() {
    for is_in_its_file in [true, false] {
        let ground = Ground::new();
        let file = ground.folder.path().join("keeper.json");
        ground.keys.clone().write(&file).unwrap();
        let url = serve(|url| {
            let (router, upkeep) = keeper(&ground, url, &file);
            router.nest("/operator", upkeep.operator())
        })
        .await;
        let mut next = ground.keys.clone().rotated(&mut SeededEntropy::new(5));
        if is_in_its_file {
            let rotated = |keys: KeeperKeys| keys.rotated(&mut SeededEntropy::new(5));
            next = KeeperKeys::change(&file, rotated).unwrap();
        }
        let facts = KeeperFacts {
            index: 1,
            signer: next.signer(),
            wrap_key: next.wrap_key(),
            endpoint: String::new(),
        };
        let threshold = Threshold::new(1, 1).unwrap();
        ground.ledger.form_committee(threshold, vec![facts]);
        let ready = Draft::get(paths::READYZ).send(&url, None).await;
        assert_eq!(ready.is_ok(), is_in_its_file);
        let told = reason(&url).await;
        assert_eq!(
            told.contains("its key file is an older one"),
            !is_in_its_file,
            "{told}"
        );
    }
}
