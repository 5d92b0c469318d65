/** Natural logarithm in exact integers: twin of circuits/risk/option/log.circom. */
import { invariant } from '../../errors.ts';
import { LOG_ARGUMENT_BITS, LOG_BITS, LOG_INNER_BITS, LOG_PIECE_BITS } from './scales.ts';
import { LOG_OF_TWO, LOG_TABLE } from './tables.ts';

const MANTISSA_BITS = LOG_PIECE_BITS + LOG_ARGUMENT_BITS;
const ARGUMENT_HALF = 1n << (LOG_ARGUMENT_BITS - 1n);

/** Value of c_0 + c_1·t + …, exactly. */
export function evaluatePolynomial(coefficients: readonly bigint[], t: bigint): bigint {
  let sum = 0n;
  for (let i = coefficients.length - 1; i >= 0; i--) sum = sum * t + coefficients[i];
  return sum;
}

/**
 * ln(x / 2^scaleBits) to nearest in 2^-16, for an integer x ≥ 1. Below the leading bit five bits choose a
 * quadratic and the next 14 are its argument; what is left of the mantissa is dropped.
 * Error: at most 9.8e-6, of which half a unit of 2^-16 7.7e-6, the quadratic 1.2e-6, the dropped bits 1.0e-6.
 */
export function logNearest(x: bigint, scaleBits = 0n): bigint {
  invariant(x > 0n, 'a logarithm is taken of a positive number');
  const exponent = BigInt(x.toString(2).length - 1);
  const rest = x - (1n << exponent);
  const mantissa =
    exponent >= MANTISSA_BITS ? rest >> (exponent - MANTISSA_BITS) : rest << (MANTISSA_BITS - exponent);
  const piece = Number(mantissa >> LOG_ARGUMENT_BITS);
  const argument = (mantissa & (2n * ARGUMENT_HALF - 1n)) - ARGUMENT_HALF;
  const inner = (exponent - scaleBits) * LOG_OF_TWO + evaluatePolynomial(LOG_TABLE[piece], argument);
  const dropped = LOG_INNER_BITS - LOG_BITS;
  return (inner + (1n << (dropped - 1n))) >> dropped;
}
