//! The journey over HTTP on the embedded chain: contracts, relay, gateway, seven keepers, the machine's clock.

#![allow(clippy::unwrap_used, reason = "a test says by panicking what broke")]

#[path = "world/evm.rs"]
mod world;

use medibloc_client::SystemClock;
use medibloc_consent::Purpose;
use medibloc_journey::{Act, Clock as _, Party, ProofFile, UnknownAct, medical_only, verify_proof};
use medibloc_keys::SigningKey;
use medibloc_ledger::{Call, Facts as _, LedgerError, Refusal, Submit as _};
use medibloc_ledger_evm::rotate_address;
use medibloc_node::{ProviderCredential, keep_credential};
use medibloc_record::{AccountId, Draft, LossReport, PartRole, Role};
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
    // The author hands its account to another key: nothing of before closes, and the old key is out.
    let (old, next) = (
        phrase(2).seed().account_key(),
        SigningKey::from_bytes(&[55; 32]).unwrap(),
    );
    let relay = hospital.ports().relay.clone();
    rotate_address(&world.ledger, relay.as_ref(), &old, &next)
        .await
        .unwrap();
    clinic.read(record).await.unwrap();
    let verified = patient.verify_record(record).await.unwrap();
    assert!(verified.holds(), "{verified:#?}");
    let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document"});
    let stolen = Draft::new("text/xml", b"x".to_vec(), bundle, LossReport::default());
    let error = hospital.write_for(owner, stolen).await.unwrap_err();
    let error = error.to_string();
    assert!(error.contains("was handed on to"), "{error}");
    patient.revoke(grant).await.unwrap();
    let old = clinic.read_with_receipt(record, read.receipt).await;
    let refused = old.unwrap_err().to_string();
    assert!(refused.contains("0 of 4"), "{refused}");
    let refused = clinic.read(record).await.unwrap_err().to_string();
    assert!(refused.contains("revoked"), "{refused}");
    let (restored, report) = Party::restore(&phrase(1), Role::Person, world.ports())
        .await
        .unwrap();
    assert_eq!(report.sync.accepted, [record], "{report:?}");
    assert_eq!(restored.audit().await.unwrap()[0].name, "Bit Clinic");
    assert_eq!(patient.erase(record).await.unwrap(), 7);
}

/// From the block of a rotation on the relay takes nothing that the old key signs, and what the next one signs; a proof of a
/// read that was before it holds, whoever of author, owner and reader went on with another key since.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_real_rotations_old_keys_relay_nothing_and_proofs_of_before_hold() {
    let world = World::new().await;
    let [patient, hospital, clinic] = [
        world.party(1, Role::Person),
        world.party(2, Role::Provider),
        world.party(3, Role::Provider),
    ];
    let jwts = [
        world.accredited(&hospital, "Hana Hospital").await,
        world.accredited(&clinic, "Bit Clinic").await,
    ];
    let mut owners = Vec::new();
    for (party, jwt) in [&hospital, &clinic].into_iter().zip(&jwts) {
        let invitation = patient.invite().await.unwrap();
        owners.push(party.answer(&invitation, Some(jwt)).await.unwrap().owner);
        patient.sync().await.unwrap();
        patient.confirm(*owners.last().unwrap()).unwrap();
    }
    let until = SystemClock.now().plus(WEEK);
    let write = patient.grant_write(owners[0], medical_only(), until);
    write.await.unwrap();
    let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document"});
    let draft = Draft::new("text/xml", ORIGINAL.to_vec(), bundle, LossReport::default());
    let record = hospital.write_for(owners[0], draft).await.unwrap().record;
    patient.sync().await.unwrap();
    let ask = clinic.ask(owners[1], Purpose::Treatment, "opinion", until);
    ask.await.unwrap();
    patient.sync().await.unwrap();
    let request = patient.requests().unwrap().pop().unwrap();
    patient.approve(&request, record, until).await.unwrap();
    clinic.sync().await.unwrap();
    clinic.read(record).await.unwrap();
    let before = patient.audit_proofs().await.unwrap().remove(0);
    let ports = world.ports();
    assert!(verify_proof(&before, &ports.authority).holds());

    // Author, owner and reader's account, each to its next key.
    let own = patient.addresses().unwrap();
    let own = own.iter().find(|own| own.id() == owners[0]).unwrap();
    let old = [
        phrase(2).seed().account_key(),
        phrase(1).seed().relationship_key(own.index.unwrap()),
        phrase(3).seed().account_key(),
    ];
    let next = [55, 56, 57].map(|byte| SigningKey::from_bytes(&[byte; 32]).unwrap());
    for (number, (old, next)) in (1_u8..).zip(old.iter().zip(&next)) {
        let call = Call::RotateSealingKey {
            sealing_key: [number; 32],
        };
        let sign = async |key: &SigningKey| {
            let deadline = world.ledger.head().await.unwrap().time.plus(600);
            let prepared = world.ledger.prepare(key.address(), &call, deadline).await;
            let unsigned = prepared.unwrap();
            let signature = key.sign_digest(&unsigned.digest);
            unsigned.sign(signature)
        };
        let account = AccountId::from_first_address(old.address());
        rotate_address(&world.ledger, ports.relay.as_ref(), old, next)
            .await
            .unwrap();
        let refused = ports.relay.relay(&sign(old).await).await.unwrap_err();
        assert!(
            matches!(refused, LedgerError::Refused(Refusal::NotRegistered)),
            "{refused}"
        );
        ports.relay.relay(&sign(next).await).await.unwrap();
        let facts = world.ledger.account(account).await.unwrap().unwrap();
        assert_eq!(facts.signer, next.address());
        assert_eq!(facts.sealing_key.key, [number; 32], "the next key's call");
    }

    let report = patient.sync().await.unwrap();
    let handed = |act: &UnknownAct| matches!(act.act, Act::HandedOn { .. });
    assert_eq!(
        report.acts.iter().filter(|act| handed(act)).count(),
        1,
        "{report:?}"
    );
    let after = patient.audit_proofs().await.unwrap().remove(0);
    assert_eq!(after, before, "a proof of a read does not change");
    for file in [&before, &after] {
        let parsed = ProofFile::parse(&file.to_json()).unwrap();
        assert!(verify_proof(&parsed, &ports.authority).holds());
        let stranger = world.party(9, Role::Person);
        let report = stranger.confirm_proof(&parsed).await.unwrap();
        assert!(report.holds() && report.chain_agrees, "{report:#?}");
    }
}

