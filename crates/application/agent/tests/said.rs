//! What an author says of a record later reaches whoever holds or read it: that it was taken back, and what corrects it.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use std::sync::Arc;

use clap::error::ErrorKind;
use medibloc_agent::answer::code;
use medibloc_journey::memory::World;
use medibloc_journey::{Party, SyncReport};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_ledger::{Facts, LedgerError};
use medibloc_record::Role;
use serde_json::Value;
use two::{Two, refused, say, text, try_say, why_not, with_ports};

async fn writing(seed: u64) -> (Arc<World>, Two) {
    let world = World::new(seed);
    let two = Two::new(&world).await;
    let write = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &write).await;
    (world, two)
}

async fn receipts(reader: &Party) -> usize {
    let audit = say(reader, &["audit"]).await;
    audit["ownReads"].as_array().unwrap().len()
}

/// A chain that does not answer.
struct Silent;

fn silent<T>() -> Result<T, LedgerError> {
    Err(LedgerError::Unreachable {
        from: "the chain".into(),
        why: "no answer".into(),
    })
}

#[async_trait::async_trait]
impl Facts for Silent {
    async fn head(&self) -> Result<medibloc_ledger::Head, LedgerError> {
        silent()
    }
    async fn account_of(
        &self,
        _: medibloc_record::Address,
    ) -> Result<Option<medibloc_record::AccountId>, LedgerError> {
        silent()
    }
    async fn account_at(
        &self,
        _: medibloc_record::Address,
        _: u64,
    ) -> Result<Option<medibloc_record::AccountId>, LedgerError> {
        silent()
    }
    async fn account(
        &self,
        _: medibloc_record::AccountId,
    ) -> Result<Option<medibloc_ledger::AccountFacts>, LedgerError> {
        silent()
    }
    async fn standing(
        &self,
        _: medibloc_record::AccountId,
        _: medibloc_record::Timestamp,
    ) -> Result<medibloc_ledger::Standing, LedgerError> {
        silent()
    }
    async fn record(
        &self,
        _: medibloc_record::RecordId,
    ) -> Result<Option<medibloc_ledger::RecordFacts>, LedgerError> {
        silent()
    }
    async fn is_anchored(&self, _: &medibloc_consent::AnchorFields) -> Result<bool, LedgerError> {
        silent()
    }
    async fn grant(
        &self,
        _: &medibloc_consent::Grant,
    ) -> Result<medibloc_ledger::GrantFacts, LedgerError> {
        silent()
    }
    async fn committee(&self) -> Result<medibloc_ledger::CommitteeFacts, LedgerError> {
        silent()
    }
    async fn committee_of(
        &self,
        _: u32,
    ) -> Result<Option<medibloc_ledger::CommitteeFacts>, LedgerError> {
        silent()
    }
}

/// A home, and the same while the chain is away.
fn home(world: &Arc<World>, seed: u64) -> (Party, Party) {
    let ports = world.ports();
    let mut away = ports.clone();
    away.facts = Arc::new(Silent);
    (
        with_ports(ports, seed, Role::Provider),
        with_ports(away, seed, Role::Provider),
    )
}

