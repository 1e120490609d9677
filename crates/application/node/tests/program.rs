//! The program itself: keys, chain, deploy, gateway, keeper, authority, each as a process.

#![allow(clippy::unwrap_used, reason = "a test says by panicking what broke")]

#[path = "program/attacks.rs"]
mod attacks;
#[path = "program/authority.rs"]
mod authority;
#[path = "program/coins.rs"]
mod coins;
#[path = "program/folders.rs"]
mod folders;
#[path = "program/heavy.rs"]
mod heavy;
#[path = "program/keepers.rs"]
mod keepers;
#[path = "program/killed.rs"]
mod killed;
#[path = "program/memory.rs"]
mod memory;
#[path = "program/relay.rs"]
mod relay;
#[path = "program/start.rs"]
mod start;

use serde_json::Value;
use start::{Institution, done, keeper_keys, ready, refused};

#[tokio::test]
async fn one_institution_starts_everything_from_nothing() {
    let world = Institution::new();
    let at = world.folder.path();
    let again = refused(at, &["keys", "wallet", "--out", "relay.json"]);
    assert!(
        again.contains("relay.json"),
        "no key is overwritten: {again}"
    );

    let (gateway, keeping) = (world.start_gateway(), world.start_keeper());
    ready(&world.node).await;
    ready(&world.keeper).await;

    let accredit = [
        "authority",
        "accredit",
        "--deployment",
        "deployment.json",
        "--key",
        "authority.json",
        "--account",
        "0x1111111111111111111111111111111111111111",
        "--name",
        "Hana Hospital",
        "--profession",
        "hospital",
        "--jurisdiction",
        "KR",
        "--out",
        "hana.jwt",
    ];
    let unknown = refused(at, &accredit);
    assert!(unknown.contains("not registered"), "{unknown}");
    assert!(
        !at.join("hana.jwt").exists(),
        "no credential that does not count"
    );

    for (config, flag, named) in [
        ("node.toml", "lissten=1", "lissten"),
        ("node.toml", "gateway.store=tape", "tape"),
        ("node.toml", "deployment=other.json", "other.json"),
        ("other.toml", "log.level=info", "other.toml"),
        ("keepers/keeper-1.toml", "log.level=info", "[gateway]"),
    ] {
        let error = refused(at, &["gateway", "--config", config, "--set", flag]);
        assert!(error.contains(named), "{flag}: {error}");
    }

    for log in [gateway.end(), keeping.end()] {
        assert!(log.contains("\"ended\""), "{log}");
        for line in log.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            assert!(line["level"] == "INFO" || line["level"] == "WARN", "{line}");
        }
        for name in [&world.relay, &world.authority] {
            assert!(!log.contains(name.as_str()), "no address in logs");
        }
    }
}

#[tokio::test]
async fn a_wrap_key_is_rotated_while_its_keeper_runs_and_the_one_before_has_an_end() {
    let world = Institution::new();
    let at = world.folder.path();
    let keeping = world.start_keeper();
    ready(&world.keeper).await;
    let rotate = ["keys", "rotate", "--config", "keepers/keeper-1.toml"];
    let kept = || -> Vec<(u64, bool)> {
        let text = std::fs::read(at.join("keepers/keeper-1.json")).unwrap();
        let file: Value = serde_json::from_slice(&text).unwrap();
        let keys = file["wrap_keys"].as_array().unwrap().iter();
        keys.map(|key| (key["version"].as_u64().unwrap(), key["until"].is_u64()))
            .collect()
    };
    assert_eq!(kept(), [(1, false)]);
    assert_eq!(done(at, &rotate)["version"], 2);
    assert_eq!(kept(), [(2, false), (1, true)]);
    // It took the new key from its file: only then it is ready, for the chain has no other.
    ready(&world.keeper).await;
    assert_eq!(done(at, &rotate)["version"], 3);
    assert_eq!(kept(), [(3, false), (2, true), (1, true)]);
    ready(&world.keeper).await;
    let old = refused(at, &["keys", "rotate", "--config", "node.toml"]);
    assert!(old.contains("[keeper]"), "{old}");
    keeping.end();
}

