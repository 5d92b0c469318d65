import { expect } from 'chai';
import { InputError } from '#protocol/errors.ts';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { defaultSegments } from '#protocol/risk/default-registry.ts';
import { timeToExpirySec } from '#protocol/risk/terms.ts';
import { flagsOf } from '#sequencer/main-job/flags.ts';
import { liveBlocks, liveMarks } from '#sequencer/main-job/live.ts';
import { FAR, NEAR, OPTIONS_LISTING } from '#sequencer/main-job/options/listing.ts';
import { SETTLEMENT_ROUND_TIMES } from '#sequencer/main-job/options/market.ts';
import { MARKET_NAMES, planOf } from '#sequencer/main-job/plan.ts';
import { lastClosed, readBars } from '#sequencer/market-data/bars.ts';
import { readChains } from '#sequencer/market-data/option-chain.ts';
import { blockSurface } from '#sequencer/market-data/surface.ts';
import { expectNear } from '../../support/near.ts';

const chains = readChains();
const { listing, steps, cast } = planOf('options');

describe('market plans', () => {
  it('are chosen by a flag; the present one is the default', () => {
    expect(flagsOf([])).to.deep.equal({ isExiting: false, port: 0, market: 'linear' });
    expect(flagsOf(['--exit', '--market', 'options', '--port', '8080'])).to.deep.equal({
      isExiting: true,
      port: 8080,
      market: 'options',
    });
    for (const wrong of [
      ['--market'],
      ['--market', 'spot'],
      ['--port', '70000'],
      ['--port', '8e1'],
      ['--port'],
    ]) {
      expect(() => flagsOf(wrong), wrong.join(' ')).to.throw(InputError);
    }
  });

  it('each play one recording in order, every step with its live prices, and go on after it', () => {
    for (const name of MARKET_NAMES) {
      const plan = planOf(name);
      const closes = readBars(plan.recording).map(({ closeSec }) => closeSec);
      plan.steps.forEach(({ index, oracleBar, feed }, i) => {
        expect(index).to.equal(i);
        expect(closes).to.include(oracleBar.closeSec);
        expect(i === 0 || oracleBar.closeSec > plan.steps[i - 1].oracleBar.closeSec, name).to.equal(true);
        expect(feed.length).to.be.at.least(9);
      });
      const last = plan.steps[plan.steps.length - 1].oracleBar.closeSec;
      expect(plan.stepAfter(1).oracleBar.closeSec).to.equal(last + plan.stepAfter(1).barSec);
      // The last bar again when there are no more; the live feed of one minute ahead needs one to spare.
      expect(plan.stepAfter(10_000).oracleBar.closeSec >= closes[closes.length - 2]).to.equal(true);
    }
  });

  it('have the same linear market: one registry is the beginning of the other', () => {
    const linear = planOf('linear').listing;
    expect(listing.registry.slice(0, 4)).to.deep.equal(linear.registry);
    expect(listing.instruments.slice(0, 4)).to.deep.equal(linear.instruments);
  });
});

describe('listing of the options market', () => {
  it('names every instrument as exchanges do, in the slots of the risk circuit', () => {
    const shown = listing.instruments.slice(4).map(({ id, symbol, marketSlot }) => [id, symbol, marketSlot]);
    expect(shown).to.deep.equal([
      [10, 'BTC-6FEB26', 6],
      [20, 'BTC-6FEB26-60000-C', 7],
      [21, 'BTC-6FEB26-60000-P', 8],
      [22, 'BTC-6FEB26-66000-C', 9],
      [23, 'BTC-6FEB26-66000-P', 10],
      [11, 'BTC-13FEB26', 11],
      [30, 'BTC-13FEB26-60000-C', 12],
      [31, 'BTC-13FEB26-60000-P', 13],
      [32, 'BTC-13FEB26-70000-C', 14],
      [33, 'BTC-13FEB26-70000-P', 15],
    ]);
    expect(listing.symbolOf(999)).to.equal('#999');
    const [{ startSlot }] = defaultSegments(STANDARD_SHAPE);
    expect(startSlot).to.equal(0);
  });

  it('fits the thirteen slots of an account, so that a maker may hold all of it', () => {
    const derivatives = listing.instruments.filter(({ kind }) => kind !== 'spot');
    expect(derivatives.length <= STANDARD_SHAPE.derivativeSlots).to.equal(true);
    expect(cast.filter(({ isMarketMaker }) => isMarketMaker).length).to.equal(2);
  });
});

