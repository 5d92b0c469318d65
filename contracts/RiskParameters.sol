// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IIndexSource} from "./interfaces/IIndexSource.sol";
import {IRiskParameters} from "./interfaces/IRiskParameters.sol";
import {BlockTerms} from "./libraries/BlockTerms.sol";
import {ListingRules} from "./libraries/ListingRules.sol";
import {
    BlockListing,
    InitialParameters,
    Instrument,
    InstrumentKind,
    OptionParameters,
    RoundParameters,
    SIGNER_COUNT,
    SegmentGeometry,
    UNDERLYING_COUNT,
    UnderlyingParameters
} from "./libraries/RiskTypes.sol";

/// @title The governed registry: instruments, margin parameters and the oracle's signers.
/// @notice Every change is announced in public, waits for `delaySec`, and moves a number by at most 10 %. Nothing is
/// ever delisted and no id used twice: a position's row must exist for as long as the position may.
/// @dev Created by RiskOracle, which is its only source of prices. The registry is the list of all places of all segments
/// (docs/protocol.md §10): linear places, then blocks of one dated future and its strikes.
contract RiskParameters is IRiskParameters {
    using ListingRules for ListingRules.IndexRange;

    uint256 private constant DELAY_SEC_MIN = 7 days;
    /// @dev An announced change that nobody applied in this time is void.
    uint256 private constant GRACE_SEC = 14 days;
    uint256 private constant SCAN_RANGE_PPM_MAX = 250_000;
    uint256 private constant REFERENCE_VOL_PPM_MIN = 1_000;
    uint256 private constant REFERENCE_VOL_PPM_MAX = 500_000;
    uint256 private constant ES_COUNT_MAX = 8;
    /// @dev A position can be closed lot by lot without overshooting: at most this is needed for one.
    uint256 private constant LOT_IM_MICROS_MAX = 25e6;
    /// @dev The price may move by this factor either way before a parameter has to.
    uint256 private constant INDEX_HEADROOM = 4;
    /// @dev The strikes of a block share a slot.
    uint256 private constant STRIKE_BITS = 35;
    uint256 private constant STRIKES_PER_BLOCK_MAX = 7;

    /// @notice Instruments that may be listed, an option counting as two.
    uint256 public immutable instrumentLimit;
    uint256 public immutable delaySec;
    /// @notice Places of all segments.
    uint256 public immutable placeCount;
    /// @notice The oracle that created this registry.
    IIndexSource public immutable indexSource;

    enum ChangeKind {
        List,
        Tune,
        Underlying,
        EsCount,
        Signers,
        Governor,
        Options
    }

    /// @param contentHash keccak256(kind, data); 0 once applied or withdrawn
    struct Announcement {
        bytes32 contentHash;
        uint64 announcedAtSec;
    }

    /// @dev What rounds read of a block, in two slots. `strikes` holds 35 bits each, the first lowest, 0 where none is listed.
    struct Block {
        uint40 expirySec;
        uint8 underlying;
        uint32 lotE8;
        uint8 strikePlaces;
        uint256 strikes;
    }

    /// @param block over all segments
    /// @param strike of its block from 1; 0 is the block's future
    struct Place {
        uint256 segment;
        bool isLinear;
        uint256 block;
        uint256 strike;
    }

    address public governor;
    uint8 public esCount;
    /// @notice What rounds commit to: keccak256(abi.encode(bytes32[])) over the segments in use.
    bytes32 public registryHash;
    uint256 public announcementCount;
    uint256 public instrumentCount;
    /// @notice Segments up to the last one in which something is listed, at least one: a table needs a proof of each.
    uint256 public segmentsInUse = 1;
    mapping(uint256 changeId => Announcement) public announcements;
    /// @notice When a target was last changed; an older announcement for it is void.
    mapping(bytes32 target => uint256) public changedAtSec;
    mapping(address => bool) public isSigner;
    address[SIGNER_COUNT] private _signers;
    UnderlyingParameters[UNDERLYING_COUNT] private _underlyingParameters;
    SegmentGeometry[] private _segments;
    mapping(uint256 place => Instrument) private _instruments;
    Block[] private _blocks;
    /// @dev Place + 1; of a put as well.
    mapping(uint256 id => uint256) private _placeOf;

    event ChangeAnnounced(uint256 indexed changeId, ChangeKind kind, bytes data, uint256 readyAtSec);
    event ChangeWithdrawn(uint256 indexed changeId);
    event ChangeApplied(uint256 indexed changeId, ChangeKind kind, bytes data);
    /// @notice The places of all segments in use after a change: with them anyone can prove a round that names the hash.
    event RegistryChanged(bytes32 indexed registryHash, Instrument[] instruments);
    event UnderlyingParametersChanged(uint256 indexed underlying, UnderlyingParameters parameters);

    error NotGovernor(address caller);
    error UnknownChange(uint256 changeId);
    error ChangeNotReady(uint256 readyAtSec);
    error ChangeLapsed(uint256 lapsedAtSec);
    /// @notice The same target changed after this was announced: announce again, so that steps do not add up.
    error ChangeOvertaken(uint256 changedAtSec);
    error NoSuchPlace(uint256 place, uint256 placeCount);
    error PlaceTaken(uint256 place);
    error KindNotOfPlace(uint256 place, InstrumentKind kind);
    /// @notice An option's block begins with a future of the same underlying, lot and expiry.
    error NotOfItsBlock(uint256 place);
    /// @notice The strike place before this one is empty, so this one must be too.
    error StrikeAfterHole(uint256 place);
    error StrikesNotAscending(uint256 previousMicros, uint256 strikeMicros);
    error InstrumentIdTaken(uint256 id);
    error UnknownInstrument(uint256 id);
    error FixedFieldChanged(uint256 id);
    error BadSigner(address signer);

    modifier onlyGovernor() {
        if (msg.sender != governor) revert NotGovernor(msg.sender);
        _;
    }

    constructor(InitialParameters memory initial, SegmentGeometry[] memory geometries) {
        ListingRules.requireWithin("delaySec", initial.delaySec, DELAY_SEC_MIN, 365 days);
        indexSource = IIndexSource(msg.sender);
        delaySec = initial.delaySec;
        instrumentLimit = initial.instrumentLimit;
        placeCount = _setSegments(geometries);
        _setGovernor(initial.governor);
        _setEsCount(initial.esCount);
        _setSigners(initial.signers);
        for (uint256 u = 0; u < UNDERLYING_COUNT; ++u) {
            _setUnderlying(u, initial.baseScanRangePpm[u], initial.referenceVolPpm[u]);
            _setOptions(u, initial.options[u]);
        }
        for (uint256 place = 0; place < initial.instruments.length; ++place) {
            Instrument memory instrument = initial.instruments[place];
            if (instrument.id == 0) continue;
            ListingRules.requireWithin("underlying", instrument.underlying, 0, UNDERLYING_COUNT - 1);
            _list(place, instrument, initial.indexMicros[instrument.underlying]);
        }
        for (uint256 u = 0; u < UNDERLYING_COUNT; ++u) _refreshIndexRange(u, initial.indexMicros[u]);
        _publishRegistry();
    }

    /// @return places of all of them
    function _setSegments(SegmentGeometry[] memory geometries) private returns (uint256 places) {
        for (uint256 s = 0; s < geometries.length; ++s) {
            SegmentGeometry memory geometry = geometries[s];
            ListingRules.requireWithin("strikesPerBlock", geometry.strikesPerBlock, 0, STRIKES_PER_BLOCK_MAX);
            _segments.push(geometry);
            places += _placesOf(geometry);
            for (uint256 b = 0; b < geometry.blocks; ++b) {
                _blocks.push(Block(0, 0, 0, geometry.strikesPerBlock, 0));
            }
        }
    }

    // ---- reading ----

    /// @notice What is listed at each place of the segments in use, as RegistryChanged told it last.
    function instruments() external view returns (Instrument[] memory listed) {
        (listed, ) = _registry();
    }

    function segments() external view returns (SegmentGeometry[] memory) {
        return _segments;
    }

    function signers() external view returns (address[SIGNER_COUNT] memory) {
        return _signers;
    }

    function underlyingParameters(uint256 underlying) external view returns (UnderlyingParameters memory) {
        return _underlyingParameters[underlying];
    }

    /// @inheritdoc IRiskParameters
    function roundParameters() external view returns (RoundParameters memory current) {
        current.registryHash = registryHash;
        current.esCount = esCount;
        current.underlyings = _underlyingParameters;
        current.blocks = new BlockListing[](_blocks.length);
        for (uint256 b = 0; b < current.blocks.length; ++b) {
            Block storage stored = _blocks[b];
            uint40[] memory strikes = new uint40[](stored.strikePlaces);
            current.blocks[b] = BlockListing(stored.expirySec, stored.underlying, stored.lotE8, strikes);
            if (stored.expirySec == 0) continue;
            uint256 rest = stored.strikes;
            for (uint256 i = 0; rest != 0; ++i) {
                strikes[i] = uint40(rest & (2 ** STRIKE_BITS - 1));
                rest >>= STRIKE_BITS;
            }
        }
    }

    // ---- changing ----

    /// @param data abi.encode of: List: (uint256 place, Instrument) · Tune: Instrument · Underlying: (uint256 underlying, uint24
    /// baseScanRangePpm, uint24 referenceVolPpm) · EsCount: uint8 · Signers: address[5] · Governor: address · Options: (uint256
    /// underlying, OptionParameters)
    function announceChange(ChangeKind kind, bytes calldata data) external onlyGovernor returns (uint256 changeId) {
        changeId = announcementCount++;
        announcements[changeId] = Announcement(_contentHash(kind, data), uint64(block.timestamp));
        emit ChangeAnnounced(changeId, kind, data, block.timestamp + delaySec);
    }

    function withdrawChange(uint256 changeId) external onlyGovernor {
        if (announcements[changeId].contentHash == 0) revert UnknownChange(changeId);
        delete announcements[changeId];
        emit ChangeWithdrawn(changeId);
    }

    /// @notice Anyone may apply what was announced, once the delay is over. Bounds are judged against today's values.
    function applyChange(uint256 changeId, ChangeKind kind, bytes calldata data) external {
        Announcement memory announcement = announcements[changeId];
        if (announcement.contentHash != _contentHash(kind, data)) revert UnknownChange(changeId);
        uint256 readyAtSec = announcement.announcedAtSec + delaySec;
        if (block.timestamp < readyAtSec) revert ChangeNotReady(readyAtSec);
        if (block.timestamp > readyAtSec + GRACE_SEC) revert ChangeLapsed(readyAtSec + GRACE_SEC);
        delete announcements[changeId];
        bytes32 target = _apply(kind, data);
        if (announcement.announcedAtSec < changedAtSec[target]) revert ChangeOvertaken(changedAtSec[target]);
        changedAtSec[target] = block.timestamp;
        emit ChangeApplied(changeId, kind, data);
    }

    /// @return target what was changed: two changes of one target need two delays
    function _apply(ChangeKind kind, bytes calldata data) private returns (bytes32 target) {
        if (kind == ChangeKind.List) {
            (uint256 place, Instrument memory instrument) = abi.decode(data, (uint256, Instrument));
            uint256 indexMicros = _indexOf(instrument.underlying);
            _list(place, instrument, indexMicros);
            return _afterInstrument(instrument, indexMicros);
        }
        if (kind == ChangeKind.Tune) {
            Instrument memory instrument = abi.decode(data, (Instrument));
            uint256 indexMicros = _indexOf(instrument.underlying);
            _tune(instrument);
            return _afterInstrument(instrument, indexMicros);
        }
        if (kind == ChangeKind.Underlying) {
            (uint256 u, uint24 baseScanRangePpm, uint24 referenceVolPpm) = abi.decode(data, (uint256, uint24, uint24));
            uint256 indexMicros = _indexOf(u);
            ListingRules.requireStep("baseScanRangePpm", _underlyingParameters[u].baseScanRangePpm, baseScanRangePpm);
            ListingRules.requireStep("referenceVolPpm", _underlyingParameters[u].referenceVolPpm, referenceVolPpm);
            _setUnderlying(u, baseScanRangePpm, referenceVolPpm);
            _refreshIndexRange(u, indexMicros);
            return _target("underlying", u);
        }
        if (kind == ChangeKind.Options) {
            (uint256 u, OptionParameters memory options) = abi.decode(data, (uint256, OptionParameters));
            ListingRules.requireWithin("underlying", u, 0, UNDERLYING_COUNT - 1);
            ListingRules.requireOptionSteps(_underlyingParameters[u].options, options);
            _setOptions(u, options);
            emit UnderlyingParametersChanged(u, _underlyingParameters[u]);
            return _target("options", u);
        }
        if (kind == ChangeKind.EsCount) {
            uint8 newEsCount = abi.decode(data, (uint8));
            // A count of scenarios: its least step is one, whatever share of it that is.
            ListingRules.requireWithin("esCount", newEsCount, Math.max(1, esCount) - 1, uint256(esCount) + 1);
            _setEsCount(newEsCount);
        } else if (kind == ChangeKind.Signers) {
            for (uint256 i = 0; i < SIGNER_COUNT; ++i) isSigner[_signers[i]] = false;
            _setSigners(abi.decode(data, (address[5])));
        } else {
            _setGovernor(abi.decode(data, (address)));
        }
        return _target("kind", uint256(kind));
    }

    function _indexOf(uint256 underlying) private view returns (uint256) {
        ListingRules.requireWithin("underlying", underlying, 0, UNDERLYING_COUNT - 1);
        return indexSource.indexMicrosOf(underlying);
    }

    function _afterInstrument(Instrument memory instrument, uint256 indexMicros) private returns (bytes32 target) {
        _refreshIndexRange(instrument.underlying, indexMicros);
        _publishRegistry();
        return _target("instrument", instrument.id);
    }

    // ---- rules ----

    function _list(uint256 place, Instrument memory instrument, uint256 indexMicros) private {
        Place memory at = _placeAt(place);
        if (_instruments[place].id != 0) revert PlaceTaken(place);
        _requireKindOfPlace(place, at, instrument.kind);
        _takeIds(place, instrument);
        ListingRules.requireNumbers(instrument);
        ListingRules.requireDates(instrument, indexMicros, block.timestamp);
        if (instrument.kind == InstrumentKind.Future) {
            Block storage opened = _blocks[at.block];
            (opened.expirySec, opened.underlying, opened.lotE8) = (
                instrument.expirySec,
                instrument.underlying,
                instrument.lotE8
            );
        } else if (instrument.kind == InstrumentKind.Option) {
            _addStrike(place, at, instrument);
        }
        uint256 lotImMicros = (indexMicros * instrument.lotE8 * _lotImPpm(instrument)) / 1e14;
        ListingRules.requireWithin("lotImMicros", lotImMicros, 0, LOT_IM_MICROS_MAX);
        _instruments[place] = instrument;
        segmentsInUse = Math.max(segmentsInUse, at.segment + 1);
    }

    function _requireKindOfPlace(uint256 place, Place memory at, InstrumentKind kind) private pure {
        bool isRight = at.isLinear
            ? kind == InstrumentKind.Spot || kind == InstrumentKind.Perpetual
            : kind == (at.strike == 0 ? InstrumentKind.Future : InstrumentKind.Option);
        if (!isRight) revert KindNotOfPlace(place, kind);
    }

    /// @dev An option takes the id of its put as well.
    function _takeIds(uint256 place, Instrument memory instrument) private {
        ListingRules.requireId(instrument.id, instrument.kind);
        uint256 count = instrument.kind == InstrumentKind.Option ? 2 : 1;
        for (uint256 id = instrument.id; id < uint256(instrument.id) + count; ++id) {
            if (_placeOf[id] != 0) revert InstrumentIdTaken(id);
            _placeOf[id] = place + 1;
        }
        instrumentCount += count;
        ListingRules.requireWithin("instruments", instrumentCount, 1, instrumentLimit);
    }

    /// @dev A block's options share its future's forward, and the circuit compares neighbours: strikes ascend without holes.
    function _addStrike(uint256 place, Place memory at, Instrument memory instrument) private {
        Block storage opened = _blocks[at.block];
        if (
            instrument.underlying != opened.underlying ||
            instrument.lotE8 != opened.lotE8 ||
            instrument.expirySec != opened.expirySec
        ) revert NotOfItsBlock(place);
        if (at.strike > 1) {
            uint256 previous = _instruments[place - 1].strikeMicrosPerLot;
            if (previous == 0) revert StrikeAfterHole(place);
            if (instrument.strikeMicrosPerLot <= previous) {
                revert StrikesNotAscending(previous, instrument.strikeMicrosPerLot);
            }
        }
        opened.strikes |= uint256(instrument.strikeMicrosPerLot) << (STRIKE_BITS * (at.strike - 1));
    }

    /// @dev Scan range at factor 1, charge and roll of one lot, in ppm of its index price.
    function _lotImPpm(Instrument memory instrument) private view returns (uint256 imPpm) {
        UnderlyingParameters storage parameters = _underlyingParameters[instrument.underlying];
        bool isOption = instrument.kind == InstrumentKind.Option;
        imPpm = uint256(parameters.baseScanRangePpm) + (isOption ? parameters.options.shortImPpm : instrument.chargeImPpm);
        if (instrument.expirySec == 0) return imPpm;
        uint256 timeSec = BlockTerms.timeToExpirySec(instrument.expirySec, block.timestamp);
        OptionParameters storage options = parameters.options;
        return imPpm + BlockTerms.rollImPpmUp(timeSec, options.rollMinPpm, options.rollPerYearPpm);
    }

    function _tune(Instrument memory instrument) private {
        uint256 place = _placeOf[instrument.id];
        if (place == 0) revert UnknownInstrument(instrument.id);
        Instrument memory old = _instruments[place - 1];
        // The id of a put names its option's place, but an option is tuned under its own.
        if (instrument.id != old.id) revert UnknownInstrument(instrument.id);
        if (
            instrument.kind != old.kind ||
            instrument.underlying != old.underlying ||
            instrument.lotE8 != old.lotE8 ||
            instrument.expirySec != old.expirySec ||
            instrument.strikeMicrosPerLot != old.strikeMicrosPerLot
        ) revert FixedFieldChanged(instrument.id);
        ListingRules.requireSteps(old, instrument);
        ListingRules.requireNumbers(instrument);
        _instruments[place - 1] = instrument;
    }

    /// @dev Index prices at which every instrument of an underlying has a row, and all its lots together lose less than 2^62
    /// in any scenario at the largest factor. A round outside is refused at entry.
    function _refreshIndexRange(uint256 underlying, uint256 indexMicros) private {
        UnderlyingParameters storage parameters = _underlyingParameters[underlying];
        ListingRules.IndexRange memory range = ListingRules.wholeRange();
        for (uint256 place = 0; place < placeCount; ++place) {
            Instrument storage listed = _instruments[place];
            if (listed.id == 0 || listed.underlying != underlying) continue;
            range.narrow(listed, parameters.baseScanRangePpm);
        }
        (uint256 least, uint256 most) = range.withinLossBound();
        // A change that only widens the range needs no headroom: it may be what a moved price asks for.
        if (least > parameters.indexMinMicros || most < parameters.indexMaxMicros) {
            ListingRules.requireWithin("indexMicros", indexMicros, least * INDEX_HEADROOM, most / INDEX_HEADROOM);
        }
        parameters.indexMinMicros = uint48(least);
        parameters.indexMaxMicros = uint48(most);
        emit UnderlyingParametersChanged(underlying, parameters);
    }

    function _placeAt(uint256 place) private view returns (Place memory at) {
        uint256 offset = place;
        for (uint256 s = 0; s < _segments.length; ++s) {
            SegmentGeometry memory geometry = _segments[s];
            uint256 places = _placesOf(geometry);
            if (offset >= places) {
                offset -= places;
                at.block += geometry.blocks;
                continue;
            }
            at.segment = s;
            at.isLinear = offset < geometry.linear;
            if (at.isLinear) return at;
            uint256 width = 1 + uint256(geometry.strikesPerBlock);
            at.block += (offset - geometry.linear) / width;
            at.strike = (offset - geometry.linear) % width;
            return at;
        }
        revert NoSuchPlace(place, placeCount);
    }

    function _placesOf(SegmentGeometry memory geometry) private pure returns (uint256) {
        return uint256(geometry.linear) + uint256(geometry.blocks) * (1 + uint256(geometry.strikesPerBlock));
    }

    function _setUnderlying(uint256 underlying, uint24 baseScanRangePpm, uint24 referenceVolPpm) private {
        ListingRules.requireWithin("baseScanRangePpm", baseScanRangePpm, 1, SCAN_RANGE_PPM_MAX);
        ListingRules.requireWithin("referenceVolPpm", referenceVolPpm, REFERENCE_VOL_PPM_MIN, REFERENCE_VOL_PPM_MAX);
        _underlyingParameters[underlying].baseScanRangePpm = baseScanRangePpm;
        _underlyingParameters[underlying].referenceVolPpm = referenceVolPpm;
    }

    function _setOptions(uint256 underlying, OptionParameters memory options) private {
        ListingRules.requireOptions(options);
        _underlyingParameters[underlying].options = options;
    }

    function _setEsCount(uint8 newEsCount) private {
        ListingRules.requireWithin("esCount", newEsCount, 1, ES_COUNT_MAX);
        esCount = newEsCount;
    }

    function _setSigners(address[SIGNER_COUNT] memory newSigners) private {
        for (uint256 i = 0; i < SIGNER_COUNT; ++i) {
            address signer = newSigners[i];
            if (signer == address(0) || isSigner[signer]) revert BadSigner(signer);
            isSigner[signer] = true;
        }
        _signers = newSigners;
    }

    function _setGovernor(address newGovernor) private {
        if (newGovernor == address(0)) revert NotGovernor(newGovernor);
        governor = newGovernor;
    }

    function _publishRegistry() private {
        (Instrument[] memory listed, bytes32 hash) = _registry();
        registryHash = hash;
        emit RegistryChanged(hash, listed);
    }

    /// @return listed by place, of the segments in use
    /// @return hash of the hashes of their segments, so that each can be told alone
    function _registry() private view returns (Instrument[] memory listed, bytes32 hash) {
        uint256 places;
        for (uint256 s = 0; s < segmentsInUse; ++s) places += _placesOf(_segments[s]);
        listed = new Instrument[](places);
        bytes32[] memory hashes = new bytes32[](segmentsInUse);
        uint256 place;
        for (uint256 s = 0; s < segmentsInUse; ++s) {
            Instrument[] memory ofSegment = new Instrument[](_placesOf(_segments[s]));
            for (uint256 i = 0; i < ofSegment.length; ++i) {
                ofSegment[i] = listed[place] = _instruments[place];
                ++place;
            }
            hashes[s] = keccak256(abi.encode(ofSegment));
        }
        hash = keccak256(abi.encode(hashes));
    }

    function _contentHash(ChangeKind kind, bytes calldata data) private pure returns (bytes32) {
        return keccak256(abi.encode(kind, data));
    }

    function _target(bytes32 what, uint256 which) private pure returns (bytes32) {
        return keccak256(abi.encode(what, which));
    }
}
