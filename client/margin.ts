/**
 * What-if answers for a trader, computed from public data only: the leaf (published with every batch) and
 * the round's proved table. The rule itself is `protocol/risk/margin`; nothing here is a second opinion.
 */
import type { Account, PositionSlot } from '#protocol/account.ts';
import { InputError } from '#protocol/errors.ts';
import type { RiskRow, RiskTable } from '#protocol/instrument.ts';
import { STANDARD_SHAPE, type StateShape } from '#protocol/limits.ts';
import {
  type AccountMargin,
  coversInitialMargin,
  marginOf,
  transferMarginGap,
} from '#protocol/risk/margin.ts';
import { rowOf } from '#protocol/risk/table.ts';
import { divideDown, type Lots, type Micros, min } from '#protocol/units.ts';

export type { AccountMargin } from '#protocol/risk/margin.ts';
export { marginOf } from '#protocol/risk/margin.ts';

const QUOTE_RULE_SHARE = 4n; // quoteBalance ≥ −4/10 of the haircut spot value
const SIZE_TRIED_MAX = 1n << 46n;

export const equityMicros = (account: Account, table: RiskTable, shape = STANDARD_SHAPE): Micros =>
  marginOf(account, table, shape).equity;

function listedRow(table: RiskTable, instrumentId: number): RiskRow {
  const row = rowOf(table, instrumentId);
  if (row === undefined) throw new InputError('instrumentId', instrumentId, 'not listed in this round');
  return row;
}

/**
 * The account after a fill at a price, fees left out. `signedLots`: + buys, − sells.
 * @throws InputError when no slot is free, or when spot is sold that is not held.
 */
export function afterFill(account: Account, row: RiskRow, signedLots: bigint, microsPerLot: bigint): Account {
  const cashStar = (account.cashStar - signedLots * (microsPerLot - row.fundingIndex)) as Micros;
  if (row.isSpot) {
    const held = account.spot[row.instrumentId - 1] + signedLots;
    if (held < 0n) throw new InputError('sizeLots', -signedLots, 'more spot than the account holds');
    return {
      ...account,
      cashStar,
      spot: account.spot.map((s, i) => (i === row.instrumentId - 1 ? (held as Lots) : s)),
    };
  }
  const known = account.slots.findIndex((slot) => slot.instrumentId === row.instrumentId);
  const place = known >= 0 ? known : account.slots.findIndex((slot) => slot.size === 0n);
  if (place < 0) throw new InputError('slots', account.slots.length, 'every position slot is taken');
  const size = ((known >= 0 ? account.slots[known].size : 0n) + signedLots) as Lots;
  const slot: PositionSlot = { instrumentId: size === 0n ? 0 : row.instrumentId, size };
  return { ...account, cashStar, slots: account.slots.map((old, i) => (i === place ? slot : old)) };
}

const quoteRuleGap = (margin: AccountMargin): bigint =>
  10n * margin.quoteBalance + QUOTE_RULE_SHARE * margin.haircutSpot;

/** Whether a fill leaves the account open: equity ≥ IM, and the quote rule (docs/protocol.md §5, cause F). */
export function isOpenAfter(before: AccountMargin, after: AccountMargin): boolean {
  return coversInitialMargin(after) && quoteRuleGap(after) >= min(0n, quoteRuleGap(before));
}

/**
 * The largest order that initial margin and the quote rule allow at `limitMicrosPerLot`, fees left out; 0 if
 * none. Exact for an account whose risk grows with the size; never more than is allowed.
 */
export function largestOrderLots(
  account: Account,
  table: RiskTable,
  instrumentId: number,
  side: 'buy' | 'sell',
  limitMicrosPerLot: bigint,
  shape: StateShape = STANDARD_SHAPE,
): bigint {
  const row = listedRow(table, instrumentId);
  const before = marginOf(account, table, shape);
  const sign = side === 'buy' ? 1n : -1n;
  const isAllowed = (lots: bigint): boolean => {
    if (row.isSpot && side === 'sell' && lots > account.spot[instrumentId - 1]) return false;
    return isOpenAfter(
      before,
      marginOf(afterFill(account, row, sign * lots, limitMicrosPerLot), table, shape),
    );
  };
  let allowed = 0n;
  let refused = 1n;
  while (refused < SIZE_TRIED_MAX && isAllowed(refused)) {
    allowed = refused;
    refused *= 2n;
  }
  while (refused - allowed > 1n) {
    const middle = (allowed + refused) / 2n;
    if (isAllowed(middle)) allowed = middle;
    else refused = middle;
  }
  return allowed;
}

/** Quote money that could leave now: equity stays ≥ 1.25·IM and quoteBalance ≥ 0. Rounded down, at least 0. */
export function withdrawableMicros(account: Account, table: RiskTable, shape = STANDARD_SHAPE): Micros {
  const margin = marginOf(account, table, shape);
  const k = margin.esCount;
  const spare = divideDown(transferMarginGap(margin), 400n * k);
  const most = min(spare, margin.quoteBalance as bigint);
  return (most > 0n ? most : 0n) as Micros;
}
