// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";

/// @title Who may call the privileged functions; OpenZeppelin's, unchanged
contract Authority is AccessManager {
    constructor(address admin) AccessManager(admin) {}
}
