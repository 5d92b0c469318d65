/**
 * Which forwards and volatilities a round may carry: twin of `contracts/libraries/SurfaceRules.sol` and of what
 * `RiskOracle.postRound` fills in. What is refused here is refused at entry.
 */
import { accept, type Result, reject } from '../errors.ts';
import { abs, max, min } from '../units.ts';
import { markPerLotNearest } from './linear-price.ts';
import { placesOfAll, type Registry, type SegmentGeometry } from './registry.ts';
import { BASIS_PPB_MAX, REPORTED_VOL_PPM_MAX } from './round-limits.ts';
import { timeToExpirySec } from './terms.ts';

/** Total variance may fall by a tenth from one expiry to the next: quotes of different markets are not one curve. */
const FALL_NUMERATOR = 9n;
const FALL_DENOMINATOR = 10n;

/** What a round must know of an expiry block. Twin of BlockListing. */
export interface BlockListing {
  /** 0: nothing is listed in this block. */
  readonly expirySec: bigint;
  readonly underlying: number;
  readonly lotE8: bigint;
  /** One for each strike place, 0 where nothing is listed. */
  readonly strikesMicrosPerLot: readonly bigint[];
}

/** One basis for each block and one volatility for each strike place of all segments. */
export interface SurfaceValues {
  /** Forward over index − 1, 1e-9, signed. */
  readonly basisPpb: readonly bigint[];
  /** Implied volatility of a year. */
  readonly volPpm: readonly bigint[];
}

/** Every block of all segments in order. */
export function blockListings(registry: Registry, segments: readonly SegmentGeometry[]): BlockListing[] {
  const places = placesOfAll(segments).map((place, i) => ({ ...place, entry: registry[i] }));
  return places
    .filter(({ kind }) => kind === 'future')
    .map(({ block, entry }) => ({
      expirySec: entry?.expirySec ?? 0n,
      underlying: entry?.underlying ?? 0,
      lotE8: entry?.lotE8 ?? 0n,
      strikesMicrosPerLot: places
        .filter((place) => place.kind === 'strike' && place.block === block)
        .map((place) => place.entry?.strikeMicrosPerLot ?? 0n),
    }));
}

/** What to report where there is no market: the contract wants the right number of values and reads none of these. */
export const emptySurface = (segments: readonly SegmentGeometry[]): SurfaceValues => ({
  basisPpb: segments.flatMap(({ blocks }) => Array<bigint>(blocks).fill(0n)),
  volPpm: segments.flatMap(({ blocks, strikesPerBlock }) => Array<bigint>(blocks * strikesPerBlock).fill(0n)),
});

/** A settled block says nothing any more, as one in which nothing is listed. */
export const unsettled = (
  blocks: readonly BlockListing[],
  settlementMicros: readonly bigint[],
): BlockListing[] =>
  blocks.map((block, b) => (settlementMicros[b] === 0n ? block : { ...block, expirySec: 0n }));

/** The strikes of each block, as places in the list of volatilities. */
function firstStrikes(blocks: readonly BlockListing[]): number[] {
  let next = 0;
  return blocks.map(({ strikesMicrosPerLot }) => {
    const first = next;
    next += strikesMicrosPerLot.length;
    return first;
  });
}

/**
 * What the round says: the medians of what is listed, 0 elsewhere. Values of an expired block are brought within
 * the bounds, for they must never be a reason to refuse a round.
 * Rejections: basis-out-of-bounds, vol-out-of-bounds, total-variance-falls.
 */
export function surfaceOf(
  medians: SurfaceValues,
  blocks: readonly BlockListing[],
  indexMicros: readonly bigint[],
  timeSec: bigint,
): Result<SurfaceValues> {
  const firsts = firstStrikes(blocks);
  const basisPpb = blocks.map(() => 0n);
  const volPpm = blocks.flatMap(({ strikesMicrosPerLot }) => strikesMicrosPerLot.map(() => 0n));
  for (const [b, block] of blocks.entries()) {
    if (block.expirySec === 0n) continue;
    const isOver = timeSec >= block.expirySec;
    const basis = medians.basisPpb[b];
    if (!isOver && abs(basis) > BASIS_PPB_MAX) {
      return reject('basis-out-of-bounds', `basis of block ${b} is ${basis} ppb`, { block: b, basis });
    }
    basisPpb[b] = max(-BASIS_PPB_MAX, min(BASIS_PPB_MAX, basis));
    for (const [k, strike] of block.strikesMicrosPerLot.entries()) {
      if (strike === 0n) continue;
      const place = firsts[b] + k;
      const vol = medians.volPpm[place];
      if (!isOver && (vol < 1n || vol > REPORTED_VOL_PPM_MAX)) {
        return reject('vol-out-of-bounds', `volatility of strike place ${place} is ${vol} ppm`, {
          place,
          vol,
        });
      }
      volPpm[place] = max(1n, min(REPORTED_VOL_PPM_MAX, vol));
    }
  }
  const values = { basisPpb, volPpm };
  return fallingVariance(values, blocks, indexMicros, timeSec) ?? accept(values);
}

/** vol² · T of the strike nearest the forward, the lower of two; 0 without options or after expiry. */
function varianceAtTheMoney(
  { expirySec, lotE8, underlying, strikesMicrosPerLot }: BlockListing,
  basisPpb: bigint,
  vols: readonly bigint[],
  indexMicros: readonly bigint[],
  timeSec: bigint,
): bigint {
  if (expirySec <= timeSec) return 0n;
  const forward = markPerLotNearest(indexMicros[underlying], lotE8, basisPpb);
  let nearest: { distance: bigint; vol: bigint } | undefined;
  for (const [i, strike] of strikesMicrosPerLot.entries()) {
    const distance = abs(strike - forward);
    if (strike !== 0n && (nearest === undefined || distance < nearest.distance)) {
      nearest = { distance, vol: vols[i] };
    }
  }
  return (nearest?.vol ?? 0n) ** 2n * timeToExpirySec(expirySec, timeSec);
}

/** Each block against those of the nearest earlier expiry of its underlying; blocks of one expiry are one market. */
function fallingVariance(
  { basisPpb, volPpm }: SurfaceValues,
  blocks: readonly BlockListing[],
  indexMicros: readonly bigint[],
  timeSec: bigint,
): Result<never> | undefined {
  const firsts = firstStrikes(blocks);
  const quoted = blocks
    .map((block, b) => {
      const vols = volPpm.slice(firsts[b], firsts[b] + block.strikesMicrosPerLot.length);
      return { ...block, b, variance: varianceAtTheMoney(block, basisPpb[b], vols, indexMicros, timeSec) };
    })
    .filter(({ variance }) => variance > 0n);
  for (const later of quoted) {
    const before = quoted.filter(
      ({ underlying, expirySec }) => underlying === later.underlying && expirySec < later.expirySec,
    );
    const latest = before.reduce((expiry, { expirySec }) => max(expiry, expirySec), 0n);
    const [earlier] = before
      .filter(({ expirySec }) => expirySec === latest)
      .sort((a, b) => (a.variance === b.variance ? 0 : a.variance > b.variance ? -1 : 1));
    if (earlier === undefined) continue;
    if (later.variance * FALL_DENOMINATOR < earlier.variance * FALL_NUMERATOR) {
      return reject(
        'total-variance-falls',
        `total variance falls from ${earlier.variance} in block ${earlier.b} to ${later.variance} in block ${later.b}`,
        { earlier: earlier.b, later: later.b },
      );
    }
  }
  return undefined;
}
