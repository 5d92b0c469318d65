import { expect } from 'chai';
import { sizeOf } from '#protocol/account.ts';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { marginOf } from '#protocol/risk/margin.ts';
import { rowOf } from '#protocol/risk/table.ts';
import { genesisState } from '#protocol/state.ts';
import { conversionsOf, expiryLines } from '#sequencer/main-job/expiry-lines.ts';
import { NEAR } from '#sequencer/main-job/options/listing.ts';
import { type MarketPlan, planOf } from '#sequencer/main-job/plan.ts';
import { rebuild } from '#sequencer/reconstruct/rebuild.ts';
import { CrashMarket, publishedBatches, type SeenExpiry, tableIndexOf } from '../../support/crash-market.ts';

const plan = planOf('options');
const { listing } = plan;
const NEAR_IDS = [NEAR.future, NEAR.call60, NEAR.put60, NEAR.call66, NEAR.put66];
/** Closes of 07:30 and of 07:45 held a quarter hour each. */
const SETTLEMENT_MICROS = (64_998_220_000n + 65_209_870_000n) / 2n;
const LOTS_PER_COIN = 1_000n;
const PAYOFF_MICROS: Readonly<Record<number, bigint>> = {
  [NEAR.future]: SETTLEMENT_MICROS,
  [NEAR.call60]: SETTLEMENT_MICROS - 60_000_000_000n,
  [NEAR.put60]: 0n,
  [NEAR.call66]: 0n,
  [NEAR.put66]: 66_000_000_000n - SETTLEMENT_MICROS,
};

describe('the expiry of the options market', function () {
  this.timeout(180_000);
  let expiry: SeenExpiry | undefined;
  const market = new CrashMarket(plan, {
    afterExpiry: (seen) => {
      expiry = seen;
    },
  });
  const seen = (): SeenExpiry => expiry as SeenExpiry;

  before(async () => {
    await market.run();
  });

  it('settles by the first round at the expiry, at the mean of the last half hour, to the micro', () => {
    const { table } = seen();
    expect(table.timeSec).to.equal(NEAR.expirySec);
    expect(table.isJump).to.equal(false);
    for (const id of NEAR_IDS) {
      const row = rowOf(table, id)!;
      expect(row.isSettled, `${id}`).to.equal(true);
      expect(row.mark, `${id}`).to.equal(PAYOFF_MICROS[id] / LOTS_PER_COIN);
    }
    expect(table.rows.filter((row) => row.isSettled).length).to.equal(NEAR_IDS.length);
  });

  it('gives every holder its payoff and leaves every account worth what it was', () => {
    const { table, before, after } = seen();
    for (const [accountIndex, account] of before) {
      const own = market.story.settledPositions.filter((event) => event.accountIndex === accountIndex);
      for (const id of NEAR_IDS) {
        const size: bigint = sizeOf(account, id);
        const events = own.filter(({ instrumentId }) => instrumentId === id);
        expect(
          events.map(({ cashMicros }) => cashMicros),
          `${accountIndex} in ${id}`,
        ).to.deep.equal(size === 0n ? [] : [(size * PAYOFF_MICROS[id]) / LOTS_PER_COIN]);
      }
      const [was, is] = [account, after.get(accountIndex)!].map((one) =>
        marginOf(one, table, STANDARD_SHAPE),
      );
      expect(is.equity, market.nameOf(accountIndex)).to.equal(was.equity);
      expect(is.initialMarginMicrosUp).to.equal(was.initialMarginMicrosUp);
    }
    const { settledPositions } = market.story;
    expect(settledPositions.filter(({ cashMicros }) => cashMicros > 0n).length).to.be.at.least(1);
    expect(settledPositions.reduce((sum, { cashMicros }) => sum + cashMicros, 0n)).to.equal(0n);
  });

  it('leaves nobody in it, retires all of it, and goes on without it', () => {
    for (const account of seen().after.values()) {
      for (const id of NEAR_IDS) expect(sizeOf(account, id)).to.equal(0n);
    }
    const retired = market.story.retiredInstruments.map(({ instrumentId }) => instrumentId);
    expect(retired.sort()).to.deep.equal([...NEAR_IDS].sort());
    const { table } = market.state.table!;
    expect(table.timeSec > NEAR.expirySec).to.equal(true);
    for (const id of NEAR_IDS) expect(rowOf(table, id), `${id}`).to.equal(undefined);
    const open = [...market.state.openOrders.values()].flatMap((own) => [...own.values()]);
    const ids = open.map((hash) => market.state.orders.get(hash)!.order.instrumentId);
    expect(ids.filter((id) => NEAR_IDS.some((near) => near === id))).to.deep.equal([]);
  });

  it('is told from published data alone, as it happened', () => {
    const batches = publishedBatches(market);
    const rebuilt = rebuild(genesisState(STANDARD_SHAPE), batches, listing.marketSlots);
    const tables = new Map([[tableIndexOf(seen().table), seen().table]]);
    const conversions = conversionsOf({ batches, rebuilt, tables });
    const shown = conversions.map((one) => [
      one.batchNumber,
      one.accountIndex,
      one.instrumentId,
      one.cashMicros,
    ]);
    const happened = market.story.settledPositions.map((event) => [
      event.batchNumber,
      event.accountIndex,
      event.instrumentId,
      event.cashMicros,
    ]);
    expect(shown).to.have.deep.members(happened);
    const published = {
      batches,
      rebuilt,
      tables,
      ledger: rebuilt.at(-1)!.ledger,
      settlements: [{ blockPlace: 0, futureId: NEAR.future, settlementMicros: SETTLEMENT_MICROS }],
      clearedBlocks: [0],
    };
    const nameOf = (index: number): string => market.nameOf(index);
    const [block, , , ...rows] = expiryLines(published, listing, nameOf);
    expect(block).to.equal(
      '  BTC-6FEB26 settled at 65,104.04; positions left in it: 0; its block on L1 is empty',
    );
    expect(rows.find((row) => row.includes('Tansy, +1.00'))).to.match(
      /Tansy, \+1\.00 BTC-6FEB26-60000-C +\d+ +5,104\.04 +5,104\.04$/,
    );
    expect(rows.at(-1)).to.match(/together +0\.00$/);
    // Before the conversions of its last batches, and with its block still listed.
    const early = rebuilt.findLast(({ batchNumber }) => batchNumber < conversions[0].batchNumber)!;
    expect(
      expiryLines({ ...published, ledger: early.ledger, clearedBlocks: [] }, listing, nameOf)[0],
    ).to.equal(
      `  BTC-6FEB26 settled at 65,104.04; positions left in it: ${conversions.length}; its block on L1 is in use`,
    );
    expect(expiryLines({ ...published, settlements: [] }, listing, nameOf)).to.deep.equal([]);
  });
});

