//! Letters that are forged, moved, or carry a credential.

use super::*;
use crate::memory::World;
use medibloc_consent::Purpose;
use medibloc_keys::SigningKey;
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_record::{Draft, GrantId, LossReport, Role};

use crate::Credential;

pub(crate) struct Story {
    pub(crate) world: std::sync::Arc<World>,
    pub(crate) patient: Party,
    pub(crate) clinic: Party,
    grant: GrantId,
}

pub(crate) async fn story() -> Story {
    let world = World::new(1);
    let party = |seed, role| {
        let phrase = Phrase::generate(&mut SeededEntropy::new(seed), Language::English);
        Party::new(phrase.seed(), role, world.ports())
    };
    let (patient, clinic) = (party(1, Role::Person), party(2, Role::Provider));
    clinic.register_account().await.unwrap();
    let jwt = world.accredit(clinic.account().id(), "Bit Clinic");
    let invitation = patient.invite().await.unwrap();
    let owner = clinic.answer(&invitation, Some(&jwt)).await.unwrap().owner;
    patient.sync().await.unwrap();
    patient.confirm(owner).unwrap();
    let bundle = serde_json::json!({"resourceType": "Bundle"});
    let draft = Draft::new("text/xml", b"x".to_vec(), bundle, LossReport::default());
    let record = patient.write_own(draft).await.unwrap().record;
    let until = world.ports().clock.now().plus(86_400);
    clinic
        .ask(owner, Purpose::Treatment, "care", until)
        .await
        .unwrap();
    patient.sync().await.unwrap();
    let request = patient.requests().unwrap().remove(0);
    let grant = patient.approve(&request, record, until).await.unwrap();
    clinic.sync().await.unwrap();
    Story {
        world,
        patient,
        clinic,
        grant,
    }
}

impl Story {
    /// Another person gives the clinic a consent to a record.
    pub(crate) async fn another(&self) -> medibloc_record::RecordId {
        let phrase = Phrase::generate(&mut SeededEntropy::new(31), Language::English);
        let person = Party::new(phrase.seed(), Role::Person, self.world.ports());
        let invitation = person.invite().await.unwrap();
        let credential = self.patient.contacts().unwrap().remove(0).card.credential;
        let answered = self.clinic.answer(&invitation, credential.as_deref()).await;
        let owner = answered.unwrap().owner;
        person.sync().await.unwrap();
        person.confirm(owner).unwrap();
        let bundle = serde_json::json!({"resourceType": "Bundle"});
        let draft = Draft::new("text/xml", b"y".to_vec(), bundle, LossReport::default());
        let record = person.write_own(draft).await.unwrap().record;
        let until = self.world.ports().clock.now().plus(86_400);
        let ask = self.clinic.ask(owner, Purpose::Treatment, "care", until);
        ask.await.unwrap();
        person.sync().await.unwrap();
        let request = person.requests().unwrap().remove(0);
        person.approve(&request, record, until).await.unwrap();
        record
    }
}

/// Signed well, by somebody who has no say, but knows the key of the pairing.
async fn forge(story: &Story, to: Address, message: &Message) {
    let pairing = story.clinic.patrons().unwrap().remove(0).pairing;
    let phrase = Phrase::generate(&mut SeededEntropy::new(66), Language::English);
    let mallory = Party::new(phrase.seed(), Role::Provider, story.world.ports());
    let from = mallory.register_account().await.unwrap();
    let id = crate::ports::id_of(to);
    let key = mallory.key_of(id).await.unwrap();
    let to = (to, &key);
    let letter = mallory
        .compose([1; 32], pairing.as_ref(), &from, to, "memory:node", message)
        .unwrap();
    mallory.post(letter).await.unwrap();
}

#[tokio::test]
async fn only_the_owner_of_a_grant_ends_it_by_letter() {
    let story = story().await;
    let reader = story.clinic.held().unwrap()[0].own.first_address();
    let message = Message::Ended {
        grants: vec![story.grant],
        records: Vec::new(),
    };
    forge(&story, reader, &message).await;
    let report = story.clinic.sync().await.unwrap();
    assert!(report.ended.is_empty(), "{report:?}");
    assert!(story.clinic.held().unwrap()[0].ended.is_none());
}

