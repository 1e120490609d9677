//! The journey over HTTP on the embedded chain: contracts, relay, gateway, seven keepers, the machine's clock.

#![allow(clippy::unwrap_used, reason = "a test says by panicking what broke")]

#[path = "world/evm.rs"]
mod world;

use medibloc_client::SystemClock;
use medibloc_consent::Purpose;
use medibloc_journey::{Clock as _, Party, medical_only};
use medibloc_keys::SigningKey;
use medibloc_node::{ProviderCredential, keep_credential};
use medibloc_record::{Draft, LossReport, PartRole, Role};
use world::{World, phrase};

const WEEK: u64 = 7 * 86_400;
const ORIGINAL: &[u8] = b"<ClinicalDocument>a diagnosis</ClinicalDocument>";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_walks_its_whole_journey_over_http_on_the_embedded_chain() {
    let world = World::new().await;
    let patient = world.party(1, Role::Person);
    let hospital = world.party(2, Role::Provider);
    let clinic = world.party(3, Role::Provider);
    let hospital_jwt = world.accredited(&hospital, "Hana Hospital").await;
    let clinic_jwt = world.accredited(&clinic, "Bit Clinic").await;
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
    let until = SystemClock.now().plus(WEEK);
    patient
        .grant_write(owner, medical_only(), until)
        .await
        .unwrap();
    let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document"});
    let draft = Draft::new(
        "application/cda+xml",
        ORIGINAL.to_vec(),
        bundle,
        LossReport::default(),
    );
    let written = hospital.write_for(owner, draft).await.unwrap();
    assert_eq!(written.acknowledged, 7);
    let record = written.record;
    let report = patient.sync().await.unwrap();
    assert_eq!(report.accepted, [record], "{report:?}");
    clinic
        .ask(clinic_owner, Purpose::Treatment, "second opinion", until)
        .await
        .unwrap();
    patient.sync().await.unwrap();
    let request = patient.requests().unwrap().pop().unwrap();
    let grant = patient.approve(&request, record, until).await.unwrap();
    clinic.sync().await.unwrap();
    let read = clinic.read(record).await.unwrap();
    let mut original = Vec::new();
    clinic
        .open_read_part(&read, PartRole::Original, &mut original)
        .unwrap();
    assert_eq!(original, ORIGINAL);
    let trail = patient.audit().await.unwrap();
    assert_eq!((trail.len(), trail[0].name.as_str()), (1, "Bit Clinic"));
    patient.revoke(grant).await.unwrap();
    let refused = clinic.read(record).await.unwrap_err().to_string();
    assert!(refused.contains("revoked"), "{refused}");
    let refused = clinic
        .read_with_receipt(record, read.receipt)
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("0 of 4"), "{refused}");
    let (restored, report) = Party::restore(&phrase(1), Role::Person, world.ports())
        .await
        .unwrap();
    assert_eq!(report.sync.accepted, [record], "{report:?}");
    assert_eq!(restored.audit().await.unwrap()[0].name, "Bit Clinic");
    assert_eq!(patient.erase(record).await.unwrap(), 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_gets_its_credential_from_its_node_and_takes_no_other() {
    let world = World::new().await;
    let hospital = world.party(2, Role::Provider);
    let clinic = world.party(3, Role::Provider);
    hospital.register_account().await.unwrap();
    let missing = hospital.fetch_credential().await.unwrap_err().to_string();
    assert!(missing.contains("ask the authority"), "{missing}");
    let right = world.accredited(&hospital, "Hana Hospital").await;
    let others = world.accredited(&clinic, "Bit Clinic").await;
    assert_eq!(hospital.fetch_credential().await.unwrap(), right);
    // Whatever a node gives instead is not taken.
    let own = hospital.account().id();
    let forged = ProviderCredential {
        account: own,
        name: "University Hospital".into(),
        profession: "hospital".into(),
        jurisdiction: "KR".into(),
        from: SystemClock.now(),
        until: SystemClock.now().plus(WEEK),
    };
    let stranger = SigningKey::from_bytes(&[77; 32]).unwrap();
    for (wrong, says) in [
        (others, "ask the authority for the right one"),
        (forged.issue(&stranger, 31_337), "authority"),
        (forged.issue(&world.authority, 31_337), "digest"),
        (right.replacen('.', "..", 1), "credential"),
        (String::new(), "credential"),
        ("x".repeat(100_000), "credential"),
    ] {
        keep_credential(world.data(), own, &wrong).unwrap();
        let told = hospital.fetch_credential().await.unwrap_err().to_string();
        assert!(told.contains(says), "{told}");
    }
}
