/**
 * The open batch: opened when there is something to put in, filled by operations of `protocol/transition`, sealed
 * when full, old, or overtaken by a new round. It has the room of the largest deployed size until it is sealed for the
 * smallest that holds it. Sealing fixes root and content; the proof comes later.
 */
import type { Account } from '#protocol/account.ts';
import type { BatchHeader, SealedBatch } from '#protocol/batch/batch.ts';
import { largestSize, smallestFitting } from '#protocol/batch/sizes.ts';
import { accept, invariant, type Result, reject } from '#protocol/errors.ts';
import { marginOf } from '#protocol/risk/margin.ts';
import { openBatch as emptyBatch, type OpenBatch } from '#protocol/transition/open-batch.ts';
import type { LiquidateOperation, Operation } from '#protocol/transition/operation.ts';
import { isBatchConflict } from '#protocol/transition/refusals.ts';
import type { LiquidationNumbers } from '../commands.ts';
import { closeDeadOrders, closeExpiredOrders } from '../orders.ts';
import type { BatchAction, BatchEntry, EngineState, L1Ledger, OpenEntry } from '../state.ts';
import { backlogRefusal, haltRefusal, type Lane } from './seal-policy.ts';
import { includeSettlements, isSettlementWaiting } from './settlement.ts';

/** Accounts of a fresh batch that waiting work may not take: one trade always fits. */
const ACCOUNTS_OF_A_TRADE = 2;

/** The contract's rule for word 9: no jump, and the round not too old at batch time. */
export function arePricesUsable(state: EngineState, timeSec: bigint): boolean {
  const table = state.table?.table;
  return table !== undefined && !table.isJump && timeSec <= table.timeSec + state.config.roundAgeMaxSec;
}

function headerOf(state: EngineState, table: NonNullable<EngineState['table']>): BatchHeader {
  const { config, l1Ledger, l1TimeSec } = state;
  return {
    domain: config.domain,
    domainWord: largestSize(config.sizes).domainWord,
    batchNumber: BigInt(state.nextBatchNumber),
    timeSec: l1TimeSec,
    table: table.table,
    pricesUsable: arePricesUsable(state, l1TimeSec),
    fundBookedMicros: l1Ledger.fundBookedMicros,
    liquid: l1Ledger.liquid,
  };
}

/** @param accountsNeeded by what the batch is opened for */
function openBatch(state: EngineState, lane: Lane, accountsNeeded = ACCOUNTS_OF_A_TRADE): Result<OpenEntry> {
  // Asked first: a halt ends the open batch as well.
  const refusal = backlogRefusal(state, lane);
  if (refusal !== undefined) return refusal;
  if (state.open !== undefined) return accept(state.open);
  const { table } = state;
  if (table === undefined)
    return reject('no-round', 'no risk round was accepted yet: no batch can be opened');
  const header = headerOf(state, table);
  const { capacity } = largestSize(state.config.sizes);
  state.open = {
    number: state.nextBatchNumber,
    table,
    pendingEnd: state.l1QueueEnd,
    batch: emptyBatch(state.ledger, header, capacity),
    actions: [],
  };
  state.emit({ kind: 'batch-opened', batchNumber: state.open.number, timeSec: header.timeSec });
  closeExpiredOrders(state, header.timeSec);
  // Something waiting always fits beside a trade; what needs more accounts than one goes first.
  const isTrade = accountsNeeded <= ACCOUNTS_OF_A_TRADE;
  includeWaiting(state, Math.max(isTrade ? 1 : 0, capacity.accounts - accountsNeeded));
  return accept(state.open);
}

/** Notes what the open batch took, for the life cycle and for a reseal. */
export function recordAction(state: EngineState, action: BatchAction): void {
  invariant(state.open !== undefined, 'an action belongs to the open batch');
  state.open.actions.push(action);
}

/**
 * Puts one operation into the open batch; where it does not fit, seals and tries the next. The caller
 * records the action. A refusal other than for room is final and leaves the batch as it was.
 */
export const inBatch = (state: EngineState, lane: Lane, operation: Operation): Result<void> =>
  putIn(state, lane, (batch) => batch.execute(operation));

/** As `inBatch`, of liquidations that pass only together. */
export const togetherInBatch = (
  state: EngineState,
  lane: Lane,
  operations: readonly LiquidateOperation[],
): Result<void> => {
  const accounts = new Set(
    operations.flatMap(({ accountIndex, against }) => [accountIndex, against.signed.accountIndex]),
  );
  return putIn(state, lane, (batch) => batch.executeTogether(operations), accounts.size);
};

function putIn(
  state: EngineState,
  lane: Lane,
  put: (batch: OpenBatch) => Result<OpenBatch>,
  accountsNeeded = ACCOUNTS_OF_A_TRADE,
): Result<void> {
  for (;;) {
    const opened = openBatch(state, lane, accountsNeeded);
    if (!opened.ok) return opened;
    const done = put(opened.value.batch);
    if (done.ok) {
      opened.value.batch = done.value;
      return accept(undefined);
    }
    // An empty batch that cannot take it never will: the refusal is about the operation itself.
    if (!isBatchConflict(done) || opened.value.batch.isEmpty) return done;
    sealBatch(state);
  }
}

