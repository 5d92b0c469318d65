/**
 * A batch that missed its window is executed again, with everything after it, from the root before it and at
 * the newest round. What is repeated are signed orders meeting each other, not results: a fill that no longer
 * passes is voided with its numbers, and its healthy side is back on the book. Liquidations are judged anew.
 * Without usable prices for too long it is done all the same: no trade passes then, but deposits, cancels, key changes and
 * withdrawals that need no price do not wait behind one.
 */
import { sizeOf } from '#protocol/account.ts';
import { accept, invariant, type Rejection, type Result, reject } from '#protocol/errors.ts';
import { rowOf } from '#protocol/risk/table.ts';
import { accountAt } from '#protocol/state.ts';
import type { Operation } from '#protocol/transition/operation.ts';
import { bookTrade, matchOrder } from '../book/matching.ts';
import type { CancelReason } from '../commands.ts';
import { forgetOrders } from '../memory.ts';
import {
  closeDeadOrders,
  closeDeadOrdersOfMoved,
  closeOrder,
  isEpochEnding,
  nonceKey,
  orderOf,
  remainingOf,
  rest,
  takeBackFills,
} from '../orders.ts';
import { liquidationScan } from '../risk/liquidation.ts';
import type { BatchAction, BatchEntry, EngineState, MessageRecord, OrderRecord } from '../state.ts';
import {
  arePricesUsable,
  inBatch,
  includeL1Until,
  includeWaiting,
  recordAction,
  sealBatch,
} from './rollup.ts';
import { findHolders, noteSettlement } from './settlement.ts';
import { dropMessage, waitAgain } from './waiting.ts';

type TradeAction = Extract<BatchAction, { kind: 'trade' }>;

/** What is left out of the repetition, and why. */
export interface Omission {
  readonly actions: ReadonlySet<BatchAction>;
  /** An instrument whose retirement is not told; 0 for none. */
  readonly retirement: number;
  readonly because: Rejection;
}

/** The same for the same action in whichever batch; of an account, for all that the engine did to it by itself. */
export function nameOf(action: BatchAction): string {
  switch (action.kind) {
    case 'trade':
      return `trade:${action.tradeId}`;
    case 'message':
      return `message:${action.hash}`;
    case 'l1':
      return `l1:${action.queued.queueIndex}`;
    case 'settlement':
      return `settlement:${action.operation.accountIndex}:${action.operation.instrumentId}`;
    case 'liquidate':
    case 'pay-fund':
      return `account:${action.operation.accountIndex}`;
  }
}

export const retirementName = (instrumentId: number): string => `retirement:${instrumentId}`;

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
  const refusal = refusePrices(state);
  const isPriceFree = !actionsFrom(state, batchNumber).some(needsPrices);
  const waitedSec = state.l1TimeSec - state.pricesUsableUntilSec;
  const { resealWaitMaxSec } = state.config;
  if (refusal === undefined || isPriceFree || waitedSec > resealWaitMaxSec) return undefined;
  return reject(refusal.code, 'fills cannot be executed again at this round; wait for the next', {
    ...refusal.data,
    batchNumber,
    waitedSec,
    resealWaitMaxSec,
  });
}

/** All that would be executed again, in order. */
export function actionsFrom(state: EngineState, batchNumber: number): BatchAction[] {
  const later = [...state.batches.values()].filter((entry) => entry.number >= batchNumber);
  later.sort((a, b) => a.number - b.number);
  return [...later.flatMap((entry) => entry.actions), ...(state.open?.actions ?? [])];
}

/** What would be lost without a usable round; an L1 operation waits for one in the queue. */
const needsPrices = ({ kind, operation }: BatchAction): boolean =>
  kind === 'trade' || kind === 'liquidate' || kind === 'pay-fund' || operation.kind === 'withdraw';

/** Why no fill can be executed now; undefined when prices can be used. */
function refusePrices(state: EngineState): Rejection | undefined {
  const { table, l1TimeSec, pricesUsableUntilSec } = state;
  if (arePricesUsable(state, l1TimeSec)) return undefined;
  return reject('prices-unusable', 'no price of this round may be used; place the order again at the next', {
    roundNumber: table?.table.roundNumber ?? 0n,
    pricesUsableUntilSec,
    l1TimeSec,
  });
}

