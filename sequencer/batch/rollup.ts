/**
 * The open batch: opened when there is something to put in, filled by operations of `protocol/transition`, sealed
 * when full, old, or overtaken by a new round. It has the room of the largest deployed size until it is sealed for the
 * smallest that holds it. Sealing fixes root and content; the proof comes later.
 */
import type { Account } from '#protocol/account.ts';
import type { BatchHeader, SealedBatch } from '#protocol/batch/batch.ts';
import { largestSize, smallestFitting } from '#protocol/batch/sizes.ts';
import { accept, invariant, type Rejection, type Result, reject } from '#protocol/errors.ts';
import { countedDeposits, marginOf } from '#protocol/risk/margin.ts';
import { liquidLeft } from '#protocol/transition/market-rules.ts';
import { openBatch as emptyBatch, type OpenBatch } from '#protocol/transition/open-batch.ts';
import type { LiquidateOperation, Operation } from '#protocol/transition/operation.ts';
import { isBatchConflict } from '#protocol/transition/refusals.ts';
import type { LiquidationNumbers } from '../commands.ts';
import { closeDeadOrdersOfMoved, closeExpiredOrders } from '../orders.ts';
import type { BatchAction, BatchEntry, EngineState, L1Ledger, OpenEntry } from '../state.ts';
import { backlogRefusal, haltRefusal, type Lane, noteOpening } from './seal-policy.ts';
import { isSettlementWaiting } from './settlement.ts';
import { fillOpenBatch, giveTurn, includeL1Operations, isL1Waiting, noteTurn } from './waiting.ts';

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

/**
 * What a batch is opened for goes into it first: what waits takes room afterwards. Only where a batch left out all that
 * waited does the next one begin with some of it, so that neither keeps the other out of two batches in a row.
 */
function openBatch(state: EngineState, lane: Lane): Result<OpenEntry> {
  // Asked first: a halt ends the open batch as well.
  const refusal = backlogRefusal(state, lane);
  if (refusal !== undefined) return refusal;
  if (state.open !== undefined) return accept(state.open);
  const { table } = state;
  if (table === undefined)
    return reject('no-round', 'no risk round was accepted yet: no batch can be opened');
  const header = headerOf(state, table);
  const { capacity } = largestSize(state.config.sizes);
  const open: OpenEntry = {
    number: state.nextBatchNumber,
    table,
    pendingEnd: state.l1QueueEnd,
    batch: emptyBatch(state.ledger, header, capacity),
    actions: [],
  };
  state.open = open;
  noteOpening(state, lane);
  state.emit({ kind: 'batch-opened', batchNumber: open.number, timeSec: header.timeSec });
  closeExpiredOrders(state, header.timeSec);
  if (!state.isResealing) giveTurn(state, lane);
  return accept(open);
}

/** Notes what the open batch took, for the life cycle and for a reseal. */
export function recordAction(state: EngineState, action: BatchAction): void {
  invariant(state.open !== undefined, 'an action belongs to the open batch');
  state.open.actions.push(action);
}

/** An empty batch after the open one, to try what that has no room for: fees apart, as the next one will be. */
function trialBatch(state: EngineState, { batch, table }: OpenEntry): OpenBatch {
  const liquid = batch.header.liquid.map((_, tokenId) => liquidLeft(batch.content, tokenId, true));
  return emptyBatch(batch.trialLedger, { ...headerOf(state, state.table ?? table), liquid }, batch.capacity);
}

/**
 * Puts one operation into the open batch; where it does not fit, seals and tries the next. The caller
 * records the action. A refusal other than for room is final and leaves the batch as it was.
 */
export function inBatch(state: EngineState, lane: Lane, operation: Operation): Result<void> {
  for (;;) {
    const opened = openBatch(state, lane);
    if (!opened.ok) return opened;
    const done = opened.value.batch.execute(operation);
    if (done.ok) {
      opened.value.batch = done.value;
      return accept(undefined);
    }
    // An empty batch that cannot take it never will: the refusal is about the operation itself.
    if (!isBatchConflict(done) || opened.value.batch.isEmpty) return done;
    // Whoever signs what is refused there as well shall not have batches of others sealed for nothing.
    if (lane !== 'reseal' && (operation.kind === 'trade' || operation.kind === 'withdraw')) {
      const later = trialBatch(state, opened.value).execute(operation);
      if (!later.ok) return later;
    }
    sealBatch(state);
  }
}

