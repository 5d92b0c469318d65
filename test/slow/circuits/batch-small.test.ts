import { expect } from 'chai';
import type { SealedBatch } from '#protocol/batch/batch.ts';
import type { RiskRow } from '#protocol/instrument.ts';
import { SMALL_BATCH, STANDARD_SHAPE } from '#protocol/limits.ts';
import { artifactsOf, openBackend } from '#prover/prove.ts';
import { type CompiledCircuit, compileCircuit } from '#prover/setup/compile.ts';
import { developmentKey } from '#prover/setup/development-keys.ts';
import { buildCircuitInput } from '#prover/witness/build-circuit-input.ts';
import { BatchWires } from '#test/soundness/batch-wires.ts';
import { determineWires, firstViolation, readConstraintSystem } from '#test/soundness/constraint-system.ts';
import { WitnessMutator } from '#test/soundness/witness-mutation.ts';
import { calculateWitness } from '#test/support/circuit-witness.ts';
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

/** Four traders, four orders filled, a deposit and a forced withdrawal: every account row is used. */
function fullBatch(): SealedBatch {
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
  return batch.seal().batch;
}

describe('the small batch', function () {
  this.timeout(1_800_000);
  let circuit: CompiledCircuit;
  const { input, publicInputs } = buildCircuitInput(fullBatch());

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
    const wires = new BatchWires(circuit.symPath);
    const mutator = new WitnessMutator(system, witness, determineWires(system, witness));
    for (let wire = 1; wire < system.wireCount; wire++) {
      if (mutator.mutate(wire, witness[wire] + 1n) >= 0) continue;
      const reason = wires.reasonOfFreedom(wire, witness);
      expect(reason, `${wires.nameOf(wire)} may change unnoticed`).to.be.a('string');
    }
  });
});
