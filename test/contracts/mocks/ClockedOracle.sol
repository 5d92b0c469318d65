// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {IInstrumentRegistry} from "../../../contracts/interfaces/IInstrumentRegistry.sol";
import {IRiskOracle} from "../../../contracts/interfaces/IRiskOracle.sol";

/// @title An oracle that takes any table, at the time of the block it comes in: as the real one, it never looks back.
/// It is its own registry.
contract ClockedOracle is IRiskOracle, IInstrumentRegistry {
    AcceptedTable[] private _tables;
    IInstrumentRegistry public immutable parameters = IInstrumentRegistry(address(this));
    uint256[] private _retired;
    bool private _isRefusing;

    error NotExpired(uint256 id);

    /// @notice The next round, with prices of now.
    function accept(uint80 marginWord, uint256 tableHash) external {
        uint64 nowSec = uint64(block.timestamp);
        _tables.push(
            AcceptedTable({
                roundNumber: uint64(_tables.length + 1),
                roundTimeSec: nowSec,
                acceptedAtSec: nowSec,
                isJump: false,
                marginWord: marginWord,
                tableHash: tableHash
            })
        );
    }

    function refuseRetirements(bool isRefusing) external {
        _isRefusing = isRefusing;
    }

    function retire(uint256 instrumentId) external {
        if (_isRefusing) revert NotExpired(instrumentId);
        _retired.push(instrumentId);
    }

    function retired() external view returns (uint256[] memory) {
        return _retired;
    }

    function priceStatus(uint256 index) external view returns (PriceStatus memory status) {
        status.acceptedCount = _tables.length;
        if (index < _tables.length) status.table = _tables[index];
        if (index + 1 < _tables.length) status.nextAcceptedAtSec = _tables[index + 1].acceptedAtSec;
    }

    function acceptedCount() external view returns (uint256) {
        return _tables.length;
    }

    function acceptedTable(uint256 index) external view returns (AcceptedTable memory) {
        return _tables[index];
    }

    function oldestUnprovedPostedAtSec() external pure returns (uint64) {
        return 0;
    }

    function pausedSeconds() external pure returns (uint256) {
        return 0;
    }
}
