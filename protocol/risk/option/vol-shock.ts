/**
 * The volatility moves of a scenario: by default +45 % and −25 %, larger for options soon to expire, times
 * (30 days / days left)^p with p = 0.30 up to 30 days and 0.13 beyond.
 *
 * Factors depend on the time to expiry and on governed parameters alone, by whole days. They are computed here,
 * outside the circuit, as exact integer roots; `circuits/risk/option/vol-shock.circom` proves what they make of
 * a volatility.
 */
import { lastPassing } from '../../bisection.ts';
import { DAY_SEC, divideNearest, max, min, PPM_ONE } from '../../units.ts';
import { VOL_PPM_MAX } from './domain.ts';
import type { VolMove } from './moves.ts';

const REFERENCE_DAYS = 30n;
/** p as a fraction: 3/10 up to 30 days, 13/100 beyond. */
const [NEAR_POWER, NEAR_ROOT] = [3n, 10n];
const [FAR_POWER, FAR_ROOT] = [13n, 100n];

export interface VolFactors {
  /** Factors of an unmoved volatility, in ppm: above and below 10^6. */
  readonly upPpm: bigint;
  readonly downPpm: bigint;
}

/** The largest integer whose `degree`-th power is at most n ≥ 1. */
function rootDown(n: bigint, degree: bigint): bigint {
  const beyond = 1n << (BigInt(n.toString(2).length) / degree + 1n);
  return lastPassing((root) => root ** degree <= n, 0n, beyond);
}

/** (30 / days)^p in ppm, rounded down; whole days left, at least one. */
export function termFactorPpmDown(timeSec: bigint): bigint {
  const days = max(1n, timeSec / DAY_SEC);
  const [power, root] = days <= REFERENCE_DAYS ? [NEAR_POWER, NEAR_ROOT] : [FAR_POWER, FAR_ROOT];
  return rootDown((REFERENCE_DAYS ** power * PPM_ONE ** root) / days ** power, root);
}

/** @param shocks at 30 days, where the term's factor is 1 */
export function volFactors(
  timeSec: bigint,
  shocks: { readonly volUpPpm: bigint; readonly volDownPpm: bigint },
): VolFactors {
  const term = termFactorPpmDown(timeSec);
  return {
    upPpm: PPM_ONE + divideNearest(shocks.volUpPpm * term, PPM_ONE),
    downPpm: PPM_ONE - divideNearest(shocks.volDownPpm * term, PPM_ONE),
  };
}

export interface VolLimits {
  /** A volatility shocked upwards is at least this; itself at least leastVolPpm. */
  readonly upFloorPpm: bigint;
  /** What the circuit can price at this time to expiry: leastVolPpmUp. */
  readonly leastVolPpm: bigint;
}

/**
 * The three volatilities of a strike, each within what the circuit can price, whatever volatility is reported:
 * one bad value must not leave a table without a proof. Twin of ShockedVols.
 */
export function shockedVols(
  volPpm: bigint,
  { upPpm, downPpm, upFloorPpm, leastVolPpm }: VolFactors & VolLimits,
): Record<VolMove, bigint> {
  return {
    same: max(volPpm, leastVolPpm),
    up: min(max(divideNearest(volPpm * upPpm, PPM_ONE), upFloorPpm), VOL_PPM_MAX),
    down: max(divideNearest(volPpm * downPpm, PPM_ONE), leastVolPpm),
  };
}
