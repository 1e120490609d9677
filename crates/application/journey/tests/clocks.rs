//! Whoever runs the only node that is asked for the chain tells any time; no time that it tells keeps a consent from being taken back.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at the first surprise and tells its figure"
)]

use std::sync::Arc;

use medibloc_consent::{Grant, Purpose};
use medibloc_journey::memory::World;
use medibloc_journey::{GrantState, Party};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_ledger::{Event, Events as _, Facts as _};
use medibloc_record::{Draft, LossReport, Role};

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
