// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

/// @title Public words of a batch: how they travel and how the proof sees them.
/// @dev Twin of protocol/batch/calldata.ts (body) and protocol/batch/words.ts (challenge, evaluation).
library BatchWords {
    /// @dev Order of the BN254 scalar field.
    uint256 internal constant FIELD_MODULUS =
        21888242871839275222246405745257275088548364400416034343698204186575808495617;
    /// @dev A statement holds the commitment and the word count before its first word.
    uint256 internal constant STATEMENT_PREFIX = 2;
    uint256 private constant WORD_BYTES = 31;

    error BodyLength(uint256 expectedBytes, uint256 actualBytes);
    error BodyBitBeyondCount(uint256 wordCount);
    error BodyZeroWord();

    /// @notice Words of a body: a bitmap (bit i of byte i / 8, from the lowest), then 31 bytes for every set bit.
    /// @dev There is one encoding of each list: a set bit means a non-zero word, bits from `wordCount` on are
    /// zero and nothing follows the last word. So bytes that differ are words that differ.
    function decode(bytes calldata body, uint256 wordCount) internal pure returns (uint256[] memory words) {
        uint256 bitmapBytes = (wordCount + 7) / 8;
        if (body.length < bitmapBytes) revert BodyLength(bitmapBytes, body.length);
        words = new uint256[](wordCount);
        uint256 length = bitmapBytes;
        bool hasZeroWord;
        uint256 bits;
        // For each word i: bits = body[i / 8] >> (i % 8); if (bits & 1) words[i] = body[length : length += 31].
        // Reading past the end of the body is harmless: the lengths are compared below.
        assembly ("memory-safe") {
            let target := add(words, 32)
            for {
                let i := 0
            } lt(i, wordCount) {
                i := add(i, 1)
            } {
                if iszero(and(i, 7)) {
                    bits := byte(0, calldataload(add(body.offset, shr(3, i))))
                }
                if and(bits, 1) {
                    let word := shr(8, calldataload(add(body.offset, length)))
                    hasZeroWord := or(hasZeroWord, iszero(word))
                    mstore(target, word)
                    length := add(length, WORD_BYTES)
                }
                bits := shr(1, bits)
                target := add(target, 32)
            }
        }
        // After the loop `bits` holds what the last bitmap byte says of words that do not exist.
        if (bits != 0) revert BodyBitBeyondCount(wordCount);
        if (hasZeroWord) revert BodyZeroWord();
        if (length != body.length) revert BodyLength(length, body.length);
    }

    /// @notice target[to …] = source[from …], `count` words.
    /// @dev The caller sized both arrays: nothing is checked here.
    function copy(
        uint256[] memory source,
        uint256 from,
        uint256[] memory target,
        uint256 to,
        uint256 count
    ) internal pure {
        assembly ("memory-safe") {
            mcopy(add(add(target, 32), mul(32, to)), add(add(source, 32), mul(32, from)), mul(32, count))
        }
    }

    /// @notice [C, r, y]: the order in which `template Batch` (circuits/) declares its public inputs.
    /// @param statement commitment, word count, words: r binds all three (docs/protocol.md §7)
    function publicInputs(uint256[] memory statement) internal pure returns (uint256[3] memory inputs) {
        uint256 challenge;
        // challenge = keccak256(abi.encodePacked(statement)) mod p, without copying the array.
        assembly ("memory-safe") {
            challenge := mod(keccak256(add(statement, 32), mul(mload(statement), 32)), FIELD_MODULUS)
        }
        inputs[0] = statement[0];
        inputs[1] = challenge;
        inputs[2] = _evaluate(statement, challenge);
    }

    /// @dev Σ word_i · r^i by Horner's rule from the last word. Equals:
    /// `for (i = last; i >= STATEMENT_PREFIX; --i) y = addmod(mulmod(y, r, p), statement[i], p);`
    function _evaluate(uint256[] memory statement, uint256 challenge) private pure returns (uint256 evaluation) {
        uint256 prefixBytes = 32 * STATEMENT_PREFIX;
        assembly ("memory-safe") {
            let p := FIELD_MODULUS
            let firstWord := add(add(statement, 32), prefixBytes)
            for {
                let position := add(statement, mul(mload(statement), 32))
            } iszero(lt(position, firstWord)) {
                position := sub(position, 32)
            } {
                evaluation := addmod(mulmod(evaluation, challenge, p), mload(position), p)
            }
        }
    }
}
