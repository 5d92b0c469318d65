/**
 * Parameters of Poseidon over the BN254 scalar field as circomlib uses it, in the form that needs the
 * fewest multiplications (Poseidon paper, eprint 2019/458, appendix B).
 *
 * In a partial round only the first element passes the S-box, so whatever acts on the others alone
 * may be moved past it. Two such moves make a partial round cost 2t multiplications instead of t²:
 * constants of the others are pushed forward through the mixing into the next round, and with
 * M = [[m, v], [w, N]] each mixing is split into a sparse matrix and diag(1, N), which moves to the
 * round before, where it meets the next M. What has gathered at the front becomes part of the last
 * full mixing before the partial rounds.
 */
import { grainGenConstants } from '@noble/curves/abstract/poseidon.js';
import { babyjubjub } from '@noble/curves/misc.js';
import { FIELD_MODULUS, fieldInverse, toField } from './field.ts';

type Vector = readonly bigint[];
type Matrix = readonly Vector[];

/** One partial round: first ← corner·first + Σ row·others, others ← others + column·old first. */
export interface PartialRound {
  /** Added to the first element before its S-box. */
  readonly constant: bigint;
  readonly row: Vector;
  readonly column: Vector;
}

export interface PoseidonParameters {
  /** Elements of the state: inputs and one of capacity. */
  readonly width: number;
  /** Added before the S-boxes of each full round, in order. */
  readonly fullConstants: readonly Vector[];
  readonly mixing: Matrix;
  /** Mixing of the last full round before the partial ones. */
  readonly lastMixing: Matrix;
  /** Top left element of the mixing. */
  readonly corner: bigint;
  readonly partialRounds: readonly PartialRound[];
}

export const FULL_ROUNDS = 8;

/** Partial rounds by number of inputs, 1 to 16 (N_ROUNDS_P in circomlib's poseidon.circom). */
const PARTIAL_ROUNDS = [56, 57, 56, 60, 60, 63, 64, 63, 60, 66, 60, 65, 70, 60, 64, 68];

/**
 * Derives the parameters for 1 to 16 inputs: 10 to 60 ms, so ask once for each.
 * @throws RangeError for another number of inputs.
 */
export function derivePoseidonParameters(inputCount: number): PoseidonParameters {
  const partialCount = PARTIAL_ROUNDS[inputCount - 1];
  if (partialCount === undefined) throw new RangeError(`Poseidon takes 1 to 16 inputs, not ${inputCount}`);
  const width = inputCount + 1;
  const { roundConstants, mds: mixing } = grainGenConstants({
    Fp: babyjubjub.Point.Fp,
    t: width,
    roundsFull: FULL_ROUNDS,
    roundsPartial: partialCount,
  });
  const half = FULL_ROUNDS / 2;
  const pushed = pushConstants(mixing, roundConstants.slice(half, half + partialCount));
  const afterPartial = roundConstants.slice(half + partialCount);
  const [corner, ...topRow] = mixing[0];
  const leftColumn = mixing.slice(1).map(([first]) => first);
  const inner = mixing.slice(1).map(([, ...rest]) => rest);
  const innerInverse = inverse(inner);

  // Round i from the end has row v·N^−i and column N^(i−1)·w.
  const partialRounds: PartialRound[] = [];
  let [row, column]: Vector[] = [topRow, leftColumn];
  for (let round = partialCount - 1; round >= 0; round--) {
    row = multiply([row], innerInverse)[0];
    partialRounds.unshift({ constant: pushed.constants[round], row, column });
    column = column.map((_, place) => dot(inner[place], column));
  }
  const gathered = multiply(power(inner, partialCount), mixing.slice(1));
  return {
    width,
    fullConstants: [
      ...roundConstants.slice(0, half),
      sum(afterPartial[0], pushed.rest),
      ...afterPartial.slice(1),
    ],
    mixing,
    lastMixing: [mixing[0], ...gathered],
    corner,
    partialRounds,
  };
}

/** Keeps the first element of each round's constants; the rest enters the next round's by mixing. */
function pushConstants(mixing: Matrix, rounds: readonly Vector[]): { constants: bigint[]; rest: Vector } {
  const constants: bigint[] = [];
  let rest: Vector = mixing.map(() => 0n);
  for (const round of rounds) {
    const [first, ...others] = sum(round, rest);
    constants.push(first);
    rest = mixing.map((row) => dot(row, [0n, ...others]));
  }
  return { constants, rest };
}

function sum(left: Vector, right: Vector): Vector {
  return left.map((value, place) => toField(value + right[place]));
}

function dot(left: Vector, right: Vector): bigint {
  return left.reduce((total, value, place) => total + value * right[place], 0n) % FIELD_MODULUS;
}

function multiply(left: Matrix, right: Matrix): Matrix {
  const columns = right[0].map((_, place) => right.map((row) => row[place]));
  return left.map((row) => columns.map((column) => dot(row, column)));
}

function power(base: Matrix, exponent: number): Matrix {
  if (exponent === 1) return base;
  const root = power(base, exponent >> 1);
  const square = multiply(root, root);
  return exponent & 1 ? multiply(square, base) : square;
}

/** Gauss and Jordan; every pivot of these matrices is found without exchanging rows or refused. */
function inverse(matrix: Matrix): Matrix {
  const size = matrix.length;
  const rows = matrix.map((row, at) => [...row, ...row.map((_, place) => (place === at ? 1n : 0n))]);
  for (let pivot = 0; pivot < size; pivot++) {
    // Throws on a zero pivot, which the fixed matrices of the sixteen widths do not have.
    const factor = fieldInverse(rows[pivot][pivot]);
    rows[pivot] = rows[pivot].map((value) => (value * factor) % FIELD_MODULUS);
    for (let at = 0; at < size; at++) {
      const share = rows[at][pivot];
      if (at === pivot || share === 0n) continue;
      rows[at] = rows[at].map((value, place) => toField(value - share * rows[pivot][place]));
    }
  }
  return rows.map((row) => row.slice(size));
}
