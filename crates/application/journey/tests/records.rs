//! Own records, lists, verification, export, and sealing-key rotation.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "faults/odd.rs"]
#[allow(dead_code, reason = "each test file uses what it needs")]
mod odd;

use std::sync::Arc;

use medibloc_consent::Purpose;
use medibloc_dag::Cid;
use medibloc_journey::memory::{MemoryVault, World};
use medibloc_journey::{
    Change, GrantState, JourneyError, Party, VaultPort, WriteOptions, medical_only,
};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_ledger::Call;
use medibloc_record::{AccountId, Draft, Kind, LossReport, PartRole, RecordId, Role, Timestamp};
use medibloc_store::{MemoryStore, Store};
use odd::{OtherStore, Without};

const WEEK: u64 = 7 * 86_400;

fn phrase(seed: u64) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}

fn draft(text: &str) -> Draft {
    let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document"});
    let bytes = text.as_bytes().to_vec();
    let mut draft = Draft::new("application/cda+xml", bytes, bundle, LossReport::default());
    draft.title = Some(format!("about {text}"));
    draft
}

struct Story {
    world: Arc<World>,
    patient: Party,
    hospital: Party,
    owner: AccountId,
    until: Timestamp,
}

async fn story(seed: u64) -> Story {
    let world = World::new(seed);
    let patient = Party::new(phrase(1).seed(), Role::Person, world.ports());
    let hospital = Party::new(phrase(2).seed(), Role::Provider, world.ports());
    hospital.register_account().await.unwrap();
    let jwt = world.accredit(hospital.account().id(), "Hana Hospital");
    let invitation = patient.invite().await.unwrap();
    assert_eq!(patient.invitation_views().unwrap().len(), 1);
    let owner = hospital
        .answer(&invitation, Some(&jwt))
        .await
        .unwrap()
        .owner;
    patient.sync().await.unwrap();
    assert!(!patient.contact_views().unwrap()[0].confirmed);
    patient.confirm(owner).unwrap();
    let until = world.ports().clock.now().plus(WEEK);
    patient
        .grant_write(owner, medical_only(), until)
        .await
        .unwrap();
    Story {
        world,
        patient,
        hospital,
        owner,
        until,
    }
}

async fn written(story: &Story, text: &str) -> RecordId {
    let written = story.hospital.write_for(story.owner, draft(text)).await;
    let record = written.unwrap().record;
    story.patient.sync().await.unwrap();
    record
}

#[tokio::test]
async fn own_records_of_both_kinds_are_written_accepted_granted_and_read() {
    let story = story(1).await;
    let options = WriteOptions::default();
    let diary = story
        .patient
        .write_own(draft("diary"))
        .await
        .unwrap()
        .record;
    let pulse = story
        .patient
        .write_own_as(Kind::Device, draft("pulse"), &options)
        .await
        .unwrap()
        .record;
    let refused = story
        .patient
        .write_own_as(Kind::Medical, draft("no"), &options)
        .await;
    assert!(refused.is_err(), "nobody writes medical records of himself");
    assert_eq!(story.patient.sync().await.unwrap().accepted.len(), 2);
    let views = story.patient.record_views().unwrap();
    let kinds: Vec<&str> = views.iter().map(|view| view.kind.as_str()).collect();
    assert!(
        kinds.contains(&"self") && kinds.contains(&"device"),
        "{kinds:?}"
    );
    assert!(
        views
            .iter()
            .all(|view| view.author_name.as_deref() == Some("you"))
    );

    story
        .hospital
        .ask(story.owner, Purpose::Treatment, "diary", story.until)
        .await
        .unwrap();
    story.patient.sync().await.unwrap();
    let request = story.patient.requests().unwrap().pop().unwrap();
    story
        .patient
        .approve(&request, diary, story.until)
        .await
        .unwrap();
    story.hospital.sync().await.unwrap();
    let read = story.hospital.read(diary).await.unwrap();
    assert_eq!(read.manifest.kind, Kind::Own);
    assert!(story.hospital.read(pulse).await.is_err());

    let (restored, _) = Party::restore(&phrase(1), Role::Person, story.world.ports())
        .await
        .unwrap();
    let export = restored.export_record(pulse).unwrap();
    assert_eq!(export.parts[0].bytes.as_slice(), b"pulse");
}

