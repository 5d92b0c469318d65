// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {TestToken} from "./TestToken.sol";

/// @title Calls back in the middle of every transfer, and remembers how that went.
contract ReentrantToken is TestToken {
    address public target;
    bytes public call;
    bool public wasCalled;
    bool public didSucceed;
    bytes public answer;

    constructor() TestToken("Reentrant", "REENTER", 6) {}

    function arm(address target_, bytes calldata call_) external {
        (target, call) = (target_, call_);
    }

    function _update(address from, address to, uint256 amountWei) internal override {
        super._update(from, to, amountWei);
        if (target == address(0) || from == address(0)) return;
        wasCalled = true;
        // solhint-disable-next-line avoid-low-level-calls
        (didSucceed, answer) = target.call(call);
    }
}
