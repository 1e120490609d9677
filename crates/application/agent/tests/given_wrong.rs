//! What was corrected or taken back does not go out without a word at the moment of giving, and its owner hears of it.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use medibloc_agent::answer::code;
use medibloc_journey::memory::World;
use medibloc_record::Digest;
use two::{Two, refused, say, text, try_say};

#[tokio::test]
async fn a_correction_is_told_at_the_moment_of_giving() {
    let world = World::new(280);
    let two = Two::new(&world).await;
    let permit = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &permit).await;
    let _reader = two.reader(&world, 3).await;
    let record = two.written(&[]).await;
    let file = two.document();
    let amend = [
        "record", "import", &file, "--for", &two.owner, "--yes", "--amends", &record,
    ];
    let first = text(&say(&two.clinic, &amend).await, "/record");
    let synced = try_say(&two.patient, &["sync"]).await.unwrap();
    for part in [
        format!("your record {record}"),
        format!("was corrected by record {first}"),
        "`medibloc grant list` names whoever may read the old one alone".to_owned(),
    ] {
        assert!(synced.text.contains(&part), "{part}: {}", synced.text);
    }
    let newest = two.written(&["--amends", &first]).await;
    let word = "IT WAS CORRECTED by its author at ".to_owned();
    let give = ["grant", "create", "--to", "reader", "--record"];
    let old = [give.as_slice(), &[&record]].concat();
    // Before it is given, and again when that is meant.
    let told = refused(&two.patient, &old, code::REFUSED).await;
    for part in ["was corrected by its author at ", &newest, "--corrected"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let list = say(&two.patient, &["grant", "list"]).await;
    assert!(!list["given"].to_string().contains(&record), "{list}");
    let given = try_say(&two.patient, &[old.as_slice(), &["--corrected"]].concat())
        .await
        .unwrap();
    for part in [&word, &newest] {
        assert!(given.text.contains(part), "{}", given.text);
    }
    let given = try_say(&two.patient, &[give.as_slice(), &[&newest]].concat())
        .await
        .unwrap();
    assert!(!given.text.contains(&word), "{}", given.text);
    let out = |name: &str| two.folder.path().join(name).to_str().unwrap().to_owned();
    let (one, two_) = (out("1"), out("2"));
    let export = ["record", "export", &record, "--out", &one];
    let told = refused(&two.patient, &export, code::USAGE).await;
    assert!(told.contains(&word) && told.contains("--yes"), "{told}");
    assert!(!std::path::Path::new(&one).exists());
    let export = [export.as_slice(), &["--yes"]].concat();
    let written = try_say(&two.patient, &export).await.unwrap();
    assert!(written.text.contains(&word), "{}", written.text);
    assert_eq!(written.value["correctedBy"], *newest);
    say(&two.clinic, &["record", "retract", &newest, "--yes"]).await;
    say(&two.patient, &["sync"]).await;
    let export = ["record", "export", &newest, "--out", &two_, "--yes"];
    let written = try_say(&two.patient, &export).await.unwrap();
    assert!(
        written.text.contains("ITS AUTHOR TOOK IT BACK at "),
        "{}",
        written.text
    );
    assert!(
        written.value["retractedAt"].is_object(),
        "{}",
        written.value
    );
}

