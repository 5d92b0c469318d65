/**
 * Many multiples of one generator, as in `fixed-base.ts`, by the prover's kernel where the machine can run
 * it: its additions take under half the time, and signed digits need half the table.
 *
 * Table entry (k, d) is d·2^(w·k)·G for 1 ≤ d ≤ 2^(w−1). A scalar's multiple is the sum of one entry per
 * window, or of the entry's opposite. The kernel's additions are exact in every case.
 */
import { INTEGER_BYTES } from '../groth16/field-functions.ts';
import {
  BASE_MODULUS,
  instantiateKernel,
  inversionBits,
  type Kernel,
  kernelMemory,
} from '../groth16/kernel.ts';
import { Reservation } from '../groth16/key-memory.ts';
import { groupBytes } from '../groth16/point-addition.ts';
import { ADDITION_BYTES, type Degree, ELEMENT_BYTES } from '../groth16/point-code.ts';
import { writeElement, writeImportFactor } from '../groth16/point-section.ts';
import { DigitReader, recodeScalars, windowCount } from '../groth16/scalar-digits.ts';
import { type GeneratorMultiples, type Group, pointBytes, SCALARS_PER_RUN } from './fixed-base.ts';
import type { WasmCurve } from './wasm-curve.ts';

/** Two elements of G2. */
const PRODUCT_BYTES = 256;
const WORDS = INTEGER_BYTES / 4;
const WINDOW_BITS_MIN = 2;
const WINDOW_BITS_MAX = 16;

/**
 * The window width that needs the fewest additions for `scalarCount` scalars, the table's own included.
 * At 16 bits a table takes 42 MB in G1 and 84 MB in G2.
 */
export function bestSignedWindowBits(scalarCount: number): number {
  const additions = (bits: number) => windowCount(bits) * (scalarCount + 2 ** (bits - 1));
  let best = WINDOW_BITS_MIN;
  for (let bits = WINDOW_BITS_MIN; bits <= WINDOW_BITS_MAX; bits++) {
    if (additions(bits) < additions(best)) best = bits;
  }
  return best;
}

/** Where everything lies in the memory of one generator's multiples. */
function layOut(degree: Degree, windowBits: number) {
  const reservation = new Reservation();
  const size = 2 * degree * ELEMENT_BYTES;
  return {
    inversionBits: reservation.take(8 * INTEGER_BYTES),
    importFactor: reservation.take(ELEMENT_BYTES),
    exportFactor: reservation.take(ELEMENT_BYTES),
    product: reservation.take(PRODUCT_BYTES),
    additions: reservation.take(SCALARS_PER_RUN * ADDITION_BYTES),
    groups: reservation.take((SCALARS_PER_RUN / 2) * groupBytes(degree)),
    /** Where a run's odd addition is repeated to. */
    spare: reservation.take(size),
    sums: reservation.take(SCALARS_PER_RUN * size),
    encoded: reservation.take(SCALARS_PER_RUN * 2 * degree * INTEGER_BYTES),
    table: reservation.take(windowCount(windowBits) * 2 ** (windowBits - 1) * size),
    end: reservation.next,
  };
}

/** Additions that wait to share an inversion; an address with its lowest bit set means the opposite point. */
class PendingAdditions {
  readonly #kernel: Kernel;
  readonly #group: Group;
  readonly #layout: ReturnType<typeof layOut>;
  readonly #words: Uint32Array;
  #count = 0;

  constructor(kernel: Kernel, memory: WebAssembly.Memory, group: Group, layout: ReturnType<typeof layOut>) {
    this.#kernel = kernel;
    this.#group = group;
    this.#layout = layout;
    this.#words = new Uint32Array(memory.buffer);
  }

