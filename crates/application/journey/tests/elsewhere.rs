//! Another node that may have what the own one lacks, and never answers: it is waited for once, named, and holds nothing up.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use medibloc_dag::{Block, Cid};
use medibloc_journey::memory::World;
use medibloc_journey::{Keepers, Mailbox, Network, Party, Ports, medical_only};
use medibloc_keys::{Language, Phrase, SeededEntropy, SigningKey};
use medibloc_record::{Draft, LossReport, Role};
use medibloc_store::{Store, StoreError};

const OTHER: &str = "memory:other";
const WEEK: u64 = 7 * 86_400;

/// Storage that has nothing, or never says.
enum Bad {
    Empty,
    Silent,
}

#[async_trait]
impl Store for Bad {
    async fn put(&self, _: Vec<Block>) -> Result<(), StoreError> {
        Ok(())
    }
    async fn get(&self, _: &Cid) -> Result<Option<Vec<u8>>, StoreError> {
        match self {
            Self::Empty => Ok(None),
            Self::Silent => pending().await,
        }
    }
    async fn has(&self, cids: &[Cid]) -> Result<Vec<bool>, StoreError> {
        match self {
            Self::Empty => Ok(vec![false; cids.len()]),
            Self::Silent => pending().await,
        }
    }
    async fn erase(&self, _: &[Cid]) -> Result<(), StoreError> {
        Ok(())
    }
    async fn erased(&self, _: &Cid) -> Result<bool, StoreError> {
        Ok(false)
    }
}

/// A network whose own node has lost everything, beside one that is silent.
struct Lost(Arc<dyn Network>);

impl Network for Lost {
    fn store(&self, _: &SigningKey) -> Arc<dyn Store> {
        Arc::new(Bad::Empty)
    }
    fn others(&self, _: &SigningKey) -> Vec<(String, Arc<dyn Store>)> {
        vec![(OTHER.into(), Arc::new(Bad::Silent))]
    }
    fn mailbox(&self, actor: &SigningKey, url: &str) -> Arc<dyn Mailbox> {
        self.0.mailbox(actor, url)
    }
    fn keepers(&self, actor: &SigningKey) -> Arc<dyn Keepers> {
        self.0.keepers(actor)
    }
    fn own_node(&self) -> String {
        self.0.own_node()
    }
}

fn phrase(seed: u64) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}

fn draft(text: &str) -> Draft {
    let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document"});
    let bytes = text.as_bytes().to_vec();
    Draft::new("application/cda+xml", bytes, bundle, LossReport::default())
}

#[tokio::test]
async fn a_silent_node_is_asked_once_for_all_that_the_own_one_lacks_and_named() {
    let world = World::new(4_200);
    let patient = Party::new(phrase(1).seed(), Role::Person, world.ports());
    let hospital = Party::new(phrase(2).seed(), Role::Provider, world.ports());
    hospital.register_account().await.unwrap();
    let jwt = world.accredit(hospital.account().id(), "Hana Hospital");
    let invitation = patient.invite().await.unwrap();
    let answered = hospital.answer(&invitation, Some(&jwt)).await.unwrap();
    patient.sync().await.unwrap();
    patient.confirm(answered.owner).unwrap();
    let until = world.ports().clock.now().plus(WEEK);
    let kinds = medical_only();
    patient
        .grant_write(answered.owner, kinds, until)
        .await
        .unwrap();
    for text in ["one", "two", "three"] {
        let written = hospital.write_for(answered.owner, draft(text)).await;
        written.unwrap();
    }

    let ports = world.ports();
    let ports = Ports {
        network: Arc::new(Lost(ports.network)),
        ..ports
    };
    world.silent().add_node(OTHER);
    world.silent().waited();
    let home = Party::new(phrase(1).seed(), Role::Person, ports);
    let (home, report) = home.restored().await.unwrap();
    assert_eq!(world.silent().waited(), Duration::from_secs(10));
    assert_eq!(report.sync.not_accepted.len(), 3, "{report:?}");
    for (_, because) in &report.sync.not_accepted {
        assert!(because.contains("the node memory:other"), "{because}");
        assert!(!because.contains("no node has it"), "{because}");
    }
    home.sync().await.unwrap();
    assert_eq!(world.silent().waited(), Duration::ZERO, "it is left alone");
}
