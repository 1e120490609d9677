//! Key lists and consents as an owner makes them who holds valid keys and skips all local checks.
#![allow(dead_code, reason = "each test takes of it what it needs")]

use std::sync::Arc;

use medibloc_consent::{AnchorFields, Grant, List, ListProof, Scope, Terms};
use medibloc_dag::{Block, Codec, cbor};
use medibloc_evil::owner::call;
use medibloc_journey::memory::World;
use medibloc_journey::{Artefact, Party};
use medibloc_keys::{Language, Phrase, SeededEntropy, SigningKey, hpke_seal, info};
use medibloc_ledger::Call;
use medibloc_record::{
    AccountId, Digest, GrantId, Nonce, RecordId, SealingKey, Wrapped, keccak256,
};
use serde::Serialize;

#[derive(Serialize)]
struct Key {
    anchor: AnchorFields,
    #[serde(serialize_with = "bytes")]
    owner_half: [u8; 32],
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<ListProof>,
}

fn bytes<S: serde::Serializer>(half: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_bytes(half)
}

#[derive(Serialize)]
struct Delivery {
    version: u8,
    keys: Wrapped,
    to_owner: Wrapped,
}

#[derive(Serialize)]
struct Given {
    version: u8,
    to_reader: Wrapped,
    to_owner: Wrapped,
    keys: Option<Wrapped>,
}

/// A consent of a patient's home whose phrase is of [`super::two::party`] with seed 1.
pub(crate) struct Liar {
    key: SigningKey,
    to: SealingKey,
    pub(crate) grant: Grant,
    artefact: Artefact,
}

impl Liar {
    /// By the own address that gave, and the name that the home calls the reader.
    pub(crate) async fn new(
        world: &Arc<World>,
        home: &Party,
        owner: AccountId,
        name: &str,
    ) -> Self {
        let mut given = home.grants().unwrap().into_iter().map(|(_, given)| given);
        let given = given
            .find(|given| given.own == owner && given.artefact.name == name)
            .unwrap();
        let grant = given.artefact.grant.clone().unwrap();
        let mut own = home.addresses().unwrap().into_iter();
        let own = own.find(|own| own.id() == given.own).unwrap();
        let phrase = Phrase::generate(&mut SeededEntropy::new(1), Language::English);
        let reader = world.ports().facts.account(grant.reader).await.unwrap();
        Self {
            key: phrase.seed().relationship_key(own.index.unwrap()),
            to: reader.unwrap().sealing_key,
            grant,
            artefact: given.artefact,
        }
    }

    async fn store(&self, world: &Arc<World>, object: &impl Serialize) -> Digest {
        let block = Block::of(Codec::DagCbor, cbor::to_vec(object)).unwrap();
        let digest = Digest::new(block.cid().digest());
        let network = world.ports().network;
        network.store(&self.key).put(vec![block]).await.unwrap();
        digest
    }

    /// A key list of these anchors.
    pub(crate) async fn deliver(&self, world: &Arc<World>, number: u32, anchors: &[AnchorFields]) {
        let grant = &self.grant;
        let ports = world.ports();
        let about = info::deliver(&ports.domain, grant.owner, grant.reader, grant.id, number);
        let records: Vec<RecordId> = anchors.iter().map(AnchorFields::record_id).collect();
        let mut drawn = u64::from(number);
        let list = List::of(&records, || {
            drawn += 1 << 32;
            keccak256(&drawn.to_be_bytes())
        });
        let is_listed = matches!(grant.terms.scope, Scope::Listed(_));
        let key = |(anchor, proof): (&AnchorFields, ListProof)| Key {
            anchor: *anchor,
            owner_half: [5; 32],
            proof: is_listed.then_some(proof),
        };
        let keys: Vec<Key> = anchors.iter().zip(list.proofs).map(key).collect();
        let mut entropy = SeededEntropy::new(u64::from(number));
        let keys = hpke_seal(&self.to, &about, &cbor::to_vec(&keys), &mut entropy).unwrap();
        let to_owner = hpke_seal(&self.to, &about, b"nothing", &mut entropy).unwrap();
        let version = 1;
        let object = Delivery {
            version,
            keys,
            to_owner,
        };
        let digest = self.store(world, &object).await;
        let deliver = Call::Deliver {
            grant: grant.clone(),
            number,
            digest,
            root: is_listed.then_some(list.root),
        };
        call(&ports, &self.key, &deliver).await.unwrap();
    }

    /// Puts records of its own on the chain.
    pub(crate) async fn anchor(&self, world: &Arc<World>, anchors: &[AnchorFields]) {
        for batch in anchors.chunks(50) {
            let batch = Call::AnchorBatch {
                batch: batch.to_vec(),
                amended: Vec::new(),
            };
            call(&world.ports(), &self.key, &batch).await.unwrap();
        }
    }

    /// Another consent to the same reader that names these records, without any key; lists go by its id, which begins with zeros.
    pub(crate) async fn name(&self, world: &Arc<World>, records: &[RecordId]) -> Grant {
        let (old, ports) = (&self.grant, world.ports());
        let mut nonces = (0_u32..).map(|n| Nonce::new(keccak256(&n.to_be_bytes())));
        let first =
            |nonce: &Nonce| GrantId::derive(old.owner, old.reader, *nonce).as_bytes()[0] == 0;
        let nonce = nonces.find(first).unwrap();
        let with = |digest| {
            let terms = Terms {
                digest,
                ..old.terms.clone()
            };
            Grant::new(old.owner, old.reader, nonce, terms)
        };
        let grant = with(Digest::new([0; 32]));
        let mut artefact = self.artefact.clone();
        artefact.records = records.to_vec();
        artefact.grant = Some(grant.clone());
        let plain = cbor::to_vec(&artefact);
        let mut entropy = SeededEntropy::new(7);
        let mut wrap = |recipient: AccountId| {
            let about =
                info::grant_object(&ports.domain, old.owner, old.reader, grant.id, recipient);
            hpke_seal(&self.to, &about, &plain, &mut entropy).unwrap()
        };
        let object = Given {
            version: 1,
            to_reader: wrap(old.reader),
            to_owner: wrap(old.owner),
            keys: None,
        };
        let grant = with(self.store(world, &object).await);
        let named = grant.clone();
        let anchor = None;
        call(&ports, &self.key, &Call::Grant { grant, anchor })
            .await
            .unwrap();
        named
    }

    /// Takes a consent back.
    pub(crate) async fn end(&self, world: &Arc<World>, grant: Grant) {
        let ends = Call::Revoke(grant);
        call(&world.ports(), &self.key, &ends).await.unwrap();
    }
}
