//! Every command over the journey in memory: what a person types, what comes back, and the exit code of what is refused.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/no_chain.rs"]
mod no_chain;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Parser;
use medibloc_agent::answer::code;
use medibloc_agent::{Answer, Command, Problem, run};
use medibloc_journey::Party;
use medibloc_journey::memory::World;
use medibloc_keys::{Language, Phrase, SealingSecret, SeededEntropy};
use medibloc_record::Role;
use medibloc_seal::crypt4gh::Crypt4ghReader;
use no_chain::NoChain;
use serde_json::Value;

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

async fn try_say(party: &Party, words: &[&str]) -> Result<Answer, Problem> {
    let line = Line::try_parse_from([&["medibloc"], words].concat()).unwrap();
    run::run(party, None, &line.command).await
}

async fn say(party: &Party, words: &[&str]) -> Value {
    let answer = try_say(party, words).await.unwrap();
    assert!(
        !answer.text.is_empty(),
        "{words:?} says something to people"
    );
    answer.value
}

async fn refused(party: &Party, words: &[&str]) -> u8 {
    let problem = try_say(party, words).await.unwrap_err();
    assert!(!problem.message.is_empty());
    problem.code
}

fn document() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../testdata/cda");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "xml"))
        .collect();
    files.sort();
    files.remove(0)
}