describe('an expiry of which the oracle says too little', () => {
  const rounds = plan.expiry!.rounds;
  /** Nobody trades, and the story begins shortly before the expiry. */
  const settledWith = async (left: typeof rounds) => {
    let found: SeenExpiry | undefined;
    const quiet: MarketPlan = {
      ...plan,
      cast: [],
      steps: plan.steps.slice(-2),
      expiry: { ...plan.expiry!, rounds: left },
    };
    const settings = { afterExpiry: (one: SeenExpiry) => void (found = one) };
    await new CrashMarket(quiet, settings).run();
    return found!.table;
  };
  const failure = (left: typeof rounds) =>
    settledWith(left).then(
      () => 'settled',
      (error: Error) => error.message,
    );

  it('settles later at the same price when the round at the expiry is missing', async () => {
    const table = await settledWith(rounds.filter(({ timeSec }) => timeSec !== NEAR.expirySec));
    expect(table.timeSec).to.equal(NEAR.expirySec + 180n);
    expect(rowOf(table, NEAR.future)!.mark).to.equal(SETTLEMENT_MICROS / LOTS_PER_COIN);
  });

  it('does not settle with a gap of more than five minutes, nor with fewer than ten looks', async () => {
    const without = (...minutes: bigint[]) =>
      rounds.filter(({ timeSec }) => !minutes.some((minute) => timeSec === NEAR.expirySec - minute * 60n));
    expect(await failure(without(15n))).to.equal(`no planned round settles ${NEAR.future}`);
    expect(await failure(without(0n, 3n))).to.equal(`no planned round settles ${NEAR.future}`);
    expect(await failure([])).to.equal(`no planned round settles ${NEAR.future}`);
  });

  it('counts a late look, but never a price from before the half hour alone', async () => {
    const early = rounds.filter(({ timeSec }) => timeSec < NEAR.expirySec - 1_800n);
    expect(early.length).to.equal(1);
    const last = rounds.find(({ timeSec }) => timeSec === NEAR.expirySec)!;
    expect(await failure([...early, last])).to.equal(`no planned round settles ${NEAR.future}`);
  });
});
