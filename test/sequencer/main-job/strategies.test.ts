import { expect } from 'chai';
import { afterFill, isOpenAfter, marginOf } from '#client/margin.ts';
import type { Account } from '#protocol/account.ts';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { rowOf } from '#protocol/risk/table.ts';
import { marketMaker } from '#sequencer/main-job/strategies/market-maker.ts';
import {
  ETH_PERP,
  type OrderIntent,
  type Strategy,
  TICK_MICROS_PER_LOT,
  type TraderView,
  WETH,
} from '#sequencer/main-job/strategies/strategy.ts';
import { collateralLong, dipBuyer, hedger, reboundBuyer } from '#sequencer/main-job/strategies/takers.ts';
import { barsBetween, readBars } from '#sequencer/market-data/bars.ts';
import { crashTable, holderOf } from '../../client/crash-table.ts';

const bars = readBars();
const table = crashTable();

/** What a trader sees when the bar that begins at `last` has closed. */
function viewAt(last: string, account: Account, age = 5): TraderView {
  const feed = barsBetween(bars, '12:30', last).map((bar) => bar.closeMicros);
  return { age, feed, blocks: [], account, table };
}
const ordersOf = (strategy: Strategy, view: TraderView): OrderIntent[] =>
  strategy.intents(view).filter((intent) => intent.kind === 'order');
const rich = holderOf(600_000_000_000n, [4_000n, 4_000n, 0n]);
const maker = marketMaker({
  name: 'maker',
  halfSpreadPpm: 1_000n,
  sizeLots: { [WETH]: 1_000n, [ETH_PERP]: 4_000n },
});

describe('market maker', () => {
  const quotesOf = (view: TraderView, id: number) => {
    const orders = ordersOf(maker, view).filter((order) => order.instrumentId === id);
    return {
      bid: orders.find(({ side }) => side === 'buy'),
      ask: orders.find(({ side }) => side === 'sell'),
    };
  };

  it('quotes a bid below its ask, on ticks', () => {
    const { bid, ask } = quotesOf(viewAt('12:39', rich), ETH_PERP);
    expect(bid!.limitMicrosPerLot < ask!.limitMicrosPerLot).to.equal(true);
    for (const order of ordersOf(maker, viewAt('12:39', rich))) {
      expect(order.limitMicrosPerLot % TICK_MICROS_PER_LOT).to.equal(0n);
    }
  });

  it('steps back in the crash: less size, more spread', () => {
    const spread = ({ bid, ask }: ReturnType<typeof quotesOf>) =>
      ask!.limitMicrosPerLot - bid!.limitMicrosPerLot;
    const calm = quotesOf(viewAt('12:39', rich), ETH_PERP);
    const crash = quotesOf(viewAt('12:53', rich), ETH_PERP);
    expect(spread(crash) > 2n * spread(calm)).to.equal(true);
    expect(crash.bid!.sizeLots).to.equal((calm.bid!.sizeLots * 40n) / 100n);
  });

  it('bids lower when it is long and asks higher when it is short', () => {
    const row = rowOf(table, ETH_PERP)!;
    const long = afterFill(rich, row, 8_000n, row.mark);
    const short = afterFill(rich, row, -8_000n, row.mark);
    const bidOf = (account: Account) => quotesOf(viewAt('12:39', account), ETH_PERP).bid!.limitMicrosPerLot;
    expect(bidOf(long) < bidOf(rich) && bidOf(rich) < bidOf(short)).to.equal(true);
  });

  it('never offers spot that it does not hold', () => {
    const { bid, ask } = quotesOf(viewAt('12:39', holderOf(600_000_000_000n)), WETH);
    expect(bid).to.not.equal(undefined);
    expect(ask).to.equal(undefined);
  });
});

describe('takers', () => {
  it('who buy dips wait until the bounce has held for a minute, and buy once', () => {
    const account = holderOf(12_000_000_000n);
    expect(ordersOf(dipBuyer, viewAt('12:45', account))).to.deep.equal([]);
    const [order] = ordersOf(dipBuyer, viewAt('12:46', account));
    expect(order).to.include({ instrumentId: ETH_PERP, side: 'buy' });
    const row = rowOf(table, ETH_PERP)!;
    const holding = afterFill(account, row, order.sizeLots, order.limitMicrosPerLot);
    expect(ordersOf(dipBuyer, viewAt('12:46', holding))).to.deep.equal([]);
  });

  it('who want all the leverage still ask for no more than initial margin gives', () => {
    const account = holderOf(12_000_000_000n);
    const [order] = ordersOf(dipBuyer, viewAt('12:46', account));
    const row = rowOf(table, ETH_PERP)!;
    const judge = (lots: bigint) =>
      isOpenAfter(
        marginOf(account, table, STANDARD_SHAPE),
        marginOf(afterFill(account, row, lots, order.limitMicrosPerLot), table, STANDARD_SHAPE),
      );
    expect(judge(order.sizeLots)).to.equal(true);
    expect(judge((order.sizeLots * 105n) / 100n)).to.equal(false);
  });

  it('who follow the rebound need five rising minutes', () => {
    const account = holderOf(10_000_000_000n);
    expect(ordersOf(reboundBuyer, viewAt('12:58', account))).to.deep.equal([]);
    expect(ordersOf(reboundBuyer, viewAt('12:59', account))).to.have.length(1);
    expect(ordersOf(reboundBuyer, viewAt('13:00', account))).to.deep.equal([]);
  });

  it('who hold WETH buy more of it first and the perp after', () => {
    const account = holderOf(0n, [0n, 1_000n, 0n]);
    expect(ordersOf(collateralLong, viewAt('12:40', account, 0))[0].instrumentId).to.equal(WETH);
    expect(ordersOf(collateralLong, viewAt('12:41', account, 1))[0].instrumentId).to.equal(ETH_PERP);
    expect(ordersOf(collateralLong, viewAt('12:42', account, 2))).to.deep.equal([]);
  });

  it('who hedge are short exactly what they hold', () => {
    const account = holderOf(20_000_000_000n, [1_000n, 0n, 0n]);
    const [order] = ordersOf(hedger, viewAt('12:40', account, 0));
    expect(order).to.include({ side: 'sell', sizeLots: 1_000n });
    const hedged = afterFill(account, rowOf(table, 4)!, -1_000n, order.limitMicrosPerLot);
    expect(ordersOf(hedger, viewAt('12:41', hedged, 1))).to.deep.equal([]);
  });

  it('leave nothing in the book', () => {
    const account = holderOf(12_000_000_000n, [1_000n, 1_000n, 0n]);
    for (const strategy of [dipBuyer, reboundBuyer, collateralLong, hedger]) {
      for (const order of ordersOf(strategy, viewAt('12:46', account, 0)))
        expect(order.isResting).to.equal(false);
    }
  });
});
