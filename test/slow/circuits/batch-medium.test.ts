import { expect } from 'chai';
import { MEDIUM_BATCH } from '#protocol/limits.ts';
import { artifactsOf, openBackend } from '#prover/prove.ts';
import { compileCircuit } from '#prover/setup/compile.ts';
import { developmentKey } from '#prover/setup/development-keys.ts';
import { buildCircuitInput } from '#prover/witness/build-circuit-input.ts';
import { fullMediumBatch } from '#test/support/full-medium-batch.ts';

describe('the medium batch', function () {
  this.timeout(1_800_000);

  it('has a proof of sixteen liquidations over sixteen instruments, with the public inputs in their order', async () => {
    const batch = fullMediumBatch();
    expect(batch.content.liquidations).to.have.length(MEDIUM_BATCH.liquidations);
    const { input, publicInputs } = buildCircuitInput(batch);
    const used = input.instrumentIsUsed as readonly bigint[];
    expect(used.filter((value) => value === 1n)).to.have.length(MEDIUM_BATCH.instruments);
    const circuit = await compileCircuit('circuits/main/batch-medium.circom');
    const backend = await openBackend(artifactsOf(circuit, await developmentKey(circuit)), {});
    try {
      const { publicSignals } = await backend.prove(input);
      const { commitment, challenge, evaluation } = publicInputs;
      expect(publicSignals).to.deep.equal([commitment, challenge, evaluation]);
    } finally {
      await backend.close();
    }
  });
});
