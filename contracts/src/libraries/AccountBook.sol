// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IAccounts} from "../interfaces/IAccounts.sol";
import {AccountId, NO_ACCOUNT, Role} from "../Types.sol";

/// @title The state of accounts
library AccountBook {
    /// @dev One slot: all that the hot paths ask of an account. `block_` is the one it was registered in, `moved` tells
    /// that another address than its first signs for it.
    struct Entry {
        Role role;
        bool suspended;
        bool moved;
        uint24 keyVersion;
        uint40 registeredAt;
        uint40 block_;
        uint64 from;
        uint64 to;
    }

    /// @dev What an address signed for, and in which blocks; one slot. `last` is 0 while it still does. An account's first
    /// address has one from the day another takes its place.
    struct Service {
        AccountId id;
        uint48 first;
        uint48 last;
    }

    /// @dev what the accreditation was from `since` on; one slot.
    struct Past {
        uint64 since;
        uint64 from;
        uint64 to;
        bool suspended;
    }

    struct Book {
        mapping(AccountId id => Entry) entries;
        mapping(address signer => Service) services;
        mapping(AccountId id => address signer) signers;
        mapping(AccountId id => mapping(uint32 version => bytes32)) keys;
        mapping(AccountId id => Past[]) history;
    }

    function register(Book storage self, address signer, Role role, bytes32 key) internal {
        AccountId id = _idOf(signer);
        if (role == Role.None) revert IAccounts.WrongRole(id, role);
        if (key == 0) revert IAccounts.ZeroKey(id);
        _requireFree(self, signer);
        self.entries[id] = Entry(role, false, false, 1, uint40(block.timestamp), uint40(block.number), 0, 0);
        self.keys[id][1] = key;
        emit IAccounts.Registered(id, role, key);
    }

    function rotateSealingKey(Book storage self, address signer, bytes32 key) internal {
        AccountId id = requireAccount(self, signer);
        if (key == 0) revert IAccounts.ZeroKey(id);
        uint24 version = ++self.entries[id].keyVersion;
        self.keys[id][version] = key;
        emit IAccounts.SealingKeyRotated(id, version, key);
    }

    /// @dev The caller has checked the signature of `next`.
    function rotateAddress(Book storage self, AccountId id, address signer, address next) internal {
        _requireFree(self, next);
        if (signer == _firstOf(id)) {
            self.entries[id].moved = true;
            self.services[signer] = Service(id, self.entries[id].block_, uint48(block.number));
        } else {
            self.services[signer].last = uint48(block.number);
        }
        self.services[next] = Service(id, uint48(block.number), 0);
        self.signers[id] = next;
        emit IAccounts.AddressRotated(id, signer, next);
    }

    function accredit(
        Book storage self,
        AccountId id,
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

    function suspend(Book storage self, AccountId id) internal {
        Entry storage entry = _entry(self, id);
        if (entry.suspended) revert IAccounts.AlreadySuspended(id);
        entry.suspended = true;
        _remember(self, id, entry);
        emit IAccounts.Suspended(id, uint64(block.timestamp));
    }

    function reinstate(Book storage self, AccountId id) internal {
        Entry storage entry = _entry(self, id);
        if (!entry.suspended) revert IAccounts.NotSuspended(id);
        entry.suspended = false;
        _remember(self, id, entry);
        emit IAccounts.Reinstated(id, uint64(block.timestamp));
    }

    function accountOf(Book storage self, address signer) internal view returns (AccountId) {
        AccountId own = _idOf(signer);
        Entry storage entry = self.entries[own];
        if (entry.role != Role.None) return entry.moved ? NO_ACCOUNT : own;
        Service storage service = self.services[signer];
        return service.last == 0 ? service.id : NO_ACCOUNT;
    }

    /// @dev At any moment of the block: an address that was rotated away in it still counts, one rotated in counts already.
    function accountAt(Book storage self, address signer, uint64 blockNumber) internal view returns (AccountId) {
        AccountId own = _idOf(signer);
        Entry storage entry = self.entries[own];
        if (entry.role != Role.None && !entry.moved) return entry.block_ <= blockNumber ? own : NO_ACCOUNT;
        Service storage service = self.services[signer];
        bool served = service.first <= blockNumber && (service.last == 0 || blockNumber <= service.last);
        return served ? service.id : NO_ACCOUNT;
    }

    function requireAccount(Book storage self, address signer) internal view returns (AccountId id) {
        id = accountOf(self, signer);
        if (id == NO_ACCOUNT) revert IAccounts.NotRegistered(signer);
    }

    function signerOf(Book storage self, AccountId id) internal view returns (address) {
        Entry storage entry = self.entries[id];
        if (entry.role == Role.None) return address(0);
        return entry.moved ? self.signers[id] : _firstOf(id);
    }

    function isAccredited(Book storage self, AccountId id) internal view returns (bool) {
        Entry storage entry = self.entries[id];
        return !entry.suspended && entry.from <= block.timestamp && block.timestamp < entry.to;
    }

    /// @dev Binary search for the newest entry not after `at`: at most 64 steps.
    function statusAt(Book storage self, AccountId id, uint64 at)
        internal
        view
        returns (bool accredited, bool suspended)
    {
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

    function _entry(Book storage self, AccountId id) private view returns (Entry storage entry) {
        entry = self.entries[id];
        if (entry.role == Role.None) revert IAccounts.NotRegistered(_firstOf(id));
    }

    function _remember(Book storage self, AccountId id, Entry storage entry) private {
        self.history[id].push(Past(uint64(block.timestamp), entry.from, entry.to, entry.suspended));
    }

    function _requireFree(Book storage self, address signer) private view {
        bool known = self.entries[_idOf(signer)].role != Role.None || self.services[signer].id != NO_ACCOUNT;
        if (signer == address(0) || known) revert IAccounts.AddressTaken(signer);
    }

    /// @dev The id of the account that this address registered, or would: an account is called by its first address. Which
    /// account the address signs for is accountOf's to say.
    function _idOf(address first) private pure returns (AccountId) {
        return AccountId.wrap(first);
    }

    /// @dev The address that registered the account, or would. Who signs for it is signerOf's to say.
    function _firstOf(AccountId id) private pure returns (address) {
        return AccountId.unwrap(id);
    }
}
