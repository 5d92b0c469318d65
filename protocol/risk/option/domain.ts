/**
 * Which values may enter a round. Outside this domain the circuit has no witness for the whole table, so one
 * bad volatility would stop every market: it must be refused, or floored, where it enters.
 */
import { accept, type Rejection, type Result, reject } from '../../errors.ts';
import { divideUp } from '../../units.ts';
import { SCAN_RANGE_PPM_MAX } from '../linear-price.ts';
import { fineStepsNearest, rootOfTimeDown } from './deviation.ts';
import type { VolMove } from './moves.ts';
import { DEVIATION_DROPPED_BITS } from './scales.ts';

export const FORWARD_BITS = 33n;
export const STRIKE_BITS = 35n;
export const OPTION_TIME_BITS = 27n;
export const VOL_BITS = 23n;
/** Below it the reciprocal does not fit its 23 bits: s ≥ 0.0013, which 5 % reaches at six hours, not at one. */
export const FINE_STEPS_MIN = 14_564n;
/** Limits of what is listed, inclusive. One dollar a lot keeps half a micro below the error of the formula. */
export const FORWARD_MICROS_MIN = 1_000_000n;
export const FORWARD_MICROS_MAX = (1n << FORWARD_BITS) - 1n;
export const STRIKE_MICROS_MIN = 1n;
export const STRIKE_MICROS_MAX = (1n << STRIKE_BITS) - 1n;
export const OPTION_TIME_SEC_MAX = (1n << OPTION_TIME_BITS) - 1n;
export const VOL_PPM_MAX = (1n << VOL_BITS) - 1n;

const within = (code: string, field: string, value: bigint, least: bigint, most: bigint): Rejection[] =>
  value >= least && value <= most
    ? []
    : [reject(code, `${field} is ${value}; it must be ${least} to ${most}`, { value, least, most })];

const firstOf = (rejections: readonly Rejection[]): Result<undefined> => rejections[0] ?? accept(undefined);

/** May this strike, in micros per lot, be listed? Rejection: option-strike. */
export const acceptStrike = (strike: bigint): Result<undefined> =>
  firstOf(within('option-strike', 'strike', strike, STRIKE_MICROS_MIN, STRIKE_MICROS_MAX));

/** May this forward, in micros per lot, be priced at this time to expiry? Rejections: option-forward, option-time. */
export const acceptForward = (forward: bigint, timeSec: bigint): Result<undefined> =>
  firstOf([
    ...within('option-forward', 'forward', forward, FORWARD_MICROS_MIN, FORWARD_MICROS_MAX),
    ...within('option-time', 'time to expiry', timeSec, 1n, OPTION_TIME_SEC_MAX),
  ]);

/** May this scan range be used where options are listed? Rejection: option-scan-range. */
export const acceptScanRange = (scanRangePpm: bigint): Result<undefined> =>
  firstOf(within('option-scan-range', 'scan range', scanRangePpm, 1n, SCAN_RANGE_PPM_MAX));

/**
 * May these volatilities be used at this time to expiry? All three are judged: the one shocked downwards
 * leaves the domain first. Rejections: option-time, option-vol, option-deviation.
 */
export function acceptVols(volsPpm: Readonly<Record<VolMove, bigint>>, timeSec: bigint): Result<undefined> {
  const time = within('option-time', 'time to expiry', timeSec, 1n, OPTION_TIME_SEC_MAX);
  if (time.length > 0) return time[0];
  const rootOfTime = rootOfTimeDown(timeSec);
  return firstOf(
    (['same', 'up', 'down'] as const).flatMap((volMove) => {
      const volPpm = volsPpm[volMove];
      const range = within('option-vol', `volatility (${volMove})`, volPpm, 1n, VOL_PPM_MAX);
      if (range.length > 0) return range;
      const fineSteps = fineStepsNearest(volPpm, rootOfTime);
      if (fineSteps >= FINE_STEPS_MIN) return [];
      const leastVolPpm = leastVolPpmUp(timeSec);
      return [
        reject(
          'option-deviation',
          `volatility (${volMove}) ${volPpm} ppm over ${timeSec} s is too small to price; at least ${leastVolPpm} ppm`,
          { volPpm, timeSec, fineSteps, leastVolPpm },
        ),
      ];
    }),
  );
}

/** The smallest volatility that may be used at this time to expiry: the floor to apply where it enters. */
export function leastVolPpmUp(timeSec: bigint): bigint {
  const rootOfTime = rootOfTimeDown(timeSec);
  // fineSteps ≥ MIN ⇔ vol·root ≥ MIN·2^25 − 2^24.
  const least = (FINE_STEPS_MIN << DEVIATION_DROPPED_BITS) - (1n << (DEVIATION_DROPPED_BITS - 1n));
  return divideUp(least, rootOfTime);
}
