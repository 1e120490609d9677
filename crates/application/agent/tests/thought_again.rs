//! A person decides otherwise than before: what was planned, or not even begun, is not given.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![allow(dead_code, reason = "of the shared fuse only its faults are needed")]

#[path = "../../journey/tests/faults/fuse.rs"]
mod fuse;
#[path = "support/two.rs"]
mod two;

use std::sync::Arc;

use fuse::{Fuse, Mode, fused};
use medibloc_agent::answer::code;
use medibloc_agent::{Answer, Problem};
use medibloc_consent::{Grant, Scope};
use medibloc_journey::memory::{MemoryVault, World};
use medibloc_journey::{Pace, Party, Ports};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_ledger::{Event, Events as _, Facts as _};
use medibloc_record::{GrantId, Role};
use serde_json::{Value, json};
use two::{Two, refused, say, text, try_say, with_ports};

const DAY: u64 = 86_400;

/// A person with an own record, and a clinic that it knows.
struct Story {
    world: Arc<World>,
    ports: Ports,
    two: Two,
    record: String,
}

impl Story {
    async fn new(seed: u64, pace: Pace) -> Self {
        let world = World::new(seed);
        let vault = Arc::new(MemoryVault::default());
        let ports = Ports {
            pace,
            ..world.ports_with(vault)
        };
        let two = Two::at(&world, ports.clone()).await;
        let record = two.accepted().await;
        Self {
            world,
            ports,
            two,
            record,
        }
    }

    fn patient(&self) -> &Party {
        &self.two.patient
    }

    /// The clinic asks; gives what the patient calls that.
    async fn asked(&self, reason: &str) -> String {
        let ask = ["request", "create", &self.two.owner, "--reason", reason];
        say(
            &self.two.clinic,
            &[ask.as_slice(), &["--days", "90", "--yes"]].concat(),
        )
        .await;
        say(self.patient(), &["sync"]).await;
        let waits = say(self.patient(), &["request", "list"]).await;
        text(&waits, "/0/id")
    }

    /// Consents that the chain has, the oldest first.
    async fn granted(&self) -> Vec<Grant> {
        let blocks = self.world.ledger.events(0, u32::MAX).await.unwrap();
        let events = blocks.into_iter().flat_map(|block| block.events);
        let granted = events.filter_map(|event| match event {
            Event::Granted(grant) => Some(grant),
            _ => None,
        });
        granted.collect()
    }

    /// Answers a request, and means it.
    async fn answer(&self, request: &str, words: &[&str]) -> Result<Answer, Problem> {
        let words = words.iter().map(|word| match *word {
            "ID" => self.record.as_str(),
            word => word,
        });
        let start = ["request", "approve", request, "--yes"];
        let words: Vec<&str> = start.into_iter().chain(words).collect();
        try_say(self.patient(), &words).await
    }

    /// Ids of consents to read of the patient, in order.
    fn given(&self) -> Vec<String> {
        let given = self.patient().grants().unwrap();
        let mut ids: Vec<String> = given.into_iter().map(|(id, _)| id.to_string()).collect();
        ids.sort();
        ids
    }

    /// Lets the clinic write.
    async fn permit(&self, days: u32, more: &[&str]) -> Value {
        let days = days.to_string();
        let words = [
            "grant", "create", "--to", "clinic", "--write", "--days", &days,
        ];
        say(self.patient(), &[words.as_slice(), more].concat()).await
    }

    /// Permissions to write that the chain has, the oldest first: id and end.
    async fn permitted(&self) -> Vec<(String, String)> {
        let blocks = self.world.ledger.events(0, u32::MAX).await.unwrap();
        let events = blocks.into_iter().flat_map(|block| block.events);
        let given = events.filter_map(|event| match event {
            Event::WriteGranted(write) => {
                let id = GrantId::derive(write.owner, write.author, write.nonce);
                let until = jiff::Timestamp::from_second(i64::try_from(write.until.0).unwrap());
                Some((id.to_string(), until.unwrap().to_string()))
            }
            _ => None,
        });
        given.collect()
    }

    /// Everything that was planned has gone: consents of several addresses are spread over two weeks.
    async fn later(&self) {
        for _ in 0..20 * 8 {
            self.world.pass(DAY / 8);
            self.patient().catch_up().await.unwrap();
        }
        say(self.patient(), &["sync"]).await;
    }

    /// Whether lists tell of a consent that is to be given.
    async fn is_told(&self) -> bool {
        let status = say(self.patient(), &["status"]).await;
        let jobs = status["unfinished"].as_array().unwrap().clone();
        let of_grant = |job: &Value| job.to_string().contains("grant to");
        let list = say(self.patient(), &["grant", "list"]).await;
        jobs.iter().any(of_grant) || list["given"] != json!([])
    }
}

/// What the person does after a command that ended with "nothing was kept".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Denies,
    GivesLess,
    DoesNothing,
}

