//! What a home did on an older copy of the chain, once it goes on with the right one.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "an attack tells its figure"
)]

use std::sync::Arc;

use medibloc_consent::{Grant, Purpose};

use medibloc_evil::relay::{Crooked, Does};
use medibloc_journey::memory::World;
use medibloc_journey::{Party, PendingRequest, medical_only};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_ledger::{Event, Events as _, Facts as _};
use medibloc_record::{
    AccountId, Draft, GrantId, LossReport, RecordId, Role, Threshold, Timestamp,
};

const WEEK: u64 = 7 * 86_400;

fn phrase(seed: u64) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}

fn draft() -> Draft {
    let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document"});
    Draft::new(
        "application/cda+xml",
        b"<x>a diagnosis</x>".to_vec(),
        bundle,
        LossReport::default(),
    )
}

struct Story {
    world: Arc<World>,
    crooked: Arc<Crooked>,
    patient: Party,
    hospital: Party,
    clinic: Party,
    owner: AccountId,
    clinic_owner: AccountId,
}

async fn paired(seed: u64) -> Story {
    let world = World::new(seed);
    let mut ports = world.ports();
    let crooked = Crooked::before(ports.relay.clone());
    ports.relay = crooked.clone();
    let patient = Party::new(phrase(1).seed(), Role::Person, ports);
    let hospital = Party::new(phrase(2).seed(), Role::Provider, world.ports());
    let clinic = Party::new(phrase(3).seed(), Role::Provider, world.ports());
    hospital.register_account().await.unwrap();
    clinic.register_account().await.unwrap();
    let hospital_jwt = world.accredit(hospital.account().id(), "Hana Hospital");
    let clinic_jwt = world.accredit(clinic.account().id(), "Bit Clinic");
    let invitation = patient.invite().await.unwrap();
    let owner = hospital
        .answer(&invitation, Some(&hospital_jwt))
        .await
        .unwrap()
        .owner;
    let invitation = patient.invite().await.unwrap();
    let clinic_owner = clinic
        .answer(&invitation, Some(&clinic_jwt))
        .await
        .unwrap()
        .owner;
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
        crooked,
        patient,
        hospital,
        clinic,
        owner,
        clinic_owner,
    }
}

async fn asked(story: &Story) -> (RecordId, PendingRequest, Timestamp) {
    let until = story.world.ports().clock.now().plus(WEEK);
    let record = story
        .hospital
        .write_for(story.owner, draft())
        .await
        .unwrap()
        .record;
    story.patient.sync().await.unwrap();
    let asks = story.clinic.ask(
        story.clinic_owner,
        Purpose::Treatment,
        "second opinion",
        until,
    );
    asks.await.unwrap();
    story.patient.sync().await.unwrap();
    let request = story.patient.requests().unwrap().pop().unwrap();
    (record, request, until)
}

async fn granted(story: &Story) -> (RecordId, GrantId) {
    let (record, request, until) = asked(story).await;
    let grant = story
        .patient
        .approve(&request, record, until)
        .await
        .unwrap();
    story.clinic.sync().await.unwrap();
    (record, grant)
}

fn grant_of(story: &Story, id: GrantId) -> Grant {
    let mut grants = story.patient.grants().unwrap().into_iter();
    let (_, given) = grants.find(|(of, _)| *of == id).unwrap();
    given.artefact.grant.unwrap()
}

#[tokio::test]
async fn a_consent_that_waits_is_not_told_as_revoked_once_it_is_live() {
    let story = paired(806).await;
    let (record, request, until) = asked(&story).await;
    let chain = &story.world.ledger;
    let older = chain.copy();
    story
        .hospital
        .write_for(story.owner, draft())
        .await
        .unwrap();
    let newest = chain.copy();
    // The home follows an older copy, as in operator-3, and a consent of it does not leave yet.
    chain.replace_by(&older);
    story.patient.write_own(draft()).await.unwrap();
    story.patient.sync().await.unwrap();
    story.crooked.set(Does::Drops);
    story
        .patient
        .approve(&request, record, until)
        .await
        .unwrap_err();
    chain.replace_by(&newest);
    let accepted = story.patient.accept_chain().await.unwrap();
    println!("lacking: {:?}", accepted.lacking);
    story.crooked.set(Does::Sends);
    let report = story.patient.sync().await.unwrap();
    println!(
        "done {:?} alarms {:?} acts {:?}",
        report.done, report.alarms, report.acts
    );
    live_is_told(&story, record, "R3").await;
}

