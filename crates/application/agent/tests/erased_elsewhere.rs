//! An erasure by another device of the phrase, or by the owner, that a command meets before a sync does: it is told as what it is
//! at once, with who had read the record and what its keepers signed.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/gone.rs"]
mod gone;
#[path = "support/two.rs"]
mod two;

use std::sync::Arc;

use medibloc_agent::answer::code;
use medibloc_journey::Party;
use medibloc_journey::memory::World;
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_record::Role;
use serde_json::Value;

use two::{Two, refused, say, text, try_say, with_ports};

/// A laptop that erased a record which a reader had read since the phone of its phrase synced.
struct Story {
    world: Arc<World>,
    two: Two,
    phone: Party,
    record: String,
    grant: String,
}

impl Story {
    async fn new(seed: u64) -> Self {
        let world = World::new(seed);
        let two = Two::new(&world).await;
        let reader = two.reader(&world, 3).await;
        let record = two.accepted().await;
        two.give(&record).await;
        let given = say(&two.patient, &["grant", "list"]).await;
        let phrase = Phrase::generate(&mut SeededEntropy::new(1), Language::English);
        let restored = Party::restore(&phrase, Role::Person, world.ports()).await;
        say(&reader, &["sync"]).await;
        say(&reader, &["read", &record]).await;
        say(&two.patient, &["record", "erase", &record, "--yes"]).await;
        Self {
            phone: restored.unwrap().0,
            grant: text(&given, "/given/0/id"),
            world,
            two,
            record,
        }
    }

    async fn show(&self) -> (Value, String) {
        let show = ["record", "show", &self.record];
        let shown = try_say(&self.phone, &show).await.unwrap();
        (shown.value, shown.text)
    }
}

fn is_whole((value, text): &(Value, String)) {
    assert_eq!(value["state"], "erased", "{text}");
    assert_eq!(value["readers"][0]["name"], "Reader", "{text}");
    assert_eq!(value["readers"][0]["reads"], 1, "{text}");
    assert_eq!(value["statements"], 7, "{text}");
    assert!(text.contains("cleared to read it before: Reader"), "{text}");
    assert!(!text.contains("nobody was cleared"), "{text}");
}

#[tokio::test]
async fn a_tombstone_that_an_export_wrote_names_who_read_the_record() {
    let story = Story::new(941).await;
    let out = story.two.folder.path().join("out.xml");
    let export = ["record", "export", &story.record, "--out"];
    let export = [export.as_slice(), &[out.to_str().unwrap()]].concat();
    refused(&story.phone, &export, code::ERASED).await;
    is_whole(&story.show().await);
}

#[tokio::test]
async fn lists_tell_what_the_other_device_erased() {
    let words: [&[&str]; 3] = [&["record", "list"], &["grant", "list"], &["status"]];
    for (first, seed) in words.iter().zip(942..) {
        let story = Story::new(seed).await;
        let told = say(&story.phone, first).await;
        match first[0] {
            "record" => assert_eq!(told[0]["state"], "erased", "{told}"),
            "grant" => {
                let given = told["given"].as_array().unwrap();
                let one = given.iter().find(|one| one["id"] == *story.grant).unwrap();
                let laptop = say(&story.two.patient, &["grant", "list"]).await;
                assert_eq!(one["state"], laptop["given"][0]["state"], "{told}");
                assert_ne!(one["state"], "live", "{told}");
            }
            _ => assert_eq!(told["records"]["accepted"], 0, "{told}"),
        }
        is_whole(&story.show().await);
    }
    let story = Story::new(945).await;
    is_whole(&story.show().await);
    // What was not done here is told all the same by the sync that follows, and nothing it said changes.
    let synced = say(&story.phone, &["sync"]).await;
    assert!(!synced["acts"].as_array().unwrap().is_empty(), "{synced}");
    is_whole(&story.show().await);
}