  /** sum = left + right, which may not be the sum of a pending addition. It is there after `flush`. */
  add(left: number, right: number, sum: number): void {
    if (this.#count === SCALARS_PER_RUN) this.flush();
    const word = (this.#layout.additions + this.#count++ * ADDITION_BYTES) / 4;
    this.#words[word] = left;
    this.#words[word + 1] = right;
    this.#words[word + 2] = sum;
  }

  flush(): void {
    if (this.#count === 0) return;
    const { additions, groups, product, spare } = this.#layout;
    if (this.#count % 2 === 1) {
      const last = (additions + (this.#count - 1) * ADDITION_BYTES) / 4;
      this.add(this.#words[last], this.#words[last + 1], spare);
    }
    const groupCount = this.#count / 2;
    this.#kernel[`${this.#group}Forward`](additions, groupCount, groups, product);
    this.#kernel[`${this.#group}Invert`](product, this.#layout.inversionBits);
    this.#kernel[`${this.#group}Backward`](additions, groupCount, groups, product);
    this.#count = 0;
  }
}

export class VectorFixedBase implements GeneratorMultiples {
  readonly #kernel: Kernel;
  readonly #degree: Degree;
  readonly #windowBits: number;
  readonly #layout: ReturnType<typeof layOut>;
  readonly #bytes: Uint8Array;
  readonly #doubles: Float64Array;
  /** Bytes of a point in the kernel's form. */
  readonly #pointBytes: number;
  readonly #additions: PendingAdditions;
  readonly #recoded = new Uint32Array(SCALARS_PER_RUN * WORDS);
  readonly #places = Uint32Array.from({ length: SCALARS_PER_RUN }, (_, place) => place);
  readonly #digits = new Int32Array(SCALARS_PER_RUN);
  /** Where each scalar's multiple so far lies; 0 for infinity. */
  readonly #multiples = new Uint32Array(SCALARS_PER_RUN);

  /**
   * Builds the table of the group's generator, windowCount·2^(windowBits − 1) additions.
   * @param module the compiled kernel.
   * @param curve gives the generator.
   */
  constructor(module: WebAssembly.Module, curve: WasmCurve, group: Group, windowBits: number) {
    this.#degree = group === 'g1' ? 1 : 2;
    this.#windowBits = windowBits;
    this.#pointBytes = 2 * this.#degree * ELEMENT_BYTES;
    this.#layout = layOut(this.#degree, windowBits);
    const memory = kernelMemory(this.#layout.end);
    this.#kernel = instantiateKernel(module, memory);
    this.#bytes = new Uint8Array(memory.buffer);
    this.#doubles = new Float64Array(memory.buffer);
    this.#additions = new PendingAdditions(this.#kernel, memory, group, this.#layout);
    this.#bytes.set(inversionBits(), this.#layout.inversionBits);
    writeImportFactor(memory, this.#layout.importFactor);
    // An element is its number times 2^255: the element of 2 multiplies by 2^256, the file's form.
    writeElement(memory, this.#layout.exportFactor, 2n, BASE_MODULUS);
    this.#importGenerator(curve, group);
    this.#buildTable();
  }

  multiply(scalars: Uint32Array, count: number): Uint8Array {
    const { sums } = this.#layout;
    const size = this.#pointBytes;
    const [digits, multiples] = [this.#digits, this.#multiples];
    const recoded = this.#recoded.subarray(0, count * WORDS);
    const places = this.#places.subarray(0, count);
    recodeScalars(scalars.subarray(0, count * WORDS), recoded, this.#windowBits);
    multiples.fill(0);
    for (let window = 0; window < windowCount(this.#windowBits); window++) {
      new DigitReader(recoded, window, this.#windowBits).digits(places, digits.subarray(0, count));
      const beforeFirst = this.#entry(window, 0);
      for (let i = 0; i < count; i++) {
        const digit = digits[i];
        if (digit === 0) continue;
        const entry = beforeFirst + Math.abs(digit) * size + (digit < 0 ? 1 : 0);
        if (multiples[i] === 0) {
          multiples[i] = entry;
        } else {
          const sum = sums + i * size;
          this.#additions.add(multiples[i], entry, sum);
          multiples[i] = sum;
        }
      }
      this.#additions.flush();
    }
    return this.#encode(count);
  }

  /** The multiples as the file has them: a copy, infinity as zeros. */
  #encode(count: number): Uint8Array {
    const { sums, encoded, exportFactor } = this.#layout;
    const size = this.#pointBytes;
    for (let i = 0; i < count; i++) {
      const multiple = this.#multiples[i];
      if (multiple !== 0 && multiple !== sums + i * size) this.#copyEntry(multiple, sums + i * size);
    }
    this.#kernel.exportBase(sums, encoded, count * this.#degree, exportFactor);
    const bytesPerPoint = 2 * this.#degree * INTEGER_BYTES;
    const points = this.#bytes.slice(encoded, encoded + count * bytesPerPoint);
    for (let i = 0; i < count; i++) {
      if (this.#multiples[i] === 0) points.fill(0, i * bytesPerPoint, (i + 1) * bytesPerPoint);
    }
    return points;
  }

  /** Copies an entry or, of an odd address, its opposite. */
  #copyEntry(reference: number, target: number): void {
    const isOpposite = reference % 2 === 1;
    const from = (reference - (reference % 2)) / 8;
    const length = this.#pointBytes / 8;
    for (let at = 0; at < length; at++) {
      const digit = this.#doubles[from + at];
      this.#doubles[target / 8 + at] = isOpposite && at >= length / 2 ? -digit : digit;
    }
  }

  #entry(window: number, digit: number): number {
    return this.#layout.table + (window * 2 ** (this.#windowBits - 1) + digit - 1) * this.#pointBytes;
  }

  #importGenerator(curve: WasmCurve, group: Group): void {
    const { encoded, importFactor } = this.#layout;
    const affine = curve.allocate(2 * pointBytes(group));
    const generator = group === 'g1' ? curve.code.g1Generator : curve.code.g2Generator;
    curve.call[`${group}m_toAffine`](generator, affine);
    this.#bytes.set(curve.bytes.subarray(affine, affine + pointBytes(group)), encoded);
    this.#kernel.importBase(encoded, this.#entry(0, 1), this.#degree, importFactor);
  }

  /** Powers of two by doubling, then entry 2^l + e = entry 2^l + entry e, level by level. */
  #buildTable(): void {
    const bits = this.#windowBits;
    const windows = windowCount(bits);
    let power = this.#entry(0, 1);
    for (let bit = 1; bit < windows * bits; bit++) {
      const next = this.#entry(Math.floor(bit / bits), 2 ** (bit % bits));
      this.#additions.add(power, power, next);
      this.#additions.flush();
      power = next;
    }
    for (let level = 1; level < bits - 1; level++) {
      for (let window = 0; window < windows; window++) {
        const highest = this.#entry(window, 2 ** level);
        for (let rest = 1; rest < 2 ** level; rest++) {
          this.#additions.add(highest, this.#entry(window, rest), highest + rest * this.#pointBytes);
        }
      }
      this.#additions.flush();
    }
  }
}
