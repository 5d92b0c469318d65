/** Honest batches of the tiny size, one for each kind of thing that can happen. */
import type { SealedBatch } from '#protocol/batch/batch.ts';
import { TINY_BATCH } from '#protocol/limits.ts';
import type { LedgerState } from '#protocol/state.ts';
import type { Operation } from '#protocol/transition/operation.ts';
import * as ledger from './ledger.ts';

const { USD, SPOT, PERP } = ledger;

/** One batch of `operations` on `state`, sealed at the tiny capacity. */
export const sealTiny = (
  state: LedgerState,
  operations: Operation[],
  header: Parameters<typeof ledger.open>[1] = {},
): SealedBatch => ledger.run(ledger.open(state, header, TINY_BATCH), ...operations).seal().batch;

/** Account 1 long, account 2 short ten lots of the perp at $100. */
export const positions = (lots = 10n): LedgerState =>
  ledger.settle(ledger.funded({ 1: 1_000n, 2: 1_000n }, { 2: 5n }), [ledger.match(1, 2, lots, 100n)]);

const l1 = (...parameters: Parameters<typeof ledger.l1>): Operation => ({
  kind: 'l1',
  operation: ledger.l1(...parameters),
});

export const TRACES: Readonly<Record<string, () => SealedBatch>> = {
  'nothing at all': () => sealTiny(ledger.funded({}), []),
  'a registration and a first deposit': () =>
    sealTiny(ledger.funded({}), [l1('register', 3), l1('deposit', 3, 0, 50n * USD)]),
  'a deposit of spot and one beyond the position cap': () =>
    sealTiny(ledger.funded({ 1: 10n }), [l1('deposit', 1, SPOT, 7n), l1('deposit', 1, SPOT, 100_000n + 1n)]),
  'a trade that opens two positions, with fees': () =>
    sealTiny(ledger.funded({ 1: 1_000n, 2: 1_000n }), [
      ledger.trade(
        ledger.order(1, { side: 'buy', sizeLots: 10n }),
        ledger.order(2, { side: 'sell', sizeLots: 25n }),
        10n,
        100n,
        { maker: 3n, taker: 5n },
      ),
    ]),
  'a trade that closes positions, at a jumped funding index': () =>
    sealTiny(positions(), [ledger.match(2, 1, 10n, 101n)], {
      table: ledger.riskTable({}, { [PERP]: { fundingIndex: (3n * USD) as never } }),
    }),
  'a spot trade': () =>
    sealTiny(ledger.funded({ 1: 1_000n, 2: 0n }, { 2: 5n }), [ledger.match(1, 2, 4n, 99n, SPOT)]),
  'a cancel of one and a cancel-all of another': () =>
    sealTiny(ledger.funded({ 1: 10n, 2: 10n }), [
      { kind: 'cancel', ...ledger.only(ledger.sign(1, [{ kind: 'cancel', nonce: 70n, floorBackWords: 1 }])) },
      { kind: 'cancel-all', ...ledger.only(ledger.sign(2, [{ kind: 'cancel-all' }])) },
    ]),
  'a signed withdrawal': () =>
    sealTiny(positions(), [{ kind: 'withdraw', ...ledger.withdrawal(1, 20n * USD) }]),
  'a spot withdrawal and a forced one cut short for margin': () =>
    sealTiny(positions(), [
      { kind: 'withdraw', ...ledger.withdrawal(2, 2n, SPOT) },
      l1('withdraw', 1, 0, 100_000n * USD),
    ]),
};
