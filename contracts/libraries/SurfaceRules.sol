// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {BlockTerms} from "./BlockTerms.sol";
import {BlockListing, RoundValues} from "./RiskTypes.sol";

/// @title Which forwards and volatilities a round may carry.
/// @dev Twin of protocol/risk/oracle-surface.ts. What is refused here is refused at entry: three honest signers cannot be made
/// to say it by the others. Blocks whose time is over say nothing any more and are never a reason.
library SurfaceRules {
    /// @dev A forward lies within a half of the index.
    int256 internal constant BASIS_PPB_MAX = 5e8;
    uint256 internal constant VOL_PPM_MAX = 8e6;
    /// @dev Total variance may fall by a tenth from one expiry to the next: quotes of different markets are not one curve.
    uint256 private constant FALL_NUMERATOR = 9;
    uint256 private constant FALL_DENOMINATOR = 10;
    uint256 private constant LOT_ONE_E8 = 1e8;
    int256 private constant PPB_ONE = 1e9;

    error BasisOutOfBounds(uint256 blockPlace, int256 basisPpb);
    error VolOutOfBounds(uint256 strikePlace, uint256 volPpm);
    error TotalVarianceFalls(uint256 earlierBlock, uint256 laterBlock);

    /// @param isOver expired: what is said then is brought within the bounds and never refused
    function boundedBasis(uint256 blockPlace, int256 basisPpb, bool isOver) internal pure returns (int32) {
        if (basisPpb >= -BASIS_PPB_MAX && basisPpb <= BASIS_PPB_MAX) return int32(basisPpb);
        if (!isOver) revert BasisOutOfBounds(blockPlace, basisPpb);
        return int32(basisPpb > 0 ? BASIS_PPB_MAX : -BASIS_PPB_MAX);
    }

    /// @param volPpm 0 is a missing one
    function boundedVol(uint256 strikePlace, uint256 volPpm, bool isOver) internal pure returns (uint24) {
        if (volPpm >= 1 && volPpm <= VOL_PPM_MAX) return uint24(volPpm);
        if (!isOver) revert VolOutOfBounds(strikePlace, volPpm);
        return volPpm == 0 ? 1 : uint24(VOL_PPM_MAX);
    }

    /// @notice Per underlying and in order of expiry, total variance at the money falls by a tenth at most.
    /// @dev Every block is compared with those of the nearest earlier expiry that have options. Blocks of one expiry are
    /// one market and not compared.
    function requireRisingVariance(RoundValues memory values, BlockListing[] memory blocks) internal pure {
        uint256[] memory variances = new uint256[](blocks.length);
        uint256 firstStrike;
        for (uint256 b = 0; b < blocks.length; ++b) {
            variances[b] = _varianceAtTheMoney(values, blocks[b], values.basisPpb[b], firstStrike);
            firstStrike += blocks[b].strikesMicrosPerLot.length;
        }
        for (uint256 later = 0; later < blocks.length; ++later) {
            if (variances[later] == 0) continue;
            (uint256 earlier, uint256 variance) = _before(blocks, variances, blocks[later]);
            if (variances[later] * FALL_DENOMINATOR < variance * FALL_NUMERATOR) revert TotalVarianceFalls(earlier, later);
        }
    }

    /// @dev vol² · T of the strike nearest the forward, the lower of two; 0 if the block has no options or its time is over.
    function _varianceAtTheMoney(
        RoundValues memory values,
        BlockListing memory listing,
        int256 basisPpb,
        uint256 firstStrike
    ) private pure returns (uint256) {
        if (listing.expirySec <= values.timeSec) return 0;
        uint256 forward = _forwardNearest(values.underlyings[listing.underlying].indexMicros, listing.lotE8, basisPpb);
        uint256 nearest = type(uint256).max;
        uint256 volPpm;
        for (uint256 i = 0; i < listing.strikesMicrosPerLot.length; ++i) {
            uint256 strike = listing.strikesMicrosPerLot[i];
            if (strike == 0) break;
            uint256 distance = strike > forward ? strike - forward : forward - strike;
            if (distance >= nearest) break;
            nearest = distance;
            volPpm = values.volPpm[firstStrike + i];
        }
        return volPpm * volPpm * BlockTerms.timeToExpirySec(listing.expirySec, values.timeSec);
    }

    /// @dev nearest(index · lot · (1 + basis)): the mark of the block's future.
    function _forwardNearest(uint256 indexMicros, uint256 lotE8, int256 basisPpb) private pure returns (uint256) {
        uint256 denominator = LOT_ONE_E8 * uint256(PPB_ONE);
        return (2 * indexMicros * lotE8 * uint256(PPB_ONE + basisPpb) + denominator) / (2 * denominator);
    }

    /// @dev Of the blocks with options at the nearest expiry before a block's, the one with the largest variance; variance 0 if
    /// there is none.
    function _before(
        BlockListing[] memory blocks,
        uint256[] memory variances,
        BlockListing memory later
    ) private pure returns (uint256 place, uint256 variance) {
        uint256 nearestSec;
        for (uint256 b = 0; b < blocks.length; ++b) {
            uint256 candidate = variances[b];
            if (candidate == 0) continue;
            uint256 expirySec = blocks[b].expirySec;
            if (expirySec >= later.expirySec || expirySec < nearestSec) continue;
            if (blocks[b].underlying != later.underlying) continue;
            if (expirySec == nearestSec && candidate <= variance) continue;
            (nearestSec, place, variance) = (expirySec, b, candidate);
        }
    }
}
