/** The parts of the engine's memory tell one story: books and registry, records and batches. */
import { expect } from 'chai';
import { nameOf } from '#sequencer/batch/reseal.ts';
import { nonceKey, remainingOf } from '#sequencer/orders.ts';
import type { BatchAction, EngineState, OrderRecord } from '#sequencer/state.ts';

export function requireConsistency(state: EngineState): void {
  requireBooks(state);
  requireOrders(state);
  requireMessages(state);
  requireQueue(state);
}

function requireBooks(state: EngineState): void {
  for (const book of state.books.values()) {
    for (const side of ['buy', 'sell'] as const) {
      for (const resting of book.inPriority(side)) {
        const record = state.orders.get(resting.hash);
        expect(record !== undefined && record.closed === undefined, 'a resting order is open').to.equal(true);
        expect(resting.remainingLots).to.equal(remainingOf(record as OrderRecord));
      }
    }
    const [bid, ask] = [book.best('buy'), book.best('sell')];
    if (bid === undefined || ask === undefined || bid.accountIndex === ask.accountIndex) continue;
    expect(bid.limitMicrosPerLot < ask.limitMicrosPerLot, 'the book is not crossed').to.equal(true);
  }
}

function requireOrders(state: EngineState): void {
  const inBatches = tradesByBatch(state);
  for (const record of state.orders.values()) {
    const { hash, signed, order, fills, filledLots, closed } = record;
    const own = state.openOrders.get(signed.accountIndex)?.get(nonceKey(signed.epoch, order.nonce));
    const rests = state.book(order.instrumentId).get(hash) !== undefined;
    expect([own === hash, rests], `${hash} is registered and rests`).to.deep.equal(
      Array(2).fill(closed === undefined),
    );
    expect(fills.reduce((sum, { lots }) => sum + lots, 0n)).to.equal(filledLots);
    expect(filledLots <= order.sizeLots, 'no order is filled beyond its size').to.equal(true);
    for (const { batchNumber, tradeId } of fills) {
      const isOver = state.batches.get(batchNumber)?.status === 'final';
      expect(isOver || inBatches.get(batchNumber)?.has(tradeId), `trade ${tradeId} is in its batch`).to.equal(
        true,
      );
    }
  }
  for (const own of state.openOrders.values()) {
    for (const hash of own.values()) expect(state.orders.has(hash), 'an open order is known').to.equal(true);
  }
}

function actionsByBatch(state: EngineState): [number, readonly BatchAction[]][] {
  const sealed = [...state.batches.values()].map((entry): [number, readonly BatchAction[]] => [
    entry.number,
    entry.actions,
  ]);
  return state.open === undefined ? sealed : [...sealed, [state.open.number, state.open.actions]];
}

/** Each trade of a batch that is not final is a fill of both orders. */
function tradesByBatch(state: EngineState): Map<number, Set<number>> {
  return new Map(
    actionsByBatch(state).map(([batchNumber, actions]) => {
      const trades = actions.filter((action) => action.kind === 'trade' || action.kind === 'liquidate');
      for (const trade of trades) {
        const { tradeId, makerHash } = trade;
        for (const hash of trade.kind === 'trade' ? [makerHash, trade.takerHash] : [makerHash]) {
          const fill = state.orders.get(hash)?.fills.find((one) => one.tradeId === tradeId);
          expect(fill?.batchNumber, `trade ${tradeId} is a fill of its orders`).to.equal(batchNumber);
        }
      }
      return [batchNumber, new Set(trades.map(({ tradeId }) => tradeId))];
    }),
  );
}

/** A message waits, or is in one batch, or was dropped: one of them. */
function requireMessages(state: EngineState): void {
  const included = new Map<string, number>();
  for (const [batchNumber, actions] of actionsByBatch(state)) {
    for (const action of actions) if (action.kind === 'message') included.set(action.hash, batchNumber);
  }
  const waiting = new Set(state.waitingCancels.hashes);
  expect(state.waitingCancels.hashes).to.have.length(state.waitingCancels.count);
  expect(waiting.size, 'a message waits once').to.equal(state.waitingCancels.count);
  for (const { hash, batchNumber, dropped } of state.messages.values()) {
    const isOver = batchNumber !== undefined && state.batches.get(batchNumber)?.status === 'final';
    if (!isOver) expect(included.get(hash), `the batch of ${hash}`).to.equal(batchNumber);
    const places = [waiting.has(hash), batchNumber !== undefined, dropped !== undefined].filter(Boolean);
    expect(places, `${hash} waits, or is in a batch, or was dropped`).to.have.length(1);
  }
  for (const hash of [...included.keys(), ...waiting]) {
    expect(state.messages.has(hash), 'a message that is not over is known').to.equal(true);
  }
}

/** No entry of L1's queue is lost or served twice. */
function requireQueue(state: EngineState): void {
  const served = actionsByBatch(state).flatMap(([, actions]) =>
    actions.flatMap((action) => (action.kind === 'l1' ? [action.queued.queueIndex] : [])),
  );
  const indexes = [...served, ...state.l1Queue.map(({ queueIndex }) => queueIndex)];
  const first = indexes[0] ?? state.l1QueueEnd;
  expect(indexes).to.deep.equal(indexes.map((_, i) => first + i));
  expect(first + indexes.length).to.equal(state.l1QueueEnd);
  const names = actionsByBatch(state).flatMap(([, actions]) =>
    actions.filter(({ kind }) => kind !== 'liquidate' && kind !== 'pay-fund').map(nameOf),
  );
  expect(new Set(names).size, 'nothing is in two batches').to.equal(names.length);
}