#[tokio::test]
async fn only_the_contact_of_an_address_asks_and_offers_there_and_only_the_reader_says_purged() {
    let story = story().await;
    let own = story.patient.contacts().unwrap()[0].own.first_address();
    let request = story.patient.requests().unwrap().remove(0).request;
    let readers = request.readers.clone();
    let grants = vec![story.grant];
    for message in [
        Message::Access(request),
        Message::MoreReaders {
            readers,
            credential: None,
        },
        Message::Purged {
            grants,
            records: Vec::new(),
            files: 0,
            unknown: false,
            outputs: None,
        },
        Message::WantReaders { count: 3 },
    ] {
        forge(&story, own, &message).await;
        let before = story.patient.contacts().unwrap();
        story.patient.sync().await.unwrap();
        assert_eq!(story.patient.requests().unwrap().len(), 1, "{message:?}");
        assert_eq!(story.patient.contacts().unwrap(), before, "{message:?}");
        assert!(!story.patient.grants().unwrap()[0].1.purged, "{message:?}");
    }
}

/// It did not carry it: consents that it made possible were given under the credential of the pairing.
#[tokio::test]
async fn more_reader_addresses_come_with_the_newest_credential() {
    let story = story().await;
    let (world, clinic, patient) = (&story.world, &story.clinic, &story.patient);
    let mut number = 0;
    let mut ask = async || {
        number += 1;
        let own = patient.contacts().unwrap()[0].own;
        let own = patient.own_address(own).unwrap();
        let account = clinic.account();
        let to = (account.address, &clinic.sealing(&account).public());
        let pairing = clinic.patrons().unwrap().remove(0).pairing;
        let (key, message) = ([number; 32], Message::WantReaders { count: 3 });
        let letter = patient.compose(key, pairing.as_ref(), &own, to, "memory:node", &message);
        patient.post(letter.unwrap()).await.unwrap();
        let synced = clinic.sync().await.unwrap();
        assert!(synced.later.is_empty(), "{synced:?}");
        patient.sync().await.unwrap();
        patient.contacts().unwrap().remove(0)
    };
    let paired = patient.contacts().unwrap().remove(0);
    let renewed = |name| {
        world.pass(60);
        world.accredit(clinic.account().id(), name)
    };
    let newer = renewed("Bit Clinic");
    clinic.keep_credential(&newer).await.unwrap();
    let contact = ask().await;
    assert!(contact.unused.len() > paired.unused.len());
    assert_eq!(contact.card.credential.as_ref(), Some(&newer));
    assert!(contact.confirmed);
    // One that the clinic does not have yet keeps no addresses from coming.
    let other = renewed("Other Clinic");
    let contact = ask().await;
    assert_eq!(contact.card.credential, Some(newer));
    clinic.keep_credential(&other).await.unwrap();
    let contact = ask().await;
    assert_eq!(contact.card.credential, Some(other));
    assert_eq!(
        (contact.name.as_str(), contact.confirmed),
        ("Other Clinic", false)
    );
}

/// One that is not the chain's, or another account's, changes nothing and brings nothing.
#[tokio::test]
async fn a_forged_credential_beside_reader_addresses_is_not_taken() {
    let story = story().await;
    let (clinic, patient) = (&story.clinic, &story.patient);
    let before = patient.contacts().unwrap();
    let stranger = SigningKey::from_bytes(&[7; 32]).unwrap();
    let good = Credential::parse(
        before[0].card.credential.as_ref().unwrap(),
        &story.world.ports().authority,
    )
    .unwrap();
    let phrase = Phrase::generate(&mut SeededEntropy::new(67), Language::English);
    let other = Party::new(phrase.seed(), Role::Provider, story.world.ports());
    let other = other.register_account().await.unwrap().id();
    let other = story.world.accredit(other, "Bit Clinic");
    let own = patient.own_address(before[0].own).unwrap();
    let to = (own.address, &patient.sealing(&own).public());
    let pairing = clinic.patrons().unwrap().remove(0).pairing;
    for (number, jwt) in (50..).zip([good.issue(&stranger), other, "e30".into()]) {
        let readers = patient.requests().unwrap()[0].request.readers.clone();
        let message = Message::MoreReaders {
            readers,
            credential: Some(jwt),
        };
        let letter = clinic
            .compose(
                [number; 32],
                pairing.as_ref(),
                &clinic.account(),
                to,
                "memory:node",
                &message,
            )
            .unwrap();
        clinic.post(letter).await.unwrap();
        patient.sync().await.unwrap();
        assert_eq!(patient.contacts().unwrap(), before);
    }
}

