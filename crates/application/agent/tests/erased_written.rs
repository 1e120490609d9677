//! The author of a record is told once that its owner erased it: nothing else of it is left to ask about.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use std::sync::Arc;

use medibloc_agent::answer::code;
use medibloc_journey::Party;
use medibloc_journey::memory::World;
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_record::Role;
use serde_json::json;
use two::{Two, refused, say, text, try_say};

/// A clinic that may write.
async fn writing(seed: u64) -> Two {
    let world = World::new(seed);
    let two = Two::new(&world).await;
    let permit = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &permit).await;
    two
}

#[tokio::test]
async fn an_author_is_told_once_that_its_record_was_erased() {
    let two = writing(921).await;
    let label = ["contact", "label", &two.owner, "Bed 7"];
    say(&two.clinic, &label).await;
    let (record, stays) = (two.written(&[]).await, two.written(&[]).await);
    let erase = ["record", "erase", &record, "--yes"];
    say(&two.patient, &erase).await;
    let synced = try_say(&two.clinic, &["sync"]).await.unwrap();
    let told = &synced.value["erasedWritten"];
    assert_eq!(told.as_array().unwrap().len(), 1, "{}", synced.text);
    assert_eq!(told[0]["record"], *record);
    assert_eq!(told[0]["label"], "Bed 7");
    let block = told[0]["block"].as_u64().unwrap();
    let line = format!(
        "erased by its owner: {record}, which you wrote for {} «Bed 7», at ",
        two.owner
    );
    assert!(synced.text.contains(&line), "{}", synced.text);
    assert!(synced.text.contains(&format!(" (block {block})")));
    let again = say(&two.clinic, &["sync"]).await;
    assert_eq!(again["erasedWritten"], json!([]));

    let list = try_say(&two.clinic, &["record", "list", "--written"]).await;
    let list = list.unwrap();
    let row = |id: &str| {
        let found = list.text.lines().find(|line| line.starts_with(&id[..12]));
        found.unwrap().to_owned()
    };
    for part in [
        "«Bed 7»",
        "erased by its owner",
        &format!("(block {block})"),
    ] {
        assert!(row(&record).contains(part), "{}", list.text);
    }
    assert!(!row(&stays).contains("erased"), "{}", list.text);
}

/// The purge in the act of another command took the news from the sync that followed.
#[tokio::test]
async fn an_author_that_met_the_erasure_before_its_sync_is_told_all_the_same() {
    let two = writing(922).await;
    let record = two.written(&[]).await;
    say(&two.patient, &["record", "erase", &record, "--yes"]).await;
    let _ = try_say(&two.clinic, &["doctor"]).await;
    let synced = say(&two.clinic, &["sync"]).await;
    assert_eq!(text(&synced, "/erasedWritten/0/record"), record);
}

/// How a document was written before it is imported once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    /// A keeper was away: its author's home goes on with it.
    OnItsWay,
    Whole,
}

/// A clinic that wrote a document of this file.
async fn wrote(seed: u64, before: Before) -> (Two, String, String) {
    let (two, _, file, record) = wrote_in(seed, before).await;
    (two, file, record)
}

/// The same with the world that it is in.
async fn wrote_in(seed: u64, before: Before) -> (Two, Arc<World>, String, String) {
    let world = World::new(seed);
    let two = Two::new(&world).await;
    let permit = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &permit).await;
    let file = two.document();
    world.set_down(7, before == Before::OnItsWay);
    let import = ["record", "import", &file, "--for", &two.owner, "--yes"];
    let imported = try_say(&two.clinic, &import).await.unwrap();
    let is_partial = imported.code == code::PARTIAL;
    assert_eq!(is_partial, before == Before::OnItsWay, "{}", imported.text);
    world.set_down(7, false);
    let record = text(&imported.value, "/record");
    say(&two.patient, &["sync"]).await;
    (two, world, file, record)
}

