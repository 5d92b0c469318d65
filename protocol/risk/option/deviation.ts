/**
 * Total volatility s = vol · √T of an option, on the grids of scales.ts, and its reciprocal: twin of
 * circuits/risk/option/deviation.circom.
 */
import { invariant } from '../../errors.ts';
import { divideNearest, squareRootDown } from '../../units.ts';
import { DEVIATION_DROPPED_BITS, FINE_BITS, RECIPROCAL_SCALE, TIME_SCALE } from './scales.ts';

export interface Deviation {
  /** s in fine steps of 3/2^25. */
  readonly fineSteps: bigint;
  /** s = coarseSteps · 3/2^12 + excess · 3/2^25, with −2^12 ≤ excess < 2^12. */
  readonly coarseSteps: bigint;
  readonly excess: bigint;
  /** floor(2^40 / 9 / fineSteps). */
  readonly reciprocalDown: bigint;
}

/** √T, scaled so that vol_ppm · root / 2^25 counts fine steps. */
export const rootOfTimeDown = (timeSec: bigint): bigint => squareRootDown(timeSec * TIME_SCALE);

/** Total volatility in fine steps of 3/2^25, to nearest. */
export const fineStepsNearest = (volPpm: bigint, rootOfTime: bigint): bigint =>
  divideNearest(volPpm * rootOfTime, 1n << DEVIATION_DROPPED_BITS);

export function deviationOf(volPpm: bigint, rootOfTime: bigint): Deviation {
  const fineSteps = fineStepsNearest(volPpm, rootOfTime);
  invariant(fineSteps > 0n, 'volatility and time passed the domain check, so the deviation is positive');
  const coarseSteps = (fineSteps + (1n << (FINE_BITS - 1n))) >> FINE_BITS;
  return {
    fineSteps,
    coarseSteps,
    excess: fineSteps - (coarseSteps << FINE_BITS),
    reciprocalDown: RECIPROCAL_SCALE / fineSteps,
  };
}
