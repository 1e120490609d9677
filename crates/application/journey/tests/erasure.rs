//! Erasure that is one: after it nothing of the record is left with the owner, another device of the phrase, a reader or
//! the author, no command gives a byte, and everybody says so.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::Arc;

use medibloc_consent::Purpose;
use medibloc_journey::memory::{MemoryVault, World};
use medibloc_journey::{
    ExportedFile, Exports, JourneyError, Party, Standing, VaultPort, medical_only,
};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_record::{
    AccountId, Digest, Draft, LossReport, PartRole, RecordId, Role, Sensitivity, Timestamp,
};
use medibloc_store::Store as _;

const WEEK: u64 = 7 * 86_400;
const TITLE: &str = "planted: a title that is nowhere else";
const TEXT: &str = "planted: a text that is nowhere else";

fn phrase(seed: u64) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}

fn draft(text: &str) -> Draft {
    let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document"});
    let bytes = text.as_bytes().to_vec();
    let mut draft = Draft::new("application/cda+xml", bytes, bundle, LossReport::default());
    draft.title = Some(TITLE.into());
    draft
}

struct Actor {
    vault: Arc<MemoryVault>,
    party: Party,
}

impl Actor {
    fn new(world: &Arc<World>, seed: u64, role: Role) -> Self {
        let vault = Arc::new(MemoryVault::default());
        let party = Party::new(phrase(seed).seed(), role, world.ports_with(vault.clone()));
        Self { vault, party }
    }

    /// How many of these pieces are anywhere in the vault.
    fn finds(&self, pieces: &[Vec<u8>]) -> usize {
        let all = self.vault.dump();
        let is_there = |piece: &&Vec<u8>| {
            all.iter()
                .any(|bytes| bytes.windows(piece.len()).any(|window| window == *piece))
        };
        pieces.iter().filter(is_there).count()
    }
}

struct Story {
    world: Arc<World>,
    patient: Actor,
    tablet: Actor,
    hospital: Actor,
    clinic: Actor,
    record: RecordId,
    until: Timestamp,
    /// Title, keys of parts, identifiers of blocks and some of their bytes.
    pieces: Vec<Vec<u8>>,
}

async fn pair(world: &World, patient: &Party, other: &Party, name: &str) -> AccountId {
    other.register_account().await.unwrap();
    let jwt = world.accredit(other.account().id(), name);
    let invitation = patient.invite().await.unwrap();
    let owner = other.answer(&invitation, Some(&jwt)).await.unwrap().owner;
    patient.sync().await.unwrap();
    patient.confirm(owner).unwrap();
    owner
}

/// A record by the hospital, read by the clinic, and a second device of the patient's phrase that has it too.
async fn story(seed: u64, all: bool) -> Story {
    let world = World::new(seed);
    let patient = Actor::new(&world, 1, Role::Person);
    let hospital = Actor::new(&world, 2, Role::Provider);
    let clinic = Actor::new(&world, 3, Role::Provider);
    let owner = pair(&world, &patient.party, &hospital.party, "Hana Hospital").await;
    let clinics = pair(&world, &patient.party, &clinic.party, "Bit Clinic").await;
    let until = world.ports().clock.now().plus(WEEK);
    let granted = patient.party.grant_write(owner, medical_only(), until);
    granted.await.unwrap();
    let record = hospital
        .party
        .write_for(owner, draft(TEXT))
        .await
        .unwrap()
        .record;
    hospital
        .party
        .write_for(owner, draft("another"))
        .await
        .unwrap();
    patient.party.sync().await.unwrap();
    let asked = clinic.party.ask(clinics, Purpose::Treatment, "care", until);
    asked.await.unwrap();
    patient.party.sync().await.unwrap();
    let request = patient.party.requests().unwrap().pop().unwrap();
    if all {
        let extent = medibloc_journey::Extent::All;
        let done = patient
            .party
            .approve_all(&request, extent, Sensitivity::Normal, until);
        done.await.unwrap();
    } else {
        patient
            .party
            .approve(&request, record, until)
            .await
            .unwrap();
    }
    clinic.party.sync().await.unwrap();
    clinic.party.read(record).await.unwrap();
    patient.party.sync().await.unwrap();
    let vault = Arc::new(MemoryVault::default());
    let ports = world.ports_with(vault.clone());
    let restored = Party::restore(&phrase(1), Role::Person, ports)
        .await
        .unwrap();
    let tablet = Actor {
        vault,
        party: restored.0,
    };
    let kept = patient.party.record(record).unwrap();
    let mut pieces = vec![];
    for part in &kept.manifest.unwrap().parts {
        pieces.push(part.key.expose().to_vec());
        pieces.push(part.cid.to_bytes());
        let bytes = patient.vault.blob(&part.cid).unwrap().unwrap();
        pieces.push(bytes[bytes.len() / 2..][..64].to_vec());
    }
    for object in [
        kept.anchor.package,
        kept.anchor.key_set,
        kept.anchor.attestation,
    ] {
        let cid = medibloc_dag::Cid::from_dag_cbor_digest(object.to_bytes());
        let bytes = patient.vault.blob(&cid).unwrap().unwrap();
        pieces.push(bytes[bytes.len() / 2..].to_vec());
    }
    Story {
        world,
        patient,
        tablet,
        hospital,
        clinic,
        record,
        until,
        pieces,
    }
}

