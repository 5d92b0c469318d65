// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

/// @title The price at which an expiry block is settled: a mean over the half hour before its expiry, if the oracle looked often
/// enough in it; else over a later time in which it did.
/// @dev Twin of protocol/risk/settlement-window.ts, bit for bit. A window without a gap and with enough rounds ends after half
/// an hour; one with too few rounds goes on until there are enough; a gap begins it anew.
library SettlementWindow {
    uint256 internal constant WINDOW_SEC = 30 minutes;
    /// @dev Prices of fewer rounds are no mean.
    uint256 internal constant ROUNDS_MIN = 10;
    /// @dev A price carried longer than this is a guess.
    uint256 internal constant GAP_SEC_MAX = 5 minutes;

    /// @notice Of one expiry; both ends of the window belong to it.
    /// @param expirySec whose window it is: a block listed anew has a later one
    /// @param lastRoundSec of the newest normal round, which at first lies before the start: its price is the one carried
    /// into the window
    /// @param rounds normal rounds since the start
    /// @param settlementMicros 0 until settled; nothing else changes afterwards
    /// @param startIndexSeconds running Σ price · Δt of the underlying at the start
    struct Window {
        uint40 expirySec;
        uint40 startSec;
        uint40 lastRoundSec;
        uint16 rounds;
        uint48 settlementMicros;
        uint128 startIndexSeconds;
    }

    /// @notice What a round says of an underlying's past.
    /// @param previousSec of the round before it, of any kind; previousNormalSec of the last normal one
    /// @param previousIndexSeconds running Σ price · Δt up to then; carriedMicros is the price that held since
    /// @param isNormal otherwise a jump: no look at the market, until a later round confirms it
    struct Step {
        uint256 previousSec;
        uint256 previousNormalSec;
        uint256 timeSec;
        uint256 previousIndexSeconds;
        uint256 carriedMicros;
        bool isNormal;
    }

    /// @notice Whether a round lies in or after the window of this expiry: before it nothing is read or written.
    function isReached(uint256 expirySec, uint256 timeSec) internal pure returns (bool) {
        return timeSec + WINDOW_SEC >= expirySec;
    }

    /// @notice A reached window after a round.
    /// @param before the block's window so far, perhaps of an expiry listed there earlier; not to be used afterwards
    function afterRound(
        Window memory before,
        uint40 expirySec,
        Step memory step
    ) internal pure returns (Window memory window) {
        window = before.expirySec == expirySec ? before : _opened(expirySec, step);
        if (window.settlementMicros != 0) return window;
        uint256 endSec = uint256(window.startSec) + WINDOW_SEC;
        if (
            step.timeSec >= endSec &&
            window.rounds >= ROUNDS_MIN &&
            window.lastRoundSec + GAP_SEC_MAX >= endSec
        ) {
            window.settlementMicros = _meanNearest(window, step, endSec);
        } else if (step.isNormal) {
            if (step.timeSec - window.lastRoundSec > GAP_SEC_MAX) {
                window.startSec = uint40(step.timeSec);
                window.startIndexSeconds = uint128(_indexSecondsAt(step, step.timeSec));
                window.rounds = 1;
                endSec = step.timeSec + WINDOW_SEC;
            } else {
                ++window.rounds;
            }
            window.lastRoundSec = uint40(step.timeSec);
            if (step.timeSec >= endSec && window.rounds >= ROUNDS_MIN) {
                window.settlementMicros = _meanNearest(window, step, step.timeSec);
            }
        }
    }

    /// @dev As it begins, in the step that reaches its start.
    function _opened(uint40 expirySec, Step memory step) private pure returns (Window memory window) {
        uint256 startSec = expirySec - WINDOW_SEC;
        if (startSec < step.previousSec) startSec = step.previousSec;
        window.expirySec = expirySec;
        window.startSec = uint40(startSec);
        window.lastRoundSec = uint40(step.previousNormalSec);
        window.startIndexSeconds = uint128(_indexSecondsAt(step, startSec));
    }

    function _meanNearest(Window memory window, Step memory step, uint256 endSec) private pure returns (uint48) {
        uint256 sum = _indexSecondsAt(step, endSec) - window.startIndexSeconds;
        uint256 lengthSec = endSec - window.startSec;
        return uint48((2 * sum + lengthSec) / (2 * lengthSec));
    }

    function _indexSecondsAt(Step memory step, uint256 atSec) private pure returns (uint256) {
        return step.previousIndexSeconds + step.carriedMicros * (atSec - step.previousSec);
    }
}
