//! What an author, the authority or a thief does after an anchor changes nothing about what was anchored before: in
//! sync, for a granted reader, in verify, export and restore. What the chain says is accepted opens for its owner.

#![allow(clippy::unwrap_used, reason = "a test says by panicking what broke")]

use std::sync::Arc;

use medibloc_consent::Purpose;
use medibloc_evil::owner::call;
use medibloc_journey::memory::World;
use medibloc_journey::{Party, ProofFile, medical_only, verify_proof};
use medibloc_keys::{Entropy as _, Language, Phrase, SeededEntropy, SigningKey};
use medibloc_ledger::{Call, Event, Events as _};
use medibloc_record::{AccountId, Digest, Draft, LossReport, PartRole, RecordId, Role, Timestamp};

const DAY: u64 = 86_400;

fn draft(text: &str) -> Draft {
    let bundle = serde_json::json!({"resourceType": "Bundle"});
    Draft::new(
        "text/xml",
        text.as_bytes().to_vec(),
        bundle,
        LossReport::default(),
    )
}

fn phrase(seed: u64) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}

fn key(seed: u64) -> SigningKey {
    let mut bytes = [0; 32];
    SeededEntropy::new(seed).fill(&mut bytes);
    SigningKey::from_bytes(&bytes).unwrap()
}

struct Story {
    world: Arc<World>,
    patient: Party,
    hospital: Party,
    clinic: Party,
    owner: AccountId,
    clinic_owner: AccountId,
    until: Timestamp,
}

async fn story(seed: u64) -> Story {
    let world = World::new(seed);
    let party = |seed, role| Party::new(phrase(seed).seed(), role, world.ports());
    let patient = party(1, Role::Person);
    let (hospital, clinic) = (party(2, Role::Provider), party(3, Role::Provider));
    let mut owners = Vec::new();
    for (provider, name) in [(&hospital, "Hana Hospital"), (&clinic, "Bit Clinic")] {
        provider.register_account().await.unwrap();
        let account = provider.account().id();
        let jwt = world.accredit(account, name);
        let invitation = patient.invite().await.unwrap();
        owners.push(
            provider
                .answer(&invitation, Some(&jwt))
                .await
                .unwrap()
                .owner,
        );
        patient.sync().await.unwrap();
        if name == "Hana Hospital" {
            // For ten days only: it expires in the story.
            let from = world.ports().clock.now();
            let evidence = Digest::of(jwt.as_bytes());
            world
                .ledger
                .accredit(account, from, from.plus(10 * DAY), evidence);
        }
    }
    for owner in &owners {
        patient.confirm(*owner).unwrap();
    }
    let until = world.ports().clock.now().plus(60 * DAY);
    patient
        .grant_write(owners[0], medical_only(), until)
        .await
        .unwrap();
    Story {
        world,
        patient,
        hospital,
        clinic,
        owner: owners[0],
        clinic_owner: owners[1],
        until,
    }
}

impl Story {
    async fn write(&self, text: &str) -> RecordId {
        let written = self.hospital.write_for(self.owner, draft(text)).await;
        written.unwrap().record
    }

    async fn grant(&self, record: RecordId, reason: &str) {
        let purpose = Purpose::Treatment;
        let asked = self
            .clinic
            .ask(self.clinic_owner, purpose, reason, self.until);
        asked.await.unwrap();
        self.patient.sync().await.unwrap();
        let mut requests = self.patient.requests().unwrap();
        requests.retain(|request| request.request.reason == reason);
        let request = requests.remove(0);
        self.patient
            .approve(&request, record, self.until)
            .await
            .unwrap();
        self.clinic.sync().await.unwrap();
    }
}

#[derive(Clone, Copy, Debug)]
enum Later {
    Rotated,
    Suspended,
    Expired,
    Retracted,
    Removed,
}

