//! Whoever runs the only node that is asked for the chain tells any time; no time that it tells keeps a consent from being taken back.
//! And nobody's own clock is told by what stands on the chain.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at the first surprise and tells its figure"
)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use medibloc_consent::{Grant, Purpose};
use medibloc_journey::memory::World;
use medibloc_journey::{Clock, GrantState, Party, Ports};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_ledger::{Call, Event, Events as _, Facts as _};
use medibloc_record::{Draft, LossReport, Role, Timestamp};

const WEEK: u64 = 7 * 86_400;

fn phrase(seed: u64) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}

/// A patient that lets a clinic read a record for a week.
async fn given(seed: u64) -> (Arc<World>, Party, Grant) {
    let world = World::new(seed);
    let patient = Party::new(phrase(1).seed(), Role::Person, world.ports());
    let clinic = Party::new(phrase(2).seed(), Role::Provider, world.ports());
    clinic.register_account().await.unwrap();
    let jwt = world.accredit(clinic.account().id(), "Bit Clinic");
    let invitation = patient.invite().await.unwrap();
    let owner = clinic.answer(&invitation, Some(&jwt)).await.unwrap().owner;
    patient.sync().await.unwrap();
    patient.confirm(owner).unwrap();
    let bundle = serde_json::json!({"resourceType": "Bundle"});
    let draft = Draft::new("text/xml", b"a".to_vec(), bundle, LossReport::default());
    let record = patient.write_own(draft).await.unwrap().record;
    let until = world.ports().clock.now().plus(WEEK);
    let asks = clinic.ask(owner, Purpose::Treatment, "second opinion", until);
    asks.await.unwrap();
    patient.sync().await.unwrap();
    let request = patient.requests().unwrap().pop().unwrap();
    patient.approve(&request, record, until).await.unwrap();
    let (_, given) = patient.grants().unwrap().pop().unwrap();
    let grant = given.artefact.grant.unwrap();
    (world, patient, grant)
}

async fn orders(world: &World) -> usize {
    let blocks = world.ledger.events(0, 1_000).await.unwrap();
    let events = blocks.iter().flat_map(|block| &block.events);
    events
        .filter(|event| matches!(event, Event::AllRevoked { .. }))
        .count()
}

#[tokio::test]
async fn no_time_that_the_chain_tells_keeps_a_consent_from_being_taken_back() {
    for later in [false, true] {
        let (world, patient, grant) = given(941).await;
        // Only the chain says that it is ten years later.
        let head = world.ledger.head().await.unwrap();
        world.ledger.set_time(head.time.plus(520 * WEEK));
        let shown = patient.given_views().await.unwrap();
        let is_live = |state: &GrantState| *state == GrantState::Live;
        let live = shown.iter().filter(|view| is_live(&view.state)).count();
        assert_eq!(live, 1, "{shown:?}");
        match later {
            true => patient.revoke_everything_later().await.unwrap(),
            false => patient.revoke_everything().await.unwrap(),
        }
        let revoked = world.ledger.grant(&grant).await.unwrap().revoked;
        println!(
            "ATTACK clock (later {later}): {} orders, revoked {revoked}",
            orders(&world).await
        );
        assert!(orders(&world).await == 1 && revoked, "consent {}", grant.id);
    }
}

#[tokio::test]
async fn what_has_ended_by_both_clocks_is_not_taken_back_once_more() {
    let (world, patient, grant) = given(943).await;
    world.pass(2 * WEEK);
    patient.revoke_everything().await.unwrap();
    let revoked = world.ledger.grant(&grant).await.unwrap().revoked;
    assert_eq!((orders(&world).await, revoked), (0, false));
}

/// A clock that is off by so many seconds.
struct Off(Arc<dyn Clock>, i64);

#[async_trait]
impl Clock for Off {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.now().0.saturating_add_signed(self.1))
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    async fn wait(&self, time: Duration) {
        self.0.wait(time).await;
    }
}

fn off(world: &Arc<World>, by: i64) -> Ports {
    let mut ports = world.ports();
    ports.clock = Arc::new(Off(ports.clock, by));
    ports
}

/// All times that calldata tells of a person's life so far: deadlines, and what the person's next key agreed to.
fn told(world: &World) -> BTreeSet<Timestamp> {
    let mut told = BTreeSet::new();
    for shown in world.ledger.calldata() {
        told.insert(shown.deadline);
        if let Call::RotateAddress { deadline, .. } = shown.call {
            told.insert(deadline);
        }
    }
    told
}

/// A person whose clock is off registers, writes and hands its key on; the chain is so many seconds past a full hour, and
/// so many behind the time, which is then ahead of it for whoever has no block.
async fn life(by: i64, past: u64, behind: u64) -> BTreeSet<Timestamp> {
    let world = World::new(947);
    let now = world.ports().clock.now().0;
    world.pass(3_600 - now % 3_600 + past);
    let ports = off(&world, by.saturating_add_unsigned(behind));
    let person = Party::new(phrase(1).seed(), Role::Person, ports);
    person.register_account().await.unwrap();
    let bundle = serde_json::json!({"resourceType": "Bundle"});
    let draft = Draft::new("text/xml", b"a".to_vec(), bundle, LossReport::default());
    person.write_own(draft).await.unwrap();
    person
        .rotate_signing_key(person.account().id())
        .await
        .unwrap();
    told(&world)
}

/// Deadlines were the own clock's second and ten minutes: who had the chain knew each device by its clock.
#[tokio::test]
async fn no_own_clock_is_told_by_calldata() {
    let (mut devices, mut lives) = (0, 0);
    // The chain tells its time; or no act has made a block of it for an hour.
    for (past, behind) in [
        (0, 0),
        (1_234, 0),
        (2_399, 0),
        (2_401, 0),
        (3_599, 4),
        (600, 3_600),
    ] {
        let right = life(0, past, behind).await;
        assert!(right.len() > 1, "{right:?}");
        for by in [-120, -61, -17, 17, 43, 71, 100, 120] {
            let off = life(by, past, behind).await;
            assert!(off.iter().all(|at| at.0 % 3_600 == 0), "{by}: {off:?}");
            assert_eq!(
                off, right,
                "{by} s off, {past} s past the hour, {behind} behind"
            );
            lives += 1;
            devices += usize::from(off != right);
        }
    }
    println!("ATTACK sixth-1: {devices} of {lives} devices told apart by their clocks");
}
