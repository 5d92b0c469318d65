/**
 * One incoming order against its book. Every single fill goes through `protocol/transition`: the order that
 * does not pass there any more is cancelled with its numbers, and the next in line gets its chance.
 */
import { sizeOf } from '#protocol/account.ts';
import { accept, type Rejection, type Result, reject } from '#protocol/errors.ts';
import type { TradeOperation } from '#protocol/transition/operation.ts';
import { isBatchConflict } from '#protocol/transition/refusals.ts';
import { divideDown, min, PPM_ONE } from '#protocol/units.ts';
import { inBatch, recordAction, refusedOf } from '../batch/rollup.ts';
import type { CancelReason } from '../commands.ts';
import { bodyHashOf, messageHashOf } from '../identity.ts';
import { closeDeadOrders, closeOrder, fillOrder, orderOf, remainingOf } from '../orders.ts';
import type { EngineState, OrderRecord } from '../state.ts';
import { crosses, opposite } from './order-book.ts';

/** Rounded down: the fee stays within the signed cap whatever the number of fills. */
export const feeMicrosDown = (cashMicros: bigint, feePpm: bigint): bigint =>
  divideDown(cashMicros * feePpm, PPM_ONE);

/**
 * Lots an order may still trade now; a reduce-only order never more than the position it reduces.
 * @param plannedLots that other orders of its account on its side trade first
 */
export function tradeableLots(state: EngineState, record: OrderRecord, plannedLots = 0n): bigint {
  const remaining = remainingOf(record);
  if (!record.order.isReduceOnly) return remaining;
  const size = sizeOf(state.account(record.signed.accountIndex), record.order.instrumentId);
  const reducible = (record.order.side === 'sell' ? size : -size) - plannedLots;
  return reducible <= 0n ? 0n : min(reducible, remaining);
}

const nothingToReduce = (state: EngineState, record: OrderRecord): Rejection =>
  reject('reduce-only-without-position', 'nothing is left that this order could reduce', {
    positionLots: sizeOf(state.account(record.signed.accountIndex), record.order.instrumentId),
    side: record.order.side,
  });

export function tradeOperation(
  state: EngineState,
  maker: OrderRecord,
  taker: OrderRecord,
  lots: bigint,
  priceMicrosPerLot: bigint,
): TradeOperation {
  const cashMicros = lots * priceMicrosPerLot;
  return {
    kind: 'trade',
    maker: { signed: maker.signed, position: maker.position },
    taker: { signed: taker.signed, position: taker.position },
    lots,
    priceMicrosPerLot,
    makerFeeMicros: feeMicrosDown(cashMicros, state.config.makerFeePpm),
    takerFeeMicros: feeMicrosDown(cashMicros, state.config.takerFeePpm),
  };
}

/** Books a fill that the batch took: registry, book, action. */
export function bookTrade(
  state: EngineState,
  operation: TradeOperation,
  maker: OrderRecord,
  taker: OrderRecord,
  tradeId: number,
): void {
  const { lots, priceMicrosPerLot, makerFeeMicros, takerFeeMicros } = operation;
  const cashMicros = lots * priceMicrosPerLot;
  const batchNumber = state.open?.number ?? 0;
  recordAction(state, {
    kind: 'trade',
    operation,
    tradeId,
    instrumentId: taker.order.instrumentId,
    takerSide: taker.order.side,
    makerHash: maker.hash,
    takerHash: taker.hash,
  });
  fillOrder(state, maker, { tradeId, batchNumber, lots, cashMicros, feeMicros: makerFeeMicros });
  fillOrder(state, taker, { tradeId, batchNumber, lots, cashMicros, feeMicros: takerFeeMicros });
  closeDeadOrders(state, maker.signed.accountIndex);
  closeDeadOrders(state, taker.signed.accountIndex);
}

function tellTrade(
  state: EngineState,
  operation: TradeOperation,
  maker: OrderRecord,
  taker: OrderRecord,
): void {
  const { lots, priceMicrosPerLot, makerFeeMicros, takerFeeMicros } = operation;
  state.emit({
    kind: 'trade',
    tradeId: state.tradeCount,
    batchNumber: state.open?.number ?? 0,
    instrumentId: taker.order.instrumentId,
    priceMicrosPerLot,
    lots,
    cashMicros: lots * priceMicrosPerLot,
    makerHash: maker.hash,
    takerHash: taker.hash,
    takerSide: taker.order.side,
    makerFeeMicros,
    takerFeeMicros,
  });
}

/** Refusals that are nobody's fault, and how they end the incoming order. */
const NO_BATCH_REASONS: Readonly<Record<string, CancelReason>> = {
  'proof-backlog': 'proof-backlog',
  'batch-full': 'proof-backlog',
  'needs-new-batch': 'proof-backlog',
  'no-round': 'prices-unusable',
  'prices-unusable': 'prices-unusable',
};

/** Who caused the refusal of a fill: the account it names, else the incoming order. */
const isFaultOf = (refusal: Rejection, accountIndex: number): boolean =>
  refusal.data.accountIndex === accountIndex;