/// It heard "sealed, stored and anchored; 0 of 7 keepers hold a share", and nothing was written.
#[tokio::test]
async fn a_document_whose_record_was_erased_is_not_said_to_be_stored() {
    for (seed, before) in [(923, Before::OnItsWay), (924, Before::Whole)] {
        let (two, file, record) = wrote(seed, before).await;
        say(&two.patient, &["record", "erase", &record, "--yes"]).await;
        let import = ["record", "import", &file, "--for", &two.owner, "--yes"];
        let told = refused(&two.clinic, &import, code::ERASED).await;
        let erased = format!("record {record}, which its owner erased at ");
        for part in [&erased, "(block ", "nothing was written", "`--again`"] {
            assert!(told.contains(part), "{before:?}: {told}");
        }
        let synced = try_say(&two.clinic, &["sync"]).await.unwrap();
        assert_eq!(text(&synced.value, "/erasedWritten/0/record"), record);
        assert_eq!(synced.code, 0, "{}", synced.text);
    }
}

#[tokio::test]
async fn a_document_whose_record_was_erased_is_written_anew_if_it_is_meant() {
    for (seed, before) in [(925, Before::OnItsWay), (926, Before::Whole)] {
        let (two, file, record) = wrote(seed, before).await;
        say(&two.patient, &["record", "erase", &record, "--yes"]).await;
        let import = [
            "record", "import", &file, "--for", &two.owner, "--yes", "--again",
        ];
        let anew = try_say(&two.clinic, &import).await.unwrap();
        assert_ne!(text(&anew.value, "/record"), record);
        assert_eq!((anew.code, &anew.value["acknowledged"]), (0, &json!(7)));
        assert_eq!(text(&anew.value, "/erasedBefore/0/record"), record);
        assert!(anew.value["erasedBefore"][0]["block"].is_u64());
        let told = format!("the same document was record {record}, which its owner erased at ");
        assert!(anew.text.contains(&told), "{}", anew.text);
    }
}

/// A hospital's interface sends the same file again and again: after the first refusal it was written anew, and after a sync at once.
#[tokio::test]
async fn a_document_whose_record_was_erased_is_refused_each_time_it_comes() {
    for (seed, before) in [(930, Before::OnItsWay), (931, Before::Whole)] {
        let (two, file, record) = wrote(seed, before).await;
        say(&two.patient, &["record", "erase", &record, "--yes"]).await;
        if before == Before::Whole {
            say(&two.clinic, &["sync"]).await;
        }
        let import = ["record", "import", &file, "--for", &two.owner, "--yes"];
        for _ in 0..3 {
            let told = refused(&two.clinic, &import, code::ERASED).await;
            let erased = format!("record {record}, which its owner erased at ");
            for part in [&erased, "(block ", "nothing was written", "`--again`"] {
                assert!(told.contains(part), "{before:?}: {told}");
            }
        }
        say(&two.patient, &["sync"]).await;
        let listed = say(&two.patient, &["record", "list"]).await.to_string();
        assert_eq!(listed.matches("\"record\"").count(), 1, "{listed}");

        // Another document, and the same one for another owner, are none of it.
        let other = two.document();
        say(
            &two.clinic,
            &["record", "import", &other, "--for", &two.owner, "--yes"],
        )
        .await;
        let again = [import.as_slice(), &["--again"]].concat();
        let anew = try_say(&two.clinic, &again).await.unwrap();
        assert_eq!(text(&anew.value, "/erasedBefore/0/record"), record);
        // What stands is what the next one goes by.
        refused(&two.clinic, &import, code::ALREADY).await;
        // Once that is erased, too, it is the one that is told.
        let second = text(&anew.value, "/record");
        say(&two.patient, &["sync"]).await;
        say(&two.patient, &["record", "erase", &second, "--yes"]).await;
        for _ in 0..2 {
            refused(&two.clinic, &import, code::ERASED).await;
        }
    }
}