#[tokio::test]
async fn a_consent_of_the_right_chain_is_not_told_as_revoked_after_an_older_copy_was_accepted() {
    let story = paired(807).await;
    let (record, request, until) = asked(&story).await;
    let chain = &story.world.ledger;
    let older = chain.copy();
    story
        .patient
        .approve(&request, record, until)
        .await
        .unwrap();
    story.patient.sync().await.unwrap();
    let newest = chain.copy();
    chain.replace_by(&older);
    let accepted = story.patient.accept_chain().await.unwrap();
    println!("lacking: {:?}", accepted.lacking);
    story.patient.sync().await.unwrap();
    chain.replace_by(&newest);
    println!("alarm: {:?}", story.patient.chain_alarm().await.unwrap());
    // What it did on the older copy, so that nobody sends the consent there, is not on the right chain.
    let accepted = story.patient.accept_chain().await.unwrap();
    println!("lacking: {:?}", accepted.lacking);
    story.patient.sync().await.unwrap();
    let (id, _) = story.patient.grants().unwrap().pop().unwrap();
    assert_eq!(story.patient.times_of(id).unwrap().ordered, None);
    live_is_told(&story, record, "R3b").await;
}

/// What the home says of its one consent to read is what the chain says, and it can be taken back.
async fn live_is_told(story: &Story, record: RecordId, what: &str) {
    let (id, given) = story.patient.grants().unwrap().pop().unwrap();
    let grant = given.artefact.grant.clone().unwrap();
    let facts = story.world.ledger.grant(&grant).await.unwrap();
    story.clinic.sync().await.unwrap();
    let before = story.clinic.read(record).await.is_ok();
    // Nothing else stands under any address.
    for (write, given) in story.patient.write_grants().unwrap() {
        if !given.revoked {
            story.patient.revoke_write(write).await.unwrap();
        }
    }
    let one = story.patient.revoke(id).await;
    let all = story.patient.revoke_everything().await;
    story.patient.sync().await.unwrap();
    let after = story.world.ledger.grant(&grant).await.unwrap();
    // Another record under it would be read anew; the same is cached: ask the chain for a fresh clearance.
    println!(
        "ATTACK {what}: chain granted {} revoked {}, home says revoked {}, read {before}; revoke {:?}, everything {:?}: chain revoked {}",
        facts.granted,
        facts.revoked,
        given.revoked,
        one.as_ref().map_err(ToString::to_string),
        all.as_ref().map_err(ToString::to_string),
        after.revoked
    );
    assert!(
        !facts.granted || facts.revoked == given.revoked,
        "a falsehood about a consent"
    );
    assert!(after.revoked, "taken back without a word to the chain");
}

#[tokio::test]
async fn a_warning_of_an_older_copy_goes_with_it() {
    let story = paired(815).await;
    let chain = &story.world.ledger;
    story.patient.sync().await.unwrap();
    let older = chain.copy();
    let record = story
        .hospital
        .write_for(story.owner, draft())
        .await
        .unwrap()
        .record;
    story.patient.sync().await.unwrap();
    let newest = chain.copy();
    chain.replace_by(&older);
    let accepted = story.patient.accept_chain().await.unwrap();
    println!("lacking {:?}", accepted.lacking);
    story.patient.sync().await.unwrap();
    chain.replace_by(&newest);
    for _ in 0..3 {
        story.world.pass(3_600);
        story.patient.sync().await.unwrap();
    }
    let views = story.patient.record_views().unwrap();
    let shown = format!("{views:?}");
    println!(
        "ATTACK third-4: still warned {}",
        shown.contains("this chain does not have it")
    );
    let _ = record;
    assert!(!shown.contains("this chain does not have it"));
}

