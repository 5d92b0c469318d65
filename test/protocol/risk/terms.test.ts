import { expect } from 'chai';
import { pack, unpack } from '#protocol/pack.ts';
import { DEFAULT_OPTION_PARAMETERS, DEFAULT_REGISTRY } from '#protocol/risk/default-registry.ts';
import { leastVolPpmUp, OPTION_TIME_SEC_MAX, VOL_PPM_MAX } from '#protocol/risk/option/domain.ts';
import { termFactorPpmDown } from '#protocol/risk/option/vol-shock.ts';
import { TERMS_LAYOUT } from '#protocol/risk/risk-words.ts';
import { VOL_UP_FLOOR_PPM_MIN } from '#protocol/risk/round-domain.ts';
import {
  CHARGE_PPM_MAX,
  ROLL_PER_YEAR_PPM_MAX,
  VOL_DOWN_PPM_MAX,
  VOL_UP_FACTOR_PPM_MAX,
  VOL_UP_PPM_MAX,
} from '#protocol/risk/round-limits.ts';
import {
  blockTerms,
  effectiveCharges,
  rollImPpmUp,
  rollMmPpmUp,
  timeToExpirySec,
  YEAR_SEC,
} from '#protocol/risk/terms.ts';
import { futureEntry } from '#test/support/option-registry.ts';

const NOW = 1_700_000_000n;
const [BTC, ETH] = DEFAULT_OPTION_PARAMETERS;

describe('terms of an expiry block', () => {
  it('count the time until expiry, never less than an hour nor more than the circuit prices', () => {
    expect(timeToExpirySec(NOW + 604_800n, NOW)).to.equal(604_800n);
    for (const expiry of [NOW - 1_000_000n, NOW, NOW + 1n, NOW + 3_599n, NOW + 3_600n])
      expect(timeToExpirySec(expiry, NOW)).to.equal(3_600n);
    expect(timeToExpirySec(NOW + 3_601n, NOW)).to.equal(3_601n);
    expect(timeToExpirySec(NOW + OPTION_TIME_SEC_MAX + 1n, NOW)).to.equal(OPTION_TIME_SEC_MAX);
  });

  it('are, at 30 days, the governed numbers themselves', () => {
    expect(blockTerms(NOW + 30n * 86_400n, NOW, ETH)).to.deep.equal({
      timeSec: 2_592_000n,
      upPpm: 1_450_000n,
      downPpm: 750_000n,
      upFloorPpm: 500_000n,
      leastVolPpm: leastVolPpmUp(2_592_000n),
      rollImPpm: 7_500n,
      rollMmPpm: 4_500n,
      shortImPpm: 5_000n,
      shortMmPpm: 3_000n,
      bandPpm: 5_000n,
      penaltyPpm: 1_000n,
    });
  });

  it('roll at least 0.75 %, from 45.625 days on 6 % a year, and maintenance is three fifths, rounded up', () => {
    const least = (75n * YEAR_SEC) / 600n;
    expect(rollImPpmUp(least, BTC)).to.equal(7_500n);
    expect(rollImPpmUp(least + 1n, BTC)).to.equal(7_501n);
    expect(rollImPpmUp(YEAR_SEC, BTC)).to.equal(60_000n);
    expect(rollMmPpmUp(7_501n)).to.equal(4_501n);
    expect(rollMmPpmUp(5n)).to.equal(3n);
  });

  it('fit their word at times over two years, and at the ends of time', () => {
    for (const options of [BTC, ETH]) {
      for (let timeSec = 0n; timeSec <= 731n * 86_400n; timeSec += 7n * 3_600n + 13n) {
        const terms = blockTerms(NOW + timeSec, NOW, options);
        for (const isSettled of [0n, 1n]) {
          const word = { ...terms, isSettled };
          expect(unpack(TERMS_LAYOUT, pack(TERMS_LAYOUT, word))).to.deep.equal(word);
        }
        // No reported volatility can leave the circuit's domain: it is raised to the least, and the floor is above it.
        expect(terms.leastVolPpm <= terms.upFloorPpm).to.equal(true);
        expect(terms.upPpm <= VOL_UP_FACTOR_PPM_MAX && terms.downPpm > 0n).to.equal(true);
      }
      for (const expiry of [0n, (1n << 32n) - 1n])
        expect(() =>
          pack(TERMS_LAYOUT, { ...blockTerms(expiry, NOW, options), isSettled: 1n }),
        ).not.to.throw();
    }
  });

  it('shock at one day by 2.774 times what they do at 30, which bounds what may be governed', () => {
    expect(termFactorPpmDown(3_600n)).to.equal(2_774_191n);
    expect(blockTerms(NOW, NOW, BTC)).to.include({ upPpm: 2_248_386n, downPpm: 306_452n });
    expect(VOL_UP_FLOOR_PPM_MIN).to.equal(leastVolPpmUp(3_600n));
    expect(VOL_UP_FLOOR_PPM_MIN < BTC.volUpFloorPpm && BTC.volUpFloorPpm < VOL_PPM_MAX).to.equal(true);
  });
});

describe('the largest parameters that may be governed', () => {
  it('leave every term in its word at every time to expiry, and the next larger ones do not', () => {
    const governed = { ...BTC, volUpPpm: VOL_UP_PPM_MAX, volDownPpm: VOL_DOWN_PPM_MAX };
    const nearest = blockTerms(NOW, NOW, governed);
    expect(nearest.upPpm <= VOL_UP_FACTOR_PPM_MAX && nearest.downPpm >= 0n).to.equal(true);
    const beyond = { ...BTC, volUpPpm: VOL_UP_PPM_MAX + 1n, volDownPpm: VOL_DOWN_PPM_MAX + 1n };
    expect(blockTerms(NOW, NOW, beyond).upPpm > VOL_UP_FACTOR_PPM_MAX).to.equal(true);
    expect(blockTerms(NOW, NOW, beyond).downPpm < 0n).to.equal(true);
    const farthest = rollImPpmUp(OPTION_TIME_SEC_MAX, { ...BTC, rollPerYearPpm: ROLL_PER_YEAR_PPM_MAX });
    expect(farthest <= CHARGE_PPM_MAX / 2n).to.equal(true);
  });
});

describe('effective charges', () => {
  it('grow with the scan range for spot, by the roll for a future, and not at all for a perpetual', () => {
    const [spot, , perp] = DEFAULT_REGISTRY;
    const future = futureEntry(100, { underlying: 0, expirySec: NOW + YEAR_SEC, strikes: [] });
    const terms = blockTerms(NOW + YEAR_SEC, NOW, BTC);
    expect(effectiveCharges(spot, 1_500_000_001n, undefined)).to.deep.equal({
      imPpm: 112_501n,
      mmPpm: 75_001n,
    });
    expect(effectiveCharges(perp, 1_500_000_001n, undefined)).to.deep.equal({
      imPpm: 10_000n,
      mmPpm: 6_000n,
    });
    expect(effectiveCharges(future, 1_500_000_001n, terms)).to.deep.equal({ imPpm: 70_000n, mmPpm: 42_000n });
    expect(CHARGE_PPM_MAX < 1n << 20n).to.equal(true);
  });
});
