// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

/// @dev Words of a batch before its events.
uint256 constant HEADER_WORDS = 15;

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
        if (wordCount % 8 != 0 && uint8(body[bitmapBytes - 1]) >> (wordCount % 8) != 0) {
            revert BodyBitBeyondCount(wordCount);
        }
        words = new uint256[](wordCount);
        uint256 length;
        bool hasZeroWord;
        // For each word i: if ((body[i / 8] >> (i % 8)) & 1) words[i] = body[length : length += 31].
        // Reading past the end of the body is harmless: the lengths are compared below.
        assembly ("memory-safe") {
            let data := add(body.offset, bitmapBytes)
            let group := add(words, 32)
            for {
                let bitmap := body.offset
                let bitmapEnd := data
            } lt(bitmap, bitmapEnd) {
                bitmap := add(bitmap, 1)
                group := add(group, 256)
            } {
                let target := group
                for {
                    let bits := byte(0, calldataload(bitmap))
                } bits {
                    bits := shr(1, bits)
                    target := add(target, 32)
                } {
                    if and(bits, 1) {
                        let word := shr(8, calldataload(data))
                        hasZeroWord := or(hasZeroWord, iszero(word))
                        mstore(target, word)
                        data := add(data, WORD_BYTES)
                    }
                }
            }
            length := sub(data, body.offset)
        }
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

    /// @notice target[to …] = the header's words.
    /// @dev The caller sized the target.
    function copyHeader(uint256[HEADER_WORDS] memory header, uint256[] memory target, uint256 to) internal pure {
        assembly ("memory-safe") {
            mcopy(add(add(target, 32), mul(32, to)), header, mul(32, HEADER_WORDS))
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

    /// @dev Σ word_i · r^i by Horner's rule from the last word, four words a turn. Equals:
    /// `for (i = last; i >= STATEMENT_PREFIX; --i) y = addmod(mulmod(y, r, p), statement[i], p);`
    function _evaluate(uint256[] memory statement, uint256 challenge) private pure returns (uint256 evaluation) {
        uint256 prefixBytes = 32 * STATEMENT_PREFIX;
        assembly ("memory-safe") {
            let p := FIELD_MODULUS
            let r := challenge
            let y := 0
            let first := add(add(statement, 32), prefixBytes)
            // Behind the word that is next.
            let end := add(add(statement, 32), mul(mload(statement), 32))
            for {

            } mod(sub(end, first), 128) {

            } {
                end := sub(end, 32)
                y := addmod(mulmod(y, r, p), mload(end), p)
            }
            for {

            } lt(first, end) {

            } {
                y := addmod(mulmod(y, r, p), mload(sub(end, 32)), p)
                y := addmod(mulmod(y, r, p), mload(sub(end, 64)), p)
                y := addmod(mulmod(y, r, p), mload(sub(end, 96)), p)
                end := sub(end, 128)
                y := addmod(mulmod(y, r, p), mload(end), p)
            }
            evaluation := y
        }
    }
}
