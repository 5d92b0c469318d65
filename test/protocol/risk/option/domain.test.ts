import { expect } from 'chai';
import { fineStepsNearest, rootOfTimeDown } from '#protocol/risk/option/deviation.ts';
import { FINE_STEPS_MIN, leastVolPpmUp, OPTION_TIME_SEC_MAX } from '#protocol/risk/option/domain.ts';
import { squareRootDown } from '#protocol/units.ts';

const HOUR_SEC = 3_600n;

describe('domain of the option price', () => {
  it('has 5 % at six hours in it, and not at one', () => {
    expect(leastVolPpmUp(6n * HOUR_SEC)).to.equal(49_753n);
    expect(leastVolPpmUp(HOUR_SEC)).to.equal(121_868n);
  });

  it('knows the least volatility to the ppm', () => {
    for (const timeSec of [1n, 59n, HOUR_SEC, 6n * HOUR_SEC, 86_400n, 31_536_000n, OPTION_TIME_SEC_MAX]) {
      const least = leastVolPpmUp(timeSec);
      const stepsAt = (volPpm: bigint): bigint => fineStepsNearest(volPpm, rootOfTimeDown(timeSec));
      expect(stepsAt(least) >= FINE_STEPS_MIN).to.equal(true);
      expect(stepsAt(least - 1n) < FINE_STEPS_MIN).to.equal(true);
    }
  });
});

describe('integer square root', () => {
  it('is exact around every perfect square', () => {
    for (const root of [1n, 2n, 3n, 46_341n, 65_535n, 65_536n, 94_906_267n, (1n << 30n) - 1n]) {
      expect(squareRootDown(root * root)).to.equal(root);
      expect(squareRootDown(root * root - 1n)).to.equal(root - 1n);
      expect(squareRootDown(root * root + 2n * root)).to.equal(root);
    }
    expect(squareRootDown(0n)).to.equal(0n);
  });
});
