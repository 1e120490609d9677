//! What public bug reports of neighbouring tools found here: standard output, byte order marks, proof files for others,
//! times for programs, and what exit code 5 means.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;

use async_trait::async_trait;
use clap::Parser;
use medibloc_agent::answer::code;
use medibloc_agent::ports::VaultAdapter;
use medibloc_agent::{Answer, Command, Problem, run};
use medibloc_dag::Cid;
use medibloc_journey::memory::World;
use medibloc_journey::{Pace, Party, Ports};
use medibloc_keys::{Language, Phrase, SealingSecret, SeededEntropy};
use medibloc_ledger::{LedgerError, Outcome, Relay, SignedCall};
use medibloc_record::{RecordId, Role};
use medibloc_store::OwnStore as _;
use medibloc_vault::{Vault, VaultError};
use serde_json::{Value, json};

/// What some editors write before a text.
const MARK: &str = "\u{feff}";

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

async fn try_say(party: &Party, words: &[&str]) -> Result<Answer, Problem> {
    let line = Line::try_parse_from([&["medibloc"], words].concat()).unwrap();
    let done = run::run(party, None, &line.command).await;
    // As the door carries it.
    serde_json::from_slice(&serde_json::to_vec(&done).unwrap()).unwrap()
}

async fn say(party: &Party, words: &[&str]) -> Value {
    try_say(party, words).await.unwrap().value
}

fn document() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../testdata/cda/consultation_note.xml")
}

fn party(ports: Ports, seed: u64, role: Role) -> Party {
    let phrase = Phrase::generate(&mut SeededEntropy::new(seed), Language::English);
    Party::new(phrase.seed(), role, ports)
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).unwrap().as_str().unwrap().to_owned()
}

/// A relay that is gone.
struct Down;

#[async_trait]
impl Relay for Down {
    async fn relay(&self, _call: &SignedCall) -> Result<Outcome, LedgerError> {
        Err(LedgerError::Unreachable {
            from: "the node".into(),
            why: "no answer".into(),
        })
    }
}

/// A relay whose wallet is empty.
struct Poor;

#[async_trait]
impl Relay for Poor {
    async fn relay(&self, _call: &SignedCall) -> Result<Outcome, LedgerError> {
        Err(LedgerError::Limit {
            limit: "its wallet has no coins left; its operator must add some".into(),
        })
    }
}

struct Two {
    patient: Party,
    /// The patient while its node's relay is gone.
    cut_off: Party,
    /// The patient while that relay's wallet is empty.
    poor: Party,
    clinic: Party,
    record: String,
    folder: tempfile::TempDir,
}

