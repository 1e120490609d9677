// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccountContext} from "./AccountContext.sol";
import {IAccounts} from "./interfaces/IAccounts.sol";
import {IConsent} from "./interfaces/IConsent.sol";
import {IRecords} from "./interfaces/IRecords.sol";
import {ConsentBook} from "./libraries/ConsentBook.sol";
import {Ids} from "./libraries/Ids.sol";
import {AccountId, AnchorFields, GrantFields, GrantId, Kind, KindSet, RecordId, Scope} from "./Types.sol";

/// @title Consent
contract Consent is IConsent, AccountContext {
    using ConsentBook for ConsentBook.Book;

    IRecords private immutable _records;
    ConsentBook.Book private _book;

    constructor(address forwarder, IAccounts accounts, IRecords records) AccountContext(forwarder, accounts) {
        _records = records;
    }

    /// @inheritdoc IConsent
    function grantWrite(bytes32 nonce, AccountId author, KindSet kinds, uint64 until, bytes32 digest) external {
        _book.grantWrite(_sender(), nonce, author, kinds, until, digest);
    }

    /// @inheritdoc IConsent
    function grant(GrantFields calldata g, AnchorFields calldata a) external {
        GrantId id = _requireOwner(g);
        if (g.scope == Scope.One) {
            if (a.owner != g.owner) revert NotOwner(RecordId.unwrap(g.recordId), g.owner);
            if (Ids.record(a.author, a.owner, a.nonce) != g.recordId) revert WrongPreimage(RecordId.unwrap(g.recordId));
            _records.requireOpenable(g.recordId, bytes26(Ids.hash(a)));
        }
        _book.grant(g, id);
    }

    /// @inheritdoc IConsent
    function deliver(GrantFields calldata g, uint32 number, bytes32 digest) external {
        GrantId id = _requireOwner(g);
        _book.check(g);
        emit Delivered(id, g.owner, g.reader, number, digest);
    }

    /// @inheritdoc IConsent
    function deliverList(GrantFields calldata g, uint32 number, bytes32 digest, bytes32 root) external {
        GrantId id = _requireOwner(g);
        _book.deliverList(g, id, root);
        emit Delivered(id, g.owner, g.reader, number, digest);
    }

    /// @inheritdoc IConsent
    function revoke(GrantFields calldata g) external {
        _book.revoke(g, _requireOwner(g));
    }

    /// @inheritdoc IConsent
    function revokeWrite(AccountId author) external {
        _book.revokeWrite(_sender(), author);
    }

    /// @inheritdoc IConsent
    function revokeReader(AccountId reader) external {
        _book.revokeReader(_sender(), reader);
    }

    /// @inheritdoc IConsent
    function revokeAll() external {
        _book.revokeAll(_sender());
    }

    /// @inheritdoc IConsent
    function check(GrantFields calldata g) external view returns (GrantId grantId) {
        return _book.check(g);
    }

    /// @inheritdoc IConsent
    function requireStanding(GrantId grantId, AccountId owner, AccountId reader, bytes20 commitment) external view {
        _book.requireStanding(grantId, owner, reader, commitment);
    }

    /// @inheritdoc IConsent
    function isDelivered(GrantId grantId, bytes32 root) external view returns (bool) {
        return _book.lists[grantId][root];
    }

    /// @inheritdoc IConsent
    function isLive(GrantFields calldata g) external view returns (bool) {
        return _book.isLive(g);
    }

    /// @inheritdoc IConsent
    function writeGrant(AccountId owner, AccountId author)
        external
        view
        returns (KindSet kinds, uint64 until, bool live)
    {
        return _book.writeGrant(owner, author);
    }

    /// @inheritdoc IConsent
    function mayWrite(AccountId owner, AccountId author, Kind kind) external view returns (bool) {
        return _book.mayWrite(owner, author, kind);
    }

    /// @inheritdoc IConsent
    function grantState(GrantId grantId) external view returns (uint64 grantedAt, bool revoked, bytes20 commitment) {
        ConsentBook.Entry memory entry = _book.entries[grantId];
        return (entry.since, entry.revoked, entry.commitment);
    }

    function _requireOwner(GrantFields calldata g) private view returns (GrantId id) {
        id = Ids.grant(g.owner, g.reader, g.nonce);
        AccountId sender = _sender();
        if (g.owner != sender) revert NotOwner(GrantId.unwrap(id), sender);
    }
}
