//! Doubles of the ports, and a whole world in memory: one chain, one node, seven keepers, any number of parties.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use medibloc_consent::{
    DeletionStatement, ShareDeposit, SignedAcknowledgement, SignedLine, SignedReply, SignedRequest,
};
use medibloc_dag::{Block, Cid};
use medibloc_keeper::{
    Effect, Event, Facts, GrantView, KeeperIdentity, ReceiptView, RecordView, Reply, State, step,
};
use medibloc_keys::{Entropy, SealingSecret, SeededEntropy, SigningKey, recover};
use medibloc_ledger::{KeeperFacts, Mark, MemoryLedger};
use medibloc_record::{AccountId, Address, Digest, RecordId, Threshold, Timestamp, TypedDomain};
use medibloc_store::{MemoryStore, Store};

pub use silent::Silent;

use crate::ports::{
    Change, Clock, FileFate, Keepers, Letter, Mailbox, Network, PortError, Ports, Row, VaultPort,
};
use crate::{Credential, Pace};

mod silent;

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

type Tables = BTreeMap<String, BTreeMap<Vec<u8>, Vec<u8>>>;

/// A vault in memory.
#[derive(Debug, Default)]
pub struct MemoryVault {
    tables: Mutex<Tables>,
    blobs: Mutex<BTreeMap<Cid, Vec<u8>>>,
    /// Files that were written out, by path.
    pub files: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl MemoryVault {
    /// Everything that it keeps, for a search: keys and values of all rows, identifiers and bytes of all blobs.
    pub fn dump(&self) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        for rows in lock(&self.tables).values() {
            all.extend(
                rows.iter()
                    .flat_map(|(key, value)| [key.clone(), value.clone()]),
            );
        }
        for (cid, bytes) in lock(&self.blobs).iter() {
            all.extend([cid.to_bytes(), bytes.clone()]);
        }
        all
    }
}

impl VaultPort for MemoryVault {
    fn get(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, PortError> {
        Ok(lock(&self.tables)
            .get(table)
            .and_then(|rows| rows.get(key))
            .cloned())
    }

    fn list(&self, table: &str) -> Result<Vec<Row>, PortError> {
        let tables = lock(&self.tables);
        let rows = tables.get(table).into_iter().flatten();
        Ok(rows
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect())
    }

    fn apply(&self, changes: Vec<Change>) -> Result<(), PortError> {
        let mut tables = lock(&self.tables);
        for change in changes {
            match change {
                Change::Put { table, key, value } => {
                    tables
                        .entry(table.to_owned())
                        .or_default()
                        .insert(key, value);
                }
                Change::Delete { table, key } => {
                    tables.entry(table.to_owned()).or_default().remove(&key);
                }
            }
        }
        Ok(())
    }

    fn put_blob(&self, block: &Block) -> Result<(), PortError> {
        lock(&self.blobs).insert(*block.cid(), block.bytes().to_vec());
        Ok(())
    }

    fn blob(&self, cid: &Cid) -> Result<Option<Vec<u8>>, PortError> {
        Ok(lock(&self.blobs).get(cid).cloned())
    }

    fn drop_blob(&self, cid: &Cid) -> Result<(), PortError> {
        lock(&self.blobs).remove(cid);
        Ok(())
    }

    fn settle(&self) -> Result<(), PortError> {
        Ok(())
    }

    fn drop_file(&self, path: &str, sha256: &Digest) -> FileFate {
        let mut files = lock(&self.files);
        match files.get(path) {
            // A program wrote a real one.
            None => match std::fs::read(path) {
                Err(_) => FileFate::Gone,
                Ok(bytes)
                    if Digest::of(&bytes) == *sha256 && std::fs::remove_file(path).is_ok() =>
                {
                    FileFate::Removed
                }
                Ok(_) => FileFate::Stays {
                    why: "it was changed since".into(),
                },
            },
            Some(bytes) if Digest::of(bytes) == *sha256 => {
                files.remove(path);
                FileFate::Removed
            }
            Some(_) => FileFate::Stays {
                why: "it was changed since".into(),
            },
        }
    }
}

/// A clock that is set by hand.
#[derive(Debug)]
pub struct MemoryClock {
    now: AtomicU64,
    silent: Arc<Silent>,
}

#[async_trait]
impl Clock for MemoryClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::SeqCst))
    }

    fn elapsed(&self) -> Duration {
        self.silent.elapsed()
    }

    async fn wait(&self, time: Duration) {
        self.silent.wait(time).await;
    }
}

/// One keeper: the real machine over the memory ledger's facts.
#[derive(Debug)]
struct Keeper {
    identity: KeeperIdentity,
    state: Mutex<State>,
}

