/**
 * Whether the marks of a block's calls leave no riskless profit: they fall with the strike, by no more than it
 * rises, and are convex in it. Each within a tolerance, for the median of sound surfaces, value by value, need
 * not be sound to the last unit. Twin of circuits/risk/option/surface.circom.
 */
export interface CallQuote {
  readonly strike: bigint;
  readonly mark: bigint;
}

/** A thousandth of the forward, in a power of two. */
export const SURFACE_TOLERANCE_BITS = 10n;

export const surfaceTolerance = (forward: bigint): bigint => forward >> SURFACE_TOLERANCE_BITS;

/** @param calls of the listed strikes in ascending order */
export function isBlockSound(forward: bigint, calls: readonly CallQuote[]): boolean {
  const tolerance = surfaceTolerance(forward);
  for (let i = 0; i + 1 < calls.length; i++) {
    const [low, next, high] = [calls[i], calls[i + 1], calls[i + 2]];
    const fall = low.mark - next.mark;
    const gap = next.strike - low.strike;
    if (fall < -tolerance || fall > gap + tolerance) return false;
    if (high === undefined) continue;
    const nextGap = high.strike - next.strike;
    const convexity = fall * nextGap - (next.mark - high.mark) * gap;
    if (convexity + tolerance * (gap + nextGap) < 0n) return false;
  }
  return true;
}
