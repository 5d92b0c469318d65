/** Registries with expiry blocks for tests: places of any geometry filled with futures and options. */
import { DEFAULT_REGISTRY } from '#protocol/risk/default-registry.ts';
import {
  placesOfAll,
  type Registry,
  type RegistryEntry,
  type SegmentGeometry,
} from '#protocol/risk/registry.ts';
import { lots } from '#protocol/units.ts';
import { ROUND_TIME_SEC } from './risk-rounds.ts';

/** What is listed in one block. */
export interface BlockListing {
  readonly underlying: number;
  readonly expirySec: bigint;
  /** Ascending, micros per lot; at most as many as the block has places. */
  readonly strikes: readonly bigint[];
  readonly lotE8?: bigint;
  readonly isReduceOnly?: boolean;
}

export const DAY_SEC = 86_400n;
export const LOT_E8 = [100_000n, 1_000_000n];
const FIRST_FUTURE_ID = 100;
const FIRST_CALL_ID = 1_000;
const CAPS = { openInterestCap: lots(1_000_000n), positionCap: lots(100_000n) };

/** Days from the round of roundOf. */
export const inDays = (days: bigint): bigint => ROUND_TIME_SEC + days * DAY_SEC;

export const futureEntry = (id: number, listing: BlockListing): RegistryEntry => ({
  id,
  kind: 'future',
  underlying: listing.underlying,
  lotE8: listing.lotE8 ?? LOT_E8[listing.underlying],
  chargeImPpm: 10_000n,
  chargeMmPpm: 6_000n,
  bandPpm: 10_000n,
  penaltyPpm: 10_000n,
  ...CAPS,
  isReduceOnly: listing.isReduceOnly ?? false,
  expirySec: listing.expirySec,
  strikeMicrosPerLot: 0n,
});

export const optionEntry = (callId: number, strike: bigint, listing: BlockListing): RegistryEntry => ({
  ...futureEntry(callId, listing),
  kind: 'option',
  chargeImPpm: 0n,
  chargeMmPpm: 0n,
  bandPpm: 0n,
  penaltyPpm: 0n,
  strikeMicrosPerLot: strike,
});

/** The blocks in turn, `undefined` for an empty one, after the linear places. */
export function registryOf(
  segments: readonly SegmentGeometry[],
  blocks: readonly (BlockListing | undefined)[],
  linear: readonly (RegistryEntry | undefined)[] = DEFAULT_REGISTRY,
): Registry {
  let nextLinear = 0;
  return placesOfAll(segments).map((place) => {
    if (place.kind === 'linear') return linear[nextLinear++];
    const listing = blocks[place.block];
    if (listing === undefined) return undefined;
    if (place.kind === 'future') return futureEntry(FIRST_FUTURE_ID + place.block, listing);
    const strike = listing.strikes[place.strike];
    if (strike === undefined) return undefined;
    return optionEntry(FIRST_CALL_ID + 20 * place.block + 2 * place.strike, strike, listing);
  });
}

/** All places listed: expiries from a week on, BTC and ETH in turn, strikes from 20 % below the index up. */
export function fullBlocks(
  segments: readonly SegmentGeometry[],
  price: { btc: bigint; eth: bigint },
): BlockListing[] {
  const perBlock = segments.flatMap(({ blocks, strikesPerBlock }) =>
    Array.from({ length: blocks }, () => strikesPerBlock),
  );
  return perBlock.map((strikes, block) => {
    const underlying = block % 2;
    const index = underlying === 0 ? price.btc / 1_000n : price.eth / 100n;
    return {
      underlying,
      expirySec: inDays(7n * BigInt(block + 1)),
      strikes: Array.from({ length: strikes }, (_, i) => (index * BigInt(80 + 10 * i)) / 100n),
    };
  });
}
