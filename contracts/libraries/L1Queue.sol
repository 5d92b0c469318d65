// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title Operations that wait for a batch: strictly in order, each with a deadline and a fee (docs/protocol.md §6).
/// @dev Deadlines are kept on a clock that stands still while prices are stale: net time = L1 time − paused seconds.
library L1Queue {
    uint256 internal constant REGISTER = 1;
    uint256 internal constant DEPOSIT = 2;
    uint256 internal constant WITHDRAW = 3;
    uint256 internal constant CANCEL_ALL = 4;
    uint256 internal constant CLOSE = 5;
    uint256 internal constant FUND_DONATION = 6;

    uint256 internal constant DEADLINE_SEC = 3 days;
    /// @dev Deadlines of neighbours keep this distance, so that a full queue can be served in time.
    uint256 internal constant DUE_SPACING_SEC = 30;
    /// @dev A pause lengthens the deadline of one operation by no more than this.
    uint256 internal constant PAUSE_SEC_MAX = 7 days;
    uint256 internal constant FEE_UNIT_WEI = 0.0002 ether;
    /// @dev The fee grows by one unit with every so many waiting operations: n of them cost about n² / 32 units.
    uint256 internal constant WAITING_PER_FEE_UNIT = 16;

    /// @dev One storage slot. `word`: kind:4 · accountIndex:24 · tokenId:4 · amount:88, lowest first.
    struct Entry {
        uint120 word;
        uint40 dueNetSec;
        uint32 enqueuedAtSec;
        uint32 pausedBeforeSec;
        uint16 feeUnits;
        /// @dev Of a deposit: how far before it the account's deposit before it stands; 0 if none waited.
        uint16 depositDistance;
    }

    struct Key {
        uint256 x;
        uint256 y;
    }

    /// @dev One storage slot.
    struct Bounds {
        /// @dev Index of the oldest waiting operation; equals `tail` when none waits.
        uint48 head;
        uint48 tail;
        uint40 lastDueNetSec;
        /// @dev L1 time at which the queue stopped for good; 0 while it runs. Here because it is read with the rest.
        uint40 frozenAtSec;
        /// @dev Fees of served operations, which the submitter has not taken yet. Here because a batch writes it anyway.
        uint48 earnedFeeUnits;
        /// @dev What a batch retired and the registry was not told yet; 0 for nothing. Here because a batch that serves
        /// the queue writes it anyway: what the registry does with it would not fit in the gas of a full one.
        uint24 retiredInstrument;
    }

    struct Queue {
        Bounds bounds;
        mapping(uint256 index => Entry) entries;
        /// @dev Only of registrations.
        mapping(uint256 index => Key) keys;
    }

    function pack(
        uint256 kind,
        uint256 accountIndex,
        uint256 tokenId,
        uint256 amount
    ) internal pure returns (uint120) {
        return uint120(kind | (accountIndex << 4) | (tokenId << 28) | (amount << 32));
    }

    function kindOf(uint256 word) internal pure returns (uint256) {
        return word & 0xf;
    }

    function accountOf(uint256 word) internal pure returns (uint256) {
        return (word >> 4) & 0xffffff;
    }

    function tokenOf(uint256 word) internal pure returns (uint256) {
        return (word >> 28) & 0xf;
    }

    function amountOf(uint256 word) internal pure returns (uint256) {
        return word >> 32;
    }

    /// @notice What the next operation pays, in FEE_UNIT_WEI.
    function feeUnits(Queue storage queue) internal view returns (uint256) {
        return 1 + uint256(queue.bounds.tail - queue.bounds.head) / WAITING_PER_FEE_UNIT;
    }

    /// @dev The narrow numbers never stop anybody: 65,536 waiting operations would cost 26,000 Ether in fees.
    /// @param depositDistance see Entry
    /// @param pausedSec the oracle's paused seconds up to now
    function push(
        Queue storage queue,
        uint120 word,
        uint256 depositDistance,
        uint256 pausedSec
    ) internal returns (uint64 index, uint40 due) {
        due = uint40(block.timestamp - pausedSec + DEADLINE_SEC);
        uint40 spaced = queue.bounds.lastDueNetSec + uint40(DUE_SPACING_SEC);
        if (due < spaced) due = spaced;
        uint48 tail = queue.bounds.tail;
        index = tail;
        queue.entries[index] = Entry({
            word: word,
            dueNetSec: due,
            enqueuedAtSec: uint32(block.timestamp),
            pausedBeforeSec: uint32(pausedSec),
            feeUnits: SafeCast.toUint16(feeUnits(queue)),
            depositDistance: SafeCast.toUint16(depositDistance)
        });
        queue.bounds.tail = tail + 1;
        queue.bounds.lastDueNetSec = due;
    }

    /// @notice Whether the oldest operation is overdue. No later one can be overdue before it: dues rise with the
    /// index, and a later operation has used up less of its pause.
    function isOverdue(Queue storage queue, uint256 pausedSec) internal view returns (bool) {
        (uint256 head, uint256 tail) = (queue.bounds.head, queue.bounds.tail);
        if (head == tail) return false;
        Entry memory oldest = queue.entries[head];
        uint256 pauseSec = pausedSec - oldest.pausedBeforeSec;
        if (pauseSec > PAUSE_SEC_MAX) pauseSec = PAUSE_SEC_MAX;
        return block.timestamp - oldest.pausedBeforeSec - pauseSec >= oldest.dueNetSec;
    }

    /// @notice Removes an operation; who removes the oldest moves the head.
    function remove(Queue storage queue, uint256 index) internal returns (uint256 word, uint256 feeUnits_) {
        Entry storage entry = queue.entries[index];
        (word, feeUnits_) = (entry.word, entry.feeUnits);
        delete queue.entries[index];
        if (kindOf(word) == REGISTER) delete queue.keys[index];
    }
}
