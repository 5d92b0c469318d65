/** Live prices: what anyone can see of the market now, dated instruments included. */
import { blackGreeks } from '#protocol/display/black76.ts';
import type { Instrument } from '#protocol/instrument.ts';
import { markPerLotNearest } from '#protocol/risk/linear-price.ts';
import { timeToExpirySec, YEAR_SEC } from '#protocol/risk/terms.ts';
import { max } from '#protocol/units.ts';
import type { OptionChain } from '#sequencer/market-data/option-chain.ts';
import { blockSurface } from '#sequencer/market-data/surface.ts';
import type { Listing } from './listing.ts';

const LOT_ONE_E8 = 100_000_000n;
/** Points in the whole of a volatility. */
const VOL_POINTS = 100;

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

/** Call and put of a strike. In double precision, as a trader's own program has it; parity holds to the micro. */
function liveStrike(call: Instrument, put: Instrument, forward: bigint, volPpm: bigint, timeSec: bigint) {
  const strike = call.strikeMicrosPerLot;
  const years = Number(timeSec) / Number(YEAR_SEC);
  const terms = { kind: 'call', forward: Number(forward), strike: Number(strike), years } as const;
  const { price, delta, vega } = blackGreeks(terms, Number(volPpm) / 1e6);
  const callMark = max(max(0n, forward - strike), BigInt(Math.round(price)));
  const callDelta = BigInt(Math.round(terms.forward * delta));
  const option = (instrument: Instrument, mark: bigint, deltaMicrosPerLot: bigint): LiveOption => ({
    instrumentId: instrument.id,
    markMicrosPerLot: mark,
    deltaMicrosPerLot,
    vegaMicrosPerLot: BigInt(Math.round(vega / VOL_POINTS)),
  });
  return [option(call, callMark, callDelta), option(put, callMark - forward + strike, callDelta - forward)];
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
