/** The dated instruments of the options market: two BTC expiries of two strikes each, beside what every market lists. */
import { InputError } from '#protocol/errors.ts';
import { placesOf, type RegistryEntry, RISK_SMALL } from '#protocol/risk/registry.ts';
import { perLot } from '#sequencer/market-data/bars.ts';
import { secondsOf } from '#sequencer/market-data/option-chain.ts';
import { LINEAR_REGISTRY, Listing } from '../listing.ts';
import { BTC_PERP } from '../strategies/strategy.ts';

/** Settles while the story runs. */
export const NEAR = {
  expirySec: secondsOf('2026-02-06T08:00:00Z'),
  future: 10,
  call60: 20,
  put60: 21,
  call66: 22,
  put66: 23,
} as const;
export const FAR = {
  expirySec: secondsOf('2026-02-13T08:00:00Z'),
  future: 11,
  call60: 30,
  put60: 31,
  call70: 32,
  put70: 33,
} as const;

const MICROS_PER_DOLLAR = 1_000_000n;

function perpetual(): RegistryEntry {
  const perp = LINEAR_REGISTRY.find(({ id }) => id === BTC_PERP);
  if (perp === undefined) throw new InputError('registry', BTC_PERP, 'it lists the perpetual of BTC');
  return perp;
}

/** A future is charged as the perpetual of its coin; its roll is added by the round. */
const future = (id: number, expirySec: bigint): RegistryEntry => ({
  ...perpetual(),
  id,
  kind: 'future',
  expirySec,
});

/** Call and put of a strike; band and penalty of options are governed per underlying. */
const option = (callId: number, expirySec: bigint, strikeDollars: bigint): RegistryEntry => ({
  ...perpetual(),
  id: callId,
  kind: 'option',
  chargeImPpm: 0n,
  chargeMmPpm: 0n,
  bandPpm: 0n,
  penaltyPpm: 0n,
  expirySec,
  strikeMicrosPerLot: perLot(strikeDollars * MICROS_PER_DOLLAR, perpetual().lotE8),
});

const linearPlaces = placesOf(RISK_SMALL).filter(({ kind }) => kind === 'linear').length;

/** By place of RISK_SMALL: its linear places are not all in use. */
export const OPTIONS_LISTING = new Listing([
  ...Array.from({ length: linearPlaces }, (_, place) => LINEAR_REGISTRY[place]),
  future(NEAR.future, NEAR.expirySec),
  option(NEAR.call60, NEAR.expirySec, 60_000n),
  option(NEAR.call66, NEAR.expirySec, 66_000n),
  future(FAR.future, FAR.expirySec),
  option(FAR.call60, FAR.expirySec, 60_000n),
  option(FAR.call70, FAR.expirySec, 70_000n),
]);