/// Attacker H1: a chain that was away for a moment, a request that was denied, and the next sync gave everything.
#[tokio::test]
async fn what_ended_with_nothing_kept_is_not_given_later() {
    let (mut faults, mut given) = (0, Vec::new());
    // Each call fails once, whatever the person does then.
    let thens = [Then::Denies, Then::GivesLess, Then::DoesNothing];
    for (first, then) in (1..).zip(thens) {
        for at in (first..).step_by(thens.len()) {
            let story = Story::new(1_400, Pace::NOW).await;
            let request = story.asked("visit").await;
            let give: &[&str] = match then {
                Then::DoesNothing => &["grant", "create", "--to", "clinic"],
                _ => &["request", "approve", &request],
            };
            let wide = ["--all", "--up-to", "very-restricted", "--yes"];
            let fuse = Fuse::new(at, Mode::FailBefore);
            let ports = Ports {
                vault: story.ports.vault.clone(),
                ..fused(&story.ports, &fuse)
            };
            let cut_off = with_ports(ports, 1, Role::Person);
            let done = try_say(&cut_off, &[give, &wide].concat()).await;
            if fuse.hit().is_none() {
                assert_eq!(done.unwrap().code, 0);
                break;
            }
            let Err(problem) = done else { continue };
            faults += 1;
            if problem.code != code::UNREACHABLE {
                assert_eq!(problem.code, code::PARTIAL, "{at}: {problem}");
                assert!(story.is_told().await, "{then:?} at {at}: {problem}");
                continue;
            }
            let mut expected = Vec::new();
            match then {
                Then::Denies => {
                    // Refused where something was given, which counts below.
                    let _ = try_say(story.patient(), &["request", "deny", &request]).await;
                }
                Then::GivesLess => {
                    let less = ["request", "approve", &request, "--record", &story.record];
                    let less = [less.as_slice(), &["--days", "2"]].concat();
                    expected.push(Scope::One(story.record.parse().unwrap()));
                    // What was begun is no "nothing", and this is refused.
                    if try_say(story.patient(), &less).await.is_err() {
                        expected.clear();
                    }
                }
                Then::DoesNothing => {}
            }
            say(story.patient(), &["sync"]).await;
            say(story.patient(), &["sync"]).await;
            let granted = story.granted().await;
            let scopes: Vec<Scope> = granted.iter().map(|grant| grant.terms.scope).collect();
            if scopes != expected {
                given.push((then, at, scopes));
            }
        }
    }
    println!(
        "ATTACK fourteenth-a1: {} of {faults} times something was given after \"nothing was kept\"",
        given.len()
    );
    assert_eq!(given, Vec::new());
    assert!(faults > 30, "{faults}");
}

/// Attacker H2: a narrower answer to the same request sent the earlier, wider one at once.
#[tokio::test]
async fn whoever_answers_with_less_gives_less_and_not_what_was_planned() {
    let wide: &[&str] = &["--all", "--up-to", "very-restricted"];
    let one: &[&str] = &["--record", "ID"];
    let mut wider = 0;
    for (row, (first, then, days)) in [
        (wide, ["--all", "--days", "3"].as_slice(), 3),
        (wide, &["--all", "--up-to", "normal"], 90),
        (wide, &["--record", "ID", "--days", "2"], 2),
        (one, &["--record", "ID", "--days", "2"], 2),
    ]
    .into_iter()
    .enumerate()
    {
        let story = Story::new(1_402, Pace::PERSON).await;
        let request = story.asked("visit").await;
        story.answer(&request, first).await.unwrap();
        let planned = story.given();
        let now = story.world.ledger.head().await.unwrap().time;
        let less = [then, &["--now"]].concat();
        let done = story.answer(&request, &less).await.unwrap();
        let granted = story.granted().await;
        let ends: Vec<u64> = granted
            .iter()
            .map(|grant| grant.terms.until.since(now))
            .collect();
        // One of each address of the person, of which one has records and the other may come to have some.
        let addresses = if then.contains(&"--all") { 2 } else { 1 };
        assert_eq!(granted.len(), addresses, "{row}: {}", done.text);
        let is_less =
            |(grant, long): (&Grant, &u64)| *long <= days * DAY && grant.terms.scope != Scope::All;
        if !granted.iter().zip(&ends).all(is_less) {
            wider += 1;
            continue;
        }
        assert_eq!(done.value["dropped"], json!(planned), "{row}");
        for part in ["is dropped", &planned[0], "until"] {
            assert!(done.text.contains(part), "{row}: {part}: {}", done.text);
        }
        // What was planned before does not follow.
        story.later().await;
        assert_eq!(story.granted().await, granted, "{row}");
    }
    println!(
        "ATTACK fourteenth-a2: {wider} of 4 narrower answers sent the wider one that was planned"
    );
    assert_eq!(wider, 0);
}

