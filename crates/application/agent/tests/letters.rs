//! A mailbox with many letters of a contact keeps nobody waiting who takes something back.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use std::sync::{Arc, Mutex, OnceLock};

use async_trait::async_trait;
use medibloc_journey::memory::World;
use medibloc_journey::{Keepers, Letter, Mailbox, Network, PortError, Urgency, Urgent};
use medibloc_keys::SigningKey;
use medibloc_record::{Digest, Role};
use medibloc_store::Store;
use two::{Two, say, with_ports};

/// Somebody takes something back as soon as letters came.
#[derive(Clone)]
struct Then {
    network: Arc<dyn Network>,
    urgency: Arc<OnceLock<Urgency>>,
    urgent: Arc<Mutex<Vec<Urgent>>>,
}

impl Network for Then {
    fn store(&self, actor: &SigningKey) -> Arc<dyn Store> {
        self.network.store(actor)
    }

    fn mailbox(&self, actor: &SigningKey, url: &str) -> Arc<dyn Mailbox> {
        let (mailbox, then) = (self.network.mailbox(actor, url), self.clone());
        Arc::new(ThenMailbox { mailbox, then })
    }

    fn keepers(&self, actor: &SigningKey) -> Arc<dyn Keepers> {
        self.network.keepers(actor)
    }

    fn own_node(&self) -> String {
        self.network.own_node()
    }
}

struct ThenMailbox {
    mailbox: Arc<dyn Mailbox>,
    then: Then,
}

#[async_trait]
impl Mailbox for ThenMailbox {
    async fn send(&self, letter: &Letter) -> Result<(), PortError> {
        self.mailbox.send(letter).await
    }

    async fn fetch(&self) -> Result<Vec<Letter>, PortError> {
        let letters = self.mailbox.fetch().await?;
        if let Some(urgency) = self.then.urgency.get().filter(|_| !letters.is_empty()) {
            self.then.urgent.lock().unwrap().push(urgency.wait());
        }
        Ok(letters)
    }

    async fn done(&self, id: [u8; 32]) -> Result<(), PortError> {
        self.mailbox.done(id).await
    }

    async fn notes(&self) -> Result<Vec<(u8, Vec<u8>)>, PortError> {
        self.mailbox.notes().await
    }

    async fn keep_note(
        &self,
        place: u8,
        follows: Option<Digest>,
        sealed: Vec<u8>,
    ) -> Result<bool, PortError> {
        self.mailbox.keep_note(place, follows, sealed).await
    }
}

#[tokio::test]
async fn letters_of_a_contact_wait_for_who_takes_something_back() {
    let world = World::new(980);
    let two = Two::new(&world).await;
    for number in 0..6 {
        let reason = format!("opinion {number}");
        say(
            &two.clinic,
            &["request", "create", &two.owner, "--reason", &reason],
        )
        .await;
    }
    let mut ports = two.patient.ports().clone();
    let then = Then {
        network: ports.network.clone(),
        urgency: Arc::default(),
        urgent: Arc::default(),
    };
    ports.network = Arc::new(then.clone());
    let patient = with_ports(ports, 1, Role::Person);
    then.urgency.set(patient.urgency()).ok().unwrap();
    let report = patient.sync().await.unwrap();
    assert!(report.gave_way);
    assert!(patient.requests().unwrap().is_empty());
    assert_eq!(world.letters().len(), 6, "they stay at the node");
    // Once that is done all are taken.
    then.urgent.lock().unwrap().clear();
    two.patient.sync().await.unwrap();
    assert_eq!(two.patient.requests().unwrap().len(), 6);
    assert!(world.letters().is_empty());
}
