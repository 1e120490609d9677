//! Whose the addresses are that a contact says it reads under, and what the choice among them shows.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use medibloc_consent::{Binding, Purpose};
use medibloc_dag::cbor;
use medibloc_evil::paired::press;
use medibloc_journey::memory::World;
use medibloc_journey::{AccessRequest, Change, Extent, Invitation, Message, Party, medical_only};
use medibloc_keys::{Language, Phrase, SeededEntropy, SigningKey};
use medibloc_ledger::Event;
use medibloc_record::{
    AccountId, Address, Digest, Draft, LossReport, RecordId, Role, SealingKey, Sensitivity,
    Signature, Timestamp, keccak256,
};
use serde::{Deserialize, Serialize};

fn phrase(seed: u64) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}

fn draft(text: &str) -> Draft {
    let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document"});
    let bytes = text.as_bytes().to_vec();
    Draft::new("application/cda+xml", bytes, bundle, LossReport::default())
}

fn person(world: &Arc<World>, seed: u64) -> Party {
    Party::new(phrase(seed).seed(), Role::Person, world.ports())
}

async fn provider(world: &Arc<World>, seed: u64, name: &str) -> (Party, String) {
    let party = Party::new(phrase(seed).seed(), Role::Provider, world.ports());
    party.register_account().await.unwrap();
    let jwt = world.accredit(party.account().id(), name);
    (party, jwt)
}

/// Pairs a person with a provider under a fresh pseudonym; gives the pseudonym.
async fn pair(person: &Party, provider: &Party, jwt: &str) -> AccountId {
    let invitation = person.invite().await.unwrap();
    let owner = provider.answer(&invitation, Some(jwt)).await.unwrap().owner;
    person.sync().await.unwrap();
    person.confirm(owner).unwrap();
    owner
}

/// A reader address that a provider really offered at a pairing, with its binding.
fn offered(person: &Party, own: AccountId, at: usize) -> (Address, Binding) {
    let mut contacts = person.contacts().unwrap().into_iter();
    contacts.find(|it| it.own == own).unwrap().unused[at].clone()
}

/// A request under a provider's own key, with whatever reader addresses.
async fn ask_with(
    world: &Arc<World>,
    (provider, key): (&Party, &SigningKey),
    owner: AccountId,
    (reason, until): (&str, Timestamp),
    readers: Vec<(Address, Binding)>,
) {
    let mut patrons = provider.patrons().unwrap().into_iter();
    let pairing = patrons
        .find(|it| it.owner == owner)
        .unwrap()
        .pairing
        .unwrap();
    let request = Message::Access(AccessRequest {
        purpose: Purpose::Treatment,
        reason: reason.into(),
        categories: Vec::new(),
        dates: None,
        until,
        readers,
        credential: None,
    });
    let (ports, to) = (world.ports(), owner.first_address());
    // A letter's number is its id: each is another.
    let number = reason.bytes().map(u64::from).sum();
    let sent = press(&ports, key, to, &pairing, &request, number);
    sent.await.unwrap();
}

/// The person answers a request with one record; gives who reads it, as anybody sees on the chain.
async fn answer(
    world: &Arc<World>,
    person: &Party,
    (owner, reason): (AccountId, &str),
    record: RecordId,
    until: Timestamp,
) -> AccountId {
    person.sync().await.unwrap();
    let mut requests = person.requests().unwrap();
    requests.retain(|it| it.own == owner && it.request.reason == reason);
    let request = requests.remove(0);
    person.approve(&request, record, until).await.unwrap();
    let mut last = None;
    for block in world.ports().events.events(0, 10_000).await.unwrap() {
        for event in block.events {
            if let Event::Granted(grant) = event {
                last = Some(grant.reader);
            }
        }
    }
    last.unwrap()
}

