//! Proof files: who was cleared to read what, for others to check; nothing in them can be changed unseen.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::Arc;

use medibloc_consent::Purpose;
use medibloc_journey::memory::World;
use medibloc_journey::{
    Authorities, Credential, EarlierAuthority, Extent, Invitation, Party, ProofFile, ProofReport,
    ProvenEvent, verify_proof, verify_proof_with,
};
use medibloc_keys::{Language, Phrase, SeededEntropy, SigningKey};
use medibloc_ledger::Events as _;
use medibloc_record::{Draft, LossReport, Role, Sensitivity};
use serde_json::Value;

fn phrase(seed: u64) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}

struct Story {
    world: Arc<World>,
    patient: Party,
    files: Vec<ProofFile>,
}

/// Two reads: one on a grant of one record, one on a grant of all.
async fn read_twice(seed: u64) -> Story {
    let world = World::new(seed);
    let patient = Party::new(phrase(1).seed(), Role::Person, world.ports());
    let clinic = Party::new(phrase(2).seed(), Role::Provider, world.ports());
    clinic.register_account().await.unwrap();
    let jwt = world.accredit(clinic.account().id(), "Bit Clinic");
    let invitation = patient.invite().await.unwrap();
    let owner = clinic.answer(&invitation, Some(&jwt)).await.unwrap().owner;
    patient.sync().await.unwrap();
    patient.confirm(owner).unwrap();
    let until = world.ports().clock.now().plus(86_400);
    let mut records = Vec::new();
    for text in ["a", "b"] {
        let bundle = serde_json::json!({"resourceType": "Bundle"});
        let bytes = text.as_bytes().to_vec();
        let draft = Draft::new("text/xml", bytes, bundle, LossReport::default());
        records.push(patient.write_own(draft).await.unwrap().record);
    }
    clinic
        .ask(owner, Purpose::Treatment, "second opinion", until)
        .await
        .unwrap();
    patient.sync().await.unwrap();
    let request = patient.requests().unwrap().remove(0);
    patient.approve(&request, records[0], until).await.unwrap();
    clinic.sync().await.unwrap();
    clinic.read(records[0]).await.unwrap();
    let later = until.plus(1);
    patient
        .approve_all(&request, Extent::All, Sensitivity::Normal, later)
        .await
        .unwrap();
    clinic.sync().await.unwrap();
    clinic.read(records[1]).await.unwrap();
    let files = patient.audit_proofs().await.unwrap();
    assert_eq!(files.len(), 2);
    Story {
        world,
        patient,
        files,
    }
}

#[tokio::test]
async fn a_proof_file_says_who_what_when_and_why_and_holds_offline_and_on_chain() {
    let story = read_twice(1).await;
    let authority = story.world.ports().authority;
    for file in &story.files {
        let parsed = ProofFile::parse(&file.to_json()).unwrap();
        assert_eq!(&parsed, file);
        let report = verify_proof(&parsed, &authority);
        assert!(report.holds() && !report.chain_agrees, "{report:#?}");
        assert!(!report.is_complete(), "{report:#?}");
        let (block, hash) = report.compare.unwrap();
        assert_eq!(
            (block, hash),
            (file.receipt.block, file.receipt.block_hash.clone())
        );
        assert_eq!(
            (file.reader.name.as_str(), file.purpose.code.as_str()),
            ("Bit Clinic", "TREAT")
        );
        // Anybody who can ask the chain gets its word too.
        let stranger = Party::new(phrase(9).seed(), Role::Person, story.world.ports());
        let report = stranger.confirm_proof(&parsed).await.unwrap();
        assert!(report.is_complete() && report.chain_agrees, "{report:#?}");
    }
    // After a restore they are the same, the credential included.
    let ports = story.world.ports();
    let (restored, _) = Party::restore(&phrase(1), Role::Person, ports)
        .await
        .unwrap();
    assert_eq!(restored.audit_proofs().await.unwrap(), story.files);
    assert!(story.files[0].reader.credential.is_some());
    let line = story.patient.audit().await.unwrap().remove(0);
    let one = story.patient.prove_read(line.line.receipt).await.unwrap();
    assert_eq!(one, story.files[0]);
}

