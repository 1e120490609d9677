// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AnchorFields, GrantFields} from "../Types.sol";

/// @title Receipts: the chain's word that a reader was cleared to open a record
interface IReceipts {
    /// @notice The reader was cleared; keepers release shares on this and nothing else.
    event ReadOpened(
        bytes32 indexed receiptId,
        bytes32 indexed recordId,
        address indexed reader,
        bytes32 grantId,
        address owner,
        bytes32 nonce
    );

    /// @notice The sender signs for no account.
    error NotRegistered(address signer);
    /// @notice The sender's account is not the grant's reader.
    error NotReader(bytes32 grantId, address account);
    /// @notice The grant was given for another purpose.
    error WrongPurpose(bytes32 grantId, bytes32 purposeTag);
    /// @notice The grant does not reach this record.
    error RecordNotCovered(bytes32 grantId, bytes32 recordId);
    /// @notice All reads of the grant are used.
    error ReadsExhausted(bytes32 grantId, uint32 reads);
    /// @notice The fields passed are not those of the record that was asked for.
    error WrongPreimage(bytes32 recordId);

    /// @notice Opens a record for the sender, who is g.reader. Reverts also with the errors of `IConsent.check` and
    /// `IRecords.requireOpenable`.
    function openRead(
        bytes32 recordId,
        bytes32 purposeTag,
        bytes32 nonce,
        AnchorFields calldata a,
        GrantFields calldata g
    ) external;

    /// @notice How often a grant with a limit of reads was used.
    function readsUsed(bytes32 grantId) external view returns (uint32);
}
