//! Two homes of one phrase: what one gave or took back the other knows before it says how things stand, and takes back all of it.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/gone.rs"]
mod gone;
#[path = "support/lacking.rs"]
mod lacking;
#[path = "support/two.rs"]
mod two;

use std::sync::Arc;

use medibloc_agent::answer::code;
use medibloc_dag::Cid;
use medibloc_journey::Party;
use medibloc_journey::memory::World;
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_ledger::Facts as _;
use medibloc_record::Role;
use serde_json::{Value, json};

use two::{Two, refused, say, text, try_say, with_ports};

/// A laptop whose contacts are a clinic and a reader, and a phone of its phrase that has synced before the consents.
struct Story {
    world: Arc<World>,
    two: Two,
    phone: Party,
    record: String,
}

impl Story {
    async fn new(seed: u64) -> Self {
        let world = World::new(seed);
        let two = Two::new(&world).await;
        two.reader(&world, 3).await;
        let record = two.accepted().await;
        let phrase = Phrase::generate(&mut SeededEntropy::new(1), Language::English);
        let restored = Party::restore(&phrase, Role::Person, world.ports()).await;
        Self {
            world,
            two,
            phone: restored.unwrap().0,
            record,
        }
    }

    /// The laptop lets the reader read one record and write; gives the ids of both consents.
    async fn give(&self) -> [String; 2] {
        self.two.give(&self.record).await;
        say(
            &self.two.patient,
            &["grant", "create", "--to", "reader", "--write"],
        )
        .await;
        let given = say(&self.two.patient, &["grant", "list"]).await;
        [0, 1].map(|at| text(&given, &format!("/given/{at}/id")))
    }

    async fn head(&self) -> u64 {
        self.world.ledger.head().await.unwrap().number
    }

    /// The phone by its own vault, while the chain does not answer.
    fn phone_alone(&self) -> Party {
        let ports = gone::without_chain(self.phone.ports().clone());
        with_ports(ports, 1, Role::Person)
    }
}

fn states(list: &Value, ids: &[String]) -> Vec<Value> {
    let given = list["given"].as_array().unwrap();
    let state = |id: &String| {
        let found = given.iter().find(|view| view["id"] == **id);
        found.map_or(Value::Null, |view| view["state"].clone())
    };
    ids.iter().map(state).collect()
}

#[tokio::test]
async fn lists_know_what_the_other_device_gave_and_took_back() {
    let story = Story::new(900).await;
    let ids = story.give().await;
    let list = try_say(&story.phone, &["grant", "list"]).await.unwrap();
    assert_eq!(states(&list.value, &ids), ["live", "live"], "{}", list.text);
    assert_eq!(list.value["asOf"]["block"], story.head().await);
    assert!(list.text.contains("to Reader"), "{}", list.text);
    let show = ["record", "show", &story.record];
    let shown = try_say(&story.phone, &show).await.unwrap();
    assert_eq!(
        shown.value["consents"][0]["grant"], ids[0],
        "{}",
        shown.text
    );
    let status = say(&story.phone, &["status"]).await;
    assert_eq!(status["consents"], 2, "{status}");

    for id in &ids {
        say(&story.two.patient, &["grant", "revoke", id]).await;
    }
    let shown = say(&story.phone, &show).await;
    assert_eq!(shown["consents"], json!([]));
    for id in &ids {
        let again = say(&story.phone, &["grant", "revoke", id]).await;
        assert_eq!(again["already"], true, "{again}");
    }
    let list = try_say(&story.phone, &["grant", "list"]).await.unwrap();
    assert_eq!(
        states(&list.value, &ids),
        ["revoked", "revoked"],
        "{}",
        list.text
    );
    // What was not done here is told all the same by the sync that follows.
    let synced = say(&story.phone, &["sync"]).await;
    assert!(!synced["acts"].as_array().unwrap().is_empty(), "{synced}");
}

#[tokio::test]
async fn everything_of_a_contact_ends_whichever_device_gave_it() {
    let story = Story::new(901).await;
    let ids = story.give().await;
    let words = ["grant", "revoke", "--contact", "reader"];
    let done = try_say(&story.phone, &words).await.unwrap();
    assert_eq!(done.value["consents"], 2, "{}", done.text);
    assert_eq!(done.code, 0, "{}", done.text);
    for device in [&story.phone, &story.two.patient] {
        let list = try_say(device, &["grant", "list"]).await.unwrap();
        assert_eq!(
            states(&list.value, &ids),
            ["revoked", "revoked"],
            "{}",
            list.text
        );
    }
}

