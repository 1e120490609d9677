// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ERC2771Context} from "@openzeppelin/contracts/metatx/ERC2771Context.sol";
import {IAccounts} from "./interfaces/IAccounts.sol";
import {IConsent} from "./interfaces/IConsent.sol";
import {IRecords} from "./interfaces/IRecords.sol";
import {ConsentBook} from "./libraries/ConsentBook.sol";
import {Ids} from "./libraries/Ids.sol";
import {AnchorFields, GrantFields, Scope} from "./Types.sol";

/// @title Consent
contract Consent is IConsent, ERC2771Context {
    using ConsentBook for ConsentBook.Book;

    IAccounts private immutable _accounts;
    IRecords private immutable _records;
    ConsentBook.Book private _book;

    constructor(address forwarder, IAccounts accounts, IRecords records) ERC2771Context(forwarder) {
        _accounts = accounts;
        _records = records;
    }

    /// @inheritdoc IConsent
    function grantWrite(bytes32 nonce, address author, uint8 kinds, uint64 until, bytes32 digest) external {
        _book.grantWrite(_sender(), nonce, author, kinds, until, digest);
    }

    /// @inheritdoc IConsent
    function grant(GrantFields calldata g, AnchorFields calldata a) external {
        bytes32 id = _requireOwner(g);
        if (g.scope == Scope.One) {
            if (a.owner != g.owner) revert NotOwner(g.recordId, g.owner);
            if (Ids.record(a.author, a.owner, a.nonce) != g.recordId) revert WrongPreimage(g.recordId);
            _records.requireOpenable(g.recordId, bytes22(Ids.hash(a)));
        }
        _book.grant(g, id);
    }

    /// @inheritdoc IConsent
    function deliver(GrantFields calldata g, uint32 number, bytes32 digest) external {
        bytes32 id = _requireOwner(g);
        _book.check(g);
        emit Delivered(id, g.owner, g.reader, number, digest);
    }

    /// @inheritdoc IConsent
    function revoke(GrantFields calldata g) external {
        _book.revoke(g, _requireOwner(g));
    }

    /// @inheritdoc IConsent
    function revokeWrite(address author) external {
        _book.revokeWrite(_sender(), author);
    }

    /// @inheritdoc IConsent
    function revokeReader(address reader) external {
        _book.revokeReader(_sender(), reader);
    }

    /// @inheritdoc IConsent
    function revokeAll() external {
        _book.revokeAll(_sender());
    }

    /// @inheritdoc IConsent
    function check(GrantFields calldata g) external view returns (bytes32 grantId) {
        return _book.check(g);
    }

    /// @inheritdoc IConsent
    function requireStanding(bytes32 grantId, address owner, address reader, bytes18 commitment) external view {
        _book.requireStanding(grantId, owner, reader, commitment);
    }

    /// @inheritdoc IConsent
    function isLive(GrantFields calldata g) external view returns (bool) {
        return _book.isLive(g);
    }

    /// @inheritdoc IConsent
    function writeGrant(address owner, address author) external view returns (uint8 kinds, uint64 until, bool live) {
        return _book.writeGrant(owner, author);
    }

    /// @inheritdoc IConsent
    function mayWrite(address owner, address author, uint8 kind) external view returns (bool) {
        return _book.mayWrite(owner, author, kind);
    }

    /// @inheritdoc IConsent
    function grantState(bytes32 grantId) external view returns (uint64 grantedAt, bool revoked, bytes18 commitment) {
        ConsentBook.Entry memory entry = _book.entries[grantId];
        return (entry.since, entry.revoked, entry.commitment);
    }

    function _requireOwner(GrantFields calldata g) private view returns (bytes32 id) {
        id = Ids.grant(g.owner, g.reader, g.nonce);
        address sender = _sender();
        if (g.owner != sender) revert NotOwner(id, sender);
    }

    function _sender() private view returns (address id) {
        address signer = _msgSender();
        id = _accounts.accountOf(signer);
        if (id == address(0)) revert NotRegistered(signer);
    }
}
