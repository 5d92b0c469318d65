import { expect } from 'chai';
import { type CompiledCircuit, compileCircuit } from '#prover/setup/compile.ts';
import { calculateWitness } from '#test/support/circuit-witness.ts';
import { inDays } from '#test/support/option-registry.ts';
import { RISK_BLOCK_CIRCUIT, riskBlockTask } from '#test/support/risk-block.ts';

describe('risk circuit of eight scenarios with options', () => {
  let circuit: CompiledCircuit;
  before(async function () {
    this.timeout(300_000);
    circuit = await compileCircuit(RISK_BLOCK_CIRCUIT);
  });

  // The pairs that the eight columns use are packed into one element: other pairs are in no row.
  for (const [what, strikes] of [
    ['both strikes', [33_000_000n, 40_000_000n]],
    ['one strike', [33_000_000n]],
    ['no strike', []],
  ] as const) {
    it(`computes the table of its twin with ${what}, of either underlying`, async () => {
      for (const underlying of [0, 1]) {
        const task = riskBlockTask({ underlying, expirySec: inDays(12n), strikes });
        const witness = await calculateWitness(circuit.wasmPath, task.input);
        expect(witness[1]).to.equal(task.publicInputs.commitment);
      }
    });
  }
});
