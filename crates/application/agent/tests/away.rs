//! The chain is away, or an older copy of it is in its place: what takes back is kept and sent when the right one is there,
//! and what a home knows is shown with the block that it is as of.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/gone.rs"]
mod gone;
#[path = "support/two.rs"]
mod two;

use std::sync::Arc;

use medibloc_agent::Answer;
use medibloc_agent::answer::code;
use medibloc_journey::memory::World;
use medibloc_journey::{Pace, Party};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_ledger::{Event, Events as _, Facts as _, MemoryLedger};
use medibloc_record::{Role, Threshold};

use gone::{with_garbled_chain, without_chain};
use two::{Two, refused, say, text, try_say, with_ports};

/// What is in the chain's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Away {
    /// Nobody answers.
    Silent,
    /// Somebody answers nonsense.
    Garbled,
    /// An older copy.
    SetBack,
    /// An older copy that went on in another way and is longer than the right one by now.
    Overtaken,
}

const AWAY: [Away; 4] = [Away::Silent, Away::Garbled, Away::SetBack, Away::Overtaken];

impl Away {
    /// How what cannot be kept ends.
    const fn code(self) -> u8 {
        match self {
            Self::Garbled => code::FAILED,
            _ => code::UNREACHABLE,
        }
    }
}

struct Story {
    world: Arc<World>,
    two: Two,
    record: String,
    older: MemoryLedger,
}

impl Story {
    /// The clinic reads a record of the patient, may write, and wrote one.
    async fn new(seed: u64) -> Self {
        let world = World::new(seed);
        let two = Two::new(&world).await;
        let older = world.ledger.copy();
        let record = two.accepted().await;
        say(&two.clinic, &["request", "create", &two.owner]).await;
        say(&two.patient, &["sync"]).await;
        say(
            &two.patient,
            &["request", "approve", "clinic", "--record", &record],
        )
        .await;
        say(
            &two.patient,
            &["grant", "create", "--to", "clinic", "--write"],
        )
        .await;
        for party in [&two.patient, &two.clinic] {
            say(party, &["sync"]).await;
        }
        say(&two.clinic, &["read", &record]).await;
        Self {
            world,
            two,
            record,
            older,
        }
    }

    /// The same party, by the same vault, while the chain is away.
    fn away(&self, away: Away, of: &Party, seed: u64, role: Role) -> Party {
        let ports = of.ports().clone();
        match away {
            Away::Silent => with_ports(without_chain(ports), seed, role),
            Away::Garbled => with_ports(with_garbled_chain(ports), seed, role),
            Away::SetBack | Away::Overtaken => {
                self.world.ledger.replace_by(&self.older);
                let blocks = if away == Away::Overtaken { 40 } else { 0 };
                for _ in 0..blocks {
                    let threshold = Threshold::new(5, 3).unwrap();
                    self.world.ledger.form_committee(threshold, Vec::new());
                }
                with_ports(ports, seed, role)
            }
        }
    }

    fn patient(&self, away: Away) -> Party {
        self.away(away, &self.two.patient, 1, Role::Person)
    }

    async fn has(&self, fits: impl Fn(&Event) -> bool) -> bool {
        let blocks = self.world.ledger.events(0, 10_000).await.unwrap();
        blocks.iter().flat_map(|block| &block.events).any(fits)
    }
}

async fn told(party: &Party, words: &[&str], with: u8) -> Answer {
    let answer = try_say(party, words).await.unwrap();
    assert_eq!(answer.code, with, "{words:?}: {}", answer.text);
    answer
}

