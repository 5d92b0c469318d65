/**
 * Total volatility s = vol · √T of an option, on the grids of scales.ts, and its reciprocal: twin of
 * circuits/risk/option/deviation.circom.
 */
import { invariant } from '../../errors.ts';
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

/** Integer square root, rounded down, for n ≥ 0: Newton's method from above. */
export function squareRootDown(n: bigint): bigint {
  if (n < 2n) return n;
  let root = 1n << BigInt((n.toString(2).length + 1) >> 1);
  for (;;) {
    const better = (root + n / root) >> 1n;
    if (better >= root) return root;
    root = better;
  }
}

/** √T, scaled so that vol_ppm · root / 2^25 counts fine steps. */
export const rootOfTimeDown = (timeSec: bigint): bigint => squareRootDown(timeSec * TIME_SCALE);

/** Total volatility in fine steps of 3/2^25, to nearest. */
export const fineStepsNearest = (volPpm: bigint, rootOfTime: bigint): bigint =>
  (volPpm * rootOfTime + (1n << (DEVIATION_DROPPED_BITS - 1n))) >> DEVIATION_DROPPED_BITS;

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
