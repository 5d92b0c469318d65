// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

/// @title Changes of the vault's ledger, one word each: kind:4 · tokenId:4 · amount:88 · owner:160, lowest first.
library Movements {
    /// @dev A queued deposit was credited on L2.
    uint256 internal constant CREDIT = 1;
    /// @dev A queued deposit goes back to its owner.
    uint256 internal constant REFUND = 2;
    /// @dev A queued donation becomes the fund's.
    uint256 internal constant DONATE = 3;
    /// @dev An account withdraws.
    uint256 internal constant SERVE = 4;
    /// @dev An account withdraws less than it asked for, because there is no more.
    uint256 internal constant SERVE_ALL = 5;

    function pack(uint256 kind, uint256 tokenId, uint256 amount, address owner) internal pure returns (uint256) {
        return kind | (tokenId << 4) | (amount << 8) | (uint256(uint160(owner)) << 96);
    }

    function kindOf(uint256 word) internal pure returns (uint256) {
        return word & 0xf;
    }

    function tokenOf(uint256 word) internal pure returns (uint256) {
        return (word >> 4) & 0xf;
    }

    function amountOf(uint256 word) internal pure returns (uint256) {
        return (word >> 8) & (2 ** 88 - 1);
    }

    function ownerOf(uint256 word) internal pure returns (address) {
        return address(uint160(word >> 96));
    }
}
