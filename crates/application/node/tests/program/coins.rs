//! Who has coins on a chain that a person starts: whoever is named, and nobody whose key is public.

use std::io::{BufRead as _, BufReader};
use std::path::Path;

use medibloc_devchain::{Chain, Config, Place};
use medibloc_record::Address;
use serde_json::{Value, json};

use crate::start::{Running, done, refused};

/// The first of the ten accounts that every chain for tests gives coins to.
const PUBLIC: &str = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266";
/// 10,000 coins.
const COINS: &str = "0x21e19e0c9bab2400000";

/// Starts a chain with these words more, and says what somebody has there.
async fn coins(at: &Path, words: &[&str], of: [&str; 2]) -> [String; 2] {
    medibloc_transport::install_provider();
    let serve = ["chain", "serve", "--listen", "127.0.0.1:0"];
    let mut chain = Running::start(at, &[serve.as_slice(), words].concat());
    let mut line = String::new();
    let mut out = BufReader::new(chain.0.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    let said: Value = serde_json::from_str(&line).unwrap();
    let url = said["serving"].as_str().unwrap();
    let http = reqwest::Client::new();
    let ask = async |who: &str| {
        let question = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_getBalance", "params": [who, "latest"]});
        let asked = http.post(url).header("content-type", "application/json");
        let answer = asked.body(question.to_string()).send().await.unwrap();
        let answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        answer["result"].as_str().unwrap().to_owned()
    };
    let had = [ask(of[0]).await, ask(of[1]).await];
    chain.end();
    had
}

#[tokio::test]
async fn only_a_chain_for_tests_has_coins_for_public_keys() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let made = done(at, &["keys", "wallet", "--out", "deployer.json"]);
    let deployer = made["address"].as_str().unwrap();
    let of = [PUBLIC, deployer];
    let named = ["--data-dir", "chain", "--fund", deployer];
    // Twice: it opens as it began.
    for _ in 0..2 {
        assert_eq!(coins(at, &named, of).await, ["0x0", COINS]);
    }
    let tests = ["--data-dir", "tests", "--test-methods", "--fund", deployer];
    assert_eq!(coins(at, &tests, of).await, [COINS, COINS]);
    let told = refused(at, &["chain", "serve", "--listen", "127.0.0.1:0"]);
    assert!(told.contains("nobody would have coins"), "{told}");
    assert!(told.contains("--fund ADDRESS"), "{told}");
}

/// A folder from before began with them: it opens with the same words, and has them for good.
#[tokio::test]
async fn a_chain_that_began_with_coins_for_public_keys_opens_as_before() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let made = done(at, &["keys", "wallet", "--out", "deployer.json"]);
    let deployer = made["address"].as_str().unwrap();
    let address: Address = deployer.parse().unwrap();
    let mut config = Config::default();
    let coins_each = config.accounts[0].1;
    config
        .accounts
        .push((address.to_bytes().into(), coins_each));
    drop(Chain::open(Place::Dir(at.join("named")), config).unwrap());
    drop(Chain::open(Place::Dir(at.join("none")), Config::default()).unwrap());
    let of = [PUBLIC, deployer];
    let named = ["--data-dir", "named", "--fund", deployer];
    assert_eq!(coins(at, &named, of).await, [COINS, COINS]);
    assert_eq!(coins(at, &["--data-dir", "none"], of).await, [COINS, "0x0"]);
    // Other wallets than it began with are none of its first block.
    let told = refused(
        at,
        &["chain", "serve", "--data-dir", "none", "--fund", deployer],
    );
    assert!(told.contains("began with other accounts"), "{told}");
}
