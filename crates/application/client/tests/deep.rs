//! What goes beyond the walk, over HTTP on the embedded chain: all-record grants and deliveries, key rotation, own
//! records, purges, proof files, revocations and restore, with the contracts' own words.

#![allow(clippy::unwrap_used, reason = "a test says by panicking what broke")]

#[path = "world/evm.rs"]
mod world;

use medibloc_client::SystemClock;
use medibloc_consent::Purpose;
use medibloc_journey::{
    Clock as _, Extent, Party, ProofFile, ProvenEvent, medical_only, verify_proof,
    verify_proof_with,
};
use medibloc_ledger_evm::verify_receipt;
use medibloc_record::{AccountId, Draft, LossReport, RecordId, Role, Sensitivity};
use serde_json::Value;
use world::{World, phrase};

const WEEK: u64 = 7 * 86_400;

fn draft(text: &str) -> Draft {
    let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document"});
    let bytes = text.as_bytes().to_vec();
    Draft::new("application/cda+xml", bytes, bundle, LossReport::default())
}

async fn pair(world: &World, patient: &Party, seed: u64, name: &str) -> (Party, AccountId) {
    let party = world.party(seed, Role::Provider);
    let jwt = world.accredited(&party, name).await;
    let invitation = patient.invite().await.unwrap();
    let owner = party.answer(&invitation, Some(&jwt)).await.unwrap().owner;
    patient.sync().await.unwrap();
    patient.confirm(owner).unwrap();
    (party, owner)
}

/// A sync after which nothing is left to do.
async fn synced(party: &Party) -> medibloc_journey::SyncReport {
    let report = party.sync().await.unwrap();
    assert!(
        report.later.is_empty() && report.alarms.is_empty(),
        "{report:?}"
    );
    report
}

