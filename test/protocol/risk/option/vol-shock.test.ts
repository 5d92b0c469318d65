import { expect } from 'chai';
import { acceptVols, leastVolPpmUp } from '#protocol/risk/option/domain.ts';
import {
  shockedVols,
  termFactorPpmDown,
  VOL_UP_FLOOR_PPM,
  volFactors,
} from '#protocol/risk/option/vol-shock.ts';

const DAY_SEC = 86_400n;
const DAYS_MAX = 1_553;

describe('volatility shocks', () => {
  it('are 45 % up and 25 % down at 30 days', () => {
    expect(volFactors(30n * DAY_SEC)).to.deep.equal({ upPpm: 1_450_000n, downPpm: 750_000n });
    const vols = shockedVols(600_000n, volFactors(30n * DAY_SEC), VOL_UP_FLOOR_PPM[0]);
    expect(vols).to.deep.equal({ same: 600_000n, up: 870_000n, down: 450_000n });
  });

  it('grow with the power 0.30 nearer than 30 days and shrink with 0.13 beyond, to the ppm', () => {
    for (let days = 1; days <= DAYS_MAX; days++) {
      const exact = (30 / days) ** (days <= 30 ? 0.3 : 0.13) * 1e6;
      const factor = Number(termFactorPpmDown(BigInt(days) * DAY_SEC));
      expect(factor, `${days} days`).to.be.within(Math.floor(exact - 1e-6), Math.floor(exact + 1e-6));
    }
  });

  it('count whole days left, at least one, so an expiry is never shocked less than its day asks', () => {
    expect(termFactorPpmDown(1n)).to.equal(termFactorPpmDown(DAY_SEC));
    expect(termFactorPpmDown(2n * DAY_SEC - 1n)).to.equal(termFactorPpmDown(DAY_SEC));
    expect(termFactorPpmDown(2n * DAY_SEC) < termFactorPpmDown(DAY_SEC)).to.equal(true);
    let before = termFactorPpmDown(DAY_SEC);
    for (let days = 2n; days <= BigInt(DAYS_MAX); days++) {
      const now = termFactorPpmDown(days * DAY_SEC);
      expect(now <= before, `${days} days`).to.equal(true);
      before = now;
    }
  });

  it('keep the raised volatility at its floor or above, BTC 45 %, ETH 50 %', () => {
    for (const floor of VOL_UP_FLOOR_PPM) {
      const factors = volFactors(30n * DAY_SEC);
      expect(shockedVols(100_000n, factors, floor).up).to.equal(floor);
      expect(shockedVols(400_000n, factors, floor).up).to.equal(580_000n);
    }
    expect(VOL_UP_FLOOR_PPM).to.deep.equal([450_000n, 500_000n]);
  });

  it('can leave the domain downwards: the lowered volatility is the one that decides', () => {
    const least = leastVolPpmUp(DAY_SEC);
    const factors = volFactors(DAY_SEC);
    expect(acceptVols(shockedVols(least, factors, VOL_UP_FLOOR_PPM[0]), DAY_SEC).ok).to.equal(false);
    const enough = (least * 1_000_000n) / factors.downPpm + 1n;
    expect(acceptVols(shockedVols(enough, factors, VOL_UP_FLOOR_PPM[0]), DAY_SEC).ok).to.equal(true);
  });
});
