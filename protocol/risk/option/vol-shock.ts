/**
 * The volatility moves of a scenario: +45 % and −25 %, larger for options soon to expire, times
 * (30 days / days left)^p with p = 0.30 up to 30 days and 0.13 beyond. An upward shock never ends below a floor.
 *
 * Factors depend on the time to expiry alone, by whole days. They are computed here, outside the circuit, as
 * exact integer roots; `circuits/risk/option/vol-shock.circom` proves what they make of a volatility.
 */
import { divideNearest, max, PPM_ONE } from '../../units.ts';
import type { VolMove } from './moves.ts';

export const VOL_UP_PPM = 450_000n;
export const VOL_DOWN_PPM = 250_000n;
/** Shocked volatility in an upward row, per underlying in the order of UNDERLYINGS. */
export const VOL_UP_FLOOR_PPM: readonly bigint[] = [450_000n, 500_000n];

const DAY_SEC = 86_400n;
const REFERENCE_DAYS = 30n;
/** p as a fraction: 3/10 up to 30 days, 13/100 beyond. */
const [NEAR_POWER, NEAR_ROOT] = [3n, 10n];
const [FAR_POWER, FAR_ROOT] = [13n, 100n];

export interface VolFactors {
  /** Factors of an unmoved volatility, in ppm: above and below 10^6. */
  readonly upPpm: bigint;
  readonly downPpm: bigint;
}

/** The largest integer whose `degree`-th power is at most n ≥ 1, by bisection. */
function rootDown(n: bigint, degree: bigint): bigint {
  let low = 0n;
  let high = 1n << (BigInt(n.toString(2).length) / degree + 1n);
  while (high - low > 1n) {
    const middle = (low + high) >> 1n;
    if (middle ** degree <= n) low = middle;
    else high = middle;
  }
  return low;
}

/** (30 / days)^p in ppm, rounded down; whole days left, at least one. */
export function termFactorPpmDown(timeSec: bigint): bigint {
  const days = max(1n, timeSec / DAY_SEC);
  const [power, root] = days <= REFERENCE_DAYS ? [NEAR_POWER, NEAR_ROOT] : [FAR_POWER, FAR_ROOT];
  return rootDown((REFERENCE_DAYS ** power * PPM_ONE ** root) / days ** power, root);
}

export function volFactors(timeSec: bigint): VolFactors {
  const term = termFactorPpmDown(timeSec);
  return {
    upPpm: PPM_ONE + divideNearest(VOL_UP_PPM * term, PPM_ONE),
    downPpm: PPM_ONE - divideNearest(VOL_DOWN_PPM * term, PPM_ONE),
  };
}

/** The three volatilities of a strike. Twin of ShockedVols. */
export function shockedVols(
  volPpm: bigint,
  { upPpm, downPpm }: VolFactors,
  upFloorPpm: bigint,
): Record<VolMove, bigint> {
  return {
    same: volPpm,
    up: max(upFloorPpm, divideNearest(volPpm * upPpm, PPM_ONE)),
    down: divideNearest(volPpm * downPpm, PPM_ONE),
  };
}
