/**
 * What theory says of the margin of option books, on a table of 64 real options: four expiries of each coin at the
 * crash of 2026-02-05, strikes from 0.85 to 1.3 forwards.
 */
import { expect } from 'chai';
import fc from 'fast-check';
import { type Account, emptyAccount } from '#protocol/account.ts';
import type { RiskRow } from '#protocol/instrument.ts';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { shareNearest } from '#protocol/risk/linear-price.ts';
import { type AccountMargin, kScanOf, marginOf } from '#protocol/risk/margin.ts';
import { rowOf } from '#protocol/risk/table.ts';
import { blockTerms } from '#protocol/risk/terms.ts';
import { abs, lots, max } from '#protocol/units.ts';
import { SNAPSHOTS } from '#test/support/option/chain.ts';
import { chainTable } from '#test/support/option/chain-table.ts';

const { inputs, table, expiries } = chainTable(SNAPSHOTS[2], [1, 4, 6, 8]);
const IDS = table.rows.map(({ instrumentId }) => instrumentId);
const DERIVATIVES = table.rows.filter(({ isSpot }) => !isSpot);
const OPTIONS = expiries.flatMap(({ futureId, calls }) =>
  calls.flatMap(({ id }) => [
    { id, futureId },
    { id: id + 1, futureId },
  ]),
);
const listed = (id: number): RiskRow => rowOf(table, id) as RiskRow;

/** Signed lots by instrument id. */
type Book = Readonly<Record<number, bigint>>;

const accountOf = (book: Book): Account => ({
  ...emptyAccount(STANDARD_SHAPE),
  spot: [1, 2, 3].map((id) => lots(book[id] ?? 0n)),
  slots: DERIVATIVES.map(({ instrumentId }) => ({
    instrumentId,
    size: lots(book[instrumentId] ?? 0n),
  })).filter(({ size }) => size !== 0n),
});
const marginsOf = (book: Book): AccountMargin => marginOf(accountOf(book), table, STANDARD_SHAPE);
/** k is 1: scan itself. */
const scanOf = (book: Book): bigint => marginsOf(book).kScan;
const union = (...books: Book[]): Book =>
  Object.fromEntries(IDS.map((id) => [id, books.reduce((sum, book) => sum + (book[id] ?? 0n), 0n)]));
const times = (book: Book, factor: bigint): Book =>
  Object.fromEntries(Object.entries(book).map(([id, size]) => [id, factor * size]));
const books = fc
  .dictionary(fc.constantFrom(...IDS.map(String)), fc.bigInt(-200n, 200n), { minKeys: 1, maxKeys: 12 })
  .map(
    (book): Book =>
      Object.fromEntries(
        Object.entries(book).map(([id, size]) => [id, listed(Number(id)).isSpot ? abs(size) : size]),
      ),
  );
const options = fc.constantFrom(...OPTIONS);
const sizes = fc.bigInt(1n, 1_000n);
const RUNS = { numRuns: 300, seed: 1976 };

/** Bound of the error of a loss, of the forward it belongs to; far strikes are not listed here. */
const errorMicros = (futureId: number): bigint => listed(futureId).mark / 1_000_000n + 3n;

/**
 * A book that loses in no scenario, by playing the game of margin: scenarios are weighted by what they have cost so
 * far, and the lot that gains most at these weights is added. @param start weights to begin with
 */
function nonLosingBook(start: readonly number[]): Book {
  const book: Record<number, bigint> = {};
  const total = Array<number>(STANDARD_SHAPE.scenarios).fill(0);
  for (let step = 0; step < 150; step++) {
    const worst = Math.max(...total);
    const weights = total.map((loss, s) => start[s] * Math.exp((loss - worst) / 4e6));
    const priced = DERIVATIVES.map((row) => ({
      row,
      loss: row.losses.reduce((sum, loss, s) => sum + weights[s] * Number(loss), 0),
    }));
    const best = priced.reduce((a, b) => (Math.abs(b.loss) > Math.abs(a.loss) ? b : a));
    const size = best.loss > 0 ? -1n : 1n;
    book[best.row.instrumentId] = (book[best.row.instrumentId] ?? 0n) + size;
    best.row.losses.forEach((loss, s) => {
      total[s] += Number(size * loss);
    });
    if (step > 10 && Math.max(...total) <= 0) break;
  }
  return book;
}

