// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {IBatchVerifier} from "./interfaces/IBatchVerifier.sol";
import {IRoundProofs} from "./interfaces/IRoundProofs.sol";
import {BatchWords} from "./libraries/BatchWords.sol";
import {Instrument, RoundValues, SegmentGeometry, SegmentProof} from "./libraries/RiskTypes.sol";
import {RiskWords} from "./libraries/RiskWords.sol";
import {TermFactors} from "./libraries/TermFactors.sol";

/// @title The verifiers of a risk table: one circuit for each segment, a chain of hashes through all of them.
/// @dev It holds no state of a round: what it accepts counts only for the oracle that asks, whose address is in the words.
contract RoundProofs is IRoundProofs {
    /// @param circuitHash names the circuit in public word 0
    struct Segment {
        SegmentGeometry geometry;
        IBatchVerifier verifier;
        uint256 circuitHash;
    }

    Segment[] private _segments;

    error VerifierWithoutCode(address verifier);
    error NoSegments();
    error SegmentCount(uint256 most, uint256 actual);
    error RegistryNotOfRound(bytes32 expected, bytes32 actual);
    error NotAFieldElement(uint256 value);
    error InvalidRiskProof(uint256 roundNumber, uint256 segment);

    constructor(Segment[] memory segments) {
        if (segments.length == 0) revert NoSegments();
        for (uint256 s = 0; s < segments.length; ++s) {
            address verifier = address(segments[s].verifier);
            if (verifier.code.length == 0) revert VerifierWithoutCode(verifier);
            _segments.push(segments[s]);
        }
    }

    /// @inheritdoc IRoundProofs
    function verifyRound(
        RoundValues calldata values,
        SegmentProof[] calldata proofs
    ) external view returns (uint256 tableHash, bool isSurfaceSound) {
        if (proofs.length == 0 || proofs.length > _segments.length) revert SegmentCount(_segments.length, proofs.length);
        _requireRegistry(values.registryHash, proofs);
        bytes memory termFactors = TermFactors.table();
        RiskWords.Claim memory claim;
        isSurfaceSound = true;
        for (uint256 s = 0; s < proofs.length; ++s) {
            Segment memory segment = _segments[s];
            SegmentProof calldata proof = proofs[s];
            claim.domain = _domainWord(msg.sender, segment.circuitHash);
            claim.commitment = _fieldElement(proof.commitment);
            (claim.startHash, claim.endHash) = (claim.endHash, _fieldElement(proof.endHash));
            claim.isLast = s + 1 == proofs.length;
            claim.isSurfaceSound = proof.isSurfaceSound;
            uint256[] memory words = RiskWords.statement(claim, segment.geometry, values, proof.listed, termFactors);
            uint256[3] memory inputs = BatchWords.publicInputs(words);
            if (!segment.verifier.verifyProof(proof.proof.a, proof.proof.b, proof.proof.c, inputs)) {
                revert InvalidRiskProof(values.roundNumber, s);
            }
            claim.firstBlock += segment.geometry.blocks;
            claim.firstStrike += uint256(segment.geometry.blocks) * segment.geometry.strikesPerBlock;
            isSurfaceSound = isSurfaceSound && proof.isSurfaceSound;
        }
        tableHash = claim.endHash;
    }

    /// @inheritdoc IRoundProofs
    function geometries() external view returns (SegmentGeometry[] memory list) {
        list = new SegmentGeometry[](_segments.length);
        for (uint256 s = 0; s < list.length; ++s) list[s] = _segments[s].geometry;
    }

    /// @notice Public word 0 of a segment's proof for an oracle.
    function domainWord(address oracle, uint256 segment) external view returns (uint256) {
        return _domainWord(oracle, _segments[segment].circuitHash);
    }

    function verifierOf(uint256 segment) external view returns (IBatchVerifier) {
        return _segments[segment].verifier;
    }

    /// @dev The registry's hash counts the segments in use, so none can be left out and none added.
    function _requireRegistry(bytes32 registryHash, SegmentProof[] calldata proofs) private pure {
        bytes32[] memory hashes = new bytes32[](proofs.length);
        for (uint256 s = 0; s < proofs.length; ++s) hashes[s] = _hashOf(proofs[s].listed);
        bytes32 actual = keccak256(abi.encode(hashes));
        if (actual != registryHash) revert RegistryNotOfRound(registryHash, actual);
    }

    /// @dev keccak256(abi.encode(listed)) without decoding it: the calldata of such an array is its encoding, and bytes that
    /// are not a clean encoding hash to something else.
    function _hashOf(Instrument[] calldata listed) private pure returns (bytes32 hash) {
        // An Instrument has 13 fields of a word each.
        assembly ("memory-safe") {
            let start := mload(0x40)
            let length := mul(listed.length, 416)
            mstore(start, 32)
            mstore(add(start, 32), listed.length)
            calldatacopy(add(start, 64), listed.offset, length)
            hash := keccak256(start, add(64, length))
        }
    }

    function _domainWord(address oracle, uint256 circuitHash) private view returns (uint256) {
        return uint256(keccak256(abi.encode(block.chainid, oracle, circuitHash))) % BatchWords.FIELD_MODULUS;
    }

    function _fieldElement(uint256 value) private pure returns (uint256) {
        if (value >= BatchWords.FIELD_MODULUS) revert NotAFieldElement(value);
        return value;
    }
}