/// Keys of each side are stolen in the middle of it: node, relay and keepers take the next ones at once, and none before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_are_handed_on_in_the_middle_of_a_journey() {
    let world = World::new().await;
    let patient = world.party(1, Role::Person);
    let (hospital, clinic) = (
        world.party(2, Role::Provider),
        world.party(3, Role::Provider),
    );
    let mut owners = Vec::new();
    for (party, name) in [(&hospital, "Hana Hospital"), (&clinic, "Bit Clinic")] {
        let jwt = world.accredited(party, name).await;
        let invitation = patient.invite().await.unwrap();
        owners.push(party.answer(&invitation, Some(&jwt)).await.unwrap().owner);
        patient.sync().await.unwrap();
        patient.confirm(*owners.last().unwrap()).unwrap();
    }
    let until = SystemClock.now().plus(WEEK);
    let write = patient.grant_write(owners[0], medical_only(), until);
    write.await.unwrap();

    let account = hospital.account().id();
    hospital.rotate_signing_key(account).await.unwrap();
    let old = phrase(2).seed().account_key();
    let call = world
        .ledger
        .prepare(old.address(), &Call::RevokeAll, until)
        .await
        .unwrap();
    let signature = old.sign_digest(&call.digest);
    let stolen = hospital.ports().relay.relay(&call.sign(signature)).await;
    let told = stolen.unwrap_err();
    assert!(
        matches!(told, LedgerError::Refused(Refusal::NotRegistered)),
        "{told}"
    );
    let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document"});
    let draft = Draft::new("text/xml", ORIGINAL.to_vec(), bundle, LossReport::default());
    let written = hospital.write_for(owners[0], draft).await.unwrap();
    assert_eq!(written.acknowledged, 7);

    for owner in &owners {
        patient.rotate_signing_key(*owner).await.unwrap();
    }
    let report = patient.sync().await.unwrap();
    assert_eq!(report.accepted, [written.record], "{report:?}");
    let ask = clinic.ask(owners[1], Purpose::Treatment, "opinion", until);
    ask.await.unwrap();
    let report = patient.sync().await.unwrap();
    let request = patient.requests().unwrap().pop();
    let request = request.unwrap_or_else(|| panic!("no request came: {report:?}"));
    patient
        .approve(&request, written.record, until)
        .await
        .unwrap();
    clinic.sync().await.unwrap();
    // The account that the reader's address is bound to, and that address itself.
    clinic
        .rotate_signing_key(clinic.account().id())
        .await
        .unwrap();
    let reader = clinic.held().unwrap()[0].own;
    clinic.rotate_signing_key(reader).await.unwrap();
    clinic.read(written.record).await.unwrap();
    let (restored, report) = Party::restore(&phrase(1), Role::Person, world.ports())
        .await
        .unwrap();
    assert_eq!(report.sync.accepted, [written.record], "{report:?}");
    restored.revoke_everything().await.unwrap();
    let refused = clinic.read(written.record).await.unwrap_err().to_string();
    assert!(refused.contains("revoked"), "{refused}");
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

