//! Who has not synced is warned before a record is opened, given or written out, not after: the chain is there to be asked.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/gone.rs"]
mod gone;
#[path = "support/two.rs"]
mod two;

use std::sync::Arc;

use medibloc_agent::answer::code;
use medibloc_journey::memory::World;
use medibloc_record::Role;
use serde_json::Value;
use two::{Two, document, refused, say, text, try_say, with_ports};

async fn writing(seed: u64) -> (Arc<World>, Two) {
    let world = World::new(seed);
    let two = Two::new(&world).await;
    let write = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &write).await;
    (world, two)
}

/// A record of another person or a correction that the clinic writes; the patient does not sync.
async fn import(two: &Two, file: &str, more: &[&str]) -> String {
    let import = ["record", "import", file, "--for", &two.owner, "--yes"];
    let import = [import.as_slice(), more].concat();
    text(&say(&two.clinic, &import).await, "/record")
}

fn of_somebody_else(two: &Two) -> String {
    let path = two.folder.path().join("other.xml");
    std::fs::write(&path, document().replace("Betterhalf", "Otherhalf")).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_read_tells_a_correction_that_no_sync_took() {
    let (world, two) = writing(331).await;
    let reader = two.reader(&world, 3).await;
    let (read, held) = (two.written(&[]).await, two.written(&[]).await);
    two.give(&read).await;
    two.give(&held).await;
    say(&reader, &["sync"]).await;
    say(&reader, &["read", &read]).await;
    world.pass(60);
    for (record, words) in [(&held, ["--now", "--yes"].as_slice()), (&read, &["--kept"])] {
        let first = import(&two, &two.document(), &["--amends", record]).await;
        let second = import(&two, &two.document(), &["--amends", &first]).await;
        let gone = import(&two, &two.document(), &["--amends", &second]).await;
        say(&two.clinic, &["record", "retract", &gone, "--yes"]).await;
        let words = [["read", record].as_slice(), words].concat();
        let told = try_say(&reader, &words).await.unwrap();
        let stands = format!("read record {second}");
        for part in [
            "IT WAS CORRECTED by its author at ",
            "and 1 earlier one",
            &stands,
        ] {
            assert!(told.text.contains(part), "{part}: {}", told.text);
        }
        assert_eq!(told.value["amendedBy"], serde_json::json!([second, first]));
        assert_eq!(told.value["onlyKnown"], Value::Null);
    }
    // The next sync still tells it.
    let synced = say(&reader, &["sync"]).await;
    assert_eq!(synced["corrected"].as_array().unwrap().len(), 2, "{synced}");
}

#[tokio::test]
async fn an_owner_is_warned_before_by_what_no_sync_took() {
    let (world, two) = writing(332).await;
    let _reader = two.reader(&world, 3).await;
    let (back, old) = (two.written(&[]).await, two.written(&[]).await);
    let other = import(&two, &of_somebody_else(&two), &["--other-person"]).await;
    say(&two.patient, &["sync"]).await;
    let newest = import(&two, &two.document(), &["--amends", &old]).await;
    say(&two.clinic, &["record", "retract", &back, "--yes"]).await;
    let out = two.folder.path().join("out.xml");
    let path = out.to_str().unwrap();
    for (record, parts, word) in [
        (
            &back,
            ["ITS AUTHOR TOOK IT BACK at ", "do not rely on it"],
            "--retracted",
        ),
        (
            &old,
            ["IT WAS CORRECTED by its author at ", &newest],
            "--corrected",
        ),
        (
            &other,
            ["Otherhalf", "another person than your other records"],
            "--other-person",
        ),
    ] {
        for to in [path, "-"] {
            let export = ["record", "export", record, "--out", to];
            let told = refused(&two.patient, &export, code::USAGE).await;
            for part in [parts.as_slice(), &["nothing was written", "--yes"]].concat() {
                assert!(told.contains(part), "{part}: {told}");
            }
        }
        assert!(!out.exists());
        let export = ["record", "export", record, "--out", path, "--yes"];
        let told = try_say(&two.patient, &export).await.unwrap();
        for part in parts {
            assert!(told.text.contains(part), "{part}: {}", told.text);
        }
        assert_eq!(told.value["retracted"], record == &back);
        assert_eq!(told.value["correctedBy"].is_string(), record == &old);
        assert_eq!(told.value["otherPerson"], record == &other);
        std::fs::remove_file(&out).unwrap();

        let give = ["grant", "create", "--to", "reader", "--record", record];
        let told = refused(&two.patient, &give, code::REFUSED).await;
        assert!(told.contains(word), "{told}");
        let list = say(&two.patient, &["grant", "list"]).await;
        assert!(
            !list["given"].to_string().contains(record.as_str()),
            "{list}"
        );
        two.give_as(record, &[word]).await;

        let shown = try_say(&two.patient, &["record", "show", record])
            .await
            .unwrap();
        let said = [
            "took it back at",
            &format!("read record {newest}"),
            "names another person",
        ];
        for (part, of) in said.iter().zip([&back, &old, &other]) {
            assert_eq!(
                shown.text.contains(part),
                of == record,
                "{part}: {}",
                shown.text
            );
        }
    }
}

/// An owner's own copy needs no chain: what is known is said to be that.
#[tokio::test]
async fn an_owner_who_is_alone_is_told_as_of_when() {
    let (world, two) = writing(333).await;
    let record = two.written(&[]).await;
    let alone = gone::without_chain(world.ports_with(two.patient.ports().vault.clone()));
    let alone = with_ports(alone, 1, Role::Person);
    let out = two.folder.path().join("out.xml");
    let export = ["record", "export", &record, "--out", out.to_str().unwrap()];
    for words in [export.as_slice(), &["record", "show", &record]] {
        let told = try_say(&alone, words).await.unwrap();
        let known = "this is what the home knows as of block ";
        assert!(told.text.contains(known), "{}", told.text);
        let only = text(&told.value, "/onlyKnown");
        assert!(only.contains(known), "{only}");
    }
    assert!(out.exists());
}

/// Two lines contradicted each other, and the second was false.
#[tokio::test]
async fn a_record_says_who_may_read_it_and_who_did() {
    let (world, two) = writing(334).await;
    let reader = two.reader(&world, 3).await;
    two.written(&[]).await;
    let create = ["grant", "create", "--to", "reader", "--all"];
    let all = text(&say(&two.patient, &create).await, "/grants/0");
    let wrong = import(&two, &of_somebody_else(&two), &["--other-person"]).await;
    say(&two.patient, &["sync"]).await;
    let show = ["record", "show", &wrong];
    let shown = try_say(&two.patient, &show).await.unwrap();
    let none = "no standing consent passes it on";
    assert!(shown.text.contains(none), "{}", shown.text);
    assert_eq!(shown.value["consents"], serde_json::json!([]));
    assert_eq!(shown.value["reads"], serde_json::json!([]));

    say(&two.patient, &["record", "confirm", &wrong]).await;
    say(&two.patient, &["sync"]).await;
    say(&reader, &["sync"]).await;
    say(&reader, &["read", &wrong]).await;
    say(&two.clinic, &["record", "retract", &wrong, "--yes"]).await;
    for syncs in [false, true] {
        if syncs {
            say(&two.patient, &["sync"]).await;
        }
        let shown = try_say(&two.patient, &show).await.unwrap();
        assert!(!shown.text.contains(none), "{}", shown.text);
        let consent = format!("on consent {}", &all[..12]);
        for part in [
            "which counts no more since its author took it back",
            "Reader may read it until ",
            &consent,
            "Reader was cleared to read it 20",
        ] {
            assert!(shown.text.contains(part), "{syncs} {part}: {}", shown.text);
        }
        assert_eq!(text(&shown.value, "/consents/0/grant"), all);
        assert_eq!(text(&shown.value, "/reads/0/name"), "Reader");
    }
    say(&two.patient, &["grant", "revoke", &all]).await;
    let shown = try_say(&two.patient, &show).await.unwrap();
    assert_eq!(shown.value["consents"], serde_json::json!([]));
    let read = "Reader was cleared to read it 20";
    assert!(shown.text.contains(read), "{}", shown.text);
}

/// "7 records now" counted what had been erased.
#[tokio::test]
async fn what_was_erased_counts_for_no_consent() {
    let (world, two) = writing(335).await;
    let reader = two.reader(&world, 3).await;
    let mut records = Vec::new();
    for _ in 0..3 {
        records.push(two.written(&[]).await);
    }
    let person = ["account", "person", "--name", "Eve Betterhalf"];
    say(&two.patient, &person).await;
    let create = ["grant", "create", "--to", "reader", "--all"];
    say(&two.patient, &create).await;
    records.push(two.written(&[]).await);
    say(&two.patient, &["sync"]).await;
    say(&reader, &["sync"]).await;
    for record in [&records[0], &records[3]] {
        say(&two.patient, &["record", "erase", record, "--yes"]).await;
    }
    say(&reader, &["sync"]).await;
    let mut left = records[1..3].to_vec();
    left.sort();
    for (home, of) in [(&two.patient, "/given"), (&reader, "/held")] {
        let list = try_say(home, &["grant", "list"]).await.unwrap();
        let all = list.value.pointer(of).unwrap().as_array().unwrap().iter();
        let mut found = Vec::new();
        for one in all {
            let consent = one.get("consent").unwrap_or(one);
            if consent["scope"] == "all" {
                found.extend(consent["records"].as_array().unwrap().clone());
            }
        }
        let mut found: Vec<&str> = found.iter().map(|one| one.as_str().unwrap()).collect();
        found.sort_unstable();
        assert_eq!(found, left, "{}", list.text);
        assert!(
            list.text.contains("may read all: 2 records now"),
            "{}",
            list.text
        );
    }
}

/// An author that has not synced was told the smallest id, and its own correction after it had taken it back.
#[tokio::test]
async fn an_author_is_told_the_newest_of_its_corrections_before_it_syncs() {
    let (world, two) = writing(338).await;
    let record = two.written(&[]).await;
    let mut corrections = Vec::new();
    for _ in 0..4 {
        world.pass(60);
        corrections.push(import(&two, &two.document(), &["--amends", &record]).await);
        newest_is(&two.clinic, &record, corrections.last().unwrap()).await;
    }
    // By itself, too: it knows when it wrote them.
    let alone = gone::without_chain(two.clinic.ports().clone());
    let alone = with_ports(alone, 2, Role::Provider);
    let list = say(&alone, &["record", "list", "--written"]).await;
    let row = row_of(&list, &record);
    assert_eq!(row["amendedBy"][0], *corrections[3], "{row}");
    let last = corrections.pop().unwrap();
    say(&two.clinic, &["record", "retract", &last, "--yes"]).await;
    newest_is(&two.clinic, &record, corrections.last().unwrap()).await;
    let shown = say(&two.clinic, &["record", "show", &record]).await;
    let gone = shown["corrections"].as_array().unwrap();
    let gone = gone.iter().find(|one| one["record"] == *last).unwrap();
    assert_eq!(gone["retracted"], true, "{shown}");
}

/// The same of own documents in their owner's list.
#[tokio::test]
async fn an_owner_is_told_the_newest_of_the_corrections_of_an_own_record() {
    let (world, two) = writing(339).await;
    let record = two.accepted().await;
    for _ in 0..4 {
        world.pass(60);
        let file = two.document();
        let import = ["record", "import", &file, "--amends", &record];
        let newest = text(&say(&two.patient, &import).await, "/record");
        let list = say(&two.patient, &["record", "list"]).await;
        assert_eq!(row_of(&list, &record)["correctedBy"], *newest, "{list}");
    }
}

fn row_of(list: &Value, record: &str) -> Value {
    let mut rows = list.as_array().unwrap().iter();
    rows.find(|row| row["record"] == *record).unwrap().clone()
}

async fn newest_is(clinic: &medibloc_journey::Party, record: &str, newest: &str) {
    let shown = try_say(clinic, &["record", "show", record]).await.unwrap();
    let told = format!("read record {newest}");
    assert!(shown.text.contains(&told), "{}", shown.text);
    let list = try_say(clinic, &["record", "list", "--written"]).await;
    let list = list.unwrap();
    assert_eq!(
        row_of(&list.value, record)["amendedBy"][0],
        *newest,
        "{}",
        list.text
    );
}

/// Newcomer: the owner of the record, and of its correction, was sent to ask herself for a consent.
#[tokio::test]
async fn an_owner_is_not_asked_for_a_consent_to_her_own_correction() {
    let (_world, two) = writing(339).await;
    let old = two.written(&[]).await;
    let newest = import(&two, &two.document(), &["--amends", &old]).await;
    let show = ["record", "show", &old];
    let told = try_say(&two.patient, &show).await.unwrap().text;
    assert!(
        told.contains(&format!("read record {newest}, which is yours")),
        "{told}"
    );
    assert!(!told.contains("you hold no consent"), "{told}");
    say(&two.patient, &["sync"]).await;
    let told = try_say(&two.patient, &show).await.unwrap().text;
    assert!(
        told.contains(&format!("read record {newest}")) && !told.contains("which is yours"),
        "{told}"
    );
}
