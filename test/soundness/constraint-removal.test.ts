import { expect } from 'chai';
import { FIELD_MODULUS } from '#protocol/crypto/field.ts';
import { BadWitnessSearch } from './bad-witness.ts';
import { ConstraintRemoval, kindsOf } from './constraint-removal.ts';
import {
  type Constraint,
  type ConstraintSystem,
  firstViolation,
  type LinearCombination,
} from './constraint-system.ts';

type Terms = Readonly<Record<number, bigint>>;
const combination = (terms: Terms): LinearCombination => ({
  wires: Object.keys(terms).map(Number),
  coefficients: Object.values(terms).map((value) => (value + FIELD_MODULUS) % FIELD_MODULUS),
});
const constraint = (a: Terms, b: Terms, c: Terms = {}): Constraint => [
  combination(a),
  combination(b),
  combination(c),
];
const systemOf = (constraints: readonly Constraint[], wireCount: number): ConstraintSystem => ({
  wireCount,
  publicCount: 0,
  privateInputCount: 1,
  constraints,
  constraintsOf: Array.from({ length: wireCount }, (_, wire) =>
    [...constraints.keys()].filter((index) => constraints[index].some(({ wires }) => wires.includes(wire))),
  ),
});

/** Wires: 1, value, three bits, square. The square is below 2^6 because the value is below 2^3. */
const [ONE, VALUE, SQUARE] = [0, 1, 5];
const BITS = [2, 3, 4];
const bit = (wire: number): Constraint => constraint({ [wire]: 1n }, { [wire]: 1n, [ONE]: -1n });
const SUM = constraint({ [ONE]: 1n }, { [BITS[0]]: 1n, [BITS[1]]: 2n, [BITS[2]]: 4n }, { [VALUE]: 1n });
const SQUARED = constraint({ [VALUE]: 1n }, { [VALUE]: 1n }, { [SQUARE]: 1n });
const CIRCUIT = [...BITS.map(bit), SUM, SQUARED];
const WITNESS = [1n, 5n, 1n, 0n, 1n, 25n];

function survivorsOf(constraints: readonly Constraint[]): number[] {
  const removal = new ConstraintRemoval(systemOf(constraints, WITNESS.length));
  removal.killAtFirstOrder(WITNESS);
  removal.killByWitness(WITNESS);
  return [...removal.survivors];
}

describe('removal of constraints', () => {
  it('misses none where each says something of its own', () => {
    expect(firstViolation(systemOf(CIRCUIT, WITNESS.length), WITNESS)).to.equal(-1);
    expect(survivorsOf(CIRCUIT)).to.deep.equal([]);
  });

  it('does not see bits at first order: they leave no direction', () => {
    const fixed = [...CIRCUIT, constraint({ [ONE]: 1n }, { [VALUE]: 1n, [ONE]: -5n })];
    const removal = new ConstraintRemoval(systemOf(fixed, WITNESS.length));
    removal.killAtFirstOrder(WITNESS);
    expect([...removal.survivors]).to.include.members([0, 1, 2]);
    removal.killByWitness(WITNESS);
    expect([...removal.survivors]).to.deep.equal([]);
  });

  it('lists both of two constraints that say the same', () => {
    const twice = constraint({ [VALUE]: 2n }, { [VALUE]: 1n }, { [SQUARE]: 2n });
    expect(survivorsOf([...CIRCUIT, twice])).to.deep.equal([CIRCUIT.length - 1, CIRCUIT.length]);
  });

  it('lists a constraint that follows from others without being one of them', () => {
    // value² = 3·value + 10 holds at 5 and −2; with value = 5 it says nothing.
    const five = constraint({ [ONE]: 1n }, { [VALUE]: 1n, [ONE]: -5n });
    const implied = constraint({ [VALUE]: 1n }, { [VALUE]: 1n }, { [VALUE]: 3n, [ONE]: 10n });
    expect(survivorsOf([...CIRCUIT, five, implied])).to.include(CIRCUIT.length + 1);
  });

  it('gives witnesses that the whole circuit refuses at one constraint alone', () => {
    const system = systemOf(CIRCUIT, WITNESS.length);
    const search = new BadWitnessSearch(system, WITNESS);
    for (const target of CIRCUIT.keys()) {
      const changes = search.find(target);
      expect(changes, `constraint ${target}`).to.not.equal(undefined);
      const bad = WITNESS.map((value, wire) => changes?.get(wire) ?? value);
      expect(firstViolation(system, bad)).to.equal(target);
      const others = CIRCUIT.filter((_, index) => index !== target);
      expect(firstViolation(systemOf(others, WITNESS.length), bad)).to.equal(-1);
    }
  });

  it('counts a lie for the one constraint that refuses it, and not at all if two do', () => {
    const removal = new ConstraintRemoval(systemOf(CIRCUIT, WITNESS.length));
    expect(removal.killByLie([1n, 5n, 1n, 0n, 1n, 26n])).to.equal(CIRCUIT.length - 1);
    expect(removal.killByLie([1n, 6n, 1n, 0n, 1n, 25n])).to.equal(undefined);
    expect(removal.killByLie([1n, 6n, 1n, 0n, 1n, 25n], [SQUARE])).to.equal(CIRCUIT.indexOf(SUM));
    expect(removal.survivors.size).to.equal(CIRCUIT.length - 2);
  });

  it('calls constraints of one kind what differs in indices only', () => {
    const names = new Map([
      [VALUE, 'main.value'],
      [SQUARE, 'main.square'],
      ...BITS.map((wire, i): [number, string] => [wire, `main.bits[${i}]`]),
    ]);
    const kinds = kindsOf(systemOf(CIRCUIT, WITNESS.length), names);
    expect([...kinds.values()]).to.deep.equal([[0, 1, 2], [3], [4]]);
  });
});
