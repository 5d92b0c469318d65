import { expect } from 'chai';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { logNearest } from '#protocol/risk/option/fixed-log.ts';
import { normalPerFineStepQ52, normalQ52 } from '#protocol/risk/option/normal-cdf.ts';
import { CDF_STEPS } from '#protocol/risk/option/scales.ts';
import { RISK_SMALL } from '#protocol/risk/registry.ts';
import { buildRiskTable } from '#protocol/risk/round.ts';
import { isBlockSound } from '#protocol/risk/surface.ts';
import { expectNear } from '#test/support/near.ts';
import { floatBlack76, normal, SECONDS_PER_YEAR } from '#test/support/option/float-black76.ts';
import {
  DELTA_ERROR_MAX,
  expectAllAccounted,
  HALF_MICRO,
  PRICE_ERROR_MAX,
  priceInDollars,
  publishedCases,
} from '#test/support/option/published.ts';
import { inDays, registryOf } from '#test/support/option-registry.ts';
import { roundOf } from '#test/support/risk-rounds.ts';

/** A place on the grid is within half a step; what that leaves to second order, and the density's own error. */
const STEP = 3 / 2 ** 12;
const CDF_ERROR_MAX = 6.3e-9;
const CDF_TOLERANCE = CDF_ERROR_MAX + 0.5 * 0.242 * (STEP / 2) ** 2 + 2.5e-5 * (STEP / 2);
const DENSITY_TOLERANCE = 2.5e-5 + 0.242 * (STEP / 2);
const LOG_TOLERANCE = 9.8e-6;
/** Haug prints four decimals; QuantLib's own test allows 1e-4. */
const HAUG_TOLERANCE = 1e-4;

const constantVol = (vol: number) => ({ same: vol, up: vol, down: vol });

interface Black76Inputs {
  readonly seconds: number;
  readonly vol: number;
  readonly fwd: number;
  readonly strike: number;
  readonly df: number;
}
interface Black76Expected {
  readonly call: number;
  readonly put: number;
  readonly call_delta_undiscounted: number;
}

describe('published Black-76 (lyra-utils)', () => {
  const leftOut: Record<number, string> = {
    3: 'a volatility of 2 500 %: no round may contain it',
    5: 'a strike of 0: none may be listed',
    6: 'a forward of 0: no round may contain its index',
  };
  const cases = publishedCases<Black76Inputs, Black76Expected>('black76.lyra');
  const tested = cases.filter((_, i) => leftOut[i] === undefined);
  for (const { inp, exp } of tested) {
    const { seconds, vol, fwd, strike, df } = inp;
    it(`holds for forward ${fwd}, strike ${strike}, volatility ${vol}, ${seconds} s`, () => {
      const { call, put } = priceInDollars({ forward: fwd, strike, seconds, vols: constantVol(vol) });
      const tolerance = PRICE_ERROR_MAX * fwd + HALF_MICRO;
      expectNear(call.mark, exp.call / df, tolerance);
      expectNear(put.mark, exp.put / df, tolerance);
      expectNear(call.delta, exp.call_delta_undiscounted, DELTA_ERROR_MAX);
      const float = floatBlack76(fwd, strike, vol, seconds);
      expectNear(float.call, exp.call / df, 1e-9, 'the measure itself');
    });
  }

  it('is refused by name where no option here can be', () => {
    expectAllAccounted('black76.lyra', tested.length, leftOut);
    const microsOf = (dollars: number) => BigInt(Math.round(dollars * 1e6));
    /** A round with one option, in lots of a whole coin. */
    const build = ({ vol, fwd, strike }: Black76Inputs) => {
      const strikes = [microsOf(strike)];
      const block = { underlying: 0, expirySec: inDays(365n), strikes, lotE8: 100_000_000n };
      const round = roundOf(
        { btc: microsOf(fwd), eth: microsOf(1_000) },
        {
          registry: registryOf([RISK_SMALL], [block], []),
          segments: [RISK_SMALL],
          volPpm: () => microsOf(vol),
        },
      );
      return () => buildRiskTable(round, STANDARD_SHAPE);
    };
    expect(build(tested[3].inp)).to.not.throw();
    expect(build(cases[3].inp)).to.throw('volPpm: 25000000');
    expect(build(cases[5].inp)).to.throw('strikeMicrosPerLot: 0');
    expect(build(cases[6].inp)).to.throw('BTC index: 0');
  });
});

interface HaugInputs {
  readonly type: 'C' | 'P';
  readonly strike: number;
  readonly spot: number;
  readonly q: number;
  readonly r: number;
  readonly T: number;
  readonly vol: number;
}

