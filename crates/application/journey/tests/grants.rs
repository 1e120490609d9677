//! Class and all-record grants, deliveries, several own addresses, notices and purges.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::Arc;

use medibloc_consent::{ClassSet, Purpose};
use medibloc_dag::Cid;
use medibloc_journey::memory::World;
use medibloc_journey::{
    Dates, Extent, JourneyError, Party, PendingRequest, Question, WriteOptions, medical_only,
};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_record::{
    AccountId, Category, ClassId, Draft, LossReport, PartRole, RecordId, Role, Sensitivity,
    Timestamp,
};
use medibloc_store::OwnStore as _;

const WEEK: u64 = 7 * 86_400;

fn phrase(seed: u64) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}

fn draft(text: &str) -> Draft {
    let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document"});
    let bytes = text.as_bytes().to_vec();
    Draft::new("application/cda+xml", bytes, bundle, LossReport::default())
}

/// A patient, two hospitals that may write, and a clinic that asks.
struct Story {
    world: Arc<World>,
    patient: Party,
    hospitals: Vec<(Party, AccountId)>,
    clinic: Party,
    until: Timestamp,
}

impl Story {
    async fn new(seed: u64, hospitals: u64) -> Self {
        let world = World::new(seed);
        let patient = Party::new(phrase(1).seed(), Role::Person, world.ports());
        let until = world.ports().clock.now().plus(WEEK);
        let (clinic, _) = pair(&world, &patient, 2, "Bit Clinic").await;
        let mut list = Vec::new();
        for number in 0..hospitals {
            let name = format!("Hospital {number}");
            let (hospital, owner) = pair(&world, &patient, 10 + number, &name).await;
            patient
                .grant_write(owner, medical_only(), until)
                .await
                .unwrap();
            list.push((hospital, owner));
        }
        Self {
            world,
            patient,
            hospitals: list,
            clinic,
            until,
        }
    }

    async fn write(&self, hospital: usize, text: &str) -> RecordId {
        self.write_in(hospital, draft(text), ClassId::UNDISCLOSED)
            .await
    }

    async fn write_in(&self, hospital: usize, draft: Draft, class: ClassId) -> RecordId {
        let (hospital, owner) = &self.hospitals[hospital];
        let options = WriteOptions::default().in_class(class);
        let written = hospital.write_as(*owner, draft, &options).await.unwrap();
        written.record
    }

    async fn request(&self) -> PendingRequest {
        let owner = self.clinic.patrons().unwrap()[0].owner;
        self.clinic
            .ask(owner, Purpose::Treatment, "care", self.until)
            .await
            .unwrap();
        self.patient.sync().await.unwrap();
        self.patient.requests().unwrap().pop().unwrap()
    }

    async fn reads(&self, record: RecordId) -> Result<String, JourneyError> {
        let read = self.clinic.read(record).await?;
        let mut original = Vec::new();
        self.clinic
            .open_read_part(&read, PartRole::Original, &mut original)?;
        Ok(String::from_utf8(original).unwrap())
    }
}

async fn pair(world: &Arc<World>, patient: &Party, seed: u64, name: &str) -> (Party, AccountId) {
    let party = Party::new(phrase(seed).seed(), Role::Provider, world.ports());
    party.register_account().await.unwrap();
    let jwt = world.accredit(party.account().id(), name);
    let invitation = patient.invite().await.unwrap();
    let owner = party.answer(&invitation, Some(&jwt)).await.unwrap().owner;
    patient.sync().await.unwrap();
    patient.confirm(owner).unwrap();
    (party, owner)
}

