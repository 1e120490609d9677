//! Several devices with one phrase, and what cannot be taken now.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "faults/odd.rs"]
#[allow(dead_code, reason = "each test file uses what it needs")]
mod odd;

use std::collections::BTreeSet;
use std::sync::Arc;

use medibloc_consent::Purpose;
use medibloc_dag::{Block, Cid};
use medibloc_journey::memory::{MemoryVault, World};
use medibloc_journey::{Change, GrantState, Network, Pace, Party, VaultPort, medical_only};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_record::{AccountId, Draft, LossReport, Role};
use medibloc_store::Store as _;
use odd::Without;

const WEEK: u64 = 7 * 86_400;

fn phrase(seed: u64) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}

fn draft(text: &str) -> Draft {
    let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document"});
    let bytes = text.as_bytes().to_vec();
    Draft::new("application/cda+xml", bytes, bundle, LossReport::default())
}

async fn provider(
    world: &World,
    ports: medibloc_journey::Ports,
    seed: u64,
    name: &str,
) -> (Party, String) {
    let party = Party::new(phrase(seed).seed(), Role::Provider, ports);
    party.register_account().await.unwrap();
    let jwt = world.accredit(party.account().id(), name);
    (party, jwt)
}

/// Invites under one device, answers, and confirms there.
async fn pair(world: &Arc<World>, device: &Party, seed: u64, name: &str) -> (Party, AccountId) {
    let (party, jwt) = provider(world, world.ports(), seed, name).await;
    let invitation = device.invite().await.unwrap();
    let owner = party.answer(&invitation, Some(&jwt)).await.unwrap().owner;
    (party, owner)
}

#[tokio::test]
async fn two_devices_of_one_phrase_invite_under_different_addresses_and_get_their_own_answers() {
    let world = World::new(1);
    let laptop = Party::new(phrase(1).seed(), Role::Person, world.ports());
    laptop.own_records_address().await.unwrap();
    let (phone, _) = Party::restore(&phrase(1), Role::Person, world.ports())
        .await
        .unwrap();
    let (_, by_laptop) = pair(&world, &laptop, 2, "Hana Hospital").await;
    let (_, by_phone) = pair(&world, &phone, 3, "Bit Clinic").await;
    assert_ne!(by_laptop, by_phone, "no address is used twice");
    // Whoever comes first takes no answer of the other.
    for device in [&phone, &laptop, &phone, &laptop] {
        let report = device.sync().await.unwrap();
        assert!(report.alarms.is_empty(), "{report:?}");
    }
    let own = |device: &Party| -> Vec<AccountId> {
        device
            .contacts()
            .unwrap()
            .iter()
            .map(|contact| contact.own)
            .collect()
    };
    assert_eq!(own(&laptop), [by_laptop], "the answer is not lost");
    assert_eq!(own(&phone), [by_phone], "the answer is not lost");
    println!("ATTACK newcomer-10: 2 invitations, 2 addresses, 2 answers, 0 alarms");
}

#[tokio::test]
async fn what_one_device_grants_the_other_knows_and_raises_no_alarm() {
    let world = World::new(2);
    let laptop = Party::new(phrase(1).seed(), Role::Person, world.ports());
    laptop.own_records_address().await.unwrap();
    let (phone, _) = Party::restore(&phrase(1), Role::Person, world.ports())
        .await
        .unwrap();
    let (clinic, owner) = pair(&world, &laptop, 3, "Bit Clinic").await;
    laptop.sync().await.unwrap();
    laptop.confirm(owner).unwrap();
    let until = world.ports().clock.now().plus(WEEK);
    laptop
        .grant_write(owner, medical_only(), until)
        .await
        .unwrap();
    let record = clinic
        .write_for(owner, draft("both have it"))
        .await
        .unwrap()
        .record;
    assert_eq!(laptop.sync().await.unwrap().accepted, [record]);
    let report = phone.sync().await.unwrap();
    assert_eq!(report.accepted, [record], "{report:?}");
    clinic
        .ask(owner, Purpose::Treatment, "care", until)
        .await
        .unwrap();
    laptop.sync().await.unwrap();
    let request = laptop.requests().unwrap().pop().unwrap();
    let grant = laptop.approve(&request, record, until).await.unwrap();
    clinic.sync().await.unwrap();
    clinic.read(record).await.unwrap();
    let report = phone.sync().await.unwrap();
    assert_eq!(report.alarms, Vec::<String>::new());
    assert_eq!(report.reads, [(record, "Bit Clinic".to_owned())]);
    let known: BTreeSet<_> = phone
        .grants()
        .unwrap()
        .into_iter()
        .map(|(id, _)| id)
        .collect();
    assert!(known.contains(&grant));
    // And either can take it back.
    phone.revoke(grant).await.unwrap();
    laptop.sync().await.unwrap();
    assert!(laptop.grants().unwrap()[0].1.revoked);
}

