// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

/// @title The encoding that BatchWords.decode reads, written the plain way.
library BodyEncoder {
    function encode(uint256[] memory words) internal pure returns (bytes memory body) {
        uint256 bitmapBytes = (words.length + 7) / 8;
        uint256 length = bitmapBytes;
        for (uint256 i = 0; i < words.length; ++i) if (words[i] != 0) length += 31;
        body = new bytes(length);
        uint256 place = bitmapBytes;
        for (uint256 i = 0; i < words.length; ++i) {
            if (words[i] == 0) continue;
            body[i / 8] |= bytes1(uint8(1 << (i % 8)));
            for (uint256 k = 0; k < 31; ++k) body[place++] = bytes1(uint8(words[i] >> (8 * (30 - k))));
        }
    }
}