/** Fills that would serve an order in full, in priority order without the makers `excluded`, or how many lots there are. */
function fillsFor(
  state: EngineState,
  taker: OrderRecord,
  excluded: ReadonlySet<string>,
): Result<TradeOperation[]> {
  const { side, limitMicrosPerLot, instrumentId, sizeLots } = taker.order;
  const operations: TradeOperation[] = [];
  const planned = new Map<number, bigint>();
  let left = sizeLots;
  for (const resting of state.book(instrumentId).inPriority(opposite(side))) {
    if (left === 0n || !crosses(side, limitMicrosPerLot, resting.limitMicrosPerLot)) break;
    if (resting.accountIndex === taker.signed.accountIndex) break;
    const maker = orderOf(state, resting.hash);
    const before = planned.get(resting.accountIndex) ?? 0n;
    const lots = excluded.has(resting.hash) ? 0n : min(left, tradeableLots(state, maker, before));
    if (lots === 0n) continue;
    planned.set(resting.accountIndex, before + lots);
    operations.push(tradeOperation(state, maker, taker, lots, resting.limitMicrosPerLot));
    left -= lots;
  }
  if (left === 0n && tradeableLots(state, taker) >= sizeLots) return accept(operations);
  return reject('fok-not-fillable', 'the book does not hold the whole size within the limit', {
    sizeLots,
    takeableLots: sizeLots - left,
  });
}

/**
 * Why an all-or-nothing order cannot be filled as a whole now: lots, its own margin, or room in one batch. The
 * fills are tried on a batch that is a value, so a failed attempt leaves nothing behind. A resting order that by
 * itself no longer passes is ended, as it would be by any other order; one that passes but for another order of its
 * account is only passed by: nothing of either was filled.
 */
export function refuseFillOrKill(state: EngineState, taker: OrderRecord): Rejection | undefined {
  const lane = taker.order.isReduceOnly ? 'protected' : 'ordinary';
  const excluded = new Set<string>();
  for (;;) {
    const fills = fillsFor(state, taker, excluded);
    if (!fills.ok) return fills;
    const refused = refusedOf(state, lane, fills.value);
    if (refused === undefined) return undefined;
    const { operation, refusal } = refused;
    if (isBatchConflict(refusal)) {
      return reject('fok-not-fillable', 'no batch has room for all its fills at once', refusal.data);
    }
    if (operation === undefined || !isFaultOf(refusal, operation.maker.signed.accountIndex)) return refusal;
    const { signed, position } = operation.maker;
    const maker = orderOf(state, messageHashOf(bodyHashOf(state.config.domain, signed), position));
    const isFirst =
      fills.value.find((fill) => fill.maker.signed.accountIndex === signed.accountIndex) === operation;
    if (!isFirst) excluded.add(maker.hash);
    else if (maker.closed === undefined) closeOrder(state, maker, 'no-longer-passes', refusal);
  }
}

/**
 * Trades what can be traded at once. Afterwards the order is closed, or open with lots left that the book
 * cannot fill: the caller lets it rest or ends it.
 */
export function matchOrder(state: EngineState, taker: OrderRecord): void {
  const { side, limitMicrosPerLot, instrumentId, isReduceOnly } = taker.order;
  const book = state.book(instrumentId);
  // Every turn takes lots off the taker or an order out of the book, or ends.
  while (taker.closed === undefined) {
    const resting = book.best(opposite(side));
    if (resting === undefined || !crosses(side, limitMicrosPerLot, resting.limitMicrosPerLot)) return;
    if (resting.accountIndex === taker.signed.accountIndex) {
      closeOrder(state, taker, 'self-trade');
      return;
    }
    const maker = orderOf(state, resting.hash);
    const takerLots = tradeableLots(state, taker);
    const makerLots = tradeableLots(state, maker);
    if (takerLots === 0n) {
      closeOrder(state, taker, 'no-longer-passes', nothingToReduce(state, taker));
      return;
    }
    if (makerLots === 0n) {
      closeOrder(state, maker, 'no-longer-passes', nothingToReduce(state, maker));
      continue;
    }
    const operation = tradeOperation(
      state,
      maker,
      taker,
      min(takerLots, makerLots),
      resting.limitMicrosPerLot,
    );
    const traded = inBatch(state, isReduceOnly ? 'protected' : 'ordinary', operation);
    if (traded.ok) {
      state.tradeCount++;
      tellTrade(state, operation, maker, taker);
      bookTrade(state, operation, maker, taker, state.tradeCount);
    } else if (taker.closed !== undefined || maker.closed !== undefined) {
      // Opening the next batch ended one of them: its epoch, window or expiry has passed.
    } else if (traded.code in NO_BATCH_REASONS) {
      closeOrder(state, taker, NO_BATCH_REASONS[traded.code], traded);
    } else if (isFaultOf(traded, maker.signed.accountIndex)) {
      closeOrder(state, maker, 'no-longer-passes', traded);
    } else {
      closeOrder(state, taker, 'no-longer-passes', traded);
    }
  }
}
