// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {RoundParameters} from "../libraries/RiskTypes.sol";

/// @notice What RiskOracle reads of the governed registry.
interface IRiskParameters {
    function roundParameters() external view returns (RoundParameters memory);

    function isSigner(address account) external view returns (bool);
}
