/**
 * What a prover may still choose once the inputs are fixed: the kernel of the constraints' Jacobian at a witness.
 * A hint outside of it is determined (up to discrete choices, such as bits); a wire in it is free, alone or with others.
 */
import { fieldInverse, FIELD_MODULUS as P } from '#protocol/crypto/field.ts';
import { type ConstraintSystem, evaluate, type LinearCombination } from './constraint-system.ts';

const mod = (value: bigint): bigint => ((value % P) + P) % P;

/** Rows of the Jacobian with only wires after the inputs, and for each wire the rows that it is in. */
class Jacobian {
  readonly rows: Map<number, bigint>[] = [];
  readonly columns = new Map<number, Set<number>>();

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

  /** Uses a row to take its rarest wire out of all others. The row and the wire are gone afterwards. */
  eliminate(row: number): number[] {
    const pivotRow = [...this.rows[row]];
    const rarity = (wire: number): number => this.columns.get(wire)?.size ?? 0;
    const [pivot, derivative] = pivotRow.reduce((best, entry) =>
      rarity(entry[0]) < rarity(best[0]) ? entry : best,
    );
    for (const [wire] of pivotRow) this.#set(row, wire, 0n);
    const changed = [...(this.columns.get(pivot) ?? [])];
    const inverse = fieldInverse(derivative);
    for (const other of changed) {
      const factor = mod((this.rows[other].get(pivot) ?? 0n) * inverse);
      for (const [wire, value] of pivotRow) {
        this.#set(other, wire, mod((this.rows[other].get(wire) ?? 0n) - factor * value));
      }
    }
    this.columns.delete(pivot);
    return changed;
  }
}

/** Wires that stay free at this witness with all inputs fixed; with none, the witness is the only one near it. */
export function freeWires(system: ConstraintSystem, values: readonly bigint[]): number[] {
  const firstWire = 1 + system.publicCount + system.privateInputCount;
  const jacobian = new Jacobian(system, values, firstWire);
  const wires = Array.from({ length: system.wireCount - firstWire }, (_, i) => firstWire + i);
  const untouched = wires.filter((wire) => !jacobian.columns.has(wire));
  return [...untouched, ...kernelOf(jacobian)];
}

function kernelOf(jacobian: Jacobian): number[] {
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
    if (size < 0) return [...jacobian.columns.keys()];
    const [row] = bySize[size];
    bySize[size].delete(row);
    if (jacobian.rows[row].size !== size) {
      place(row);
      continue;
    }
    for (const changed of jacobian.eliminate(row)) place(changed);
  }
}