/// Newcomer N1: index 0 is registered with the first own record, after others. Before, no sync and no restore of the other
/// device ever found it.
#[tokio::test]
async fn the_first_own_record_reaches_a_device_that_was_restored_before_it() {
    let world = World::new(4);
    let laptop = Party::new(phrase(1).seed(), Role::Person, world.ports());
    laptop.invite().await.unwrap();
    let vault: Arc<dyn VaultPort> = Arc::new(MemoryVault::default());
    let (phone, found) = Party::restore(&phrase(1), Role::Person, world.ports_with(vault.clone()))
        .await
        .unwrap();
    assert_eq!(found.addresses, 1);
    let first = laptop.write_own(draft("first")).await.unwrap().record;
    assert_eq!(laptop.sync().await.unwrap().accepted, [first]);
    let report = phone.sync().await.unwrap();
    assert_eq!(report.accepted, [first], "{report:?}");
    let second = laptop.write_own(draft("second")).await.unwrap().record;
    laptop.sync().await.unwrap();
    assert_eq!(phone.sync().await.unwrap().accepted, [second]);

    // A home of before: its cursor passed, and neither address nor records are there. A restore looks at all again.
    let own = phone.addresses().unwrap();
    let own = own.iter().find(|own| own.index == Some(0)).unwrap();
    let gone = |table, key: &[u8]| Change::Delete {
        table,
        key: key.to_vec(),
    };
    let lost = vec![
        gone("addresses", own.address.as_bytes()),
        gone("records", first.as_bytes()),
        gone("records", second.as_bytes()),
    ];
    vault.apply(lost).unwrap();
    assert_eq!(phone.sync().await.unwrap().accepted, []);
    let (phone, again) = phone.restored().await.unwrap();
    assert_eq!(again.addresses, 2);
    let accepted: BTreeSet<_> = again.sync.accepted.into_iter().collect();
    assert_eq!(accepted, BTreeSet::from([first, second]));
    assert!(phone.record(second).unwrap().is_accepted());
}

/// The same for any index that is registered after a higher one, as planned registrations are.
#[tokio::test]
async fn every_index_that_was_skipped_is_found_when_it_is_registered() {
    let world = World::new(5);
    let calm = || {
        let mut ports = world.ports();
        ports.pace = Pace::PERSON;
        ports
    };
    let laptop = Party::new(phrase(1).seed(), Role::Person, calm());
    laptop.own_records_address().await.unwrap();
    let (phone, _) = Party::restore(&phrase(1), Role::Person, world.ports())
        .await
        .unwrap();
    for _ in 0..10 * 48 {
        world.pass(1_800);
        laptop.catch_up().await.unwrap();
        if laptop.planned().unwrap().len() == 1 {
            phone.sync().await.unwrap();
        }
    }
    phone.sync().await.unwrap();
    let indices = |party: &Party| -> BTreeSet<u32> {
        let own = party.addresses().unwrap();
        own.iter().filter_map(|own| own.index).collect()
    };
    assert!(indices(&laptop).len() > 2, "spare ones are registered");
    assert_eq!(indices(&phone), indices(&laptop));
}

