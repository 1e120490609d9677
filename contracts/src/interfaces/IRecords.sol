// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccountId, AnchorFields, Class, Kind, RecordId} from "../Types.sol";
import {IAccountContext} from "./IAccountContext.sol";

/// @title Records: anchors and what becomes of them
/// @notice One slot a record: time, flags and a commitment of its fields. The event has the fields;
/// whoever acts on a record later passes them again and they are checked against the commitment.
interface IRecords is IAccountContext {
    /// @notice A record came to be.
    event Anchored(
        RecordId indexed recordId,
        AccountId indexed owner,
        AccountId indexed author,
        bytes32 nonce,
        bytes32 packageDigest,
        bytes32 keySetDigest,
        bytes32 capsuleDigest,
        bytes32 attestationDigest,
        Kind kind,
        Class class,
        RecordId amends
    );
    /// @notice The owner's agent has checked the record.
    event Accepted(RecordId indexed recordId, AccountId indexed owner);
    /// @notice The author takes the record back; it stays and is marked.
    event Retracted(RecordId indexed recordId, AccountId indexed author);
    /// @notice The owner erased the record: it is never opened again.
    event Erased(RecordId indexed recordId, AccountId indexed owner);
    /// @notice The owner replaced the capsule. The anchored one is version 1, the first replacement version 2.
    event CapsuleReplaced(RecordId indexed recordId, AccountId indexed owner, uint32 version, bytes32 digest);

    /// @notice The record id exists.
    error AlreadyAnchored(RecordId recordId);
    /// @notice The record was accepted before.
    error AlreadyAccepted(RecordId recordId);
    /// @notice The record was retracted before.
    error AlreadyRetracted(RecordId recordId);
    /// @notice The sender's account is not the record's owner.
    error NotOwner(RecordId recordId, AccountId account);
    /// @notice The sender's account is not the record's author, or a self entry names another owner.
    error NotAuthor(RecordId recordId, AccountId account);
    /// @notice A medical record needs a provider whose accreditation counts now; a research record a researcher's. Or a
    /// suspended author retracts.
    error NotAccredited(AccountId author);
    /// @notice The owner has not granted, or has revoked, writing this kind.
    error NoWriteGrant(AccountId owner, AccountId author, Kind kind);
    /// @notice Kind is none of 1 to 5.
    error UnknownKind(Kind kind);
    /// @notice The fields passed are not those that were anchored.
    error WrongPreimage(RecordId recordId);
    /// @notice No such record, or the amended one is none of this owner's.
    error UnknownRecord(RecordId recordId);
    /// @notice The owner has erased the record.
    error RecordErased(RecordId recordId);
    /// @notice The owner has not accepted the record.
    error NotAccepted(RecordId recordId);
    /// @notice A class over 63, which no follower reads.
    error UnknownClass(Class class);
    /// @notice A record that amends another was anchored without the other one's fields.
    error AmendedFieldsMissing(RecordId amended);
    /// @notice An empty batch, one of more than 256 records, or fields of more amended records than it amends.
    error WrongBatchSize(uint256 size);

    /// @notice Anchors a record that amends none; the sender is its author.
    function anchor(AnchorFields calldata fields) external;

    /// @notice Anchors a record that amends another one of the same owner, whose fields are passed too.
    function amend(AnchorFields calldata fields, AnchorFields calldata amended) external;

    /// @notice Anchors 1 to 256 records of one author; all or none. `amended` has the fields of what those that amend
    /// amend, in their order.
    function anchorBatch(AnchorFields[] calldata batch, AnchorFields[] calldata amended) external;

    /// @notice Accepts a record; the sender is its owner.
    function accept(AnchorFields calldata fields) external;

    /// @notice Retracts a record; the sender is its author and not suspended: whoever holds a stolen key takes nothing back.
    /// An accreditation that has expired does not matter.
    function retract(AnchorFields calldata fields) external;

    /// @notice Erases a record; the sender is its owner.
    function erase(AnchorFields calldata fields) external;

    /// @notice Names a new capsule; the sender is the owner.
    function replaceCapsule(AnchorFields calldata fields, bytes32 newCapsuleDigest) external;

    /// @notice What is known of a record; all zero if it does not exist.
    /// commitment is the first 26 bytes of keccak256(abi.encode(fields)).
    function state(RecordId recordId)
        external
        view
        returns (uint64 anchoredAt, bool accepted, bool erased, bool retracted, bytes26 commitment);

    /// @notice How many capsules a record has had; 0 if it does not exist.
    function capsuleVersion(RecordId recordId) external view returns (uint32);

    /// @notice Reverts with the reason unless the record has this commitment, is accepted and is not erased.
    function requireOpenable(RecordId recordId, bytes26 commitment) external view;
}