impl Two {
    /// A patient with a record that a clinic may read; what is handed over begins with a byte order mark.
    async fn new(world: &Arc<World>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ports = world.ports();
        let mut cut_off = ports.clone();
        cut_off.relay = Arc::new(Down);
        let mut poor = ports.clone();
        poor.relay = Arc::new(Poor);
        let patient = party(ports, 1, Role::Person);
        let clinic = party(world.ports(), 2, Role::Provider);
        let two = Self {
            patient,
            cut_off: party(cut_off, 1, Role::Person),
            poor: party(poor, 1, Role::Person),
            clinic,
            record: String::new(),
            folder,
        };
        say(&two.clinic, &["account", "register"]).await;
        let jwt = world.accredit(two.clinic.account().id(), "Clinic");
        let file = two.write("credential", &format!("{MARK}{jwt}\r\n"));
        say(&two.clinic, &["account", "credential", &file]).await;
        let piped = try_say(&two.patient, &["contact", "invite", "--out", "-"]).await;
        let piped = piped.unwrap().output.unwrap().0;
        let invitation = String::from_utf8(piped).unwrap();
        assert!(invitation.ends_with('\n') && invitation.lines().count() == 1);
        let file = two.write("invitation", &format!("{MARK}{invitation}"));
        say(&two.clinic, &["contact", "accept", &file]).await;
        say(&two.patient, &["sync"]).await;
        say(&two.patient, &["contact", "confirm", "clinic"]).await;
        let file = document();
        let written = say(&two.patient, &["record", "import", file.to_str().unwrap()]).await;
        say(&two.patient, &["sync"]).await;
        let record = text(&written, "/record");
        let give = ["grant", "create", "--to", "clinic", "--record", &record];
        say(&two.patient, &give).await;
        say(&two.clinic, &["sync"]).await;
        Self { record, ..two }
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_document_goes_to_standard_output_and_leaves_no_file() {
    let world = World::new(101);
    let two = Two::new(&world).await;
    let whole = std::fs::read(document()).unwrap();
    let id: RecordId = two.record.parse().unwrap();
    for (party, words) in [
        (
            &two.patient,
            ["record", "export", &two.record, "--out", "-"].as_slice(),
        ),
        (&two.clinic, &["read", &two.record, "--out", "-"]),
        (&two.clinic, &["read", &two.record, "--kept", "--out", "-"]),
    ] {
        let answer = try_say(party, words).await.unwrap();
        assert!(!format!("{answer:?}").contains("ClinicalDocument"));
        assert_eq!(answer.output.unwrap().0, whole, "{words:?}");
        assert_eq!(answer.value["file"], "-");
        assert!(
            party.exports_of(id).unwrap().is_empty(),
            "no file to delete later"
        );
        assert!(!Path::new("-").exists(), "{words:?}");
    }
    for words in [
        ["read", &two.record, "--out", "-", "--keep"].as_slice(),
        &["audit", "--proofs", "-"],
    ] {
        let told = try_say(&two.clinic, words).await.unwrap_err();
        assert_eq!(told.code, code::USAGE, "{told}");
    }
    // A path is made absolute for another process; `-` stays what it is.
    let line = Line::try_parse_from(["medibloc", "read", "x", "--out", "-"]).unwrap();
    let command = line.command.absolute().unwrap();
    assert!(command.is_for_standard_output());
    let line = Line::try_parse_from(["medibloc", "read", "x", "--out", "./-"]).unwrap();
    assert!(!line.command.absolute().unwrap().is_for_standard_output());
}

#[tokio::test]
async fn marks_in_keys_are_no_part_of_them() {
    let world = World::new(102);
    let two = Two::new(&world).await;
    let secret = SealingSecret::from_bytes(1, [7; 32]);
    let key = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        secret.public().key,
    );
    let armour = |word: &str| format!("-----{word} CRYPT4GH PUBLIC KEY-----");
    let file = two.write(
        "reader.pub",
        &format!(
            "{MARK}{}\r\n{key}\r\n{}\r\n",
            armour("BEGIN"),
            armour("END")
        ),
    );
    let words = [
        "record",
        "export",
        &two.record,
        "--crypt4gh",
        &file,
        "--out",
        "-",
    ];
    let sealed = try_say(&two.patient, &words)
        .await
        .unwrap()
        .output
        .unwrap()
        .0;
    assert_eq!(sealed.get(..8), Some(b"crypt4gh".as_slice()));
    // A mark alone, another kind of file and a huge one are said.
    for (bytes, why) in [
        (MARK.as_bytes().to_vec(), "crypt4gh-keygen"),
        (vec![0xff, 0xfe, 0x41, 0], "no UTF-8"),
        (vec![b'a'; (4 << 20) + 1], "more than 4 MiB"),
    ] {
        std::fs::write(&file, bytes).unwrap();
        let told = try_say(&two.patient, &words).await.unwrap_err();
        assert_eq!(told.code, code::INPUT, "{told}");
        assert!(told.message.contains(why), "{told}");
    }
}

/// Whoever is shown a proof has no home, no account and no passphrase.
#[tokio::test]
async fn a_proof_is_checked_without_a_home() {
    let world = World::new(103);
    let two = Two::new(&world).await;
    say(&two.clinic, &["read", &two.record]).await;
    let folder = two.folder.path().join("proofs");
    let audit = say(
        &two.patient,
        &["audit", "--proofs", folder.to_str().unwrap()],
    )
    .await;
    let proof = text(&audit, "/proofs/0");
    let marked = format!("{MARK}{}", std::fs::read_to_string(&proof).unwrap());
    std::fs::write(&proof, marked).unwrap();
    let proved = say(&two.clinic, &["verify", &proof]).await;
    let hash = text(&proved, "/blockHash");
    let address = |n: u8| format!("0x{}", hex::encode([n; 20]));
    let domain = world.ports().domain;
    let mut file = json!({
        "version": 1, "chain_id": domain.chain_id, "rpc_urls": ["http://127.0.0.1:9"], "node_urls": ["http://127.0.0.1:9"],
        "contracts": {
            "authority": address(1), "forwarder": address(2), "accounts": address(3), "records": domain.records.to_string(),
            "consent": address(5), "receipts": address(6), "keepers": address(7),
        },
        "deployment_block": 1, "finality_depth": 0, "local": true,
        "authority": world.ports().authority.now.to_string(),
    });
    let good = two.write("deployment.json", &format!("{MARK}{file}"));
    file["authority"] = json!(address(8));
    let other = two.write("other.json", &file.to_string());
    // The role was handed on: what was signed before counts if the file says until when.
    let until = |until: u64| {
        let before = world.ports().authority.now.to_string();
        json!([{"address": before, "until": until}])
    };
    file["authorities"] = until(world.ports().clock.now().0 + 1);
    let handed = two.write("handed.json", &file.to_string());
    file["authorities"] = until(1);
    let ended = two.write("ended.json", &file.to_string());
    let run = |words: &[&str]| -> Output {
        std::process::Command::new(env!("CARGO_BIN_EXE_medibloc"))
            .env_clear()
            .current_dir(two.folder.path())
            .args(["--json", "--home", "nowhere", "verify", &proof])
            .args(words)
            .output()
            .unwrap()
    };
    let changed = format!("{}00", &hash[..hash.len() - 2]);
    // This chain proves nothing of its blocks, which is said; all else holds, or does not.
    let block = "FAIL receipt in block: the file has no proof of the ledger";
    for (words, exit, fails) in [
        (
            ["--deployment", &good, "--block", &hash].as_slice(),
            1,
            [block].as_slice(),
        ),
        // The chain is not there: what can be said without it is said.
        (&["--deployment", &good], 1, &[block]),
        (
            &["--deployment", &good, "--block", &changed],
            1,
            &[block, "FAIL block hash"],
        ),
        (
            &["--deployment", &other, "--block", &hash],
            1,
            &[block, "FAIL credential"],
        ),
        (&["--deployment", &handed, "--block", &hash], 1, &[block]),
        (
            &["--deployment", &ended, "--block", &hash],
            1,
            &[block, "FAIL credential"],
        ),
        (
            &["--deployment", &proof],
            3,
            &["deployment.json is not valid"],
        ),
        (
            &[],
            2,
            &["`--deployment FILE` checks a proof file without one"],
        ),
    ] {
        let output = run(words);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(exit), "{words:?}: {said}");
        for told in fails {
            assert!(said.contains(told), "{words:?}: {said}");
        }
        let failed = said.matches("FAIL").count();
        assert_eq!(
            failed,
            if exit == 1 { fails.len() } else { 0 },
            "{words:?}: {said}"
        );
    }
    assert!(!two.folder.path().join("nowhere").exists());
}

