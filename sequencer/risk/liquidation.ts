/**
 * The liquidation executor. At a round it closes positions of accounts below maintenance margin against resting
 * signed orders inside the band, the largest relief first, until equity covers IM or nothing in the band is left.
 * It chooses who, what and how much; `protocol/transition` decides whether it may.
 */
import { type Account, sizeOf } from '#protocol/account.ts';
import type { PendingDeposits } from '#protocol/batch/batch.ts';
import { largestSize } from '#protocol/batch/sizes.ts';
import type { RiskRow, RiskTable } from '#protocol/instrument.ts';
import { SPOT_SLOTS } from '#protocol/limits.ts';
import {
  type AccountMargin,
  coversInitialMargin,
  heldInstruments,
  maintenanceMarginGap,
  marginOf,
  unlistedHolding,
} from '#protocol/risk/margin.ts';
import { rowOf } from '#protocol/risk/table.ts';
import { liquidationReason } from '#protocol/transition/liquidation-rules.ts';
import type { LiquidateOperation } from '#protocol/transition/operation.ts';
import { isBatchConflict } from '#protocol/transition/refusals.ts';
import { divideUp, type Lots, type Micros, max, min } from '#protocol/units.ts';
import { inBatch, inOwnBatches, recordAction, togetherInBatch } from '../batch/rollup.ts';
import { haltRefusal, isBarred } from '../batch/seal-policy.ts';
import { feeMicrosDown, tradeableLots } from '../book/matching.ts';
import type { RestingOrder } from '../book/order-book.ts';
import { closeDeadOrders, closeOrder, fillOrder, orderOf } from '../orders.ts';
import type { EngineState, OrderRecord } from '../state.ts';

const BACKLOG_CODES = ['proof-backlog', 'batch-full', 'needs-new-batch', 'no-round', 'prices-unusable'];

const magnitude = (size: bigint): bigint => (size < 0n ? -size : size);

/** Deposits of the account that wait in the queue and that the batch must count as its own. */
export function pendingDepositsOf(state: EngineState, accountIndex: number, end: number): PendingDeposits {
  let quoteMicros = 0n;
  const spotLots = Array<bigint>(SPOT_SLOTS).fill(0n);
  for (const { queueIndex, operation } of state.l1Queue) {
    if (operation.kind !== 'deposit' || operation.accountIndex !== accountIndex || queueIndex >= end)
      continue;
    if (operation.tokenId === 0) quoteMicros += operation.amount;
    else spotLots[operation.tokenId - 1] += operation.amount;
  }
  return { quoteMicros, spotLots };
}

/** Deposits the next operation of the open batch, or of the batch it would open, has to count. */
const pendingNow = (state: EngineState, accountIndex: number): PendingDeposits =>
  pendingDepositsOf(state, accountIndex, state.open?.pendingEnd ?? state.l1QueueEnd);

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

const isCovered = (margin: AccountMargin, reason: 1 | 2): boolean =>
  reason === 1 ? coversInitialMargin(margin) : 10n * margin.quoteBalance + 4n * margin.haircutSpot >= 0n;

/** Distance from liquidation; more is better. Scaled by 1000k, or by 10 for quote debt. */
const distance = (margin: AccountMargin, reason: 1 | 2): bigint =>
  reason === 1 ? maintenanceMarginGap(margin) : 10n * margin.quoteBalance + 6n * margin.haircutSpot;

/** Best resting order that may close the position: inside the band, of another account. */
function counterparty(
  state: EngineState,
  account: Account,
  accountIndex: number,
  row: RiskRow,
): RestingOrder | undefined {
  const isLong = sizeOf(account, row.instrumentId) > 0n;
  const best = state.book(row.instrumentId).best(isLong ? 'buy' : 'sell');
  if (best === undefined || best.accountIndex === accountIndex) return undefined;
  const isInBand = isLong
    ? best.limitMicrosPerLot >= row.mark - row.band
    : best.limitMicrosPerLot <= row.mark + row.band;
  return isInBand ? best : undefined;
}

/** A position that an order inside the band would close, and how much of it at most. */
interface Leg {
  readonly row: RiskRow;
  readonly maker: OrderRecord;
  readonly priceMicrosPerLot: bigint;
  readonly lotsMax: bigint;
}

interface Step extends Leg {
  readonly gain: bigint;
}