#[tokio::test]
async fn nobody_opens_what_was_taken_back_without_saying_that_it_is_meant() {
    let (world, two) = writing(261).await;
    let (reader, away) = home(&world, 3);
    two.know(&world, &reader).await;
    let record = two.written(&[]).await;
    let read_before = two.written(&[]).await;
    for record in [&record, &read_before] {
        two.give(record).await;
    }
    say(&reader, &["sync"]).await;
    say(&reader, &["read", &read_before]).await;
    for record in [&record, &read_before] {
        say(&two.clinic, &["record", "retract", record, "--yes"]).await;
    }
    let before = receipts(&reader).await;
    // The chain says so, whether a sync took it or not.
    for syncs in [false, true] {
        if syncs {
            let synced = try_say(&reader, &["sync"]).await.unwrap();
            let told = synced.value["takenBack"].as_array().unwrap();
            assert_eq!(told.len(), 2, "{}", synced.text);
            let told = told.iter().find(|told| told["record"] == *read_before);
            let told = told.unwrap();
            assert_eq!(text(told, "/owner"), two.owner);
            assert!(told["readAt"].is_string() && told["title"].is_string());
            assert!(told["retractedAt"]["block"].is_number(), "{told}");
            assert!(synced.text.contains("which you read on"), "{}", synced.text);
        }
        for words in [
            ["read", &record].as_slice(),
            &["read", &record, "--now", "--yes"],
        ] {
            let told = refused(&reader, words, code::REFUSED).await;
            for part in [
                "taken back by its author at ",
                "block",
                "nothing was signed",
                "--retracted",
            ] {
                assert!(told.contains(part), "{part}: {told}");
            }
        }
        assert_eq!(receipts(&reader).await, before);
    }
    // With the chain away the home knows it still, and shows nothing of which it does not know what became of it.
    let list = try_say(&away, &["grant", "list"]).await.unwrap();
    assert!(
        list.text.contains("taken back by its author at "),
        "{}",
        list.text
    );
    let kept = ["read", &read_before, "--kept"];
    refused(&away, &kept, code::UNREACHABLE).await;
    let kept = try_say(&reader, &kept).await.unwrap();
    assert_eq!(kept.value["retracted"], true);
    assert!(
        kept.text.contains("ITS AUTHOR TOOK IT BACK at "),
        "{}",
        kept.text
    );
    let read = try_say(&reader, &["read", &record, "--retracted"])
        .await
        .unwrap();
    assert_eq!(read.value["retracted"], true);
    assert!(
        read.value["retractedAt"]["at"].is_string(),
        "{}",
        read.value
    );
    assert_eq!(receipts(&reader).await, before + 1);
    // Its lines say what became of what was read.
    let audit = try_say(&reader, &["audit"]).await.unwrap();
    for line in audit.value["ownReads"].as_array().unwrap() {
        assert!(line["retractedAt"]["block"].is_number(), "{line}");
    }
    assert!(
        audit.text.contains("taken back by its author at "),
        "{}",
        audit.text
    );
    // Whose it is, and who wrote it, see when.
    for (home, words) in [
        (&two.patient, vec!["record", "show", &record]),
        (&two.clinic, vec!["record", "show", &record]),
        (&two.clinic, vec!["record", "list", "--written"]),
    ] {
        say(home, &["sync"]).await;
        let shown = try_say(home, &words).await.unwrap();
        let one = shown.value.pointer("/0").unwrap_or(&shown.value);
        assert!(one["retractedAt"]["block"].is_number(), "{}", shown.value);
    }
}