/// Follows an older copy for a while: what `does` does there is on no chain once the right one is back and accepted.
async fn follows_older(story: &Story, does: impl AsyncFnOnce(&Party)) -> Vec<String> {
    let chain = &story.world.ledger;
    let older = chain.copy();
    story
        .hospital
        .write_for(story.owner, draft())
        .await
        .unwrap();
    let newest = chain.copy();
    chain.replace_by(&older);
    does(&story.patient).await;
    story.patient.sync().await.unwrap();
    chain.replace_by(&newest);
    let accepted = story.patient.accept_chain().await.unwrap();
    for _ in 0..5 {
        story.world.pass(600);
        story.patient.sync().await.unwrap();
    }
    accepted.lacking
}

#[tokio::test]
async fn an_acceptance_of_an_older_copy_alone_is_made_again_or_told() {
    let story = paired(823).await;
    let record = story
        .hospital
        .write_for(story.owner, draft())
        .await
        .unwrap()
        .record;
    let lacking = follows_older(&story, async |patient| {
        assert_eq!(patient.sync().await.unwrap().accepted, [record]);
    })
    .await;
    let here = story.patient.record(record).unwrap().is_accepted();
    let there = story
        .world
        .ledger
        .record(record)
        .await
        .unwrap()
        .unwrap()
        .accepted;
    println!("ATTACK third-4: home accepted {here}, chain {there}; told lacking {lacking:?}");
    assert_eq!(here, there);
}

#[tokio::test]
async fn an_address_of_an_older_copy_alone_can_be_used_or_is_told() {
    let story = paired(824).await;
    let lacking = follows_older(&story, async |patient| {
        patient.invite().await.unwrap();
    })
    .await;
    let open = story.patient.invitation_views().unwrap().len();
    let mut registered = 0;
    let all = story.patient.addresses().unwrap();
    for own in &all {
        registered += usize::from(
            story
                .world
                .ledger
                .account(own.id())
                .await
                .unwrap()
                .is_some(),
        );
    }
    println!(
        "ATTACK third-4: {registered} of {} own addresses registered, {open} invitations shown, lacking {lacking:?}",
        all.len()
    );
    assert!(registered == all.len() || !lacking.is_empty());
}

#[tokio::test]
async fn a_signing_key_of_an_older_copy_alone_locks_nobody_out_of_taking_back() {
    let story = paired(825).await;
    let (record, id) = granted(&story).await;
    let grant = grant_of(&story, id);
    let own = grant.owner;
    let lacking = follows_older(&story, async |patient| {
        patient.rotate_signing_key(own).await.unwrap();
    })
    .await;
    let revoked = story.patient.revoke(id).await;
    let mut later = Vec::new();
    for _ in 0..5 {
        story.world.pass(600);
        later = story.patient.sync().await.unwrap().later;
    }
    let facts = story.world.ledger.grant(&grant).await.unwrap();
    let read = story.clinic.read(record).await.is_ok();
    println!(
        "ATTACK third-4: lacking {lacking:?}; revoke {:?}; chain revoked {}, clinic reads {read}; later {later:?}",
        revoked.as_ref().map_err(ToString::to_string),
        facts.revoked
    );
    assert!(facts.revoked);
}

#[tokio::test]
async fn a_sealing_key_of_an_older_copy_alone_is_told() {
    let story = paired(826).await;
    let own = story.owner;
    let lacking = follows_older(&story, async |patient| {
        patient.rotate_sealing_key(own).await.unwrap();
    })
    .await;
    let chain = story
        .world
        .ledger
        .account(own)
        .await
        .unwrap()
        .unwrap()
        .sealing_key
        .version;
    println!("ATTACK third-4: chain's version {chain}, lacking {lacking:?}");
    assert!(chain == 2 || !lacking.is_empty());
}

