import { expect } from 'chai';
import type { Rejection, Result } from '#protocol/errors.ts';
import { fineStepsNearest, rootOfTimeDown } from '#protocol/risk/option/deviation.ts';
import {
  acceptForward,
  acceptScanRange,
  acceptStrike,
  acceptVols,
  FINE_STEPS_MIN,
  FORWARD_MICROS_MAX,
  FORWARD_MICROS_MIN,
  leastVolPpmUp,
  OPTION_TIME_SEC_MAX,
  STRIKE_MICROS_MAX,
  VOL_PPM_MAX,
} from '#protocol/risk/option/domain.ts';
import { squareRootDown } from '#protocol/units.ts';

const HOUR_SEC = 3_600n;
const flat = (volPpm: bigint) => ({ same: volPpm, up: volPpm, down: volPpm });

function expectRejected(result: Result<undefined>, code: string): Rejection {
  expect(result.ok).to.equal(false);
  const rejection = result as Rejection;
  expect(rejection.code).to.equal(code);
  return rejection;
}

describe('domain of the option price', () => {
  it('takes strikes of 1 to 2^35 − 1 micros a lot', () => {
    for (const strike of [1n, STRIKE_MICROS_MAX]) expect(acceptStrike(strike).ok).to.equal(true);
    for (const strike of [0n, -1n, STRIKE_MICROS_MAX + 1n])
      expect(expectRejected(acceptStrike(strike), 'option-strike').data.value).to.equal(strike);
  });

  it('takes forwards of a dollar to 2^33 − 1 micros a lot, and times below 2^27 seconds', () => {
    for (const forward of [FORWARD_MICROS_MIN, FORWARD_MICROS_MAX])
      for (const timeSec of [1n, OPTION_TIME_SEC_MAX])
        expect(acceptForward(forward, timeSec).ok).to.equal(true);
    for (const forward of [0n, FORWARD_MICROS_MIN - 1n, FORWARD_MICROS_MAX + 1n])
      expectRejected(acceptForward(forward, HOUR_SEC), 'option-forward');
    for (const timeSec of [0n, -1n, OPTION_TIME_SEC_MAX + 1n])
      expectRejected(acceptForward(FORWARD_MICROS_MIN, timeSec), 'option-time');
  });

  it('takes scan ranges up to 50 %', () => {
    expect(acceptScanRange(500_000n).ok).to.equal(true);
    expectRejected(acceptScanRange(500_001n), 'option-scan-range');
    expectRejected(acceptScanRange(0n), 'option-scan-range');
  });

  it('takes 5 % at six hours and refuses it at one, with the numbers', () => {
    expect(acceptVols(flat(50_000n), 6n * HOUR_SEC).ok).to.equal(true);
    const { data } = expectRejected(acceptVols(flat(50_000n), HOUR_SEC), 'option-deviation');
    expect(data.volPpm).to.equal(50_000n);
    expect((data.fineSteps as bigint) < FINE_STEPS_MIN).to.equal(true);
    expect(data.leastVolPpm).to.equal(leastVolPpmUp(HOUR_SEC));
  });

  it('judges each of the three volatilities, the one shocked downwards too', () => {
    const least = leastVolPpmUp(HOUR_SEC);
    for (const vol of ['same', 'up', 'down'] as const) {
      expectRejected(acceptVols({ ...flat(1_000_000n), [vol]: least - 1n }, HOUR_SEC), 'option-deviation');
      expectRejected(acceptVols({ ...flat(1_000_000n), [vol]: VOL_PPM_MAX + 1n }, HOUR_SEC), 'option-vol');
      expectRejected(acceptVols({ ...flat(1_000_000n), [vol]: 0n }, HOUR_SEC), 'option-vol');
    }
    expectRejected(acceptVols(flat(1_000_000n), 0n), 'option-time');
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
