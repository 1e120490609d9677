//! What takes back, and what is written, stands against bad keys and a relay that holds calls: on the embedded chain with the real
//! contracts, relay and keepers.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "an attack tells its figure"
)]

#[path = "world/evm.rs"]
mod world;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use medibloc_client::SystemClock;
use medibloc_consent::{Purpose, Reason};
use medibloc_evil::owner::call;
use medibloc_journey::{Clock as _, JourneyError, Party, PendingRequest, medical_only};
use medibloc_keys::SigningKey;
use medibloc_ledger::{Call, Facts as _, LedgerError, Outcome, Refusal, Relay, SignedCall};
use medibloc_ledger_evm::{AuthorityWallet, KeeperPlan};
use medibloc_record::{AccountId, Draft, LossReport, RecordId, Role, Timestamp};
use world::{World, phrase};

/// Takes a signed call, says that it cannot be read, and keeps it.
struct Forgetful {
    inner: Arc<dyn Relay>,
    is_on: Mutex<bool>,
    held: Mutex<Vec<SignedCall>>,
}

#[async_trait]
impl Relay for Forgetful {
    async fn relay(&self, call: &SignedCall) -> Result<Outcome, LedgerError> {
        if !*self.is_on.lock().unwrap() {
            return self.inner.relay(call).await;
        }
        self.held.lock().unwrap().push(call.clone());
        Err(LedgerError::BadRequest {
            what: "it is malformed".into(),
        })
    }
}

struct Story {
    world: World,
    relay: Arc<Forgetful>,
    patient: Party,
    hospital: Party,
    clinic: Party,
    owner: AccountId,
    clinic_owner: AccountId,
}

fn draft() -> Draft {
    let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document"});
    Draft::new(
        "text/xml",
        b"<x>a diagnosis</x>".to_vec(),
        bundle,
        LossReport::default(),
    )
}