#[tokio::test]
async fn nothing_that_happens_later_closes_what_was_anchored_before() {
    let cases = [
        Later::Rotated,
        Later::Suspended,
        Later::Expired,
        Later::Retracted,
        Later::Removed,
    ];
    for (seed, later) in (1..).zip(cases) {
        let story = story(seed).await;
        let accepted = story.write("accepted before").await;
        story.patient.sync().await.unwrap();
        story.grant(accepted, "granted before").await;
        let anchored = story.write("anchored before").await;
        let account = story.hospital.account().id();
        let ledger = &story.world.ledger;
        match later {
            Later::Rotated => {
                ledger.rotate_address(account, key(99).address()).unwrap();
            }
            Later::Suspended => ledger.suspend(account),
            Later::Expired => story.world.pass(11 * DAY),
            Later::Retracted => {
                let anchor = story.patient.record(accepted).unwrap().anchor;
                let key = phrase(2).seed().account_key();
                let retracts = Call::Retract(anchor);
                call(&story.world.ports(), &key, &retracts).await.unwrap();
            }
            Later::Removed => {
                // Its permission to write goes, too.
                ledger.suspend(account);
                let (id, _) = story.patient.write_grants().unwrap().remove(0);
                story.patient.revoke_write(id).await.unwrap();
            }
        }
        let report = story.patient.sync().await.unwrap();
        assert_eq!(report.accepted, [anchored], "{later:?}: {report:?}");
        story.grant(anchored, "granted after").await;
        for (record, text) in [(accepted, "accepted before"), (anchored, "anchored before")] {
            // What was taken back opens for who says that it is meant.
            let read = story.clinic.read_retracted(record, None).await.unwrap();
            let mut bytes = Vec::new();
            story
                .clinic
                .open_read_part(&read, PartRole::Original, &mut bytes)
                .unwrap();
            assert_eq!(bytes, text.as_bytes(), "{later:?}");
            let report = story.patient.verify_record(record).await.unwrap();
            assert!(report.holds(), "{later:?}: {report:#?}");
        }
        let (phrase_of, ports) = (phrase(1), story.world.ports());
        let restored = Party::restore(&phrase_of, Role::Person, ports);
        let (again, _) = restored.await.unwrap();
        for (record, text) in [(accepted, "accepted before"), (anchored, "anchored before")] {
            assert!(again.record(record).unwrap().is_accepted(), "{later:?}");
            let export = again.export_record(record).unwrap();
            assert_eq!(
                export.parts[0].bytes.as_slice(),
                text.as_bytes(),
                "{later:?}"
            );
        }
        if matches!(later, Later::Rotated) {
            println!(
                "ATTACK security-2: 2 of 2 records open in sync, read, verify, export and restore after the rotation"
            );
        }
    }
}

/// The block of an anchor comes from the chain: in a chain of many blocks of one time, too.
#[tokio::test]
async fn a_reader_finds_the_block_of_an_anchor_among_many() {
    let story = story(7).await;
    let mut records = Vec::new();
    for n in 0..5 {
        records.push(story.write(&format!("record {n}")).await);
        story.world.pass(n);
    }
    story.patient.sync().await.unwrap();
    let ledger = &story.world.ledger;
    ledger
        .rotate_address(story.hospital.account().id(), key(99).address())
        .unwrap();
    for (n, record) in records.iter().enumerate() {
        story.grant(*record, &format!("request {n}")).await;
        story.clinic.read(*record).await.unwrap();
    }
}

