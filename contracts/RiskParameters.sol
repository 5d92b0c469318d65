// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IIndexSource} from "./interfaces/IIndexSource.sol";
import {IRiskParameters} from "./interfaces/IRiskParameters.sol";
import {
    InitialParameters,
    Instrument,
    InstrumentKind,
    SIGNER_COUNT,
    UNDERLYING_COUNT,
    UnderlyingParameters
} from "./libraries/RiskTypes.sol";

/// @title The governed registry: instruments, margin parameters and the oracle's signers.
/// @notice Every change is announced in public, waits for `delaySec`, and moves a number by at most 10 %. Nothing is
/// ever delisted and no id used twice: a position's row must exist for as long as the position may.
/// @dev Created by RiskOracle, which is its only source of prices. All bounds of docs/protocol.md §4 that are not the
/// circuit's are enforced here: a round that the oracle accepts has a proof.
contract RiskParameters is IRiskParameters {
    uint256 private constant DELAY_SEC_MIN = 7 days;
    /// @dev An announced change that nobody applied in this time is void.
    uint256 private constant GRACE_SEC = 14 days;
    uint256 private constant STEP_DIVISOR = 10;

    uint256 private constant SPOT_ID_MAX = 3;
    uint256 private constant ID_MAX = 2 ** 20 - 1;
    /// @dev One coin.
    uint256 private constant LOT_E8_MAX = 1e8;
    uint256 private constant LOTS_MAX = 2 ** 47 - 1;
    /// @dev The rollup's own cap on a spot token; the table's does not bind deposits.
    uint256 private constant SPOT_LOTS_MAX = 2 ** 34;
    /// @dev Doubled by the factor it is still below the whole value.
    uint256 private constant HAIRCUT_PPM_MAX = 450_000;
    uint256 private constant CHARGE_PPM_MAX = 200_000;
    uint256 private constant BAND_PPM_MAX = 50_000;
    uint256 private constant PENALTY_PPM_MAX = 20_000;
    uint256 private constant SCAN_RANGE_PPM_MAX = 250_000;
    uint256 private constant REFERENCE_VOL_PPM_MIN = 1_000;
    uint256 private constant REFERENCE_VOL_PPM_MAX = 500_000;
    uint256 private constant ES_COUNT_MAX = 8;
    /// @dev A position can be closed lot by lot without overshooting: at most this is needed for one.
    uint256 private constant LOT_IM_MICROS_MAX = 25e6;
    uint256 private constant INDEX_MICROS_MAX = 2 ** 44 - 1;
    uint256 private constant MARK_MICROS_MAX = 2 ** 40 - 1;
    /// @dev Each of two underlyings has half of the 2^63 that all lots may lose together, less rounding of marks and losses.
    uint256 private constant UNDERLYING_LOSS_MICROS_MAX = 2 ** 62 - 2 ** 52;
    /// @dev The price may move by this factor either way before a parameter has to.
    uint256 private constant INDEX_HEADROOM = 4;

    /// @notice Circuit rows: the length to which words are padded.
    uint256 public immutable instrumentRows;
    /// @notice Instruments that may be listed: rows of the smallest batch, so that each can hold every account.
    uint256 public immutable instrumentLimit;
    uint256 public immutable delaySec;
    /// @notice The oracle that created this registry.
    IIndexSource public immutable indexSource;

    enum ChangeKind {
        List,
        Tune,
        Underlying,
        EsCount,
        Signers,
        Governor
    }

    /// @param contentHash keccak256(kind, data); 0 once applied or withdrawn
    struct Announcement {
        bytes32 contentHash;
        uint64 announcedAtSec;
    }

    address public governor;
    uint8 public esCount;
    /// @notice keccak256(abi.encode(instruments)): what rounds commit to.
    bytes32 public registryHash;
    uint256 public announcementCount;
    mapping(uint256 changeId => Announcement) public announcements;
    /// @notice When a target was last changed; an older announcement for it is void.
    mapping(bytes32 target => uint256) public changedAtSec;
    mapping(address => bool) public isSigner;
    address[SIGNER_COUNT] private _signers;
    UnderlyingParameters[UNDERLYING_COUNT] private _underlyingParameters;
    Instrument[] private _instruments;
    /// @dev Place in the registry + 1.
    mapping(uint256 id => uint256) private _placeOf;

    event ChangeAnnounced(uint256 indexed changeId, ChangeKind kind, bytes data, uint256 readyAtSec);
    event ChangeWithdrawn(uint256 indexed changeId);
    event ChangeApplied(uint256 indexed changeId, ChangeKind kind, bytes data);
    /// @notice The whole registry after a change: with it anyone can prove a round that names its hash.
    event RegistryChanged(bytes32 indexed registryHash, Instrument[] instruments);
    event UnderlyingParametersChanged(uint256 indexed underlying, UnderlyingParameters parameters);

    error NotGovernor(address caller);
    error UnknownChange(uint256 changeId);
    error ChangeNotReady(uint256 readyAtSec);
    error ChangeLapsed(uint256 lapsedAtSec);
    /// @notice The same target changed after this was announced: announce again, so that steps do not add up.
    error ChangeOvertaken(uint256 changedAtSec);
    error StepTooLarge(bytes32 parameter, uint256 from, uint256 to);
    error ParameterOutOfBounds(bytes32 parameter, uint256 value, uint256 least, uint256 most);
    error InstrumentIdTaken(uint256 id);
    error UnknownInstrument(uint256 id);
    error FixedFieldChanged(uint256 id);
    error BadSigner(address signer);

    modifier onlyGovernor() {
        if (msg.sender != governor) revert NotGovernor(msg.sender);
        _;
    }

    constructor(InitialParameters memory initial) {
        _requireWithin("delaySec", initial.delaySec, DELAY_SEC_MIN, 365 days);
        _requireWithin("instrumentLimit", initial.instrumentLimit, 1, initial.instrumentRows);
        indexSource = IIndexSource(msg.sender);
        delaySec = initial.delaySec;
        instrumentRows = initial.instrumentRows;
        instrumentLimit = initial.instrumentLimit;
        _setGovernor(initial.governor);
        _setEsCount(initial.esCount);
        _setSigners(initial.signers);
        for (uint256 u = 0; u < UNDERLYING_COUNT; ++u) {
            _setUnderlying(u, initial.baseScanRangePpm[u], initial.referenceVolPpm[u]);
        }
        for (uint256 i = 0; i < initial.instruments.length; ++i) {
            Instrument memory instrument = initial.instruments[i];
            _requireWithin("underlying", instrument.underlying, 0, UNDERLYING_COUNT - 1);
            _list(instrument, initial.indexMicros[instrument.underlying]);
        }
        for (uint256 u = 0; u < UNDERLYING_COUNT; ++u) _refreshIndexRange(u, initial.indexMicros[u]);
        _publishRegistry();
    }

    // ---- reading ----

    /// @notice The registry in its order; place i is market slot i.
    function instruments() external view returns (Instrument[] memory) {
        return _instruments;
    }

    function signers() external view returns (address[SIGNER_COUNT] memory) {
        return _signers;
    }

    /// @inheritdoc IRiskParameters
    function roundParameters()
        external
        view
        returns (bytes32 hash, uint8 count, UnderlyingParameters[UNDERLYING_COUNT] memory underlyings)
    {
        return (registryHash, esCount, _underlyingParameters);
    }

    // ---- changing ----

    /// @param data abi.encode of: List, Tune: Instrument · Underlying: (uint256 underlying, uint24 baseScanRangePpm, uint24
    /// referenceVolPpm) · EsCount: uint8 · Signers: address[5] · Governor: address
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
        if (kind == ChangeKind.List || kind == ChangeKind.Tune) {
            Instrument memory instrument = abi.decode(data, (Instrument));
            _requireWithin("underlying", instrument.underlying, 0, UNDERLYING_COUNT - 1);
            uint256 indexMicros = indexSource.indexMicrosOf(instrument.underlying);
            if (kind == ChangeKind.List) _list(instrument, indexMicros);
            else _tune(instrument);
            _refreshIndexRange(instrument.underlying, indexMicros);
            _publishRegistry();
            return _target("instrument", instrument.id);
        }
        if (kind == ChangeKind.Underlying) {
            (uint256 u, uint24 baseScanRangePpm, uint24 referenceVolPpm) = abi.decode(data, (uint256, uint24, uint24));
            _requireWithin("underlying", u, 0, UNDERLYING_COUNT - 1);
            _requireStep("baseScanRangePpm", _underlyingParameters[u].baseScanRangePpm, baseScanRangePpm);
            _requireStep("referenceVolPpm", _underlyingParameters[u].referenceVolPpm, referenceVolPpm);
            _setUnderlying(u, baseScanRangePpm, referenceVolPpm);
            _refreshIndexRange(u, indexSource.indexMicrosOf(u));
            return _target("underlying", u);
        }
        if (kind == ChangeKind.EsCount) {
            uint8 newEsCount = abi.decode(data, (uint8));
            // A count of scenarios: its least step is one, whatever share of it that is.
            _requireWithin("esCount", newEsCount, Math.max(1, esCount) - 1, uint256(esCount) + 1);
            _setEsCount(newEsCount);
        } else if (kind == ChangeKind.Signers) {
            for (uint256 i = 0; i < SIGNER_COUNT; ++i) isSigner[_signers[i]] = false;
            _setSigners(abi.decode(data, (address[5])));
        } else {
            _setGovernor(abi.decode(data, (address)));
        }
        return _target("kind", uint256(kind));
    }

    // ---- rules ----

    function _list(Instrument memory instrument, uint256 indexMicros) private {
        _requireWithin("instruments", _instruments.length + 1, 1, instrumentLimit);
        bool isSpot = instrument.kind == InstrumentKind.Spot;
        _requireWithin("id", instrument.id, isSpot ? 1 : SPOT_ID_MAX + 1, isSpot ? SPOT_ID_MAX : ID_MAX);
        if (_placeOf[instrument.id] != 0) revert InstrumentIdTaken(instrument.id);
        _requireWithin("lotE8", instrument.lotE8, 1, LOT_E8_MAX);
        _requireNumbers(instrument);
        uint256 marginPpm = uint256(_underlyingParameters[instrument.underlying].baseScanRangePpm) + instrument.chargeImPpm;
        uint256 lotImMicros = (indexMicros * instrument.lotE8 * marginPpm) / 1e14;
        _requireWithin("lotImMicros", lotImMicros, 0, LOT_IM_MICROS_MAX);
        _instruments.push(instrument);
        _placeOf[instrument.id] = _instruments.length;
    }

    function _tune(Instrument memory instrument) private {
        uint256 place = _placeOf[instrument.id];
        if (place == 0) revert UnknownInstrument(instrument.id);
        Instrument memory old = _instruments[place - 1];
        if (
            instrument.kind != old.kind || instrument.underlying != old.underlying || instrument.lotE8 != old.lotE8
        ) revert FixedFieldChanged(instrument.id);
        _requireStep("chargeImPpm", old.chargeImPpm, instrument.chargeImPpm);
        _requireStep("chargeMmPpm", old.chargeMmPpm, instrument.chargeMmPpm);
        _requireStep("bandPpm", old.bandPpm, instrument.bandPpm);
        _requireStep("penaltyPpm", old.penaltyPpm, instrument.penaltyPpm);
        _requireStep("openInterestCapLots", old.openInterestCapLots, instrument.openInterestCapLots);
        _requireStep("positionCapLots", old.positionCapLots, instrument.positionCapLots);
        _requireNumbers(instrument);
        _instruments[place - 1] = instrument;
    }

    function _requireNumbers(Instrument memory instrument) private pure {
        uint256 chargeMax = instrument.kind == InstrumentKind.Spot ? HAIRCUT_PPM_MAX : CHARGE_PPM_MAX;
        _requireWithin("chargeImPpm", instrument.chargeImPpm, 1, chargeMax);
        _requireWithin("chargeMmPpm", instrument.chargeMmPpm, 1, instrument.chargeImPpm);
        _requireWithin("bandPpm", instrument.bandPpm, 1, BAND_PPM_MAX);
        _requireWithin("penaltyPpm", instrument.penaltyPpm, 1, PENALTY_PPM_MAX);
        _requireWithin("openInterestCapLots", instrument.openInterestCapLots, 1, LOTS_MAX);
        _requireWithin("positionCapLots", instrument.positionCapLots, 1, LOTS_MAX);
    }

    /// @dev Index prices at which every instrument of an underlying has a row: 1 ≤ mark < 2^40 at a premium of ±1 %, and all
    /// its lots together lose less than 2^62 in any scenario at the largest factor. A round outside is refused at entry.
    function _refreshIndexRange(uint256 underlying, uint256 indexMicros) private {
        UnderlyingParameters storage parameters = _underlyingParameters[underlying];
        uint256 least = 1;
        uint256 most = INDEX_MICROS_MAX;
        uint256 lotsE8;
        for (uint256 i = 0; i < _instruments.length; ++i) {
            Instrument memory instrument = _instruments[i];
            if (instrument.underlying != underlying) continue;
            least = Math.max(least, Math.ceilDiv(1e10, 99 * uint256(instrument.lotE8)));
            most = Math.min(most, (MARK_MICROS_MAX * 1e10) / (101 * uint256(instrument.lotE8)));
            bool isSpot = instrument.kind == InstrumentKind.Spot;
            lotsE8 += (isSpot ? SPOT_LOTS_MAX : uint256(instrument.openInterestCapLots)) * instrument.lotE8;
        }
        if (lotsE8 > 0) {
            // + 2 ppm: the worst that rounding a quarter move to 2^-20 can add.
            uint256 lossPpm = 2 * uint256(parameters.baseScanRangePpm) + 2;
            most = Math.min(most, (UNDERLYING_LOSS_MICROS_MAX * 1e16) / (101 * lotsE8 * lossPpm));
        }
        // A change that only widens the range needs no headroom: it may be what a moved price asks for.
        if (least > parameters.indexMinMicros || most < parameters.indexMaxMicros) {
            _requireWithin("indexMicros", indexMicros, least * INDEX_HEADROOM, most / INDEX_HEADROOM);
        }
        parameters.indexMinMicros = uint48(least);
        parameters.indexMaxMicros = uint48(most);
        emit UnderlyingParametersChanged(underlying, parameters);
    }

    function _setUnderlying(uint256 underlying, uint24 baseScanRangePpm, uint24 referenceVolPpm) private {
        _requireWithin("baseScanRangePpm", baseScanRangePpm, 1, SCAN_RANGE_PPM_MAX);
        _requireWithin("referenceVolPpm", referenceVolPpm, REFERENCE_VOL_PPM_MIN, REFERENCE_VOL_PPM_MAX);
        _underlyingParameters[underlying].baseScanRangePpm = baseScanRangePpm;
        _underlyingParameters[underlying].referenceVolPpm = referenceVolPpm;
    }

    function _setEsCount(uint8 newEsCount) private {
        _requireWithin("esCount", newEsCount, 1, ES_COUNT_MAX);
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
        registryHash = keccak256(abi.encode(_instruments));
        emit RegistryChanged(registryHash, _instruments);
    }

    function _contentHash(ChangeKind kind, bytes calldata data) private pure returns (bytes32) {
        return keccak256(abi.encode(kind, data));
    }

    function _target(bytes32 what, uint256 which) private pure returns (bytes32) {
        return keccak256(abi.encode(what, which));
    }

    function _requireStep(bytes32 parameter, uint256 from, uint256 to) private pure {
        uint256 step = from > to ? from - to : to - from;
        if (step * STEP_DIVISOR > from) revert StepTooLarge(parameter, from, to);
    }

    function _requireWithin(bytes32 parameter, uint256 value, uint256 least, uint256 most) private pure {
        if (value < least || value > most) revert ParameterOutOfBounds(parameter, value, least, most);
    }
}