/// A number that can be a time since 1970.
fn epochs(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Number(number) if number.as_f64().is_some_and(|n| n > 1e9) => {
            found.push(format!("{at} = {number}"));
        }
        Value::Array(items) => items.iter().for_each(|item| epochs(item, at, found)),
        Value::Object(fields) => {
            for (name, field) in fields {
                epochs(field, &format!("{at}/{name}"), found);
            }
        }
        _ => {}
    }
}

#[tokio::test]
async fn programs_get_times_of_one_kind() {
    let world = World::new(104);
    let two = Two::new(&world).await;
    let owner = text(
        &say(&two.clinic, &["contact", "list"]).await,
        "/owners/0/owner",
    );
    say(&two.clinic, &["request", "create", &owner]).await;
    say(&two.clinic, &["read", &two.record]).await;
    say(&two.patient, &["sync"]).await;
    for party in [&two.patient, &two.clinic] {
        for words in [
            ["grant", "list"].as_slice(),
            &["request", "list"],
            &["contact", "list"],
            &["record", "list"],
            &["contact", "invite"],
            &["account", "show"],
            &["audit"],
            &["status"],
            &["doctor"],
            &["sync"],
        ] {
            let mut found = Vec::new();
            epochs(&say(party, words).await, "", &mut found);
            assert_eq!(found, Vec::<String>::new(), "{words:?}");
        }
    }
    let given = say(&two.patient, &["grant", "list"]).await;
    let until = text(&given, "/given/0/until");
    assert!(until.starts_with("20") && until.ends_with('Z'), "{until}");
    assert!(
        text(
            &say(&two.clinic, &["grant", "list"]).await,
            "/held/0/consent/given/time"
        )
        .ends_with('Z')
    );
}