#[tokio::test]
async fn a_ledger_s_proof_must_show_this_very_receipt_in_this_very_block() {
    let story = read_twice(3).await;
    let authority = story.world.ports().authority;
    let mut file = story.files[0].clone();
    let blocks = story.world.ledger.events(0, u32::MAX).await.unwrap();
    let block = blocks
        .iter()
        .find(|block| block.number == file.receipt.block);
    let block = block.unwrap();
    let proven = ProvenEvent {
        block: block.number,
        block_hash: block.hash,
        time: block.time,
        event: block.events[0].clone(),
    };
    let with = |file: &ProofFile, proven: &ProvenEvent| {
        let report = verify_proof_with(file, &authority, |_| Ok(proven.clone()));
        report.holds()
    };
    assert!(!with(&file, &proven), "no proof is no proof");
    let proof = serde_json::json!({
        "header": "0x01", "index": 0, "nodes": ["0x02"], "receipt": "0x03", "log": 0,
    });
    file.ledger = Some(serde_json::from_value(proof).unwrap());
    assert_eq!(ProofFile::parse(&file.to_json()).unwrap(), file);
    assert!(with(&file, &proven));
    let refused = verify_proof_with(&file, &authority, |_| Err("not in the block".into()));
    assert!(!refused.holds());
    let other = ProvenEvent {
        time: proven.time.plus(1),
        ..proven.clone()
    };
    assert!(!with(&file, &other));
    let other = ProvenEvent {
        block_hash: [9; 32],
        ..proven.clone()
    };
    assert!(!with(&file, &other));
    assert!(!with(&story.files[1], &proven), "another read's proof");
    let event = blocks[0].events[0].clone();
    assert!(!with(&file, &ProvenEvent { event, ..proven }));
}

/// Every leaf of the JSON, one at a time.
fn leaves(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                leaves(value, &format!("{path}/{name}"), found);
            }
        }
        Value::Null => {}
        _ => found.push(path.to_owned()),
    }
}

fn changed(value: &Value) -> Value {
    match value {
        Value::Number(number) => Value::from(number.as_u64().unwrap() + 1),
        Value::String(text) => {
            let mut bytes = text.clone().into_bytes();
            let at = bytes.len() / 2;
            bytes[at] = if bytes[at] == b'1' { b'2' } else { b'1' };
            Value::from(String::from_utf8(bytes).unwrap())
        }
        other => other.clone(),
    }
}

/// What is not bound offline: the block (compared with the chain) and what a consent's id does not have in it, which only
/// the chain holds, and which the check tells as not checked.
const BY_CHAIN_ALONE: [&str; 7] = [
    "/receipt/block",
    "/receipt/block_hash",
    "/receipt/time",
    "/grant/from",
    "/grant/until",
    "/grant/digest",
    "/grant/scope",
];

/// What rests on the consent's terms, which only the chain has: not checked without it, whatever else is missing.
const WITHOUT_CHAIN: [&str; 7] = [
    "purpose",
    "reason",
    "terms",
    "reader's key",
    "reader's standing",
    "time",
    "reader",
];

/// What is told as not checked.
fn unchecked(report: &ProofReport) -> Vec<&str> {
    let lines = report.checks.lines.iter();
    let lines = lines.filter(|line| !line.checked);
    lines.map(|line| line.what.as_str()).collect()
}

