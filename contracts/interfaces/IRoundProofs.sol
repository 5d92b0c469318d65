// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {RoundValues, SegmentGeometry, SegmentProof} from "../libraries/RiskTypes.sol";

/// @notice What RiskOracle asks about the proof of a round.
interface IRoundProofs {
    /// @notice Reverts unless the segments prove the table of a round of the calling oracle.
    /// @param proofs of every segment that the round's registry uses, in order
    /// @return tableHash public word 7 of a batch that uses the table
    /// @return isSurfaceSound false if some block's options can be traded against each other for a sure gain: then nobody may
    /// use the table
    function verifyRound(
        RoundValues calldata values,
        SegmentProof[] calldata proofs
    ) external view returns (uint256 tableHash, bool isSurfaceSound);

    /// @notice Places of each segment.
    function geometries() external view returns (SegmentGeometry[] memory);
}
