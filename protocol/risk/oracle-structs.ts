/** The oracle's Solidity structs (`contracts/libraries/RiskTypes.sol`) as plain data, and back. */
import type { BatchProof } from '../batch/batch.ts';
import { type PackField, pack } from '../pack.ts';
import { lots } from '../units.ts';
import type { RoundValues, UnderlyingParameters } from './oracle-state.ts';
import {
  type OptionParameters,
  placeCount,
  type Registry,
  type RegistryEntry,
  type RegistryKind,
  type SegmentGeometry,
  slotsOf,
} from './registry.ts';
import { RISK_WORD_END_HASH, type SegmentStatement } from './risk-words.ts';

/** InstrumentKind of the contract. */
const KINDS = ['spot', 'perp', 'future', 'option'] as const satisfies readonly RegistryKind[];

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
  readonly expirySec: bigint;
  readonly strikeMicrosPerLot: bigint;
}

const EMPTY_PLACE: InstrumentStruct = {
  id: 0n,
  kind: 0n,
  underlying: 0n,
  isReduceOnly: false,
  lotE8: 0n,
  chargeImPpm: 0n,
  chargeMmPpm: 0n,
  bandPpm: 0n,
  penaltyPpm: 0n,
  openInterestCapLots: 0n,
  positionCapLots: 0n,
  expirySec: 0n,
  strikeMicrosPerLot: 0n,
};

/** A place as the contract holds it: all zeros where nothing is listed. */
export function instrumentStruct(entry: RegistryEntry | undefined): InstrumentStruct {
  if (entry === undefined) return EMPTY_PLACE;
  return {
    id: BigInt(entry.id),
    kind: BigInt(KINDS.indexOf(entry.kind)),
    underlying: BigInt(entry.underlying),
    isReduceOnly: entry.isReduceOnly,
    lotE8: entry.lotE8,
    chargeImPpm: entry.chargeImPpm,
    chargeMmPpm: entry.chargeMmPpm,
    bandPpm: entry.bandPpm,
    penaltyPpm: entry.penaltyPpm,
    openInterestCapLots: entry.openInterestCap,
    positionCapLots: entry.positionCap,
    expirySec: entry.expirySec,
    strikeMicrosPerLot: entry.strikeMicrosPerLot,
  };
}

/** The registry of an event RegistryChanged, or of RiskParameters.instruments(). */
export const registryFromStructs = (structs: readonly InstrumentStruct[]): Registry =>
  structs.map((struct) =>
    struct.id === 0n
      ? undefined
      : {
          id: Number(struct.id),
          kind: KINDS[Number(struct.kind)],
          underlying: Number(struct.underlying),
          lotE8: struct.lotE8,
          chargeImPpm: struct.chargeImPpm,
          chargeMmPpm: struct.chargeMmPpm,
          bandPpm: struct.bandPpm,
          penaltyPpm: struct.penaltyPpm,
          openInterestCap: lots(struct.openInterestCapLots),
          positionCap: lots(struct.positionCapLots),
          isReduceOnly: struct.isReduceOnly,
          expirySec: struct.expirySec,
          strikeMicrosPerLot: struct.strikeMicrosPerLot,
        },
  );

export interface GeometryStruct {
  readonly linear: bigint;
  readonly blocks: bigint;
  readonly strikesPerBlock: bigint;
}

export const geometryStruct = ({ linear, blocks, strikesPerBlock }: SegmentGeometry): GeometryStruct => ({
  linear: BigInt(linear),
  blocks: BigInt(blocks),
  strikesPerBlock: BigInt(strikesPerBlock),
});

/** The segments of RiskParameters.segments(): one follows the other. The contract does not know their names. */
export function geometriesFromStructs(structs: readonly GeometryStruct[]): SegmentGeometry[] {
  let startSlot = 0;
  return structs.map(({ linear, blocks, strikesPerBlock }, i) => {
    const geometry: SegmentGeometry = {
      name: `segment ${i}`,
      startSlot,
      linear: Number(linear),
      blocks: Number(blocks),
      strikesPerBlock: Number(strikesPerBlock),
    };
    startSlot += slotsOf(geometry);
    return geometry;
  });
}

/** Twin of SegmentProof. */
export interface SegmentProofStruct {
  readonly listed: readonly InstrumentStruct[];
  readonly endHash: bigint;
  readonly commitment: bigint;
  readonly isSurfaceSound: boolean;
  readonly proof: BatchProof;
}

/** The last argument of RiskOracle.proveRound: the registry by segments, each with what was proved of it. */
export function segmentProofStructs(
  registry: Registry,
  proved: readonly (Pick<SegmentStatement, 'geometry' | 'isSurfaceSound' | 'words' | 'publicInputs'> & {
    readonly proof: BatchProof;
  })[],
): SegmentProofStruct[] {
  let first = 0;
  return proved.map(({ geometry, isSurfaceSound, words, publicInputs, proof }) => {
    const listed = Array.from({ length: placeCount(geometry) }, (_, i) =>
      instrumentStruct(registry[first + i]),
    );
    first += placeCount(geometry);
    return {
      listed,
      endHash: words[RISK_WORD_END_HASH],
      commitment: publicInputs.commitment,
      isSurfaceSound,
      proof,
    };
  });
}

