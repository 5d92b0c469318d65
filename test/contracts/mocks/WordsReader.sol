// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {BatchWords} from "../../../contracts/libraries/BatchWords.sol";
import {EventWords} from "../../../contracts/libraries/EventWords.sol";

/// @title The contracts' own reading of words, for vectors.
contract WordsReader {
    function decode(bytes calldata body, uint256 wordCount) external pure returns (uint256[] memory) {
        return BatchWords.decode(body, wordCount);
    }

    function publicInputs(uint256[] memory statement) external pure returns (uint256[3] memory) {
        return BatchWords.publicInputs(statement);
    }

    function outcome(uint256 word) external pure returns (EventWords.Outcome memory) {
        return EventWords.outcome(word);
    }

    function withdrawal(uint256 word) external pure returns (EventWords.Withdrawal memory) {
        return EventWords.withdrawal(word);
    }

    function liquidatedAccount(uint256 word) external pure returns (uint256) {
        return EventWords.liquidatedAccount(word);
    }
}
