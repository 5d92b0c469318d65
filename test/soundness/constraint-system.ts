/**
 * A compiled circuit as a list of rank-1 constraints, and questions about it at one witness:
 * which wires are determined by the inputs (`determineWires`), and which nothing reads (`isUnread`).
 * Whether a wrong value of one wire, with everything that follows from it recomputed, is noticed
 * is asked in witness-mutation.ts.
 */
import { fieldInverse, FIELD_MODULUS as P } from '#protocol/crypto/field.ts';
import { type Matrix, R1csFile } from '#prover/setup/r1cs.ts';

/** One linear combination: coefficients[i] · wire wires[i]. */
export interface LinearCombination {
  readonly wires: number[];
  readonly coefficients: bigint[];
}
/** combinations[0] · combinations[1] = combinations[2]. */
export type Constraint = readonly [LinearCombination, LinearCombination, LinearCombination];

export interface ConstraintSystem {
  readonly wireCount: number;
  /** Wires 1 … publicCount are public, the next privateInputCount are private inputs. */
  readonly publicCount: number;
  readonly privateInputCount: number;
  readonly constraints: readonly Constraint[];
  /** Indices of the constraints that mention a wire. */
  readonly constraintsOf: readonly number[][];
}

const BLOCK_BYTES = 1 << 20;

export function readConstraintSystem(path: string): ConstraintSystem {
  const file = new R1csFile(path);
  const { constraintCount, wireCount, outputCount, publicInputCount, privateInputCount } = file.header;
  const emptyCombination = (): LinearCombination => ({ wires: [], coefficients: [] });
  const constraints: Constraint[] = Array.from({ length: constraintCount }, () => [
    emptyCombination(),
    emptyCombination(),
    emptyCombination(),
  ]);
  const constraintsOf: number[][] = Array.from({ length: wireCount }, () => []);
  const block = new Uint8Array(BLOCK_BYTES);
  const view = new DataView(block.buffer);
  // Most coefficients are repeated: sharing the bigint keeps a large system in memory.
  const shared = new Map<bigint, bigint>();
  file.visitTerms(() => block, {
    term(matrix: Matrix, constraintIndex: number, wire: number, at: number) {
      let value = 0n;
      for (let limb = 3; limb >= 0; limb--) value = (value << 64n) | view.getBigUint64(at + 8 * limb, true);
      const known = shared.get(value);
      if (known === undefined) shared.set(value, value);
      const combination = constraints[constraintIndex][matrix];
      combination.wires.push(wire);
      combination.coefficients.push(known ?? value);
      const list = constraintsOf[wire];
      if (list[list.length - 1] !== constraintIndex) list.push(constraintIndex);
    },
  });
  file.close();
  return {
    wireCount,
    publicCount: outputCount + publicInputCount,
    privateInputCount,
    constraints,
    constraintsOf,
  };
}

export function evaluate(combination: LinearCombination, values: readonly bigint[]): bigint {
  let sum = 0n;
  for (let i = 0; i < combination.wires.length; i++) {
    sum += combination.coefficients[i] * values[combination.wires[i]];
  }
  return sum % P;
}

export function isSatisfied(constraint: Constraint, values: readonly bigint[]): boolean {
  return (
    (evaluate(constraint[0], values) * evaluate(constraint[1], values) - evaluate(constraint[2], values)) %
      P ===
    0n
  );
}

/** The first violated constraint, or −1. */
export const firstViolation = (system: ConstraintSystem, values: readonly bigint[]): number =>
  system.constraints.findIndex((constraint) => !isSatisfied(constraint, values));

/**
 * Whether a wire alone may take any value at a witness: a constraint is at most quadratic in it, so one that
 * holds at three values holds at all.
 */
export function isUnread(system: ConstraintSystem, witness: readonly bigint[], wire: number): boolean {
  const alone = [...witness];
  return [1n, 2n].every((difference) => {
    alone[wire] = (witness[wire] + difference) % P;
    return system.constraintsOf[wire].every((index) => isSatisfied(system.constraints[index], alone));
  });
}

const coefficientOf = (combination: LinearCombination, wire: number): bigint => {
  let sum = 0n;
  for (let i = 0; i < combination.wires.length; i++) {
    if (combination.wires[i] === wire) sum += combination.coefficients[i];
  }
  return sum % P;
};

