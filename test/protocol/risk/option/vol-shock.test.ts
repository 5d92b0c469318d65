import { expect } from 'chai';
import { DEFAULT_OPTION_PARAMETERS } from '#protocol/risk/default-registry.ts';
import { leastVolPpmUp, VOL_PPM_MAX } from '#protocol/risk/option/domain.ts';
import { shockedVols, termFactorPpmDown, volFactors } from '#protocol/risk/option/vol-shock.ts';
import { blockTerms } from '#protocol/risk/terms.ts';
import { isPriceable } from '#test/support/option/priceable.ts';

const DAY_SEC = 86_400n;
const DAYS_MAX = 1_553;

describe('volatility shocks', () => {
  const [btc, eth] = DEFAULT_OPTION_PARAMETERS;
  const termsAt = (timeSec: bigint, options = btc) => blockTerms(timeSec, 0n, options);

  it('are 45 % up and 25 % down at 30 days', () => {
    expect(volFactors(30n * DAY_SEC, btc)).to.deep.equal({ upPpm: 1_450_000n, downPpm: 750_000n });
    const vols = shockedVols(600_000n, termsAt(30n * DAY_SEC));
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
    for (const options of [btc, eth]) {
      const terms = termsAt(30n * DAY_SEC, options);
      expect(shockedVols(100_000n, terms).up).to.equal(options.volUpFloorPpm);
      expect(shockedVols(400_000n, terms).up).to.equal(580_000n);
    }
    expect([btc.volUpFloorPpm, eth.volUpFloorPpm]).to.deep.equal([450_000n, 500_000n]);
  });

  it('keep the raised volatility below 2^23 ppm, the width of the circuit', () => {
    const terms = termsAt(DAY_SEC);
    expect(shockedVols(8_000_000n, terms).up).to.equal(VOL_PPM_MAX);
    const last = (VOL_PPM_MAX * 1_000_000n) / terms.upPpm;
    expect(shockedVols(last, terms).up <= VOL_PPM_MAX).to.equal(true);
    expect(shockedVols(last + 2n, terms).up).to.equal(VOL_PPM_MAX);
  });

  it('never leave the domain, whatever volatility is reported at whatever time', () => {
    for (const options of [btc, eth]) {
      for (let timeSec = 1n; timeSec < 1n << 28n; timeSec = 2n * timeSec + 1_771n) {
        const terms = termsAt(timeSec, options);
        for (const volPpm of [0n, 1n, 50_000n, terms.leastVolPpm, terms.leastVolPpm + 1n, 8_000_000n])
          expect(isPriceable(shockedVols(volPpm, terms), terms.timeSec), `${volPpm} ${timeSec}`).to.equal(
            true,
          );
      }
    }
  });

  it('raise what is too small to be priced to the least that can be, lowered and unchanged alike', () => {
    const terms = termsAt(DAY_SEC);
    const least = leastVolPpmUp(DAY_SEC);
    expect(shockedVols(1n, terms)).to.deep.equal({ same: least, up: 450_000n, down: least });
    // Lowered it would fall below the least, unchanged it does not.
    const { same, down } = shockedVols(least + 1n, terms);
    expect([same, down]).to.deep.equal([least + 1n, least]);
  });
});
