//! Taking back one consent while the chain has another one for the same record, which another device gave and whose object the own
//! node does not give out: nobody is told that the record is not read any more.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at the first surprise, an attack tells its figure"
)]

#[path = "support/lacking.rs"]
mod lacking;
#[path = "support/two.rs"]
mod two;

use std::sync::Arc;

use medibloc_agent::Answer;
use medibloc_agent::answer::code;
use medibloc_dag::Cid;
use medibloc_journey::Party;
use medibloc_journey::memory::World;
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_record::Role;
use serde_json::{Value, json};
use two::{Two, refused, say, text, try_say, with_ports};

/// A laptop and a phone of one phrase, and a reader that each of them lets read one record.
struct Story {
    two: Two,
    reader: Party,
    phone: Party,
    record: String,
    /// The laptop's consent, and the phone's.
    ids: [String; 2],
}

impl Story {
    /// The phone gives the laptop's record once more, or another one.
    async fn new(seed: u64, the_same: bool) -> Self {
        let world = World::new(seed);
        let two = Two::new(&world).await;
        let reader = two.reader(&world, 3).await;
        let record = two.accepted().await;
        let other = two.accepted().await;
        let phrase = Phrase::generate(&mut SeededEntropy::new(1), Language::English);
        let restored = Party::restore(&phrase, Role::Person, world.ports()).await;
        let phone = restored.unwrap().0;
        let give = ["grant", "create", "--to", "reader", "--days"];
        let by = |device, days, record| {
            let words = [give.as_slice(), &[days, "--record", record]].concat();
            async move { text(&say(device, &words).await, "/grant") }
        };
        let first = by(&two.patient, "5", &record).await;
        say(&reader, &["sync"]).await;
        say(&phone, &["sync"]).await;
        let more = if the_same { &record } else { &other };
        let second = by(&phone, "200", more).await;
        say(&reader, &["sync"]).await;
        Self {
            two,
            reader,
            phone,
            record,
            ids: [first, second],
        }
    }

    /// The laptop whose node does not give out the object of the phone's consent.
    fn laptop(&self) -> Party {
        let mut given = self.phone.grants().unwrap().into_iter();
        let given = given.find(|(id, _)| id.to_string() == self.ids[1]).unwrap();
        let digest = given.1.artefact.grant.unwrap().terms.digest;
        let cid = Cid::from_dag_cbor_digest(digest.to_bytes());
        let mut ports = self.two.patient.ports().clone();
        ports.network = Arc::new(lacking::Without(ports.network, cid));
        with_ports(ports, 1, Role::Person)
    }

    async fn take_back(&self, laptop: &Party) -> Answer {
        let words = ["grant", "revoke", &self.ids[0]];
        try_say(laptop, &words).await.unwrap()
    }

    async fn is_read(&self) -> bool {
        let words = ["read", &self.record];
        try_say(&self.reader, &words).await.is_ok()
    }
}

#[tokio::test]
async fn who_reads_on_under_a_consent_that_is_withheld_is_not_called_ended() {
    let story = Story::new(10_101, true).await;
    let done = story.take_back(&story.laptop()).await;
    let reads_on = story.is_read().await;
    let is_called_ended = done.text.contains("may no longer read");
    println!(
        "ATTACK tenth-5: {} of 1 readers called ended by `grant revoke` that reads on under a consent of another device",
        u8::from(reads_on && is_called_ended)
    );
    assert!(reads_on);
    assert!(!is_called_ended, "{}", done.text);
    assert!(!done.text.contains("then none does"), "{}", done.text);
    assert!(done.text.contains(&story.ids[1]), "{}", done.text);
    assert!(done.text.contains("is not known here"), "{}", done.text);
    assert_eq!(done.code, code::UNREACHABLE, "{}", done.text);
    assert_eq!(done.value["mayStill"], json!([story.ids[1]]));
    let left = done.value["leftOver"].as_str().unwrap();
    assert!(left.contains(&story.ids[1]), "{left}");
}

