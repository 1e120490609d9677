//! The `info` of every HPKE wrap (design 02, "HPKE suite 1"): what it is for, on which chain, between whom. Each party
//! builds it from final chain state, never from a request.

use medibloc_record::{
    Abi, AccountId, Address, FORMAT_VERSION, GrantId, ReceiptId, RecordId, TypedDomain,
};

fn base(label: &str, domain: &TypedDomain) -> Abi {
    Abi::new()
        .bytes(label.as_bytes())
        .uint(u64::from(FORMAT_VERSION))
        .uint(domain.chain_id)
        .address(domain.records)
}

/// The owner's capsule.
pub fn capsule(
    domain: &TypedDomain,
    record: RecordId,
    author: AccountId,
    owner: AccountId,
) -> Vec<u8> {
    base("medibloc/v1/capsule", domain)
        .word(record.to_bytes())
        .account(author)
        .account(owner)
        .encode()
}

/// A share on its way to a keeper.
pub fn share(
    domain: &TypedDomain,
    record: RecordId,
    author: AccountId,
    owner: AccountId,
    committee: u32,
    index: u8,
    key_version: u32,
) -> Vec<u8> {
    base("medibloc/v1/share", domain)
        .word(record.to_bytes())
        .account(author)
        .account(owner)
        .uint(u64::from(committee))
        .uint(u64::from(index))
        .uint(u64::from(key_version))
        .encode()
}

/// A share on its way to a reader.
pub fn release(
    domain: &TypedDomain,
    record: RecordId,
    author: AccountId,
    owner: AccountId,
    committee: u32,
    index: u8,
    receipt: ReceiptId,
) -> Vec<u8> {
    base("medibloc/v1/release", domain)
        .word(record.to_bytes())
        .account(author)
        .account(owner)
        .uint(u64::from(committee))
        .uint(u64::from(index))
        .word(receipt.to_bytes())
        .encode()
}

/// The key list of a grant.
pub fn grant_keys(
    domain: &TypedDomain,
    owner: AccountId,
    reader: AccountId,
    grant: GrantId,
) -> Vec<u8> {
    base("medibloc/v1/grant-keys", domain)
        .account(owner)
        .account(reader)
        .word(grant.to_bytes())
        .encode()
}

/// The key list of a delivery.
pub fn deliver(
    domain: &TypedDomain,
    owner: AccountId,
    reader: AccountId,
    grant: GrantId,
    number: u32,
) -> Vec<u8> {
    base("medibloc/v1/deliver", domain)
        .account(owner)
        .account(reader)
        .word(grant.to_bytes())
        .uint(u64::from(number))
        .encode()
}

/// One of a grant object's two wraps.
pub fn grant_object(
    domain: &TypedDomain,
    owner: AccountId,
    other: AccountId,
    grant: GrantId,
    recipient: AccountId,
) -> Vec<u8> {
    base("medibloc/v1/grant-object", domain)
        .account(owner)
        .account(other)
        .word(grant.to_bytes())
        .account(recipient)
        .encode()
}

/// A letter.
pub fn mailbox(
    domain: &TypedDomain,
    sender: Address,
    recipient: Address,
    id: &[u8; 32],
) -> Vec<u8> {
    base("medibloc/v1/mailbox", domain)
        .address(sender)
        .address(recipient)
        .word(*id)
        .encode()
}
