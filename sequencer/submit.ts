/** Signed messages on their way in: cheap checks, then the rules of admission, then book or batch. */
import { type Account, sizeOf } from '#protocol/account.ts';
import { invariant, type Rejection, type Result, reject } from '#protocol/errors.ts';
import type {
  CancelMessage,
  Message,
  OrderMessage,
  SignedMessages,
  WithdrawMessage,
} from '#protocol/message.ts';
import { isUserIndex } from '#protocol/state.ts';
import { nonceState, nonceWordOf } from '#protocol/transition/nonces.ts';
import { inBatch, includeWaiting, recordAction } from './batch/rollup.ts';
import { backlogRefusal } from './batch/seal-policy.ts';
import { matchOrder, refuseFillOrKill } from './book/matching.ts';
import type { OrderOptions } from './commands.ts';
import { bodyHashOf, messageHashOf } from './identity.ts';
import {
  closeDeadOrders,
  closeOrder,
  isEpochEnding,
  nonceKey,
  openOrder,
  openOrderCount,
  openOrdersOf,
  orderOf,
  rest,
} from './orders.ts';
import { checkAdmission } from './risk/admission.ts';
import type { EngineState, MessageResult, OrderRecord } from './state.ts';

export interface Submission {
  readonly signed: SignedMessages;
  /** One per message; ignored for other kinds than orders. */
  readonly options: readonly OrderOptions[];
}

const DEFAULT_OPTIONS: OrderOptions = { timeInForce: 'gtc', isPostOnly: false };

/** Checks that hold for a whole signature, cheapest first and without looking at it. */
export function refuseEnvelope(state: EngineState, signed: SignedMessages): Rejection | undefined {
  const { accountIndex, epoch } = signed;
  if (!isUserIndex(state.config.shape, accountIndex)) {
    return reject('unknown-account', 'there is no such account', { accountIndex });
  }
  const account = state.account(accountIndex);
  if (account.publicKey[0] === 0n && account.publicKey[1] === 0n) {
    return reject('unknown-account', 'no key is registered for this account yet', { accountIndex });
  }
  if (epoch !== account.epoch) {
    return reject('wrong-epoch', 'signed under another epoch than the account is in', {
      accountIndex,
      signedEpoch: epoch,
      accountEpoch: account.epoch,
    });
  }
  if (isEpochEnding(state, accountIndex, epoch)) {
    return reject('wrong-epoch', 'a cancel-all ends this epoch; sign with the next once its batch holds it', {
      accountIndex,
      signedEpoch: epoch,
      accountEpoch: epoch,
      nextEpoch: epoch + 1n,
    });
  }
  return undefined;
}

/** The signature has been verified; the rest of the way of each message, in order. */
export function submit(state: EngineState, { signed, options }: Submission): readonly MessageResult[] {
  const bodyHash = bodyHashOf(state.config.domain, signed);
  const known = state.bodies.get(bodyHash);
  if (known !== undefined) return known;
  const results = signed.messages.map((message, position): MessageResult => {
    const hash = messageHashOf(bodyHash, position);
    const outcome =
      // Asked for each: a cancel-all ends the epoch of what follows it.
      refuseEnvelope(state, signed) ??
      submitMessage(
        state,
        { signed, position, hash, bodyHash },
        message,
        options[position] ?? DEFAULT_OPTIONS,
      );
    return outcome === undefined ? { ok: true, position, hash } : { ok: false, position, rejection: outcome };
  });
  // A body of which nothing was taken leaves no trace: it may be sent again when it would pass.
  if (results.some((result) => result.ok)) state.bodies.set(bodyHash, results);
  return results;
}

interface Reference {
  readonly signed: SignedMessages;
  readonly position: number;
  readonly hash: string;
  readonly bodyHash: string;
}

function submitMessage(
  state: EngineState,
  reference: Reference,
  message: Message,
  options: OrderOptions,
): Rejection | undefined {
  switch (message.kind) {
    case 'order':
      return submitOrder(state, reference, message, options);
    case 'cancel':
      return submitCancel(state, reference, message);
    case 'cancel-all':
      return submitCancelAll(state, reference);
    case 'withdraw':
      return submitWithdrawal(state, reference, message);
  }
}

