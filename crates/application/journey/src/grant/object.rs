//! The stored objects of a grant and of its deliveries: the artefact wrapped twice, key lists to the reader alone.

use std::collections::BTreeSet;

use medibloc_consent::{Grant, ListProof, Scope, WriteGrant};
use medibloc_dag::{Block, Codec, cbor};
use medibloc_keys::{hpke_open, hpke_seal, info};
use medibloc_record::{AccountId, Digest, GrantId, RecordId, SealingKey, Wrapped};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::bounds;
use crate::grant::{Artefact, SharedKey};
use crate::nodes::block_of;
use crate::party::{OwnAddress, decode};
use crate::wipe::cid_of;
use crate::{JourneyError, Party};

/// The stored object: the artefact wrapped twice, the key list to the reader alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct GrantObject {
    version: u8,
    to_reader: Wrapped,
    to_owner: Wrapped,
    keys: Option<Wrapped>,
}

/// A key list of records that were accepted after a grant (row 11b).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct DeliveryObject {
    version: u8,
    /// The key list, to the reader.
    keys: Wrapped,
    /// Which records, to the owner, for its restore.
    to_owner: Wrapped,
}

/// A grant that its reader opened and held against the chain.
pub(crate) struct OpenedGrant {
    pub(crate) artefact: Artefact,
    pub(crate) anchored: Anchored,
    pub(crate) block: Block,
}

/// Keys of an owner's list that the chain has the anchors of.
#[derive(Default)]
pub(crate) struct Anchored {
    pub(crate) keys: Vec<SharedKey>,
    /// There is no room here for all that it gives.
    pub(crate) has_more: bool,
    /// The chain was not asked of those behind them: somebody waits who takes something back.
    pub(crate) gave_way: bool,
}

/// A grant object that is to be stored, with the digest for the chain.
pub(crate) struct Made {
    pub(crate) digest: Digest,
    pub(crate) block: Block,
}

impl Made {
    fn of<T: Serialize>(what: &'static str, object: &T) -> Result<Self, JourneyError> {
        let block = Block::of(Codec::DagCbor, cbor::to_vec(object))
            .map_err(|source| JourneyError::Malformed { what, source })?;
        Ok(Self {
            digest: Digest::new(block.cid().digest()),
            block,
        })
    }
}

impl Party {
    /// The object of a grant, or of a write grant if there are no keys.
    pub(crate) fn make_grant_object(
        &self,
        own: &OwnAddress,
        (reader, reader_key): (AccountId, &SealingKey),
        id: GrantId,
        artefact: &Artefact,
        keys: Option<&[SharedKey]>,
    ) -> Result<Made, JourneyError> {
        let domain = &self.ports.domain;
        let plain = cbor::to_vec(artefact);
        let to = |recipient| info::grant_object(domain, own.id(), reader, id, recipient);
        let keys = keys
            .map(|keys| {
                let plain = Zeroizing::new(cbor::to_vec(keys));
                let info = info::grant_keys(domain, own.id(), reader, id);
                self.wrap(reader_key, &info, &plain)
            })
            .transpose()?;
        let object = GrantObject {
            version: 1,
            to_reader: self.wrap(reader_key, &to(reader), &plain)?,
            to_owner: self.wrap(&self.sealing(own).public(), &to(own.id()), &plain)?,
            keys,
        };
        Made::of("grant object", &object)
    }

    /// The object of a delivery.
    pub(crate) fn make_delivery_object(
        &self,
        own: &OwnAddress,
        (reader, reader_key): (AccountId, &SealingKey),
        (id, number): (GrantId, u32),
        keys: &[SharedKey],
    ) -> Result<Made, JourneyError> {
        let domain = &self.ports.domain;
        let plain = Zeroizing::new(cbor::to_vec(keys));
        let records: Vec<RecordId> = keys.iter().map(|key| key.anchor.record_id()).collect();
        let to = |recipient| info::deliver(domain, own.id(), recipient, id, number);
        let object = DeliveryObject {
            version: 1,
            keys: self.wrap(reader_key, &to(reader), &plain)?,
            to_owner: self.wrap(
                &self.sealing(own).public(),
                &to(own.id()),
                &cbor::to_vec(&records),
            )?,
        };
        Made::of("delivery", &object)
    }