#[tokio::test]
async fn an_all_record_grant_reaches_every_own_address_and_later_records_follow() {
    let story = Story::new(1, 2).await;
    let first = story.write(0, "first").await;
    let second = story.write(1, "second").await;
    story.patient.sync().await.unwrap();
    let request = story.request().await;
    let given = story
        .patient
        .approve_all(&request, Extent::All, Sensitivity::Normal, story.until)
        .await
        .unwrap();
    assert_eq!((given.grants.len(), given.waiting.len()), (3, 0));
    story.clinic.sync().await.unwrap();
    assert_eq!(story.reads(first).await.unwrap(), "first");
    assert_eq!(story.reads(second).await.unwrap(), "second");
    let readers: std::collections::BTreeSet<AccountId> = story
        .clinic
        .held()
        .unwrap()
        .iter()
        .map(|held| held.own)
        .collect();
    assert_eq!(readers.len(), 3, "one reader address for each own address");

    let third = story.write(0, "third").await;
    story.clinic.sync().await.unwrap();
    let error = story.reads(third).await.unwrap_err().to_string();
    assert!(error.contains("key not delivered yet"), "{error}");
    assert_eq!(story.patient.catch_up().await.unwrap().delivered, 1);
    assert_eq!(story.patient.sync().await.unwrap().delivered, 0, "once");
    assert_eq!(story.clinic.sync().await.unwrap().keys, 1);
    assert_eq!(story.reads(third).await.unwrap(), "third");
}

#[tokio::test]
async fn a_class_grant_delivers_its_class_and_never_what_is_too_sensitive() {
    let story = Story::new(2, 1).await;
    let lab = ClassId(7);
    let request = story.request().await;
    let extent = Extent::Classes(ClassSet::of(&[lab]));
    story
        .patient
        .approve_all(&request, extent, Sensitivity::Normal, story.until)
        .await
        .unwrap();
    let plain = story.write(0, "undisclosed").await;
    let covered = story.write_in(0, draft("blood"), lab).await;
    let mut sensitive = draft("hiv");
    sensitive.sensitivity = Sensitivity::Restricted;
    let sensitive = story.write_in(0, sensitive, lab).await;
    assert_eq!(story.patient.sync().await.unwrap().delivered, 1);
    story.clinic.sync().await.unwrap();
    assert_eq!(story.reads(covered).await.unwrap(), "blood");
    assert!(story.reads(plain).await.is_err());
    assert!(story.reads(sensitive).await.is_err());
}

#[tokio::test]
async fn an_owner_with_more_addresses_than_readers_asks_for_more_and_goes_on() {
    let story = Story::new(3, 6).await;
    let mut records = Vec::new();
    for hospital in 0..6 {
        records.push(story.write(hospital, &format!("of {hospital}")).await);
    }
    story.patient.sync().await.unwrap();
    let request = story.request().await;
    let given = story
        .patient
        .approve_all(&request, Extent::All, Sensitivity::Normal, story.until)
        .await
        .unwrap();
    assert_eq!((given.grants.len(), given.waiting.len()), (4, 3));
    story.clinic.sync().await.unwrap();
    story.patient.sync().await.unwrap();
    story.clinic.sync().await.unwrap();
    for (hospital, record) in records.iter().enumerate() {
        assert_eq!(
            story.reads(*record).await.unwrap(),
            format!("of {hospital}")
        );
    }
}

#[tokio::test]
async fn several_records_of_several_addresses_are_granted_in_one_answer() {
    let story = Story::new(4, 2).await;
    let records = [story.write(0, "a").await, story.write(1, "b").await];
    let other = story.write(0, "c").await;
    story.patient.sync().await.unwrap();
    let request = story.request().await;
    let grants = story
        .patient
        .approve_records(&request, &records, story.until)
        .await
        .unwrap();
    let again = story
        .patient
        .approve_records(&request, &records, story.until)
        .await
        .unwrap();
    assert_eq!(grants, again, "the same answer twice is one");
    story.clinic.sync().await.unwrap();
    assert_eq!(story.reads(records[0]).await.unwrap(), "a");
    assert_eq!(story.reads(records[1]).await.unwrap(), "b");
    assert!(story.reads(other).await.is_err());
}

