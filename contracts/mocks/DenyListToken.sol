// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {TestToken} from "./TestToken.sol";

/// @title Refuses to deliver to denied addresses, as regulated tokens may.
contract DenyListToken is TestToken {
    mapping(address => bool) public isDenied;

    error Denied(address to);

    constructor() TestToken("Deny List", "DENY", 6) {}

    function deny(address to, bool denied) external {
        isDenied[to] = denied;
    }

    function _update(address from, address to, uint256 amountWei) internal override {
        if (isDenied[to]) revert Denied(to);
        super._update(from, to, amountWei);
    }
}