/// It opens another record: what was taken back is over, and what is not known is said all the same.
#[tokio::test]
async fn a_withheld_consent_for_another_record_keeps_nothing_open() {
    let story = Story::new(10_102, false).await;
    let done = story.take_back(&story.laptop()).await;
    assert!(!story.is_read().await);
    assert!(done.text.contains("may no longer read"), "{}", done.text);
    assert_eq!(done.value["mayStill"], json!([]));
    assert_eq!(done.code, code::UNREACHABLE, "{}", done.text);
    assert!(done.text.contains(&story.ids[1]), "{}", done.text);
}

/// The consent that lasts longest is read by; that it ended is found out in the act.
#[tokio::test]
async fn a_read_whose_consent_has_ended_goes_on_with_the_other_one() {
    let story = Story::new(10_104, true).await;
    assert!(story.is_read().await);
    say(&story.phone, &["grant", "revoke", &story.ids[1]]).await;
    let words = ["read", &story.record];
    let read = try_say(&story.reader, &words).await;
    assert!(read.is_ok(), "{read:?}");
    say(&story.two.patient, &["grant", "revoke", &story.ids[0]]).await;
    let told = refused(&story.reader, &words, code::REFUSED).await;
    for part in ["revoked", "medibloc sync"] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

/// What a record is read for stands on the chain: nobody reads on for something else without saying so.
#[tokio::test]
async fn a_read_whose_consent_has_ended_goes_on_for_nothing_else() {
    let story = Story::new(10_106, true).await;
    let give = [
        "grant",
        "create",
        "--to",
        "reader",
        "--record",
        &story.record,
        "--days",
        "300",
    ];
    let give = [give.as_slice(), &["--purpose", "research"]].concat();
    let for_research = text(&say(&story.two.patient, &give).await, "/grant");
    say(&story.reader, &["sync"]).await;
    say(&story.two.patient, &["grant", "revoke", &for_research]).await;
    let words = ["read", &story.record, "--on", &for_research];
    let told = refused(&story.reader, &words, code::REFUSED).await;
    for part in [
        "revoked",
        "knows another",
        &story.ids[1][..12],
        "--on CONSENT",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let purposes = async || {
        let audit = say(&story.two.patient, &["audit"]).await;
        let reads = audit["reads"].as_array().unwrap().clone();
        reads
            .iter()
            .map(|read| text(read, "/purpose"))
            .collect::<Vec<_>>()
    };
    assert_eq!(purposes().await, Vec::<String>::new());
    // Said once more it is read for treatment, by what stands.
    assert!(story.is_read().await);
    assert_eq!(purposes().await, ["TREAT"]);
}

/// What the node gives out is known by name, as before.
#[tokio::test]
async fn a_consent_of_the_other_device_that_comes_is_said_by_name() {
    let story = Story::new(10_103, true).await;
    let done = story.take_back(&story.two.patient).await;
    assert!(done.text.contains("can still read"), "{}", done.text);
    assert_eq!(done.value["still"][0]["grant"], story.ids[1]);
    assert_eq!(done.value["mayStill"], json!([]));
    assert_eq!(done.value["leftOver"], Value::Null);
    assert_eq!(done.code, 0, "{}", done.text);
}

/// Newcomer: a consent that was given twice was no word worth, and those for what is erased were said to stand.
#[tokio::test]
async fn a_second_consent_is_told_and_one_for_what_is_erased_is_not() {
    let story = Story::new(10_105, false).await;
    let laptop = &story.two.patient;
    let give = [
        "grant", "create", "--to", "reader", "--days", "9", "--record",
    ];
    let done = try_say(laptop, &[give.as_slice(), &[&story.record]].concat()).await;
    let done = done.unwrap();
    assert_eq!(done.value["beside"], json!([story.ids[0]]));
    assert!(done.text.contains(&story.ids[0]), "{}", done.text);
    say(laptop, &["record", "erase", &story.record, "--yes"]).await;
    let done = say(laptop, &["grant", "revoke", &story.ids[1]]).await;
    assert_eq!(done["others"], json!([]), "{done}");
    say(laptop, &["sync"]).await;
    let mine = try_say(laptop, &["account", "acts", "--mine"])
        .await
        .unwrap();
    assert!(mine.text.starts_with("1 act is yours"), "{}", mine.text);
}
