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
const SHIFT = 3;

/** Wires by the names of their signals; circom writes −1 for signals that it eliminated. */
function wiresByName(symPath: string): Map<string, number> {
  const rows = readFileSync(symPath, 'utf8').trim().split('\n');
  return new Map(rows.map((row) => row.split(',')).map(([, wire, , name]) => [name, Number(wire)] as const));
}

/** An assignment of a small circuit, by names. */
class Assignment {
  readonly values: bigint[];
  readonly #wires: ReadonlyMap<string, number>;

  constructor(wires: ReadonlyMap<string, number>, wireCount: number) {
    this.#wires = wires;
    this.values = Array<bigint>(wireCount).fill(0n);
    this.values[0] = 1n;
  }

  set(name: string, value: bigint): void {
    const wire = this.#wires.get(name);
    if (wire === undefined) throw new Error(`the circuit has no signal ${name}`);
    if (wire >= 0) this.values[wire] = toField(value);
  }

  /** The best a prover can do for a range check: the low bits of its value. */
  setRange(component: string, value: bigint, bits: number): void {
    this.set(`${component}.value`, value);
    for (let i = 0; i < bits; i++) this.set(`${component}.bits[${i}]`, (toField(value) >> BigInt(i)) & 1n);
  }
}

/** A quotient of the prover's choice, with the remainder that the identity then asks for. */
function dividedBy(
  wires: Map<string, number>,
  wireCount: number,
  numerator: bigint,
  quotient: bigint,
): bigint[] {
  const assignment = new Assignment(wires, wireCount);
  const remainder = 2n * numerator + DIVISOR - quotient * 2n * DIVISOR;
  assignment.set('main.numerator', numerator);
  assignment.set('main.quotient', quotient);
  assignment.set('main.remainder', remainder);
  const [first, second, third] = rangeChecks(wires);
  assignment.setRange(first, quotient, QUOTIENT_BITS);
  assignment.setRange(second, remainder, REMAINDER_BITS);
  assignment.setRange(third, 2n * DIVISOR - 1n - remainder, REMAINDER_BITS);
  return assignment.values;
}

function shifted(
  wires: Map<string, number>,
  wireCount: number,
  numerator: bigint,
  quotient: bigint,
): bigint[] {
  const assignment = new Assignment(wires, wireCount);
  assignment.set('main.numerator', numerator);
  assignment.set('main.quotient', quotient);
  const [high, low] = rangeChecks(wires);
  assignment.setRange(high, quotient, 7 - SHIFT);
  assignment.setRange(low, numerator + 4n - quotient * 8n, SHIFT);
  return assignment.values;
}

/** The anonymous range checks in the order of their statements. */
const rangeChecks = (wires: Map<string, number>): string[] =>
  [...wires.keys()].filter((name) => name.endsWith('.value')).map((name) => name.slice(0, -'.value'.length));

for (const { name, main, checks, assign, divisor } of [
  { name: 'division to nearest', main: 'divide', checks: 3, assign: dividedBy, divisor: DIVISOR },
  { name: 'shift to nearest', main: 'shift', checks: 2, assign: shifted, divisor: 1n << BigInt(SHIFT) },
]) {
  describe(name, () => {
    let system: ConstraintSystem;
    let wires: Map<string, number>;
    let wasmPath: string;

    before(async () => {
      const circuit = await compileCircuit(`test/fixtures/circuits/${main}.circom`);
      system = readConstraintSystem(circuit.r1csPath);
      wires = wiresByName(circuit.symPath);
      wasmPath = circuit.wasmPath;
      expect(rangeChecks(wires)).to.have.length(checks);
    });

    it('has one witness for every numerator: the quotient of its twin', async () => {
      for (let numerator = 0n; numerator < 64n; numerator++) {
        const witness = await calculateWitness(wasmPath, { numerator });
        expect(witness[1]).to.equal(divideNearest(numerator, divisor));
        const accepted: bigint[] = [];
        for (let quotient = -16n; quotient < 32n; quotient++) {
          if (firstViolation(system, assign(wires, system.wireCount, numerator, quotient)) < 0)
            accepted.push(quotient);
        }
        expect(accepted).to.deep.equal([divideNearest(numerator, divisor)]);
      }
    });

    it('refuses the quotient that solves the identity in the field with a remainder of 0', () => {
      // 2·7 + d = q · 2d mod p has a solution: the range check of the quotient must refuse it.
      let quotient = 14n + divisor;
      while (quotient % (2n * divisor) !== 0n) quotient += FIELD_MODULUS;
      quotient /= 2n * divisor;
      const values = assign(wires, system.wireCount, 7n, quotient);
      expect(firstViolation(system, values)).to.be.at.least(0);
    });
  });
}