/**
 * As `inBatch`, of liquidations that pass only together. Where they do not fit, the batch is sealed and they are refused
 * all the same: the accounts and the deposits they count may be others in the next one.
 */
export function togetherInBatch(
  state: EngineState,
  lane: Lane,
  operations: readonly LiquidateOperation[],
): Result<void> {
  const opened = openBatch(state, lane);
  if (!opened.ok) return opened;
  const done = opened.value.batch.executeTogether(operations);
  if (done.ok) {
    opened.value.batch = done.value;
    return accept(undefined);
  }
  if (isBatchConflict(done) && !opened.value.batch.isEmpty) sealBatch(state);
  return done;
}

/** An operation and why a batch does not take it; without one, why no batch is begun. */
export interface RefusedOperation<T> {
  readonly operation: T | undefined;
  readonly refusal: Rejection;
}

function firstRefused<T extends Operation>(
  batch: OpenBatch,
  operations: readonly T[],
): RefusedOperation<T> | undefined {
  let taken = batch;
  for (const operation of operations) {
    const done = taken.execute(operation);
    if (!done.ok) return { operation, refusal: done };
    taken = done.value;
  }
  return undefined;
}

/**
 * Which of these operations one batch, the open one or the next, does not take after those before it. Keeps none of
 * them. The open batch is sealed only for what an empty one after it takes: else whoever asks for too much at once could
 * have batches of one operation sealed for nothing, until no more are begun.
 */
export function refusedOf<T extends Operation>(
  state: EngineState,
  lane: Lane,
  operations: readonly T[],
): RefusedOperation<T> | undefined {
  for (;;) {
    const opened = openBatch(state, lane);
    if (!opened.ok) return { operation: undefined, refusal: opened };
    const { batch } = opened.value;
    const refused = firstRefused(batch, operations);
    if (refused === undefined || batch.isEmpty || !isBatchConflict(refused.refusal)) return refused;
    const later = firstRefused(trialBatch(state, opened.value), operations);
    if (later !== undefined) return later;
    sealBatch(state);
  }
}

/** Puts what waits into the open batch as far as there is room; opens one where it may. */
export function includeWaiting(state: EngineState): void {
  // A reseal puts everything back in its old order by itself.
  if (state.isResealing) return;
  const isL1 = isL1Waiting(state);
  if (!isL1 && state.waitingCancels.count === 0 && !isSettlementWaiting(state)) return;
  if (state.open === undefined && !openBatch(state, isL1 ? 'protected' : 'waiting').ok) return;
  fillOpenBatch(state, 'beside-a-trade');
}

/** Serves queue entries below `endIndex` in the open batch as far as there is room; for a reseal. */
export function includeL1Until(state: EngineState, endIndex: number): Result<void> {
  const opened = openBatch(state, 'reseal');
  if (!opened.ok) return opened;
  includeL1Operations(state, endIndex);
  return accept(undefined);
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
  if (state.open !== undefined && !state.isResealing) fillOpenBatch(state, 'all-left');
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
    tableIndex: open.table.index,
    roundNumber: open.table.table.roundNumber,
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
  state.addBatch(entry);
  noteTurn(state, open);
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
export function inOwnBatches<T>(state: EngineState, fill: () => T): T {
  sealBatch(state);
  state.isResealing = true;
  const done = fill();
  sealBatch(state);
  state.isResealing = false;
  closeDeadOrdersOfMoved(state);
  return done;
}

function tellRetirement(state: EngineState, { content }: SealedBatch): void {
  const instrumentId = content.retiredInstrument;
  if (instrumentId === 0) return;
  state.retired.add(instrumentId);
  state.emit({ kind: 'instrument-retired', batchNumber: Number(content.header.batchNumber), instrumentId });
}

/** The proved numbers of every liquidated account, before and after the batch. */
function tellLiquidations(state: EngineState, sealed: SealedBatch): void {
  const { header, liquidatedAccounts } = sealed.content;
  for (const { accountIndex, penaltyMicros, pending } of liquidatedAccounts) {
    const change = sealed.accounts.find((row) => row.accountIndex === accountIndex);
    invariant(change !== undefined, 'a liquidated account is a row of its batch');
    const counted = countedDeposits(change.before, header.table, pending);
    const numbers = (account: Account): LiquidationNumbers => {
      const margin = marginOf(account, header.table, sealed.shape, counted);
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
