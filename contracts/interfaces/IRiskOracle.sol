// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

/// @notice What MarginRollup reads of the oracle: accepted (proved) tables and the clock of fresh prices.
interface IRiskOracle {
    /// @param roundNumber strictly increasing with the accepted index
    /// @param roundTimeSec the oracle's own time of the prices
    /// @param acceptedAtSec L1 time at which the table's proof was accepted
    /// @param isJump no new risk, no liquidation, price-free withdrawals only
    /// @param marginWord k of the expected shortfall:8 · unit of the size add-on in dollars:36 per underlying
    /// @param tableHash public word 7 of a batch
    struct AcceptedTable {
        uint64 roundNumber;
        uint64 roundTimeSec;
        uint64 acceptedAtSec;
        bool isJump;
        uint80 marginWord;
        uint256 tableHash;
    }

    /// @notice Everything that a batch asks about the prices, so that it asks once.
    /// @param table zero if there is no such index yet
    /// @param nextAcceptedAtSec L1 time at which the table after it was accepted; 0 if there is none
    struct PriceStatus {
        AcceptedTable table;
        uint256 acceptedCount;
        uint256 nextAcceptedAtSec;
        uint256 oldestUnprovedPostedAtSec;
        uint256 pausedSec;
    }

    /// @notice The accepted table of this index and, as of now, what the other functions say.
    function priceStatus(uint256 index) external view returns (PriceStatus memory);

    /// @notice Number of accepted tables; indices 0 … count − 1, acceptedAtSec never falls with the index.
    function acceptedCount() external view returns (uint256);

    function acceptedTable(uint256 index) external view returns (AcceptedTable memory);

    /// @notice L1 time at which the oldest posted but still unproved round was posted; 0 if there is none.
    function oldestUnprovedPostedAtSec() external view returns (uint64);

    /// @notice Seconds up to now in which the prices were stale (no accepted round younger than the limit) or a jump.
    /// @dev Never falls. L1 deadlines do not run in these seconds.
    function pausedSeconds() external view returns (uint256);
}
