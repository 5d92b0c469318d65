// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

/// @dev UNDERLYINGS of protocol/instrument.ts: BTC, ETH.
uint256 constant UNDERLYING_COUNT = 2;
uint256 constant SIGNER_COUNT = 5;

/// @notice What a place may list. An option is a strike: its call and its put.
enum InstrumentKind {
    Spot,
    Perpetual,
    Future,
    Option
}

/// @notice What is listed at a place; id 0 is an empty place. Twin of RegistryEntry (protocol/risk/registry.ts).
/// @param id of an option: the call's, which is even; the put's is the next
/// @param lotE8 size of one lot, 1e-8 of a coin
/// @param chargeImPpm spot: haircut of a lot before its factor; perpetual, future: charge of either side; option: 0
/// @param penaltyPpm rates of options, bandPpm among them, stand in OptionParameters; here they are 0
/// @param openInterestCapLots option: of call and put each, as positionCapLots
/// @param expirySec 0 but for futures and options
/// @param strikeMicrosPerLot 0 but for options
struct Instrument {
    uint24 id;
    InstrumentKind kind;
    uint8 underlying;
    bool isReduceOnly;
    uint32 lotE8;
    uint24 chargeImPpm;
    uint24 chargeMmPpm;
    uint24 bandPpm;
    uint24 penaltyPpm;
    uint48 openInterestCapLots;
    uint48 positionCapLots;
    uint40 expirySec;
    uint40 strikeMicrosPerLot;
}

/// @notice How options and dated futures of an underlying are margined. Twin of OptionParameters (protocol/risk/registry.ts).
/// @param volUpPpm shock of a volatility upwards at 30 days to expiry
/// @param volUpFloorPpm a volatility shocked upwards is at least this
/// @param rollMinPpm charge on delta for the time to expiry: the larger of this and rollPerYearPpm · years
/// @param shortImPpm charge of a short option, of the index price of its lot, as band and penalty
/// @param addOnUnitDollars net delta up to this pays nothing for its size (docs/margin.md, size add-on)
struct OptionParameters {
    uint24 volUpPpm;
    uint24 volDownPpm;
    uint24 volUpFloorPpm;
    uint24 rollMinPpm;
    uint24 rollPerYearPpm;
    uint24 shortImPpm;
    uint24 shortMmPpm;
    uint24 bandPpm;
    uint24 penaltyPpm;
    uint40 addOnUnitDollars;
}

/// @notice Places of one risk circuit: linear ones, then blocks of one future and some strikes.
struct SegmentGeometry {
    uint8 linear;
    uint8 blocks;
    uint8 strikesPerBlock;
}

/// @param baseScanRangePpm R0: the scan range at factor 1
/// @param referenceVolPpm long-run volatility of a day, where the factor is 1
/// @param indexMinMicros least index price of one coin at which every listed instrument has a row
/// @param indexMaxMicros most
struct UnderlyingParameters {
    uint24 baseScanRangePpm;
    uint24 referenceVolPpm;
    uint48 indexMinMicros;
    uint48 indexMaxMicros;
    OptionParameters options;
}

/// @notice What a round must know of an expiry block.
/// @param expirySec 0: nothing is listed in this block
/// @param futureId names the block's listing: no id is used twice
/// @param strikesMicrosPerLot one for each strike place of the block, 0 where nothing is listed
struct BlockListing {
    uint40 expirySec;
    uint8 underlying;
    uint32 lotE8;
    uint24 futureId;
    uint40[] strikesMicrosPerLot;
}

/// @notice What a round is made with.
/// @param registryHash keccak256(abi.encode(bytes32[])) over the segments in use, each keccak256(abi.encode(Instrument[]))
/// of its places
/// @param reportsFromSec least time of the reports of the first round after something was listed; 0: nothing was
/// @param blocks of all segments in their order
struct RoundParameters {
    bytes32 registryHash;
    uint8 esCount;
    uint40 reportsFromSec;
    UnderlyingParameters[UNDERLYING_COUNT] underlyings;
    BlockListing[] blocks;
}

/// @notice What a round says of one underlying. Twin of UnderlyingValues (protocol/risk/oracle-state.ts).
struct UnderlyingValues {
    uint48 indexMicros;
    int24 premiumPpm;
    uint24 scanRangePpm;
    uint32 scanFactorE9;
    int64 fundingMicrosPerCoin;
    OptionParameters options;
}

/// @notice All a round's table depends on: with the registry of that hash, its words follow.
/// @param basisPpb forward over index − 1, one for each expiry block; 0 where nothing is listed
/// @param volPpm annual volatility, one for each strike place; 0 where nothing is listed
/// @param settlementMicros index price of one coin at which a block is settled, one for each; 0 until then
struct RoundValues {
    uint64 roundNumber;
    uint64 timeSec;
    bool isJump;
    uint8 esCount;
    bytes32 registryHash;
    UnderlyingValues[UNDERLYING_COUNT] underlyings;
    int32[] basisPpb;
    uint24[] volPpm;
    uint48[] settlementMicros;
}

struct Proof {
    uint256[2] a;
    uint256[2][2] b;
    uint256[2] c;
}

/// @notice One segment of a round's table, proved.
/// @param listed what its places hold, as in RegistryChanged for the round's registry
/// @param endHash of the table's chain after this segment; of the whole table for the last
/// @param isSurfaceSound whether no two options of a block can be traded against each other at their marks for a sure gain
struct SegmentProof {
    Instrument[] listed;
    uint256 endHash;
    uint256 commitment;
    bool isSurfaceSound;
    Proof proof;
}

/// @notice What RiskOracle and its RiskParameters start with.
/// @param governor who announces changes
/// @param delaySec between the announcement of a change and its effect
/// @param instrumentLimit instruments that may be listed, an option counting as two
/// @param indexMicros prices at deployment; the first round is a jump unless it is near them
/// @param instruments by place, 0 where nothing is listed; places after the last are empty. Packed, because a deployment may not
/// be longer than 49,152 bytes: each field of Instrument, in its order, above the one before it and in its own width; up to
/// penaltyPpm in the first word, from openInterestCapLots on in the second
struct InitialParameters {
    address governor;
    uint256 delaySec;
    uint256 instrumentLimit;
    uint8 esCount;
    address[SIGNER_COUNT] signers;
    uint24[UNDERLYING_COUNT] baseScanRangePpm;
    uint24[UNDERLYING_COUNT] referenceVolPpm;
    OptionParameters[UNDERLYING_COUNT] options;
    uint48[UNDERLYING_COUNT] indexMicros;
    uint256[2][] instruments;
}