impl Keeper {
    fn facts(&self) -> KeeperFacts {
        KeeperFacts {
            index: self.identity.index,
            signer: self.identity.address(),
            wrap_key: self.identity.wrap_keys[0].public(),
            endpoint: format!("memory:{}", self.identity.index),
        }
    }
}

/// One chain, one node, seven keepers, in memory.
pub struct World {
    /// The chain.
    pub ledger: Arc<MemoryLedger>,
    /// The node's storage.
    pub store: Arc<MemoryStore>,
    clock: Arc<MemoryClock>,
    mail: Mutex<BTreeMap<Address, Vec<Letter>>>,
    notes: Mutex<BTreeMap<AccountId, BTreeMap<u8, Vec<u8>>>>,
    keepers: Vec<Keeper>,
    down: Mutex<BTreeSet<u8>>,
    /// Keepers that no configuration names any more.
    dismissed: Mutex<BTreeSet<u8>>,
    silent: Arc<Silent>,
    /// Nodes beside the first.
    nodes: Mutex<BTreeSet<String>>,
    /// The last block of the node, and of keepers.
    marks: Mutex<BTreeMap<Option<u8>, Mark>>,
    authority: SigningKey,
    domain: TypedDomain,
    entropy: Mutex<SeededEntropy>,
    seeds: AtomicU64,
}

impl core::fmt::Debug for World {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("World")
            .field("keepers", &self.keepers.len())
            .finish_non_exhaustive()
    }
}

fn key(entropy: &mut dyn Entropy) -> SigningKey {
    let mut bytes = [0; 32];
    entropy.fill(&mut bytes);
    SigningKey::from_bytes(&bytes)
        .expect("a random number is below the curve's order but with chance 2^-127")
}

impl World {
    /// A new world with 4 of 7 keepers; everything random in it follows from `seed`.
    pub fn new(seed: u64) -> Arc<Self> {
        let mut entropy = SeededEntropy::new(seed);
        let now = Timestamp(1_800_000_000);
        let domain = TypedDomain {
            chain_id: 31_337,
            records: Address::new([0x52; 20]),
        };
        let threshold = Threshold::new(7, 4).expect("4 of 7 is a threshold");
        let keepers: Vec<Keeper> = (1..=7)
            .map(|index| {
                let mut wrap = [0; 32];
                entropy.fill(&mut wrap);
                let identity = KeeperIdentity {
                    index,
                    signer: key(&mut entropy),
                    wrap_keys: vec![SealingSecret::from_bytes(1, wrap)],
                    domain,
                    finality_lag: 0,
                };
                Keeper {
                    identity,
                    state: Mutex::new(State::new()),
                }
            })
            .collect();
        let facts = keepers.iter().map(Keeper::facts).collect();
        let silent = Arc::new(Silent::default());
        Arc::new(Self {
            ledger: Arc::new(MemoryLedger::new(threshold, facts, now)),
            store: Arc::new(MemoryStore::new()),
            clock: Arc::new(MemoryClock {
                now: AtomicU64::new(now.0),
                silent: silent.clone(),
            }),
            mail: Mutex::default(),
            notes: Mutex::default(),
            keepers,
            down: Mutex::default(),
            dismissed: Mutex::default(),
            silent,
            nodes: Mutex::default(),
            marks: Mutex::default(),
            authority: key(&mut entropy),
            domain,
            entropy: Mutex::new(entropy),
            seeds: AtomicU64::new(seed << 16),
        })
    }

    /// The last block that the node, or a keeper, says that it took.
    pub fn has_read(&self, who: Option<u8>, mark: Mark) {
        lock(&self.marks).insert(who, mark);
    }

    /// Ports of one more party, with an empty vault.
    pub fn ports(self: &Arc<Self>) -> Ports {
        self.ports_with(Arc::new(MemoryVault::default()))
    }

    /// Ports of a party whose vault is this.
    pub fn ports_with(self: &Arc<Self>, vault: Arc<dyn VaultPort>) -> Ports {
        Ports {
            submit: self.ledger.clone(),
            relay: self.ledger.clone(),
            facts: self.ledger.clone(),
            events: self.ledger.clone(),
            network: Arc::new(MemoryNetwork {
                world: self.clone(),
                node: NODE.into(),
            }),
            vault,
            clock: self.clock.clone(),
            entropy: Arc::new(Mutex::new(SeededEntropy::new(
                self.seeds.fetch_add(1, Ordering::SeqCst),
            ))),
            pace: Pace::NOW,
            domain: self.domain,
            authority: self.authority.address().into(),
        }
    }