export function reseal(state: EngineState, batchNumber: number): Result<void> {
  const refusal = refuseReseal(state, batchNumber);
  if (refusal !== undefined) return refusal;
  executeAgain(state, batchNumber);
  return accept(undefined);
}

/** Executes a batch and all after it again from the root before it, where `refuseReseal` allows it. */
export function executeAgain(state: EngineState, batchNumber: number, omission?: Omission): void {
  const { isolation } = state;
  isolation.halted = undefined;
  const entries = [...state.batches.values()].filter((entry) => entry.number >= batchNumber);
  entries.sort((a, b) => a.number - b.number);
  const actions = actionsFrom(state, batchNumber);
  forgetOldCuts(state);
  rollBack(state, entries, actions, omission);
  const reopened = takeBack(state, actions);
  takeBackDrops(state, batchNumber);
  state.isResealing = true;
  for (const action of actions) {
    const name = nameOf(action);
    if (isolation.cuts.has(name)) sealBatch(state);
    if (omission?.actions.has(action)) leaveOut(state, action, reopened, omission.because);
    else redo(state, action, reopened);
  }
  // What comes new would hide in the last part which of its actions is at fault.
  if (isolation.cuts.size > 0) sealBatch(state);
  state.isResealing = false;
  closeDeadOrdersOfMoved(state);
  settle(state, reopened);
  forgetOrders(state);
  liquidationScan(state);
  includeWaiting(state);
}

/** Parts of batches that are final need no more to be kept apart. */
function forgetOldCuts(state: EngineState): void {
  const { isolation, batches, open } = state;
  if (isolation.cuts.size === 0) return;
  const actions = [...[...batches.values()].flatMap((entry) => entry.actions), ...(open?.actions ?? [])];
  const names = new Set(actions.map(nameOf));
  isolation.cuts = new Set([...isolation.cuts].filter((name) => names.has(name)));
}

