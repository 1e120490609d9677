// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title What every contract refuses whose senders act for their accounts
interface IAccountContext {
    /// @notice The sender signs for no account.
    error NotRegistered(address signer);
}