function checkExpiry(state: EngineState, expirySec: bigint): Rejection | undefined {
  if (expirySec >= state.l1TimeSec) return undefined;
  return reject('expired', 'the expiry lies before the time of the next batch', {
    expirySec,
    batchTimeSec: state.l1TimeSec,
  });
}

/** Whether a nonce may still take effect; `isOrder` allows what is left of nothing: a new order needs a fresh one. */
function checkNonce(
  state: EngineState,
  accountIndex: number,
  message: { readonly nonce: bigint; readonly floorBackWords: number },
): Rejection | undefined {
  const account = state.account(accountIndex);
  const { nonce, floorBackWords } = message;
  const wordsMax = state.config.shape.nonceWords - 1;
  if (floorBackWords > wordsMax) {
    return reject('floor-out-of-window', `floorBackWords is at most ${wordsMax}`, {
      nonce,
      floorBackWords,
      wordsMax,
    });
  }
  const data = { nonce, firstLiveNonce: 32n * account.baseWord, epoch: account.epoch };
  if (nonceWordOf(nonce) < account.baseWord) {
    return reject('nonce-dead', 'this nonce lies below the window of the account', data);
  }
  const key = nonceKey(account.epoch, nonce);
  const isOpen = state.openOrders.get(accountIndex)?.has(key) ?? false;
  const isCancelled = state.cancelledNonces.get(accountIndex)?.has(key) ?? false;
  if (isOpen || isCancelled || nonceState(account, nonce).kind !== 'fresh') {
    return reject('nonce-used', 'this nonce was used by another message', { ...data, isOpen, isCancelled });
  }
  return undefined;
}

/** Rules of the engine that look at the order alone. */
function checkOrder(state: EngineState, order: OrderMessage, account: Account): Rejection | undefined {
  const { config } = state;
  const instrument = state.instruments.get(order.instrumentId);
  if (instrument === undefined) {
    return reject('unknown-instrument', 'there is no such instrument', { instrumentId: order.instrumentId });
  }
  const { tickMicrosPerLot } = instrument;
  if (order.limitMicrosPerLot % tickMicrosPerLot !== 0n) {
    return reject('not-on-tick', 'the limit is a multiple of the tick', {
      limitMicrosPerLot: order.limitMicrosPerLot,
      tickMicrosPerLot,
    });
  }
  const feePpmMax = config.takerFeePpm > config.makerFeePpm ? config.takerFeePpm : config.makerFeePpm;
  if (order.feeCapPpm < feePpmMax) {
    return reject('fee-cap-too-low', 'the signed fee cap is below the fee', {
      feeCapPpm: order.feeCapPpm,
      takerFeePpm: config.takerFeePpm,
      makerFeePpm: config.makerFeePpm,
    });
  }
  if (instrument.expirySec !== 0n && state.l1TimeSec >= instrument.expirySec) {
    return reject('instrument-expired', 'this instrument has expired', { expirySec: instrument.expirySec });
  }
  const notionalMicros = order.sizeLots * order.limitMicrosPerLot;
  const size = sizeOf(account, order.instrumentId);
  const closesAll = order.sizeLots >= (size < 0n ? -size : size) && order.isReduceOnly;
  // Dust that closes a position is welcome: dust that opens one costs everyone a row.
  if (notionalMicros < config.orderMinMicros && !closesAll) {
    return reject('order-too-small', 'the notional is below the minimum', {
      notionalMicros,
      minMicros: config.orderMinMicros,
    });
  }
  return undefined;
}

