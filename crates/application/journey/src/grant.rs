//! Ask and grant (design 11, rows 5, 10, 11): the grant object goes to storage first, its digest on chain.

use medibloc_consent::{AnchorFields, Binding, Grant, KindSet, Purpose, Scope, Terms, WriteGrant};
use medibloc_dag::{Block, Codec, cbor};
use medibloc_keys::{SigningKey, hpke_open, hpke_seal, info};
use medibloc_ledger::Call;
use medibloc_record::{
    AccountId, Address, Digest, GrantId, KeySet, Kind, Nonce, Package, RecordId, SealingKey,
    SignedAttestation, Timestamp, Wrapped,
};
use serde::{Deserialize, Serialize};

use crate::mail::{AccessRequest, Message};
use crate::pairing::Contact;
use crate::party::{OwnAddress, change, decode, table};
use crate::{JourneyError, Party};

/// What a person agreed to; sealed to the reader and to the owner (design 02, grant object).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artefact {
    /// 1.
    pub version: u8,
    /// What for.
    pub purpose: Purpose,
    /// In words.
    pub reason: String,
    /// Erase what was read by then.
    pub erase_by: Timestamp,
    /// The contact's name, for the owner's restore.
    pub name: String,
    /// The contact's accredited account, or none.
    pub account: Option<AccountId>,
    /// The contact's node.
    pub node: String,
    /// The grant's fields, as on chain.
    pub grant: Option<Grant>,
    /// The write grant's fields.
    pub write: Option<WriteGrant>,
    /// Salt of the purpose tag.
    #[serde(with = "serde_bytes")]
    pub purpose_salt: [u8; 32],
    /// Opening of the binding, if there is one.
    pub binding: Option<Binding>,
}

/// One record's key for the reader, with what is needed to fetch and open it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SharedKey {
    pub(crate) anchor: AnchorFields,
    #[serde(with = "serde_bytes")]
    pub(crate) owner_half: [u8; 32],
}

impl core::fmt::Debug for SharedKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "SharedKey({})", self.anchor.record_id())
    }
}

/// The stored object: the artefact wrapped twice, the key list to the reader alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GrantObject {
    pub(crate) version: u8,
    pub(crate) to_reader: Wrapped,
    pub(crate) to_owner: Wrapped,
    pub(crate) keys: Option<Wrapped>,
}

/// A grant as the owner keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenGrant {
    /// The own address that gives.
    pub own: AccountId,
    /// What was agreed.
    pub artefact: Artefact,
    /// Revoked by the owner.
    pub revoked: bool,
}

/// A grant as the reader keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldGrant {
    /// The own address that may read.
    pub own: AccountId,
    /// The owner's id.
    pub owner: AccountId,
    /// What was agreed.
    pub artefact: Artefact,
    /// What it can open.
    pub(crate) keys: Vec<SharedKey>,
}

impl HeldGrant {
    /// The records it names.
    pub fn records(&self) -> impl Iterator<Item = RecordId> + '_ {
        self.keys.iter().map(|key| key.anchor.record_id())
    }
}

/// An access request that waits for the person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingRequest {
    /// The own address that it came to.
    pub own: AccountId,
    /// Its letter.
    #[serde(with = "serde_bytes")]
    pub id: [u8; 32],
    /// Name of the contact that asks.
    pub name: String,
    /// What is asked.
    pub request: AccessRequest,
}