/// 5: nothing was kept, do it again. 9: it is kept, `sync` goes on with it.
#[tokio::test]
async fn kept_and_not_kept_have_codes_of_their_own() {
    let world = World::new(105);
    let two = Two::new(&world).await;
    let file = document();
    let other = two.write(
        "other.xml",
        &std::fs::read_to_string(&file)
            .unwrap()
            .replace("Consultation", "Second"),
    );
    let given = text(&say(&two.patient, &["grant", "list"]).await, "/given/0/id");
    let import = ["record", "import", &other];
    let revoke = ["grant", "revoke", &given];
    let erase = ["record", "erase", &two.record, "--yes"];
    let write = ["grant", "create", "--to", "clinic", "--write"];
    // What was tried before is still kept when it is tried again; what only an earlier command left is not this one's.
    for words in [
        import.as_slice(),
        &import,
        &write,
        &revoke,
        &revoke,
        &erase,
        &erase,
    ] {
        let told = try_say(&two.cut_off, words).await.unwrap_err();
        assert_eq!(told.code, code::PARTIAL, "{words:?}: {told}");
        assert!(told.message.contains("`medibloc sync` goes on"), "{told}");
    }
    for words in [
        ["contact", "invite"].as_slice(),
        &["account", "register", "--yes"],
    ] {
        let told = try_say(&two.cut_off, words).await.unwrap_err();
        assert_eq!(told.code, code::UNREACHABLE, "{words:?}: {told}");
        assert!(!told.message.contains("is kept"), "{told}");
    }
    say(&two.patient, &["sync"]).await;
    say(&two.patient, &["sync"]).await;
    let listed = say(&two.patient, &["record", "list"]).await;
    let states: Vec<&str> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["state"].as_str().unwrap())
        .collect();
    assert!(
        states.contains(&"erased") && states.contains(&"accepted"),
        "{states:?}"
    );

    // A person without an address: it is begun for the document, which is not kept.
    let mut ports = world.ports();
    ports.relay = Arc::new(Down);
    let new = party(ports, 9, Role::Person);
    let told = try_say(&new, &import).await.unwrap_err();
    assert_eq!(told.code, code::UNREACHABLE, "{told}");
    assert!(!told.message.contains("is kept"), "{told}");
}