function checkRisk(state: EngineState, order: OrderMessage, accountIndex: number): Rejection | undefined {
  const { table, config } = state;
  if (table === undefined) return reject('no-round', 'no risk round was accepted yet', {});
  const account = state.account(accountIndex);
  if (order.isReduceOnly) {
    const size = sizeOf(account, order.instrumentId);
    if (size === 0n || (order.side === 'buy') === size > 0n) {
      return reject('reduce-only-without-position', 'a reduce-only order needs an opposite position', {
        side: order.side,
        positionLots: size,
      });
    }
  }
  return checkAdmission(
    account,
    { ...order, remainingLots: order.sizeLots },
    openOrdersOf(state, accountIndex),
    {
      table: table.table,
      shape: config.shape,
      feePpmMax: config.takerFeePpm > config.makerFeePpm ? config.takerFeePpm : config.makerFeePpm,
      liveMarks: state.liveMarks,
    },
  );
}

function checkOptions(state: EngineState, order: OrderMessage, options: OrderOptions) {
  const book = state.book(order.instrumentId);
  if (options.isPostOnly && options.timeInForce !== 'gtc') {
    return reject('contradicting-options', 'a post-only order rests; it cannot be ioc or fok', {
      timeInForce: options.timeInForce,
    });
  }
  if (options.isPostOnly && book.wouldCross(order.side, order.limitMicrosPerLot)) {
    return reject('post-only-would-take', 'a post-only order may not trade at once', {
      limitMicrosPerLot: order.limitMicrosPerLot,
      bestMicrosPerLot: book.best(order.side === 'buy' ? 'sell' : 'buy')?.limitMicrosPerLot ?? 0n,
    });
  }
  return undefined;
}

function checkOrderCount(state: EngineState, accountIndex: number): Rejection | undefined {
  const open = openOrderCount(state, accountIndex);
  const limit = state.config.openOrdersPerAccountMax;
  if (open < limit) return undefined;
  return reject('too-many-open-orders', 'cancel an open order first', { open, limit });
}

/** Every open order keeps a place among the waiting cancels, so its own cancel never fails for room. */
function refuseFurtherCancel(state: EngineState, accountIndex: number): Rejection | undefined {
  const open = openOrderCount(state, accountIndex);
  const waiting = state.waitingCancels.countOf(accountIndex);
  const limit = state.config.ordersAndCancelsPerAccountMax;
  if (open + waiting < limit) return undefined;
  return reject(
    'too-many-waiting-cancels',
    'wait until batches hold the cancels, or send a cancel-all: it is one message for all of them',
    { waiting, open, limit },
  );
}

/** An order that only rests opens no batch: while a liquidation waits, the book may still get what it closes against. */
function checkBacklog(state: EngineState, order: OrderMessage): Rejection | undefined {
  const refusal = backlogRefusal(state, order.isReduceOnly ? 'protected' : 'ordinary');
  const isTrade = state.book(order.instrumentId).wouldCross(order.side, order.limitMicrosPerLot);
  return refusal?.data.isLiquidationWaiting === true && !isTrade ? undefined : refusal;
}

function submitOrder(
  state: EngineState,
  { signed, position, hash, bodyHash }: Reference,
  order: OrderMessage,
  options: OrderOptions,
): Rejection | undefined {
  const { accountIndex } = signed;
  const refusal =
    checkOrderCount(state, accountIndex) ??
    refuseFurtherCancel(state, accountIndex) ??
    checkOrder(state, order, state.account(accountIndex)) ??
    checkExpiry(state, order.expirySec) ??
    checkNonce(state, accountIndex, order) ??
    checkBacklog(state, order) ??
    checkRisk(state, order, accountIndex) ??
    checkOptions(state, order, options);
  if (refusal !== undefined) return refusal;
  const record: OrderRecord = {
    hash,
    bodyHash,
    signed,
    position,
    order,
    options,
    sequence: state.orderSequence + 1,
    filledLots: 0n,
    fills: [],
    closed: undefined,
  };
  if (options.timeInForce === 'fok') {
    const unfillable = refuseFillOrKill(state, record);
    if (unfillable !== undefined) return unfillable;
  }
  state.orderSequence = record.sequence;
  openOrder(state, record);
  const { instrumentId, side, sizeLots, limitMicrosPerLot } = order;
  state.emit({
    kind: 'order-accepted',
    order: { hash, accountIndex, instrumentId, side, sizeLots, limitMicrosPerLot },
  });
  matchOrder(state, record);
  if (record.closed !== undefined) return undefined;
  if (options.timeInForce === 'gtc') rest(state, record);
  else closeOrder(state, record, 'ioc');
  return undefined;
}

