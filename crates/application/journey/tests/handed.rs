//! An account whose signing key was stolen is handed on to the phrase's next one: the thief acts for nobody, and everything else goes
//! on as it was.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::Arc;

use medibloc_consent::Purpose;
use medibloc_journey::memory::World;
use medibloc_journey::{JourneyError, Keepers, Mailbox, Network, Party, Ports, medical_only};
use medibloc_keys::{Entropy as _, Language, Phrase, SeededEntropy, SigningKey};
use medibloc_ledger::{Call, LedgerError, Outcome, Refusal, Relay, SignedCall, Submit as _};
use medibloc_record::{AccountId, Digest, Draft, LossReport, RecordId, Role, Timestamp};
use medibloc_store::Store;

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
    /// What the author's home is made of.
    ports: Ports,
}

impl Story {
    async fn new(seed: u64) -> Self {
        let world = World::new(seed);
        let patient = Party::new(phrase(1).seed(), Role::Person, world.ports());
        let until = world.ports().clock.now().plus(WEEK);
        let ports = world.ports();
        let author = Party::new(phrase(2).seed(), Role::Provider, ports.clone());
        let for_author = pair(&world, &patient, &author, "Hana Hospital").await;
        let reader = Party::new(phrase(3).seed(), Role::Provider, world.ports());
        let for_reader = pair(&world, &patient, &reader, "Bit Clinic").await;
        let write = patient.grant_write(for_author, medical_only(), until);
        write.await.unwrap();
        Self {
            world,
            patient,
            author,
            reader,
            owners: [for_author, for_reader],
            until,
            ports,
        }
    }

    /// The author's home while its node's relay is gone.
    fn cut_off(&self) -> Party {
        let mut ports = self.ports.clone();
        ports.relay = Arc::new(Down);
        Party::new(phrase(2).seed(), Role::Provider, ports)
    }