/// What was meant with `--again` and is on its way is gone on with, whatever was erased before.
#[tokio::test]
async fn a_document_that_is_written_anew_goes_on_although_its_first_record_was_erased() {
    let (two, world, file, record) = wrote_in(932, Before::Whole).await;
    say(&two.patient, &["record", "erase", &record, "--yes"]).await;
    say(&two.clinic, &["sync"]).await;
    let import = ["record", "import", &file, "--for", &two.owner, "--yes"];
    let again = [import.as_slice(), &["--again"]].concat();
    world.set_down(7, true);
    let anew = try_say(&two.clinic, &again).await.unwrap();
    assert_eq!(anew.code, code::PARTIAL, "{}", anew.text);
    world.set_down(7, false);
    let whole = try_say(&two.clinic, &import).await.unwrap();
    assert_eq!(whole.value["record"], anew.value["record"]);
    assert_eq!((whole.code, &whole.value["acknowledged"]), (0, &json!(7)));
}

/// What its author took back while a keeper was away was said to be stored, and could not be written once more.
#[tokio::test]
async fn a_document_whose_record_was_taken_back_is_no_work_to_go_on_with() {
    for (seed, before) in [(927, Before::OnItsWay), (928, Before::Whole)] {
        let (two, file, record) = wrote(seed, before).await;
        say(&two.clinic, &["record", "retract", &record, "--yes"]).await;
        let import = ["record", "import", &file, "--for", &two.owner, "--yes"];
        let told = refused(&two.clinic, &import, code::ALREADY).await;
        assert!(told.contains("and you took it back"), "{before:?}: {told}");
        let again = [import.as_slice(), &["--again"]].concat();
        let anew = try_say(&two.clinic, &again).await.unwrap();
        assert_ne!(text(&anew.value, "/record"), record);
        assert_eq!((anew.code, &anew.value["acknowledged"]), (0, &json!(7)));
        // The one that stands is what a third import goes by.
        let told = refused(&two.clinic, &import, code::ALREADY).await;
        assert!(told.contains("nothing was written"), "{before:?}: {told}");
    }
}

/// Another device of the phrase erased it, and this one said that it is there already.
#[tokio::test]
async fn an_own_document_that_another_device_erased_is_told_as_erased() {
    let world = World::new(929);
    let two = Two::new(&world).await;
    let phrase = Phrase::generate(&mut SeededEntropy::new(1), Language::English);
    let file = two.document();
    let import = ["record", "import", &file];
    let record = text(&say(&two.patient, &import).await, "/record");
    say(&two.patient, &["sync"]).await;
    let restored = Party::restore(&phrase, Role::Person, world.ports()).await;
    let phone = restored.unwrap().0;
    say(&phone, &["record", "erase", &record, "--yes"]).await;
    let told = refused(&two.patient, &import, code::ERASED).await;
    let by = format!("record {record}, which another device of yours erased at ");
    assert!(told.contains(&by), "{told}");
    let told = refused(&two.patient, &import, code::ERASED).await;
    assert!(told.contains(&by), "it is told each time: {told}");
}

/// The device that erased it wrote it anew without a word.
#[tokio::test]
async fn an_own_document_that_was_erased_here_is_told_as_erased_each_time() {
    for seed in [936, 937] {
        let world = World::new(seed);
        let two = Two::new(&world).await;
        let file = two.document();
        let import = ["record", "import", &file];
        let record = text(&say(&two.patient, &import).await, "/record");
        say(&two.patient, &["sync"]).await;
        say(&two.patient, &["record", "erase", &record, "--yes"]).await;
        if seed == 937 {
            say(&two.patient, &["sync"]).await;
        }
        for _ in 0..2 {
            let told = refused(&two.patient, &import, code::ERASED).await;
            let by = format!("record {record}, which you erased at ");
            for part in [&by, "(block ", "nothing was written", "`--again`"] {
                assert!(told.contains(part), "{part}: {told}");
            }
        }
        let again = [import.as_slice(), &["--again"]].concat();
        let anew = try_say(&two.patient, &again).await.unwrap();
        assert_ne!(text(&anew.value, "/record"), record);
        assert_eq!(text(&anew.value, "/erasedBefore/0/record"), record);
    }
}