fn party(world: &Arc<World>, seed: u64, role: Role) -> Party {
    let phrase = Phrase::generate(&mut SeededEntropy::new(seed), Language::English);
    Party::new(phrase.seed(), role, world.ports())
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).unwrap().as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_journey_by_commands() {
    let world = World::new(77);
    let folder = tempfile::tempdir().unwrap();
    let patient = party(&world, 1, Role::Person);
    let file = document();
    let mut providers = Vec::new();
    for (seed, name) in [(2, "Hana Hospital"), (3, "Bit Clinic")] {
        let provider = party(&world, seed, Role::Provider);
        say(&provider, &["account", "register"]).await;
        let credential = folder.path().join(format!("{seed}.jwt"));
        std::fs::write(&credential, world.accredit(provider.account().id(), name)).unwrap();
        say(
            &provider,
            &["account", "credential", credential.to_str().unwrap()],
        )
        .await;
        let shown = say(&provider, &["account", "show"]).await;
        assert_eq!(
            (shown["state"].as_str(), shown["credential"].as_str()),
            (Some("accredited"), Some(name))
        );
        let invitation = folder.path().join(format!("{seed}.invitation"));
        say(
            &patient,
            &["contact", "invite", "--out", invitation.to_str().unwrap()],
        )
        .await;
        say(
            &provider,
            &["contact", "accept", invitation.to_str().unwrap()],
        )
        .await;
        say(&patient, &["sync"]).await;
        say(&patient, &["contact", "confirm", name]).await;
        providers.push(provider);
    }
    let [hana, bit] = [&providers[0], &providers[1]];

    assert_eq!(
        refused(
            hana,
            &[
                "record",
                "import",
                file.to_str().unwrap(),
                "--yes",
                "--for",
                "0xffff"
            ]
        )
        .await,
        code::UNKNOWN
    );
    let owner = text(&say(hana, &["contact", "list"]).await, "/owners/0/owner");
    assert_eq!(
        refused(
            hana,
            &[
                "record",
                "import",
                file.to_str().unwrap(),
                "--for",
                &owner,
                "--yes"
            ]
        )
        .await,
        code::REFUSED,
        "nobody writes without consent"
    );
    say(&patient, &["grant", "create", "--to", "hana", "--write"]).await;
    let written = say(
        hana,
        &[
            "record",
            "import",
            file.to_str().unwrap(),
            "--for",
            &owner,
            "--yes",
        ],
    )
    .await;
    let record = text(&written, "/record");
    say(&patient, &["sync"]).await;
    let listed = say(&patient, &["record", "list"]).await;
    assert_eq!(
        (text(&listed, "/0/record"), text(&listed, "/0/state")),
        (record.clone(), "accepted".into())
    );
    say(&patient, &["record", "show", &record[..10]]).await;
    assert_eq!(
        say(&patient, &["record", "verify", &record]).await["verified"],
        true
    );
    let out = folder.path().join("out.xml");
    let exported = say(
        &patient,
        &["record", "export", &record, "--out", out.to_str().unwrap()],
    )
    .await;
    assert_eq!(std::fs::read(&out).unwrap(), std::fs::read(&file).unwrap());
    assert_eq!(exported["sha256"], written["sha256"]);
    assert_eq!(
        refused(
            &patient,
            &["record", "export", &record, "--out", out.to_str().unwrap()]
        )
        .await,
        code::FAILED
    );

    let bits_owner = text(&say(bit, &["contact", "list"]).await, "/owners/0/owner");
    say(
        bit,
        &[
            "request",
            "create",
            &bits_owner,
            "--reason",
            "second opinion",
        ],
    )
    .await;
    say(&patient, &["sync"]).await;
    let requests = say(&patient, &["request", "list"]).await;
    assert_eq!(
        (text(&requests, "/0/name"), text(&requests, "/0/reason")),
        ("Bit Clinic".into(), "second opinion".into())
    );
    let granted = say(
        &patient,
        &["request", "approve", "bit", "--record", &record],
    )
    .await;
    say(bit, &["sync"]).await;
    let copy = folder.path().join("copy.xml");
    let read = say(bit, &["read", &record, "--out", copy.to_str().unwrap()]).await;
    assert_eq!(read["sha256"], written["sha256"]);
    // A file that is there is said before a receipt is left.
    assert_eq!(
        refused(bit, &["read", &record, "--out", copy.to_str().unwrap()]).await,
        code::FAILED
    );
    let audit = say(&patient, &["audit"]).await;
    assert_eq!(text(&audit, "/reads/0/name"), "Bit Clinic");
    assert_eq!(audit["reads"].as_array().unwrap().len(), 1);
    let none = ["grant", "create", "--to", "bit", "--write", "--days", "0"];
    let told = try_say(&patient, &none).await.unwrap_err();
    assert_eq!(told.code, code::USAGE);
    assert!(told.message.contains("at least 1"), "{told}");
    assert_eq!(text(&audit, "/reads/0/receipt"), text(&read, "/receipt"));

    let proofs = folder.path().join("proofs");
    let audit = say(&patient, &["audit", "--proofs", proofs.to_str().unwrap()]).await;
    let proof = text(&audit, "/proofs/0");
    let proved = try_say(bit, &["verify", &proof]).await.unwrap();
    assert!(!proved.text.contains("1970"), "{}", proved.text);
    assert!(proved.text.contains(", until 20"), "{}", proved.text);
    let proved = proved.value;
    assert_eq!(
        (
            &proved["reader"],
            &proved["verified"],
            &proved["chainAgrees"]
        ),
        (&"Bit Clinic".into(), &true.into(), &true.into())
    );
    // What somebody wrote into it is not said with an ok.
    let whole = std::fs::read_to_string(&proof).unwrap();
    let mut forged: Value = serde_json::from_str(&whole).unwrap();
    forged["purpose"]["reason"] = "forged text".into();
    let forgery = folder.path().join("forged.json");
    let path = forgery.to_str().unwrap();
    std::fs::write(&forgery, forged.to_string()).unwrap();
    let told = try_say(bit, &["verify", path]).await.unwrap_err();
    assert!(
        told.message.contains("FAIL reason: «forged text»"),
        "{told}"
    );
    forged["purpose"]
        .as_object_mut()
        .unwrap()
        .remove("reason_salt")
        .unwrap();
    std::fs::write(&forgery, forged.to_string()).unwrap();
    let told = try_say(bit, &["verify", path]).await.unwrap();
    assert_eq!(
        (told.code, &told.value["verified"]),
        (code::FAILED, &false.into())
    );
    assert!(
        told.text
            .contains("?    reason: not checked: «forged text»"),
        "{}",
        told.text
    );
    assert!(!told.text.contains("terms"), "{}", told.text);
    let hash = text(&proved, "/blockHash");
    // Without the chain, only half of it is shown: no script takes that as proven.
    let mut ports = world.ports();
    ports.events = Arc::new(NoChain);
    let alone = Phrase::generate(&mut SeededEntropy::new(9), Language::English);
    let alone = Party::new(alone.seed(), Role::Person, ports);
    let half = try_say(&alone, &["verify", &proof]).await.unwrap();
    assert_eq!(half.code, code::UNREACHABLE, "{half:?}");
    assert_eq!(
        (&half.value["verified"], &half.value["chainAgrees"]),
        (&false.into(), &Value::Null)
    );
    for told in ["not proven", "signatures", "the file says: Bit Clinic"] {
        assert!(half.text.contains(told), "{}", half.text);
    }
    let compared = try_say(&alone, &["verify", &proof, "--block", &hash])
        .await
        .unwrap();
    assert_eq!(compared.code, code::UNREACHABLE);
    assert_eq!(
        (&compared.value["verified"], &compared.value["chainAgrees"]),
        (&false.into(), &Value::Null)
    );
    println!("ATTACK newcomer-n8: a proof without its chain ends with 5 and is not verified");
    let other = format!("{}00", &hash[..hash.len() - 2]);
    assert_eq!(
        refused(bit, &["verify", &proof, "--block", &other]).await,
        code::FAILED
    );
    let changed = folder.path().join("changed.json");
    let said = std::fs::read_to_string(&proof).unwrap();
    std::fs::write(&changed, said.replace("Bit Clinic", "Hana Hospital")).unwrap();
    assert_eq!(
        refused(bit, &["verify", changed.to_str().unwrap()]).await,
        code::FAILED
    );
    std::fs::write(&changed, &said[..said.len() / 2]).unwrap();
    assert_eq!(
        refused(bit, &["verify", changed.to_str().unwrap()]).await,
        code::INPUT
    );

    say(&patient, &["grant", "revoke", &text(&granted, "/grant")]).await;
    assert_eq!(refused(bit, &["read", &record]).await, code::REFUSED);
    for command in ["status", "doctor"] {
        say(&patient, &[command]).await;
    }
    say(&patient, &["grant", "list"]).await;
    assert_eq!(
        refused(&patient, &["record", "erase", &record]).await,
        code::USAGE
    );
    say(&patient, &["record", "erase", &record, "--yes"]).await;
    assert_eq!(
        text(&say(&patient, &["record", "list"]).await, "/0/state"),
        "erased"
    );
}

