import { expect } from 'chai';
import { sizeOf } from '#protocol/account.ts';
import type { BatchContent, SettlementExecution } from '#protocol/batch/batch.ts';
import type { RiskTable } from '#protocol/instrument.ts';
import { TINY_BATCH, TINY_SHAPE } from '#protocol/limits.ts';
import { marginOf } from '#protocol/risk/margin.ts';
import { accountAt, type LedgerState } from '#protocol/state.ts';
import { executeBatch } from '#protocol/transition/execute-batch.ts';
import type { Operation } from '#protocol/transition/operation.ts';
import { settledWorth } from '#protocol/transition/settlement-rules.ts';
import type { MicrosPerLot } from '#protocol/units.ts';
import {
  funded,
  LATER_SEC,
  l1,
  match,
  must,
  NO_PENDING,
  OTHER,
  open,
  order,
  PERP,
  ROOMY,
  refusal,
  run,
  SPOT,
  settle,
  settledAt,
  THIRD,
  trade,
  USD,
  withdrawal,
} from '../../support/ledger.ts';

const convert = (accountIndex: number, instrumentId: number = PERP): Operation => ({
  kind: 'settle',
  accountIndex,
  instrumentId,
});
const retire = (instrumentId: number): Operation => ({ kind: 'retire', instrumentId });

/** Account 1 long, account 2 short ten lots at $100. */
const start = settle(funded({ 1: 1_000n, 2: 1_000n, 3: 10_000n }, { 3: 5n }), [match(1, 2, 10n, 100n)]);
const at = (dollars: bigint) => ({ table: settledAt({ [PERP]: dollars }) });