#[tokio::test]
async fn a_retraction_of_an_older_copy_alone_is_told() {
    let story = paired(827).await;
    let record = story
        .hospital
        .write_for(story.owner, draft())
        .await
        .unwrap()
        .record;
    story.patient.sync().await.unwrap();
    let chain = &story.world.ledger;
    let older = chain.copy();
    story.hospital.sync().await.unwrap();
    story
        .clinic
        .ask(
            story.clinic_owner,
            Purpose::Treatment,
            "x",
            story.world.ports().clock.now().plus(WEEK),
        )
        .await
        .unwrap();
    story.patient.write_own(draft()).await.unwrap();
    let newest = chain.copy();
    chain.replace_by(&older);
    let did = story.hospital.retract(record).await;
    story.hospital.sync().await.unwrap();
    chain.replace_by(&newest);
    let accepted = story.hospital.accept_chain().await.unwrap();
    for _ in 0..5 {
        story.world.pass(600);
        story.hospital.sync().await.unwrap();
    }
    let there = story
        .world
        .ledger
        .record(record)
        .await
        .unwrap()
        .unwrap()
        .retracted;
    let shown = format!("{:?}", story.hospital.written_views());
    println!(
        "ATTACK third-4: retract {:?}, chain retracted {there}, lacking {:?}, shown {shown}",
        did.is_ok(),
        accepted.lacking
    );
    assert!(there || !accepted.lacking.is_empty());
}

/// An erasure of the right chain, an older copy in between.
#[tokio::test]
async fn an_erasure_is_not_undone_by_an_older_copy_in_between() {
    let story = paired(830).await;
    let record = story
        .hospital
        .write_for(story.owner, draft())
        .await
        .unwrap()
        .record;
    story.patient.sync().await.unwrap();
    let chain = &story.world.ledger;
    let older = chain.copy();
    story.patient.erase(record).await.unwrap();
    story.patient.sync().await.unwrap();
    let newest = chain.copy();
    chain.replace_by(&older);
    let accepted = story.patient.accept_chain().await.unwrap();
    let between = story
        .patient
        .sync()
        .await
        .map(|it| (it.accepted.len(), it.later))
        .map_err(|it| it.to_string());
    let export = story.patient.export_record(record).is_ok();
    chain.replace_by(&newest);
    for _ in 0..3 {
        story.world.pass(600);
        story.patient.sync().await.unwrap();
    }
    let shown = story
        .patient
        .record(record)
        .map(|it| it.standing.clone())
        .map_err(|it| it.to_string());
    let after = story.patient.export_record(record).is_ok();
    println!(
        "ATTACK third-4: lacking {:?}; between {between:?}, exports {export}; after {shown:?}, exports {after}",
        accepted.lacking
    );
    assert!(!after);
    let _ = export;
}

/// What takes back was kept while an older copy that had grown longer was there, and leaves on the right chain.
async fn kept_on_a_longer_copy(seed: u64, everything: bool) -> (Story, Vec<String>, usize) {
    let story = paired(seed).await;
    let (id, _) = story.patient.write_grants().unwrap().pop().unwrap();
    story.patient.sync().await.unwrap();
    let chain = &story.world.ledger;
    let older = chain.copy();
    story
        .hospital
        .write_for(story.owner, draft())
        .await
        .unwrap();
    let newest = chain.copy();
    chain.replace_by(&older);
    for _ in 0..60 {
        chain.form_committee(Threshold::new(5, 3).unwrap(), Vec::new());
    }
    story.crooked.set(Does::Drops);
    let kept = match everything {
        true => story.patient.revoke_everything().await,
        false => story.patient.revoke_write(id).await,
    };
    kept.unwrap_err();
    chain.replace_by(&newest);
    println!(
        "accept {:?}",
        story
            .patient
            .accept_chain()
            .await
            .map(|it| it.lacking)
            .map_err(|it| it.to_string())
    );
    story.crooked.set(Does::Sends);
    let mut later = Vec::new();
    for _ in 0..12 {
        story.world.pass(600);
        later = story.patient.sync().await.unwrap().later;
    }
    let blocks = chain.events(0, 10_000).await.unwrap();
    let events = blocks.iter().flat_map(|it| &it.events);
    let ends = events
        .filter(|it| matches!(it, Event::AllRevoked { .. } | Event::WriteRevoked { .. }))
        .count();
    (story, later, ends)
}

