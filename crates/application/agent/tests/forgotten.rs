//! What the memory of an owner's and a reader's home holds after an erasure, with the program's allocator.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::Path;
use std::sync::Arc;

use clap::Parser;
use medibloc_agent::ports::VaultAdapter;
use medibloc_agent::{Answer, Command, run};
use medibloc_dag::{Cid, cbor};
use medibloc_evil::memory::{Piece, count};
use medibloc_journey::Party;
use medibloc_journey::memory::World;
use medibloc_keys::{Language, Phrase, SeededEntropy, Slot};
use medibloc_record::{Capsule, Role};
use medibloc_seal::{RecordParties, open_capsule};
use medibloc_vault::Vault;
use zeroizing_alloc::ZeroAlloc;

#[global_allocator]
static WIPING: ZeroAlloc<std::alloc::System> = ZeroAlloc(std::alloc::System);

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

async fn say(party: &Party, words: &[&str]) -> Answer {
    let line = Line::try_parse_from([&["medibloc"], words].concat()).unwrap();
    run::run(party, None, &line.command).await.unwrap()
}

fn text(answer: &Answer, pointer: &str) -> String {
    let found = answer.value.pointer(pointer);
    found.unwrap().as_str().unwrap().to_owned()
}

fn phrase(seed: u64) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}

fn party(world: &Arc<World>, seed: u64, role: Role, home: &Path) -> Party {
    std::fs::create_dir(home).unwrap();
    let vault = Vault::create(home, &[7; 32]).unwrap();
    // As `serve` does.
    vault.wipe_what_is_freed().unwrap();
    let vault = VaultAdapter(Arc::new(vault));
    Party::new(phrase(seed).seed(), role, world.ports_with(Arc::new(vault)))
}

/// The keys of a record's parts, and the owner's half.
fn keys(owner: &Party, phrase: &Phrase, record: &str) -> Vec<Piece> {
    let kept = owner.record(record.parse().unwrap()).unwrap();
    let parts = kept.manifest.unwrap().parts;
    let pieces = parts.iter().map(|part| Piece::of(part.key.expose()));
    let cid = Cid::from_dag_cbor_digest(kept.anchor.capsule.to_bytes());
    let capsule = owner.ports().vault.blob(&cid).unwrap().unwrap();
    let capsule: Capsule = cbor::from_slice(&capsule).unwrap();
    let parties = RecordParties {
        record: kept.anchor.record_id(),
        author: kept.anchor.author,
        owner: kept.anchor.owner,
    };
    let slots = (0..8).map(Slot::Relationship).chain([Slot::Account]);
    let half = slots.into_iter().find_map(|slot| {
        let secret = phrase.seed().sealing(slot, 1);
        let content = open_capsule(&capsule, &secret, &parties, &owner.ports().domain).ok()?;
        Some(Piece::of(content.owner_half.expose()))
    });
    pieces.chain([half.unwrap()]).collect()
}

/// Fifteen places of a document, each of 32 bytes; its first line is in every document.
fn words(document: &Path) -> Vec<Piece> {
    let bytes = std::fs::read(document).unwrap();
    let places = bytes.chunks(bytes.len() / 16);
    places
        .skip(1)
        .take(15)
        .map(|at| Piece::of(&at[..32]))
        .collect()
}

fn found(pieces: &[Piece]) -> Vec<usize> {
    count(std::process::id(), pieces).unwrap()
}

#[tokio::test]
async fn no_key_and_no_word_of_an_erased_record_is_left_in_the_memory_of_its_homes() {
    if !Path::new("/proc/self/mem").exists() {
        println!("SKIPPED memory: no /proc/self/mem");
        return;
    }
    let (world, folder) = (World::new(1), tempfile::tempdir().unwrap());
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let patient = party(&world, 1, Role::Person, &folder.path().join("patient"));
    let clinic = party(&world, 2, Role::Provider, &folder.path().join("clinic"));
    say(&clinic, &["account", "register"]).await;
    let credential = path("credential");
    std::fs::write(&credential, world.accredit(clinic.account().id(), "Clinic")).unwrap();
    say(&clinic, &["account", "credential", &credential]).await;
    let invited = say(&patient, &["contact", "invite"]).await;
    let accept = ["contact", "accept", &text(&invited, "/invitation")];
    let owner = text(&say(&clinic, &accept).await, "/owner");
    say(&patient, &["sync"]).await;
    say(&patient, &["contact", "confirm", "clinic"]).await;
    let document =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../testdata/cda/consultation_note.xml");
    let written = say(&patient, &["record", "import", document.to_str().unwrap()]).await;
    let record = text(&written, "/record");
    say(&patient, &["sync"]).await;
    say(&clinic, &["request", "create", &owner, "--reason", "care"]).await;
    say(&patient, &["sync"]).await;
    let approve = ["request", "approve", "Clinic", "--record", &record];
    say(&patient, &approve).await;
    say(&clinic, &["sync"]).await;
    say(&clinic, &["read", &record, "--out", &path("theirs.xml")]).await;
    let export = ["record", "export", &record, "--out", &path("mine.xml")];
    say(&patient, &export).await;

    let keys = keys(&patient, &phrase(1), &record);
    let words = words(&document);
    let held = patient.record(record.parse().unwrap()).unwrap();
    let before = found(&keys);
    let parts = held.manifest.as_ref().unwrap().parts.len();
    assert!(before[..parts].iter().all(|found| *found > 0), "{before:?}");
    drop(held);
    say(&patient, &["record", "erase", &record, "--yes"]).await;
    say(&clinic, &["sync"]).await;
    say(&patient, &["sync"]).await;
    let (after, text) = (found(&keys), found(&words));
    assert!(
        after.iter().all(|found| *found == 0),
        "{after:?}, {before:?} before"
    );
    assert!(text.iter().all(|found| *found == 0), "{text:?}");
    println!(
        "ATTACK twelfth-f2: {} copies of {} keys and {} of {} places of an erased record in the memory of its owner's and a reader's home; before it had {}",
        after.iter().sum::<usize>(),
        keys.len(),
        text.iter().sum::<usize>(),
        words.len(),
        before.iter().sum::<usize>()
    );
}
