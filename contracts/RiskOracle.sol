// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {RiskParameters} from "./RiskParameters.sol";
import {SettlementWindows} from "./SettlementWindows.sol";
import {IIndexSource} from "./interfaces/IIndexSource.sol";
import {IRiskOracle} from "./interfaces/IRiskOracle.sol";
import {IRoundProofs} from "./interfaces/IRoundProofs.sol";
import {RiskFeed} from "./libraries/RiskFeed.sol";
import {
    BlockListing,
    RoundParameters,
    RoundValues,
    SIGNER_COUNT,
    SegmentProof,
    UNDERLYING_COUNT,
    UnderlyingParameters,
    UnderlyingValues
} from "./libraries/RiskTypes.sol";
import {SettlementWindow} from "./libraries/SettlementWindow.sol";
import {SurfaceRules} from "./libraries/SurfaceRules.sol";

/// @title Prices of the rollup: signed reports become rounds, and proofs turn rounds into risk tables.
/// @notice Anyone may post a round with three to five signed reports and anyone may prove it. A round in which a price
/// moves by more than 10 % is a jump: accepted and marked, but its prices count only once a later round is near them.
contract RiskOracle is IRiskOracle, IIndexSource, EIP712, SettlementWindows {
    using RiskFeed for RiskFeed.Feed;

    uint256 public constant QUORUM = 3;
    uint256 private constant FUTURE_SEC_MAX = 15;
    uint256 private constant STALENESS_SEC_MAX = 1 hours;
    bytes32 private constant REPORT_TYPEHASH =
        keccak256(
            "RiskReport(uint64 roundNumber,uint64 timeSec,uint48[2] indexMicros,int24[2] premiumPpm,int32[] basisPpb,uint24[] volPpm)"
        );

    /// @notice What one signer saw. Twin of RiskReport (protocol/risk/oracle-report.ts).
    /// @param premiumPpm perpetual mark over index − 1
    /// @param basisPpb forward over index − 1, for each expiry block of all segments; of no matter where nothing is listed
    /// @param volPpm annual volatility, for each strike place; of no matter where nothing is listed
    struct RiskReport {
        uint64 roundNumber;
        uint64 timeSec;
        uint48[UNDERLYING_COUNT] indexMicros;
        int24[UNDERLYING_COUNT] premiumPpm;
        int32[] basisPpb;
        uint24[] volPpm;
    }

    /// @notice EIP-2098: s with the recovery bit in its top bit, so a high s has no encoding.
    struct CompactSignature {
        bytes32 r;
        bytes32 vs;
    }

    /// @dev Commitment: 216 bits of keccak256(abi.encode(RoundValues)), so that a round costs one slot.
    struct PostedRound {
        uint216 commitment;
        uint40 postedAtSec;
    }

    /// @dev One slot: every batch and every L1 operation reads it.
    struct Clock {
        uint48 lastRound;
        uint48 lastProvedRound;
        uint40 lastTimeSec;
        uint40 lastNormalTimeSec;
        /// @dev 0 when every posted round is proved or older than a proved one.
        uint40 oldestUnprovedPostedAtSec;
        uint32 acceptedCount;
        bool isAfterJump;
    }

    /// @dev An AcceptedTable in two slots, with the paused seconds up to its acceptance.
    struct StoredTable {
        uint48 roundNumber;
        uint40 roundTimeSec;
        uint40 acceptedAtSec;
        uint40 pausedBeforeSec;
        bool isJump;
        uint80 marginWord;
        uint256 tableHash;
    }

    /// @notice The registry, made for this oracle.
    RiskParameters public immutable parameters;
    /// @notice What verifies a round's proofs.
    IRoundProofs public immutable proofs;
    /// @notice Prices older than this may not be used, and reports older than this not posted.
    uint256 public immutable stalenessSec;
    uint256 private immutable _deployedAtSec;

    Clock public clock;
    RiskFeed.Feed[UNDERLYING_COUNT] private _feeds;
    /// @dev Running Σ price · Δt, micros of one coin times seconds, up to clock.lastTimeSec.
    uint128[UNDERLYING_COUNT] private _indexSeconds;
    mapping(uint256 roundNumber => PostedRound) public postedRounds;
    mapping(uint256 index => StoredTable) private _tables;

    /// @notice With the registry of `round.registryHash` this rebuilds and proves the round.
    event RoundPosted(uint64 indexed roundNumber, RoundValues round, uint128[UNDERLYING_COUNT] indexSeconds);
    event RoundProved(uint64 indexed roundNumber, uint256 indexed tableIndex, uint256 tableHash);
    /// @notice The round is proved, but its options can be traded against each other for a sure gain: it gives no table,
    /// and the newest one before it stays in force.
    event RoundVoided(uint64 indexed roundNumber);

    error BadStaleness(uint256 stalenessSec);
    error ParametersOfAnotherOracle(address oracle);
    error BadReportCount(uint256 reports, uint256 signatures);
    /// @notice A report has one basis for each expiry block and one volatility for each strike place.
    error BadValueCount(uint256 basisCount, uint256 volCount);
    error WrongRound(uint256 expected, uint256 actual);
    error NotASigner(address recovered);
    error SignersNotAscending(address previous, address signer);
    error RoundTimeNotLater(uint256 lastTimeSec, uint256 timeSec);
    error ReportBeforeListing(uint256 timeSec, uint256 leastTimeSec);
    error RoundTimeOutsideWindow(uint256 timeSec, uint256 nowSec);
    error IndexOutOfDomain(uint256 underlying, uint256 indexMicros, uint256 least, uint256 most);
    error RoundNotProvable(uint256 roundNumber, uint256 lastProvedRound, uint256 lastRound);
    error ValuesNotPosted(uint256 roundNumber);
    error UnknownTable(uint256 index, uint256 acceptedCount);

    /// @param riskParameters made for an oracle at this address
    constructor(RiskParameters riskParameters, uint256 stalenessLimitSec) EIP712("Ballast Risk Oracle", "1") {
        if (stalenessLimitSec == 0 || stalenessLimitSec > STALENESS_SEC_MAX) revert BadStaleness(stalenessLimitSec);
        address source = address(riskParameters.indexSource());
        if (source != address(this)) revert ParametersOfAnotherOracle(source);
        parameters = riskParameters;
        proofs = riskParameters.proofs();
        stalenessSec = stalenessLimitSec;
        _deployedAtSec = block.timestamp;
        clock.lastTimeSec = uint40(block.timestamp);
        clock.lastNormalTimeSec = uint40(block.timestamp);
        UnderlyingParameters[UNDERLYING_COUNT] memory underlyings = riskParameters.roundParameters().underlyings;
        for (uint256 u = 0; u < UNDERLYING_COUNT; ++u) {
            uint256 vol = underlyings[u].referenceVolPpm;
            uint48 indexMicros = riskParameters.startIndexMicros(u);
            _feeds[u] = RiskFeed.Feed({
                confirmedIndexMicros: indexMicros,
                lastIndexMicros: indexMicros,
                scanFactorE9: uint32(RiskFeed.FACTOR_ONE_E9),
                fundingMicrosPerCoin: 0,
                varianceE18: uint64(vol * vol * 1e6)
            });
        }
    }

    // ---- posting ----

    /// @notice Makes the next round of the medians of signed reports.
    /// @param reports for that round, in ascending order of their signers' addresses
    function postRound(RiskReport[] calldata reports, CompactSignature[] calldata signatures) external {
        Clock memory time = clock;
        RoundParameters memory current = parameters.roundParameters();
        // Once a round of that time was posted, reports for the next are younger still.
        uint256 leastTimeSec = time.lastTimeSec < current.reportsFromSec ? current.reportsFromSec : 0;
        _requireSigned(reports, signatures, time.lastRound + 1, leastTimeSec);
        RoundValues memory values;
        values.roundNumber = time.lastRound + 1;
        values.timeSec = uint64(_requireTime(reports, time.lastTimeSec));
        values.registryHash = current.registryHash;
        values.esCount = current.esCount;
        _fillMedians(reports, time.isAfterJump, current.underlyings, values);
        bool isWaiting = _settleBlocks(current.blocks, values);
        _fillSurface(reports, current.blocks, values);
        uint128[UNDERLYING_COUNT] memory indexSeconds = _updateFeeds(time, current.underlyings, values);
        if (time.lastProvedRound == time.lastRound) time.oldestUnprovedPostedAtSec = uint40(block.timestamp);
        time.lastRound = uint48(values.roundNumber);
        time.lastTimeSec = uint40(values.timeSec);
        time.isAfterJump = values.isJump;
        if (!values.isJump) time.lastNormalTimeSec = uint40(values.timeSec);
        clock = time;
        // Nobody may trade, liquidate or leave at prices that an expired position has no longer. The feeds take them as they are.
        if (isWaiting) values.isJump = true;
        postedRounds[values.roundNumber] = PostedRound(_commitment(keccak256(abi.encode(values))), uint40(block.timestamp));
        emit RoundPosted(values.roundNumber, values, indexSeconds);
    }

    /// @dev Distinct signers by strictly ascending addresses; a report names its round, so none can be used twice.
    function _requireSigned(
        RiskReport[] calldata reports,
        CompactSignature[] calldata signatures,
        uint256 roundNumber,
        uint256 leastTimeSec
    ) private view {
        if (reports.length < QUORUM || reports.length > SIGNER_COUNT || reports.length != signatures.length) {
            revert BadReportCount(reports.length, signatures.length);
        }
        address previous;
        for (uint256 i = 0; i < reports.length; ++i) {
            if (reports[i].roundNumber != roundNumber) revert WrongRound(roundNumber, reports[i].roundNumber);
            if (reports[i].timeSec < leastTimeSec) revert ReportBeforeListing(reports[i].timeSec, leastTimeSec);
            address signer = ECDSA.recover(_reportDigest(reports[i]), signatures[i].r, signatures[i].vs);
            if (!parameters.isSigner(signer)) revert NotASigner(signer);
            if (signer <= previous) revert SignersNotAscending(previous, signer);
            previous = signer;
        }
    }

    function _reportDigest(RiskReport calldata report) private view returns (bytes32) {
        return
            _hashTypedDataV4(
                keccak256(
                    abi.encode(
                        REPORT_TYPEHASH,
                        report.roundNumber,
                        report.timeSec,
                        keccak256(abi.encode(report.indexMicros)),
                        keccak256(abi.encode(report.premiumPpm)),
                        _hashOf(report.basisPpb),
                        _hashOf(report.volPpm)
                    )
                )
            );
    }

    /// @dev keccak256(abi.encodePacked(list)), as EIP-712 hashes a list: its words as they came. Words that do not hold such a
    /// number are not what a signer signed.
    function _hashOf(int32[] calldata list) private pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let start := mload(0x40)
            let length := mul(list.length, 32)
            calldatacopy(start, list.offset, length)
            hash := keccak256(start, length)
        }
    }

    function _hashOf(uint24[] calldata list) private pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let start := mload(0x40)
            let length := mul(list.length, 32)
            calldatacopy(start, list.offset, length)
            hash := keccak256(start, length)
        }
    }

    function _requireTime(RiskReport[] calldata reports, uint256 lastTimeSec) private view returns (uint256 timeSec) {
        int256[] memory times = new int256[](reports.length);
        for (uint256 i = 0; i < reports.length; ++i) times[i] = int256(uint256(reports[i].timeSec));
        timeSec = uint256(RiskFeed.medianDown(times));
        if (timeSec <= lastTimeSec) revert RoundTimeNotLater(lastTimeSec, timeSec);
        if (timeSec > block.timestamp + FUTURE_SEC_MAX || timeSec + stalenessSec < block.timestamp) {
            revert RoundTimeOutsideWindow(timeSec, block.timestamp);
        }
    }

    /// @dev Fills in prices, premiums and whether the round is a jump.
    function _fillMedians(
        RiskReport[] calldata reports,
        bool isAfterJump,
        UnderlyingParameters[UNDERLYING_COUNT] memory underlyings,
        RoundValues memory values
    ) private view {
        for (uint256 u = 0; u < UNDERLYING_COUNT; ++u) {
            (uint48 indexMicros, int24 premiumPpm) = _medianValues(reports, u);
            (uint256 least, uint256 most) = (underlyings[u].indexMinMicros, underlyings[u].indexMaxMicros);
            if (indexMicros < least || indexMicros > most) revert IndexOutOfDomain(u, indexMicros, least, most);
            values.underlyings[u].indexMicros = indexMicros;
            values.underlyings[u].premiumPpm = premiumPpm;
            values.underlyings[u].options = underlyings[u].options;
            if (!_feeds[u].isNormal(indexMicros, isAfterJump)) values.isJump = true;
        }
    }

    /// @inheritdoc SettlementWindows
    function _stepOf(
        uint256 u,
        RoundValues memory values
    ) internal view override returns (SettlementWindow.Step memory) {
        Clock memory time = clock;
        RiskFeed.Feed memory feed = _feeds[u];
        return
            SettlementWindow.Step({
                previousSec: time.lastTimeSec,
                previousNormalSec: time.lastNormalTimeSec,
                timeSec: values.timeSec,
                previousIndexSeconds: _indexSeconds[u],
                carriedMicros: feed.carriedIndex(values.underlyings[u].indexMicros, time.isAfterJump, values.isJump),
                isNormal: !values.isJump
            });
    }

    /// @dev Fills in forwards and volatilities of what is listed; the rest is 0 whatever was reported.
    function _fillSurface(
        RiskReport[] calldata reports,
        BlockListing[] memory blocks,
        RoundValues memory values
    ) private pure {
        uint256 strikePlaces;
        for (uint256 b = 0; b < blocks.length; ++b) strikePlaces += blocks[b].strikesMicrosPerLot.length;
        values.basisPpb = new int32[](blocks.length);
        values.volPpm = new uint24[](strikePlaces);
        for (uint256 i = 0; i < reports.length; ++i) {
            (uint256 basisCount, uint256 volCount) = (reports[i].basisPpb.length, reports[i].volPpm.length);
            if (basisCount != blocks.length || volCount != strikePlaces) revert BadValueCount(basisCount, volCount);
        }
        int256[] memory said = new int256[](reports.length);
        uint256 firstStrike;
        for (uint256 b = 0; b < blocks.length; ++b) {
            if (blocks[b].expirySec != 0) _fillBlock(reports, blocks[b], values, b, firstStrike, said);
            firstStrike += blocks[b].strikesMicrosPerLot.length;
        }
        SurfaceRules.requireRisingVariance(values, blocks);
    }

    /// @param said room for one value of each report
    function _fillBlock(
        RiskReport[] calldata reports,
        BlockListing memory listing,
        RoundValues memory values,
        uint256 blockPlace,
        uint256 firstStrike,
        int256[] memory said
    ) private pure {
        bool isOver = values.timeSec >= listing.expirySec;
        for (uint256 i = 0; i < said.length; ++i) said[i] = reports[i].basisPpb[blockPlace];
        values.basisPpb[blockPlace] = SurfaceRules.boundedBasis(blockPlace, RiskFeed.medianDown(said), isOver);
        for (uint256 k = 0; k < listing.strikesMicrosPerLot.length; ++k) {
            if (listing.strikesMicrosPerLot[k] == 0) break;
            uint256 place = firstStrike + k;
            for (uint256 i = 0; i < said.length; ++i) said[i] = int256(uint256(reports[i].volPpm[place]));
            values.volPpm[place] = SurfaceRules.boundedVol(place, uint256(RiskFeed.medianDown(said)), isOver);
        }
    }

    /// @dev Moves the feeds on and fills in what follows from them.
    function _updateFeeds(
        Clock memory time,
        UnderlyingParameters[UNDERLYING_COUNT] memory underlyings,
        RoundValues memory values
    ) private returns (uint128[UNDERLYING_COUNT] memory indexSeconds) {
        indexSeconds = _indexSeconds;
        for (uint256 u = 0; u < UNDERLYING_COUNT; ++u) {
            RiskFeed.Feed memory feed = _feeds[u];
            UnderlyingValues memory value = values.underlyings[u];
            uint256 carried = feed.carriedIndex(value.indexMicros, time.isAfterJump, values.isJump);
            indexSeconds[u] += uint128(carried * (values.timeSec - time.lastTimeSec));
            if (values.isJump) {
                feed.afterJumpRound(value.indexMicros);
            } else {
                uint256 sinceNormalSec = values.timeSec - time.lastNormalTimeSec;
                feed.afterNormalRound(underlyings[u], value.indexMicros, value.premiumPpm, sinceNormalSec);
            }
            value.scanFactorE9 = feed.scanFactorE9;
            value.scanRangePpm = uint24(RiskFeed.scanRangeNearest(underlyings[u].baseScanRangePpm, feed.scanFactorE9));
            value.fundingMicrosPerCoin = feed.fundingMicrosPerCoin;
            _feeds[u] = feed;
        }
        _indexSeconds = indexSeconds;
    }

    function _medianValues(RiskReport[] calldata reports, uint256 u) private pure returns (uint48, int24) {
        int256[] memory prices = new int256[](reports.length);
        int256[] memory premiums = new int256[](reports.length);
        for (uint256 i = 0; i < reports.length; ++i) {
            prices[i] = int256(uint256(reports[i].indexMicros[u]));
            premiums[i] = reports[i].premiumPpm[u];
        }
        int256 premium = RiskFeed.clampPremium(RiskFeed.medianDown(premiums));
        return (uint48(uint256(RiskFeed.medianDown(prices))), int24(premium));
    }

    // ---- proving ----

    /// @notice Accepts the table of a posted round, or voids the round if its options contradict each other. Rounds older than
    /// a proved one can no longer be proved, nor need be.
    /// @param values as in RoundPosted
    /// @param segments of every segment that the registry of `values.registryHash` uses, in order
    function proveRound(RoundValues calldata values, SegmentProof[] calldata segments) external {
        uint256 roundNumber = values.roundNumber;
        if (roundNumber <= clock.lastProvedRound || roundNumber > clock.lastRound) {
            revert RoundNotProvable(roundNumber, clock.lastProvedRound, clock.lastRound);
        }
        if (postedRounds[roundNumber].commitment != _commitment(keccak256(abi.encode(values)))) {
            revert ValuesNotPosted(roundNumber);
        }
        (uint256 tableHash, bool isSurfaceSound) = _verify(values, segments);
        if (isSurfaceSound) return _accept(values, tableHash);
        _moveProved(clock, values.roundNumber);
        emit RoundVoided(values.roundNumber);
    }

    /// @dev proofs.verifyRound(values, segments): the same arguments, so the calldata is passed on as it came.
    function _verify(
        RoundValues calldata,
        SegmentProof[] calldata
    ) private view returns (uint256 tableHash, bool isSurfaceSound) {
        bytes memory call = bytes.concat(IRoundProofs.verifyRound.selector, msg.data[4:]);
        return abi.decode(Address.functionStaticCall(address(proofs), call), (uint256, bool));
    }

    function _accept(RoundValues calldata values, uint256 tableHash) private {
        Clock memory time = clock;
        uint256 index = time.acceptedCount;
        _tables[index] = StoredTable({
            roundNumber: uint48(values.roundNumber),
            roundTimeSec: uint40(values.timeSec),
            acceptedAtSec: uint40(block.timestamp),
            pausedBeforeSec: uint40(_pausedSeconds(index)),
            isJump: values.isJump,
            marginWord: _marginWord(values),
            tableHash: tableHash
        });
        time.acceptedCount = uint32(index + 1);
        _moveProved(time, values.roundNumber);
        emit RoundProved(values.roundNumber, index, tableHash);
    }

    function _moveProved(Clock memory time, uint64 roundNumber) private {
        time.lastProvedRound = uint48(roundNumber);
        time.oldestUnprovedPostedAtSec = postedRounds[uint256(roundNumber) + 1].postedAtSec;
        clock = time;
    }

    /// @dev k:8 · unit of size in whole dollars:36 of each underlying: public word 8 of a batch.
    function _marginWord(RoundValues calldata values) private pure returns (uint80 word) {
        word = values.esCount;
        for (uint256 u = 0; u < UNDERLYING_COUNT; ++u) {
            word |= uint80(values.underlyings[u].options.addOnUnitDollars) << uint80(8 + 36 * u);
        }
    }

    function _commitment(bytes32 valuesHash) private pure returns (uint216) {
        return uint216(uint256(valuesHash));
    }

    // ---- reading ----

    /// @inheritdoc IRiskOracle
    function priceStatus(uint256 index) external view returns (PriceStatus memory status) {
        Clock memory time = clock;
        status.acceptedCount = time.acceptedCount;
        status.oldestUnprovedPostedAtSec = time.oldestUnprovedPostedAtSec;
        status.pausedSec = _pausedSeconds(time.acceptedCount);
        if (index >= time.acceptedCount) return status;
        status.table = _acceptedTable(index);
        if (index + 1 < time.acceptedCount) status.nextAcceptedAtSec = _tables[index + 1].acceptedAtSec;
    }

    /// @inheritdoc IRiskOracle
    function acceptedCount() external view returns (uint256) {
        return clock.acceptedCount;
    }

    /// @inheritdoc IRiskOracle
    function acceptedTable(uint256 index) external view returns (AcceptedTable memory) {
        if (index >= clock.acceptedCount) revert UnknownTable(index, clock.acceptedCount);
        return _acceptedTable(index);
    }

    /// @inheritdoc IRiskOracle
    function oldestUnprovedPostedAtSec() external view returns (uint64) {
        return clock.oldestUnprovedPostedAtSec;
    }

    /// @inheritdoc IRiskOracle
    function pausedSeconds() external view returns (uint256) {
        return _pausedSeconds(clock.acceptedCount);
    }

    function _acceptedTable(uint256 index) private view returns (AcceptedTable memory) {
        StoredTable storage table = _tables[index];
        return
            AcceptedTable({
                roundNumber: table.roundNumber,
                roundTimeSec: table.roundTimeSec,
                acceptedAtSec: table.acceptedAtSec,
                isJump: table.isJump,
                marginWord: table.marginWord,
                tableHash: table.tableHash
            });
    }

    function _pausedSeconds(uint256 count) private view returns (uint256) {
        if (count == 0) return block.timestamp - _deployedAtSec;
        StoredTable storage newest = _tables[count - 1];
        uint256 usableUntilSec = newest.acceptedAtSec;
        if (!newest.isJump && newest.roundTimeSec + stalenessSec > usableUntilSec) {
            usableUntilSec = newest.roundTimeSec + stalenessSec;
        }
        return newest.pausedBeforeSec + (block.timestamp > usableUntilSec ? block.timestamp - usableUntilSec : 0);
    }

    /// @notice Running Σ price · Δt of one coin up to clock.lastTimeSec, and the price carried since.
    function indexSecondsOf(uint256 underlying) external view returns (uint256 indexSeconds, uint256 carriedMicros) {
        return (_indexSeconds[underlying], _feeds[underlying].confirmedIndexMicros);
    }

    function feedOf(uint256 underlying) external view returns (RiskFeed.Feed memory) {
        return _feeds[underlying];
    }

    /// @inheritdoc IIndexSource
    function indexMicrosOf(uint256 underlying) external view returns (uint256) {
        return _feeds[underlying].confirmedIndexMicros;
    }
}
