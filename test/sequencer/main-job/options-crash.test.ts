import { expect } from 'chai';
import { portfolioMargin } from '#client/legs.ts';
import { verifyLiquidation } from '#client/liquidation.ts';
import { type Account, sizeOf } from '#protocol/account.ts';
import { readPublicWords } from '#protocol/batch/read-words.ts';
import { publicWords } from '#protocol/batch/words.ts';
import type { RiskTable } from '#protocol/instrument.ts';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { marginOf } from '#protocol/risk/margin.ts';
import { isBlockSound } from '#protocol/risk/surface.ts';
import { rowOf } from '#protocol/risk/table.ts';
import { timeToExpirySec } from '#protocol/risk/terms.ts';
import { genesisState, ledgerTotals, stateRoot } from '#protocol/state.ts';
import { FAR, NEAR } from '#sequencer/main-job/options/listing.ts';
import { planOf } from '#sequencer/main-job/plan.ts';
import { lowestMoment, portfolioLines } from '#sequencer/main-job/portfolio-lines.ts';
import { BTC_PERP, WBTC } from '#sequencer/main-job/strategies/strategy.ts';
import { rebuild } from '#sequencer/reconstruct/rebuild.ts';
import { CrashMarket, publishedBatches, tableIndexOf } from '../../support/crash-market.ts';

const TOLERANCE_MICROS = 50_000_000n;
interface Seen {
  readonly time: string;
  readonly table: RiskTable;
  /** By the name of the strategy; a market maker's is the first. */
  readonly books: ReadonlyMap<string, Account>;
}

