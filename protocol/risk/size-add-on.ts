/**
 * The size add-on (docs/margin.md): what a net delta notional costs beyond its scenario loss, because a large one
 * cannot be closed at the mark. Continuous and convex in |net delta|; twin of circuits/arithmetic/size-add-on.circom.
 */
import { invariant } from '../errors.ts';
import { abs, max } from '../units.ts';

export const ADD_ON_UNIT_MICROS = 1_000_000n;

/**
 * Pieces in hundredths of a micro: slope · d − offset · T, from one bound to the next, in units T of size. Rates of 0,
 * 2, 5 and 10 %; each offset makes its piece meet the one before at the bound.
 */
export const ADD_ON_PIECES = [
  { slope: 0n, offset: 0n, from: 0n },
  { slope: 2n, offset: 2n, from: 1n },
  { slope: 5n, offset: 17n, from: 5n },
  { slope: 10n, offset: 117n, from: 20n },
] as const;

/** The piece on which a size lies. `unitMicros` > 0. */
export function addOnPieceOf(deltaMicros: bigint, unitMicros: bigint): number {
  invariant(unitMicros > 0n, 'the unit of size is positive');
  const size = abs(deltaMicros);
  return ADD_ON_PIECES.findLastIndex(({ from }) => size >= from * unitMicros);
}

/** 100 · add-on of one underlying, micros: exact. A convex function is the largest of its pieces. */
export const sizeAddOnTimes100 = (deltaMicros: bigint, unitMicros: bigint): bigint =>
  ADD_ON_PIECES.map(({ slope, offset }) => slope * abs(deltaMicros) - offset * unitMicros).reduce((a, b) =>
    max(a, b),
  );