/** Back to the state before the first of these batches. */
function rollBack(
  state: EngineState,
  entries: readonly BatchEntry[],
  actions: readonly BatchAction[],
  omission: Omission | undefined,
): void {
  const before = entries[0].before;
  invariant(before !== undefined, 'a batch that is not final knows where it started');
  const touched = new Set(state.open?.batch.touched ?? []);
  for (const entry of entries) {
    for (const row of entry.sealed?.accounts ?? []) if (row.isTouched) touched.add(row.accountIndex);
    const retired = entry.sealed?.content.retiredInstrument ?? 0;
    if (retired !== omission?.retirement) state.retired.delete(retired);
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
  for (const accountIndex of touched) {
    state.screen.set(accountIndex, accountAt(state.ledger, accountIndex));
    state.movedAccounts.add(accountIndex);
  }
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

/** What cancels were dropped for is taken back: the nonce or epoch that died may live again. */
function takeBackDrops(state: EngineState, batchNumber: number): void {
  for (const record of state.messages.values()) {
    const { signed, position, dropped, droppedAt = 0 } = record;
    if (dropped === undefined || dropped.code === 'unprovable' || droppedAt < batchNumber) continue;
    if (signed.messages[position].kind !== 'withdraw') waitAgain(state, record);
  }
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
      tellVoided(
        state,
        action.tradeId,
        reject('liquidation-judged-again', 'a resealed batch liquidates at its new round', {
          accountIndex: action.operation.accountIndex,
        }),
      );
      return;
    case 'pay-fund':
      return;
    case 'settlement':
      redoSettlement(state, action.operation);
      return;
  }
}

/** What cannot be proved is not done again. Orders in it end: left open they would meet each other once more. */
function leaveOut(state: EngineState, action: BatchAction, reopened: Reopened, because: Rejection): void {
  const hashes = action.kind === 'trade' ? [action.makerHash, action.takerHash] : [];
  if (action.kind === 'liquidate') hashes.push(action.makerHash);
  for (const hash of hashes) reopenedOrder(reopened, hash).refusal ??= because;
  if (action.kind === 'trade' || action.kind === 'liquidate') tellVoided(state, action.tradeId, because);
  if (action.kind === 'message') {
    dropMessage(state, messageOf(state, action.hash), because);
  }
  invariant(action.kind !== 'l1', 'the queue of L1 is served without gaps');
}

function tellVoided(state: EngineState, tradeId: number, because: Rejection): void {
  const batchNumber = state.open?.number ?? state.nextBatchNumber;
  state.emit({ kind: 'trade-voided', tradeId, batchNumber, because });
}

function reopenedOrder(reopened: Reopened, hash: string) {
  const order = reopened.get(hash);
  invariant(order !== undefined, 'the orders of a trade were reopened');
  return order;
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
  const maker = reopenedOrder(reopened, action.makerHash);
  const taker = reopenedOrder(reopened, action.takerHash);
  const known = maker.refusal ?? taker.refusal;
  const done: Result<void> = known ?? refusePrices(state) ?? inBatch(state, 'reseal', action.operation);
  if (done.ok) {
    bookTrade(state, action.operation, maker.record, taker.record, action.tradeId);
    return;
  }
  // Without prices nobody is at fault: the book is again what it was when the taker came.
  if (done.code === 'prices-unusable') taker.refusal ??= done;
  else if (known === undefined) {
    if (done.data.accountIndex === maker.record.signed.accountIndex) maker.refusal = done;
    else taker.refusal = done;
  }
  tellVoided(state, action.tradeId, done);
}

function messageOf(state: EngineState, hash: string): MessageRecord {
  const record = state.messages.get(hash);
  invariant(record !== undefined, 'a message of a batch is known');
  return record;
}

function redoMessage(state: EngineState, action: Extract<BatchAction, { kind: 'message' }>): void {
  const record = messageOf(state, action.hash);
  record.batchNumber = undefined;
  const done = inBatch(state, 'reseal', action.operation);
  if (!done.ok) {
    if (action.operation.kind === 'withdraw') dropMessage(state, record, done);
    // What made it possible may come later: an L1 operation that waits for prices.
    else waitAgain(state, record);
    return;
  }
  recordAction(state, action);
  record.batchNumber = state.open?.number;
  closeDeadOrders(state, record.signed.accountIndex);
  state.emit({ kind: 'message-included', hash: action.hash, batchNumber: record.batchNumber ?? 0 });
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

const isCrossing = (state: EngineState, { order }: OrderRecord): boolean =>
  state.book(order.instrumentId).wouldCross(order.side, order.limitMicrosPerLot);

/** An acknowledged cancel binds what is left of an order, also where its fills are gone. */
function cancelReason(state: EngineState, { signed, order }: OrderRecord): CancelReason | undefined {
  const { accountIndex, epoch } = signed;
  if (isEpochEnding(state, accountIndex, epoch)) return 'cancelled-all';
  const isCancelled = state.cancelledNonces.get(accountIndex)?.has(nonceKey(epoch, order.nonce));
  return isCancelled ? 'cancelled' : undefined;
}

/** Decides what becomes of the orders whose fills were taken back. */
function settle(state: EngineState, reopened: Reopened): void {
  for (const { record, refusal } of reopened.values()) {
    if (record.closed !== undefined) continue;
    const cancelled = cancelReason(state, record);
    if (refusal !== undefined) {
      closeOrder(state, record, 'voided', refusal);
    } else if (cancelled !== undefined) {
      closeOrder(state, record, cancelled);
    } else if (record.order.expirySec < state.l1TimeSec) {
      closeOrder(state, record, 'expired');
    } else if (record.options.timeInForce !== 'gtc') {
      closeOrder(state, record, 'ioc');
    } else {
      // What came to the book since may cross it now.
      const unmatchable = isCrossing(state, record) ? refusePrices(state) : undefined;
      if (unmatchable !== undefined) closeOrder(state, record, 'voided', unmatchable);
      else matchOrder(state, record);
      if (record.closed === undefined && remainingOf(record) > 0n) rest(state, record);
    }
  }
}
