//! A restore that is given again, in homes that register spare addresses ahead as those of persons and providers do: an address
//! that is planned is known to no node, so none is asked for it.

#![allow(clippy::unwrap_used, reason = "a test says by panicking what broke")]

#[path = "world/http.rs"]
#[allow(dead_code, reason = "other tests stop and start keepers")]
mod http;

use std::sync::Arc;

use http::World;
use medibloc_journey::memory::MemoryVault;
use medibloc_journey::{Pace, Party, Ports, RestoreReport, Subject};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_record::{AccountId, Role};

/// A person and a provider who are paired, both at the last of the listed nodes.
struct Story {
    world: Arc<World>,
    nodes: Vec<String>,
    owner: AccountId,
}

const BOTH: [(Role, Pace); 2] = [
    (Role::Person, Pace::PERSON),
    (Role::Provider, Pace::PROVIDER),
];

fn phrase(role: Role) -> Phrase {
    let seed = if role == Role::Person { 1 } else { 2 };
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}

/// What each of them says, which is on no chain: who the owner is, and what the provider calls its patient.
fn say(home: &Party, owner: AccountId, name: &str) {
    match home.role() {
        Role::Person => {
            let said = Subject::said(Some(name), None).unwrap();
            home.say_owner(&said).unwrap();
        }
        _ => home.set_label(owner, name).unwrap(),
    }
}

fn has_said(home: &Party, owner: AccountId, name: &str) -> bool {
    match home.role() {
        Role::Person => home.owner_said().unwrap() == Subject::said(Some(name), None),
        _ => home.label(owner).unwrap().as_deref() == Some(name),
    }
}

impl Story {
    async fn new(world: Arc<World>, nodes: Vec<String>) -> Self {
        let owner = AccountId::new([0; 20]);
        let mut story = Self {
            world,
            nodes,
            owner,
        };
        let own = story.nodes.last().unwrap().clone();
        let [patient, hospital] = BOTH.map(|(role, _)| {
            let ports = story.ports(role, &own, &Arc::default());
            Party::new(phrase(role).seed(), role, ports)
        });
        hospital.register_account().await.unwrap();
        let jwt = story
            .world
            .accredit(hospital.account().id(), "Hana Hospital");
        let invitation = patient.invite().await.unwrap();
        let answered = hospital.answer(&invitation, Some(&jwt)).await.unwrap();
        story.owner = answered.owner;
        patient.sync().await.unwrap();
        for home in [&patient, &hospital] {
            say(home, story.owner, "Kim Min");
            home.sync().await.unwrap();
        }
        story
    }

    fn ports(&self, role: Role, node: &str, vault: &Arc<MemoryVault>) -> Ports {
        let (_, pace) = BOTH.into_iter().find(|(of, _)| *of == role).unwrap();
        let ports = self.world.ports_at(node, self.nodes.clone(), vault.clone());
        Ports { pace, ..ports }
    }

    /// As the command does it: each listed node is asked whether it is the own one, and while one does not say, none is.
    async fn restored(&self, role: Role, vault: &Arc<MemoryVault>) -> (Party, RestoreReport) {
        let (mut kept, mut away) = (Vec::new(), Vec::new());
        for node in &self.nodes {
            let asked = Party::new(phrase(role).seed(), role, self.ports(role, node, vault));
            match asked.kept_at_node().await {
                Ok(keeps) => kept.push((keeps, node.clone())),
                Err(_) => away.push(node.clone()),
            }
        }
        Party::own_node_waits_for(vault.as_ref(), &away).unwrap();
        let own = match kept.into_iter().max() {
            Some((_, own)) if away.is_empty() => own,
            _ => self.nodes[0].clone(),
        };
        let ports = self.ports(role, &own, vault);
        Party::restore(&phrase(role), role, ports).await.unwrap()
    }

    /// It is done, at the right node, and a sync after it has nothing left.
    async fn is_done(&self, (home, report): &(Party, RestoreReport), when: &str) {
        let role = home.role();
        assert_eq!(report.open(), 0, "{role:?} {when}: {report:?}");
        assert_eq!(home.undecided_node().unwrap(), None, "{role:?} {when}");
        let node = home.ports().network.own_node();
        assert_eq!(Some(&node), self.nodes.last(), "{role:?} {when}");
        let synced = home.sync().await.unwrap();
        assert_eq!(synced.later, Vec::<String>::new(), "{role:?} {when}");
    }

    /// Whatever is done again in one home, it is done, and what is said in it comes back in another.
    async fn goes_on(&self, role: Role, vault: &Arc<MemoryVault>) {
        let restored = self.restored(role, vault).await;
        self.is_done(&restored, "given again").await;
        let restored = self.restored(role, vault).await;
        self.is_done(&restored, "given again after a sync").await;
        say(&restored.0, self.owner, "Kim Min-ji");
        assert!(restored.0.sync().await.unwrap().later.is_empty());
        let third = self.restored(role, &Arc::default()).await;
        self.is_done(&third, "in a third home").await;
        assert!(has_said(&third.0, self.owner, "Kim Min-ji"), "{role:?}");
    }
}

/// Before: it ended with 9 each time, and no sync made it better.
#[tokio::test]
async fn a_restore_that_is_given_again_is_done_with_one_node() {
    let world = World::new(821).await;
    let nodes = vec![world.node.clone()];
    let story = Story::new(world, nodes).await;
    for (role, _) in BOTH {
        let vault = Arc::default();
        let restored = story.restored(role, &vault).await;
        story.is_done(&restored, "first").await;
        story.goes_on(role, &vault).await;
    }
}

/// Before: the node that answered refused the addresses that were planned meanwhile, so no node was ever decided on.
#[tokio::test]
async fn a_restore_that_is_given_again_when_the_other_node_answers_is_done() {
    let world = World::new(822).await;
    let (second, router) = world.stopped_node().await;
    let nodes = vec![world.node.clone(), second.clone()];
    let task = World::start_node(&second, router.clone()).await;
    let story = Story::new(world, nodes).await;
    let mut homes = Vec::new();
    for (role, _) in BOTH {
        let vault = Arc::default();
        let restored = story.restored(role, &vault).await;
        story.is_done(&restored, "with both nodes").await;
        homes.push((role, vault));
    }
    task.abort();
    let _ = task.await;
    for (role, _) in BOTH {
        let vault = Arc::default();
        let (home, report) = story.restored(role, &vault).await;
        assert!(report.open() > 0, "{report:?}");
        assert!(home.undecided_node().unwrap().is_some());
        // What was planned meanwhile is due on another day.
        assert!(!home.sync().await.unwrap().later.is_empty());
        homes.push((role, vault));
    }
    let _task = World::start_node(&second, router).await;
    for (role, vault) in homes {
        story.goes_on(role, &vault).await;
    }
}
