//! The words between author, reader, owner and keeper (design 06, 11).

use medibloc_record::{
    Abi, Address, Digest, GrantId, ReceiptId, RecordId, Signature, Timestamp, TypedDomain, Wrapped,
    keccak256,
};
use serde::{Deserialize, Serialize};

use crate::{Binding, Reason};

/// One keeper's share of a record, on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareDeposit {
    /// The record.
    pub record: RecordId,
    /// The key set's block; its digest is in the anchor.
    #[serde(with = "serde_bytes")]
    pub key_set: Vec<u8>,
    /// Which share.
    pub index: u8,
    /// The share, wrapped to the keeper.
    pub wrapped: Wrapped,
}

/// What a keeper says when it has stored a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// The keeper.
    pub keeper: Address,
    /// The record.
    pub record: RecordId,
    /// Digest of its key set.
    pub key_set: Digest,
    /// Which share.
    pub index: u8,
}

impl Acknowledgement {
    /// The EIP-712 digest that the keeper signs; the domain has the chain's id.
    pub fn digest(&self, domain: &TypedDomain) -> [u8; 32] {
        let hash = Abi::new()
            .word(keccak256(b"Acknowledgement(address keeper,bytes32 recordId,bytes32 keySetDigest,uint8 index)"))
            .address(self.keeper)
            .word(self.record.to_bytes())
            .word(self.key_set.to_bytes())
            .uint(u64::from(self.index))
            .keccak256();
        domain.digest(hash)
    }
}

/// An acknowledgement with the keeper's signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedAcknowledgement {
    /// The words.
    pub acknowledgement: Acknowledgement,
    /// The keeper's signature.
    pub signature: Signature,
}

/// What a reader asks of one keeper.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeeperRequest {
    /// 1.
    pub version: u8,
    /// Whom it is for.
    pub keeper: Address,
    /// The record.
    pub record: RecordId,
    /// The grant.
    pub grant: GrantId,
    /// The receipt.
    pub receipt: ReceiptId,
    /// X25519 key for this reply alone.
    #[serde(with = "serde_bytes")]
    pub one_time_key: [u8; 32],
    /// Opening of the grant's binding, or none.
    pub binding: Option<Binding>,
    /// Until when it may be answered.
    pub expiry: Timestamp,
}

impl KeeperRequest {
    /// The EIP-712 digest that the reader's address signs.
    pub fn digest(&self, domain: &TypedDomain) -> [u8; 32] {
        const TYPE: &[u8] = b"KeeperRequest(uint8 version,address keeper,bytes32 recordId,bytes32 grantId,bytes32 receiptId,bytes32 oneTimeKey,bytes32 binding,uint64 expiry)";
        let hash = Abi::new()
            .word(keccak256(TYPE))
            .uint(u64::from(self.version))
            .address(self.keeper)
            .word(self.record.to_bytes())
            .word(self.grant.to_bytes())
            .word(self.receipt.to_bytes())
            .word(self.one_time_key)
            .word(
                self.binding
                    .as_ref()
                    .map_or([0; 32], |binding| binding.tag().0),
            )
            .uint(self.expiry.0)
            .keccak256();
        domain.digest(hash)
    }
}

/// A request with the reader's signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedRequest {
    /// The words.
    pub request: KeeperRequest,
    /// The reader's signature.
    pub signature: Signature,
}

/// A share for a reader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Which share.
    pub index: u8,
    /// The share, wrapped to the one-time key.
    pub wrapped: Wrapped,
}

