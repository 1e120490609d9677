//! Whose a data folder is, and whether the contracts of a deployment file are what it calls them.

use std::path::Path;

use serde_json::Value;

use crate::start::{Institution, done, keeper_keys, ready, refused};

fn deployment(at: &Path, name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(at.join(name)).unwrap()).unwrap()
}

/// Another deployment on the same chain.
fn deploy_another(world: &Institution) {
    let at = world.folder.path();
    keeper_keys(at, "others", "1");
    let first = deployment(at, "deployment.json");
    let deploy = [
        "chain",
        "deploy",
        "--rpc",
        first["rpc_urls"][0].as_str().unwrap(),
        "--deployer",
        "deployer.json",
        "--authority",
        &world.authority,
        "--keeper",
        "others/keeper-1.public.json=http://127.0.0.1:9",
        "--threshold",
        "1",
        "--node",
        &world.node,
        "--out",
        "other.json",
        "--keeper-configs",
        "others",
    ];
    done(at, &deploy);
}

const GATEWAY: [&str; 4] = ["gateway", "--config", "node.toml", "--set"];
const KEEPER: [&str; 4] = ["keeper", "--config", "keepers/keeper-1.toml", "--set"];

#[tokio::test]
async fn a_folder_is_of_one_part_of_one_deployment() {
    let world = Institution::new();
    let at = world.folder.path();
    deploy_another(&world);
    let (gateway, keeper) = (world.start_gateway(), world.start_keeper());
    ready(&world.node).await;
    ready(&world.keeper).await;
    let wrote = || at.join("keepers/keeper-1/gateway.sqlite").exists();
    // Beside the running keeper, after it, and in a folder of before that has no mark.
    let there = [GATEWAY.as_slice(), &["data_dir=keepers/keeper-1"]].concat();
    let told = refused(at, &there);
    assert!(told.contains("is the data folder of a keeper"), "{told}");
    keeper.end();
    assert!(refused(at, &there).contains("is the data folder of a keeper"));
    std::fs::remove_file(at.join("keepers/keeper-1/role.json")).unwrap();
    assert!(refused(at, &there).contains("is the data folder of a keeper"));
    assert!(!wrote());
    let again = [GATEWAY.as_slice(), &["listen=127.0.0.1:0"]].concat();
    let again = [again.as_slice(), &["--set", "metrics.listen=127.0.0.1:0"]].concat();
    let told = refused(at, &again);
    assert!(told.contains("another process holds"), "{told}");
    gateway.end();
    let there = [KEEPER.as_slice(), &["data_dir=../node"]].concat();
    let told = refused(at, &there);
    assert!(told.contains("is the data folder of a gateway"), "{told}");

    let other = [GATEWAY.as_slice(), &["deployment=other.json"]].concat();
    let told = refused(at, &other);
    assert!(
        told.contains("is the data folder of another deployment"),
        "{told}"
    );
    // A folder of before takes the mark at the next start.
    std::fs::remove_file(at.join("node/role.json")).unwrap();
    let gateway = world.start_gateway();
    ready(&world.node).await;
    gateway.end();
    assert!(refused(at, &other).contains("is the data folder of another deployment"));
}

#[tokio::test]
async fn a_file_that_names_one_contract_in_the_place_of_another_is_refused() {
    let world = Institution::new();
    let at = world.folder.path();
    deploy_another(&world);
    let (good, other) = (
        deployment(at, "deployment.json"),
        deployment(at, "other.json"),
    );
    let contracts = &good["contracts"];
    let names = [
        "authority",
        "forwarder",
        "accounts",
        "records",
        "consent",
        "receipts",
        "keepers",
    ];
    let mut wrong: Vec<(&str, &Value)> = Vec::new();
    for (name, next) in names.iter().zip(names.iter().cycle().skip(1)) {
        wrong.push((name, &contracts[next]));
    }
    for name in ["accounts", "records", "consent", "receipts", "keepers"] {
        wrong.push((name, &other["contracts"][name]));
    }
    for (name, address) in wrong {
        let mut bad = good.clone();
        bad["contracts"][name] = address.clone();
        std::fs::write(at.join("bad.json"), bad.to_string()).unwrap();
        for words in [
            [GATEWAY.as_slice(), &["deployment=bad.json"]].concat(),
            [KEEPER.as_slice(), &["deployment=../bad.json"]].concat(),
        ] {
            let told = refused(at, &words);
            assert!(told.contains(&format!("`{name}`")), "{name}: {told}");
        }
    }
    // What was begun with a wrong file is not marked with it.
    let gateway = world.start_gateway();
    ready(&world.node).await;
    gateway.end();
}
