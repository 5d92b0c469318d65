// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

/// @dev UNDERLYINGS of protocol/instrument.ts: BTC, ETH.
uint256 constant UNDERLYING_COUNT = 2;
uint256 constant SIGNER_COUNT = 5;

/// @notice What is listed. Dated futures and options have rows in the table's layout but no listing yet.
enum InstrumentKind {
    Spot,
    Perpetual
}

/// @notice An entry of the registry; its place there is its market slot. Twin of RegistryEntry (protocol/risk/round.ts).
/// @param lotE8 size of one lot, 1e-8 of a coin
/// @param chargeImPpm spot: haircut of a lot before its factor; else charge of either side
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
}

/// @notice What a round says of one underlying. Twin of UnderlyingValues (protocol/risk/oracle-state.ts).
struct UnderlyingValues {
    uint48 indexMicros;
    int24 premiumPpm;
    uint24 scanRangePpm;
    uint32 scanFactorE9;
    int64 fundingMicrosPerCoin;
}

/// @notice All a round's table depends on: with the registry of that hash, its words follow.
struct RoundValues {
    uint64 roundNumber;
    uint64 timeSec;
    bool isJump;
    uint8 esCount;
    bytes32 registryHash;
    UnderlyingValues[UNDERLYING_COUNT] underlyings;
}

/// @notice What RiskOracle and its RiskParameters start with.
/// @param governor who announces changes
/// @param delaySec between the announcement of a change and its effect
/// @param instrumentRows of the risk circuit: the length to which words are padded
/// @param instrumentLimit instruments that may be listed: rows of the smallest batch
/// @param indexMicros prices at deployment; the first round is a jump unless it is near them
struct InitialParameters {
    address governor;
    uint256 delaySec;
    uint256 instrumentRows;
    uint256 instrumentLimit;
    uint8 esCount;
    address[SIGNER_COUNT] signers;
    uint24[UNDERLYING_COUNT] baseScanRangePpm;
    uint24[UNDERLYING_COUNT] referenceVolPpm;
    uint48[UNDERLYING_COUNT] indexMicros;
    Instrument[] instruments;
}
