// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {UNDERLYING_COUNT, UnderlyingParameters} from "../libraries/RiskTypes.sol";

/// @notice What RiskOracle reads of the governed registry.
interface IRiskParameters {
    /// @notice What a round is made with: keccak256(abi.encode(instruments)), expected-shortfall count, per underlying.
    function roundParameters()
        external
        view
        returns (bytes32 registryHash, uint8 esCount, UnderlyingParameters[UNDERLYING_COUNT] memory underlyings);

    function isSigner(address account) external view returns (bool);
}
