// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {TestToken} from "./TestToken.sol";

/// @title Delivers one percent less than was sent.
contract FeeOnTransferToken is TestToken {
    constructor() TestToken("Fee On Transfer", "FEE", 6) {}

    function _update(address from, address to, uint256 amountWei) internal override {
        if (from == address(0) || to == address(0)) return super._update(from, to, amountWei);
        uint256 feeWei = amountWei / 100;
        super._update(from, address(0), feeWei);
        super._update(from, to, amountWei - feeWei);
    }
}
