// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @dev What an account is; fixed when it registers.
enum Role {
    None,
    Person,
    Provider,
    Researcher
}

/// @dev What a grant reaches. Listed: the records of the lists that its owner delivered under it.
enum Scope {
    One,
    Classes,
    All,
    Listed
}

/// @dev The id of an account: the address that registered it, which AccountBook alone turns into one. What signs, calls
/// or is deployed is a plain address.
type AccountId is address;
/// @dev The id of a record (Ids.record).
type RecordId is bytes32;
/// @dev The id of a read or write grant (Ids.grant).
type GrantId is bytes32;
/// @dev The id of a receipt (Ids.receipt).
type ReceiptId is bytes32;
/// @dev 1 medical, 2 self, 3 family, 4 device, 5 research.
type Kind is uint8;
/// @dev Bit 1 << kind for each kind.
type KindSet is uint8;
/// @dev 0 is undisclosed; the others are 1 to 63, which is all that followers read.
type Class is uint8;
/// @dev Bit 1 << class for each class.
type ClassSet is uint256;

using {sameAccount as ==, otherAccount as !=} for AccountId global;
using {sameRecord as ==, otherRecord as !=} for RecordId global;
using {sameKind as ==} for Kind global;

AccountId constant NO_ACCOUNT = AccountId.wrap(address(0));
RecordId constant NO_RECORD = RecordId.wrap(0);

function sameAccount(AccountId a, AccountId b) pure returns (bool) {
    return AccountId.unwrap(a) == AccountId.unwrap(b);
}

function otherAccount(AccountId a, AccountId b) pure returns (bool) {
    return AccountId.unwrap(a) != AccountId.unwrap(b);
}

function sameRecord(RecordId a, RecordId b) pure returns (bool) {
    return RecordId.unwrap(a) == RecordId.unwrap(b);
}

function otherRecord(RecordId a, RecordId b) pure returns (bool) {
    return RecordId.unwrap(a) != RecordId.unwrap(b);
}

function sameKind(Kind a, Kind b) pure returns (bool) {
    return Kind.unwrap(a) == Kind.unwrap(b);
}

/// @dev The fields of an anchored record; the chain keeps their commitment, the event keeps them.
/// amends is the id of the record that this one amends, or zero.
struct AnchorFields {
    bytes32 nonce;
    AccountId author;
    AccountId owner;
    bytes32 packageDigest;
    bytes32 keySetDigest;
    bytes32 capsuleDigest;
    bytes32 attestationDigest;
    Kind kind;
    Class class;
    RecordId amends;
}

/// @dev The fields of a read grant. recordId is the record for One, the root of the first list for Listed, and zero for the
/// others; classes only for Classes.
/// Valid while from <= time < until. reads 0 is without limit. binding zero is a private reader.
struct GrantFields {
    bytes32 nonce;
    AccountId owner;
    AccountId reader;
    Scope scope;
    RecordId recordId;
    ClassSet classes;
    bytes32 purposeTag;
    uint64 from;
    uint64 until;
    uint32 reads;
    bytes32 binding;
    bytes32 digest;
}
