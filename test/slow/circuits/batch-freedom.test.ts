import { expect } from 'chai';
import { type CompiledCircuit, compileCircuit } from '#prover/setup/compile.ts';
import { buildCircuitInput } from '#prover/witness/build-circuit-input.ts';
import { INVERSE } from '#test/soundness/batch-wires.ts';
import { type ConstraintSystem, isUnread, readConstraintSystem } from '#test/soundness/constraint-system.ts';
import { freeWires } from '#test/soundness/tangent-space.ts';
import { namesByWire } from '#test/soundness/wire-names.ts';
import { TRACES } from '#test/support/batch-traces.ts';
import { calculateWitness } from '#test/support/circuit-witness.ts';

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

  for (const trace of Object.keys(TRACES)) {
    it(`leaves only inverses of zero open: ${trace}`, async () => {
      const values = await calculateWitness(circuit.wasmPath, buildCircuitInput(TRACES[trace]()).input);
      const free = freeWires(system, values);
      expect(free.length).to.be.greaterThan(0);
      const nameOf = (wire: number): string => names.get(wire) ?? `wire ${wire}`;
      // Each alone: free together, they could carry a lie from one constraint to another.
      const held = free.filter((wire) => !INVERSE.test(nameOf(wire)) || !isUnread(system, values, wire));
      expect(held.map(nameOf)).to.deep.equal([]);
    });
  }
});