/// A thief of the author's key takes back what is right before it is suspended: its owner could give it to nobody any more.
#[tokio::test]
async fn what_was_taken_back_is_given_on_alone_if_its_owner_says_so() {
    let (world, two) = writing(265).await;
    let reader = two.reader(&world, 3).await;
    let (offered, asked) = (two.written(&[]).await, two.written(&[]).await);
    for record in [&offered, &asked] {
        say(&two.clinic, &["record", "retract", record, "--yes"]).await;
    }
    world.ledger.suspend(two.clinic.account().id());
    let create = ["grant", "create", "--to", "reader", "--record", &offered];
    let told = refused(&two.patient, &create, code::REFUSED).await;
    for part in ["taken back by its author", "--retracted"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let all = ["grant", "create", "--to", "reader", "--all"];
    say(&two.patient, &all).await;

    // By an offer, before a sync took the retraction, and by an answer after it.
    let meant = |words: &[&str]| [words, &["--retracted"]].concat().join(" ");
    let create = meant(&create);
    let owner = text(&say(&reader, &["contact", "list"]).await, "/owners/0/owner");
    say(&reader, &["request", "create", &owner]).await;
    let approve = meant(&["request", "approve", "reader", "--record", &asked]);
    for (record, words) in [(&offered, create), (&asked, approve)] {
        let words: Vec<&str> = words.split(' ').collect();
        let given = try_say(&two.patient, &words).await.unwrap();
        assert!(
            given.value["retractedAt"]["block"].is_number(),
            "{}",
            given.value
        );
        for part in ["its author took it back at ", "read --retracted"] {
            assert!(given.text.contains(part), "{part}: {}", given.text);
        }
        let synced = try_say(&reader, &["sync"]).await.unwrap();
        assert_eq!(
            text(&synced.value, "/takenBack/0/record"),
            *record,
            "{}",
            synced.text
        );
        let told = refused(&reader, &["read", record], code::REFUSED).await;
        assert!(told.contains("taken back by its author"), "{told}");
        let read = try_say(&reader, &["read", record, "--retracted"])
            .await
            .unwrap();
        assert_eq!(read.value["retracted"], true);
        assert!(
            read.text.contains("ITS AUTHOR TOOK IT BACK"),
            "{}",
            read.text
        );
        say(&two.patient, &["sync"]).await;
        let shown = try_say(&two.patient, &["record", "show", record]).await;
        let shown = shown.unwrap();
        assert_eq!(shown.value["authorStanding"], "suspended");
        assert!(
            shown.text.contains("has suspended its author"),
            "{}",
            shown.text
        );
    }
    // Never with others.
    let held = say(&reader, &["grant", "list"]).await;
    let mut held = held["held"].as_array().unwrap().iter();
    let all = held.find(|held| held["consent"]["scope"] == "all").unwrap();
    assert_eq!(all["records"], serde_json::json!([]), "{all}");
    let (both, alone) = (
        ErrorKind::ArgumentConflict,
        ErrorKind::MissingRequiredArgument,
    );
    for (words, why) in [
        (["--all"].as_slice(), both),
        (&["--class", "3"], both),
        (&[], alone),
    ] {
        let create = ["grant", "create", "--to", "reader", "--retracted"];
        let approve = ["request", "approve", "reader", "--retracted"];
        for command in [create.as_slice(), &approve] {
            assert_eq!(
                why_not(&[command, words].concat()),
                why,
                "{command:?} {words:?}"
            );
        }
    }
}

/// It names another person, too: the one word does not stand for the other.
#[tokio::test]
async fn what_was_taken_back_and_names_another_person_is_given_by_both_words_alone() {
    let (world, two) = writing(266).await;
    let reader = two.reader(&world, 3).await;
    two.written(&[]).await;
    let file = two.document();
    let other = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, other.replace("Betterhalf", "Otherhalf")).unwrap();
    let import = ["record", "import", &file, "--for", &two.owner, "--yes"];
    let import = [import.as_slice(), &["--other-person"]].concat();
    let wrong = text(&say(&two.clinic, &import).await, "/record");
    say(&two.patient, &["sync"]).await;
    say(&two.clinic, &["record", "retract", &wrong, "--yes"]).await;
    say(&two.patient, &["sync"]).await;
    let give = ["grant", "create", "--to", "reader", "--record", &wrong];
    for (word, lacks) in [
        ("--retracted", "--other-person"),
        ("--other-person", "--retracted"),
    ] {
        let give = [give.as_slice(), &[word]].concat();
        let told = refused(&two.patient, &give, code::REFUSED).await;
        assert!(told.contains(lacks), "{told}");
    }
    let give = [give.as_slice(), &["--retracted", "--other-person"]].concat();
    say(&two.patient, &give).await;
    say(&reader, &["sync"]).await;
    say(&reader, &["read", &wrong, "--retracted"]).await;
}

#[tokio::test]
async fn whoever_holds_or_read_a_record_hears_of_its_correction() {
    let (world, two) = writing(262).await;
    let (reader, _) = home(&world, 3);
    two.know(&world, &reader).await;
    let record = two.written(&[]).await;
    let late = two.written(&[]).await;
    two.give(&record).await;
    say(&reader, &["sync"]).await;
    say(&reader, &["read", &record]).await;
    let correction = two.written(&["--amends", &record]).await;
    let of_late = two.written(&["--amends", &late]).await;

    let told = "you hold no consent for it";
    let synced = try_say(&reader, &["sync"]).await.unwrap();
    let corrected = &synced.value["corrected"];
    assert_eq!(corrected.as_array().unwrap().len(), 1, "{corrected}");
    assert_eq!(text(corrected, "/0/record"), record);
    assert_eq!(text(corrected, "/0/by/record"), correction);
    assert!(corrected[0]["by"]["anchored"]["block"].is_number());
    assert!(synced.text.contains(told), "{}", synced.text);
    assert!(synced.text.contains("which you read on"), "{}", synced.text);
    let again = say(&reader, &["sync"]).await;
    assert_eq!(again["corrected"], serde_json::json!([]));
    // A record that is held only after its correction was anchored.
    two.give_as(&late, &["--corrected"]).await;
    let synced = say(&reader, &["sync"]).await;
    assert_eq!(text(&synced, "/corrected/0/by/record"), of_late);

    for (home, words) in [
        (&reader, ["read", &record].as_slice()),
        (&reader, &["read", &record, "--kept"]),
    ] {
        let read = try_say(home, words).await.unwrap();
        assert_eq!(text(&read.value, "/amendedBy/0"), correction);
        assert_eq!(read.value["corrections"][0]["here"], false);
        for part in ["IT WAS CORRECTED", &correction, told] {
            assert!(read.text.contains(part), "{part}: {}", read.text);
        }
    }
    let audit = try_say(&reader, &["audit"]).await.unwrap();
    assert_eq!(text(&audit.value, "/ownReads/0/correctedBy"), correction);
    // Its owner sees who does not have it, and how to give it.
    for words in [["record", "show", &record].as_slice(), &["grant", "list"]] {
        let shown = try_say(&two.patient, words).await.unwrap();
        let give = format!("--to Reader --record {}", &correction[..12]);
        for part in ["Reader", &give] {
            assert!(shown.text.contains(part), "{part}: {}", shown.text);
        }
    }
    two.give(&correction).await;
    say(&two.patient, &["sync"]).await;
    let shown = say(&two.patient, &["record", "show", &record]).await;
    assert_eq!(shown["withoutCorrection"], serde_json::json!([]));
    say(&reader, &["sync"]).await;
    let read = say(&reader, &["read", &record, "--kept"]).await;
    assert_eq!(read["corrections"][0]["here"], true);
}