/// What a contact signs alone says nothing of an address that another has.
#[tokio::test]
async fn no_reader_address_is_taken_that_its_own_key_does_not_bind() {
    let world = World::new(8);
    let until = world.ports().clock.now().plus(7 * 86_400);
    let (evil, jwt) = provider(&world, 600, "Dentist").await;
    let evil_key = phrase(600).seed().account_key();
    let (doctor, doctor_jwt) = provider(&world, 601, "Family Doctor").await;
    let person = person(&world, 1);
    let at_doctor = pair(&person, &doctor, &doctor_jwt).await;
    let at_dentist = pair(&person, &evil, &jwt).await;
    let (theirs, doctors) = offered(&person, at_doctor, 0);
    let (own, dentists) = offered(&person, at_dentist, 0);
    let claimed = Binding::unsigned([7; 32], evil.account().id(), doctors.reader);
    let signature = evil_key.sign_digest(&claimed.digest(&world.ports().domain));
    let claimed = claimed.sign(signature);
    let mut taken = Vec::new();
    for (reason, readers) in [
        (
            "claimed",
            vec![(theirs, claimed.clone()), (own, dentists.clone())],
        ),
        (
            "by itself",
            vec![(theirs, claimed.sign_as_reader(signature))],
        ),
        ("passed on", vec![(theirs, doctors)]),
        ("own", vec![(own, dentists)]),
    ] {
        let asked = (reason, until);
        ask_with(&world, (&evil, &evil_key), at_dentist, asked, readers).await;
        let report = person.sync().await.unwrap();
        let requests = person.requests().unwrap();
        if requests.iter().any(|it| it.request.reason == reason) {
            taken.push(reason);
        } else {
            let told = format!("{report:?}");
            assert!(told.contains("reader address"), "{reason}: {told}");
        }
    }
    assert_eq!(taken, ["own"]);
    println!("ATTACK eighth-1: 0 of 3 reader addresses of another taken");
}

/// A person comes to a hospital by name, and a second time as somebody else, with two reader addresses to choose from: one of the
/// first pairing, and one of the second. Gives the first one, and whether it was granted to the second time.
async fn comes_twice(seed: u64, is_given: Option<AccountId>) -> (AccountId, bool) {
    let world = World::new(9);
    let until = world.ports().clock.now().plus(7 * 86_400);
    let (evil, jwt) = provider(&world, 700, "Hospital").await;
    let evil_key = phrase(700).seed().account_key();
    let person = person(&world, seed);
    let own = pair(&person, &evil, &jwt).await;
    let may = person.grant_write(own, medical_only(), until);
    may.await.unwrap();
    evil.sync().await.unwrap();
    let written = evil.write_for(own, draft("letter")).await.unwrap().record;
    let asked = ("by name", until);
    ask_with(&world, (&evil, &evil_key), own, asked, Vec::new()).await;
    person.sync().await.unwrap();
    let first = match is_given {
        Some(never) => never,
        None => answer(&world, &person, (own, "by name"), written, until).await,
    };
    let mut contact = person.contacts().unwrap().remove(0);
    contact
        .unused
        .retain(|(_, binding)| binding.reader == first);
    let suspected = contact.unused.remove(0);
    let anonymous = pair(&person, &evil, &jwt).await;
    let mut contacts = person.contacts().unwrap().into_iter();
    let mut contact = contacts.find(|it| it.own == anonymous).unwrap();
    contact.unused.truncate(1);
    let kept = Change::Put {
        table: "contacts",
        key: anonymous.as_bytes().to_vec(),
        value: cbor::to_vec(&contact),
    };
    person.ports().vault.apply(vec![kept]).unwrap();
    let asked = ("without a name", until);
    let to = (&evil, &evil_key);
    ask_with(&world, to, anonymous, asked, vec![suspected]).await;
    let written = person.write_own(draft("vaccines")).await.unwrap().record;
    let given = answer(&world, &person, (anonymous, asked.0), written, until).await;
    (first, given == first)
}

