/**
 * Risk arrays and scenario rules that others publish, against the losses of our pairs. Derive's regular scenarios are
 * our sixteen pairs: −4 … 4 quarters of 18 % with volatility up, −3 … 3 with it down.
 */
import { expect } from 'chai';
import { quarterLossNearest, quarterMoveNearest } from '#protocol/risk/linear-price.ts';
import { kScanOf } from '#protocol/risk/margin.ts';
import { MOVE_PAIRS, QUARTER_MOVES, QUARTERS_MAX } from '#protocol/risk/option/moves.ts';
import { volFactors } from '#protocol/risk/option/vol-shock.ts';
import { microsPerLot } from '#protocol/units.ts';
import { expectNear } from '#test/support/near.ts';
import { floatBlack76, SECONDS_PER_YEAR } from '#test/support/option/float-black76.ts';
import {
  expectAllAccounted,
  HALF_MICRO,
  LOSS_ERROR_MAX,
  PRICE_ERROR_MAX,
  priceInDollars,
  publishedCases,
  publishedParameters,
} from '#test/support/option/published.ts';

const DAY_SEC = 86_400;
/** Coins in a lot: six-digit Bitcoin prices fit. */
const LOT = 0.01;

type OptionTuple = readonly [seconds: number, strike: number, type: 'C' | 'P', quantity: number, vol: number];
interface Expiry {
  readonly sec: number;
  readonly fwd: number;
  readonly rate: number;
}
interface DeriveInputs {
  /** Dollars of their cash: they value collateral in it. */
  readonly stable: number;
  readonly options?: readonly OptionTuple[];
  readonly expiries?: readonly Expiry[];
  readonly perp?: { readonly qty: number; readonly price: number };
  readonly collateral?: readonly {
    readonly qty: number;
    readonly price: number;
    readonly risk_cancelling: boolean;
  }[];
}
interface DeriveParameters {
  readonly scenarios: readonly (readonly [move: number, vol: string, weight: number])[];
  readonly vol: {
    readonly up: number;
    readonly down: number;
    readonly min_shocked_up_vol: number;
    readonly short_power: number;
    readonly long_power: number;
    readonly dte_floor_days: number;
  };
  readonly margin: {
    readonly short_rate_mult: number;
    readonly long_rate_mult: number;
    readonly short_rate_add: number;
    readonly long_rate_add: number;
    readonly long_static: number;
    readonly short_static: number;
  };
}

const SCAN_RANGE = 0.18;
const QUARTER = SCAN_RANGE / 4;

/** Which of our pairs a scenario of theirs is, or −1: our list has no unchanged volatility but in tails, and no skews. */
const pairOfScenario = ([move, vol, weight]: DeriveParameters['scenarios'][number]): number =>
  weight === 1
    ? MOVE_PAIRS.findIndex(
        (pair) =>
          pair.move < QUARTER_MOVES &&
          pair.volMove === vol &&
          Math.abs(1 + (pair.move - QUARTERS_MAX) * QUARTER - move) < 1e-9,
      )
    : -1;

/** Their shocked volatilities of an option, by the very formula of vol-shock.ts but for whole days. */
function shockedVols(vol: number, seconds: number, shocks: DeriveParameters['vol']) {
  const days = Math.max(seconds / DAY_SEC, shocks.dte_floor_days);
  const term = (30 / days) ** (seconds <= 30 * DAY_SEC ? shocks.short_power : shocks.long_power);
  return {
    same: vol,
    up: Math.max(shocks.min_shocked_up_vol, vol * (1 + shocks.up * term)),
    down: vol * Math.max(0, 1 - shocks.down * term),
  };
}

/** Their discounts, which no price here has: of the option's value, and of what a shocked expiry is worth. */
function discountsOf({ sec, rate }: Expiry, margin: DeriveParameters['margin']) {
  const years = sec / SECONDS_PER_YEAR;
  const floored = Math.max(rate, 0);
  const option = Math.exp(-floored * years);
  const gain =
    margin.long_static * Math.exp(-years * (floored * margin.long_rate_mult + margin.long_rate_add));
  const grown =
    margin.short_static * Math.exp(years * (floored * margin.short_rate_mult + margin.short_rate_add));
  return { option, ofGain: gain, ofLoss: Math.min(1 / option, grown) };
}

interface Shocked {
  readonly value: number;
  /** What our integers may be off in it. */
  readonly tolerance: number;
}

