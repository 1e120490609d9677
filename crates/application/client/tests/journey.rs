//! The whole journey over HTTP: real routers of one node and seven keepers on loopback, a chain in memory.

#![allow(clippy::unwrap_used, reason = "a test says by panicking what broke")]

#[path = "world/http.rs"]
mod http;

use std::sync::Arc;

use http::World;
use medibloc_consent::{FeedFact, KeeperReply, Purpose, RefusalReason};
use medibloc_dag::Cid;
use medibloc_evil::reader::{Heard, Tap, Tapped};
use medibloc_journey::{JourneyError, Party, Ports, Standing, contract, medical_only};
use medibloc_keys::{Language, Phrase, SeededEntropy, SigningKey};
use medibloc_record::{AccountId, Draft, GrantId, LossReport, PartRole, RecordId, Role};
use medibloc_store::Store;

const WEEK: u64 = 7 * 86_400;
const ORIGINAL: &[u8] = b"<ClinicalDocument>a diagnosis</ClinicalDocument>";

fn phrase(seed: u64) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}

fn draft() -> Draft {
    let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document"});
    Draft::new(
        "application/cda+xml",
        ORIGINAL.to_vec(),
        bundle,
        LossReport::default(),
    )
}

struct Story {
    world: Arc<World>,
    patient: Party,
    hospital: Party,
    clinic: Party,
    owner: AccountId,
    clinic_owner: AccountId,
}

async fn paired(world: Arc<World>) -> Story {
    let ports = world.ports();
    paired_with(world, ports).await
}

/// As `paired`; the clinic has these ports.
async fn paired_with(world: Arc<World>, ports: Ports) -> Story {
    let patient = Party::new(phrase(1).seed(), Role::Person, world.ports());
    let hospital = Party::new(phrase(2).seed(), Role::Provider, world.ports());
    let clinic = Party::new(phrase(3).seed(), Role::Provider, ports);
    hospital.register_account().await.unwrap();
    clinic.register_account().await.unwrap();
    let hospital_jwt = world.accredit(hospital.account().id(), "Hana Hospital");
    let clinic_jwt = world.accredit(clinic.account().id(), "Bit Clinic");
    let invitation = patient.invite().await.unwrap();
    let answer = hospital.answer(&invitation, Some(&hospital_jwt)).await;
    let owner = answer.unwrap().owner;
    let invitation = patient.invite().await.unwrap();
    let answer = clinic.answer(&invitation, Some(&clinic_jwt)).await;
    let clinic_owner = answer.unwrap().owner;
    patient.sync().await.unwrap();
    for contact in patient.contacts().unwrap() {
        patient.confirm(contact.own).unwrap();
    }
    let until = world.ports().clock.now().plus(WEEK);
    patient
        .grant_write(owner, medical_only(), until)
        .await
        .unwrap();
    Story {
        world,
        patient,
        hospital,
        clinic,
        owner,
        clinic_owner,
    }
}

async fn granted(story: &Story) -> (RecordId, GrantId) {
    let until = story.world.ports().clock.now().plus(WEEK);
    let written = story
        .hospital
        .write_for(story.owner, draft())
        .await
        .unwrap();
    assert_eq!(written.acknowledged, 7);
    let record = written.record;
    assert_eq!(story.patient.sync().await.unwrap().accepted, [record]);
    story
        .clinic
        .ask(
            story.clinic_owner,
            Purpose::Treatment,
            "second opinion",
            until,
        )
        .await
        .unwrap();
    story.patient.sync().await.unwrap();
    let request = story.patient.requests().unwrap().pop().unwrap();
    let grant = story
        .patient
        .approve(&request, record, until)
        .await
        .unwrap();
    story.clinic.sync().await.unwrap();
    (record, grant)
}

async fn read(story: &Story, record: RecordId) -> Result<Vec<u8>, JourneyError> {
    let read = story.clinic.read(record).await?;
    let mut original = Vec::new();
    story
        .clinic
        .open_read_part(&read, PartRole::Original, &mut original)?;
    Ok(original)
}

#[tokio::test]
async fn mailboxes_and_keepers_over_http_keep_the_contract_of_the_ports() {
    let world = World::new(71).await;
    contract::network(&world.ports()).await.unwrap();
}

