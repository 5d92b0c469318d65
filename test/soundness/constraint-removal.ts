/**
 * A circuit with one constraint removed, for every constraint: does it accept what the circuit refuses? A constraint is
 * seen to matter in one of three ways, the first of which is weaker than the others:
 *
 * - at first order: at an honest witness, every wire but the constant 1 being free to move, there is a direction that
 *   this constraint alone refuses. That is a statement about derivatives; no second witness is computed.
 * - by a witness near an honest one, found by search (bad-witness.ts), that violates this constraint alone;
 * - by a lie: an input that is not true, everything after it computed without checks, violates this constraint alone.
 *
 * A bad witness may belong to any statement: other inputs, other public values. What is shown is that no constraint
 * follows from all others, not what a prover gains without it; that attacks fail is for test/circuits/attacks*. In
 * particular the challenge is not tied to the commitment in the circuit, but by the contract.
 */
import { BadWitnessSearch } from './bad-witness.ts';
import { type ConstraintSystem, isSatisfied } from './constraint-system.ts';
import { dependentConstraints } from './tangent-space.ts';

export class ConstraintRemoval {
  readonly #system: ConstraintSystem;
  readonly #left: Set<number>;

  constructor(system: ConstraintSystem) {
    this.#system = system;
    this.#left = new Set(system.constraints.keys());
  }

  /** Constraints whose removal nothing has noticed yet. */
  get survivors(): ReadonlySet<number> {
    return this.#left;
  }

  /** Judges at first order; gives how many more constraints are seen to matter. */
  killAtFirstOrder(witness: readonly bigint[]): number {
    const dependent = dependentConstraints(this.#system, witness);
    return this.#kill((constraint) => !dependent.has(constraint));
  }

  /** Searches near this witness; gives how many more constraints are seen to matter. */
  killByWitness(witness: readonly bigint[]): number {
    const search = new BadWitnessSearch(this.#system, witness);
    return this.#kill((constraint) => search.find(constraint) !== undefined);
  }

  /** The one constraint that refuses these values, apart from those that tell only what `absorbed` wires are. */
  killByLie(values: readonly bigint[], absorbed: readonly number[] = []): number | undefined {
    const telling = new Set(absorbed.flatMap((wire) => this.#system.constraintsOf[wire]));
    const violated: number[] = [];
    for (const [index, constraint] of this.#system.constraints.entries()) {
      if (telling.has(index) || isSatisfied(constraint, values)) continue;
      violated.push(index);
      if (violated.length > 1) return undefined;
    }
    const [only] = violated;
    this.#left.delete(only);
    return only;
  }

  #kill(matters: (constraint: number) => boolean): number {
    const killed = [...this.#left].filter(matters);
    for (const constraint of killed) this.#left.delete(constraint);
    return killed.length;
  }
}

/**
 * Constraints by what they say: the names of their wires without indices. Constraints of one kind come from one line of
 * the source, written out for every row, slot or bit.
 */
export function kindsOf(
  system: ConstraintSystem,
  names: ReadonlyMap<number, string>,
): Map<string, readonly number[]> {
  const kinds = new Map<string, number[]>();
  const nameOf = (wire: number): string =>
    wire === 0 ? '1' : (names.get(wire) ?? `wire ${wire}`).replace(/\[\d+\]/g, '[]');
  system.constraints.forEach((constraint, index) => {
    const kind = constraint.map(({ wires }) => wires.map(nameOf).sort().join(' + ')).join(' · ');
    const known = kinds.get(kind);
    if (known === undefined) kinds.set(kind, [index]);
    else known.push(index);
  });
  return kinds;
}
