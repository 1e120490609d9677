//! A consent of an own address whose object this home cannot read, a later version's or a thief's: the chain's fields are enough to
//! list it and to take it back.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use std::sync::Arc;

use medibloc_agent::answer::code;
use medibloc_consent::{BindingTag, Grant, Purpose, Scope, Terms, WriteGrant};
use medibloc_dag::{Block, Codec, cbor};
use medibloc_evil::owner::{Owner, call};
use medibloc_journey::memory::World;
use medibloc_journey::{Party, medical_only};
use medibloc_keys::{Language, Phrase, SeededEntropy, SigningKey};
use medibloc_ledger::{Call, Event, Events as _};
use medibloc_record::{AccountId, Digest, GrantId, Nonce, Role, Timestamp};
use two::{Two, say, text, try_say};

const EVERYTHING: [&str; 3] = ["grant", "revoke", "--everything"];

/// What another device of a later version makes.
#[derive(serde::Serialize)]
struct Later {
    version: u8,
}

fn objects() -> [Vec<u8>; 2] {
    [
        cbor::to_vec(&"nothing"),
        cbor::to_vec(&Later { version: 2 }),
    ]
}

/// A person, and whoever has the phrase, too.
struct Story {
    world: Arc<World>,
    two: Two,
    own: AccountId,
    key: SigningKey,
}

impl Story {
    async fn new(seed: u64) -> Self {
        let world = World::new(seed);
        let two = Two::new(&world).await;
        let record = two.accepted().await.parse().unwrap();
        let own = two.patient.record(record).unwrap().anchor.owner;
        say(&two.patient, &["sync"]).await;
        let mut addresses = two.patient.addresses().unwrap().into_iter();
        let index = addresses.find(|it| it.id() == own).unwrap().index.unwrap();
        let key = phrase().seed().relationship_key(index);
        Self {
            world,
            two,
            own,
            key,
        }
    }

    async fn stored(&self, object: &[u8]) -> Digest {
        let block = Block::of(Codec::DagCbor, object.to_vec()).unwrap();
        let digest = Digest::new(block.cid().digest());
        let store = self.world.ports().network.store(&self.key);
        store.put(vec![block]).await.unwrap();
        digest
    }

    /// A stranger may read everything.
    async fn to_read(&self, object: &[u8]) -> GrantId {
        let ports = self.world.ports();
        let stranger = SigningKey::from_bytes(&[0x55; 32]).unwrap();
        let reader = Owner::register(&ports, stranger, 77).await.unwrap();
        let terms = Terms {
            scope: Scope::All,
            purpose_tag: Purpose::Treatment.tag([1; 32]),
            from: Timestamp(0),
            until: ports.clock.now().plus(30 * 86_400),
            reads: None,
            binding: BindingTag::default(),
            digest: self.stored(object).await,
        };
        let grant = Grant::new(self.own, reader.id(), Nonce::new([9; 32]), terms);
        let id = grant.id;
        let given = Call::Grant {
            grant,
            anchor: None,
        };
        call(&ports, &self.key, &given).await.unwrap();
        id
    }

    /// The clinic, which is a contact, may write.
    async fn to_write(&self, object: &[u8]) -> GrantId {
        let ports = self.world.ports();
        let write = WriteGrant {
            owner: self.own,
            author: self.two.clinic.account().id(),
            nonce: Nonce::new([8; 32]),
            kinds: medical_only(),
            until: ports.clock.now().plus(30 * 86_400),
            digest: self.stored(object).await,
        };
        call(&ports, &self.key, &Call::GrantWrite(write))
            .await
            .unwrap();
        GrantId::derive(write.owner, write.author, write.nonce)
    }

    /// Events of the chain that end a consent of the own address.
    async fn ends(&self) -> usize {
        let blocks = self.world.ledger.events(0, u32::MAX).await.unwrap();
        let events = blocks.iter().flat_map(|block| &block.events);
        let ends = |event: &&Event| {
            matches!(
                event,
                Event::Revoked { .. } | Event::WriteRevoked { .. } | Event::AllRevoked { .. }
            )
        };
        events.filter(ends).count()
    }
}

fn phrase() -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(1), Language::English)
}

