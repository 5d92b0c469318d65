/**
 * The public words of a proved risk round: their one order and encoding, shared by the contract
 * (`RiskOracle.proveRound`), the circuit (`circuits/risk/risk-linear.circom`) and the prover.
 *
 * 0 domain · 1 roundNumber · 2 tableHash · one word per underlying · two words per instrument row of the
 * circuit, zero where the registry ends. As in a batch, C = poseidonChain(words), r = keccak256(C ‖ count ‖
 * words) mod p, y = Σ word_i · r^i, and (C, r, y) are the public inputs.
 */
import type { PublicInputs } from '../batch/batch.ts';
import { challengeOf, evaluationOf } from '../batch/words.ts';
import { poseidonChain } from '../crypto/poseidon.ts';
import { InputError } from '../errors.ts';
import type { RiskTable } from '../instrument.ts';
import { SIZE_BITS, type StateShape, TIME_BITS } from '../limits.ts';
import { type PackField, pack } from '../pack.ts';
import { PPM_ONE } from '../units.ts';
import {
  buildRiskTable,
  effectiveChargePpm,
  FUNDING_INDEX_BITS,
  INDEX_BITS,
  type InstrumentRound,
  type RiskRoundInputs,
} from './round.ts';
import { META_LAYOUT, tableHash } from './table.ts';

/** Sizes of a risk circuit for linear instruments. */
export interface RiskCapacity {
  readonly name: string;
  /** Rows; the registry's limit may not exceed it. */
  readonly instruments: number;
}

export const RISK_LINEAR: RiskCapacity = { name: 'risk-linear', instruments: 8 };
/** Over TINY_SHAPE, for tests. */
export const RISK_LINEAR_TINY: RiskCapacity = { name: 'risk-linear-tiny', instruments: 4 };

export const RISK_HEADER_WORDS = 3;
const PPM_BITS = 20;

export const UNDERLYING_LAYOUT: readonly PackField[] = [
  { name: 'indexMicros', bits: INDEX_BITS },
  { name: 'scanRangePpm', bits: PPM_BITS },
];

/** Begins with the fields of the row's meta, so that meta is the word's low end. */
export const INSTRUMENT_PRICE_LAYOUT: readonly PackField[] = [
  ...META_LAYOUT,
  { name: 'lotE8', bits: 27 },
  { name: 'pricePpm', bits: PPM_BITS + 1 },
  { name: 'chargeImPpm', bits: PPM_BITS },
  { name: 'chargeMmPpm', bits: PPM_BITS },
  { name: 'bandPpm', bits: PPM_BITS },
  { name: 'penaltyPpm', bits: PPM_BITS },
  { name: 'fundingIndexBiased', bits: FUNDING_INDEX_BITS + 1 },
];

export const INSTRUMENT_LIMITS_LAYOUT: readonly PackField[] = [
  { name: 'openInterestCap', bits: SIZE_BITS },
  { name: 'positionCap', bits: SIZE_BITS },
  { name: 'expirySec', bits: TIME_BITS },
];

const FUNDING_BIAS = 1n << BigInt(FUNDING_INDEX_BITS);
const bit = (flag: boolean): bigint => (flag ? 1n : 0n);

function instrumentWords(instrument: InstrumentRound, scanFactorE9: bigint): bigint[] {
  const { entry } = instrument;
  return [
    pack(INSTRUMENT_PRICE_LAYOUT, {
      instrumentId: BigInt(entry.id),
      underlying: BigInt(entry.underlying),
      isSpot: bit(entry.kind === 'spot'),
      isReduceOnly: bit(entry.isReduceOnly),
      lotE8: entry.lotE8,
      pricePpm: PPM_ONE + instrument.premiumPpm,
      chargeImPpm: effectiveChargePpm(entry, entry.chargeImPpm, scanFactorE9),
      chargeMmPpm: effectiveChargePpm(entry, entry.chargeMmPpm, scanFactorE9),
      bandPpm: entry.bandPpm,
      penaltyPpm: entry.penaltyPpm,
      fundingIndexBiased: instrument.fundingIndexMicrosPerLot + FUNDING_BIAS,
    }),
    pack(INSTRUMENT_LIMITS_LAYOUT, {
      openInterestCap: entry.openInterestCap,
      positionCap: entry.positionCap,
      expirySec: entry.expirySec,
    }),
  ];
}

export const riskWordCount = (capacity: RiskCapacity, underlyings: number): number =>
  RISK_HEADER_WORDS + underlyings + 2 * capacity.instruments;

/** What the contract and the circuit agree on, and the table it stands for. */
export interface RiskStatement {
  readonly table: RiskTable;
  readonly tableHash: bigint;
  readonly words: readonly bigint[];
  readonly publicInputs: PublicInputs;
}

/**
 * The statement of a round. `domainWord` = keccak(chain id, oracle, circuit hash) mod p.
 * @throws InputError outside the domain of `buildRiskTable`, or when the circuit has too few rows.
 */
export function riskStatement(
  inputs: RiskRoundInputs,
  shape: StateShape,
  capacity: RiskCapacity,
  domainWord: bigint,
): RiskStatement {
  if (inputs.instruments.length > capacity.instruments) {
    throw new InputError(
      'instruments',
      inputs.instruments.length,
      `${capacity.name} has ${capacity.instruments} rows`,
    );
  }
  const table = buildRiskTable(inputs, shape);
  const hash = tableHash(table, shape);
  const words = [
    domainWord,
    inputs.roundNumber,
    hash,
    ...inputs.underlyings.map(({ indexMicros, scanRangePpm }) =>
      pack(UNDERLYING_LAYOUT, { indexMicros, scanRangePpm }),
    ),
    ...inputs.instruments.flatMap((instrument) =>
      instrumentWords(instrument, inputs.underlyings[instrument.entry.underlying].scanFactorE9),
    ),
  ];
  while (words.length < riskWordCount(capacity, inputs.underlyings.length)) words.push(0n);
  const commitment = poseidonChain(words);
  const challenge = challengeOf(commitment, words);
  return {
    table,
    tableHash: hash,
    words,
    publicInputs: { commitment, challenge, evaluation: evaluationOf(words, challenge) },
  };
}