describe('margin of option books', () => {
  it('is scanned over 76 rows of real strikes', () => {
    expect(table.rows).to.have.length(76);
    expect(OPTIONS).to.have.length(64);
  });

  it('never needs more scan for a position that loses in no scenario', () => {
    const weights = fc.array(fc.double({ min: 0.2, max: 1, noNaN: true }), { minLength: 32, maxLength: 32 });
    let found = 0;
    fc.assert(
      fc.property(weights, books, sizes, (start, book, size) => {
        const gaining = nonLosingBook(start);
        if (marginsOf(gaining).losses.some((loss) => loss > 0n)) return;
        found++;
        expect(scanOf(gaining)).to.equal(0n);
        expect(scanOf(union(book, times(gaining, size))) <= scanOf(book)).to.equal(true);
      }),
      { ...RUNS, numRuns: 60 },
    );
    expect(found, 'books that lose in no scenario').to.be.at.least(20);
  });

  it('never needs more for a lot whose every loss is lowered', () => {
    fc.assert(
      fc.property(books, options, sizes, fc.bigInt(0n, 10_000_000n), (book, { id }, size, by) => {
        const better = {
          ...table,
          rows: table.rows.map((row) =>
            row.instrumentId === id
              ? { ...row, losses: row.losses.map((loss) => (loss - by) as typeof loss) }
              : row,
          ),
        };
        const held = accountOf({ ...book, [id]: size });
        const [before, after] = [table, better].map((t) => marginOf(held, t, STANDARD_SHAPE));
        expect(after.kScan <= before.kScan).to.equal(true);
        expect(after.initialMarginTimes100k <= before.initialMarginTimes100k).to.equal(true);
      }),
      RUNS,
    );
  });

  it('scans a union for at most the sum of its parts', () => {
    fc.assert(
      fc.property(books, books, (a, b) => {
        expect(scanOf(union(a, b)) <= scanOf(a) + scanOf(b)).to.equal(true);
        // So does the mean of the k worst rows, which is what makes expected shortfall coherent.
        const [both, first, second] = [union(a, b), a, b].map((book) => kScanOf(marginsOf(book).losses, 3));
        expect(both <= first + second).to.equal(true);
      }),
      RUNS,
    );
  });

  it('scans twice a book for exactly twice, and charges it so too', () => {
    fc.assert(
      fc.property(books, fc.bigInt(2n, 20n), (book, factor) => {
        const [one, many] = [marginsOf(book), marginsOf(times(book, factor))];
        expect(many.kScan).to.equal(factor * one.kScan);
        expect(many.equity).to.equal(factor * one.equity);
        // The size add-on is convex: the double of a large book may need more than twice.
        const plain = (m: AccountMargin) => m.initialMarginTimes100k - m.esCount * m.sizeAddOnTimes100;
        expect(plain(many)).to.equal(factor * plain(one));
        expect(many.sizeAddOnTimes100 >= factor * one.sizeAddOnTimes100).to.equal(true);
      }),
      RUNS,
    );
  });

  it('never needs more than its value and its charges for a long option', () => {
    fc.assert(
      fc.property(options, sizes, ({ id, futureId }, size) => {
        const { mark, chargeImLong } = listed(id);
        const most = size * (mark + chargeImLong + errorMicros(futureId));
        expect(marginsOf({ [id]: size }).initialMarginMicrosUp <= most).to.equal(true);
      }),
      RUNS,
    );
  });

  it('asks more of a short option than of the long one, and never less than its charge', () => {
    fc.assert(
      fc.property(options, sizes, ({ id }, size) => {
        const [long, short] = [marginsOf({ [id]: size }), marginsOf({ [id]: -size })];
        expect(short.initialMarginTimes100k > long.initialMarginTimes100k).to.equal(true);
        expect(short.initialMarginTimes100k >= 100n * size * listed(id).chargeImShort).to.equal(true);
        expect(short.kScan > 0n).to.equal(true);
      }),
      RUNS,
    );
  });
});

