/** When an account may be liquidated and how far: docs/protocol.md §5. */
import { type Account, sizeOf } from '../account.ts';
import type { PendingDeposits } from '../batch/batch.ts';
import { type Rejection, reject } from '../errors.ts';
import type { RiskTable } from '../instrument.ts';
import { LIQUIDATION_TOLERANCE_MICROS, QUOTE_DEBT_TOLERANCE_MICROS, type StateShape } from '../limits.ts';
import {
  type AccountMargin,
  heldInstruments,
  initialMarginGap,
  isBelowMaintenance,
  marginOf,
} from '../risk/margin.ts';
import {
  bandAllowance,
  type Judged,
  marginNumbers,
  pricesUnusable,
  quoteMeasure,
  shrinksEverywhere,
} from './judged.ts';

/** Quote debt beyond 60 % of the spot value after haircut. */
const isDeepInQuoteDebt = (margin: AccountMargin): boolean =>
  10n * margin.quoteBalance + 6n * margin.haircutSpot < 0n;

/**
 * Why an account may be liquidated at this round: 1 equity < MM, 2 quote debt; undefined when it may
 * not. An account that holds nothing has nothing to close: its debt is the fund's affair. `counted`: countedDeposits.
 */
export function liquidationReason(
  account: Account,
  table: RiskTable,
  shape: StateShape,
  counted?: PendingDeposits,
): 1 | 2 | undefined {
  if (heldInstruments(account).length === 0) return undefined;
  const margin = marginOf(account, table, shape, counted);
  if (isBelowMaintenance(margin)) return 1;
  return isDeepInQuoteDebt(margin) && account.spot.some((size) => size > 0n) ? 2 : undefined;
}

function refuseMarginLiquidation(judged: Judged): Rejection | undefined {
  const { marginBefore: before, marginAfter: after } = judged;
  const numbers = marginNumbers(judged);
  if (!isBelowMaintenance(before)) {
    return reject('not-liquidatable', 'equity covers maintenance margin', numbers);
  }
  if (after.maintenanceMarginTimes1000k >= before.maintenanceMarginTimes1000k) {
    return reject('margin-not-lower', 'a liquidation lowers maintenance margin', numbers);
  }
  const isSmall = before.maintenanceMarginTimes1000k < 1000n * before.esCount * LIQUIDATION_TOLERANCE_MICROS;
  const isWithin = initialMarginGap(after) <= 100n * after.esCount * LIQUIDATION_TOLERANCE_MICROS;
  if (!isSmall && !isWithin) {
    return reject('liquidated-too-much', 'a liquidation ends where the account is covered by IM again', {
      ...numbers,
      toleranceMicros: LIQUIDATION_TOLERANCE_MICROS,
    });
  }
  return undefined;
}

function refuseQuoteDebtLiquidation(judged: Judged): Rejection | undefined {
  const numbers = {
    ...marginNumbers(judged),
    quoteBalanceMicros: judged.marginAfter.quoteBalance,
    haircutSpotMicros: judged.marginAfter.haircutSpot,
  };
  if (!isDeepInQuoteDebt(judged.marginBefore)) {
    return reject('not-liquidatable', 'quote debt is within 60 % of the spot value after haircut', numbers);
  }
  const isUnchanged = judged.before.slots.every(
    (slot) => sizeOf(judged.after, slot.instrumentId) === slot.size,
  );
  if (!isUnchanged) return reject('spot-only', 'quote debt is repaid by selling spot, nothing else', numbers);
  if (quoteMeasure(judged.marginAfter) > 10n * QUOTE_DEBT_TOLERANCE_MICROS) {
    return reject('liquidated-too-much', 'the sale ends where quote debt is within 40 % again', {
      ...numbers,
      toleranceMicros: QUOTE_DEBT_TOLERANCE_MICROS,
    });
  }
  return undefined;
}

/** Rules of a liquidated account; price bands of single rows are the market's affair. */
export function refuseLiquidation(judged: Judged): Rejection | undefined {
  const { liquidated, liquidations } = judged.events;
  if (liquidations.length === 0 || liquidated === undefined) return undefined;
  if (!judged.header.pricesUsable) return pricesUnusable(judged.accountIndex);
  if (!shrinksEverywhere(judged)) {
    return reject('must-shrink', 'a liquidation only shrinks positions', marginNumbers(judged));
  }
  const refusal =
    liquidated.reason === 1 ? refuseMarginLiquidation(judged) : refuseQuoteDebtLiquidation(judged);
  if (refusal !== undefined) return refusal;
  const lossMicros = judged.marginBefore.equity - judged.marginAfter.equity;
  const lossMicrosMax = bandAllowance(judged) + judged.penaltyMicros;
  if (lossMicros <= lossMicrosMax) return undefined;
  return reject('loss-bound', 'a liquidation loses at most the price band and the penalty', {
    ...marginNumbers(judged),
    lossMicros,
    lossMicrosMax,
  });
}
