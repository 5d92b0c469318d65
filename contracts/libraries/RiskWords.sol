// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {BlockTerms} from "./BlockTerms.sol";
import {RiskFeed} from "./RiskFeed.sol";
import {
    Instrument,
    InstrumentKind,
    OptionParameters,
    RoundValues,
    SegmentGeometry,
    UNDERLYING_COUNT,
    UnderlyingValues
} from "./RiskTypes.sol";

/// @title Public words of one segment of a proved risk round: their one order and encoding.
/// @dev Twin of protocol/risk/risk-words.ts; read by the circuits in circuits/risk. Places that list nothing have zero words.
library RiskWords {
    uint256 private constant HEADER_WORDS = 5;
    int256 private constant PPB_ONE = 1e9;
    int256 private constant LOT_ONE_E8 = 1e8;
    int256 private constant FUNDING_BIAS = 2 ** 50;

    /// @notice What a segment's proof says beside the round's values.
    /// @param firstBlock blocks of the segments before it
    /// @param firstStrike strike places of the segments before it
    struct Claim {
        uint256 commitment;
        uint256 domain;
        uint256 startHash;
        uint256 endHash;
        bool isLast;
        bool isSurfaceSound;
        uint256 firstBlock;
        uint256 firstStrike;
    }

    /// @dev Where the next word goes, which block and strike of all segments it is about, and what every block needs.
    struct Writer {
        uint256[] words;
        uint256 next;
        uint256 nextBlock;
        uint256 nextStrike;
        bytes termFactors;
    }

    /// @notice commitment, word count, words: what BatchWords.publicInputs takes.
    /// @param listed the segment's places in order
    function statement(
        Claim memory claim,
        SegmentGeometry memory geometry,
        RoundValues calldata values,
        Instrument[] calldata listed,
        bytes memory termFactors
    ) internal pure returns (uint256[] memory) {
        uint256 count = HEADER_WORDS + UNDERLYING_COUNT;
        count += 2 * uint256(geometry.linear) + uint256(geometry.blocks) * (4 + uint256(geometry.strikesPerBlock));
        Writer memory writer;
        writer.words = new uint256[](2 + count);
        (writer.nextBlock, writer.nextStrike) = (claim.firstBlock, claim.firstStrike);
        writer.termFactors = termFactors;
        _put(writer, claim.commitment);
        _put(writer, count);
        _put(writer, claim.domain);
        _put(writer, values.roundNumber);
        _put(writer, claim.startHash);
        _put(writer, claim.endHash);
        _put(writer, (claim.isLast ? 1 : 0) | (claim.isSurfaceSound ? 2 : 0));
        for (uint256 u = 0; u < UNDERLYING_COUNT; ++u) _put(writer, _underlyingWord(values.underlyings[u]));
        uint256 place;
        for (; place < geometry.linear; ++place) _putLinear(writer, listed[place], values);
        for (uint256 b = 0; b < geometry.blocks; ++b) {
            uint256 end = place + 1 + geometry.strikesPerBlock;
            _putBlock(writer, listed[place:end], values);
            place = end;
        }
        return writer.words;
    }

    function _put(Writer memory writer, uint256 word) private pure {
        writer.words[writer.next++] = word;
    }

    /// @dev indexMicros:44 · scanRangePpm:20.
    function _underlyingWord(UnderlyingValues calldata values) private pure returns (uint256) {
        return uint256(values.indexMicros) | (uint256(values.scanRangePpm) << 44);
    }

    function _putLinear(Writer memory writer, Instrument calldata instrument, RoundValues calldata values) private pure {
        if (instrument.id == 0) {
            writer.next += 2;
            return;
        }
        UnderlyingValues calldata underlying = values.underlyings[instrument.underlying];
        bool isSpot = instrument.kind == InstrumentKind.Spot;
        (int256 premiumPpb, int256 funding) = (0, 0);
        (uint256 chargeImPpm, uint256 chargeMmPpm) = (instrument.chargeImPpm, instrument.chargeMmPpm);
        if (isSpot) {
            chargeImPpm = _haircutUp(chargeImPpm, underlying.scanFactorE9);
            chargeMmPpm = _haircutUp(chargeMmPpm, underlying.scanFactorE9);
        } else {
            premiumPpb = int256(underlying.premiumPpm) * 1000;
            funding = RiskFeed.divideNearest(
                int256(underlying.fundingMicrosPerCoin) * int256(uint256(instrument.lotE8)),
                LOT_ONE_E8
            );
        }
        _put(writer, _priceWord(instrument, isSpot, premiumPpb, chargeImPpm, chargeMmPpm, funding));
        _put(writer, _limitsWord(instrument));
    }

    /// @param listed the block's future, then its strikes
    function _putBlock(
        Writer memory writer,
        Instrument[] calldata listed,
        RoundValues calldata values
    ) private pure {
        Instrument calldata future = listed[0];
        uint256 blockPlace = writer.nextBlock++;
        if (future.id == 0) {
            writer.next += 3 + listed.length;
            writer.nextStrike += listed.length - 1;
            return;
        }
        _putFuture(writer, future, values, blockPlace);
        for (uint256 i = 1; i < listed.length; ++i) {
            _put(writer, _strikeWord(listed[i], values.volPpm[writer.nextStrike++]));
        }
    }

    /// @dev The future's two words, the terms of its block and its settlement.
    function _putFuture(
        Writer memory writer,
        Instrument calldata future,
        RoundValues calldata values,
        uint256 blockPlace
    ) private pure {
        uint256 settlementMicros = values.settlementMicros[blockPlace];
        bool isSettled = settlementMicros != 0;
        OptionParameters calldata options = values.underlyings[future.underlying].options;
        BlockTerms.Terms memory terms = BlockTerms.termsOf(future.expirySec, values.timeSec, options, writer.termFactors);
        (uint256 chargeIm, uint256 chargeMm) = (future.chargeImPpm + terms.rollImPpm, future.chargeMmPpm + terms.rollMmPpm);
        uint256 priceWord = _priceWord(future, false, values.basisPpb[blockPlace], chargeIm, chargeMm, 0);
        // What is settled is reduce-only.
        _put(writer, isSettled ? priceWord | (3 << 29) : priceWord);
        _put(writer, _limitsWord(future));
        _put(writer, _termsWord(terms, options) | (isSettled ? 1 << 235 : 0));
        _put(writer, settlementMicros);
    }

    /// @dev instrumentId:20 · underlying:8 · isSpot:1 · isReduceOnly:1 · isSettled:1 · lotE8:27 · pricePpb:31 · chargeIm:20 · chargeMm:20 ·
    /// band:20 · penalty:20 · fundingIndexBiased:51. The registry keeps every field within its width.
    function _priceWord(
        Instrument calldata instrument,
        bool isSpot,
        int256 premiumPpb,
        uint256 chargeImPpm,
        uint256 chargeMmPpm,
        int256 funding
    ) private pure returns (uint256 word) {
        word = uint256(instrument.id) | (uint256(instrument.underlying) << 20);
        if (isSpot) word |= 1 << 28;
        if (instrument.isReduceOnly) word |= 1 << 29;
        word |= uint256(instrument.lotE8) << 31;
        word |= uint256(PPB_ONE + premiumPpb) << 58;
        word |= chargeImPpm << 89;
        word |= chargeMmPpm << 109;
        word |= uint256(instrument.bandPpm) << 129;
        word |= uint256(instrument.penaltyPpm) << 149;
        word |= uint256(funding + FUNDING_BIAS) << 169;
    }

    /// @dev openInterestCap:47 · positionCap:47 · expirySec:32.
    function _limitsWord(Instrument calldata instrument) private pure returns (uint256) {
        return
            uint256(instrument.openInterestCapLots) |
            (uint256(instrument.positionCapLots) << 47) |
            (uint256(instrument.expirySec) << 94);
    }

    /// @dev timeSec:27 · upPpm:22 · downPpm:20 · upFloorPpm:23 · leastVolPpm:23 · rollIm:20 · rollMm:20 · shortIm:20 ·
    /// shortMm:20 · optionBand:20 · optionPenalty:20 · isSettled:1, which the caller adds.
    function _termsWord(
        BlockTerms.Terms memory terms,
        OptionParameters calldata options
    ) private pure returns (uint256 word) {
        word = terms.timeSec | (terms.upPpm << 27) | (terms.downPpm << 49);
        word |= uint256(options.volUpFloorPpm) << 69;
        word |= terms.leastVolPpm << 92;
        word |= terms.rollImPpm << 115;
        word |= terms.rollMmPpm << 135;
        word |= uint256(options.shortImPpm) << 155;
        word |= uint256(options.shortMmPpm) << 175;
        word |= uint256(options.bandPpm) << 195;
        word |= uint256(options.penaltyPpm) << 215;
    }

    /// @dev callId:20 · isReduceOnly:1 · strike:35 · volPpm:23 · openInterestCap:47 · positionCap:47.
    function _strikeWord(Instrument calldata instrument, uint256 volPpm) private pure returns (uint256 word) {
        word = uint256(instrument.id);
        if (word == 0) return 0;
        if (instrument.isReduceOnly) word |= 1 << 20;
        word |= uint256(instrument.strikeMicrosPerLot) << 21;
        word |= volPpm << 56;
        word |= uint256(instrument.openInterestCapLots) << 79;
        word |= uint256(instrument.positionCapLots) << 126;
    }

    /// @dev Haircuts grow with the scan range; rounded against the account.
    function _haircutUp(uint256 chargePpm, uint256 scanFactorE9) private pure returns (uint256) {
        return (chargePpm * scanFactorE9 + RiskFeed.FACTOR_ONE_E9 - 1) / RiskFeed.FACTOR_ONE_E9;
    }
}