    /// Another device of the author.
    async fn device(&self) -> Party {
        let ports = self.world.ports();
        let restored = Party::restore(&phrase(2), Role::Provider, ports).await;
        restored.unwrap().0
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

/// A relay that is gone.
struct Down;

#[async_trait::async_trait]
impl Relay for Down {
    async fn relay(&self, _call: &SignedCall) -> Result<Outcome, LedgerError> {
        Err(LedgerError::Unreachable {
            from: "the node".into(),
            why: "no answer".into(),
        })
    }
}

/// A relay that does what it is asked, and whose answer never comes.
struct Deaf(Arc<World>);

#[async_trait::async_trait]
impl Relay for Deaf {
    async fn relay(&self, call: &SignedCall) -> Result<Outcome, LedgerError> {
        self.0.ledger.relay(call).await?;
        Down.relay(call).await
    }
}

/// A network whose letters find no node.
struct NoMail(Arc<dyn Network>);

impl Network for NoMail {
    fn store(&self, actor: &SigningKey) -> Arc<dyn Store> {
        self.0.store(actor)
    }
    fn mailbox(&self, actor: &SigningKey, url: &str) -> Arc<dyn Mailbox> {
        self.0.mailbox(actor, url)
    }
    fn keepers(&self, actor: &SigningKey) -> Arc<dyn Keepers> {
        self.0.keepers(actor)
    }
    fn own_node(&self) -> String {
        self.0.own_node()
    }
    fn is_listed(&self, _url: &str) -> bool {
        false
    }
}

async fn pair(world: &Arc<World>, patient: &Party, party: &Party, name: &str) -> AccountId {
    party.register_account().await.unwrap();
    let jwt = world.accredit(party.account().id(), name);
    answer(patient, party, &jwt).await
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

/// Who hands the account on while a document waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Itself,
    AnotherDevice,
}

/// Its owner refused it for good, and its author was told that it is stored and anchored.
#[tokio::test]
async fn a_document_sealed_before_its_account_was_handed_on_is_accepted() {
    for (seed, by) in [(6, By::Itself), (7, By::AnotherDevice)] {
        let story = Story::new(seed).await;
        let cut_off = story.cut_off();
        let kept = cut_off.write_for(story.owners[0], draft("kept"));
        let kept = kept.await.unwrap_err();
        assert!(kept.to_string().contains("no answer"), "{kept}");
        let device = story.device().await;
        let handing = match by {
            By::Itself => &story.author,
            By::AnotherDevice => &device,
        };
        let id = story.author.account().id();
        handing.rotate_signing_key(id).await.unwrap();
        // By whichever command it goes on.
        let record = match by {
            By::Itself => story.author.resume_writes().await.unwrap()[0].record,
            By::AnotherDevice => {
                let again = story.author.write_for(story.owners[0], draft("kept"));
                again.await.unwrap().record
            }
        };
        let report = story.patient.sync().await.unwrap();
        assert_eq!(report.not_accepted, [], "{by:?}");
        assert_eq!(report.accepted, [record], "{by:?}: {report:?}");
    }
}

/// It was told to register its address, or that the document is stored and anchored.
#[tokio::test]
async fn a_device_that_does_not_know_of_the_next_key_writes_under_it() {
    let story = Story::new(8).await;
    let id = story.author.account().id();
    let device = story.device().await;
    device.rotate_signing_key(id).await.unwrap();
    story.write("by the first device").await;
    assert_eq!(story.author.account().signing_version, 2);
}

/// Its answer was lost, and the key ended before the home went on: the anchor stands, and is not signed anew.
#[tokio::test]
async fn a_document_that_the_chain_has_from_the_key_before_is_left_as_it_is() {
    let story = Story::new(10).await;
    let mut ports = story.ports.clone();
    ports.relay = Arc::new(Deaf(story.world.clone()));
    let deaf = Party::new(phrase(2).seed(), Role::Provider, ports);
    let kept = deaf.write_for(story.owners[0], draft("kept")).await;
    kept.unwrap_err();
    let id = story.author.account().id();
    story.device().await.rotate_signing_key(id).await.unwrap();
    let written = story.author.resume_writes().await.unwrap();
    assert_eq!((written.len(), written[0].acknowledged), (1, 7));
    let report = story.patient.sync().await.unwrap();
    assert_eq!(report.accepted, [written[0].record], "{report:?}");
}

#[tokio::test]
async fn a_home_whose_account_was_taken_says_so_before_it_seals_anything() {
    let story = Story::new(9).await;
    let mut bytes = [0; 32];
    SeededEntropy::new(99).fill(&mut bytes);
    let thief = SigningKey::from_bytes(&bytes).unwrap();
    let account = story.author.account().id();
    let ledger = &story.world.ledger;
    ledger.rotate_address(account, thief.address()).unwrap();
    let import = story.author.write_for(story.owners[0], draft("late")).await;
    let told = import.unwrap_err();
    for word in [
        thief.address().to_string(),
        "no key of this phrase".into(),
        "nothing was written".into(),
    ] {
        assert!(told.to_string().contains(&word), "{told}");
    }
    assert!(!story.author.is_being_written(&Digest::of(b"late")).unwrap());
}

/// The request was dropped at the one, and sent for nobody to take at the other.
#[tokio::test]
async fn a_request_that_waits_while_its_account_is_handed_on_is_asked_under_the_next_key() {
    for (seed, by) in [(11, By::Itself), (12, By::AnotherDevice)] {
        let story = Story::new(seed).await;
        let mut ports = story.ports.clone();
        ports.network = Arc::new(NoMail(ports.network));
        let no_mail = Party::new(phrase(2).seed(), Role::Provider, ports);
        let ask = no_mail.ask(story.owners[0], Purpose::Treatment, "care", story.until);
        ask.await.unwrap_err();
        let device = story.device().await;
        let handing = match by {
            By::Itself => &no_mail,
            By::AnotherDevice => &device,
        };
        let id = story.author.account().id();
        let handed = handing.rotate_signing_key(id).await.unwrap();
        assert_eq!(handed.letters_lost, 0, "{by:?}");
        let report = story.author.sync().await.unwrap();
        assert_eq!(report.later, Vec::<String>::new(), "{by:?}");
        story.patient.sync().await.unwrap();
        let requests = story.patient.requests().unwrap();
        let reasons: Vec<&str> = requests
            .iter()
            .map(|it| it.request.reason.as_str())
            .collect();
        assert_eq!(reasons, ["care"], "{by:?}");
        assert_eq!(requests[0].request.readers.len(), 4, "{by:?}");
    }
}
