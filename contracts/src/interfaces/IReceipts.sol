// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccountId, AnchorFields, GrantFields, GrantId, ReceiptId, RecordId} from "../Types.sol";
import {IAccountContext} from "./IAccountContext.sol";

/// @title Receipts: the chain's word that a reader was cleared to open a record
interface IReceipts is IAccountContext {
    /// @notice The reader was cleared; keepers release shares on this and nothing else.
    event ReadOpened(
        ReceiptId indexed receiptId,
        RecordId indexed recordId,
        AccountId indexed reader,
        GrantId grantId,
        AccountId owner,
        bytes32 nonce
    );

    /// @notice The sender's account is not the grant's reader.
    error NotReader(GrantId grantId, AccountId account);
    /// @notice The grant was given for another purpose.
    error WrongPurpose(GrantId grantId, bytes32 purposeTag);
    /// @notice The grant does not reach this record.
    error RecordNotCovered(GrantId grantId, RecordId recordId);
    /// @notice All reads of the grant are used.
    error ReadsExhausted(GrantId grantId, uint32 reads);
    /// @notice The fields passed are not those of the record that was asked for.
    error WrongPreimage(RecordId recordId);

    /// @notice The reader used this nonce before: a receipt id is never given twice.
    error NonceUsed(AccountId reader, bytes32 nonce);

    /// @notice Opens a record under any grant but a Listed one for the sender, who is g.reader. The nonce is one that this reader has not used; numbers that
    /// differ in their last byte alone share a slot, so counting on from a random one is cheaper than drawing each. Reverts also with the errors of `IConsent.check` and
    /// `IRecords.requireOpenable`.
    function openRead(
        RecordId recordId,
        bytes32 purposeTag,
        bytes32 nonce,
        AnchorFields calldata a,
        GrantFields calldata g
    ) external;

    /// @notice The same under a Listed grant: the record is in a list that the owner delivered under it. A list is a Merkle tree
    /// as OpenZeppelin's `MerkleProof` reads it; the leaf of a record is keccak256(keccak256(abi.encode(recordId, salt))), with a
    /// salt of its own that keeps the other leaves from telling what they stand for.
    /// @param path from the leaf to the root, at most 16 long
    function openListed(
        RecordId recordId,
        bytes32 purposeTag,
        bytes32 nonce,
        AnchorFields calldata a,
        GrantFields calldata g,
        bytes32 salt,
        bytes32[] calldata path
    ) external;

    /// @notice Whether a reader used a nonce.
    function isNonceUsed(AccountId reader, bytes32 nonce) external view returns (bool);

    /// @notice How often a grant with a limit of reads was used.
    function readsUsed(GrantId grantId) external view returns (uint32);
}
