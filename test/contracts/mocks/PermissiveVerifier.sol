// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

/// @title Takes every proof whose statement it was told to expect, or any at all. For the contract's bookkeeping only.
/// @dev Lives outside contracts/ and deployment refuses it: it accepts random proofs.
contract PermissiveVerifier {
    bool public isStrict;
    uint256[3] public expected;

    function expectInputs(uint256[3] calldata inputs) external {
        isStrict = true;
        expected = inputs;
    }

    function verifyProof(
        uint256[2] calldata,
        uint256[2][2] calldata,
        uint256[2] calldata,
        uint256[3] calldata inputs
    ) external view returns (bool) {
        if (!isStrict) return true;
        return inputs[0] == expected[0] && inputs[1] == expected[1] && inputs[2] == expected[2];
    }
}
