// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ERC2771Context} from "@openzeppelin/contracts/metatx/ERC2771Context.sol";
import {Context} from "@openzeppelin/contracts/utils/Context.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {IAccounts} from "./interfaces/IAccounts.sol";
import {AccountBook} from "./libraries/AccountBook.sol";
import {AccountId, NO_ACCOUNT, Role} from "./Types.sol";

/// @title Accounts
contract Accounts is IAccounts, AccessManaged, ERC2771Context, EIP712 {
    using AccountBook for AccountBook.Book;

    bytes32 private constant ROTATE = keccak256("RotateAddress(address account,address next,uint256 deadline)");

    AccountBook.Book private _book;

    constructor(address authority_, address forwarder)
        AccessManaged(authority_)
        ERC2771Context(forwarder)
        EIP712("MediBloc Accounts", "1")
    {}

    /// @inheritdoc IAccounts
    function register(Role role, bytes32 sealingKey_) external {
        _book.register(_msgSender(), role, sealingKey_);
    }

    /// @inheritdoc IAccounts
    function rotateSealingKey(bytes32 key) external {
        _book.rotateSealingKey(_msgSender(), key);
    }

    /// @inheritdoc IAccounts
    function rotateAddress(address next, uint256 deadline, bytes calldata signatureByNext) external {
        address signer = _msgSender();
        AccountId id = _book.requireAccount(signer);
        if (block.timestamp > deadline) revert RotationExpired(deadline);
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(ROTATE, id, next, deadline)));
        if (!SignatureChecker.isValidSignatureNowCalldata(next, digest, signatureByNext)) {
            revert WrongRotationSignature(next);
        }
        _book.rotateAddress(id, signer, next);
    }

    /// @inheritdoc IAccounts
    function accredit(
        AccountId account_,
        bytes32 profession,
        bytes2 jurisdiction,
        uint64 from,
        uint64 to,
        bytes32 evidenceDigest
    ) external restricted {
        _book.accredit(account_, profession, jurisdiction, from, to, evidenceDigest);
    }

    /// @inheritdoc IAccounts
    function suspend(AccountId account_) external restricted {
        _book.suspend(account_);
    }

    /// @inheritdoc IAccounts
    function reinstate(AccountId account_) external restricted {
        _book.reinstate(account_);
    }

    /// @inheritdoc IAccounts
    function accountOf(address signer) external view returns (AccountId) {
        return _book.accountOf(signer);
    }

    /// @inheritdoc IAccounts
    function accountAt(address signer, uint64 blockNumber) external view returns (AccountId) {
        return _book.accountAt(signer, blockNumber);
    }

    /// @inheritdoc IAccounts
    function signerOf(AccountId id) external view returns (address) {
        return _book.signerOf(id);
    }

    /// @inheritdoc IAccounts
    function account(AccountId id) external view returns (Role role, uint32 keyVersion, uint64 registeredAt) {
        AccountBook.Entry storage entry = _book.entries[id];
        return (entry.role, entry.keyVersion, entry.registeredAt);
    }

    /// @inheritdoc IAccounts
    function sealingKey(AccountId id, uint32 version) external view returns (bytes32) {
        return _book.keys[id][version];
    }

    /// @inheritdoc IAccounts
    function isAccredited(AccountId account_) external view returns (bool) {
        return _book.isAccredited(account_);
    }

    /// @inheritdoc IAccounts
    function standing(address signer) external view returns (AccountId id, Role role, bool accredited) {
        id = _book.accountOf(signer);
        if (id != NO_ACCOUNT) {
            role = _book.entries[id].role;
            accredited = _book.isAccredited(id);
        }
    }

    /// @inheritdoc IAccounts
    function statusAt(AccountId account_, uint64 at) external view returns (bool accredited, bool suspended) {
        return _book.statusAt(account_, at);
    }

    /// @dev Privileged calls count for who calls directly, never for who signed a forwarded request.
    function _checkCanCall(address, bytes calldata) internal override {
        super._checkCanCall(msg.sender, msg.data);
    }

    function _msgSender() internal view override(Context, ERC2771Context) returns (address) {
        return ERC2771Context._msgSender();
    }

    function _msgData() internal view override(Context, ERC2771Context) returns (bytes calldata) {
        return ERC2771Context._msgData();
    }

    function _contextSuffixLength() internal view override(Context, ERC2771Context) returns (uint256) {
        return ERC2771Context._contextSuffixLength();
    }
}
