// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccountContext} from "./AccountContext.sol";
import {IAccounts} from "./interfaces/IAccounts.sol";
import {IConsent} from "./interfaces/IConsent.sol";
import {IRecords} from "./interfaces/IRecords.sol";
import {Ids} from "./libraries/Ids.sol";
import {RecordBook} from "./libraries/RecordBook.sol";
import {AccountId, AnchorFields, Kind, NO_RECORD, RecordId, Role} from "./Types.sol";

/// @title Records
contract Records is IRecords, AccountContext {
    using RecordBook for RecordBook.Book;

    Kind private constant MEDICAL = Kind.wrap(1);
    Kind private constant SELF = Kind.wrap(2);
    Kind private constant DEVICE = Kind.wrap(4);
    Kind private constant RESEARCH = Kind.wrap(5);
    uint8 private constant LAST_KIND = 5;
    uint256 private constant MOST = 256;

    IConsent private immutable _consent;
    RecordBook.Book private _book;

    constructor(address forwarder, IAccounts accounts, IConsent consent) AccountContext(forwarder, accounts) {
        _consent = consent;
    }

    /// @inheritdoc IRecords
    function anchor(AnchorFields calldata fields) external {
        RecordBook.requireNoAmendment(fields);
        _anchor(fields);
    }

    /// @inheritdoc IRecords
    function amend(AnchorFields calldata fields, AnchorFields calldata amended) external {
        _book.requireAmends(fields, amended);
        _anchor(fields);
    }

    /// @inheritdoc IRecords
    function anchorBatch(AnchorFields[] calldata batch, AnchorFields[] calldata amended) external {
        if (batch.length == 0 || batch.length > MOST) revert WrongBatchSize(batch.length);
        (AccountId sender, Role role, bool accredited) = _standing();
        uint256 used = 0;
        for (uint256 i = 0; i < batch.length; ++i) {
            AnchorFields calldata fields = batch[i];
            bool asBefore = i != 0 && fields.owner == batch[i - 1].owner && fields.kind == batch[i - 1].kind
                && fields.author == sender;
            if (!asBefore) _requireMayWrite(fields, sender, role, accredited);
            if (fields.amends != NO_RECORD) {
                if (used == amended.length) revert AmendedFieldsMissing(fields.amends);
                _book.requireAmends(fields, amended[used++]);
            }
            _book.anchor(fields);
        }
        if (used != amended.length) revert WrongBatchSize(amended.length);
    }

    /// @inheritdoc IRecords
    function accept(AnchorFields calldata fields) external {
        _book.accept(fields, _sender());
    }

    /// @inheritdoc IRecords
    function retract(AnchorFields calldata fields) external {
        AccountId sender = _sender();
        if (_isSuspended(sender)) revert NotAccredited(sender);
        _book.retract(fields, sender);
    }

    /// @inheritdoc IRecords
    function erase(AnchorFields calldata fields) external {
        _book.erase(fields, _sender());
    }

    /// @inheritdoc IRecords
    function replaceCapsule(AnchorFields calldata fields, bytes32 newCapsuleDigest) external {
        _book.replaceCapsule(fields, newCapsuleDigest, _sender());
    }

    /// @inheritdoc IRecords
    function state(RecordId recordId)
        external
        view
        returns (uint64 anchoredAt, bool accepted, bool erased, bool retracted, bytes26 commitment)
    {
        RecordBook.Entry memory entry = _book.entries[recordId];
        return (
            entry.since,
            entry.flags & RecordBook.ACCEPTED != 0,
            entry.flags & RecordBook.ERASED != 0,
            entry.flags & RecordBook.RETRACTED != 0,
            entry.commitment
        );
    }

    /// @inheritdoc IRecords
    function capsuleVersion(RecordId recordId) external view returns (uint32) {
        return _book.entries[recordId].since == 0 ? 0 : _book.replacements[recordId] + 1;
    }

    /// @inheritdoc IRecords
    function requireOpenable(RecordId recordId, bytes26 commitment) external view {
        _book.requireOpenable(recordId, commitment);
    }

    function _anchor(AnchorFields calldata fields) private {
        (AccountId sender, Role role, bool accredited) = _standing();
        _requireMayWrite(fields, sender, role, accredited);
        _book.anchor(fields);
    }

    /// @dev The table of who may write what.
    function _requireMayWrite(AnchorFields calldata fields, AccountId sender, Role role, bool accredited) private view {
        if (fields.author != sender) {
            revert NotAuthor(Ids.record(fields.author, fields.owner, fields.nonce), sender);
        }
        Kind kind = fields.kind;
        if (Kind.unwrap(kind) == 0 || Kind.unwrap(kind) > LAST_KIND) revert UnknownKind(kind);
        if (kind == MEDICAL && (role != Role.Provider || !accredited)) revert NotAccredited(sender);
        if (kind == RESEARCH && (role != Role.Researcher || !accredited)) revert NotAccredited(sender);
        bool own = fields.owner == sender;
        if (kind == SELF && !own) revert NotAuthor(Ids.record(sender, fields.owner, fields.nonce), sender);
        if (own && (kind == SELF || kind == DEVICE)) return;
        // What needs no accreditation is written for others by nobody who is suspended, either.
        if (!(kind == MEDICAL || kind == RESEARCH) && _isSuspended(sender)) revert NotAccredited(sender);
        if (!_consent.mayWrite(fields.owner, sender, kind)) revert NoWriteGrant(fields.owner, sender, kind);
    }
}
