// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @dev What an account is; fixed when it registers.
enum Role {
    None,
    Person,
    Provider,
    Researcher
}

/// @dev What a grant reaches.
enum Scope {
    One,
    Classes,
    All
}

/// @dev The fields of an anchored record; the chain keeps their commitment, the event keeps them.
/// author and owner are account ids. kind: 1 medical, 2 self, 3 family, 4 device, 5 research.
/// class 0 is undisclosed. amends is the id of the record that this one amends, or zero.
struct AnchorFields {
    bytes32 nonce;
    address author;
    address owner;
    bytes32 packageDigest;
    bytes32 keySetDigest;
    bytes32 capsuleDigest;
    bytes32 attestationDigest;
    uint8 kind;
    uint8 class;
    bytes32 amends;
}

/// @dev The fields of a read grant. recordId only for One, classes (bit 1 << class) only for Classes.
/// Valid while from <= time < until. reads 0 is without limit. binding zero is a private reader.
struct GrantFields {
    bytes32 nonce;
    address owner;
    address reader;
    Scope scope;
    bytes32 recordId;
    uint256 classes;
    bytes32 purposeTag;
    uint64 from;
    uint64 until;
    uint32 reads;
    bytes32 binding;
    bytes32 digest;
}
