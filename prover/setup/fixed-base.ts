/**
 * Many multiples of one generator, by tables of windows and affine additions that share inversions.
 *
 * Table entry (k, d) is d·2^(w·k)·G. A scalar's multiple is the sum of one entry per window, added
 * from the lowest window up. Because scalars are below the group order r, no sum meets an
 * exceptional case of the affine formula: the part so far is s mod 2^(wk) times G, strictly less
 * than the entry's d·2^(wk), and their sum is at most s < r: never equal, never opposite.
 */
import { FIELD_BYTES, type WasmCurve } from './wasm-curve.ts';

export type Group = 'g1' | 'g2';

/** Scalars multiplied in one run: enough to share an inversion, small enough for the cache. */
export const SCALARS_PER_RUN = 2048;

const SCALAR_BITS = 254;

/** Bytes of an affine point. */
export function pointBytes(group: Group): number {
  return group === 'g1' ? 2 * FIELD_BYTES : 4 * FIELD_BYTES;
}

/**
 * The window width that needs the fewest additions for `scalarCount` scalars, the table's own
 * included. Capped at 15 bits, where a table takes 36 MB in G1 and 71 MB in G2.
 */
export function bestWindowBits(scalarCount: number): number {
  const additions = (bits: number) => Math.ceil(SCALAR_BITS / bits) * (scalarCount + 2 ** bits);
  const widths = [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
  return widths.reduce((best, bits) => (additions(bits) < additions(best) ? bits : best));
}

/** Affine additions out[i] = left[i] + right[i] of points at given addresses, one inversion for all. */
class PairAdder {
  readonly left: Uint32Array;
  readonly right: Uint32Array;
  readonly out: Uint32Array;
  readonly #curve: WasmCurve;
  readonly #field: 'f1m' | 'f2m';
  readonly #fieldBytes: number;
  readonly #inverses: number;
  readonly #temporaries: number;

  constructor(curve: WasmCurve, group: Group, pairsMax: number) {
    this.left = new Uint32Array(pairsMax);
    this.right = new Uint32Array(pairsMax);
    this.out = new Uint32Array(pairsMax);
    this.#curve = curve;
    this.#field = group === 'g1' ? 'f1m' : 'f2m';
    this.#fieldBytes = pointBytes(group) / 2;
    this.#temporaries = curve.allocate(3 * this.#fieldBytes);
    this.#inverses = curve.allocate(pairsMax * this.#fieldBytes, (pairsMax + 2) * this.#fieldBytes);
  }

  /** Adds the first `count` pairs. No pair may be equal, opposite or hold infinity. */
  add(count: number): void {
    if (count === 0) return;
    const size = this.#fieldBytes;
    const { left, right, out } = this;
    const call = this.#curve.call;
    const subtract = call[`${this.#field}_sub`];
    const multiply = call[`${this.#field}_mul`];
    const square = call[`${this.#field}_square`];
    const copy = call[`${this.#field}_copy`];
    const [slope, x, difference] = [0, 1, 2].map((place) => this.#temporaries + place * size);
    for (let i = 0; i < count; i++) subtract(right[i], left[i], this.#inverses + i * size);
    call[`${this.#field}_batchInverse`](this.#inverses, size, count, this.#inverses, size);
    for (let i = 0; i < count; i++) {
      const [leftX, rightX] = [left[i], right[i]];
      const leftY = leftX + size;
      subtract(rightX + size, leftY, difference);
      multiply(difference, this.#inverses + i * size, slope);
      square(slope, x);
      subtract(x, leftX, x);
      subtract(x, rightX, x);
      subtract(leftX, x, difference);
      multiply(slope, difference, difference);
      // y before x: the result may replace the left point.
      subtract(difference, leftY, out[i] + size);
      copy(x, out[i]);
    }
  }
}

/** Multiples of a generator, however they are computed. */
export interface GeneratorMultiples {
  /**
   * Multiples of the generator by `count` ≤ SCALARS_PER_RUN canonical scalars, eight little-endian
   * 32-bit words each. The result may be a view of memory, valid until the next call; multiples by
   * 0 are zeros, the encoding of infinity.
   */
  multiply(scalars: Uint32Array, count: number): Uint8Array;
}

export class FixedBase implements GeneratorMultiples {
  readonly #curve: WasmCurve;
  readonly #pointBytes: number;
  readonly #windowBits: number;
  readonly #windowCount: number;
  readonly #table: number;
  readonly #adder: PairAdder;
  readonly #sums: number;

  /** Builds the table of the group's generator; (254 / windowBits)·2^windowBits additions. */
  constructor(curve: WasmCurve, group: Group, windowBits: number) {
    this.#curve = curve;
    this.#pointBytes = pointBytes(group);
    this.#windowBits = windowBits;
    this.#windowCount = Math.ceil(SCALAR_BITS / windowBits);
    this.#adder = new PairAdder(curve, group, SCALARS_PER_RUN);
    this.#sums = curve.allocate(SCALARS_PER_RUN * this.#pointBytes);
    this.#table = curve.allocate(this.#windowCount * 2 ** windowBits * this.#pointBytes);
    this.#buildTable(group);
  }

  multiply(scalars: Uint32Array, count: number): Uint8Array {
    const { left, right, out } = this.#adder;
    const [size, bits] = [this.#pointBytes, this.#windowBits];
    const isStarted = new Uint8Array(count);
    const bytes = this.#curve.bytes;
    bytes.fill(0, this.#sums, this.#sums + count * size);
    for (let window = 0; window < this.#windowCount; window++) {
      let pairs = 0;
      for (let i = 0; i < count; i++) {
        const digit = digitAt(scalars, i, window * bits, bits);
        if (digit === 0) continue;
        const sum = this.#sums + i * size;
        const entry = this.#entry(window, digit);
        if (isStarted[i] === 0) {
          isStarted[i] = 1;
          bytes.copyWithin(sum, entry, entry + size);
          continue;
        }
        left[pairs] = sum;
        right[pairs] = entry;
        out[pairs++] = sum;
      }
      this.#adder.add(pairs);
    }
    return this.#curve.bytes.subarray(this.#sums, this.#sums + count * size);
  }

  #entry(window: number, digit: number): number {
    return this.#table + ((window << this.#windowBits) + digit) * this.#pointBytes;
  }

  /** Powers of two by doubling, then entry 2^l + e = entry 2^l + entry e, level by level. */
  #buildTable(group: Group): void {
    const { call, code } = this.#curve;
    const jacobianBytes = (this.#pointBytes / 2) * 3;
    const power = this.#curve.allocate(jacobianBytes);
    call[`${group}m_copy`](group === 'g1' ? code.g1Generator : code.g2Generator, power);
    for (let bit = 0; bit < this.#windowCount * this.#windowBits; bit++) {
      const entry = this.#entry(Math.floor(bit / this.#windowBits), 1 << (bit % this.#windowBits));
      call[`${group}m_toAffine`](power, entry);
      call[`${group}m_double`](power, power);
    }
    const { left, right, out } = this.#adder;
    let pairs = 0;
    const flush = () => {
      this.#adder.add(pairs);
      pairs = 0;
    };
    for (let level = 1; level < this.#windowBits; level++) {
      for (let window = 0; window < this.#windowCount; window++) {
        for (let rest = 1; rest < 1 << level; rest++) {
          left[pairs] = this.#entry(window, 1 << level);
          right[pairs] = this.#entry(window, rest);
          out[pairs++] = this.#entry(window, (1 << level) + rest);
          if (pairs === left.length) flush();
        }
      }
      flush();
    }
  }
}

/** Bits [from, from + bits) of scalar `index`; bits beyond the scalar's 256 are 0, not its neighbour's. */
function digitAt(scalars: Uint32Array, index: number, from: number, bits: number): number {
  const word = from >>> 5;
  const shift = from & 31;
  let digit = scalars[8 * index + word] >>> shift;
  if (shift + bits > 32 && word < 7) digit |= scalars[8 * index + word + 1] << (32 - shift);
  return digit & ((1 << bits) - 1);
}