#[tokio::test]
async fn a_record_walks_its_whole_journey_over_http() {
    let story = paired(World::new(1).await).await;
    let (record, grant) = granted(&story).await;
    assert_eq!(read(&story, record).await.unwrap(), ORIGINAL);
    let trail = story.patient.audit().await.unwrap();
    assert_eq!((trail.len(), trail[0].name.as_str()), (1, "Bit Clinic"));
    let feeds = story.patient.feeds().await.unwrap();
    let released = feeds.iter().filter(|feed| {
        let mut lines = feed.lines.iter();
        lines.any(|line| matches!(line.fact, FeedFact::Released { .. }))
    });
    assert!(released.count() >= 4, "at least four released and say so");
    story.patient.revoke(grant).await.unwrap();
    let refused = story.clinic.read(record).await.unwrap_err().to_string();
    assert!(refused.contains("revoked"), "{refused}");

    // A new machine: phrase and network alone.
    let (restored, report) = Party::restore(&phrase(1), Role::Person, story.world.ports())
        .await
        .unwrap();
    assert_eq!(report.sync.accepted, [record], "{report:?}");
    let kept = restored.record(record).unwrap();
    let mut original = Vec::new();
    restored
        .open_own_part(&kept, PartRole::Original, &mut original)
        .unwrap();
    assert_eq!(original, ORIGINAL);
    assert_eq!(restored.audit().await.unwrap()[0].name, "Bit Clinic");

    // Erase: seven statements, and the node has no block of it any more.
    let package = Cid::from_dag_cbor_digest(kept.anchor.package.to_bytes());
    assert_eq!(story.world.store.has(&[package]).await.unwrap(), [true]);
    assert_eq!(story.patient.erase(record).await.unwrap(), 7);
    story.patient.sync().await.unwrap();
    let hospital_store = {
        let ports = story.world.ports();
        let author = SigningKey::from_bytes(&[3; 32]).unwrap();
        ports.network.store(&author)
    };
    // Anyone's next question makes the node look at the chain.
    let _ = hospital_store.has(&[package]).await;
    let _ = Party::restore(&phrase(1), Role::Person, story.world.ports()).await;
    assert_eq!(story.world.store.has(&[package]).await.unwrap(), [false]);
    assert!(story.world.store.erased(&package).await.unwrap());
}

#[tokio::test]
async fn a_revoked_reader_that_skips_the_chain_is_refused_by_every_keeper_over_http() {
    let story = paired(World::new(2).await).await;
    let (record, grant) = granted(&story).await;
    let first = story.clinic.read(record).await.unwrap();
    story.patient.revoke(grant).await.unwrap();
    let refused = story
        .clinic
        .read_with_receipt(record, first.receipt)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("0 of 4") && refused.contains("revoked"),
        "{refused}"
    );
    let feeds = story.patient.feeds().await.unwrap();
    let told = feeds.iter().filter(|feed| {
        let mut lines = feed.lines.iter();
        lines.any(|line| matches!(line.fact, FeedFact::Refused { .. }) && line.record == record)
    });
    assert_eq!(told.count(), 7, "every refusal reaches the owner's feed");
}

#[tokio::test]
async fn a_request_is_answered_once_and_the_feed_stays_also_after_a_restart() {
    let world = World::on_disk(5).await;
    let mut ports = world.ports();
    let network = ports.network.clone();
    let tap = Tap::on(network.clone());
    ports.network = Arc::new(Tapped(tap.clone()));
    let story = paired_with(world, ports).await;
    let (record, _) = granted(&story).await;
    assert_eq!(read(&story, record).await.unwrap(), ORIGINAL);
    let seen = tap.heard();
    assert!(seen.len() >= 4);
    let replay = async |(index, actor, request): &Heard| {
        let keepers = network.keepers(actor);
        keepers.release(*index, request).await.unwrap().reply
    };
    let (index, ..) = seen[0];
    let refused = KeeperReply::Refused(RefusalReason::Replayed);
    assert_eq!(replay(&seen[0]).await, refused);
    let lines = async || {
        let feeds = story.patient.feeds().await.unwrap();
        let of_one = feeds.into_iter().filter(|feed| feed.index == index);
        of_one.flat_map(|feed| feed.lines).collect::<Vec<_>>()
    };
    let before = lines().await;
    assert_eq!(
        before.len(),
        1,
        "released; what comes again is no fact about the reader"
    );
    story.world.stop(index).await;
    story.world.start(index).await;
    assert_eq!(replay(&seen[0]).await, refused);
    let after = lines().await;
    assert_eq!(after, before, "the same fact, not counted again");
    // Somebody else's transport makes no difference: the request inside counts.
    let (_, _, request) = seen[1].clone();
    let other = (seen[1].0, seen[0].1.clone(), request);
    assert_eq!(replay(&other).await, refused);
}

#[tokio::test]
async fn three_stopped_keepers_do_not_matter_and_four_are_a_clear_error() {
    let story = paired(World::on_disk(3).await).await;
    let (record, _) = granted(&story).await;
    for index in [1, 2, 3] {
        story.world.stop(index).await;
    }
    assert_eq!(read(&story, record).await.unwrap(), ORIGINAL);
    story.world.stop(4).await;
    let refused = story.clinic.read(record).await.unwrap_err().to_string();
    assert!(
        refused.contains("3 of 4") && refused.contains("does not answer"),
        "{refused}"
    );
    // Keepers come back with what was on their disks.
    for index in [1, 2, 3, 4] {
        story.world.start(index).await;
    }
    for index in [5, 6, 7] {
        story.world.stop(index).await;
    }
    assert_eq!(read(&story, record).await.unwrap(), ORIGINAL);
}

#[tokio::test]
async fn the_author_dies_after_the_anchor_and_the_owner_delivers_the_shares() {
    let story = paired(World::on_disk(4).await).await;
    for index in 1..=7 {
        story.world.stop(index).await;
    }
    let written = story
        .hospital
        .write_for(story.owner, draft())
        .await
        .unwrap();
    assert_eq!(written.acknowledged, 0);
    assert!(story.patient.sync().await.unwrap().accepted.is_empty());
    for index in 1..=7 {
        story.world.start(index).await;
    }
    assert_eq!(
        story.patient.sync().await.unwrap().accepted,
        [written.record]
    );
    let kept = story.patient.record(written.record).unwrap();
    assert_eq!(kept.standing, Standing::Accepted);
}
