import { expect } from 'chai';
import fc from 'fast-check';
import {
  blackGreeks,
  blackPrice,
  impliedVol,
  normalDensity,
  normalDistribution,
  type OptionTerms,
} from '#client/black76.ts';
import { type DollarGreeks, optionGreeks, portfolioGreeks, quotedOptions } from '#client/greeks.ts';
import { type Account, emptyAccount } from '#protocol/account.ts';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { lossVector, marginOf } from '#protocol/risk/margin.ts';
import { rowOf } from '#protocol/risk/table.ts';
import { lots, type Micros } from '#protocol/units.ts';
import { expectNear } from '#test/support/near.ts';
import { lotsPerCoin, readChain, SNAPSHOTS } from '#test/support/option/chain.ts';
import { chainTable } from '#test/support/option/chain-table.ts';
import { floatBlack76, normal } from '#test/support/option/float-black76.ts';
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

describe('Greeks of a portfolio', () => {
  const { inputs, table, expiries } = chainTable(SNAPSHOTS[0], [2, 4, 6, 9]);
  const [{ calls, futureId }] = expiries;
  const ether = expiries[5].calls[2].id + 1;
  const held: readonly (readonly [id: number, size: bigint])[] = [
    [4, 300n],
    [futureId, -120n],
    [calls[1].id, -400n],
    [calls[0].id + 1, 250n],
    [ether, 7_000n],
  ];
  const account: Account = {
    ...emptyAccount(STANDARD_SHAPE),
    cashStar: 5_000_000_000n as Micros,
    spot: [50n, 0n, 0n].map(lots),
    slots: held.map(([instrumentId, size]) => ({ instrumentId, size: lots(size) })),
  };
  const greeks = portfolioGreeks(account, inputs, table);

  it('value every option as its row does, to a millionth of the forward', () => {
    const quoted = quotedOptions(inputs);
    expect(quoted.size).to.equal(2 * expiries.flatMap((listed) => listed.calls).length);
    for (const [id, option] of quoted) {
      const row = rowOf(table, id);
      const { valueDollars, deltaDollars } = optionGreeks(option);
      const { forward, strike, years, kind } = option.terms;
      expectNear(valueDollars * 1e6, Number(row?.mark), 5e-7 * forward * 1e6 + 0.5);
      expectNear(deltaDollars * 1e6, Number(row?.delta), 3.5e-3 * forward * 1e6);
      const exact = floatBlack76(forward, strike, option.vol, years * SECONDS_PER_YEAR)[kind];
      expectNear(valueDollars, exact, 1e-12 * (forward + strike));
    }
  });

  it('sum to the equity and the net deltas of the margin rule', () => {
    const margin = marginOf(account, table, STANDARD_SHAPE);
    const value = greeks.byUnderlying.reduce((sum, { valueDollars }) => sum + valueDollars, 0);
    const forwards = held.reduce((sum, [id, size]) => {
      const row = rowOf(table, id);
      return sum + Math.abs(Number(size)) * Number(inputs.underlyings[row?.underlying ?? 0].indexMicros);
    }, 0);
    expectNear(value * 1e6, Number(margin.equity - account.cashStar), (1e-6 * forwards) / 100);
    greeks.byUnderlying.forEach(({ deltaDollars }, u) => {
      expectNear(deltaDollars * 1e6, Number(margin.netDeltas[u]), (3.5e-3 * forwards) / 100);
    });
    expect(greeks.positions.map(({ instrumentId }) => instrumentId)).to.deep.equal([
      1,
      ...held.map(([id]) => id),
    ]);
  });

  it('are sums over positions of size times one lot, linear kinds having delta alone', () => {
    const names = [
      'valueDollars',
      'deltaDollars',
      'gammaDollarsPerPercent',
      'vegaDollarsPerVolPoint',
      'thetaDollarsPerDay',
    ] as const satisfies (keyof DollarGreeks)[];
    for (const [u, sums] of greeks.byUnderlying.entries()) {
      const own = greeks.positions.filter(({ underlying }) => underlying === u);
      for (const name of names) {
        const sum = own.reduce((total, position) => total + position[name], 0);
        expectNear(sums[name], sum, 1e-9 * Math.abs(sum) + 1e-9, name);
      }
    }
    const [spot, perp, , short, long] = greeks.positions;
    for (const linear of [spot, perp])
      expect([
        linear.gammaDollarsPerPercent,
        linear.vegaDollarsPerVolPoint,
        linear.thetaDollarsPerDay,
      ]).to.deep.equal([0, 0, 0]);
    expect(short.thetaDollarsPerDay > 0 && short.gammaDollarsPerPercent < 0).to.equal(true);
    expect(long.thetaDollarsPerDay < 0 && long.vegaDollarsPerVolPoint > 0).to.equal(true);
  });

  it('have the exchange’s vega of a coin', () => {
    const perCoin = lotsPerCoin(0);
    for (const { id, quoted } of calls) {
      const option = quotedOptions(inputs).get(id);
      if (option === undefined) throw new Error('not listed');
      const { vegaDollarsPerVolPoint } = optionGreeks(option);
      expectNear(vegaDollarsPerVolPoint * perCoin, quoted.call.vega, 0.03 * quoted.call.vega);
    }
  });

  it('come with the loss vector of the margin rule, exactly', () => {
    expect(greeks.scenarioLossMicros).to.deep.equal(lossVector(account, table, STANDARD_SHAPE));
    expect(greeks.scenarioLossMicros).to.have.length(32);
  });

  it('are in the units they are named in: a move of 1 %, a volatility point, a day', () => {
    for (const [id, option] of quotedOptions(inputs)) {
      const { terms: of, vol } = option;
      const g = optionGreeks(option);
      const gain = (change: Partial<OptionTerms>, at = vol) =>
        blackPrice({ ...of, ...change }, at) - g.valueDollars;
      // What is left is of third order in the move, of second in volatility and time.
      const slack = 2e-4 * of.forward;
      const percent = 0.01 * g.deltaDollars + (0.01 * g.gammaDollarsPerPercent) / 2;
      expectNear(gain({ forward: 1.01 * of.forward }), percent, slack, `1 % of ${id}`);
      expectNear(gain({}, vol + 0.01), g.vegaDollarsPerVolPoint, slack, `a volatility point of ${id}`);
      const day = gain({ years: of.years - 1 / 365 });
      expectNear(day, g.thetaDollarsPerDay, slack + 0.3 * Math.abs(day), `a day of ${id}`);
    }
    const atTheMoney = optionGreeks(quotedOptions(inputs).get(calls[1].id)!);
    // A wrong unit would be off by a hundred: these are far above the slack.
    expect(Math.abs(atTheMoney.thetaDollarsPerDay)).to.be.above(0.1);
    expect(atTheMoney.vegaDollarsPerVolPoint).to.be.above(0.02);
  });

  it('refuse inputs of another round', () => {
    expect(() => portfolioGreeks(account, { ...inputs, roundNumber: 8n }, table)).to.throw(
      'the table is of round 7',
    );
  });
});
