import { expect } from 'chai';
import { compileCircuit } from '#prover/setup/compile.ts';
import { buildCircuitInput } from '#prover/witness/build-circuit-input.ts';
import { TRACES } from '#test/support/batch-traces.ts';
import { refusedBy } from '#test/support/circuit-witness.ts';
import { COMBINED_TRACES } from '#test/support/combined-traces.ts';

describe('batch circuit', function () {
  this.timeout(600_000);
  let wasmPath: string;

  before(async () => {
    ({ wasmPath } = await compileCircuit('circuits/main/batch-tiny.circom'));
  });

  for (const [name, trace] of Object.entries({ ...TRACES, ...COMBINED_TRACES })) {
    it(`proves ${name}`, async () => {
      expect(await refusedBy(wasmPath, buildCircuitInput(trace()).input)).to.equal(undefined);
    });
  }
});