/// What an observer sees of a chain: the kind of each event, with the role where it shows one.
async fn kinds(ledger: &dyn medibloc_ledger::Events) -> Vec<String> {
    let mut kinds = Vec::new();
    let mut next = 0;
    loop {
        let blocks = ledger.events(next, 500).await.unwrap();
        let Some(last) = blocks.last() else {
            return kinds;
        };
        next = last.number + 1;
        for event in blocks.into_iter().flat_map(|block| block.events) {
            let shown = format!("{event:?}");
            let end = shown.find(|c: char| !c.is_alphanumeric());
            let kind = &shown[..end.unwrap_or(shown.len())];
            if let medibloc_ledger::Event::Registered { role, .. } = event {
                kinds.push(format!("{kind} {role:?}"));
            } else if !kind.starts_with("Keeper") && !kind.starts_with("Committee") {
                kinds.push(kind.to_owned());
            }
        }
    }
}

async fn a_visit_and_a_second_opinion(
    [patient, hospital, clinic]: [&Party; 3],
    [hospital_jwt, clinic_jwt]: [&str; 2],
) {
    let mut owners = Vec::new();
    for (party, jwt) in [(hospital, hospital_jwt), (clinic, clinic_jwt)] {
        let invitation = patient.invite().await.unwrap();
        owners.push(party.answer(&invitation, Some(jwt)).await.unwrap().owner);
        patient.sync().await.unwrap();
        patient.confirm(*owners.last().unwrap()).unwrap();
    }
    let until = patient.ports().clock.now().plus(WEEK);
    let write = patient.grant_write(owners[0], medical_only(), until);
    write.await.unwrap();
    let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document"});
    let draft = Draft::new(
        "application/cda+xml",
        ORIGINAL.to_vec(),
        bundle,
        LossReport::default(),
    );
    let record = hospital.write_for(owners[0], draft).await.unwrap().record;
    patient.sync().await.unwrap();
    let ask = clinic.ask(owners[1], Purpose::Treatment, "opinion", until);
    ask.await.unwrap();
    patient.sync().await.unwrap();
    let request = patient.requests().unwrap().pop().unwrap();
    let grant = patient.approve(&request, record, until).await.unwrap();
    clinic.sync().await.unwrap();
    clinic.read(record).await.unwrap();
    patient.revoke(grant).await.unwrap();
    patient.revoke_everything().await.unwrap();
}

/// The linking attack measures lives over the memory ledger: the chain shows the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_memory_ledger_shows_an_observer_what_the_chain_shows() {
    let chain = World::new().await;
    let parties = [Role::Person, Role::Provider, Role::Provider].into_iter();
    let [patient, hospital, clinic]: [Party; 3] = parties
        .zip(1..)
        .map(|(role, seed)| chain.party(seed, role))
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    let jwts = [
        chain.accredited(&hospital, "Hana Hospital").await,
        chain.accredited(&clinic, "Bit Clinic").await,
    ];
    a_visit_and_a_second_opinion([&patient, &hospital, &clinic], [&jwts[0], &jwts[1]]).await;

    let memory = medibloc_journey::memory::World::new(1);
    let of = |seed, role| Party::new(phrase(seed).seed(), role, memory.ports());
    let [patient, hospital, clinic] = [
        of(1, Role::Person),
        of(2, Role::Provider),
        of(3, Role::Provider),
    ];
    let mut jwts = Vec::new();
    for (party, name) in [(&hospital, "Hana Hospital"), (&clinic, "Bit Clinic")] {
        party.register_account().await.unwrap();
        jwts.push(memory.accredit(party.account().id(), name));
    }
    a_visit_and_a_second_opinion([&patient, &hospital, &clinic], [&jwts[0], &jwts[1]]).await;

    let seen = kinds(&chain.ledger).await;
    assert_eq!(seen, kinds(memory.ledger.as_ref()).await);
    assert!(seen.len() > 15, "{seen:?}");
}
