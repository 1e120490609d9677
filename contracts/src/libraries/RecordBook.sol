// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IRecords} from "../interfaces/IRecords.sol";
import {AccountId, AnchorFields, Class, NO_RECORD, RecordId} from "../Types.sol";
import {Ids} from "./Ids.sol";

/// @title The state of records
library RecordBook {
    uint8 internal constant ACCEPTED = 1;
    uint8 internal constant ERASED = 2;
    uint8 internal constant RETRACTED = 4;

    /// @dev The class numbers that followers read are below this one.
    uint8 internal constant CLASSES = 64;

    /// @dev One slot. An author chooses most of what the commitment covers, so it is as long as the slot allows: finding two
    /// records of one commitment takes 2^104 tries.
    struct Entry {
        uint40 since;
        uint8 flags;
        bytes26 commitment;
    }

    struct Book {
        mapping(RecordId id => Entry) entries;
        mapping(RecordId id => uint32) replacements;
    }

    /// @dev The caller has checked that the author may write this, and what it amends.
    function anchor(Book storage self, AnchorFields calldata fields) internal {
        RecordId id = Ids.record(fields.author, fields.owner, fields.nonce);
        Entry storage entry = self.entries[id];
        if (entry.since != 0) revert IRecords.AlreadyAnchored(id);
        if (Class.unwrap(fields.class) >= CLASSES) revert IRecords.UnknownClass(fields.class);
        self.entries[id] = Entry(uint40(block.timestamp), 0, commitment(fields));
        emit IRecords.Anchored(
            id,
            fields.owner,
            fields.author,
            fields.nonce,
            fields.packageDigest,
            fields.keySetDigest,
            fields.capsuleDigest,
            fields.attestationDigest,
            fields.kind,
            fields.class,
            fields.amends
        );
    }

    function requireNoAmendment(AnchorFields calldata fields) internal pure {
        if (fields.amends != NO_RECORD) revert IRecords.AmendedFieldsMissing(fields.amends);
    }

    /// @dev Reverts unless the second fields are those of the record that the first ones amend, and of the same owner.
    function requireAmends(Book storage self, AnchorFields calldata fields, AnchorFields calldata amended) internal view {
        RecordId id = Ids.record(amended.author, amended.owner, amended.nonce);
        if (id != fields.amends) revert IRecords.WrongPreimage(fields.amends);
        Entry memory found = self.entries[id];
        if (found.since == 0 || amended.owner != fields.owner) revert IRecords.UnknownRecord(id);
        if (found.commitment != commitment(amended)) revert IRecords.WrongPreimage(id);
    }

    function accept(Book storage self, AnchorFields calldata fields, AccountId sender) internal {
        (RecordId id, Entry storage entry) = _owned(self, fields, sender);
        uint8 flags = entry.flags;
        if (flags & ACCEPTED != 0) revert IRecords.AlreadyAccepted(id);
        entry.flags = flags | ACCEPTED;
        emit IRecords.Accepted(id, sender);
    }

    function retract(Book storage self, AnchorFields calldata fields, AccountId sender) internal {
        (RecordId id, Entry storage entry) = live(self, fields);
        if (fields.author != sender) revert IRecords.NotAuthor(id, sender);
        uint8 flags = entry.flags;
        if (flags & RETRACTED != 0) revert IRecords.AlreadyRetracted(id);
        entry.flags = flags | RETRACTED;
        emit IRecords.Retracted(id, sender);
    }

    function erase(Book storage self, AnchorFields calldata fields, AccountId sender) internal {
        (RecordId id, Entry storage entry) = _owned(self, fields, sender);
        entry.flags |= ERASED;
        emit IRecords.Erased(id, sender);
    }

    function replaceCapsule(Book storage self, AnchorFields calldata fields, bytes32 digest, AccountId sender)
        internal
    {
        (RecordId id,) = _owned(self, fields, sender);
        uint32 version = ++self.replacements[id] + 1;
        emit IRecords.CapsuleReplaced(id, sender, version, digest);
    }

    /// @dev The record that these fields name, if they are the anchored ones and it is not erased.
    function live(Book storage self, AnchorFields calldata fields)
        internal
        view
        returns (RecordId id, Entry storage entry)
    {
        id = Ids.record(fields.author, fields.owner, fields.nonce);
        entry = self.entries[id];
        _requireLive(entry, id, commitment(fields));
    }

    /// @dev Reverts unless the record is known by this commitment, accepted and not erased.
    function requireOpenable(Book storage self, RecordId id, bytes26 committed) internal view {
        Entry memory found = self.entries[id];
        _requireLive(found, id, committed);
        if (found.flags & ACCEPTED == 0) revert IRecords.NotAccepted(id);
    }

    function commitment(AnchorFields calldata fields) internal pure returns (bytes26) {
        return bytes26(Ids.hash(fields));
    }

    function _requireLive(Entry memory found, RecordId id, bytes26 committed) private pure {
        if (found.since == 0) revert IRecords.UnknownRecord(id);
        if (found.commitment != committed) revert IRecords.WrongPreimage(id);
        if (found.flags & ERASED != 0) revert IRecords.RecordErased(id);
    }

    function _owned(Book storage self, AnchorFields calldata fields, AccountId sender)
        private
        view
        returns (RecordId id, Entry storage entry)
    {
        (id, entry) = live(self, fields);
        if (fields.owner != sender) revert IRecords.NotOwner(id, sender);
    }
}
