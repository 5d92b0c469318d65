/**
 * A batch that missed its window is executed again, with everything after it, from the root before it and at
 * the newest round. What is repeated are signed orders meeting each other, not results: a fill that no longer
 * passes is voided with its numbers, and its healthy side is back on the book. Liquidations are judged anew.
 */
import { sizeOf } from '#protocol/account.ts';
import { accept, invariant, type Rejection, type Result, reject } from '#protocol/errors.ts';
import { rowOf } from '#protocol/risk/table.ts';
import { accountAt } from '#protocol/state.ts';
import type { Operation } from '#protocol/transition/operation.ts';
import { bookTrade, matchOrder } from '../book/matching.ts';
import { closeDeadOrders, closeOrder, orderOf, remainingOf, rest, takeBackFills } from '../orders.ts';
import { liquidationScan } from '../risk/liquidation.ts';
import type { BatchAction, BatchEntry, EngineState, OrderRecord } from '../state.ts';
import { inBatch, includeL1Until, includeWaiting, recordAction, sealBatch } from './rollup.ts';
import { findHolders, noteSettlement } from './settlement.ts';

type TradeAction = Extract<BatchAction, { kind: 'trade' }>;

/** Orders whose fills were taken back; with a refusal once one of them did not pass again. */
type Reopened = Map<string, { readonly record: OrderRecord; refusal: Rejection | undefined }>;

/** Whether `reseal` may run now; asked before the command is logged. */
export function refuseReseal(state: EngineState, batchNumber: number): Rejection | undefined {
  const entry = state.batches.get(batchNumber);
  if (entry === undefined || entry.before === undefined || entry.status === 'final') {
    return reject('not-resealable', 'only a sealed batch that is not final can be sealed again', {
      batchNumber,
    });
  }
  const table = state.table?.table;
  if (table === undefined || table.isJump || state.l1TimeSec > table.timeSec + state.config.roundAgeMaxSec) {
    return reject('prices-unusable', 'fills cannot be executed again at this round; wait for the next', {
      batchNumber,
      roundNumber: table?.roundNumber ?? 0n,
    });
  }
  return undefined;
}

export function reseal(state: EngineState, batchNumber: number): Result<void> {
  const refusal = refuseReseal(state, batchNumber);
  if (refusal !== undefined) return refusal;
  const entries = [...state.batches.values()].filter((entry) => entry.number >= batchNumber);
  entries.sort((a, b) => a.number - b.number);
  const actions = [...entries.flatMap((entry) => entry.actions), ...(state.open?.actions ?? [])];
  rollBack(state, entries, actions);
  const reopened = takeBack(state, actions);
  state.isResealing = true;
  for (const action of actions) redo(state, action, reopened);
  state.isResealing = false;
  settle(state, reopened);
  includeWaiting(state);
  liquidationScan(state);
  return accept(undefined);
}

/** Back to the state before the first of these batches. */
function rollBack(state: EngineState, entries: readonly BatchEntry[], actions: readonly BatchAction[]): void {
  const before = entries[0].before;
  invariant(before !== undefined, 'a batch that is not final knows where it started');
  const touched = new Set(state.open?.batch.touched ?? []);
  for (const entry of entries) {
    for (const row of entry.sealed?.accounts ?? []) if (row.isTouched) touched.add(row.accountIndex);
    state.retired.delete(entry.sealed?.content.retiredInstrument ?? 0);
    state.batches.delete(entry.number);
    state.attempts.set(entry.number, entry.attempt + 1);
    state.emit({
      kind: 'batch-status',
      batchNumber: entry.number,
      attempt: entry.attempt,
      status: 'withdrawn',
    });
  }
  state.open = undefined;
  state.nextBatchNumber = entries[0].number;
  state.ledger = before.ledger;
  state.l1Ledger = before.l1Ledger;
  for (const accountIndex of touched) state.screen.set(accountIndex, accountAt(state.ledger, accountIndex));
  const queued = actions.flatMap((action) => (action.kind === 'l1' ? [action.queued] : []));
  state.l1Queue = [...queued, ...state.l1Queue];
  findHolders(state);
}

function takeBack(state: EngineState, actions: readonly BatchAction[]): Reopened {
  const tradeIds = new Set<number>();
  const hashes = new Set<string>();
  for (const action of actions) {
    if (action.kind !== 'trade' && action.kind !== 'liquidate') continue;
    tradeIds.add(action.tradeId);
    hashes.add(action.makerHash);
    if (action.kind === 'trade') hashes.add(action.takerHash);
  }
  const reopened: Reopened = new Map();
  for (const hash of hashes) {
    const record = orderOf(state, hash);
    takeBackFills(state, record, tradeIds);
    reopened.set(hash, { record, refusal: undefined });
  }
  return reopened;
}

