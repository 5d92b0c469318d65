/**
 * Black's formula of 1976 at a rate of 0, undiscounted, in exact integers: twin of
 * circuits/risk/option/price.circom. Derivation of its error: docs/options.md.
 */
import { min } from '../../units.ts';
import type { Deviation } from './deviation.ts';
import { type GridPlace, normalPerFineStepQ52, normalQ52 } from './normal-cdf.ts';
import { D2_DROPPED_BITS, D2_STEPS_MAX } from './scales.ts';

export interface OptionPrice {
  /** Value of a call in 2^-52 micros per lot. */
  readonly callQ52: bigint;
  /** Forward · Φ(d1) in 2^-52 micros per lot: its delta, in micros per lot. */
  readonly callDeltaQ52: bigint;
}

/**
 * d2 = (ln F/K) / s − s/2, on the grid. It may be off by half a step: the price F·Φ(d2 + s) − K·Φ(d2) does
 * not change to first order when d1 and d2 move together, because F·φ(d1) = K·φ(d2).
 */
export function placeOfD2(logMoneyness: bigint, deviation: Deviation): GridPlace {
  const exact = logMoneyness * deviation.reciprocalDown - 32n * deviation.fineSteps;
  const isNegative = exact < 0n;
  // Cells are symmetric: the odd number 2·exact + 1 has a sign and a magnitude without a zero between them.
  const magnitude = isNegative ? -exact - 1n : exact;
  return { steps: min(magnitude >> D2_DROPPED_BITS, D2_STEPS_MAX), isNegative };
}

/** d2 + the coarse part of s, exactly on the grid. */
export function placeOfD1(d2: GridPlace, deviation: Deviation): GridPlace {
  const halfSteps = (d2.isNegative ? -1n : 1n) * (2n * d2.steps + 1n) + 2n * deviation.coarseSteps;
  const isNegative = halfSteps < 0n;
  return { steps: ((isNegative ? -halfSteps : halfSteps) - 1n) / 2n, isNegative };
}

/** F·Φ(d1) − K·Φ(d2). `logMoneyness` is ln(F/K) in 2^-16. Nothing is rounded here. */
export function priceCall(
  forward: bigint,
  strike: bigint,
  logMoneyness: bigint,
  deviation: Deviation,
): OptionPrice {
  const d2 = placeOfD2(logMoneyness, deviation);
  const d1 = placeOfD1(d2, deviation);
  // What the coarse grid left of s enters to first order.
  const probability = normalQ52(d1) + normalPerFineStepQ52(d1) * deviation.excess;
  const callDeltaQ52 = forward * probability;
  return { callQ52: callDeltaQ52 - strike * normalQ52(d2), callDeltaQ52 };
}