impl Party {
    /// Lets a confirmed contact write records of these kinds until a time (row 5).
    pub async fn grant_write(
        &self,
        own: AccountId,
        kinds: KindSet,
        until: Timestamp,
    ) -> Result<(), JourneyError> {
        let contact = self.confirmed(own)?;
        let author = contact
            .card
            .account
            .ok_or_else(|| JourneyError::Untrusted {
                what: "contact",
                why: "only an accredited account can be allowed to write".into(),
            })?;
        let address = self.own_address(own)?;
        let mut write = WriteGrant {
            owner: own,
            author,
            nonce: Nonce::new(self.ports.random()),
            kinds,
            until,
            digest: Digest::new([0; 32]),
        };
        let artefact = Artefact {
            version: 1,
            purpose: Purpose::Treatment,
            reason: "write records".into(),
            erase_by: until,
            name: contact.name.clone(),
            account: contact.card.account,
            node: contact.card.node.clone(),
            grant: None,
            write: Some(write),
            purpose_salt: [0; 32],
            binding: None,
        };
        let id = GrantId::derive(own, author, write.nonce);
        let author_key = self.key_of(author).await?;
        let (digest, block) =
            self.grant_object(&address, author, &author_key, id, &artefact, None)?;
        write.digest = digest;
        self.put_object(&self.signer(&address), block).await?;
        let kept = Artefact {
            write: Some(write),
            ..artefact
        };
        self.put(
            table::WRITE_GRANTS,
            id.as_bytes(),
            &GivenGrant {
                own,
                artefact: kept,
                revoked: false,
            },
        )?;
        self.call(&address, &Call::GrantWrite(write)).await?;
        Ok(())
    }

    /// Asks the owner behind a pairing for access (row 10).
    pub async fn ask(
        &self,
        owner: AccountId,
        purpose: Purpose,
        reason: &str,
        until: Timestamp,
    ) -> Result<(), JourneyError> {
        let patron = self
            .patrons()?
            .into_iter()
            .find(|patron| patron.owner == owner)
            .ok_or_else(|| JourneyError::Unknown {
                what: format!("the owner {owner}"),
                hint: "answer the person's invitation first: `medibloc contact accept`",
            })?;
        let request = AccessRequest {
            purpose,
            reason: reason.to_owned(),
            categories: Vec::new(),
            until,
            readers: self.bound_readers(4, owner).await?,
        };
        self.send(
            &self.account(),
            owner.first_address(),
            &patron.sealing_key,
            &patron.node,
            &Message::Access(request),
        )
        .await
    }

    /// Requests that wait for the person.
    pub fn requests(&self) -> Result<Vec<PendingRequest>, JourneyError> {
        self.rows(table::REQUESTS)
    }

    /// Drops a request; the other side is told nothing.
    pub fn deny(&self, request: &PendingRequest) -> Result<(), JourneyError> {
        Ok(self.ports.vault.apply(vec![crate::ports::Change::Delete {
            table: table::REQUESTS,
            key: request.id.to_vec(),
        }])?)
    }

    /// Grants one accepted record to the contact that asks (row 11): a fresh reader address for each own address.
    pub async fn approve(
        &self,
        request: &PendingRequest,
        record: RecordId,
        until: Timestamp,
    ) -> Result<GrantId, JourneyError> {
        let kept = self.record(record)?;
        if !kept.is_accepted() {
            return Err(JourneyError::Untrusted {
                what: "record",
                why: format!(
                    "it is not accepted ({:?}); only accepted records can be granted",
                    kept.standing
                ),
            });
        }
        let own = self.own_address(kept.anchor.owner)?;
        let (reader, binding) = self.reader_for(&own, request)?;
        let contact = self.confirmed(request.own)?;
        let now = self.chain_now().await?;
        let purpose_salt = self.ports.random();
        let reader_id = AccountId::from_first_address(reader);
        let mut grant = Grant::new(
            own.id(),
            reader_id,
            Nonce::new(self.ports.random()),
            Terms {
                scope: Scope::One(record),
                purpose_tag: request.request.purpose.tag(purpose_salt),
                from: now,
                until,
                reads: None,
                binding: binding.tag(),
                digest: Digest::new([0; 32]),
            },
        );
        let artefact = Artefact {
            version: 1,
            purpose: request.request.purpose,
            reason: request.request.reason.clone(),
            erase_by: until,
            name: contact.name.clone(),
            account: contact.card.account,
            node: contact.card.node.clone(),
            grant: Some(grant.clone()),
            write: None,
            purpose_salt,
            binding: Some(binding),
        };
        let opened = self.open_own(&own, &kept.anchor, kept.capsule).await?;
        let key = SharedKey {
            anchor: kept.anchor,
            owner_half: *opened.owner_half.expose(),
        };
        let reader_key = self.key_of(reader_id).await?;
        let (digest, block) = self.grant_object(
            &own,
            reader_id,
            &reader_key,
            grant.id,
            &artefact,
            Some(&[key]),
        )?;
        grant.terms.digest = digest;
        self.put_object(&self.signer(&own), block).await?;
        let kept_artefact = Artefact {
            grant: Some(grant.clone()),
            ..artefact
        };
        self.ports.vault.apply(vec![change(
            table::GRANTS,
            grant.id.as_bytes(),
            &GivenGrant {
                own: own.id(),
                artefact: kept_artefact,
                revoked: false,
            },
        )])?;
        self.call(
            &own,
            &Call::Grant {
                grant: grant.clone(),
                anchor: Some(kept.anchor),
            },
        )
        .await?;
        Ok(grant.id)
    }