#[tokio::test]
async fn lists_and_status_say_what_is_there_and_what_is_unfinished_and_why() {
    let story = story(2).await;
    for index in 1..=7 {
        story.world.set_down(index, true);
    }
    let record = written(&story, "lungs").await;
    let status = story.hospital.status().await.unwrap();
    assert_eq!(status.jobs.len(), 1, "{status:?}");
    assert!(status.jobs[0].what.contains("about lungs"), "{status:?}");
    let view = &story.patient.record_views().unwrap()[0];
    assert_eq!(
        (view.standing.as_str(), view.id.clone()),
        ("checked", record.to_string())
    );
    assert_eq!(view.title.as_deref(), Some("about lungs"));
    assert_eq!(view.author_name.as_deref(), Some("Hana Hospital"));
    let jobs = story.patient.job_views().unwrap();
    let reason = jobs[0].reason.as_deref().unwrap();
    assert!(reason.contains("too few keepers"), "{jobs:?}");
    for index in 1..=7 {
        story.world.set_down(index, false);
    }
    story.hospital.sync().await.unwrap();
    story.patient.sync().await.unwrap();
    let status = story.patient.status().await.unwrap();
    assert_eq!((status.accepted, status.jobs.len()), (1, 0), "{status:?}");

    let given = story.patient.given_views().await.unwrap();
    assert_eq!(given.len(), 1);
    assert_eq!(
        (given[0].scope.as_str(), given[0].state),
        ("write", GrantState::Live)
    );
    let contact = &story.patient.contact_views().unwrap()[0];
    assert_eq!(contact.may_write_until, Some(story.until.0));
    let (id, _) = story.patient.write_grants().unwrap().remove(0);
    story.patient.revoke_write(id).await.unwrap();
    story.patient.revoke_write(id).await.unwrap();
    let given = story.patient.given_views().await.unwrap();
    assert_eq!(given[0].state, GrantState::Revoked);
    let refused = story.hospital.write_for(story.owner, draft("x")).await;
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("permitted"), "{error}");
    let jobs = story.hospital.status().await.unwrap().jobs;
    assert!(jobs.is_empty(), "refused is refused: {jobs:?}");
    let json = serde_json::to_string(&status).unwrap();
    assert!(json.contains("\"accepted\":1"), "{json}");
}

#[tokio::test]
async fn a_refused_write_leaves_nothing() {
    let story = story(3).await;
    let (id, _) = story.patient.write_grants().unwrap().remove(0);
    story.patient.revoke_write(id).await.unwrap();
    let refused = story.hospital.write_for(story.owner, draft("x")).await;
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("permitted"), "{error}");
    let jobs = story.hospital.ports().vault.list("jobs").unwrap();
    assert!(jobs.is_empty());
    assert!(story.hospital.job_views().unwrap().is_empty());
    let error = story.hospital.abandon_write(RecordId::new([7; 32]));
    let error = error.unwrap_err().to_string();
    assert!(error.contains("an unfinished record"), "{error}");
}

#[tokio::test]
async fn verification_recomputes_everything_and_finds_what_the_node_lost_or_changed() {
    let story = story(4).await;
    let record = written(&story, "heart").await;
    let report = story.patient.verify_record(record).await.unwrap();
    assert!(report.holds(), "{report:#?}");
    assert!(report.lines.len() >= 7, "{report:#?}");
    let export = story.patient.export_record(record).unwrap();
    let original = &export.parts[0];
    assert_eq!(original.bytes.as_slice(), b"heart");
    assert!(
        original.file_name.ends_with("-original.xml"),
        "{original:?}"
    );
    assert!(export.parts.iter().any(|part| part.role == PartRole::Fhir));

    let kept = story.patient.record(record).unwrap();
    let part = kept.manifest.unwrap().parts[0].cid;
    story.world.store.erase(&[part]).await.unwrap();
    let report = story.patient.verify_record(record).await.unwrap();
    assert!(!report.holds(), "the vault is not believed for the node");
    let found: Vec<_> = report.lines.iter().filter(|line| !line.holds).collect();
    assert_eq!(
        (found.len(), found[0].what.as_str()),
        (1, "content"),
        "{report:#?}"
    );
}

