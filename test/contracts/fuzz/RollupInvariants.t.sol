// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {ITokenVault} from "../../../contracts/interfaces/ITokenVault.sol";
import {RollupHandler} from "./RollupHandler.sol";
import {SolidityTest} from "./SolidityTest.sol";

/// @title What holds after every step of every history of a rollup (ITokenVault.Conservation).
contract RollupInvariants is SolidityTest {
    RollupHandler private _handler;

    function setUp() external {
        CHEATS.warp(1_700_000_000);
        _handler = new RollupHandler();
    }

    /// @dev The runner calls these contracts and no others.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    function invariant_MoneyIsConserved() external view {
        for (uint256 t = 0; t < _handler.TOKENS(); ++t) _requireConserved(t);
        for (uint256 user = 0; user < _handler.USERS(); ++user) {
            uint256 pendingWord = _handler.rollup().pendingDeposits(uint32(user + 1));
            requireEqual("what is pending waits", pendingWord, _handler.pendingWord(user));
        }
        requireEqual("Ether is fees", address(_handler.rollup()).balance, _handler.owedWei());
        if (_handler.rollup().frozenAtSec() == 0) return;
        requireEqual("frozen takes no batch", _handler.rollup().batchNumber(), _handler.batchesAtFreeze());
    }

    function _requireConserved(uint256 t) private view {
        ITokenVault.Conservation memory sums = _handler.vault().conservation(t);
        int256 owed = int256(sums.claimsUnits + sums.queuedUnits + sums.fundBookedMicros) + sums.liquidUnits;
        requireEqualSigned("what is held is owed", int256(sums.heldUnits + sums.fundHeldMicros), owed);
        uint256 weiPerUnit = _handler.weiPerUnit(t);
        uint256 balanceWei = _handler.tokens(t).balanceOf(address(_handler.vault()));
        requireEqual("held is there", balanceWei, sums.heldUnits * weiPerUnit + _handler.giftsWei(t));
        uint256 fundWei = _handler.tokens(t).balanceOf(address(_handler.vault().fund()));
        requireEqual("the fund's is there", fundWei, sums.fundHeldMicros * weiPerUnit);
        requireAtMost("claims are covered", sums.claimsUnits, sums.heldUnits + sums.fundHeldMicros);
        requireEqual("claims are somebody's", sums.claimsUnits, _handler.owedUnits(t));
        requireEqual("queued is in the queue", sums.queuedUnits, _handler.queuedUnits(t));
        requireEqualSigned("liquid as in the rules", sums.liquidUnits, _handler.liquid(t));
        requireEqual("fund as in the rules", sums.fundBookedMicros, t == 0 ? _handler.fundBooked() : 0);
    }

    /// @notice At the end of every history everyone takes what is theirs, and all claims are paid.
    function afterInvariant() external {
        CHEATS.warp(block.timestamp + 10_000 days);
        for (uint256 user = 0; user < _handler.USERS(); ++user) _handler.recordDelayed(user, 0);
        for (uint256 i = 0; i < _handler.vault().delayedCount(); ++i) _handler.release(i);
        for (uint256 t = 0; t < _handler.TOKENS(); ++t) {
            for (uint256 user = 0; user < _handler.USERS(); ++user) _handler.claim(user, t);
            requireEqual("every claim is paid", _handler.vault().conservation(t).claimsUnits, 0);
            _requireConserved(t);
        }
    }
}
