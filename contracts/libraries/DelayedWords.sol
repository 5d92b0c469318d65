// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {ITokenVault} from "../interfaces/ITokenVault.sol";

/// @title Withdrawals beyond the outflow limit, one word each, and the chain that holds those not yet recorded.
/// @dev tokenId:4 · delayedUnits:72 · startsAtSec:40 · endsAtSec:40 · immediateUnits:72, lowest first. Twin of client/delayed-claims.ts.
library DelayedWords {
    /// @dev The caller keeps each field within its width.
    function pack(
        uint256 tokenId,
        uint256 delayedUnits,
        uint256 startsAtSec,
        uint256 endsAtSec,
        uint256 immediateUnits
    ) internal pure returns (uint256) {
        return tokenId | (delayedUnits << 4) | (startsAtSec << 76) | (endsAtSec << 116) | (immediateUnits << 156);
    }

    function read(
        address owner,
        uint256 word
    ) internal pure returns (ITokenVault.DelayedClaim memory delayed, uint256 immediateUnits) {
        delayed = ITokenVault.DelayedClaim({
            owner: owner,
            tokenId: uint8(word & 0xf),
            startsAtSec: uint40(word >> 76),
            endsAtSec: uint40(word >> 116),
            amountUnits: uint72(word >> 4),
            releasedUnits: 0
        });
        immediateUnits = word >> 156;
    }

    /// @notice keccak256(abi.encode(chain, word))
    function append(bytes32 chain, uint256 word) internal pure returns (bytes32 next) {
        assembly ("memory-safe") {
            mstore(0, chain)
            mstore(32, word)
            next := keccak256(0, 64)
        }
    }
}