fn versions(story: &Story) -> Vec<u32> {
    let own = story.patient.addresses().unwrap();
    own.iter().map(|own| own.key_version).collect()
}

#[tokio::test]
async fn after_a_rotation_new_and_old_records_open_and_the_phrase_still_restores_all() {
    let story = story(5).await;
    let old = written(&story, "old").await;
    let before = story.patient.record(old).unwrap().capsule;
    assert_eq!(
        story.patient.rotate_sealing_key(story.owner).await.unwrap(),
        1
    );
    assert_eq!(versions(&story), [2]);
    let after = story.patient.record(old).unwrap().capsule;
    assert_ne!(before, after, "a newer capsule is named on chain");
    let new = written(&story, "new").await;
    assert_eq!(
        story.patient.sync().await.unwrap().later,
        Vec::<String>::new()
    );
    assert_eq!(
        story.patient.rotate_sealing_key(story.owner).await.unwrap(),
        2
    );
    assert!(story.patient.verify_record(old).await.unwrap().holds());

    // The node loses the first capsule: only the newest is needed.
    story
        .world
        .store
        .erase(&[Cid::from_dag_cbor_digest(before.to_bytes())])
        .await
        .unwrap();
    let (restored, report) = Party::restore(&phrase(1), Role::Person, story.world.ports())
        .await
        .unwrap();
    assert_eq!(report.sync.accepted.len(), 2, "{report:?}");
    assert_eq!(
        restored.export_record(old).unwrap().parts[0]
            .bytes
            .as_slice(),
        b"old"
    );
    assert_eq!(
        restored.export_record(new).unwrap().parts[0]
            .bytes
            .as_slice(),
        b"new"
    );
    assert_eq!(restored.rotate_sealing_key(story.owner).await.unwrap(), 2);

    // The author's letters and records find the newest key by themselves.
    story
        .hospital
        .ask(story.owner, Purpose::Treatment, "again", story.until)
        .await
        .unwrap();
    restored.sync().await.unwrap();
    assert_eq!(restored.requests().unwrap().len(), 1);
}

#[tokio::test]
async fn an_account_with_a_newer_key_still_gets_letters_and_grants() {
    let story = story(6).await;
    let record = written(&story, "mine").await;
    let account = story.hospital.account().id();
    story.hospital.rotate_sealing_key(account).await.unwrap();
    assert_eq!(story.hospital.account().key_version, 2);
    story
        .hospital
        .ask(story.owner, Purpose::Treatment, "own record", story.until)
        .await
        .unwrap();
    story.patient.sync().await.unwrap();
    let request = story.patient.requests().unwrap().pop().unwrap();
    let reader = AccountId::from_first_address(request.request.readers[0].0);
    story.hospital.rotate_sealing_key(reader).await.unwrap();
    story
        .patient
        .approve(&request, record, story.until)
        .await
        .unwrap();
    story.hospital.sync().await.unwrap();
    story.hospital.read(record).await.unwrap();
}

#[tokio::test]
async fn what_a_node_lost_is_stored_again_from_the_vault() {
    let story = story(11).await;
    let record = written(&story, "kept at home").await;
    let mut ports = story.world.ports_with(story.patient.ports().vault.clone());
    let empty: Arc<dyn Store> = Arc::new(MemoryStore::new());
    ports.network = Arc::new(OtherStore(ports.network.clone(), empty));
    let patient = Party::new(phrase(1).seed(), Role::Person, ports);
    assert!(!patient.verify_record(record).await.unwrap().holds());
    patient.store_again(record).await.unwrap();
    assert!(patient.verify_record(record).await.unwrap().holds());
}

