/**
 * Complete witness mutation: every wire in turn gets another value, everything that follows from it
 * by the peeled order is recomputed, and some constraint must notice. Bits (and other wires that
 * enter squared) are independent choices of a prover: they keep their value unless they are the
 * mutated wire. A hint that can be changed unnoticed is either harmless, with a reason in the
 * caller's allow-list, or a hole.
 */
import { fieldInverse, FIELD_MODULUS as P } from '#protocol/crypto/field.ts';
import { type ConstraintSystem, type Determination, evaluate, isSatisfied } from './constraint-system.ts';

export class WitnessMutator {
  readonly #system: ConstraintSystem;
  readonly #determination: Determination;
  readonly #values: bigint[];
  /** Place of a wire in the peeled order; −1 for inputs and undetermined wires. */
  readonly #placeOf: Int32Array;
  /** Place of the wire that a constraint defines linearly. */
  readonly #definitionPlace: ReadonlyMap<number, number>;

  constructor(system: ConstraintSystem, values: readonly bigint[], determination: Determination) {
    this.#system = system;
    this.#determination = determination;
    this.#values = [...values];
    this.#placeOf = new Int32Array(system.wireCount).fill(-1);
    const definitionPlace = new Map<number, number>();
    determination.definitions.forEach(({ wire, constraint, isLinear }, place) => {
      this.#placeOf[wire] = place;
      if (isLinear) definitionPlace.set(constraint, place);
    });
    this.#definitionPlace = definitionPlace;
  }

  /**
   * Sets one wire to `value` and follows the consequences in order. Gives the index of the violated
   * constraint, or −1 if nothing notices. The witness is unchanged afterwards.
   */
  mutate(wire: number, value: bigint): number {
    const values = this.#values;
    const changed = new Map<number, bigint>([[wire, values[wire]]]);
    values[wire] = ((value % P) + P) % P;
    const violated = this.#propagate(wire, changed);
    for (const [at, original] of changed) values[at] = original;
    return violated;
  }

  #propagate(mutated: number, changed: Map<number, bigint>): number {
    const pending = new MinHeap();
    const seen = new Set<number>();
    const touch = (wire: number): void => {
      for (const constraint of this.#system.constraintsOf[wire]) {
        const place = this.#placeOfConstraint(constraint, mutated);
        if (place < 0) {
          // A checking constraint is judged when its latest wire is settled.
          pending.push(this.#latestPlace(constraint) * 2 + 1, constraint);
        } else if (!seen.has(constraint)) {
          seen.add(constraint);
          pending.push(place * 2, constraint);
        }
      }
    };
    touch(mutated);
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const { key, constraint } = next;
      if (key % 2 === 1) {
        if (!isSatisfied(this.#system.constraints[constraint], this.#values)) return constraint;
        continue;
      }
      const { wire } = this.#determination.definitions[key / 2];
      const solved = this.#solve(constraint, wire);
      if (solved === undefined) return constraint;
      if (solved === this.#values[wire]) continue;
      if (!changed.has(wire)) changed.set(wire, this.#values[wire]);
      this.#values[wire] = solved;
      touch(wire);
    }
    return -1;
  }

  /** Place of the wire that this constraint defines, −1 if it only checks. */
  #placeOfConstraint(constraint: number, mutated: number): number {
    const place = this.#definitionPlace.get(constraint) ?? -1;
    return place >= 0 && this.#determination.definitions[place].wire === mutated ? -1 : place;
  }

  #latestPlace(constraint: number): number {
    let latest = 0;
    for (const { wires } of this.#system.constraints[constraint]) {
      for (const wire of wires) latest = Math.max(latest, this.#placeOf[wire]);
    }
    return latest;
  }

  /** The value of `wire` that satisfies the constraint, which is linear in it; undefined if there is none. */
  #solve(constraint: number, wire: number): bigint | undefined {
    const [a, b, c] = this.#system.constraints[constraint];
    const values = this.#values;
    const current = values[wire];
    values[wire] = 0n;
    const [a0, b0, c0] = [evaluate(a, values), evaluate(b, values), evaluate(c, values)];
    values[wire] = 1n;
    const slope = evaluate(a, values) * evaluate(b, values) - evaluate(c, values) - (a0 * b0 - c0);
    values[wire] = current;
    const reduced = ((slope % P) + P) % P;
    const rest = (((c0 - a0 * b0) % P) + P) % P;
    if (reduced === 0n) return rest === 0n ? current : undefined;
    return (rest * fieldInverse(reduced)) % P;
  }
}

/** Smallest key first; the keys are places in the peeled order. */
class MinHeap {
  readonly #keys: number[] = [];
  readonly #constraints: number[] = [];

  push(key: number, constraint: number): void {
    let at = this.#keys.length;
    this.#keys.push(key);
    this.#constraints.push(constraint);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#keys[parent] <= this.#keys[at]) break;
      this.#swap(at, parent);
      at = parent;
    }
  }

  pop(): { key: number; constraint: number } | undefined {
    if (this.#keys.length === 0) return undefined;
    const top = { key: this.#keys[0], constraint: this.#constraints[0] };
    const key = this.#keys.pop() as number;
    const constraint = this.#constraints.pop() as number;
    if (this.#keys.length > 0) {
      this.#keys[0] = key;
      this.#constraints[0] = constraint;
      this.#sink();
    }
    return top;
  }

  #sink(): void {
    let at = 0;
    for (;;) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < this.#keys.length && this.#keys[child] < this.#keys[least]) least = child;
      }
      if (least === at) return;
      this.#swap(at, least);
      at = least;
    }
  }

  #swap(i: number, j: number): void {
    [this.#keys[i], this.#keys[j]] = [this.#keys[j], this.#keys[i]];
    [this.#constraints[i], this.#constraints[j]] = [this.#constraints[j], this.#constraints[i]];
  }
}
