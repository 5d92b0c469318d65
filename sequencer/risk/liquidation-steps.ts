/**
 * What a liquidation could close next: positions against resting signed orders inside the band, each alone or several that
 * help only together, and how many lots are enough.
 */
import { type Account, sizeOf } from '#protocol/account.ts';
import type { PendingDeposits } from '#protocol/batch/batch.ts';
import { largestSize } from '#protocol/batch/sizes.ts';
import { lastPassing } from '#protocol/bisection.ts';
import type { RiskRow, RiskTable } from '#protocol/instrument.ts';
import {
  type AccountMargin,
  coversInitialMargin,
  heldInstruments,
  maintenanceMarginGap,
  marginOf,
} from '#protocol/risk/margin.ts';
import { rowOf } from '#protocol/risk/table.ts';
import { divideUp, type Lots, type Micros, max, min } from '#protocol/units.ts';
import { isBarredMaker } from '../batch/seal-policy.ts';
import { tradeableLots } from '../book/matching.ts';
import type { RestingOrder } from '../book/order-book.ts';
import { closeOrder, orderOf } from '../orders.ts';
import type { EngineState, OrderRecord } from '../state.ts';

const magnitude = (size: bigint): bigint => (size < 0n ? -size : size);

/** The account with `lots` of one position closed at `price`; funding and penalty included. */
function withClosed(account: Account, row: RiskRow, lots: bigint, price: bigint): Account {
  const size = sizeOf(account, row.instrumentId);
  const change = size > 0n ? -lots : lots;
  const cashStar = account.cashStar - change * price + change * row.fundingIndex - lots * row.penalty;
  const slots = account.slots.map((slot) =>
    slot.instrumentId === row.instrumentId ? { ...slot, size: (size + change) as Lots } : slot,
  );
  const spot = account.spot.map(
    (lotsHeld, i) => (i + 1 === row.instrumentId ? size + change : lotsHeld) as Lots,
  );
  return { ...account, cashStar: cashStar as Micros, slots, spot };
}

export const isCovered = (margin: AccountMargin, reason: 1 | 2): boolean =>
  reason === 1 ? coversInitialMargin(margin) : 10n * margin.quoteBalance + 4n * margin.haircutSpot >= 0n;

/** Distance from liquidation; more is better. Scaled by 1000k, or by 10 for quote debt. */
export const distance = (margin: AccountMargin, reason: 1 | 2): bigint =>
  reason === 1 ? maintenanceMarginGap(margin) : 10n * margin.quoteBalance + 6n * margin.haircutSpot;

/** Best resting order of another account that may close the position: inside the band, and of no barred maker. */
function counterparty(
  state: EngineState,
  account: Account,
  accountIndex: number,
  row: RiskRow,
): RestingOrder | undefined {
  const isLong = sizeOf(account, row.instrumentId) > 0n;
  for (const resting of state.book(row.instrumentId).inPriority(isLong ? 'buy' : 'sell')) {
    const isInBand = isLong
      ? resting.limitMicrosPerLot >= row.mark - row.band
      : resting.limitMicrosPerLot <= row.mark + row.band;
    if (!isInBand) return undefined;
    if (resting.accountIndex !== accountIndex && !isBarredMaker(state, resting.accountIndex)) return resting;
  }
  return undefined;
}

/** A position that an order inside the band would close, and how much of it at most. */
export interface Leg {
  readonly row: RiskRow;
  readonly maker: OrderRecord;
  readonly priceMicrosPerLot: bigint;
  readonly lotsMax: bigint;
}

interface Step extends Leg {
  readonly gain: bigint;
}

export interface Search {
  readonly table: RiskTable;
  readonly reason: 1 | 2;
  /** Deposits of the account that wait, and what of them counts in its margin. */
  readonly pending: PendingDeposits;
  readonly counted: PendingDeposits;
  readonly excluded: ReadonlySet<number>;
}

/** Positions that can be closed now. Orders that can trade nothing any more are closed on the way. */
function closableLegs(
  state: EngineState,
  accountIndex: number,
  account: Account,
  { table, reason, excluded }: Search,
): Leg[] {
  const legs: Leg[] = [];
  for (const instrumentId of heldInstruments(account)) {
    const row = rowOf(table, instrumentId);
    if (row === undefined || excluded.has(instrumentId) || (reason === 2 && !row.isSpot)) continue;
    const resting = counterparty(state, account, accountIndex, row);
    if (resting === undefined) continue;
    const maker = orderOf(state, resting.hash);
    const lotsMax = min(magnitude(sizeOf(account, instrumentId)), tradeableLots(state, maker));
    if (lotsMax === 0n) closeOrder(state, maker, 'no-longer-passes');
    else legs.push({ row, maker, priceMicrosPerLot: resting.limitMicrosPerLot, lotsMax });
  }
  return legs;
}

