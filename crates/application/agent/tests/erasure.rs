//! What a person types after an erasure: nothing gives a byte, files that were exported are gone, and the vault on disk
//! holds none of it.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Parser;
use medibloc_agent::answer::code;
use medibloc_agent::ports::VaultAdapter;
use medibloc_agent::{Answer, Command, Problem, run};
use medibloc_dag::Cid;
use medibloc_journey::Party;
use medibloc_journey::memory::World;
use medibloc_keys::{Language, Phrase, SeededEntropy, SigningKey};
use medibloc_record::Role;
use medibloc_vault::Vault;

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

async fn try_say(party: &Party, words: &[&str]) -> Result<Answer, Problem> {
    let line = Line::try_parse_from([&["medibloc"], words].concat()).unwrap();
    run::run(party, None, &line.command).await
}

async fn say(party: &Party, words: &[&str]) -> Answer {
    try_say(party, words).await.unwrap()
}

fn document() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../testdata/cda");
    let files = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "xml"));
    files.sort();
    files.remove(0)
}

fn party(world: &Arc<World>, seed: u64, role: Role, vault: VaultAdapter) -> Party {
    let phrase = Phrase::generate(&mut SeededEntropy::new(seed), Language::English);
    Party::new(phrase.seed(), role, world.ports_with(Arc::new(vault)))
}

fn text(answer: &Answer, pointer: &str) -> String {
    let found = answer.value.pointer(pointer);
    found.unwrap().as_str().unwrap().to_owned()
}

struct Homes {
    world: Arc<World>,
    /// The patient's address for the clinic.
    owner: String,
    folder: tempfile::TempDir,
    patient: Party,
    clinic: Party,
    record: String,
    /// The blocks of the record's parts.
    parts: Vec<Cid>,
}

impl Homes {
    /// A patient with an accepted record that a clinic was granted, both with vaults on disk.
    async fn new(seed: u64) -> Self {
        let world = World::new(seed);
        let folder = tempfile::tempdir().unwrap();
        let vault = |name: &str| {
            let home = folder.path().join(name);
            std::fs::create_dir(&home).unwrap();
            VaultAdapter(Arc::new(Vault::create(&home, &[7; 32]).unwrap()))
        };
        let patient = party(&world, 1, Role::Person, vault("patient"));
        let clinic = party(&world, 2, Role::Provider, vault("clinic"));
        say(&clinic, &["account", "register"]).await;
        let credential = folder.path().join("credential");
        std::fs::write(&credential, world.accredit(clinic.account().id(), "Clinic")).unwrap();
        say(
            &clinic,
            &["account", "credential", credential.to_str().unwrap()],
        )
        .await;
        let invitation = text(&say(&patient, &["contact", "invite"]).await, "/invitation");
        let owner = text(
            &say(&clinic, &["contact", "accept", &invitation]).await,
            "/owner",
        );
        say(&patient, &["sync"]).await;
        say(&patient, &["contact", "confirm", "clinic"]).await;
        let file = document();
        let written = say(&patient, &["record", "import", file.to_str().unwrap()]).await;
        let record = text(&written, "/record");
        say(&patient, &["sync"]).await;
        say(&clinic, &["request", "create", &owner, "--reason", "care"]).await;
        say(&patient, &["sync"]).await;
        say(
            &patient,
            &["request", "approve", "Clinic", "--record", &record],
        )
        .await;
        say(&clinic, &["sync"]).await;
        let kept = patient.record(record.parse().unwrap()).unwrap();
        let parts = kept.manifest.unwrap().parts;
        let parts = parts.iter().map(|part| part.cid).collect();
        Self {
            world,
            owner,
            folder,
            patient,
            clinic,
            record,
            parts,
        }
    }

    /// What a node does when it sees an erasure: the one of this world does not follow the chain.
    async fn node_erases(&self) {
        let id = self.record.parse().unwrap();
        let anchor = self.patient.record(id).unwrap().anchor;
        let objects = [
            anchor.package,
            anchor.key_set,
            anchor.capsule,
            anchor.attestation,
        ];
        let objects = objects.map(|digest| Cid::from_dag_cbor_digest(digest.to_bytes()));
        let anybody = SigningKey::from_bytes(&[1; 32]).unwrap();
        let store = self.patient.ports().network.store(&anybody);
        store.erase(&objects).await.unwrap();
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }
}