#[tokio::test]
async fn the_newest_correction_that_stands_comes_first() {
    let (world, two) = writing(263).await;
    let reader = two.reader(&world, 3).await;
    let record = two.written(&[]).await;
    two.give(&record).await;
    say(&reader, &["sync"]).await;
    let mut corrections = Vec::new();
    // The last one corrects the one before it, and not the record itself.
    for amends in 0..4 {
        world.pass(60);
        let of = match amends {
            3 => &corrections[2],
            _ => &record,
        };
        let of = of.clone();
        corrections.push(two.written(&["--amends", &of]).await);
    }
    let retract = ["record", "retract", &corrections[1], "--yes"];
    say(&two.clinic, &retract).await;
    let standing = [&corrections[3], &corrections[2], &corrections[0]];
    for home in [&two.patient, &reader, &two.clinic] {
        say(home, &["sync"]).await;
    }
    say(&reader, &["read", &record]).await;
    for (home, words) in [
        (&two.patient, ["record", "show", &record].as_slice()),
        (&two.clinic, &["record", "show", &record]),
        (&reader, &["read", &record, "--kept"]),
    ] {
        let shown = try_say(home, words).await.unwrap();
        let by = shown.value["amendedBy"].as_array().unwrap();
        assert_eq!(by.iter().collect::<Vec<_>>(), standing, "{}", shown.text);
        let all = shown.value["corrections"].as_array().unwrap();
        assert_eq!(text(&all[3], "/record"), corrections[1]);
        assert!(all[3]["retractedAt"]["block"].is_number(), "{}", all[3]);
        assert!(all.iter().all(|one| one["anchored"]["at"].is_string()));
        let first = format!("read record {}", corrections[3]);
        assert!(shown.text.contains(&first), "{}", shown.text);
        let never = format!("read record {}", corrections[1]);
        assert!(!shown.text.contains(&never), "{}", shown.text);
    }
    let newest = format!("corrected by {}", &corrections[3][..12]);
    for (home, words) in [
        (&two.patient, ["record", "list"].as_slice()),
        (&two.clinic, &["record", "list", "--written"]),
        (&reader, &["grant", "list"]),
    ] {
        let list = try_say(home, words).await.unwrap();
        assert!(list.text.contains(&newest), "{}", list.text);
    }
}

/// A home from the phrase of a seed, and what its restore told.
async fn restored(world: &Arc<World>, seed: u64, role: Role) -> (Party, SyncReport) {
    let phrase = Phrase::generate(&mut SeededEntropy::new(seed), Language::English);
    let restored = Party::restore(&phrase, role, world.ports()).await;
    let (home, report) = restored.unwrap();
    (home, report.sync)
}

/// What marks the reads of a list.
async fn marks(home: &Party, list: &str) -> Vec<Value> {
    let audit = say(home, &["audit"]).await;
    let reads = audit[list].as_array().unwrap().iter();
    reads
        .map(|read| serde_json::json!([read["record"], read["retractedAt"], read["correctedBy"]]))
        .collect()
}