/** Two strikes of one expiry. */
const verticals = fc.constantFrom(
  ...expiries.flatMap(({ calls, futureId }) =>
    calls.flatMap((low, i) => calls.slice(i + 1).map((high) => ({ low: low.id, high: high.id, futureId }))),
  ),
);
const strikeOf = (callId: number): bigint => {
  const future = expiries.find(({ calls }) => calls.some(({ id }) => id === callId))?.futureId ?? 0;
  return listed(future).mark - listed(callId).mark + listed(callId + 1).mark;
};

describe('margin of option structures', () => {
  it('of a box is its charges alone, and its value the distance of the strikes', () => {
    fc.assert(
      fc.property(verticals, fc.bigInt(-1_000n, 1_000n), ({ low, high }, size) => {
        const box: Book = { [low]: size, [low + 1]: -size, [high]: -size, [high + 1]: size };
        const margin = marginsOf(box);
        expect(margin.losses.every((loss) => loss === 0n)).to.equal(true);
        expect(margin.equity).to.equal(size * (strikeOf(high) - strikeOf(low)));
        const charge = Object.entries(box).reduce((sum, [id, lots]) => {
          const { chargeImLong, chargeImShort } = listed(Number(id));
          return sum + (lots > 0n ? lots * chargeImLong : -lots * chargeImShort);
        }, 0n);
        expect(margin.sizeAddOnTimes100).to.equal(0n);
        expect(margin.initialMarginTimes100k).to.equal(100n * charge);
      }),
      RUNS,
    );
  });

  it('of a conversion is its charges alone: the put is the call less the future', () => {
    fc.assert(
      fc.property(verticals, fc.bigInt(-1_000n, 1_000n), ({ low, futureId }, size) => {
        const margin = marginsOf({ [low]: size, [low + 1]: -size, [futureId]: -size });
        expect(margin.losses.every((loss) => loss === 0n)).to.equal(true);
        expect(margin.netDeltas.every((delta) => delta === 0n)).to.equal(true);
        // Of the roll a call and its put are charged what the future is, to the micro.
        const future = listed(futureId);
        const rollPpm = blockTerms(
          future.expirySec,
          table.timeSec,
          inputs.underlyings[future.underlying].options,
        ).rollImPpm;
        const roll = listed(low).chargeImLong + listed(low + 1).chargeImLong;
        expect(roll).to.equal(shareNearest(future.mark, rollPpm));
      }),
      RUNS,
    );
  });

  it('of a covered call is that of the short put, and at most what it is worth', () => {
    fc.assert(
      fc.property(verticals, sizes, ({ low, futureId }, size) => {
        const covered = marginsOf({ [futureId]: size, [low]: -size });
        expect(covered.losses).to.deep.equal(marginsOf({ [low + 1]: -size }).losses);
        const worth = size * (listed(futureId).mark - listed(low).mark + errorMicros(futureId));
        expect(covered.kScan <= worth).to.equal(true);
        // A call in the money is most of the future: covering it frees most of its scan.
        const isInTheMoney = 2n * listed(low).delta > listed(futureId).mark;
        if (isInTheMoney) expect(covered.kScan < scanOf({ [low]: -size })).to.equal(true);
      }),
      RUNS,
    );
  });

  it('of a call covered by spot differs from that by the basis alone', () => {
    for (const { expiry, calls, futureId } of expiries) {
      const spotId = expiry.underlying + 1;
      const basis = abs(listed(futureId).mark - listed(spotId).mark);
      for (const { id } of calls) {
        const [spot, future] = [
          scanOf({ [spotId]: 100n, [id]: -100n }),
          scanOf({ [futureId]: 100n, [id]: -100n }),
        ];
        // R of the basis, and four half micros a lot.
        expect(abs(spot - future) <= (100n * basis) / 5n + 400n, `${id}`).to.equal(true);
      }
    }
  });

  it('of a vertical bought is at most its price, of one sold at most the distance less what it brought', () => {
    fc.assert(
      fc.property(verticals, sizes, ({ low, high, futureId }, size) => {
        const price = listed(low).mark - listed(high).mark;
        const width = strikeOf(high) - strikeOf(low);
        const slack = 4n * errorMicros(futureId);
        const [bought, sold] = [
          scanOf({ [low]: size, [high]: -size }),
          scanOf({ [low]: -size, [high]: size }),
        ];
        expect(bought <= size * (price + slack)).to.equal(true);
        expect(sold <= size * (max(0n, width - price) + slack)).to.equal(true);
      }),
      RUNS,
    );
  });
});
