/**
 * What a prover may still choose once the inputs are fixed: the kernel of the constraints' Jacobian at a witness.
 * A hint outside of it is determined (up to discrete choices, such as bits); a wire in it is free, alone or with others.
 */
import { fieldInverse, FIELD_MODULUS as P } from '#protocol/crypto/field.ts';
import { type ConstraintSystem, evaluate, type LinearCombination } from './constraint-system.ts';

/** An arbitrary number whose powers have nothing to do with the coefficients of a circuit. */
const WEIGHT_RATIO = 0x1d8f3c5e9a7b4260f1e2d3c4b5a69788796a5b4c3d2e1f00ff1122334455667n;

const mod = (value: bigint): bigint => ((value % P) + P) % P;

/** `factor` times a row was taken from another. */
interface Subtraction {
  readonly from: number;
  readonly row: number;
  readonly factor: bigint;
}

/** Rows of the Jacobian with only wires from `firstWire` on, and for each wire the rows that it is in. */
class Jacobian {
  readonly rows: Map<number, bigint>[] = [];
  readonly columns = new Map<number, Set<number>>();
  readonly peeled = new Set<number>();

  constructor(system: ConstraintSystem, values: readonly bigint[], firstWire: number) {
    for (const [a, b, c] of system.constraints) {
      const row = new Map<number, bigint>();
      const add = (combination: LinearCombination, factor: bigint): void => {
        if (factor === 0n) return;
        combination.wires.forEach((wire, i) => {
          if (wire < firstWire) return;
          row.set(wire, mod((row.get(wire) ?? 0n) + combination.coefficients[i] * factor));
        });
      };
      add(a, evaluate(b, values));
      add(b, evaluate(a, values));
      add(c, -1n);
      this.rows.push(new Map());
      for (const [wire, derivative] of row) this.#set(this.rows.length - 1, wire, derivative);
    }
  }

  #set(row: number, wire: number, value: bigint): void {
    const column = this.columns.get(wire) ?? new Set();
    this.columns.set(wire, column);
    if (value === 0n) {
      this.rows[row].delete(wire);
      column.delete(row);
    } else {
      this.rows[row].set(wire, value);
      column.add(row);
    }
  }

  /** Takes away every row with a wire that no other row has, until there is none: none of them can be a combination. */
  peel(): void {
    const alone = [...this.columns].filter(([, rows]) => rows.size === 1).map(([wire]) => wire);
    for (let wire = alone.pop(); wire !== undefined; wire = alone.pop()) {
      const rows = this.columns.get(wire);
      if (rows?.size !== 1) continue;
      const [row] = rows;
      for (const other of [...this.rows[row].keys()]) {
        this.#set(row, other, 0n);
        if (this.columns.get(other)?.size === 1) alone.push(other);
      }
      this.peeled.add(row);
    }
  }

  /** Uses a row to take its rarest wire out of all others. The row and the wire are gone afterwards. */
  eliminate(row: number): readonly Subtraction[] {
    const pivotRow = [...this.rows[row]];
    const rarity = (wire: number): number => this.columns.get(wire)?.size ?? 0;
    const [pivot, derivative] = pivotRow.reduce((best, entry) =>
      rarity(entry[0]) < rarity(best[0]) ? entry : best,
    );
    for (const [wire] of pivotRow) this.#set(row, wire, 0n);
    const others = [...(this.columns.get(pivot) ?? [])];
    const inverse = others.length === 0 ? 0n : fieldInverse(derivative);
    const subtractions = others.map((from) => ({
      from,
      row,
      factor: mod((this.rows[from].get(pivot) ?? 0n) * inverse),
    }));
    for (const { from, factor } of subtractions) {
      for (const [wire, value] of pivotRow) {
        this.#set(from, wire, mod((this.rows[from].get(wire) ?? 0n) - factor * value));
      }
    }
    this.columns.delete(pivot);
    return subtractions;
  }
}

/** Wires that stay free at this witness with all inputs fixed; with none, the witness is the only one near it. */
export function freeWires(system: ConstraintSystem, values: readonly bigint[]): number[] {
  const firstWire = 1 + system.publicCount + system.privateInputCount;
  const jacobian = new Jacobian(system, values, firstWire);
  const wires = Array.from({ length: system.wireCount - firstWire }, (_, i) => firstWire + i);
  const untouched = wires.filter((wire) => !jacobian.columns.has(wire));
  reduce(jacobian);
  return [...untouched, ...jacobian.columns.keys()];
}

/**
 * Constraints that at first order say nothing of their own at this witness, no wire fixed but the constant 1: each is a
 * combination of others. A constraint that is not among them refuses a direction that all others allow.
 */
export function dependentConstraints(system: ConstraintSystem, values: readonly bigint[]): Set<number> {
  const subtractions: Subtraction[] = [];
  const jacobian = new Jacobian(system, values, 1);
  jacobian.peel();
  const used = reduce(jacobian, (step) => subtractions.push(...step));
  // A combination of rows that vanishes, of all there are with unrelated weights: whoever is in any is in this one.
  const weights = new Map<number, bigint>();
  let weight = 1n;
  for (let row = 0; row < system.constraints.length; row++) {
    weight = (weight * WEIGHT_RATIO) % P;
    if (!used.has(row) && !jacobian.peeled.has(row)) weights.set(row, weight);
  }
  for (const { from, row, factor } of subtractions.reverse()) {
    const share = weights.get(from) ?? 0n;
    if (share !== 0n) weights.set(row, mod((weights.get(row) ?? 0n) - factor * share));
  }
  return new Set([...weights].filter(([, share]) => share !== 0n).map(([row]) => row));
}

/** Eliminates until every row was used or is zero; tells the rows that were used. */
function reduce(
  jacobian: Jacobian,
  onStep: (step: readonly Subtraction[]) => void = () => undefined,
): ReadonlySet<number> {
  const used = new Set<number>();
  // Shortest rows first: most wires follow from one other, so hardly any row grows.
  const bySize: Set<number>[] = [];
  const place = (row: number): void => {
    const { size } = jacobian.rows[row];
    if (size === 0) return;
    bySize[size] ??= new Set();
    bySize[size].add(row);
  };
  jacobian.rows.forEach((_, row) => {
    place(row);
  });
  for (;;) {
    const size = bySize.findIndex((rows) => rows !== undefined && rows.size > 0);
    if (size < 0) return used;
    const [row] = bySize[size];
    bySize[size].delete(row);
    if (jacobian.rows[row].size !== size) {
      place(row);
      continue;
    }
    const step = jacobian.eliminate(row);
    used.add(row);
    onStep(step);
    for (const { from } of step) place(from);
  }
}