impl Story {
    fn all(&self) -> [(&str, &Actor); 4] {
        [
            ("owner", &self.patient),
            ("second device", &self.tablet),
            ("author", &self.hospital),
            ("reader", &self.clinic),
        ]
    }

    async fn sync_all(&self) {
        for _ in 0..2 {
            for (_, actor) in self.all() {
                actor.party.sync().await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn nothing_of_an_erased_record_is_left_with_anybody() {
    for all in [false, true] {
        let story = story(1, all).await;
        for (who, actor) in story.all() {
            let found = actor.finds(&story.pieces);
            // The owner's own capsule apart, everybody has nearly all of it before: the search finds what is there.
            assert!(
                found > story.pieces.len() / 2,
                "{who} had it before: {found}"
            );
        }
        let statements = story.patient.party.erase(story.record).await.unwrap();
        assert_eq!(statements, 7);
        assert_eq!(story.patient.finds(&story.pieces), 0, "in the same act");
        story.sync_all().await;
        for (who, actor) in story.all() {
            assert_eq!(actor.finds(&story.pieces), 0, "{who}, all {all}");
            for table in ["wipes", "jobs", "reads", "receipts", "erasing", "looks"] {
                assert!(
                    actor.vault.list(table).unwrap().is_empty(),
                    "{who}: {table}"
                );
            }
        }
        // The other record is whole.
        let others = story.patient.party.records().unwrap();
        let other = others.iter().find(|kept| kept.is_accepted()).unwrap();
        let mut text = Vec::new();
        story
            .patient
            .party
            .open_own_part(other, PartRole::Original, &mut text)
            .unwrap();
        assert_eq!(text, b"another");
        assert_eq!(story.hospital.party.written().unwrap().len(), 1);
        println!(
            "ATTACK newcomer-1: 0 of {} pieces left with owner, device, author and reader",
            story.pieces.len()
        );
    }
}

fn is_erased<T: core::fmt::Debug>(done: Result<T, JourneyError>, what: &str) {
    let error = done.expect_err(what);
    assert!(
        matches!(error, JourneyError::Erased { .. }),
        "{what}: {error}"
    );
    let told = error.to_string();
    assert!(told.contains("erased by its owner"), "{what}: {told}");
    assert!(!told.contains("store the record again"), "{what}: {told}");
}

#[tokio::test]
async fn no_step_gives_a_byte_of_it() {
    let story = story(2, false).await;
    let (patient, clinic) = (&story.patient.party, &story.clinic.party);
    let before = patient.record(story.record).unwrap();
    patient.erase(story.record).await.unwrap();
    story.sync_all().await;
    for party in [patient, &story.tablet.party] {
        is_erased(party.export_record(story.record), "export");
        let mut sink = Vec::new();
        is_erased(
            party.open_own_part(&before, PartRole::Original, &mut sink),
            "open",
        );
        is_erased(
            party.export_crypt4gh(story.record, PartRole::Original, &[], &mut sink),
            "crypt4gh",
        );
        assert!(sink.is_empty());
        is_erased(party.store_again(story.record).await, "store again");
        let kept = party.record(story.record).unwrap();
        assert_eq!((kept.standing, kept.manifest), (Standing::Erased, None));
        let views = party.record_views().unwrap();
        let view = views
            .iter()
            .rfind(|view| view.standing == "erased")
            .unwrap();
        assert_eq!((view.title.as_deref(), view.parts.len()), (None, 0));
    }
    clinic
        .ask(
            patient.contacts().unwrap()[1].own,
            Purpose::Treatment,
            "again",
            story.until,
        )
        .await
        .unwrap_or_default();
    let request = patient.requests().unwrap().pop().unwrap();
    let granted = patient.approve(&request, story.record, story.until).await;
    is_erased(granted, "approve");
    is_erased(clinic.read(story.record).await, "read");
    assert!(clinic.read_before(story.record).unwrap().is_none());
    let report = patient.verify_record(story.record).await.unwrap();
    assert!(report.erased.is_some());
    let told: Vec<String> = report
        .lines
        .iter()
        .map(|line| format!("{}: {}", line.what, line.found))
        .collect();
    assert!(
        told.iter()
            .any(|line| line.contains("7 of 7 keepers signed")),
        "{told:?}"
    );
    assert!(
        told.iter()
            .all(|line| !line.contains("store the record again")),
        "{told:?}"
    );
    // A vault that is restored after it knows it as erased, and fetched nothing of it.
    let vault = Arc::new(MemoryVault::default());
    let ports = story.world.ports_with(vault.clone());
    let (restored, report) = Party::restore(&phrase(1), Role::Person, ports)
        .await
        .unwrap();
    let kept = restored.record(story.record).unwrap();
    assert_eq!((kept.standing, kept.manifest), (Standing::Erased, None));
    assert!(restored.erasure(story.record).unwrap().is_some());
    let actor = Actor {
        vault,
        party: restored,
    };
    assert_eq!(actor.finds(&story.pieces), 0, "{report:?}");
    is_erased(
        actor.party.export_record(story.record),
        "export after restore",
    );
}

#[tokio::test]
async fn the_owner_is_told_who_read_it_and_who_purged() {
    let story = story(3, false).await;
    let file = ExportedFile {
        path: "/reader/copy.xml".into(),
        record: story.record,
        at: Timestamp(1),
        sha256: Digest::of(b"plain"),
        keep: true,
        lost: false,
        grant: None,
    };
    story.clinic.party.note_export(&file).unwrap();
    story
        .clinic
        .vault
        .files
        .lock()
        .unwrap()
        .insert(file.path.clone(), b"plain".to_vec());
    story.patient.party.erase(story.record).await.unwrap();
    let view = story
        .patient
        .party
        .erased_view(story.record)
        .unwrap()
        .unwrap();
    assert!(view.erasure.here);
    assert_eq!(view.readers.len(), 1, "{view:?}");
    assert_eq!(
        (view.readers[0].name.as_str(), view.readers[0].purged),
        ("Bit Clinic", None)
    );
    let report = story.clinic.party.sync().await.unwrap();
    assert_eq!(report.purged, [story.record], "{report:?}");
    assert!(report.files_left[0].1.contains("copy.xml"), "{report:?}");
    let told = story.patient.party.sync().await.unwrap().told;
    assert!(told[0].contains("Bit Clinic purged"), "{told:?}");
    assert!(told[0].contains("keeps 1 file"), "{told:?}");
    let view = story
        .patient
        .party
        .erased_view(story.record)
        .unwrap()
        .unwrap();
    assert!(view.readers[0].purged.is_some());
    assert_eq!(view.readers[0].left.files, 1);
    let report = story.tablet.party.sync().await.unwrap();
    assert_eq!(report.erased, [story.record], "the other device says so");
    assert!(
        !story
            .tablet
            .party
            .erasure(story.record)
            .unwrap()
            .unwrap()
            .here
    );
}

#[tokio::test]
async fn exported_files_go_with_it_unless_they_changed_or_are_to_stay() {
    for (exports, left) in [(Exports::Delete, 1), (Exports::Keep, 2)] {
        let story = story(4, false).await;
        let patient = &story.patient;
        for (path, now) in [("/a", "plain"), ("/b", "changed by me"), ("/c", "")] {
            let file = ExportedFile {
                path: path.into(),
                record: story.record,
                at: Timestamp(1),
                sha256: Digest::of(b"plain"),
                keep: false,
                lost: false,
                grant: None,
            };
            patient.party.note_export(&file).unwrap();
            if !now.is_empty() {
                let mut files = patient.vault.files.lock().unwrap();
                files.insert(path.into(), now.as_bytes().to_vec());
            }
        }
        let done = patient
            .party
            .erase_with(story.record, exports)
            .await
            .unwrap();
        let there = patient.vault.files.lock().unwrap().len();
        assert_eq!(there, left, "{done:?}");
        let view = patient.party.erased_view(story.record).unwrap().unwrap();
        assert!(view.files.contains(&"/b".to_owned()), "{view:?}");
    }
}

#[tokio::test]
async fn an_erasure_that_the_contracts_refuse_removes_nothing() {
    let story = story(5, false).await;
    let mallory = Actor::new(&story.world, 66, Role::Person);
    mallory.party.own_records_address().await.unwrap();
    // Another's record in one's own vault, as a client with no checks would have it.
    let (anchor, _) = story.world.ledger.anchor(story.record).unwrap();
    let refused = mallory.party.erase(story.record).await;
    assert!(
        matches!(refused, Err(JourneyError::Unknown { .. })),
        "{refused:?}"
    );
    assert!(!story.world.ledger.anchor(story.record).unwrap().1.erased);
    let cid = medibloc_dag::Cid::from_dag_cbor_digest(anchor.package.to_bytes());
    assert!(story.world.store.get(&cid).await.unwrap().is_some());
    assert!(story.patient.party.export_record(story.record).is_ok());
}

/// An author's job that a crash broke off is not gone on with when the record is erased: nothing is stored again.
#[tokio::test]
async fn a_job_of_an_erased_record_does_not_resume() {
    let world = World::new(6);
    let patient = Actor::new(&world, 1, Role::Person);
    let hospital = Actor::new(&world, 2, Role::Provider);
    let owner = pair(&world, &patient.party, &hospital.party, "Hana Hospital").await;
    let until = world.ports().clock.now().plus(WEEK);
    let granted = patient.party.grant_write(owner, medical_only(), until);
    granted.await.unwrap();
    world.set_down(7, true);
    let record = hospital
        .party
        .write_for(owner, draft(TEXT))
        .await
        .unwrap()
        .record;
    assert_eq!(
        hospital.vault.list("jobs").unwrap().len(),
        1,
        "one keeper is missing"
    );
    patient.party.sync().await.unwrap();
    patient.party.erase(record).await.unwrap();
    world.set_down(7, false);
    hospital.party.sync().await.unwrap();
    assert!(hospital.vault.list("jobs").unwrap().is_empty());
    assert!(hospital.party.written().unwrap().is_empty());
    assert_eq!(hospital.finds(&[TITLE.as_bytes().to_vec()]), 0);
}

/// A keeper that has not signed is in the status until it has.
#[tokio::test]
async fn an_erasure_that_waits_for_a_keeper_is_in_the_status() {
    let world = World::new(8);
    let patient = Actor::new(&world, 1, Role::Person);
    patient.party.sync().await.unwrap();
    let record = patient.party.write_own(draft(TEXT)).await.unwrap().record;
    patient.party.sync().await.unwrap();
    world.set_down(7, true);
    assert_eq!(patient.party.erase(record).await.unwrap(), 6);
    let jobs = patient.party.status().await.unwrap().jobs;
    let [job] = jobs.as_slice() else {
        panic!("{jobs:?}")
    };
    assert!(job.what.contains(&record.to_string()), "{jobs:?}");
    let reason = job.reason.as_deref().unwrap();
    assert!(reason.contains("6 of 7"), "{reason}");
    world.set_down(7, false);
    patient.party.sync().await.unwrap();
    assert_eq!(patient.party.status().await.unwrap().jobs, []);
}
