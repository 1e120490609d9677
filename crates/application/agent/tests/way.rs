//! Two processes of one home: what takes something back waits for no sync of the other. In a file of its own: a process that is
//! being started holds every file lock of its parent for a moment.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

fn program(folder: &Path, words: &[&str]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_medibloc"));
    program
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
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    program
}

#[test]
fn a_plain_sync_gives_way_to_an_erasure_of_another_process() {
    gives_way(&["sync"]);
}

#[test]
fn an_audit_gives_way_to_an_erasure_of_another_process() {
    gives_way(&["audit"]);
}

#[test]
fn an_import_gives_way_to_an_erasure_of_another_process() {
    let document =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../testdata/cda/consultation_note.xml");
    gives_way(&["record", "import", document.to_str().unwrap()]);
}

#[test]
fn a_read_gives_way_to_an_erasure_of_another_process() {
    gives_way(&["read", &format!("0x{}", hex::encode([8; 32]))]);
}

/// Says `words` where the chain never answers, and an erasure meanwhile.
fn gives_way(words: &[&str]) {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    // A chain that takes every question and never answers.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", mute.local_addr().unwrap());
    let address = |n: u8| format!("0x{}", hex::encode([n; 20]));
    let deployment = json!({
        "version": 1, "chain_id": 31337, "rpc_urls": [url], "node_urls": [url],
        "contracts": {
            "authority": address(1), "forwarder": address(2), "accounts": address(3), "records": address(4),
            "consent": address(5), "receipts": address(6), "keepers": address(7),
        },
        "deployment_block": 1, "finality_depth": 0, "authority": address(8), "local": true,
    });
    std::fs::write(folder.join("deployment.json"), deployment.to_string()).unwrap();
    std::fs::write(folder.join("passphrase"), "correct horse\n").unwrap();
    let made = program(folder, &["init", "--deployment", "deployment.json"]).output();
    assert!(made.unwrap().status.success());

    let waits = program(folder, words).spawn().unwrap();
    let (held, _) = mute.accept().unwrap();
    let unknown = format!("0x{}", hex::encode([7; 32]));
    let erase = ["--wait", "60", "record", "erase", &unknown, "--yes"];
    let erases = program(folder, &erase).spawn().unwrap();
    let gone = waits.wait_with_output().unwrap();
    let told: Value = serde_json::from_slice(&gone.stderr).unwrap();
    assert_eq!(gone.status.code(), Some(9), "{told}");
    let message = told["error"]["message"].as_str().unwrap();
    assert!(message.contains("gave way"), "{told}");
    // It had the home then, and what that does not have only the chain could tell of.
    drop((held, mute));
    let erased = erases.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&erased.stderr).into_owned();
    assert_eq!(erased.status.code(), Some(5), "{told}");
}