/** Whether one batch, the open one or the next, takes all these operations one after the other. Keeps none of them. */
export function wouldTakeAll(state: EngineState, lane: Lane, operations: readonly Operation[]): Result<void> {
  for (;;) {
    const opened = openBatch(state, lane);
    if (!opened.ok) return opened;
    let tried: Result<OpenBatch> = accept(opened.value.batch);
    for (const operation of operations) if (tried.ok) tried = tried.value.execute(operation);
    if (tried.ok) return accept(undefined);
    if (!isBatchConflict(tried) || opened.value.batch.isEmpty) return tried;
    sealBatch(state);
  }
}

/** Tries an operation in the batch that is open now, without sealing. */
function inOpenBatch(state: EngineState, operation: Operation): Result<void> {
  invariant(state.open !== undefined, 'there is an open batch');
  const done = state.open.batch.execute(operation);
  if (!done.ok) return done;
  state.open.batch = done.value;
  return accept(undefined);
}

/** Takes waiting L1 operations, strictly in queue order, then waiting cancels and settlements, as far as there is room. */
export function includeWaiting(state: EngineState, accountsMax = Number.POSITIVE_INFINITY): void {
  // A reseal puts everything back in its old order by itself.
  if (state.isResealing) return;
  const isUrgent = state.l1Queue.length > 0 || state.waitingMessages.length > 0;
  if (!isUrgent && !isSettlementWaiting(state)) return;
  if (!openBatch(state, isUrgent ? 'protected' : 'ordinary').ok) return;
  const accounts = new Set<number>();
  const hasRoom = (accountIndex: number): boolean => {
    if (accounts.has(accountIndex)) return true;
    if (accounts.size >= accountsMax) return false;
    accounts.add(accountIndex);
    return true;
  };
  includeL1Operations(state, state.l1QueueConfirmedEnd, hasRoom);
  includeMessages(state, hasRoom);
  includeSettlements(state, hasRoom);
}

/** Serves queue entries below `endIndex` in the open batch as far as there is room; for a reseal. */
export function includeL1Until(state: EngineState, endIndex: number): Result<void> {
  const opened = openBatch(state, 'reseal');
  if (!opened.ok) return opened;
  includeL1Operations(state, endIndex, () => true);
  return accept(undefined);
}

function includeL1Operations(
  state: EngineState,
  endIndex: number,
  hasRoom: (accountIndex: number) => boolean,
): void {
  while (state.l1Queue.length > 0) {
    const queued = state.l1Queue[0];
    if (queued.queueIndex >= endIndex || !hasRoom(queued.operation.accountIndex)) return;
    const operation: Operation = { kind: 'l1', operation: queued.operation };
    const done = inOpenBatch(state, operation);
    // Nothing is wrong with an L1 operation: it waits for room, or for a round that can judge it.
    if (!done.ok) return;
    state.l1Queue = state.l1Queue.slice(1);
    recordAction(state, { kind: 'l1', operation, queued });
    tellL1Operation(state, queued.queueIndex);
    closeDeadOrders(state, queued.operation.accountIndex);
  }
}

function tellL1Operation(state: EngineState, queueIndex: number): void {
  const { open } = state;
  invariant(open !== undefined, 'an operation was just put into the open batch');
  const row = open.batch.content.l1Operations.at(-1);
  invariant(row !== undefined, 'the operation has a row');
  state.emit({ kind: 'l1-operation', queueIndex, batchNumber: open.number, outcome: row.outcome });
  const { kind, accountIndex, publicKey } = row.operation;
  if (kind === 'register') state.emit({ kind: 'key-registered', accountIndex, publicKey });
  if (kind === 'register' || kind === 'cancelAll') forgetEpoch(state, accountIndex);
}

/** A new epoch: what the engine had promised about the old one is now in the state. */
function forgetEpoch(state: EngineState, accountIndex: number): void {
  state.cancelledNonces.delete(accountIndex);
  state.epochEnding.delete(accountIndex);
}

function includeMessages(state: EngineState, hasRoom: (accountIndex: number) => boolean): void {
  const stillWaiting: string[] = [];
  for (const hash of state.waitingMessages) {
    const record = state.messages.get(hash);
    invariant(
      record !== undefined && state.open !== undefined,
      'a waiting message is known, a batch is open',
    );
    const { signed, position } = record;
    const { kind } = signed.messages[position];
    invariant(kind === 'cancel' || kind === 'cancel-all', 'only cancels wait');
    if (!hasRoom(signed.accountIndex)) {
      stillWaiting.push(hash);
      continue;
    }
    const operation: Operation = { kind, signed, position };
    const done = inOpenBatch(state, operation);
    if (done.ok) {
      recordAction(state, { kind: 'message', operation, hash });
      record.batchNumber = state.open.number;
      state.emit({ kind: 'message-included', hash, batchNumber: state.open.number });
      if (kind === 'cancel-all') forgetEpoch(state, signed.accountIndex);
      closeDeadOrders(state, signed.accountIndex);
    } else if (isBatchConflict(done)) {
      stillWaiting.push(hash);
    } else {
      // The nonce or epoch died on another way: what the cancel wanted has happened.
      record.dropped = done;
      state.emit({ kind: 'message-dropped', hash, because: done });
    }
  }
  state.waitingMessages = stillWaiting;
}