/// Before: `record export` gave all bytes, many syncs after the erasure.
#[tokio::test]
async fn after_an_erasure_every_command_refuses_and_says_what_is_left() {
    let homes = Homes::new(1).await;
    let (patient, clinic, record) = (&homes.patient, &homes.clinic, homes.record.as_str());
    let (mine, theirs, kept) = (
        homes.path("mine.xml"),
        homes.path("theirs.xml"),
        homes.path("kept.xml"),
    );
    say(patient, &["record", "export", record, "--out", &mine]).await;
    say(clinic, &["read", record, "--out", &theirs]).await;
    say(clinic, &["read", record, "--out", &kept, "--keep"]).await;
    let manifest = patient
        .record(record.parse().unwrap())
        .unwrap()
        .manifest
        .unwrap();
    let parts: Vec<_> = manifest.parts.iter().map(|part| part.cid).collect();
    let has = |party: &Party| {
        let vault = &party.ports().vault;
        parts
            .iter()
            .filter(|cid| vault.blob(cid).unwrap().is_some())
            .count()
    };
    assert_eq!((has(patient), has(clinic)), (parts.len(), parts.len()));

    let asked = try_say(patient, &["record", "erase", record])
        .await
        .unwrap_err();
    assert_eq!(asked.code, code::USAGE);
    assert!(
        asked.message.contains("mine.xml") && asked.message.contains("--keep-exports"),
        "{}",
        asked.message
    );
    let done = say(patient, &["record", "erase", record, "--yes"]).await;
    assert_eq!((done.value["statements"].as_u64(), done.code), (Some(7), 0));
    assert!(!Path::new(&mine).exists(), "exported and unchanged: gone");
    let removed = format!("exported file removed: {mine}");
    assert!(done.text.contains(&removed), "{}", done.text);
    assert_eq!(has(patient), 0);

    let out = homes.path("never.xml");
    let mut bytes = 0;
    for (party, words) in [
        (patient, vec!["record", "export", record, "--out", &out]),
        (
            patient,
            vec!["record", "export", record, "--part", "fhir", "--out", &out],
        ),
        (
            patient,
            vec!["request", "approve", "Clinic", "--record", record],
        ),
        (clinic, vec!["read", record, "--out", &out]),
    ] {
        if party.account() == clinic.account() {
            say(clinic, &["sync"]).await;
        }
        let problem = try_say(party, &words).await.unwrap_err();
        assert_eq!(problem.code, code::ERASED, "{words:?}: {}", problem.message);
        bytes += std::fs::metadata(&out).map_or(0, |file| file.len());
    }
    println!("ATTACK newcomer-1: {bytes} bytes by any command after the erasure");
    assert_eq!(bytes, 0);
    assert_eq!(has(clinic), 0);
    assert!(
        !Path::new(&theirs).exists(),
        "the reader's file is gone too"
    );
    assert!(Path::new(&kept).exists(), "this one was to stay");

    let told = say(patient, &["sync"]).await;
    assert!(
        told.text.contains("Clinic purged its copy"),
        "{}",
        told.text
    );
    assert!(told.text.contains("keeps 1 file"), "{}", told.text);
    let shown = say(patient, &["record", "show", record]).await;
    assert_eq!(text(&shown, "/state"), "erased");
    assert_eq!(text(&shown, "/readers/0/name"), "Clinic");
    assert_eq!(shown.value["readers"][0]["filesKept"], 1);
    assert!(
        shown.text.contains("what cannot be undone"),
        "{}",
        shown.text
    );
    // The node of this world does not follow the chain: a node that still serves is told as that.
    let served = try_say(patient, &["verify", record]).await.unwrap_err();
    assert!(
        served.message.contains("it still gives 4 of its objects"),
        "{}",
        served.message
    );
    homes.node_erases().await;
    // Newcomer N29 and N30: a consent to it was "live", and times were seconds.
    for party in [patient, clinic] {
        let granted = say(party, &["grant", "list"]).await;
        assert!(
            granted
                .text
                .contains("opens nothing (the record was erased"),
            "{}",
            granted.text
        );
    }
    let requests = say(patient, &["request", "list"]).await;
    assert_eq!(requests.value, serde_json::json!([]), "it was answered");
    let at: jiff::Timestamp = text(&shown, "/at").parse().unwrap();
    assert!(shown.text.contains(&at.to_string()), "{}", shown.text);
    let export = ["record", "export", record, "--out", &out];
    let problem = try_say(patient, &export).await.unwrap_err();
    assert!(
        problem.message.contains(&format!("at {at}")),
        "{}",
        problem.message
    );
    let listed = say(patient, &["record", "list"]).await;
    assert_eq!(text(&listed, "/0/state"), "erased");
    assert!(listed.value[0]["title"].is_null(), "{}", listed.value);
    for words in [["verify", record], ["verify", &record[..12]]] {
        let verified = say(patient, &words).await;
        assert_eq!(verified.code, code::ERASED, "{}", verified.text);
        assert!(
            verified.text.contains("7 of 7 keepers signed"),
            "{}",
            verified.text
        );
        assert!(
            !verified.text.contains("store the record again"),
            "{}",
            verified.text
        );
    }
    // No older page stays in the vault's log.
    for home in ["patient", "clinic"] {
        let log = homes.folder.path().join(home).join("vault.db-wal");
        let length = std::fs::metadata(log).map_or(0, |log| log.len());
        assert!(
            length < 200_000,
            "{home}: {length} bytes, written after the wipe alone"
        );
    }
}