/// A patient with an accepted record, and a clinic that it knows.
async fn paired(world: &Arc<World>, folder: &Path) -> (Party, Party, String) {
    let patient = party(world, 1, Role::Person);
    let clinic = party(world, 2, Role::Provider);
    say(&clinic, &["account", "register"]).await;
    let credential = folder.join("credential");
    std::fs::write(&credential, world.accredit(clinic.account().id(), "Clinic")).unwrap();
    say(
        &clinic,
        &["account", "credential", credential.to_str().unwrap()],
    )
    .await;
    let invitation = text(&say(&patient, &["contact", "invite"]).await, "/invitation");
    say(&clinic, &["contact", "accept", &invitation]).await;
    say(&patient, &["sync"]).await;
    say(&patient, &["contact", "confirm", "clinic"]).await;
    let file = document();
    let written = say(
        &patient,
        &["record", "import", file.to_str().unwrap(), "--class", "7"],
    )
    .await;
    say(&patient, &["sync"]).await;
    (patient, clinic, text(&written, "/record"))
}

#[tokio::test]
async fn a_class_of_records_or_all_are_granted_and_taken_back() {
    let world = World::new(80);
    let folder = tempfile::tempdir().unwrap();
    let (patient, clinic, record) = paired(&world, folder.path()).await;
    say(&patient, &["record", "confirm", &record]).await;
    let owner = text(&say(&clinic, &["contact", "list"]).await, "/owners/0/owner");
    for scope in [["--class", "7"].as_slice(), &["--all"]] {
        say(
            &clinic,
            &[
                "request",
                "create",
                &owner,
                "--reason",
                scope[0].trim_start_matches('-'),
            ],
        )
        .await;
        say(&patient, &["sync"]).await;
        let words = [&["request", "approve", "clinic"], scope].concat();
        let given = say(&patient, &words).await;
        assert!(!given["grants"].as_array().unwrap().is_empty());
        say(&clinic, &["sync"]).await;
        say(&patient, &["sync"]).await;
        say(&clinic, &["sync"]).await;
        assert_eq!(say(&clinic, &["read", &record]).await["record"], *record);
        say(&patient, &["grant", "revoke", "--contact", "clinic"]).await;
        assert_eq!(refused(&clinic, &["read", &record]).await, code::REFUSED);
        for grant in say(&patient, &["grant", "list"]).await["given"]
            .as_array()
            .unwrap()
        {
            assert_eq!(grant["state"], "revoked");
        }
        // What it asked for went with it.
        assert_eq!(
            refused(&patient, &["request", "deny", "clinic"]).await,
            code::UNKNOWN
        );
    }
    assert_eq!(
        refused(&patient, &["request", "approve", "clinic"]).await,
        code::UNKNOWN,
        "no request waits"
    );
}