/** Value of an expiry's options unmoved and after a pair, from our marks and losses. */
function expiryValues(
  options: readonly OptionTuple[],
  expiry: Expiry,
  discount: number,
  shocks: DeriveParameters['vol'],
): { mark: number; after: (pair: number) => Shocked } {
  const legs = options.map(([seconds, strike, type, quantity, vol]) => {
    const vols = shockedVols(vol, seconds, shocks);
    const prices = priceInDollars({
      forward: expiry.fwd,
      strike,
      seconds,
      vols,
      scanRange: SCAN_RANGE,
      lot: LOT,
    });
    return { quantity: quantity * discount, option: type === 'C' ? prices.call : prices.put };
  });
  const sum = (priceOf: (leg: (typeof legs)[number]) => number) =>
    legs.reduce((total, leg) => total + leg.quantity * priceOf(leg), 0);
  const size = legs.reduce((total, { quantity }) => total + Math.abs(quantity), 0);
  // R enters as four whole multiples of 2^-20, forward and strike as whole micros of a lot, volatility as whole ppm.
  const inputs = 4 * Math.abs(Math.round(QUARTER * 2 ** 20) / 2 ** 20 - QUARTER) + 5e-7;
  const tolerance =
    size * (expiry.fwd * (LOSS_ERROR_MAX + PRICE_ERROR_MAX + inputs) + (4 * HALF_MICRO) / LOT);
  return {
    mark: sum(({ option }) => option.mark),
    after: (pair) => ({ value: sum(({ option }) => option.mark - option.losses[pair]), tolerance }),
  };
}

/** Gain of a long coin of anything linear in a pair, dollars, by the arithmetic of linear rows. */
function linearGain(price: number, pair: number): number {
  const mark = microsPerLot(BigInt(Math.round(price * LOT * 1e6)));
  const quarter = quarterLossNearest(mark, quarterMoveNearest(BigInt(SCAN_RANGE * 1e6)));
  return ((MOVE_PAIRS[pair].move - QUARTERS_MAX) * Number(quarter)) / 1e6 / LOT;
}

describe('published scenario losses (Derive portfolio margin 2)', () => {
  const leftOut: Record<number, string> = {};
  const cases = publishedCases<DeriveInputs, { scenario_pnl: number[] }>('derive.pmrm2');
  const parameters = publishedParameters<Record<string, DeriveParameters>>('derive.pmrm2');
  cases.forEach(({ inp }, i) => {
    const seconds = (inp.expiries ?? []).map(({ sec }) => sec);
    // Below half an hour part of their forward is a settled average; a row here counts an hour at least.
    if (seconds.some((sec) => sec < 1_800))
      leftOut[i] = `an expiry ${Math.min(...seconds)} s away: settled, not priced`;
  });
  const tested = cases.filter((_, i) => leftOut[i] === undefined);

  for (const { id, params, inp, exp } of tested) {
    it(`holds in all sixteen pairs for ${id}`, () => {
      const { scenarios, vol, margin } = parameters[params ?? ''];
      let compared = 0;
      scenarios.forEach((scenario, s) => {
        const pair = pairOfScenario(scenario);
        if (pair < 0) return;
        compared++;
        let pnl = (inp.perp?.qty ?? 0) * linearGain(inp.perp?.price ?? 0, pair);
        let tolerance = 1e-6 * Math.abs((inp.perp?.qty ?? 0) * (inp.perp?.price ?? 0));
        for (const { qty, price, risk_cancelling } of inp.collateral ?? []) {
          if (!risk_cancelling) continue;
          pnl += qty * linearGain(price / inp.stable, pair);
          tolerance += (1e-6 * Math.abs(qty * price)) / inp.stable;
        }
        for (const expiry of inp.expiries ?? []) {
          const discounts = discountsOf(expiry, margin);
          const options = (inp.options ?? []).filter(([seconds]) => seconds === expiry.sec);
          const { mark, after } = expiryValues(options, expiry, discounts.option, vol);
          const shocked = after(pair);
          pnl += shocked.value * (shocked.value >= 0 ? discounts.ofGain : discounts.ofLoss) - mark;
          tolerance += shocked.tolerance * Math.max(1, discounts.ofLoss);
        }
        expectNear(pnl, exp.scenario_pnl[s], tolerance + 1e-5, `${id}, ${scenario}`);
      });
      expect(compared).to.equal(16);
    });
  }

  it('is tested but for options about to settle', () => {
    expectAllAccounted('derive.pmrm2', tested.length, leftOut);
    expect(tested.length).to.be.at.least(38);
  });
});

interface MarkInputs {
  readonly fwd?: number;
  readonly options?: readonly OptionTuple[];
  readonly expiries?: readonly { sec: number; fwd_fixed: number; fwd_variable: number }[];
  readonly perp?: unknown;
  readonly base?: number;
  readonly cash?: number;
}

