/**
 * What the contract derives for an expiry block from its time to expiry and governed parameters: twin of
 * `contracts/libraries/BlockTerms.sol`.
 */
import { divideUp, max, min } from '../units.ts';
import { leastVolPpmUp, OPTION_TIME_SEC_MAX } from './option/domain.ts';
import { volFactors } from './option/vol-shock.ts';
import type { OptionParameters, RegistryEntry } from './registry.ts';
import { SCAN_FACTOR_ONE_E9 } from './round-limits.ts';

export const YEAR_SEC = 31_536_000n;
/** An option is margined as if it had at least an hour left. */
export const OPTION_TIME_SEC_MIN = 3_600n;

/** The TERMS word of a block. */
export interface BlockTerms {
  /** Until expiry, between the two limits. */
  readonly timeSec: bigint;
  /** Factors of a shocked volatility: above and below 10^6. */
  readonly upPpm: bigint;
  readonly downPpm: bigint;
  readonly upFloorPpm: bigint;
  /** No volatility is used below it: the circuit has no witness there. */
  readonly leastVolPpm: bigint;
  readonly rollImPpm: bigint;
  readonly rollMmPpm: bigint;
  readonly shortImPpm: bigint;
  readonly shortMmPpm: bigint;
  readonly bandPpm: bigint;
  readonly penaltyPpm: bigint;
}

/** Time to expiry as it is priced; an expired, unsettled block counts as an hour. */
export const timeToExpirySec = (expirySec: bigint, roundTimeSec: bigint): bigint =>
  max(OPTION_TIME_SEC_MIN, min(OPTION_TIME_SEC_MAX, expirySec - roundTimeSec));

/** Charge on delta for the time until expiry, against the account. */
export const rollImPpmUp = (timeSec: bigint, { rollMinPpm, rollPerYearPpm }: OptionParameters): bigint =>
  max(rollMinPpm, divideUp(rollPerYearPpm * timeSec, YEAR_SEC));

export const rollMmPpmUp = (rollImPpm: bigint): bigint => divideUp(3n * rollImPpm, 5n);

export function blockTerms(expirySec: bigint, roundTimeSec: bigint, options: OptionParameters): BlockTerms {
  const timeSec = timeToExpirySec(expirySec, roundTimeSec);
  const rollImPpm = rollImPpmUp(timeSec, options);
  return {
    timeSec,
    ...volFactors(timeSec, options),
    upFloorPpm: options.volUpFloorPpm,
    leastVolPpm: leastVolPpmUp(timeSec),
    rollImPpm,
    rollMmPpm: rollMmPpmUp(rollImPpm),
    shortImPpm: options.shortImPpm,
    shortMmPpm: options.shortMmPpm,
    bandPpm: options.bandPpm,
    penaltyPpm: options.penaltyPpm,
  };
}

/** Rates of a linear place after every factor. */
export interface ChargeRates {
  readonly imPpm: bigint;
  readonly mmPpm: bigint;
}

/**
 * Haircuts of spot grow with the scan range, a future adds its roll, a perpetual's charge is its own. Rounded
 * against the account. @param terms of its block, for a future
 */
export function effectiveCharges(
  { kind, chargeImPpm, chargeMmPpm }: RegistryEntry,
  scanFactorE9: bigint,
  terms: Pick<BlockTerms, 'rollImPpm' | 'rollMmPpm'> | undefined,
): ChargeRates {
  if (kind === 'spot') {
    const grown = (ratePpm: bigint) => divideUp(ratePpm * scanFactorE9, SCAN_FACTOR_ONE_E9);
    return { imPpm: grown(chargeImPpm), mmPpm: grown(chargeMmPpm) };
  }
  return {
    imPpm: chargeImPpm + (terms?.rollImPpm ?? 0n),
    mmPpm: chargeMmPpm + (terms?.rollMmPpm ?? 0n),
  };
}