function redo(state: EngineState, action: BatchAction, reopened: Reopened): void {
  switch (action.kind) {
    case 'trade':
      redoTrade(state, action, reopened);
      return;
    case 'message':
      redoMessage(state, action);
      return;
    case 'l1':
      redoL1(state, action);
      return;
    case 'liquidate':
      state.emit({
        kind: 'trade-voided',
        tradeId: action.tradeId,
        batchNumber: state.nextBatchNumber,
        because: reject('liquidation-judged-again', 'a resealed batch liquidates at its new round', {
          accountIndex: action.operation.accountIndex,
        }),
      });
      return;
    case 'pay-fund':
      return;
    case 'settlement':
      redoSettlement(state, action.operation);
      return;
  }
}

/** A conversion keeps its place: what followed it may need its cash or its free slot. Else it waits again. */
function redoSettlement(state: EngineState, operation: Extract<Operation, { kind: 'settle' }>): void {
  const { accountIndex, instrumentId } = operation;
  const size: bigint = sizeOf(state.account(accountIndex), instrumentId);
  const row = state.table === undefined ? undefined : rowOf(state.table.table, instrumentId);
  if (row === undefined || !inBatch(state, 'reseal', operation).ok) return;
  noteSettlement(state, operation, row, size);
}

function redoTrade(state: EngineState, action: TradeAction, reopened: Reopened): void {
  const maker = reopened.get(action.makerHash);
  const taker = reopened.get(action.takerHash);
  invariant(maker !== undefined && taker !== undefined, 'both orders of a trade were reopened');
  const known = maker.refusal ?? taker.refusal;
  const done: Result<void> = known ?? inBatch(state, 'reseal', action.operation);
  if (done.ok) {
    bookTrade(state, action.operation, maker.record, taker.record, action.tradeId);
    return;
  }
  if (known === undefined) {
    if (done.data.accountIndex === maker.record.signed.accountIndex) maker.refusal = done;
    else taker.refusal = done;
  }
  const batchNumber = state.open?.number ?? state.nextBatchNumber;
  state.emit({ kind: 'trade-voided', tradeId: action.tradeId, batchNumber, because: done });
}

function redoMessage(state: EngineState, action: Extract<BatchAction, { kind: 'message' }>): void {
  const record = state.messages.get(action.hash);
  invariant(record !== undefined, 'a message of a batch is known');
  record.batchNumber = undefined;
  const done = inBatch(state, 'reseal', action.operation);
  if (done.ok) {
    recordAction(state, action);
    record.batchNumber = state.open?.number;
    closeDeadOrders(state, record.signed.accountIndex);
    state.emit({ kind: 'message-included', hash: action.hash, batchNumber: record.batchNumber ?? 0 });
  } else {
    record.dropped = done;
    state.emit({ kind: 'message-dropped', hash: action.hash, because: done });
  }
}

/** An L1 operation keeps its place between the trades around it, sealing where it needs a new batch. */
function redoL1(state: EngineState, { queued }: Extract<BatchAction, { kind: 'l1' }>): void {
  const isWaiting = () => state.l1Queue[0] !== undefined && state.l1Queue[0].queueIndex <= queued.queueIndex;
  for (;;) {
    if (!isWaiting()) return;
    const opened = includeL1Until(state, queued.queueIndex + 1);
    if (!isWaiting()) return;
    // An empty batch that cannot serve it: it stays in the queue until a round can judge it.
    if (!opened.ok || state.open === undefined || state.open.batch.isEmpty) return;
    sealBatch(state);
  }
}

/** Decides what becomes of the orders whose fills were taken back. */
function settle(state: EngineState, reopened: Reopened): void {
  for (const { record, refusal } of reopened.values()) {
    if (record.closed !== undefined) continue;
    if (refusal !== undefined) {
      closeOrder(state, record, 'voided', refusal);
    } else if (record.order.expirySec < state.l1TimeSec) {
      closeOrder(state, record, 'expired');
    } else if (record.options.timeInForce !== 'gtc') {
      closeOrder(state, record, 'ioc');
    } else {
      // What came to the book since may cross it now.
      matchOrder(state, record);
      if (record.closed === undefined && remainingOf(record) > 0n) rest(state, record);
    }
  }
}
