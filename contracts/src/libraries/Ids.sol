// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title The ids that every party recomputes for itself
library Ids {
    /// @dev The id of a record: its author, its owner and a random nonce.
    function record(address author, address owner, bytes32 nonce) internal pure returns (bytes32) {
        return keccak256(abi.encode(author, owner, nonce));
    }

    /// @dev The id of a read or write grant: its owner, its reader or author and a random nonce.
    function grant(address owner, address reader, bytes32 nonce) internal pure returns (bytes32) {
        return keccak256(abi.encode(owner, reader, nonce));
    }

    /// @dev The id of a receipt.
    function receipt(bytes32 recordId, address reader, bytes32 grantId, bytes32 nonce) internal pure returns (bytes32) {
        return keccak256(abi.encode(recordId, reader, grantId, nonce));
    }
}
