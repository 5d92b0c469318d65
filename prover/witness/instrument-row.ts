/** Signals of `circuits/row/instrument.circom` and `circuits/state/markets.circom`. */
import type { CommittedInstrument, CommittedMessage } from '#protocol/batch/commitment.ts';
import { poseidonChain } from '#protocol/crypto/poseidon.ts';
import { invariant } from '#protocol/errors.ts';
import type { RiskRow } from '#protocol/instrument.ts';
import {
  lossElementCount,
  lossElements,
  ROW_VALUES,
  rowHash,
  rowHashes,
  rowOf,
  rowValues,
} from '#protocol/risk/table.ts';
import { messageOf } from '#protocol/transition/events.ts';
import { batchInstruments } from '#protocol/transition/market-rules.ts';
import type { BatchContext } from './context.ts';
import type { Weights } from './list-values.ts';
import { bit, type RowSignals } from './signals.ts';

/** The rows of the table that the batch needs, in increasing order of id. */
export function usedRows(context: BatchContext): RiskRow[] {
  const { accounts, content, capacity } = context.batch;
  const rows = batchInstruments(accounts, content).map((id) => {
    const row = rowOf(content.header.table, id);
    invariant(row !== undefined, `instrument ${id} of the batch is listed`);
    return row;
  });
  invariant(
    rows.length <= capacity.instruments,
    'the batch has an instrument row for every instrument it needs',
  );
  return rows;
}

/** Fills of an instrument by shrink bit; a liquidation row always shrinks. */
function fillCounts(
  context: BatchContext,
  instrumentId: number,
  messages: readonly CommittedMessage[],
): { openingFills: number; shrinkingFills: number } {
  const { content } = context.batch;
  let [openingFills, shrinkingFills] = [0, 0];
  content.messages.forEach((row, i) => {
    const message = messageOf(content, row);
    if (message.kind !== 'order' || message.instrumentId !== instrumentId) return;
    if (messages[i].isShrinking) shrinkingFills++;
    else openingFills++;
  });
  shrinkingFills += content.liquidations.filter((row) => row.instrumentId === instrumentId).length;
  return { openingFills, shrinkingFills };
}

export function committedInstrument(
  context: BatchContext,
  row: RiskRow | undefined,
  messages: readonly CommittedMessage[],
): CommittedInstrument {
  const { shape, oldOpenInterest, newOpenInterest } = context.batch;
  if (row === undefined) {
    return {
      isUsed: false,
      rowHash: poseidonChain(Array<bigint>(ROW_VALUES).fill(0n)),
      oldInterestLots: 0n,
      restLots: 0n,
      marketSlot: 0,
      openingFills: 0,
      shrinkingFills: 0,
      isWithinCap: false,
    };
  }
  const [before, after] = [oldOpenInterest[row.marketSlot], newOpenInterest[row.marketSlot]];
  const isWithinCap = !row.isSpot && after <= 2n * row.openInterestCap;
  return {
    isUsed: true,
    rowHash: rowHash(row, shape),
    oldInterestLots: before,
    restLots: row.isSpot ? after : (isWithinCap ? 2n * row.openInterestCap : before) - after,
    marketSlot: row.marketSlot,
    ...fillCounts(context, row.instrumentId, messages),
    isWithinCap,
  };
}

export function instrumentRow(
  context: BatchContext,
  row: RiskRow | undefined,
  committed: CommittedInstrument,
  weights: Weights,
): RowSignals {
  const { shape, newOpenInterest } = context.batch;
  const hasLosses = row !== undefined && row.pairLosses.length > 0;
  return {
    isUsed: bit(committed.isUsed),
    row: row === undefined ? Array<bigint>(ROW_VALUES).fill(0n) : rowValues(row, shape),
    hasLosses: bit(hasLosses),
    lossElements: hasLosses ? lossElements(row.pairLosses) : Array<bigint>(lossElementCount(shape)).fill(0n),
    underlying: BigInt(row?.underlying ?? 0),
    isSpot: bit(row?.isSpot ?? false),
    isReduceOnly: bit(row?.isReduceOnly ?? false),
    isSettled: bit(row?.isSettled ?? false),
    marketSlot: BigInt(committed.marketSlot),
    oldInterestLots: committed.oldInterestLots,
    newInterestLots: row === undefined ? 0n : newOpenInterest[row.marketSlot],
    isWithinCap: bit(committed.isWithinCap),
    openingFills: BigInt(committed.openingFills),
    shrinkingFills: BigInt(committed.shrinkingFills),
    ...weights,
  };
}

/** The whole table by its row hashes, and open interest on both sides. */
export function marketSignals(context: BatchContext, rows: readonly RiskRow[]): RowSignals {
  const { shape, content, oldOpenInterest, newOpenInterest } = context.batch;
  return {
    marketRowHashes: rowHashes(content.header.table, shape),
    marketOldInterestLots: oldOpenInterest,
    marketNewInterestLots: newOpenInterest,
    marketHasRow: hasRow(context, rows).map(bit),
  };
}

export const hasRow = (context: BatchContext, rows: readonly RiskRow[]): boolean[] =>
  Array.from({ length: context.batch.shape.marketSlots }, (_, slot) =>
    rows.some((row) => row.marketSlot === slot),
  );
