/** THREATS R09, R17: what an owner of several accounts, or of much patience, can gain. */
import { expect } from 'chai';
import fc from 'fast-check';
import type { RiskTable } from '#protocol/instrument.ts';
import { TINY_SHAPE } from '#protocol/limits.ts';
import { marginOf } from '#protocol/risk/margin.ts';
import { accountAt, type LedgerState } from '#protocol/state.ts';
import type { OpenBatch } from '#protocol/transition/open-batch.ts';
import type { LiquidateOperation } from '#protocol/transition/operation.ts';
import type { MicrosPerLot } from '#protocol/units.ts';
import {
  funded,
  marked,
  match,
  must,
  NO_PENDING,
  NOW_SEC,
  open,
  order,
  PERP,
  riskTable,
  settle,
  trade,
  USD,
} from '../../support/ledger.ts';

const FUND_MICROS = 1_000_000n * USD;
const VICTIM = 1;
const FRIEND = 3;

describe('an owner on both sides of his own liquidation', () => {
  /** Long 10 from $100, then the market falls: both accounts are one man's, and he names the price within the band. */
  const start = (dollars: bigint): LedgerState =>
    settle(funded({ [VICTIM]: dollars, 2: 100_000n, [FRIEND]: 100_000n }), [match(VICTIM, 2, 10n, 100n)]);

  const groupEquity = (batch: OpenBatch, table: RiskTable): bigint =>
    [VICTIM, FRIEND].reduce(
      (sum, index) => sum + marginOf(batch.accountAt(index), table, TINY_SHAPE).equity,
      0n,
    );

  const close = (lots: bigint, priceMicrosPerLot: bigint): LiquidateOperation => ({
    kind: 'liquidate',
    accountIndex: VICTIM,
    instrumentId: PERP,
    lots,
    priceMicrosPerLot,
    reason: 1,
    pending: NO_PENDING,
    against: order(FRIEND, { side: 'buy', sizeLots: 1_000n }),
    feeMicros: 0n,
  });

  it('takes no more from the fund than the debt at the mark and the band, and pays every penalty himself', () => {
    let paidByFund = 0;
    let penalised = 0;
    const property = fc.property(
      fc.bigInt(210n, 500n),
      fc.bigInt(40n, 95n),
      fc.bigInt(1n, 10n),
      fc.bigInt(0n, 1_000_000n),
      (dollars, mark, lots, bandPpm) => {
        const table = marked(mark);
        const state = start(dollars);
        const empty = open(state, { table, fundBookedMicros: FUND_MICROS });
        const before = groupEquity(empty, table);
        const debt = -marginOf(accountAt(state, VICTIM), table, TINY_SHAPE).equity;
        const bandMicros = (mark * USD * bandPpm) / 100_000_000n;
        const closed = empty.execute(close(lots, mark * USD - bandMicros));
        if (!closed.ok) return;
        const next = closed.value.seal();
        const after = open(next.state, { table, fundBookedMicros: FUND_MICROS, batchNumber: 2n });
        const paid = after.execute({ kind: 'pay-fund', accountIndex: VICTIM });
        const settled = paid.ok ? paid.value : after;
        const { fundPaymentsMicros } = settled.seal().batch;
        const { penaltiesMicros } = next.batch;
        // Every micro that the group has more came out of the fund, less the penalty.
        expect(groupEquity(settled, table) - before).to.equal(fundPaymentsMicros - penaltiesMicros);
        const most = (debt > 0n ? debt : 0n) + lots * bandMicros;
        expect(fundPaymentsMicros <= most, `${fundPaymentsMicros} paid, ${most} owed`).to.equal(true);
        if (fundPaymentsMicros > 0n) paidByFund++;
        if (penaltiesMicros > 0n) penalised++;
      },
    );
    fc.assert(property, { numRuns: 300, seed: 20_261_121, endOnFailure: true });
    expect(paidByFund).to.be.greaterThan(10);
    expect(penalised).to.be.greaterThan(10);
  });
});

describe('a hundred thousand trades of one lot', () => {
  const BATCHES = 10;
  const TRADES = 10_000;

  it('leave both accounts with exactly what they paid and received, to the micro', function () {
    this.timeout(120_000);
    const deposits = { 1: 20_000_000n, 2: 20_000_000n };
    let state = funded(deposits);
    const cash = new Map([
      [1, 20_000_000n * USD],
      [2, 20_000_000n * USD],
    ]);
    const pay = (index: number, micros: bigint) => cash.set(index, (cash.get(index) ?? 0n) + micros);
    let feesMicros = 0n;
    let size = 0n;
    let fundingIndex = 0n;
    for (let number = 0; number < BATCHES; number++) {
      // Funding moves by a prime each round, on a position that is not round either.
      const funding = 9_973n * (number % 2 === 0 ? 1n : -1n) + 7n;
      fundingIndex += funding;
      pay(1, -size * funding);
      pay(2, size * funding);
      const rows = { [PERP]: { fundingIndex: fundingIndex as MicrosPerLot } };
      let batch = open(state, {
        table: riskTable({}, rows),
        batchNumber: BigInt(number + 1),
        timeSec: NOW_SEC,
      });
      const buyer = number % 3 === 2 ? 2 : 1;
      const seller = 3 - buyer;
      const sizeLots = BigInt(TRADES);
      const [buy, sell] = [
        order(buyer, { side: 'buy', sizeLots }),
        order(seller, { side: 'sell', sizeLots }),
      ];
      for (let i = 0; i < TRADES; i++) {
        // Eight or nine micros of fee, a price that no tick divides: what a rounding would repeat.
        const priceMicrosPerLot = 99_999_989n + BigInt(i % 19);
        const taker = 8n + BigInt(i % 2);
        batch = must(
          batch.execute({ ...trade(buy, sell, 1n, 0n, { taker }), priceMicrosPerLot } as Parameters<
            OpenBatch['execute']
          >[0]),
        );
        pay(buyer, -priceMicrosPerLot);
        pay(seller, priceMicrosPerLot - taker);
        feesMicros += taker;
        size += buyer === 1 ? 1n : -1n;
      }
      state = batch.seal().state;
      for (const index of [1, 2]) {
        const own = index === 1 ? size : -size;
        expect(accountAt(state, index).cashStar - own * fundingIndex).to.equal(cash.get(index));
      }
    }
    const total = [...cash.values()].reduce((sum, micros) => sum + micros);
    expect(total + feesMicros).to.equal(40_000_000n * USD);
    expect(size).to.not.equal(0n);
  });
});
