import { expect } from 'chai';
import fc from 'fast-check';
import {
  blackGreeks,
  blackPrice,
  impliedVol,
  normalDensity,
  normalDistribution,
  type OptionTerms,
} from '#protocol/display/black76.ts';
import { expectNear } from '#test/support/near.ts';
import { readChain, SNAPSHOTS } from '#test/support/option/chain.ts';
import { normal } from '#test/support/option/float-black76.ts';
import { publishedCases } from '#test/support/option/published.ts';

const SECONDS_PER_YEAR = 31_536_000;

describe('normal distribution in double precision', () => {
  it('is the measure’s, by another method, to 1e-15 and relatively to 1e-12 in the tail', () => {
    for (let x = -9; x <= 9; x += 0.0173) {
      expectNear(normalDistribution(x), normal(x), 1.2e-15, `Φ(${x})`);
      if (x < -1) expectNear(normalDistribution(x) / normal(x), 1, 1e-12, `Φ(${x})`);
    }
  });

  for (const { inp, exp } of publishedCases<{ f: string; x: number }, number>('normal.lyra')) {
    if (inp.f === 'ln') continue;
    it(`knows the published ${inp.f}(${inp.x})`, () => {
      expectNear((inp.f === 'cdf' ? normalDistribution : normalDensity)(inp.x), exp, 1e-15);
    });
  }
});

interface CarryInputs {
  readonly type: 'C' | 'P';
  readonly strike: number;
  readonly spot: number;
  readonly q: number;
  readonly r: number;
  readonly T: number;
  readonly vol: number;
}

describe('Greeks against published values (Haug)', () => {
  const cases = publishedCases<CarryInputs, Record<string, number>>('bsm.haug');
  for (const { inp, exp } of cases) {
    const [[name, expected]] = Object.entries(exp);
    it(`has ${name} ${expected} for ${inp.type} on ${inp.spot} at ${inp.strike}`, () => {
      const { type, spot, strike, q, r, T: years, vol } = inp;
      const carry = Math.exp((r - q) * years);
      const discount = Math.exp(-r * years);
      const terms: OptionTerms = {
        kind: type === 'C' ? 'call' : 'put',
        forward: spot * carry,
        strike,
        years,
      };
      const greeks = blackGreeks(terms, vol);
      // A rate enters only where their option is discounted and their spot grows to the forward.
      const ofSpot: Record<string, number> = {
        price: discount * greeks.price,
        delta: discount * carry * greeks.delta,
        gamma: discount * carry ** 2 * greeks.gamma,
        vega: discount * greeks.vega,
        rho: years * discount * (terms.forward * greeks.delta - greeks.price),
      };
      expectNear(ofSpot[name], expected, 1e-4, name);
    });
  }

  it('has published gammas, vegas and a rho among its cases', () => {
    expect(cases.map(({ exp }) => Object.keys(exp)[0]).slice(-4)).to.deep.equal([
      'gamma',
      'vega',
      'vega',
      'rho',
    ]);
  });
});

const terms = fc
  .record({
    kind: fc.constantFrom('call' as const, 'put' as const),
    forward: fc.double({ min: 1, max: 8_000, noNaN: true }),
    moneyness: fc.double({ min: -1.5, max: 1.5, noNaN: true }),
    days: fc.double({ min: 0.05, max: 730, noNaN: true }),
  })
  .map(
    ({ kind, forward, moneyness, days }): OptionTerms => ({
      kind,
      forward,
      strike: forward * Math.exp(moneyness),
      years: days / 365,
    }),
  );
const vols = fc.double({ min: 0.05, max: 5, noNaN: true });
const RUNS = { numRuns: 500, seed: 1973 };

