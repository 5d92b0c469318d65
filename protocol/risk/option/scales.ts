/**
 * Scales of the option price: docs/options.md. All are powers of two, or three times one, because the circuit
 * drops bits for free where any other divisor would cost two range checks.
 *
 * Numbers named …Q16, …Q52 have that many fractional bits. Standard deviations and the arguments d1, d2 of the
 * normal distribution are counted on two grids: STEP = 3/2^12, on which the distribution is evaluated, and
 * FINE_STEP = 3/2^25 = STEP/2^13, in which total volatility is kept.
 */

/** ln x is kept in 2^-16, computed in 2^-44. */
export const LOG_BITS = 16n;
export const LOG_INNER_BITS = 44n;
/** The leading bits of the mantissa that choose a piece, and those that are the argument on it. */
export const LOG_PIECE_BITS = 5n;
export const LOG_ARGUMENT_BITS = 14n;

/** Fine steps in a step. */
export const FINE_BITS = 13n;
/** The step is STEP_NUMERATOR / 2^STEP_BITS. */
export const STEP_NUMERATOR = 3n;
export const STEP_BITS = 12n;
/** Volatility in ppm × the scaled root of time, in 2^-25 fine steps. */
export const DEVIATION_DROPPED_BITS = 25n;
/** (2^50 / (3·10^6))² / 31 536 000 s, so that vol · √(seconds·this) / 2^25 counts fine steps. */
export const TIME_SCALE = 4_466_326_316n;
/** d2 is computed in 2^-19 steps before it is put on the grid. */
export const D2_DROPPED_BITS = 19n;
/** 2^40/9: reciprocal of a deviation in fine steps × a logarithm in 2^-16 = 2^-19 steps. */
export const RECIPROCAL_SCALE = (1n << 40n) / 9n;

/** The distribution has 2^5 pieces of 2^8 steps on [0, 6); beyond, it is 0 or 1. */
export const CDF_PIECE_BITS = 5n;
export const CDF_ARGUMENT_BITS = 8n;
export const CDF_STEPS = 1n << (CDF_PIECE_BITS + CDF_ARGUMENT_BITS);
/** A d2 beyond 2^15 steps, 24 deviations, is taken as that: d1 is then still beyond 6 on the same side. */
export const D2_STEPS_MAX = 1n << 15n;
/** Fractional bits of probabilities, and so of unrounded prices. */
export const PRICE_FRACTION_BITS = 52n;
export const PROBABILITY_ONE = 1n << PRICE_FRACTION_BITS;

/** Price moves are counted in 2^-20, weights of tails in 2^-28. */
export const MOVE_BITS = 20n;
export const TAIL_WEIGHT_BITS = 28n;
