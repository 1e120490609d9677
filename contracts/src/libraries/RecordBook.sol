// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IRecords} from "../interfaces/IRecords.sol";
import {AnchorFields} from "../Types.sol";
import {Ids} from "./Ids.sol";

/// @title The state of records
library RecordBook {
    uint8 internal constant ACCEPTED = 1;
    uint8 internal constant ERASED = 2;
    uint8 internal constant RETRACTED = 4;

    /// @dev One slot. The owner's tag lets an amendment be checked without the amended record's fields.
    struct Entry {
        uint40 since;
        uint8 flags;
        uint32 ownerTag;
        bytes22 commitment;
    }

    struct Book {
        mapping(bytes32 recordId => Entry) entries;
        mapping(bytes32 recordId => uint32) replacements;
    }

    /// @dev The caller has checked that the author may write this.
    function anchor(Book storage self, AnchorFields calldata fields) internal {
        bytes32 id = Ids.record(fields.author, fields.owner, fields.nonce);
        Entry storage entry = self.entries[id];
        if (entry.since != 0) revert IRecords.AlreadyAnchored(id);
        uint32 tag = uint32(uint160(fields.owner));
        if (fields.amends != 0) {
            Entry storage amended = self.entries[fields.amends];
            if (amended.since == 0 || amended.ownerTag != tag) revert IRecords.UnknownRecord(fields.amends);
        }
        self.entries[id] = Entry(uint40(block.timestamp), 0, tag, commitment(fields));
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

    function accept(Book storage self, AnchorFields calldata fields, address sender) internal {
        (bytes32 id, Entry storage entry) = _owned(self, fields, sender);
        uint8 flags = entry.flags;
        if (flags & ACCEPTED != 0) revert IRecords.AlreadyAccepted(id);
        entry.flags = flags | ACCEPTED;
        emit IRecords.Accepted(id, sender);
    }

    function retract(Book storage self, AnchorFields calldata fields, address sender) internal {
        (bytes32 id, Entry storage entry) = live(self, fields);
        if (fields.author != sender) revert IRecords.NotAuthor(id, sender);
        uint8 flags = entry.flags;
        if (flags & RETRACTED != 0) revert IRecords.AlreadyRetracted(id);
        entry.flags = flags | RETRACTED;
        emit IRecords.Retracted(id, sender);
    }

    function erase(Book storage self, AnchorFields calldata fields, address sender) internal {
        (bytes32 id, Entry storage entry) = _owned(self, fields, sender);
        entry.flags |= ERASED;
        emit IRecords.Erased(id, sender);
    }

    function replaceCapsule(Book storage self, AnchorFields calldata fields, bytes32 digest, address sender) internal {
        (bytes32 id,) = _owned(self, fields, sender);
        uint32 version = ++self.replacements[id] + 1;
        emit IRecords.CapsuleReplaced(id, sender, version, digest);
    }

    /// @dev The record that these fields name, if they are the anchored ones and it is not erased.
    function live(Book storage self, AnchorFields calldata fields)
        internal
        view
        returns (bytes32 id, Entry storage entry)
    {
        id = Ids.record(fields.author, fields.owner, fields.nonce);
        entry = self.entries[id];
        _requireLive(entry, id, commitment(fields));
    }

    /// @dev Reverts unless the record is known by this commitment, accepted and not erased.
    function requireOpenable(Book storage self, bytes32 id, bytes22 committed) internal view {
        Entry memory found = self.entries[id];
        _requireLive(found, id, committed);
        if (found.flags & ACCEPTED == 0) revert IRecords.NotAccepted(id);
    }

    function commitment(AnchorFields calldata fields) internal pure returns (bytes22) {
        return bytes22(Ids.hash(fields));
    }

    function _requireLive(Entry memory found, bytes32 id, bytes22 committed) private pure {
        if (found.since == 0) revert IRecords.UnknownRecord(id);
        if (found.commitment != committed) revert IRecords.WrongPreimage(id);
        if (found.flags & ERASED != 0) revert IRecords.RecordErased(id);
    }

    function _owned(Book storage self, AnchorFields calldata fields, address sender)
        private
        view
        returns (bytes32 id, Entry storage entry)
    {
        (id, entry) = live(self, fields);
        if (fields.owner != sender) revert IRecords.NotOwner(id, sender);
    }
}
