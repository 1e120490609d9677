//! When a keeper destroys the wrap key before its current one.

use std::path::Path;
use std::sync::atomic::Ordering;

use medibloc_keys::SeededEntropy;
use medibloc_node::{Keeper, KeeperConfig, keeper_with_upkeep};

use crate::http::{DOMAIN, Ground, NOW};

/// A week and a day: by then the key before has ended.
const LATER: u64 = 8 * 86_400;

/// Keys that the file has for wraps.
fn kept(file: &Path) -> usize {
    let text = std::fs::read(file).unwrap();
    let file: serde_json::Value = serde_json::from_slice(&text).unwrap();
    file["wrap_keys"].as_array().unwrap().len()
}

/// The keeper's own clock alone was enough, and what is destroyed never comes back.
#[tokio::test]
async fn a_wrap_key_is_destroyed_when_clock_and_chain_agree_that_its_time_is_over() {
    for (clock_first, alone) in [(true, "the clock"), (false, "the chain")] {
        let ground = Ground::new();
        let file = ground.folder.path().join("keeper.json");
        let keys = ground.keys.clone().rotated(&mut SeededEntropy::new(5));
        keys.retire(NOW).write(&file).unwrap();
        let on = Keeper {
            keys: medibloc_node::KeeperKeys::read(&file).unwrap(),
            facts: ground.ledger.clone(),
            events: ground.ledger.clone(),
            clock: ground.clock(),
        };
        let config = KeeperConfig {
            url: "http://127.0.0.1:9".into(),
            folder: None,
            keys: Some(file.clone()),
            domain: DOMAIN,
            first_block: 0,
            finality_lag: 0,
            limits: medibloc_node::DailyLimits::default(),
        };
        let (_, upkeep) = keeper_with_upkeep(on, config).unwrap();
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