function rememberMessage(state: EngineState, reference: Reference, batchNumber: number | undefined): void {
  state.messages.set(reference.hash, { ...reference, batchNumber, dropped: undefined, droppedAt: undefined });
  state.messageOrder.push(reference.hash);
}

function submitCancel(
  state: EngineState,
  reference: Reference,
  message: CancelMessage,
): Rejection | undefined {
  const { accountIndex } = reference.signed;
  const account = state.account(accountIndex);
  const { nonce } = message;
  const wordsMax = state.config.shape.nonceWords - 1;
  if (message.floorBackWords > wordsMax) {
    return reject('floor-out-of-window', `floorBackWords is at most ${wordsMax}`, { nonce, wordsMax });
  }
  const key = nonceKey(account.epoch, nonce);
  const isCancelled = state.cancelledNonces.get(accountIndex)?.has(key) ?? false;
  if (isCancelled || nonceState(account, nonce).kind === 'dead') {
    return reject('nonce-dead', 'there is nothing to cancel: this nonce is used up', {
      nonce,
      firstLiveNonce: 32n * account.baseWord,
      isCancelled,
    });
  }
  const hash = state.openOrders.get(accountIndex)?.get(key);
  const refusal = hash === undefined ? refuseFurtherCancel(state, accountIndex) : undefined;
  if (refusal !== undefined) return refusal;
  if (hash !== undefined) closeOrder(state, orderOf(state, hash), 'cancelled');
  // From here on no fill of this nonce can happen, whether or not its order was ever seen.
  const own = state.cancelledNonces.get(accountIndex) ?? new Set<bigint>();
  own.add(key);
  state.cancelledNonces.set(accountIndex, own);
  rememberMessage(state, reference, undefined);
  state.waitingCancels.add(accountIndex, reference.hash);
  state.emit({ kind: 'cancel-queued', accountIndex, nonce });
  includeWaiting(state);
  return undefined;
}

function submitCancelAll(state: EngineState, reference: Reference): Rejection | undefined {
  const { accountIndex, epoch } = reference.signed;
  for (const hash of [...(state.openOrders.get(accountIndex)?.values() ?? [])]) {
    closeOrder(state, orderOf(state, hash), 'cancelled-all');
  }
  state.epochEnding.set(accountIndex, epoch);
  rememberMessage(state, reference, undefined);
  state.waitingCancels.addFirst(accountIndex, reference.hash);
  state.emit({ kind: 'cancel-queued', accountIndex, nonce: 'all' });
  includeWaiting(state);
  return undefined;
}

function submitWithdrawal(
  state: EngineState,
  reference: Reference,
  message: WithdrawMessage,
): Rejection | undefined {
  const { signed, position, hash } = reference;
  const { accountIndex } = signed;
  const refusal =
    checkExpiry(state, message.expirySec) ??
    checkNonce(state, accountIndex, message) ??
    backlogRefusal(state, 'protected') ??
    (state.table === undefined ? reject('no-round', 'no risk round was accepted yet', {}) : undefined);
  if (refusal !== undefined) return refusal;
  const operation = { kind: 'withdraw', signed, position } as const;
  const done: Result<void> = inBatch(state, 'protected', operation);
  if (!done.ok) return done;
  const open = state.open;
  invariant(open !== undefined, 'a withdrawal was just put into the open batch');
  recordAction(state, { kind: 'message', operation, hash });
  rememberMessage(state, reference, open.number);
  closeDeadOrders(state, accountIndex);
  const row = open.batch.content.withdrawals.at(-1);
  invariant(row !== undefined, 'the withdrawal has a row');
  state.emit({
    kind: 'withdrawal',
    hash,
    batchNumber: open.number,
    accountIndex,
    tokenId: message.tokenId,
    servedAmount: row.servedAmount,
  });
  return undefined;
}