#[tokio::test]
async fn a_revocation_kept_on_a_longer_copy_ends_once_it_is_final() {
    let (story, later, ends) = kept_on_a_longer_copy(833, false).await;
    let jobs = story.patient.job_views().unwrap().len();
    println!("ATTACK third-4: {ends} on the chain, {jobs} still kept, later {later:?}");
    assert_eq!((ends, jobs), (1, 0));
}

#[tokio::test]
async fn everything_that_was_ordered_on_a_longer_copy_is_taken_back_once() {
    let (story, later, ends) = kept_on_a_longer_copy(834, true).await;
    let jobs = story.patient.job_views().unwrap().len();
    println!(
        "ATTACK third-4: {ends} orders on the chain in 12 syncs, {jobs} still kept, later {later:?}"
    );
    assert_eq!((ends, jobs), (1, 0));
}

/// The person said «everything» while the right chain was away: what stands again on the one that is accepted is meant, too.
#[tokio::test]
async fn everything_that_was_ordered_meanwhile_takes_back_what_stands_again() {
    let story = paired(841).await;
    let (_, id) = granted(&story).await;
    let grant = grant_of(&story, id);
    let (write, _) = story.patient.write_grants().unwrap().pop().unwrap();
    let chain = &story.world.ledger;
    story.patient.sync().await.unwrap();
    let older = chain.copy();
    story.patient.revoke(id).await.unwrap();
    story.patient.revoke_write(write).await.unwrap();
    story.patient.sync().await.unwrap();
    chain.replace_by(&older);
    story.patient.revoke_everything().await.unwrap_err();
    let accepted = story.patient.accept_chain().await.unwrap();
    assert_eq!(accepted.lacking.len(), 2, "{:?}", accepted.lacking);
    let mut later = Vec::new();
    for _ in 0..3 {
        story.world.pass(600);
        later = story.patient.sync().await.unwrap().later;
    }
    let facts = chain.grant(&grant).await.unwrap();
    assert!(facts.granted && facts.revoked, "{later:?}");
    let wrote = story.hospital.write_for(story.owner, draft()).await;
    assert!(wrote.is_err(), "the permission to write stands");
}

/// A reader reads no older end of everything into consents that came after it.
#[tokio::test]
async fn a_reader_that_accepts_an_older_copy_keeps_consents_that_stand_on_it() {
    let story = paired(842).await;
    let (first, _) = granted(&story).await;
    story.patient.revoke_everything().await.unwrap();
    story.clinic.sync().await.unwrap();
    let until = story.world.ports().clock.now().plus(WEEK);
    story
        .patient
        .grant_write(story.owner, medical_only(), until)
        .await
        .unwrap();
    let asks = story
        .clinic
        .ask(story.clinic_owner, Purpose::Treatment, "once more", until);
    asks.await.unwrap();
    story.patient.sync().await.unwrap();
    let request = story.patient.requests().unwrap().pop().unwrap();
    story.patient.approve(&request, first, until).await.unwrap();
    let (second, _) = granted(&story).await;
    story.clinic.read(second).await.unwrap();
    let chain = &story.world.ledger;
    let older = chain.copy();
    story.patient.erase(second).await.unwrap();
    story.clinic.sync().await.unwrap();
    chain.replace_by(&older);
    let accepted = story.clinic.accept_chain().await.unwrap();
    let lacking = accepted.lacking.join("\n");
    assert!(lacking.contains("tell the owner"), "{lacking}");
    let report = story.clinic.sync().await.unwrap();
    assert_eq!(report.ended, Vec::new());
    story.clinic.read(first).await.unwrap();
    // The same where the whole chain is read again.
    let ports = story.clinic.ports().clone();
    let again = Party::new(phrase(3).seed(), Role::Provider, ports);
    let (again, report) = again.restored().await.unwrap();
    assert_eq!(report.sync.ended, Vec::new());
    again.read(first).await.unwrap();
}
