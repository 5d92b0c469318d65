/**
 * The batch circuits that one rollup has deployed, over the same shape of the state. A batch is filled with the room of
 * the largest and sealed for the smallest that holds it: what is proved costs what the batch needs.
 */
import { InputError } from '../errors.ts';
import { type BatchCapacity, type RowCounts, SPOT_SLOTS, type StateShape } from '../limits.ts';

/** One of them. Its place in the list is the `sizeIndex` that the contract knows it by. */
export interface BatchSize {
  readonly capacity: BatchCapacity;
  /** Public word 0: chain, contract and this circuit. */
  readonly domainWord: bigint;
}

const ROW_KINDS = [
  'accounts',
  'signatures',
  'messages',
  'instruments',
  'l1Operations',
  'withdrawals',
  'liquidations',
  'settlements',
] as const satisfies readonly (keyof RowCounts)[];

const fits = (rows: RowCounts, room: RowCounts): boolean =>
  ROW_KINDS.every((kind) => rows[kind] <= room[kind]);

/**
 * In order, a size has at least the rows of the one before: so the last holds every batch that another holds, and the
 * first that fits is the smallest.
 * @throws InputError without any size, or where one has less of something, or is the same, as the one before
 */
export function requireOrdered(capacities: readonly BatchCapacity[]): void {
  if (capacities.length === 0) throw new InputError('sizes', '[]', 'a rollup has at least one batch size');
  for (const [i, capacity] of capacities.entries()) {
    const before = capacities[i - 1];
    if (before === undefined) continue;
    if (fits(before, capacity) && !fits(capacity, before)) continue;
    throw new InputError(
      `sizes[${i}]`,
      capacity.name,
      `each size has at least the rows of the one before, here ${before.name}, and more of some`,
    );
  }
}

/** @throws InputError where `requireOrdered` does, and where two sizes have one circuit */
export function requireSizes(sizes: readonly BatchSize[]): void {
  requireOrdered(sizes.map(({ capacity }) => capacity));
  for (const [i, { capacity, domainWord }] of sizes.entries()) {
    if (sizes.findIndex((size) => size.domainWord === domainWord) === i) continue;
    throw new InputError(`sizes[${i}].domainWord`, domainWord, `${capacity.name} has a circuit of its own`);
  }
}

/** The room a batch is opened with; `sizes` in order, at least one. */
export const largestSize = (sizes: readonly BatchSize[]): BatchSize => sizes[sizes.length - 1];

/** Index of the smallest size that holds so many rows; −1 where none does. */
export const smallestFitting = (sizes: readonly BatchSize[], rows: RowCounts): number =>
  sizes.findIndex(({ capacity }) => fits(rows, capacity));

/**
 * How many instruments may be listed, so that an empty batch of the largest size always holds any one L1 operation,
 * trade or liquidation. A batch has a row for every instrument that a touched account holds. Either the whole list fits
 * it, or every leg of two accounts does that share the one they trade: then the list may be of any length. Without this
 * an account could hold what its counterparties do not, and no batch could liquidate it.
 */
export function instrumentLimit(capacities: readonly BatchCapacity[], shape: StateShape): number {
  const rows = Math.max(...capacities.map(({ instruments }) => instruments));
  const legs = shape.derivativeSlots + SPOT_SLOTS;
  return rows >= 2 * legs - 1 ? Number.POSITIVE_INFINITY : rows;
}