export interface UnderlyingValuesStruct {
  readonly indexMicros: bigint;
  readonly premiumPpm: bigint;
  readonly scanRangePpm: bigint;
  readonly scanFactorE9: bigint;
  readonly fundingMicrosPerCoin: bigint;
  readonly options: OptionParameters;
}

export interface RoundValuesStruct {
  readonly roundNumber: bigint;
  readonly timeSec: bigint;
  readonly isJump: boolean;
  readonly esCount: bigint;
  readonly registryHash: string;
  readonly underlyings: readonly UnderlyingValuesStruct[];
  readonly basisPpb: readonly bigint[];
  readonly volPpm: readonly bigint[];
  readonly settlementMicros: readonly bigint[];
}

export const roundValuesStruct = (values: RoundValues, registryHash: string): RoundValuesStruct => ({
  roundNumber: values.roundNumber,
  timeSec: values.timeSec,
  isJump: values.isJump,
  esCount: BigInt(values.esCount),
  registryHash,
  underlyings: values.underlyings.map(copyUnderlying),
  basisPpb: [...values.basisPpb],
  volPpm: [...values.volPpm],
  settlementMicros: [...values.settlementMicros],
});

/** The values of an event RoundPosted. */
export const roundValuesFromStruct = (struct: RoundValuesStruct): RoundValues => ({
  roundNumber: struct.roundNumber,
  timeSec: struct.timeSec,
  isJump: struct.isJump,
  esCount: Number(struct.esCount),
  underlyings: struct.underlyings.map(copyUnderlying),
  // A contract library may give an empty list as an object without a length.
  basisPpb: Array.from(struct.basisPpb),
  volPpm: Array.from(struct.volPpm),
  settlementMicros: Array.from(struct.settlementMicros),
});

const copyUnderlying = (values: UnderlyingValuesStruct): UnderlyingValuesStruct => ({
  indexMicros: values.indexMicros,
  premiumPpm: values.premiumPpm,
  scanRangePpm: values.scanRangePpm,
  scanFactorE9: values.scanFactorE9,
  fundingMicrosPerCoin: values.fundingMicrosPerCoin,
  options: copyOptions(values.options),
});

const copyOptions = (options: OptionParameters): OptionParameters => ({
  volUpPpm: options.volUpPpm,
  volDownPpm: options.volDownPpm,
  volUpFloorPpm: options.volUpFloorPpm,
  rollMinPpm: options.rollMinPpm,
  rollPerYearPpm: options.rollPerYearPpm,
  shortImPpm: options.shortImPpm,
  shortMmPpm: options.shortMmPpm,
  bandPpm: options.bandPpm,
  penaltyPpm: options.penaltyPpm,
  addOnUnitDollars: options.addOnUnitDollars,
});

/** Who governs, signs and limits a new oracle. */
export interface OracleSettings {
  readonly governor: string;
  readonly delaySec: bigint;
  /** Instruments that may be listed, an option counting as two. */
  readonly instrumentLimit: number;
  readonly esCount: number;
  /** Five. */
  readonly signers: readonly string[];
  /** Prices at deployment: the first round is a jump unless it is within 10 % of them. */
  readonly indexMicros: readonly bigint[];
  readonly underlyings: readonly UnderlyingParameters[];
  readonly registry: Registry;
}

/** An instrument of InitialParameters: its fields in order, each in its own width, the first lowest. */
const PACKED_FIELDS: readonly (readonly PackField[])[] = [
  [
    { name: 'id', bits: 24 },
    { name: 'kind', bits: 8 },
    { name: 'underlying', bits: 8 },
    { name: 'isReduceOnly', bits: 8 },
    { name: 'lotE8', bits: 32 },
    { name: 'chargeImPpm', bits: 24 },
    { name: 'chargeMmPpm', bits: 24 },
    { name: 'bandPpm', bits: 24 },
    { name: 'penaltyPpm', bits: 24 },
  ],
  [
    { name: 'openInterestCapLots', bits: 48 },
    { name: 'positionCapLots', bits: 48 },
    { name: 'expirySec', bits: 40 },
    { name: 'strikeMicrosPerLot', bits: 40 },
  ],
];

function packedInstrument(entry: RegistryEntry | undefined): bigint[] {
  const struct = instrumentStruct(entry);
  const values = { ...struct, isReduceOnly: struct.isReduceOnly ? 1n : 0n };
  return PACKED_FIELDS.map((fields) => pack(fields, values));
}

/** The first argument of RiskParameters' constructor. */
export const initialParametersStruct = (settings: OracleSettings) => ({
  governor: settings.governor,
  delaySec: settings.delaySec,
  instrumentLimit: settings.instrumentLimit,
  esCount: settings.esCount,
  signers: settings.signers,
  baseScanRangePpm: settings.underlyings.map(({ baseScanRangePpm }) => baseScanRangePpm),
  referenceVolPpm: settings.underlyings.map(({ referenceVolPpm }) => referenceVolPpm),
  options: settings.underlyings.map(({ options }) => options),
  indexMicros: settings.indexMicros,
  // Empty places at the end need not be told, and a deployment may not be longer than 49,152 bytes.
  instruments: settings.registry
    .slice(0, settings.registry.findLastIndex((entry) => entry !== undefined) + 1)
    .map(packedInstrument),
});