#[tokio::test]
async fn a_permission_to_write_is_taken_back_by_its_id() {
    let world = World::new(81);
    let folder = tempfile::tempdir().unwrap();
    let (patient, clinic, _) = paired(&world, folder.path()).await;
    let (file, owner) = (
        document(),
        text(&say(&clinic, &["contact", "list"]).await, "/owners/0/owner"),
    );
    let import = [
        "record",
        "import",
        file.to_str().unwrap(),
        "--for",
        &owner,
        "--yes",
    ];
    say(&patient, &["grant", "create", "--to", "clinic", "--write"]).await;
    say(&clinic, &import).await;
    let list = say(&patient, &["grant", "list"]).await;
    assert_eq!(text(&list, "/given/0/scope"), "write");
    say(&patient, &["grant", "revoke", &text(&list, "/given/0/id")]).await;
    let again = [import.as_slice(), &["--again"]].concat();
    assert_eq!(refused(&clinic, &again).await, code::REFUSED);
}

#[tokio::test]
async fn a_record_leaves_as_fhir_as_report_and_as_crypt4gh() {
    let world = World::new(82);
    let folder = tempfile::tempdir().unwrap();
    let (patient, _, record) = paired(&world, folder.path()).await;
    let out = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    for (part, name) in [("fhir", "x.json"), ("report", "x.report")] {
        let words = [
            "record",
            "export",
            &record,
            "--part",
            part,
            "--out",
            &out(name),
        ];
        say(&patient, &words).await;
        let bytes = std::fs::read(out(name)).unwrap();
        serde_json::from_slice::<Value>(&bytes).unwrap();
    }
    let secret = SealingSecret::from_bytes(1, [7; 32]);
    let key = format!(
        "-----BEGIN CRYPT4GH PUBLIC KEY-----\n{}\n-----END CRYPT4GH PUBLIC KEY-----\n",
        base64::Engine::encode(
            &base64::engine::general_purpose::STANDARD,
            secret.public().key
        )
    );
    std::fs::write(out("reader.pub"), key).unwrap();
    let words = [
        "record",
        "export",
        &record,
        "--crypt4gh",
        &out("reader.pub"),
        "--out",
        &out("x.c4gh"),
    ];
    say(&patient, &words).await;
    let sealed = std::fs::read(out("x.c4gh")).unwrap();
    let mut plain = Vec::new();
    let mut reader = Crypt4ghReader::open(sealed.as_slice(), &secret).unwrap();
    std::io::copy(&mut reader, &mut plain).unwrap();
    assert_eq!(plain, std::fs::read(document()).unwrap());
    std::fs::write(out("reader.pub"), "no key").unwrap();
    let words = [
        "record",
        "export",
        &record,
        "--crypt4gh",
        &out("reader.pub"),
        "--out",
        &out("y.c4gh"),
    ];
    assert_eq!(refused(&patient, &words).await, code::INPUT);
}

#[tokio::test]
async fn a_rotated_address_still_opens_what_was_sealed_before() {
    let world = World::new(83);
    let folder = tempfile::tempdir().unwrap();
    let (patient, _, record) = paired(&world, folder.path()).await;
    let listed = say(&patient, &["record", "show", &record]).await;
    let rotated = say(&patient, &["account", "rotate", &text(&listed, "/owner")]).await;
    assert_eq!(rotated["replaced"], 1);
    assert_eq!(
        say(&patient, &["record", "verify", &record]).await["verified"],
        true
    );
    let status = say(&patient, &["status"]).await;
    assert_eq!(
        (&status["records"]["accepted"], &status["unfinished"]),
        (&1.into(), &serde_json::json!([]))
    );
}