describe('live prices of dated instruments', () => {
  it('are the exchange’s marks at the moment of its chain', () => {
    const [, { timeSec, expiries }] = chains;
    const index = (expiries[0].forwardMicrosPerCoin * 1_000_000n) / 1_000_031n;
    const [near, far] = liveBlocks(OPTIONS_LISTING, chains, [index, 0n], timeSec);
    // Marks in coin of the recorded chain: 60,000 and 66,000 of tomorrow, 70,000 of next week.
    const published: [typeof near, number, number][] = [
      [near, NEAR.put60, 0.00673492],
      [near, NEAR.call66, 0.00686017],
      [far, FAR.call70, 0.01979229],
    ];
    for (const [block, id, mark] of published) {
      const option = block.options.find(({ instrumentId }) => instrumentId === id)!;
      const coin = Number(option.markMicrosPerLot) / Number(block.forwardMicrosPerLot);
      expectNear(coin, mark, 1e-5, `mark of ${id}`);
    }
  });

  it('keep put–call parity to the micro and a vega that is never negative', () => {
    for (const { blocks } of steps) {
      for (const { options, forwardMicrosPerLot } of blocks) {
        for (let i = 0; i < options.length; i += 2) {
          const [call, put] = [options[i], options[i + 1]];
          const strike = listing.instruments.find(({ id }) => id === call.instrumentId)!.strikeMicrosPerLot;
          expect(call.markMicrosPerLot - put.markMicrosPerLot).to.equal(forwardMicrosPerLot - strike);
          expect(call.deltaMicrosPerLot - put.deltaMicrosPerLot).to.equal(forwardMicrosPerLot);
          expect(put.markMicrosPerLot >= 0n && call.vegaMicrosPerLot >= 0n).to.equal(true);
        }
      }
    }
  });

  it('leave with their expiry', () => {
    const last = steps[steps.length - 1];
    expect(last.blocks.map(({ futureId }) => futureId)).to.deep.equal([FAR.future]);
    const marks = liveMarks(listing, last.feed[last.feed.length - 1], last.blocks);
    expect(marks.map(({ instrumentId }) => instrumentId)).to.deep.equal([1, 2, 4, 5, 11, 30, 31, 32, 33]);
  });

  it('never let total variance fall from one expiry to the next', () => {
    for (const { oracleBar, feed } of steps) {
      const [btc] = feed[feed.length - 1];
      const [near, far] = [NEAR, FAR].map(({ expirySec }) => {
        const block = { expirySec, strikesMicrosPerCoin: [btc] };
        const [vol] = blockSurface(chains, block, btc, oracleBar.closeSec).volPpm;
        return vol ** 2n * timeToExpirySec(expirySec, oracleBar.closeSec);
      });
      expect(far > near).to.equal(true);
    }
  });
});

describe('rounds that settle the near expiry', () => {
  const bars = readBars('crash-2026');

  it('are at least ten in its last half hour, close together, one before it and one to spare after it', () => {
    const startSec = NEAR.expirySec - 1_800n;
    const inside = SETTLEMENT_ROUND_TIMES.filter((time) => time >= startSec && time <= NEAR.expirySec);
    expect(inside.length).to.be.at.least(10);
    expect(inside[0]).to.equal(startSec);
    expect(inside.at(-1)).to.equal(NEAR.expirySec);
    const outside = SETTLEMENT_ROUND_TIMES.filter((time) => !inside.includes(time));
    expect(outside).to.deep.equal([startSec - 180n, NEAR.expirySec + 180n]);
    SETTLEMENT_ROUND_TIMES.slice(1).forEach((time, i) => {
      expect(time - SETTLEMENT_ROUND_TIMES[i] <= 300n).to.equal(true);
    });
  });

  it('lie between the steps before and after, and report prices that were known', () => {
    const closes = steps.map(({ oracleBar }) => oracleBar.closeSec);
    const [first, last] = [SETTLEMENT_ROUND_TIMES[0], SETTLEMENT_ROUND_TIMES.at(-1)!];
    expect(closes.some((close) => close >= first && close <= last)).to.equal(false);
    expect(closes.at(-1)! > last).to.equal(true);
    const reported = new Set(SETTLEMENT_ROUND_TIMES.map((time) => lastClosed(bars, time).closeMicros[0]));
    expect([...reported]).to.deep.equal([65_040_060_000n, 64_998_220_000n, 65_209_870_000n, 64_856_000_000n]);
    const { expiry } = planOf('options');
    expect(expiry?.rounds.map(({ timeSec }) => timeSec)).to.deep.equal(SETTLEMENT_ROUND_TIMES);
    for (const { timeSec, bar } of expiry?.rounds ?? []) {
      expect(bar.closeSec <= timeSec && timeSec < bar.closeSec + 900n).to.equal(true);
    }
    expect(steps[expiry?.beforeStep ?? 0].oracleBar.closeSec).to.equal(closes.at(-1));
  });
});
