// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccountId, AnchorFields, GrantFields, GrantId, ReceiptId, RecordId} from "../Types.sol";

/// @title The ids that every party recomputes for itself
library Ids {
    /// @dev The id of a record: its author, its owner and a random nonce.
    function record(AccountId author, AccountId owner, bytes32 nonce) internal pure returns (RecordId) {
        return RecordId.wrap(keccak256(abi.encode(author, owner, nonce)));
    }

    /// @dev The id of a read or write grant: its owner, its reader or author and a random nonce.
    function grant(AccountId owner, AccountId reader, bytes32 nonce) internal pure returns (GrantId) {
        return GrantId.wrap(keccak256(abi.encode(owner, reader, nonce)));
    }

    /// @dev The id of a receipt.
    function receipt(RecordId recordId, AccountId reader, GrantId grantId, bytes32 nonce)
        internal
        pure
        returns (ReceiptId)
    {
        return ReceiptId.wrap(keccak256(abi.encode(recordId, reader, grantId, nonce)));
    }

    /// @dev keccak256(abi.encode(fields)), straight from calldata: a struct of static fields lies there as encoded.
    /// Whoever stores the hash for the first time emits every field, which refuses unclean words.
    function hash(AnchorFields calldata fields) internal pure returns (bytes32 digest) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            calldatacopy(free, fields, 320)
            digest := keccak256(free, 320)
        }
    }

    /// @dev As above.
    function hash(GrantFields calldata fields) internal pure returns (bytes32 digest) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            calldatacopy(free, fields, 384)
            digest := keccak256(free, 384)
        }
    }
}