/** Margin of these two engines follows other rules (isolated amounts; 21 scenarios): their portfolio marks are Black-76. */
for (const id of ['derive.srm_options', 'derive.pmrm1']) {
  describe(`published portfolio marks (${id})`, () => {
    const cases = publishedCases<MarkInputs, { mtm: number }>(id);
    const leftOut: Record<number, string> = {};
    cases.forEach(({ inp }, i) => {
      if (inp.perp !== undefined || inp.base !== undefined)
        leftOut[i] = 'its value includes a perpetual or coins, with no option price of its own';
    });
    for (const { id: name, inp, exp } of cases.filter((_, i) => leftOut[i] === undefined)) {
      it(`hold for ${name}`, () => {
        let [ours, float, tolerance] = [inp.cash ?? 0, inp.cash ?? 0, 0];
        for (const [seconds, strike, type, quantity, vol] of inp.options ?? []) {
          const expiry = inp.expiries?.find(({ sec }) => sec === seconds);
          const forward = expiry ? expiry.fwd_fixed + expiry.fwd_variable : (inp.fwd ?? 0);
          const vols = { same: vol, up: vol, down: vol };
          const prices = priceInDollars({ forward, strike, seconds, vols, lot: LOT });
          ours += quantity * (type === 'C' ? prices.call : prices.put).mark;
          const exact = floatBlack76(forward, strike, vol, seconds);
          float += quantity * (type === 'C' ? exact.call : exact.put);
          tolerance += Math.abs(quantity) * (PRICE_ERROR_MAX * forward + (2 * HALF_MICRO) / LOT);
        }
        expectNear(ours, exp.mtm, tolerance, 'ours');
        expectNear(float, exp.mtm, 1e-6 + 1e-8 * Math.abs(exp.mtm), 'the measure itself');
      });
    }

    it('are tested but for portfolios of other things', () => {
      expectAllAccounted(id, cases.length - Object.keys(leftOut).length, leftOut);
    });
  });
}

interface RiskVectorCase {
  readonly price_range: number;
  readonly positions: readonly { readonly qty_btc: number; readonly mark: number }[];
}

describe('published risk vectors (Deribit portfolio margin engine)', () => {
  it('are our quarters of the scan range, their coins taken at the moved price', () => {
    const [{ inp, exp }] = publishedCases<RiskVectorCase, Record<string, number[]>>('deribit.pme');
    const quarterMove = quarterMoveNearest(BigInt(Math.round(inp.price_range * 1e6)));
    [exp.risk_vector_perp, exp.risk_vector_future].forEach((vector, p) => {
      const { qty_btc, mark } = inp.positions[p];
      const quarter =
        Number(quarterLossNearest(microsPerLot(BigInt(Math.round(mark * 1e6))), quarterMove)) / 1e6;
      vector.forEach((coins, i) => {
        const quarters = i - QUARTERS_MAX;
        const moved = mark * (1 + (quarters * inp.price_range) / 4);
        // R is resolved to a quarter of 2^-20; their coins to nine digits.
        expectNear((qty_btc * quarters * quarter) / moved, coins, 1e-9 + Math.abs(qty_btc) * 2.4e-6);
      });
    });
  });

  it('shock volatility by their published rule: 38 % times (30/d)^0.30', () => {
    const rules = publishedCases<{ rule: string; days?: number }, number>('deribit.old_pm_rules');
    const volRules = rules.filter(({ inp }) => inp.days !== undefined);
    for (const { inp, exp } of volRules) {
      const { upPpm } = volFactors(BigInt((inp.days ?? 0) * DAY_SEC), { volUpPpm: 380_000n, volDownPpm: 0n });
      expectNear(Number(upPpm) / 1e6 - 1, exp, 1e-6);
    }
    // The other two rules charge coins for a short strike and for hedged futures; charges here are shares of prices.
    expect([volRules.length, rules.length]).to.deep.equal([2, 4]);
  });
});

interface SpreadCase {
  readonly outright?: readonly [number, number];
  readonly intra_charge?: number;
}

describe('published spread margins (CME)', () => {
  const leftOut = {
    0: 'a credit between underlyings: here decorrelation rows stand for it, no credit is given',
  };
  const cases = publishedCases<SpreadCase, { margin: number }>('span.spreads').slice(1);
  for (const { inp, exp } of cases) {
    it(`is the scan of opposite legs ${inp.outright} and a charge of ${inp.intra_charge}`, () => {
      const [long, short] = (inp.outright ?? [0, 0]).map(BigInt);
      // Two scenarios, the price falls or rises by the range: one leg loses what it risks, the other gains it.
      const scan = kScanOf([long - short, short - long], 1);
      expect(Number(scan) + (inp.intra_charge ?? 0)).to.equal(exp.margin);
    });
  }

  it('are tested but for the credit between underlyings', () =>
    expectAllAccounted('span.spreads', cases.length, leftOut));
});
