/** Signals of L1 operation, liquidation and settlement rows: `circuits/row/{l1-operation,liquidation,settlement}.circom`. */
import type { CommittedSettlement } from '#protocol/batch/commitment.ts';
import { invariant } from '#protocol/errors.ts';
import { SPOT_SLOTS } from '#protocol/limits.ts';
import { transferMarginGap } from '#protocol/risk/margin.ts';
import { rowOf } from '#protocol/risk/table.ts';
import { quoteMeasure } from '#protocol/transition/judged.ts';
import type { Micros } from '#protocol/units.ts';
import type { BatchContext } from './context.ts';
import { bit, type RowSignals } from './signals.ts';

type Bound = 'margin' | 'quote' | 'debt' | 'empty';

/** Why a service cut short for margin could not be one unit larger (docs/protocol.md §5). */
function boundOf(context: BatchContext, accountIndex: number, tokenId: number): Bound {
  const { table, pricesUsable } = context.batch.content.header;
  const { change, marginAfter } = context.accountOf(accountIndex);
  const gap = (unit: bigint): bigint =>
    -transferMarginGap({ ...marginAfter, equity: (marginAfter.equity - unit) as Micros });
  if (tokenId === 0) return pricesUsable && gap(1n) > 0n ? 'margin' : 'quote';
  if (change.after.spot[tokenId - 1] === 0n) return 'empty';
  const row = rowOf(table, tokenId);
  invariant(row !== undefined, 'a withdrawn token is listed');
  return gap(2n * row.mark) > 0n || quoteMeasure(marginAfter) - 4n * row.mark >= 0n ? 'margin' : 'debt';
}

/** The shrink bit of an L1 row: it matters for deposits and withdrawals of spot only. */
export function isL1Shrinking(context: BatchContext, index: number): boolean {
  const operation = context.batch.content.l1Operations[index]?.operation;
  if (operation === undefined || operation.tokenId === 0) return false;
  if (operation.kind !== 'deposit' && operation.kind !== 'withdraw') return false;
  return context.isShrinking(operation.accountIndex, operation.tokenId);
}

export function l1Row(context: BatchContext, index: number): RowSignals {
  const entry = context.batch.content.l1Operations[index];
  const operation = entry?.operation;
  const outcome = entry?.outcome;
  const kind = operation?.kind;
  const tokenId = operation?.tokenId ?? 0;
  const bound =
    operation !== undefined && outcome?.reason === 'margin'
      ? boundOf(context, operation.accountIndex, tokenId)
      : undefined;
  return {
    isRegister: bit(kind === 'register'),
    isDeposit: bit(kind === 'deposit'),
    isWithdraw: bit(kind === 'withdraw'),
    isCancelAll: bit(kind === 'cancelAll'),
    isDonation: bit(kind === 'fundDonation'),
    accountIndex: BigInt(operation?.accountIndex ?? 0),
    tokenLow: BigInt(tokenId & 1),
    tokenHigh: BigInt(tokenId >> 1),
    amount: operation?.amount ?? 0n,
    isApplied: bit(outcome?.isApplied ?? false),
    served: outcome?.served ?? 0n,
    isLiquidityShort: bit(outcome?.reason === 'liquidity'),
    isMarginBound: bit(bound === 'margin'),
    isQuoteBound: bit(bound === 'quote'),
    isDebtBound: bit(bound === 'debt'),
    isEmptyBound: bit(bound === 'empty'),
    isShrinking: bit(isL1Shrinking(context, index)),
    publicKey: operation?.publicKey ?? [0n, 0n],
  };
}

export function liquidationRow(context: BatchContext, index: number): RowSignals {
  const { liquidations } = context.batch.content;
  const row = liquidations[index];
  const pending =
    row === undefined ? undefined : context.accountOf(row.accountIndex).events.liquidated?.pending;
  return {
    isUsed: bit(row !== undefined),
    accountIndex: BigInt(row?.accountIndex ?? 0),
    instrumentId: BigInt(row?.instrumentId ?? 0),
    isShort: bit(row?.isShort ?? false),
    closedLots: row?.closedLots ?? 0n,
    cashMicros: row?.cashMicros ?? 0n,
    pendingQuoteMicros: pending?.quoteMicros ?? 0n,
    pendingLots: Array.from({ length: SPOT_SLOTS }, (_, i) => pending?.spotLots[i] ?? 0n),
    isFirst: bit(
      row !== undefined &&
        liquidations.findIndex((other) => other.accountIndex === row.accountIndex) === index,
    ),
  };
}

export function committedSettlement(context: BatchContext, index: number): CommittedSettlement {
  const row = context.batch.content.settlements[index];
  return row === undefined
    ? { isUsed: false, accountIndex: 0, instrumentId: 0, isShort: false, lots: 0n }
    : { isUsed: true, ...row };
}

export const settlementRow = (row: CommittedSettlement): RowSignals => ({
  isUsed: bit(row.isUsed),
  accountIndex: BigInt(row.accountIndex),
  instrumentId: BigInt(row.instrumentId),
  isShort: bit(row.isShort),
  lots: row.lots,
});
