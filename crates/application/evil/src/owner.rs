//! An owner that grants to whom it likes: the object is sealed well to a reader that never met it, and names a node of
//! its own.

use medibloc_consent::{BindingTag, Grant, Purpose, Scope, Terms};
use medibloc_dag::{Block, Codec, cbor};
use medibloc_journey::{Artefact, Ports};
use medibloc_keys::{Entropy as _, SeededEntropy, SigningKey, hpke_seal, info};
use medibloc_ledger::{Call, LedgerError, Outcome};
use medibloc_record::{
    AccountId, Address, Digest, Nonce, Role, SealingKey, Sensitivity, Timestamp, Wrapped,
};
use serde::Serialize;

/// The grant object as docs/format/messages.md has it.
#[derive(Serialize)]
struct Object {
    version: u8,
    to_reader: Wrapped,
    to_owner: Wrapped,
    keys: Option<Wrapped>,
}

/// A registered key that grants.
#[derive(Debug)]
pub struct Owner {
    /// Its key.
    pub key: SigningKey,
    sealing: SealingKey,
    entropy: SeededEntropy,
}

/// Signs and sends a call.
///
/// # Errors
/// As the relay.
pub async fn call(ports: &Ports, key: &SigningKey, call: &Call) -> Result<Outcome, LedgerError> {
    let deadline = ports.facts.head().await?.time.plus(600);
    let unsigned = ports.submit.prepare(key.address(), call, deadline).await?;
    let signature = key.sign_digest(&unsigned.digest);
    ports.relay.relay(&unsigned.sign(signature)).await
}

impl Owner {
    /// Registers a fresh key.
    ///
    /// # Errors
    /// As the relay.
    pub async fn register(ports: &Ports, key: SigningKey, seed: u64) -> Result<Self, LedgerError> {
        let mut entropy = SeededEntropy::new(seed);
        let mut sealing_key = [0; 32];
        entropy.fill(&mut sealing_key);
        let registers = Call::Register {
            role: Role::Person,
            sealing_key,
        };
        call(ports, &key, &registers).await?;
        let sealing = SealingKey {
            version: 1,
            key: sealing_key,
        };
        Ok(Self {
            key,
            sealing,
            entropy,
        })
    }

    /// Its account.
    pub fn id(&self) -> AccountId {
        AccountId::from_first_address(self.key.address())
    }

    /// Grants everything to a reader that did not ask; the object says that it is paired with `paired` and where its
    /// node is, and shows what `pairing` is given.
    ///
    /// # Errors
    /// As the relay.
    ///
    /// # Panics
    /// If the store does not take the object.
    pub async fn grant(
        &mut self,
        ports: &Ports,
        (reader, reader_key): (AccountId, &SealingKey),
        (paired, node): (Address, &str),
        binding: BindingTag,
        pairing: Option<medibloc_journey::Pairing>,
    ) -> Result<Outcome, LedgerError> {
        let mut random = [0; 32];
        self.entropy.fill(&mut random);
        let now = ports.facts.head().await?.time;
        let until = Timestamp(now.0 + 86_400);
        let terms = |digest| Terms {
            scope: Scope::All,
            purpose_tag: Purpose::Treatment.tag(random),
            from: now,
            until,
            reads: None,
            binding,
            digest,
        };
        let none = Digest::new([0; 32]);
        let grant = Grant::new(self.id(), reader, Nonce::new(random), terms(none));
        let artefact = Artefact {
            version: 1,
            purpose: Purpose::Treatment,
            reason: "you never asked".into(),
            erase_by: until,
            name: "Stranger".into(),
            account: None,
            credential: None,
            party: self.id(),
            paired: AccountId::from_first_address(paired),
            node: node.into(),
            owner_node: node.into(),
            grant: Some(grant.clone()),
            write: None,
            purpose_salt: random,
            reason_salt: None,
            binding: None,
            request: None,
            records: Vec::new(),
            extent: None,
            sensitivity: Sensitivity::Normal,
            categories: Vec::new(),
            dates: None,
            pairing,
        };
        let plain = cbor::to_vec(&artefact);
        let wrap = |to: &SealingKey, recipient| {
            let info = info::grant_object(&ports.domain, self.id(), reader, grant.id, recipient);
            hpke_seal(to, &info, &plain, &mut SeededEntropy::new(7)).expect("a sealing key")
        };
        let object = Object {
            version: 1,
            to_reader: wrap(reader_key, reader),
            to_owner: wrap(reader_key, self.id()),
            keys: None,
        };
        let block = Block::of(Codec::DagCbor, cbor::to_vec(&object)).expect("it is small");
        let digest = Digest::new(block.cid().digest());
        let store = ports.network.store(&self.key);
        store.put(vec![block]).await.expect("the store takes it");
        let grant = Grant::new(self.id(), reader, Nonce::new(random), terms(digest));
        let gives = Call::Grant {
            grant,
            anchor: None,
        };
        call(ports, &self.key, &gives).await
    }

    /// Its sealing key, which nobody can open for.
    pub const fn sealing(&self) -> SealingKey {
        self.sealing
    }
}
