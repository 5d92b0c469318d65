/**
 * The liquidation executor. At a round it closes positions of accounts below maintenance margin against resting
 * signed orders inside the band, the largest relief first, until equity covers IM or nothing in the band is left.
 * It chooses who, what and how much; `protocol/transition` decides whether it may.
 */
import { type Account, sizeOf } from '#protocol/account.ts';
import type { PendingDeposits } from '#protocol/batch/batch.ts';
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
import { type Lots, type Micros, max, min } from '#protocol/units.ts';
import { inBatch, recordAction } from '../batch/rollup.ts';
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

interface Step {
  readonly row: RiskRow;
  readonly maker: OrderRecord;
  readonly priceMicrosPerLot: bigint;
  readonly lotsMax: bigint;
  readonly gain: bigint;
}

/** The closable position whose closing helps most, measured over the lots its counterparty takes. */
function bestStep(
  state: EngineState,
  accountIndex: number,
  account: Account,
  context: { table: RiskTable; reason: 1 | 2; pending: PendingDeposits; excluded: ReadonlySet<number> },
): Step | undefined {
  const { table, reason, pending, excluded } = context;
  const { shape } = state.config;
  const before = distance(marginOf(account, table, shape, pending), reason);
  let best: Step | undefined;
  for (const instrumentId of heldInstruments(account)) {
    const row = rowOf(table, instrumentId);
    if (row === undefined || excluded.has(instrumentId) || (reason === 2 && !row.isSpot)) continue;
    const resting = counterparty(state, account, accountIndex, row);
    if (resting === undefined) continue;
    const maker = orderOf(state, resting.hash);
    const lotsMax = min(magnitude(sizeOf(account, instrumentId)), tradeableLots(state, maker));
    if (lotsMax === 0n) {
      closeOrder(state, maker, 'no-longer-passes');
      continue;
    }
    const price = resting.limitMicrosPerLot;
    const after = distance(marginOf(withClosed(account, row, lotsMax, price), table, shape, pending), reason);
    const gain = after - before;
    if (gain > 0n && (best === undefined || gain > best.gain)) {
      best = { row, maker, priceMicrosPerLot: price, lotsMax, gain };
    }
  }
  return best;
}

/** The fewest lots after which the account is covered again, or all the counterparty takes. */
function lotsNeeded(account: Account, step: Step, isEnough: (account: Account) => boolean): bigint {
  const { row, priceMicrosPerLot, lotsMax } = step;
  const covers = (lots: bigint) => isEnough(withClosed(account, row, lots, priceMicrosPerLot));
  if (!covers(lotsMax)) return lotsMax;
  let low = 0n;
  let high = lotsMax;
  while (high - low > 1n) {
    const middle = (low + high) / 2n;
    if (covers(middle)) high = middle;
    else low = middle;
  }
  return high;
}

function bookLiquidation(
  state: EngineState,
  operation: LiquidateOperation,
  step: Step,
  isShort: boolean,
): void {
  const { lots, priceMicrosPerLot, accountIndex, instrumentId, reason, feeMicros } = operation;
  const tradeId = ++state.tradeCount;
  const cashMicros = lots * priceMicrosPerLot;
  const batchNumber = state.open?.number ?? 0;
  const makerHash = step.maker.hash;
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
  fillOrder(state, step.maker, { tradeId, batchNumber, lots, cashMicros, feeMicros });
  closeDeadOrders(state, step.maker.signed.accountIndex);
}

/** Closes what is needed of one account. Ends when covered, out of counterparties, or out of room. */
function liquidate(state: EngineState, accountIndex: number, table: RiskTable, reason: 1 | 2): void {
  // Its own orders could only be in the way: no order of a liquidated account is filled in that batch.
  for (const hash of [...(state.openOrders.get(accountIndex)?.values() ?? [])]) {
    closeOrder(state, orderOf(state, hash), 'liquidated');
  }
  const { shape, makerFeePpm } = state.config;
  const excluded = new Set<number>();
  // Every turn closes lots, removes an order, or excludes an instrument.
  for (;;) {
    const account = state.account(accountIndex);
    const pending = pendingNow(state, accountIndex);
    const isEnough = (a: Account) => isCovered(marginOf(a, table, shape, pending), reason);
    if (heldInstruments(account).length === 0 || isEnough(account)) return;
    const step = bestStep(state, accountIndex, account, { table, reason, pending, excluded });
    if (step === undefined) return;
    const lots = lotsNeeded(account, step, isEnough);
    const operation: LiquidateOperation = {
      kind: 'liquidate',
      accountIndex,
      instrumentId: step.row.instrumentId,
      lots,
      priceMicrosPerLot: step.priceMicrosPerLot,
      reason,
      pending,
      against: { signed: step.maker.signed, position: step.maker.position },
      feeMicros: feeMicrosDown(lots * step.priceMicrosPerLot, makerFeePpm),
    };
    const isShort = sizeOf(account, step.row.instrumentId) < 0n;
    const done = inBatch(state, 'protected', operation);
    if (done.ok) bookLiquidation(state, operation, step, isShort);
    else if (step.maker.closed !== undefined) continue;
    else if (BACKLOG_CODES.includes(done.code)) return;
    else if (done.data.accountIndex === step.maker.signed.accountIndex) {
      closeOrder(state, step.maker, 'no-longer-passes', done);
    } else {
      excluded.add(step.row.instrumentId);
    }
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
  state.isLiquidationDue = false;
  if (table === undefined || table.isJump || state.l1TimeSec > table.timeSec + roundAgeMaxSec) return;
  for (const accountIndex of state.open?.batch.touched ?? []) {
    state.screen.set(accountIndex, state.account(accountIndex));
  }
  const candidates = state.screen.candidates(table);
  for (const { accountIndex, reason } of dueAccounts(state, table, candidates)) {
    if (state.unprovedBatches.length < unprovedWhileLiquidatingMax) {
      liquidate(state, accountIndex, table, reason);
    }
    const account = state.account(accountIndex);
    const { shape } = state.config;
    if (liquidationReason(account, table, shape, pendingNow(state, accountIndex)) !== undefined) {
      state.isLiquidationDue = true;
    }
  }
  for (const accountIndex of candidates) {
    if (owesWithoutHoldings(state, accountIndex)) payFromFund(state, accountIndex);
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
