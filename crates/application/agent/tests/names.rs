//! What a begin of an id or of a name may do: it is judged by everything that the lists show, it is never empty, and what
//! nobody can undo needs a long one.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Parser;
use medibloc_agent::answer::code;
use medibloc_agent::{Answer, Command, Problem, run};
use medibloc_journey::Party;
use medibloc_journey::memory::World;
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_record::Role;
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
    try_say(party, words).await.unwrap().value
}

async fn refused(party: &Party, words: &[&str], with: u8) -> String {
    let problem = try_say(party, words).await.unwrap_err();
    assert_eq!(problem.code, with, "{words:?}: {problem}");
    problem.message
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).unwrap().as_str().unwrap().to_owned()
}

fn party(world: &Arc<World>, seed: u64, role: Role) -> Party {
    let phrase = Phrase::generate(&mut SeededEntropy::new(seed), Language::English);
    Party::new(phrase.seed(), role, world.ports())
}

fn document() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../testdata/cda");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "xml"))
        .collect();
    files.sort();
    std::fs::read_to_string(files.remove(0)).unwrap()
}

/// A patient, a clinic that it knows, and a folder for documents.
struct Two {
    patient: Party,
    clinic: Party,
    owner: String,
    folder: tempfile::TempDir,
    written: std::cell::Cell<usize>,
}

impl Two {
    async fn new(world: &Arc<World>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let patient = party(world, 1, Role::Person);
        let clinic = party(world, 2, Role::Provider);
        say(&clinic, &["account", "register"]).await;
        let credential = folder.path().join("credential");
        let jwt = world.accredit(clinic.account().id(), "Clinic");
        std::fs::write(&credential, jwt).unwrap();
        let words = ["account", "credential", credential.to_str().unwrap()];
        say(&clinic, &words).await;
        let invitation = text(&say(&patient, &["contact", "invite"]).await, "/invitation");
        let accepted = say(&clinic, &["contact", "accept", &invitation]).await;
        say(&patient, &["sync"]).await;
        say(&patient, &["contact", "confirm", "clinic"]).await;
        let written = std::cell::Cell::new(0);
        Self {
            owner: text(&accepted, "/owner"),
            patient,
            clinic,
            folder,
            written,
        }
    }

    /// A document that no other is.
    fn document(&self) -> String {
        self.written.set(self.written.get() + 1);
        let number = self.written.get();
        let path = self.folder.path().join(format!("{number}.xml"));
        let text = document().replace("Consultation", &format!("Number {number}"));
        std::fs::write(&path, format!("{text}{}", "\n".repeat(number))).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// An own record that is sent, and that no sync has taken.
    async fn sent(&self) -> String {
        let file = self.document();
        text(
            &say(&self.patient, &["record", "import", &file]).await,
            "/record",
        )
    }

    async fn accepted(&self) -> String {
        let record = self.sent().await;
        say(&self.patient, &["sync"]).await;
        record
    }
}

/// A begin that fits a record that is accepted and one that is only sent names neither of them.
#[tokio::test]
async fn a_begin_is_judged_by_everything_that_the_list_shows() {
    let world = World::new(201);
    let two = Two::new(&world).await;
    let accepted = two.accepted().await;
    let begin = &accepted[..3];
    let mut alike = two.sent().await;
    while !alike.starts_with(begin) {
        alike = two.sent().await;
    }
    let out = two.folder.path().join("out").to_str().unwrap().to_owned();
    for words in [
        ["record", "erase", begin, "--yes"].as_slice(),
        &["record", "show", begin],
        &["record", "verify", begin],
        &["record", "store", begin],
        &["record", "export", begin, "--out", &out],
        &["grant", "create", "--to", "clinic", "--record", begin],
        &["read", begin],
        &["verify", begin],
    ] {
        let told = refused(&two.patient, words, code::UNKNOWN).await;
        for id in [&accepted, &alike] {
            assert!(told.contains(&id[..12]), "{words:?}: {told}");
        }
        assert!(told.contains("fits 2 of them"), "{words:?}: {told}");
    }
    assert_eq!(
        text(
            &say(&two.patient, &["record", "show", &accepted]).await,
            "/state"
        ),
        "accepted"
    );

    // The same for what was erased, what was refused, and what is somebody else's.
    say(&two.patient, &["sync"]).await;
    say(&two.patient, &["record", "erase", &alike, "--yes"]).await;
    let words = ["record", "erase", begin, "--yes"];
    let told = refused(&two.patient, &words, code::UNKNOWN).await;
    assert!(told.contains("erased"), "{told}");
    println!("ATTACK begin-1: a begin that fits a sent record, too, erases 0 records");
}

/// Held records and those that were written for others are judged, too.
#[tokio::test]
async fn a_begin_of_what_is_held_or_written_for_others_is_no_own_record() {
    let world = World::new(202);
    let two = Two::new(&world).await;
    let record = two.accepted().await;
    let grant = ["grant", "create", "--to", "clinic", "--record", &record];
    let given = text(&say(&two.patient, &grant).await, "/grant");
    say(&two.clinic, &["sync"]).await;
    let erase = ["record", "erase", &record[..10], "--yes"];
    let told = refused(&two.clinic, &erase, code::UNKNOWN).await;
    assert!(told.contains("is somebody else's"), "{told}");
    let revoke = ["grant", "revoke", &given[..10]];
    let told = refused(&two.clinic, &revoke, code::UNKNOWN).await;
    assert!(told.contains("was given to you"), "{told}");

    let write = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &write).await;
    let file = two.document();
    let import = ["record", "import", &file, "--for", &two.owner];
    let written = text(&say(&two.clinic, &import).await, "/record");
    let erase = ["record", "erase", &written[..10], "--yes"];
    let told = refused(&two.clinic, &erase, code::UNKNOWN).await;
    assert!(told.contains("written here for somebody else"), "{told}");
}