#[tokio::test]
async fn one_consent_ends_by_its_id_whichever_device_gave_it() {
    let story = Story::new(902).await;
    for id in story.give().await {
        let done = say(&story.phone, &["grant", "revoke", &id]).await;
        assert_eq!(done["already"], false, "{done}");
        let list = say(&story.two.patient, &["grant", "list"]).await;
        assert_eq!(states(&list, &[id]), ["revoked"], "{list}");
    }
}

/// The home had heard of a later block, and said that it knew how things stood then.
#[tokio::test]
async fn while_the_chain_is_away_nothing_is_said_as_of_a_block_that_was_not_read() {
    let story = Story::new(903).await;
    say(&story.phone, &["sync"]).await;
    let synced = say(&story.phone, &["status"]).await["chain"]["syncedTo"].clone();
    let ids = story.give().await;
    // It hears of the newest block, and reads nothing up to it.
    story.phone.check_chain().await.unwrap();
    let alone = story.phone_alone();
    let list = try_say(&alone, &["grant", "list"]).await.unwrap();
    assert_eq!(list.value["asOf"]["block"], synced, "{}", list.text);
    assert_eq!(list.code, code::UNREACHABLE);
    let status = try_say(&alone, &["status"]).await.unwrap();
    assert_eq!(status.value["chain"]["block"], synced, "{}", status.text);
    let words = ["grant", "revoke", "--contact", "reader"];
    let told = try_say(&alone, &words).await;
    let told = told.map_or_else(|problem| problem.message, |answer| answer.text);
    for words in [
        &format!("as of block {synced}"),
        "what another device of yours gave since is not known here",
        "say this again when the chain answers",
    ] {
        assert!(told.contains(words), "{told}");
    }
    let unknown = refused(&alone, &["grant", "revoke", &ids[0]], code::UNKNOWN).await;
    assert!(unknown.contains("is not known here"), "{unknown}");

    // What a list has read it knows while the chain is away.
    let head = story.head().await;
    say(&story.phone, &["grant", "list"]).await;
    let list = try_say(&story.phone_alone(), &["grant", "list"]).await;
    let list = list.unwrap();
    assert_eq!(list.value["asOf"]["block"], head, "{}", list.text);
    assert_eq!(states(&list.value, &ids), ["live", "live"], "{}", list.text);
}

/// A node that withholds the object of a consent keeps neither that it stands nor whom it is for from being known, nor it from ending.
#[tokio::test]
async fn a_consent_whose_object_is_withheld_is_shown_and_ends_with_its_contact() {
    let story = Story::new(904).await;
    let ids = story.give().await;
    let given = story.two.patient.grants().unwrap();
    let grant = given[0].1.artefact.grant.clone().unwrap();
    let mut ports = story.phone.ports().clone();
    let cid = Cid::from_dag_cbor_digest(grant.terms.digest.to_bytes());
    ports.network = Arc::new(lacking::Without(ports.network, cid));
    let phone = with_ports(ports, 1, Role::Person);
    let list = try_say(&phone, &["grant", "list"]).await.unwrap();
    assert_eq!(states(&list.value, &ids), ["live", "live"], "{}", list.text);
    let words = ["grant", "revoke", "--contact", "reader"];
    let done = try_say(&phone, &words).await.unwrap();
    assert_eq!(done.code, 0, "{}", done.text);
    assert_eq!(done.value["consents"], 2, "{}", done.text);
    let list = say(&phone, &["grant", "list"]).await;
    assert!(!list["given"].to_string().contains("\"live\""), "{list}");
    let list = say(&story.two.patient, &["grant", "list"]).await;
    assert_eq!(states(&list, &ids), ["revoked", "revoked"], "{list}");
}

/// Before: "take it back" stayed for what this device had taken back already.
#[tokio::test]
async fn an_act_that_was_taken_back_is_not_to_be_taken_back_again() {
    let story = Story::new(905).await;
    let ids = story.give().await;
    let acts = ["account", "acts"];
    let told = try_say(&story.phone, &acts).await.unwrap().text;
    for (at, id) in ids.iter().enumerate() {
        let undo = format!("take it back: `medibloc grant revoke {id}`");
        assert!(told.contains(&undo), "{told}");
        say(&story.phone, &["grant", "revoke", id]).await;
        let told = try_say(&story.phone, &acts).await.unwrap().text;
        assert!(told.contains(&format!("(consent {id})")), "{told}");
        assert!(!told.contains(&undo), "{told}");
        let since = told.matches("it was taken back since").count();
        assert_eq!(since, at + 1, "{told}");
    }
}
