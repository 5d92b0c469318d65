/**
 * The error bound of docs/options.md, evaluated: the largest sum of its parts over 1 day to 2 years, volatility
 * 5 to 500 %, strikes 0.05 to 20 forwards. All are shares of the forward, without the last rounding of half a micro.
 */
import { ratios } from './error-grid.ts';

const STEP = 3 / 2 ** 12;
const FINE_STEP = 3 / 2 ** 25;
/** Half a unit of 2^-16, the quadratic, the dropped bits. */
const LOG_ERROR = 2 ** -17 + 1.15e-6 + 2 ** -20;
const CDF_ERROR = 6.3e-9;
const DENSITY_ERROR = 2.5e-5;
/** Largest |φ'|, at one deviation. */
const SLOPE_MAX = 0.242;
const VOL_MAX = 5;
const DAYS_PER_YEAR = 365;

const density = (x: number): number => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);

/**
 * Bound of |A − Black-76| for a priced forward and a strike in units of the unmoved forward.
 * @param deviation s, total volatility
 * @param logs how many rounded logarithms ln(F/K) is made of: 2, or 3 after a move
 */
export function priceErrorMax(forward: number, strike: number, deviation: number, logs: number): number {
  const moneyness = Math.log(forward / strike);
  // d1 and d2 are off together: the grid, the logarithms, the reciprocal that is rounded down.
  const shift = STEP / 2 + (logs * LOG_ERROR) / deviation + Math.abs(moneyness) * 2 ** 16 * 2 ** -19 * STEP;
  const d1 = moneyness / deviation + deviation / 2;
  const d2 = d1 - deviation;
  const densityMax = density(Math.max(Math.abs(d1) - shift, 0));
  const common =
    forward * densityMax * deviation * (shift ** 2 / 2 + (shift ** 3 / 6) * (Math.abs(d1) + Math.abs(d2)));
  // s is rounded to a fine step, and the root of time downwards before: less than vol / 2^25 fine steps.
  const deviationError = FINE_STEP * (0.5 + (VOL_MAX * 1.45 * 1e6) / 2 ** 25);
  const vega = forward * densityMax * deviationError;
  const distribution = CDF_ERROR * (forward + strike);
  const excess = forward * (0.5 * SLOPE_MAX * (STEP / 2) ** 2 + DENSITY_ERROR * (STEP / 2));
  return common + vega + distribution + excess;
}

function largest(forward: number, volFactor: number, logs: number): number {
  const least = 0.05 * Math.sqrt(1 / DAYS_PER_YEAR) * volFactor;
  const most = VOL_MAX * Math.sqrt(2) * volFactor;
  let worst = 0;
  for (const strike of ratios(0.05, 20, 120)) {
    for (const deviation of ratios(least, most, 400))
      worst = Math.max(worst, priceErrorMax(forward, strike, deviation, logs));
  }
  return worst;
}

/** Derived bounds of mark, regular losses and weighted tail losses at a scan range (0.16 for 16 %). */
export function derivedBounds(scanRange: number): { mark: number; regularLoss: number; tailLoss: number } {
  const mark = largest(1, 1, 2);
  const regular = [-4, -3, -2, -1, 0, 1, 2, 3, 4].flatMap((quarters) =>
    [1.45, 0.75].map((volFactor) => largest(1 + (quarters * scanRange) / 4, volFactor, 3)),
  );
  const tails = [-0.66, -0.33, 0.5, 1, 2, 3, 4, 5].map(
    (tail) => ((0.75 * scanRange) / Math.abs(tail)) * (mark + largest(1 + tail, 1, 3)),
  );
  return { mark, regularLoss: mark + Math.max(...regular), tailLoss: Math.max(...tails) };
}
