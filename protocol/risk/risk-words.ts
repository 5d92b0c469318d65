/**
 * The public words of a proved risk round: their one order and encoding, shared by the contract
 * (`RiskOracle.proveRound`), the circuit (`circuits/risk/risk-table.circom`) and the prover.
 *
 * Each segment of the table has a proof of its own over its words: 0 domain · 1 roundNumber · 2 startHash ·
 * 3 endHash · 4 flags · one word per underlying · two words per linear place · per block two words of its
 * future, one of its terms, one of its settlement, one per strike. What is not listed is zero. As in a batch, C = poseidonChain(words),
 * r = keccak256(C ‖ count ‖ words) mod p, y = Σ word_i · r^i, and (C, r, y) are the public inputs.
 */
import type { PublicInputs } from '../batch/batch.ts';
import { challengeOf, evaluationOf } from '../batch/words.ts';
import { CHAIN_RATE, POSEIDON_INPUTS_MAX, poseidonChain } from '../crypto/poseidon.ts';
import { invariant } from '../errors.ts';
import type { RiskTable } from '../instrument.ts';
import { INSTRUMENT_ID_BITS, SIZE_BITS, type StateShape, TIME_BITS } from '../limits.ts';
import { type PackField, pack } from '../pack.ts';
import { PPB_ONE } from './linear-price.ts';
import { OPTION_TIME_BITS, STRIKE_BITS, VOL_BITS } from './option/domain.ts';
import { placeCount, placesOf, type SegmentGeometry, slotsOf } from './registry.ts';
import { type BlockRound, blocksOf, buildRiskTable, type PlaceRound, type RiskRoundInputs } from './round.ts';
import { FUNDING_INDEX_BITS, INDEX_BITS } from './round-limits.ts';
import { type CallQuote, isBlockSound } from './surface.ts';
import { META_LAYOUT, rowHashes } from './table.ts';
import { type BlockTerms, effectiveCharges } from './terms.ts';

export const RISK_HEADER_WORDS = 5;
export const RISK_WORD_END_HASH = 3;
export const WORDS_PER_LINEAR_PLACE = 2;
/** Of a block, besides one for each strike. */
export const WORDS_PER_BLOCK = 4;
const PPM_BITS = 20;

export const FLAGS_LAYOUT: readonly PackField[] = [
  { name: 'isLast', bits: 1 },
  { name: 'isSurfaceSound', bits: 1 },
];

export const UNDERLYING_LAYOUT: readonly PackField[] = [
  { name: 'indexMicros', bits: INDEX_BITS },
  { name: 'scanRangePpm', bits: PPM_BITS },
];

