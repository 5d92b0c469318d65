import { expect } from 'chai';
import type { RiskRow } from '#protocol/instrument.ts';
import { SMALL_BATCH, STANDARD_SHAPE } from '#protocol/limits.ts';
import { artifactsOf, openBackend } from '#prover/prove.ts';
import { compileCircuit } from '#prover/setup/compile.ts';
import { developmentKey } from '#prover/setup/development-keys.ts';
import { buildCircuitInput } from '#prover/witness/build-circuit-input.ts';
import * as ledger from '#test/support/ledger.ts';

/** The table of the tests with its eight losses repeated to the standard number of scenarios. */
const table = ledger.riskTable();
const standardTable = {
  ...table,
  rows: table.rows.map(
    (row): RiskRow => ({
      ...row,
      losses: Array.from({ length: STANDARD_SHAPE.scenarios }, (_, s) => row.losses[s % row.losses.length]),
    }),
  ),
};

describe('the small batch, proved', function () {
  this.timeout(1_800_000);

  it('makes a proof of a full batch that verifies, with the public inputs in their order', async () => {
    const { header, USD, SPOT } = { header: { table: standardTable }, ...ledger };
    let state = ledger.funded({}, {}, STANDARD_SHAPE);
    for (const account of [5, 70, 900, 4_000]) {
      state = ledger.settle(
        state,
        [
          { kind: 'l1', operation: ledger.l1('register', account) },
          { kind: 'l1', operation: ledger.l1('deposit', account, 0, 10_000n * USD) },
          { kind: 'l1', operation: ledger.l1('deposit', account, SPOT, 30n) },
        ],
        header,
      );
    }
    const batch = ledger.run(
      ledger.open(state, header, SMALL_BATCH),
      ledger.match(5, 70, 10n, 100n),
      ledger.match(900, 4_000, 7n, 101n),
      { kind: 'l1', operation: ledger.l1('deposit', 900, 0, 50n * USD) },
      { kind: 'l1', operation: ledger.l1('withdraw', 4_000, SPOT, 3n) },
    );
    const { input, publicInputs } = buildCircuitInput(batch.seal().batch);
    const circuit = await compileCircuit('circuits/main/batch-small.circom');
    const backend = await openBackend(artifactsOf(circuit, await developmentKey(circuit)), {});
    try {
      const started = performance.now();
      const { publicSignals } = await backend.prove(input);
      console.log(`      witness and proof in ${((performance.now() - started) / 1000).toFixed(1)} s`);
      const { commitment, challenge, evaluation } = publicInputs;
      expect(publicSignals).to.deep.equal([commitment, challenge, evaluation]);
    } finally {
      await backend.close();
    }
  });
});