/// The home of the phrase named the second of three corrections as the newest, and knew no retraction's block.
#[tokio::test]
async fn a_restored_home_says_the_same_of_what_authors_said() {
    let (world, two) = writing(264).await;
    let reader = two.reader(&world, 3).await;
    let record = two.written(&[]).await;
    let bad = two.written(&[]).await;
    for record in [&record, &bad] {
        two.give(record).await;
        say(&reader, &["sync"]).await;
        say(&reader, &["read", record]).await;
    }
    world.pass(60);
    let second = two.written(&["--amends", &record]).await;
    world.pass(60);
    let third = two.written(&["--amends", &second]).await;
    say(&two.clinic, &["record", "retract", &bad, "--yes"]).await;
    for home in [&two.patient, &reader] {
        say(home, &["sync"]).await;
    }

    let (again, told) = restored(&world, 1, Role::Person).await;
    let corrected: Vec<_> = told
        .corrected
        .iter()
        .map(|one| {
            let title = one.of.title.is_some();
            let (of, by) = (one.of.record.to_string(), one.by.record.to_string());
            (of, by, one.earlier, title, one.by.is_here)
        })
        .collect();
    assert_eq!(corrected, [(record.clone(), third.clone(), 1, true, true)]);
    let taken_back: Vec<_> = told
        .taken_back
        .iter()
        .map(|one| (one.of.record.to_string(), one.of.is_own, one.correction))
        .collect();
    assert_eq!(taken_back, [(bad.clone(), true, None)]);
    let told = say(&again, &["sync"]).await;
    assert_eq!(told["corrected"], serde_json::json!([]));
    assert_eq!(told["takenBack"], serde_json::json!([]));
    for words in [
        ["record", "show", &record].as_slice(),
        &["record", "show", &second],
        &["record", "show", &third],
        &["record", "show", &bad],
        &["record", "list"],
    ] {
        let before = try_say(&two.patient, words).await.unwrap();
        let after = try_say(&again, words).await.unwrap();
        assert_eq!(after.value, before.value, "{words:?}");
        assert_eq!(after.text, before.text, "{words:?}");
    }
    assert_eq!(
        marks(&again, "reads").await,
        marks(&two.patient, "reads").await
    );
    let shown = try_say(&again, &["record", "show", &record]).await.unwrap();
    let give = format!("--to Reader --record {}", &third[..12]);
    assert!(shown.text.contains(&give), "{}", shown.text);

    // Its reader's, too, whether the consents are in force or not.
    for revokes in [false, true] {
        if revokes {
            say(&two.patient, &["grant", "revoke", "--contact", "reader"]).await;
            say(&reader, &["sync"]).await;
        }
        let (again, _) = restored(&world, 3, Role::Provider).await;
        let before = marks(&reader, "ownReads").await;
        assert_eq!(marks(&again, "ownReads").await, before, "{revokes}");
        assert_eq!(before.len(), 2);
    }
}

/// Every correction was a line of its own, in every list and answer.
#[tokio::test]
async fn of_many_corrections_the_newest_is_told_and_how_many_more_there_are() {
    let (world, two) = writing(265).await;
    let reader = two.reader(&world, 3).await;
    let record = two.written(&[]).await;
    two.give(&record).await;
    say(&reader, &["sync"]).await;
    let mut newest = String::new();
    for _ in 0..12 {
        world.pass(60);
        newest = two.written(&["--amends", &record]).await;
    }
    say(&two.clinic, &["sync"]).await;
    let synced = try_say(&reader, &["sync"]).await.unwrap();
    assert_eq!(synced.value["corrected"].as_array().unwrap().len(), 1);
    assert_eq!(synced.value["corrected"][0]["earlier"], 11);
    say(&reader, &["read", &record]).await;
    let read = try_say(&reader, &["read", &record, "--kept"])
        .await
        .unwrap();
    let shown = try_say(&two.patient, &["record", "show", &record]).await;
    let written = try_say(&two.clinic, &["record", "show", &record]).await;
    for answer in [&read, &shown.unwrap(), &written.unwrap()] {
        let value = &answer.value;
        assert_eq!(text(value, "/amendedBy/0"), newest);
        assert_eq!(value["amendedBy"].as_array().unwrap().len(), 8);
        assert_eq!(value["corrections"].as_array().unwrap().len(), 8);
        assert_eq!(value["moreCorrections"], 4);
    }
    let audit = try_say(&reader, &["audit"]).await.unwrap();
    for told in [&synced.text, &read.text, &audit.text] {
        assert!(told.contains("and 11 earlier ones"), "{told}");
        assert!(told.matches(&newest[..12]).count() == 1, "{told}");
    }
}
