/**
 * The liquidation executor. At a round it closes positions of accounts below maintenance margin against resting
 * signed orders inside the band, the largest relief first, until equity covers IM or nothing in the band is left.
 * It chooses who, what and how much; `protocol/transition` decides whether it may.
 */
import { type Account, sizeOf } from '#protocol/account.ts';
import type { PendingDeposits } from '#protocol/batch/batch.ts';
import type { RiskTable } from '#protocol/instrument.ts';
import { SPOT_SLOTS } from '#protocol/limits.ts';
import { countedDeposits, heldInstruments, marginOf, unlistedHolding } from '#protocol/risk/margin.ts';
import { accountAt } from '#protocol/state.ts';
import { liquidationReason } from '#protocol/transition/liquidation-rules.ts';
import type { LiquidateOperation } from '#protocol/transition/operation.ts';
import { isBatchConflict } from '#protocol/transition/refusals.ts';
import { max } from '#protocol/units.ts';
import { inBatch, inOwnBatches, recordAction, sealBatch, togetherInBatch } from '../batch/rollup.ts';
import { haltRefusal, isBarred } from '../batch/seal-policy.ts';
import { feeMicrosDown } from '../book/matching.ts';
import { closeDeadOrders, closeOrder, fillOrder, orderOf } from '../orders.ts';
import type { EngineState } from '../state.ts';
import {
  bestJointStep,
  bestStep,
  distance,
  isCovered,
  jointLotsNeeded,
  type Leg,
  lotsNeeded,
  nameOf,
  type Search,
} from './liquidation-steps.ts';

const BACKLOG_CODES = ['proof-backlog', 'batch-full', 'needs-new-batch', 'no-round', 'prices-unusable'];

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

/** Deposits the next operation of the open batch, or of the batch it would open, has to state, and what of them counts there. */
function waitingNow(
  state: EngineState,
  accountIndex: number,
  table: RiskTable,
): Pick<Search, 'pending' | 'counted'> {
  const pending = pendingDepositsOf(state, accountIndex, state.open?.pendingEnd ?? state.l1QueueEnd);
  return { pending, counted: countedDeposits(accountAt(state.ledger, accountIndex), table, pending) };
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

/** Whether a liquidation of the account could close something now, if there were room for its batch. */
function isCloseable(state: EngineState, accountIndex: number, table: RiskTable, reason: 1 | 2): boolean {
  const account = state.account(accountIndex);
  const search: Search = { table, reason, ...waitingNow(state, accountIndex, table), excluded: new Set() };
  return (
    bestStep(state, accountIndex, account, search) !== undefined ||
    bestJointStep(state, accountIndex, account, search, new Set()) !== undefined
  );
}

/**
 * Closes what is needed of one account. Ends when covered, out of counterparties, or out of room.
 * @returns whether it could go on if fewer batches waited for their proofs
 */
function liquidate(state: EngineState, accountIndex: number, table: RiskTable, reason: 1 | 2): boolean {
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
    const { pending, counted } = waitingNow(state, accountIndex, table);
    const isEnough = (a: Account) => isCovered(marginOf(a, table, shape, counted), reason);
    if (heldInstruments(account).length === 0 || isEnough(account)) return false;
    const search: Search = { table, reason, pending, counted, excluded };
    const step = bestStep(state, accountIndex, account, search);
    const joint =
      step === undefined
        ? bestJointStep(state, accountIndex, account, { ...search, excluded: new Set() }, refused)
        : undefined;
    const legs: readonly Leg[] = step === undefined ? (joint?.legs ?? []) : [step];
    if (legs.length === 0) return false;
    const lots =
      joint === undefined
        ? legs.map((leg) => lotsNeeded(account, leg, isEnough))
        : jointLotsNeeded(account, joint, isEnough);
    const operations = legs.map((leg, i) => operationOf(state, accountIndex, leg, lots[i], search));
    const { nextBatchNumber } = state;
    const done = togetherInBatch(state, 'liquidation', operations);
    if (done.ok) {
      for (const [i, leg] of legs.entries()) {
        bookLiquidation(state, operations[i], leg, sizeOf(account, leg.row.instrumentId) < 0n);
      }
      // One that cannot be proved shall not take the others down with it.
      if (state.isolation.apart.has(accountIndex)) sealBatch(state);
      continue;
    }
    // The sealed batch may hold a deposit that was still counted as pending: all is weighed again.
    if (state.nextBatchNumber > nextBatchNumber) continue;
    if (legs.some(({ maker }) => maker.closed !== undefined)) continue;
    if (BACKLOG_CODES.includes(done.code) && !(joint !== undefined && isBatchConflict(done))) {
      return done.code === 'proof-backlog';
    }
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
  const { roundAgeMaxSec, unprovedWhileLiquidatingMax, shape } = state.config;
  const { tradeCount, liquidationWait } = state;
  state.liquidationWait = undefined;
  state.isLiquidationDue = haltRefusal(state) !== undefined;
  if (state.isLiquidationDue) return;
  if (table === undefined || table.isJump || state.l1TimeSec > table.timeSec + roundAgeMaxSec) return;
  for (const accountIndex of state.open?.batch.touched ?? []) {
    state.screen.set(accountIndex, state.account(accountIndex));
  }
  const candidates = state.screen.candidates(table);
  let isWaiting = false;
  for (const { accountIndex, reason } of dueAccounts(state, table, candidates)) {
    if (!isBarred(state, accountIndex)) {
      const hasRoom = state.unprovedBatches.length < unprovedWhileLiquidatingMax;
      const goesOn = (): boolean => (hasRoom ? liquidate : isCloseable)(state, accountIndex, table, reason);
      const isApart = hasRoom && state.isolation.apart.has(accountIndex);
      isWaiting = (isApart ? inOwnBatches(state, goesOn) : goesOn()) || isWaiting;
    }
    const account = state.account(accountIndex);
    const { counted } = waitingNow(state, accountIndex, table);
    if (liquidationReason(account, table, shape, counted) !== undefined) {
      state.isLiquidationDue = true;
    }
  }
  // Others get their reserve anew only after something was closed: else they could use it up without end.
  const isProgress = state.tradeCount > tradeCount;
  if (isWaiting) state.liquidationWait = (isProgress ? undefined : liquidationWait) ?? { batchesBegun: 0 };
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
    const { counted } = waitingNow(state, accountIndex, table);
    const reason = liquidationReason(account, table, shape, counted);
    if (reason === undefined) continue;
    due.push({ accountIndex, reason, distance: distance(marginOf(account, table, shape, counted), reason) });
  }
  return due.sort((a, b) =>
    a.distance < b.distance ? -1 : a.distance > b.distance ? 1 : a.accountIndex - b.accountIndex,
  );
}
