// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

/// @notice Prices at which a listing is judged.
interface IIndexSource {
    /// @notice Last confirmed index price of one coin, micros.
    function indexMicrosOf(uint256 underlying) external view returns (uint256);
}