describe('published Black-Scholes-Merton with carry (Haug, QuantLib)', () => {
  const leftOut: Record<number, string> = {
    30: 'gamma: no row has it; test/client/greeks',
    31: 'vega: no row has it; test/client/greeks',
    32: 'vega: no row has it; test/client/greeks',
    33: 'rho: the rate is 0 in every row and no parameter',
  };
  const tested = publishedCases<HaugInputs, { price?: number; delta?: number }>('bsm.haug').filter(
    (_, i) => leftOut[i] === undefined,
  );
  for (const { inp, exp } of tested) {
    const { type, strike, spot, q, r, T, vol } = inp;
    it(`is ${type} on ${spot} at ${strike}, carry ${r} − ${q}, ${T} years, volatility ${vol}`, () => {
      const forward = spot * Math.exp((r - q) * T);
      const prices = priceInDollars({
        forward,
        strike,
        seconds: T * SECONDS_PER_YEAR,
        vols: constantVol(vol),
      });
      const option = type === 'C' ? prices.call : prices.put;
      if (exp.price !== undefined) {
        // One micro more: forward and strike enter as whole micros.
        const tolerance = HAUG_TOLERANCE + PRICE_ERROR_MAX * forward + 2 * HALF_MICRO;
        expectNear(Math.exp(-r * T) * option.mark, exp.price, tolerance);
      } else {
        expectNear(
          Math.exp(-q * T) * option.delta,
          exp.delta ?? Number.NaN,
          HAUG_TOLERANCE + DELTA_ERROR_MAX,
        );
      }
    });
  }

  it('is tested but for Greeks that no row has', () =>
    expectAllAccounted('bsm.haug', tested.length, leftOut));
});

describe('published normal distribution (lyra-utils)', () => {
  for (const { inp, exp } of publishedCases<{ f: 'cdf' | 'pdf' | 'ln'; x: number }, number>('normal.lyra')) {
    const { f, x } = inp;
    it(`knows ${f}(${x})`, () => {
      if (f === 'ln') {
        const halves = logNearest(BigInt(2 * x), 1n);
        expectNear(Number(halves) / 2 ** 16, exp, LOG_TOLERANCE);
        return;
      }
      const steps = BigInt(Math.floor(Math.abs(x) / STEP));
      const place = { steps, isNegative: x < 0 };
      const middle = (x < 0 ? -1 : 1) * (Number(steps) + 0.5) * STEP;
      const density = Number(normalPerFineStepQ52(place)) / 2 ** 52 / (3 / 2 ** 25);
      if (f === 'pdf') {
        expectNear(density, exp, DENSITY_TOLERANCE);
      } else {
        const value = Number(normalQ52(place)) / 2 ** 52 + density * (x - middle);
        expectNear(value, exp, CDF_TOLERANCE);
        expectNear(normal(x), exp, 1e-15, 'the measure itself');
      }
    });
  }

  it('has a smaller error than every approximation of the list but Hart’s, which is as exact as a double', () => {
    const listed = publishedCases<string, { max_abs_err: number }>('normal.approximations').filter(
      ({ inp }) => !inp.includes('Hart'),
    );
    let worst = 0;
    for (let steps = 0n; steps < CDF_STEPS; steps++) {
      const value = Number(normalQ52({ steps, isNegative: false })) / 2 ** 52;
      worst = Math.max(worst, Math.abs(value - normal((Number(steps) + 0.5) * STEP)));
    }
    expect(worst)
      .to.be.below(CDF_ERROR_MAX)
      .and.above(CDF_ERROR_MAX / 4);
    expect(listed).to.have.length(8);
    for (const { inp, exp } of listed) expect(worst, inp).to.be.below(exp.max_abs_err);
  });
});

interface SviInputs {
  readonly strike: number;
  readonly a: number;
  readonly b: number;
  readonly rho: number;
  readonly m: number;
  readonly sigma: number;
  readonly fwd: number;
  readonly tau: number;
}

/**
 * No room here fits a surface: every strike's volatility is a median of what signers report, so the parameters
 * themselves apply to nothing. The volatilities that they give do: they are priced.
 */
describe('published SVI volatilities (lyra-utils)', () => {
  const cases = publishedCases<SviInputs, { vol: number }>('svi.lyra');
  /** A hundredth of a coin: a strike of two million dollars is within a lot's 2^35 micros. */
  const lot = 0.01;
  const callOf = ({ inp: { fwd, strike, tau }, exp: { vol } }: (typeof cases)[number]) => {
    const seconds = tau * SECONDS_PER_YEAR;
    return priceInDollars({ forward: fwd, strike, seconds, vols: constantVol(vol), lot }).call.mark;
  };

  for (const published of cases) {
    const { fwd, strike, tau } = published.inp;
    it(`are priced at strike ${strike} of forward ${fwd}`, () => {
      const exact = floatBlack76(fwd, strike, published.exp.vol, tau * SECONDS_PER_YEAR).call;
      // The strike's own error of the distribution counts beyond twenty forwards; volatility is whole ppm.
      const tolerance = PRICE_ERROR_MAX * fwd + CDF_ERROR_MAX * strike + HALF_MICRO / lot;
      expectNear(callOf(published), exact, tolerance);
    });
  }

  it('make surfaces that the oracle accepts, and not when two strikes are exchanged', () => {
    const microsOf = (dollars: number) => BigInt(Math.round(dollars * lot * 1e6));
    for (const smile of [cases.slice(0, 3), cases.slice(3, 6), cases.slice(6, 8)]) {
      const quotes = smile.map((published) => ({
        strike: microsOf(published.inp.strike),
        mark: microsOf(callOf(published)),
      }));
      const forward = microsOf(smile[0].inp.fwd);
      expect(isBlockSound(forward, quotes)).to.equal(true);
      const crossed = quotes.map((quote, i) => ({ ...quote, mark: quotes[i < 2 ? 1 - i : i].mark }));
      expect(isBlockSound(forward, crossed)).to.equal(false);
    }
  });
});