/// Newcomer: before its sync another device blamed node and keepers for what its owner had erased, and went on giving it.
#[tokio::test]
async fn another_device_that_sees_an_erasure_says_so_purges_and_blames_nobody() {
    let commands: [&[&str]; 4] = [
        &["doctor"],
        &["record", "verify"],
        &["record", "store"],
        &["request", "approve", "Clinic", "--days", "3", "--record"],
    ];
    for (seed, words) in (40..).zip(commands) {
        let homes = Homes::new(seed).await;
        let (patient, record) = (&homes.patient, homes.record.as_str());
        // An older copy of the home has the same contents.
        let tablet = homes.path("tablet");
        std::fs::create_dir(&tablet).unwrap();
        let vault = Vault::create(Path::new(&tablet), &[7; 32]).unwrap();
        let mut ports = homes.world.ports();
        ports.vault = Arc::new(VaultAdapter(Arc::new(vault)));
        let phrase = Phrase::generate(&mut SeededEntropy::new(1), Language::English);
        let restored = Party::restore(&phrase, Role::Person, ports).await;
        let (tablet, _) = restored.unwrap();
        let (before, out) = (homes.path("before.xml"), homes.path("after.xml"));
        say(&tablet, &["record", "export", record, "--out", &before]).await;
        say(&homes.clinic, &["request", "create", &homes.owner]).await;
        say(&tablet, &["sync"]).await;
        say(patient, &["record", "erase", record, "--yes"]).await;
        homes.node_erases().await;

        let is_doctor = words == ["doctor"];
        let words = match is_doctor {
            true => words.to_vec(),
            false => [words, &[record]].concat(),
        };
        let (code, told) = match try_say(&tablet, &words).await {
            Ok(answer) => (answer.code, answer.text),
            Err(problem) => (problem.code, problem.message),
        };
        // Of who did it the doctor says that it was not this device; a node or a keeper is to blame for nothing.
        let expected = if is_doctor {
            code::FAILED
        } else {
            code::ERASED
        };
        assert_eq!(code, expected, "{words:?}: {told}");
        assert!(told.contains("erased"), "{words:?}: {told}");
        let told: Vec<&str> = told
            .lines()
            .filter(|line| !line.starts_with("FAIL acts:"))
            .collect();
        let told = told.join("\n");
        for blame in ["operator", "lacks", "lost", "FAIL", "give them again"] {
            assert!(!told.contains(blame), "{words:?}: {told}");
        }
        // In the same act, before any sync.
        let vault = &tablet.ports().vault;
        let gone = homes
            .parts
            .iter()
            .all(|cid| vault.blob(cid).unwrap().is_none());
        assert!(gone, "{words:?}");
        assert!(!Path::new(&before).exists(), "{words:?}: its exported file");
        let export = ["record", "export", record, "--out", &out];
        let problem = try_say(&tablet, &export).await.unwrap_err();
        assert_eq!(problem.code, code::ERASED, "{words:?}: {}", problem.message);
        assert!(!Path::new(&out).exists(), "{words:?}");
        let shown = say(&tablet, &["record", "show", record]).await;
        let by = "by another device of yours, in block";
        assert!(shown.text.contains(by), "{}", shown.text);
        say(&tablet, &["sync"]).await;
        let healthy = say(&tablet, &["account", "acts", "--mine"]).await;
        assert_eq!(healthy.code, 0);
        assert_eq!(say(&tablet, &["doctor"]).await.code, 0);
    }
}