#[tokio::test]
async fn a_revoked_reader_is_told_purges_and_says_so() {
    let story = Story::new(5, 1).await;
    let record = story.write(0, "secret").await;
    story.patient.sync().await.unwrap();
    let request = story.request().await;
    let grant = story
        .patient
        .approve(&request, record, story.until)
        .await
        .unwrap();
    story.clinic.sync().await.unwrap();
    let read = story.clinic.read(record).await.unwrap();
    let part = read.manifest.part(PartRole::Original).unwrap().cid;
    let vault = story.clinic.ports().vault.clone();
    assert!(vault.blob(&part).unwrap().is_some());

    story.patient.revoke(grant).await.unwrap();
    let report = story.clinic.sync().await.unwrap();
    assert_eq!((report.ended, report.purged), (vec![grant], vec![record]));
    assert!(vault.blob(&part).unwrap().is_none(), "its copy is gone");
    let mut sink = Vec::new();
    let opened = story
        .clinic
        .open_read_part(&read, PartRole::Original, &mut sink);
    assert!(opened.is_err() && sink.is_empty());
    let error = story.clinic.read(record).await.unwrap_err().to_string();
    assert!(error.contains("revoked"), "{error}");
    story.patient.sync().await.unwrap();
    assert!(story.patient.grants().unwrap()[0].1.purged);
}

#[tokio::test]
async fn what_is_past_its_purge_by_date_is_purged_but_an_own_copy_stays() {
    let story = Story::new(6, 1).await;
    let record = story.write(0, "a week").await;
    story.patient.sync().await.unwrap();
    let request = story.request().await;
    story
        .patient
        .approve(&request, record, story.until)
        .await
        .unwrap();
    story.clinic.sync().await.unwrap();
    let read = story.clinic.read(record).await.unwrap();
    let part = read.manifest.part(PartRole::Original).unwrap().cid;
    story.world.pass(WEEK - 1);
    assert!(story.clinic.sync().await.unwrap().purged.is_empty());
    story.world.pass(1);
    assert_eq!(story.clinic.sync().await.unwrap().purged, [record]);
    let (hospital, _) = &story.hospitals[0];
    assert!(story.clinic.ports().vault.blob(&part).unwrap().is_none());
    assert!(hospital.ports().vault.blob(&part).unwrap().is_some());
    assert!(story.patient.ports().vault.blob(&part).unwrap().is_some());
}

#[tokio::test]
async fn a_restored_owner_delivers_neither_twice_nor_too_little() {
    let story = Story::new(7, 1).await;
    story.write(0, "one").await;
    story.patient.sync().await.unwrap();
    let request = story.request().await;
    story
        .patient
        .approve_all(&request, Extent::All, Sensitivity::Normal, story.until)
        .await
        .unwrap();
    story.write(0, "two").await;
    assert_eq!(story.patient.sync().await.unwrap().delivered, 1);
    let (restored, report) = Party::restore(&phrase(1), Role::Person, story.world.ports())
        .await
        .unwrap();
    assert_eq!((report.sync.delivered, report.missing.len()), (0, 0));
    let three = story.write(0, "three").await;
    assert_eq!(restored.sync().await.unwrap().delivered, 1);
    story.clinic.sync().await.unwrap();
    assert_eq!(story.reads(three).await.unwrap(), "three");
}

#[tokio::test]
async fn all_that_a_contact_has_ends_with_one_word() {
    let story = Story::new(8, 1).await;
    let record = story.write(0, "mine").await;
    story.patient.sync().await.unwrap();
    let request = story.request().await;
    story
        .patient
        .approve_all(&request, Extent::All, Sensitivity::Normal, story.until)
        .await
        .unwrap();
    story.clinic.sync().await.unwrap();
    story.patient.revoke_contact(request.own).await.unwrap();
    story.patient.sync().await.unwrap();
    assert!(
        story.reads(record).await.is_err(),
        "before the clinic knows"
    );
    story.clinic.sync().await.unwrap();
    assert!(story.reads(record).await.is_err(), "and after");
    let (hospital, owner) = &story.hospitals[0];
    story.patient.revoke_contact(*owner).await.unwrap();
    let error = hospital.write_for(*owner, draft("late")).await.unwrap_err();
    assert!(error.to_string().contains("permitted"), "{error}");
}

