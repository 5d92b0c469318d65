// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {RiskFeed} from "./RiskFeed.sol";
import {Instrument, InstrumentKind, RoundValues, UNDERLYING_COUNT, UnderlyingValues} from "./RiskTypes.sol";

/// @title Public words of a proved risk round: their one order and encoding.
/// @dev Twin of protocol/risk/risk-words.ts; read by `template RiskLinear` (circuits/risk/risk-linear.circom).
library RiskWords {
    uint256 private constant HEADER_WORDS = 3;
    int256 private constant PPM_ONE = 1e6;
    int256 private constant LOT_ONE_E8 = 1e8;
    int256 private constant FUNDING_BIAS = 2 ** 50;

    /// @notice commitment, word count, words: what BatchWords.publicInputs takes.
    /// @param rows of the circuit; the registry's entries come first, the rest are zero
    function statement(
        uint256 commitment,
        uint256 domain,
        uint256 tableHash,
        RoundValues calldata values,
        Instrument[] calldata instruments,
        uint256 rows
    ) internal pure returns (uint256[] memory words) {
        uint256 count = HEADER_WORDS + UNDERLYING_COUNT + 2 * rows;
        words = new uint256[](2 + count);
        words[0] = commitment;
        words[1] = count;
        words[2] = domain;
        words[3] = values.roundNumber;
        words[4] = tableHash;
        uint256 next = 2 + HEADER_WORDS;
        for (uint256 u = 0; u < UNDERLYING_COUNT; ++u) words[next++] = _underlyingWord(values.underlyings[u]);
        for (uint256 i = 0; i < instruments.length; ++i) {
            Instrument calldata instrument = instruments[i];
            words[next++] = _priceWord(instrument, values.underlyings[instrument.underlying]);
            words[next++] = uint256(instrument.openInterestCapLots) | (uint256(instrument.positionCapLots) << 47);
        }
    }

    /// @dev indexMicros:44 · scanRangePpm:20.
    function _underlyingWord(UnderlyingValues calldata values) private pure returns (uint256) {
        return uint256(values.indexMicros) | (uint256(values.scanRangePpm) << 44);
    }

    /// @dev instrumentId:20 · underlying:8 · isSpot:1 · isReduceOnly:1 · lotE8:27 · pricePpm:21 · chargeIm:20 · chargeMm:20 ·
    /// band:20 · penalty:20 · fundingIndexBiased:51. The registry keeps every field within its width.
    function _priceWord(
        Instrument calldata instrument,
        UnderlyingValues calldata values
    ) private pure returns (uint256 word) {
        bool isSpot = instrument.kind == InstrumentKind.Spot;
        word = uint256(instrument.id) | (uint256(instrument.underlying) << 20);
        if (isSpot) word |= 1 << 28;
        if (instrument.isReduceOnly) word |= 1 << 29;
        word |= uint256(instrument.lotE8) << 30;
        word |= uint256(PPM_ONE + (isSpot ? int256(0) : values.premiumPpm)) << 57;
        word |= _effectiveChargeUp(instrument.chargeImPpm, isSpot, values.scanFactorE9) << 78;
        word |= _effectiveChargeUp(instrument.chargeMmPpm, isSpot, values.scanFactorE9) << 98;
        word |= uint256(instrument.bandPpm) << 118;
        word |= uint256(instrument.penaltyPpm) << 138;
        int256 funding = isSpot
            ? int256(0)
            : RiskFeed.divideNearest(int256(values.fundingMicrosPerCoin) * int256(uint256(instrument.lotE8)), LOT_ONE_E8);
        word |= uint256(funding + FUNDING_BIAS) << 158;
    }

    /// @dev Haircuts grow with the scan range; rounded against the account.
    function _effectiveChargeUp(
        uint256 chargePpm,
        bool isSpot,
        uint256 scanFactorE9
    ) private pure returns (uint256) {
        if (!isSpot) return chargePpm;
        return (chargePpm * scanFactorE9 + RiskFeed.FACTOR_ONE_E9 - 1) / RiskFeed.FACTOR_ONE_E9;
    }
}