async fn asked() -> (Story, RecordId, PendingRequest, Timestamp) {
    let world = World::new().await;
    let mut ports = world.ports();
    let relay = Arc::new(Forgetful {
        inner: ports.relay.clone(),
        is_on: Mutex::new(false),
        held: Mutex::default(),
    });
    ports.relay = relay.clone();
    let patient = Party::new(phrase(1).seed(), Role::Person, ports);
    let hospital = world.party(2, Role::Provider);
    let clinic = world.party(3, Role::Provider);
    let hospital_jwt = world.accredited(&hospital, "Hana Hospital").await;
    let clinic_jwt = world.accredited(&clinic, "Bit Clinic").await;
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
    let until = SystemClock.now().plus(7 * 86_400);
    patient
        .grant_write(owner, medical_only(), until)
        .await
        .unwrap();
    let record = hospital.write_for(owner, draft()).await.unwrap().record;
    patient.sync().await.unwrap();
    clinic
        .ask(clinic_owner, Purpose::Treatment, "second opinion", until)
        .await
        .unwrap();
    patient.sync().await.unwrap();
    let request = patient.requests().unwrap().pop().unwrap();
    let story = Story {
        world,
        relay,
        patient,
        hospital,
        clinic,
        owner,
        clinic_owner,
    };
    (story, record, request, until)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_readers_own_sealing_key_stops_no_revocation_on_the_real_contracts() {
    let (story, record, request, until) = asked().await;
    let id = story
        .patient
        .approve(&request, record, until)
        .await
        .unwrap();
    story.clinic.sync().await.unwrap();
    story.clinic.read(record).await.unwrap();
    let (_, given) = story.patient.grants().unwrap().pop().unwrap();
    let grant = given.artefact.grant.unwrap();
    let seed = phrase(3).seed();
    let mut keys = (0..200).map(|index| seed.relationship_key(index));
    let key: SigningKey = keys
        .find(|key| AccountId::from_first_address(key.address()) == grant.reader)
        .unwrap();
    let mut low = [0; 32];
    low[0] = 1;
    let ports = story.world.ports();
    call(&ports, &key, &Call::RotateSealingKey { sealing_key: low })
        .await
        .unwrap();
    let one = story.patient.revoke(id).await;
    let contact = story.patient.revoke_contact(story.clinic_owner).await;
    let all = story.patient.revoke_everything().await;
    for _ in 0..3 {
        let _ = story.patient.sync().await;
    }
    let facts = story.world.ledger.grant(&grant).await.unwrap();
    let writes = story.hospital.write_for(story.owner, draft()).await.is_ok();
    println!(
        "ATTACK third-1: revoke {:?}, contact {:?}, everything {:?}; revoked {}, the hospital writes on {writes}",
        one.err().map(|it| it.to_string()),
        contact.err().map(|it| it.to_string()),
        all.err().map(|it| it.to_string()),
        facts.revoked
    );
    // The reader takes a good key again whenever it likes, and reads on.
    let good = seed.sealing(medibloc_keys::Slot::Account, 1).public().key;
    let back = call(&ports, &key, &Call::RotateSealingKey { sealing_key: good }).await;
    println!("  rotates back: {}", back.is_ok());
    assert!(facts.revoked);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consent_that_a_relay_called_malformed_is_dead_once_taken_back_on_the_real_contracts() {
    let (story, record, request, until) = asked().await;
    let (write, _) = story.patient.write_grants().unwrap().pop().unwrap();
    story.patient.revoke_write(write).await.unwrap();
    *story.relay.is_on.lock().unwrap() = true;
    let told = story
        .patient
        .approve(&request, record, until)
        .await
        .unwrap_err();
    *story.relay.is_on.lock().unwrap() = false;
    let (id, given) = story.patient.grants().unwrap().pop().unwrap();
    let grant = given.artefact.grant.unwrap();
    let one = story.patient.revoke(id).await;
    let all = story.patient.revoke_everything().await;
    let held = core::mem::take(&mut *story.relay.held.lock().unwrap());
    let mut executed = 0;
    for call in &held {
        executed += usize::from(story.relay.inner.relay(call).await.is_ok());
    }
    let report = story.patient.sync().await.unwrap();
    story.clinic.sync().await.unwrap();
    let read = story.clinic.read(record).await;
    let facts = story.world.ledger.grant(&grant).await.unwrap();
    println!(
        "ATTACK third-2: approve «{told}», revoke {one:?}, everything {all:?}, {executed} of {} executed, revoked {}, alarms {:?}, acts {:?}, read {:?}",
        held.len(),
        facts.revoked,
        report.alarms,
        report.acts,
        read.as_ref().map(|_| ()).map_err(ToString::to_string)
    );
    assert!(read.is_err());
}

/// Whoever holds the home of a suspended hospital took back each of its records, and their owners could give them to nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_author_takes_nothing_back_and_its_records_are_given_on_on_the_real_contracts()
{
    let (story, record, request, until) = asked().await;
    let wallet = AuthorityWallet::new(&story.world.ledger, &story.world.authority);
    let account = story.hospital.account().id();
    let taken_back = async || {
        let facts = story.world.ledger.record(record).await.unwrap();
        facts.unwrap().retracted
    };
    wallet.suspend(account).await.unwrap();
    for _ in 0..2 {
        let told = story.hospital.retract(record).await.unwrap_err();
        let why = match &told {
            JourneyError::Ledger(LedgerError::Refused(Refusal::Consent(why))) => *why,
            other => panic!("refused by a rule, not: {other}"),
        };
        assert_eq!(why, Reason::Suspended);
        assert!(told.to_string().contains("reinstate"), "{told}");
    }
    let report = story.hospital.sync().await.unwrap();
    assert_eq!(report.later, Vec::<String>::new(), "it has ended");
    assert!(!taken_back().await);
    story
        .patient
        .approve(&request, record, until)
        .await
        .unwrap();
    story.clinic.sync().await.unwrap();
    story.clinic.read(record).await.unwrap();

    wallet.reinstate(account).await.unwrap();
    let report = story.hospital.sync().await.unwrap();
    assert_eq!(report.done, Vec::<String>::new(), "nothing was kept");
    story.hospital.retract(record).await.unwrap();
    assert!(taken_back().await);
    println!("ATTACK fourth-6: refused by the contracts");
}

/// What was taken back before the suspension stays so; its owner gives it on by saying that it is meant.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_taken_back_before_the_suspension_is_given_on_alone_on_the_real_contracts() {
    let (story, record, request, until) = asked().await;
    story.hospital.retract(record).await.unwrap();
    let wallet = AuthorityWallet::new(&story.world.ledger, &story.world.authority);
    wallet.suspend(story.hospital.account().id()).await.unwrap();
    let told = story.patient.approve(&request, record, until).await;
    let told = told.unwrap_err();
    assert!(matches!(told, JourneyError::Retracted { .. }), "{told}");
    story
        .patient
        .approve_retracted(&request, record, until)
        .await
        .unwrap();
    story.clinic.sync().await.unwrap();
    let told = story.clinic.read(record).await.unwrap_err();
    assert!(matches!(told, JourneyError::TakenBack { .. }), "{told}");
    story.clinic.read_retracted(record, None).await.unwrap();
}

/// One keeper of seven sets a wrap key to which nothing can be sealed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_keepers_wrap_key_stops_no_write_and_no_acceptance_on_the_real_contracts() {
    let (story, ..) = asked().await;
    let ledger = &story.world.ledger;
    let last = ledger.committee().await.unwrap().keepers.pop().unwrap();
    let operator = &story.world.authority;
    let wallet = AuthorityWallet::new(ledger, operator);
    // The operator of place 7; here it has the key that has coins.
    let place = KeeperPlan {
        index: last.index,
        signer: operator.address(),
        wrap_key: last.wrap_key.key,
        endpoint: last.endpoint.clone(),
    };
    wallet.register_keeper(&place).await.unwrap();
    let before = story.hospital.write_for(story.owner, draft()).await;
    println!(
        "before: {:?}",
        before
            .as_ref()
            .map(|it| it.acknowledged)
            .map_err(ToString::to_string)
    );
    let mut low = [0; 32];
    low[0] = 1;
    wallet.rotate_wrap_key(last.index, low).await.unwrap();
    let theirs = story.hospital.write_for(story.owner, draft()).await;
    let own = story.patient.write_own(draft()).await;
    let mut told = Vec::new();
    for _ in 0..4 {
        told.push(
            story
                .hospital
                .sync()
                .await
                .map(|it| it.later)
                .map_err(|it| it.to_string()),
        );
        told.push(
            story
                .patient
                .sync()
                .await
                .map(|it| it.later)
                .map_err(|it| it.to_string()),
        );
    }
    let accepted = story
        .patient
        .records()
        .unwrap()
        .iter()
        .filter(|it| it.is_accepted())
        .count();
    println!(
        "ATTACK third-3: hospital {:?}, own {:?}; accepted {accepted}; {told:#?}",
        theirs
            .as_ref()
            .map(|it| it.acknowledged)
            .map_err(ToString::to_string),
        own.as_ref()
            .map(|it| it.acknowledged)
            .map_err(ToString::to_string)
    );
    assert!(theirs.is_ok() && own.is_ok());
}
