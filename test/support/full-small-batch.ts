/** A small batch with every account row used, for tests and benchmarks of the circuit. */
import type { SealedBatch } from '#protocol/batch/batch.ts';
import type { RiskRow } from '#protocol/instrument.ts';
import { SMALL_BATCH, STANDARD_SHAPE } from '#protocol/limits.ts';
import * as ledger from './ledger.ts';

/** The table of the tests with its eight losses repeated to the standard number of scenarios. */
const table = ledger.riskTable();
const standardTable = {
  ...table,
  rows: table.rows.map(
    (row): RiskRow => ({
      ...row,
      ...ledger.linearLosses(row.linearLoss, row.underlying, STANDARD_SHAPE),
    }),
  ),
};

/** Four traders, four orders filled, a deposit and a forced withdrawal: every account row is used. */
export function fullSmallBatch(): SealedBatch {
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
