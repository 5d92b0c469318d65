// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IRoundProofs} from "./interfaces/IRoundProofs.sol";
import {BlockTerms} from "./libraries/BlockTerms.sol";
import {ListingRules} from "./libraries/ListingRules.sol";
import {
    BlockListing,
    Instrument,
    InstrumentKind,
    OptionParameters,
    SegmentGeometry,
    UNDERLYING_COUNT,
    UnderlyingParameters
} from "./libraries/RiskTypes.sol";

/// @title What is listed where, and by which rules.
/// @notice The registry is the list of all places of all segments (docs/protocol.md §10): linear places, then blocks of one
/// dated future and its strikes. A position's row must exist for as long as the position may: nothing is delisted but a whole
/// block that is settled and held by nobody, and no id is used twice.
abstract contract Registry {
    using ListingRules for ListingRules.IndexRange;

    uint256 private constant SCAN_RANGE_PPM_MAX = 250_000;
    uint256 private constant REFERENCE_VOL_PPM_MIN = 1_000;
    uint256 private constant REFERENCE_VOL_PPM_MAX = 500_000;
    /// @dev A position can be closed lot by lot without overshooting: at most this is needed for one.
    uint256 private constant LOT_IM_MICROS_MAX = 25e6;
    /// @dev The price may move by this factor either way before a parameter has to.
    uint256 private constant INDEX_HEADROOM = 4;
    /// @dev The strikes of a block share a slot.
    uint256 private constant STRIKE_BITS = 35;
    uint256 private constant STRIKES_PER_BLOCK_MAX = 7;

    /// @dev What rounds read of a block, in two slots. `strikes` holds 35 bits each, the first lowest, 0 where none is listed.
    /// @param firstPlace of its future
    /// @param unretired its instruments that somebody may hold, an option counting as two
    struct Block {
        uint40 expirySec;
        uint8 underlying;
        uint32 lotE8;
        uint24 futureId;
        uint8 strikePlaces;
        uint16 firstPlace;
        uint8 unretired;
        uint256 strikes;
    }

    /// @param blockPlace over all segments
    /// @param strike of its block from 1; 0 is the block's future
    struct Place {
        uint256 segment;
        bool isLinear;
        uint256 blockPlace;
        uint256 strike;
    }

    /// @notice Instruments that may be listed, an option counting as two.
    uint256 public immutable instrumentLimit;
    /// @notice Places of all segments.
    uint256 public immutable placeCount;
    /// @notice What proves the tables of this registry.
    IRoundProofs public immutable proofs;

    uint256 public instrumentCount;
    /// @notice Segments up to the last one in which something is listed, at least one: a table needs a proof of each.
    uint256 public segmentsInUse = 1;
    /// @notice What rounds commit to: keccak256(abi.encode(bytes32[])) over the segments in use.
    bytes32 public registryHash;
    UnderlyingParameters[UNDERLYING_COUNT] internal _underlyingParameters;
    SegmentGeometry[] private _segments;
    mapping(uint256 place => Instrument) private _instruments;
    Block[] private _blocks;
    /// @dev Place + 1; of a put as well.
    mapping(uint256 id => uint256) private _placeOf;
    /// @notice Settled and held by nobody: a batch proved it. For ever, as an id names one instrument for ever.
    mapping(uint256 id => bool) public isRetired;

    /// @notice The places of all segments in use after a change: with them anyone can prove a round that names the hash.
    event RegistryChanged(bytes32 indexed registryHash, Instrument[] instruments);
    event InstrumentRetired(uint256 indexed instrumentId);
    /// @notice The places of a settled block are empty again.
    event BlockCleared(uint256 indexed blockPlace);
    event UnderlyingParametersChanged(uint256 indexed underlying, UnderlyingParameters parameters);

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
    error NotExpired(uint256 id);
    error BlockInUse(uint256 blockPlace, uint256 unretired);
    error NoSuchBlock(uint256 blockPlace);

    constructor(IRoundProofs roundProofs, uint256 limit) {
        proofs = roundProofs;
        instrumentLimit = limit;
        placeCount = _setSegments(roundProofs.geometries());
    }

    /// @return places of all of them
    function _setSegments(SegmentGeometry[] memory geometries) private returns (uint256 places) {
        for (uint256 s = 0; s < geometries.length; ++s) {
            SegmentGeometry memory geometry = geometries[s];
            ListingRules.requireWithin("strikesPerBlock", geometry.strikesPerBlock, 0, STRIKES_PER_BLOCK_MAX);
            _segments.push(geometry);
            for (uint256 b = 0; b < geometry.blocks; ++b) {
                uint256 firstPlace = places + geometry.linear + b * (1 + uint256(geometry.strikesPerBlock));
                _blocks.push(Block(0, 0, 0, 0, geometry.strikesPerBlock, uint16(firstPlace), 0, 0));
            }
            places += _placesOf(geometry);
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

    function underlyingParameters(uint256 underlying) external view returns (UnderlyingParameters memory) {
        return _underlyingParameters[underlying];
    }

    /// @dev Of every block of all segments, in order.
    function _blockListings() internal view returns (BlockListing[] memory listings) {
        listings = new BlockListing[](_blocks.length);
        for (uint256 b = 0; b < listings.length; ++b) {
            Block storage stored = _blocks[b];
            uint40[] memory strikes = new uint40[](stored.strikePlaces);
            listings[b] = BlockListing(stored.expirySec, stored.underlying, stored.lotE8, stored.futureId, strikes);
            if (stored.expirySec == 0) continue;
            uint256 rest = stored.strikes;
            for (uint256 i = 0; rest != 0; ++i) {
                strikes[i] = uint40(rest & (2 ** STRIKE_BITS - 1));
                rest >>= STRIKE_BITS;
            }
        }
    }

    // ---- rules ----

    function _list(uint256 place, Instrument memory instrument, uint256 indexMicros) internal {
        Place memory where = _placeAt(place);
        if (_instruments[place].id != 0) revert PlaceTaken(place);
        _requireKindOfPlace(place, where, instrument.kind);
        _takeIds(place, instrument);
        ListingRules.requireNumbers(instrument);
        ListingRules.requireDates(instrument, indexMicros, block.timestamp);
        if (instrument.kind == InstrumentKind.Future) {
            Block storage opened = _blocks[where.blockPlace];
            (opened.expirySec, opened.underlying, opened.lotE8, opened.futureId, opened.unretired) = (
                instrument.expirySec,
                instrument.underlying,
                instrument.lotE8,
                instrument.id,
                1
            );
        } else if (instrument.kind == InstrumentKind.Option) {
            _addStrike(place, where, instrument);
        }
        uint256 lotImMicros = (indexMicros * instrument.lotE8 * _lotImPpm(instrument)) / 1e14;
        ListingRules.requireWithin("lotImMicros", lotImMicros, 0, LOT_IM_MICROS_MAX);
        _instruments[place] = instrument;
        segmentsInUse = Math.max(segmentsInUse, where.segment + 1);
    }

    function _requireKindOfPlace(uint256 place, Place memory where, InstrumentKind kind) private pure {
        bool isRight = where.isLinear
            ? kind == InstrumentKind.Spot || kind == InstrumentKind.Perpetual
            : kind == (where.strike == 0 ? InstrumentKind.Future : InstrumentKind.Option);
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
    function _addStrike(uint256 place, Place memory where, Instrument memory instrument) private {
        Block storage opened = _blocks[where.blockPlace];
        if (
            instrument.underlying != opened.underlying ||
            instrument.lotE8 != opened.lotE8 ||
            instrument.expirySec != opened.expirySec
        ) revert NotOfItsBlock(place);
        if (where.strike > 1) {
            uint256 previous = _instruments[place - 1].strikeMicrosPerLot;
            if (previous == 0) revert StrikeAfterHole(place);
            if (instrument.strikeMicrosPerLot <= previous) {
                revert StrikesNotAscending(previous, instrument.strikeMicrosPerLot);
            }
        }
        opened.unretired += 2;
        opened.strikes |= uint256(instrument.strikeMicrosPerLot) << (STRIKE_BITS * (where.strike - 1));
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

    function _tune(Instrument memory instrument) internal {
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

    /// @dev What is retired already, or gone with its block, stays so: a batch may say it again. What is not dated cannot
    /// be settled, and an id that never was has no batch.
    function _retire(uint256 id) internal {
        if (isRetired[id]) return;
        uint256 place = _placeOf[id];
        if (place == 0) revert UnknownInstrument(id);
        Instrument storage listed = _instruments[place - 1];
        if (listed.expirySec == 0 || listed.expirySec > block.timestamp) revert NotExpired(id);
        isRetired[id] = true;
        --_blocks[_placeAt(place - 1).blockPlace].unretired;
        emit InstrumentRetired(id);
    }

    /// @dev Empties the places of a block of which everything is retired. Its ids stay taken.
    /// @return underlying of the block
    function _clearBlock(uint256 blockPlace) internal returns (uint256 underlying) {
        if (blockPlace >= _blocks.length || _blocks[blockPlace].expirySec == 0) revert NoSuchBlock(blockPlace);
        Block storage cleared = _blocks[blockPlace];
        if (cleared.unretired != 0) revert BlockInUse(blockPlace, cleared.unretired);
        underlying = cleared.underlying;
        uint256 end = uint256(cleared.firstPlace) + 1 + cleared.strikePlaces;
        for (uint256 place = cleared.firstPlace; place < end; ++place) {
            if (_instruments[place].id == 0) break;
            instrumentCount -= place == cleared.firstPlace ? 1 : 2;
            delete _instruments[place];
        }
        (cleared.expirySec, cleared.underlying, cleared.lotE8, cleared.futureId, cleared.strikes) = (0, 0, 0, 0, 0);
        _refreshSegments();
        emit BlockCleared(blockPlace);
    }

    /// @dev The last segment in which something is listed may have become empty.
    function _refreshSegments() private {
        uint256 place;
        uint256 inUse = 1;
        for (uint256 s = 0; s < _segments.length; ++s) {
            for (uint256 end = place + _placesOf(_segments[s]); place < end; ++place) {
                if (_instruments[place].id != 0) inUse = s + 1;
            }
        }
        segmentsInUse = inUse;
    }

    /// @dev Index prices at which every instrument of an underlying has a row, and all its lots together lose less than 2^62
    /// in any scenario at the largest factor. A round outside is refused at entry.
    function _refreshIndexRange(uint256 underlying, uint256 indexMicros) internal {
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

    function _placeAt(uint256 place) private view returns (Place memory where) {
        uint256 offset = place;
        for (uint256 s = 0; s < _segments.length; ++s) {
            SegmentGeometry memory geometry = _segments[s];
            uint256 places = _placesOf(geometry);
            if (offset >= places) {
                offset -= places;
                where.blockPlace += geometry.blocks;
                continue;
            }
            where.segment = s;
            where.isLinear = offset < geometry.linear;
            if (where.isLinear) return where;
            uint256 width = 1 + uint256(geometry.strikesPerBlock);
            where.blockPlace += (offset - geometry.linear) / width;
            where.strike = (offset - geometry.linear) % width;
            return where;
        }
        revert NoSuchPlace(place, placeCount);
    }

    function _placesOf(SegmentGeometry memory geometry) private pure returns (uint256) {
        return uint256(geometry.linear) + uint256(geometry.blocks) * (1 + uint256(geometry.strikesPerBlock));
    }

    function _setUnderlying(uint256 underlying, uint24 baseScanRangePpm, uint24 referenceVolPpm) internal {
        ListingRules.requireWithin("baseScanRangePpm", baseScanRangePpm, 1, SCAN_RANGE_PPM_MAX);
        ListingRules.requireWithin("referenceVolPpm", referenceVolPpm, REFERENCE_VOL_PPM_MIN, REFERENCE_VOL_PPM_MAX);
        _underlyingParameters[underlying].baseScanRangePpm = baseScanRangePpm;
        _underlyingParameters[underlying].referenceVolPpm = referenceVolPpm;
    }

    function _setOptions(uint256 underlying, OptionParameters memory options) internal {
        ListingRules.requireOptions(options);
        _underlyingParameters[underlying].options = options;
    }

    function _publishRegistry() internal {
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
}
