import { expect } from 'chai';
import { afterFill, isOpenAfter, marginOf } from '#client/margin.ts';
import { type Account, sizeOf } from '#protocol/account.ts';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { rowOf } from '#protocol/risk/table.ts';
import { FAR, NEAR } from '#sequencer/main-job/options/listing.ts';
import { planOf } from '#sequencer/main-job/plan.ts';
import {
  hedgedBook,
  holdBook,
  liveOptionOf,
  nakedShort,
  optionDeltaMicros,
  takeOption,
} from '#sequencer/main-job/strategies/portfolios.ts';
import {
  BTC_PERP,
  liveMicrosPerLot,
  type OrderIntent,
  type Strategy,
  TICK_MICROS_PER_LOT,
  type TraderView,
  WBTC,
} from '#sequencer/main-job/strategies/strategy.ts';
import { surfaceMaker } from '#sequencer/main-job/strategies/surface-maker.ts';
import { holderOf } from '../../client/crash-table.ts';
import { firstTable } from '../../support/plan-round.ts';

const plan = planOf('options');
const stepOf = (time: string) =>
  plan.steps.find(
    ({ oracleBar }) => new Date(Number(oracleBar.closeSec) * 1000).toISOString().slice(11, 16) === time,
  )!;
const tables = new Map(['22:00', '00:15'].map((time) => [time, firstTable(plan, stepOf(time))]));
const rich = holderOf(600_000_000_000n);

function viewAt(time: string, account: Account = rich, age = 0): TraderView {
  const { feed, blocks } = stepOf(time);
  return { age, feed, blocks, account, table: tables.get(time) ?? tables.get('22:00')! };
}
const ordersOf = (strategy: Strategy, view: TraderView): OrderIntent[] =>
  strategy.intents(view).filter((intent) => intent.kind === 'order');
const withLots = (account: Account, id: number, lots: bigint): Account => {
  const row = rowOf(tables.get('22:00')!, id)!;
  return afterFill(account, row, lots, row.mark);
};

describe('maker of a surface', () => {
  const maker = surfaceMaker({
    name: 'maker',
    halfSpreadPpm: 1_000n,
    sizeLots: { [WBTC]: 500n, [BTC_PERP]: 2_500n },
    halfSpreadCentipoints: 150n,
    optionLots: 1_500n,
    futureLots: 1_000n,
  });
  const quotesOf = (view: TraderView, id: number) => {
    const orders = ordersOf(maker, view).filter((order) => order.instrumentId === id);
    expect(orders.length, `quotes of ${id}`).to.equal(2);
    return {
      bid: orders.find(({ side }) => side === 'buy')!,
      ask: orders.find(({ side }) => side === 'sell')!,
    };
  };
  const spreadOf = (view: TraderView, id: number): bigint => {
    const { bid, ask } = quotesOf(view, id);
    return ask.limitMicrosPerLot - bid.limitMicrosPerLot;
  };

  it('quotes every option, future and perpetual that trades, on ticks and around the live mark', () => {
    const view = viewAt('22:00');
    const orders = ordersOf(maker, view);
    const ids = [BTC_PERP, ...plan.listing.instruments.slice(4).map(({ id }) => id)];
    for (const id of ids) quotesOf(view, id);
    for (const { limitMicrosPerLot, sizeLots, isResting } of orders) {
      expect(limitMicrosPerLot > 0n && limitMicrosPerLot % TICK_MICROS_PER_LOT === 0n).to.equal(true);
      expect(sizeLots > 0n && isResting).to.equal(true);
    }
    for (const { options } of view.blocks) {
      for (const { instrumentId, markMicrosPerLot } of options) {
        const { bid, ask } = quotesOf(view, instrumentId);
        expect(bid.limitMicrosPerLot < markMicrosPerLot && markMicrosPerLot < ask.limitMicrosPerLot).to.equal(
          true,
        );
      }
    }
  });

  it('asks for a spread of volatility: three points of vega, a tick more at most', () => {
    const view = viewAt('22:00');
    for (const id of [NEAR.put60, FAR.call70]) {
      const { vegaMicrosPerLot } = liveOptionOf(view, id)!;
      const excess = spreadOf(view, id) - 3n * vegaMicrosPerLot;
      expect(excess >= -2n && excess <= 2n * TICK_MICROS_PER_LOT, `${excess}`).to.equal(true);
    }
  });

  it('steps back in the crash: three times the spread in volatility, two fifths of the size', () => {
    const [calm, crash] = [viewAt('22:00'), viewAt('00:15')];
    const points = (view: TraderView) =>
      Number(spreadOf(view, FAR.put60)) / Number(liveOptionOf(view, FAR.put60)!.vegaMicrosPerLot);
    expect(points(crash) > 2.9 * points(calm)).to.equal(true);
    expect(quotesOf(crash, FAR.put60).bid.sizeLots).to.equal(600n);
    expect(quotesOf(crash, FAR.future).bid.sizeLots).to.equal(400n);
    expect(quotesOf(crash, BTC_PERP).bid.sizeLots).to.equal(1_000n);
  });

  it('still quotes within the band of a liquidation then, however much it holds', () => {
    const table = tables.get('00:15')!;
    for (const inventory of [-10_000n, 0n, 10_000n]) {
      const view = viewAt('00:15', inventory === 0n ? rich : withLots(rich, NEAR.put60, inventory));
      const { mark, band } = rowOf(table, NEAR.put60)!;
      const { bid, ask } = quotesOf(view, NEAR.put60);
      expect(bid.limitMicrosPerLot >= mark - band && ask.limitMicrosPerLot <= mark + band).to.equal(true);
    }
  });

  it('leans against what it holds, never so far that its quotes pass the mark', () => {
    for (const id of [NEAR.put60, FAR.future]) {
      const bids = [-9_000n, -500n, 0n, 500n, 9_000n].map(
        (lots) =>
          quotesOf(viewAt('22:00', lots === 0n ? rich : withLots(rich, id, lots)), id).bid.limitMicrosPerLot,
      );
      for (let i = 1; i < bids.length; i++) expect(bids[i] < bids[i - 1], `${id}`).to.equal(true);
      const view = viewAt('22:00', withLots(rich, id, -9_000n));
      const live = liveOptionOf(view, id)?.markMicrosPerLot ?? view.blocks[1].forwardMicrosPerLot;
      expect(quotesOf(view, id).bid.limitMicrosPerLot <= live).to.equal(true);
    }
  });

  it('bids nothing for an option that is worth less than a tick, and offers no dust', () => {
    const view = viewAt('22:00');
    const [near, far] = view.blocks;
    const worthless = near.options.map((option) => ({
      ...option,
      markMicrosPerLot: 400n,
      vegaMicrosPerLot: 10n,
    }));
    const orders = ordersOf(maker, { ...view, blocks: [{ ...near, options: worthless }, far] });
    const quotes = orders.filter(({ instrumentId }) => instrumentId === NEAR.call66);
    expect(quotes.map(({ side }) => side)).to.deep.equal(['sell']);
    expect(quotes[0].limitMicrosPerLot).to.equal(TICK_MICROS_PER_LOT);
    expect(quotes[0].sizeLots * quotes[0].limitMicrosPerLot >= 5_000_000n).to.equal(true);
  });
});