/** How one wire follows from others: `constraint` has no other unknown when its turn comes. */
export interface Definition {
  readonly wire: number;
  readonly constraint: number;
  /** False where the wire enters squared (a bit): two discrete values remain, as for any boolean. */
  readonly isLinear: boolean;
}

export interface Determination {
  /** In an order in which every wire follows from inputs and earlier wires. */
  readonly definitions: readonly Definition[];
  /** Wires that no constraint with one unknown reaches. */
  readonly undetermined: readonly number[];
}

/**
 * Peels the system: with the inputs known, a constraint with one unknown wire and a non-zero
 * derivative there determines it (locally). What is left over at the end is free, or determined
 * only by several constraints together.
 */
export function determineWires(system: ConstraintSystem, values: readonly bigint[]): Determination {
  const known = new Uint8Array(system.wireCount);
  known.fill(1, 0, 1 + system.publicCount + system.privateInputCount);
  const unknownsOf = system.constraints.map((constraint) => {
    const unknown = new Set<number>();
    for (const { wires } of constraint) for (const wire of wires) if (!known[wire]) unknown.add(wire);
    return unknown;
  });
  const queue: number[] = [];
  unknownsOf.forEach((unknown, index) => {
    if (unknown.size === 1) queue.push(index);
  });
  const definitions: Definition[] = [];
  for (let next = 0; next < queue.length; next++) {
    const index = queue[next];
    if (unknownsOf[index].size !== 1) continue;
    const [wire] = unknownsOf[index];
    const [a, b, c] = system.constraints[index];
    const coefficientA = coefficientOf(a, wire);
    const coefficientB = coefficientOf(b, wire);
    const derivative =
      (coefficientA * evaluate(b, values) + coefficientB * evaluate(a, values) - coefficientOf(c, wire)) % P;
    if (derivative === 0n) continue;
    definitions.push({ wire, constraint: index, isLinear: coefficientA === 0n || coefficientB === 0n });
    known[wire] = 1;
    for (const other of system.constraintsOf[wire]) {
      unknownsOf[other].delete(wire);
      if (unknownsOf[other].size === 1) queue.push(other);
    }
  }
  const undetermined: number[] = [];
  for (let wire = 0; wire < system.wireCount; wire++) {
    if (!known[wire] && system.constraintsOf[wire].length > 0) undetermined.push(wire);
  }
  return { definitions, undetermined };
}

/**
 * Rank of the Jacobian over the undetermined wires: how many of them the constraints still fix
 * together. Free dimensions = undetermined.length − rank.
 */
export function residualRank(
  system: ConstraintSystem,
  values: readonly bigint[],
  undetermined: readonly number[],
): number {
  const column = new Map(undetermined.map((wire, i) => [wire, i]));
  const rows = new Set<number>();
  for (const wire of undetermined) for (const index of system.constraintsOf[wire]) rows.add(index);
  const pivots = new Map<number, Map<number, bigint>>();
  for (const index of rows) {
    const [a, b, c] = system.constraints[index];
    const [valueA, valueB] = [evaluate(a, values), evaluate(b, values)];
    let row = new Map<number, bigint>();
    const add = (combination: LinearCombination, factor: bigint) => {
      combination.wires.forEach((wire, i) => {
        const at = column.get(wire);
        if (at === undefined) return;
        const sum = ((row.get(at) ?? 0n) + combination.coefficients[i] * factor) % P;
        if (sum === 0n) row.delete(at);
        else row.set(at, (sum + P) % P);
      });
    };
    add(a, valueB);
    add(b, valueA);
    add(c, P - 1n);
    row = eliminate(row, pivots);
    if (row.size === 0) continue;
    const [lead] = row.keys();
    const inverse = fieldInverse(row.get(lead) ?? 0n);
    pivots.set(lead, new Map([...row].map(([at, value]) => [at, (value * inverse) % P])));
  }
  return pivots.size;
}

function eliminate(row: Map<number, bigint>, pivots: Map<number, Map<number, bigint>>): Map<number, bigint> {
  for (;;) {
    let lead: number | undefined;
    for (const at of row.keys()) {
      if (pivots.has(at)) {
        lead = at;
        break;
      }
    }
    if (lead === undefined) return row;
    const factor = row.get(lead) ?? 0n;
    for (const [at, value] of pivots.get(lead) ?? []) {
      const sum = ((row.get(at) ?? 0n) + (P - factor) * value) % P;
      if (sum === 0n) row.delete(at);
      else row.set(at, sum);
    }
  }
}
