//! Ask and grant (design 11, rows 5, 10, 11): the grant object goes to storage first, its digest on chain.

mod asked;
mod decided;
pub(crate) mod deliver;
mod give;
pub(crate) mod kept;
pub(crate) mod left_out;
#[cfg(test)]
mod listed;
mod lost;
mod object;
mod over;
mod permit;
pub(crate) mod plan;
mod reader;
pub(crate) mod reason;
mod take;

use medibloc_consent::{
    AnchorFields, Binding, Grant, KindSet, ListProof, Purpose, Scope, WriteGrant,
};
use medibloc_dag::cbor;
use medibloc_keys::PairingKey;
use medibloc_record::{
    AccountId, Address, Category, GrantId, KeySet, Kind, Package, RecordId, SealingKey,
    Sensitivity, SignedAttestation, Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;

use crate::bounds;
use crate::dates::Dates;
use crate::doors::Pairing;
use crate::errand::errand_key;
use crate::mail::{AccessRequest, Opened, Question};
use crate::pairing::Contact;
use crate::party::{OwnAddress, change, table};
use crate::ports::Change;
use crate::secret::Secret;
use crate::{JourneyError, Left, Outputs, Party};

pub use decided::Said;
pub use deliver::HeldBack;
pub use lost::{GivenAgain, LostConsents};
pub(crate) use lost::{consent_of, given_object_row};
pub use plan::{AllGranted, Extent};

/// What a person agreed to; sealed to the reader and to the owner (design 02, grant object).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Its credential, for the owner's restore and proofs.
    pub credential: Option<String>,
    /// The account that it signs with, accredited or not.
    pub party: AccountId,
    /// The own address that it is paired with.
    pub paired: AccountId,
    /// The contact's node.
    pub node: String,
    /// The owner's node, where the other side's letters go.
    pub owner_node: String,
    /// The grant's fields, as on chain.
    pub grant: Option<Grant>,
    /// The write grant's fields.
    pub write: Option<WriteGrant>,
    /// Salt of the purpose tag.
    #[serde(with = "serde_bytes")]
    pub purpose_salt: [u8; 32],
    /// Salt of the reason, of which the purpose's salt comes; none in consents of before, whose reason nothing binds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason_salt: Option<ByteArray<32>>,
    /// Opening of the binding, if there is one.
    pub binding: Option<Binding>,
    /// The request that it answers.
    pub request: Option<ByteArray<32>>,
    /// Records whose keys came with it; those of a class or all grant are followed by deliveries.
    pub records: Vec<RecordId>,
    /// What it is about, if the grant itself does not say so: its lists are limited further.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extent: Option<Extent>,
    /// The most sensitive records that a class or all grant delivers.
    pub sensitivity: Sensitivity,
    /// The only categories that a class or all grant delivers; empty for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<Category>,
    /// The only dates of records that it delivers; none for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dates: Option<Dates>,
    /// Proves to the other side that it is of the pairing; the owner's restore brings it back from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairing: Option<Pairing>,
}

impl Artefact {
    /// What it is about, whatever limits it further: a record, classes or all; none of a permission to write.
    pub fn about(&self) -> Option<Scope> {
        let scope = self.grant.as_ref()?.terms.scope;
        Some(match scope {
            Scope::Listed(_) => self.extent.map_or(Scope::All, Extent::scope),
            scope => scope,
        })
    }

    /// Whether the chain lets nothing be read under it but what its owner delivered.
    pub fn is_listed(&self) -> bool {
        let scope = self.grant.as_ref().map(|grant| grant.terms.scope);
        matches!(scope, Some(Scope::Listed(_)))
    }
}

impl core::fmt::Debug for Artefact {
    /// Neither names nor salts.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Artefact")
            .field("version", &self.version)
            .field("purpose", &self.purpose)
            .field("records", &self.records.len())
            .finish_non_exhaustive()
    }
}

