//! An account whose signing key was stolen is handed on to the phrase's next one: the thief acts for nobody, and everything else goes
//! on as it was.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::Arc;

use medibloc_consent::Purpose;
use medibloc_journey::memory::World;
use medibloc_journey::{JourneyError, Party, medical_only};
use medibloc_keys::{Entropy as _, Language, Phrase, SeededEntropy, SigningKey};
use medibloc_ledger::{Call, LedgerError, Refusal, Relay as _, Submit as _};
use medibloc_record::{AccountId, Draft, LossReport, RecordId, Role, Timestamp};

const WEEK: u64 = 7 * 86_400;

fn phrase(seed: u64) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}

fn draft(text: &str) -> Draft {
    let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document"});
    let bytes = text.as_bytes().to_vec();
    Draft::new("application/cda+xml", bytes, bundle, LossReport::default())
}

/// A patient and two hospitals with consents, all of them on one chain.
struct Story {
    world: Arc<World>,
    patient: Party,
    author: Party,
    reader: Party,
    /// The patient's addresses for author and reader.
    owners: [AccountId; 2],
    until: Timestamp,
}

impl Story {
    async fn new(seed: u64) -> Self {
        let world = World::new(seed);
        let patient = Party::new(phrase(1).seed(), Role::Person, world.ports());
        let until = world.ports().clock.now().plus(WEEK);
        let (author, for_author) = pair(&world, &patient, 2, "Hana Hospital").await;
        let (reader, for_reader) = pair(&world, &patient, 3, "Bit Clinic").await;
        let write = patient.grant_write(for_author, medical_only(), until);
        write.await.unwrap();
        Self {
            world,
            patient,
            author,
            reader,
            owners: [for_author, for_reader],
            until,
        }
    }

    async fn write(&self, text: &str) -> RecordId {
        let written = self.author.write_for(self.owners[0], draft(text)).await;
        let record = written.unwrap().record;
        let report = self.patient.sync().await.unwrap();
        assert_eq!(report.accepted, [record], "{report:?}");
        record
    }

    /// The reader asks, the patient says yes.
    async fn grant(&self, record: RecordId, reason: &str) {
        let ask = self
            .reader
            .ask(self.owners[1], Purpose::Treatment, reason, self.until);
        ask.await.unwrap();
        self.patient.sync().await.unwrap();
        let mut requests = self.patient.requests().unwrap().into_iter();
        let request = requests.find(|it| it.request.reason == reason);
        let request = request.unwrap();
        let approve = self.patient.approve(&request, record, self.until);
        approve.await.unwrap();
        self.reader.sync().await.unwrap();
    }

    /// What a thief of a signing key can still have done: anything that needs an account.
    async fn refuses(&self, thief: &SigningKey) {
        let ledger = &self.world.ledger;
        let until = self.until;
        let call = ledger.prepare(thief.address(), &Call::RevokeAll, until);
        let call = call.await.unwrap();
        let signature = thief.sign_digest(&call.digest);
        let told = ledger.relay(&call.sign(signature)).await.unwrap_err();
        let refused = LedgerError::from(Refusal::NotRegistered);
        assert_eq!(told.to_string(), refused.to_string());
    }
}

async fn pair(world: &Arc<World>, patient: &Party, seed: u64, name: &str) -> (Party, AccountId) {
    let party = Party::new(phrase(seed).seed(), Role::Provider, world.ports());
    party.register_account().await.unwrap();
    let jwt = world.accredit(party.account().id(), name);
    let owner = answer(patient, &party, &jwt).await;
    (party, owner)
}

async fn answer(patient: &Party, party: &Party, jwt: &str) -> AccountId {
    let invitation = patient.invite().await.unwrap();
    let owner = party.answer(&invitation, Some(jwt)).await.unwrap().owner;
    patient.sync().await.unwrap();
    patient.confirm(owner).unwrap();
    owner
}

#[tokio::test]
async fn a_provider_goes_on_with_its_next_key_and_the_stolen_one_acts_for_nobody() {
    let story = Story::new(1).await;
    let first = story.write("before").await;
    story.grant(first, "first").await;
    for (party, seed) in [(&story.author, 2), (&story.reader, 3)] {
        let id = party.account().id();
        let handed = party.rotate_signing_key(id).await.unwrap();
        assert_eq!((handed.version, handed.letters_lost), (2, 0));
        assert_eq!(party.account().id(), id, "nothing moves");
        assert_eq!(party.signing_address(&party.account()), handed.signer);
        story.refuses(&phrase(seed).seed().account_key()).await;
    }
    // The grant of before, whose binding the stolen key had signed, and everything that follows.
    story.reader.read(first).await.unwrap();
    let second = story.write("after").await;
    story.grant(second, "second").await;
    story.reader.read(second).await.unwrap();
    let jwt = story
        .world
        .accredit(story.reader.account().id(), "Bit Clinic");
    let again = answer(&story.patient, &story.reader, &jwt).await;
    assert_ne!(again, story.owners[1], "a new pairing comes about");
    // And once more.
    let id = story.author.account().id();
    assert_eq!(
        story.author.rotate_signing_key(id).await.unwrap().version,
        3
    );
    story.write("third").await;
}

