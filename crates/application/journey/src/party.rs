//! A party: one phrase's addresses, its ports, and what its vault remembers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::{Arc, Mutex};

use medibloc_dag::{Cid, cbor};
use medibloc_keys::{SealingSecret, Seed, SigningKey, Slot};
use medibloc_ledger::{Call, LedgerError, Refusal, SignedCall, UnsignedCall};
use medibloc_record::{AccountId, Address, Role, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::missed::Known;
use crate::patience::Patience;
use crate::ports::{Change, id_of};
use crate::{JourneyError, Ports, Urgency};

/// Where the version of the account's sealing key is kept.
pub(crate) const ACCOUNT_KEY: &[u8] = b"account-key-version";
/// Where the version of the account's signing key is kept.
pub(crate) const ACCOUNT_SIGNER: &[u8] = b"account-signing-version";

/// Tables of the vault.
pub(crate) mod table {
    pub(crate) const ADDRESSES: &str = "addresses";
    pub(crate) const INVITATIONS: &str = "invitations";
    pub(crate) const CONTACTS: &str = "contacts";
    pub(crate) const PATRONS: &str = "patrons";
    pub(crate) const USED: &str = "used-invitations";
    /// Invitations of others whose owners said that the answer came to nothing.
    pub(crate) const DECLINED: &str = "declined-invitations";
    /// What this home calls owners.
    pub(crate) const LABELS: &str = "labels";
    /// Whom the owner said to be.
    pub(crate) const PERSON: &str = "person";
    /// What this home knows and nobody else does, as its notes have it.
    pub(crate) const NOTES: &str = "notes";
    /// How often each place of notes was written, as far as this home saw.
    pub(crate) const NOTE_TURNS: &str = "note-turns";
    /// Own addresses whose notes were not read since a restore.
    pub(crate) const NOTES_UNREAD: &str = "notes-unread";
    /// Records that are here and that their authors took back.
    pub(crate) const TAKEN_BACK: &str = "taken-back";
    /// Corrections of records that are here, by the correction.
    pub(crate) const CORRECTED: &str = "corrected";
    /// Held records of which it was looked at what was said before they came.
    pub(crate) const LOOKED_BACK: &str = "looked-back";
    /// Those of which it was not yet.
    pub(crate) const NOT_LOOKED_BACK: &str = "not-looked-back";
    pub(crate) const ANCHORED: &str = "anchored-at";
    pub(crate) const SET_ASIDE: &str = "set-aside";
    pub(crate) const REQUESTS: &str = "requests";
    /// Requests that wait no more, though nothing was given.
    pub(crate) const CLOSED_REQUESTS: &str = "closed-requests";
    pub(crate) const RECORDS: &str = "records";
    /// Accepted records that a node has, with its URL.
    pub(crate) const COPIES: &str = "copies-at-node";
    pub(crate) const GRANTS: &str = "grants";
    pub(crate) const WRITE_GRANTS: &str = "write-grants";
    pub(crate) const WRITTEN: &str = "written";
    /// What own accounts anchored for others from another home of this phrase, before a restore, say.
    pub(crate) const WRITTEN_ELSEWHERE: &str = "written-elsewhere";
    pub(crate) const SHARED_GRANTS: &str = "held-grants";
    /// Keys of held grants, by record.
    pub(crate) const HELD_KEYS: &str = "held-keys";
    /// The records of held grants, in pages.
    pub(crate) const HELD_PAGES: &str = "held-pages";
    pub(crate) const JOBS: &str = "jobs";
    pub(crate) const READS: &str = "reads";
    pub(crate) const CURSOR: &str = "cursor";
    pub(crate) const STATEMENTS: &str = "statements";
    pub(crate) const ERRANDS: &str = "errands";
    pub(crate) const LETTERS: &str = "letters";
    pub(crate) const SEEN: &str = "seen-letters";
    /// Letters for which this home's deployment file is too old.
    pub(crate) const WAITING: &str = "waiting-letters";
    pub(crate) const RESERVED: &str = "reserved-addresses";
    pub(crate) const OFFERED: &str = "offered-readers";
    pub(crate) const DELIVERIES: &str = "deliveries";
    /// Objects of consents that this home keeps as the node was given them, by identifier.
    pub(crate) const GIVEN_OBJECTS: &str = "given-objects";
    pub(crate) const PLANS: &str = "plans";
    pub(crate) const MAY_WRITE: &str = "may-write";
    pub(crate) const RECEIPTS: &str = "receipts";
    pub(crate) const ALARMS: &str = "alarms";
    pub(crate) const FEEDS: &str = "feeds";
    pub(crate) const READ_PLANS: &str = "planned-reads";
    pub(crate) const FILES_REMOVED: &str = "files-removed";
    pub(crate) const EXPORTS: &str = "exports";
    /// Receipts of this home that opened nothing.
    pub(crate) const NOT_OPENED: &str = "receipts-not-opened";
    /// When consents were given, and ended.
    pub(crate) const CONSENT_TIMES: &str = "consent-times";
    /// Records that went to standard output.
    pub(crate) const OUTPUTS: &str = "outputs";
    /// Reads under own addresses that another home of the phrase made.
    pub(crate) const READ_ELSEWHERE: &str = "read-elsewhere";
    pub(crate) const WIPES: &str = "wipes";
    pub(crate) const ERASED: &str = "erased";
    pub(crate) const ERASING: &str = "erasing";
    pub(crate) const READ_BY: &str = "read-by";
    pub(crate) const LOOKS: &str = "looks";
    pub(crate) const MISSED: &str = "missed";
    /// Own consents of which nobody has the object now: what the chain says of them.
    pub(crate) const ON_CHAIN: &str = "own-consents-on-chain";
    /// Reader addresses of own consents that stand on the chain and not here.
    pub(crate) const READERS_ON_CHAIN: &str = "readers-on-chain";
    /// Consents that were to be given and did not come to be.
    pub(crate) const DROPPED: &str = "dropped-consents";
    /// What the next command that tells something is to tell.
    pub(crate) const UNTOLD: &str = "untold";
    /// What a sync told while no person looked.
    pub(crate) const UNSEEN: &str = "unseen";
    /// Blocks that were fetched for records that are not decided yet.
    pub(crate) const STAGED: &str = "staged";
    pub(crate) const ELSEWHERE: &str = "elsewhere";
    /// Addresses of which this device sent the registration.
    pub(crate) const SENT_REGISTRATIONS: &str = "sent-registrations";
    /// What this device signed.
    pub(crate) const OWN_ACTS: &str = "own-acts";
    /// When an own account last did what is not put off.
    pub(crate) const AT_ONCE: &str = "acted-at-once";
    /// What own accounts did and this device did not sign.
    pub(crate) const UNKNOWN_ACTS: &str = "unknown-acts";
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
    /// Version of the key that signs for it; more than 1 once its account was handed on.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub signing_version: u32,
}

const fn first() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_first(version: &u32) -> bool {
    *version == 1
}

impl OwnAddress {
    /// Its account id, which stays whoever signs for it.
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

/// Is told how far long work is: what is done, and what there is in all.
pub type Watcher = Arc<dyn Fn(usize, usize) + Send + Sync>;

/// A person or organisation with its phrase, its vault and its way to the others.
pub struct Party {
    pub(crate) seed: Seed,
    role: Role,
    pub(crate) ports: Ports,
    /// With peers whose answer is not needed to go on.
    pub(crate) patience: Arc<Patience>,
    /// Is told how many of how many records were looked at.
    watcher: Option<Watcher>,
    /// Keys that were derived already: a derivation is five points of the curve.
    signers: Mutex<BTreeMap<(Option<u32>, u32), SigningKey>>,
    /// Contacts and patrons were seen to stand in a table each.
    pub(crate) split: AtomicBool,
    /// Objects that this sync may still fetch for grants that no known pairing explains.
    pub(crate) unexplained: AtomicU32,
    /// What this sync knows by heart, so that an event of strangers asks nothing of the vault.
    pub(crate) known: Mutex<Known>,
    /// Blocks that the looks of this sync fetched; none while there are no looks.
    pub(crate) fetched: Mutex<Option<BTreeSet<Cid>>>,
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
    pub fn new(seed: Seed, role: Role, mut ports: Ports) -> Self {
        let patience = Patience::new(ports.clock.clone());
        ports.network = patience.over(ports.network);
        Self {
            seed,
            role,
            ports,
            patience,
            watcher: None,
            signers: Mutex::new(BTreeMap::new()),
            split: AtomicBool::new(false),
            unexplained: AtomicU32::new(0),
            known: Mutex::new(Known::new()),
            fetched: Mutex::new(None),
        }
    }

    /// The same party, that tells how far it is: records done, and records in all.
    #[must_use]
    pub fn watched_by(self, watcher: Watcher) -> Self {
        Self {
            watcher: Some(watcher),
            ..self
        }
    }

    pub(crate) fn watched(&self, done: usize, all: usize) {
        if let Some(watcher) = &self.watcher {
            watcher(done, all);
        }
    }

    /// What it is.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// The way past a running sync for what takes something back: whoever shares a party lets it go first.
    pub fn urgency(&self) -> Urgency {
        Urgency(self.patience.clone())
    }

    /// Its ports.
    pub const fn ports(&self) -> &Ports {
        &self.ports
    }

    /// The account that is its public identity.
    pub fn account(&self) -> OwnAddress {
        OwnAddress {
            index: None,
            address: self.key_at(Slot::Account, 1).address(),
            purpose: AddressUse::Account,
            key_version: self.account_version(ACCOUNT_KEY),
            signing_version: self.account_version(ACCOUNT_SIGNER),
        }
    }

    fn account_version(&self, of: &[u8]) -> u32 {
        let kept = self.row(table::CURSOR, of);
        kept.ok().flatten().unwrap_or(1)
    }

    /// The address that signs for an own one now: itself, until its account is handed on.
    pub fn signing_address(&self, own: &OwnAddress) -> Address {
        self.signer(own).address()
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
        self.key_at(own.slot(), own.signing_version)
    }

    pub(crate) fn key_at(&self, slot: Slot, version: u32) -> SigningKey {
        let index = match slot {
            Slot::Account => None,
            Slot::Relationship(index) => Some(index),
        };
        let mut signers = self
            .signers
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        signers
            .entry((index, version))
            .or_insert_with(|| self.seed.signing(slot, version))
            .clone()
    }

    pub(crate) fn sealing(&self, own: &OwnAddress) -> SealingSecret {
        self.sealing_at(own, own.key_version)
    }

    /// The sealing key of another version: what was sealed before a rotation opens with the key of its time.
    pub(crate) fn sealing_at(&self, own: &OwnAddress, version: u32) -> SealingSecret {
        self.seed.sealing(own.slot(), version)
    }

    pub(crate) fn derive(&self, index: u32, purpose: AddressUse) -> OwnAddress {
        let address = self.key_at(Slot::Relationship(index), 1).address();
        OwnAddress {
            index: Some(index),
            address,
            purpose,
            key_version: 1,
            signing_version: 1,
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

    /// Fresh addresses, registered and remembered. They stay reserved until the caller deletes the reservation in
    /// the same step as it uses them ([`used`]), so that a crash wastes none.
    pub(crate) async fn fresh_addresses(
        &self,
        count: usize,
        purpose: AddressUse,
    ) -> Result<Vec<OwnAddress>, JourneyError> {
        let mut fresh: Vec<OwnAddress> = Vec::new();
        for own in self.spares(count, &purpose)? {
            if self.register_fresh(&own).await? {
                fresh.push(own);
            }
        }
        let mut next = self.next_index()?.saturating_sub(1);
        while fresh.len() < count {
            next = next.saturating_add(1);
            let own = self.derive(next, purpose.clone());
            if self.ports.facts.account(own.id()).await?.is_some() {
                // Another device of this phrase was first.
                self.note_elsewhere(next)?;
                continue;
            }
            self.ports.vault.apply(vec![
                change(table::ADDRESSES, own.address.as_bytes(), &own),
                change(table::RESERVED, own.address.as_bytes(), &own),
            ])?;
            if self.register_fresh(&own).await? {
                fresh.push(own);
            }
        }
        Ok(fresh)
    }

    /// The first index that was never derived; 0 is that of own records.
    pub(crate) fn next_index(&self) -> Result<u32, JourneyError> {
        let last = self.addresses()?.iter().filter_map(|own| own.index).max();
        Ok(last.unwrap_or(0).saturating_add(1))
    }

    /// Registers a reserved address. False if another device of the phrase registered it: it is that one's.
    async fn register_fresh(&self, own: &OwnAddress) -> Result<bool, JourneyError> {
        let key = own.address.as_bytes();
        let sent = self
            .ports
            .vault
            .get(table::SENT_REGISTRATIONS, key)?
            .is_some();
        let is_registered =
            async || Ok::<_, JourneyError>(self.ports.facts.account(own.id()).await?.is_some());
        let is_ours = if is_registered().await? {
            // What went out before a crash became final in between.
            sent
        } else {
            self.put(table::SENT_REGISTRATIONS, key, &true)?;
            let call = Call::Register {
                // As of any address but the public one.
                role: Role::Person,
                sealing_key: self.sealing(own).public().key,
            };
            match self.call(own, &call).await {
                Ok(_) => true,
                Err(JourneyError::Ledger(
                    LedgerError::Refused(Refusal::Exists { .. }) | LedgerError::BadRequest { .. },
                )) if is_registered().await? => sent,
                Err(error) => return Err(error),
            }
        };
        if is_ours {
            self.registered(own)?;
        } else if let Some(index) = own.index {
            self.note_elsewhere(index)?;
            self.ports.vault.apply(vec![used(own.address)])?;
        }
        Ok(is_ours)
    }

    async fn register(&self, own: &OwnAddress) -> Result<(), JourneyError> {
        if self.ports.facts.account(own.id()).await?.is_some() {
            return Ok(());
        }
        // Only the public account shows what its owner is: an address that says it belongs to a provider tells who
        // reads.
        let role = match own.index {
            None => self.role,
            Some(_) => Role::Person,
        };
        let call = Call::Register {
            role,
            sealing_key: self.sealing(own).public().key,
        };
        match self.call(own, &call).await {
            // The request of before a crash became final in between, or another device was first.
            Err(JourneyError::Ledger(LedgerError::Refused(Refusal::Exists { .. })))
                if self.ports.facts.account(own.id()).await?.is_some() =>
            {
                Ok(())
            }
            other => other.map(|_| ()),
        }
    }

    pub(crate) async fn sign(
        &self,
        own: &OwnAddress,
        call: &Call,
    ) -> Result<SignedCall, JourneyError> {
        self.check_chain().await?;
        let deadline = self.request_deadline().await?;
        let unsigned: UnsignedCall = self
            .ports
            .submit
            .prepare(self.signing_address(own), call, deadline)
            .await?;
        // Before it can leave: an act that is not noted is told as somebody else's.
        self.note_act(own.id(), call)?;
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
        match self.ports.vault.get(table, key)? {
            Some(bytes) => self.readable(table, key, &bytes),
            None => Ok(None),
        }
    }

    pub(crate) fn rows<T: DeserializeOwned + Serialize>(
        &self,
        table: &'static str,
    ) -> Result<Vec<T>, JourneyError> {
        Ok(self
            .keyed_rows(table)?
            .into_iter()
            .map(|(_, row)| row)
            .collect())
    }

    pub(crate) fn keyed_rows<T: DeserializeOwned + Serialize>(
        &self,
        table: &'static str,
    ) -> Result<Vec<(Vec<u8>, T)>, JourneyError> {
        let mut rows = Vec::new();
        for (key, bytes) in self.ports.vault.list(table)? {
            if let Some(row) = self.readable(table, &key, &bytes)? {
                rows.push((key, row));
            }
        }
        Ok(rows)
    }
}

/// Ends the reservation of a fresh address.
pub(crate) fn used(own: Address) -> Change {
    Change::Delete {
        table: table::RESERVED,
        key: own.as_bytes().to_vec(),
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
