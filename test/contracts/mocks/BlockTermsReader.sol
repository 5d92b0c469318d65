// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {BlockTerms} from "../../../contracts/libraries/BlockTerms.sol";
import {OptionParameters} from "../../../contracts/libraries/RiskTypes.sol";
import {TermFactors} from "../../../contracts/libraries/TermFactors.sol";

/// @title Tells what BlockTerms derives, so that a test can compare it with its twin.
contract BlockTermsReader {
    function termsOf(
        uint256[] calldata expirySecs,
        uint256 roundTimeSec,
        OptionParameters calldata options
    ) external pure returns (BlockTerms.Terms[] memory terms) {
        bytes memory termFactors = TermFactors.table();
        terms = new BlockTerms.Terms[](expirySecs.length);
        for (uint256 i = 0; i < expirySecs.length; ++i) {
            terms[i] = BlockTerms.termsOf(expirySecs[i], roundTimeSec, options, termFactors);
        }
    }
}