describe('the night of 2026-02-05 with options, replayed on the engine', function () {
  this.timeout(180_000);
  const seen: Seen[] = [];
  const market: CrashMarket = new CrashMarket(planOf('options'), {
    afterStep: ({ oracleBar }) => {
      seen.push({
        time: new Date(Number(oracleBar.closeSec) * 1000).toISOString().slice(11, 16),
        table: market.state.table!.table,
        books: new Map(
          market.traders
            .toReversed()
            .map(({ member, accountIndex }) => [member.strategy.name, market.state.account(accountIndex)]),
        ),
      });
    },
  });
  const at = (time: string): Seen => seen.find((moment) => moment.time === time)!;
  const accountOf = (name: string): number =>
    market.traders.find(({ member }) => member.strategy.name === name)!.accountIndex;

  before(async () => {
    await market.run();
  });

  it('opens six books against the makers, and refuses nothing', () => {
    const { books } = at('23:00');
    const sizes = (name: string, ...ids: number[]) => ids.map((id) => sizeOf(books.get(name)!, id));
    expect(sizes('covered call', 1, FAR.call70)).to.deep.equal([2_000n, -2_000n]);
    expect(sizes('calendar', NEAR.put60, FAR.put60)).to.deep.equal([-1_500n, 1_500n]);
    expect(sizes('strangle', NEAR.put60, NEAR.call66)).to.deep.equal([1_000n, 1_000n]);
    expect(sizes('call spread', NEAR.call60, NEAR.call66)).to.deep.equal([1_000n, -1_000n]);
    expect(sizes('delta-hedged book', FAR.put60, FAR.call70)).to.deep.equal([-1_000n, -1_000n]);
    expect(sizes('short wing', NEAR.put60)[0] < -1_000n).to.equal(true);
    expect(market.refused).to.deep.equal([]);
    expect(market.story.trades).to.be.at.least(25);
  });

  it('liquidates the book that its margin says, in the quarter hour of the bottom, and no other', () => {
    const ids = new Set(market.story.liquidations.map(({ accountIndex }) => accountIndex));
    expect([...ids]).to.deep.equal([accountOf('short wing')]);
    const judged = market.sealed.flatMap((batch) => {
      const { liquidations: rows } = readPublicWords(publicWords(batch), STANDARD_SHAPE, batch.capacity);
      if (rows.length === 0) return [];
      const [{ accountIndex }] = rows;
      const change = batch.accounts.find((row) => row.accountIndex === accountIndex)!;
      const { table, pricesUsable } = batch.content.header;
      return [{ table, verified: verifyLiquidation({ ...change, rows, table, pricesUsable }) }];
    });
    expect(judged.length).to.be.at.least(1);
    for (const { verified, table } of judged) {
      expect(table.timeSec).to.equal(at('00:15').table.timeSec);
      if (!verified.ok) throw new Error(`${verified.code}: ${verified.message}`);
      const { before, after } = verified.value;
      expect(before.equityMicros > 0n && before.equityMicros < before.maintenanceMarginMicros).to.equal(true);
      expect(after.equityMicros <= after.initialMarginMicros + TOLERANCE_MICROS).to.equal(true);
    }
    const left = marginOf(at('00:15').books.get('short wing')!, at('00:15').table, STANDARD_SHAPE);
    expect(left.equity >= left.maintenanceMarginMicrosUp).to.equal(true);
  });

  it('would liquidate another short wing just the same, and not one with more money', () => {
    // The same bets under the bottom's prices: only the numbers decide.
    const { table } = at('00:15');
    const wing = at('00:00').books.get('short wing')!;
    const health = (more: bigint) =>
      marginOf({ ...wing, cashStar: (wing.cashStar + more) as Account['cashStar'] }, table, STANDARD_SHAPE)
        .health;
    expect(health(0n)).to.equal('liquidatable');
    expect(health(10_000_000_000n)).to.equal('open');
  });

  it('keeps the hedged book near delta 0 through all of it', () => {
    for (const { time, table, books } of seen.slice(8)) {
      const { netDeltas } = marginOf(books.get('delta-hedged book')!, table, STANDARD_SHAPE);
      const stepMicros = 10n * rowOf(table, BTC_PERP)!.mark;
      // A hedge is moved in steps of ten lots; what is proved as delta is off by up to 0.35 % of an option's forward.
      const slack = stepMicros + (2_000n * rowOf(table, FAR.future)!.mark * 35n) / 10_000n;
      expect(netDeltas[0] < slack && netDeltas[0] > -slack, `${time}: ${netDeltas[0]}`).to.equal(true);
    }
  });

  it('asks less of the calendar than half of its legs, and shows every leg', () => {
    const { table, books } = at('00:15');
    const { margin, legsInitialMarginMicros } = portfolioMargin(books.get('calendar')!, table);
    expect(2n * margin.initialMarginMicrosUp < legsInitialMarginMicros).to.equal(true);
    const accounts = [[accountOf('calendar'), books.get('calendar')!]] as const;
    const lines = portfolioLines({ accounts, table }, (index) => market.nameOf(index), market.plan.listing);
    const [whole, ...legs] = lines.slice(2).map((line) => line.trim().split(/ {2,}/)[0]);
    expect(whole).to.equal('Rowan');
    expect(legs.at(-1)).to.equal('leg by leg');
    expect(legs.slice(0, 2)).to.have.members(['+1.50 BTC-13FEB26-60000-P', '−1.50 BTC-6FEB26-60000-P']);
  });

  it('has a sound surface in every round: no riskless profit, no jump, and time is worth something', () => {
    for (const { time, table } of seen) {
      expect(table.isJump, time).to.equal(false);
      for (const { future, calls } of [
        { future: NEAR.future, calls: [NEAR.call60, NEAR.call66] },
        { future: FAR.future, calls: [FAR.call60, FAR.call70] },
      ]) {
        // Its block is empty once it is settled.
        if (future === NEAR.future && table.timeSec >= NEAR.expirySec) continue;
        const quotes = calls.map((id) => ({
          strike: market.plan.listing.instruments.find((one) => one.id === id)!.strikeMicrosPerLot,
          mark: rowOf(table, id)!.mark,
        }));
        expect(isBlockSound(rowOf(table, future)!.mark, quotes), time).to.equal(true);
      }
    }
    for (const { time, table } of seen) {
      // Time value of the 60,000 put: a later expiry is worth more.
      if (timeToExpirySec(NEAR.expirySec, table.timeSec) <= 3_600n) continue;
      expect(rowOf(table, FAR.put60)!.mark > rowOf(table, NEAR.put60)!.mark, time).to.equal(true);
    }
  });

  it('goes on without what has expired', () => {
    const last = seen[seen.length - 1];
    expect(last.table.timeSec > NEAR.expirySec).to.equal(true);
    const late = [...market.state.orders.values()].filter(
      ({ order }) => order.expirySec > last.table.timeSec,
    );
    const ids = new Set(late.map(({ order }) => order.instrumentId));
    const futures: readonly number[] = [FAR.future, FAR.call60, FAR.put60, FAR.call70, FAR.put70];
    expect([...ids].filter((id) => id >= NEAR.future).sort()).to.deep.equal([...futures].sort());
  });

  it('loses and makes nothing, and can be rebuilt from what its batches publish', () => {
    const { sizeLots, cashStarMicros } = ledgerTotals(market.state.ledger);
    for (const { id, kind } of market.plan.listing.instruments) {
      if (kind !== 'spot') expect(sizeLots.get(id) ?? 0n, `${id}`).to.equal(0n);
    }
    expect(cashStarMicros).to.equal(market.state.l1Ledger.liquid[0]);
    const batches = publishedBatches(market);
    const rebuilt = rebuild(genesisState(STANDARD_SHAPE), batches, market.plan.listing.marketSlots);
    expect(stateRoot(rebuilt.at(-1)!.ledger)).to.equal(stateRoot(market.state.ledger));
    const tables = new Map(seen.map(({ table }) => [tableIndexOf(table), table]));
    const lowest = lowestMoment({ batches, rebuilt, tables }, WBTC)!;
    expect(lowest.table).to.equal(at('00:15').table);
    const books = new Map(lowest.accounts);
    for (const { accountIndex, member } of market.traders.filter((one) => !one.member.isMarketMaker)) {
      expect(books.get(accountIndex)).to.deep.equal(at('00:15').books.get(member.strategy.name));
    }
    expect(lowestMoment({ batches: [], rebuilt: [], tables }, WBTC)).to.equal(undefined);
  });
});
