//! What one device took back the others hear, whatever its clock said, and it is not called done before they can.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at the first surprise, an attack tells its figure"
)]

#[path = "support/busy.rs"]
mod busy;
#[path = "support/devices.rs"]
mod devices;
#[path = "support/two.rs"]
mod two;

use std::sync::Arc;

use async_trait::async_trait;
use devices::{DAY, Devices, EVERYTHING, READER, standing};
use medibloc_journey::memory::World;
use medibloc_journey::{Clock, Pace, Party};
use medibloc_record::{Role, Timestamp};
use two::{say, try_say, with_ports};

const HEARD: &str = "another device of this phrase took back everything";

/// A clock that is so many seconds ahead.
struct Ahead(Arc<dyn Clock>, u64);

#[async_trait]
impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        self.0.now().plus(self.1)
    }
    async fn wait(&self, time: std::time::Duration) {
        self.0.wait(time).await;
    }
}

/// The laptop plans a consent, at the calm pace.
async fn plan(story: &Devices) {
    let give = [story.give(), vec!["--days", "60"]].concat();
    say(&story.laptop, &give).await;
    assert_eq!(standing(&story.world).await, 0, "it is put off");
}

async fn synced(party: &Party) -> String {
    try_say(party, &["sync"]).await.unwrap().text
}

#[tokio::test]
async fn a_clock_that_was_ahead_hides_no_later_word_of_another_device() {
    let mut given = 0;
    for (seed, ahead, words, phone_syncs) in [
        (12_001, 0, EVERYTHING, true),
        (12_002, 30 * DAY, EVERYTHING, true),
        (12_003, 30 * DAY, EVERYTHING, false),
        (12_004, 600, EVERYTHING, false),
        (12_005, 30 * DAY, READER, false),
    ] {
        let story = Devices::new(seed, Pace::PERSON).await;
        let mut ports = story.two.patient.ports().clone();
        ports.clock = Arc::new(Ahead(ports.clock, ahead));
        say(&with_ports(ports, 1, Role::Person), words).await;
        story.world.pass(120);
        if phone_syncs {
            say(&story.phone, &["sync"]).await;
        }
        plan(&story).await;
        story.world.pass(60);
        say(&story.phone, words).await;
        let told = synced(&story.laptop).await;
        assert!(told.contains(HEARD), "{ahead}: {told}");
        story.syncs().await;
        given += standing(&story.world).await;
        assert_eq!(given, 0, "{ahead} {words:?}");
    }
    println!(
        "ATTACK eleventh-p3: {given} of 4 consents given after they were taken back beside a clock that was ahead"
    );
}

/// The laptop's own word, of a clock that was ahead, is on no node when the phone's comes.
#[tokio::test]
async fn a_word_that_no_node_has_yet_hides_none_of_another_device() {
    let story = Devices::new(12_010, Pace::PERSON).await;
    let mut ports = story.laptop.ports().clone();
    ports.clock = Arc::new(Ahead(ports.clock, 30 * DAY));
    story.laptop_node.set(&story.laptop_node.notes, true);
    let wrong = with_ports(ports, 1, Role::Person);
    assert_eq!(try_say(&wrong, EVERYTHING).await.unwrap().code, 9);
    plan(&story).await;
    say(&story.phone, EVERYTHING).await;
    story.laptop_node.set(&story.laptop_node.notes, false);
    let told = synced(&story.laptop).await;
    assert!(told.contains(HEARD), "{told}");
    // Its own is a later one then, which the phone hears.
    let mut ports = story.phone.ports().clone();
    ports.pace = Pace::PERSON;
    let phone = with_ports(ports, 1, Role::Person);
    let told = synced(&phone).await;
    assert!(!told.contains(HEARD), "nothing was planned there: {told}");
    story.syncs().await;
    assert_eq!(standing(&story.world).await, 0);
}

