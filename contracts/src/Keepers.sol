// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IKeepers} from "./interfaces/IKeepers.sol";
import {KeeperRoll} from "./libraries/KeeperRoll.sol";

/// @title Keepers
contract Keepers is IKeepers, AccessManaged {
    using KeeperRoll for KeeperRoll.Roll;

    KeeperRoll.Roll private _roll;

    constructor(address authority_) AccessManaged(authority_) {}

    /// @inheritdoc IKeepers
    function register(uint8 index, address operatorSigner, bytes32 wrapKey_, string calldata endpoint)
        external
        restricted
    {
        _roll.register(index, operatorSigner, wrapKey_, endpoint);
    }

    /// @inheritdoc IKeepers
    function rotateWrapKey(uint8 index, bytes32 key) external {
        _roll.rotateWrapKey(index, key, msg.sender);
    }

    /// @inheritdoc IKeepers
    function formCommittee(uint8 n, uint8 t) external restricted {
        _roll.formCommittee(n, t);
    }

    /// @inheritdoc IKeepers
    function keeper(uint8 index)
        external
        view
        returns (address signer, bytes32 wrapKey_, uint32 version, string memory endpoint)
    {
        KeeperRoll.Keeper storage found = _roll.keepers[index];
        return (found.signer, _roll.wrapKeys[index][found.version].key, found.version, found.endpoint);
    }

    /// @inheritdoc IKeepers
    function wrapKey(uint8 index, uint32 version) external view returns (bytes32 key, uint64 since) {
        KeeperRoll.WrapKey storage found = _roll.wrapKeys[index][version];
        return (found.key, found.since);
    }

    /// @inheritdoc IKeepers
    function committee() external view returns (uint32 id, uint8 n, uint8 t) {
        return _roll.committeeAt(uint64(block.number));
    }

    /// @inheritdoc IKeepers
    function committeeAt(uint64 blockNumber) external view returns (uint32 id, uint8 n, uint8 t) {
        return _roll.committeeAt(blockNumber);
    }

    /// @inheritdoc IKeepers
    function committeeOf(uint32 id) external view returns (uint64 since, uint64 until, uint8 n, uint8 t) {
        return _roll.committeeOf(id);
    }
}
