// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IAccounts} from "../interfaces/IAccounts.sol";
import {Role} from "../Types.sol";

/// @title The state of accounts
library AccountBook {
    /// @dev An address that signed for an account and never will again.
    address private constant RETIRED = address(1);

    /// @dev One slot: all that the hot paths ask of an account.
    struct Entry {
        Role role;
        bool suspended;
        bool moved;
        uint32 keyVersion;
        uint64 registeredAt;
        uint64 from;
        uint64 to;
    }

    /// @dev what the accreditation was from `since` on; one slot.
    struct Past {
        uint64 since;
        uint64 from;
        uint64 to;
        bool suspended;
    }

    struct Book {
        mapping(address id => Entry) entries;
        mapping(address signer => address id) aliases;
        mapping(address id => address signer) signers;
        mapping(address id => mapping(uint32 version => bytes32)) keys;
        mapping(address id => Past[]) history;
    }

    function register(Book storage self, address signer, Role role, bytes32 key) internal {
        if (role == Role.None) revert IAccounts.WrongRole(signer, role);
        if (key == 0) revert IAccounts.ZeroKey(signer);
        _requireFree(self, signer);
        self.entries[signer] = Entry(role, false, false, 1, uint64(block.timestamp), 0, 0);
        self.keys[signer][1] = key;
        emit IAccounts.Registered(signer, role, key);
    }

    function rotateSealingKey(Book storage self, address signer, bytes32 key) internal {
        address id = requireAccount(self, signer);
        if (key == 0) revert IAccounts.ZeroKey(id);
        uint32 version = ++self.entries[id].keyVersion;
        self.keys[id][version] = key;
        emit IAccounts.SealingKeyRotated(id, version, key);
    }

    /// @dev The caller has checked the signature of `next`.
    function rotateAddress(Book storage self, address id, address signer, address next) internal {
        _requireFree(self, next);
        if (signer == id) self.entries[id].moved = true;
        else self.aliases[signer] = RETIRED;
        self.aliases[next] = id;
        self.signers[id] = next;
        emit IAccounts.AddressRotated(id, signer, next);
    }

    function accredit(
        Book storage self,
        address id,
        bytes32 profession,
        bytes2 jurisdiction,
        uint64 from,
        uint64 to,
        bytes32 evidenceDigest
    ) internal {
        Entry storage entry = _entry(self, id);
        if (entry.role != Role.Provider && entry.role != Role.Researcher) revert IAccounts.WrongRole(id, entry.role);
        if (to <= from || to <= block.timestamp) revert IAccounts.EmptyPeriod(from, to);
        entry.from = from;
        entry.to = to;
        _remember(self, id, entry);
        emit IAccounts.Accredited(id, profession, jurisdiction, from, to, evidenceDigest);
    }

    function suspend(Book storage self, address id) internal {
        Entry storage entry = _entry(self, id);
        if (entry.suspended) revert IAccounts.AlreadySuspended(id);
        entry.suspended = true;
        _remember(self, id, entry);
        emit IAccounts.Suspended(id, uint64(block.timestamp));
    }

    function reinstate(Book storage self, address id) internal {
        Entry storage entry = _entry(self, id);
        if (!entry.suspended) revert IAccounts.NotSuspended(id);
        entry.suspended = false;
        _remember(self, id, entry);
        emit IAccounts.Reinstated(id, uint64(block.timestamp));
    }

    function accountOf(Book storage self, address signer) internal view returns (address) {
        Entry storage entry = self.entries[signer];
        if (entry.role != Role.None) return entry.moved ? address(0) : signer;
        address id = self.aliases[signer];
        return id == RETIRED ? address(0) : id;
    }

    function requireAccount(Book storage self, address signer) internal view returns (address id) {
        id = accountOf(self, signer);
        if (id == address(0)) revert IAccounts.NotRegistered(signer);
    }

    function signerOf(Book storage self, address id) internal view returns (address) {
        Entry storage entry = self.entries[id];
        if (entry.role == Role.None) return address(0);
        return entry.moved ? self.signers[id] : id;
    }

    function isAccredited(Book storage self, address id) internal view returns (bool) {
        Entry storage entry = self.entries[id];
        return !entry.suspended && entry.from <= block.timestamp && block.timestamp < entry.to;
    }

    /// @dev Binary search for the newest entry not after `at`: at most 64 steps.
    function statusAt(Book storage self, address id, uint64 at) internal view returns (bool accredited, bool suspended) {
        Past[] storage history = self.history[id];
        uint256 low = 0;
        uint256 high = history.length;
        while (low < high) {
            uint256 middle = (low + high) / 2;
            if (history[middle].since <= at) low = middle + 1;
            else high = middle;
        }
        if (low == 0) return (false, false);
        Past storage past = history[low - 1];
        return (past.from <= at && at < past.to, past.suspended);
    }

    function _entry(Book storage self, address id) private view returns (Entry storage entry) {
        entry = self.entries[id];
        if (entry.role == Role.None) revert IAccounts.NotRegistered(id);
    }

    function _remember(Book storage self, address id, Entry storage entry) private {
        self.history[id].push(Past(uint64(block.timestamp), entry.from, entry.to, entry.suspended));
    }

    function _requireFree(Book storage self, address signer) private view {
        if (signer == address(0) || self.entries[signer].role != Role.None || self.aliases[signer] != address(0)) {
            revert IAccounts.AddressTaken(signer);
        }
    }
}