/// One record's key for the reader, with what is needed to fetch and open it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SharedKey {
    pub(crate) anchor: AnchorFields,
    #[serde(with = "crate::secret")]
    pub(crate) owner_half: Secret,
    /// That it is in the list that it came with, under a listed grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) proof: Option<ListProof>,
}

impl SharedKey {
    /// Whose key it is.
    pub(crate) fn record(&self) -> RecordId {
        self.anchor.record_id()
    }
}

impl core::fmt::Debug for SharedKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "SharedKey({})", self.anchor.record_id())
    }
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
    /// The reader says that it no longer keeps what it read.
    pub purged: bool,
    /// When its letter said so, the last one; none from older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purged_at: Option<Timestamp>,
    /// Files that it wrote out before and keeps, as it says.
    #[serde(default, skip_serializing_if = "is_none")]
    pub files_kept: u32,
    /// The reader says that another home of its phrase read, too, and that it does not know which files that one wrote out.
    #[serde(default, skip_serializing_if = "crate::left::is_false")]
    pub files_unknown: bool,
    /// What it wrote to standard output, as it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<Outputs>,
    /// When this home took the revocation, which may have been later than the chain; none from older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// It stood on a chain that was left, and not on the one that this home went on with: it counts as revoked, and is taken back
    /// at once if it comes to stand there.
    #[serde(default, skip_serializing_if = "crate::left::is_false")]
    pub lost: bool,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks with a reference"
)]
pub(crate) const fn is_none(files: &u32) -> bool {
    *files == 0
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
    /// What it can open, in rows of older versions; the others' are in rows of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) keys: Vec<SharedKey>,
    /// Pages of records that it opens.
    #[serde(default, skip_serializing_if = "is_none")]
    pub(crate) pages: u32,
    /// How many records are on them.
    #[serde(default, skip_serializing_if = "is_none")]
    pub(crate) kept: u32,
    /// More came with it than is kept of one owner.
    #[serde(default, skip_serializing_if = "crate::left::is_false")]
    pub(crate) has_more: bool,
    /// Why it opens nothing any more.
    pub ended: Option<EndOfGrant>,
    /// Its records were held against the chain; not in rows of older versions, which took the owner's word for them.
    #[serde(default, skip_serializing_if = "crate::left::is_false")]
    pub(crate) is_checked: bool,
    /// Some of its keys were not looked at yet, for somebody who took something back.
    #[serde(default, skip_serializing_if = "crate::left::is_false")]
    pub(crate) gave_way: bool,
}

/// Why a held grant has ended; what was read under it is purged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EndOfGrant {
    /// The owner took it back.
    Revoked,
    /// Its purge-by date has passed.
    Expired,
}

impl HeldGrant {
    /// Whether keys came with it that are not kept here: its owner gave more than a home keeps of one. A read of such a record
    /// fetches its key.
    pub const fn has_more(&self) -> bool {
        self.has_more
    }
}

/// An access request that waits for the person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingRequest {
    /// The own address that it came to.
    pub own: AccountId,
    /// What this home calls it: nobody else can make it, so no other request can be given the same or its begin. That of one
    /// which came to an older version is its letter's id.
    #[serde(with = "serde_bytes")]
    pub id: [u8; 32],
    /// Name of the contact that asks.
    pub name: String,
    /// What is asked.
    pub request: AccessRequest,
    /// Grows with every request that comes; 0 for those of older versions.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub order: u64,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks with a reference"
)]
const fn is_zero(order: &u64) -> bool {
    *order == 0
}

/// Why a request waits no more, though nothing was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum WhyClosed {
    /// Newer ones of the same contact took its place.
    Dropped,
    /// The person said no, or took back what the contact had.
    Denied,
}

/// A request that waits no more, though nothing was given: what it was called means nothing else, ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedRequest {
    /// The own address that it came to.
    pub own: AccountId,
    /// What this home called it.
    #[serde(with = "serde_bytes")]
    pub id: [u8; 32],
    /// Why it waits no more.
    pub why: WhyClosed,
}

