//! What a former reader, who has no consent and no copy any more, is told of what its author said later.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use std::sync::Arc;
use std::time::Duration;

use medibloc_journey::memory::World;
use medibloc_journey::{Clock, Party};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_record::{Role, Timestamp};
use two::{Two, say, text, try_say};

/// A clock that is a second ahead of the chain's.
struct Ahead(Arc<dyn Clock>);

#[async_trait::async_trait]
impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        self.0.now().plus(1)
    }
    async fn wait(&self, time: Duration) {
        self.0.wait(time).await;
    }
}

/// Newcomer: `sync` told a read by this machine's clock, and `audit` the same one by the chain's, a second apart.
#[tokio::test]
async fn a_read_has_one_time_whoever_tells_it() {
    let world = World::new(343);
    let two = Two::new(&world).await;
    let write = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &write).await;
    let mut ports = world.ports();
    ports.clock = Arc::new(Ahead(ports.clock));
    let reader = two::with_ports(ports, 3, Role::Provider);
    two.know(&world, &reader).await;
    let record = two.written(&[]).await;
    two.give(&record).await;
    say(&reader, &["sync"]).await;
    say(&reader, &["read", &record]).await;
    say(&two.clinic, &["record", "retract", &record, "--yes"]).await;
    let told = say(&reader, &["sync"]).await;
    let audit = say(&reader, &["audit"]).await;
    assert_eq!(told["takenBack"][0]["readAt"], audit["ownReads"][0]["at"]);
}

/// Whoever had read a record, and has no consent and no copy any more, was told an id and nothing that says which it was.
#[tokio::test]
async fn a_former_reader_hears_whose_record_it_was_and_when_it_was_read() {
    for restores in [false, true] {
        let world = World::new(341 + u64::from(restores));
        let two = Two::new(&world).await;
        let write = ["grant", "create", "--to", "clinic", "--write"];
        say(&two.patient, &write).await;
        let reader = two.reader(&world, 3).await;
        let (wrong, old) = (two.written(&[]).await, two.written(&[]).await);
        for record in [&wrong, &old] {
            two.give(record).await;
            say(&reader, &["sync"]).await;
            say(&reader, &["read", record]).await;
        }
        let held = say(&reader, &["grant", "list"]).await;
        let paired = text(&held, "/held/0/paired");
        say(&reader, &["contact", "label", &paired, "Bed 7"]).await;
        let read = say(&reader, &["audit"]).await;
        let at = text(&read, "/ownReads/0/at");
        world.pass(600);
        say(&two.patient, &["grant", "revoke", "--contact", "reader"]).await;
        let phrase = Phrase::generate(&mut SeededEntropy::new(3), Language::English);
        let again = Party::restore(&phrase, Role::Provider, world.ports()).await;
        let again = again.unwrap().0;
        let home = match restores {
            true => &again,
            false => &reader,
        };
        say(home, &["sync"]).await;
        say(&two.clinic, &["record", "retract", &wrong, "--yes"]).await;
        two.written(&["--amends", &old]).await;
        let told = try_say(home, &["sync"]).await.unwrap();
        let (words, field) = match restores {
            true => (
                "which another home of your phrase was cleared to read on",
                "clearedAt",
            ),
            false => ("which you read on", "readAt"),
        };
        for said in ["takenBack", "corrected"] {
            let one = &told.value[said][0];
            assert_eq!(one[field], *at, "{one}");
            assert_eq!(
                one["label"].as_str(),
                (!restores).then_some("Bed 7"),
                "{one}"
            );
        }
        let read = format!("({words} {at})");
        assert_eq!(told.text.matches(&read).count(), 2, "{}", told.text);
        // By the address that `contact list` shows: the one that the record lies under is another.
        let label = format!("of owner {paired} «Bed 7» (");
        let label = told.text.matches(&label).count();
        assert_eq!(label, if restores { 0 } else { 2 }, "{}", told.text);
    }
}
