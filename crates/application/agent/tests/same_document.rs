//! One document in two records: who erases one is told of the other, which stays.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use medibloc_agent::answer::code;
use medibloc_journey::memory::World;
use two::{Two, document, refused, say, text, try_say};

#[tokio::test]
async fn who_erases_one_of_two_is_told_of_the_other() {
    let world = World::new(1120);
    let two = Two::new(&world).await;
    let write = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &write).await;
    let path = two.folder.path().join("one.xml");
    std::fs::write(&path, document()).unwrap();
    let file = path.to_str().unwrap();
    let own = text(
        &say(&two.patient, &["record", "import", file]).await,
        "/record",
    );
    let theirs = ["record", "import", file, "--for", &two.owner, "--yes"];
    let theirs = text(&say(&two.clinic, &theirs).await, "/record");
    say(&two.patient, &["sync"]).await;

    let listed = try_say(&two.patient, &["record", "list"]).await.unwrap();
    for (one, other) in [(&own, &theirs), (&theirs, &own)] {
        let mark = format!("the same document as {}", &other[..12]);
        let line = listed
            .text
            .lines()
            .find(|line| line.starts_with(&one[..12]))
            .unwrap();
        assert!(line.contains(&mark), "{}", listed.text);
        let shown = try_say(&two.patient, &["record", "show", one])
            .await
            .unwrap();
        assert!(shown.text.contains(&mark), "{}", shown.text);
        assert_eq!(shown.value["sameDocument"], serde_json::json!([other]));
    }
    let erases = format!("`medibloc record erase {}` erases it", &theirs[..12]);
    let asked = refused(&two.patient, &["record", "erase", &own], code::USAGE).await;
    assert!(asked.contains(&erases), "{asked}");
    let erased = try_say(&two.patient, &["record", "erase", &own, "--yes", "--now"])
        .await
        .unwrap();
    assert!(erased.text.contains(&erases), "{}", erased.text);
    assert_eq!(erased.value["sameDocument"], serde_json::json!([theirs]));

    let listed = try_say(&two.patient, &["record", "list"]).await.unwrap();
    assert!(!listed.text.contains("same document"), "{}", listed.text);
    let erased = try_say(
        &two.patient,
        &["record", "erase", &theirs, "--yes", "--now"],
    )
    .await
    .unwrap();
    assert!(!erased.text.contains("same document"), "{}", erased.text);
}
