// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

/// @title The cheatcodes of Hardhat's Solidity test runner that these tests use.
interface ICheatcodes {
    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    function recordLogs() external;
    function getRecordedLogs() external returns (Log[] memory);
    function prank(address sender) external;
    function prank(address sender, address origin) external;
    function deal(address account, uint256 balanceWei) external;
    function warp(uint256 timeSec) external;
}

/// @title What a Solidity test needs and the runner does not bring.
abstract contract SolidityTest {
    /// @dev Where the runner listens: the address of keccak256("hevm cheat code").
    ICheatcodes internal constant CHEATS = ICheatcodes(address(uint160(uint256(keccak256("hevm cheat code")))));

    error Different(string what, int256 actual, int256 expected);
    error TooLarge(string what, uint256 actual, uint256 limit);
    error Untrue(string what);

    function requireEqual(string memory what, uint256 actual, uint256 expected) internal pure {
        if (actual != expected) revert Different(what, int256(actual), int256(expected));
    }

    function requireEqualSigned(string memory what, int256 actual, int256 expected) internal pure {
        if (actual != expected) revert Different(what, actual, expected);
    }

    function requireAtMost(string memory what, uint256 actual, uint256 limit) internal pure {
        if (actual > limit) revert TooLarge(what, actual, limit);
    }

    function requireTrue(string memory what, bool condition) internal pure {
        if (!condition) revert Untrue(what);
    }

    /// @notice A number of least … most that depends on `seed`.
    function within(uint256 seed, uint256 least, uint256 most) internal pure returns (uint256) {
        return least + (seed % (most - least + 1));
    }
}