/// A letter that is signed for another mailbox is not taken from this one.
#[tokio::test]
async fn a_letter_that_was_moved_to_another_mailbox_does_not_open() {
    let story = story().await;
    let reader = story.clinic.held().unwrap()[0].own;
    let reader = story.clinic.own_address(reader).unwrap();
    let account = story.clinic.account();
    let owner = story.patient.contacts().unwrap()[0].own;
    let own = story.patient.own_address(owner).unwrap();
    let to = (account.address, &story.clinic.sealing(&account).public());
    let message = Message::WantReaders { count: 3 };
    let pairing = story.clinic.patrons().unwrap().remove(0).pairing;
    let mut letter = story
        .patient
        .compose([2; 32], pairing.as_ref(), &own, to, "memory:node", &message)
        .unwrap();
    letter.letter.recipient = reader.address;
    story.patient.post(letter).await.unwrap();
    let report = story.clinic.sync().await.unwrap();
    assert_eq!((report.letters, story.world.letters().len()), (0, 0));
}

/// Purged means that nobody reads on; whoever says so while its consent stands is not told as that.
#[tokio::test]
async fn who_says_purged_under_a_consent_that_stands_is_told_as_one_who_may_read_again() {
    let story = story().await;
    let (patient, clinic) = (&story.patient, &story.clinic);
    let pairing = clinic.patrons().unwrap().remove(0).pairing;
    let held = clinic.held().unwrap().remove(0);
    let from = clinic.own_address(held.own).unwrap();
    let own = patient.own_address(held.owner).unwrap();
    let to = (own.address, &patient.sealing(&own).public());
    let mut number = 80;
    let mut say = async || {
        number += 1;
        let message = Message::Purged {
            grants: vec![story.grant],
            records: Vec::new(),
            files: 0,
            unknown: false,
            outputs: None,
        };
        let key = [number; 32];
        let letter = clinic.compose(key, pairing.as_ref(), &from, to, "memory:node", &message);
        clinic.post(letter.unwrap()).await.unwrap();
        let told = patient.sync().await.unwrap().told.join("\n");
        (told, patient.grants().unwrap()[0].1.purged)
    };
    let (told, purged) = say().await;
    assert!(told.contains("while this consent stands"), "{told}");
    assert!(told.contains("medibloc grant revoke"), "{told}");
    assert!(!purged);
    patient.revoke(story.grant).await.unwrap();
    let (told, purged) = say().await;
    assert!(!told.contains("while this consent stands"), "{told}");
    assert!(purged, "{told}");
}

/// Whoever knows the id of a letter, as a node does, can have another contact send one under it.
#[tokio::test]
async fn a_letters_id_keeps_no_other_senders_letter_from_being_taken() {
    let story = story().await;
    let opened = |recipient: u8, account: u8| Opened {
        signer: Address::new([account; 20]),
        account: AccountId::new([account; 20]),
        recipient: AccountId::new([recipient; 20]),
        id: [7; 32],
        message: Message::WantReaders { count: 1 },
    };
    let letters = [opened(1, 2), opened(1, 3), opened(4, 2)];
    for name in [
        letters.each_ref().map(seen_key),
        letters.each_ref().map(|it| story.patient.request_name(it)),
        letters.each_ref().map(answer_key),
    ] {
        assert_eq!(BTreeSet::from(name).len(), 3);
        assert!(!name.contains(&[7; 32]));
    }
    let name = story.patient.request_name(&letters[0]);
    assert_ne!(
        name,
        story.clinic.request_name(&letters[0]),
        "nobody else can make it"
    );
}