/// A signer without coins, as one of a deployment that gave keepers none: nothing is changed before somebody pays.
#[tokio::test]
async fn a_rotation_that_nobody_pays_for_changes_nothing() {
    let world = Institution::new();
    let at = world.folder.path();
    let text = std::fs::read(at.join("deployment.json")).unwrap();
    let deployment: Value = serde_json::from_slice(&text).unwrap();
    let rpc = deployment["rpc_urls"][0].as_str().unwrap();
    let signer = &*keeper_keys(at, "poor", "1");
    let deploy = [
        "chain",
        "deploy",
        "--rpc",
        rpc,
        "--deployer",
        "deployer.json",
        "--authority",
        &world.authority,
        "--keeper",
        "poor/keeper-1.public.json=http://127.0.0.1:9",
        "--keeper-coins",
        "0",
        "--threshold",
        "1",
        "--node",
        &world.node,
        "--out",
        "poor-deployment.json",
        "--keeper-configs",
        "poor",
    ];
    done(at, &deploy);
    let kept = || std::fs::read_to_string(at.join("poor/keeper-1.json")).unwrap();
    let before = kept();
    let rotate = ["keys", "rotate", "--config", "poor/keeper-1.toml"];
    let told = refused(at, &rotate);
    for word in ["nothing was changed", signer, "chain fund", "0 wei"] {
        assert!(told.contains(word), "{word}: {told}");
    }
    assert_eq!(kept(), before);
    let fund = |from: &str| -> Vec<String> {
        let words = ["chain", "fund", "--from", from, "--to", signer];
        words.map(str::to_owned).to_vec()
    };
    let words = fund("poor-wallet.json");
    done(at, &["keys", "wallet", "--out", "poor-wallet.json"]);
    let told = refused(at, &words.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(told.contains("did not pay"), "{told}");
    let words = fund("deployer.json");
    let paid = done(at, &words.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(paid["paid"][0], signer);
    assert_eq!(done(at, &rotate)["version"], 2);
}

#[tokio::test]
async fn figures_are_the_operators_and_a_data_folder_knows_its_chain_again() {
    let world = Institution::new();
    let at = world.folder.path();
    let gateway = world.start_gateway();
    ready(&world.node).await;
    ready(&world.operator).await;
    let status = async |url: &str| {
        let answer = reqwest::get(format!("{url}/metrics")).await.unwrap();
        answer.status().as_u16()
    };
    assert_eq!(status(&world.node).await, 404);
    assert_eq!(status(&world.operator).await, 200);
    gateway.end();
    let beyond = ["gateway", "--config", "node.toml", "--set"];
    let told = refused(
        at,
        &[beyond.as_slice(), &["metrics.listen=0.0.0.0:0"]].concat(),
    );
    assert!(told.contains("metrics.beyond_loopback = true"), "{told}");

    let head = ["chain", "head", "--data-dir", "node"];
    let told = done(at, &head);
    assert_eq!(told["block"], told["taken"]["block"]);
    assert_eq!(told["hash"], told["taken"]["hash"]);
    // The same deployment on another chain: an older copy, or a wrong one.
    let other = Institution::new();
    let elsewhere = other.folder.path().join("deployment.json");
    let words = ["chain", "head", "--deployment", elsewhere.to_str().unwrap()];
    let told = refused(at, &[words.as_slice(), &["--data-dir", "node"]].concat());
    assert!(told.contains("the chain was set back: block"), "{told}");
    assert_eq!(done(at, &words)["taken"], Value::Null);
}

#[tokio::test]
async fn a_keepers_configuration_tells_no_path_of_the_deployer_and_its_folder_has_one_process() {
    let world = Institution::new();
    let at = world.folder.path();
    let text = std::fs::read_to_string(at.join("keepers/keeper-1.toml")).unwrap();
    assert!(!text.contains(at.to_str().unwrap()), "{text}");
    let keeper = world.start_keeper();
    ready(&world.keeper).await;
    let again = ["keeper", "--config", "keepers/keeper-1.toml", "--listen"];
    let told = refused(at, &[again.as_slice(), &["127.0.0.1:0"]].concat());
    assert!(told.contains("another process holds"), "{told}");
    let log = keeper.end();
    let version = format!("\"version\":\"{}\"", env!("CARGO_PKG_VERSION"));
    let url = format!("\"url\":\"{}\"", world.keeper);
    assert!(log.contains(&version) && log.contains(&url), "{log}");
}
