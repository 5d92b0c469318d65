// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {EventWords} from "../../../contracts/libraries/EventWords.sol";
import {L1Queue} from "../../../contracts/libraries/L1Queue.sol";
import {Movements} from "../../../contracts/libraries/Movements.sol";
import {SolidityTest} from "./SolidityTest.sol";

/// @title Words are the sum of their fields: nothing is lost, nothing hides above the layout.
contract EventWordsTest is SolidityTest {
    uint256 private constant AMOUNT_LIMIT = 2 ** 88;

    function readOutcome(uint256 word) external pure returns (EventWords.Outcome memory) {
        return EventWords.outcome(word);
    }

    function readWithdrawal(uint256 word) external pure returns (EventWords.Withdrawal memory) {
        return EventWords.withdrawal(word);
    }

    function readLiquidated(uint256 word) external pure returns (uint256 accountIndex) {
        return EventWords.liquidatedAccount(word);
    }

    /// @dev Half of the words fit, half have bits above.
    function _cut(uint256 word, uint256 bits) private pure returns (uint256) {
        return word % 2 == 0 ? word >> (256 - bits) : word;
    }

    function _requireTooWide(bytes memory refusal, uint256 word, uint256 bits) private pure {
        requireTrue("refused as too wide", bytes4(refusal) == EventWords.UnusedBitsSet.selector);
        requireTrue("is too wide", word >> bits != 0);
    }

    function testFuzz_Outcome(uint256 seed) external view {
        uint256 word = _cut(seed, 92);
        try this.readOutcome(word) returns (EventWords.Outcome memory row) {
            requireAtMost("reason", row.reason, 7);
            requireEqual("word", (row.isApplied ? 1 : 0) + row.reason * 2 + row.served * 16, word);
            requireTrue("served", row.served < AMOUNT_LIMIT);
        } catch (bytes memory refusal) {
            _requireTooWide(refusal, word, 92);
        }
    }

    function testFuzz_Withdrawal(uint256 seed) external view {
        uint256 word = _cut(seed, 117);
        try this.readWithdrawal(word) returns (EventWords.Withdrawal memory row) {
            requireTrue("fields", row.accountIndex < 2 ** 24 && row.tokenId < 16 && row.served < AMOUNT_LIMIT);
            uint256 sum = row.accountIndex + row.tokenId * 2 ** 24 + row.served * 2 ** 28;
            requireEqual("word", sum + (row.isShort ? 2 ** 116 : 0), word);
        } catch (bytes memory refusal) {
            _requireTooWide(refusal, word, 117);
        }
    }

    function testFuzz_Liquidation(uint256 seed) external view {
        uint256 word = _cut(seed, 180);
        try this.readLiquidated(word) returns (uint256 accountIndex) {
            requireEqual("account", accountIndex, word % 2 ** 24);
            requireEqual("nothing above the layout", word >> 180, 0);
        } catch (bytes memory refusal) {
            _requireTooWide(refusal, word, 180);
        }
    }

    function testFuzz_PendingAmountsStayApart(uint80 quote, uint256[3] memory seeds) external pure {
        uint256 word = EventWords.pending(0, quote);
        for (uint256 i = 0; i < 3; ++i) word += EventWords.pending(i + 1, seeds[i] % 2 ** 47);
        requireEqual("quote", EventWords.pendingOf(word, 0), quote);
        for (uint256 i = 0; i < 3; ++i) requireEqual("lots", EventWords.pendingOf(word, i + 1), seeds[i] % 2 ** 47);
        requireEqual("a mark above all of them is no amount", EventWords.pendingOf(2 ** 255, 3), 0);
        requireEqual("no more than four amounts", word >> 221, 0);
    }

    function testFuzz_QueueWord(uint8 kind, uint24 account, uint8 token, uint88 amount) external pure {
        uint256 word = L1Queue.pack(kind % 16, account, token % 16, amount);
        requireEqual("kind", L1Queue.kindOf(word), kind % 16);
        requireEqual("account", L1Queue.accountOf(word), account);
        requireEqual("token", L1Queue.tokenOf(word), token % 16);
        requireEqual("amount", L1Queue.amountOf(word), amount);
    }

    function testFuzz_Movement(uint8 kind, uint8 token, uint88 amount, address owner) external pure {
        uint256 word = Movements.pack(kind % 16, token % 16, amount, owner);
        requireEqual("kind", Movements.kindOf(word), kind % 16);
        requireEqual("token", Movements.tokenOf(word), token % 16);
        requireEqual("amount", Movements.amountOf(word), amount);
        requireTrue("owner", Movements.ownerOf(word) == owner);
    }
}
