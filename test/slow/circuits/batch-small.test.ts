import { expect } from 'chai';
import { artifactsOf, openBackend } from '#prover/prove.ts';
import { type CompiledCircuit, compileCircuit } from '#prover/setup/compile.ts';
import { developmentKey } from '#prover/setup/development-keys.ts';
import { buildCircuitInput } from '#prover/witness/build-circuit-input.ts';
import { BatchWires } from '#test/soundness/batch-wires.ts';
import { determineWires, firstViolation, readConstraintSystem } from '#test/soundness/constraint-system.ts';
import { WitnessMutator } from '#test/soundness/witness-mutation.ts';
import { calculateWitness } from '#test/support/circuit-witness.ts';
import { fullSmallBatch } from '#test/support/full-small-batch.ts';

describe('the small batch', function () {
  this.timeout(1_800_000);
  let circuit: CompiledCircuit;
  const { input, publicInputs } = buildCircuitInput(fullSmallBatch());

  before(async () => {
    circuit = await compileCircuit('circuits/main/batch-small.circom');
  });

  it('has a proof that verifies, with the public inputs in their order', async () => {
    const backend = await openBackend(artifactsOf(circuit, await developmentKey(circuit)), {});
    try {
      const { publicSignals } = await backend.prove(input);
      const { commitment, challenge, evaluation } = publicInputs;
      expect(publicSignals).to.deep.equal([commitment, challenge, evaluation]);
    } finally {
      await backend.close();
    }
  });

  it('notices another value of any of its signals', async () => {
    const system = readConstraintSystem(circuit.r1csPath);
    const witness = await calculateWitness(circuit.wasmPath, input);
    expect(firstViolation(system, witness)).to.equal(-1);
    const wires = new BatchWires(circuit.symPath, system);
    const mutator = new WitnessMutator(system, witness, determineWires(system, witness));
    for (let wire = 1; wire < system.wireCount; wire++) {
      if (mutator.mutate(wire, witness[wire] + 1n) >= 0) continue;
      const reason = wires.reasonOfFreedom(wire, witness);
      expect(reason, `${wires.nameOf(wire)} may change unnoticed`).to.be.a('string');
    }
  });
});
