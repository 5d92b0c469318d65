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

/**
 * Evaluates the circuit and hands out coefficient records in file order.
 * @param scalars filled; shared memory, so that threads can use it.
 * @param writeCoefficients takes whole records; the bytes are valid during the call only.
 * @returns how many records there were.
 */
export function evaluateQap(
  curve: WasmCurve,
  r1cs: R1csFile,
  waste: ToxicWaste,
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
  const sumOf = (matrix: Matrix, wire: number) => sums + (matrix * wireCount + wire) * FIELD_BYTES;

  const block = curve.allocate(BLOCK_BYTES);
  const product = curve.allocate(FIELD_BYTES);
  const one = curve.allocate(FIELD_BYTES);
  const writer = new CoefficientWriter(curve, writeCoefficients);
  const { frm_mul, frm_add, frm_fromMontgomery } = curve.call;
  r1cs.visitTerms(() => curve.bytes.subarray(block, block + BLOCK_BYTES), {
    term(matrix, constraintIndex, wire, coefficientAt) {
      // Plain times Montgomery form is plain: the sums need no conversion.
      frm_mul(block + coefficientAt, lagrange + constraintIndex * FIELD_BYTES, product);
      const sum = sumOf(matrix, wire);
      frm_add(sum, product, sum);
      if (matrix !== MATRIX_C) writer.add(matrix, constraintIndex, wire, block + coefficientAt);
    },
  });
  curve.write(one, 1n);
  for (let wire = 0; wire <= publicCount; wire++) {
    const row = constraintCount + wire;
    frm_fromMontgomery(lagrange + row * FIELD_BYTES, product);
    frm_add(sumOf(MATRIX_A, wire), product, sumOf(MATRIX_A, wire));
    writer.add(MATRIX_A, row, wire, one);
  }
  combine(curve, waste, sums, wireCount, publicCount, scalars);
  return writer.finish();
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
  readonly #rCubed: number;
  readonly #multiply: (left: number, right: number, out: number) => number;
  readonly #words: Uint32Array;
  #pending = 0;
  #total = 0;

  constructor(curve: WasmCurve, write: (records: Uint8Array) => void) {
    this.#curve = curve;
    this.#write = write;
    this.#records = curve.allocate(BLOCK_BYTES);
    // A Montgomery product with R³ multiplies by R²: one operation instead of two conversions.
    this.#rCubed = curve.allocate(FIELD_BYTES);
    curve.write(this.#rCubed, MONTGOMERY_R ** 3n % FIELD_MODULUS);
    this.#multiply = curve.call.frm_mul;
    // A view of today's memory: construct the writer after all other allocations.
    this.#words = new Uint32Array(curve.bytes.buffer);
  }

  add(matrix: Matrix, constraintIndex: number, wire: number, coefficient: number): void {
    const record = this.#records + this.#pending * COEFFICIENT_BYTES;
    this.#words[record / 4] = matrix;
    this.#words[record / 4 + 1] = constraintIndex;
    this.#words[record / 4 + 2] = wire;
    this.#multiply(coefficient, this.#rCubed, record + 12);
    this.#pending++;
    if (this.#pending === this.#recordsMax) this.#flush();
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
