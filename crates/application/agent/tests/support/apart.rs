//! A node of its own storage beside the node of everybody else, which can be away.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use medibloc_dag::{Block, Cid};
use medibloc_journey::memory::World;
use medibloc_journey::{Keepers, Letter, Mailbox, Network, PortError, Ports};
use medibloc_keys::SigningKey;
use medibloc_record::{Digest, RecordId};
use medibloc_store::{MemoryStore, OwnStore as _, Store, StoreError};

/// The node of everybody else.
pub(crate) const OTHER: &str = "memory:other";

/// What an own node has, and which questions of presence it was asked.
#[derive(Default)]
struct Own {
    store: MemoryStore,
    asked: Mutex<Vec<Vec<Cid>>>,
}

/// A network of such an own node.
pub(crate) struct Apart {
    network: Arc<dyn Network>,
    own: Arc<Own>,
    /// In place of the other node's storage.
    others: Mutex<Option<Arc<MemoryStore>>>,
    is_away: Arc<AtomicBool>,
}

impl Apart {
    /// A node of this name, which the deployment lists.
    pub(crate) fn called(name: &str, world: &Arc<World>) -> Arc<Self> {
        Arc::new(Self {
            network: world.ports_at(name).network,
            own: Arc::default(),
            others: Mutex::default(),
            is_away: Arc::default(),
        })
    }

    pub(crate) fn ports(self: &Arc<Self>, ports: Ports) -> Ports {
        Ports {
            network: self.clone(),
            ..ports
        }
    }

    /// Whether the other node answers.
    pub(crate) fn set_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::SeqCst);
    }

    /// The own node loses the objects of one record.
    pub(crate) async fn lose(&self, world: &World, record: &str) {
        let objects = objects_of(world, record);
        self.own.store.remove(&objects).await.unwrap();
    }

    /// The own node loses everything but the objects of one record that it was ever asked about.
    pub(crate) async fn lose_parts(&self, world: &World, record: &str) {
        let objects = objects_of(world, record);
        let mut parts = self.asked().concat();
        parts.retain(|cid| !objects.contains(cid));
        assert!(!parts.is_empty());
        self.own.store.remove(&parts).await.unwrap();
    }

    /// Somebody gives the own node the objects that name a record, as the other one has them, and nothing of what they name.
    pub(crate) async fn put_objects(&self, world: &Arc<World>, record: &str) {
        let there = world
            .ports()
            .network
            .store(&SigningKey::from_bytes(&[9; 32]).unwrap());
        for cid in objects_of(world, record) {
            let bytes = there.get(&cid).await.unwrap().unwrap();
            let block = Block::new(cid, bytes).unwrap();
            self.own.store.put(vec![block]).await.unwrap();
        }
    }

    /// Another storage takes the place of the other node's.
    pub(crate) fn put_others(&self, store: Arc<MemoryStore>) {
        *self.others.lock().unwrap() = Some(store);
    }

    /// Questions of presence at the own node.
    pub(crate) fn asked(&self) -> Vec<Vec<Cid>> {
        self.own.asked.lock().unwrap().clone()
    }
}

#[async_trait]
impl Network for Apart {
    fn store(&self, _: &SigningKey) -> Arc<dyn Store> {
        self.own.clone()
    }
    fn others(&self, actor: &SigningKey) -> Vec<(String, Arc<dyn Store>)> {
        let others = self.others.lock().unwrap().clone();
        let store = match others {
            Some(store) => store as Arc<dyn Store>,
            None => self.network.store(actor),
        };
        let other = Other(store, self.is_away.clone());
        vec![(OTHER.into(), Arc::new(other))]
    }
    fn mailbox(&self, actor: &SigningKey, url: &str) -> Arc<dyn Mailbox> {
        let is_other = url != self.network.own_node();
        match is_other && self.is_away.load(Ordering::SeqCst) {
            true => Arc::new(Down),
            false => self.network.mailbox(actor, url),
        }
    }
    fn keepers(&self, actor: &SigningKey) -> Arc<dyn Keepers> {
        self.network.keepers(actor)
    }
    fn own_node(&self) -> String {
        self.network.own_node()
    }
    fn is_listed(&self, url: &str) -> bool {
        self.network.is_listed(url)
    }
}

#[async_trait]
impl Store for Own {
    async fn put(&self, blocks: Vec<Block>) -> Result<(), StoreError> {
        self.store.put(blocks).await
    }
    async fn get(&self, cid: &Cid) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get(cid).await
    }
    async fn has(&self, cids: &[Cid]) -> Result<Vec<bool>, StoreError> {
        self.asked.lock().unwrap().push(cids.to_vec());
        self.store.has(cids).await
    }
    async fn erase(&self, cids: &[Cid]) -> Result<(), StoreError> {
        self.store.erase(cids).await
    }
    async fn erased(&self, cid: &Cid) -> Result<bool, StoreError> {
        self.store.erased(cid).await
    }
}

/// The single blocks that a record's anchor names.
fn objects_of(world: &World, record: &str) -> [Cid; 4] {
    let record: RecordId = record.parse().unwrap();
    let (anchor, _) = world.ledger.anchor(record).unwrap();
    let objects = [
        anchor.package,
        anchor.key_set,
        anchor.capsule,
        anchor.attestation,
    ];
    objects.map(|digest| Cid::from_dag_cbor_digest(digest.to_bytes()))
}

/// Mailboxes of the other node while it is away.
struct Down;

fn down<T>() -> Result<T, PortError> {
    Err(PortError::Unreachable {
        peer: format!("the node {OTHER}"),
        why: "connection refused".into(),
    })
}

#[async_trait]
impl Mailbox for Down {
    async fn send(&self, _: &Letter) -> Result<(), PortError> {
        down()
    }
    async fn fetch(&self) -> Result<Vec<Letter>, PortError> {
        down()
    }
    async fn done(&self, _: [u8; 32]) -> Result<(), PortError> {
        down()
    }
    async fn notes(&self) -> Result<Vec<(u8, Vec<u8>)>, PortError> {
        down()
    }
    async fn keep_note(&self, _: u8, _: Option<Digest>, _: Vec<u8>) -> Result<bool, PortError> {
        down()
    }
}

struct Other(Arc<dyn Store>, Arc<AtomicBool>);

impl Other {
    fn there(&self) -> Result<&dyn Store, StoreError> {
        match self.1.load(Ordering::SeqCst) {
            true => Err(StoreError::Unreachable {
                why: "connection refused".into(),
            }),
            false => Ok(self.0.as_ref()),
        }
    }
}

#[async_trait]
impl Store for Other {
    async fn put(&self, blocks: Vec<Block>) -> Result<(), StoreError> {
        self.there()?.put(blocks).await
    }
    async fn get(&self, cid: &Cid) -> Result<Option<Vec<u8>>, StoreError> {
        self.there()?.get(cid).await
    }
    async fn has(&self, cids: &[Cid]) -> Result<Vec<bool>, StoreError> {
        self.there()?.has(cids).await
    }
    async fn erase(&self, cids: &[Cid]) -> Result<(), StoreError> {
        self.there()?.erase(cids).await
    }
    async fn erased(&self, cid: &Cid) -> Result<bool, StoreError> {
        self.there()?.erased(cid).await
    }
}
