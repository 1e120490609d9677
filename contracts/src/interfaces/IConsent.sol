// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccountId, AnchorFields, ClassSet, GrantFields, GrantId, Kind, KindSet, RecordId, Scope} from "../Types.sol";
import {IAccountContext} from "./IAccountContext.sol";

/// @title Consent: who may write for an owner and who may read what
/// @notice One slot a grant: its time, the owner's and the reader's epoch, and a commitment of its fields. A grant id,
/// read or write, is used once.
interface IConsent is IAccountContext {
    /// @notice The author may write records of these kinds for the owner until `until`.
    event WriteGranted(
        AccountId indexed owner, AccountId indexed author, bytes32 nonce, KindSet kinds, uint64 until, bytes32 digest
    );
    /// @notice The reader may open what the scope names, for this purpose, while from <= time < until.
    event Granted(
        GrantId indexed grantId,
        AccountId indexed owner,
        AccountId indexed reader,
        bytes32 nonce,
        Scope scope,
        RecordId recordId,
        ClassSet classes,
        bytes32 purposeTag,
        uint64 from,
        uint64 until,
        uint32 reads,
        bytes32 binding,
        bytes32 digest
    );
    /// @notice A key list of newly accepted records lies ready for the reader.
    event Delivered(
        GrantId indexed grantId, AccountId indexed owner, AccountId indexed reader, uint32 number, bytes32 digest
    );
    /// @notice One grant ended.
    event Revoked(GrantId indexed grantId, AccountId indexed owner, AccountId indexed reader);
    /// @notice The author's write grant ended.
    event WriteRevoked(AccountId indexed owner, AccountId indexed author);
    /// @notice Every read grant of the owner to this reader ended.
    event ReaderRevoked(AccountId indexed owner, AccountId indexed reader);
    /// @notice Every grant of the owner ended, read and write.
    event AllRevoked(AccountId indexed owner, uint64 epoch);

    /// @notice The grant id was used before.
    error AlreadyGranted(GrantId grantId);
    /// @notice The sender's account is not the owner of the grant or of the record.
    error NotOwner(bytes32 id, AccountId account);
    /// @notice No such grant.
    error UnknownGrant(GrantId grantId);
    /// @notice The fields passed are not those that were granted, or not those of the record that it names.
    error WrongPreimage(bytes32 id);
    /// @notice The owner revoked the grant, its reader, or everything.
    error GrantRevoked(GrantId grantId);
    /// @notice The grant is over.
    error GrantExpired(GrantId grantId, uint64 until);
    /// @notice The grant has not begun.
    error GrantNotYetValid(GrantId grantId, uint64 from);
    /// @notice The period ends before it begins, or is already over.
    error EmptyPeriod(uint64 from, uint64 until);
    /// @notice recordId or classes do not fit the scope; class 0 can never be granted by class; a list belongs to Listed alone.
    error WrongScope(GrantId grantId);
    /// @notice A class over 63, which no follower reads.
    error UnknownClasses(ClassSet classes);
    /// @notice kinds is empty or names a kind that is none of 1 to 5.
    error UnknownKinds(KindSet kinds);
    /// @notice The author has no live write grant of this owner.
    error NoWriteGrant(AccountId owner, AccountId author);

    /// @notice Lets an author write for the sender; replaces an earlier write grant to the same author.
    /// @param kinds bit 1 << kind for each kind
    function grantWrite(bytes32 nonce, AccountId author, KindSet kinds, uint64 until, bytes32 digest) external;

    /// @notice Lets a reader read; the sender is g.owner. A Listed grant begins with the list whose root is g.recordId.
    /// @param a the record's fields, looked at only for One; the record is accepted and not erased
    function grant(GrantFields calldata g, AnchorFields calldata a) external;

    /// @notice Says that a key list lies ready; the sender is g.owner, the grant is live.
    function deliver(GrantFields calldata g, uint32 number, bytes32 digest) external;

    /// @notice The same for a Listed grant, which reaches the records of this list from then on, too.
    /// @param root Merkle root of the list (`IReceipts.openListed`)
    function deliverList(GrantFields calldata g, uint32 number, bytes32 digest, bytes32 root) external;

    /// @notice Ends one grant; the sender is g.owner.
    function revoke(GrantFields calldata g) external;

    /// @notice Ends the sender's write grant to an author.
    function revokeWrite(AccountId author) external;

    /// @notice Ends every read grant of the sender to a reader, those of the future excepted.
    function revokeReader(AccountId reader) external;

    /// @notice Ends every read and write grant of the sender, those of the future excepted.
    function revokeAll() external;

    /// @notice Reverts with the reason if the grant is not live; returns its id if it is.
    function check(GrantFields calldata g) external view returns (GrantId grantId);

    /// @notice The part of `check` that needs this contract's state: reverts unless the grant was given with these
    /// fields and not revoked. The caller has recomputed id and commitment, and looks at the period itself.
    function requireStanding(GrantId grantId, AccountId owner, AccountId reader, bytes20 commitment) external view;

    /// @notice Whether a list was delivered under the grant; the one that it began with is in its fields.
    function isDelivered(GrantId grantId, bytes32 root) external view returns (bool);

    /// @notice Whether the grant is live.
    function isLive(GrantFields calldata g) external view returns (bool);

    /// @notice The newest write grant of an owner to an author.
    function writeGrant(AccountId owner, AccountId author)
        external
        view
        returns (KindSet kinds, uint64 until, bool live);

    /// @notice Whether the author may write a record of this kind for the owner now.
    function mayWrite(AccountId owner, AccountId author, Kind kind) external view returns (bool);

    /// @notice What is known of a grant id; all zero if it was never used. revoked tells of `revoke` alone; use
    /// `isLive` for the whole. commitment is the first 20 bytes of keccak256(abi.encode(g)), zero for a write grant.
    function grantState(GrantId grantId) external view returns (uint64 grantedAt, bool revoked, bytes20 commitment);
}
