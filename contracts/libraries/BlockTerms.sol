// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {OptionParameters} from "./RiskTypes.sol";
import {TermFactors} from "./TermFactors.sol";

/// @title What a round derives for an expiry block from its time to expiry and governed parameters.
/// @dev Twin of protocol/risk/terms.ts, bit for bit.
library BlockTerms {
    /// @dev A block is margined as if it had at least an hour left, so an expired one that is not settled has a row.
    uint256 internal constant TIME_SEC_MIN = 1 hours;
    uint256 internal constant TIME_SEC_MAX = 2 ** 27 - 1;
    uint256 internal constant YEAR_SEC = 365 days;
    uint256 private constant PPM_ONE = 1e6;
    /// @dev FINE_STEPS_MIN, TIME_SCALE and 2^DEVIATION_DROPPED_BITS of protocol/risk/option: docs/options.md §1, §2.
    uint256 private constant FINE_STEPS_MIN = 14_564;
    uint256 private constant TIME_SCALE = 4_466_326_316;
    uint256 private constant FINE_STEP_DENOMINATOR = 2 ** 25;

    /// @param upPpm factor of a volatility shocked upwards, above 10^6; downPpm below
    /// @param leastVolPpm no volatility is used below it: no row could be proved there
    struct Terms {
        uint256 timeSec;
        uint256 upPpm;
        uint256 downPpm;
        uint256 leastVolPpm;
        uint256 rollImPpm;
        uint256 rollMmPpm;
    }

    /// @param termFactors TermFactors.table()
    function termsOf(
        uint256 expirySec,
        uint256 roundTimeSec,
        OptionParameters calldata options,
        bytes memory termFactors
    ) internal pure returns (Terms memory terms) {
        uint256 timeSec = timeToExpirySec(expirySec, roundTimeSec);
        uint256 factorPpm = TermFactors.ofDay(termFactors, timeSec / 1 days);
        terms.timeSec = timeSec;
        terms.upPpm = PPM_ONE + _shareNearest(options.volUpPpm, factorPpm);
        terms.downPpm = PPM_ONE - _shareNearest(options.volDownPpm, factorPpm);
        terms.leastVolPpm = leastVolPpmUp(timeSec);
        terms.rollImPpm = rollImPpmUp(timeSec, options.rollMinPpm, options.rollPerYearPpm);
        terms.rollMmPpm = Math.ceilDiv(3 * terms.rollImPpm, 5);
    }

    function timeToExpirySec(uint256 expirySec, uint256 roundTimeSec) internal pure returns (uint256) {
        if (expirySec <= roundTimeSec + TIME_SEC_MIN) return TIME_SEC_MIN;
        return Math.min(expirySec - roundTimeSec, TIME_SEC_MAX);
    }

    /// @dev Charge on delta for the time until expiry, against the account.
    function rollImPpmUp(
        uint256 timeSec,
        uint256 rollMinPpm,
        uint256 rollPerYearPpm
    ) internal pure returns (uint256) {
        return Math.max(rollMinPpm, Math.ceilDiv(rollPerYearPpm * timeSec, YEAR_SEC));
    }

    /// @dev Below it the total deviation has too few steps for the circuit's reciprocal.
    function leastVolPpmUp(uint256 timeSec) internal pure returns (uint256) {
        uint256 rootOfTime = Math.sqrt(timeSec * TIME_SCALE);
        return Math.ceilDiv(FINE_STEPS_MIN * FINE_STEP_DENOMINATOR - FINE_STEP_DENOMINATOR / 2, rootOfTime);
    }

    function _shareNearest(uint256 ratePpm, uint256 factorPpm) private pure returns (uint256) {
        return (2 * ratePpm * factorPpm + PPM_ONE) / (2 * PPM_ONE);
    }
}
