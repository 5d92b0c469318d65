/** The oracle's Solidity structs (`contracts/libraries/RiskTypes.sol`) as plain data, and back. */
import { InputError } from '../errors.ts';
import { lots } from '../units.ts';
import type { RoundValues, UnderlyingParameters } from './oracle-state.ts';
import type { RegistryEntry, RegistryKind } from './registry.ts';

/** InstrumentKind of the contract. */
const LISTED_KINDS = ['spot', 'perp'] as const satisfies readonly RegistryKind[];

/** Every field as a contract library returns it. */
export interface InstrumentStruct {
  readonly id: bigint;
  readonly kind: bigint;
  readonly underlying: bigint;
  readonly isReduceOnly: boolean;
  readonly lotE8: bigint;
  readonly chargeImPpm: bigint;
  readonly chargeMmPpm: bigint;
  readonly bandPpm: bigint;
  readonly penaltyPpm: bigint;
  readonly openInterestCapLots: bigint;
  readonly positionCapLots: bigint;
}

/** @throws InputError for a kind that the registry cannot list. */
export function instrumentStruct(entry: RegistryEntry): InstrumentStruct {
  const kind = (LISTED_KINDS as readonly RegistryKind[]).indexOf(entry.kind);
  if (kind < 0) throw new InputError('kind', entry.kind, `the registry lists ${LISTED_KINDS.join(', ')}`);
  return {
    id: BigInt(entry.id),
    kind: BigInt(kind),
    underlying: BigInt(entry.underlying),
    isReduceOnly: entry.isReduceOnly,
    lotE8: entry.lotE8,
    chargeImPpm: entry.chargeImPpm,
    chargeMmPpm: entry.chargeMmPpm,
    bandPpm: entry.bandPpm,
    penaltyPpm: entry.penaltyPpm,
    openInterestCapLots: entry.openInterestCap,
    positionCapLots: entry.positionCap,
  };
}

/** The registry of an event RegistryChanged, or of RiskParameters.instruments(). */
export const registryFromStructs = (structs: readonly InstrumentStruct[]): RegistryEntry[] =>
  structs.map((struct) => ({
    id: Number(struct.id),
    kind: LISTED_KINDS[Number(struct.kind)],
    underlying: Number(struct.underlying),
    lotE8: struct.lotE8,
    chargeImPpm: struct.chargeImPpm,
    chargeMmPpm: struct.chargeMmPpm,
    bandPpm: struct.bandPpm,
    penaltyPpm: struct.penaltyPpm,
    openInterestCap: lots(struct.openInterestCapLots),
    positionCap: lots(struct.positionCapLots),
    isReduceOnly: struct.isReduceOnly,
    expirySec: 0n,
    strikeMicrosPerLot: 0n,
  }));

export interface UnderlyingValuesStruct {
  readonly indexMicros: bigint;
  readonly premiumPpm: bigint;
  readonly scanRangePpm: bigint;
  readonly scanFactorE9: bigint;
  readonly fundingMicrosPerCoin: bigint;
}

export interface RoundValuesStruct {
  readonly roundNumber: bigint;
  readonly timeSec: bigint;
  readonly isJump: boolean;
  readonly esCount: bigint;
  readonly registryHash: string;
  readonly underlyings: readonly UnderlyingValuesStruct[];
}

export const roundValuesStruct = (values: RoundValues, registryHash: string): RoundValuesStruct => ({
  roundNumber: values.roundNumber,
  timeSec: values.timeSec,
  isJump: values.isJump,
  esCount: BigInt(values.esCount),
  registryHash,
  underlyings: values.underlyings.map(copyUnderlying),
});

/** The values of an event RoundPosted. */
export const roundValuesFromStruct = (struct: RoundValuesStruct): RoundValues => ({
  roundNumber: struct.roundNumber,
  timeSec: struct.timeSec,
  isJump: struct.isJump,
  esCount: Number(struct.esCount),
  underlyings: struct.underlyings.map(copyUnderlying),
});

const copyUnderlying = (values: UnderlyingValuesStruct): UnderlyingValuesStruct => ({
  indexMicros: values.indexMicros,
  premiumPpm: values.premiumPpm,
  scanRangePpm: values.scanRangePpm,
  scanFactorE9: values.scanFactorE9,
  fundingMicrosPerCoin: values.fundingMicrosPerCoin,
});

/** Who governs, signs and limits a new oracle. */
export interface OracleSettings {
  readonly governor: string;
  readonly delaySec: bigint;
  /** Rows of the risk circuit. */
  readonly instrumentRows: number;
  /** Rows of the smallest batch, at most the above. */
  readonly instrumentLimit: number;
  readonly esCount: number;
  /** Five. */
  readonly signers: readonly string[];
  /** Prices at deployment: the first round is a jump unless it is within 10 % of them. */
  readonly indexMicros: readonly bigint[];
  readonly underlyings: readonly UnderlyingParameters[];
  readonly registry: readonly RegistryEntry[];
}

/** The last argument of RiskOracle's constructor. */
export const initialParametersStruct = (settings: OracleSettings) => ({
  governor: settings.governor,
  delaySec: settings.delaySec,
  instrumentRows: settings.instrumentRows,
  instrumentLimit: settings.instrumentLimit,
  esCount: settings.esCount,
  signers: settings.signers,
  baseScanRangePpm: settings.underlyings.map(({ baseScanRangePpm }) => baseScanRangePpm),
  referenceVolPpm: settings.underlyings.map(({ referenceVolPpm }) => referenceVolPpm),
  indexMicros: settings.indexMicros,
  instruments: settings.registry.map(instrumentStruct),
});
