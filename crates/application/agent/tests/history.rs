//! A home that followed an older copy of the chain: what `chain show` and `doctor` say, and that `chain accept` needs keepers.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use medibloc_agent::answer::code;
use medibloc_journey::memory::World;
use medibloc_ledger::{Facts as _, Mark};
use two::{Two, refused, say, try_say};

async fn last(world: &World) -> Mark {
    let head = world.ledger.head().await.unwrap();
    Mark {
        number: head.number,
        hash: head.hash,
    }
}

#[tokio::test]
async fn who_followed_an_older_copy_is_told_and_goes_on_if_enough_keepers_read_the_right_chain() {
    let world = World::new(311);
    let two = Two::new(&world).await;
    say(&two.patient, &["sync"]).await;
    let shown = say(&two.patient, &["chain", "show"]).await;
    assert_eq!(shown["here"], shown["chain"]);
    assert_eq!(shown["others"][1]["says"], "nothing");
    let none = refused(&two.patient, &["chain", "accept"], code::UNKNOWN).await;
    assert!(none.contains("there is nothing to accept"), "{none}");

    let older = world.ledger.copy();
    say(
        &two.patient,
        &["grant", "create", "--to", "clinic", "--write"],
    )
    .await;
    let newest = world.ledger.copy();
    let right = last(&world).await;
    // Another home of the same phrase would do; this one is put back by its chain, so that it followed the wrong one.
    world.ledger.replace_by(&older);
    let late = two::party(&world, 9, medibloc_record::Role::Provider);
    say(&late, &["account", "register"]).await;
    say(&late, &["sync"]).await;
    world.ledger.replace_by(&newest);

    let told = refused(&late, &["sync"], code::UNREACHABLE).await;
    assert!(told.contains("the chain was set back"), "{told}");
    let shown = try_say(&late, &["chain", "show"]).await.unwrap();
    assert_eq!(shown.code, code::FAILED);
    for part in ["ALARM: the chain was set back", "medibloc chain accept"] {
        assert!(shown.text.contains(part), "{part}: {}", shown.text);
    }
    let told = refused(&late, &["doctor"], code::FAILED).await;
    assert!(told.contains("FAIL history"), "{told}");
    // Keepers that do not say that they read this chain: it may be the older copy.
    for keeper in 1..=3 {
        world.has_read(Some(keeper), right);
    }
    let told = refused(&late, &["chain", "accept"], code::FAILED).await;
    for part in [
        "3 keepers read this chain, 4 are needed",
        "nothing was changed",
        "keeper 5 does not say",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    world.has_read(Some(4), right);
    world.has_read(None, right);
    let accepted = say(&late, &["chain", "accept"]).await;
    assert_eq!(accepted["lacking"].as_array().unwrap().len(), 0);
    say(&late, &["sync"]).await;
    let shown = say(&late, &["chain", "show"]).await;
    assert_eq!(shown["here"]["block"], right.number);
    let told = try_say(&late, &["doctor"]).await.unwrap().text;
    for part in [
        "ok   history",
        "ok   others: 4 of 7 keepers read a block that the chain has, so does the node",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }

    // A node that read another chain, or more of it, is told by every home.
    world.has_read(
        None,
        Mark {
            hash: [9; 32],
            ..right
        },
    );
    let synced = try_say(&two.patient, &["sync"]).await.unwrap();
    let told = "ALARM: the node read another block";
    assert!(synced.text.contains(told), "{}", synced.text);
    let shown = try_say(&two.patient, &["chain", "show"]).await.unwrap();
    assert_eq!(shown.code, code::FAILED);
    assert!(shown.text.contains(told), "{}", shown.text);
}
