import { expect } from 'chai';
import { TINY_WIDE_BATCH } from '#protocol/limits.ts';
import { compileCircuit } from '#prover/setup/compile.ts';
import { buildCircuitInput } from '#prover/witness/build-circuit-input.ts';
import { close } from '#test/support/batch-traces.ts';
import { refusedBy } from '#test/support/circuit-witness.ts';
import * as ledger from '#test/support/ledger.ts';

const LEGS = [ledger.PERP, ledger.OTHER, ledger.THIRD];

/** Account 1 is closed out of three positions at $70. */
const liquidatedLegs = () => {
  const start = ledger.settle(
    ledger.funded({ 1: 700n, 2: 100_000n }),
    LEGS.map((id) => ledger.match(1, 2, 10n, 100n, id)),
  );
  const { mark } = ledger.marked(70n).rows[1];
  const table = ledger.riskTable({}, Object.fromEntries(LEGS.map((id) => [id, { mark }])));
  const bids = ledger.sign(
    2,
    LEGS.map((instrumentId, i) =>
      ledger.orderMessage({ side: 'buy', sizeLots: 10n, instrumentId, nonce: 40n + BigInt(i) }),
    ),
  );
  const legs = LEGS.map((instrumentId, position) =>
    close(10n, 70n * ledger.USD, { instrumentId, against: { signed: bids, position } }),
  );
  const batch = ledger.run(ledger.open(start, { table }, TINY_WIDE_BATCH), ...legs);
  return batch;
};

describe('batch circuit with more liquidation rows', function () {
  this.timeout(600_000);

  it('proves the liquidation of every leg of an account, which the tiny size has no rows for', async () => {
    const { wasmPath } = await compileCircuit('circuits/main/batch-tiny-wide.circom');
    const batch = ledger.withOwnNonces(liquidatedLegs);
    expect(batch.usedRows.liquidations).to.equal(3);
    expect(await refusedBy(wasmPath, buildCircuitInput(batch.seal().batch).input)).to.equal(undefined);
  });
});
