// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

/// @notice A Groth16 verifier of one batch circuit, as snarkjs exports it (contracts/generated/).
interface IBatchVerifier {
    /// @param publicInputs commitment, challenge, evaluation: the order of `template Batch` (circuits/)
    function verifyProof(
        uint256[2] calldata a,
        uint256[2][2] calldata b,
        uint256[2] calldata c,
        uint256[3] calldata publicInputs
    ) external view returns (bool);
}
