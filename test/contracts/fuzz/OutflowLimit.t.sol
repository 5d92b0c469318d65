// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {ITokenVault} from "../../../contracts/interfaces/ITokenVault.sol";
import {DelayedWords} from "../../../contracts/libraries/DelayedWords.sol";
import {OutflowLimit} from "../../../contracts/libraries/OutflowLimit.sol";
import {SolidityTest} from "./SolidityTest.sol";

/// @title The outflow limit over the whole range of what may come to it.
/// @notice It reckons unchecked. The same formulas, checked, stand here: a number that wrapped around would stop them.
contract OutflowLimitTest is SolidityTest {
    uint256 private constant BURST_US = 8 * 3600 * 1e6;
    uint256 private constant CLOCK_MAX = type(uint56).max;
    /// @dev Batch times have 32 bits and are no older than half an hour.
    uint256 private constant NOW_SEC_MAX = 2 ** 32 + 1800;
    uint256 private constant NOW_SEC_MIN = 1_600_000_000;

    struct Booked {
        uint256 immediate;
        uint256 startsAtSec;
        uint256 endsAtSec;
        uint256 bookedUntilUs;
    }

    /// @dev Any width alike, so that small and extreme numbers are as frequent as the rest; the very last one too.
    function _upTo(uint256 seed, uint256 bits) private pure returns (uint256) {
        if (seed % 16 == 0) return 2 ** bits - 1;
        return (seed >> 16) % (2 ** ((seed >> 4) % (bits + 1)));
    }

    function _book(uint256 bookedUntilUs, uint256 amount, uint256 limit) private view returns (Booked memory booked) {
        (booked.immediate, booked.startsAtSec, booked.endsAtSec, booked.bookedUntilUs) = OutflowLimit.book(
            bookedUntilUs,
            amount,
            limit
        );
    }

    function _bookChecked(
        uint256 bookedUntilUs,
        uint256 amount,
        uint256 limit
    ) private view returns (Booked memory booked) {
        uint256 nowUs = block.timestamp * 1e6;
        uint256 fromUs = bookedUntilUs > nowUs ? bookedUntilUs : nowUs;
        uint256 flow = (limit * 3) / 4;
        uint256 untilUs = fromUs + (amount * 86_400e6 + flow - 1) / flow;
        booked.bookedUntilUs = untilUs < CLOCK_MAX ? untilUs : CLOCK_MAX;
        if (untilUs <= nowUs + BURST_US) {
            booked.immediate = amount;
            return booked;
        }
        if (fromUs < nowUs + BURST_US) {
            booked.immediate = (amount * (nowUs + BURST_US - fromUs)) / (untilUs - fromUs);
            fromUs = nowUs + BURST_US;
        }
        booked.startsAtSec = (fromUs - BURST_US + 1e6 - 1) / 1e6;
        booked.endsAtSec = (booked.bookedUntilUs - BURST_US + 1e6 - 1) / 1e6;
    }

    function testFuzz_NothingWrapsAround(uint256[4] memory seeds) external {
        CHEATS.warp(within(seeds[0], NOW_SEC_MIN, NOW_SEC_MAX));
        // Half of the time around the burst, where the cases part.
        uint256 bookedUntilUs = seeds[0] % 2 == 0
            ? _upTo(seeds[1], 56)
            : block.timestamp * 1e6 - BURST_US / 4 + within(seeds[1], 0, 2 * BURST_US);
        uint256 amount = _upTo(seeds[2], 88);
        uint256 limit = _upTo(seeds[3], 72);
        if (amount == 0) amount = 1;
        if (limit < OutflowLimit.LIMIT_MIN) limit = OutflowLimit.LIMIT_MIN;
        Booked memory actual = _book(bookedUntilUs, amount, limit);
        Booked memory expected = _bookChecked(bookedUntilUs, amount, limit);
        requireEqual("immediate", actual.immediate, expected.immediate);
        requireEqual("starts", actual.startsAtSec, expected.startsAtSec);
        requireEqual("ends", actual.endsAtSec, expected.endsAtSec);
        requireEqual("booked until", actual.bookedUntilUs, expected.bookedUntilUs);
        requireAtMost("the clock never runs back", bookedUntilUs, actual.bookedUntilUs);
        if (actual.immediate == amount) return;
        requireTrue("some of it is delayed", actual.immediate < amount);
        requireAtMost("no earlier than now", block.timestamp, actual.startsAtSec);
        requireAtMost("starts before it ends", actual.startsAtSec, actual.endsAtSec);
        requireTrue("times have 40 bits", actual.endsAtSec < 2 ** 40);
    }

    /// @notice What the vault may hand over: claims have 72 bits, times 40, tokens 4.
    function testFuzz_DelayedWord(
        uint8 tokenSeed,
        uint256[2] memory amountSeeds,
        uint40 startsAtSec,
        uint40 endsAtSec,
        address owner
    ) external pure {
        uint256 tokenId = tokenSeed % 16;
        (uint256 delayedUnits, uint256 immediate) = (_upTo(amountSeeds[0], 72), _upTo(amountSeeds[1], 72));
        uint256 word = DelayedWords.pack(tokenId, delayedUnits, startsAtSec, endsAtSec, immediate);
        (ITokenVault.DelayedClaim memory delayed, uint256 immediateUnits) = DelayedWords.read(owner, word);
        requireTrue("owner", delayed.owner == owner);
        requireEqual("token", delayed.tokenId, tokenId);
        requireEqual("starts", delayed.startsAtSec, startsAtSec);
        requireEqual("ends", delayed.endsAtSec, endsAtSec);
        requireEqual("delayed", delayed.amountUnits, delayedUnits);
        requireEqual("nothing released yet", delayed.releasedUnits, 0);
        requireEqual("immediate", immediateUnits, immediate);
        bytes32 chain = bytes32(amountSeeds[0]);
        requireTrue("chain", DelayedWords.append(chain, word) == keccak256(abi.encode(chain, word)));
    }
}
