// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IConsent} from "../interfaces/IConsent.sol";
import {AccountId, ClassSet, GrantFields, GrantId, Kind, KindSet, NO_RECORD, Scope} from "../Types.sol";
import {Ids} from "./Ids.sol";

/// @title The state of consent
library ConsentBook {
    /// @dev Bits of the kinds 1 to 5.
    uint8 private constant KINDS = 0x3e;

    /// @dev One slot a grant id. commitment is zero for a write grant. Finding two grants of one commitment takes an owner
    /// 2^80 tries; an epoch of 24 bits lasts 16,777,215 revocations by one owner.
    struct Entry {
        uint40 since;
        bool revoked;
        uint24 epoch;
        uint24 readerEpoch;
        bytes20 commitment;
    }

    /// @dev One slot for an owner and another account: the write grant to it, and how often it was revoked as a reader.
    struct Pair {
        uint64 until;
        uint24 epoch;
        KindSet kinds;
        uint24 readerEpoch;
    }

    struct Book {
        mapping(GrantId grantId => Entry) entries;
        mapping(AccountId owner => mapping(AccountId other => Pair)) pairs;
        mapping(AccountId owner => uint24) epochs;
        mapping(GrantId grantId => mapping(bytes32 root => bool)) lists;
    }

    function grantWrite(
        Book storage self,
        AccountId owner,
        bytes32 nonce,
        AccountId author,
        KindSet kinds,
        uint64 until,
        bytes32 digest
    ) internal {
        GrantId id = Ids.grant(owner, author, nonce);
        if (self.entries[id].since != 0) revert IConsent.AlreadyGranted(id);
        if (KindSet.unwrap(kinds) == 0 || KindSet.unwrap(kinds) & ~KINDS != 0) revert IConsent.UnknownKinds(kinds);
        if (until <= block.timestamp) revert IConsent.EmptyPeriod(uint64(block.timestamp), until);
        uint24 epoch = self.epochs[owner];
        Pair storage pair = self.pairs[owner][author];
        self.entries[id] = Entry(uint40(block.timestamp), false, epoch, pair.readerEpoch, 0);
        self.pairs[owner][author] = Pair(until, epoch, kinds, pair.readerEpoch);
        emit IConsent.WriteGranted(owner, author, nonce, kinds, until, digest);
    }

    /// @dev The caller has checked the record of a One grant.
    function grant(Book storage self, GrantFields calldata g, GrantId id) internal {
        if (self.entries[id].since != 0) revert IConsent.AlreadyGranted(id);
        if (g.until <= g.from || g.until <= block.timestamp) revert IConsent.EmptyPeriod(g.from, g.until);
        uint256 classes = ClassSet.unwrap(g.classes);
        if (classes > type(uint64).max) revert IConsent.UnknownClasses(g.classes);
        bool fits = g.scope == Scope.One || g.scope == Scope.Listed
            ? g.recordId != NO_RECORD && classes == 0
            : g.recordId == NO_RECORD && (g.scope == Scope.Classes ? classes > 1 && classes & 1 == 0 : classes == 0);
        if (!fits) revert IConsent.WrongScope(id);
        self.entries[id] = Entry(
            uint40(block.timestamp),
            false,
            self.epochs[g.owner],
            self.pairs[g.owner][g.reader].readerEpoch,
            commitment(g)
        );
        _announce(g, id);
    }

    /// @dev The caller has checked that the sender gave the grant.
    function deliverList(Book storage self, GrantFields calldata g, GrantId id, bytes32 root) internal {
        check(self, g);
        if (g.scope != Scope.Listed) revert IConsent.WrongScope(id);
        self.lists[id][root] = true;
    }

    /// @dev The id names owner and reader, so the other fields are not looked at: ending a grant must not fail on them.
    function revoke(Book storage self, GrantFields calldata g, GrantId id) internal {
        Entry storage entry = self.entries[id];
        Entry memory found = entry;
        if (found.since == 0 || found.commitment == 0) revert IConsent.UnknownGrant(id);
        if (found.revoked) revert IConsent.GrantRevoked(id);
        entry.revoked = true;
        emit IConsent.Revoked(id, g.owner, g.reader);
    }

    function revokeWrite(Book storage self, AccountId owner, AccountId author) internal {
        (,, bool live) = writeGrant(self, owner, author);
        if (!live) revert IConsent.NoWriteGrant(owner, author);
        self.pairs[owner][author].kinds = KindSet.wrap(0);
        emit IConsent.WriteRevoked(owner, author);
    }

    function revokeReader(Book storage self, AccountId owner, AccountId reader) internal {
        ++self.pairs[owner][reader].readerEpoch;
        emit IConsent.ReaderRevoked(owner, reader);
    }

    function revokeAll(Book storage self, AccountId owner) internal {
        uint24 epoch = ++self.epochs[owner];
        emit IConsent.AllRevoked(owner, epoch);
    }

    /// @dev Reverts with the reason if the grant is not live.
    function check(Book storage self, GrantFields calldata g) internal view returns (GrantId id) {
        id = Ids.grant(g.owner, g.reader, g.nonce);
        requireStanding(self, id, g.owner, g.reader, commitment(g));
        requireInPeriod(g, id);
    }

    /// @dev Reverts unless the grant was given with these fields and not revoked.
    function requireStanding(Book storage self, GrantId id, AccountId owner, AccountId reader, bytes20 committed)
        internal
        view
    {
        Entry memory found = self.entries[id];
        if (found.since == 0 || found.commitment == 0) revert IConsent.UnknownGrant(id);
        if (found.commitment != committed) revert IConsent.WrongPreimage(GrantId.unwrap(id));
        if (
            found.revoked || found.epoch != self.epochs[owner]
                || found.readerEpoch != self.pairs[owner][reader].readerEpoch
        ) revert IConsent.GrantRevoked(id);
    }

    /// @dev Reverts unless the grant's time has come and not passed.
    function requireInPeriod(GrantFields calldata g, GrantId id) internal view {
        if (block.timestamp < g.from) revert IConsent.GrantNotYetValid(id, g.from);
        if (block.timestamp >= g.until) revert IConsent.GrantExpired(id, g.until);
    }

    function isLive(Book storage self, GrantFields calldata g) internal view returns (bool) {
        Entry memory found = self.entries[Ids.grant(g.owner, g.reader, g.nonce)];
        return found.since != 0 && found.commitment == commitment(g) && !found.revoked
            && found.epoch == self.epochs[g.owner] && found.readerEpoch == self.pairs[g.owner][g.reader].readerEpoch
            && g.from <= block.timestamp && block.timestamp < g.until;
    }

    function writeGrant(Book storage self, AccountId owner, AccountId author)
        internal
        view
        returns (KindSet kinds, uint64 until, bool live)
    {
        Pair memory pair = self.pairs[owner][author];
        return (pair.kinds, pair.until, KindSet.unwrap(pair.kinds) != 0 && block.timestamp < pair.until && pair.epoch == self.epochs[owner]);
    }

    function mayWrite(Book storage self, AccountId owner, AccountId author, Kind kind) internal view returns (bool) {
        (KindSet kinds,, bool live) = writeGrant(self, owner, author);
        return live && uint256(KindSet.unwrap(kinds)) & (uint256(1) << Kind.unwrap(kind)) != 0;
    }

    function commitment(GrantFields calldata g) internal pure returns (bytes20) {
        return bytes20(Ids.hash(g));
    }

    function _announce(GrantFields calldata g, GrantId id) private {
        emit IConsent.Granted(
            id,
            g.owner,
            g.reader,
            g.nonce,
            g.scope,
            g.recordId,
            g.classes,
            g.purposeTag,
            g.from,
            g.until,
            g.reads,
            g.binding,
            g.digest
        );
    }
}