/// Damage anywhere, also in what no list looks at, is told by `doctor`, or by opening the vault.
#[tokio::test]
async fn a_revocation_over_an_empty_wallet_is_kept_and_goes_at_the_next_sync() {
    let world = World::new(106);
    let two = Two::new(&world).await;
    let poor = &two.poor;
    for words in [["grant", "revoke", "--everything", "--now"].as_slice(); 2] {
        let told = try_say(poor, words).await.unwrap_err();
        assert_eq!(told.code, code::PARTIAL, "{told}");
        assert!(told.message.contains("no coins left"), "{told}");
        assert!(told.message.contains("`medibloc sync` goes on"), "{told}");
    }
    let told = try_say(poor, &["contact", "invite"]).await.unwrap_err();
    assert_eq!(told.code, code::UNREACHABLE, "nothing is kept: {told}");
    say(&two.patient, &["sync"]).await;
    let given = say(&two.patient, &["grant", "list"]).await;
    assert_eq!(text(&given, "/given/0/state"), "revoked", "{given}");
}

#[tokio::test]
async fn the_doctor_reads_the_whole_vault() {
    let home = tempfile::tempdir().unwrap();
    let world = World::new(106);
    let key = [7; 32];
    let file = document();
    let with = |vault: Vault| {
        let vault = VaultAdapter(Arc::new(vault));
        party(world.ports_with(Arc::new(vault)), 1, Role::Person)
    };
    let patient = with(Vault::create(home.path(), &key).unwrap());
    say(&patient, &["record", "import", file.to_str().unwrap()]).await;
    say(&patient, &["sync"]).await;
    let healthy = say(&patient, &["doctor"]).await;
    let told = text(&healthy, "/0/told");
    assert!(told.contains("every row, block and page"), "{told}");
    drop(patient);
    let path = home.path().join("vault.db");
    let whole = std::fs::read(&path).unwrap();
    let (mut opened, mut told) = (0, 0);
    for page in (0..whole.len()).step_by(4096).step_by(3) {
        let mut changed = whole.clone();
        changed[page + 2000] ^= 1;
        std::fs::write(&path, changed).unwrap();
        match Vault::open(home.path(), &key) {
            Ok(vault) => {
                opened += 1;
                let problem = try_say(&with(vault), &["doctor"]).await.unwrap_err();
                assert_eq!(problem.code, code::FAILED, "page at {page}: {problem}");
                told += usize::from(problem.message.contains("FAIL vault"));
            }
            Err(error) => {
                assert!(matches!(error, VaultError::Damaged { .. }), "{error}");
            }
        }
    }
    assert!(opened > 5, "{opened} damaged vaults open");
    assert_eq!(told, opened);
}

/// What comes from outside has its end before it is looked at; what goes out is not longer than others take.
#[tokio::test]
async fn long_reasons_invitations_and_proofs_are_refused_with_their_bound() {
    let world = World::new(107);
    let two = Two::new(&world).await;
    let owner = text(
        &say(&two.clinic, &["contact", "list"]).await,
        "/owners/0/owner",
    );
    let (fits, long) = ("x".repeat(4_096), "x".repeat(4_097));
    say(
        &two.clinic,
        &["request", "create", &owner, "--reason", &fits],
    )
    .await;
    let words = ["request", "create", &owner, "--reason", &long];
    let reason = try_say(&two.clinic, &words).await.unwrap_err();
    let invitation = two.write("long", &format!("medibloc:invite:2:{}", "A".repeat(9_000)));
    let invitation = try_say(&two.clinic, &["contact", "accept", &invitation]).await;
    let proof = two.write("proof.json", &format!("[{}1]", "1,".repeat(2 << 20)));
    let proof = try_say(&two.clinic, &["verify", &proof]).await;
    for (told, bound) in [
        (reason, "at most 4096"),
        (invitation.unwrap_err(), "longer than an invitation"),
        (proof.unwrap_err(), "more than 4 MiB"),
    ] {
        assert_eq!(told.code, code::INPUT, "{told}");
        assert!(told.message.contains(bound), "{told}");
    }
    say(&two.patient, &["sync"]).await;
    let asked = say(&two.patient, &["request", "list"]).await;
    assert_eq!(asked.as_array().unwrap().len(), 1, "{asked}");
}

