/** What a signer says of dated instruments: a basis for every expiry block, a volatility for every strike place. */
import { placesOfAll, type Registry, type SegmentGeometry } from '#protocol/risk/registry.ts';
import { divideNearest, PPM_ONE } from '#protocol/units.ts';
import type { OptionChain } from '#sequencer/market-data/option-chain.ts';
import { blockSurface } from '#sequencer/market-data/surface.ts';

const COIN_E8 = 100_000_000n;

/** A block of the registry as plain numbers: a signer's settings are one line of JSON. */
export interface WatchedBlock {
  readonly underlying: number;
  /** 0: nothing is listed in this block. */
  readonly expirySec: number;
  /** One for each strike place, 0 where nothing is listed. */
  readonly strikesMicrosPerCoin: readonly number[];
}

export interface SurfaceReport {
  /** Forward over index − 1, 1e-9, signed; 0 where nothing is listed. */
  readonly basisPpb: readonly bigint[];
  /** By strike place over all blocks; 0 where nothing is listed. */
  readonly volPpm: readonly bigint[];
}

/** Every block of all segments in order. */
export function watchedBlocks(registry: Registry, segments: readonly SegmentGeometry[]): WatchedBlock[] {
  const places = placesOfAll(segments).map((place, i) => ({ ...place, entry: registry[i] }));
  return places
    .filter(({ kind }) => kind === 'future')
    .map(({ block, entry }) => ({
      underlying: entry?.underlying ?? 0,
      expirySec: Number(entry?.expirySec ?? 0n),
      strikesMicrosPerCoin: places
        .filter((place) => place.kind === 'strike' && place.block === block)
        .map(({ entry: listed }) =>
          listed === undefined ? 0 : Number((listed.strikeMicrosPerLot * COIN_E8) / listed.lotE8),
        ),
    }));
}

/** A signer's own view: the market's value times what makes it differ, in ppm of the value. */
export interface Differences {
  readonly basisPpm: (block: number) => bigint;
  readonly volPpm: (strikePlace: number) => bigint;
}

export const NO_DIFFERENCES: Differences = { basisPpm: () => PPM_ONE, volPpm: () => PPM_ONE };

/** @throws InputError when a listed expiry is not in the chains */
export function surfaceReport(
  chains: readonly OptionChain[],
  blocks: readonly WatchedBlock[],
  indexMicros: readonly bigint[],
  timeSec: bigint,
  differences: Differences = NO_DIFFERENCES,
): SurfaceReport {
  const basisPpb: bigint[] = [];
  const volPpm: bigint[] = [];
  blocks.forEach(({ underlying, expirySec, strikesMicrosPerCoin }, block) => {
    if (expirySec === 0) {
      basisPpb.push(0n);
      volPpm.push(...strikesMicrosPerCoin.map(() => 0n));
      return;
    }
    const listed = strikesMicrosPerCoin.filter((strike) => strike !== 0).map(BigInt);
    const surface = blockSurface(
      chains,
      { expirySec: BigInt(expirySec), strikesMicrosPerCoin: listed },
      indexMicros[underlying],
      timeSec,
    );
    basisPpb.push(divideNearest(surface.basisPpb * differences.basisPpm(block), PPM_ONE));
    // Strikes are listed without holes, so the listed ones come first.
    for (let i = 0; i < strikesMicrosPerCoin.length; i++) {
      const vol = surface.volPpm[i] ?? 0n;
      volPpm.push(divideNearest(vol * differences.volPpm(volPpm.length), PPM_ONE));
    }
  });
  return { basisPpb, volPpm };
}