#[tokio::test]
async fn a_decision_that_waits_for_reader_addresses_ends_with_a_revocation_too() {
    for everything in [true, false] {
        // Six hospitals: more own addresses than the clinic has offered reader addresses.
        let story = Story::new(20, 6).await;
        for hospital in 0..6 {
            story.write(hospital, "text").await;
        }
        story.patient.sync().await.unwrap();
        let request = story.request().await;
        let given = story
            .patient
            .approve_all(&request, Extent::All, Sensitivity::Normal, story.until)
            .await
            .unwrap();
        assert_eq!(given.waiting.len(), 3);
        if everything {
            story.patient.revoke_everything().await.unwrap();
        } else {
            story.patient.revoke_contact(request.own).await.unwrap();
        }
        // The addresses that were asked for come after that.
        story.clinic.sync().await.unwrap();
        let report = story.patient.sync().await.unwrap();
        assert!(report.later.is_empty(), "{report:?}");
        let live = story.patient.status().await.unwrap().live_grants;
        let writes = if everything { 0 } else { 6 };
        assert_eq!(live, writes, "nothing is granted after a revocation");
    }
}

#[tokio::test]
async fn a_request_for_some_categories_and_dates_is_answered_with_no_others() {
    let story = Story::new(21, 1).await;
    let of = |text: &str, category: Category, written: Option<&str>| {
        let mut draft = draft(text);
        draft.category = category;
        draft.written = written.map(str::to_owned);
        draft
    };
    let lab = Category::Laboratory;
    let class = ClassId::UNDISCLOSED;
    let fits = story
        .write_in(0, of("fits", lab, Some("2026-03-01T10:00:00Z")), class)
        .await;
    let mut others = Vec::new();
    for (text, category, written) in [
        ("note", Category::EncountersAndNotes, Some("2026-03-01")),
        ("early", lab, Some("2025-12-31")),
        ("late", lab, Some("2026-07-01")),
        ("year", lab, Some("2026")),
        ("never", lab, None),
    ] {
        others.push(story.write_in(0, of(text, category, written), class).await);
    }
    story.patient.sync().await.unwrap();
    let owner = story.clinic.patrons().unwrap()[0].owner;
    let question = Question {
        purpose: Purpose::Treatment,
        reason: "blood".into(),
        categories: vec![lab],
        dates: Dates::new("2026-01-01".parse().ok(), "2026-07-01".parse().ok()).ok(),
        until: story.until,
    };
    story.clinic.ask_for(owner, question.clone()).await.unwrap();
    story.patient.sync().await.unwrap();
    let request = story.patient.requests().unwrap().pop().unwrap();
    assert_eq!(request.request.categories, question.categories);
    assert_eq!(request.request.dates, question.dates);
    let extent = Extent::All;
    story
        .patient
        .approve_all(&request, extent, Sensitivity::Normal, story.until)
        .await
        .unwrap();
    let later = of("later", lab, Some("2026-06-30"));
    let later = story.write_in(0, later, class).await;
    let other = of("other", lab, Some("2024"));
    others.push(story.write_in(0, other, class).await);
    assert_eq!(story.patient.sync().await.unwrap().delivered, 1);
    story.clinic.sync().await.unwrap();
    assert_eq!(story.reads(fits).await.unwrap(), "fits");
    assert_eq!(story.reads(later).await.unwrap(), "later");
    for other in others {
        assert!(story.reads(other).await.is_err());
    }
}

#[tokio::test]
async fn a_consent_whose_object_the_node_lost_is_named_to_its_owner() {
    let story = Story::new(41, 1).await;
    let record = story.write(0, "first").await;
    story.patient.sync().await.unwrap();
    let request = story.request().await;
    let until = story.until;
    let approved = story.patient.approve(&request, record, until).await;
    let id = approved.unwrap();
    // This one, and the permission to write.
    let found = story.patient.lost_consents(20).await.unwrap();
    assert_eq!((found.asked, found.lost), (2, Vec::new()));
    // An older copy of the node has none of it.
    let (_, given) = story.patient.grants().unwrap().pop().unwrap();
    let digest = given.artefact.grant.unwrap().terms.digest;
    let object = Cid::from_dag_cbor_digest(digest.to_bytes());
    story.world.store.remove(&[object]).await.unwrap();
    let found = story.patient.lost_consents(20).await.unwrap();
    assert_eq!((found.asked, found.lost), (2, vec![id]));
    assert_eq!(story.patient.lost_consents(0).await.unwrap().asked, 0);
    story.patient.revoke(id).await.unwrap();
    let found = story.patient.lost_consents(20).await.unwrap();
    assert_eq!(found.asked, 1, "it has ended");
}
