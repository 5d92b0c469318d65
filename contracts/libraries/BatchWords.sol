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
    error BodyZeroWord(uint256 wordIndex);

    /// @notice Words of a body: a bitmap (bit i of byte i / 8, from the lowest), then 31 bytes for every set bit.
    /// @dev There is one encoding of each list: a set bit means a non-zero word, bits from `wordCount` on are
    /// zero and nothing follows the last word. So bytes that differ are words that differ.
    function decode(bytes calldata body, uint256 wordCount) internal pure returns (uint256[] memory words) {
        uint256 bitmapBytes = (wordCount + 7) / 8;
        if (body.length < bitmapBytes) revert BodyLength(bitmapBytes, body.length);
        words = new uint256[](wordCount);
        uint256 position = bitmapBytes;
        uint256 bits;
        for (uint256 i = 0; i < wordCount; ++i) {
            if (i % 8 == 0) bits = uint8(body[i / 8]);
            if (bits & 1 == 1) {
                uint256 word;
                // word = body[position : position + 31]. Reading past the end is harmless: the length is compared below.
                assembly ("memory-safe") {
                    word := shr(8, calldataload(add(body.offset, position)))
                }
                if (word == 0) revert BodyZeroWord(i);
                words[i] = word;
                position += WORD_BYTES;
            }
            bits >>= 1;
        }
        // After the loop `bits` holds what the last bitmap byte says of words that do not exist.
        if (bits != 0) revert BodyBitBeyondCount(wordCount);
        if (position != body.length) revert BodyLength(position, body.length);
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
