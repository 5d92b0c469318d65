/** A medium batch that uses every row of every kind but two messages and the settlements, for tests and benchmarks of the circuit. */
import type { SealedBatch } from '#protocol/batch/batch.ts';
import type { RiskRow } from '#protocol/instrument.ts';
import { MEDIUM_BATCH, STANDARD_SHAPE } from '#protocol/limits.ts';
import type { LedgerState } from '#protocol/state.ts';
import type { LiquidateOperation } from '#protocol/transition/operation.ts';
import { microsPerLot } from '#protocol/units.ts';
import * as ledger from './ledger.ts';

const { USD, PERP, SPOT } = ledger;
const MAKER = 4_000;
/** Accounts that hold every derivative leg they can, and the legs of each that are closed: sixteen. */
const HOLDERS = [
  { accountIndex: 5, closed: 6 },
  { accountIndex: 70, closed: 5 },
  { accountIndex: 900, closed: 5 },
];
const LEGS = Array.from({ length: STANDARD_SHAPE.derivativeSlots }, (_, i) => PERP + i);
const SPOT_TOKENS = [SPOT, 2, 3];
/** Room to put everybody into position. */
const WORKSHOP = { ...ledger.ROOMY, instruments: 16, messages: 48, signatures: 48 };

/** All sixteen instruments, the derivatives marked at so many dollars. */
function tableAt(dollars: bigint) {
  const { mark } = ledger.marked(dollars).rows[1];
  const rows = [
    // Derivatives take the slots of their ids; spot tokens the first and the two after those.
    ...SPOT_TOKENS.map((id, i) => ledger.riskRow(id, { marketSlot: i === 0 ? 0 : LEGS.length + i })),
    ...LEGS.map((id) => ledger.riskRow(id, { mark })),
  ];
  const { length: count } = rows[0].losses;
  return ledger.riskTable({
    rows: rows.map(
      (row): RiskRow => ({
        ...row,
        losses: Array.from({ length: STANDARD_SHAPE.scenarios }, (_, s) => row.losses[s % count]),
      }),
    ),
  });
}

/** Three accounts long ten lots of every leg, one maker short of all and with every spot token. */
function portfolios(): LedgerState {
  const header = { table: tableAt(100n) };
  const liquid = [1_000_000_000n * USD, 1_000_000n, 1_000_000n, 1_000_000n];
  let state = ledger.funded({}, {}, STANDARD_SHAPE);
  const settle = (operations: Parameters<typeof ledger.run>[1][]): void => {
    state = ledger.run(ledger.open(state, { ...header, liquid }, WORKSHOP), ...operations).seal().state;
  };
  const fund = (accountIndex: number, dollars: bigint, tokens: readonly number[]): void =>
    settle([
      { kind: 'l1', operation: ledger.l1('register', accountIndex) },
      { kind: 'l1', operation: ledger.l1('deposit', accountIndex, 0, dollars * USD) },
      ...tokens.map(
        (id) => ({ kind: 'l1', operation: ledger.l1('deposit', accountIndex, id, 30n) }) as const,
      ),
    ]);
  fund(MAKER, 1_000_000n, SPOT_TOKENS);
  for (const { accountIndex } of HOLDERS) {
    fund(accountIndex, 3_000n, []);
    settle(LEGS.map((id) => ledger.match(accountIndex, MAKER, 10n, 100n, id)));
  }
  return state;
}

/** Sixteen liquidations, two L1 operations, two withdrawals; sixteen instruments are held. */
export const fullMediumBatch = (): SealedBatch => ledger.withOwnNonces(liquidatingBatch);

function liquidatingBatch(): SealedBatch {
  const liquid = [1_000_000_000n * USD, 1_000_000n, 1_000_000n, 1_000_000n];
  const table = tableAt(80n);
  const bought = LEGS.slice(0, HOLDERS[0].closed);
  const bids = ledger.sign(
    MAKER,
    bought.map((instrumentId, i) =>
      ledger.orderMessage({
        side: 'buy',
        sizeLots: 10n * BigInt(HOLDERS.filter(({ closed }) => i < closed).length),
        instrumentId,
        nonce: 60n + BigInt(i),
      }),
    ),
  );
  const closings = bought.flatMap((instrumentId, position) =>
    HOLDERS.filter(({ closed }) => position < closed).map(
      ({ accountIndex }): LiquidateOperation => ({
        kind: 'liquidate',
        accountIndex,
        instrumentId,
        lots: 10n,
        priceMicrosPerLot: microsPerLot(80n * USD),
        reason: 1,
        pending: ledger.NO_PENDING,
        against: { signed: bids, position },
        feeMicros: 0n,
      }),
    ),
  );
  const batch = ledger.run(
    ledger.open(portfolios(), { table, liquid }, MEDIUM_BATCH),
    ...closings,
    { kind: 'l1', operation: ledger.l1('deposit', MAKER, 0, 50n * USD) },
    { kind: 'l1', operation: ledger.l1('withdraw', MAKER, SPOT, 3n) },
    { kind: 'withdraw', ...ledger.withdrawal(MAKER, 70n * USD) },
    { kind: 'withdraw', ...ledger.withdrawal(MAKER, 2n, SPOT) },
  );
  return batch.seal().batch;
}