/// A hospital that a person comes to twice, the second time as somebody else, sees nothing of the first pairing in what it is
/// given under the second: it is the same whether or not there was a consent in the first.
#[tokio::test]
async fn which_reader_address_is_granted_to_tells_nothing_of_other_pairings() {
    let mut is_chosen = false;
    // Until somebody grants to it the second time: who passed it over for the first consent would be told by none before.
    for seed in 31..40 {
        let (first, with) = comes_twice(seed, None).await;
        let (_, without) = comes_twice(seed, Some(first)).await;
        assert_eq!(with, without, "the chain says that {seed} was there before");
        is_chosen = with;
        if is_chosen {
            break;
        }
    }
    assert!(is_chosen, "nobody chose it");
    println!("ATTACK eighth-1: 0 persons told by which reader address they granted to");
}

/// An invitation on the wire, as whoever invites may write it.
#[derive(Serialize, Deserialize)]
struct Written {
    version: u8,
    chain: u64,
    records: Address,
    owner: Address,
    sealing_key: SealingKey,
    node: String,
    readers_wanted: u8,
    expiry: Timestamp,
    secret: Digest,
    signature: Signature,
}

/// Whoever invites a hospital makes it register no more addresses than an honest invitation does.
#[tokio::test]
async fn an_invitation_that_wants_many_readers_gets_as_many_as_any() {
    let world = World::new(11);
    let (clinic, jwt) = provider(&world, 900, "Bit Clinic").await;
    let evil = person(&world, 1);
    let mut registered = Vec::new();
    for wanted in [4, 16, u8::MAX] {
        let invitation = evil.invite().await.unwrap();
        let mut written: Written = cbor::from_slice(&cbor::to_vec(&invitation)).unwrap();
        written.readers_wanted = wanted;
        written.signature = Signature::new([0; 65]);
        let label = b"medibloc/v2/invitation".as_slice();
        let digest = keccak256(&[label, &cbor::to_vec(&written)].concat());
        let keys = phrase(1).seed();
        let mut own = (0..30).map(|n| keys.relationship_key(n));
        let key = own.find(|key| key.address() == written.owner).unwrap();
        written.signature = key.sign_digest(&digest);
        let text = URL_SAFE_NO_PAD.encode(cbor::to_vec(&written));
        let invitation = Invitation::parse(&format!("medibloc:invite:2:{text}")).unwrap();
        let before = clinic.addresses().unwrap().len();
        clinic.answer(&invitation, Some(&jwt)).await.unwrap();
        registered.push(clinic.addresses().unwrap().len() - before);
    }
    assert_eq!(registered, [4; 3]);
    println!(
        "ATTACK eighth-3: {} addresses registered for an invitation that wants 255",
        registered[2]
    );
}

/// A home of before took addresses by the contact's signature alone: nothing is granted to them now, and the contact is asked
/// for its own signature of each.
#[tokio::test]
async fn addresses_of_before_are_asked_for_anew() {
    let world = World::new(10);
    let until = world.ports().clock.now().plus(7 * 86_400);
    let (clinic, jwt) = provider(&world, 800, "Bit Clinic").await;
    let key = phrase(800).seed().account_key();
    let person = person(&world, 1);
    let own = pair(&person, &clinic, &jwt).await;
    let mut contact = person.contacts().unwrap().remove(0);
    for (_, binding) in &mut contact.unused {
        binding.reader_signature = None;
    }
    let kept = Change::Put {
        table: "contacts",
        key: own.as_bytes().to_vec(),
        value: cbor::to_vec(&contact),
    };
    person.ports().vault.apply(vec![kept]).unwrap();
    ask_with(&world, (&clinic, &key), own, ("please", until), Vec::new()).await;
    let record = person.write_own(draft("diary")).await.unwrap().record;
    person.sync().await.unwrap();
    let request = person.requests().unwrap().remove(0);
    let refused = person.approve(&request, record, until).await.unwrap_err();
    assert!(
        refused.to_string().contains("unused reader address"),
        "{refused}"
    );
    assert!(person.grants().unwrap().is_empty());
    clinic.sync().await.unwrap();
    person.sync().await.unwrap();
    person.approve(&request, record, until).await.unwrap();
    let (_, given) = person.grants().unwrap().remove(0);
    let binding = given.artefact.binding.unwrap();
    assert!(binding.reader_signature.is_some());
    // It reads, what was granted to an address of before, too: keepers have the reader's own signature of each request.
    clinic.sync().await.unwrap();
    assert_eq!(clinic.held().unwrap().len(), 1);
    clinic.read(record).await.unwrap();
}

