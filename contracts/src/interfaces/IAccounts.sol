// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccountId, Role} from "../Types.sol";

/// @title Accounts: roles, signing addresses, sealing keys, interim accreditation
/// @notice State is keyed by the account id, which is the address that registered first. Signing addresses map to it,
/// so rotating one moves nothing. Each address serves one account, once.
interface IAccounts {
    /// @notice An account came to be; its sealing key has version 1.
    event Registered(AccountId indexed account, Role role, bytes32 sealingKey);
    /// @notice A newer sealing key; older versions stay readable.
    event SealingKeyRotated(AccountId indexed account, uint32 version, bytes32 key);
    /// @notice Another address signs for the account from now on.
    event AddressRotated(AccountId indexed account, address indexed from, address indexed to);
    /// @notice The authority vouches for the account while from <= time < to.
    event Accredited(
        AccountId indexed account,
        bytes32 profession,
        bytes2 jurisdiction,
        uint64 from,
        uint64 to,
        bytes32 evidenceDigest
    );
    /// @notice The account's accreditation does not count from `at`.
    event Suspended(AccountId indexed account, uint64 at);
    /// @notice The account's accreditation counts again from `at`.
    event Reinstated(AccountId indexed account, uint64 at);

    /// @notice The address signs, or once signed, for an account.
    error AddressTaken(address signer);
    /// @notice No account is known for this address or id.
    error NotRegistered(address account);
    /// @notice Role None was asked for, or the account's role cannot be accredited.
    error WrongRole(AccountId account, Role role);
    /// @notice A sealing key of zero.
    error ZeroKey(AccountId account);
    /// @notice The rotation's deadline has passed.
    error RotationExpired(uint256 deadline);
    /// @notice The new address did not sign the rotation.
    error WrongRotationSignature(address next);
    /// @notice The period ends before it begins, or is already over.
    error EmptyPeriod(uint64 from, uint64 to);
    /// @notice The account is suspended already.
    error AlreadySuspended(AccountId account);
    /// @notice The account is not suspended.
    error NotSuspended(AccountId account);

    /// @notice Registers the sender under a role with its first sealing key (X25519).
    function register(Role role, bytes32 sealingKey_) external;

    /// @notice Sets the sender's next sealing key.
    function rotateSealingKey(bytes32 key) external;

    /// @notice Hands the sender's account to another address, which signs
    /// `RotateAddress(address account,address next,uint256 deadline)` under this contract's EIP-712 domain.
    function rotateAddress(address next, uint256 deadline, bytes calldata signatureByNext) external;

    /// @notice Accredits a provider or researcher; a renewal replaces the period and does not lift a suspension.
    /// Restricted to the accreditor's role, direct caller.
    function accredit(
        AccountId account_,
        bytes32 profession,
        bytes2 jurisdiction,
        uint64 from,
        uint64 to,
        bytes32 evidenceDigest
    ) external;

    /// @notice Suspends an account. Restricted to the accreditor's role, direct caller.
    function suspend(AccountId account_) external;

    /// @notice Lifts a suspension. Restricted to the accreditor's role, direct caller.
    function reinstate(AccountId account_) external;

    /// @notice The account that an address signs for, or zero.
    function accountOf(address signer) external view returns (AccountId);

    /// @notice The account that an address signed for at any moment of a block, or zero: an address that another took the
    /// place of in block N counts for N and not for N + 1, the other one counts from N on.
    function accountAt(address signer, uint64 blockNumber) external view returns (AccountId);

    /// @notice The address that signs for an account, or zero.
    function signerOf(AccountId id) external view returns (address);

    /// @notice What is known of an account; all zero if it does not exist.
    function account(AccountId id) external view returns (Role role, uint32 keyVersion, uint64 registeredAt);

    /// @notice An account's sealing key of a version, or zero.
    function sealingKey(AccountId id, uint32 version) external view returns (bytes32);

    /// @notice Whether an account's accreditation counts now: in its period and not suspended.
    function isAccredited(AccountId account_) external view returns (bool);

    /// @notice The signer's account, its role, and whether its accreditation counts now; zero if unknown.
    function standing(address signer) external view returns (AccountId id, Role role, bool accredited);

    /// @notice What the ledger said of an account at a time, past times included: in an accredited period, suspended.
    /// The accreditation counted if the first is true and the second is not.
    function statusAt(AccountId account_, uint64 at) external view returns (bool accredited, bool suspended);
}