describe('a settlement', () => {
  it('turns a long and a short into their cash at the settlement value', () => {
    const state = settle(start, [convert(1), convert(2)], at(107n));
    expect(accountAt(state, 1).cashStar).to.equal(1_070n * USD);
    expect(accountAt(state, 2).cashStar).to.equal(930n * USD);
    for (const account of [1, 2]) expect(accountAt(state, account).slots[0].instrumentId).to.equal(0);
    expect(state.openInterest[1]).to.equal(0n);
  });

  it('leaves equity, both margins and every other position as they are', () => {
    const held = settle(start, [match(1, 3, 4n, 100n, OTHER)]);
    const { table } = at(93n);
    const state = settle(held, [convert(1)], { table });
    const margin = (ledger: LedgerState) => marginOf(accountAt(ledger, 1), table, TINY_SHAPE);
    for (const name of [
      'equity',
      'initialMarginTimes100k',
      'maintenanceMarginTimes1000k',
      'quoteBalance',
    ] as const)
      expect(margin(state)[name], name).to.equal(margin(held)[name]);
    expect(sizeOf(accountAt(state, 1), OTHER)).to.equal(4n);
  });

  it('converts options of either side, and those that expire worthless', () => {
    const held = settle(start, [match(1, 3, 6n, 20n, THIRD)]);
    const paid = settle(held, [convert(1, THIRD), convert(3, THIRD)], { table: settledAt({ [THIRD]: 31n }) });
    expect(accountAt(paid, 1).cashStar - accountAt(held, 1).cashStar).to.equal(6n * 31n * USD);
    expect(accountAt(paid, 3).cashStar - accountAt(held, 3).cashStar).to.equal(-6n * 31n * USD);
    const none = settle(held, [convert(1, THIRD), convert(3, THIRD)], { table: settledAt({ [THIRD]: 0n }) });
    for (const index of [1, 3]) {
      expect(accountAt(none, index).cashStar).to.equal(accountAt(held, index).cashStar);
      expect(sizeOf(accountAt(none, index), THIRD)).to.equal(0n);
    }
    expect(none.openInterest[3]).to.equal(0n);
  });

  it('is refused before the instrument is settled, though it be expired and reduce-only', () => {
    const early = settledAt({}, { [PERP]: { expirySec: 1n, isReduceOnly: true } });
    refusal(open(start).execute(convert(1)), 'not-settled');
    refusal(open(start, { table: early }).execute(convert(1)), 'not-settled');
    refusal(open(start, at(107n)).execute(convert(1, 99)), 'instrument-not-listed');
    refusal(open(start, at(107n)).execute(convert(1, SPOT)), 'not-settled');
  });

  it('is refused where nothing is held, or no longer', () => {
    refusal(open(start, at(107n)).execute(convert(3)), 'nothing-to-settle');
    refusal(run(open(start, at(107n)), convert(1)).execute(convert(1)), 'nothing-to-settle');
    refusal(open(start, at(107n)).execute(convert(77)), 'nothing-to-settle');
  });

  it('takes no other lots, no other side and no other account than hold the position', () => {
    const { content } = run(open(start, at(107n)), convert(1), convert(2));
    const withRow = (change: Partial<SettlementExecution>): BatchContent => ({
      ...content,
      settlements: content.settlements.map((row, i) => (i === 0 ? { ...row, ...change } : row)),
    });
    must(executeBatch(start, content, ROOMY));
    for (const change of [
      { lots: 9n },
      { lots: 11n },
      { lots: 0n },
      { lots: -10n },
      { isShort: true },
      { accountIndex: 0 },
    ])
      refusal(executeBatch(start, withRow(change), ROOMY), 'settled-lots');
  });

  it('has one row for each position, in order, whatever order they came in', () => {
    const table = settledAt({ [PERP]: 107n, [OTHER]: 95n });
    const held = settle(start, [match(1, 2, 4n, 100n, OTHER)]);
    const batch = run(open(held, { table }), convert(2, OTHER), convert(1), convert(2), convert(1, OTHER));
    const rows = batch.content.settlements;
    expect(rows.map((row) => [row.accountIndex, row.instrumentId])).to.deep.equal([
      [1, PERP],
      [1, OTHER],
      [2, PERP],
      [2, OTHER],
    ]);
    const { content } = batch;
    for (const settlements of [[...rows].reverse(), [rows[0], ...rows]]) {
      const refused = executeBatch(held, { ...content, settlements }, ROOMY);
      expect(refusal(refused, 'malformed-content').message).to.include('settlement rows');
    }
  });

  it('needs a row: beyond those of the batch it goes into the next', () => {
    const one = { ...TINY_BATCH, settlements: 1 };
    const batch = run(open(start, at(107n), one), convert(1));
    expect(refusal(batch.execute(convert(2)), 'batch-full').data).to.include({
      resource: 'settlements',
      capacity: 1,
    });
    const { content } = run(open(start, at(107n)), convert(1), convert(2));
    refusal(executeBatch(start, content, one), 'batch-full');
  });

  it('is possible when no price may be used, and makes withdrawals free of prices', () => {
    const header = { ...at(107n), pricesUsable: false };
    const out: Operation = { kind: 'withdraw', ...withdrawal(1, 1_070n * USD) };
    refusal(open(start, header).execute(out), 'prices-unusable');
    const state = settle(start, [convert(1), out], header);
    expect(accountAt(state, 1).cashStar).to.equal(0n);
  });

  it('is the only thing that moves a settled position', () => {
    refusal(
      open(start, at(107n)).execute(
        trade(
          order(2, { side: 'buy', sizeLots: 4n, isReduceOnly: true }),
          order(1, { side: 'sell', sizeLots: 4n, isReduceOnly: true }),
          4n,
          107n,
        ),
      ),
      'instrument-expired',
    );
    const poor = settle(funded({ 1: 250n, 2: 1_000n, 3: 10_000n }), [match(1, 2, 10n, 100n)]);
    const closing: Operation = {
      kind: 'liquidate',
      accountIndex: 1,
      instrumentId: PERP,
      lots: 1n,
      priceMicrosPerLot: 10n * USD,
      reason: 1,
      pending: NO_PENDING,
      against: order(2, { side: 'buy', sizeLots: 1n }),
      feeMicros: 0n,
    };
    refusal(open(poor, at(10n)).execute(closing), 'margin-not-lower');
  });
});