describe('Greeks', () => {
  it('are the finite differences of the price', () => {
    fc.assert(
      fc.property(terms, vols, (option, vol) => {
        const { delta, gamma, vega, theta } = blackGreeks(option, vol);
        const { forward, years } = option;
        const total = vol * Math.sqrt(years);
        const price = (change: Partial<OptionTerms>, at = vol) => blackPrice({ ...option, ...change }, at);
        // A step of a hundredth of a deviation: error of the formula to second order, of the doubles by cancellation.
        const step = forward * Math.min(0.01 * total, 0.01);
        const [up, here, down] = [forward + step, forward, forward - step].map((at) =>
          price({ forward: at }),
        );
        expectNear(delta, (up - down) / (2 * step), 2e-4 + (1e-13 * forward) / step, 'delta');
        const gammaScale = 1 / (forward * total);
        expectNear(
          gamma,
          (up - 2 * here + down) / step ** 2,
          1e-3 * gammaScale + (1e-14 * forward) / step ** 2,
          'gamma',
        );
        const volStep = vol / 500;
        const vegaScale = forward * Math.sqrt(years);
        expectNear(
          vega,
          (price({}, vol + volStep) - price({}, vol - volStep)) / (2 * volStep),
          1e-4 * vegaScale,
          'vega',
        );
        const timeStep = years / 500;
        const later = price({ years: years - timeStep });
        const earlier = price({ years: years + timeStep });
        expectNear(
          theta,
          (later - earlier) / (2 * timeStep),
          (1e-4 * forward * total) / years + 1e-9 / timeStep,
          'theta',
        );
      }),
      RUNS,
    );
  });

  it('of call and put at one strike differ by those of the forward', () => {
    fc.assert(
      fc.property(terms, vols, (option, vol) => {
        const call = blackGreeks({ ...option, kind: 'call' }, vol);
        const put = blackGreeks({ ...option, kind: 'put' }, vol);
        expectNear(
          call.price - put.price,
          option.forward - option.strike,
          1e-11 * (option.forward + option.strike),
        );
        expectNear(call.delta - put.delta, 1, 1e-14);
        expect([call.gamma, call.vega, call.theta]).to.deep.equal([put.gamma, put.vega, put.theta]);
      }),
      RUNS,
    );
  });
});

describe('implied volatility', () => {
  it('is the volatility that a price was made with', () => {
    let solved = 0;
    fc.assert(
      fc.property(terms, vols, (option, vol) => {
        const { price, vega } = blackGreeks(option, vol);
        const found = impliedVol(option, price);
        // Where a billionth of the forward is more than the time value, a double does not remember the volatility.
        if (vega < 1e-6 * option.forward) return;
        solved++;
        if (!found.ok) throw new Error(found.message);
        expectNear(found.value, vol, 1e-12 * vol + (1e-14 * (option.forward + option.strike)) / vega);
      }),
      RUNS,
    );
    expect(solved).to.be.above(300);
  });

  it('is the exchange’s own, to what its prices and volatilities are rounded to', () => {
    let compared = 0;
    for (const expiry of readChain(SNAPSHOTS[0]).filter(({ underlying }) => underlying === 0)) {
      const years = (expiry.expirySec - expiry.snapshot.timeSec) / SECONDS_PER_YEAR;
      for (const { strike, call, put } of expiry.strikes) {
        const kind = strike > expiry.forward ? ('call' as const) : ('put' as const);
        const quote = kind === 'call' ? call : put;
        const option = { kind, forward: expiry.forward, strike, years };
        const found = impliedVol(option, quote.mark * expiry.forward);
        if (!found.ok) throw new Error(`${quote.name}: ${found.message}`);
        const { vega, delta } = blackGreeks(option, quote.vol);
        // Its Greeks were read minutes after its marks. Half of 0.01 %, half of 1e-8 coin, and a millionth of time and forward between its prices.
        expectNear(found.value, quote.vol, 5e-5 + (1e-6 * expiry.forward) / vega, quote.name);
        expectNear(delta, quote.delta, 8e-3, `delta of ${quote.name}`);
        expectNear(vega / 100, quote.vega, 0.02 * quote.vega + 0.05, `vega of ${quote.name}`);
        compared++;
      }
    }
    expect(compared).to.equal(329);
  });

  const option: OptionTerms = { kind: 'call', forward: 100, strike: 90, years: 0.25 };
  const refusals: [string, OptionTerms, number, string][] = [
    ['a price below exercise', option, 9.99, 'implied-vol-low'],
    ['a price at exercise', option, 10, 'implied-vol-low'],
    ['a negative price', { ...option, kind: 'put' }, -1, 'implied-vol-low'],
    ['a call dearer than its forward', option, 100, 'implied-vol-high'],
    ['a put dearer than its strike', { ...option, kind: 'put' }, 90, 'implied-vol-high'],
    ['an expired option', { ...option, years: 0 }, 12, 'implied-vol-terms'],
    ['a strike of 0', { ...option, strike: 0 }, 12, 'implied-vol-terms'],
    ['a price that is no number', option, Number.NaN, 'implied-vol-terms'],
    ['a forward that is infinite', { ...option, forward: Number.POSITIVE_INFINITY }, 12, 'implied-vol-terms'],
  ];
  for (const [what, refused, price, code] of refusals) {
    it(`is none for ${what}`, () => {
      expect(impliedVol(refused, price)).to.include({ ok: false, code });
    });
  }
});