    /// Ports of one more party, at another node of this name.
    pub fn ports_at(self: &Arc<Self>, node: &str) -> Ports {
        lock(&self.nodes).insert(node.into());
        Ports {
            network: Arc::new(MemoryNetwork {
                world: self.clone(),
                node: node.into(),
            }),
            ..self.ports()
        }
    }

    /// Keepers and nodes that take questions and never answer.
    pub fn silent(&self) -> &Silent {
        &self.silent
    }

    /// Moves the clock of everybody and the chain's.
    pub fn pass(&self, seconds: u64) {
        let now = Timestamp(self.clock.now.fetch_add(seconds, Ordering::SeqCst) + seconds);
        self.ledger.set_time(now);
    }

    /// A keeper is in no configuration any more: a committee without its place was formed.
    pub fn dismiss(&self, index: u8) {
        lock(&self.dismissed).insert(index);
    }

    /// Stops or starts a keeper.
    pub fn set_down(&self, index: u8, is_down: bool) {
        let mut down = lock(&self.down);
        if is_down {
            down.insert(index)
        } else {
            down.remove(&index)
        };
    }

    /// A keeper loses its data folder.
    pub fn lose(&self, index: u8) {
        let keeper = self.keepers.iter().find(|it| it.identity.index == index);
        if let Some(keeper) = keeper {
            *lock(&keeper.state) = State::new();
        }
    }

    /// Puts the first n keepers in force as another committee.
    pub fn form_committee(&self, threshold: Threshold) {
        let facts = self.keepers.iter().map(Keeper::facts);
        let keepers = facts.take(threshold.n().into()).collect();
        self.ledger.form_committee(threshold, keepers);
    }

    /// The authority accredits an account for ten years and gives it its credential.
    pub fn accredit(&self, account: AccountId, name: &str) -> String {
        let from = self.clock.now();
        let credential = Credential {
            account,
            name: name.to_owned(),
            profession: "hospital".into(),
            jurisdiction: "KR".into(),
            from,
            until: from.plus(10 * 365 * 86_400),
        };
        let jwt = credential.issue(&self.authority);
        self.ledger
            .accredit(account, from, credential.until, Digest::of(jwt.as_bytes()));
        jwt
    }

    /// The notes that the node keeps, by account and place.
    pub fn notes(&self) -> BTreeMap<AccountId, BTreeMap<u8, Vec<u8>>> {
        lock(&self.notes).clone()
    }

    /// Has the node keep these notes instead: older ones, none, or what nobody wrote.
    pub fn set_notes(&self, notes: BTreeMap<AccountId, BTreeMap<u8, Vec<u8>>>) {
        *lock(&self.notes) = notes;
    }

    /// Has the node lose the letters that wait, and gives how many they were.
    pub fn lose_letters(&self) -> usize {
        let lost = core::mem::take(&mut *lock(&self.mail));
        lost.values().map(Vec::len).sum()
    }

    /// Everything that the node, the keepers' feeds and the mailboxes hold, for a scan.
    pub fn letters(&self) -> Vec<Letter> {
        lock(&self.mail).values().flatten().cloned().collect()
    }

    fn keeper(&self, index: u8) -> Result<&Keeper, PortError> {
        if lock(&self.down).contains(&index) {
            return Err(PortError::Unreachable {
                peer: format!("keeper {index}"),
                why: "it is stopped".into(),
            });
        }
        let is_dismissed = lock(&self.dismissed).contains(&index);
        let at = usize::from(index).checked_sub(1);
        at.and_then(|at| self.keepers.get(at))
            .filter(|_| !is_dismissed)
            .ok_or_else(|| PortError::Refused {
                peer: format!("keeper {index}"),
                why: "there is no such keeper".into(),
            })
    }

    fn facts(&self, record: RecordId, request: Option<&SignedRequest>) -> Facts {
        let view = self.ledger.anchor(record).and_then(|(anchor, facts)| {
            Some(RecordView {
                anchor,
                committee: self.ledger.committee_of_record(anchor.record_id())?,
                erased: facts.erased,
            })
        });
        let now = self.clock.now();
        let signer = request.and_then(|signed| {
            recover(&signed.request.digest(&self.domain), &signed.signature)
                .ok()
                .and_then(|signer| self.ledger.account_now(signer))
        });
        let grant = request.and_then(|signed| self.ledger.grant_by_id(signed.request.grant));
        let receipt = request.and_then(|signed| self.ledger.receipt(signed.request.receipt));
        let binding = request.and_then(|signed| signed.request.binding.as_ref());
        let read_at = receipt.map_or(now, |(.., at)| at);
        let bound = binding.is_some_and(|binding| {
            self.is_good(binding.account, now) && self.is_good(binding.account, read_at)
        });
        let bound_signer = binding.and_then(|binding| self.ledger.signer_now(binding.account));
        Facts {
            head: now,
            record: view,
            grant: grant.map(|(grant, facts)| GrantView {
                grant,
                revoked: facts.revoked,
            }),
            receipt: receipt.map(|(record, reader, grant, at)| ReceiptView {
                record,
                reader,
                grant,
                at,
            }),
            signer,
            signer_has_grant: match (signer, view) {
                (Some(signer), Some(view)) => self.ledger.has_any_grant(view.anchor.owner, signer),
                _ => false,
            },
            bound_signer,
            bound_account_is_good: bound,
        }
    }