describe('a settlement beside other things of the same account', () => {
  it('a withdrawal of what it gives, a fill elsewhere, a deposit', () => {
    const header = { table: settledAt({ [PERP]: 107n }) };
    const operations: Operation[] = [
      { kind: 'l1', operation: l1('deposit', 1, 0, 5n * USD) },
      match(1, 3, 2n, 100n, OTHER),
      convert(1),
      { kind: 'withdraw', ...withdrawal(1, 600n * USD) },
    ];
    const state = settle(start, operations, header);
    expect(accountAt(state, 1).cashStar).to.equal((1_070n + 5n - 200n - 600n) * USD);
    // In whatever order.
    const [deposit, fill, conversion, out] = operations;
    expect(settle(start, [conversion, out, deposit], header)).to.not.equal(undefined);
    expect(settle(start, [fill, conversion], header)).to.not.equal(undefined);
  });

  it('does not make a withdrawal pass that its cash does not cover', () => {
    const out: Operation = { kind: 'withdraw', ...withdrawal(1, 1_071n * USD) };
    refusal(run(open(start, at(107n)), convert(1)).execute(out), 'quote-debt');
  });

  it('a liquidation of another position, whose bound on losses it does not touch', () => {
    const held = settle(funded({ 1: 430n, 2: 10_000n, 3: 10_000n }), [
      match(1, 2, 10n, 100n),
      match(1, 2, 10n, 100n, OTHER),
    ]);
    const table = settledAt({ [PERP]: 80n }, { [OTHER]: { mark: (88n * USD) as MicrosPerLot } });
    const close: Operation = {
      kind: 'liquidate',
      accountIndex: 1,
      instrumentId: OTHER,
      lots: 5n,
      priceMicrosPerLot: (88n * USD * 99n) / 100n,
      reason: 1,
      pending: NO_PENDING,
      against: order(3, { side: 'buy', sizeLots: 100n, instrumentId: OTHER }),
      feeMicros: 0n,
    };
    const alone = run(open(held, { table }), close);
    const both = run(open(held, { table }), convert(1), close);
    const { penaltyMicros } = both.content.liquidatedAccounts[0];
    expect(penaltyMicros).to.equal(alone.content.liquidatedAccounts[0].penaltyMicros);
    must(executeBatch(held, both.seal().batch.content, ROOMY));
  });

  it('waits for the next batch where the account sells spot for quote debt', () => {
    const held = settle(funded({ 1: 632n, 2: 100_000n, 3: 1_000n }, { 2: 50n }), [
      match(1, 2, 10n, 100n, SPOT),
      match(1, 3, 1n, 100n),
    ]);
    const table = settledAt({ [PERP]: 100n }, { [SPOT]: { mark: (62n * USD) as MicrosPerLot } });
    const sale: Operation = {
      kind: 'liquidate',
      accountIndex: 1,
      instrumentId: SPOT,
      lots: 2n,
      priceMicrosPerLot: 62n * USD,
      reason: 2,
      pending: NO_PENDING,
      against: order(2, { side: 'buy', sizeLots: 100n, instrumentId: SPOT }),
      feeMicros: 0n,
    };
    refusal(run(open(held, { table }), sale).execute(convert(1)), 'needs-new-batch');
  });
});

describe('conservation over settlements', () => {
  const worth = (state: LedgerState, table: RiskTable): bigint =>
    [1, 2, 3, 4, 5].reduce((sum, index) => {
      const account = accountAt(state, index);
      return sum + account.cashStar + settledWorth(account, table);
    }, 0n);

  it('holds in every batch though longs and shorts are converted at different times', () => {
    const held = settle(funded({ 1: 1_000n, 2: 1_000n, 3: 1_000n, 4: 1_000n, 5: 1_000n }), [
      match(1, 2, 7n, 100n),
      match(1, 3, 3n, 100n),
      match(4, 3, 2n, 100n),
      match(5, 2, 1n, 100n, THIRD),
    ]);
    const table = settledAt({ [PERP]: 111n, [THIRD]: 4n });
    const total = worth(held, table);
    expect(total).to.equal(5_000n * USD);
    const step = (state: LedgerState, operations: Operation[], out = 0n): LedgerState => {
      const next = settle(state, operations, { table });
      expect(worth(state, table) - worth(next, table)).to.equal(out);
      return next;
    };
    let state = step(held, [convert(1)]);
    expect(state.openInterest[1], 'four longs less one of ten, twelve shorts').to.equal(2n + 12n);
    state = step(state, [{ kind: 'withdraw', ...withdrawal(1, 1_110n * USD) }], 1_110n * USD);
    state = step(state, [convert(5, THIRD), convert(2)]);
    state = step(state, [convert(4), convert(2, THIRD)]);
    expect(state.openInterest.slice(1), 'only one short is left').to.deep.equal([5n, 0n, 0n]);
    state = step(state, [convert(3)]);
    expect(state.openInterest).to.deep.equal([0n, 0n, 0n, 0n]);
    expect(worth(state, table)).to.equal(total - 1_110n * USD);
  });

  it('counts a holder that shorts more than its cash: what it owes stays listed as its debt', () => {
    const state = settle(start, [convert(2), convert(1)], at(500n));
    expect(accountAt(state, 2).cashStar).to.equal(-3_000n * USD);
    expect(accountAt(state, 1).cashStar).to.equal(5_000n * USD);
  });
});