/// A person needs no registration, so that nobody asks for one: before its first address and after it.
#[tokio::test]
async fn the_doctor_finds_a_person_healthy() {
    let world = World::new(84);
    let patient = party(&world, 1, Role::Person);
    for _ in 0..2 {
        let checks = say(&patient, &["doctor"]).await;
        for check in checks.as_array().unwrap() {
            assert_eq!(check["good"], true, "{check}");
        }
        let file = document();
        let import = ["record", "import", file.to_str().unwrap(), "--again"];
        say(&patient, &import).await;
    }
    println!("ATTACK newcomer-4: doctor finds a person healthy, with and without an address");
}

#[tokio::test]
async fn an_own_record_needs_no_provider() {
    let world = World::new(78);
    let patient = party(&world, 1, Role::Person);
    let written = say(
        &patient,
        &["record", "import", document().to_str().unwrap()],
    )
    .await;
    say(&patient, &["sync"]).await;
    let listed = say(&patient, &["record", "list"]).await;
    assert_eq!(listed[0]["record"], written["record"]);
    assert_eq!(listed[0]["state"], "accepted");
    let empty = say(&patient, &["audit"]).await;
    assert_eq!(empty["reads"], serde_json::json!([]));
}

/// One FHIR resource, as JSON or XML, becomes a record: its original is what was given, its form a bundle around it.
#[tokio::test]
async fn a_single_fhir_resource_becomes_a_record() {
    let world = World::new(83);
    let patient = party(&world, 1, Role::Person);
    let folder = tempfile::tempdir().unwrap();
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../testdata/fhir");
    for name in ["immunization-example.r4.json", "patient-example.r4.xml"] {
        let file = testdata.join(name);
        let written = say(&patient, &["record", "import", file.to_str().unwrap()]).await;
        say(&patient, &["sync"]).await;
        let export = |part: &'static str| {
            let out = folder.path().join(format!("{name}.{part}"));
            let record = text(&written, "/record");
            (out.to_string_lossy().into_owned(), part, record)
        };
        for (out, part, record) in [export("original"), export("fhir")] {
            // It may only refer to its patient: whose it is, is not known then.
            let words = [
                "record", "export", &record, "--part", part, "--out", &out, "--yes",
            ];
            say(&patient, &words).await;
        }
        let read =
            |part: &str| std::fs::read(folder.path().join(format!("{name}.{part}"))).unwrap();
        assert_eq!(read("original"), std::fs::read(&file).unwrap());
        let bundle: Value = serde_json::from_slice(&read("fhir")).unwrap();
        assert_eq!(bundle["type"], "collection");
        assert_eq!(bundle["entry"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn foreign_and_cut_off_input_is_named() {
    let world = World::new(79);
    let patient = party(&world, 1, Role::Person);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("input");
    let whole = std::fs::read(document()).unwrap();
    let wide = |swap: bool| {
        let text = String::from_utf8_lossy(&whole);
        let units = text.encode_utf16();
        units
            .flat_map(|unit| match swap {
                true => unit.to_be_bytes(),
                false => unit.to_le_bytes(),
            })
            .collect::<Vec<u8>>()
    };
    for (bytes, told) in [
        (b"%PDF-1.7".as_slice(), "a PDF"),
        (b"", "empty"),
        (&whole[..whole.len() / 2], "get the whole document again"),
        (b"{", "get the whole document again"),
        (b" {\"resource\": 1}", "FHIR"),
        (b"[1, 2]", "FHIR"),
        (&wide(false), "UTF-16 without the mark"),
        (&wide(true), "UTF-16 without the mark"),
    ] {
        std::fs::write(&file, bytes).unwrap();
        let import = ["record", "import", file.to_str().unwrap()];
        let problem = try_say(&patient, &import).await.unwrap_err();
        assert_eq!(problem.code, code::INPUT, "{problem}");
        assert!(problem.message.contains(told), "{told}: {problem}");
        // JSON is never told as broken XML.
        let is_json = matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'['));
        assert!(!is_json || !problem.message.contains("XML"), "{problem}");
    }
    assert_eq!(
        refused(&patient, &["record", "import", "/no/such/file"]).await,
        code::INPUT
    );
    assert_eq!(
        refused(&patient, &["contact", "accept", "medibloc-invitation-junk"]).await,
        code::INPUT
    );
    assert!(
        patient.records().unwrap().is_empty(),
        "nothing half imported"
    );
}