describe('option books', () => {
  const calendar = holdBook('calendar', '', { [NEAR.put60]: -1_500n, [FAR.put60]: 1_500n });

  it('buy before they sell, ask again for what is missing, and stop asking after four turns', () => {
    const first = ordersOf(calendar, viewAt('22:00'));
    expect(first.map(({ instrumentId, side, sizeLots }) => [instrumentId, side, sizeLots])).to.deep.equal([
      [FAR.put60, 'buy', 1_500n],
      [NEAR.put60, 'sell', 1_500n],
    ]);
    const half = withLots(withLots(rich, FAR.put60, 1_500n), NEAR.put60, -700n);
    const second = ordersOf(calendar, viewAt('22:00', half, 3));
    expect(second.map(({ instrumentId, sizeLots }) => [instrumentId, sizeLots])).to.deep.equal([
      [NEAR.put60, 800n],
    ]);
    expect(ordersOf(calendar, viewAt('22:00', half, 4))).to.deep.equal([]);
    for (const { isResting } of first) expect(isResting).to.equal(false);
  });

  it('want nothing of what has expired', () => {
    expect(ordersOf(holdBook('', '', { [NEAR.put60]: 10n }), viewAt('08:15'))).to.deep.equal([]);
  });

  it('sell what is worthless for a tick and do not buy it', () => {
    const view = viewAt('22:00');
    const [near, far] = view.blocks;
    const worthless = near.options.map((option) => ({
      ...option,
      markMicrosPerLot: 0n,
      vegaMicrosPerLot: 0n,
    }));
    const poor = { ...view, blocks: [{ ...near, options: worthless }, far] };
    expect(takeOption(poor, NEAR.put60, 10n)).to.deep.equal([]);
    const [sale] = takeOption(poor, NEAR.put60, -10n);
    expect([sale.limitMicrosPerLot, sale.sizeLots]).to.deep.equal([TICK_MICROS_PER_LOT, 10n]);
  });

  it('that are hedged trade the perpetual against their delta, in steps', () => {
    const hedged = hedgedBook('hedged', '', 0, { [FAR.put60]: -1_000n, [FAR.call70]: -1_000n });
    const open = withLots(withLots(rich, FAR.put60, -1_000n), FAR.call70, -1_000n);
    for (const time of ['22:00', '00:15']) {
      const view = viewAt(time, open, 9);
      const [order] = ordersOf(hedged, view);
      expect(order.instrumentId).to.equal(BTC_PERP);
      const lots = order.side === 'buy' ? order.sizeLots : -order.sizeLots;
      const left = optionDeltaMicros(view, 0) + lots * liveMicrosPerLot(view, BTC_PERP);
      const perp = liveMicrosPerLot(view, BTC_PERP);
      expect(left < perp && left > -perp, time).to.equal(true);
      const flat = viewAt(time, withLots(open, BTC_PERP, lots + 9n), 9);
      expect(ordersOf(hedged, flat), time).to.deep.equal([]);
    }
  });

  it('that are naked sell what initial margin allows and no more, once', () => {
    const naked = nakedShort('wing', '', NEAR.put60);
    const account = holderOf(14_000_000_000n);
    const [order] = ordersOf(naked, viewAt('22:00', account));
    const table = tables.get('22:00')!;
    const judge = (lots: bigint): boolean =>
      isOpenAfter(
        marginOf(account, table, STANDARD_SHAPE),
        marginOf(
          afterFill(account, rowOf(table, NEAR.put60)!, -lots, order.limitMicrosPerLot),
          table,
          STANDARD_SHAPE,
        ),
      );
    expect(order.side).to.equal('sell');
    expect(judge(order.sizeLots)).to.equal(true);
    expect(judge((order.sizeLots * 103n) / 100n)).to.equal(false);
    expect(ordersOf(naked, viewAt('22:00', account, 1))).to.deep.equal([]);
    expect(sizeOf(account, NEAR.put60)).to.equal(0n);
  });
});
