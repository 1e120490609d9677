//! A disk that is full, for real: whatever a person takes back is taken back all the same. In a file of its own: a process
//! that is being started holds every lock for a moment.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::sync::Arc;

use clap::Parser;
use medibloc_agent::ports::VaultAdapter;
use medibloc_agent::{Answer, Command, Problem, answer::code, run};
use medibloc_journey::memory::World;
use medibloc_journey::{Party, VaultPort as _};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_ledger::Event;
use medibloc_ledger::Events as _;
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

fn text(answer: &Answer, pointer: &str) -> String {
    let found = answer.value.pointer(pointer);
    found.unwrap().as_str().unwrap().to_owned()
}

fn party(world: &Arc<World>, seed: u64, role: Role, home: &Path) -> Party {
    std::fs::create_dir_all(home).unwrap();
    let key = [7; 32];
    let vault = Vault::create(home, &key).or_else(|_| Vault::open(home, &key));
    let vault = VaultAdapter(Arc::new(vault.unwrap()));
    // As the program does when it opens a home.
    vault.keep_reserve();
    let phrase = Phrase::generate(&mut SeededEntropy::new(seed), Language::English);
    Party::new(phrase.seed(), role, world.ports_with(Arc::new(vault)))
}

fn document() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../testdata/cda");
    let files = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "xml"));
    files.sort();
    files.remove(0)
}

/// Newcomer: `no space left for the vault`, and nothing was revoked, erased or queued.
#[test]
fn what_takes_back_works_on_a_full_disk() {
    let folder = tempfile::tempdir().unwrap();
    let run = |words: &[&str]| {
        let done = Process::new(words[0])
            .args(&words[1..])
            .arg(folder.path())
            .output();
        done.is_ok_and(|done| done.status.success())
    };
    if !run(&["mount", "-t", "tmpfs", "-o", "size=32m,mode=0700", "tmpfs"]) {
        println!("SKIPPED mount/take-back: a small file system cannot be mounted here");
        return;
    }
    let tried = std::panic::catch_unwind(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        for (seed, what) in (60..).zip(["one", "contact", "everything", "erase"]) {
            runtime.block_on(take_back(&folder.path().join(what), seed, what));
        }
        runtime.block_on(give_out(&folder.path().join("out")));
    });
    assert!(run(&["umount", "-l"]));
    if let Err(panic) = tried {
        std::panic::resume_unwind(panic);
    }
    println!("ATTACK newcomer-full-disk: what takes back is done on a full disk");
}

/// The room was kept aside again by the next command alone: a second act on a disk that filled meanwhile found none.
#[tokio::test]
async fn the_command_that_used_the_room_keeps_it_aside_again() {
    let home = tempfile::tempdir().unwrap();
    let world = World::new(70);
    let patient = party(&world, 1, Role::Person, home.path());
    let file = document();
    let written = say(&patient, &["record", "import", file.to_str().unwrap()]).await;
    let record = text(&written, "/record");
    say(&patient, &["sync"]).await;
    let reserve = home.path().join("reserve");
    for words in [
        ["record", "erase", &record, "--yes"].as_slice(),
        &["grant", "revoke", "--everything"],
    ] {
        // What is made anew is filled by chance.
        std::fs::write(&reserve, vec![0; 4 << 20]).unwrap();
        say(&patient, words).await;
        let kept = std::fs::read(&reserve).unwrap();
        assert_eq!(kept.len(), 4 << 20, "{words:?}");
        assert!(kept.iter().any(|byte| *byte != 0), "{words:?}: it was used");
    }
}

/// Fills the disk of a home to its last byte.
fn fill(home: &Path) -> PathBuf {
    let filler = home.join("filler");
    let mut full = std::fs::File::create(&filler).unwrap();
    let fill = [1; 512];
    while std::io::Write::write_all(&mut full, &fill).is_ok() {}
    filler
}

/// A patient, whose record a clinic was given, with the consent and the document.
struct Story {
    world: Arc<World>,
    patient: Party,
    clinic: Party,
    record: String,
    given: String,
    file: PathBuf,
}