/// Newcomer N9: a reader that was told so before its sync could still write out its copy.
/// A receipt that no sync had taken was missing in what the erasure and `record show` said.
#[tokio::test]
async fn who_read_a_moment_before_the_erasure_is_named_at_once() {
    let homes = Homes::new(236).await;
    let (patient, record) = (&homes.patient, homes.record.as_str());
    say(&homes.clinic, &["read", record]).await;
    let erased = say(patient, &["record", "erase", record, "--yes"]).await;
    let check = |answer: &Answer, what: &str| {
        assert_eq!(text(answer, "/readers/0/name"), "Clinic", "{what}");
        assert_eq!(answer.value["readers"][0]["reads"], 1, "{what}");
        let block = answer.value["readersAsOfBlock"].as_u64().unwrap();
        for part in [
            "cleared to read it before: Clinic (1 receipt)".to_owned(),
            format!("as of block {block}, that of the erasure"),
        ] {
            assert!(answer.text.contains(&part), "{what}: {}", answer.text);
        }
        block
    };
    let block = check(&erased, "erase");
    assert_eq!(
        check(&say(patient, &["record", "show", record]).await, "show"),
        block
    );
    say(patient, &["sync"]).await;
    assert_eq!(
        check(&say(patient, &["record", "show", record]).await, "synced"),
        block
    );
}

#[tokio::test]
async fn a_copy_goes_with_the_first_refusal_before_any_sync() {
    for (end, expected) in [("erase", code::ERASED), ("revoke", code::REFUSED)] {
        let homes = Homes::new(4).await;
        let (patient, clinic, record) = (&homes.patient, &homes.clinic, homes.record.as_str());
        let theirs = homes.path("theirs.xml");
        say(clinic, &["read", record, "--out", &theirs]).await;
        let kept = say(clinic, &["read", record, "--kept"]).await;
        assert_eq!(text(&kept, "/record"), record);
        let words: &[&str] = match end {
            "erase" => &["record", "erase", record, "--yes"],
            _ => &["grant", "revoke", "--everything"],
        };
        say(patient, words).await;
        let out = homes.path("never.xml");
        for more in [["--out", &out].as_slice(), &["--kept", "--out", &out]] {
            let words = [&["read", record], more].concat();
            let problem = try_say(clinic, &words).await.unwrap_err();
            assert_eq!(problem.code, expected, "{words:?}: {}", problem.message);
            assert!(!Path::new(&out).exists(), "{words:?}");
        }
        let parts = &homes.parts;
        let vault = &clinic.ports().vault;
        assert!(parts.iter().all(|cid| vault.blob(cid).unwrap().is_none()));
        assert!(!Path::new(&theirs).exists());
        let told = say(patient, &["sync"]).await;
        // No file that somebody wrote out goes without a word, whatever command it went with; it is told once.
        let why = match end {
            "erase" => "its owner erased the record",
            _ => "the consent to read it was taken back",
        };
        let removed = format!("exported file removed: {theirs}: {why}");
        let synced = say(clinic, &["sync"]).await;
        assert!(synced.text.contains(&removed), "{end}: {}", synced.text);
        assert_eq!(synced.value["filesRemoved"].as_array().unwrap().len(), 1);
        let again = say(clinic, &["sync"]).await;
        assert!(!again.text.contains("file removed"), "{}", again.text);
        let told = format!("{}\n{}", told.text, say(patient, &["sync"]).await.text);
        assert!(told.contains("purged"), "the owner is told: {told}");
    }
}

