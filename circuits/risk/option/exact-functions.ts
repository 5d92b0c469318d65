/**
 * Real functions in fixed point of 200 fractional bits, for the coefficient tables of the option price: the
 * tables must come out the same on every machine, so no floating point takes part. Errors stay below 2^-180.
 */
import { squareRootDown } from '#protocol/units.ts';

const FRACTION_BITS = 200n;

/** The number 1. */
export const ONE = 1n << FRACTION_BITS;

export const multiply = (a: bigint, b: bigint): bigint => (a * b) >> FRACTION_BITS;
export const divide = (a: bigint, b: bigint): bigint => (a << FRACTION_BITS) / b;

/** Sum of a series whose terms fall to nothing: the first, and each from the one before. */
function series(first: bigint, next: (term: bigint, n: bigint) => bigint): bigint {
  let sum = 0n;
  let n = 0n;
  for (let term = first; term !== 0n && term !== -1n; term = next(term, ++n)) sum += term;
  return sum;
}

/** arctan(1/x), Gregory's series. */
function arctanOfInverse(x: bigint): bigint {
  let sum = 0n;
  for (let power = ONE / x, n = 0n; power !== 0n; power /= x * x, n++) {
    const term = power / (2n * n + 1n);
    sum += n % 2n === 0n ? term : -term;
  }
  return sum;
}

/** Machin's formula. */
export const PI = 4n * (4n * arctanOfInverse(5n) - arctanOfInverse(239n));

/** Taylor's series; |x| up to 10 or so. */
export const cosine = (x: bigint): bigint =>
  series(ONE, (term, n) => -multiply(multiply(term, x), x) / ((2n * n - 1n) * (2n * n)));

/** ln x = 2·artanh((x − 1)/(x + 1)), for x from 1 to 2. */
export function logarithm(x: bigint): bigint {
  const ratio = divide(x - ONE, x + ONE);
  const square = multiply(ratio, ratio);
  let sum = 0n;
  for (let power = ratio, n = 0n; power > 0n; power = multiply(power, square), n++) {
    sum += power / (2n * n + 1n);
  }
  return 2n * sum;
}

export const squareRoot = (x: bigint): bigint => squareRootDown(x << FRACTION_BITS);

/** e^x for x ≥ 0. */
const exponential = (x: bigint): bigint => series(ONE, (term, n) => multiply(term, x) / n);

const ROOT_OF_TWO_PI = squareRoot(2n * PI);

/** Density of the normal distribution. */
export const normalDensity = (x: bigint): bigint =>
  divide(divide(ONE, exponential(multiply(x, x) / 2n)), ROOT_OF_TWO_PI);

/** Φ(x) − ½ for x ≥ 0: φ(x)·(x + x³/3 + x⁵/(3·5) + …), a series of positive terms. */
export const normalAboveHalf = (x: bigint): bigint =>
  multiply(
    normalDensity(x),
    series(x, (term, n) => multiply(multiply(term, x), x) / (2n * n + 1n)),
  );