impl PendingRequest {
    /// It waits no more, and that is remembered.
    pub(crate) fn close(&self, why: WhyClosed) -> [Change; 2] {
        let (own, id) = (self.own, self.id);
        let gone = Change::Delete {
            table: table::REQUESTS,
            key: id.to_vec(),
        };
        let closed = ClosedRequest { own, id, why };
        [gone, change(table::CLOSED_REQUESTS, &id, &closed)]
    }
}

impl Party {
    /// Asks the owner behind a pairing for access (row 10). The same request twice is one.
    pub async fn ask(
        &self,
        owner: AccountId,
        purpose: Purpose,
        reason: &str,
        until: Timestamp,
    ) -> Result<(), JourneyError> {
        let question = Question {
            purpose,
            reason: reason.to_owned(),
            categories: Vec::new(),
            dates: None,
            until,
        };
        self.ask_for(owner, question).await.map(drop)
    }

    /// As [`Party::ask`], for records of some categories and dates: what is granted by class or all covers no others. Gives when
    /// this very request was sent before; none if it is a new one.
    pub async fn ask_for(
        &self,
        owner: AccountId,
        question: Question,
    ) -> Result<Option<Timestamp>, JourneyError> {
        // The other side would not take it, and nobody would be told.
        if question.reason.len() > bounds::MOST_REASON {
            return Err(JourneyError::TooLong {
                what: "reason",
                bytes: question.reason.len(),
                most: bounds::MOST_REASON,
            });
        }
        self.patron(owner)?;
        // Another device may have handed the account on. A chain that is away is asked when the letter leaves, and whoever has no
        // key of the account any more the node refuses.
        let _ = self.signed_for_now(self.account().id()).await;
        let key = errand_key(
            "ask",
            &[
                owner.as_bytes(),
                question.purpose.code().as_bytes(),
                question.reason.as_bytes(),
                &question.until.0.to_be_bytes(),
                &cbor::to_vec(&(&question.categories, &question.dates)),
            ],
        );
        if let Some(letter) = self.outgoing(&key)?
            && !self.is_signed_before(&letter)?
        {
            let before = letter.sent;
            self.post(letter).await?;
            return Ok(before);
        }
        let letter = self.keep_request(key, owner, question).await?;
        self.post(letter).await?;
        Ok(None)
    }

    /// Requests that wait for the person.
    pub fn requests(&self) -> Result<Vec<PendingRequest>, JourneyError> {
        self.rows(table::REQUESTS)
    }

    /// Requests that wait no more, though nothing was given.
    pub fn closed_requests(&self) -> Result<Vec<ClosedRequest>, JourneyError> {
        self.rows(table::CLOSED_REQUESTS)
    }

    /// What this home calls a request: a tag under a key of the phrase, for whoever sends it chooses its letter's id and could
    /// make one that begins as another does.
    pub(crate) fn request_name(&self, letter: &Opened) -> [u8; 32] {
        let key = PairingKey::from_bytes(self.seed.local_key("request-names"));
        let (to, from) = (letter.recipient.as_bytes(), letter.account.as_bytes());
        key.tag("medibloc/v1/request-name", &[to, from, &letter.id])
    }

    /// Grants given, by id.
    pub fn grants(&self) -> Result<Vec<(GrantId, GivenGrant)>, JourneyError> {
        let given: Vec<GivenGrant> = self.rows(table::GRANTS)?;
        Ok(given
            .into_iter()
            .filter_map(|given| {
                let id = given.artefact.grant.as_ref()?.id;
                Some((id, given))
            })
            .collect())
    }

    /// Write grants given, by id.
    pub fn write_grants(&self) -> Result<Vec<(GrantId, GivenGrant)>, JourneyError> {
        let given: Vec<GivenGrant> = self.rows(table::WRITE_GRANTS)?;
        Ok(given
            .into_iter()
            .filter_map(|given| {
                let write = given.artefact.write?;
                let id = GrantId::derive(write.owner, write.author, write.nonce);
                Some((id, given))
            })
            .collect())
    }