interface Search {
  readonly table: RiskTable;
  readonly reason: 1 | 2;
  readonly pending: PendingDeposits;
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
function bestStep(
  state: EngineState,
  accountIndex: number,
  account: Account,
  search: Search,
): Step | undefined {
  const { table, reason, pending } = search;
  const { shape } = state.config;
  const before = distance(marginOf(account, table, shape, pending), reason);
  let best: Step | undefined;
  for (const leg of closableLegs(state, accountIndex, account, search)) {
    const closed = withClosed(account, leg.row, leg.lotsMax, leg.priceMicrosPerLot);
    const gain = distance(marginOf(closed, table, shape, pending), reason) - before;
    if (gain > 0n && (best === undefined || gain > best.gain)) best = { ...leg, gain };
  }
  return best;
}

/** The fewest lots after which the account is covered again, or all the counterparty takes. */
function lotsNeeded(account: Account, step: Leg, isEnough: (account: Account) => boolean): bigint {
  const { row, priceMicrosPerLot, lotsMax } = step;
  const covers = (lots: bigint) => isEnough(withClosed(account, row, lots, priceMicrosPerLot));
  return covers(lotsMax) ? leastWhere(covers, lotsMax) : lotsMax;
}

/** The least number from 1 on that passes, where `most` does. */
function leastWhere(passes: (count: bigint) => boolean, most: bigint): bigint {
  let low = 0n;
  let high = most;
  while (high - low > 1n) {
    const middle = (low + high) / 2n;
    if (passes(middle)) high = middle;
    else low = middle;
  }
  return high;
}

/** Legs that help only together: of a hedge, either alone would raise the margin of the account. */
interface JointStep {
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

const nameOf = (legs: readonly Leg[]): string => legs.map(({ row }) => row.instrumentId).join(' ');

/** The legs whose closing together helps most. @param refused combinations that did not pass */
function bestJointStep(
  state: EngineState,
  accountIndex: number,
  account: Account,
  search: Search,
  refused: ReadonlySet<string>,
): JointStep | undefined {
  const { table, reason, pending } = search;
  const { shape } = state.config;
  const before = distance(marginOf(account, table, shape, pending), reason);
  let best: JointStep | undefined;
  for (const legs of combinations(closableLegs(state, accountIndex, account, search))) {
    if (refused.has(nameOf(legs)) || !fitBatch(state, legs)) continue;
    const lotsMax = jointLotsMax(account, legs);
    const closed = withAllClosed(account, legs, lotsMax);
    const gain = distance(marginOf(closed, table, shape, pending), reason) - before;
    if (gain > 0n && (best === undefined || gain > best.gain)) best = { legs, lotsMax, gain };
  }
  return best;
}

/** The fewest lots of each leg after which the account is covered again, or all that is taken. */
function jointLotsNeeded(
  account: Account,
  step: JointStep,
  isEnough: (account: Account) => boolean,
): bigint[] {
  const covers = (steps: bigint) => isEnough(withAllClosed(account, step.legs, jointLots(step, steps)));
  const stepsMax = step.lotsMax.reduce(max);
  return jointLots(step, covers(stepsMax) ? leastWhere(covers, stepsMax) : stepsMax);
}

function bookLiquidation(
  state: EngineState,
  operation: LiquidateOperation,
  { maker }: Leg,
  isShort: boolean,
): void {
  const { lots, priceMicrosPerLot, accountIndex, instrumentId, reason, feeMicros } = operation;
  const tradeId = ++state.tradeCount;
  const cashMicros = lots * priceMicrosPerLot;
  const batchNumber = state.open?.number ?? 0;
  const makerHash = maker.hash;
  recordAction(state, { kind: 'liquidate', operation, tradeId, makerHash });
  state.emit({
    kind: 'liquidation',
    batchNumber,
    accountIndex,
    instrumentId,
    isShort,
    reason,
    closedLots: lots,
    cashMicros,
    makerHash,
    tradeId,
  });
  fillOrder(state, maker, { tradeId, batchNumber, lots, cashMicros, feeMicros });
  closeDeadOrders(state, maker.signed.accountIndex);
}

function operationOf(
  state: EngineState,
  accountIndex: number,
  { row, maker, priceMicrosPerLot }: Leg,
  lots: bigint,
  { reason, pending }: Search,
): LiquidateOperation {
  return {
    kind: 'liquidate',
    accountIndex,
    instrumentId: row.instrumentId,
    lots,
    priceMicrosPerLot,
    reason,
    pending,
    against: { signed: maker.signed, position: maker.position },
    feeMicros: feeMicrosDown(lots * priceMicrosPerLot, state.config.makerFeePpm),
  };
}

/** Closes what is needed of one account. Ends when covered, out of counterparties, or out of room. */
function liquidate(state: EngineState, accountIndex: number, table: RiskTable, reason: 1 | 2): void {
  // Its own orders could only be in the way: no order of a liquidated account is filled in that batch.
  for (const hash of [...(state.openOrders.get(accountIndex)?.values() ?? [])]) {
    closeOrder(state, orderOf(state, hash), 'liquidated');
  }
  const { shape } = state.config;
  const excluded = new Set<number>();
  const refused = new Set<string>();
  // Every turn closes lots, removes an order, or excludes an instrument or a combination of some.
  for (;;) {
    const account = state.account(accountIndex);
    const pending = pendingNow(state, accountIndex);
    const isEnough = (a: Account) => isCovered(marginOf(a, table, shape, pending), reason);
    if (heldInstruments(account).length === 0 || isEnough(account)) return;
    const search: Search = { table, reason, pending, excluded };
    const step = bestStep(state, accountIndex, account, search);
    const joint =
      step === undefined
        ? bestJointStep(state, accountIndex, account, { ...search, excluded: new Set() }, refused)
        : undefined;
    const legs: readonly Leg[] = step === undefined ? (joint?.legs ?? []) : [step];
    if (legs.length === 0) return;
    const lots =
      joint === undefined
        ? legs.map((leg) => lotsNeeded(account, leg, isEnough))
        : jointLotsNeeded(account, joint, isEnough);
    const operations = legs.map((leg, i) => operationOf(state, accountIndex, leg, lots[i], search));
    const done = togetherInBatch(state, 'protected', operations);
    if (done.ok) {
      for (const [i, leg] of legs.entries()) {
        bookLiquidation(state, operations[i], leg, sizeOf(account, leg.row.instrumentId) < 0n);
      }
      continue;
    }
    if (legs.some(({ maker }) => maker.closed !== undefined)) continue;
    if (BACKLOG_CODES.includes(done.code) && !(joint !== undefined && isBatchConflict(done))) return;
    const unfit = legs.find(({ maker }) => maker.signed.accountIndex === done.data.accountIndex);
    if (unfit !== undefined) closeOrder(state, unfit.maker, 'no-longer-passes', done);
    else if (joint === undefined) excluded.add(legs[0].row.instrumentId);
    else refused.add(nameOf(legs));
  }
}

/** Cash that is owed by an account which holds nothing else. */
function owesWithoutHoldings(state: EngineState, accountIndex: number): boolean {
  const account = state.account(accountIndex);
  return heldInstruments(account).length === 0 && account.cashStar < 0n;
}

function payFromFund(state: EngineState, accountIndex: number): void {
  const booked = state.open?.batch.content.header.fundBookedMicros ?? state.l1Ledger.fundBookedMicros;
  if (booked === 0n) return;
  const operation = { kind: 'pay-fund', accountIndex } as const;
  const debt = -state.account(accountIndex).cashStar;
  const done = inBatch(state, 'protected', operation);
  if (!done.ok) return;
  recordAction(state, { kind: 'pay-fund', operation });
  const left = max(0n, -state.account(accountIndex).cashStar);
  state.emit({
    kind: 'fund-payment',
    batchNumber: state.open?.number ?? 0,
    accountIndex,
    amountMicros: debt - left,
  });
}

/**
 * Looks at all accounts at the newest round and liquidates those below maintenance margin, the deepest
 * first. Nothing names an account: the same state and round give the same liquidations.
 */
export function liquidationScan(state: EngineState): void {
  const table = state.table?.table;
  const { roundAgeMaxSec, unprovedWhileLiquidatingMax } = state.config;
  state.isLiquidationDue = haltRefusal(state) !== undefined;
  if (state.isLiquidationDue) return;
  if (table === undefined || table.isJump || state.l1TimeSec > table.timeSec + roundAgeMaxSec) return;
  for (const accountIndex of state.open?.batch.touched ?? []) {
    state.screen.set(accountIndex, state.account(accountIndex));
  }
  const candidates = state.screen.candidates(table);
  for (const { accountIndex, reason } of dueAccounts(state, table, candidates)) {
    const isInTurn = state.unprovedBatches.length < unprovedWhileLiquidatingMax;
    if (isInTurn && !isBarred(state, accountIndex)) {
      const fill = () => liquidate(state, accountIndex, table, reason);
      if (state.isolation.apart.has(accountIndex)) inOwnBatches(state, fill);
      else fill();
    }
    const account = state.account(accountIndex);
    const { shape } = state.config;
    if (liquidationReason(account, table, shape, pendingNow(state, accountIndex)) !== undefined) {
      state.isLiquidationDue = true;
    }
  }
  for (const accountIndex of candidates) {
    if (!owesWithoutHoldings(state, accountIndex) || isBarred(state, accountIndex)) continue;
    const pay = () => payFromFund(state, accountIndex);
    if (state.isolation.apart.has(accountIndex)) inOwnBatches(state, pay);
    else pay();
  }
}

function dueAccounts(state: EngineState, table: RiskTable, candidates: readonly number[]) {
  const { shape } = state.config;
  const due: { accountIndex: number; reason: 1 | 2; distance: bigint }[] = [];
  for (const accountIndex of candidates) {
    const account = state.account(accountIndex);
    if (unlistedHolding(account, table) !== undefined) continue;
    const pending = pendingNow(state, accountIndex);
    const reason = liquidationReason(account, table, shape, pending);
    if (reason === undefined) continue;
    due.push({ accountIndex, reason, distance: distance(marginOf(account, table, shape, pending), reason) });
  }
  return due.sort((a, b) =>
    a.distance < b.distance ? -1 : a.distance > b.distance ? 1 : a.accountIndex - b.accountIndex,
  );
}
