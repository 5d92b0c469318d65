// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

/// @notice What MarginRollup tells the governed registry.
interface IInstrumentRegistry {
    /// @notice Nobody holds this settled instrument any more: an accepted batch proves it.
    /// @dev Only the bound rollup may say so; saying it again must not revert, or no later one could be told.
    function retire(uint256 instrumentId) external;
}

/// @notice Where the oracle keeps it.
interface IRegistryHolder {
    function parameters() external view returns (IInstrumentRegistry);
}
