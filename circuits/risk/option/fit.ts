/**
 * Piecewise polynomials with integer coefficients. On a piece the argument is an integer t from −half to
 * half − 1, so the circuit evaluates c_0 + t·(c_1 + t·(…)) in integers without any rounding.
 */
import { cosine, multiply, ONE, PI } from './exact-functions.ts';

const NODES = 24;

/** cos(π·(j + ½)/NODES): where the Chebyshev projection samples. */
const NODE_ANGLES = Array.from({ length: NODES }, (_, j) => (PI * BigInt(2 * j + 1)) / BigInt(2 * NODES));
const NODE_COSINES = NODE_ANGLES.map(cosine);

/** f at a real t (in units of ONE), itself in units of ONE. */
export type RealFunction = (t: bigint) => bigint;

const nearest = (x: bigint): bigint => (x + ONE / 2n) >> BigInt(ONE.toString(2).length - 1);

/**
 * Coefficients c_0 … c_degree of the polynomial near f on [−half, half − 1]. Rounding the highest coefficient
 * is the largest error, so it is rounded first and the lower ones are then fitted to what is left; a Chebyshev
 * projection spreads the rest evenly.
 */
export function fitInteger(f: RealFunction, half: bigint, degree: number): bigint[] {
  // t runs over [−half, half − 1]: centre −½, radius half − ½.
  const radius = half * ONE - ONE / 2n;
  const points = NODE_COSINES.map((node) => multiply(node, radius) - ONE / 2n);
  let rest = points.map(f);
  const coefficients: bigint[] = [];
  for (let d = degree; d >= 0; d--) {
    const leading = leadingCoefficient(rest, d, radius);
    const rounded = nearest(leading);
    coefficients.unshift(rounded);
    rest = rest.map((value, j) => value - rounded * power(points[j], d));
  }
  return coefficients;
}

/** Coefficient of t^degree in the Chebyshev projection of sampled values to polynomials of that degree. */
function leadingCoefficient(values: readonly bigint[], degree: number, radius: bigint): bigint {
  let sum = 0n;
  values.forEach((value, j) => {
    sum += multiply(value, cosine(reduced(BigInt(degree) * NODE_ANGLES[j])));
  });
  if (degree === 0) return sum / BigInt(NODES);
  const chebyshev = (2n * sum) / BigInt(NODES);
  // T_d has the leading coefficient 2^(d − 1); the argument is t / radius.
  return ((chebyshev << BigInt(degree - 1)) * ONE) / power(radius, degree);
}

const reduced = (angle: bigint): bigint => angle % (2n * PI);

function power(x: bigint, exponent: number): bigint {
  let result = ONE;
  for (let i = 0; i < exponent; i++) result = multiply(result, x);
  return result;
}
