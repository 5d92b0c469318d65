// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

/// @title How fast a token may leave: at most `limit` units become claimable in any 24 hours.
/// @dev Time is what is booked, not amounts, so a limit that changes prices only what comes after it. Claims flow
/// at ¾ of the limit a day; eight hours of that flow may be taken at once: (24 h + 8 h) · ¾ · limit / 24 h = limit.
library OutflowLimit {
    uint256 private constant US_PER_SEC = 1e6;
    uint256 private constant BURST_US = 8 hours * US_PER_SEC;
    uint256 private constant DAY_US = 1 days * US_PER_SEC;
    /// @dev The daily flow of a limit below this would round down to nothing.
    uint256 internal constant LIMIT_MIN = 4;

    /// @param bookedUntilUs virtual time until which earlier claims use the flow
    /// @param amount above 0, below 2^88
    /// @param limit at least LIMIT_MIN
    /// @return immediate what may be claimed now; the rest of `amount` becomes claimable evenly between the two times
    function book(
        uint256 bookedUntilUs,
        uint256 amount,
        uint256 limit
    )
        internal
        view
        returns (uint256 immediate, uint256 startsAtSec, uint256 endsAtSec, uint56 newBookedUntilUs)
    {
        // Amounts have 88 bits, times of this clock 56: no product reaches 2^130, and a difference is of a later and an
        // earlier time.
        unchecked {
            uint256 nowUs = block.timestamp * US_PER_SEC;
            uint256 fromUs = bookedUntilUs > nowUs ? bookedUntilUs : nowUs;
            // Rounded up: an amount never takes less of the flow than it is.
            uint256 untilUs = fromUs + _divUp(amount * DAY_US, (limit * 3) / 4);
            uint256 burstEndUs = nowUs + BURST_US;
            // The end of this clock is two thousand years away: what would come later comes then.
            newBookedUntilUs = untilUs < type(uint56).max ? uint56(untilUs) : type(uint56).max;
            if (untilUs <= burstEndUs) return (amount, 0, 0, newBookedUntilUs);
            if (fromUs < burstEndUs) {
                immediate = (amount * (burstEndUs - fromUs)) / (untilUs - fromUs);
                fromUs = burstEndUs;
            }
            startsAtSec = _divUp(fromUs - BURST_US, US_PER_SEC);
            endsAtSec = _divUp(newBookedUntilUs - BURST_US, US_PER_SEC);
        }
    }

    function _divUp(uint256 numerator, uint256 denominator) private pure returns (uint256) {
        unchecked {
            return (numerator + denominator - 1) / denominator;
        }
    }
}
