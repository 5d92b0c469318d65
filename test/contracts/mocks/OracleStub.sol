// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {IInstrumentRegistry} from "../../../contracts/interfaces/IInstrumentRegistry.sol";
import {IRiskOracle} from "../../../contracts/interfaces/IRiskOracle.sol";

/// @title An oracle whose answers a test sets.
contract OracleStub is IRiskOracle, IInstrumentRegistry {
    AcceptedTable[] private _tables;
    uint64 public oldestUnprovedPostedAtSec;
    uint256 public pausedSeconds;
    /// @dev It is its own registry.
    IInstrumentRegistry public immutable parameters = IInstrumentRegistry(address(this));
    uint256[] private _retired;

    function accept(AcceptedTable calldata table) external {
        _tables.push(table);
    }

    function setUnproved(uint64 postedAtSec) external {
        oldestUnprovedPostedAtSec = postedAtSec;
    }

    function retire(uint256 instrumentId) external {
        _retired.push(instrumentId);
    }

    function retired() external view returns (uint256[] memory) {
        return _retired;
    }

    function setPaused(uint256 pausedSec) external {
        pausedSeconds = pausedSec;
    }

    function priceStatus(uint256 index) external view returns (PriceStatus memory status) {
        status.acceptedCount = _tables.length;
        if (index < _tables.length) status.table = _tables[index];
        if (index + 1 < _tables.length) status.nextAcceptedAtSec = _tables[index + 1].acceptedAtSec;
        status.oldestUnprovedPostedAtSec = oldestUnprovedPostedAtSec;
        status.pausedSec = pausedSeconds;
    }

    function acceptedCount() external view returns (uint256) {
        return _tables.length;
    }

    function acceptedTable(uint256 index) external view returns (AcceptedTable memory) {
        return _tables[index];
    }
}
