// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Instrument, InstrumentKind, OptionParameters} from "./RiskTypes.sol";

/// @title Bounds and steps of governed numbers, and the index prices at which every listed instrument has a row.
/// @dev All bounds of docs/protocol.md §4 that are not the circuit's are kept here: a round that the oracle accepts has
/// a proof.
library ListingRules {
    uint256 private constant STEP_DIVISOR = 10;
    uint256 private constant PPM_ONE = 1e6;

    uint256 private constant SPOT_ID_MAX = 3;
    uint256 private constant ID_MAX = 2 ** 20 - 1;
    /// @dev One coin.
    uint256 private constant LOT_E8_MAX = 1e8;
    uint256 private constant LOTS_MAX = 2 ** 47 - 1;
    /// @dev The rollup's own cap on a spot token; the table's does not bind deposits.
    uint256 private constant SPOT_LOTS_MAX = 2 ** 30;
    /// @dev Doubled by the factor it is still below the whole value.
    uint256 private constant HAIRCUT_PPM_MAX = 450_000;
    uint256 private constant CHARGE_PPM_MAX = 200_000;
    uint256 private constant BAND_PPM_MAX = 50_000;
    uint256 private constant PENALTY_PPM_MAX = 20_000;
    /// @dev Times the largest term factor, 2.78 at a day, an upward factor has 22 bits and a downward one is above zero.
    uint256 private constant VOL_UP_PPM_MAX = 1_000_000;
    uint256 private constant VOL_DOWN_PPM_MAX = 350_000;
    /// @dev Above what an hour's volatility must be to be priced, 121,872 ppm: a volatility shocked upwards always can.
    uint256 private constant VOL_UP_FLOOR_PPM_MIN = 125_000;
    uint256 private constant VOL_UP_FLOOR_PPM_MAX = 2_000_000;
    /// @dev Two years of it and the charge of a future stay below the whole mark.
    uint256 private constant ROLL_PPM_MAX = 200_000;

    uint256 private constant EXPIRY_AHEAD_MIN = 1 days;
    uint256 private constant EXPIRY_AHEAD_MAX = 730 days;
    /// @dev Strikes lie within this factor of the index, where the price formula is proved to be exact to 1e-6.
    uint256 private constant MONEYNESS_MAX = 20;
    uint256 private constant STRIKE_MAX = 2 ** 35 - 1;

    uint256 private constant INDEX_MICROS_MAX = 2 ** 44 - 1;
    uint256 private constant MARK_MICROS_MAX = 2 ** 40 - 1;
    uint256 private constant FORWARD_MICROS_MIN = 1e6;
    uint256 private constant FORWARD_MICROS_MAX = 2 ** 33 - 1;
    /// @dev Each of two underlyings has half of the 2^63 that all lots may lose together.
    uint256 private constant UNDERLYING_LOSS_MICROS_MAX = 2 ** 58;
    /// @dev Less rounding of one delta per lot, of which there are fewer than 2^52.
    uint256 private constant UNDERLYING_DELTA_MICROS_MAX = 2 ** 62 - 2 ** 52;
    /// @dev A batch packs the unit in 36 bits.
    uint256 private constant ADD_ON_UNIT_DOLLARS_MIN = 1_000;
    uint256 private constant ADD_ON_UNIT_DOLLARS_MAX = 2 ** 36 - 1;
    /// @dev A mark above the index by the largest premium, by the largest basis.
    uint256 private constant PERPETUAL_PERCENT = 101;
    uint256 private constant FORWARD_PERCENT = 150;
    /// @dev What rounding adds to a lot's loss: of the mark and four quarter moves; of four option prices, whose error
    /// has a part that grows with the strike, 216 micros at the largest.
    uint256 private constant LINEAR_SLACK_MICROS = 4;
    uint256 private constant OPTION_SLACK_MICROS = 2_000;

    error StepTooLarge(bytes32 parameter, uint256 from, uint256 to);
    error ParameterOutOfBounds(bytes32 parameter, uint256 value, uint256 least, uint256 most);
    error OddOptionId(uint256 id);

    /// @notice Index prices of one coin that a round may carry, while instruments are taken in one by one.
    /// @param lossPerIndexE16 Σ lots · lotE8 · what a lot may lose, in 1e-16 of its index price: all that is listed
    /// @param slackMicros what rounding adds to that
    /// @param lotsE8 Σ lots · lotE8: coins, whose value is the largest net delta of an account
    struct IndexRange {
        uint256 leastMicros;
        uint256 mostMicros;
        uint256 lossPerIndexE16;
        uint256 slackMicros;
        uint256 lotsE8;
    }

    // ---- one instrument ----

    /// @notice Ids that the kind allows.
    function requireId(uint256 id, InstrumentKind kind) internal pure {
        bool isSpot = kind == InstrumentKind.Spot;
        requireWithin("id", id, isSpot ? 1 : SPOT_ID_MAX + 1, isSpot ? SPOT_ID_MAX : ID_MAX);
        if (kind == InstrumentKind.Option && id % 2 != 0) revert OddOptionId(id);
    }

    function requireNumbers(Instrument memory instrument) internal pure {
        requireWithin("lotE8", instrument.lotE8, 1, LOT_E8_MAX);
        requireWithin("openInterestCapLots", instrument.openInterestCapLots, 1, LOTS_MAX);
        requireWithin("positionCapLots", instrument.positionCapLots, 1, LOTS_MAX);
        bool isOption = instrument.kind == InstrumentKind.Option;
        uint256 least = isOption ? 0 : 1;
        uint256 chargeMax = instrument.kind == InstrumentKind.Spot ? HAIRCUT_PPM_MAX : CHARGE_PPM_MAX;
        requireWithin("chargeImPpm", instrument.chargeImPpm, least, isOption ? 0 : chargeMax);
        requireWithin("chargeMmPpm", instrument.chargeMmPpm, least, instrument.chargeImPpm);
        requireWithin("bandPpm", instrument.bandPpm, least, isOption ? 0 : BAND_PPM_MAX);
        requireWithin("penaltyPpm", instrument.penaltyPpm, least, isOption ? 0 : PENALTY_PPM_MAX);
    }

    /// @notice Expiry and strike at listing: none, a future's, an option's.
    /// @param indexMicros of one coin
    function requireDates(Instrument memory instrument, uint256 indexMicros, uint256 nowSec) internal pure {
        bool isDated = instrument.kind == InstrumentKind.Future || instrument.kind == InstrumentKind.Option;
        uint256 earliestSec = isDated ? nowSec + EXPIRY_AHEAD_MIN : 0;
        requireWithin("expirySec", instrument.expirySec, earliestSec, isDated ? nowSec + EXPIRY_AHEAD_MAX : 0);
        if (instrument.kind != InstrumentKind.Option) {
            requireWithin("strikeMicrosPerLot", instrument.strikeMicrosPerLot, 0, 0);
            return;
        }
        uint256 lotMicrosE8 = indexMicros * instrument.lotE8;
        uint256 least = Math.max(1, Math.ceilDiv(lotMicrosE8, MONEYNESS_MAX * 1e8));
        uint256 most = Math.min(STRIKE_MAX, (lotMicrosE8 * MONEYNESS_MAX) / 1e8);
        requireWithin("strikeMicrosPerLot", instrument.strikeMicrosPerLot, least, most);
    }

    function requireSteps(Instrument memory old, Instrument memory changed) internal pure {
        requireStep("chargeImPpm", old.chargeImPpm, changed.chargeImPpm);
        requireStep("chargeMmPpm", old.chargeMmPpm, changed.chargeMmPpm);
        requireStep("bandPpm", old.bandPpm, changed.bandPpm);
        requireStep("penaltyPpm", old.penaltyPpm, changed.penaltyPpm);
        requireStep("openInterestCapLots", old.openInterestCapLots, changed.openInterestCapLots);
        requireStep("positionCapLots", old.positionCapLots, changed.positionCapLots);
    }

    // ---- options of an underlying ----

    function requireOptions(OptionParameters memory options) internal pure {
        requireWithin("volUpPpm", options.volUpPpm, 1, VOL_UP_PPM_MAX);
        requireWithin("volDownPpm", options.volDownPpm, 1, VOL_DOWN_PPM_MAX);
        requireWithin("volUpFloorPpm", options.volUpFloorPpm, VOL_UP_FLOOR_PPM_MIN, VOL_UP_FLOOR_PPM_MAX);
        requireWithin("rollMinPpm", options.rollMinPpm, 1, ROLL_PPM_MAX);
        requireWithin("rollPerYearPpm", options.rollPerYearPpm, 1, ROLL_PPM_MAX);
        requireWithin("shortImPpm", options.shortImPpm, 1, CHARGE_PPM_MAX);
        requireWithin("shortMmPpm", options.shortMmPpm, 1, options.shortImPpm);
        requireWithin("optionBandPpm", options.bandPpm, 1, BAND_PPM_MAX);
        requireWithin("optionPenaltyPpm", options.penaltyPpm, 1, PENALTY_PPM_MAX);
        requireWithin("addOnUnitDollars", options.addOnUnitDollars, ADD_ON_UNIT_DOLLARS_MIN, ADD_ON_UNIT_DOLLARS_MAX);
    }

    function requireOptionSteps(OptionParameters memory old, OptionParameters memory changed) internal pure {
        requireStep("volUpPpm", old.volUpPpm, changed.volUpPpm);
        requireStep("volDownPpm", old.volDownPpm, changed.volDownPpm);
        requireStep("volUpFloorPpm", old.volUpFloorPpm, changed.volUpFloorPpm);
        requireStep("rollMinPpm", old.rollMinPpm, changed.rollMinPpm);
        requireStep("rollPerYearPpm", old.rollPerYearPpm, changed.rollPerYearPpm);
        requireStep("shortImPpm", old.shortImPpm, changed.shortImPpm);
        requireStep("shortMmPpm", old.shortMmPpm, changed.shortMmPpm);
        requireStep("optionBandPpm", old.bandPpm, changed.bandPpm);
        requireStep("optionPenaltyPpm", old.penaltyPpm, changed.penaltyPpm);
        requireStep("addOnUnitDollars", old.addOnUnitDollars, changed.addOnUnitDollars);
    }

    // ---- all instruments of an underlying ----

    function wholeRange() internal pure returns (IndexRange memory range) {
        range.leastMicros = 1;
        range.mostMicros = INDEX_MICROS_MAX;
    }

    /// @notice Narrows a range to prices at which this instrument has a row as well.
    /// @dev A linear lot loses at most R of its mark. A call is worth at most its forward, so it moves by at most 1 + R of
    /// it in a regular scenario (in a tail by R · ¾, as a future); a put is a call less a future: 1 + 2R. R is the
    /// scan range at its largest factor.
    function narrow(IndexRange memory range, Instrument memory instrument, uint256 baseScanRangePpm) internal pure {
        uint256 lotE8 = instrument.lotE8;
        // + 2 ppm: the worst that rounding a quarter move to 2^-20 can add.
        uint256 scanPpm = 2 * baseScanRangePpm + 2;
        uint256 lots = instrument.kind == InstrumentKind.Spot ? SPOT_LOTS_MAX : instrument.openInterestCapLots;
        range.lotsE8 += lots * lotE8;
        if (instrument.kind == InstrumentKind.Option) {
            // + 10 ppm: the relative error of four option prices.
            uint256 pairPpm = 2 * PPM_ONE + 3 * scanPpm + 10;
            range.lossPerIndexE16 += lots * lotE8 * FORWARD_PERCENT * pairPpm;
            range.slackMicros += lots * OPTION_SLACK_MICROS;
            return; // its forward is the future's, which stands in the same block
        }
        range.slackMicros += lots * LINEAR_SLACK_MICROS;
        if (instrument.kind == InstrumentKind.Future) {
            range.lossPerIndexE16 += lots * lotE8 * FORWARD_PERCENT * scanPpm;
            _bound(range, Math.ceilDiv(FORWARD_MICROS_MIN * 2e8, lotE8), (FORWARD_MICROS_MAX * 1e10) / (FORWARD_PERCENT * lotE8));
        } else {
            range.lossPerIndexE16 += lots * lotE8 * PERPETUAL_PERCENT * scanPpm;
            _bound(range, Math.ceilDiv(1e10, 99 * lotE8), (MARK_MICROS_MAX * 1e10) / (PERPETUAL_PERCENT * lotE8));
        }
    }

    /// @notice The range in which all lots together lose less than 2^58 and have a delta below 2^62 as well;
    /// empty (most 0) if there is none.
    function withinLossBound(IndexRange memory range) internal pure returns (uint256 leastMicros, uint256 mostMicros) {
        (leastMicros, mostMicros) = (range.leastMicros, range.mostMicros);
        if (range.slackMicros >= UNDERLYING_LOSS_MICROS_MAX) return (leastMicros, 0);
        if (range.lossPerIndexE16 == 0) return (leastMicros, mostMicros);
        mostMicros = Math.min(mostMicros, (UNDERLYING_DELTA_MICROS_MAX * 1e10) / (FORWARD_PERCENT * range.lotsE8));
        uint256 lossMicros = UNDERLYING_LOSS_MICROS_MAX - range.slackMicros;
        mostMicros = Math.min(mostMicros, (lossMicros * 1e16) / range.lossPerIndexE16);
    }

    function _bound(IndexRange memory range, uint256 leastMicros, uint256 mostMicros) private pure {
        range.leastMicros = Math.max(range.leastMicros, leastMicros);
        range.mostMicros = Math.min(range.mostMicros, mostMicros);
    }

    // ---- numbers ----

    function requireStep(bytes32 parameter, uint256 from, uint256 to) internal pure {
        uint256 step = from > to ? from - to : to - from;
        if (step * STEP_DIVISOR > from) revert StepTooLarge(parameter, from, to);
    }

    function requireWithin(bytes32 parameter, uint256 value, uint256 least, uint256 most) internal pure {
        if (value < least || value > most) revert ParameterOutOfBounds(parameter, value, least, most);
    }
}