/// Newcomer: `ok purpose: TREAT: «forged text»` was said of a file whose reason somebody had changed.
#[tokio::test]
async fn no_field_can_be_changed_unseen() {
    let story = read_twice(2).await;
    let authority = story.world.ports().authority;
    for file in &story.files {
        let whole: Value = serde_json::from_str(&file.to_json()).unwrap();
        let mut paths = Vec::new();
        leaves(&whole, "", &mut paths);
        assert!(paths.len() >= 25, "{paths:?}");
        let (mut offline, mut asked) = (0, 0);
        for path in &paths {
            let mut other = whole.clone();
            let field = other.pointer_mut(path).unwrap();
            *field = changed(field);
            let Ok(parsed) = ProofFile::parse(&other.to_string()) else {
                offline += 1;
                continue;
            };
            let report = verify_proof(&parsed, &authority);
            if !report.holds() {
                offline += 1;
                continue;
            }
            assert!(
                BY_CHAIN_ALONE.contains(&path.as_str()),
                "{path} is not bound"
            );
            assert_eq!(unchecked(&report), WITHOUT_CHAIN, "{path}");
            let report = story.patient.confirm_proof(&parsed).await.unwrap();
            assert!(
                !report.holds() && !report.chain_agrees,
                "{path}: {report:#?}"
            );
            asked += 1;
        }
        assert!(
            offline >= 18 && asked >= 4,
            "{offline} offline, {asked} by the chain"
        );
        let report = story.patient.confirm_proof(file).await.unwrap();
        assert!(report.holds(), "{report:#?}");
        assert_eq!(unchecked(&report), Vec::<&str>::new());
        println!(
            "ATTACK newcomer-reason: each of {} fields changed alone: {offline} refused by the file, {asked} by the chain, 0 passed",
            offline + asked
        );
    }
}

/// A reason that nothing binds is told as the file's own word: in files of before, and where somebody took out what binds it.
#[tokio::test]
async fn a_reason_that_nothing_binds_is_told_as_unchecked() {
    let story = read_twice(4).await;
    let mut file = story.files[0].clone();
    file.purpose.reason = "forged text".into();
    let told = |file: &ProofFile| {
        let report = verify_proof(file, &story.world.ports().authority);
        let lines = report.checks.lines.iter();
        let mut lines = lines.filter(|line| line.found.contains("forged text"));
        let line = lines.next().unwrap();
        assert_eq!(lines.next(), None, "in that line alone");
        (line.what.clone(), line.holds, line.checked)
    };
    assert_eq!(told(&file), ("reason".to_owned(), false, true));
    for version in [1, 2, 3] {
        file.version = version;
        file.purpose.reason_salt = None;
        assert_eq!(ProofFile::parse(&file.to_json()).unwrap(), file);
        assert_eq!(told(&file), ("reason".to_owned(), true, false), "{version}");
        let asked = story.patient.confirm_proof(&file).await.unwrap();
        assert_eq!(unchecked(&asked), ["reason"]);
    }
    // Version 2 knew of no binding.
    file = story.files[0].clone();
    for version in [1, 2, 4] {
        file.version = version;
        let error = ProofFile::parse(&file.to_json()).unwrap_err().to_string();
        // What it reads is not told as too new.
        let is_newer = error.contains("use a newer one");
        assert_eq!(is_newer, version == 4, "{error}");
        let is_damaged = error.contains("it was changed or damaged");
        assert_eq!(is_damaged, version < 4, "{error}");
    }
    // A name that no credential vouches for is the owner's word.
    file.version = 3;
    file.reader.credential = None;
    file.reader.name = "forged text".into();
    let report = verify_proof(&file, &story.world.ports().authority);
    assert!(report.holds());
    assert_eq!(
        unchecked(&report),
        [&WITHOUT_CHAIN[..], &["credential"]].concat()
    );
    assert!(!report.is_name_vouched_for() && !file.is_whole());
    // A consent to an account is none to a private reader.
    file.reader.account = None;
    let report = verify_proof(&file, &story.world.ports().authority);
    assert!(!report.holds(), "{report:#?}");
}

#[test]
fn a_cut_or_foreign_file_says_where_and_what_to_do() {
    for text in [
        "",
        "{}",
        "[1]",
        "{\"version\":1,\"kind\":\"medibloc-read-proof\"}",
    ] {
        let error = ProofFile::parse(text).unwrap_err().to_string();
        assert!(error.contains("export it again"), "{error}");
    }
}

/// What was written once opens for ever; `MEDIBLOC_BLESS=1` writes it if it is missing.
fn golden(name: &str, now: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../testdata/messages");
    let path = std::path::Path::new(folder).join(name);
    if !path.exists() && std::env::var_os("MEDIBLOC_BLESS").is_some() {
        std::fs::write(&path, now).unwrap();
    }
    std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; MEDIBLOC_BLESS=1 writes it", path.display()))
}