async fn story(seed: u64, home: &Path, elsewhere: &Path) -> Story {
    let world = World::new(seed);
    let patient = party(&world, 1, Role::Person, home);
    let clinic = party(&world, 2, Role::Provider, elsewhere);
    say(&clinic, &["account", "register"]).await;
    let credential = elsewhere.join("credential");
    std::fs::write(&credential, world.accredit(clinic.account().id(), "Clinic")).unwrap();
    let words = ["account", "credential", credential.to_str().unwrap()];
    say(&clinic, &words).await;
    let invitation = text(&say(&patient, &["contact", "invite"]).await, "/invitation");
    let accepted = say(&clinic, &["contact", "accept", &invitation]).await;
    let owner = text(&accepted, "/owner");
    say(&patient, &["sync"]).await;
    say(&patient, &["contact", "confirm", "clinic"]).await;
    let file = document();
    let written = say(&patient, &["record", "import", file.to_str().unwrap()]).await;
    let record = text(&written, "/record");
    say(&patient, &["sync"]).await;
    say(&clinic, &["request", "create", &owner, "--reason", "care"]).await;
    say(&patient, &["sync"]).await;
    let words = ["request", "approve", "Clinic", "--record", &record];
    say(&patient, &words).await;
    let given = text(&say(&patient, &["grant", "list"]).await, "/given/0/id");
    Story {
        world,
        patient,
        clinic,
        record,
        given,
        file,
    }
}

/// Newcomer: `no space left for the vault`, though nothing new was to be kept but where the file is.
async fn give_out(folder: &Path) {
    let (home, reader) = (folder.join("owner"), folder.join("reader"));
    let told = story(69, &home, &reader).await;
    say(&told.clinic, &["sync"]).await;
    say(&told.clinic, &["read", &told.record]).await;
    let world = told.world.clone();
    drop((told.patient, told.clinic));
    let patient = party(&world, 1, Role::Person, &home);
    let clinic = party(&world, 2, Role::Provider, &reader);
    let filler = fill(folder);
    let other = tempfile::tempdir().unwrap();
    let out = |name: &str| other.path().join(name).display().to_string();
    let (a, b) = (out("a"), out("b"));
    for (of, words) in [
        (&patient, ["record", "export", &told.record, "--out", &a]),
        (&patient, ["record", "export", &told.record, "--out", "-"]),
        (&clinic, ["read", &told.record, "--kept", "--out", &b]),
    ] {
        let done = try_say(of, &words).await;
        done.unwrap_or_else(|problem| panic!("{words:?}: {problem}"));
    }
    let text = std::fs::read(&told.file).unwrap();
    for file in [&a, &b] {
        assert_eq!(std::fs::read(file).unwrap(), text, "{file}");
    }
    // They were remembered, and there is room yet to take the record back.
    let erased = try_say(&patient, &["record", "erase", &told.record, "--yes"]).await;
    erased.unwrap_or_else(|problem| panic!("erase: {problem}"));
    assert!(!Path::new(&a).exists());
    std::fs::remove_file(&filler).unwrap();
    say(&clinic, &["sync"]).await;
    assert!(!Path::new(&b).exists());
}

async fn take_back(home: &Path, seed: u64, what: &str) {
    let elsewhere = tempfile::tempdir().unwrap();
    let Story {
        world,
        patient,
        clinic: _,
        record,
        given,
        file,
    } = story(seed, home, elsewhere.path()).await;
    // Opened anew, so that what it keeps for itself is not in its log.
    drop(patient);
    let patient = party(&world, 1, Role::Person, home);
    let filler = fill(home);
    let bytes = file.to_str().unwrap();
    // What is new does not fit.
    let told = try_say(&patient, &["record", "import", bytes, "--again"]).await;
    let told = told.unwrap_err();
    assert!(told.message.contains("no space left"), "{what}: {told}");

    let words: &[&str] = match what {
        "one" => &["grant", "revoke", &given],
        "contact" => &["grant", "revoke", "--contact", "Clinic"],
        "everything" => &["grant", "revoke", "--everything"],
        _ => &["record", "erase", &record, "--yes"],
    };
    let told = try_say(&patient, words).await;
    let told = told.unwrap_or_else(|problem| panic!("{what}: {problem}"));
    assert_eq!(told.code, 0, "{what}: {}", told.text);
    let blocks = world.ledger.events(0, u32::MAX).await.unwrap();
    let events = blocks.iter().flat_map(|block| &block.events);
    let ended = events.filter(|event| {
        matches!(
            event,
            Event::Revoked { .. } | Event::AllRevoked { .. } | Event::Erased { .. }
        )
    });
    assert_eq!(ended.count(), 1, "{what}");
    if what != "erase" {
        let given = say(&patient, &["grant", "list"]).await;
        assert_eq!(text(&given, "/given/0/state"), "revoked", "{what}");
    } else {
        let told = try_say(&patient, &["record", "export", &record, "--out", "-"]).await;
        assert_eq!(told.unwrap_err().code, code::ERASED);
    }
    // With room again it goes on as ever, and room is kept aside again.
    std::fs::remove_file(&filler).unwrap();
    say(&patient, &["sync"]).await;
    let reserve = std::fs::metadata(home.join("reserve")).unwrap();
    assert_eq!(reserve.len(), 4 << 20, "{what}");
    drop(patient);
    std::fs::remove_dir_all(home).unwrap();
}
