// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title Baby Jubjub, a·x² + y² = 1 + d·x²·y² over the BN254 scalar field (EIP-2494).
/// @dev Twin of protocol/crypto/baby-jubjub.ts.
library BabyJubjub {
    uint256 private constant P = 21888242871839275222246405745257275088548364400416034343698204186575808495617;
    uint256 private constant A = 168700;
    uint256 private constant D = 168696;

    /// @notice Canonical coordinates that satisfy the curve equation.
    function isOnCurve(uint256 x, uint256 y) internal pure returns (bool) {
        if (x >= P || y >= P) return false;
        uint256 xx = mulmod(x, x, P);
        uint256 yy = mulmod(y, y, P);
        return addmod(mulmod(A, xx, P), yy, P) == addmod(1, mulmod(D, mulmod(xx, yy, P), P), P);
    }

    /// @notice Eight times a point of the curve: always in the subgroup of prime order.
    /// @return The identity (0, 1) exactly when the point has order 1, 2, 4 or 8.
    function timesEight(uint256 x, uint256 y) internal view returns (uint256, uint256) {
        uint256 z = 1;
        for (uint256 i = 0; i < 3; ++i) (x, y, z) = _double(x, y, z);
        // The addition law is complete on this curve (a is a square, d is not), so z is never zero.
        uint256 zInverse = Math.invModPrime(z, P);
        return (mulmod(x, zInverse, P), mulmod(y, zInverse, P));
    }

    /// @dev dbl-2008-bbjlp of the Explicit-Formulas Database, projective twisted Edwards coordinates.
    function _double(uint256 x, uint256 y, uint256 z) private pure returns (uint256, uint256, uint256) {
        uint256 xx = mulmod(x, x, P);
        uint256 yy = mulmod(y, y, P);
        uint256 axx = mulmod(A, xx, P);
        uint256 f = addmod(axx, yy, P);
        uint256 j = addmod(f, P - mulmod(2, mulmod(z, z, P), P), P);
        uint256 twoXy = mulmod(2, mulmod(x, y, P), P);
        return (mulmod(twoXy, j, P), mulmod(f, addmod(axx, P - yy, P), P), mulmod(f, j, P));
    }
}