/// The only record there is was erased by `''`, by `0x` and by a blank.
#[tokio::test]
async fn an_empty_begin_names_nothing() {
    let world = World::new(203);
    let two = Two::new(&world).await;
    let record = two.accepted().await;
    let create = ["request", "create", &two.owner];
    say(&two.clinic, &create).await;
    say(&two.patient, &["sync"]).await;
    let grant = ["grant", "create", "--to", "clinic", "--record", &record];
    say(&two.patient, &grant).await;
    say(&two.clinic, &["sync"]).await;
    let file = two.document();
    let out = two.folder.path().join("out").to_str().unwrap().to_owned();
    for empty in ["", "0x", "0X", " ", " 0x ", "\t"] {
        for words in [
            ["record", "erase", empty, "--yes"].as_slice(),
            &["record", "show", empty],
            &["record", "verify", empty],
            &["record", "store", empty],
            &["record", "export", empty, "--out", &out],
            &["record", "import", &file, "--amends", empty],
            &["grant", "create", "--to", "clinic", "--record", empty],
            &["grant", "create", "--to", empty, "--write"],
            &["grant", "revoke", empty],
            &["grant", "revoke", "--contact", empty],
            &["request", "approve", empty, "--record", &record],
            &["request", "deny", empty],
            &["contact", "confirm", empty],
            &["account", "rotate", empty],
            &["verify", empty],
        ] {
            let told = refused(&two.patient, words, code::USAGE).await;
            assert!(told.contains("give its id"), "{words:?}: {told}");
        }
        for words in [
            ["read", empty].as_slice(),
            &["request", "create", empty],
            &["record", "import", &file, "--for", empty],
        ] {
            let told = refused(&two.clinic, words, code::USAGE).await;
            assert!(told.contains("give its id"), "{words:?}: {told}");
        }
    }
    assert_eq!(
        text(&say(&two.patient, &["record", "list"]).await, "/0/state"),
        "accepted"
    );
    println!("ATTACK begin-2: an empty begin erases 0 records");
}

/// Five digits show a record and do nothing to it; six do.
#[tokio::test]
async fn what_nobody_can_undo_needs_six_digits_and_says_what_it_was() {
    let world = World::new(204);
    let two = Two::new(&world).await;
    let write = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &write).await;
    let file = two.document();
    let import = ["record", "import", &file, "--for", &two.owner];
    let record = text(&say(&two.clinic, &import).await, "/record");
    say(&two.patient, &["sync"]).await;
    say(&two.clinic, &["request", "create", &two.owner]).await;
    say(&two.patient, &["sync"]).await;
    let request = text(&say(&two.patient, &["request", "list"]).await, "/0/id");
    let given = text(&say(&two.patient, &["grant", "list"]).await, "/given/0/id");
    let (short, five) = (&record[..7], &given[..7]);
    say(&two.patient, &["record", "show", short]).await;
    for words in [
        ["record", "erase", short, "--yes"].as_slice(),
        &["record", "erase", &record[2..7], "--yes"],
        &["record", "store", short],
        &["record", "import", &file, "--amends", short],
        &["grant", "create", "--to", "clinic", "--record", short],
        &["grant", "create", "--to", "c", "--record", &record],
        &["grant", "revoke", five],
        &["grant", "revoke", "--contact", "cl"],
        &["request", "approve", &request[..5], "--record", &record],
        &["request", "deny", &request[..5]],
        &["account", "rotate", &two.owner[..7]],
    ] {
        let told = refused(&two.patient, words, code::USAGE).await;
        assert!(told.contains("too short to act"), "{words:?}: {told}");
    }
    let create = ["request", "create", &two.owner[..7]];
    let told = refused(&two.clinic, &create, code::USAGE).await;
    assert!(told.contains("too short to act"), "{told}");

    let title = text(
        &say(&two.patient, &["record", "show", &record]).await,
        "/title",
    );
    let grant = ["grant", "create", "--to", "cli", "--record", &record[..8]];
    let granted = try_say(&two.patient, &grant).await.unwrap();
    let ask = try_say(&two.patient, &["record", "erase", &record[..8]])
        .await
        .unwrap_err();
    let erase = ["record", "erase", &record[2..8], "--yes"];
    let erased = try_say(&two.patient, &erase).await.unwrap();
    for told in [granted.text, ask.message, erased.text] {
        for part in [record.as_str(), &title, "by Clinic", "20"] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }
}
