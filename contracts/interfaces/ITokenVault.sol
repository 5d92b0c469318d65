// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @title Vocabulary of TokenVault.
/// @dev A *unit* is what the rollup counts in: one micro of quote (token 0) or one lot of a spot token (1..3).
/// `…Wei` are base units of an ERC-20 token.
interface ITokenVault {
    struct Token {
        IERC20 token;
        /// @dev Base units of the ERC-20 token in one unit.
        uint96 weiPerUnit;
        uint128 depositMinUnits;
        /// @dev The contract takes no deposit above it. Below 2^70 micros, at most 2^30 lots, so that no sum on L2 overflows.
        uint128 capUnits;
        /// @dev Per 24 hours this much may always leave; above it, a tenth of what users own.
        uint128 outflowFloorUnits;
    }

    /// @notice heldUnits + fundHeldMicros = claimsUnits + queuedUnits + liquidUnits + fundBookedMicros
    struct Conservation {
        /// @dev In this contract. The last two are zero but for the quote token.
        uint256 heldUnits;
        uint256 claimsUnits;
        uint256 queuedUnits;
        int256 liquidUnits;
        uint256 fundBookedMicros;
        /// @dev In the insurance fund; what is booked but not here has not been moved yet.
        uint256 fundHeldMicros;
    }

    struct DelayedClaim {
        address owner;
        uint8 tokenId;
        uint40 startsAtSec;
        uint40 endsAtSec;
        uint128 amountUnits;
        uint128 releasedUnits;
    }

    event ClaimCredited(address indexed owner, uint8 indexed tokenId, uint256 amountUnits);
    /// @notice A withdrawal that exceeds the outflow limit joined its owner's chain, from where anyone may record it.
    /// @param claimWord tokenId:4 · delayedUnits:72 · startsAtSec:40 · endsAtSec:40 · immediateUnits:72, lowest first
    event ClaimDelayed(address indexed owner, uint256 claimWord);
    event ClaimRecorded(uint256 indexed delayedId, address indexed owner, uint256 claimWord);
    event ClaimPaid(address indexed owner, uint8 indexed tokenId, uint256 amountUnits);
    event TreasuryMoved(uint256 fundHeldMicros);

    error NotRollup(address caller);
    error BadTokens(string reason);
    error UnknownToken(uint256 tokenId);
    error NotWholeUnits(uint256 amountWei, uint256 weiPerUnit);
    error AmountTooSmall(uint256 amountUnits, uint256 minUnits);
    error AmountTooLarge(uint256 amountUnits, uint256 maxUnits);
    error TransferNotExact(uint256 expectedWei, uint256 receivedWei);
    error ServedBeyondLiquidity(uint256 tokenId, uint256 servedUnits, uint256 availableUnits);
    error ShortWithLiquidityLeft(uint256 tokenId, uint256 servedUnits, uint256 availableUnits);
    error NothingToClaim();
    error NotTheLastDelayed(address owner);
}
