//! The author of a record is told once that its owner erased it: nothing else of it is left to ask about.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use medibloc_journey::memory::World;
use serde_json::json;
use two::{Two, say, text, try_say};

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
