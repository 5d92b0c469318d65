/**
 * Lagrange polynomials of a power-of-two domain at one point, without polynomials:
 * L_j(τ) = ω^j · (τ^n − 1) / (n · (τ − ω^j)), many at a time with one inversion.
 */
import { FIELD_MODULUS, fieldInverse, fieldPower, toField } from '#protocol/crypto/field.ts';
import { FIELD_BYTES, type WasmCurve } from './wasm-curve.ts';

/** r − 1 = 2^28 · odd: the largest domain with roots of unity. */
const TWO_ADICITY = 28n;
/** The least quadratic non-residue, on which ffjavascript builds its roots too. */
const NON_RESIDUE = 5n;
const VALUES_PER_RUN = 8192;

/**
 * ω of the domain of 2^power elements, the same root that snarkjs' transforms use.
 * @throws RangeError beyond 2^28.
 */
export function rootOfUnity(power: number): bigint {
  if (power > Number(TWO_ADICITY)) throw new RangeError(`the field has no domain of size 2^${power}`);
  return fieldPower(NON_RESIDUE, (FIELD_MODULUS - 1n) >> BigInt(power));
}

/** The factor common to all L_j: (τ^n − 1)/n. @throws RangeError when τ lies in the domain. */
export function lagrangeFactor(tau: bigint, domainSize: number): bigint {
  const vanishing = toField(fieldPower(tau, BigInt(domainSize)) - 1n);
  if (vanishing === 0n) throw new RangeError('tau lies in the evaluation domain: take another');
  return toField(vanishing * fieldInverse(BigInt(domainSize)));
}

/** Computes factor · x / (τ − x) for x = first, first·step, first·step², … in WASM memory. */
export class LagrangeRow {
  readonly #curve: WasmCurve;
  readonly #tau: number;
  readonly #factor: number;
  readonly #step: number;
  readonly #points: number;
  readonly #differences: number;

  constructor(curve: WasmCurve, tau: bigint, factor: bigint, step: bigint) {
    this.#curve = curve;
    this.#tau = curve.constant(tau);
    this.#factor = curve.constant(factor);
    this.#step = curve.constant(step);
    this.#points = curve.allocate((VALUES_PER_RUN + 1) * FIELD_BYTES);
    const scratch = (VALUES_PER_RUN + 2) * FIELD_BYTES;
    this.#differences = curve.allocate(VALUES_PER_RUN * FIELD_BYTES, scratch);
  }

  /** Writes `count` values in Montgomery form at `target`, the first for x = `first`. */
  write(target: number, first: bigint, count: number): void {
    const { frm_sub, frm_mul, frm_copy, frm_batchInverse } = this.#curve.call;
    const [points, differences] = [this.#points, this.#differences];
    this.#curve.write(points, first);
    this.#curve.call.frm_toMontgomery(points, points);
    for (let done = 0; done < count; done += VALUES_PER_RUN) {
      const run = Math.min(VALUES_PER_RUN, count - done);
      for (let i = 0; i < run; i++) {
        const point = points + i * FIELD_BYTES;
        frm_sub(this.#tau, point, differences + i * FIELD_BYTES);
        frm_mul(point, this.#step, point + FIELD_BYTES);
      }
      frm_batchInverse(differences, FIELD_BYTES, run, differences, FIELD_BYTES);
      for (let i = 0; i < run; i++) {
        const value = target + (done + i) * FIELD_BYTES;
        frm_mul(points + i * FIELD_BYTES, differences + i * FIELD_BYTES, value);
        frm_mul(value, this.#factor, value);
      }
      frm_copy(points + run * FIELD_BYTES, points);
    }
  }
}
