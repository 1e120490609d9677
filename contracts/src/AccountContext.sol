// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ERC2771Context} from "@openzeppelin/contracts/metatx/ERC2771Context.sol";
import {IAccountContext} from "./interfaces/IAccountContext.sol";
import {IAccounts} from "./interfaces/IAccounts.sol";
import {AccountId, NO_ACCOUNT, Role} from "./Types.sol";

/// @title The account that the sender signs for
abstract contract AccountContext is IAccountContext, ERC2771Context {
    IAccounts private immutable _accounts;

    constructor(address forwarder, IAccounts accounts) ERC2771Context(forwarder) {
        _accounts = accounts;
    }

    /// @dev Reverts if there is none.
    function _sender() internal view returns (AccountId id) {
        address signer = _msgSender();
        id = _accounts.accountOf(signer);
        if (id == NO_ACCOUNT) revert NotRegistered(signer);
    }

    /// @dev Whether the authority has suspended it now.
    function _isSuspended(AccountId id) internal view returns (bool suspended) {
        (, suspended) = _accounts.statusAt(id, uint64(block.timestamp));
    }

    /// @dev As the first, with its role and whether its accreditation counts now: one call for who needs all three.
    function _standing() internal view returns (AccountId id, Role role, bool accredited) {
        address signer = _msgSender();
        (id, role, accredited) = _accounts.standing(signer);
        if (id == NO_ACCOUNT) revert NotRegistered(signer);
    }
}
