// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {EventWords} from "./EventWords.sol";
import {L1Queue} from "./L1Queue.sol";

/// @title What an account has deposited that still waits in the queue (docs/protocol.md §7).
/// @dev A slot for each account: sum:221 (a pending word) · last:35 (queue index of its last deposit; 0, which no deposit
/// can have, for none). From the last on each entry says how far before it the account's one before stands. So a batch
/// looks at deposits of the liquidated account alone, and at no more of them than `RECENT_MAX`, however long the queue
/// is: what nobody else can make longer, and the account itself cannot make long, cannot use up a batch's gas.
library PendingDeposits {
    using L1Queue for L1Queue.Queue;

    /// @dev Within WINDOW_SEC an account queues no more deposits than this: one of each token.
    uint256 internal constant RECENT_MAX = 4;
    /// @dev As long as a batch that liquidates may take to reach L1. What it does not count was queued after its time.
    uint256 internal constant WINDOW_SEC = 5 minutes;
    uint256 private constant SUM_BITS = 221;
    uint256 private constant SUM_MASK = 2 ** SUM_BITS - 1;

    function sum(uint256 slot) internal pure returns (uint256 pendingWord) {
        return slot & SUM_MASK;
    }

    /// @notice When the account may queue its next deposit; 0: at once.
    function nextAllowedSec(L1Queue.Queue storage queue, uint256 slot) internal view returns (uint256 atSec) {
        uint256 index = slot >> SUM_BITS;
        for (uint256 i = 0; i < RECENT_MAX; ++i) {
            if (index == 0) return 0;
            L1Queue.Entry storage entry = queue.entries[index];
            // Of one that was served nothing is left: it may stand before the first that waits.
            atSec = entry.enqueuedAtSec + WINDOW_SEC;
            if (atSec <= block.timestamp) return 0;
            index = _before(index, entry);
        }
    }

    /// @notice The slot with one deposit more, which the queue takes next.
    /// @return newSlot the slot then
    /// @return distance how far before it the account's deposit before it stands; 0 if none waits
    function add(
        L1Queue.Queue storage queue,
        uint256 slot,
        uint256 tokenId,
        uint256 amount
    ) internal view returns (uint256 newSlot, uint256 distance) {
        (uint256 index, uint256 last) = (queue.bounds.tail, slot >> SUM_BITS);
        if (last != 0) distance = index - last;
        // 2^35 operations would cost seven million Ether in fees.
        newSlot = (sum(slot) + EventWords.pending(tokenId, amount)) | (index << SUM_BITS);
    }

    /// @notice The slot without a deposit that leaves the queue; the last to leave empties it.
    function remove(uint256 slot, uint256 word) internal pure returns (uint256 newSlot) {
        newSlot = slot - EventWords.pending(L1Queue.tokenOf(word), L1Queue.amountOf(word));
        if (sum(newSlot) == 0) newSlot = 0;
    }

    /// @notice The sum of those that stand below `end` in the queue.
    /// @dev `end` is not below the queue's head, so every entry that is read still waits.
    function sumBelow(
        L1Queue.Queue storage queue,
        uint256 slot,
        uint256 end
    ) internal view returns (uint256 pendingWord) {
        pendingWord = sum(slot);
        for (uint256 index = slot >> SUM_BITS; index != 0 && index >= end; ) {
            L1Queue.Entry storage entry = queue.entries[index];
            pendingWord -= EventWords.pending(L1Queue.tokenOf(entry.word), L1Queue.amountOf(entry.word));
            index = _before(index, entry);
        }
    }

    function _before(uint256 index, L1Queue.Entry storage entry) private view returns (uint256) {
        uint256 distance = entry.depositDistance;
        return distance == 0 ? 0 : index - distance;
    }
}