#[tokio::test]
async fn taking_back_is_not_called_done_before_the_other_devices_can_hear_of_it() {
    let mut called_done = 0;
    for (seed, words, with) in [
        (12_020, EVERYTHING, Some(&["grant", "list"][..])),
        (12_021, READER, Some(&["sync"])),
        (12_022, READER, None),
    ] {
        let story = Devices::new(seed, Pace::PERSON).await;
        plan(&story).await;
        let notes = &story.phone_node.notes;
        story.phone_node.set(notes, true);
        let answer = try_say(&story.phone, words).await.unwrap();
        called_done += usize::from(answer.code == 0);
        assert_eq!(answer.code, 9, "{}", answer.text);
        let told = "they may still give what they planned until this device has synced";
        assert!(answer.text.contains(told), "{}", answer.text);
        let status = say(&story.phone, &["status"]).await.to_string();
        assert!(status.contains("your other devices"), "{status}");
        let told = try_say(&story.phone, &["sync"]).await.unwrap();
        assert_eq!(told.code, 9, "{}", told.text);
        story.phone_node.set(notes, false);
        // Whatever command is the next sends it.
        match with {
            Some(words) => drop(say(&story.phone, words).await),
            None => drop(story.phone.catch_up().await.unwrap()),
        }
        let status = say(&story.phone, &["status"]).await.to_string();
        assert!(!status.contains("your other devices"), "{status}");
        assert_eq!(try_say(&story.phone, words).await.unwrap().code, 0);
        story.syncs().await;
        assert_eq!(standing(&story.world).await, 0, "{words:?}");
    }
    println!(
        "ATTACK eleventh-p2: {called_done} of 3 orders called done that no other device could hear of"
    );
}

/// Of a phrase without an address no other device can have planned anything.
#[tokio::test]
async fn a_new_home_owes_nobody_a_word() {
    let new = two::party(&World::new(12_060), 9, Role::Person);
    let answer = try_say(&new, EVERYTHING).await.unwrap();
    assert_eq!(answer.code, 0, "{}", answer.text);
}

/// A home that does not know which listed node is its own leaves the word at each that answers.
#[tokio::test]
async fn a_home_whose_own_node_is_not_decided_leaves_the_word_where_it_can() {
    let story = Devices::new(12_030, Pace::PERSON).await;
    plan(&story).await;
    let vault = story.phone.ports().vault.clone();
    Party::own_node_waits_for(vault.as_ref(), &["memory:silent".to_owned()]).unwrap();
    for heard in [true, false] {
        let answer = try_say(&story.phone, READER).await.unwrap();
        assert_eq!(answer.code, 9, "{}", answer.text);
        let told = synced(&story.laptop).await;
        assert_eq!(told.contains(HEARD), heard, "{told}");
        assert!(!story.is_planned().await);
    }
    story.syncs().await;
    assert_eq!(standing(&story.world).await, 0);
    // What it said itself ends nothing that it decides after that.
    let give = [story.give(), vec!["--now", "--yes"]].concat();
    let _ = try_say(&story.phone, &["sync"]).await;
    say(&story.phone, &give).await;
    assert_eq!(standing(&story.world).await, 1);
}

/// Another grant's command hears it: it says so, and nobody else does once more.
#[tokio::test]
async fn whichever_command_hears_it_says_it_once() {
    let story = Devices::new(12_040, Pace::PERSON).await;
    plan(&story).await;
    say(&story.phone, EVERYTHING).await;
    let give = [
        "grant",
        "create",
        "--to",
        "clinic",
        "--record",
        &story.record,
        "--now",
        "--yes",
    ];
    let answer = try_say(&story.laptop, &give).await.unwrap();
    assert!(answer.text.contains(HEARD), "{}", answer.text);
    assert!(answer.text.contains("Reader"), "{}", answer.text);
    let told = synced(&story.laptop).await;
    assert!(!told.contains(HEARD), "{told}");
}

/// With a sync of its own between the decision and its end, the laptop hears that with the next one.
#[tokio::test]
async fn the_next_sync_hears_what_ends_a_planned_consent() {
    let story = Devices::new(12_050, Pace::PERSON).await;
    plan(&story).await;
    say(&story.laptop, &["sync"]).await;
    say(&story.phone, READER).await;
    let told = synced(&story.laptop).await;
    assert!(
        told.contains("took back everything of this contact"),
        "{told}"
    );
    assert!(!story.is_planned().await);
    let again = story.syncs().await;
    assert!(!again.contains("not given"), "{again}");
    let list = say(&story.laptop, &["grant", "list"]).await;
    assert_eq!(list["given"].as_array().unwrap().len(), 0, "{list}");
}
