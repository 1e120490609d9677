//! Without a key of a record, what is known is said: "granted" only of one that a consent of its owner covers.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use medibloc_agent::answer::code;
use medibloc_journey::memory::World;
use medibloc_record::Role;
use two::{Two, party, refused, say, text};

#[tokio::test]
async fn what_was_never_granted_is_not_called_granted() {
    let world = World::new(1010);
    let two = Two::new(&world).await;
    let reader = two.reader(&world, 3).await;
    two.accepted().await;
    let all = ["grant", "create", "--to", "reader", "--all"];
    say(&two.patient, &all).await;
    let of_class = ["grant", "create", "--to", "clinic", "--class", "5"];
    say(&two.patient, &of_class).await;
    for home in [&reader, &two.clinic] {
        say(home, &["sync"]).await;
    }
    let stranger = party(&world, 9, Role::Person);
    let file = two.document();
    let of_another = text(
        &say(&stranger, &["record", "import", &file]).await,
        "/record",
    );
    say(&stranger, &["sync"]).await;
    let new = two.sent().await;
    let none = format!("0x{}", "ab".repeat(32));

    let granted = "granted, key not delivered yet";
    let ask = "no consent that is held here covers it";
    for (home, record, told, not) in [
        (&reader, &none, "the chain has none with this id", granted),
        (&reader, &of_another, ask, granted),
        (&reader, &new, granted, ask),
        (&two.clinic, &new, ask, granted),
    ] {
        let said = refused(home, &["read", record], code::UNKNOWN).await;
        assert!(said.contains(told), "{said}");
        assert!(!said.contains(not), "{said}");
        // Put off, it is asked for as little.
        if record != &new {
            let later = ["read", record, "--later"];
            let said = refused(home, &later, code::UNKNOWN).await;
            assert!(!said.contains(granted), "{said}");
        }
    }
}
