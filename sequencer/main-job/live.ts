/** Live prices: what anyone can see of the market now, dated instruments included. */
import type { Instrument } from '#protocol/instrument.ts';
import { markPerLotNearest } from '#protocol/risk/linear-price.ts';
import { priceCall } from '#protocol/risk/option/black76.ts';
import { deviationOf, rootOfTimeDown } from '#protocol/risk/option/deviation.ts';
import { logNearest } from '#protocol/risk/option/fixed-log.ts';
import { PROBABILITY_ONE } from '#protocol/risk/option/scales.ts';
import { timeToExpirySec } from '#protocol/risk/terms.ts';
import { divideNearest, max } from '#protocol/units.ts';
import type { OptionChain } from '#sequencer/market-data/option-chain.ts';
import { blockSurface } from '#sequencer/market-data/surface.ts';
import type { Listing } from './listing.ts';

const LOT_ONE_E8 = 100_000_000n;
/** A point of volatility: one percent of a year's. */
const VOL_POINT_PPM = 10_000n;

/** Live values of one lot, micros. */
export interface LiveOption {
  readonly instrumentId: number;
  readonly markMicrosPerLot: bigint;
  readonly deltaMicrosPerLot: bigint;
  /** Gain for a point of volatility more; the same for a call and its put. */
  readonly vegaMicrosPerLot: bigint;
}

/** A dated future and the options of its expiry. */
export interface LiveBlock {
  readonly futureId: number;
  readonly underlying: number;
  readonly expirySec: bigint;
  readonly forwardMicrosPerLot: bigint;
  readonly options: readonly LiveOption[];
}

interface StrikePrice {
  readonly call: bigint;
  readonly callDelta: bigint;
}

function strikePrice(forward: bigint, strike: bigint, volPpm: bigint, timeSec: bigint): StrikePrice {
  const logMoneyness = logNearest(forward) - logNearest(strike);
  const price = priceCall(forward, strike, logMoneyness, deviationOf(volPpm, rootOfTimeDown(timeSec)));
  return {
    call: max(max(0n, forward - strike), divideNearest(price.callQ52, PROBABILITY_ONE)),
    callDelta: divideNearest(price.callDeltaQ52, PROBABILITY_ONE),
  };
}

/** Call and put of a strike by the formula that the risk table uses. */
function liveStrike(call: Instrument, put: Instrument, forward: bigint, volPpm: bigint, timeSec: bigint) {
  const strike = call.strikeMicrosPerLot;
  const now = strikePrice(forward, strike, volPpm, timeSec);
  const higher = strikePrice(forward, strike, volPpm + VOL_POINT_PPM, timeSec);
  const vegaMicrosPerLot = max(0n, higher.call - now.call);
  const option = (instrument: Instrument, mark: bigint, delta: bigint): LiveOption => ({
    instrumentId: instrument.id,
    markMicrosPerLot: mark,
    deltaMicrosPerLot: delta,
    vegaMicrosPerLot,
  });
  return [
    option(call, now.call, now.callDelta),
    option(put, now.call - forward + strike, now.callDelta - forward),
  ];
}

/** The dated instruments of a listing that have not expired, at the surface of the recorded chains. */
export function liveBlocks(
  listing: Listing,
  chains: readonly OptionChain[],
  indexMicros: readonly bigint[],
  timeSec: bigint,
): LiveBlock[] {
  const { instruments } = listing;
  const futures = instruments.filter(({ kind, expirySec }) => kind === 'future' && expirySec > timeSec);
  return futures.map(({ id, underlying, expirySec, lotE8 }) => {
    const calls = instruments.filter(
      (other) => other.kind === 'call' && other.underlying === underlying && other.expirySec === expirySec,
    );
    const strikesMicrosPerCoin = calls.map((call) => (call.strikeMicrosPerLot * LOT_ONE_E8) / lotE8);
    const { basisPpb, volPpm } = blockSurface(
      chains,
      { expirySec, strikesMicrosPerCoin },
      indexMicros[underlying],
      timeSec,
    );
    const forwardMicrosPerLot = markPerLotNearest(indexMicros[underlying], lotE8, basisPpb);
    const leftSec = timeToExpirySec(expirySec, timeSec);
    const options = calls.flatMap((call, i) => {
      const put = instruments.find((other) => other.id === call.id + 1) as Instrument;
      return liveStrike(call, put, forwardMicrosPerLot, volPpm[i], leftSec);
    });
    return { futureId: id, underlying, expirySec, forwardMicrosPerLot, options };
  });
}

/** Live marks of everything that trades: perpetuals of this market are quoted at the index. */
export function liveMarks(
  { instruments }: Listing,
  indexMicros: readonly bigint[],
  blocks: readonly LiveBlock[],
): { readonly instrumentId: number; readonly markMicrosPerLot: bigint }[] {
  const linear = instruments.flatMap(({ id, kind, underlying, lotE8 }) =>
    kind === 'spot' || kind === 'perp'
      ? [{ instrumentId: id, markMicrosPerLot: (indexMicros[underlying] * lotE8) / LOT_ONE_E8 }]
      : [],
  );
  const dated = blocks.flatMap(({ futureId, forwardMicrosPerLot, options }) => [
    { instrumentId: futureId, markMicrosPerLot: forwardMicrosPerLot },
    ...options.map(({ instrumentId, markMicrosPerLot }) => ({ instrumentId, markMicrosPerLot })),
  ]);
  return [...linear, ...dated];
}
