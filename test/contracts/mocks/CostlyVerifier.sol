// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {IBatchVerifier} from "../../../contracts/interfaces/IBatchVerifier.sol";

/// @title Costs what a real verifier costs, a call more, and takes everything: for measuring gas without a proof.
contract CostlyVerifier {
    IBatchVerifier public real;

    function setReal(IBatchVerifier real_) external {
        real = real_;
    }

    function verifyProof(
        uint256[2] calldata a,
        uint256[2][2] calldata b,
        uint256[2] calldata c,
        uint256[3] calldata inputs
    ) external view returns (bool) {
        real.verifyProof(a, b, c, inputs);
        return true;
    }
}
