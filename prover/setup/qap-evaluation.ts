/**
 * The quadratic program of a circuit at τ: for every wire i the values u_i, v_i, w_i of its
 * polynomials in A, B and C, from one pass over the constraints, which also yields the coefficient
 * records of the proving key.
 *
 * As in snarkjs, each public wire gets a row of its own (A = the wire) after the constraints, which
 * binds it even where no constraint mentions it.
 */
import { FIELD_MODULUS, fieldInverse, toField } from '#protocol/crypto/field.ts';
import { LagrangeRow, lagrangeFactor, rootOfUnity } from './lagrange.ts';
import { MATRIX_A, MATRIX_C, type Matrix, type R1csFile } from './r1cs.ts';
import type { ToxicWaste } from './toxic-waste.ts';
import { VectorTermSums } from './vector-term-sums.ts';
import { FIELD_BYTES, MONTGOMERY_R, type WasmCurve } from './wasm-curve.ts';
import { COEFFICIENT_BYTES } from './zkey-layout.ts';

const BLOCK_BYTES = 1 << 21;
const WORDS = FIELD_BYTES / 4;

/** log2 of the evaluation domain: constraints and rows of public wires must fit, as snarkjs counts. */
export function domainPower(constraintCount: number, publicCount: number): number {
  return Math.floor(Math.log2(constraintCount + publicCount)) + 1;
}

/** Scalars by section of the proving key, eight little-endian 32-bit words each, canonical. */
export interface QapScalars {
  /** u_i for every wire. */
  readonly a: Uint32Array;
  /** v_i for every wire. */
  readonly b: Uint32Array;
  /** (β·u_i + α·v_i + w_i), over γ for public wires and the constant, over δ for the others. */
  readonly c: Uint32Array;
}

/** Σ coefficient·L_row(τ) by matrix and wire. */
export interface TermSums {
  /**
   * Adds a term. `coefficient` and `record` are addresses in the curve's memory, divisible by 4: at
   * `record`, unless that is 0, goes the coefficient as the proving key has it, value·R² mod r.
   */
  add(matrix: Matrix, row: number, wire: number, coefficient: number, record: number): void;
  /** Has the canonical sums in place: those of A for all wires, then of B, then of C. */
  finish(): void;
}

/** Where the curve's memory holds what terms are summed from and to. */
export interface TermPlaces {
  readonly wireCount: number;
  readonly rowCount: number;
  /** L_row(τ) in Montgomery form. */
  readonly lagrange: number;
  /** Room for 3·wireCount scalars, zeros. */
  readonly sums: number;
}

/** What is evaluated, and with what. */
export interface QapTask {
  readonly curve: WasmCurve;
  /** The prover's kernel, where the machine can run it. */
  readonly kernel: WebAssembly.Module | undefined;
  readonly r1cs: R1csFile;
  readonly waste: ToxicWaste;
}

/**
 * Evaluates the circuit and hands out coefficient records in file order.
 * @param scalars filled; shared memory, so that threads can use it.
 * @param writeCoefficients takes whole records; the bytes are valid during the call only.
 * @returns how many records there were.
 */
export function evaluateQap(
  { curve, kernel, r1cs, waste }: QapTask,
  scalars: QapScalars,
  writeCoefficients: (records: Uint8Array) => void,
): number {
  const { wireCount, constraintCount, outputCount, publicInputCount } = r1cs.header;
  const publicCount = outputCount + publicInputCount;
  const power = domainPower(constraintCount, publicCount);
  const rowCount = constraintCount + publicCount + 1;
  const lagrange = curve.allocate(rowCount * FIELD_BYTES);
  new LagrangeRow(curve, waste.tau, lagrangeFactor(waste.tau, 2 ** power), rootOfUnity(power)).write(
    lagrange,
    1n,
    rowCount,
  );
  const sums = curve.allocate(3 * wireCount * FIELD_BYTES);
  const block = curve.allocate(BLOCK_BYTES);
  const one = curve.allocate(FIELD_BYTES);
  curve.write(one, 1n);
  const [product, rCubed] = [curve.allocate(FIELD_BYTES), curve.allocate(FIELD_BYTES)];
  const writer = new CoefficientWriter(curve, writeCoefficients);
  const terms = kernel
    ? new VectorTermSums(kernel, curve, { wireCount, rowCount, lagrange, sums })
    : new PlainTermSums(curve, { wireCount, rowCount, lagrange, sums }, product, rCubed);
  r1cs.visitTerms(() => curve.bytes.subarray(block, block + BLOCK_BYTES), {
    term(matrix, constraintIndex, wire, coefficientAt) {
      const record = matrix === MATRIX_C ? 0 : writer.next(matrix, constraintIndex, wire);
      terms.add(matrix, constraintIndex, wire, block + coefficientAt, record);
    },
  });
  for (let wire = 0; wire <= publicCount; wire++) {
    const row = constraintCount + wire;
    terms.add(MATRIX_A, row, wire, one, writer.next(MATRIX_A, row, wire));
  }
  terms.finish();
  const recordCount = writer.finish();
  combine(curve, waste, sums, wireCount, publicCount, scalars);
  return recordCount;
}