/// The same answer goes on with what waits, and says what went; another one is refused once something has left.
#[tokio::test]
async fn the_same_answer_goes_now_and_another_one_is_refused_once_it_left() {
    let story = Story::new(1_403, Pace::PERSON).await;
    let request = story.asked("visit").await;
    let wide = ["--all", "--up-to", "very-restricted"];
    story.answer(&request, &wide).await.unwrap();
    let planned = story.given();
    story.world.pass(600);
    let done = story
        .answer(&request, &[wide.as_slice(), &["--now"]].concat())
        .await;
    let done = done.unwrap();
    assert_eq!(story.given(), planned, "no other one: {}", done.text);
    let granted = story.granted().await;
    assert_eq!(granted.len(), 2);
    for part in [
        &planned[0],
        "all records, very restricted ones too, until 20",
    ] {
        assert!(done.text.contains(part), "{part}: {}", done.text);
    }
    let words = [
        "request", "approve", &request, "--all", "--days", "3", "--now", "--yes",
    ];
    let told = refused(story.patient(), &words, code::REFUSED).await;
    for part in [&planned[0], "very restricted ones too", "grant revoke"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    story.later().await;
    assert_eq!(story.granted().await, granted);
}

/// Attacker H2: what is offered again in another form waits beside the first, which goes by itself.
#[tokio::test]
async fn what_waits_beside_an_offer_is_named() {
    let story = Story::new(1_404, Pace::PERSON).await;
    let offer = ["grant", "create", "--to", "clinic", "--all", "--yes"];
    let wide = [offer.as_slice(), &["--up-to", "very-restricted"]].concat();
    say(story.patient(), &wide).await;
    let planned = story.given();
    let less = [offer.as_slice(), &["--days", "3", "--now"]].concat();
    let done = try_say(story.patient(), &less).await.unwrap();
    assert_eq!(done.value["besides"], json!(planned), "{}", done.text);
    let dropped = format!("`medibloc grant revoke {}` drops it", planned[0]);
    for part in ["very restricted ones too", &dropped] {
        assert!(done.text.contains(part), "{part}: {}", done.text);
    }
    // Said once more, what waits goes, and nothing is given twice.
    story.world.pass(600);
    let again = try_say(story.patient(), &[wide.as_slice(), &["--now"]].concat()).await;
    let again = again.unwrap().value;
    let mut ids: Vec<&str> = again["grants"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, planned);
    story.later().await;
    assert_eq!(story.granted().await.len(), 4);
}

/// Attacker M1: told until one day, and on the chain another.
#[tokio::test]
async fn a_permission_to_write_is_told_as_the_chain_has_it() {
    let (mut told, mut wrong) = (0, Vec::new());
    for days in [[10, 200, 10], [200, 10, 200], [10, 10, 200]] {
        let story = Story::new(1_405, Pace::PERSON).await;
        for days in days {
            story.world.pass(60);
            let said = story.permit(days, &["--now", "--yes"]).await;
            let until = text(&said, "/until");
            told += 1;
            if story.permitted().await.last().map(|(_, until)| until) != Some(&until) {
                wrong.push((days, until));
            }
        }
        if !wrong.is_empty() {
            continue;
        }
        let chain = story.permitted().await;
        let last = &chain.last().unwrap().0;
        let list = say(story.patient(), &["grant", "list"]).await;
        let given = list["given"].as_array().unwrap();
        for one in given {
            let (state, by) = match one["id"] == json!(last) {
                true => ("live", Value::Null),
                false => ("replaced", json!(last)),
            };
            let shown = (&one["state"], &one["replacedBy"]);
            assert_eq!(shown, (&json!(state), &by), "{one}");
        }
        assert_eq!(given.len(), chain.len());
    }
    println!(
        "ATTACK fourteenth-a3: {} of {told} permissions to write told until a day that the chain does not have",
        wrong.len()
    );
    assert_eq!(wrong, Vec::new());
}

#[tokio::test]
async fn of_permissions_that_are_planned_the_last_one_goes() {
    for days in [[200, 5], [5, 200]] {
        let story = Story::new(1_406, Pace::PERSON).await;
        let first = story.permit(days[0], &[]).await;
        let last = story.permit(days[1], &[]).await;
        let list = say(story.patient(), &["grant", "list"]).await;
        assert_eq!(list["given"].as_array().unwrap().len(), 1, "{list}");
        assert_eq!(list["dropped"][0]["id"], first["grant"], "{list}");
        story.later().await;
        let chain = story.permitted().await;
        assert_eq!(chain, [(text(&last, "/grant"), text(&last, "/until"))]);
    }
}

/// Another device took it back: said again, it is given again.
#[tokio::test]
async fn a_permission_that_another_device_took_back_is_given_again() {
    let story = Story::new(1_407, Pace::PERSON).await;
    let first = story.permit(100, &["--now", "--yes"]).await;
    let phrase = Phrase::generate(&mut SeededEntropy::new(1), Language::English);
    let phone = Party::restore(&phrase, Role::Person, story.world.ports()).await;
    let phone = phone.unwrap().0;
    say(&phone, &["grant", "revoke", &text(&first, "/grant")]).await;
    let again = story.permit(100, &["--now", "--yes"]).await;
    assert_ne!(first["grant"], again["grant"]);
    let chain = story.permitted().await;
    assert_eq!(chain.last().unwrap().0, text(&again, "/grant"));
    assert_eq!(chain.len(), 2);
}
