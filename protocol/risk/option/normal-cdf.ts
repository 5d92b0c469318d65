/** The normal distribution on the middles of a grid: twin of circuits/risk/option/normal.circom. */
import { evaluatePolynomial } from './fixed-log.ts';
import { CDF_ARGUMENT_BITS, CDF_STEPS, PROBABILITY_ONE } from './scales.ts';
import { CDF_TABLE, DENSITY_TABLE } from './tables.ts';

const ARGUMENT_HALF = 1n << (CDF_ARGUMENT_BITS - 1n);

/** A place ±(steps + ½) · 3/2^12: never 0, so its sign is unique. */
export interface GridPlace {
  readonly steps: bigint;
  readonly isNegative: boolean;
}

export const isSaturated = ({ steps }: GridPlace): boolean => steps >= CDF_STEPS;

const pieceOf = (steps: bigint): number => Number(steps >> CDF_ARGUMENT_BITS);
const argumentOf = (steps: bigint): bigint => (steps & (2n * ARGUMENT_HALF - 1n)) - ARGUMENT_HALF;

/** Φ at a place in 2^-52; exactly 0 or 1 from 6 deviations on. Error below 6.3e-9. */
export function normalQ52(place: GridPlace): bigint {
  const aboveHalf = isSaturated(place)
    ? PROBABILITY_ONE / 2n
    : evaluatePolynomial(CDF_TABLE[pieceOf(place.steps)], argumentOf(place.steps));
  return PROBABILITY_ONE / 2n + (place.isNegative ? -aboveHalf : aboveHalf);
}

/** What Φ gains in a fine step of 3/2^25 at a place, in 2^-52; 0 from 6 deviations on. */
export const normalPerFineStepQ52 = (place: GridPlace): bigint =>
  isSaturated(place) ? 0n : evaluatePolynomial(DENSITY_TABLE[pieceOf(place.steps)], argumentOf(place.steps));