    /// Grants held.
    pub fn held(&self) -> Result<Vec<HeldGrant>, JourneyError> {
        self.rows(table::SHARED_GRANTS)
    }

    /// Goes on with an errand, if it has not ended and is not put off.
    pub(crate) async fn finish(&self, key: &[u8; 32]) -> Result<(), JourneyError> {
        match self.errand(key)? {
            Some(errand) if !self.is_planned(&errand)? => self.go_on(errand).await.map(drop),
            _ => Ok(()),
        }
    }

    /// When a consent ends that was asked for until then.
    pub(crate) async fn end_of(&self, asked: Timestamp) -> Result<Timestamp, JourneyError> {
        let now = self.chain_now().await?;
        Ok(self.ports.pace.end(now, asked, self.ports.draw()))
    }

    pub(crate) fn own_address(&self, id: AccountId) -> Result<OwnAddress, JourneyError> {
        self.own(id)?.ok_or_else(|| JourneyError::Unknown {
            what: format!("the own address {id}"),
            hint: "restore this account first",
        })
    }

    pub(crate) fn confirmed(&self, own: AccountId) -> Result<Contact, JourneyError> {
        let contact = self.contact(own)?;
        if contact.confirmed {
            return Ok(contact);
        }
        Err(JourneyError::Untrusted {
            what: "contact",
            why: format!(
                "«{}» is not confirmed yet; read the name and run `medibloc contact confirm`",
                self.names()?.contact(&contact)
            ),
        })
    }

    pub(crate) async fn key_of(&self, id: AccountId) -> Result<SealingKey, JourneyError> {
        Ok(self.reached(id).await?.1)
    }

    /// The address of an account's mailbox, its first whoever signs for it now, and the key to seal to.
    pub(crate) async fn reached(
        &self,
        id: AccountId,
    ) -> Result<(Address, SealingKey), JourneyError> {
        let account = self.ports.facts.account(id).await?;
        account
            .map(|account| (id.first_address(), account.sealing_key))
            .ok_or_else(|| JourneyError::Unknown {
                what: format!("the account {id}"),
                hint: "it is not registered; ask the other side to register it",
            })
    }
}

/// Reader addresses that a request offers.
pub(crate) const READERS: u8 = 4;

impl Artefact {
    pub(crate) fn new(
        contact: &Contact,
        owner_node: String,
        (purpose, reason): (Purpose, &str),
        until: Timestamp,
    ) -> Self {
        Self {
            version: 1,
            purpose,
            reason: reason.to_owned(),
            erase_by: until,
            name: contact.name.clone(),
            account: contact.card.account,
            credential: contact.card.credential.clone(),
            party: contact.party,
            paired: contact.own,
            node: contact.card.node.clone(),
            owner_node,
            grant: None,
            write: None,
            purpose_salt: [0; 32],
            reason_salt: None,
            binding: None,
            request: None,
            records: Vec::new(),
            extent: None,
            sensitivity: Sensitivity::Normal,
            categories: Vec::new(),
            dates: None,
            pairing: contact.pairing.clone(),
        }
    }
}

impl GivenGrant {
    pub(crate) const fn new(own: AccountId, artefact: Artefact) -> Self {
        Self {
            own,
            artefact,
            revoked: false,
            purged: false,
            purged_at: None,
            files_kept: 0,
            files_unknown: false,
            outputs: None,
            revoked_at: None,
            lost: false,
        }
    }

    /// What is left of what its reader purged.
    pub const fn left(&self) -> Left {
        Left {
            files: self.files_kept,
            unknown: self.files_unknown,
            outputs: self.outputs,
        }
    }

    /// Whether it was given to answer this request.
    pub fn answers(&self, request: &[u8; 32]) -> bool {
        self.artefact
            .request
            .is_some_and(|answered| *answered == *request)
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
