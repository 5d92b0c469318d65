/**
 * From a polynomial's values on a domain of n roots of unity to its values on the odd points of the domain
 * of 2n: an inverse transform, a shift by the root of 2n, a transform.
 *
 * The inverse transform takes values in natural order to coefficients in bit-reversed order, the other takes
 * those back, so that nothing is ever reordered; the shift's factors are stored in bit-reversed order.
 */
import { FIELD_MODULUS, fieldInverse, fieldMultiply, fieldPower } from '#protocol/crypto/field.ts';
import { rootOfUnity } from '../setup/lagrange.ts';
import { PAIR_BYTES } from './field-functions.ts';
import { type Kernel, montgomeryDigits } from './kernel.ts';
import type { Reservation } from './key-memory.ts';
import { ELEMENT_BYTES } from './point-code.ts';

export interface TransformLayout {
  readonly domainSize: number;
  /** Paired values of A, B and C. */
  readonly polynomials: readonly number[];
  /** Powers of the inverse root and of the root, n/2 of them, then n/4 of their squares, and so on. */
  readonly inverseTwiddles: number;
  readonly twiddles: number;
  /** Power i of the root of 2n, over n, at the bit-reversed place of i. */
  readonly shifts: number;
  /** One element for building tables. */
  readonly factor: number;
}

export function reserveTransform(reservation: Reservation, domainSize: number): TransformLayout {
  const take = () => reservation.take((domainSize / 2) * PAIR_BYTES);
  return {
    domainSize,
    polynomials: [take(), take(), take()],
    inverseTwiddles: take(),
    twiddles: take(),
    shifts: take(),
    factor: reservation.take(ELEMENT_BYTES),
  };
}

/** Where the twiddles of butterflies `half` pairs apart begin: after n/2 + n/4 + … larger ones. */
function twiddlesAt(start: number, domainSize: number, half: number): number {
  return start + (domainSize / 2 - 2 * half) * PAIR_BYTES;
}

export function fillTransformTables(
  kernel: Kernel,
  memory: WebAssembly.Memory,
  layout: TransformLayout,
): void {
  const { domainSize } = layout;
  const power = Math.log2(domainSize);
  for (let half = domainSize / 4; half >= 1; half /= 2) {
    const root = rootOfUnity(Math.log2(4 * half));
    for (const [start, base] of [
      [layout.twiddles, root],
      [layout.inverseTwiddles, fieldInverse(root)],
    ] as const) {
      const table = twiddlesAt(start, domainSize, half);
      fillPowers(kernel, memory, layout, table, half, [1n, base], (count) => fieldPower(base, BigInt(count)));
    }
  }
  const shift = rootOfUnity(power + 1);
  const share = fieldInverse(BigInt(domainSize));
  const atOne = fieldMultiply(share, fieldPower(shift, BigInt(domainSize / 2)));
  // Place 2^k holds coefficient n/2^(k+1).
  fillPowers(kernel, memory, layout, layout.shifts, domainSize / 2, [share, atOne], (count) =>
    fieldPower(shift, BigInt(domainSize / (2 * count))),
  );
}

/** Doubles a table: places from `count` on are the first `count` times `factorOf(count)`. */
function fillPowers(
  kernel: Kernel,
  memory: WebAssembly.Memory,
  layout: TransformLayout,
  table: number,
  pairs: number,
  first: readonly [bigint, bigint],
  factorOf: (count: number) => bigint,
): void {
  const doubles = new Float64Array(memory.buffer);
  first.forEach((value, lane) => {
    montgomeryDigits(value, FIELD_MODULUS).forEach((digit, at) => {
      doubles[table / 8 + 2 * at + lane] = digit;
    });
  });
  for (let done = 1; done < pairs; done *= 2) {
    doubles.set(montgomeryDigits(factorOf(2 * done), FIELD_MODULUS), layout.factor / 8);
    kernel.scalePairs(table, layout.factor, table + done * PAIR_BYTES, done);
  }
}

/** Values on the domain to values on the odd points, in place. */
export function moveToOddPoints(kernel: Kernel, layout: TransformLayout, values: number): void {
  const { domainSize, inverseTwiddles, twiddles, shifts } = layout;
  const pairs = domainSize / 2;
  for (let half = pairs / 2; half >= 1; half /= 2) {
    kernel.decimateFrequency(values, pairs, half, twiddlesAt(inverseTwiddles, domainSize, half));
  }
  kernel.neighbours(values, pairs);
  kernel.multiplyPairs(values, shifts, values, pairs);
  kernel.neighbours(values, pairs);
  for (let half = 1; half < pairs; half *= 2) {
    kernel.decimateTime(values, pairs, half, twiddlesAt(twiddles, domainSize, half));
  }
}
