import { readFileSync } from 'node:fs';
import { logNearest } from '#protocol/risk/option/fixed-log.ts';
import { forwardMoves, underlyingMoves } from '#protocol/risk/option/moves.ts';
import { normalPerFineStepQ52, normalQ52 } from '#protocol/risk/option/normal-cdf.ts';
import { priceStrike } from '#protocol/risk/option/option-row.ts';
import { expectNear } from '#test/support/near.ts';
import { volsOf } from '#test/support/option/error-grid.ts';
import { floatBlack76, normal, SECONDS_PER_YEAR } from '#test/support/option/float-black76.ts';

interface Black76Case {
  readonly seconds: number;
  readonly vol: number;
  readonly fwd: number;
  readonly strike: number;
  readonly df: number;
  readonly expected: { call: number; put: number; call_delta_undiscounted: number };
}
interface HaugCase {
  readonly type: 'C' | 'P';
  readonly strike: number;
  readonly spot: number;
  readonly q: number;
  readonly r: number;
  readonly T: number;
  readonly vol: number;
  readonly expected: { price?: number; delta?: number };
}
interface NormalCase {
  readonly f: 'cdf' | 'pdf' | 'ln';
  readonly x: number;
  readonly expected: number;
}
const PUBLISHED = JSON.parse(readFileSync('test/fixtures/option-published.json', 'utf8')) as {
  black76: { cases: Black76Case[] };
  haug: { cases: HaugCase[] };
  normal: { cases: NormalCase[] };
};

/** The bounds of docs/options.md, as shares of the forward. */
const [PRICE_ERROR_MAX, DELTA_ERROR_MAX] = [5e-7, 3.5e-3];
const HALF_MICRO = 0.5e-6;
/** Haug prints four decimals; QuantLib's own test allows 1e-4. */
const HAUG_TOLERANCE = 1e-4;
/** A place on the grid is within half a step; what that leaves to second order, and the density's own error. */
const STEP = 3 / 2 ** 12;
const CDF_TOLERANCE = 6.3e-9 + 0.5 * 0.242 * (STEP / 2) ** 2 + 2.5e-5 * (STEP / 2);
const DENSITY_TOLERANCE = 2.5e-5 + 0.242 * (STEP / 2);
const LOG_TOLERANCE = 9.8e-6;

/** Mark and delta of call and put, in dollars of an undiscounted option. */
function price(forward: number, strike: number, vol: number, seconds: number) {
  const { quarterMove, ...rest } = underlyingMoves(41_943n);
  const shared = forwardMoves(BigInt(Math.round(forward * 1e6)), BigInt(Math.round(seconds)), quarterMove);
  const { call, put } = priceStrike(
    { strike: BigInt(Math.round(strike * 1e6)), volsPpm: volsOf(BigInt(Math.round(vol * 1e6))) },
    shared,
    { quarterMove, ...rest },
  );
  const dollars = (value: bigint): number => Number(value) / 1e6;
  return { call: dollars(call.mark), put: dollars(put.mark), callDelta: dollars(call.delta) / forward };
}

describe('option price against published values', () => {
  for (const { seconds, vol, fwd, strike, df, expected } of PUBLISHED.black76.cases) {
    it(`is Black-76 of forward ${fwd}, strike ${strike}, volatility ${vol}, ${seconds} s`, () => {
      const { call, put, callDelta } = price(fwd, strike, vol, seconds);
      const tolerance = PRICE_ERROR_MAX * fwd + HALF_MICRO;
      expectNear(call, expected.call / df, tolerance);
      expectNear(put, expected.put / df, tolerance);
      expectNear(callDelta, expected.call_delta_undiscounted, DELTA_ERROR_MAX);
      const float = floatBlack76(fwd, strike, vol, seconds);
      expectNear(float.call, expected.call / df, 1e-9, 'the measure itself');
    });
  }

  for (const { type, strike, spot, q, r, T, vol, expected } of PUBLISHED.haug.cases) {
    it(`is Haug's ${type} on ${spot} at ${strike}, carry ${r} − ${q}, ${T} years, volatility ${vol}`, () => {
      const forward = spot * Math.exp((r - q) * T);
      const { call, put, callDelta } = price(forward, strike, vol, T * SECONDS_PER_YEAR);
      if (expected.price !== undefined) {
        const value = Math.exp(-r * T) * (type === 'C' ? call : put);
        // One micro more: forward and strike enter as whole micros.
        const tolerance = HAUG_TOLERANCE + PRICE_ERROR_MAX * forward + 2 * HALF_MICRO;
        expectNear(value, expected.price, tolerance);
      }
      if (expected.delta !== undefined) {
        const delta = Math.exp(-q * T) * (type === 'C' ? callDelta : callDelta - 1);
        expectNear(delta, expected.delta, HAUG_TOLERANCE + DELTA_ERROR_MAX);
      }
    });
  }

  for (const { f, x, expected } of PUBLISHED.normal.cases) {
    it(`knows ${f}(${x})`, () => {
      if (f === 'ln') {
        const halves = logNearest(BigInt(2 * x), 1n);
        expectNear(Number(halves) / 2 ** 16, expected, LOG_TOLERANCE);
        return;
      }
      const steps = BigInt(Math.floor(Math.abs(x) / STEP));
      const place = { steps, isNegative: x < 0 };
      const middle = (x < 0 ? -1 : 1) * (Number(steps) + 0.5) * STEP;
      const density = Number(normalPerFineStepQ52(place)) / 2 ** 52 / (3 / 2 ** 25);
      if (f === 'pdf') {
        expectNear(density, expected, DENSITY_TOLERANCE);
      } else {
        const value = Number(normalQ52(place)) / 2 ** 52 + density * (x - middle);
        expectNear(value, expected, CDF_TOLERANCE);
        expectNear(normal(x), expected, 1e-15, 'the measure itself');
      }
    });
  }
});
