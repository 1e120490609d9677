// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {AccountContext} from "./AccountContext.sol";
import {IAccounts} from "./interfaces/IAccounts.sol";
import {IConsent} from "./interfaces/IConsent.sol";
import {IReceipts} from "./interfaces/IReceipts.sol";
import {IRecords} from "./interfaces/IRecords.sol";
import {ConsentBook} from "./libraries/ConsentBook.sol";
import {Ids} from "./libraries/Ids.sol";
import {AccountId, AnchorFields, Class, ClassSet, GrantFields, GrantId, RecordId, Scope} from "./Types.sol";

/// @title Receipts
contract Receipts is IReceipts, AccountContext {
    /// @dev Steps from a record to the root of its list.
    uint256 private constant LONGEST_PATH = 16;

    IConsent private immutable _consent;
    IRecords private immutable _records;
    mapping(GrantId grantId => uint32) private _readsUsed;
    /// @dev One bit a nonce, 256 of them a slot.
    mapping(AccountId reader => mapping(uint256 page => uint256)) private _nonces;

    constructor(address forwarder, IAccounts accounts, IConsent consent, IRecords records)
        AccountContext(forwarder, accounts)
    {
        _consent = consent;
        _records = records;
    }

    /// @inheritdoc IReceipts
    function openRead(
        RecordId recordId,
        bytes32 purposeTag,
        bytes32 nonce,
        AnchorFields calldata a,
        GrantFields calldata g
    ) external {
        GrantId grantId = _requireOpenable(recordId, purposeTag, a, g);
        if (!_covers(g, a, recordId)) revert RecordNotCovered(grantId, recordId);
        _open(grantId, recordId, nonce, g);
    }

    /// @inheritdoc IReceipts
    function openListed(
        RecordId recordId,
        bytes32 purposeTag,
        bytes32 nonce,
        AnchorFields calldata a,
        GrantFields calldata g,
        bytes32 salt,
        bytes32[] calldata path
    ) external {
        GrantId grantId = _requireOpenable(recordId, purposeTag, a, g);
        bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(recordId, salt))));
        bool listed = g.scope == Scope.Listed && a.owner == g.owner && path.length <= LONGEST_PATH
            && _isDelivered(g, grantId, MerkleProof.processProofCalldata(path, leaf));
        if (!listed) revert RecordNotCovered(grantId, recordId);
        _open(grantId, recordId, nonce, g);
    }

    /// @inheritdoc IReceipts
    function isNonceUsed(AccountId reader, bytes32 nonce) external view returns (bool) {
        return _nonces[reader][uint256(nonce) >> 8] & _bit(nonce) != 0;
    }

    /// @inheritdoc IReceipts
    function readsUsed(GrantId grantId) external view returns (uint32) {
        return _readsUsed[grantId];
    }

    /// @dev All but what the grant reaches.
    function _requireOpenable(RecordId recordId, bytes32 purposeTag, AnchorFields calldata a, GrantFields calldata g)
        private
        view
        returns (GrantId grantId)
    {
        grantId = Ids.grant(g.owner, g.reader, g.nonce);
        _consent.requireStanding(grantId, g.owner, g.reader, bytes20(Ids.hash(g)));
        ConsentBook.requireInPeriod(g, grantId);
        _requireReader(g.reader, grantId);
        if (purposeTag != g.purposeTag) revert WrongPurpose(grantId, purposeTag);
        if (Ids.record(a.author, a.owner, a.nonce) != recordId) revert WrongPreimage(recordId);
        _records.requireOpenable(recordId, bytes26(Ids.hash(a)));
    }

    function _open(GrantId grantId, RecordId recordId, bytes32 nonce, GrantFields calldata g) private {
        _use(g.reader, nonce);
        if (g.reads != 0) _count(grantId, g.reads);
        emit ReadOpened(Ids.receipt(recordId, g.reader, grantId, nonce), recordId, g.reader, grantId, g.owner, nonce);
    }

    function _isDelivered(GrantFields calldata g, GrantId grantId, bytes32 root) private view returns (bool) {
        return root == RecordId.unwrap(g.recordId) || _consent.isDelivered(grantId, root);
    }

    function _requireReader(AccountId reader, GrantId grantId) private view {
        AccountId account = _sender();
        if (account != reader) revert NotReader(grantId, account);
    }

    /// @dev Class 0 is undisclosed and is never reached by class.
    function _covers(GrantFields calldata g, AnchorFields calldata a, RecordId recordId) private pure returns (bool) {
        if (a.owner != g.owner) return false;
        if (g.scope == Scope.One) return g.recordId == recordId;
        if (g.scope == Scope.Classes) {
            uint8 class = Class.unwrap(a.class);
            return class != 0 && ClassSet.unwrap(g.classes) & (uint256(1) << class) != 0;
        }
        return g.scope == Scope.All;
    }

    function _use(AccountId reader, bytes32 nonce) private {
        uint256 used = _nonces[reader][uint256(nonce) >> 8];
        if (used & _bit(nonce) != 0) revert NonceUsed(reader, nonce);
        _nonces[reader][uint256(nonce) >> 8] = used | _bit(nonce);
    }

    function _bit(bytes32 nonce) private pure returns (uint256) {
        return uint256(1) << (uint256(nonce) & 0xff);
    }

    function _count(GrantId grantId, uint32 reads) private {
        uint32 used = _readsUsed[grantId];
        if (used >= reads) revert ReadsExhausted(grantId, reads);
        _readsUsed[grantId] = used + 1;
    }
}
