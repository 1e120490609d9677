//! What the owner says once more counts over what another device said meanwhile, though nothing changes on this one.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use medibloc_journey::Party;
use medibloc_journey::memory::World;
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_record::Role;
use two::{Two, say, try_say};

/// Newcomer: the right name was said again after another device's mistake, acknowledged, and the mistake won.
#[tokio::test]
async fn the_last_word_on_who_the_owner_is_is_the_last_that_was_said() {
    let world = World::new(1310);
    let two = Two::new(&world).await;
    two.accepted().await;
    let phrase = Phrase::generate(&mut SeededEntropy::new(1), Language::English);
    let right = ["account", "person", "--name", "Ann Lee"];
    let wrong = ["account", "person", "--name", "Sue Lee"];
    say(&two.patient, &right).await;
    say(&two.patient, &["sync"]).await;
    let restored = Party::restore(&phrase, Role::Person, world.ports()).await;
    let phone = restored.unwrap().0;
    world.pass(60);
    say(&phone, &["sync"]).await;
    say(&phone, &wrong).await;
    say(&phone, &["sync"]).await;
    world.pass(60);
    say(&two.patient, &right).await;
    for device in [&two.patient, &phone, &two.patient] {
        say(device, &["sync"]).await;
        let told = try_say(device, &["account", "person"]).await.unwrap().text;
        assert!(told.contains("«Ann Lee»"), "{told}");
    }
    // Newcomer: what another device said later was taken over without a word.
    const TOLD: &str = "says otherwise than this one who you are";
    let told = try_say(&two.patient, &["sync"]).await.unwrap().text;
    assert!(!told.contains(TOLD), "{told}");
    world.pass(60);
    say(&phone, &wrong).await;
    say(&phone, &["sync"]).await;
    // Notes are looked at once a day.
    world.pass(90_000);
    let told = try_say(&two.patient, &["sync"]).await.unwrap().text;
    assert_eq!(told.matches(TOLD).count(), 1, "{told}");
}
