/**
 * Black's formula of 1976 at a rate of 0 in double precision: price, Greeks and implied volatility, for display only.
 * Marks and margin are those of `protocol/risk`, in exact integers; nothing here enters them.
 *
 * Prices are in any one unit, the same for forward, strike and result: micros per lot everywhere in this room.
 */
import { accept, type Result, reject } from '../errors.ts';

export type OptionKind = 'call' | 'put';

export interface OptionTerms {
  readonly kind: OptionKind;
  readonly forward: number;
  readonly strike: number;
  /** Years of 365 days until expiry. */
  readonly years: number;
}

/** Partial derivatives of the price of one option, long. */
export interface OptionGreeks {
  readonly price: number;
  /** ∂price/∂forward: 0 to 1 for a call, −1 to 0 for a put. */
  readonly delta: number;
  /** ∂²price/∂forward². */
  readonly gamma: number;
  /** ∂price/∂volatility, volatility as a fraction: a hundredth of it is a volatility point's worth. */
  readonly vega: number;
  /** −∂price/∂years at an unmoved forward: what a year takes, never positive. */
  readonly theta: number;
}

const ROOT_TWO_PI = Math.sqrt(2 * Math.PI);

export const normalDensity = (x: number): number => Math.exp((-x * x) / 2) / ROOT_TWO_PI;

/** Hart's rational approximation (Computer Approximations, 1968, function 5666, as printed by West 2005), highest power first. */
const HART_NUMERATOR = [
  3.52624965998911e-2, 0.700383064443688, 6.37396220353165, 33.912866078383, 112.079291497871,
  221.213596169931, 220.206867912376,
];
const HART_DENOMINATOR = [
  8.83883476483184e-2, 1.75566716318264, 16.064177579207, 86.7807322029461, 296.564248779674,
  637.333633378831, 793.826512519948, 440.413735824752,
];
/** Beyond it Laplace's continued fraction is relatively exact, where Hart's is only absolutely. */
const HART_LIMIT = 4;
const FRACTION_TERMS = 40;

const polynomial = (coefficients: readonly number[], x: number): number =>
  coefficients.reduce((value, coefficient) => value * x + coefficient, 0);

/** Φ(x), to about 1e-15; relatively exact in the lower tail. */
export function normalDistribution(x: number): number {
  const size = Math.abs(x);
  const exponential = Math.exp((-size * size) / 2);
  let tail: number;
  if (size < HART_LIMIT) {
    tail = (exponential * polynomial(HART_NUMERATOR, size)) / polynomial(HART_DENOMINATOR, size);
  } else {
    let rest = size;
    for (let n = FRACTION_TERMS; n > 0; n--) rest = size + n / rest;
    tail = exponential / (ROOT_TWO_PI * rest);
  }
  return x > 0 ? 1 - tail : tail;
}

/** Total standard deviation until expiry, and the two arguments of the distribution. */
function deviations({ forward, strike, years }: OptionTerms, vol: number) {
  const total = vol * Math.sqrt(years);
  const d1 = Math.log(forward / strike) / total + total / 2;
  return { d1, d2: d1 - total };
}

/** @param vol of a year, a fraction above 0 */
export function blackPrice(terms: OptionTerms, vol: number): number {
  const { kind, forward, strike } = terms;
  const { d1, d2 } = deviations(terms, vol);
  return kind === 'call'
    ? forward * normalDistribution(d1) - strike * normalDistribution(d2)
    : strike * normalDistribution(-d2) - forward * normalDistribution(-d1);
}

/** @param vol of a year, a fraction above 0 */
export function blackGreeks(terms: OptionTerms, vol: number): OptionGreeks {
  const { kind, forward, years } = terms;
  const { d1 } = deviations(terms, vol);
  const density = normalDensity(d1);
  const root = Math.sqrt(years);
  return {
    price: blackPrice(terms, vol),
    delta: kind === 'call' ? normalDistribution(d1) : -normalDistribution(-d1),
    gamma: density / (forward * vol * root),
    vega: forward * density * root,
    theta: (-forward * density * vol) / (2 * root),
  };
}

/** Total deviation at which every option is worth its limit to the last bit. */
const DEVIATION_MAX = 18;
/** A time value below this share of the forward is lost in the last bits of the price it is part of. */
const TIME_VALUE_SHARE_MIN = 1e-13;
const STEPS_MAX = 200;

/**
 * The volatility at which Black-76 gives a price, a fraction of a year: Newton's steps, halving where they leave the
 * bracket. Only the time value tells: it is solved on the option that is out of the money.
 *
 * Rejections: implied-vol-terms (a forward, strike, time or price that no option has), implied-vol-low (the price is
 * not above exercise value), implied-vol-high (not below what the option can ever be worth: forward or strike).
 */
export function impliedVol(terms: OptionTerms, price: number): Result<number> {
  const { kind, forward, strike, years } = terms;
  const data = { forward, strike, years, price };
  const isPriced = [forward, strike, years].every((value) => value > 0 && Number.isFinite(value));
  if (!isPriced || !Number.isFinite(price))
    return reject(
      'implied-vol-terms',
      'forward, strike, time and price must be finite, all but the price above 0',
      data,
    );
  const sign = kind === 'call' ? 1 : -1;
  const intrinsic = Math.max(0, sign * (forward - strike));
  const timeValue = price - intrinsic;
  if (!(timeValue > TIME_VALUE_SHARE_MIN * forward))
    return reject('implied-vol-low', `price ${price} is not above the exercise value ${intrinsic}`, {
      ...data,
      intrinsic,
    });
  const most = kind === 'call' ? forward : strike;
  const outOfTheMoney: OptionTerms = { ...terms, kind: forward < strike ? 'call' : 'put' };
  let [low, high] = [0, DEVIATION_MAX / Math.sqrt(years)];
  if (price >= most || blackPrice(outOfTheMoney, high) <= timeValue)
    return reject(
      'implied-vol-high',
      `price ${price} is not below ${most}, which the option can never exceed`,
      {
        ...data,
        most,
      },
    );
  // Where vega is largest Newton never overshoots by much: the volatility at which |ln F/K| = s²/2.
  let vol = Math.sqrt((2 * Math.abs(Math.log(forward / strike))) / years) || 1 / Math.sqrt(years);
  if (vol >= high) vol = high / 2;
  for (let step = 0; step < STEPS_MAX; step++) {
    const excess = blackPrice(outOfTheMoney, vol) - timeValue;
    if (excess === 0) break;
    if (excess > 0) high = vol;
    else low = vol;
    const newton = vol - excess / blackGreeks(outOfTheMoney, vol).vega;
    const next = newton > low && newton < high ? newton : (low + high) / 2;
    if (Math.abs(next - vol) <= 1e-15 * vol || next === low || next === high) break;
    vol = next;
  }
  return accept(vol);
}