#[tokio::test]
async fn an_owner_hands_each_address_on_and_its_consents_stay_its_own() {
    let story = Story::new(2).await;
    let record = story.write("x").await;
    story.grant(record, "care").await;
    for owner in story.owners {
        let own = story.patient.addresses().unwrap();
        let own = own.into_iter().find(|own| own.id() == owner).unwrap();
        story.patient.rotate_signing_key(owner).await.unwrap();
        let old = phrase(1).seed().relationship_key(own.index.unwrap());
        story.refuses(&old).await;
    }
    let more = story.write("y").await;
    story.grant(more, "more care").await;
    story.reader.read(more).await.unwrap();
    let grants = story.patient.grants().unwrap();
    let (grant, _) = grants
        .iter()
        .find(|(_, it)| it.artefact.records.contains(&record))
        .unwrap();
    story.patient.revoke(*grant).await.unwrap();
    story.reader.sync().await.unwrap();
    let gone = story.reader.read(record).await.unwrap_err();
    assert!(
        gone.to_string().contains("revoked") || gone.to_string().contains("not"),
        "{gone}"
    );
    story.reader.read(more).await.unwrap();
}

#[tokio::test]
async fn a_restore_finds_every_account_wherever_its_phrase_handed_it_on() {
    let story = Story::new(3).await;
    let record = story.write("kept").await;
    for _ in 0..2 {
        story
            .patient
            .rotate_signing_key(story.owners[0])
            .await
            .unwrap();
    }
    let id = story.author.account().id();
    story.author.rotate_signing_key(id).await.unwrap();

    let (patient, report) = Party::restore(&phrase(1), Role::Person, story.world.ports())
        .await
        .unwrap();
    assert_eq!(report.sync.accepted, [record], "{report:?}");
    assert_eq!(report.sync.alarms, Vec::<String>::new());
    let own = patient.addresses().unwrap();
    let versions = |id| {
        own.iter()
            .find(|own| own.id() == id)
            .unwrap()
            .signing_version
    };
    assert_eq!(story.owners.map(versions), [3, 1]);
    let (author, report) = Party::restore(&phrase(2), Role::Provider, story.world.ports())
        .await
        .unwrap();
    assert!(report.registered);
    assert_eq!(author.account().signing_version, 2);
    // Both act.
    patient.revoke_contact(story.owners[0]).await.unwrap();
    let again = author.register_account().await.unwrap();
    assert_eq!(again.id(), id, "it is registered already");
}

#[tokio::test]
async fn another_device_of_the_phrase_follows() {
    let story = Story::new(4).await;
    let (phone, _) = Party::restore(&phrase(1), Role::Person, story.world.ports())
        .await
        .unwrap();
    let [owner, other] = story.owners;
    story.patient.rotate_signing_key(owner).await.unwrap();
    story.patient.rotate_signing_key(other).await.unwrap();
    // It knows of neither, and takes a consent back: the chain tells it whose key signs now.
    phone.revoke_contact(owner).await.unwrap();
    let versions = |party: &Party| -> Vec<u32> {
        let own = party.addresses().unwrap();
        let of = |id| {
            own.iter()
                .find(|own| own.id() == id)
                .unwrap()
                .signing_version
        };
        story.owners.map(of).to_vec()
    };
    assert_eq!(versions(&phone), [2, 1]);
    let report = phone.sync().await.unwrap();
    assert_eq!(versions(&phone), [2, 2]);
    assert_eq!(report.alarms, Vec::<String>::new());
    // Each hands on what the other handed on.
    assert_eq!(phone.rotate_signing_key(owner).await.unwrap().version, 3);
    assert_eq!(
        story
            .patient
            .rotate_signing_key(owner)
            .await
            .unwrap()
            .version,
        4
    );
}

#[tokio::test]
async fn a_thief_who_was_first_is_told_and_the_owner_gets_no_false_word() {
    let story = Story::new(5).await;
    let mut bytes = [0; 32];
    SeededEntropy::new(99).fill(&mut bytes);
    let thief = SigningKey::from_bytes(&bytes).unwrap();
    let account = story.author.account().id();
    let ledger = &story.world.ledger;
    ledger.rotate_address(account, thief.address()).unwrap();
    let told = story.author.rotate_signing_key(account).await.unwrap_err();
    let is_refused = matches!(
        told,
        JourneyError::Ledger(LedgerError::Refused(Refusal::NotRegistered))
    );
    assert!(is_refused, "{told}");
    let report = story.author.sync().await.unwrap();
    assert_eq!(report.alarms.len(), 1, "{report:?}");
    let alarm = &report.alarms[0];
    for word in [thief.address().to_string(), "no key of this phrase".into()] {
        assert!(alarm.contains(&word), "{alarm}");
    }
    assert_eq!(story.author.account().signing_version, 1);
    assert_eq!(story.author.alarms().unwrap(), report.alarms);
}
