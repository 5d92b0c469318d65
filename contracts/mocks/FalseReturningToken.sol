// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {TestToken} from "./TestToken.sol";

/// @title Says false instead of reverting, and moves nothing.
contract FalseReturningToken is TestToken {
    constructor() TestToken("False Returning", "FALSE", 6) {}

    function transfer(address, uint256) public pure override returns (bool) {
        return false;
    }

    function transferFrom(address, address, uint256) public pure override returns (bool) {
        return false;
    }
}
