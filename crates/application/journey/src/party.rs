//! A party: one phrase's addresses, its ports, and what its vault remembers.

use medibloc_dag::cbor;
use medibloc_keys::{SealingSecret, Seed, SigningKey, Slot};
use medibloc_ledger::{Call, Outcome, SignedCall, UnsignedCall};
use medibloc_record::{AccountId, Address, Role, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::ports::{Change, id_of};
use crate::{JourneyError, Ports};

/// How long a request to the relay stays valid.
const REQUEST_LIFE: u64 = 10 * 60;

/// Tables of the vault.
pub(crate) mod table {
    pub(crate) const ADDRESSES: &str = "addresses";
    pub(crate) const INVITATIONS: &str = "invitations";
    pub(crate) const CONTACTS: &str = "contacts";
    pub(crate) const REQUESTS: &str = "requests";
    pub(crate) const RECORDS: &str = "records";
    pub(crate) const GRANTS: &str = "grants";
    pub(crate) const WRITE_GRANTS: &str = "write-grants";
    pub(crate) const WRITTEN: &str = "written";
    pub(crate) const SHARED_GRANTS: &str = "held-grants";
    pub(crate) const JOBS: &str = "jobs";
    pub(crate) const READS: &str = "reads";
    pub(crate) const CURSOR: &str = "cursor";
    pub(crate) const STATEMENTS: &str = "statements";
}

/// What one derived address is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AddressUse {
    /// The public identity.
    Account,
    /// The person's own records (relationship 0).
    Own,
    /// The owner's pseudonym for one provider.
    Owner,
    /// The reader's pseudonym for one owner's address.
    Reader {
        /// Whom it reads from; none until the owner grants.
        owner: Option<AccountId>,
    },
}

/// One derived address in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnAddress {
    /// Its relationship index; none for the account.
    pub index: Option<u32>,
    /// The address.
    pub address: Address,
    /// What it is for.
    pub purpose: AddressUse,
    /// Version of its sealing key.
    pub key_version: u32,
}

impl OwnAddress {
    /// Its account id.
    pub const fn id(&self) -> AccountId {
        id_of(self.address)
    }

    pub(crate) const fn slot(&self) -> Slot {
        match self.index {
            Some(index) => Slot::Relationship(index),
            None => Slot::Account,
        }
    }
}

/// A person or organisation with its phrase, its vault and its way to the others.
pub struct Party {
    seed: Seed,
    role: Role,
    pub(crate) ports: Ports,
}

impl core::fmt::Debug for Party {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Party")
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

impl Party {
    /// A party with this seed and role.
    pub const fn new(seed: Seed, role: Role, ports: Ports) -> Self {
        Self { seed, role, ports }
    }

    /// What it is.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Its ports.
    pub const fn ports(&self) -> &Ports {
        &self.ports
    }

    /// The account that is its public identity.
    pub fn account(&self) -> OwnAddress {
        OwnAddress {
            index: None,
            address: self.seed.account_key().address(),
            purpose: AddressUse::Account,
            key_version: 1,
        }
    }

    /// Every derived address in use, the account not among them.
    pub fn addresses(&self) -> Result<Vec<OwnAddress>, JourneyError> {
        self.rows(table::ADDRESSES)
    }

    /// The own address with this id.
    pub(crate) fn own(&self, id: AccountId) -> Result<Option<OwnAddress>, JourneyError> {
        if self.account().id() == id {
            return Ok(Some(self.account()));
        }
        Ok(self.addresses()?.into_iter().find(|own| own.id() == id))
    }

    pub(crate) fn signer(&self, own: &OwnAddress) -> SigningKey {
        match own.index {
            Some(index) => self.seed.relationship_key(index),
            None => self.seed.account_key(),
        }
    }

    pub(crate) fn sealing(&self, own: &OwnAddress) -> SealingSecret {
        self.seed.sealing(own.slot(), own.key_version)
    }

