/** What a signer says of dated instruments: a basis for every expiry block, a volatility for every strike place. */
import { type BlockListing, blockListings, type SurfaceValues } from '#protocol/risk/oracle-surface.ts';
import type { Registry, SegmentGeometry } from '#protocol/risk/registry.ts';
import type { OptionChain } from '#sequencer/market-data/option-chain.ts';
import { blockSurface } from '#sequencer/market-data/surface.ts';

const COIN_E8 = 100_000_000n;
/** A round's time may be a little before the one that its signers were asked for. */
const OVER_SEC = 60n;

/** A block of the registry as plain numbers: a signer's settings are one line of JSON. */
export interface WatchedBlock {
  /** 0: nothing is listed in this block. */
  readonly expirySec: number;
  readonly underlying: number;
  readonly lotE8: number;
  /** One for each strike place, 0 where nothing is listed. */
  readonly strikesMicrosPerLot: readonly number[];
}

/** Every block of all segments in order. */
export const watchedBlocks = (registry: Registry, segments: readonly SegmentGeometry[]): WatchedBlock[] =>
  blockListings(registry, segments).map(({ expirySec, underlying, lotE8, strikesMicrosPerLot }) => ({
    expirySec: Number(expirySec),
    underlying,
    lotE8: Number(lotE8),
    strikesMicrosPerLot: strikesMicrosPerLot.map(Number),
  }));

export const listingOf = (block: WatchedBlock): BlockListing => ({
  expirySec: BigInt(block.expirySec),
  underlying: block.underlying,
  lotE8: BigInt(block.lotE8),
  strikesMicrosPerLot: block.strikesMicrosPerLot.map(BigInt),
});

/** The market's values for a report, 0 where nothing is listed and of what is over: another expiry may stand there by then. @throws InputError when an expiry is not in the chains */
export function surfaceReport(
  chains: readonly OptionChain[],
  blocks: readonly BlockListing[],
  indexMicros: readonly bigint[],
  timeSec: bigint,
): SurfaceValues {
  const surfaces = blocks.map(({ expirySec, underlying, lotE8, strikesMicrosPerLot }) => {
    if (expirySec === 0n || timeSec >= expirySec + OVER_SEC)
      return { basisPpb: 0n, volPpm: strikesMicrosPerLot.map(() => 0n) };
    const strikesMicrosPerCoin = strikesMicrosPerLot
      .filter((strike) => strike !== 0n)
      .map((strike) => (strike * COIN_E8) / lotE8);
    const { basisPpb, volPpm } = blockSurface(
      chains,
      { expirySec, strikesMicrosPerCoin },
      indexMicros[underlying],
      timeSec,
    );
    // Strikes are listed without holes, so the listed ones come first.
    return { basisPpb, volPpm: strikesMicrosPerLot.map((_, i) => volPpm[i] ?? 0n) };
  });
  return {
    basisPpb: surfaces.map(({ basisPpb }) => basisPpb),
    volPpm: surfaces.flatMap(({ volPpm }) => volPpm),
  };
}
