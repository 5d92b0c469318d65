// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {SettlementWindow} from "../../../contracts/libraries/SettlementWindow.sol";

/// @title Tells what SettlementWindow makes of rounds, so that a test can compare it with its twin.
contract SettlementWindowReader {
    /// @return windows after each step; empty before the window is reached
    function windowsOf(
        uint40 expirySec,
        SettlementWindow.Window memory before,
        SettlementWindow.Step[] memory steps
    ) external pure returns (SettlementWindow.Window[] memory windows) {
        windows = new SettlementWindow.Window[](steps.length);
        for (uint256 i = 0; i < steps.length; ++i) {
            if (!SettlementWindow.isReached(expirySec, steps[i].timeSec)) continue;
            windows[i] = SettlementWindow.afterRound(before, expirySec, steps[i]);
            // A copy: what comes back may be what was handed over, changed.
            before = abi.decode(abi.encode(windows[i]), (SettlementWindow.Window));
        }
    }
}
