//! A reader and a relay that do what they like, over HTTP: real routers of one node and seven keepers on loopback, a
//! chain in memory.

#![allow(clippy::unwrap_used, reason = "a test says by panicking what broke")]
#![allow(clippy::print_stdout, reason = "an attack tells its figure")]

#[path = "world/http.rs"]
mod http;

use std::sync::Arc;

use http::World;
use medibloc_consent::{AnchorFields, KeeperReply, KeeperRequest, Purpose, Reason, RefusalReason};
use medibloc_evil::owner::{Owner, call};
use medibloc_evil::reader::{Reader, Tap, Tapped};
use medibloc_evil::relay::{Crooked, Does};
use medibloc_journey::{Party, Ports, medical_only};
use medibloc_keys::{Language, Phrase, SeededEntropy, SigningKey};
use medibloc_ledger::{Call, Facts as _, LedgerError};
use medibloc_record::{AccountId, Draft, GrantId, LossReport, Nonce, ReceiptId, RecordId, Role};

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
    /// Between the patient and the node.
    relay: Arc<Crooked>,
    world: Arc<World>,
    patient: Party,
    hospital: Party,
    clinic: Party,
    owner: AccountId,
    clinic_owner: AccountId,
}

/// The clinic has these ports.
async fn paired_with(world: Arc<World>, ports: Ports) -> Story {
    let mut own = world.ports();
    let relay = Crooked::before(own.relay.clone());
    own.relay = relay.clone();
    let patient = Party::new(phrase(1).seed(), Role::Person, own);
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
        relay,
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

type Change = Box<dyn Fn(&mut KeeperRequest)>;

#[tokio::test]
async fn a_reader_that_asks_for_more_than_it_was_given_gets_no_share() {
    let world = World::new(201).await;
    let mut ports = world.ports();
    let tap = Tap::on(ports.network.clone());
    ports.network = Arc::new(Tapped(tap.clone()));
    let plain = world.ports();
    let story = paired_with(world, ports).await;
    let (record, grant) = granted(&story).await;
    story.clinic.read(record).await.unwrap();
    // Another record of the same owner, which was not granted.
    let draft = Draft::new(
        "application/cda+xml",
        b"<ClinicalDocument>another</ClinicalDocument>".to_vec(),
        serde_json::json!({"resourceType": "Bundle", "type": "document"}),
        LossReport::default(),
    );
    let other = story.hospital.write_for(story.owner, draft).await.unwrap();
    story.patient.sync().await.unwrap();
    let heard = tap.heard();
    let mut reader = Reader::of(&heard[0]);
    let key = reader.key.clone();
    let stranger = SigningKey::from_bytes(&[0x77; 32]).unwrap();
    let stranger = Owner::register(&plain, stranger, 9).await.unwrap().key;
    let (mut asked, mut shares) = (0, 0);
    let mut refused = |replies: Vec<KeeperReply>, reason: &RefusalReason, what: &str| {
        for reply in replies {
            asked += 1;
            shares += usize::from(matches!(reply, KeeperReply::Released(_)));
            assert_eq!(reply, KeeperReply::Refused(reason.clone()), "{what}");
        }
    };
    // Under its own key, each alone.
    let elsewhere = reader.good().keeper;
    let changes: Vec<(&str, Change, RefusalReason)> = vec![
        (
            "another record",
            Box::new(move |it| it.record = other.record),
            RefusalReason::NoReceipt,
        ),
        (
            "a record that is none",
            Box::new(|it| it.record = RecordId::new([9; 32])),
            RefusalReason::UnknownRecord,
        ),
        (
            "another grant",
            Box::new(|it| it.grant = GrantId::new([9; 32])),
            RefusalReason::NoReceipt,
        ),
        (
            "a receipt that is none",
            Box::new(|it| it.receipt = ReceiptId::new([9; 32])),
            RefusalReason::NoReceipt,
        ),
        (
            "a request without an end",
            Box::new(|it| it.expiry.0 = u64::MAX),
            RefusalReason::ExpiryTooFar,
        ),
        (
            "a request that is over",
            Box::new(|it| it.expiry.0 = 1),
            RefusalReason::RequestExpired,
        ),
        (
            "a later version",
            Box::new(|it| it.version = 2),
            RefusalReason::WrongKeeper,
        ),
        (
            "no binding",
            Box::new(|it| it.binding = None),
            RefusalReason::WrongBinding,
        ),
    ];
    for (what, change, reason) in &changes {
        refused(
            reader.ask(&plain, &key, change).await.unwrap(),
            reason,
            what,
        );
    }
    // What one keeper was asked, shown to the others.
    let replies = reader.ask(&plain, &key, |it| it.keeper = elsewhere).await;
    let mut replies = replies.unwrap();
    let committee = plain.facts.committee().await.unwrap();
    let same = committee
        .keepers
        .iter()
        .position(|it| it.signer == elsewhere);
    replies.remove(same.unwrap());
    refused(replies, &RefusalReason::WrongKeeper, "for another keeper");
    // Another's receipt, under a key that was given nothing.
    let replies = reader.ask(&plain, &stranger, |_| {}).await.unwrap();
    refused(replies, &RefusalReason::NoReceipt, "a foreign receipt");
    // A one-time key is answered once.
    for (index, actor, request) in &heard {
        let again = plain.network.keepers(actor).release(*index, request).await;
        refused(
            vec![again.unwrap().reply],
            &RefusalReason::Replayed,
            "again",
        );
    }
    // On chain: no receipt for what the grant does not cover, and none under a nonce of before.
    let given = story.patient.grants().unwrap();
    let (_, given) = given.into_iter().find(|(id, _)| *id == grant).unwrap();
    let given = given.artefact.grant.unwrap();
    let anchors = [record, other.record].map(|id| story.patient.record(id).unwrap().anchor);
    let open = |anchor: AnchorFields, nonce: [u8; 32]| Call::OpenRead {
        record: anchor.record_id(),
        purpose_tag: given.terms.purpose_tag,
        nonce: Nonce::new(nonce),
        anchor,
        grant: given.clone(),
        proof: None,
    };
    let [granted, foreign] = anchors;
    let done = call(&plain, &key, &open(foreign, [1; 32])).await;
    assert!(matches!(done, Err(LedgerError::Refused(_))), "{done:?}");
    call(&plain, &key, &open(granted, [2; 32])).await.unwrap();
    let done = call(&plain, &key, &open(granted, [2; 32])).await;
    assert!(matches!(done, Err(LedgerError::Refused(_))), "{done:?}");
    // The receipt grows old; then the grant ends.
    story.world.pass(601);
    let replies = reader.ask(&plain, &key, |_| {}).await.unwrap();
    refused(replies, &RefusalReason::ReceiptTooOld, "an old receipt");
    let left = given.terms.until.since(plain.clock.now());
    story.world.pass(left - 60);
    call(&plain, &key, &open(granted, [4; 32])).await.unwrap();
    let fresh = ReceiptId::derive(record, given.reader, grant, Nonce::new([4; 32]));
    story.world.pass(60);
    let replies = reader.ask(&plain, &key, |it| it.receipt = fresh).await;
    let expired = RefusalReason::Consent(Reason::Expired);
    refused(replies.unwrap(), &expired, "after the grant's end");
    let done = call(&plain, &key, &open(granted, [5; 32])).await;
    assert!(matches!(done, Err(LedgerError::Refused(_))), "{done:?}");
    assert_eq!(shares, 0);
    println!(
        "ATTACK security-reader: {shares} shares in {asked} requests to seven keepers, 0 of 3 receipts"
    );
}

#[tokio::test]
async fn a_relay_that_lies_ends_no_revocation_that_is_not_on_the_chain() {
    let world = World::new(202).await;
    let ports = world.ports();
    let story = paired_with(world, ports).await;
    let mut held_back = 0;
    for does in [
        Does::Drops,
        Does::Swallows,
        Does::Doubles,
        Does::Holds,
        Does::Alters,
        Does::Lies,
        Does::Refuses,
    ] {
        let (record, grant) = granted(&story).await;
        story.clinic.read(record).await.unwrap();
        story.relay.set(does);
        let revoked = story.patient.revoke(grant).await;
        let given = story.patient.given_views().await.unwrap();
        let given = given.into_iter().find(|it| it.id == grant.to_string());
        let read = story.clinic.read(record).await.map_err(|it| it.to_string());
        let is_over = read.is_err_and(|told| told.contains("revoked"));
        assert_eq!(
            revoked.is_ok(),
            is_over && does == Does::Doubles,
            "{does:?}: it says what is so: {revoked:?}"
        );
        if revoked.is_err() {
            let jobs = story.patient.job_views().unwrap();
            assert!(!jobs.is_empty(), "{does:?}: it is kept: {given:?}");
            held_back += 1;
        }
        // Whatever was done with it, it is done once when the relay sends again.
        story.relay.send_held().await;
        story.relay.set(Does::Sends);
        story.patient.sync().await.unwrap();
        assert_eq!(story.patient.job_views().unwrap(), [], "{does:?}");
        let refused = story.clinic.read(record).await.unwrap_err().to_string();
        assert!(refused.contains("revoked"), "{does:?}: {refused}");
    }
    println!(
        "ATTACK security-relay: 0 of 7 revocations ended otherwise than on the chain, {held_back} told as not done and done later"
    );
}

#[tokio::test]
async fn a_consent_that_a_relay_held_back_is_dead_once_everything_is_taken_back() {
    let world = World::new(203).await;
    let ports = world.ports();
    let story = paired_with(world, ports).await;
    let (record, first) = granted(&story).await;
    story.clinic.read(record).await.unwrap();
    let until = story.world.ports().clock.now().plus(WEEK);
    let purpose = Purpose::Treatment;
    let asked = story
        .clinic
        .ask(story.clinic_owner, purpose, "again", until);
    asked.await.unwrap();
    story.patient.sync().await.unwrap();
    let mut requests = story.patient.requests().unwrap();
    requests.retain(|it| it.request.reason == "again");
    let request = requests.pop().unwrap();
    story.relay.set(Does::Holds);
    let held = story.patient.approve(&request, record, until).await;
    assert!(held.unwrap_err().to_string().contains("no answer"));
    story.relay.set(Does::Sends);
    story.patient.revoke_everything().await.unwrap();
    for _ in 0..3 {
        story.relay.send_held().await;
        story.patient.sync().await.unwrap();
        story.clinic.sync().await.unwrap();
    }
    let refused = story.clinic.read(record).await.unwrap_err().to_string();
    assert!(refused.contains("revoked"), "{refused}");
    assert_eq!(story.patient.job_views().unwrap(), [], "nothing goes on");
    for (id, given) in story.patient.grants().unwrap() {
        let facts = story
            .world
            .ledger
            .grant(given.artefact.grant.as_ref().unwrap());
        let facts = facts.await.unwrap();
        assert!(facts.revoked || !facts.granted, "{id}, the first {first}");
    }
    println!("ATTACK relay-1: 0 of 2 consents live after everything was taken back");
}

#[tokio::test]
async fn every_revocation_of_a_contact_is_kept_though_the_relay_is_away() {
    let world = World::new(204).await;
    let ports = world.ports();
    let story = paired_with(world, ports).await;
    let (one, _) = granted(&story).await;
    let (other, _) = granted(&story).await;
    story.relay.set(Does::Drops);
    let ended = story.patient.revoke_contact(story.clinic_owner).await;
    assert!(ended.unwrap_err().to_string().contains("no answer"));
    assert_eq!(story.patient.job_views().unwrap().len(), 2, "both are kept");
    story.relay.set(Does::Sends);
    story.patient.sync().await.unwrap();
    for record in [one, other] {
        let refused = story.clinic.read(record).await.unwrap_err().to_string();
        assert!(refused.contains("revoked"), "{refused}");
    }
    println!("ATTACK relay-2: 2 of 2 revocations kept, and done when the relay answered");
}