    fn wrap(&self, to: &SealingKey, info: &[u8], plain: &[u8]) -> Result<Wrapped, JourneyError> {
        let mut entropy = self
            .ports
            .entropy
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        Ok(hpke_seal(to, info, plain, &mut *entropy)?)
    }

    fn unwrap(
        &self,
        own: &OwnAddress,
        info: &[u8],
        wrapped: &Wrapped,
    ) -> Result<Zeroizing<Vec<u8>>, JourneyError> {
        let secret = self.sealing_at(own, wrapped.key_version);
        Ok(hpke_open(&secret, info, wrapped)?)
    }

    async fn stored_object(
        &self,
        own: &OwnAddress,
        digest: Digest,
        what: &'static str,
    ) -> Result<Vec<u8>, JourneyError> {
        let store = self.store_of(own);
        self.object_once(store.as_ref(), digest, what).await
    }

    /// An object that may be a stranger's: not kept before it is known whose it is.
    async fn passing_object(
        &self,
        own: &OwnAddress,
        digest: Digest,
    ) -> Result<Block, JourneyError> {
        let (what, cid) = ("grant object", cid_of(digest));
        let Some(bytes) = self.ports.vault.blob(&cid)? else {
            let store = self.store_of(own);
            let hint = "no node has it for this address; ask its owner to give it again";
            return block_of(store.as_ref(), &cid, what, hint).await;
        };
        Block::new(cid, bytes).map_err(|source| JourneyError::Malformed { what, source })
    }

    /// A grant as its reader opens it. Only keys of records that the grant covers are taken.
    pub(crate) async fn open_grant(
        &self,
        own: &OwnAddress,
        grant: &Grant,
    ) -> Result<OpenedGrant, JourneyError> {
        let (mut artefact, keys, block) = self.granted_keys(own, grant).await?;
        let room = self.room_for(grant.owner)?;
        let anchored = self.anchored_keys(grant.id, keys, room).await?;
        // Of what comes without a key nothing says whose it is.
        let mut records: BTreeSet<RecordId> = anchored.keys.iter().map(SharedKey::record).collect();
        for record in &artefact.records {
            if self.is_opened_by(grant.id, *record)? {
                records.insert(*record);
            }
        }
        artefact.records.retain(|record| records.contains(record));
        Ok(OpenedGrant {
            artefact,
            anchored,
            block,
        })
    }

    /// What a grant says and gives, by its owner's word.
    pub(crate) async fn granted_keys(
        &self,
        own: &OwnAddress,
        grant: &Grant,
    ) -> Result<(Artefact, Vec<SharedKey>, Block), JourneyError> {
        let block = self.passing_object(own, grant.terms.digest).await?;
        let object: GrantObject = decode("grant object", block.bytes())?;
        is_known("grant object", object.version)?;
        let domain = &self.ports.domain;
        let info = info::grant_object(domain, grant.owner, grant.reader, grant.id, grant.reader);
        let mut artefact: Artefact = decode("grant", &self.unwrap(own, &info, &object.to_reader)?)?;
        bounds::grant(&artefact)?;
        artefact.grant = Some(grant.clone());
        let mut keys: Vec<SharedKey> = match &object.keys {
            Some(keys) => {
                let info = info::grant_keys(domain, grant.owner, grant.reader, grant.id);
                decode("key list", &self.unwrap(own, &info, keys)?)?
            }
            None => Vec::new(),
        };
        bounds::keys(&keys)?;
        keys.retain(|key| is_covered(grant, key) && is_in_first_list(grant, key));
        Ok((artefact, keys, block))
    }

    /// A write grant as its author opens it.
    pub(crate) async fn open_write_grant(
        &self,
        own: &OwnAddress,
        write: &WriteGrant,
    ) -> Result<Artefact, JourneyError> {
        let block = self.passing_object(own, write.digest).await?;
        let object: GrantObject = decode("grant object", block.bytes())?;
        is_known("grant object", object.version)?;
        let id = GrantId::derive(write.owner, write.author, write.nonce);
        let domain = &self.ports.domain;
        let info = info::grant_object(domain, write.owner, write.author, id, write.author);
        let artefact = decode("grant", &self.unwrap(own, &info, &object.to_reader)?)?;
        bounds::grant(&artefact)?;
        Ok(artefact)
    }

