/**
 * What the option circuit can price. Outside this domain there is no witness for the whole table, so one bad
 * value would stop every market: round-domain.ts refuses it where it enters, vol-shock.ts raises a volatility.
 */
import { divideUp } from '../../units.ts';
import { rootOfTimeDown } from './deviation.ts';
import { DEVIATION_DROPPED_BITS } from './scales.ts';

export const FORWARD_BITS = 33n;
export const STRIKE_BITS = 35n;
export const OPTION_TIME_BITS = 27n;
export const VOL_BITS = 23n;
/** Below it the reciprocal does not fit its 23 bits: s ≥ 0.0013, which 5 % reaches at six hours, not at one. */
export const FINE_STEPS_MIN = 14_564n;
/** Limits, inclusive. From one dollar a lot on, half a micro is below the error of the formula: the registry's bound. */
export const FORWARD_MICROS_MIN = 1_000_000n;
export const FORWARD_MICROS_MAX = (1n << FORWARD_BITS) - 1n;
export const STRIKE_MICROS_MIN = 1n;
export const STRIKE_MICROS_MAX = (1n << STRIKE_BITS) - 1n;
export const OPTION_TIME_SEC_MAX = (1n << OPTION_TIME_BITS) - 1n;
export const VOL_PPM_MAX = (1n << VOL_BITS) - 1n;

/** The smallest volatility that can be priced at this time to expiry. */
export function leastVolPpmUp(timeSec: bigint): bigint {
  const rootOfTime = rootOfTimeDown(timeSec);
  // fineSteps ≥ MIN ⇔ vol·root ≥ MIN·2^25 − 2^24.
  const least = (FINE_STEPS_MIN << DEVIATION_DROPPED_BITS) - (1n << (DEVIATION_DROPPED_BITS - 1n));
  return divideUp(least, rootOfTime);
}