    pub(crate) fn derive(&self, index: u32, purpose: AddressUse) -> OwnAddress {
        let address = self.seed.relationship_key(index).address();
        OwnAddress {
            index: Some(index),
            address,
            purpose,
            key_version: 1,
        }
    }

    /// Registers the public account with its role; does nothing if it is registered.
    pub async fn register_account(&self) -> Result<OwnAddress, JourneyError> {
        let account = self.account();
        self.register(&account).await?;
        Ok(account)
    }

    /// The address for the person's own records, registered.
    pub async fn own_records_address(&self) -> Result<OwnAddress, JourneyError> {
        let own = self.derive(0, AddressUse::Own);
        self.register(&own).await?;
        self.put(table::ADDRESSES, own.address.as_bytes(), &own)?;
        Ok(own)
    }

    /// The next fresh address, registered and remembered. Remembered first, so that a crash wastes none.
    pub(crate) async fn fresh_address(
        &self,
        purpose: AddressUse,
    ) -> Result<OwnAddress, JourneyError> {
        let next = self
            .addresses()?
            .iter()
            .filter_map(|own| own.index)
            .max()
            .unwrap_or(0)
            + 1;
        let own = self.derive(next, purpose);
        self.put(table::ADDRESSES, own.address.as_bytes(), &own)?;
        self.register(&own).await?;
        Ok(own)
    }

    async fn register(&self, own: &OwnAddress) -> Result<(), JourneyError> {
        if self.ports.facts.account_of(own.address).await?.is_some() {
            return Ok(());
        }
        let sealing_key = self.sealing(own).public().key;
        self.call(
            own,
            &Call::Register {
                role: self.role,
                sealing_key,
            },
        )
        .await?;
        Ok(())
    }

    /// Signs and sends one call of an own address; returns when it is final.
    pub(crate) async fn call(
        &self,
        own: &OwnAddress,
        call: &Call,
    ) -> Result<Outcome, JourneyError> {
        let signed = self.sign(own, call).await?;
        Ok(self.ports.relay.relay(&signed).await?)
    }

    pub(crate) async fn sign(
        &self,
        own: &OwnAddress,
        call: &Call,
    ) -> Result<SignedCall, JourneyError> {
        let now = self.chain_now().await?.max(self.ports.clock.now());
        let unsigned: UnsignedCall = self
            .ports
            .submit
            .prepare(own.address, call, now.plus(REQUEST_LIFE))
            .await?;
        let signature = self.signer(own).sign_digest(&unsigned.digest);
        Ok(unsigned.sign(signature))
    }

    /// Time of the last final block.
    pub(crate) async fn chain_now(&self) -> Result<Timestamp, JourneyError> {
        Ok(self.ports.facts.head().await?.time)
    }

    pub(crate) fn put<T: Serialize>(
        &self,
        table: &'static str,
        key: &[u8],
        value: &T,
    ) -> Result<(), JourneyError> {
        Ok(self.ports.vault.apply(vec![change(table, key, value)])?)
    }

    pub(crate) fn row<T: DeserializeOwned + Serialize>(
        &self,
        table: &'static str,
        key: &[u8],
    ) -> Result<Option<T>, JourneyError> {
        self.ports
            .vault
            .get(table, key)?
            .map(|bytes| decode(table, &bytes))
            .transpose()
    }

    pub(crate) fn rows<T: DeserializeOwned + Serialize>(
        &self,
        table: &'static str,
    ) -> Result<Vec<T>, JourneyError> {
        self.ports
            .vault
            .list(table)?
            .iter()
            .map(|(_, bytes)| decode(table, bytes))
            .collect()
    }
}

pub(crate) fn change<T: Serialize>(table: &'static str, key: &[u8], value: &T) -> Change {
    Change::Put {
        table,
        key: key.to_vec(),
        value: cbor::to_vec(value),
    }
}

pub(crate) fn decode<T: DeserializeOwned + Serialize>(
    what: &'static str,
    bytes: &[u8],
) -> Result<T, JourneyError> {
    cbor::from_slice(bytes).map_err(|source| JourneyError::Malformed { what, source })
}