/// Nobody knows who read it, and nobody was asked: neither is nothing.
#[tokio::test]
async fn what_nobody_could_be_asked_is_not_known() {
    let story = Story::new(946).await;
    (1..=7).for_each(|keeper| story.world.set_down(keeper, true));
    let (value, text) = story.show().await;
    assert_eq!(value["readers"][0]["name"], "Reader", "{text}");
    assert!(text.contains("0 keepers signed"), "{text}");
    assert!(text.contains("not final yet"), "{text}");
    (1..=7).for_each(|keeper| story.world.set_down(keeper, false));
    say(&story.phone, &["sync"]).await;
    is_whole(&story.show().await);
}

/// The list of a home whose chain is away says that it may be more.
#[tokio::test]
async fn a_list_says_as_of_which_block_while_the_chain_is_away() {
    let story = Story::new(947).await;
    let alone = with_ports(
        gone::without_chain(story.phone.ports().clone()),
        1,
        Role::Person,
    );
    let list = try_say(&alone, &["record", "list"]).await.unwrap();
    assert_eq!(list.value[0]["state"], "accepted", "{}", list.text);
    assert!(
        list.text.contains("this is what the home knows"),
        "{}",
        list.text
    );
}

/// Its author heard "erased by its owner", and that seven keepers hold a share.
#[tokio::test]
async fn an_author_is_told_of_the_erasure_at_once_and_of_no_shares() {
    let world = World::new(948);
    let two = Two::new(&world).await;
    say(
        &two.patient,
        &["grant", "create", "--to", "clinic", "--write"],
    )
    .await;
    let record = two.written(&[]).await;
    say(&two.clinic, &["sync"]).await;
    say(&two.patient, &["record", "erase", &record, "--yes"]).await;
    let told = refused(&two.clinic, &["record", "show", &record], code::ERASED).await;
    assert!(!told.contains("hold a share"), "{told}");
    let list = say(&two.clinic, &["record", "list", "--written"]).await;
    assert_eq!(list[0]["state"], "erased", "{list}");
    assert!(list[0]["block"].is_u64(), "{list}");
    let synced = say(&two.clinic, &["sync"]).await;
    assert_eq!(
        synced["erasedWritten"].as_array().unwrap().len(),
        1,
        "{synced}"
    );
}

/// It was corrected all the same, for nobody.
#[tokio::test]
async fn what_is_erased_is_corrected_by_nobody() {
    let world = World::new(949);
    let two = Two::new(&world).await;
    say(
        &two.patient,
        &["grant", "create", "--to", "clinic", "--write"],
    )
    .await;
    let (before, after) = (two.written(&[]).await, two.written(&[]).await);
    say(&two.patient, &["record", "erase", &before, "--yes"]).await;
    say(&two.clinic, &["sync"]).await;
    say(&two.patient, &["record", "erase", &after, "--yes"]).await;
    for record in [&before, &after] {
        let file = two.document();
        let import = [
            "record", "import", &file, "--for", &two.owner, "--yes", "--amends", record,
        ];
        refused(&two.clinic, &import, code::ERASED).await;
    }
}

/// The command said that this home had erased what another one had.
#[tokio::test]
async fn an_erasure_of_another_device_is_not_told_as_this_ones() {
    for (seed, synced) in [(948, false), (949, true)] {
        let story = Story::new(seed).await;
        if synced {
            say(&story.phone, &["sync"]).await;
        }
        let erase = ["record", "erase", &story.record, "--yes"];
        for _ in 0..2 {
            let erased = try_say(&story.phone, &erase).await.unwrap();
            let by = "it was erased before, by another device of yours, in block";
            assert!(erased.text.contains(by), "{}", erased.text);
            assert_eq!(erased.value["here"], false, "{}", erased.text);
            assert!(erased.value["readersAsOfBlock"].is_u64());
        }
        let shown = story.show().await;
        assert!(
            shown.1.contains("by another device of yours, in block"),
            "{}",
            shown.1
        );
        assert_eq!(shown.0["here"], false);
        is_whole(&shown);
        let laptop = say(&story.two.patient, &["record", "show", &story.record]).await;
        assert_eq!(laptop["here"], true, "{laptop}");
    }
}
