import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { compileCircuit } from '#prover/setup/compile.ts';
import { buildCircuitInput } from '#prover/witness/build-circuit-input.ts';
import { WitnessCalculator } from '#prover/witness-calculator.ts';
import { CrashMarket } from '../../support/crash-market.ts';

describe('the batches of the replayed crash', function () {
  this.timeout(3_600_000);

  it('each have a witness: liquidations of three kinds, fund payment, refusal, withdrawals', async () => {
    const market = await new CrashMarket().run();
    const circuit = await compileCircuit('circuits/main/batch-small.circom');
    const calculator = await WitnessCalculator.create(readFileSync(circuit.wasmPath));
    const without: string[] = [];
    for (const batch of market.sealed) {
      const { input } = buildCircuitInput(batch);
      await calculator.calculate(input).catch((error: Error) => {
        without.push(`batch ${batch.content.header.batchNumber}: ${error.message}`);
      });
    }
    expect(without).to.deep.equal([]);
    expect(market.sealed.length).to.be.at.least(25);
  });
});
