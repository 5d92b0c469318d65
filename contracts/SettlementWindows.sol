// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {BlockListing, RoundValues} from "./libraries/RiskTypes.sol";
import {SettlementWindow} from "./libraries/SettlementWindow.sol";

/// @title What the oracle knows of the settlement of each expiry block.
/// @dev A block is settled once and for ever at its expiry; that it is listed anew is told by its other expiry.
abstract contract SettlementWindows {
    /// @notice By expiry block over all segments; of an earlier expiry, or empty, until the window of the listed one begins.
    mapping(uint256 blockPlace => SettlementWindow.Window) public settlementWindows;

    /// @param settlementMicros index price of one coin: the block's rows stand at it from this round on
    event BlockSettled(uint256 indexed blockPlace, uint256 indexed futureId, uint256 settlementMicros);

    /// @notice A round may be a little ahead of L1, a settlement may not: a batch is never earlier than its table was accepted,
    /// so none of them trades what that table settles.
    error SettledBeforeExpiry(uint256 blockPlace, uint256 expirySec, uint256 nowSec);

    /// @dev Moves the windows on and fills in what is settled; a settled block is no longer listed for what follows in the
    /// round: nothing is said of its prices any more.
    /// @return isWaiting some block is expired and not settled
    function _settleBlocks(BlockListing[] memory blocks, RoundValues memory values) internal returns (bool isWaiting) {
        values.settlementMicros = new uint48[](blocks.length);
        for (uint256 b = 0; b < blocks.length; ++b) {
            BlockListing memory listing = blocks[b];
            if (listing.expirySec == 0 || !SettlementWindow.isReached(listing.expirySec, values.timeSec)) continue;
            SettlementWindow.Window memory window = settlementWindows[b];
            if (window.expirySec != listing.expirySec || window.settlementMicros == 0) {
                window = SettlementWindow.afterRound(window, listing.expirySec, _stepOf(listing.underlying, values));
                settlementWindows[b] = window;
                if (window.settlementMicros != 0) {
                    if (block.timestamp < listing.expirySec) {
                        revert SettledBeforeExpiry(b, listing.expirySec, block.timestamp);
                    }
                    emit BlockSettled(b, listing.futureId, window.settlementMicros);
                }
            }
            values.settlementMicros[b] = window.settlementMicros;
            if (window.settlementMicros != 0) listing.expirySec = 0;
            else if (values.timeSec >= listing.expirySec) isWaiting = true;
        }
    }

    /// @dev Of an underlying that this round has not moved yet.
    function _stepOf(
        uint256 underlying,
        RoundValues memory values
    ) internal view virtual returns (SettlementWindow.Step memory);
}
