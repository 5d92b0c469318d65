// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Registry} from "./Registry.sol";
import {IIndexSource} from "./interfaces/IIndexSource.sol";
import {IRiskParameters} from "./interfaces/IRiskParameters.sol";
import {IRoundProofs} from "./interfaces/IRoundProofs.sol";
import {ListingRules} from "./libraries/ListingRules.sol";
import {
    InitialParameters,
    Instrument,
    InstrumentKind,
    OptionParameters,
    RoundParameters,
    SIGNER_COUNT,
    UNDERLYING_COUNT
} from "./libraries/RiskTypes.sol";

/// @title The governed registry: instruments, margin parameters and the oracle's signers.
/// @notice Every change is announced in public, waits for `delaySec`, and moves a number by at most 10 %.
/// @dev Its only source of prices is its oracle, which names it in turn: neither exists twice.
contract RiskParameters is Registry, IRiskParameters {
    uint256 private constant DELAY_SEC_MIN = 7 days;
    /// @dev An announced change that nobody applied in this time is void.
    uint256 private constant GRACE_SEC = 14 days;
    uint256 private constant ES_COUNT_MAX = 8;
    /// @dev A report names places, not what is listed there: in one that was listed since its values may be of something
    /// else, or of nothing. So long signers have to see a new listing.
    uint256 private constant LISTING_SEC = 60;

    uint256 public immutable delaySec;
    /// @notice The oracle of this registry.
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

    address public governor;
    /// @notice Whose batches say what nobody holds any more. Bound once, before any change is announced, so that users can
    /// look who it is before something that expires is listed.
    address public rollup;
    uint8 public esCount;
    /// @notice Least time of the reports of the first round after a listing.
    uint40 public reportsFromSec;
    /// @notice Prices of one coin at deployment, at which the first instruments were judged and which the oracle starts with.
    uint48[UNDERLYING_COUNT] public startIndexMicros;
    uint256 public announcementCount;
    mapping(uint256 changeId => Announcement) public announcements;
    /// @notice When a target was last changed; an older announcement for it is void.
    mapping(bytes32 target => uint256) public changedAtSec;
    mapping(address => bool) public isSigner;
    address[SIGNER_COUNT] private _signers;

    event RollupBound(address indexed rollup);
    event ChangeAnnounced(uint256 indexed changeId, ChangeKind kind, bytes data, uint256 readyAtSec);
    event ChangeWithdrawn(uint256 indexed changeId);
    event ChangeApplied(uint256 indexed changeId, ChangeKind kind, bytes data);

    error NotGovernor(address caller);
    error UnknownChange(uint256 changeId);
    error ChangeNotReady(uint256 readyAtSec);
    error ChangeLapsed(uint256 lapsedAtSec);
    /// @notice The same target changed after this was announced: announce again, so that steps do not add up.
    error ChangeOvertaken(uint256 changedAtSec);
    error BadSigner(address signer);
    error NotRollup(address caller);
    error RollupNotBindable(address bound, uint256 announcementCount);

    modifier onlyGovernor() {
        if (msg.sender != governor) revert NotGovernor(msg.sender);
        _;
    }

    /// @param oracle where RiskOracle will stand: it refuses to be created anywhere else
    constructor(
        InitialParameters memory initial,
        IRoundProofs roundProofs,
        IIndexSource oracle
    ) Registry(roundProofs, initial.instrumentLimit) {
        ListingRules.requireWithin("delaySec", initial.delaySec, DELAY_SEC_MIN, 365 days);
        indexSource = oracle;
        delaySec = initial.delaySec;
        startIndexMicros = initial.indexMicros;
        _setGovernor(initial.governor);
        _setEsCount(initial.esCount);
        _setSigners(initial.signers);
        for (uint256 u = 0; u < UNDERLYING_COUNT; ++u) {
            _setUnderlying(u, initial.baseScanRangePpm[u], initial.referenceVolPpm[u]);
            _setOptions(u, initial.options[u]);
        }
        for (uint256 place = 0; place < initial.instruments.length; ++place) {
            if (initial.instruments[place][0] == 0) continue;
            Instrument memory instrument = _unpacked(initial.instruments[place]);
            ListingRules.requireWithin("underlying", instrument.underlying, 0, UNDERLYING_COUNT - 1);
            _list(place, instrument, initial.indexMicros[instrument.underlying]);
        }
        for (uint256 u = 0; u < UNDERLYING_COUNT; ++u) _refreshIndexRange(u, initial.indexMicros[u]);
        _publishRegistry();
    }

    // ---- reading ----

    function signers() external view returns (address[SIGNER_COUNT] memory) {
        return _signers;
    }

    /// @inheritdoc IRiskParameters
    function roundParameters() external view returns (RoundParameters memory current) {
        current.registryHash = registryHash;
        current.esCount = esCount;
        current.reportsFromSec = reportsFromSec;
        current.underlyings = _underlyingParameters;
        current.blocks = _blockListings();
    }

    // ---- what expires ----

    /// @notice Names the rollup whose positions this registry is about.
    function bindRollup(address newRollup) external onlyGovernor {
        if (rollup != address(0) || newRollup == address(0) || announcementCount != 0) {
            revert RollupNotBindable(rollup, announcementCount);
        }
        rollup = newRollup;
        emit RollupBound(newRollup);
    }

    /// @inheritdoc IRiskParameters
    function retire(uint256 instrumentId) external {
        if (msg.sender != rollup) revert NotRollup(msg.sender);
        _retire(instrumentId);
    }

    /// @notice Anyone may empty a block that is settled and of which nobody holds anything.
    /// @param blockPlace over all segments
    function clearBlock(uint256 blockPlace) external {
        uint256 underlying = _clearBlock(blockPlace);
        _refreshIndexRange(underlying, indexSource.indexMicrosOf(underlying));
        _publishRegistry();
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
            reportsFromSec = uint40(block.timestamp + LISTING_SEC);
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

    // ---- setting ----

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

    /// @dev A packed instrument of InitialParameters.
    function _unpacked(uint256[2] memory words) private pure returns (Instrument memory instrument) {
        (uint256 low, uint256 high) = (words[0], words[1]);
        instrument.id = uint24(low);
        instrument.kind = InstrumentKind(uint8(low >> 24));
        instrument.underlying = uint8(low >> 32);
        instrument.isReduceOnly = uint8(low >> 40) != 0;
        instrument.lotE8 = uint32(low >> 48);
        instrument.chargeImPpm = uint24(low >> 80);
        instrument.chargeMmPpm = uint24(low >> 104);
        instrument.bandPpm = uint24(low >> 128);
        instrument.penaltyPpm = uint24(low >> 152);
        instrument.openInterestCapLots = uint48(high);
        instrument.positionCapLots = uint48(high >> 48);
        instrument.expirySec = uint40(high >> 96);
        instrument.strikeMicrosPerLot = uint40(high >> 136);
    }

    function _contentHash(ChangeKind kind, bytes calldata data) private pure returns (bytes32) {
        return keccak256(abi.encode(kind, data));
    }

    function _target(bytes32 what, uint256 which) private pure returns (bytes32) {
        return keccak256(abi.encode(what, which));
    }
}