/** Begins with the fields of the row's meta, so that meta is the word's low end. */
export const INSTRUMENT_PRICE_LAYOUT: readonly PackField[] = [
  ...META_LAYOUT,
  { name: 'lotE8', bits: 27 },
  { name: 'pricePpb', bits: 31 },
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

export const TERMS_LAYOUT = [
  { name: 'timeSec', bits: Number(OPTION_TIME_BITS) },
  { name: 'upPpm', bits: 22 },
  { name: 'downPpm', bits: PPM_BITS },
  { name: 'upFloorPpm', bits: Number(VOL_BITS) },
  { name: 'leastVolPpm', bits: Number(VOL_BITS) },
  { name: 'rollImPpm', bits: PPM_BITS },
  { name: 'rollMmPpm', bits: PPM_BITS },
  { name: 'shortImPpm', bits: PPM_BITS },
  { name: 'shortMmPpm', bits: PPM_BITS },
  { name: 'bandPpm', bits: PPM_BITS },
  { name: 'penaltyPpm', bits: PPM_BITS },
  { name: 'isSettled', bits: 1 },
] as const satisfies readonly (PackField & { readonly name: keyof BlockTerms | 'isSettled' })[];

export const SETTLEMENT_LAYOUT: readonly PackField[] = [{ name: 'settlementMicros', bits: INDEX_BITS }];

export const STRIKE_LAYOUT: readonly PackField[] = [
  { name: 'callId', bits: INSTRUMENT_ID_BITS },
  { name: 'isReduceOnly', bits: 1 },
  { name: 'strikeMicrosPerLot', bits: Number(STRIKE_BITS) },
  { name: 'volPpm', bits: Number(VOL_BITS) },
  { name: 'openInterestCap', bits: SIZE_BITS },
  { name: 'positionCap', bits: SIZE_BITS },
];

const FUNDING_BIAS = 1n << BigInt(FUNDING_INDEX_BITS);
const bit = (flag: boolean): bigint => (flag ? 1n : 0n);

function linearWords(
  { entry, premiumPpb, fundingIndexMicrosPerLot, settlementMicros }: PlaceRound,
  scanFactorE9: bigint,
  terms: BlockTerms | undefined,
): bigint[] {
  const charges = effectiveCharges(entry, scanFactorE9, terms);
  const isSettled = settlementMicros !== 0n;
  return [
    pack(INSTRUMENT_PRICE_LAYOUT, {
      instrumentId: BigInt(entry.id),
      underlying: BigInt(entry.underlying),
      isSpot: bit(entry.kind === 'spot'),
      isReduceOnly: bit(entry.isReduceOnly || isSettled),
      isSettled: bit(isSettled),
      lotE8: entry.lotE8,
      pricePpb: PPB_ONE + premiumPpb,
      chargeImPpm: charges.imPpm,
      chargeMmPpm: charges.mmPpm,
      bandPpm: entry.bandPpm,
      penaltyPpm: entry.penaltyPpm,
      fundingIndexBiased: fundingIndexMicrosPerLot + FUNDING_BIAS,
    }),
    pack(INSTRUMENT_LIMITS_LAYOUT, {
      openInterestCap: entry.openInterestCap,
      positionCap: entry.positionCap,
      expirySec: entry.expirySec,
    }),
  ];
}

const strikeWord = ({ entry, volPpm }: PlaceRound): bigint =>
  pack(STRIKE_LAYOUT, {
    callId: BigInt(entry.id),
    isReduceOnly: bit(entry.isReduceOnly),
    strikeMicrosPerLot: entry.strikeMicrosPerLot,
    volPpm,
    openInterestCap: entry.openInterestCap,
    positionCap: entry.positionCap,
  });

/** What the contract and the circuit of one segment agree on. */
export interface SegmentStatement {
  readonly geometry: SegmentGeometry;
  readonly isSurfaceSound: boolean;
  readonly words: readonly bigint[];
  readonly publicInputs: PublicInputs;
}

/** What the proofs of a round say together, and the table they stand for. */
export interface RiskStatements {
  readonly table: RiskTable;
  readonly tableHash: bigint;
  /** Otherwise the round is void: its table is not accepted. */
  readonly isSurfaceSound: boolean;
  /** One for each segment in use. */
  readonly segments: readonly SegmentStatement[];
}

/** Segments up to the last one with a listed place; at least one. */
export function segmentsInUse({ segments, places }: Pick<RiskRoundInputs, 'segments' | 'places'>): number {
  let inUse = 1;
  let first = 0;
  segments.forEach((segment, i) => {
    if (places.slice(first, first + placeCount(segment)).some((place) => place !== undefined)) inUse = i + 1;
    first += placeCount(segment);
  });
  return inUse;
}

/** The table's hash over the slots before this one: where a segment's proof begins. 0 at the first slot. */
const hashBefore = (hashes: readonly bigint[], slot: number): bigint =>
  slot === 0 ? 0n : poseidonChain(hashes.slice(0, slot));

/** The hash where a segment ends: of the whole table for the last one in use. */
export function endHashOf(hashes: readonly bigint[], geometry: SegmentGeometry, isLast: boolean): bigint {
  const end = geometry.startSlot + slotsOf(geometry);
  const isAligned = (end - POSEIDON_INPUTS_MAX) % CHAIN_RATE === 0;
  invariant(isLast || isAligned, 'a segment that is not the last ends with a link of the hash');
  return isLast ? poseidonChain(hashes) : hashBefore(hashes, end);
}

/** Soundness of a segment's surfaces, in the order of its blocks. */
function areBlocksSound(table: RiskTable, blocks: readonly (BlockRound | undefined)[]): boolean {
  const rows = new Map(table.rows.map((row) => [row.instrumentId, row]));
  return blocks.every((block) => {
    // Prices that nobody trades on contradict nothing.
    if (block === undefined || block.settlementMicros !== 0n) return true;
    const calls: CallQuote[] = block.strikes.map(({ listed: { entry } }) => ({
      strike: entry.strikeMicrosPerLot,
      mark: rows.get(entry.id)?.mark ?? 0n,
    }));
    return isBlockSound(rows.get(block.future.entry.id)?.mark ?? 0n, calls);
  });
}

/** Terms and settlement of a block. */
function blockWords(block: BlockRound | undefined): bigint[] {
  if (block === undefined) return [0n, 0n];
  const { terms, settlementMicros } = block;
  return [
    pack(TERMS_LAYOUT, { ...terms, isSettled: bit(settlementMicros !== 0n) }),
    pack(SETTLEMENT_LAYOUT, { settlementMicros }),
  ];
}

/** The words of a segment's places, `places` and `blocks` being its own. */
function placeWords(
  geometry: SegmentGeometry,
  places: readonly (PlaceRound | undefined)[],
  blocks: readonly (BlockRound | undefined)[],
  { underlyings }: RiskRoundInputs,
): bigint[] {
  return placesOf(geometry).flatMap((place, i) => {
    const listed = places[i];
    if (place.kind === 'strike') return [listed === undefined ? 0n : strikeWord(listed)];
    const block = place.kind === 'future' ? blocks[place.block] : undefined;
    const ofBlock = place.kind === 'future' ? blockWords(block) : [];
    if (listed === undefined) return [0n, 0n, ...ofBlock];
    const { scanFactorE9 } = underlyings[listed.entry.underlying];
    return [...linearWords(listed, scanFactorE9, block?.terms), ...ofBlock];
  });
}

function publicInputsOf(words: readonly bigint[]): PublicInputs {
  const commitment = poseidonChain(words);
  const challenge = challengeOf(commitment, words);
  return { commitment, challenge, evaluation: evaluationOf(words, challenge) };
}

/**
 * The statements of a round. `domainWords` = keccak(chain id, oracle, circuit hash) mod p by segment.
 * @throws InputError outside the domain of `buildRiskTable`.
 */
export function riskStatements(
  inputs: RiskRoundInputs,
  shape: StateShape,
  domainWords: readonly bigint[],
): RiskStatements {
  const table = buildRiskTable(inputs, shape);
  const hashes = rowHashes(table, shape);
  const allBlocks = blocksOf(inputs);
  const inUse = segmentsInUse(inputs);
  invariant(domainWords.length >= inUse, 'every segment in use has a domain');
  const underlyingWords = inputs.underlyings.map(({ indexMicros, scanRangePpm }) =>
    pack(UNDERLYING_LAYOUT, { indexMicros, scanRangePpm }),
  );
  let [firstPlace, firstBlock] = [0, 0];
  const segments = inputs.segments.slice(0, inUse).map((geometry, i): SegmentStatement => {
    const places = inputs.places.slice(firstPlace, firstPlace + placeCount(geometry));
    const blocks = allBlocks.slice(firstBlock, firstBlock + geometry.blocks);
    firstPlace += placeCount(geometry);
    firstBlock += geometry.blocks;
    const isSurfaceSound = areBlocksSound(table, blocks);
    const isLast = i === inUse - 1;
    const words = [
      domainWords[i],
      inputs.roundNumber,
      hashBefore(hashes, geometry.startSlot),
      endHashOf(hashes, geometry, isLast),
      pack(FLAGS_LAYOUT, { isLast: bit(isLast), isSurfaceSound: bit(isSurfaceSound) }),
      ...underlyingWords,
      ...placeWords(geometry, places, blocks, inputs),
    ];
    return { geometry, isSurfaceSound, words, publicInputs: publicInputsOf(words) };
  });
  return {
    table,
    tableHash: poseidonChain(hashes),
    isSurfaceSound: segments.every((segment) => segment.isSurfaceSound),
    segments,
  };
}
