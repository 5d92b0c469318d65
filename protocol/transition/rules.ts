/**
 * The account rules of a batch: docs/protocol.md §5. "before" is the leaf at the batch's start, "after"
 * the leaf now, both at the batch's round. Twin of circuits/row/health.circom. The exact margin stands for
 * the primal and the dual form alike: their best witnesses meet in it.
 */
import { sizeOf } from '../account.ts';
import { type Rejection, reject } from '../errors.ts';
import {
  coversInitialMargin,
  heldInstruments,
  isBelowMaintenance,
  maintenanceMarginGap,
} from '../risk/margin.ts';
import { rowOf } from '../risk/table.ts';
import { epochChangeCount, isWithdrawing } from './events.ts';
import {
  bandAllowance,
  isBeyondCap,
  isShrinking,
  type Judged,
  marginNumbers,
  pricesUnusable,
  quoteMeasure,
  shrinksEverywhere,
} from './judged.ts';
import { refuseLiquidation } from './liquidation-rules.ts';
import { needsNewBatch } from './refusals.ts';

/** No lending of the vault's quote against spot beyond 40 %, unless the shortfall does not grow. */
export function refuseQuoteDebt(judged: Judged): Rejection | undefined {
  const before = quoteMeasure(judged.marginBefore);
  const bound = before < 0n ? before : 0n;
  if (quoteMeasure(judged.marginAfter) >= bound) return undefined;
  return reject('quote-debt', 'quote debt may reach 40 % of the spot value after haircut, no more', {
    ...marginNumbers(judged),
    quoteBalanceMicros: judged.marginAfter.quoteBalance,
    haircutSpotMicros: judged.marginAfter.haircutSpot,
  });
}

/** Fills of an account that IM does not cover after them: they must bring it nearer to health. */
function refuseReducingFills(judged: Judged): Rejection | undefined {
  const { marginBefore: before, marginAfter: after } = judged;
  const numbers = marginNumbers(judged);
  if (after.maintenanceMarginTimes1000k > before.maintenanceMarginTimes1000k) {
    return reject('insufficient-margin', 'equity after the fill is below initial margin', numbers);
  }
  if (isBelowMaintenance(before)) {
    if (!shrinksEverywhere(judged)) {
      return reject('must-shrink', 'below maintenance margin every position may only shrink', numbers);
    }
    const lossMicros = before.equity - after.equity;
    const lossMicrosMax = bandAllowance(judged) + judged.feesMicros;
    if (lossMicros > lossMicrosMax) {
      const message = 'below maintenance margin a fill may not lose more than the price band';
      return reject('loss-bound', message, { ...numbers, lossMicros, lossMicrosMax });
    }
  }
  if (maintenanceMarginGap(after) < maintenanceMarginGap(before)) {
    return reject('insufficient-margin', 'the fill would bring liquidation nearer', numbers);
  }
  return undefined;
}

/** After signed fills: covered by IM, or nearer to it than before. */
function refuseFills(judged: Judged): Rejection | undefined {
  if (judged.events.orders.length === 0) return undefined;
  if (!judged.header.pricesUsable) return pricesUnusable(judged.accountIndex);
  if (!coversInitialMargin(judged.marginAfter)) {
    const refusal = refuseReducingFills(judged);
    if (refusal !== undefined) return refusal;
  }
  return refuseQuoteDebt(judged);
}

/** Rows flagged as shrinking, and what must be flagged: reduce-only orders and reduce-only markets. */
function refuseGrowth(judged: Judged): Rejection | undefined {
  for (const { message, execution } of judged.events.orders) {
    if (!execution.isShrinking) continue;
    const before = sizeOf(judged.before, message.instrumentId);
    const after = sizeOf(judged.after, message.instrumentId);
    if (!isShrinking(before, after)) {
      return reject('reduce-only', 'the position in this instrument may only shrink', {
        accountIndex: judged.accountIndex,
        instrumentId: message.instrumentId,
        beforeLots: before,
        afterLots: after,
      });
    }
  }
  return undefined;
}

/**
 * The cap binds orders that grow a position, and those that turn it; a position above a lowered cap may shrink. What
 * is liquidated or settled only shrinks. Spot has no cap here: a deposit that L1 took must always be provable.
 */
function refusePositionCap(judged: Judged): Rejection | undefined {
  for (const { message } of judged.events.orders) {
    const row = rowOf(judged.header.table, message.instrumentId);
    const before = sizeOf(judged.before, message.instrumentId);
    const after = sizeOf(judged.after, message.instrumentId);
    if (row === undefined || !isBeyondCap(after, row) || isShrinking(before, after)) continue;
    return reject('position-cap', 'the position is at its cap; only fills that shrink it pass', {
      accountIndex: judged.accountIndex,
      instrumentId: message.instrumentId,
      beforeLots: before,
      afterLots: after,
      positionCapLots: row.positionCap,
    });
  }
  return undefined;
}

/** Causes that exclude each other within one batch. */
function refuseCombination(judged: Judged): Rejection | undefined {
  const { accountIndex, events } = judged;
  const epochChanges = epochChangeCount(events);
  const messages = events.orders.length + events.cancels.length + events.withdrawals.length;
  if (epochChanges > 1)
    return needsNewBatch('one change of key or epoch per account and batch', { accountIndex });
  if (epochChanges === 1 && messages > 0) {
    return needsNewBatch('a batch that changes the epoch executes no message of the account', {
      accountIndex,
    });
  }
  const isPassive = events.orders.length === 0 && !isWithdrawing(events);
  const isLiquidated = events.liquidations.length > 0;
  const hasDeposit = events.l1Operations.some(({ operation }) => operation.kind === 'deposit');
  if (isLiquidated && !(isPassive && epochChanges === 0 && !hasDeposit)) {
    return needsNewBatch(
      'a liquidated account trades, withdraws, deposits and changes its key in other batches',
      {
        accountIndex,
      },
    );
  }
  if (events.fundPayments.length > 0 && !(isPassive && !isLiquidated && events.fundPayments.length === 1)) {
    return needsNewBatch('a batch that pays the debt of an account does nothing else with it', {
      accountIndex,
    });
  }
  return undefined;
}

/** The fund pays debt and nothing else; `isFundExhausted`: this batch pays all that is booked. */
function refuseFundPayment(judged: Judged, isFundExhausted: boolean): Rejection | undefined {
  if (judged.events.fundPayments.length === 0) return undefined;
  if (!judged.header.pricesUsable) return pricesUnusable(judged.accountIndex);
  const { cash } = judged.marginAfter;
  const [{ amountMicros }] = judged.events.fundPayments;
  const data = { accountIndex: judged.accountIndex, cashMicros: cash, amountMicros };
  if (heldInstruments(judged.after).length > 0) {
    return reject('still-holds-positions', 'the fund pays once nothing is left to close', data);
  }
  if (amountMicros <= 0n || cash > 0n || (cash !== 0n && !isFundExhausted)) {
    return reject('fund-payment', 'the fund pays exactly the debt, or all it has', data);
  }
  return undefined;
}

/**
 * The first rule of docs/protocol.md §5 that the account breaks, those of withdrawals apart
 * (`withdrawal-rules`). `isFundExhausted`: this batch pays all that is booked.
 */
export const judgeAccount = (judged: Judged, isFundExhausted: boolean): Rejection | undefined =>
  refuseCombination(judged) ??
  refuseGrowth(judged) ??
  refusePositionCap(judged) ??
  refuseFills(judged) ??
  refuseLiquidation(judged) ??
  refuseFundPayment(judged, isFundExhausted);