/// Why a keeper did not do it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RefusalReason {
    /// A rule of consent.
    #[error("{0}")]
    Consent(Reason),
    /// The record is not anchored, or not final yet.
    #[error("the record is not final on the keeper's chain view; try again in a moment")]
    UnknownRecord,
    /// It has no share of the record.
    #[error(
        "this keeper has no share of the record; its owner gives it again with `medibloc record store`"
    )]
    NoShare,
    /// Not the author or owner.
    #[error("only the record's author or owner may do this")]
    NotAParty,
    /// The key set is not the anchored one.
    #[error("the key set is not the one that the anchor names")]
    WrongKeySet,
    /// n, t or committee are not the chain's.
    #[error("the key set names another committee than the chain; fetch it and seal again")]
    WrongCommittee,
    /// The wrap does not open.
    #[error(
        "the share's wrap does not open with this keeper's keys; fetch the newest wrap key and wrap it again"
    )]
    WrongWrap,
    /// The share does not fit the commitments.
    #[error("the share does not fit its commitment; deal it again from the seed")]
    WrongShare,
    /// The signature is another's.
    #[error("the signature is not the reader's")]
    WrongSignature,
    /// Addressed to another.
    #[error("the request is for another keeper")]
    WrongKeeper,
    /// Over.
    #[error("the request has expired; sign a new one")]
    RequestExpired,
    /// Ends too late.
    #[error("the request may be valid for ten minutes at most; sign one that ends sooner")]
    ExpiryTooFar,
    /// The receipt, or its reader, was answered as often as it may be.
    #[error(
        "this keeper answered this receipt or this reader as often as it may; ask again in ten minutes"
    )]
    Busy,
    /// Used before.
    #[error("the request was answered before; sign a new one with a new one-time key")]
    Replayed,
    /// No such receipt, or of another record, grant or reader.
    #[error(
        "there is no final receipt of this reader for this record and grant; open the read on chain first"
    )]
    NoReceipt,
    /// Over ten minutes.
    #[error("the receipt is over ten minutes old; open the read again")]
    ReceiptTooOld,
    /// The grant is bound and the opening is missing or wrong.
    #[error("the binding of the reader to its account is missing or wrong")]
    WrongBinding,
    /// The reader's account is not in good standing.
    #[error("the reader's account is not accredited now or is suspended; ask the authority")]
    ReaderNotInGoodStanding,
    /// The keeper does not follow the chain.
    #[error("this keeper's view of the chain is stale; it releases nothing until it has caught up")]
    Stalled,
}

/// What a keeper answers to a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeeperReply {
    /// The share.
    Released(Release),
    /// No, because.
    Refused(RefusalReason),
}

/// A reply, signed by the keeper over the hashes of request and reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedReply {
    /// Digest of the request.
    #[serde(with = "serde_bytes")]
    pub request: [u8; 32],
    /// The answer.
    pub reply: KeeperReply,
    /// The keeper's signature over [`SignedReply::digest_of`].
    pub signature: Signature,
}

impl SignedReply {
    /// The EIP-712 digest that the keeper signs; `reply` is the reply's encoding.
    pub fn digest_of(request: [u8; 32], reply: &[u8], domain: &TypedDomain) -> [u8; 32] {
        let hash = Abi::new()
            .word(keccak256(b"KeeperReply(bytes32 request,bytes32 reply)"))
            .word(request)
            .word(keccak256(reply))
            .keccak256();
        domain.digest(hash)
    }
}

/// What a keeper says when it has destroyed a record's local key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletionStatement {
    /// The keeper.
    pub keeper: Address,
    /// The record.
    pub record: RecordId,
    /// The keeper's signature.
    pub signature: Signature,
}

impl DeletionStatement {
    /// The EIP-712 digest that the keeper signs.
    pub fn digest(keeper: Address, record: RecordId, domain: &TypedDomain) -> [u8; 32] {
        let hash = Abi::new()
            .word(keccak256(b"Deletion(address keeper,bytes32 recordId)"))
            .address(keeper)
            .word(record.to_bytes())
            .keccak256();
        domain.digest(hash)
    }
}

impl KeeperReply {
    /// The bytes that a keeper signs over: a tag and the reply's fields, lengths first.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Released(release) => Abi::new()
                .uint(1)
                .uint(u64::from(release.index))
                .uint(u64::from(release.wrapped.key_version))
                .word(release.wrapped.enc)
                .bytes(&release.wrapped.ciphertext)
                .encode(),
            Self::Refused(reason) => Abi::new().uint(0).object(reason).encode(),
        }
    }
}