async fn opens(party: &Party, record: RecordId) -> bool {
    party.read(record).await.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_beyond_the_walk_holds_over_http_on_the_embedded_chain() {
    let world = World::new().await;
    let patient = world.party(1, Role::Person);
    let (hospital, owner) = pair(&world, &patient, 2, "Hana Hospital").await;
    let (clinic, clinic_owner) = pair(&world, &patient, 3, "Bit Clinic").await;
    let until = SystemClock.now().plus(WEEK);
    let kinds = medical_only();
    patient.grant_write(owner, kinds, until).await.unwrap();
    let first = hospital
        .write_for(owner, draft("first"))
        .await
        .unwrap()
        .record;
    let diary = patient.write_own(draft("diary")).await.unwrap().record;
    assert_eq!(synced(&patient).await.accepted.len(), 2);

    // All records, then one that comes later.
    let purpose = Purpose::Treatment;
    clinic
        .ask(clinic_owner, purpose, "care", until)
        .await
        .unwrap();
    synced(&patient).await;
    let request = patient.requests().unwrap().pop().unwrap();
    let given = patient
        .approve_all(&request, Extent::All, Sensitivity::Normal, until)
        .await
        .unwrap();
    assert_eq!((given.grants.len(), given.waiting.len()), (3, 0));
    synced(&clinic).await;
    assert!(opens(&clinic, first).await && opens(&clinic, diary).await);
    let second = hospital
        .write_for(owner, draft("second"))
        .await
        .unwrap()
        .record;
    assert_eq!(synced(&patient).await.delivered, 1);
    assert_eq!(synced(&clinic).await.keys, 1);
    assert!(opens(&clinic, second).await);

    // The next sealing key; newer capsules.
    assert_eq!(patient.rotate_sealing_key(owner).await.unwrap(), 2);
    let third = hospital
        .write_for(owner, draft("third"))
        .await
        .unwrap()
        .record;
    synced(&patient).await;
    for record in [first, second, third, diary] {
        let report = patient.verify_record(record).await.unwrap();
        assert!(report.holds(), "{report:#?}");
    }

    // Who read what, for others to check.
    let files = patient.audit_proofs().await.unwrap();
    assert_eq!(files.len(), 3);
    for file in &files {
        assert!(
            verify_proof(file, &world.authority.address().into()).holds(),
            "{file:#?}"
        );
        let contracts = &world.ledger.deployed().contracts;
        let with_ledger = |file: &ProofFile| {
            verify_proof_with(file, &world.authority.address().into(), |proof| {
                let proven = verify_receipt(proof, contracts).map_err(|error| error.to_string())?;
                Ok(ProvenEvent {
                    block: proven.block,
                    block_hash: proven.block_hash,
                    time: proven.time,
                    event: proven.event,
                })
            })
        };
        let report = with_ledger(file);
        assert!(report.holds(), "{report:#?}");
        // No field of the ledger's proof is changed or left out unseen.
        let whole: Value = serde_json::from_str(&file.to_json()).unwrap();
        let fields = ["header", "index", "nodes", "nodes/0", "receipt", "log"];
        for place in fields.map(|field| format!("/ledger/{field}")) {
            let mut other = whole.clone();
            let value = other.pointer_mut(&place).unwrap();
            *value = match &*value {
                Value::Number(number) => (number.as_u64().unwrap() + 1).into(),
                Value::String(bytes) => format!("{}ee", &bytes[..bytes.len() - 2]).into(),
                _ => Value::Array(Vec::new()),
            };
            assert!(other != whole, "{place}");
            let other = ProofFile::parse(&other.to_string()).unwrap();
            assert!(!with_ledger(&other).holds(), "{place}");
        }
        for field in ["header", "index", "nodes", "receipt", "log"] {
            let mut other = whole.clone();
            other["ledger"]
                .as_object_mut()
                .unwrap()
                .remove(field)
                .unwrap();
            let error = ProofFile::parse(&other.to_string()).unwrap_err();
            assert!(error.to_string().contains(field), "{error}");
        }
        let mut other = file.clone();
        other.ledger = None;
        assert!(!with_ledger(&other).holds(), "without any");
        let report = hospital.confirm_proof(file).await.unwrap();
        assert!(report.holds() && report.chain_agrees, "{report:#?}");
    }

    // One contact ends; it purges and says so.
    patient.revoke_contact(request.own).await.unwrap();
    assert!(!opens(&clinic, first).await);
    let report = synced(&clinic).await;
    // The first refusal ended one consent and purged what was read under it; the others go now.
    assert_eq!((report.ended.len(), report.purged.len()), (2, 1));
    synced(&patient).await;
    assert!(
        patient
            .grants()
            .unwrap()
            .iter()
            .all(|(_, given)| given.purged)
    );

    // The permission to write ends, then everything.
    let (id, _) = patient.write_grants().unwrap().remove(0);
    patient.revoke_write(id).await.unwrap();
    let refused = hospital.write_for(owner, draft("late")).await.unwrap_err();
    assert!(refused.to_string().contains("permitted"), "{refused}");
    let later = until.plus(60);
    patient.grant_write(owner, kinds, later).await.unwrap();
    patient.revoke_everything().await.unwrap();
    // What was refused has ended: it does not run when permission comes, nor after it went.
    assert!(hospital.resume_writes().await.unwrap().is_empty());
    let refused = hospital.write_for(owner, draft("later")).await.unwrap_err();
    assert!(refused.to_string().contains("permitted"), "{refused}");
    assert_eq!(patient.erase(second).await.unwrap(), 7);
    synced(&patient).await;

    let (restored, report) = Party::restore(&phrase(1), Role::Person, world.ports())
        .await
        .unwrap();
    assert_eq!(report.advice(), None, "{report:?}");
    assert_eq!(report.sync.accepted.len(), 3, "{report:?}");
    let text = restored.export_record(first).unwrap();
    assert_eq!(text.parts[0].bytes.as_slice(), b"first");
    let names = |party: &Party| {
        let mut names: Vec<_> = party
            .contact_views()
            .unwrap()
            .into_iter()
            .map(|view| view.name)
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(&restored), names(&patient));
    let (ours, theirs) = (restored.given_views().await, patient.given_views().await);
    let states = |views: Vec<medibloc_journey::GrantView>| {
        let mut states: Vec<_> = views
            .into_iter()
            .map(|view| (view.id, view.state, view.records))
            .collect();
        states.sort_by(|one, other| one.0.cmp(&other.0));
        states
    };
    assert_eq!(states(ours.unwrap()), states(theirs.unwrap()));

    // The author's home is restored, too: it knows what it wrote, and takes one back.
    let (hospital, _) = Party::restore(&phrase(2), Role::Provider, world.ports())
        .await
        .unwrap();
    let written = hospital.written_views().unwrap().into_iter();
    let written: Vec<_> = written.map(|view| (view.record, view.owner)).collect();
    let mut before = vec![(first, owner), (third, owner)];
    before.sort_unstable();
    assert_eq!(written, before, "the second was erased");
    hospital.retract(third).await.unwrap();
    assert_eq!(patient.sync().await.unwrap().retracted, [third]);
}
