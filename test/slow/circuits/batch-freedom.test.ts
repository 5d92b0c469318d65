import { expect } from 'chai';
import { type CompiledCircuit, compileCircuit } from '#prover/setup/compile.ts';
import { buildCircuitInput } from '#prover/witness/build-circuit-input.ts';
import { type ConstraintSystem, readConstraintSystem } from '#test/soundness/constraint-system.ts';
import { freeWires } from '#test/soundness/tangent-space.ts';
import { namesByWire } from '#test/soundness/wire-names.ts';
import { TRACES } from '#test/support/batch-traces.ts';
import { calculateWitness } from '#test/support/circuit-witness.ts';

/** Hints that invert a number to show that it is not 0: free, and without effect, where it is 0. */
const INVERSE = /([iI]nverse|inverses\[\d+\]|zeropoint\.inv)$/;

const JUDGED = [
  'a trade that opens two positions, with fees',
  'a spot withdrawal and a forced one cut short for margin',
  'an order filled in two batches, the second time raising the window far',
  'a liquidation of two positions',
  'a fund payment of all that is booked',
  'a settlement of the last short, which retires the instrument',
  'settlements of two positions of one account',
];

describe('freedom of a prover of batches', function () {
  this.timeout(600_000);
  let circuit: CompiledCircuit;
  let system: ConstraintSystem;
  let names: Map<number, string>;

  before(async () => {
    circuit = await compileCircuit('circuits/main/batch-tiny.circom');
    system = readConstraintSystem(circuit.r1csPath);
    names = namesByWire(circuit.symPath);
  });

  for (const trace of JUDGED) {
    it(`leaves only inverses of zero open: ${trace}`, async () => {
      const values = await calculateWitness(circuit.wasmPath, buildCircuitInput(TRACES[trace]()).input);
      const free = freeWires(system, values).map((wire) => names.get(wire) ?? `wire ${wire}`);
      expect(free.length).to.be.greaterThan(0);
      expect(free.filter((name) => !INVERSE.test(name))).to.deep.equal([]);
    });
  }
});
