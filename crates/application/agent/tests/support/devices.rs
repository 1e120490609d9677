//! Two devices of one phrase, each with a node that can be busy.
#![allow(dead_code, reason = "each test takes of it what it needs")]

use std::collections::BTreeSet;
use std::sync::Arc;

use medibloc_journey::memory::World;
use medibloc_journey::{Pace, Party};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_ledger::Event;
use medibloc_record::{AccountId, GrantId, Role};

use crate::busy::Busy;
use crate::two::{Two, say, try_say, with_ports};

pub(crate) const DAY: u64 = 86_400;

/// What was given to read or to write, and stands.
pub(crate) async fn standing(world: &Arc<World>) -> usize {
    let blocks = world.ports().events.events(0, 10_000).await.unwrap();
    let mut reads = BTreeSet::<(AccountId, GrantId)>::new();
    let mut writes = BTreeSet::<(AccountId, AccountId)>::new();
    for event in blocks.into_iter().flat_map(|block| block.events) {
        match event {
            Event::Granted(grant) => drop(reads.insert((grant.owner, grant.id))),
            Event::WriteGranted(write) => drop(writes.insert((write.owner, write.author))),
            Event::Revoked { grant } => reads.retain(|(_, id)| *id != grant),
            Event::WriteRevoked { owner, author } => drop(writes.remove(&(owner, author))),
            Event::AllRevoked { owner } => {
                reads.retain(|(of, _)| *of != owner);
                writes.retain(|(of, _)| *of != owner);
            }
            _ => {}
        }
    }
    reads.len() + writes.len()
}

/// A person with a laptop, whose node can be busy, and a phone; a contact that may read nothing, and a record.
pub(crate) struct Devices {
    pub(crate) world: Arc<World>,
    pub(crate) two: Two,
    pub(crate) laptop: Party,
    pub(crate) phone: Party,
    pub(crate) laptop_node: Busy,
    pub(crate) phone_node: Busy,
    pub(crate) record: String,
}

impl Devices {
    pub(crate) async fn new(seed: u64, pace: Pace) -> Self {
        let world = World::new(seed);
        let two = Two::new(&world).await;
        two.reader(&world, 3).await;
        let record = two.accepted().await;
        say(&two.patient, &["record", "confirm", &record]).await;
        say(&two.patient, &["sync"]).await;
        let (laptop_node, phone_node) = (Busy::default(), Busy::default());
        let mut ports = laptop_node.ports(two.patient.ports().clone());
        ports.pace = pace;
        let laptop = with_ports(ports, 1, Role::Person);
        let phrase = Phrase::generate(&mut SeededEntropy::new(1), Language::English);
        let restored = Party::restore(&phrase, Role::Person, phone_node.ports(world.ports())).await;
        let phone = restored.unwrap().0;
        say(&phone, &["sync"]).await;
        Self {
            world,
            two,
            laptop,
            phone,
            laptop_node,
            phone_node,
            record,
        }
    }

    pub(crate) fn give(&self) -> Vec<&str> {
        vec![
            "grant",
            "create",
            "--to",
            "reader",
            "--record",
            &self.record,
        ]
    }

    /// Whether the laptop is about to give something.
    pub(crate) async fn is_planned(&self) -> bool {
        let list = say(&self.laptop, &["grant", "list"]).await;
        !list["given"].as_array().unwrap().is_empty()
    }

    /// What two syncs of the laptop say, each a day later.
    pub(crate) async fn syncs(&self) -> String {
        let mut told = String::new();
        for _ in 0..2 {
            self.world.pass(DAY);
            told += &match try_say(&self.laptop, &["sync"]).await {
                Ok(answer) => answer.text,
                Err(problem) => problem.message,
            };
        }
        told
    }
}

pub(crate) const EVERYTHING: &[&str] = &["grant", "revoke", "--everything"];
pub(crate) const READER: &[&str] = &["grant", "revoke", "--contact", "reader"];
pub(crate) const CLINIC: &[&str] = &["grant", "revoke", "--contact", "clinic"];
