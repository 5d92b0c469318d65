/** The oracle's structs, events and readers as whoever reads L1 declares them (human-readable ABI). */

export const INSTRUMENT_TUPLE =
  'tuple(uint24 id, uint8 kind, uint8 underlying, bool isReduceOnly, uint32 lotE8, uint24 chargeImPpm, uint24 chargeMmPpm, uint24 bandPpm, uint24 penaltyPpm, uint48 openInterestCapLots, uint48 positionCapLots, uint40 expirySec, uint40 strikeMicrosPerLot)';
export const OPTION_PARAMETERS_TUPLE =
  'tuple(uint24 volUpPpm, uint24 volDownPpm, uint24 volUpFloorPpm, uint24 rollMinPpm, uint24 rollPerYearPpm, uint24 shortImPpm, uint24 shortMmPpm, uint24 bandPpm, uint24 penaltyPpm, uint40 addOnUnitDollars)';
const UNDERLYING_TUPLE = `tuple(uint48 indexMicros, int24 premiumPpm, uint24 scanRangePpm, uint32 scanFactorE9, int64 fundingMicrosPerCoin, ${OPTION_PARAMETERS_TUPLE} options)`;
export const ROUND_VALUES_TUPLE = `tuple(uint64 roundNumber, uint64 timeSec, bool isJump, uint8 esCount, bytes32 registryHash, ${UNDERLYING_TUPLE}[2] underlyings, int32[] basisPpb, uint24[] volPpm, uint48[] settlementMicros)`;

export const ROUND_POSTED_EVENT = `event RoundPosted(uint64 indexed roundNumber, ${ROUND_VALUES_TUPLE} round, uint128[2] indexSeconds)`;
export const ROUND_PROVED_EVENT =
  'event RoundProved(uint64 indexed roundNumber, uint256 indexed tableIndex, uint256 tableHash)';
export const BLOCK_SETTLED_EVENT =
  'event BlockSettled(uint256 indexed blockPlace, uint256 indexed futureId, uint256 settlementMicros)';
export const PARAMETERS_READER = 'function parameters() view returns (address)';

/** Of RiskParameters. */
export const PARAMETERS_ABI: readonly string[] = [
  `event RegistryChanged(bytes32 indexed registryHash, ${INSTRUMENT_TUPLE}[] instruments)`,
  'event BlockCleared(uint256 indexed blockPlace)',
  'function rollup() view returns (address)',
  'function segments() view returns (tuple(uint8 linear, uint8 blocks, uint8 strikesPerBlock)[])',
];
