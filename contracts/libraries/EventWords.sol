// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

/// @title Layouts of the event words of a batch (docs/protocol.md §6, §7), lowest field first.
/// @dev Twin of the layouts in protocol/batch/words.ts. A word with a bit above its layout is refused.
library EventWords {
    uint256 internal constant REASON_NONE = 0;
    uint256 internal constant REASON_POSITION_CAP = 1;
    uint256 internal constant REASON_MARGIN = 2;
    uint256 internal constant REASON_LIQUIDITY = 3;

    uint256 private constant ACCOUNT_MASK = 2 ** 24 - 1;
    uint256 private constant AMOUNT_MASK = 2 ** 88 - 1;

    struct Outcome {
        bool isApplied;
        uint256 reason;
        uint256 served;
    }

    struct Withdrawal {
        uint256 accountIndex;
        uint256 tokenId;
        uint256 served;
        bool isShort;
    }

    error UnusedBitsSet(uint256 word);

    /// @notice isApplied:1 · reason:3 · served:88
    function outcome(uint256 word) internal pure returns (Outcome memory) {
        _requireWidth(word, 92);
        return Outcome(word & 1 == 1, (word >> 1) & 7, word >> 4);
    }

    /// @notice accountIndex:24 · tokenId:4 · served:88 · isShort:1
    function withdrawal(uint256 word) internal pure returns (Withdrawal memory) {
        _requireWidth(word, 117);
        return Withdrawal(word & ACCOUNT_MASK, (word >> 24) & 0xf, (word >> 28) & AMOUNT_MASK, word >> 116 == 1);
    }

    /// @notice Of accountIndex:24 · instrumentId:20 · isShort:1 · closedLots:47 · cashMicros:88; the contract asks for no more.
    function liquidatedAccount(uint256 word) internal pure returns (uint256 accountIndex) {
        _requireWidth(word, 180);
        return word & ACCOUNT_MASK;
    }

    /// @notice instrumentId:20
    function retiredInstrument(uint256 word) internal pure returns (uint24 instrumentId) {
        _requireWidth(word, 20);
        return uint24(word);
    }

    /// @notice An amount at its token's place in a pending word: quote:80 · lots1:47 · lots2:47 · lots3:47
    function pending(uint256 tokenId, uint256 amount) internal pure returns (uint256) {
        return tokenId == 0 ? amount : amount << (80 + 47 * (tokenId - 1));
    }

    /// @notice The reverse: the amount at a token's place.
    function pendingOf(uint256 word, uint256 tokenId) internal pure returns (uint256) {
        return tokenId == 0 ? word & (2 ** 80 - 1) : (word >> (80 + 47 * (tokenId - 1))) & (2 ** 47 - 1);
    }

    function _requireWidth(uint256 word, uint256 bits) private pure {
        if (word >> bits != 0) revert UnusedBitsSet(word);
    }
}