/// A laptop that granted a record to a clinic, which read it; nothing of it has reached the phone, which `phone` makes.
async fn read_under_a_grant_of_the_laptop(
    world: &Arc<World>,
) -> (
    Party,
    Party,
    medibloc_record::RecordId,
    medibloc_record::GrantId,
) {
    let laptop = Party::new(phrase(1).seed(), Role::Person, world.ports());
    let record = laptop.write_own(draft("x")).await.unwrap().record;
    laptop.sync().await.unwrap();
    let (clinic, owner) = pair(world, &laptop, 3, "Bit Clinic").await;
    laptop.sync().await.unwrap();
    laptop.confirm(owner).unwrap();
    let (phone, _) = Party::restore(&phrase(1), Role::Person, world.ports())
        .await
        .unwrap();
    let until = world.ports().clock.now().plus(WEEK);
    clinic
        .ask(owner, Purpose::Treatment, "care", until)
        .await
        .unwrap();
    laptop.sync().await.unwrap();
    let request = laptop.requests().unwrap().pop().unwrap();
    let grant = laptop.approve(&request, record, until).await.unwrap();
    clinic.sync().await.unwrap();
    clinic.read(record).await.unwrap();
    (laptop, phone, record, grant)
}

async fn end(
    laptop: &Party,
    end: End,
    record: medibloc_record::RecordId,
    grant: medibloc_record::GrantId,
) {
    match end {
        End::Revoke => laptop.revoke(grant).await.unwrap(),
        End::Everything => laptop.revoke_everything().await.unwrap(),
        End::Erase => drop(laptop.erase(record).await.unwrap()),
    }
}

#[derive(Clone, Copy, Debug)]
enum End {
    Revoke,
    Everything,
    Erase,
}

/// Newcomer N4: own consents that had ended by the time of a sync were skipped, so their reads were alarms for ever.
#[tokio::test]
async fn reads_under_own_consents_that_have_ended_since_are_no_alarm() {
    for how in [End::Revoke, End::Everything, End::Erase] {
        let world = World::new(6);
        let (laptop, phone, record, grant) = read_under_a_grant_of_the_laptop(&world).await;
        end(&laptop, how, record, grant).await;
        let report = phone.sync().await.unwrap();
        assert_eq!(report.alarms, Vec::<String>::new(), "{how:?}");
        assert_eq!(report.reads, [(record, "Bit Clinic".to_owned())], "{how:?}");
        assert_eq!(phone.alarms().unwrap(), Vec::<String>::new());
        assert_eq!(phone.audit().await.unwrap()[0].name, "Bit Clinic");
        let (_, given) = phone.grants().unwrap().pop().unwrap();
        assert_eq!(given.revoked, !matches!(how, End::Erase), "{how:?}");
    }
}

/// The same where no node has the consent's object any more: the chain says that an own address signed it.
#[tokio::test]
async fn own_consents_without_an_object_are_kept_as_the_chain_says() {
    for how in [End::Revoke, End::Everything, End::Erase] {
        let world = World::new(7);
        let (laptop, _, record, grant) = read_under_a_grant_of_the_laptop(&world).await;
        end(&laptop, how, record, grant).await;
        let (_, given) = laptop.grants().unwrap().pop().unwrap();
        let given = given.artefact.grant.unwrap();
        let cid = Cid::from_dag_cbor_digest(given.terms.digest.to_bytes());
        for restored in [false, true] {
            let mut ports = world.ports();
            ports.network = Arc::new(Without(world.ports().network, cid));
            let phone = Party::new(phrase(1).seed(), Role::Person, ports);
            let (phone, report) = if restored {
                let (phone, report) = phone.restored().await.unwrap();
                assert_eq!(report.missing, Vec::<String>::new());
                (phone, report.sync)
            } else {
                let report = phone.sync().await.unwrap();
                (phone, report)
            };
            assert_eq!(report.alarms, Vec::<String>::new(), "{how:?}");
            assert_eq!(report.missed, Vec::<String>::new(), "{how:?}");
            assert_eq!(report.later, Vec::<String>::new(), "{how:?}");
            let [(read, name)] = report.reads.as_slice() else {
                panic!("{how:?}: {report:?}");
            };
            assert_eq!(*read, record);
            // A restored one knows by its notes to whom the reader's address belongs.
            match restored {
                true => assert_eq!(name, "Bit Clinic"),
                false => assert!(name.contains(&given.reader.to_string()), "{name}"),
            }
            let views = phone.given_views().await.unwrap();
            let view = views.iter().find(|view| view.id == grant.to_string());
            let state = view.map(|view| view.state).unwrap();
            assert_eq!(
                state == GrantState::Revoked,
                !matches!(how, End::Erase),
                "{state:?}"
            );
            let audited = &phone.audit().await.unwrap()[0].name;
            match restored {
                true => assert_eq!(audited, "Bit Clinic"),
                false => assert!(audited.contains("another device"), "{audited}"),
            }
        }
    }
}

