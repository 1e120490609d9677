// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AnchorFields} from "../Types.sol";

/// @title Records: anchors and what becomes of them
/// @notice One slot a record: time, flags, a tag of its owner and a commitment of its fields. The event has the fields;
/// whoever acts on a record later passes them again and they are checked against the commitment.
interface IRecords {
    /// @notice A record came to be.
    event Anchored(
        bytes32 indexed recordId,
        address indexed owner,
        address indexed author,
        bytes32 nonce,
        bytes32 packageDigest,
        bytes32 keySetDigest,
        bytes32 capsuleDigest,
        bytes32 attestationDigest,
        uint8 kind,
        uint8 class,
        bytes32 amends
    );
    /// @notice The owner's agent has checked the record.
    event Accepted(bytes32 indexed recordId, address indexed owner);
    /// @notice The author takes the record back; it stays and is marked.
    event Retracted(bytes32 indexed recordId, address indexed author);
    /// @notice The owner erased the record: it is never opened again.
    event Erased(bytes32 indexed recordId, address indexed owner);
    /// @notice The owner replaced the capsule. The anchored one is version 1, the first replacement version 2.
    event CapsuleReplaced(bytes32 indexed recordId, address indexed owner, uint32 version, bytes32 digest);

    /// @notice The record id exists.
    error AlreadyAnchored(bytes32 recordId);
    /// @notice The record was accepted before.
    error AlreadyAccepted(bytes32 recordId);
    /// @notice The record was retracted before.
    error AlreadyRetracted(bytes32 recordId);
    /// @notice The sender signs for no account.
    error NotRegistered(address signer);
    /// @notice The sender's account is not the record's owner.
    error NotOwner(bytes32 recordId, address account);
    /// @notice The sender's account is not the record's author, or a self entry names another owner.
    error NotAuthor(bytes32 recordId, address account);
    /// @notice A medical record needs a provider whose accreditation counts now; a research record a researcher's.
    error NotAccredited(address author);
    /// @notice The owner has not granted, or has revoked, writing this kind.
    error NoWriteGrant(address owner, address author, uint8 kind);
    /// @notice Kind is none of 1 to 5.
    error UnknownKind(uint8 kind);
    /// @notice The fields passed are not those that were anchored.
    error WrongPreimage(bytes32 recordId);
    /// @notice No such record, or the amended one is none of this owner's.
    error UnknownRecord(bytes32 recordId);
    /// @notice The owner has erased the record.
    error RecordErased(bytes32 recordId);
    /// @notice The owner has not accepted the record.
    error NotAccepted(bytes32 recordId);
    /// @notice An empty batch, or one of more than 256 records.
    error WrongBatchSize(uint256 size);

    /// @notice Anchors a record; the sender is its author.
    function anchor(AnchorFields calldata fields) external;

    /// @notice Anchors 1 to 256 records of one author; all or none.
    function anchorBatch(AnchorFields[] calldata batch) external;

    /// @notice Accepts a record; the sender is its owner.
    function accept(AnchorFields calldata fields) external;

    /// @notice Retracts a record; the sender is its author.
    function retract(AnchorFields calldata fields) external;

    /// @notice Erases a record; the sender is its owner.
    function erase(AnchorFields calldata fields) external;

    /// @notice Names a new capsule; the sender is the owner.
    function replaceCapsule(AnchorFields calldata fields, bytes32 newCapsuleDigest) external;

    /// @notice What is known of a record; all zero if it does not exist.
    /// commitment is the first 22 bytes of keccak256(abi.encode(fields)).
    function state(bytes32 recordId)
        external
        view
        returns (uint64 anchoredAt, bool accepted, bool erased, bool retracted, bytes22 commitment);

    /// @notice How many capsules a record has had; 0 if it does not exist.
    function capsuleVersion(bytes32 recordId) external view returns (uint32);

    /// @notice Reverts with the reason unless the record has this commitment, is accepted and is not erased.
    function requireOpenable(bytes32 recordId, bytes22 commitment) external view;
}
