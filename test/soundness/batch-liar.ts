/**
 * Lies told to the batch circuit, each of which one constraint alone refuses. The bus would refuse most of them too;
 * what it lacks is put on the hash of a market's row, which nothing in the circuit ties to more than the public words.
 * Who chose that hash after the challenge could lie; the commitment, from which the contract makes it, forbids that.
 */
import { fieldInverse, toField } from '#protocol/crypto/field.ts';
import type { CompiledCircuit } from '#prover/setup/compile.ts';
import type { CircuitInput, SignalValue } from '#prover/witness-calculator.ts';
import { type ConstraintSystem, evaluate, isSatisfied } from './constraint-system.ts';
import { UncheckedCalculator } from './unchecked-witness.ts';
import { namesByWire } from './wire-names.ts';

/** Values of single input signals, by name and place. */
export type Lie = Readonly<Record<string, bigint>>;

type Nested = bigint | Nested[];

/** The input with some signals changed: "name[place][place]". */
export function withLie(input: CircuitInput, lie: Lie): CircuitInput {
  const changed = structuredClone(input) as Record<string, Nested>;
  for (const [signal, value] of Object.entries(lie)) {
    const path = signal.split(/[[\]]+/).filter((part) => part !== '');
    const last = path.pop() as string;
    const holder = path.reduce<Record<string, Nested>>(
      (list, part) => list[part] as unknown as Record<string, Nested>,
      changed,
    );
    if (holder[last] === undefined) throw new RangeError(`no signal ${signal}`);
    holder[last] = toField(value);
  }
  return changed as Record<string, SignalValue>;
}

export class BatchLiar {
  readonly #system: ConstraintSystem;
  readonly #calculator: UncheckedCalculator;
  readonly #wires: ReadonlyMap<string, number>;
  readonly #total: number;

  private constructor(
    system: ConstraintSystem,
    calculator: UncheckedCalculator,
    wires: ReadonlyMap<string, number>,
  ) {
    this.#system = system;
    this.#calculator = calculator;
    this.#wires = wires;
    // The sum of the whole bus: besides the markets' own sum, the one constraint with their total.
    const entries = this.#of('main.markets.entries[0]');
    const totals = this.#of('main.markets.busSum').filter((row) => !entries.includes(row));
    if (totals.length !== 1) throw new RangeError(`${totals.length} totals of the bus`);
    [this.#total] = totals;
  }

  static async open(circuit: CompiledCircuit, system: ConstraintSystem): Promise<BatchLiar> {
    const wires = new Map([...namesByWire(circuit.symPath)].map(([wire, name]) => [name, wire]));
    return new BatchLiar(system, await UncheckedCalculator.open(circuit.wasmPath), wires);
  }

  /** Public values that only tell what the rest amounts to: whatever it is, they can say so. */
  get telling(): number[] {
    return ['main.commitment', 'main.evaluation'].map((name) => this.#wire(name));
  }

  /** All that follows from the input, its bus balanced if a used market can make up for it. */
  async follow(input: CircuitInput): Promise<readonly bigint[]> {
    const values = await this.#calculator.calculate(input);
    if (isSatisfied(this.#system.constraints[this.#total], values)) return values;
    const balanced = this.#balance(values);
    return balanced === undefined ? values : await this.#calculator.calculate(withLie(input, balanced));
  }

  #balance(values: readonly bigint[]): Lie | undefined {
    for (let slot = 0; this.#wires.has(`main.marketHasRow[${slot}]`); slot++) {
      if (values[this.#wire(`main.marketHasRow[${slot}]`)] !== 1n) continue;
      const rowHash = `marketRowHashes[${slot}]`;
      const path = ['markets.busSum', `markets.entries[${slot}]`, `markets.hashPart[${slot}]`, rowHash];
      const wires = path.flatMap((name) => this.#wires.get(`main.${name}`) ?? []);
      // The entry of the last slot is no wire of its own.
      const found = wires.length < path.length ? undefined : this.#solveAlong(values, wires);
      if (found !== undefined) return { [rowHash]: found };
    }
    return undefined;
  }

  /** From the bus to the last of the wires, each solved in a constraint that it shares with the one before. */
  #solveAlong(values: readonly bigint[], path: readonly number[]): bigint | undefined {
    const changed = [...values];
    let row: number | undefined = this.#total;
    for (const [place, wire] of path.entries()) {
      const value = row === undefined ? undefined : this.#solve(row, wire, changed);
      if (value === undefined) return undefined;
      changed[wire] = value;
      const next = path[place + 1];
      row = this.#system.constraintsOf[wire].find(
        (other) => other !== row && this.#system.constraintsOf[next]?.includes(other),
      );
    }
    return changed[path[path.length - 1]];
  }

  /** The value of a wire that satisfies a constraint linear in it. */
  #solve(row: number, wire: number, values: readonly bigint[]): bigint | undefined {
    const gap = (value: bigint): bigint => {
      const trial = [...values];
      trial[wire] = value;
      const [a, b, c] = this.#system.constraints[row].map((part) => evaluate(part, trial));
      return toField(a * b - c);
    };
    const slope = toField(gap(1n) - gap(0n));
    return slope === 0n ? undefined : toField(-gap(0n) * fieldInverse(slope));
  }

  #of(name: string): readonly number[] {
    return this.#system.constraintsOf[this.#wire(name)];
  }

  #wire(name: string): number {
    const wire = this.#wires.get(name);
    if (wire === undefined) throw new RangeError(`no wire ${name}`);
    return wire;
  }
}