/// One that is in force and withheld may be a thief's: an alarm, until it comes or has ended.
#[tokio::test]
async fn a_read_under_a_withheld_consent_is_an_alarm_until_it_has_ended() {
    let world = World::new(8);
    let (laptop, _, record, grant) = read_under_a_grant_of_the_laptop(&world).await;
    let (_, given) = laptop.grants().unwrap().pop().unwrap();
    let digest = given.artefact.grant.unwrap().terms.digest;
    let mut ports = world.ports();
    let cid = Cid::from_dag_cbor_digest(digest.to_bytes());
    ports.network = Arc::new(Without(world.ports().network, cid));
    let phone = Party::new(phrase(1).seed(), Role::Person, ports);
    let report = phone.sync().await.unwrap();
    assert!(report.alarms[0].contains("unknown grant"), "{report:?}");
    end(&laptop, End::Revoke, record, grant).await;
    let report = phone.sync().await.unwrap();
    assert_eq!(report.missed, Vec::<String>::new());
    assert_eq!(phone.alarms().unwrap(), Vec::<String>::new());
}

/// Structure, rank 4: the object of a grant is missing at the node when its event comes. Before, the cursor passed and
/// the grant was never taken.
#[tokio::test]
async fn an_event_whose_object_is_missing_is_a_row_that_is_tried_again() {
    let world = World::new(3);
    let patient = Party::new(phrase(1).seed(), Role::Person, world.ports());
    let vault: Arc<dyn VaultPort> = Arc::new(MemoryVault::default());
    let (clinic, jwt) = provider(&world, world.ports_with(vault.clone()), 3, "Bit Clinic").await;
    let invitation = patient.invite().await.unwrap();
    let owner = clinic.answer(&invitation, Some(&jwt)).await.unwrap().owner;
    patient.sync().await.unwrap();
    patient.confirm(owner).unwrap();
    let record = patient.write_own(draft("x")).await.unwrap().record;
    patient.sync().await.unwrap();
    let until = world.ports().clock.now().plus(WEEK);
    clinic
        .ask(owner, Purpose::Treatment, "care", until)
        .await
        .unwrap();
    patient.sync().await.unwrap();
    let request = patient.requests().unwrap().pop().unwrap();
    patient.approve(&request, record, until).await.unwrap();
    let (_, given) = patient.grants().unwrap().pop().unwrap();
    let digest = given.artefact.grant.unwrap().terms.digest;
    let cid = Cid::from_dag_cbor_digest(digest.to_bytes());
    let mut ports = world.ports_with(vault.clone());
    let cut: Arc<dyn Network> = Arc::new(Without(world.ports().network, cid));
    ports.network = cut;
    let lacking = Party::new(phrase(3).seed(), Role::Provider, ports);
    for tries in 1..=3 {
        let report = lacking.sync().await.unwrap();
        assert_eq!(report.grants, 0);
        assert_eq!(vault.list("missed").unwrap().len(), 1, "{report:?}");
        if tries > 1 {
            assert!(report.missed[0].contains("is not taken yet"), "{report:?}");
            assert!(
                report.missed[0].contains(&format!("tried {tries} times")),
                "{report:?}"
            );
        }
    }
    // The cursor passed: other events are not waited for. The node has it again.
    let bytes = world.store.get(&cid).await.unwrap().unwrap();
    assert!(Block::new(cid, bytes).is_ok());
    let whole = Party::new(
        phrase(3).seed(),
        Role::Provider,
        world.ports_with(vault.clone()),
    );
    assert_eq!(whole.sync().await.unwrap().grants, 1);
    assert!(vault.list("missed").unwrap().is_empty());
    whole.read(record).await.unwrap();
}
