//! What an own account did and this device did not is told until the person says that it was an own device: two devices of
//! one phrase, a home that was restored, and a thief of the phrase.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::Arc;

use medibloc_consent::Purpose;
use medibloc_journey::memory::{MemoryVault, World};
use medibloc_journey::{Act, Extent, Party, SyncReport, UnknownAct, VaultPort, medical_only};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_record::{AccountId, Draft, LossReport, RecordId, Role, Sensitivity};

const WEEK: u64 = 7 * 86_400;

fn phrase(seed: u64) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}

fn draft(text: &str) -> Draft {
    let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document"});
    let bytes = text.as_bytes().to_vec();
    Draft::new("application/cda+xml", bytes, bundle, LossReport::default())
}

/// A person with a record and a contact that may write, on one device that synced; and the clinic.
async fn person(
    world: &Arc<World>,
    vault: Arc<dyn VaultPort>,
) -> (Party, Party, AccountId, RecordId) {
    let laptop = Party::new(phrase(1).seed(), Role::Person, world.ports_with(vault));
    laptop.sync().await.unwrap();
    let record = laptop.write_own(draft("own")).await.unwrap().record;
    let clinic = Party::new(phrase(2).seed(), Role::Provider, world.ports());
    clinic.register_account().await.unwrap();
    let jwt = world.accredit(clinic.account().id(), "Bit Clinic");
    let invitation = laptop.invite().await.unwrap();
    let owner = clinic.answer(&invitation, Some(&jwt)).await.unwrap().owner;
    laptop.sync().await.unwrap();
    laptop.confirm(owner).unwrap();
    let until = world.ports().clock.now().plus(WEEK);
    let write = laptop.grant_write(owner, medical_only(), until);
    write.await.unwrap();
    laptop.sync().await.unwrap();
    (laptop, clinic, owner, record)
}

async fn ask(
    world: &Arc<World>,
    party: &Party,
    clinic: &Party,
    owner: AccountId,
) -> medibloc_journey::PendingRequest {
    let until = world.ports().clock.now().plus(WEEK);
    clinic
        .ask(owner, Purpose::Treatment, "care", until)
        .await
        .unwrap();
    party.sync().await.unwrap();
    party.requests().unwrap().pop().unwrap()
}

fn none(report: &SyncReport) {
    assert_eq!(report.acts, Vec::<UnknownAct>::new(), "{report:?}");
}

fn told(acts: &[UnknownAct]) -> Vec<String> {
    acts.iter().map(ToString::to_string).collect()
}

/// Every act that a device makes, with every way of ending it, is its own.
#[tokio::test]
async fn nothing_that_this_device_did_is_told() {
    let world = World::new(1);
    let vault: Arc<dyn VaultPort> = Arc::new(MemoryVault::default());
    let (laptop, clinic, owner, record) = person(&world, vault.clone()).await;
    let until = world.ports().clock.now().plus(WEEK);
    let request = ask(&world, &laptop, &clinic, owner).await;
    let grant = laptop.approve(&request, record, until).await.unwrap();
    clinic.sync().await.unwrap();
    clinic.read(record).await.unwrap();
    let written = clinic
        .write_for(owner, draft("of the clinic"))
        .await
        .unwrap();
    none(&laptop.sync().await.unwrap());
    laptop.rotate_sealing_key(owner).await.unwrap();
    none(&laptop.sync().await.unwrap());
    laptop.revoke(grant).await.unwrap();
    laptop.revoke_contact(owner).await.unwrap();
    laptop.revoke_everything().await.unwrap();
    none(&laptop.sync().await.unwrap());
    laptop.revoke_everything().await.unwrap();
    laptop.erase(written.record).await.unwrap();
    none(&laptop.sync().await.unwrap());
    none(&clinic.sync().await.unwrap());
    // All again from the first block: each event was explained once, and is.
    let (laptop, report) = laptop.restored().await.unwrap();
    none(&report.sync);
    assert_eq!(laptop.status().await.unwrap().acts, 0);
}

/// The same chain, looked at by a home that is made from the phrase.
#[tokio::test]
async fn what_stood_on_the_chain_when_a_home_was_restored_is_no_alarm() {
    let world = World::new(2);
    let (laptop, clinic, owner, record) = person(&world, Arc::new(MemoryVault::default())).await;
    let request = ask(&world, &laptop, &clinic, owner).await;
    let until = world.ports().clock.now().plus(WEEK);
    laptop.approve(&request, record, until).await.unwrap();
    laptop.rotate_sealing_key(owner).await.unwrap();
    let (phone, report) = Party::restore(&phrase(1), Role::Person, world.ports())
        .await
        .unwrap();
    assert!(report.consents > 0);
    none(&report.sync);
    none(&phone.sync().await.unwrap());
}