/** One product at a time, in place. */
class PlainTermSums implements TermSums {
  readonly #places: TermPlaces;
  readonly #product: number;
  readonly #rCubed: number;
  readonly #multiply: (left: number, right: number, out: number) => number;
  readonly #add: (left: number, right: number, out: number) => number;

  /** @param product and rCubed: addresses of a scalar each, for this object alone. */
  constructor(curve: WasmCurve, places: TermPlaces, product: number, rCubed: number) {
    this.#places = places;
    this.#product = product;
    // A Montgomery product with R³ multiplies by R²: one operation instead of two conversions.
    this.#rCubed = rCubed;
    curve.write(rCubed, MONTGOMERY_R ** 3n % FIELD_MODULUS);
    this.#multiply = curve.call.frm_mul;
    this.#add = curve.call.frm_add;
  }

  add(matrix: Matrix, row: number, wire: number, coefficient: number, record: number): void {
    const { wireCount, lagrange, sums } = this.#places;
    const sum = sums + (matrix * wireCount + wire) * FIELD_BYTES;
    // Plain times Montgomery form is plain: the sums need no conversion.
    this.#multiply(coefficient, lagrange + row * FIELD_BYTES, this.#product);
    this.#add(sum, this.#product, sum);
    if (record !== 0) this.#multiply(coefficient, this.#rCubed, record);
  }

  finish(): void {}
}

/** Copies u and v out and combines them to the third scalar, in place of w. */
function combine(
  curve: WasmCurve,
  waste: ToxicWaste,
  sums: number,
  wireCount: number,
  publicCount: number,
  scalars: QapScalars,
): void {
  const { frm_mul, frm_add } = curve.call;
  const factorsOver = (divisor: bigint) => {
    const inverse = fieldInverse(divisor);
    return [waste.beta, waste.alpha, 1n].map((factor) => curve.constant(toField(factor * inverse)));
  };
  const forPublic = factorsOver(waste.gamma);
  const forPrivate = factorsOver(waste.delta);
  const [u, v, w] = [0, 1, 2].map((matrix) => sums + matrix * wireCount * FIELD_BYTES);
  const [betaU, alphaV] = [curve.allocate(FIELD_BYTES), curve.allocate(FIELD_BYTES)];
  for (let wire = 0; wire < wireCount; wire++) {
    const [beta, alpha, unit] = wire <= publicCount ? forPublic : forPrivate;
    const at = wire * FIELD_BYTES;
    frm_mul(u + at, beta, betaU);
    frm_mul(v + at, alpha, alphaV);
    frm_mul(w + at, unit, w + at);
    frm_add(w + at, betaU, w + at);
    frm_add(w + at, alphaV, w + at);
  }
  const words = new Uint32Array(curve.bytes.buffer);
  const copyOut = (from: number, target: Uint32Array) =>
    target.set(words.subarray(from / 4, from / 4 + wireCount * WORDS));
  copyOut(u, scalars.a);
  copyOut(v, scalars.b);
  copyOut(w, scalars.c);
}

/** Gathers records (matrix, constraint, wire, value·R² mod r) and hands them out by the block. */
class CoefficientWriter {
  readonly #curve: WasmCurve;
  readonly #write: (records: Uint8Array) => void;
  readonly #records: number;
  readonly #recordsMax = Math.floor(BLOCK_BYTES / COEFFICIENT_BYTES);
  readonly #words: Uint32Array;
  #pending = 0;
  #total = 0;

  constructor(curve: WasmCurve, write: (records: Uint8Array) => void) {
    this.#curve = curve;
    this.#write = write;
    this.#records = curve.allocate(BLOCK_BYTES);
    // A view of today's memory: construct the writer after all other allocations.
    this.#words = new Uint32Array(curve.bytes.buffer);
  }

  /** Begins a record; its value belongs at the returned address, before the next record. */
  next(matrix: Matrix, constraintIndex: number, wire: number): number {
    if (this.#pending === this.#recordsMax) this.#flush();
    const record = this.#records + this.#pending++ * COEFFICIENT_BYTES;
    this.#words[record / 4] = matrix;
    this.#words[record / 4 + 1] = constraintIndex;
    this.#words[record / 4 + 2] = wire;
    return record + COEFFICIENT_BYTES - FIELD_BYTES;
  }

  finish(): number {
    this.#flush();
    return this.#total;
  }

  #flush(): void {
    const end = this.#records + this.#pending * COEFFICIENT_BYTES;
    this.#write(this.#curve.bytes.subarray(this.#records, end));
    this.#total += this.#pending;
    this.#pending = 0;
  }
}
