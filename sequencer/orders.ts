/** Open and closed orders: the one place where the registry and the books change together. */
import { invariant, type Rejection } from '#protocol/errors.ts';
import { NONCE_BITS } from '#protocol/limits.ts';
import { nonceState, nonceWordOf } from '#protocol/transition/nonces.ts';
import type { CancelReason } from './commands.ts';
import { forgetOrders } from './memory.ts';
import type { OpenOrder } from './risk/admission.ts';
import type { EngineState, OrderFill, OrderRecord } from './state.ts';

/** A nonce counts within an epoch: after a cancel-all the same one is another order's, and a reseal may bring back the first. */
export const nonceKey = (epoch: bigint, nonce: bigint): bigint => (epoch << BigInt(NONCE_BITS)) + nonce;

export const fromNonceKey = (key: bigint): { readonly epoch: bigint; readonly nonce: bigint } => ({
  epoch: key >> BigInt(NONCE_BITS),
  nonce: BigInt.asUintN(NONCE_BITS, key),
});

const keyOf = ({ signed, order }: OrderRecord): bigint => nonceKey(signed.epoch, order.nonce);

export const remainingOf = (record: OrderRecord): bigint => record.order.sizeLots - record.filledLots;

export function orderOf(state: EngineState, hash: string): OrderRecord {
  const record = state.orders.get(hash);
  invariant(record !== undefined, `order ${hash} is known`);
  return record;
}

/** Open orders of an account as admission needs them. */
export function openOrdersOf(state: EngineState, accountIndex: number): OpenOrder[] {
  return [...(state.openOrders.get(accountIndex)?.values() ?? [])].map((hash) => {
    const record = orderOf(state, hash);
    return { ...record.order, remainingLots: remainingOf(record) };
  });
}

export const openOrderCount = (state: EngineState, accountIndex: number): number =>
  state.openOrders.get(accountIndex)?.size ?? 0;

/** Whether a cancel-all was acknowledged that ends the epoch. */
export const isEpochEnding = (state: EngineState, accountIndex: number, epoch: bigint): boolean =>
  epoch <= (state.epochEnding.get(accountIndex) ?? -1n);

/** Takes an order into the registry as open; it does not rest in a book yet. */
export function openOrder(state: EngineState, record: OrderRecord): void {
  const { accountIndex } = record.signed;
  const own = state.openOrders.get(accountIndex) ?? new Map<bigint, string>();
  invariant(!own.has(keyOf(record)), 'one open order per nonce');
  own.set(keyOf(record), record.hash);
  state.openOrders.set(accountIndex, own);
  state.orders.set(record.hash, record);
}

/** Puts what is left of an open order into its book. */
export function rest(state: EngineState, record: OrderRecord): void {
  const { order } = record;
  state.book(order.instrumentId).insert({
    hash: record.hash,
    accountIndex: record.signed.accountIndex,
    side: order.side,
    limitMicrosPerLot: order.limitMicrosPerLot,
    remainingLots: remainingOf(record),
    expirySec: order.expirySec,
    sequence: record.sequence,
  });
  state.touchLevel(order.instrumentId, order.side, order.limitMicrosPerLot);
}

function leaveBook(state: EngineState, record: OrderRecord): void {
  const { order } = record;
  if (state.book(order.instrumentId).remove(record.hash) !== undefined) {
    state.touchLevel(order.instrumentId, order.side, order.limitMicrosPerLot);
  }
}

/** Ends an order. An order ends once; `because` carries the numbers when a rule decided. */
export function closeOrder(
  state: EngineState,
  record: OrderRecord,
  reason: 'filled' | CancelReason,
  because?: Rejection,
): void {
  invariant(record.closed === undefined, 'an order ends once');
  leaveBook(state, record);
  record.closed = { reason, because };
  const own = state.openOrders.get(record.signed.accountIndex);
  own?.delete(keyOf(record));
  if (own?.size === 0) state.openOrders.delete(record.signed.accountIndex);
  state.closedOrder.push(record.hash);
  forgetOrders(state);
  const { hash, filledLots } = record;
  state.emit({ kind: 'order-closed', hash, reason, filledLots, because });
}

/** Books a fill; the order ends when nothing is left. */
export function fillOrder(state: EngineState, record: OrderRecord, fill: OrderFill): void {
  invariant(fill.lots > 0n && fill.lots <= remainingOf(record), 'a fill is within what is left');
  record.filledLots += fill.lots;
  record.fills.push(fill);
  const book = state.book(record.order.instrumentId);
  if (book.get(record.hash) !== undefined) {
    book.reduce(record.hash, fill.lots);
    state.touchLevel(record.order.instrumentId, record.order.side, record.order.limitMicrosPerLot);
  }
  // An order may have ended before a reseal executes one of its earlier fills again.
  if (remainingOf(record) === 0n && record.closed === undefined) closeOrder(state, record, 'filled');
}

/**
 * Ends open orders that can never be filled any more because the account's window or epoch moved. Called
 * after everything that may have moved it, so that the book holds no dead order. In the middle of a reseal the account is
 * what it was once: there it is only noted.
 */
export function closeDeadOrders(state: EngineState, accountIndex: number): void {
  if (state.isResealing) {
    state.movedAccounts.add(accountIndex);
    return;
  }
  const account = state.account(accountIndex);
  for (const hash of [...(state.openOrders.get(accountIndex)?.values() ?? [])]) {
    const record = orderOf(state, hash);
    if (record.signed.epoch !== account.epoch) closeOrder(state, record, 'epoch-changed');
    else if (nonceWordOf(record.order.nonce) < account.baseWord) closeOrder(state, record, 'nonce-dead');
    else if (nonceState(account, record.order.nonce).kind === 'dead') closeOrder(state, record, 'nonce-dead');
  }
}

/** Of the accounts noted during a reseal. */
export function closeDeadOrdersOfMoved(state: EngineState): void {
  for (const accountIndex of state.movedAccounts) closeDeadOrders(state, accountIndex);
  state.movedAccounts.clear();
}

/** Ends open orders whose last moment has passed. */
export function closeExpiredOrders(state: EngineState, timeSec: bigint): void {
  for (const book of state.books.values()) {
    for (const hash of book.expiredAt(timeSec)) closeOrder(state, orderOf(state, hash), 'expired');
  }
}

/**
 * Takes back fills that are executed again after a reseal. The order leaves its book until its fate is known; one
 * that ended only because it was filled is open again.
 */
export function takeBackFills(state: EngineState, record: OrderRecord, tradeIds: ReadonlySet<number>): void {
  leaveBook(state, record);
  const taken = record.fills.filter((fill) => tradeIds.has(fill.tradeId));
  record.fills = record.fills.filter((fill) => !tradeIds.has(fill.tradeId));
  record.filledLots -= taken.reduce((sum, fill) => sum + fill.lots, 0n);
  if (record.closed?.reason !== 'filled') return;
  record.closed = undefined;
  const own = state.openOrders.get(record.signed.accountIndex) ?? new Map<bigint, string>();
  own.set(keyOf(record), record.hash);
  state.openOrders.set(record.signed.accountIndex, own);
}