/// What people found no command for, or a refusal that did not say what to do.
#[tokio::test]
async fn a_record_is_stored_again_and_a_person_rotates_an_address() {
    let world = World::new(108);
    let two = Two::new(&world).await;
    let anchor = two
        .patient
        .record(two.record.parse().unwrap())
        .unwrap()
        .anchor;
    let package = Cid::from_dag_cbor_digest(anchor.package.to_bytes());
    world.store.remove(&[package]).await.unwrap();
    let lost = try_say(&two.patient, &["record", "verify", &two.record]).await;
    assert_eq!(lost.unwrap_err().code, code::FAILED);
    let doctor = try_say(&two.patient, &["doctor"]).await.unwrap_err();
    assert_eq!(doctor.code, code::UNREACHABLE, "{doctor}");
    let command = format!("record store {}", two.record);
    let told = doctor
        .message
        .lines()
        .find(|line| line.contains("copies: "));
    assert!(told.unwrap().contains(&command), "{doctor}");
    say(&two.patient, &["record", "store", &two.record]).await;
    say(&two.patient, &["doctor"]).await;
    let verified = say(&two.patient, &["record", "verify", &two.record]).await;
    assert_eq!(verified["verified"], true);
    let told = try_say(&two.patient, &["account", "rotate"])
        .await
        .unwrap_err();
    assert_eq!(told.code, code::USAGE, "{told}");
    assert!(told.message.contains("medibloc account show"), "{told}");
    let shown = say(&two.patient, &["account", "show"]).await;
    let address = text(&shown, "/addresses/0/address");
    say(&two.patient, &["account", "rotate", &address]).await;
    say(&two.clinic, &["account", "rotate"]).await;
    // Their signing keys.
    for (party, words) in [
        (
            &two.patient,
            vec!["account", "rotate", &address, "--signing"],
        ),
        (&two.clinic, vec!["account", "rotate", "--signing"]),
    ] {
        let handed = say(party, &words).await;
        assert_eq!(
            (&handed["version"], &handed["letters_lost"]),
            (&json!(2), &json!(0))
        );
        let shown = say(party, &["account", "show"]).await;
        let signer = &handed["signer"];
        assert!(shown.to_string().contains(&signer.to_string()), "{shown}");
    }
    let shown = say(&two.clinic, &["account", "show"]).await;
    assert_ne!(shown["address"], shown["account"], "the account stays");
    say(&two.clinic, &["read", &two.record]).await;
    let kept = two
        .cut_off
        .rotate_signing_key(address.parse().unwrap())
        .await;
    assert!(kept.is_err_and(|error| error.to_string().contains("no answer")));
}