    fn is_good(&self, account: AccountId, at: Timestamp) -> bool {
        self.ledger.standing_now(account, at).is_good()
    }

    fn ask(&self, index: u8, record: RecordId, event: &Event) -> Result<Reply, PortError> {
        let keeper = self.keeper(index)?;
        let request = if let Event::Release(request) = event {
            Some(&**request)
        } else {
            None
        };
        let facts = self.facts(record, request);
        let mut entropy = lock(&self.entropy);
        let mut state = lock(&keeper.state);
        let effects = step(
            &mut state,
            &keeper.identity,
            event,
            &facts,
            self.clock.now(),
            &mut *entropy,
        );
        let reply = effects.into_iter().find_map(|effect| match effect {
            Effect::Reply(reply) => Some(reply),
            _ => None,
        });
        reply.ok_or_else(|| PortError::Corrupt {
            peer: format!("keeper {index}"),
            why: "no reply".into(),
        })
    }
}

/// The first node.
const NODE: &str = "memory:node";
/// Bytes of notes that it keeps of one account.
const NOTES: usize = 1 << 20;

#[derive(Debug)]
struct MemoryNetwork {
    world: Arc<World>,
    node: String,
}

#[async_trait]
impl Network for MemoryNetwork {
    fn store(&self, _actor: &SigningKey) -> Arc<dyn Store> {
        self.world.store.clone()
    }

    fn mailbox(&self, actor: &SigningKey, url: &str) -> Arc<dyn Mailbox> {
        Arc::new(Acting {
            world: self.world.clone(),
            actor: actor.address(),
            node: url.to_owned(),
        })
    }

    fn keepers(&self, actor: &SigningKey) -> Arc<dyn Keepers> {
        Arc::new(Acting {
            world: self.world.clone(),
            actor: actor.address(),
            node: self.node.clone(),
        })
    }

    async fn mark(&self, keeper: Option<u8>) -> Result<Option<Mark>, PortError> {
        if let Some(index) = keeper {
            self.world.silent.keeper(index).await?;
        }
        Ok(lock(&self.world.marks).get(&keeper).copied())
    }

    fn own_node(&self) -> String {
        self.node.clone()
    }

    fn is_listed(&self, url: &str) -> bool {
        url == NODE || lock(&self.world.nodes).contains(url)
    }
}

#[derive(Debug)]
struct Acting {
    world: Arc<World>,
    actor: Address,
    /// Whose mailboxes it asks.
    node: String,
}

impl Acting {
    fn is_party(&self, record: RecordId) -> bool {
        let account = self.account();
        let found = self.world.ledger.anchor(record);
        found.is_some_and(|(anchor, _)| [anchor.owner, anchor.author].map(Some).contains(&account))
    }

    /// Whom it acts for now; nobody if it is not registered, or was rotated away.
    fn account(&self) -> Option<AccountId> {
        self.world.ledger.account_now(self.actor)
    }

    /// Whose letters it fetches: they are under its account's first address, which others know.
    fn box_of(&self) -> Option<Address> {
        self.account().map(AccountId::first_address)
    }
}

#[async_trait]
impl Mailbox for Acting {
    async fn send(&self, letter: &Letter) -> Result<(), PortError> {
        self.world.silent.node(&self.node).await?;
        let mut mail = lock(&self.world.mail);
        let letters = mail.entry(letter.recipient).or_default();
        if letters.iter().all(|old| old.id != letter.id) {
            letters.push(letter.clone());
        }
        Ok(())
    }

    async fn fetch(&self) -> Result<Vec<Letter>, PortError> {
        let mail = lock(&self.world.mail);
        let own = self.box_of().and_then(|own| mail.get(&own).cloned());
        Ok(own.unwrap_or_default())
    }

    async fn done(&self, id: [u8; 32]) -> Result<(), PortError> {
        self.done_all(&[id]).await
    }

