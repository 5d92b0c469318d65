/**
 * Units as types. A brand stops a size from being passed for a price; arithmetic on brands gives
 * plain `bigint` again, so it stays inside small named functions that say what they return.
 */
declare const unit: unique symbol;
type Unit<Name extends string> = bigint & { readonly [unit]: Name };

/** Quote money, 1e-6 of the quote token. Signed: credit +, debit −. */
export type Micros = Unit<'micros'>;
/** Base size, the smallest step of an instrument. Signed in a position (long +), positive in an order. */
export type Lots = Unit<'lots'>;
/** Price, charge, delta or risk-array entry of one lot, in micros. */
export type MicrosPerLot = Unit<'micros/lot'>;
/** A ratio in 1e-6. */
export type Ppm = Unit<'ppm'>;

export const micros = (value: bigint): Micros => value as Micros;
export const lots = (value: bigint): Lots => value as Lots;
export const microsPerLot = (value: bigint): MicrosPerLot => value as MicrosPerLot;
export const ppm = (value: bigint): Ppm => value as Ppm;

export const PPM_ONE = 1_000_000n;
export const DAY_SEC = 86_400n;

export const abs = <T extends bigint>(value: T): T => (value < 0n ? -value : value) as T;
export const min = <T extends bigint>(a: T, b: T): T => (a < b ? a : b);
export const max = <T extends bigint>(a: T, b: T): T => (a > b ? a : b);

/** Quotient rounded towards minus infinity. `denominator` > 0. */
export function divideDown(numerator: bigint, denominator: bigint): bigint {
  const quotient = numerator / denominator;
  return numerator % denominator < 0n ? quotient - 1n : quotient;
}

/** Quotient rounded towards plus infinity. `denominator` > 0. */
export function divideUp(numerator: bigint, denominator: bigint): bigint {
  return -divideDown(-numerator, denominator);
}

/** Quotient rounded to nearest, halves towards plus infinity. `denominator` > 0. */
export function divideNearest(numerator: bigint, denominator: bigint): bigint {
  return divideDown(2n * numerator + denominator, 2n * denominator);
}

/** ⌊√value⌋ for value ≥ 0, by Newton's method from above. */
export function squareRootDown(value: bigint): bigint {
  if (value < 2n) return value;
  let root = 1n << BigInt((value.toString(2).length + 1) >> 1);
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

/** What a position is worth at `mark`, signed like the size. */
export const value = (size: Lots, mark: MicrosPerLot): Micros => (size * mark) as Micros;
