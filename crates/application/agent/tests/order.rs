//! Whether a read came before or after its owner ordered the end of the consent is told by blocks, never by two clocks.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/gone.rs"]
mod gone;
#[path = "support/two.rs"]
mod two;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use medibloc_agent::answer::code;
use medibloc_journey::memory::World;
use medibloc_journey::{Clock, Party, VaultPort};
use medibloc_record::{Role, Timestamp};
use serde_json::Value;
use two::{Two, refused, say, text, try_say, with_ports};

/// A clock that is so many seconds wrong.
struct Wrong(Arc<dyn Clock>, Arc<AtomicI64>);

#[async_trait]
impl Clock for Wrong {
    fn now(&self) -> Timestamp {
        let by = self.1.load(Ordering::SeqCst);
        Timestamp(self.0.now().0.saturating_add_signed(by))
    }
    async fn wait(&self, time: Duration) {
        self.0.wait(time).await;
    }
}

/// The patient's homes over one vault: as it is, while the relay is gone, and while the whole chain is.
struct Homes {
    two: Two,
    patient: Party,
    cut_off: Party,
    away: Party,
    by: Arc<AtomicI64>,
    grant: String,
    record: String,
}

/// A clinic that was given a record, and a patient whose clock can be set wrong.
async fn homes(world: &Arc<World>) -> Homes {
    let mut two = Two::new(world).await;
    let vault: Arc<dyn VaultPort> = two.patient.ports().vault.clone();
    let by = Arc::new(AtomicI64::new(0));
    let ports = |vault: &Arc<dyn VaultPort>| {
        let mut ports = world.ports_with(vault.clone());
        ports.clock = Arc::new(Wrong(ports.clock.clone(), by.clone()));
        ports
    };
    let mut cut = ports(&vault);
    let (away, patient) = (gone::without_chain(cut.clone()), ports(&vault));
    cut.relay = away.relay.clone();
    let home = |ports| with_ports(ports, 1, Role::Person);
    two.patient = home(ports(&vault));
    let record = two.accepted().await;
    let create = ["grant", "create", "--to", "clinic", "--record", &record];
    let grant = text(&say(&two.patient, &create).await, "/grant");
    say(&two.clinic, &["sync"]).await;
    Homes {
        patient: home(patient),
        cut_off: home(cut),
        away: home(away),
        two,
        by,
        grant,
        record,
    }
}

impl Homes {
    async fn read(&self) {
        let read = ["read", &self.record, "--now", "--yes"];
        say(&self.two.clinic, &read).await;
    }

    /// What the audit says of each read, beside what it says in words.
    async fn audit(&self) -> (Vec<Value>, String) {
        let audit = try_say(&self.patient, &["audit"]).await.unwrap();
        let reads = audit.value["reads"].as_array().unwrap().clone();
        (reads, audit.text)
    }
}

#[tokio::test]
async fn a_read_before_the_order_is_not_said_to_be_after_it_whatever_the_clock_says() {
    for (seed, by) in [(321, 0), (322, -100), (323, -180), (324, 100)] {
        let world = World::new(seed);
        let homes = homes(&world).await;
        world.pass(30);
        homes.read().await;
        homes.by.store(by, Ordering::SeqCst);
        let told = try_say(&homes.patient, &["grant", "revoke", &homes.grant]).await;
        let told = told.unwrap().text;
        assert_eq!(told.contains("this machine's clock ("), by < -120, "{told}");
        homes.by.store(0, Ordering::SeqCst);
        let (reads, words) = homes.audit().await;
        assert_eq!(reads[0]["afterOrder"], Value::Null, "{by}: {words}");
        assert_eq!(reads[0]["cleared"], "before the order", "{by}: {words}");
        assert!(!words.contains("you ordered"), "{by}: {words}");
        let list = try_say(&homes.patient, &["grant", "list"]).await.unwrap();
        let given = &list.value["given"][0];
        let at = text(given, "/given/time");
        assert!(
            given["revoked"]["orderedAfter"]["block"].is_u64(),
            "{given}"
        );
        let ordered = given["ordered"].as_str();
        assert_eq!(ordered.is_some(), by == 0, "{by}: {given}");
        assert!(
            ordered.is_none_or(|ordered| ordered >= at.as_str()),
            "{given}"
        );
    }
}

#[tokio::test]
async fn a_read_after_the_order_is_said_to_be_after_it_whatever_the_clock_says() {
    for (seed, by) in [(325, 0), (326, -100), (327, 100)] {
        let world = World::new(seed);
        let homes = homes(&world).await;
        world.pass(30);
        homes.by.store(by, Ordering::SeqCst);
        let revoke = ["grant", "revoke", &homes.grant];
        refused(&homes.cut_off, &revoke, code::PARTIAL).await;
        world.pass(30);
        homes.read().await;
        homes.by.store(0, Ordering::SeqCst);
        world.pass(30);
        say(&homes.patient, &["sync"]).await;
        let (reads, words) = homes.audit().await;
        let after = text(&reads[0], "/afterOrder");
        assert!(
            after.starts_with("cleared after you ordered the end"),
            "{after}"
        );
        assert!(words.contains(&after), "{by}: {words}");
    }
}

/// Without the chain a home knows what it saw before, and what the chain said when it was back: nothing in between.
#[tokio::test]
async fn what_a_home_did_not_see_it_does_not_order() {
    let world = World::new(328);
    let homes = homes(&world).await;
    homes.read().await;
    // The home sees this block.
    say(&homes.patient, &["sync"]).await;
    world.pass(30);
    homes.read().await;
    let revoke = ["grant", "revoke", &homes.grant];
    refused(&homes.away, &revoke, code::PARTIAL).await;
    world.pass(30);
    homes.read().await;
    refused(&homes.cut_off, &revoke, code::PARTIAL).await;
    say(&homes.cut_off, &["sync"]).await;
    world.pass(30);
    homes.read().await;
    say(&homes.patient, &["sync"]).await;
    let (reads, words) = homes.audit().await;
    let told: Vec<&str> = reads
        .iter()
        .map(|read| read["cleared"].as_str().unwrap())
        .collect();
    let (before, after) = ("before the order", "after the order");
    assert_eq!(told, [before, "not known", "not known", after], "{words}");
    assert_eq!(
        words.matches("before or after you ordered the end").count(),
        2,
        "{words}"
    );
    for read in &reads[..3] {
        assert_eq!(read["afterOrder"], Value::Null);
    }
}