/** liquid_t and fundBooked after the batch: the bookings of MarginRollup. */
export function ledgerAfter(before: L1Ledger, batch: SealedBatch): L1Ledger {
  const liquid = [...before.liquid];
  let { fundBookedMicros } = before;
  for (const { operation, outcome } of batch.content.l1Operations) {
    if (operation.kind === 'deposit' && outcome.isApplied) liquid[operation.tokenId] += operation.amount;
    if (operation.kind === 'withdraw') liquid[operation.tokenId] -= outcome.served;
    if (operation.kind === 'fundDonation') fundBookedMicros += operation.amount;
  }
  for (const { signatureIndex, position, servedAmount } of batch.content.withdrawals) {
    const message = batch.content.signatures[signatureIndex].messages[position];
    invariant(message.kind === 'withdraw', 'a withdrawal row executes a withdrawal');
    liquid[message.tokenId] -= servedAmount;
  }
  const income = batch.feesMicros + batch.penaltiesMicros;
  liquid[0] += batch.fundPaymentsMicros - income;
  return { liquid, fundBookedMicros: fundBookedMicros + income - batch.fundPaymentsMicros };
}

/** Seals the open batch; an empty one is forgotten. What still waits uses the room that is left. */
export function sealBatch(state: EngineState): void {
  if (haltRefusal(state) !== undefined) return;
  includeLeftOvers(state);
  const { open } = state;
  if (open === undefined) return;
  state.open = undefined;
  if (open.batch.isEmpty) return;
  const { sizes } = state.config;
  const sizeIndex = smallestFitting(sizes, open.batch.usedRows);
  invariant(sizeIndex >= 0, 'a batch has no more rows than the size it was opened for');
  const { batch: sealed, state: ledger } = open.batch.seal(sizes[sizeIndex]);
  const attempt = state.attempts.get(open.number) ?? 0;
  const entry: BatchEntry = {
    number: open.number,
    attempt,
    sizeIndex,
    status: 'sealed',
    sealed,
    oldStateRoot: sealed.oldStateRoot,
    newStateRoot: sealed.newStateRoot,
    timeSec: sealed.content.header.timeSec,
    table: open.table,
    pendingEnd: open.pendingEnd,
    actions: open.actions,
    actionCount: open.actions.length,
    isLiquidating: sealed.content.liquidations.length > 0,
    before: { ledger: state.ledger, l1Ledger: state.l1Ledger },
    proof: undefined,
    l1TxHash: undefined,
    l1Block: undefined,
  };
  state.ledger = ledger;
  for (const { isTouched, accountIndex, after } of sealed.accounts) {
    if (isTouched) state.screen.set(accountIndex, after);
  }
  state.l1Ledger = ledgerAfter(state.l1Ledger, sealed);
  tellLiquidations(state, sealed);
  tellRetirement(state, sealed);
  state.batches.set(entry.number, entry);
  state.nextBatchNumber++;
  state.emit({
    kind: 'batch-sealed',
    batchNumber: entry.number,
    attempt,
    oldStateRoot: sealed.oldStateRoot,
    newStateRoot: sealed.newStateRoot,
  });
}

/** Gives what `fill` does batches of its own; as in a reseal, what waits comes later. */
export function inOwnBatches(state: EngineState, fill: () => void): void {
  sealBatch(state);
  state.isResealing = true;
  fill();
  sealBatch(state);
  state.isResealing = false;
}

function tellRetirement(state: EngineState, { content }: SealedBatch): void {
  const instrumentId = content.retiredInstrument;
  if (instrumentId === 0) return;
  state.retired.add(instrumentId);
  state.emit({ kind: 'instrument-retired', batchNumber: Number(content.header.batchNumber), instrumentId });
}

function includeLeftOvers(state: EngineState): void {
  if (state.open !== undefined) includeWaiting(state);
}

/** The proved numbers of every liquidated account, before and after the batch. */
function tellLiquidations(state: EngineState, sealed: SealedBatch): void {
  const { header, liquidatedAccounts } = sealed.content;
  for (const { accountIndex, penaltyMicros, pending } of liquidatedAccounts) {
    const change = sealed.accounts.find((row) => row.accountIndex === accountIndex);
    invariant(change !== undefined, 'a liquidated account is a row of its batch');
    const numbers = (account: Account): LiquidationNumbers => {
      const margin = marginOf(account, header.table, sealed.shape, pending);
      return {
        equityMicros: margin.equity,
        initialMarginMicros: margin.initialMarginMicrosUp,
        maintenanceMarginMicros: margin.maintenanceMarginMicrosUp,
      };
    };
    state.emit({
      kind: 'account-liquidated',
      batchNumber: Number(header.batchNumber),
      accountIndex,
      penaltyMicros,
      before: numbers(change.before),
      after: numbers(change.after),
    });
  }
}
