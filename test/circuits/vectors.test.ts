import { expect } from 'chai';
import { compileCircuit } from '#prover/setup/compile.ts';
import { buildCircuitInput } from '#prover/witness/build-circuit-input.ts';
import { TRACES } from '#test/support/batch-traces.ts';
import { readBatchVectors } from '#test/support/batch-vectors.ts';
import { calculateWitness } from '#test/support/circuit-witness.ts';

describe('the vectors of a batch in the circuit', function () {
  this.timeout(600_000);

  for (const vector of readBatchVectors()) {
    it(`has their commitment, challenge and evaluation: ${vector.name}`, async () => {
      const { wasmPath } = await compileCircuit('circuits/main/batch-tiny.circom');
      const { input } = buildCircuitInput(TRACES[vector.name]());
      const publicInputs = {
        commitment: BigInt(vector.commitment),
        challenge: BigInt(vector.challenge),
        evaluation: BigInt(vector.evaluation),
      };
      const witness = await calculateWitness(wasmPath, { ...input, ...publicInputs });
      expect(witness.slice(1, 4).map(String)).to.deep.equal([
        vector.commitment,
        vector.challenge,
        vector.evaluation,
      ]);
    });
  }
});
