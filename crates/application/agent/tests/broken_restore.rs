//! A restore that was broken off says so wherever a list would seem to be all.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/gone.rs"]
mod gone;
#[path = "support/two.rs"]
mod two;

use std::sync::Arc;

use gone::without_chain;
use medibloc_agent::answer::code;
use medibloc_journey::memory::{MemoryVault, World};
use medibloc_journey::{Party, Ports};
use medibloc_record::Role;
use two::{Two, say, try_say, with_ports};

async fn lists(party: &Party, told: Option<&str>) {
    for words in [
        ["record", "list"].as_slice(),
        &["contact", "list"],
        &["request", "list"],
    ] {
        let answer = try_say(party, words).await.unwrap();
        match told {
            Some(told) => {
                assert!(
                    answer.text.contains("the restore of this home was"),
                    "{words:?}: {}",
                    answer.text
                );
                assert!(answer.text.contains(told), "{words:?}: {}", answer.text);
                assert_eq!(answer.code, code::PARTIAL, "{words:?}");
            }
            None => {
                assert!(
                    !answer.text.contains("restore"),
                    "{words:?}: {}",
                    answer.text
                );
                assert_eq!(answer.code, 0, "{words:?}");
            }
        }
    }
}

/// Newcomer: `no records yet`, and exit code 0.
#[tokio::test]
async fn the_lists_of_a_home_whose_restore_was_broken_off_say_so() {
    let world = World::new(821);
    let two = Two::new(&world).await;
    two.accepted().await;
    let vault = Arc::new(MemoryVault::default());
    let ports = || world.ports_with(vault.clone());
    let home = |ports: Ports| with_ports(ports, 1, Role::Person);
    lists(&home(ports()), None).await;
    // Before it knows its addresses.
    assert!(home(without_chain(ports())).restored().await.is_err());
    lists(&home(ports()), Some("`medibloc restore`")).await;
    // A sync does not find them, and says so.
    let synced = try_say(&home(ports()), &["sync"]).await.unwrap();
    assert!(
        synced.text.contains("the same `medibloc restore`"),
        "{}",
        synced.text
    );
    assert_eq!(synced.code, code::PARTIAL);
    lists(&home(ports()), Some("`medibloc restore`")).await;
    // After that, before the chain was read to its end.
    let cut = Ports {
        events: without_chain(ports()).events,
        ..ports()
    };
    assert!(home(cut).restored().await.is_err());
    let home = home(ports());
    lists(&home, Some("`medibloc sync`")).await;
    say(&home, &["sync"]).await;
    lists(&home, None).await;
    assert_eq!(home.records().unwrap().len(), 1);
}
