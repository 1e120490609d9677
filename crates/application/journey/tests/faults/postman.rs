//! A mailbox that loses, doubles or delays one letter.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use medibloc_journey::{Keepers, Letter, Mailbox, Network, PortError, Ports};
use medibloc_keys::SigningKey;
use medibloc_record::Digest;
use medibloc_store::Store;

/// What happens to the n-th letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mishap {
    /// The node says that it has it, and has lost it.
    Lost,
    /// It comes twice, and comes again after it was dealt with.
    Doubled,
}

/// Counts letters over all parties.
pub(crate) struct Postman {
    count: AtomicU64,
    at: u64,
    mishap: Mishap,
    /// The letter that is doubled, and how often it still comes back.
    doubled: Mutex<Option<([u8; 32], u32)>>,
}

impl Postman {
    pub(crate) fn new(at: u64, mishap: Mishap) -> Arc<Self> {
        Arc::new(Self {
            count: AtomicU64::new(0),
            at,
            mishap,
            doubled: Mutex::default(),
        })
    }

    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }
}

/// The same ports with this postman.
pub(crate) fn with(ports: &Ports, postman: &Arc<Postman>) -> Ports {
    Ports {
        network: Arc::new(Carried(ports.network.clone(), postman.clone())),
        ..ports.clone()
    }
}

struct Carried<T: ?Sized>(Arc<T>, Arc<Postman>);

impl Network for Carried<dyn Network> {
    fn store(&self, actor: &SigningKey) -> Arc<dyn Store> {
        self.0.store(actor)
    }
    fn mailbox(&self, actor: &SigningKey, url: &str) -> Arc<dyn Mailbox> {
        Arc::new(Carried(self.0.mailbox(actor, url), self.1.clone()))
    }
    fn keepers(&self, actor: &SigningKey) -> Arc<dyn Keepers> {
        self.0.keepers(actor)
    }
    fn own_node(&self) -> String {
        self.0.own_node()
    }
}

#[async_trait]
impl Mailbox for Carried<dyn Mailbox> {
    async fn send(&self, letter: &Letter) -> Result<(), PortError> {
        let n = self.1.count.fetch_add(1, Ordering::SeqCst) + 1;
        if n == self.1.at {
            if self.1.mishap == Mishap::Lost {
                return Ok(());
            }
            *self.1.doubled.lock().unwrap() = Some((letter.id, 2));
        }
        self.0.send(letter).await
    }

    async fn fetch(&self) -> Result<Vec<Letter>, PortError> {
        let mut letters = self.0.fetch().await?;
        let doubled = *self.1.doubled.lock().unwrap();
        let twice = letters
            .iter()
            .find(|letter| doubled.is_some_and(|(id, _)| id == letter.id))
            .cloned();
        letters.extend(twice);
        Ok(letters)
    }

    async fn done(&self, id: [u8; 32]) -> Result<(), PortError> {
        if let Some((doubled, left)) = &mut *self.1.doubled.lock().unwrap()
            && *doubled == id
            && *left > 0
        {
            *left -= 1;
            return Ok(());
        }
        self.0.done(id).await
    }

    async fn notes(&self) -> Result<Vec<(u8, Vec<u8>)>, PortError> {
        self.0.notes().await
    }

    async fn keep_note(
        &self,
        place: u8,
        follows: Option<Digest>,
        sealed: Vec<u8>,
    ) -> Result<bool, PortError> {
        self.0.keep_note(place, follows, sealed).await
    }
}