/// Every act of another device of the phrase, by what is told of it; one command ends it, and the next act is told again.
#[tokio::test]
async fn acts_of_another_device_are_told_until_the_person_says_that_they_are_the_own() {
    let world = World::new(3);
    let (laptop, clinic, owner, record) = person(&world, Arc::new(MemoryVault::default())).await;
    let until = world.ports().clock.now().plus(WEEK);
    let vault: Arc<dyn VaultPort> = Arc::new(MemoryVault::default());
    let ports = world.ports_with(vault.clone());
    let (phone, _) = Party::restore(&phrase(1), Role::Person, ports)
        .await
        .unwrap();
    let request = ask(&world, &laptop, &clinic, owner).await;
    let grant = laptop.approve(&request, record, until).await.unwrap();
    laptop.rotate_sealing_key(owner).await.unwrap();
    laptop.revoke(grant).await.unwrap();
    laptop.revoke_everything().await.unwrap();
    laptop.erase(record).await.unwrap();
    let report = phone.sync().await.unwrap();
    let acts = told(&report.acts);
    for what in [
        format!("may read record {record}"),
        format!("consent {grant} was taken back"),
        "another sealing key".to_owned(),
        "every consent was taken back".to_owned(),
        format!("record {record} was erased"),
    ] {
        assert!(
            acts.iter().any(|act| act.contains(&what)),
            "{what}: {acts:?}"
        );
    }
    // It stays: after a sync that finds nothing new, and in a vault that is opened again.
    assert_eq!(phone.sync().await.unwrap().acts, report.acts);
    let phone = Party::new(phrase(1).seed(), Role::Person, world.ports_with(vault));
    assert_eq!(phone.status().await.unwrap().acts, report.acts.len());
    let count = phone.acts_are_mine(&report.acts).unwrap();
    assert_eq!(count, report.acts.len());
    none(&phone.sync().await.unwrap());
    // What was said counts for these acts alone, also when all is looked at again.
    laptop.invite().await.unwrap();
    let (phone, again) = phone.restored().await.unwrap();
    let [new] = again.sync.acts.as_slice() else {
        panic!("{:?}", again.sync.acts);
    };
    assert_eq!(new.act, Act::Registered);
    assert_eq!(phone.unknown_acts().unwrap(), core::slice::from_ref(new));
    // The device that did it has nothing to tell.
    none(&laptop.sync().await.unwrap());
}

/// A thief with the phrase gives itself all, and its device and the person's act at once.
#[tokio::test]
async fn what_a_thief_of_the_phrase_does_is_told_and_can_be_taken_back() {
    let world = World::new(4);
    let (laptop, clinic, owner, record) = person(&world, Arc::new(MemoryVault::default())).await;
    let until = world.ports().clock.now().plus(WEEK);
    let (thief, _) = Party::restore(&phrase(1), Role::Person, world.ports())
        .await
        .unwrap();
    let request = ask(&world, &thief, &clinic, owner).await;
    let all = thief
        .approve_all(&request, Extent::All, Sensitivity::VeryRestricted, until)
        .await
        .unwrap();
    let own = laptop.write_own(draft("later")).await.unwrap().record;
    let report = laptop.sync().await.unwrap();
    assert_eq!(report.acts.len(), all.grants.len(), "{report:?}");
    for (act, grant) in report.acts.iter().zip(&all.grants) {
        assert_eq!(act.act.gives(), Some(*grant));
        assert!(act.to_string().contains("every record"), "{act}");
        laptop.revoke(*grant).await.unwrap();
    }
    // The own revocation is the own; the theft stays told, and what is equal and done once more is told, too.
    let again = laptop.sync().await.unwrap();
    assert_eq!(again.acts, report.acts);
    laptop.revoke_everything().await.unwrap();
    thief.revoke_everything().await.unwrap();
    let after = laptop.sync().await.unwrap().acts;
    assert!(
        after.len() > report.acts.len() && after.iter().any(|act| act.act == Act::RevokedAll),
        "{after:?}"
    );
    assert!(laptop.record(own).is_ok() && laptop.record(record).is_ok());
}

/// A thief of a provider's phrase writes and reads in its name.
#[tokio::test]
async fn what_is_written_and_read_in_a_providers_name_is_told_to_the_provider() {
    let world = World::new(5);
    let (laptop, clinic, owner, record) = person(&world, Arc::new(MemoryVault::default())).await;
    let until = world.ports().clock.now().plus(WEEK);
    let request = ask(&world, &laptop, &clinic, owner).await;
    laptop.approve(&request, record, until).await.unwrap();
    none(&clinic.sync().await.unwrap());
    let (thief, _) = Party::restore(&phrase(2), Role::Provider, world.ports())
        .await
        .unwrap();
    thief.read(record).await.unwrap();
    let written = thief.write_for(owner, draft("a lie")).await.unwrap().record;
    let acts = clinic.sync().await.unwrap().acts;
    assert!(
        acts.iter()
            .any(|act| matches!(act.act, Act::Read { record: of, .. } if of == record)),
        "{acts:?}"
    );
    assert!(
        acts.iter()
            .any(|act| act.act == Act::Wrote { record: written }),
        "{acts:?}"
    );
    // Its patient did nothing that it does not know.
    none(&laptop.sync().await.unwrap());
}

/// What this device did explains one act alone, also when it comes in one sync with what it does not explain.
#[tokio::test]
async fn an_own_act_explains_no_later_one_of_another_device() {
    let world = World::new(6);
    let (laptop, _, owner, _) = person(&world, Arc::new(MemoryVault::default())).await;
    let (phone, _) = Party::restore(&phrase(1), Role::Person, world.ports())
        .await
        .unwrap();
    let of_all = |acts: &[UnknownAct]| acts.iter().filter(|it| it.act == Act::RevokedAll).count();
    phone.revoke_everything().await.unwrap();
    laptop.revoke_everything().await.unwrap();
    let acts = phone.sync().await.unwrap().acts;
    let of_first = of_all(&acts);
    assert!(of_first > 0, "{:?}", told(&acts));
    phone.acts_are_mine(&acts).unwrap();
    let until = world.ports().clock.now().plus(WEEK);
    let write = laptop.grant_write(owner, medical_only(), until);
    write.await.unwrap();
    laptop.revoke_everything().await.unwrap();
    let acts = phone.sync().await.unwrap().acts;
    assert_eq!(of_all(&acts), of_first, "{:?}", told(&acts));
    println!("ATTACK fourth-9: the later act is told");
}
