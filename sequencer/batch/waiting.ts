/**
 * What waits for room goes into the open batch here: L1 operations in the order of their queue, then cancels by turns,
 * then settlements. None of it may keep out what a batch is opened for: cancels cost nothing, so they leave the rows of
 * one more trade free until the batch is sealed, when they take all that is left.
 */
import { accept, invariant, type Rejection, type Result } from '#protocol/errors.ts';
import type { BatchCapacity } from '#protocol/limits.ts';
import type { SignedMessages } from '#protocol/message.ts';
import type { Operation } from '#protocol/transition/operation.ts';
import { isBatchConflict } from '#protocol/transition/refusals.ts';
import { closeDeadOrders } from '../orders.ts';
import type { EngineState, MessageRecord, OpenEntry } from '../state.ts';
import { backlogRefusal, type Lane } from './seal-policy.ts';
import { includeSettlements } from './settlement.ts';

/** What waiting cancels may take: what a trade leaves; that, but one row at least; or all. */
type Share = 'beside-a-trade' | 'turn' | 'all-left';

const ROWS_OF_A_TRADE = 2;

/** Accounts in turn whose message did not go in, after which a pass ends: a flood of accounts costs no more than these. */
const MISSES_MAX = 16;

/** An L1 operation that may be served now heads the queue. */
export const isL1Waiting = (state: EngineState): boolean =>
  state.l1Queue.length > 0 && state.l1Queue[0].queueIndex < state.l1QueueConfirmedEnd;

function openEntry(state: EngineState): OpenEntry {
  invariant(state.open !== undefined, 'there is an open batch');
  return state.open;
}

/** Tries an operation in the batch that is open now, without sealing. */
function inOpenBatch(state: EngineState, operation: Operation): Result<void> {
  const open = openEntry(state);
  const done = open.batch.execute(operation);
  if (!done.ok) return done;
  open.batch = done.value;
  return accept(undefined);
}

/** Fills the open batch with what waits, as far as there is room. */
export function fillOpenBatch(state: EngineState, share: Share): void {
  // An open batch may still be empty: what may not begin one does not fill it either.
  if (backlogRefusal(state, 'protected') !== undefined) return;
  includeL1Operations(state, state.l1QueueConfirmedEnd);
  if (backlogRefusal(state, 'waiting') !== undefined) return;
  includeCancels(state, share);
  includeSettlements(state);
}

/** After a seal: which of those that wait found no place at all in the batch. They begin the next one. */
export function noteTurn(state: EngineState, { batch, actions }: OpenEntry): void {
  const hasCancel = actions.some(
    ({ kind, operation }) =>
      kind === 'message' && (operation.kind === 'cancel' || operation.kind === 'cancel-all'),
  );
  state.isTurnOfL1 = isL1Waiting(state) && batch.content.l1Operations.length === 0;
  state.isTurnOfCancels = state.waitingCancels.count > 0 && !hasCancel;
}

/** Begins a fresh batch with what the one before left out. A liquidation lets L1 operations go first, not free cancels. */
export function giveTurn(state: EngineState, lane: Lane): void {
  if (state.isTurnOfL1) {
    state.isTurnOfL1 = false;
    includeL1Operations(state, state.l1QueueConfirmedEnd, accountsOfTurn(state));
  }
  if (state.isTurnOfCancels && lane !== 'liquidation') {
    state.isTurnOfCancels = false;
    if (backlogRefusal(state, 'ordinary') === undefined) includeCancels(state, 'turn');
  }
}

/** In their turn L1 operations leave the accounts of a trade free, but take one at least. */
function accountsOfTurn(state: EngineState): (accountIndex: number) => boolean {
  const { batch } = openEntry(state);
  const max = Math.max(1, batch.capacity.accounts - ROWS_OF_A_TRADE);
  return (accountIndex) => {
    const { touched } = openEntry(state).batch;
    return touched.includes(accountIndex) || touched.length < max;
  };
}

/** Serves queue entries below `endIndex` as far as there is room. */
export function includeL1Operations(
  state: EngineState,
  endIndex: number,
  hasRoom: (accountIndex: number) => boolean = () => true,
): void {
  while (state.l1Queue.length > 0) {
    const queued = state.l1Queue[0];
    if (queued.queueIndex >= endIndex || !hasRoom(queued.operation.accountIndex)) return;
    const operation: Operation = { kind: 'l1', operation: queued.operation };
    const done = inOpenBatch(state, operation);
    // Nothing is wrong with an L1 operation: it waits for room, or for a round that can judge it.
    if (!done.ok) return;
    state.l1Queue = state.l1Queue.slice(1);
    openEntry(state).actions.push({ kind: 'l1', operation, queued });
    tellL1Operation(state, queued.queueIndex);
    closeDeadOrders(state, queued.operation.accountIndex);
  }
}

