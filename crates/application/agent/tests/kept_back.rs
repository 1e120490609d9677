//! What one device decided and could not send is asked about again before it leaves: what another device took back meanwhile is not
//! given, however long it waited and whatever was sent of it before.
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

use devices::{CLINIC, DAY, Devices, EVERYTHING, READER, standing};
use medibloc_journey::Pace;
use two::{say, try_say};

/// What of the laptop's node is busy when it gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Storage,
    Notes,
    Relay,
}

#[tokio::test]
async fn what_was_kept_by_a_fault_is_not_given_after_another_device_took_it_back() {
    let mut stand = 0;
    for (seed, when, words) in [
        (11_001, When::Storage, EVERYTHING),
        (11_002, When::Storage, READER),
        (11_003, When::Relay, EVERYTHING),
        (11_004, When::Relay, READER),
        (11_005, When::Notes, EVERYTHING),
    ] {
        let story = Devices::new(seed, Pace::NOW).await;
        let busy = match when {
            When::Storage => &story.laptop_node.storage,
            When::Notes => &story.laptop_node.notes,
            When::Relay => &story.laptop_node.relay,
        };
        story.laptop_node.set(busy, true);
        assert!(
            try_say(&story.laptop, &story.give()).await.is_err(),
            "{when:?}"
        );
        assert_eq!(standing(&story.world).await, 0, "{when:?}");
        story.world.pass(3_600);
        say(&story.phone, words).await;
        story.laptop_node.set(busy, false);
        let told = story.syncs().await;
        assert_eq!(
            told.matches("another device of this phrase took back")
                .count(),
            1,
            "{told}"
        );
        let still = standing(&story.world).await;
        assert_eq!(still, 0, "{when:?} {words:?}: {told}");
        stand += still;
        // What is decided after that is given.
        say(&story.laptop, &story.give()).await;
        assert_eq!(standing(&story.world).await, 1, "{when:?} {words:?}");
    }
    println!(
        "ATTACK eleventh-p1: {stand} of 5 consents that a fault kept given after they were taken back"
    );
}

/// While the other device said nothing, the fault alone keeps it.
#[tokio::test]
async fn what_was_kept_by_a_fault_is_given_once_that_is_over() {
    for busy in [When::Storage, When::Notes, When::Relay] {
        let story = Devices::new(11_010, Pace::NOW).await;
        story.laptop_node.all(true);
        assert!(try_say(&story.laptop, &story.give()).await.is_err());
        story.laptop_node.all(false);
        let busy = match busy {
            When::Storage => &story.laptop_node.storage,
            When::Notes => &story.laptop_node.notes,
            When::Relay => &story.laptop_node.relay,
        };
        story.laptop_node.set(busy, true);
        say(&story.phone, CLINIC).await;
        let told = try_say(&story.laptop, &["sync"]).await.unwrap();
        assert_eq!(told.code, 9, "{}", told.text);
        assert_eq!(standing(&story.world).await, 0);
        story.laptop_node.set(busy, false);
        say(&story.laptop, &["sync"]).await;
        assert_eq!(standing(&story.world).await, 1);
    }
}

/// At the calm pace its day comes while the relay is busy: it is signed, and days later that counts for nothing any more.
#[tokio::test]
async fn what_was_put_off_and_signed_is_not_signed_again_after_it_was_taken_back() {
    let story = Devices::new(11_020, Pace::PERSON).await;
    let give = [story.give(), vec!["--days", "60"]].concat();
    say(&story.laptop, &give).await;
    story.laptop_node.set(&story.laptop_node.relay, true);
    story.world.pass(2 * DAY);
    say(&story.laptop, &["sync"]).await;
    story.world.pass(3 * DAY);
    say(&story.phone, EVERYTHING).await;
    story.laptop_node.set(&story.laptop_node.relay, false);
    let told = story.syncs().await;
    assert_eq!(standing(&story.world).await, 0, "{told}");
    let list = say(&story.laptop, &["grant", "list"]).await;
    assert!(list["given"].as_array().unwrap().is_empty(), "{list}");
    println!("ATTACK eleventh-p1: 0 of 1 consents signed anew after it was taken back");
}

/// The busy relay brings it to the chain after the phone took back everything: it is ended as soon as it is seen.
#[tokio::test]
async fn what_comes_to_the_chain_after_it_was_taken_back_is_revoked() {
    for (seed, give, words) in [
        (11_030, &["--record", ""][..], READER),
        (11_031, &["--write"], CLINIC),
    ] {
        let story = Devices::new(seed, Pace::NOW).await;
        let to = words[3];
        let mut give = [&["grant", "create", "--to", to], give].concat();
        if let Some(last) = give.last_mut().filter(|last| last.is_empty()) {
            *last = &story.record;
        }
        story.laptop_node.set(&story.laptop_node.relay, true);
        assert!(try_say(&story.laptop, &give).await.is_err());
        say(&story.phone, words).await;
        // It is not sent again, for it may be on its way.
        story.laptop_node.set(&story.laptop_node.relay, false);
        let told = try_say(&story.laptop, &["sync"]).await.unwrap();
        assert_eq!(
            (told.code, standing(&story.world).await),
            (9, 0),
            "{}",
            told.text
        );
        story
            .laptop_node
            .release(story.world.ports().relay.as_ref())
            .await;
        assert_eq!(standing(&story.world).await, 1, "it came");
        say(&story.laptop, &["sync"]).await;
        assert_eq!(standing(&story.world).await, 0);
    }
}

#[tokio::test]
async fn a_permission_to_write_that_was_kept_is_not_given_after_it_was_taken_back() {
    let story = Devices::new(11_040, Pace::NOW).await;
    story.laptop_node.set(&story.laptop_node.storage, true);
    let write = ["grant", "create", "--to", "clinic", "--write"];
    assert!(try_say(&story.laptop, &write).await.is_err());
    story.world.pass(3_600);
    say(&story.phone, CLINIC).await;
    story.laptop_node.set(&story.laptop_node.storage, false);
    let told = story.syncs().await;
    let still = standing(&story.world).await;
    assert_eq!(still, 0, "{told}");
    println!("ATTACK eleventh-p1: {still} of 1 permissions to write given after it was taken back");
}