/// It said "may read", and the list "live", of whom the authority lets read nothing.
#[tokio::test]
async fn giving_to_whom_the_authority_suspended_is_told_to_give_nothing() {
    let world = World::new(288);
    let two = Two::new(&world).await;
    let record = two.accepted().await;
    let _reader = two.reader(&world, 3).await;
    say(&two.clinic, &["request", "create", &two.owner]).await;
    say(&two.patient, &["sync"]).await;
    let clinic = two.clinic.account().id();
    let approve = ["request", "approve", "clinic", "--record", &record];
    let read = ["grant", "create", "--to", "clinic", "--record", &record];
    let write = ["grant", "create", "--to", "clinic", "--write"];
    world.ledger.suspend(clinic);
    for words in [approve.as_slice(), &read, &write] {
        let given = try_say(&two.patient, words).await.unwrap();
        assert_eq!(given.value["standing"], "suspended", "{}", given.text);
        for part in ["SUSPENDED by its authority", "give it nothing"] {
            assert!(given.text.contains(part), "{}", given.text);
        }
    }
    let other = ["grant", "create", "--to", "reader", "--record", &record];
    let other = try_say(&two.patient, &other).await.unwrap();
    assert!(!other.text.contains("SUSPENDED"), "{}", other.text);
    let list = try_say(&two.patient, &["grant", "list"]).await.unwrap();
    for view in list.value["given"].as_array().unwrap() {
        assert_eq!(view["suspended"], view["name"] == "Clinic", "{view}");
    }
    let marked = list.text.matches("SUSPENDED by its authority").count();
    let given = list.value["given"].as_array().unwrap().len();
    assert_eq!(marked, given - 1, "{}", list.text);
}

/// Newcomer: an accreditation that had ended was told to nobody, and its reader to try again when more keepers are reachable.
#[tokio::test]
async fn giving_to_whom_nobody_accredits_any_more_is_told_to_give_nothing() {
    let world = World::new(290);
    let two = Two::new(&world).await;
    let record = two.accepted().await;
    let give = ["grant", "create", "--to", "clinic", "--record", &record];
    say(&two.patient, &give).await;
    say(&two.clinic, &["sync"]).await;
    let jwt = two.clinic.credential().unwrap().unwrap();
    let now = two.clinic.ports().clock.now();
    let clinic = two.clinic.account().id();
    let digest = Digest::of(jwt.as_bytes());
    world.ledger.accredit(clinic, now, now.plus(600), digest);
    world.pass(1_200);
    let told = refused(&two.clinic, &["read", &record], code::REFUSED).await;
    assert!(told.contains("is not accredited now"), "{told}");
    let doctor = try_say(&two.clinic, &["status"]).await.unwrap().text;
    assert!(doctor.contains("NOT ACCREDITED now"), "{doctor}");
    let more = ["grant", "create", "--to", "clinic", "--write"];
    for words in [&more[..], &["contact", "list"], &["grant", "list"]] {
        let told = try_say(&two.patient, words).await.unwrap().text;
        assert!(told.contains("NOT ACCREDITED now"), "{words:?}: {told}");
    }
    world.ledger.accredit(clinic, now, now.plus(60_000), digest);
    say(&two.clinic, &["read", &record]).await;
    let told = try_say(&two.patient, &["grant", "list"])
        .await
        .unwrap()
        .text;
    assert!(!told.contains("NOT ACCREDITED"), "{told}");
}

/// A reader of what is erased reads nothing, whatever corrected it.
#[tokio::test]
async fn nobody_is_said_to_read_an_erased_record_and_not_its_correction() {
    let world = World::new(289);
    let two = Two::new(&world).await;
    let permit = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &permit).await;
    let _reader = two.reader(&world, 3).await;
    let record = two.written(&[]).await;
    two.give(&record).await;
    two.written(&["--amends", &record]).await;
    let lacking = |list: &serde_json::Value| list["withoutCorrection"].as_array().unwrap().len();
    assert_eq!(lacking(&say(&two.patient, &["grant", "list"]).await), 1);
    say(&two.patient, &["record", "erase", &record, "--yes"]).await;
    let list = say(&two.patient, &["grant", "list"]).await;
    assert_eq!(lacking(&list), 0, "{list}");
}

#[tokio::test]
async fn giving_without_saying_what_names_what_may_be_read_first() {
    let two = Two::new(&World::new(290)).await;
    let told = refused(
        &two.patient,
        &["grant", "create", "--to", "clinic"],
        code::USAGE,
    )
    .await;
    let at = |part: &str| told.find(part).unwrap();
    assert!(at("--record") < at("--write"), "{told}");
}
