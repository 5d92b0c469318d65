import { expect } from 'chai';
import { DEFAULT_REGISTRY, DEFAULT_UNDERLYING_PARAMETERS } from '#protocol/risk/default-registry.ts';
import {
  applyRound,
  fundingIndexPerLotNearest,
  GAP_SEC_MAX,
  initialOracleState,
  medianDown,
  type OracleState,
  type RoundValues,
  riskRoundInputs,
} from '#protocol/risk/oracle-state.ts';
import { RISK_SMALL } from '#protocol/risk/registry.ts';

const [btc, eth] = [100_000_000_000n, 4_000_000_000n];
const START_SEC = 1_700_000_000n;
const HOUR = 3_600n;
const DAY = 86_400n;

/** Feeds rounds to a state: prices in ppm of the start, premium of BTC, seconds since the last round. */
class Feeder {
  state: OracleState = initialOracleState(DEFAULT_UNDERLYING_PARAMETERS, [btc, eth], START_SEC);

  round(pricePpm: bigint, gapSec: bigint, premiumPpm = 0n): RoundValues {
    const medians = {
      timeSec: this.state.lastTimeSec + gapSec,
      indexMicros: [(btc * pricePpm) / 1_000_000n, eth],
      premiumPpm: [premiumPpm, 0n],
      basisPpb: [],
      volPpm: [],
    };
    const { state, values } = applyRound(this.state, medians, DEFAULT_UNDERLYING_PARAMETERS, 1, []);
    this.state = state;
    return values;
  }
  get factor(): bigint {
    return this.state.feeds[0].scanFactorE9;
  }
  get funding(): bigint {
    return this.state.feeds[0].fundingMicrosPerCoin;
  }
}