/// The list says that it stands, whom it is for, and what takes it back.
async fn is_listed(party: &Party, id: GrantId, whom: &str) {
    let list = try_say(party, &["grant", "list"]).await.unwrap();
    assert_eq!(
        text(&list.value, "/given/0/id"),
        id.to_string(),
        "{}",
        list.text
    );
    assert_eq!(text(&list.value, "/given/0/state"), "live", "{}", list.text);
    for told in [
        whom,
        "given by your phrase",
        "not read here",
        "grant revoke",
    ] {
        assert!(list.text.contains(told), "{told}: {}", list.text);
    }
    // No number of records that nobody knows.
    let line = list
        .text
        .lines()
        .find(|line| line.starts_with(&id.to_string()[..12]));
    let line = line.unwrap();
    let is_to_read = text(&list.value, "/given/0/scope") == "all";
    let known = "of which records it has given keys is not known here";
    assert_eq!(line.contains(known), is_to_read, "{line}");
    assert!(!line.contains("0 records"), "{line}");
    assert_eq!(list.value["given"][0]["records"].is_null(), is_to_read);
}

async fn nothing_is_live(party: &Party) {
    let list = say(party, &["grant", "list"]).await;
    assert!(!list["given"].to_string().contains("\"live\""), "{list}");
}

/// Attacker: "there is no consent" (7), "nothing is to be taken back" (0), "no consents yet".
#[tokio::test]
async fn a_consent_that_cannot_be_read_is_listed_and_taken_back() {
    for (seed, object) in (1021..).zip(objects()) {
        for (seed, by_id) in [(seed, true), (seed + 10, false)] {
            let story = Story::new(seed).await;
            let id = story.to_read(&object).await;
            let patient = &story.two.patient;
            let sync = try_say(patient, &["sync"]).await.unwrap();
            assert!(sync.text.contains("cannot be read here"), "{}", sync.text);
            is_listed(patient, id, "to account 0x").await;
            let typed = id.to_string();
            let clinic = ["grant", "revoke", "--contact", "clinic"];
            let clinic = try_say(patient, &clinic).await.unwrap();
            assert_eq!(clinic.code, code::UNREACHABLE, "{}", clinic.text);
            assert!(clinic.text.contains(&typed), "{}", clinic.text);
            let words = match by_id {
                true => vec!["grant", "revoke", &typed],
                false => EVERYTHING.to_vec(),
            };
            let done = try_say(patient, &words).await;
            println!(
                "ATTACK tenth-2: {} ends after {words:?}: {done:?}",
                story.ends().await
            );
            assert_eq!(done.unwrap().code, 0, "{words:?}");
            assert_eq!(story.ends().await, 1, "{words:?}");
            nothing_is_live(patient).await;
            let sync = say(patient, &["sync"]).await;
            nothing_is_live(patient).await;
            assert!(!sync["missed"].to_string().contains(&typed), "{sync}");
        }
    }
}

/// Attacker: "everything that Clinic was given is taken back: 0 consents", and the clinic went on writing.
#[tokio::test]
async fn a_permission_to_write_that_cannot_be_read_ends_with_its_contact() {
    for (seed, how) in (1041..).zip(["contact", "everything", "id"]) {
        let story = Story::new(seed).await;
        let id = story.to_write(&objects()[0]).await;
        let patient = &story.two.patient;
        say(patient, &["sync"]).await;
        is_listed(patient, id, "to Clinic").await;
        let typed = id.to_string();
        let words = match how {
            "contact" => vec!["grant", "revoke", "--contact", "clinic"],
            "everything" => EVERYTHING.to_vec(),
            _ => vec!["grant", "revoke", &typed],
        };
        let done = try_say(patient, &words).await.unwrap();
        println!(
            "ATTACK tenth-2 ({how}): {} ends, {}",
            story.ends().await,
            done.text
        );
        assert_eq!((done.code, story.ends().await), (0, 1), "{}", done.text);
        nothing_is_live(patient).await;
        say(patient, &["sync"]).await;
        nothing_is_live(patient).await;
    }
}

/// It keeps no restore from being finished, and a restored home takes it back, too.
#[tokio::test]
async fn a_restored_home_takes_back_what_it_cannot_read() {
    let story = Story::new(1051).await;
    let id = story.to_read(&objects()[0]).await;
    let restored = Party::restore(&phrase(), Role::Person, story.world.ports()).await;
    let (phone, report) = restored.unwrap();
    assert_eq!(report.missing, Vec::<String>::new());
    is_listed(&phone, id, "to account 0x").await;
    say(&phone, &EVERYTHING).await;
    assert_eq!(story.ends().await, 1);
    let done = try_say(&phone, &EVERYTHING).await.unwrap();
    assert!(
        done.text.contains("nothing is to be taken back"),
        "{}",
        done.text
    );
    nothing_is_live(&phone).await;
    assert_eq!(story.ends().await, 1);
}