/// A keeper that lost its data says so, and a command gives it its shares again.
#[tokio::test]
async fn a_keeper_that_lost_its_shares_is_told_and_gets_them_again() {
    let world = World::new(111);
    let two = Two::new(&world).await;
    let shares = async || {
        let doctor = try_say(&two.patient, &["doctor"]).await;
        let told = doctor.map_or_else(|told| (told.code, told.message), |told| (0, told.text));
        let line = told.1.lines().find(|line| line.contains(" shares: "));
        (told.0, line.unwrap().to_owned())
    };
    let (exit, told) = shares().await;
    assert_eq!(exit, 0, "{told}");
    assert!(told.starts_with("ok"), "{told}");
    for index in [2, 3, 4, 5] {
        world.lose(index);
    }
    let (exit, told) = shares().await;
    assert_eq!(exit, code::UNREACHABLE, "{told}");
    for part in [
        "keeper 2 lacks 1",
        "keeper 5 lacks 1",
        &format!("record store {}", two.record),
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let few = try_say(&two.clinic, &["read", &two.record])
        .await
        .unwrap_err();
    assert!(!few.message.contains("next sync"), "{few}");
    // What the keepers refused is told in words, with the reader's name.
    let audit = try_say(&two.patient, &["audit"]).await.unwrap();
    let refusal = audit.text.lines().find(|line| line.contains(" refused "));
    let refusal = refusal.unwrap();
    assert!(
        refusal.contains(" to Clinic: this keeper has no share"),
        "{refusal}"
    );
    assert!(!audit.text.contains(['{', '[']), "{}", audit.text);
    let refused = &audit.value["refused"][0];
    assert_eq!(refused["name"], "Clinic", "{refused}");
    assert!(
        refused["reader"].as_str().unwrap().starts_with("0x"),
        "{refused}"
    );
    // One that is away then is told, and asked again by the same command.
    world.set_down(5, true);
    let (exit, told) = shares().await;
    assert!(
        exit == code::UNREACHABLE && !told.contains("keeper 5"),
        "{told}"
    );
    let part = try_say(&two.patient, &["record", "store", &two.record])
        .await
        .unwrap();
    assert_eq!(
        (part.code, &part.value["acknowledged"]),
        (code::UNREACHABLE, &json!(6))
    );
    world.set_down(5, false);
    let whole = say(&two.patient, &["record", "store", "--all"]).await;
    assert_eq!(whole["stored"][0]["acknowledged"], 7, "{whole}");
    assert_eq!(text(&whole, "/stored/0/record"), two.record);
    let whole = say(&two.patient, &["record", "store", "--all"]).await;
    assert_eq!(
        (&whole["stored"], &whole["failed"]),
        (&json!([]), &json!([]))
    );
    let (exit, told) = shares().await;
    assert_eq!(exit, 0, "{told}");
    say(&two.clinic, &["read", &two.record]).await;
    println!("ATTACK newcomer-n11: lost shares are told and given again");
}

/// A consent is told with the end that it has, and none lasts for ever by a slip of the finger.
#[tokio::test]
async fn a_consent_is_told_with_its_real_end_and_has_one() {
    let world = World::new(112);
    let two = Two::new(&world).await;
    let owner = text(
        &say(&two.clinic, &["contact", "list"]).await,
        "/owners/0/owner",
    );
    for words in [
        ["grant", "create", "--to", "clinic", "--write", "--days"].as_slice(),
        &["grant", "create", "--to", "clinic", "--all", "--days"],
        &["request", "create", &owner, "--days"],
    ] {
        for days in ["3651", "99999999"] {
            let words = [words, &[days]].concat();
            let by = if words[0] == "grant" {
                &two.patient
            } else {
                &two.clinic
            };
            let told = try_say(by, &words).await.unwrap_err();
            assert_eq!(told.code, code::USAGE, "{told}");
            assert!(told.message.contains("at most 3650"), "{told}");
        }
    }
    let mut ports = two.patient.ports().clone();
    ports.pace = Pace::PERSON;
    let calm = party(ports, 1, Role::Person);
    let listed = async |id: &str| {
        let list = say(&calm, &["grant", "list"]).await;
        let given = list["given"].as_array().unwrap().clone();
        let found = given.iter().rev().find(|grant| match id {
            "" => grant["scope"] == "write",
            id => grant["id"] == id,
        });
        text(found.unwrap(), "/until")
    };
    let one = [
        "grant",
        "create",
        "--to",
        "clinic",
        "--record",
        &two.record,
        "--days",
        "30",
    ];
    let given = say(&calm, &one).await;
    assert_eq!(
        text(&given, "/until"),
        listed(&text(&given, "/grant")).await
    );
    let write = [
        "grant", "create", "--to", "clinic", "--write", "--days", "400",
    ];
    let given = try_say(&calm, &write).await.unwrap();
    let until = text(&given.value, "/until");
    assert!(until.ends_with("T00:00:00Z"), "{until}");
    assert!(given.text.contains(&until), "{}", given.text);
    let list = say(&calm, &["grant", "list"]).await;
    let ends = list["given"].as_array().unwrap();
    assert!(
        ends.iter().any(|grant| grant["until"] == until.as_str()),
        "{list}"
    );
}