    /// Grants given, newest rules first.
    pub fn grants(&self) -> Result<Vec<(GrantId, GivenGrant)>, JourneyError> {
        let given: Vec<GivenGrant> = self.rows(table::GRANTS)?;
        Ok(given
            .into_iter()
            .filter_map(|given| {
                given
                    .artefact
                    .grant
                    .as_ref()
                    .map(|grant| grant.id)
                    .map(|id| (id, given))
            })
            .collect())
    }

    /// Grants held.
    pub fn held(&self) -> Result<Vec<HeldGrant>, JourneyError> {
        self.rows(table::SHARED_GRANTS)
    }

    /// A reader address that no own address has used yet.
    fn reader_for(
        &self,
        own: &OwnAddress,
        request: &PendingRequest,
    ) -> Result<(Address, Binding), JourneyError> {
        let given = self.grants()?;
        let owner_of = |reader: Address| {
            given.iter().find_map(|(_, given)| {
                given
                    .artefact
                    .grant
                    .as_ref()
                    .filter(|grant| grant.reader.first_address() == reader)
                    .map(|_| given.own)
            })
        };
        let readers = &request.request.readers;
        readers
            .iter()
            .find(|(reader, _)| owner_of(*reader) == Some(own.id()))
            .or_else(|| {
                readers
                    .iter()
                    .find(|(reader, _)| owner_of(*reader).is_none())
            })
            .cloned()
            .ok_or_else(|| JourneyError::Unknown {
                what: "an unused reader address of this contact".into(),
                hint: "ask the contact to send a new request",
            })
    }

    fn grant_object(
        &self,
        own: &OwnAddress,
        reader: AccountId,
        reader_key: &SealingKey,
        id: GrantId,
        artefact: &Artefact,
        keys: Option<&[SharedKey]>,
    ) -> Result<(Digest, Block), JourneyError> {
        let domain = &self.ports.domain;
        let plain = cbor::to_vec(artefact);
        let own_key = self.sealing(own).public();
        let mut entropy = self
            .ports
            .entropy
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let to_reader = hpke_seal(
            reader_key,
            &info::grant_object(domain, own.id(), reader, id, reader),
            &plain,
            &mut *entropy,
        )?;
        let to_owner = hpke_seal(
            &own_key,
            &info::grant_object(domain, own.id(), reader, id, own.id()),
            &plain,
            &mut *entropy,
        )?;
        let keys = keys
            .map(|keys| {
                let plain = zeroize::Zeroizing::new(cbor::to_vec(keys));
                hpke_seal(
                    reader_key,
                    &info::grant_keys(domain, own.id(), reader, id),
                    &plain,
                    &mut *entropy,
                )
            })
            .transpose()?;
        drop(entropy);
        let object = GrantObject {
            version: 1,
            to_reader,
            to_owner,
            keys,
        };
        let block = Block::of(Codec::DagCbor, cbor::to_vec(&object)).map_err(|source| {
            JourneyError::Malformed {
                what: "grant object",
                source,
            }
        })?;
        Ok((Digest::new(block.cid().digest()), block))
    }

