import { expect } from 'chai';
import fc from 'fast-check';
import { OrderBook, type RestingOrder, type Side } from '#sequencer/book/order-book.ts';

const resting = (part: Partial<RestingOrder> & { hash: string }): RestingOrder => ({
  accountIndex: 1,
  side: 'buy',
  limitMicrosPerLot: 100n,
  remainingLots: 10n,
  expirySec: 1000n,
  sequence: 1,
  ...part,
});

/** A list sorted from scratch for every question: obviously right, and slow. */
class ModelBook {
  orders: RestingOrder[] = [];

  priority(side: Side): RestingOrder[] {
    const better = (a: RestingOrder, b: RestingOrder) => {
      const byPrice = a.limitMicrosPerLot - b.limitMicrosPerLot;
      if (byPrice !== 0n) return (side === 'buy') === byPrice > 0n ? -1 : 1;
      return a.sequence - b.sequence;
    };
    return this.orders.filter((order) => order.side === side).sort(better);
  }
}

type Step =
  | { kind: 'insert'; side: Side; price: number; lots: number; account: number }
  | { kind: 'fill-best'; side: Side; lots: number }
  | { kind: 'remove'; pick: number };

const sides = fc.constantFrom<Side>('buy', 'sell');
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constant('insert' as const),
      side: sides,
      price: fc.integer({ min: 1, max: 6 }),
      lots: fc.integer({ min: 1, max: 9 }),
      account: fc.integer({ min: 1, max: 3 }),
    }),
    fc.record({ kind: fc.constant('fill-best' as const), side: sides, lots: fc.integer({ min: 1, max: 9 }) }),
    fc.record({ kind: fc.constant('remove' as const), pick: fc.nat(40) }),
  ),
  { maxLength: 60 },
);

function apply(step: Step, sequence: number, book: OrderBook, model: ModelBook): void {
  if (step.kind === 'insert') {
    const order = resting({
      hash: `o${sequence}`,
      accountIndex: step.account,
      side: step.side,
      limitMicrosPerLot: BigInt(step.price),
      remainingLots: BigInt(step.lots),
      sequence,
    });
    book.insert(order);
    model.orders.push(order);
  } else if (step.kind === 'fill-best') {
    const best = model.priority(step.side)[0];
    if (best === undefined) return;
    const lots = BigInt(step.lots) < best.remainingLots ? BigInt(step.lots) : best.remainingLots;
    book.reduce(best.hash, lots);
    const left = { ...best, remainingLots: best.remainingLots - lots };
    model.orders = model.orders.flatMap((order) =>
      order.hash !== best.hash ? [order] : left.remainingLots > 0n ? [left] : [],
    );
  } else {
    const victim = model.orders[step.pick];
    expect(book.remove(victim?.hash ?? 'nobody')).to.deep.equal(victim);
    model.orders = model.orders.filter((order) => order !== victim);
  }
}

describe('order book', () => {
  it('keeps price-time priority through any inserts, fills and cancels', () => {
    fc.assert(
      fc.property(steps, (list) => {
        const book = new OrderBook();
        const model = new ModelBook();
        list.forEach((step, sequence) => {
          apply(step, sequence, book, model);
          for (const side of ['buy', 'sell'] as const) {
            expect([...book.inPriority(side)]).to.deep.equal(model.priority(side));
            expect(book.best(side)).to.deep.equal(model.priority(side)[0]);
          }
          expect(book.orderCount).to.equal(model.orders.length);
        });
        for (const side of ['buy', 'sell'] as const) {
          const total = model.priority(side).reduce((sum, order) => sum + order.remainingLots, 0n);
          const levels = book.levels(side, 100);
          expect(levels.reduce((sum, level) => sum + level.totalLots, 0n)).to.equal(total);
          for (const level of levels) {
            expect(book.totalAt(side, level.limitMicrosPerLot)).to.equal(level.totalLots);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('leaves a partly filled order in its place in the queue', () => {
    const book = new OrderBook();
    book.insert(resting({ hash: 'first', sequence: 1 }));
    book.insert(resting({ hash: 'second', sequence: 2 }));
    book.reduce('first', 4n);
    expect(book.best('buy')).to.include({ hash: 'first', remainingLots: 6n });
  });

  it('crosses at an equal price and not one micro beyond', () => {
    const book = new OrderBook();
    book.insert(resting({ hash: 'bid', side: 'buy', limitMicrosPerLot: 100n }));
    expect(book.wouldCross('sell', 100n)).to.equal(true);
    expect(book.wouldCross('sell', 101n)).to.equal(false);
    expect(book.wouldCross('buy', 1000n)).to.equal(false);
  });

  it('expires an order in the second after its expiry, not in it', () => {
    const book = new OrderBook();
    book.insert(resting({ hash: 'short', expirySec: 50n }));
    book.insert(resting({ hash: 'long', side: 'sell', limitMicrosPerLot: 200n, expirySec: 51n }));
    expect(book.expiredAt(50n)).to.deep.equal([]);
    expect(book.expiredAt(51n)).to.deep.equal(['short']);
    expect(book.expiredAt(52n)).to.have.members(['short', 'long']);
  });

  it('refuses to fill more than rests', () => {
    const book = new OrderBook();
    book.insert(resting({ hash: 'bid' }));
    expect(() => book.reduce('bid', 11n)).to.throw('within the resting size');
    expect(() => book.reduce('gone', 1n)).to.throw('only a resting order');
  });
});
