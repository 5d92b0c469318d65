// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {RoundParameters} from "../libraries/RiskTypes.sol";

/// @notice What RiskOracle reads of the governed registry.
interface IRiskParameters {
    function roundParameters() external view returns (RoundParameters memory);

    function isSigner(address account) external view returns (bool);

    /// @notice Nobody holds this settled instrument any more: its place may be used again once that is so of all its block.
    /// @dev Only of the bound rollup, once a batch proved it. Saying it twice changes nothing.
    function retire(uint256 instrumentId) external;
}
