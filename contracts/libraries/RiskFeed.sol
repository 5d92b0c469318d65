// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {UnderlyingParameters} from "./RiskTypes.sol";

/// @title What the oracle remembers of one underlying, and how a round changes it.
/// @dev Twin of protocol/risk/oracle-state.ts, bit for bit.
library RiskFeed {
    /// @dev A price within 10 % of another is near it.
    uint256 internal constant NEAR_DIVISOR = 10;
    /// @dev Time nobody measured counts no longer than this in funding, decay and scan range.
    uint256 internal constant GAP_SEC_MAX = 600;
    uint256 internal constant FACTOR_ONE_E9 = 1e9;
    uint256 internal constant FACTOR_MAX_E9 = 2e9;
    /// @dev R may rise by 10 % of R0 an hour, which is a user's notice, and fall by 5 % a day.
    uint256 internal constant FACTOR_RISE_PER_HOUR_E9 = 1e8;
    uint256 internal constant FACTOR_FALL_PER_DAY_E9 = 5e7;
    /// @dev −ln 0.97: an exponentially weighted variance that keeps 97 % a day.
    uint256 internal constant VARIANCE_WEIGHT_E9 = 30_459_207;
    int256 internal constant PREMIUM_PPM_MAX = 10_000;
    /// @dev 0.5 % per 8 hours.
    int256 internal constant FUNDING_RATE_PPM_MAX = 5_000;
    uint256 internal constant FUNDING_PERIOD_SEC = 8 hours;
    /// @dev With lots of at most one coin the index of a lot stays below 2^50, the width in the table.
    int256 internal constant FUNDING_MICROS_MAX = 2 ** 49;

    /// @param confirmedIndexMicros price of the last normal round
    /// @param lastIndexMicros price of the last round, normal or jump
    /// @param fundingMicrosPerCoin running sum; + was paid by longs
    /// @param varianceE18 of a day's return
    struct Feed {
        uint48 confirmedIndexMicros;
        uint48 lastIndexMicros;
        uint32 scanFactorE9;
        int64 fundingMicrosPerCoin;
        uint64 varianceE18;
    }

    /// @notice Whether a price may be used without confirmation.
    function isNormal(Feed memory feed, uint256 indexMicros, bool afterJump) internal pure returns (bool) {
        return
            _isNear(indexMicros, feed.confirmedIndexMicros) || (afterJump && _isNear(indexMicros, feed.lastIndexMicros));
    }

    /// @notice The price that held since the last round: a jump's price only if this round confirmed it.
    function carriedIndex(
        Feed memory feed,
        uint256 indexMicros,
        bool afterJump,
        bool isJump
    ) internal pure returns (uint256) {
        bool isConfirmed = afterJump && !isJump && _isNear(indexMicros, feed.lastIndexMicros);
        return isConfirmed ? feed.lastIndexMicros : feed.confirmedIndexMicros;
    }

    /// @notice A jump is remembered until confirmed and changes nothing else.
    function afterJumpRound(Feed memory feed, uint256 indexMicros) internal pure {
        feed.lastIndexMicros = uint48(indexMicros);
    }

    /// @param sinceNormalSec time since the last normal round
    function afterNormalRound(
        Feed memory feed,
        UnderlyingParameters memory parameters,
        uint256 indexMicros,
        int256 premiumPpm,
        uint256 sinceNormalSec
    ) internal pure {
        uint256 elapsedSec = Math.min(sinceNormalSec, GAP_SEC_MAX);
        feed.varianceE18 = _nextVariance(feed, indexMicros, elapsedSec);
        feed.scanFactorE9 = _nextFactor(feed, parameters.referenceVolPpm, elapsedSec);
        feed.fundingMicrosPerCoin = _nextFunding(feed.fundingMicrosPerCoin, indexMicros, premiumPpm, elapsedSec);
        feed.confirmedIndexMicros = uint48(indexMicros);
        feed.lastIndexMicros = uint48(indexMicros);
    }

    function clampPremium(int256 premiumPpm) internal pure returns (int256) {
        return _clamp(premiumPpm, PREMIUM_PPM_MAX);
    }

    function scanRangeNearest(uint256 baseScanRangePpm, uint256 scanFactorE9) internal pure returns (uint256) {
        return (2 * baseScanRangePpm * scanFactorE9 + FACTOR_ONE_E9) / (2 * FACTOR_ONE_E9);
    }

    /// @dev Halves towards plus infinity, as divideNearest in protocol/units.ts.
    function divideNearest(int256 numerator, int256 denominator) internal pure returns (int256 quotient) {
        int256 doubled = 2 * numerator + denominator;
        quotient = doubled / (2 * denominator);
        if (doubled % (2 * denominator) < 0) --quotient;
    }

    /// @dev The weight of the newest return is its share of a day, so the return itself enters undivided by time:
    /// v − v·κ·Δt + κ·r², Δt in days.
    function _nextVariance(
        Feed memory feed,
        uint256 indexMicros,
        uint256 elapsedSec
    ) private pure returns (uint64) {
        uint256 confirmed = feed.confirmedIndexMicros;
        uint256 move = indexMicros > confirmed ? indexMicros - confirmed : confirmed - indexMicros;
        uint256 returnE9 = (move * 1e9) / confirmed;
        uint256 shock = (returnE9 * returnE9 * VARIANCE_WEIGHT_E9) / 1e9;
        uint256 decay = (uint256(feed.varianceE18) * VARIANCE_WEIGHT_E9 * elapsedSec) / (1e9 * 1 days);
        return uint64(Math.min(feed.varianceE18 - decay + shock, type(uint64).max));
    }

    function _nextFactor(
        Feed memory feed,
        uint256 referenceVolPpm,
        uint256 elapsedSec
    ) private pure returns (uint32) {
        // ppm² · 1e6 = the reference variance at 1e18; √(ratio · 1e18) = σ / σ_ref at 1e9.
        uint256 ratioE9 = Math.sqrt((uint256(feed.varianceE18) * 1e18) / (referenceVolPpm * referenceVolPpm * 1e6));
        uint256 target = Math.max(FACTOR_ONE_E9, Math.min(FACTOR_MAX_E9, ratioE9));
        uint256 factor = feed.scanFactorE9;
        if (target > factor) {
            return uint32(Math.min(target, factor + (FACTOR_RISE_PER_HOUR_E9 * elapsedSec) / 1 hours));
        }
        return uint32(Math.max(target, factor - (FACTOR_FALL_PER_DAY_E9 * elapsedSec) / 1 days));
    }

    function _nextFunding(
        int256 funding,
        uint256 indexMicros,
        int256 premiumPpm,
        uint256 elapsedSec
    ) private pure returns (int64) {
        int256 ratePpm = _clamp(premiumPpm, FUNDING_RATE_PPM_MAX);
        int256 accrued = divideNearest(
            int256(indexMicros) * ratePpm * int256(elapsedSec),
            int256(1e6 * FUNDING_PERIOD_SEC)
        );
        return int64(_clamp(funding + accrued, FUNDING_MICROS_MAX));
    }

    function _isNear(uint256 price, uint256 other) private pure returns (bool) {
        return (price > other ? price - other : other - price) * NEAR_DIVISOR <= other;
    }

    function _clamp(int256 value, int256 limit) private pure returns (int256) {
        return value > limit ? limit : value < -limit ? -limit : value;
    }

    /// @dev The lower of the two middle values when there are four. Sorts by insertion, in place.
    function medianDown(int256[] memory list) internal pure returns (int256) {
        for (uint256 i = 1; i < list.length; ++i) {
            int256 value = list[i];
            uint256 place = i;
            for (; place > 0 && list[place - 1] > value; --place) list[place] = list[place - 1];
            list[place] = value;
        }
        return list[(list.length - 1) / 2];
    }
}
