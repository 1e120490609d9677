//! The program and whom it reaches: certificates, plain HTTP and private addresses, with exit codes.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::Path;
use std::process::Command;
use std::sync::atomic::Ordering;

use medibloc_evil::impostor::{self, Authority};
use serde_json::{Value, json};

/// Runs a command; gives its exit code and what it says of an error.
fn run(folder: &Path, words: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_medibloc"))
        .env_clear()
        .current_dir(folder)
        .args([
            "--json",
            "--home",
            "home",
            "--passphrase-file",
            "passphrase",
        ])
        .args(words)
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    let said: Value = serde_json::from_str(told.trim()).unwrap_or_default();
    let message = said["error"]["message"].as_str().unwrap_or(&told);
    (output.status.code().unwrap(), message.to_owned())
}

/// A folder with a deployment of these URLs.
fn place(chain: &str, node: &str, local: bool) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let address = |n: u8| format!("0x{}", hex::encode([n; 20]));
    let deployment = json!({
        "version": 1, "chain_id": 31337, "rpc_urls": [chain], "node_urls": [node],
        "contracts": {
            "authority": address(1), "forwarder": address(2), "accounts": address(3), "records": address(4),
            "consent": address(5), "receipts": address(6), "keepers": address(7),
        },
        "deployment_block": 1, "finality_depth": 0, "authority": address(8), "local": local,
    });
    std::fs::write(
        folder.path().join("deployment.json"),
        deployment.to_string(),
    )
    .unwrap();
    std::fs::write(folder.path().join("passphrase"), "correct horse\n").unwrap();
    folder
}

const INIT: [&str; 3] = ["init", "--deployment", "deployment.json"];

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_does_not_hold_is_told_with_its_reason_and_exit_code_5() {
    let (own, foreign) = (Authority::new(), Authority::new());
    for (what, pair, expected) in [
        ("expired", own.expired("127.0.0.1"), "expired"),
        ("foreign", foreign.pair("127.0.0.1"), "does not trust"),
        (
            "wrong name",
            own.pair("other.example.org"),
            "not for 127.0.0.1",
        ),
    ] {
        let (server, asked) = impostor::serve(&pair, "{}").await;
        let url = format!("https://{server}");
        let folder = place(&url, &url, true);
        let at = folder.path();
        std::fs::write(at.join("ca.pem"), own.pem()).unwrap();
        let (code, told) = run(at, &[&INIT[..], &["--ca", "ca.pem"]].concat());
        assert_eq!(code, 0, "{told}");
        let (code, told) = run(at, &["sync"]);
        assert!(
            code == 5 && told.contains(expected),
            "{what}: exit {code}: {told}"
        );
        assert_eq!(asked.load(Ordering::SeqCst), 0, "{what}: nothing was said");
    }
}

#[test]
fn a_deployment_whose_urls_may_not_be_called_makes_no_home() {
    let (good, inner, plain) = (
        "https://a.example.org",
        "https://10.0.0.1",
        "http://a.example.org",
    );
    for (chain, node, expected) in [
        (inner, good, "private"),
        (good, inner, "private"),
        (good, "http://127.0.0.1:1", "loopback"),
        (good, plain, "--insecure-http"),
        (plain, good, "--insecure-http"),
    ] {
        let folder = place(chain, node, false);
        let (code, told) = run(folder.path(), &INIT);
        assert!(code == 3 && told.contains(expected), "exit {code}: {told}");
        assert!(!folder.path().join("home").exists());
    }
    let folder = place(plain, plain, false);
    let (code, told) = run(folder.path(), &[&INIT[..], &["--insecure-http"]].concat());
    assert_eq!(code, 0, "{told}");
    let kept = std::fs::read_to_string(folder.path().join("home/config.toml")).unwrap();
    assert!(kept.contains("insecure_http = true"), "{kept}");
}