describe('a retirement', () => {
  it('is said by the batch that converts the last holder', () => {
    expect(run(open(start, at(107n)), convert(1)).seal().batch.content.retiredInstrument).to.equal(0);
    const batch = run(open(start, at(107n)), convert(1), convert(2));
    expect(batch.seal().batch.content.retiredInstrument).to.equal(PERP);
    const untouched = open(start, { table: settledAt({ [OTHER]: 5n }) });
    expect(untouched.seal().batch.content.retiredInstrument, 'never held').to.equal(0);
  });

  it('is not said while shorts are left, whose place would be lost to them', () => {
    const state = settle(start, [convert(1)], at(107n));
    refusal(open(state, at(107n)).execute(retire(PERP)), 'still-held');
    const { content } = open(state, at(107n));
    refusal(executeBatch(state, { ...content, retiredInstrument: PERP }, ROOMY), 'still-held');
    const last = run(open(state, at(107n)), convert(2)).seal();
    expect(last.batch.content.retiredInstrument).to.equal(PERP);
  });

  it('of an instrument that nobody ever held is asked for', () => {
    const header = { table: settledAt({ [OTHER]: 5n }) };
    const batch = run(open(start, header), retire(OTHER));
    expect(batch.isEmpty).to.equal(false);
    expect(batch.usedRows.instruments).to.equal(1);
    expect(batch.seal().batch.content.retiredInstrument).to.equal(OTHER);
  });

  it('is one a batch, and only of a settled instrument that is listed', () => {
    const table = settledAt({ [OTHER]: 5n, [THIRD]: 0n });
    refusal(run(open(start, { table }), retire(OTHER)).execute(retire(THIRD)), 'batch-full');
    refusal(open(start, { table }).execute(retire(PERP)), 'not-settled');
    refusal(open(start, { table }).execute(retire(99)), 'instrument-not-listed');
    const { content } = open(start, { table, timeSec: LATER_SEC });
    refusal(executeBatch(start, { ...content, retiredInstrument: PERP }, ROOMY), 'not-settled');
    refusal(executeBatch(start, { ...content, retiredInstrument: 99 }, ROOMY), 'instrument-not-listed');
  });

  it('is for ever: nothing opens the instrument again, before its place is free or in the batch itself', () => {
    const header = at(107n);
    const retiring = run(open(start, header), convert(1), convert(2));
    refusal(retiring.execute(match(3, 1, 1n, 107n)), 'reduce-only');
    const state = retiring.seal().state;
    for (const isReduceOnly of [false, true]) {
      const side = (accountIndex: number, name: 'buy' | 'sell') =>
        order(accountIndex, { side: name, sizeLots: 4n, isReduceOnly });
      refusal(open(state, header).execute(trade(side(1, 'buy'), side(2, 'sell'), 4n, 107n)), 'reduce-only');
    }
    // Nor does a finished batch that says so.
    const { content } = run(open(state), match(1, 2, 4n, 100n));
    const messages = content.messages.map((row) => ({ ...row, isShrinking: true }));
    const forged = { ...content, messages, header: { ...content.header, table: header.table } };
    refusal(executeBatch(state, forged, ROOMY), 'instrument-expired');
    refusal(executeBatch(state, { ...forged, retiredInstrument: PERP }, ROOMY), 'instrument-expired');
    expect(run(open(state, header), retire(PERP)).seal().state.openInterest[1]).to.equal(0n);
  });

  it('of two emptied by one batch leaves the second for the next', () => {
    const held = settle(start, [match(1, 2, 4n, 100n, OTHER)]);
    const table = settledAt({ [PERP]: 107n, [OTHER]: 95n });
    const first = run(
      open(held, { table }),
      ...[1, 2].flatMap((index) => [convert(index), convert(index, OTHER)]),
    ).seal();
    expect(first.batch.content.retiredInstrument).to.equal(PERP);
    const second = run(open(first.state, { table }), retire(OTHER)).seal();
    expect(second.batch.content.retiredInstrument).to.equal(OTHER);
  });
});
