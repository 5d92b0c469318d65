import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { FIELD_MODULUS, toField } from '#protocol/crypto/field.ts';
import { divideNearest } from '#protocol/units.ts';
import { compileCircuit } from '#prover/setup/compile.ts';
import {
  type ConstraintSystem,
  firstViolation,
  readConstraintSystem,
} from '#test/soundness/constraint-system.ts';
import { calculateWitness } from '#test/support/circuit-witness.ts';

const [DIVISOR, QUOTIENT_BITS, REMAINDER_BITS] = [5n, 4, 4];

/** Wires by the names of their signals; circom writes −1 for signals that it eliminated. */
function wiresByName(symPath: string): Map<string, number> {
  const rows = readFileSync(symPath, 'utf8').trim().split('\n');
  return new Map(rows.map((row) => row.split(',')).map(([, wire, , name]) => [name, Number(wire)] as const));
}

/**
 * The best a prover can do with a quotient of his choice: the remainder that the identity asks for and, for each
 * range check in turn, the low bits of its value.
 */
function hostileAssignment(
  wires: Map<string, number>,
  wireCount: number,
  numerator: bigint,
  quotient: bigint,
): bigint[] {
  const values = Array<bigint>(wireCount).fill(0n);
  values[0] = 1n;
  const set = (name: string, value: bigint) => {
    const wire = wires.get(name);
    if (wire === undefined) throw new Error(`the circuit has no signal ${name}`);
    if (wire >= 0) values[wire] = toField(value);
  };
  const setRange = (component: string, value: bigint, bits: number) => {
    set(`${component}.value`, value);
    for (let i = 0; i < bits; i++) set(`${component}.bits[${i}]`, (toField(value) >> BigInt(i)) & 1n);
  };
  const remainder = 2n * numerator + DIVISOR - quotient * 2n * DIVISOR;
  set('main.numerator', numerator);
  set('main.quotient', quotient);
  set('main.remainder', remainder);
  const [first, second, third] = rangeChecks(wires);
  setRange(first, quotient, QUOTIENT_BITS);
  setRange(second, remainder, REMAINDER_BITS);
  setRange(third, 2n * DIVISOR - 1n - remainder, REMAINDER_BITS);
  return values;
}

/** The anonymous range checks in the order of their statements. */
const rangeChecks = (wires: Map<string, number>): string[] =>
  [...wires.keys()].filter((name) => name.endsWith('.value')).map((name) => name.slice(0, -'.value'.length));

describe('division to nearest', () => {
  let system: ConstraintSystem;
  let wires: Map<string, number>;
  let wasmPath: string;

  before(async () => {
    const circuit = await compileCircuit('test/fixtures/circuits/divide.circom');
    system = readConstraintSystem(circuit.r1csPath);
    wires = wiresByName(circuit.symPath);
    wasmPath = circuit.wasmPath;
    expect(rangeChecks(wires)).to.have.length(3);
  });

  it('has one witness for every numerator: the quotient of its twin', async () => {
    for (let numerator = 0n; numerator < 64n; numerator++) {
      const witness = await calculateWitness(wasmPath, { numerator });
      expect(witness[1]).to.equal(divideNearest(numerator, DIVISOR));
      const accepted: bigint[] = [];
      for (let quotient = -16n; quotient < 32n; quotient++) {
        const values = hostileAssignment(wires, system.wireCount, numerator, quotient);
        if (firstViolation(system, values) < 0) accepted.push(quotient);
      }
      expect(accepted).to.deep.equal([divideNearest(numerator, DIVISOR)]);
    }
  });

  it('refuses the quotient that solves the identity in the field with a remainder of 0', () => {
    // 2·7 + 5 = q · 10 mod p has a solution: the range check of the quotient must refuse it.
    let quotient = 19n;
    while (quotient % 10n !== 0n) quotient += FIELD_MODULUS;
    quotient /= 10n;
    const values = hostileAssignment(wires, system.wireCount, 7n, quotient);
    values[wires.get('main.remainder') as number] = 0n;
    expect(firstViolation(system, values)).to.be.at.least(0);
  });
});