describe('oracle state', () => {
  it('takes the middle value, and the lower middle of four', () => {
    expect(medianDown([5n, -1n, 3n])).to.equal(3n);
    expect(medianDown([9n, 2n, 7n, 4n])).to.equal(4n);
    expect(medianDown([1n, 1n, 100n, 100n, 1n])).to.equal(1n);
  });

  describe('jumps', () => {
    it('take a move of exactly 10 % as normal and anything beyond as a jump', () => {
      expect(new Feeder().round(1_100_000n, 60n).isJump).to.equal(false);
      expect(new Feeder().round(1_100_001n, 60n).isJump).to.equal(true);
      expect(new Feeder().round(900_000n, 60n).isJump).to.equal(false);
      expect(new Feeder().round(899_999n, 60n).isJump).to.equal(true);
    });

    it('change neither volatility nor funding nor the confirmed price', () => {
      const feeder = new Feeder();
      const [before] = feeder.state.feeds;
      feeder.round(500_000n, 60n, 10_000n);
      expect(feeder.state.feeds[0]).to.deep.equal({ ...before, lastIndexMicros: btc / 2n });
    });

    it('are confirmed by a round near them, or undone by one near the old price', () => {
      const crash = new Feeder();
      expect([700_000n, 690_000n].map((price) => crash.round(price, 60n).isJump)).to.deep.equal([
        true,
        false,
      ]);
      const badPrint = new Feeder();
      expect([700_000n, 1_001_000n].map((price) => badPrint.round(price, 60n).isJump)).to.deep.equal([
        true,
        false,
      ]);
      const falling = new Feeder();
      const jumps = [800_000n, 650_000n, 500_000n, 500_000n].map((price) => falling.round(price, 60n).isJump);
      expect(jumps).to.deep.equal([true, true, true, false]);
    });

    it('count an old jump only for the round right after it', () => {
      const feeder = new Feeder();
      feeder.round(700_000n, 60n); // jump
      feeder.round(1_000_000n, 60n); // undone
      expect(feeder.round(700_000n, 60n).isJump, 'the bad price again').to.equal(true);
    });

    it('of one underlying mark the whole round', () => {
      const feeder = new Feeder();
      const values = feeder.round(2_000_000n, 60n);
      expect(values.isJump).to.equal(true);
      expect(feeder.state.feeds[1].confirmedIndexMicros).to.equal(eth);
    });
  });

  describe('averages', () => {
    it('carry the last price over the time until the next', () => {
      const feeder = new Feeder();
      feeder.round(1_010_000n, 100n);
      feeder.round(1_020_000n, 50n);
      expect(feeder.state.indexSeconds[0]).to.equal(btc * 100n + ((btc * 101n) / 100n) * 50n);
    });

    it('contain a jump’s price from its own time on once confirmed, and never if it is not', () => {
      const crash = new Feeder();
      crash.round(700_000n, 60n);
      expect(crash.state.indexSeconds[0], 'until the jump').to.equal(btc * 60n);
      crash.round(710_000n, 60n);
      expect(crash.state.indexSeconds[0]).to.equal(btc * 60n + ((btc * 7n) / 10n) * 60n);
      const badPrint = new Feeder();
      badPrint.round(700_000n, 60n);
      badPrint.round(1_000_000n, 60n);
      expect(badPrint.state.indexSeconds[0]).to.equal(btc * 120n);
    });
  });

  describe('funding', () => {
    it('accrues the premium, capped at 0.5 % per 8 hours', () => {
      const small = new Feeder();
      for (let i = 0; i < 480; i++) small.round(1_000_000n, 60n, 1_000n);
      expect(small.funding).to.be.closeTo(btc / 1_000n, 480n);
      const large = new Feeder();
      for (let i = 0; i < 480; i++) large.round(1_000_000n, 60n, -10_000n);
      expect(large.funding).to.be.closeTo(-btc / 200n, 480n);
    });

    it('is the same for the same time in many rounds or few', () => {
      const many = new Feeder();
      for (let i = 0; i < 600; i++) many.round(1_000_000n, 1n, 2_000n);
      const one = new Feeder();
      one.round(1_000_000n, 600n, 2_000n);
      expect(many.funding).to.be.closeTo(one.funding, 300n);
    });

    it('counts a gap as ten minutes, however long nobody measured', () => {
      const long = new Feeder();
      long.round(1_000_000n, 10n * DAY, 5_000n);
      const ten = new Feeder();
      ten.round(1_000_000n, GAP_SEC_MAX, 5_000n);
      expect(long.funding).to.equal(ten.funding);
    });

    it('stands still in a jump and accrues what was measured after it', () => {
      const feeder = new Feeder();
      feeder.round(700_000n, 60n, 10_000n);
      expect(feeder.funding).to.equal(0n);
      feeder.round(700_000n, 60n, 5_000n);
      // 120 s at 0.5 % per 8 h of 70,000 dollars.
      expect(feeder.funding).to.equal((btc * 7n * 5_000n * 120n) / (10n * 1_000_000n * 28_800n));
    });

    it('reaches perpetuals by their lots, spot never', () => {
      const feeder = new Feeder();
      const inputs = riskRoundInputs(feeder.round(1_000_000n, 600n, 5_000n), DEFAULT_REGISTRY, [RISK_SMALL]);
      const lot = fundingIndexPerLotNearest(feeder.funding, 100_000n);
      expect(lot).to.equal((feeder.funding + 500n) / 1_000n);
      expect(inputs.places.map((place) => place?.fundingIndexMicrosPerLot)).to.deep.equal([0n, 0n, lot, 0n]);
      expect(inputs.places.map((place) => place?.premiumPpb)).to.deep.equal([0n, 0n, 5_000_000n, 0n]);
    });
  });

  describe('scan range', () => {
    /** An hour of alternating ±5 %: far more than the reference volatility. */
    const storm = (feeder: Feeder, minutes: number) => {
      for (let i = 0; i < minutes; i++) feeder.round(i % 2 === 0 ? 1_050_000n : 1_000_000n, 60n);
    };

    it('rises by at most a tenth of R0 an hour: that is the notice users have', () => {
      const feeder = new Feeder();
      storm(feeder, 60);
      expect(feeder.factor).to.be.closeTo(1_100_000_000n, 1_000n).and.to.be.at.most(1_100_000_000n);
    });

    it('never exceeds twice R0', () => {
      const feeder = new Feeder();
      storm(feeder, 13 * 60);
      expect(feeder.factor).to.equal(2_000_000_000n);
      const values = feeder.round(1_000_000n, 60n);
      expect(values.underlyings[0].scanRangePpm).to.equal(320_000n);
    });

    it('falls by at most a twentieth of R0 a day', () => {
      const feeder = new Feeder();
      storm(feeder, 3 * 60);
      const high = feeder.factor;
      feeder.state = {
        ...feeder.state,
        feeds: feeder.state.feeds.map((feed) => ({ ...feed, varianceE18: 0n })),
      };
      for (let i = 0n; i < DAY / 600n; i++) feeder.round(1_000_000n, 600n);
      expect(high - feeder.factor)
        .to.be.closeTo(50_000_000n, 1_000n)
        .and.to.be.at.most(50_000_000n);
    });

    it('does not rise at once after an outage, in which nobody had notice', () => {
      const feeder = new Feeder();
      feeder.round(1_090_000n, 8n * HOUR);
      feeder.round(1_000_000n, 8n * HOUR);
      // Twice ten minutes' worth at most.
      expect(feeder.factor).to.be.at.most(1_000_000_000n + (2n * 100_000_000n * GAP_SEC_MAX) / HOUR);
    });

    it('stays at R0 while the market moves by its reference volatility', () => {
      const feeder = new Feeder();
      // ±x every 10 minutes with x² · 144 = 0.7 · (2.8 %)² a day.
      const step = 1_950n;
      for (let i = 0; i < 1_000; i++) feeder.round(i % 2 === 0 ? 1_000_000n + step : 1_000_000n, 600n);
      expect(feeder.factor).to.equal(1_000_000_000n);
      expect(Number(feeder.state.feeds[0].varianceE18) / 1e18).to.be.lessThan(0.028 ** 2);
    });

    it('agrees with an exponentially weighted variance in floating point', () => {
      const feeder = new Feeder();
      let [variance, last] = [0.028 ** 2, 1];
      for (let i = 0; i < 2_000; i++) {
        const price = 1_000_000 + Math.round(40_000 * Math.sin(i * 1.7));
        feeder.round(BigInt(price), 300n);
        const weight = 0.97 ** (300 / 86_400);
        const move = price / 1e6 / last - 1;
        variance = weight * variance + ((1 - weight) * move * move * 86_400) / 300;
        last = price / 1e6;
      }
      // Not `closeTo`: the contract tests' matchers, loaded in the same run, make it one of integers.
      const ratio = Number(feeder.state.feeds[0].varianceE18) / 1e18 / variance;
      expect(Math.abs(ratio - 1) < 0.001, `ratio ${ratio}`).to.equal(true);
    });
  });
});
