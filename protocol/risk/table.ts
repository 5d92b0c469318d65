/** Encoding and hash of a round's risk table: docs/protocol.md §4. The risk circuit proves its values. */
import { toField } from '../crypto/field.ts';
import { poseidon, poseidonChain } from '../crypto/poseidon.ts';
import { invariant } from '../errors.ts';
import { type RiskRow, type RiskTable, UNDERLYINGS } from '../instrument.ts';
import { INSTRUMENT_ID_BITS, type StateShape } from '../limits.ts';
import { pack } from '../pack.ts';
import { type MicrosPerLot, microsPerLot } from '../units.ts';
import { pairOfColumns } from './option/moves.ts';
import { scenariosOf } from './scenarios.ts';

export const META_LAYOUT = [
  { name: 'instrumentId', bits: INSTRUMENT_ID_BITS },
  { name: 'underlying', bits: 8 },
  { name: 'isSpot', bits: 1 },
  { name: 'isReduceOnly', bits: 1 },
  { name: 'isSettled', bits: 1 },
] as const;

/** Values of a row's encoding: one Poseidon block. */
export const ROW_VALUES = 15;
/** |loss of a pair| < 2^35: a packed loss is its sum with that. */
export const PAIR_LOSS_BITS = 35;
export const LOSSES_PER_ELEMENT = 7;

const bit = (flag: boolean): bigint => (flag ? 1n : 0n);

/** The pairs of MOVE_PAIRS that some column of some underlying uses, in increasing order: what a row packs. */
export function pairsOf({ scenarios }: Pick<StateShape, 'scenarios'>): number[] {
  const used = new Set(UNDERLYINGS.flatMap((_, u) => pairOfColumns(scenarios, u)));
  return [...used].sort((a, b) => a - b);
}

/** The risk array of a row: its loss in every scenario. `pairLosses` are those of pairsOf(shape), or none. */
export function columnLosses(
  linearLoss: MicrosPerLot,
  pairLosses: readonly MicrosPerLot[],
  underlying: number,
  shape: Pick<StateShape, 'scenarios'>,
): MicrosPerLot[] {
  const linear = scenariosOf(shape.scenarios).map(
    ({ quarters }) => BigInt(quarters[underlying]) * linearLoss,
  );
  if (pairLosses.length === 0) return linear.map(microsPerLot);
  const pairs = pairsOf(shape);
  invariant(pairLosses.length === pairs.length, 'an option has a loss for every pair of the shape');
  const pairOf = pairOfColumns(shape.scenarios, underlying);
  return linear.map((loss, s) => microsPerLot(loss + pairLosses[pairs.indexOf(pairOf[s])]));
}

/** Losses of pairs as field elements, seven in each, the first lowest. */
export function lossElements(pairLosses: readonly MicrosPerLot[]): bigint[] {
  const bias = 1n << BigInt(PAIR_LOSS_BITS);
  const elements: bigint[] = [];
  for (let start = 0; start < pairLosses.length; start += LOSSES_PER_ELEMENT) {
    const layout = pairLosses
      .slice(start, start + LOSSES_PER_ELEMENT)
      .map((_, i) => ({ name: `${i}`, bits: PAIR_LOSS_BITS + 1 }));
    elements.push(
      pack(layout, Object.fromEntries(layout.map(({ name }, i) => [name, pairLosses[start + i] + bias]))),
    );
  }
  return elements;
}

export const lossElementCount = (shape: Pick<StateShape, 'scenarios'>): number =>
  Math.ceil(pairsOf(shape).length / LOSSES_PER_ELEMENT);

/** 0 for a row without pair losses. */
export const lossesHash = (pairLosses: readonly MicrosPerLot[]): bigint =>
  pairLosses.length === 0 ? 0n : poseidon(lossElements(pairLosses));

/** Signed values of a row in the order in which they are hashed; length ROW_VALUES. */
export function rowValues(row: RiskRow, shape: Pick<StateShape, 'scenarios'>): bigint[] {
  const losses = columnLosses(row.linearLoss, row.pairLosses, row.underlying, shape);
  // The hash binds the losses only as what they are made of.
  invariant(
    losses.length === row.losses.length && losses.every((loss, s) => loss === row.losses[s]),
    'the risk array of a row is made of its linear and pair losses',
  );
  const meta = pack(META_LAYOUT, {
    instrumentId: BigInt(row.instrumentId),
    underlying: BigInt(row.underlying),
    isSpot: bit(row.isSpot),
    isReduceOnly: bit(row.isReduceOnly),
    isSettled: bit(row.isSettled),
  });
  return [
    meta,
    row.mark,
    row.fundingIndex,
    row.delta,
    row.chargeImLong,
    row.chargeImShort,
    row.chargeMmLong,
    row.chargeMmShort,
    row.band,
    row.penalty,
    row.openInterestCap,
    row.positionCap,
    row.expirySec,
    row.linearLoss,
    lossesHash(row.pairLosses),
  ];
}

export const rowHash = (row: RiskRow, shape: Pick<StateShape, 'scenarios'>): bigint =>
  poseidonChain(rowValues(row, shape).map(toField));

/** Hashes of all market slots, 0 where nothing is listed. */
export function rowHashes(table: RiskTable, shape: StateShape): bigint[] {
  const hashes = Array<bigint>(shape.marketSlots).fill(0n);
  for (const row of table.rows) {
    invariant(row.marketSlot < shape.marketSlots && hashes[row.marketSlot] === 0n, 'one row per market slot');
    hashes[row.marketSlot] = rowHash(row, shape);
  }
  return hashes;
}

export const tableHash = (table: RiskTable, shape: StateShape): bigint =>
  poseidonChain(rowHashes(table, shape));

/** The row of an instrument, or undefined if it is not listed in this round. */
export const rowOf = (table: RiskTable, instrumentId: number): RiskRow | undefined =>
  table.rows.find((row) => row.instrumentId === instrumentId);
