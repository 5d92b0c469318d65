// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {BatchWords} from "../../../contracts/libraries/BatchWords.sol";
import {BodyEncoder} from "./BodyEncoder.sol";
import {SolidityTest} from "./SolidityTest.sol";

/// @title Bodies of batches have one encoding, and the public inputs are what docs/protocol.md §7 says.
contract BatchWordsTest is SolidityTest {
    uint256 private constant WORDS_MAX = 300;
    uint256 private constant WORD_LIMIT = 2 ** 248;

    /// @dev External, because bodies are read from calldata.
    function decode(bytes calldata body, uint256 wordCount) external pure returns (uint256[] memory) {
        return BatchWords.decode(body, wordCount);
    }

    /// @dev Words that a body can hold: about half of them zero.
    function _words(uint256[] memory seeds) private pure returns (uint256[] memory words) {
        words = new uint256[](seeds.length > WORDS_MAX ? WORDS_MAX : seeds.length);
        for (uint256 i = 0; i < words.length; ++i) words[i] = seeds[i] % 2 == 0 ? 0 : seeds[i] % WORD_LIMIT;
    }

    function _hash(uint256[] memory words) private pure returns (bytes32) {
        return keccak256(abi.encode(words));
    }

    function testFuzz_DecodeReversesEncode(uint256[] memory seeds) external view {
        uint256[] memory words = _words(seeds);
        uint256[] memory decoded = this.decode(BodyEncoder.encode(words), words.length);
        requireTrue("decoded words are the words", _hash(decoded) == _hash(words));
    }

    /// @notice Whatever is taken is the encoding of what was read, so no other bytes give the same words.
    function testFuzz_AnythingElseIsRefused(
        uint256[] memory seeds,
        uint256 index,
        uint8 change,
        uint8 way
    ) external view {
        uint256[] memory words = _words(seeds);
        bytes memory body = _changed(BodyEncoder.encode(words), index, change, way % 5);
        uint256 count = way % 5 == 4 ? words.length + 1 + (index % 9) : words.length;
        try this.decode(body, count) returns (uint256[] memory decoded) {
            requireEqual("number of words", decoded.length, count);
            requireTrue("what is read encodes to the same bytes", _same(BodyEncoder.encode(decoded), body));
        } catch (bytes memory refusal) {
            requireTrue("refused for a reason", _isRefusal(refusal));
            bool isChanged = !_same(BodyEncoder.encode(words), body) || count != words.length;
            requireTrue("a proper encoding is not refused", isChanged);
        }
    }

    /// @notice Two ways to say the same in more bytes: a word of zeros whose bit is set, a word behind the last.
    function testFuzz_SecondEncodingsAreRefused(uint256[] memory seeds, uint256 index, uint248 extra) external view {
        uint256[] memory words = _words(seeds);
        bytes memory honest = BodyEncoder.encode(words);
        if (words.length % 8 != 0) {
            bytes memory longer = abi.encodePacked(honest, extra);
            longer[words.length / 8] |= bytes1(uint8(1 << (words.length % 8)));
            _requireRefused(longer, words.length, BatchWords.BodyBitBeyondCount.selector);
        }
        if (words.length == 0) return;
        index %= words.length;
        words[index] = 1;
        bytes memory body = BodyEncoder.encode(words);
        uint256 end = (words.length + 7) / 8;
        for (uint256 i = 0; i <= index; ++i) if (words[i] != 0) end += 31;
        body[end - 1] = 0;
        _requireRefused(body, words.length, BatchWords.BodyZeroWord.selector);
    }

    function _requireRefused(bytes memory body, uint256 wordCount, bytes4 reason) private view {
        try this.decode(body, wordCount) returns (uint256[] memory) {
            requireTrue("must be refused", false);
        } catch (bytes memory refusal) {
            requireTrue("refused for this reason", bytes4(refusal) == reason);
        }
    }

    function testFuzz_RandomBytes(bytes memory body, uint8 wordCount) external view {
        try this.decode(body, wordCount) returns (uint256[] memory decoded) {
            requireTrue("what is read encodes to the same bytes", _same(BodyEncoder.encode(decoded), body));
        } catch (bytes memory refusal) {
            requireTrue("refused for a reason", _isRefusal(refusal));
        }
    }

    /// @notice Memory beyond the words is left alone, whatever the bitmap says.
    function testFuzz_DecodeWritesItsArrayAlone(bytes memory body, uint8 wordCount) external view {
        try this.decodeBetween(body, wordCount) returns (uint256 before, uint256 behind) {
            requireEqual("memory before", before, 0xbef0);
            requireEqual("memory behind", behind, 0xbe41d);
        } catch (bytes memory refusal) {
            requireTrue("refused for a reason", _isRefusal(refusal));
        }
    }

    function decodeBetween(bytes calldata body, uint256 wordCount) external pure returns (uint256, uint256) {
        uint256[1] memory before = [uint256(0xbef0)];
        uint256[] memory words = BatchWords.decode(body, wordCount);
        uint256[1] memory behind = [uint256(0xbe41d)];
        requireEqual("number of words", words.length, wordCount);
        uint256 end;
        assembly ("memory-safe") {
            end := add(words, mul(32, add(1, wordCount)))
        }
        requireTrue("words end before what follows", end <= _address(behind));
        return (before[0], behind[0]);
    }

    function testFuzz_PublicInputs(uint256[] memory seeds, uint256 commitment) external pure {
        uint256 p = BatchWords.FIELD_MODULUS;
        uint256 count = seeds.length > WORDS_MAX ? WORDS_MAX : seeds.length;
        uint256[] memory statement = new uint256[](count + 2);
        (statement[0], statement[1]) = (commitment, count);
        for (uint256 i = 0; i < count; ++i) statement[i + 2] = seeds[i] % p;
        uint256[3] memory inputs = BatchWords.publicInputs(statement);
        requireEqual("commitment", inputs[0], commitment);
        requireEqual("challenge", inputs[1], uint256(keccak256(abi.encodePacked(statement))) % p);
        uint256 sum;
        uint256 power = 1;
        for (uint256 i = 0; i < count; ++i) {
            sum = addmod(sum, mulmod(statement[i + 2], power, p), p);
            power = mulmod(power, inputs[1], p);
        }
        requireEqual("evaluation", inputs[2], sum);
    }

    /// @dev One byte changed, cut, added or put in, or (4) nothing.
    function _changed(bytes memory body, uint256 index, uint8 change, uint8 way) private pure returns (bytes memory) {
        if (way == 1) return abi.encodePacked(body, change);
        if (body.length == 0 || way == 4) return body;
        index %= body.length;
        if (way == 0) {
            body[index] ^= bytes1(change);
            return body;
        }
        bytes memory other = new bytes(way == 2 ? body.length - 1 : body.length + 1);
        for (uint256 i = 0; i < other.length; ++i) {
            if (way == 2) other[i] = body[i < index ? i : i + 1];
            else other[i] = i == index ? bytes1(change) : body[i < index ? i : i - 1];
        }
        return other;
    }

    function _same(bytes memory one, bytes memory other) private pure returns (bool) {
        return keccak256(one) == keccak256(other);
    }

    function _isRefusal(bytes memory refusal) private pure returns (bool) {
        bytes4 selector = bytes4(refusal);
        return
            selector == BatchWords.BodyLength.selector ||
            selector == BatchWords.BodyBitBeyondCount.selector ||
            selector == BatchWords.BodyZeroWord.selector;
    }

    function _address(uint256[1] memory place) private pure returns (uint256 pointer) {
        assembly ("memory-safe") {
            pointer := place
        }
    }
}