/// The keys of a person's pseudonyms.
fn key_of(seed: u64, own: AccountId) -> SigningKey {
    let seed = phrase(seed).seed();
    let mut keys = (0..99).map(|n| seed.relationship_key(n));
    keys.find(|key| AccountId::from_first_address(key.address()) == own)
        .unwrap()
}

/// Letters of one pseudonym that want as many reader addresses as a letter may; gives how many were registered for them.
async fn registered_for(
    world: &Arc<World>,
    clinic: &Party,
    (person, seed): (&Party, u64),
    own: AccountId,
    letters: u64,
) -> usize {
    let mut contacts = person.contacts().unwrap().into_iter();
    let pairing = contacts.find(|it| it.own == own).unwrap().pairing.unwrap();
    let (ports, to) = (world.ports(), clinic.account().address);
    let before = clinic.addresses().unwrap().len();
    let message = Message::WantReaders { count: 16 };
    press(&ports, &key_of(seed, own), to, &pairing, &message, letters)
        .await
        .unwrap();
    clinic.sync().await.unwrap();
    clinic.addresses().unwrap().len() - before
}

/// A person with thirty pairings makes a hospital register no address by letters that it did not give a consent for, also if each
/// pairing gave a permission to write, which costs it nothing; an honest one beside it gets what it needs the same day.
#[tokio::test]
async fn many_pairings_of_one_person_leave_a_hospital_its_registrations() {
    let world = World::new(12);
    let until = world.ports().clock.now().plus(7 * 86_400);
    let (clinic, jwt) = provider(&world, 910, "Bit Clinic").await;
    let evil = person(&world, 1);
    let mut pseudonyms = Vec::new();
    for number in 0..30 {
        let own = pair(&evil, &clinic, &jwt).await;
        if number % 2 == 0 {
            let may = evil.grant_write(own, medical_only(), until);
            may.await.unwrap();
        }
        pseudonyms.push(own);
    }
    clinic.sync().await.unwrap();
    let mut registered = 0;
    for own in &pseudonyms {
        registered += registered_for(&world, &clinic, (&evil, 1), *own, 3).await;
    }
    println!(
        "ATTACK eighth-5: {registered} addresses registered for 90 letters of 30 pairings of one person"
    );
    assert_eq!(registered, 0);
    // Five consents to five addresses of one pairing: as many may be open now.
    let own = pseudonyms[0];
    let record = evil.write_own(draft("diary")).await.unwrap().record;
    evil.sync().await.unwrap();
    for number in 0..5 {
        let reason = format!("visit {number}");
        let ask = clinic.ask(own, Purpose::Treatment, &reason, until);
        ask.await.unwrap();
        answer(&world, &evil, (own, &reason), record, until).await;
        clinic.sync().await.unwrap();
    }
    let more = registered_for(&world, &clinic, (&evil, 1), own, 6).await;
    assert_eq!(more, 1, "five open, of which four were there");

    // Six own addresses of an honest person, and a consent from each.
    let honest = person(&world, 2);
    for seed in 920..925 {
        let (other, jwt) = provider(&world, seed, "Other").await;
        pair(&honest, &other, &jwt).await;
    }
    let own = pair(&honest, &clinic, &jwt).await;
    let ask = clinic.ask(own, Purpose::Treatment, "all", until);
    ask.await.unwrap();
    honest.sync().await.unwrap();
    let request = honest.requests().unwrap().remove(0);
    let all = honest.approve_all(&request, Extent::All, Sensitivity::Normal, until);
    assert_eq!(all.await.unwrap().waiting.len(), 2);
    let held = clinic.held().unwrap().len();
    for _ in 0..2 {
        clinic.sync().await.unwrap();
        honest.sync().await.unwrap();
    }
    clinic.sync().await.unwrap();
    assert_eq!(clinic.held().unwrap().len() - held, 6);
}
