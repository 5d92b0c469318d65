import { fineStepsNearest, rootOfTimeDown } from '#protocol/risk/option/deviation.ts';
import { FINE_STEPS_MIN, OPTION_TIME_SEC_MAX, VOL_PPM_MAX } from '#protocol/risk/option/domain.ts';
import type { VolMove } from '#protocol/risk/option/moves.ts';

/** Does the circuit have a witness for these volatilities at this time to expiry? */
export const isPriceable = (volsPpm: Readonly<Record<VolMove, bigint>>, timeSec: bigint): boolean =>
  timeSec > 0n &&
  timeSec <= OPTION_TIME_SEC_MAX &&
  [volsPpm.same, volsPpm.up, volsPpm.down].every(
    (volPpm) => volPpm <= VOL_PPM_MAX && fineStepsNearest(volPpm, rootOfTimeDown(timeSec)) >= FINE_STEPS_MIN,
  );
