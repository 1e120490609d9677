// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IKeepers} from "../interfaces/IKeepers.sol";

/// @title The state of keepers and committees
library KeeperRoll {
    struct Keeper {
        address signer;
        uint32 version;
        string endpoint;
    }

    struct WrapKey {
        bytes32 key;
        uint64 since;
    }

    struct Committee {
        uint64 since;
        uint8 n;
        uint8 t;
    }

    struct Roll {
        mapping(uint8 index => Keeper) keepers;
        mapping(uint8 index => mapping(uint32 version => WrapKey)) wrapKeys;
        Committee[] committees;
    }

    function register(Roll storage self, uint8 index, address signer, bytes32 key, string calldata endpoint) internal {
        if (index == 0) revert IKeepers.ZeroIndex();
        if (signer == address(0)) revert IKeepers.ZeroSigner(index);
        self.keepers[index].signer = signer;
        self.keepers[index].endpoint = endpoint;
        uint32 version = _nextKey(self, index, key);
        emit IKeepers.KeeperRegistered(index, signer, version, key, endpoint);
    }

    function rotateWrapKey(Roll storage self, uint8 index, bytes32 key, address sender) internal {
        address signer = self.keepers[index].signer;
        if (signer == address(0)) revert IKeepers.UnknownKeeper(index);
        if (signer != sender) revert IKeepers.NotKeeper(index, sender);
        uint32 version = _nextKey(self, index, key);
        emit IKeepers.WrapKeyRotated(index, version, key);
    }

    /// @dev A keeper's index is the x of its shares: so a committee is always the keepers 1 to n.
    function formCommittee(Roll storage self, uint8 n, uint8 t) internal {
        if (t == 0 || t > n) revert IKeepers.WrongThreshold(n, t);
        for (uint256 i = 1; i <= n; ++i) {
            if (self.keepers[uint8(i)].signer == address(0)) revert IKeepers.UnknownKeeper(uint8(i));
        }
        self.committees.push(Committee(uint64(block.number), n, t));
        emit IKeepers.CommitteeFormed(uint32(self.committees.length), n, t);
    }

    /// @dev The newest committee not after a block, by binary search; its id is its place, from 1 on.
    function committeeAt(Roll storage self, uint64 blockNumber)
        internal
        view
        returns (uint32 id, uint8 n, uint8 t)
    {
        uint256 low = 0;
        uint256 high = self.committees.length;
        while (low < high) {
            uint256 middle = (low + high) / 2;
            if (self.committees[middle].since <= blockNumber) low = middle + 1;
            else high = middle;
        }
        if (low == 0) revert IKeepers.NoCommittee(blockNumber);
        Committee storage found = self.committees[low - 1];
        return (uint32(low), found.n, found.t);
    }

    function committeeOf(Roll storage self, uint32 id)
        internal
        view
        returns (uint64 since, uint64 until, uint8 n, uint8 t)
    {
        uint256 count = self.committees.length;
        if (id == 0 || id > count) return (0, 0, 0, 0);
        Committee storage found = self.committees[id - 1];
        until = id == count ? 0 : self.committees[id].since;
        return (found.since, until, found.n, found.t);
    }

    function _nextKey(Roll storage self, uint8 index, bytes32 key) private returns (uint32 version) {
        if (key == 0) revert IKeepers.ZeroKey(index);
        version = ++self.keepers[index].version;
        self.wrapKeys[index][version] = WrapKey(key, uint64(block.timestamp));
    }
}