/** The closable position whose closing helps most, measured over the lots its counterparty takes. */
export function bestStep(
  state: EngineState,
  accountIndex: number,
  account: Account,
  search: Search,
): Step | undefined {
  const { table, reason, counted } = search;
  const { shape } = state.config;
  const before = distance(marginOf(account, table, shape, counted), reason);
  let best: Step | undefined;
  for (const leg of closableLegs(state, accountIndex, account, search)) {
    const closed = withClosed(account, leg.row, leg.lotsMax, leg.priceMicrosPerLot);
    const gain = distance(marginOf(closed, table, shape, counted), reason) - before;
    if (gain > 0n && (best === undefined || gain > best.gain)) best = { ...leg, gain };
  }
  return best;
}

/** The fewest lots after which the account is covered again, or all the counterparty takes. */
export function lotsNeeded(account: Account, step: Leg, isEnough: (account: Account) => boolean): bigint {
  const { row, priceMicrosPerLot, lotsMax } = step;
  const covers = (lots: bigint) => isEnough(withClosed(account, row, lots, priceMicrosPerLot));
  return covers(lotsMax) ? leastWhere(covers, lotsMax) : lotsMax;
}

/** The least number from 1 on that passes, where `most` does. */
const leastWhere = (passes: (count: bigint) => boolean, most: bigint): bigint =>
  lastPassing((count) => !passes(count), 0n, most) + 1n;

/** Legs that help only together: of a hedge, either alone would raise the margin of the account. */
export interface JointStep {
  readonly legs: readonly Leg[];
  /** Of each leg, at most: the same share of every position, as far as all counterparties go. */
  readonly lotsMax: readonly bigint[];
  readonly gain: bigint;
}

/** The same share of every position that the legs name: as much as the scarcest counterparty takes of its own. */
function jointLotsMax(account: Account, legs: readonly Leg[]): bigint[] {
  const shares = legs.map((leg) => ({
    size: magnitude(sizeOf(account, leg.row.instrumentId)),
    lots: leg.lotsMax,
  }));
  const scarcest = shares.reduce((a, b) => (b.lots * a.size < a.lots * b.size ? b : a));
  return shares.map(({ size, lots }) => min(lots, divideUp(size * scarcest.lots, scarcest.size)));
}

/** `steps` of so many as the largest leg has lots; every leg shrinks by a lot at least. */
const jointLots = ({ lotsMax }: Pick<JointStep, 'lotsMax'>, steps: bigint): bigint[] => {
  const stepsMax = lotsMax.reduce(max);
  return lotsMax.map((lots) => divideUp(lots * steps, stepsMax));
};

const withAllClosed = (account: Account, legs: readonly Leg[], lots: readonly bigint[]): Account =>
  legs.reduce((sofar, leg, i) => withClosed(sofar, leg.row, lots[i], leg.priceMicrosPerLot), account);

/** Every two, and all. */
const combinations = (legs: readonly Leg[]): (readonly Leg[])[] => [
  ...legs.flatMap((leg, i) => legs.slice(i + 1).map((other) => [leg, other])),
  ...(legs.length > 2 ? [legs] : []),
];

/** Whether an empty batch has the rows for all these legs; of signatures there is one for each order at most. */
function fitBatch(state: EngineState, legs: readonly Leg[]): boolean {
  const { accounts, signatures, messages, liquidations } = largestSize(state.config.sizes).capacity;
  const makers = new Set(legs.map(({ maker }) => maker.signed.accountIndex));
  return makers.size < accounts && legs.length <= Math.min(signatures, messages, liquidations);
}

export const nameOf = (legs: readonly Leg[]): string => legs.map(({ row }) => row.instrumentId).join(' ');

/** The legs whose closing together helps most. @param refused combinations that did not pass */
export function bestJointStep(
  state: EngineState,
  accountIndex: number,
  account: Account,
  search: Search,
  refused: ReadonlySet<string>,
): JointStep | undefined {
  const { table, reason, counted } = search;
  const { shape } = state.config;
  const before = distance(marginOf(account, table, shape, counted), reason);
  let best: JointStep | undefined;
  for (const legs of combinations(closableLegs(state, accountIndex, account, search))) {
    if (refused.has(nameOf(legs)) || !fitBatch(state, legs)) continue;
    const lotsMax = jointLotsMax(account, legs);
    const closed = withAllClosed(account, legs, lotsMax);
    const gain = distance(marginOf(closed, table, shape, counted), reason) - before;
    if (gain > 0n && (best === undefined || gain > best.gain)) best = { legs, lotsMax, gain };
  }
  return best;
}

/** The fewest lots of each leg after which the account is covered again, or all that is taken. */
export function jointLotsNeeded(
  account: Account,
  step: JointStep,
  isEnough: (account: Account) => boolean,
): bigint[] {
  const covers = (steps: bigint) => isEnough(withAllClosed(account, step.legs, jointLots(step, steps)));
  const stepsMax = step.lotsMax.reduce(max);
  return jointLots(step, covers(stepsMax) ? leastWhere(covers, stepsMax) : stepsMax);
}