/// A proof of a read whose binding was signed after the reader's account was handed to another key.
#[tokio::test]
async fn a_proof_shows_how_the_account_came_to_the_key_that_signed() {
    let story = story(8).await;
    let record = story.write("x").await;
    story.patient.sync().await.unwrap();
    story.grant(record, "care").await;
    story.clinic.read(record).await.unwrap();
    let mut file = story.patient.audit_proofs().await.unwrap().remove(0);
    let authority = story.world.ports().authority;
    assert_eq!((file.version, file.reader.rotations.len()), (3, 0));
    assert!(verify_proof(&file, &authority).holds());
    // The account is handed on afterwards: the first key signed, and it stands.
    let (account, next) = (story.clinic.account().id(), key(98));
    story
        .world
        .ledger
        .rotate_address(account, next.address())
        .unwrap();
    let after = story.patient.audit_proofs().await.unwrap().remove(0);
    assert_eq!(after, file);
    assert!(story.patient.confirm_proof(&file).await.unwrap().holds());
    // A way that does not end at the signer, or does not begin at the first key, proves nothing.
    let blocks = story.world.ledger.events(0, 1_000).await.unwrap();
    let rotated = blocks.iter().find(|block| {
        let mut events = block.events.iter();
        events.any(|event| matches!(event, Event::AddressRotated { .. }))
    });
    let rotated = rotated.unwrap();
    file.reader
        .rotations
        .push(medibloc_journey::ProvedRotation {
            from: account.first_address().to_string(),
            to: next.address().to_string(),
            block: rotated.number,
            block_hash: Digest::new(rotated.hash).to_string(),
            ledger: None,
        });
    assert!(!verify_proof(&file, &authority).holds());
    let text = file.to_json().replace("\"version\": 3", "\"version\": 1");
    let error = ProofFile::parse(&text).unwrap_err().to_string();
    assert!(
        error.contains("version 1; it has fields that this version of it has not"),
        "{error}"
    );
}

/// A record names on the chain what it corrects, whoever wrote it: only its author's counts.
#[tokio::test]
async fn a_record_is_corrected_by_its_author_alone() {
    let story = story(31).await;
    let record = story.write("potassium 8.4").await;
    story.patient.sync().await.unwrap();
    story.grant(record, "care").await;
    story.clinic.read(record).await.unwrap();
    let amended = story.patient.record(record).unwrap().anchor;
    let own = (0..20).map(|index| phrase(1).seed().relationship_key(index));
    let mut own = own.filter(|key| key.address() == story.owner.first_address());
    let key = own.next().unwrap();
    let anchor = medibloc_consent::AnchorFields {
        nonce: medibloc_record::Nonce::new([31; 32]),
        author: story.owner,
        kind: medibloc_record::Kind::Own,
        amends: Some(record),
        ..amended
    };
    let amend = Call::Amend { anchor, amended };
    call(&story.world.ports(), &key, &amend).await.unwrap();
    let report = story.clinic.sync().await.unwrap();
    assert_eq!(report.corrected, []);
    assert_eq!(story.clinic.corrections(record).unwrap(), []);

    let options = medibloc_journey::WriteOptions::default();
    let options = options.amending(story.hospital.amendable(record).unwrap());
    let written = story
        .hospital
        .write_as(story.owner, draft("potassium 4.8"), &options);
    let correction = written.await.unwrap().record;
    let report = story.clinic.sync().await.unwrap();
    let told = report
        .corrected
        .iter()
        .map(|one| (one.of.record, one.by.record));
    assert_eq!(told.collect::<Vec<_>>(), [(record, correction)]);
    assert_eq!(report.corrected[0].of.title, None);
    assert!(report.corrected[0].of.read_at.is_some());
}

/// Who read a record hears of its correction though its consent has ended and nothing of the record is kept.
#[tokio::test]
async fn who_read_a_record_hears_of_its_correction_after_its_consent_ended() {
    let story = story(32).await;
    let record = story.write("potassium 8.4").await;
    story.patient.sync().await.unwrap();
    story.grant(record, "care").await;
    story.clinic.read(record).await.unwrap();
    let (grant, _) = story.patient.grants().unwrap().remove(0);
    story.patient.revoke(grant).await.unwrap();
    story.clinic.sync().await.unwrap();
    assert!(story.clinic.read_before(record).unwrap().is_none());
    let options = medibloc_journey::WriteOptions::default();
    let options = options.amending(story.hospital.amendable(record).unwrap());
    let written = story
        .hospital
        .write_as(story.owner, draft("potassium 4.8"), &options);
    let correction = written.await.unwrap().record;
    story.hospital.retract(record).await.unwrap();
    let report = story.clinic.sync().await.unwrap();
    let told = report
        .corrected
        .iter()
        .map(|one| (one.of.record, one.by.record));
    assert_eq!(told.collect::<Vec<_>>(), [(record, correction)]);
    assert_eq!(report.retracted, [record]);
}
