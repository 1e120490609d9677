//! The program itself: keys, chain, deploy, gateway, keeper, authority, each as a process.

#![allow(clippy::unwrap_used, reason = "a test says by panicking what broke")]

#[path = "program/killed.rs"]
mod killed;
#[path = "program/start.rs"]
mod start;

use serde_json::Value;
use start::{Institution, ready, refused};

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