function tellL1Operation(state: EngineState, queueIndex: number): void {
  const open = openEntry(state);
  const row = open.batch.content.l1Operations.at(-1);
  invariant(row !== undefined, 'the operation has a row');
  state.emit({ kind: 'l1-operation', queueIndex, batchNumber: open.number, outcome: row.outcome });
  const { kind, accountIndex, publicKey } = row.operation;
  if (kind === 'register') state.emit({ kind: 'key-registered', accountIndex, publicKey });
}

/** Rows of each kind that `share` leaves of so many. */
function cancelRows(capacity: BatchCapacity, share: Share) {
  const of = (rows: number): number =>
    share === 'all-left' ? rows : Math.max(share === 'turn' ? 1 : 0, rows - ROWS_OF_A_TRADE);
  return {
    accounts: of(capacity.accounts),
    signatures: of(capacity.signatures),
    messages: of(capacity.messages),
  };
}

function includeCancels(state: EngineState, share: Share): void {
  const open = openEntry(state);
  const rows = cancelRows(open.batch.capacity, share);
  const hasRoom = (signed: SignedMessages): boolean => {
    const { touched, content } = open.batch;
    // Messages of one signature share its row.
    const isSigned = content.signatures.includes(signed) || content.signatures.length < rows.signatures;
    return isSigned && (touched.includes(signed.accountIndex) || touched.length < rows.accounts);
  };
  let misses = 0;
  for (const { accountIndex, hash } of state.waitingCancels.turns()) {
    if (open.batch.content.messages.length >= rows.messages || misses >= MISSES_MAX) return;
    const record = state.messages.get(hash);
    invariant(record !== undefined, 'a waiting message is known');
    if (isBeforeItsEpoch(state, record.signed)) continue;
    if (hasRoom(record.signed) && includeCancel(state, record)) state.waitingCancels.take(accountIndex);
    else misses++;
  }
}

/**
 * Whether the epoch of a message begins only with an L1 operation that waits: a reseal without prices leaves it in the
 * queue, behind one that needs them.
 */
const isBeforeItsEpoch = (state: EngineState, { accountIndex, epoch }: SignedMessages): boolean =>
  state.account(accountIndex).epoch < epoch &&
  state.l1Queue.some(
    ({ operation: { kind, accountIndex: of } }) =>
      of === accountIndex && (kind === 'register' || kind === 'cancelAll'),
  );

/** Whether the message waits no more: it is in the batch, or what it wanted has happened. */
function includeCancel(state: EngineState, record: MessageRecord): boolean {
  const open = openEntry(state);
  const { signed, position, hash } = record;
  const { kind } = signed.messages[position];
  invariant(kind === 'cancel' || kind === 'cancel-all', 'only cancels wait');
  const operation: Operation = { kind, signed, position };
  const done = inOpenBatch(state, operation);
  if (done.ok) {
    open.actions.push({ kind: 'message', operation, hash });
    record.batchNumber = open.number;
    state.emit({ kind: 'message-included', hash, batchNumber: open.number });
    closeDeadOrders(state, signed.accountIndex);
    return true;
  }
  if (isBatchConflict(done)) return false;
  // The nonce or epoch died on another way: what the cancel wanted has happened.
  dropMessage(state, record, done);
  return true;
}

export function dropMessage(state: EngineState, record: MessageRecord, because: Rejection): void {
  record.batchNumber = undefined;
  record.dropped = because;
  record.droppedAt = state.open?.number ?? state.nextBatchNumber;
  state.emit({ kind: 'message-dropped', hash: record.hash, because });
}

/** A cancel that was in a batch, or was dropped for something in one, waits again once a reseal took that batch back. */
export function waitAgain(state: EngineState, record: MessageRecord): void {
  const { signed, position, hash } = record;
  record.batchNumber = undefined;
  record.dropped = undefined;
  record.droppedAt = undefined;
  const { accountIndex, epoch } = signed;
  if (signed.messages[position].kind !== 'cancel-all') {
    state.waitingCancels.add(accountIndex, hash);
    return;
  }
  // One of an earlier epoch begins the epoch of this one: taken first, this one would be refused, and lost.
  const isAfter = (other: string): boolean => (state.messages.get(other)?.signed.epoch ?? epoch) >= epoch;
  state.waitingCancels.addFirst(accountIndex, hash, isAfter);
}