#[tokio::test]
async fn a_sync_tells_who_read_and_raises_an_alarm_about_a_grant_that_nobody_knows() {
    let story = story(12).await;
    let record = written(&story, "watched").await;
    story
        .hospital
        .ask(story.owner, Purpose::Treatment, "own record", story.until)
        .await
        .unwrap();
    story.patient.sync().await.unwrap();
    let request = story.patient.requests().unwrap().pop().unwrap();
    story
        .patient
        .approve(&request, record, story.until)
        .await
        .unwrap();
    story.hospital.sync().await.unwrap();
    story.hospital.read(record).await.unwrap();
    let vault = story.patient.ports().vault.clone();
    let kept = vault.list("grants").unwrap();
    let report = story.patient.sync().await.unwrap();
    assert_eq!(report.reads, [(record, "Hana Hospital".to_owned())]);
    assert!(report.alarms.is_empty(), "{report:?}");

    // Somebody who has the phrase gave a grant elsewhere.
    let key = kept[0].0.clone();
    let table = "grants";
    vault.apply(vec![Change::Delete { table, key }]).unwrap();
    story.hospital.read(record).await.unwrap();
    let report = story.patient.sync().await.unwrap();
    assert!(report.alarms[0].contains("revoke everything"), "{report:?}");
}

#[tokio::test]
async fn a_provider_s_phrase_brings_its_pairings_and_grants_back() {
    let story = story(8).await;
    let record = written(&story, "before").await;
    story
        .hospital
        .ask(story.owner, Purpose::Treatment, "own record", story.until)
        .await
        .unwrap();
    story.patient.sync().await.unwrap();
    let request = story.patient.requests().unwrap().pop().unwrap();
    story
        .patient
        .approve(&request, record, story.until)
        .await
        .unwrap();
    let (restored, report) = Party::restore(&phrase(2), Role::Provider, story.world.ports())
        .await
        .unwrap();
    assert_eq!(
        (report.sync.grants, report.advice()),
        (1, None),
        "{report:?}"
    );
    restored.read(record).await.unwrap();
    let written = restored
        .write_for(story.owner, draft("after"))
        .await
        .unwrap();
    assert_eq!(
        story.patient.sync().await.unwrap().accepted,
        [written.record]
    );
    // It asks again, under addresses that were never used.
    restored
        .ask(story.owner, Purpose::Treatment, "once more", story.until)
        .await
        .unwrap();
    story.patient.sync().await.unwrap();
    assert_eq!(story.patient.requests().unwrap().len(), 2);
}

#[tokio::test]
async fn a_reader_of_an_own_record_says_that_it_purged() {
    let story = story(9).await;
    let record = story
        .patient
        .write_own(draft("diary"))
        .await
        .unwrap()
        .record;
    story
        .hospital
        .ask(story.owner, Purpose::Treatment, "diary", story.until)
        .await
        .unwrap();
    story.patient.sync().await.unwrap();
    let request = story.patient.requests().unwrap().pop().unwrap();
    let grant = story
        .patient
        .approve(&request, record, story.until)
        .await
        .unwrap();
    story.hospital.sync().await.unwrap();
    story.hospital.read(record).await.unwrap();
    story.patient.revoke(grant).await.unwrap();
    assert_eq!(story.hospital.sync().await.unwrap().purged, [record]);
    story.patient.sync().await.unwrap();
    assert!(story.patient.grants().unwrap()[0].1.purged);
    // The letter of the revocation left with a sync, too.
    story.hospital.sync().await.unwrap();
    story.patient.sync().await.unwrap();
    assert!(story.world.letters().is_empty());
}

#[tokio::test]
async fn a_restore_without_its_node_is_finished_by_a_later_sync() {
    let story = story(10).await;
    let record = written(&story, "kept").await;
    let (_, granted) = story.patient.write_grants().unwrap().remove(0);
    let digest = granted.artefact.write.unwrap().digest;
    let object = Cid::from_dag_cbor_digest(digest.to_bytes());
    // Another node, that has everything but the consent.
    let world = &story.world;
    let vault: Arc<dyn VaultPort> = Arc::new(MemoryVault::default());
    let mut ports = world.ports_with(vault.clone());
    ports.network = Arc::new(Without(ports.network.clone(), object));
    let (restored, report) = Party::restore(&phrase(1), Role::Person, ports)
        .await
        .unwrap();
    assert_eq!(
        (report.consents, report.missing.len()),
        (0, 1),
        "{report:?}"
    );
    assert!(report.advice().unwrap().contains("medibloc sync"));
    assert!(restored.record(record).unwrap().is_accepted());
    let whole = Party::new(phrase(1).seed(), Role::Person, world.ports_with(vault));
    assert!(whole.sync().await.unwrap().later.is_empty());
    assert_eq!(whole.contacts().unwrap()[0].name, "Hana Hospital");
}

