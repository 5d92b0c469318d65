import { expect } from 'chai';
import { afterFill, isOpenAfter, largestOrderLots, marginOf, withdrawableMicros } from '#client/margin.ts';
import { InputError } from '#protocol/errors.ts';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { rowOf } from '#protocol/risk/table.ts';
import { crashTable, holderOf } from './crash-table.ts';

const table = crashTable();
const margin = (account: ReturnType<typeof holderOf>) => marginOf(account, table, STANDARD_SHAPE);
const row = (id: number) => rowOf(table, id)!;

describe('margin what-if', () => {
  it('leaves equity as it was when the fill is at the mark', () => {
    const account = holderOf(10_000_000_000n);
    for (const [id, lots] of [
      [5, 300n],
      [5, -300n],
      [4, 100n],
      [2, 50n],
    ] as const) {
      const after = afterFill(account, row(id), lots, row(id).mark);
      expect(margin(after).equity, `instrument ${id}`).to.equal(margin(account).equity);
    }
  });

  it('empties the slot when a position is closed, and keeps no trace of the round trip at one price', () => {
    const account = holderOf(10_000_000_000n);
    const open = afterFill(account, row(5), 300n, 25_000_000n);
    expect(afterFill(open, row(5), -300n, 25_000_000n)).to.deep.equal(account);
  });

  it('finds the largest order: it is allowed and one lot more is not', () => {
    const account = holderOf(10_000_000_000n);
    for (const side of ['buy', 'sell'] as const) {
      const limit = row(5).mark;
      const lots = largestOrderLots(account, table, 5, side, limit);
      const sign = side === 'buy' ? 1n : -1n;
      const allowed = (n: bigint) =>
        isOpenAfter(margin(account), margin(afterFill(account, row(5), sign * n, limit)));
      expect(lots > 0n).to.equal(true);
      expect([allowed(lots), allowed(lots + 1n)]).to.deep.equal([true, false]);
    }
  });

  it('counts a price worse than the mark against the size', () => {
    const account = holderOf(10_000_000_000n);
    const atMark = largestOrderLots(account, table, 5, 'buy', row(5).mark);
    const worse = largestOrderLots(account, table, 5, 'buy', (row(5).mark * 105n) / 100n);
    expect(worse < atMark).to.equal(true);
  });

  it('lets WETH be bought on credit up to 40 % of its value after haircut, and no further', () => {
    const account = holderOf(0n, [0n, 1_000n, 0n]);
    const lots = largestOrderLots(account, table, 2, 'buy', row(2).mark);
    const after = margin(afterFill(account, row(2), lots, row(2).mark));
    expect(10n * after.quoteBalance + 4n * after.haircutSpot >= 0n).to.equal(true);
    expect(after.quoteBalance < 0n).to.equal(true);
    const beyond = margin(afterFill(account, row(2), lots + 1n, row(2).mark));
    expect(10n * beyond.quoteBalance + 4n * beyond.haircutSpot < 0n).to.equal(true);
    // The quote rule binds here, not the margin.
    expect(beyond.equity >= beyond.initialMarginMicrosUp).to.equal(true);
  });

  it('never sells spot that is not held', () => {
    const account = holderOf(0n, [0n, 7n, 0n]);
    expect(largestOrderLots(account, table, 2, 'sell', row(2).mark)).to.equal(7n);
    expect(() => afterFill(account, row(2), -8n, row(2).mark)).to.throw(InputError, 'more spot');
  });

  it('finds the most that may be withdrawn: one micro more breaks 1.25·IM', () => {
    const account = afterFill(holderOf(10_000_000_000n), row(5), 1_000n, row(5).mark);
    const most = withdrawableMicros(account, table);
    const isAllowed = (amount: bigint) => {
      const after = margin({ ...account, cashStar: (account.cashStar - amount) as typeof account.cashStar });
      return (
        400n * after.esCount * after.equity >= 5n * after.initialMarginTimes100k && after.quoteBalance >= 0n
      );
    };
    expect([isAllowed(most), isAllowed(most + 1n)]).to.deep.equal([true, false]);
  });

  it('lets no quote leave on spot alone', () => {
    expect(withdrawableMicros(holderOf(0n, [0n, 1_000n, 0n]), table)).to.equal(0n);
  });

  it('refuses an instrument that the round does not list', () => {
    expect(() => largestOrderLots(holderOf(1n), table, 6, 'buy', 1n)).to.throw(InputError, 'not listed');
  });
});