/// Newcomer N16: right after the import "there is no record here".
#[tokio::test]
async fn a_record_that_is_on_its_way_is_shown_as_that() {
    let world = World::new(5);
    let folder = tempfile::tempdir().unwrap();
    let vault = Vault::create(folder.path(), &[7; 32]).unwrap();
    let patient = party(&world, 1, Role::Person, VaultAdapter(Arc::new(vault)));
    let file = document();
    let written = say(&patient, &["record", "import", file.to_str().unwrap()]).await;
    let record = text(&written, "/record");
    for name in [record.as_str(), &record[..12]] {
        let shown = say(&patient, &["record", "show", name]).await;
        assert_eq!(text(&shown, "/state"), "sent");
        assert!(shown.text.contains("not accepted yet"), "{}", shown.text);
        let erase = ["record", "erase", name, "--yes"];
        let problem = try_say(&patient, &erase).await.unwrap_err();
        assert_eq!(problem.code, code::UNKNOWN);
        let said = problem.message;
        assert!(said.contains("run `medibloc sync` first"), "{said}");
    }
    let listed = say(&patient, &["record", "list"]).await;
    assert_eq!(text(&listed, "/0/record"), record);
    assert!(listed.text.contains("sent, not accepted yet"));
    say(&patient, &["sync"]).await;
    let listed = say(&patient, &["record", "list"]).await;
    assert_eq!(listed.value.as_array().unwrap().len(), 1);
    assert_eq!(text(&listed, "/0/state"), "accepted");
    say(&patient, &["record", "erase", &record, "--yes"]).await;
    let listed = say(&patient, &["record", "list"]).await;
    assert_eq!(listed.value.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_changed_file_is_left_and_named_and_all_are_with_keep_exports() {
    for keep in [false, true] {
        let homes = Homes::new(2).await;
        let (patient, record) = (&homes.patient, homes.record.as_str());
        let (same, changed) = (homes.path("same.xml"), homes.path("changed.xml"));
        for path in [&same, &changed] {
            say(patient, &["record", "export", record, "--out", path]).await;
        }
        std::fs::write(&changed, b"with my notes").unwrap();
        let mut words = vec!["record", "erase", record, "--yes"];
        if keep {
            words.push("--keep-exports");
        }
        let done = say(patient, &words).await;
        assert_eq!(Path::new(&same).exists(), keep);
        assert!(Path::new(&changed).exists());
        assert!(done.text.contains("changed.xml"), "{}", done.text);
        let shown = say(patient, &["record", "show", record]).await;
        assert!(shown.text.contains("changed.xml"), "{}", shown.text);
    }
}

/// Newcomer 21: something that is left to do is an exit code of its own.
#[tokio::test]
async fn what_is_only_begun_says_so_by_its_exit_code() {
    let world = World::new(3);
    let folder = tempfile::tempdir().unwrap();
    let vault = Vault::create(folder.path(), &[7; 32]).unwrap();
    let patient = party(&world, 1, Role::Person, VaultAdapter(Arc::new(vault)));
    for index in 1..=4 {
        world.set_down(index, true);
    }
    let file = document();
    let written = say(&patient, &["record", "import", file.to_str().unwrap()]).await;
    assert_eq!(
        (written.value["acknowledged"].as_u64(), written.code),
        (Some(3), code::PARTIAL)
    );
    assert_eq!(say(&patient, &["sync"]).await.code, code::PARTIAL);
    for index in 1..=4 {
        world.set_down(index, false);
    }
    let done = say(&patient, &["sync"]).await;
    assert_eq!(done.code, 0);
    let record = text(&written, "/record");
    let told = format!("done: record {record} is stored and anchored; all 7 keepers");
    assert!(done.text.contains(&told), "{}", done.text);
    assert!(!say(&patient, &["sync"]).await.text.contains(&told), "once");
}

/// Newcomer N12: the same document was made a second record without a word.
#[tokio::test]
async fn the_same_document_is_written_twice_only_if_that_is_said() {
    let homes = Homes::new(6).await;
    let (patient, clinic, record) = (&homes.patient, &homes.clinic, homes.record.as_str());
    let file = document();
    let import = ["record", "import", file.to_str().unwrap()];
    let problem = try_say(patient, &import).await.unwrap_err();
    assert_eq!(problem.code, code::ALREADY);
    let said = problem.message;
    assert!(said.contains(record) && said.contains("--again"), "{said}");
    // For somebody else it is another document.
    let clinics = text(&say(clinic, &import).await, "/record");
    let problem = try_say(clinic, &import).await.unwrap_err();
    assert!(problem.message.contains(&clinics), "{}", problem.message);
    let again = [import.as_slice(), &["--again"]].concat();
    assert_ne!(text(&say(patient, &again).await, "/record"), record);
    say(patient, &["sync"]).await;
    for listed in say(patient, &["record", "list"])
        .await
        .value
        .as_array()
        .unwrap()
    {
        let id = listed["record"].as_str().unwrap();
        say(patient, &["record", "erase", id, "--yes"]).await;
    }
    // What was erased is written anew if that is said.
    let problem = try_say(patient, &import).await.unwrap_err();
    assert_eq!(problem.code, code::ERASED);
    say(patient, &again).await;
}
