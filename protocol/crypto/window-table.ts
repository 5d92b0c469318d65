/**
 * Multiples of one point of Baby Jubjub, so that a product of it is additions only: in the kernel, in
 * variable time, for public values.
 */
import { type CurvePoint, IDENTITY, isOnCurve, SUBGROUP_ORDER } from './baby-jubjub.ts';
import { FIELD_MODULUS, fieldInverse, toField } from './field.ts';
import { kernel, POINT_LIMBS } from './kernel.ts';
import { AT, ENTRIES_MAX, POINT_BYTES } from './kernel-code.ts';
import { ELEMENT_BYTES, MONTGOMERY_ONE } from './limb-code.ts';

const [X, Y, Z, T] = [0, 1, 2, 3].map((place) => AT.point + place * ELEMENT_BYTES);
const WINDOW_BITS_MAX = 8;

/**
 * Signed windows of w bits: 2^(w−1) entries per window, ceil(252/w) windows. w = 5 takes 0.12 MB and
 * about 1 ms to build and 51 additions to use; w = 8 takes 0.6 MB, 5 ms and 32 additions.
 */
export class WindowTable {
  readonly #windowBits: number;
  readonly #entries: Uint32Array;

  /** @throws RangeError when the point is not on the curve, or the width not 2 to 8. */
  constructor(point: CurvePoint, windowBits: number) {
    if (!Number.isInteger(windowBits) || windowBits < 2 || windowBits > WINDOW_BITS_MAX) {
      throw new RangeError(`a window has 2 to ${WINDOW_BITS_MAX} bits, not ${windowBits}`);
    }
    if (!isOnCurve(point)) throw new RangeError('a window table needs a point of the curve');
    this.#windowBits = windowBits;
    // One bit more than the order has: the carry of the last signed digit.
    const windowCount = Math.ceil(252 / windowBits);
    const size = 1 << (windowBits - 1);
    this.#entries = new Uint32Array(windowCount * size * POINT_LIMBS);
    const { functions, limbs } = kernel();
    placePoint(point);
    for (let window = 0; window < windowCount; window++) {
      for (let digit = 1; digit <= size; digit++) {
        const entry = AT.entries + (digit - 1) * POINT_BYTES;
        functions.makeEntry(entry, AT.point);
        // The law is complete: the last multiple may be added to itself, which is the next window's base.
        functions.addEntries(AT.point, digit < size ? AT.entries : entry, 1);
      }
      const start = AT.entries / 4;
      this.#entries.set(limbs.subarray(start, start + size * POINT_LIMBS), window * size * POINT_LIMBS);
    }
  }

  /** Whether l times the point is the identity; scalars here are below l, so l is taken in two parts. */
  isInSubgroup(): boolean {
    placePoint(IDENTITY);
    this.#addToPoint(SUBGROUP_ORDER - 1n);
    this.#addToPoint(1n);
    return isPoint(IDENTITY);
  }

  /** `scalar` times the table's point, for 0 ≤ scalar < SUBGROUP_ORDER. */
  multiply(scalar: bigint): CurvePoint {
    placePoint(IDENTITY);
    this.#addToPoint(scalar);
    const inverse = fieldInverse(kernel().read(Z));
    const { scale } = kernel();
    return [toField(kernel().read(X) * inverse * fieldInverse(scale)), toField(kernel().read(Y) * inverse)];
  }

  /** Whether the sum of scalars times the points of two tables is a point, given by canonical coordinates. */
  static isSumOfMultiples(
    [left, leftScalar]: readonly [WindowTable, bigint],
    [right, rightScalar]: readonly [WindowTable, bigint],
    point: CurvePoint,
  ): boolean {
    placePoint(IDENTITY);
    left.#addToPoint(leftScalar);
    right.#addToPoint(rightScalar);
    return isPoint(point);
  }

  /** Adds `scalar` times the table's point to the point in the kernel: entries first, negated ones after. */
  #addToPoint(scalar: bigint): void {
    const half = 1 << (this.#windowBits - 1);
    const { functions, limbs } = kernel();
    const start = AT.entries / 4;
    let [added, subtracted] = [0, 0];
    for (const [window, digit] of signedDigits(scalar, this.#windowBits).entries()) {
      if (digit === 0) continue;
      const place = digit > 0 ? added++ : ENTRIES_MAX - ++subtracted;
      const from = (window * half + Math.abs(digit) - 1) * POINT_LIMBS;
      const to = start + place * POINT_LIMBS;
      for (let at = 0; at < POINT_LIMBS; at++) limbs[to + at] = this.#entries[from + at];
    }
    functions.addEntries(AT.point, AT.entries, added);
    functions.subtractEntries(AT.point, AT.entries + (ENTRIES_MAX - subtracted) * POINT_BYTES, subtracted);
  }
}

/** Digits from −2^(bits−1) + 1 to 2^(bits−1), lowest first, of a scalar below 2^251. */
function signedDigits(scalar: bigint, bits: number): number[] {
  const half = 1 << (bits - 1);
  const binary = scalar.toString(2);
  const digits: number[] = [];
  let carry = 0;
  for (let end = binary.length, window = 0; window < Math.ceil(252 / bits); window++, end -= bits) {
    const part = end > 0 ? Number.parseInt(binary.slice(Math.max(0, end - bits), end), 2) : 0;
    const digit = part + carry;
    carry = digit > half ? 1 : 0;
    digits.push(digit - carry * 2 * half);
  }
  return digits;
}

/** Writes an affine point into the kernel in extended coordinates of the curve with a = −1. */
function placePoint([x, y]: CurvePoint): void {
  const scaled = (x * kernel().scale) % FIELD_MODULUS;
  kernel().write(X, scaled);
  kernel().write(Y, y);
  kernel().writeLimbs(Z, MONTGOMERY_ONE);
  kernel().write(T, (scaled * y) % FIELD_MODULUS);
}

/** Whether the point in the kernel is the affine one of canonical coordinates, without an inversion. */
function isPoint([x, y]: CurvePoint): boolean {
  return isQuotient(X, (x * kernel().scale) % FIELD_MODULUS) && isQuotient(Y, y);
}

/** Whether a coordinate of the point in the kernel, divided by Z, is `affine`. */
function isQuotient(coordinate: number, affine: bigint): boolean {
  const { functions } = kernel();
  kernel().write(AT.other, affine);
  functions.multiply(AT.other, AT.other, Z);
  functions.subtract(AT.other, coordinate, AT.other);
  return kernel().read(AT.other) === 0n;
}
