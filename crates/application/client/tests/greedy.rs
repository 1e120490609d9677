//! One party's flood or one node's silence takes nothing from others, over HTTP.
#![allow(clippy::unwrap_used, reason = "a test says by panicking what broke")]

#[path = "world/http.rs"]
#[allow(dead_code, reason = "other tests stop and start keepers")]
mod http;

use http::World;
use medibloc_consent::{KindSet, WriteGrant};
use medibloc_dag::{Block, Cid};
use medibloc_evil::owner::{Owner, call};
use medibloc_evil::paired::press;
use medibloc_journey::{Message, Party, medical_only};
use medibloc_keys::{Entropy as _, Language, Phrase, SeededEntropy, SigningKey};
use medibloc_ledger::Call;
use medibloc_record::{AccountId, Digest, Draft, Kind, LossReport, Nonce, Role};

fn phrase(seed: u64) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}

fn key(seed: u64) -> SigningKey {
    let mut bytes = [0; 32];
    SeededEntropy::new(seed).fill(&mut bytes);
    SigningKey::from_bytes(&bytes).unwrap()
}

fn draft(text: &str) -> Draft {
    let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document"});
    let bytes = text.as_bytes().to_vec();
    Draft::new("application/cda+xml", bytes, bundle, LossReport::default())
}

/// Before: 8 letters used up the 100 registrations that a source has a day.
#[tokio::test]
async fn one_patients_letters_leave_a_hospital_its_registrations() {
    let world = World::new(4).await;
    let ports = world.ports();
    let patient = Party::new(phrase(1).seed(), Role::Person, world.ports());
    let clinic = Party::new(phrase(3).seed(), Role::Provider, world.ports());
    clinic.register_account().await.unwrap();
    let jwt = world.accredit(clinic.account().id(), "Bit Clinic");
    let invitation = patient.invite().await.unwrap();
    let owner = clinic.answer(&invitation, Some(&jwt)).await.unwrap().owner;
    patient.sync().await.unwrap();
    patient.confirm(owner).unwrap();
    // Another person's invitation, made before.
    let other = Party::new(phrase(9).seed(), Role::Person, world.ports());
    let others = other.invite().await.unwrap();
    let seed = phrase(1).seed();
    let mut keys = (0..30).map(|n| seed.relationship_key(n));
    let evil = keys
        .find(|key| AccountId::from_first_address(key.address()) == owner)
        .unwrap();
    let pairing = patient.contacts().unwrap()[0].pairing.clone().unwrap();
    let message = Message::WantReaders { count: 16 };
    press(
        &ports,
        &evil,
        clinic.account().address,
        &pairing,
        &message,
        8,
    )
    .await
    .unwrap();
    clinic.sync().await.unwrap();
    let addresses = clinic.addresses().unwrap().len();
    clinic.answer(&others, Some(&jwt)).await.unwrap();
    println!(
        "ATTACK party-2: {addresses} addresses of the clinic after 8 letters; another person's invitation is answered"
    );
}

/// Before: the budget for strangers was used up and the cursor passed; the second device never learned of it.
#[tokio::test]
async fn a_second_device_learns_of_a_permission_behind_seventy_of_strangers() {
    for flood in [0, 70] {
        let syncs = second_device(flood).await;
        println!(
            "ATTACK party-5: {flood} permissions of a stranger, the second device writes after {syncs} syncs"
        );
    }
}

async fn second_device(flood: u8) -> usize {
    let world = World::new(2).await;
    let patient = Party::new(phrase(1).seed(), Role::Person, world.ports());
    let clinic = Party::new(phrase(3).seed(), Role::Provider, world.ports());
    clinic.register_account().await.unwrap();
    let jwt = world.accredit(clinic.account().id(), "Bit Clinic");
    let (second, _) = Party::restore(&phrase(3), Role::Provider, world.ports())
        .await
        .unwrap();
    second.sync().await.unwrap();
    let ports = world.ports();
    let evil = Owner::register(&ports, key(66), 66).await.unwrap();
    for number in 0..flood {
        let write = WriteGrant {
            nonce: Nonce::new([number; 32]),
            owner: AccountId::from_first_address(evil.key.address()),
            author: clinic.account().id(),
            kinds: KindSet::of(&[Kind::Medical]),
            until: ports.clock.now().plus(86_400),
            digest: Digest::of(&[number]),
        };
        call(&ports, &evil.key, &Call::GrantWrite(write))
            .await
            .unwrap();
    }
    let invitation = patient.invite().await.unwrap();
    let owner = clinic.answer(&invitation, Some(&jwt)).await.unwrap().owner;
    patient.sync().await.unwrap();
    patient.confirm(owner).unwrap();
    let until = ports.clock.now().plus(7 * 86_400);
    patient
        .grant_write(owner, medical_only(), until)
        .await
        .unwrap();
    let report = second.sync().await.unwrap();
    assert_eq!(report.given_up, Vec::<String>::new());
    let mut syncs = 1;
    while second.patrons().unwrap().is_empty() && syncs < 4 {
        second.sync().await.unwrap();
        syncs += 1;
    }
    second
        .write_for(owner, draft("by the second device"))
        .await
        .unwrap();
    syncs
}

/// Before: a restore said that all was well, and the record "not accepted".
#[tokio::test]
async fn an_accepted_record_of_which_an_object_is_withheld_is_open_and_told_until_it_comes() {
    let world = World::new(3).await;
    let patient = Party::new(phrase(1).seed(), Role::Person, world.ports());
    let record = patient.write_own(draft("own")).await.unwrap().record;
    patient.sync().await.unwrap();
    let anchor = patient.record(record).unwrap().anchor;
    let store = world.store.as_ref();
    let mut told = 0;
    for digest in [
        anchor.package,
        anchor.key_set,
        anchor.capsule,
        anchor.attestation,
    ] {
        let cid = Cid::from_dag_cbor_digest(digest.to_bytes());
        let bytes = medibloc_store::Store::get(store, &cid)
            .await
            .unwrap()
            .unwrap();
        medibloc_store::OwnStore::remove(store, &[cid])
            .await
            .unwrap();
        let (restored, report) = Party::restore(&phrase(1), Role::Person, world.ports())
            .await
            .unwrap();
        assert!(report.advice().is_some(), "{report:?}");
        assert_eq!(
            (report.open(), report.sync.not_accepted.len()),
            (1, 0),
            "{report:?}"
        );
        for missed in [report.sync.missed, restored.sync().await.unwrap().missed] {
            assert!(
                missed.len() == 1 && missed[0].contains("accepted"),
                "{missed:?}"
            );
            assert!(missed[0].contains(&cid.to_string()), "{missed:?}");
        }
        let kept = restored.record(record).unwrap();
        assert!(kept.is_accepted() && kept.manifest.is_none(), "{kept:?}");
        let error = restored.export_record(record).unwrap_err();
        assert!(error.to_string().contains("sync again later"), "{error}");
        // It comes.
        let block = Block::new(cid, bytes).unwrap();
        medibloc_store::Store::put(store, vec![block])
            .await
            .unwrap();
        let report = restored.sync().await.unwrap();
        assert_eq!((report.accepted, report.missed), (vec![record], Vec::new()));
        restored.export_record(record).unwrap();
        told += 1;
    }
    println!(
        "ATTACK party-1: {told} of 4 withheld objects told as open, record accepted, opened when they came"
    );
}
