import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { compileCircuit } from '#prover/setup/compile.ts';
import { buildCircuitInput } from '#prover/witness/build-circuit-input.ts';
import { WitnessCalculator } from '#prover/witness-calculator.ts';
import { BATCH_CAPACITIES } from '#sequencer/main-job/deployment.ts';
import { CrashMarket } from '../../support/crash-market.ts';

describe('the batches of the replayed crash', function () {
  this.timeout(3_600_000);

  it('each have a witness: liquidations of three kinds, fund payment, refusal, withdrawals', async () => {
    const market = await new CrashMarket().run();
    const calculators = new Map<string, WitnessCalculator>();
    for (const { name } of BATCH_CAPACITIES) {
      const { wasmPath } = await compileCircuit(`circuits/main/${name}.circom`);
      calculators.set(name, await WitnessCalculator.create(readFileSync(wasmPath)));
    }
    const without: string[] = [];
    for (const batch of market.sealed) {
      const { input } = buildCircuitInput(batch);
      await calculators
        .get(batch.capacity.name)!
        .calculate(input)
        .catch((error: Error) => {
          without.push(`batch ${batch.content.header.batchNumber}: ${error.message}`);
        });
    }
    expect(without).to.deep.equal([]);
    expect(market.sealed.length).to.be.at.least(25);
  });
});