#[tokio::test]
async fn proof_files_and_invitations_of_then_open_for_ever() {
    let story = read_twice(20).await;
    for (name, is_whole) in [("v1/read-proof.json", false), ("v3/read-proof.json", true)] {
        let then = golden(name, &story.files[0].to_json());
        let file = ProofFile::parse(&then).unwrap();
        let report = verify_proof(&file, &story.world.ports().authority);
        assert!(report.holds(), "{report:#?}");
        assert_eq!(unchecked(&report), WITHOUT_CHAIN, "{name}");
        assert_eq!(file.is_whole(), is_whole, "{name}");
        assert_eq!(file.to_json(), then, "written as then");
    }
    let invitation = story.patient.invite().await.unwrap();
    let then = golden("v2/invitation.txt", &invitation.to_text());
    let invitation = Invitation::parse(&then).unwrap();
    assert_eq!(invitation.to_text(), then, "written as then");
    // Version 1 did not say for which chain it was: it is good for seven days, and asked for again.
    let first = Invitation::parse(&golden("v1/invitation.txt", "")).unwrap_err();
    assert!(first.to_string().contains("ask for a new one"), "{first}");
}

/// What was signed before the accreditor's role went to another wallet counts on, and whoever has the old key signs nothing new.
#[tokio::test]
async fn evidence_outlives_a_hand_over_of_the_authority() {
    let story = read_twice(5).await;
    let before = story.world.ports().authority.now;
    let next = SigningKey::from_bytes(&[0xb2; 32]).unwrap().address();
    let handed_at = |until| Authorities {
        now: next,
        earlier: vec![EarlierAuthority {
            address: before,
            until,
        }],
    };
    let credential_of = |file: &ProofFile, authorities: &Authorities| {
        let lines = verify_proof(file, authorities).checks.lines;
        let line = lines.into_iter().find(|line| line.what == "credential");
        line.map(|line| (line.holds, line.found)).unwrap()
    };
    let jwt = story.files[0].reader.credential.clone().unwrap();
    let from = Credential::parse(&jwt, &before.into()).unwrap().from;
    for (authorities, holds, told) in [
        (
            before.into(),
            true,
            format!("the authority {before} says: Bit Clinic"),
        ),
        (next.into(), false, "`authorities`".to_owned()),
        (
            handed_at(from.plus(1)),
            true,
            format!("{before}, the authority of that time, says"),
        ),
        (handed_at(from), false, "`authorities`".to_owned()),
    ] {
        let (did, found) = credential_of(&story.files[0], &authorities);
        assert_eq!(did, holds, "{found}");
        assert!(found.contains(&told), "{found}");
    }
    // A proof that is made after it, about a read before it.
    let mut ports = story.patient.ports().clone();
    ports.authority = handed_at(from.plus(1));
    let patient = Party::new(phrase(1).seed(), Role::Person, ports);
    let files = patient.audit_proofs().await.unwrap();
    assert_eq!(files, story.files);
    for file in &files {
        let report = patient.confirm_proof(file).await.unwrap();
        assert!(report.holds() && report.chain_agrees, "{report:#?}");
    }
}

/// An authority's old key signs what begins in its time; the chain names no such credential.
#[tokio::test]
async fn a_credential_that_the_chain_never_named_is_no_evidence() {
    let story = read_twice(6).await;
    let stolen = SigningKey::from_bytes(&[0xb3; 32]).unwrap();
    let mut file = story.files[0].clone();
    let jwt = file.reader.credential.clone().unwrap();
    let authorities = story.world.ports().authority;
    let credential = Credential::parse(&jwt, &authorities).unwrap();
    file.reader.credential = Some(credential.issue(&stolen));
    let mut ports = story.patient.ports().clone();
    ports.authority = stolen.address().into();
    assert!(verify_proof(&file, &ports.authority).holds());
    let patient = Party::new(phrase(1).seed(), Role::Person, ports);
    let report = patient.confirm_proof(&file).await.unwrap();
    assert!(!report.chain_agrees);
    let lines = report.checks.lines.iter();
    let failed: Vec<_> = lines
        .filter(|line| !line.holds)
        .map(|line| line.what.as_str())
        .collect();
    assert_eq!(failed, ["credential on chain"]);
}