    async fn done_all(&self, ids: &[[u8; 32]]) -> Result<(), PortError> {
        let mut mail = lock(&self.world.mail);
        if let Some(letters) = self.box_of().and_then(|own| mail.get_mut(&own)) {
            letters.retain(|letter| !ids.contains(&letter.id));
        }
        Ok(())
    }

    async fn notes(&self) -> Result<Vec<(u8, Vec<u8>)>, PortError> {
        self.world.silent.node(&self.node).await?;
        let own = self.account().ok_or_else(nobody)?;
        let notes = lock(&self.world.notes);
        let of = notes.get(&own).into_iter().flatten();
        Ok(of.map(|(place, sealed)| (*place, sealed.clone())).collect())
    }

    async fn keep_note(
        &self,
        place: u8,
        follows: Option<Digest>,
        sealed: Vec<u8>,
    ) -> Result<bool, PortError> {
        self.world.silent.node(&self.node).await?;
        let own = self.account().ok_or_else(nobody)?;
        let mut notes = lock(&self.world.notes);
        let notes = notes.entry(own).or_default();
        let there = notes.get(&place);
        if there == Some(&sealed) {
            return Ok(true);
        }
        if there.map(|there| Digest::of(there)) != follows {
            return Ok(false);
        }
        let others = notes.iter().filter(|(at, _)| **at != place);
        let others: usize = others.map(|(_, sealed)| sealed.len()).sum();
        if others + sealed.len() > NOTES {
            return Err(PortError::Limit {
                peer: self.node.clone(),
                why: "1 MiB of notes of one account".into(),
            });
        }
        notes.insert(place, sealed);
        Ok(true)
    }
}

#[async_trait]
impl Keepers for Acting {
    async fn deposit(
        &self,
        index: u8,
        deposit: &ShareDeposit,
    ) -> Result<SignedAcknowledgement, PortError> {
        self.world.silent.keeper(index).await?;
        let sender = self.account().ok_or_else(|| stranger(index))?;
        let event = Event::Deposit {
            sender,
            deposit: deposit.clone(),
        };
        match self.world.ask(index, deposit.record, &event)? {
            Reply::Acknowledged(acknowledgement) => Ok(acknowledgement),
            reply => Err(refused(index, &reply)),
        }
    }

    async fn acknowledgement(
        &self,
        index: u8,
        record: RecordId,
    ) -> Result<Option<SignedAcknowledgement>, PortError> {
        if self.world.silent.keeper(index).await.is_err() {
            return Ok(None);
        }
        if !self.is_party(record) {
            return self.world.keeper(index).map(|_| None);
        }
        match self
            .world
            .ask(index, record, &Event::Acknowledgement { record })?
        {
            Reply::Acknowledged(acknowledgement) => Ok(Some(acknowledgement)),
            _ => Ok(None),
        }
    }

    async fn release(&self, index: u8, request: &SignedRequest) -> Result<SignedReply, PortError> {
        self.world.silent.keeper(index).await?;
        match self.world.ask(
            index,
            request.request.record,
            &Event::Release(Box::new(request.clone())),
        )? {
            Reply::Released(reply) => Ok(reply),
            reply => Err(refused(index, &reply)),
        }
    }

    async fn feed(&self, index: u8) -> Result<Vec<SignedLine>, PortError> {
        self.world.silent.keeper(index).await?;
        let keeper = self.world.keeper(index)?;
        // Real keepers know registered addresses only.
        let account = self.account().ok_or_else(|| stranger(index))?;
        let state = lock(&keeper.state);
        Ok(state.feed().of(account).to_vec())
    }

    async fn deletion(
        &self,
        index: u8,
        record: RecordId,
    ) -> Result<Option<DeletionStatement>, PortError> {
        if self.world.silent.keeper(index).await.is_err() {
            return Ok(None);
        }
        if !self.is_party(record) {
            return self.world.keeper(index).map(|_| None);
        }
        match self.world.ask(index, record, &Event::Erased { record })? {
            Reply::Deleted(statement) => Ok(Some(statement)),
            _ => Ok(None),
        }
    }
}

fn nobody() -> PortError {
    PortError::Refused {
        peer: "the node".into(),
        why: "no account has this address; register it".into(),
    }
}

fn stranger(index: u8) -> PortError {
    PortError::Refused {
        peer: format!("keeper {index}"),
        why: "no account has this address; register it".into(),
    }
}

fn refused(index: u8, reply: &Reply) -> PortError {
    let why = match reply {
        Reply::Refused(reason) => reason.to_string(),
        _ => "an answer to another question".into(),
    };
    PortError::Refused {
        peer: format!("keeper {index}"),
        why,
    }
}