/// What is done, by which words, and the event that shows it on the chain.
type Row = (&'static str, &'static [&'static str], fn(&Event) -> bool);

/// `grant list` and `status` showed nothing, `grant revoke` and the others kept nothing.
#[tokio::test]
async fn what_takes_back_is_kept_shown_and_sent_when_the_right_chain_is_there() {
    for (seed, away) in (400..).zip(AWAY) {
        let rows: [Row; 6] = [
            ("one", &["grant", "revoke", "ID"], |event| {
                matches!(event, Event::Revoked { .. })
            }),
            ("write", &["grant", "revoke", "WRITE"], |event| {
                matches!(event, Event::WriteRevoked { .. })
            }),
            (
                "contact",
                &["grant", "revoke", "--contact", "clinic"],
                |event| matches!(event, Event::Revoked { .. }),
            ),
            (
                "everything",
                &["grant", "revoke", "--everything"],
                |event| matches!(event, Event::AllRevoked { .. }),
            ),
            (
                "later",
                &["grant", "revoke", "--everything", "--later"],
                |event| matches!(event, Event::AllRevoked { .. }),
            ),
            ("erase", &["record", "erase", "RECORD", "--yes"], |event| {
                matches!(event, Event::Erased { .. })
            }),
        ];
        for (what, words, effect) in rows {
            let story = Story::new(seed).await;
            let newest = story.world.ledger.copy();
            let given = say(&story.two.patient, &["grant", "list"]).await;
            let (read, write) = (text(&given, "/given/0/id"), text(&given, "/given/1/id"));
            let words: Vec<&str> = words
                .iter()
                .map(|word| match *word {
                    "ID" => read.as_str(),
                    "WRITE" => write.as_str(),
                    "RECORD" => story.record.as_str(),
                    word => word,
                })
                .collect();
            let patient = story.patient(away);
            for _ in 0..2 {
                let kept = refused(&patient, &words, code::PARTIAL).await;
                assert!(kept.contains("`medibloc sync` goes on with it"), "{kept}");
            }
            // As after a crash: nothing but the vault is left.
            drop(patient);
            let patient = match away {
                Away::Silent | Away::Garbled => story.patient(away),
                _ => with_ports(story.two.patient.ports().clone(), 1, Role::Person),
            };
            let status = told(&patient, &["status"], code::UNREACHABLE).await;
            let marks = [
                "unfinished: revocation of",
                "unfinished: end of permission",
                "unfinished: erasure of record",
            ];
            let is_listed = marks.iter().any(|mark| status.text.contains(mark));
            assert!(is_listed, "{away:?} {what}: {}", status.text);
            assert!(status.text.contains("as of block"), "{}", status.text);
            let listed = told(&patient, &["grant", "list"], code::UNREACHABLE).await;
            assert!(listed.text.contains("as of block"), "{}", listed.text);
            let is_ending = listed.text.contains("being taken back");
            assert_eq!(
                is_ending,
                what != "erase",
                "{away:?} {what}: {}",
                listed.text
            );
            refused(&patient, &["sync"], away.code()).await;
            story.world.ledger.replace_by(&newest);
            assert!(!story.has(effect).await, "{away:?} {what}");
            say(&story.two.patient, &["sync"]).await;
            assert!(story.has(effect).await, "{away:?} {what}");
            let status = told(&story.two.patient, &["status"], 0).await;
            assert!(
                !status.text.contains("unfinished: revocation"),
                "{}",
                status.text
            );
            // The reader is told by letter, too, and says that it purged.
            if what != "write" {
                say(&story.two.clinic, &["sync"]).await;
                refused(
                    &story.two.clinic,
                    &["read", &story.record],
                    if what == "erase" {
                        code::ERASED
                    } else {
                        code::REFUSED
                    },
                )
                .await;
            }
        }
    }
}

#[tokio::test]
async fn a_retraction_is_kept_and_a_read_is_unavailable() {
    for (seed, away) in (420..).zip(AWAY) {
        let story = Story::new(seed).await;
        let file = story.two.document();
        let written = say(
            &story.two.clinic,
            &[
                "record",
                "import",
                &file,
                "--for",
                &story.two.owner,
                "--yes",
            ],
        )
        .await;
        let written = text(&written, "/record");
        say(&story.two.clinic, &["sync"]).await;
        let newest = story.world.ledger.copy();
        let clinic = story.away(away, &story.two.clinic, 2, Role::Provider);
        let read = refused(&clinic, &["read", &story.record], away.code()).await;
        assert!(!read.contains("is kept"), "{read}");
        let retract = ["record", "retract", &written, "--yes"];
        for _ in 0..2 {
            refused(&clinic, &retract, code::PARTIAL).await;
        }
        let status = told(&clinic, &["status"], code::UNREACHABLE).await;
        assert!(
            status.text.contains("unfinished: taking back record"),
            "{}",
            status.text
        );
        story.world.ledger.replace_by(&newest);
        say(&story.two.clinic, &["sync"]).await;
        assert!(
            story
                .has(|event| matches!(event, Event::Retracted { .. }))
                .await
        );
    }
}

/// It dropped a consent that waited, and kept no order.
#[tokio::test]
async fn what_its_author_took_back_is_told_and_the_rest_is_unknown() {
    let story = Story::new(430).await;
    let (back, stands) = (story.two.written(&[]).await, story.two.written(&[]).await);
    say(&story.two.clinic, &["record", "retract", &back, "--yes"]).await;
    say(&story.two.clinic, &["sync"]).await;
    let clinic = story.away(Away::Silent, &story.two.clinic, 2, Role::Provider);
    let list = told(&clinic, &["record", "list", "--written"], 0).await;
    let rows = list.value.as_array().unwrap();
    for (record, state, is_known) in [
        (&back, "taken back by you", true),
        (&stands, "unknown", false),
    ] {
        let row = rows.iter().find(|row| row["record"] == **record).unwrap();
        assert_eq!(row["state"], state, "{row}");
        assert_eq!(row["retractedAt"]["block"].is_number(), is_known, "{row}");
        let line = list
            .text
            .lines()
            .find(|line| line.starts_with(&record[..12]));
        let line = line.unwrap();
        let says = format!("{state} at ");
        assert_eq!(line.contains(&says), is_known, "{line}");
        assert_eq!(line.ends_with(state), !is_known, "{line}");
    }
}

#[tokio::test]
async fn taking_back_everything_is_kept_whole_or_not_at_all() {
    for (seed, away) in (430..).zip(AWAY) {
        let story = Story::new(seed).await;
        let mut ports = story.two.patient.ports().clone();
        ports.pace = Pace::PERSON;
        let calm = with_ports(ports, 1, Role::Person);
        say(&calm, &["grant", "create", "--to", "clinic", "--all"]).await;
        let waits = |given: &serde_json::Value| {
            let given = given["given"].as_array().unwrap();
            given.iter().filter(|it| it["state"] == "pending").count()
        };
        let waiting = waits(&say(&calm, &["grant", "list"]).await);
        assert!(waiting > 0);
        let newest = story.world.ledger.copy();
        // A vault that takes nothing: nothing is dropped either.
        let patient = story.patient(away);
        let mut ports = patient.ports().clone();
        ports.vault = Arc::new(gone::ReadOnly(ports.vault));
        let full = with_ports(ports, 1, Role::Person);
        refused(&full, &["grant", "revoke", "--everything"], code::FAILED).await;
        let given = told(&patient, &["grant", "list"], code::UNREACHABLE)
            .await
            .value;
        assert_eq!(waits(&given), waiting, "{away:?}: {given}");
        refused(
            &patient,
            &["grant", "revoke", "--everything"],
            code::PARTIAL,
        )
        .await;
        let given = told(&patient, &["grant", "list"], code::UNREACHABLE)
            .await
            .value;
        assert_eq!(waits(&given), 0, "what never left is not given: {given}");
        story.world.ledger.replace_by(&newest);
        story.world.pass(40 * 86_400);
        say(&story.two.patient, &["sync"]).await;
        let given = say(&story.two.patient, &["grant", "list"]).await;
        for given in given["given"].as_array().unwrap() {
            assert_eq!(given["state"], "revoked", "{given}");
        }
    }
}

/// What another device gave is known to the chain alone: that is taken back, too, when it says what it is.
#[tokio::test]
async fn taking_back_everything_reaches_what_another_device_gave() {
    for (seed, away) in (440..).zip(AWAY) {
        let story = Story::new(seed).await;
        let phrase = Phrase::generate(&mut SeededEntropy::new(1), Language::English);
        let (other, _) = Party::restore(&phrase, Role::Person, story.world.ports())
            .await
            .unwrap();
        say(
            &story.two.patient,
            &["grant", "revoke", "--contact", "clinic"],
        )
        .await;
        say(&story.two.patient, &["sync"]).await;
        say(&other, &["sync"]).await;
        say(&other, &["grant", "create", "--to", "clinic", "--write"]).await;
        let newest = story.world.ledger.copy();
        let patient = story.patient(away);
        for _ in 0..2 {
            refused(
                &patient,
                &["grant", "revoke", "--everything"],
                code::PARTIAL,
            )
            .await;
        }
        let status = told(&patient, &["status"], code::UNREACHABLE).await;
        assert!(
            status
                .text
                .contains("unfinished: revocation of everything that another device"),
            "{}",
            status.text
        );
        story.world.ledger.replace_by(&newest);
        say(&story.two.patient, &["sync"]).await;
        assert!(
            story
                .has(|event| matches!(event, Event::AllRevoked { .. }))
                .await,
            "{away:?}"
        );
    }
}

/// Lists that need nobody end well.
#[tokio::test]
async fn lists_of_what_a_home_holds_need_no_chain() {
    let story = Story::new(450).await;
    let (patient, clinic) = (
        story.patient(Away::Silent),
        story.away(Away::Silent, &story.two.clinic, 2, Role::Provider),
    );
    for party in [&patient, &clinic] {
        for words in [
            ["contact", "list"].as_slice(),
            &["request", "list"],
            &["record", "list"],
            &["record", "list", "--written"],
        ] {
            told(party, words, 0).await;
        }
        told(party, &["grant", "list"], code::UNREACHABLE).await;
    }
    told(&patient, &["record", "show", &story.record], 0).await;
    let status = told(&patient, &["status"], code::UNREACHABLE).await.value;
    let head = story.world.ledger.head().await.unwrap();
    assert!(status["chain"]["block"].as_u64().unwrap() <= head.number);
    assert!(
        status["chain"]["silent"]
            .as_str()
            .unwrap()
            .contains("no answer")
    );
    // The last block that was taken, and not the one after it.
    say(&story.two.patient, &["sync"]).await;
    let status = say(&story.two.patient, &["status"]).await;
    assert_eq!(
        status["chain"]["syncedTo"], status["chain"]["block"],
        "{status}"
    );
}

/// `audit` failed with nothing; what syncs took is this home's.
#[tokio::test]
async fn an_audit_without_the_chain_tells_what_the_home_knows() {
    for away in AWAY {
        let story = Story::new(451).await;
        say(&story.two.patient, &["sync"]).await;
        let asked = try_say(&story.two.patient, &["audit"]).await.unwrap();
        let head = story.world.ledger.head().await.unwrap().number;
        assert_eq!(
            (asked.code, &asked.value["asOf"]["block"]),
            (0, &head.into())
        );
        let patient = story.patient(away);
        let kept = told(&patient, &["audit"], code::UNREACHABLE).await;
        let (whole, read) = (&asked.value["reads"][0], &kept.value["reads"][0]);
        for field in [
            "record", "receipt", "grant", "block", "name", "title", "until", "purpose",
        ] {
            assert_eq!(whole[field], read[field], "{away:?} {field}");
        }
        assert_eq!(kept.value["ownReads"], serde_json::Value::Null);
        assert!(kept.value["asOf"]["silent"].is_string(), "{}", kept.value);
        for words in [
            "the chain was not asked: reads since block",
            "WARNING: ",
            "Clinic was cleared to read",
        ] {
            assert!(kept.text.contains(words), "{away:?} {words}: {}", kept.text);
        }
        let folder = story.two.folder.path().join("proofs");
        let proofs = ["audit", "--proofs", folder.to_str().unwrap()];
        refused(&patient, &proofs, code::UNREACHABLE).await;
        assert!(!folder.exists(), "{away:?}");
    }
}

/// `status` ended with 0 while the node was stopped and the chain answered.
#[tokio::test]
async fn status_tells_a_stopped_node_and_lists_say_as_of_which_block() {
    let story = Story::new(452).await;
    say(&story.two.patient, &["sync"]).await;
    let head = story.world.ledger.head().await.unwrap().number;
    for words in [["status"].as_slice(), &["grant", "list"]] {
        let answer = try_say(&story.two.patient, words).await.unwrap();
        let said = format!("as of block {head} (");
        assert!(answer.text.contains(&said), "{words:?}: {}", answer.text);
    }
    let newcomer = two::party(&story.world, 9, Role::Person);
    let none = try_say(&newcomer, &["grant", "list"]).await.unwrap();
    assert!(none.text.starts_with("as of block"), "{}", none.text);
    assert!(none.text.contains("no consents yet"), "{}", none.text);
    let mut ports = story.two.patient.ports().clone();
    ports.network = Arc::new(gone::NoStore(ports.network));
    let no_node = with_ports(ports, 1, Role::Person);
    let status = told(&no_node, &["status"], code::UNREACHABLE).await;
    assert!(status.text.contains("WARNING: the node"), "{}", status.text);
    assert!(status.value["nodeSilent"].is_string(), "{}", status.value);
    assert!(
        status.value["chain"]["silent"].is_null(),
        "{}",
        status.value
    );
}

/// `doctor` said ok of shares and copies that nobody had been asked about.
#[tokio::test]
async fn the_doctor_says_what_nobody_answers_for() {
    let story = Story::new(460).await;
    let lines = async |party: &Party, with: u8| {
        let told = refused(party, &["doctor"], with).await;
        let line = |name: &str| {
            let found = told.lines().find(|line| line.contains(name));
            found.unwrap_or_else(|| panic!("{name}: {told}")).to_owned()
        };
        (line(" shares: "), line(" copies: "))
    };
    let (shares, copies) = lines(&story.patient(Away::Silent), code::UNREACHABLE).await;
    for told in [shares, copies] {
        assert!(told.starts_with("FAIL"), "{told}");
        assert!(
            told.contains("not checked: no answer from http://127.0.0.1:9"),
            "{told}"
        );
    }
    let mut ports = story.two.patient.ports().clone();
    ports.network = Arc::new(gone::NoStore(ports.network));
    let no_node = with_ports(ports, 1, Role::Person);
    let (shares, copies) = lines(&no_node, code::UNREACHABLE).await;
    assert!(shares.starts_with("ok"), "{shares}");
    assert!(
        copies.starts_with("FAIL") && copies.contains("not checked: "),
        "{copies}"
    );
    for index in 1..=7 {
        story.world.set_down(index, true);
    }
    let (shares, copies) = lines(&story.two.patient, code::UNREACHABLE).await;
    assert!(copies.starts_with("ok"), "{copies}");
    assert!(
        shares.contains("not checked: none of the 7 keepers answers"),
        "{shares}"
    );
    story.world.set_down(1, false);
    story.world.lose(1);
    let (shares, _) = lines(&story.two.patient, code::UNREACHABLE).await;
    assert!(shares.contains("keeper 1 lacks"), "{shares}");
}

/// Three keepers of seven were down, which was "ok", and neither their names nor why were told.
#[tokio::test]
async fn the_doctor_names_each_keeper_that_does_not_answer() {
    let story = Story::new(461).await;
    for index in [2, 5, 6] {
        story.world.set_down(index, true);
    }
    let told = try_say(&story.two.patient, &["doctor"]).await.unwrap_err();
    assert_eq!(told.code, code::UNREACHABLE, "{told}");
    for part in [
        "FAIL keepers: 4 of 7 answer, 4 are needed; keeper 2 ",
        "; keeper 5 ",
        "; keeper 6 ",
        "FAIL shares: not checked: what each of keepers 2, 5, 6 holds",
    ] {
        assert!(told.message.contains(part), "{part}: {told}");
    }
    let value = told.to_value();
    let checks = value["error"]["checks"].as_array().unwrap();
    let keepers = checks.iter().find(|check| check["check"] == "keepers");
    assert_eq!(keepers.unwrap()["good"], false, "{value}");
    story.world.set_down(2, false);
    story.world.lose(2);
    let told = try_say(&story.two.patient, &["doctor"]).await.unwrap_err();
    let checks = told.checks.clone().unwrap();
    let mut checks = checks.as_array().unwrap().iter();
    let shares = checks.find(|check| check["check"] == "shares").unwrap();
    assert!(!shares["records"].as_array().unwrap().is_empty(), "{told}");
}