    /// The keys of a delivery as the reader opens it, as its owner says them.
    pub(crate) async fn delivered_keys(
        &self,
        own: &OwnAddress,
        grant: &Grant,
        (number, digest): (u32, Digest),
    ) -> Result<Vec<SharedKey>, JourneyError> {
        let bytes = self.stored_object(own, digest, "delivery").await?;
        let object: DeliveryObject = decode("delivery", &bytes)?;
        is_known("delivery", object.version)?;
        let info = info::deliver(
            &self.ports.domain,
            grant.owner,
            grant.reader,
            grant.id,
            number,
        );
        let mut keys: Vec<SharedKey> = decode("key list", &self.unwrap(own, &info, &object.keys)?)?;
        bounds::keys(&keys)?;
        keys.retain(|key| is_covered(grant, key));
        Ok(keys)
    }

    /// Those of an owner's keys whose anchors the chain has word for word, one of a record: an id has neither in it what its
    /// record corrects nor what it is made of. Whoever lists many that the chain does not have is not listened to further. Those
    /// that the grant has already are left out, and the chain is not asked of more than there is room for, nor of any while somebody
    /// waits who takes something back.
    pub(crate) async fn anchored_keys(
        &self,
        grant: GrantId,
        keys: Vec<SharedKey>,
        room: usize,
    ) -> Result<Anchored, JourneyError> {
        let (mut anchored, mut seen, mut hollow) = (Anchored::default(), BTreeSet::new(), 0);
        for key in keys {
            if seen.contains(&key.record()) || self.is_opened_by(grant, key.record())? {
                continue;
            }
            anchored.has_more = anchored.keys.len() >= room;
            anchored.gave_way = self.patience.is_called();
            if anchored.has_more || anchored.gave_way {
                break;
            }
            if self.ports.facts.is_anchored(&key.anchor).await? {
                seen.insert(key.record());
                anchored.keys.push(key);
                continue;
            }
            hollow += 1;
            if hollow == bounds::MOST_HOLLOW {
                break;
            }
        }
        Ok(anchored)
    }

    /// The owner's side of a delivery, after a restore.
    pub(crate) async fn restore_delivery(
        &self,
        own: &OwnAddress,
        id: GrantId,
        number: u32,
        digest: Digest,
    ) -> Result<Vec<RecordId>, JourneyError> {
        let bytes = self.stored_object(own, digest, "delivery").await?;
        let object: DeliveryObject = decode("delivery", &bytes)?;
        is_known("delivery", object.version)?;
        let info = info::deliver(&self.ports.domain, own.id(), own.id(), id, number);
        decode("delivery", &self.unwrap(own, &info, &object.to_owner)?)
    }

    /// The owner's side of a grant event, after a restore: the consent and the contact's name come back.
    pub(crate) async fn restore_grant(
        &self,
        own: &OwnAddress,
        other: AccountId,
        id: GrantId,
        digest: Digest,
    ) -> Result<Artefact, JourneyError> {
        let bytes = self.stored_object(own, digest, "grant object").await?;
        let object: GrantObject = decode("grant object", &bytes)?;
        is_known("grant object", object.version)?;
        let info = info::grant_object(&self.ports.domain, own.id(), other, id, own.id());
        decode("grant", &self.unwrap(own, &info, &object.to_owner)?)
    }
}

fn is_known(what: &'static str, version: u8) -> Result<(), JourneyError> {
    if version == 1 {
        return Ok(());
    }
    Err(JourneyError::Untrusted {
        what,
        why: "it is of a later version; use a newer program".into(),
    })
}

/// Whether a grant can give this key. That the chain has the root of a list which follows later it says when the record is opened.
fn is_covered(grant: &Grant, key: &SharedKey) -> bool {
    let is_listed = matches!(grant.terms.scope, Scope::Listed(_));
    let proof = key.proof.as_ref();
    key.anchor.owner == grant.owner
        && proof.is_some() == is_listed
        && proof.is_none_or(|proof| proof.path.len() <= ListProof::LONGEST)
        && grant.covers(key.record(), key.anchor.class)
}

/// Whether what came with a grant is in the list that it begins with.
fn is_in_first_list(grant: &Grant, key: &SharedKey) -> bool {
    match (grant.terms.scope, &key.proof) {
        (Scope::Listed(first), Some(proof)) => proof.root(key.record()) == first,
        _ => true,
    }
}
