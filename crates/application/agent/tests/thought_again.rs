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
use medibloc_consent::{Grant, Scope};
use medibloc_journey::memory::{MemoryVault, World};
use medibloc_journey::{Pace, Party, Ports};
use medibloc_ledger::{Event, Events as _};
use medibloc_record::Role;
use serde_json::{Value, json};
use two::{Two, say, text, try_say, with_ports};

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
                    say(story.patient(), &["request", "deny", &request]).await;
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