#[tokio::test]
async fn nobody_says_of_a_record_whom_it_is_about_before_its_content_is_there() {
    let story = story(33).await;
    let record = written(&story, "not here yet").await;
    let world = &story.world;
    let vault: Arc<dyn VaultPort> = Arc::new(MemoryVault::default());
    let mut ports = world.ports_with(vault.clone());
    let empty: Arc<dyn Store> = Arc::new(MemoryStore::new());
    ports.network = Arc::new(OtherStore(ports.network.clone(), empty));
    let restored = Party::restore(&phrase(1), Role::Person, ports).await;
    let (restored, _) = restored.unwrap();
    let kept = restored.record(record).unwrap();
    assert!(kept.is_accepted() && kept.unopened().is_some(), "{kept:?}");
    let refused = restored.confirm_record(record).unwrap_err();
    assert!(
        matches!(&refused, JourneyError::Unknown { hint, .. } if hint.contains("content is not here yet: run `medibloc sync`")),
        "{refused}"
    );
    assert_eq!(restored.record(record).unwrap(), kept, "nothing is kept");
    // The node has it again.
    let whole = Party::new(phrase(1).seed(), Role::Person, world.ports_with(vault));
    whole.sync().await.unwrap();
    assert!(whole.confirm_record(record).unwrap().confirmed);
}

#[tokio::test]
async fn what_an_author_takes_back_stays_and_is_marked() {
    let story = story(31).await;
    let record = written(&story, "mistaken").await;
    story.patient.sync().await.unwrap();
    let kept = story.patient.record(record).unwrap();
    let author = phrase(2).seed().account_key();
    let call = Call::Retract(kept.anchor);
    let ports = story.world.ports();
    let deadline = ports.clock.now().plus(60);
    let unsigned = ports.submit.prepare(author.address(), &call, deadline);
    let unsigned = unsigned.await.unwrap();
    let signature = author.sign_digest(&unsigned.digest);
    ports.relay.relay(&unsigned.sign(signature)).await.unwrap();
    let report = story.patient.sync().await.unwrap();
    assert_eq!(report.retracted, [record]);
    assert!(
        story.patient.sync().await.unwrap().retracted.is_empty(),
        "once"
    );
    let kept = story.patient.record(record).unwrap();
    assert!(kept.retracted && kept.is_accepted());
    let (restored, _) = Party::restore(&phrase(1), Role::Person, story.world.ports())
        .await
        .unwrap();
    assert!(restored.record(record).unwrap().retracted);
}

#[tokio::test]
async fn a_permission_to_write_that_another_device_took_back_is_known_to_be_over() {
    let story = story(32).await;
    let (other, _) = Party::restore(&phrase(1), Role::Person, story.world.ports())
        .await
        .unwrap();
    let (id, given) = other.write_grants().unwrap().pop().unwrap();
    assert!(!given.revoked, "it stands");
    story.hospital.sync().await.unwrap();
    other.revoke_write(id).await.unwrap();
    story.patient.sync().await.unwrap();
    let is_over = |party: &Party| {
        party
            .write_grants()
            .unwrap()
            .iter()
            .all(|(_, it)| it.revoked)
    };
    assert!(is_over(&story.patient), "the first device knows it");
    story.hospital.sync().await.unwrap();
    let refused = story
        .hospital
        .write_for(story.owner, draft("too late"))
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("write"), "{refused}");
    // A newer one stands, whatever was revoked before.
    story
        .patient
        .grant_write(story.owner, medical_only(), story.until)
        .await
        .unwrap();
    let (third, _) = Party::restore(&phrase(1), Role::Person, story.world.ports())
        .await
        .unwrap();
    let live = third.write_grants().unwrap().into_iter();
    assert_eq!(live.filter(|(_, it)| !it.revoked).count(), 1);
    story.hospital.sync().await.unwrap();
    written(&story, "in time").await;
    other.revoke_everything().await.unwrap();
    story.patient.sync().await.unwrap();
    assert!(is_over(&story.patient), "everything");
}