    async fn put_object(&self, signer: &SigningKey, block: Block) -> Result<(), JourneyError> {
        self.ports.vault.put_blob(&block)?;
        Ok(self.ports.network.store(signer).put(vec![block]).await?)
    }

    /// A grant that names an own reader address: fetched, opened and kept (row 11, the reader's side).
    pub(crate) async fn take_grant(
        &self,
        own: &OwnAddress,
        grant: &Grant,
    ) -> Result<(), JourneyError> {
        if self
            .ports
            .vault
            .get(table::SHARED_GRANTS, grant.id.as_bytes())?
            .is_some()
        {
            return Ok(());
        }
        let (artefact, keys) = self.open_grant(own, grant).await?;
        let held = HeldGrant {
            own: own.id(),
            owner: grant.owner,
            artefact,
            keys,
        };
        self.put(table::SHARED_GRANTS, grant.id.as_bytes(), &held)
    }

    async fn open_grant(
        &self,
        own: &OwnAddress,
        grant: &Grant,
    ) -> Result<(Artefact, Vec<SharedKey>), JourneyError> {
        let store = self.ports.network.store(&self.signer(own));
        let bytes = self
            .object(store.as_ref(), grant.terms.digest, "grant object")
            .await?;
        let object: GrantObject = decode("grant object", &bytes)?;
        let domain = &self.ports.domain;
        let secret = self.sealing(own);
        let artefact = hpke_open(
            &secret,
            &info::grant_object(domain, grant.owner, grant.reader, grant.id, grant.reader),
            &object.to_reader,
        )?;
        let mut artefact: Artefact = decode("grant", &artefact)?;
        artefact.grant = Some(grant.clone());
        let keys = match &object.keys {
            Some(keys) => {
                let plain = hpke_open(
                    &secret,
                    &info::grant_keys(domain, grant.owner, grant.reader, grant.id),
                    keys,
                )?;
                decode("key list", &plain)?
            }
            None => Vec::new(),
        };
        Ok((artefact, keys))
    }

    /// The owner's side of a grant event, after a restore: the consent and the contact's name come back.
    pub(crate) async fn restore_grant(
        &self,
        own: &OwnAddress,
        other: AccountId,
        id: GrantId,
        digest: Digest,
    ) -> Result<Artefact, JourneyError> {
        let store = self.ports.network.store(&self.signer(own));
        let bytes = self.object(store.as_ref(), digest, "grant object").await?;
        let object: GrantObject = decode("grant object", &bytes)?;
        let plain = hpke_open(
            &self.sealing(own),
            &info::grant_object(&self.ports.domain, own.id(), other, id, own.id()),
            &object.to_owner,
        )?;
        decode("grant", &plain)
    }

    pub(crate) fn own_address(&self, id: AccountId) -> Result<OwnAddress, JourneyError> {
        self.own(id)?.ok_or_else(|| JourneyError::Unknown {
            what: format!("the own address {id}"),
            hint: "restore this account first",
        })
    }

    fn confirmed(&self, own: AccountId) -> Result<Contact, JourneyError> {
        let contact = self.contact(own)?;
        if contact.confirmed {
            return Ok(contact);
        }
        Err(JourneyError::Untrusted {
            what: "contact",
            why: format!(
                "«{}» is not confirmed yet; read the name and run `medibloc contact confirm`",
                contact.name
            ),
        })
    }

    pub(crate) async fn key_of(&self, id: AccountId) -> Result<SealingKey, JourneyError> {
        let account = self.ports.facts.account(id).await?;
        account
            .map(|account| account.sealing_key)
            .ok_or_else(|| JourneyError::Unknown {
                what: format!("the account {id}"),
                hint: "it is not registered; ask the other side to register it",
            })
    }
}

/// All kinds that a provider may be allowed to write.
pub fn medical_only() -> KindSet {
    KindSet::of(&[Kind::Medical])
}

/// Objects that a reader fetches beside the parts.
pub(crate) struct ReaderObjects {
    pub(crate) package: Package,
    pub(crate) key_set: KeySet,
    pub(crate) attestation: SignedAttestation,
}
