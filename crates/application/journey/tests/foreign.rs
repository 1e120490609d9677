//! Proof files and credentials of anybody's making take no more memory than a bound. What else runs in this process takes little.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at the first surprise and tells its figure"
)]

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use medibloc_journey::{Authorities, Credential, ProofFile, verify_proof};
use medibloc_record::Address;
use serde_json::{Value, json};

/// Bytes of the longest file that is read.
const LONG: usize = 4 << 20;

/// Bytes that a file has room for beside its form.
const ROOM: usize = LONG - (8 << 10);

/// From here on the most memory is counted anew (proc(5), `clear_refs`).
fn count_anew() -> Option<u64> {
    std::fs::write("/proc/self/clear_refs", "5").ok()?;
    most()
}

/// The most memory that this process had, in bytes.
fn most() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes << 10)
}

fn authorities() -> Authorities {
    Address::new([1; 20]).into()
}

/// So many bytes of a unit.
fn list(unit: &str, bytes: usize) -> String {
    format!("[{}]", vec![unit; bytes / (unit.len() + 1)].join(","))
}

/// What is JSON, and costs its reader more than its writer.
fn bombs() -> [String; 4] {
    let keys: Vec<String> = (0..LONG / 16)
        .map(|key| format!(r#""{key:x}":0"#))
        .collect();
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    [
        list("[1]", ROOM),
        list(r#"{"":0}"#, ROOM),
        list(&deep, ROOM),
        format!("{{{}}}", keys.join(",")),
    ]
}

/// A JWT whose body is a credential's and has this, too.
fn jwt(more: &str) -> String {
    let body = format!(r#"{{"nbf":1,"exp":2,"more":{more}}}"#);
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let header = part(br#"{"alg":"ES256K","typ":"JWT"}"#);
    format!("{header}.{}.{}", part(body.as_bytes()), part(&[1; 64]))
}

/// The text of a proof file that has the form of one, with `here` in place of the marked value.
fn proof(at: &str, here: &str) -> String {
    let mut file = json!({
        "version": 3, "kind": "medibloc-read-proof",
        "chain": {"id": 1, "records": ""},
        "receipt": {"id": "", "record": "", "owner": "", "reader": "", "grant": "", "nonce": "", "block": 1, "block_hash": "", "time": 1},
        "grant": {"nonce": "", "scope": "", "purpose_tag": "", "from": 1, "until": 2, "reads": null, "binding": "", "digest": ""},
        "purpose": {"code": "", "purpose": "treatment", "salt": "", "reason": "", "reason_salt": ""},
        "reader": {"name": "", "account": "", "salt": "", "signature": "", "credential": "", "rotations": []},
        "ledger": {"header": "0x", "index": 0, "nodes": [], "receipt": "0x", "log": 0},
    });
    let (parent, name) = at.rsplit_once('/').unwrap();
    file.pointer_mut(parent).unwrap()[name] = Value::from("HERE");
    file.to_string().replacen(r#""HERE""#, here, 1)
}

#[test]
fn proof_files_and_credentials_take_no_more_memory_than_a_bound() {
    if count_anew().is_none() {
        println!("SKIPPED memory: no /proc/self/clear_refs");
        return;
    }
    ProofFile::parse(&proof("/reader/name", r#""a""#)).unwrap();
    let mut worst = [0, 0];
    let mut check = |of: usize, what: &str, act: &dyn Fn() -> bool| {
        let before = count_anew().unwrap();
        assert!(act(), "{what}");
        worst[of] = worst[of].max(most().unwrap() - before);
    };
    for bomb in bombs() {
        let what = &bomb[..16];
        for at in [
            "/more",
            "/reader/more",
            "/ledger/more",
            "/reader/rotations",
            "/ledger/nodes",
        ] {
            let text = proof(at, &bomb);
            check(0, what, &|| ProofFile::parse(&text).is_err());
        }
        let jwt = jwt(&bomb);
        let is_refused = || {
            let error = Credential::parse(&jwt, &authorities()).unwrap_err();
            error.to_string().contains("16 KiB")
        };
        check(1, what, &is_refused);
    }
    // In the form of what stands there.
    let rotation = r#"{"from":"","to":"","block":0,"block_hash":"","ledger":null}"#;
    let text = proof("/reader/rotations", &list(rotation, ROOM));
    check(0, "rotations", &|| ProofFile::parse(&text).is_err());
    let text = proof("/ledger/nodes", &list(r#""0x""#, ROOM));
    check(0, "nodes", &|| ProofFile::parse(&text).is_ok());
    let jwt = jwt(&list("[1]", ROOM / 2));
    let file = proof("/reader/credential", &json!(jwt).to_string());
    let file = ProofFile::parse(&file).unwrap();
    check(1, "credential in a proof", &|| {
        !verify_proof(&file, &authorities()).holds()
    });
    println!(
        "ATTACK sixth-8: a proof file of 4 MiB takes {} MiB at most, a credential {} KiB",
        worst[0] >> 20,
        worst[1] >> 10
    );
    assert!(
        worst[0] < 64 << 20,
        "{} bytes beside a proof file of {LONG}",
        worst[0]
    );
    assert!(worst[1] < 1 << 20, "{} bytes beside a credential", worst[1]);
}
