import { expect } from 'chai';
import { sizeOf } from '#protocol/account.ts';
import { TINY_SHAPE } from '#protocol/limits.ts';
import { countedDeposits, marginOf } from '#protocol/risk/margin.ts';
import { rowOf } from '#protocol/risk/table.ts';
import { accountAt, type LedgerState } from '#protocol/state.ts';
import { liquidationReason } from '#protocol/transition/liquidation-rules.ts';
import { batchInstruments } from '#protocol/transition/market-rules.ts';
import type { LiquidateOperation, Operation } from '#protocol/transition/operation.ts';
import type { MicrosPerLot } from '#protocol/units.ts';
import { largestLiquidationLots } from '../../support/largest-liquidation.ts';
import {
  funded,
  l1,
  marked,
  match,
  must,
  NO_PENDING,
  OTHER,
  open,
  order,
  PERP,
  ROOMY,
  refusal,
  riskTable,
  run,
  SPOT,
  settle,
  trade,
  USD,
  withdrawal,
} from '../../support/ledger.ts';

/** Closes lots of account 1 against a fresh order of account 3 at a price in micros. */
function close(
  lots: bigint,
  priceMicrosPerLot: bigint,
  change: Partial<LiquidateOperation> & { side?: 'buy' | 'sell' } = {},
): LiquidateOperation {
  const instrumentId = change.instrumentId ?? PERP;
  return {
    kind: 'liquidate',
    accountIndex: 1,
    instrumentId,
    lots,
    priceMicrosPerLot,
    reason: 1,
    pending: NO_PENDING,
    against: order(3, { side: change.side ?? 'buy', sizeLots: 1000n, instrumentId }),
    feeMicros: 0n,
    ...change,
  };
}

// Long 100 lots from $100 with $2500 less a fee of $6: at $90 equity is 1494 = MM exactly; a lot less at $89.
const buy = order(1, { side: 'buy', sizeLots: 100n });
const start: LedgerState = settle(funded({ 1: 2500n, 2: 100_000n, 3: 100_000n }), [
  trade(order(2, { side: 'sell', sizeLots: 100n }), buy, 100n, 100n, { taker: 6n * USD }),
]);
const at = (dollars: bigint) => open(start, { table: marked(dollars) });
const marginAt = (dollars: bigint, state = start) =>
  marginOf(accountAt(state, 1), marked(dollars), TINY_SHAPE);

describe('a liquidation for margin', () => {
  it('starts strictly below maintenance margin, not at it', () => {
    expect(marginAt(90n).equity).to.equal(marginAt(90n).maintenanceMarginMicrosUp);
    refusal(at(90n).execute(close(1n, 90n * USD)), 'not-liquidatable');
    const table = riskTable(
      {},
      { [PERP]: { ...marked(90n).rows[1], mark: (90n * USD - 1n) as MicrosPerLot } },
    );
    must(open(start, { table }).execute(close(1n, 90n * USD)));
    expect(liquidationReason(accountAt(start, 1), marked(90n), TINY_SHAPE)).to.equal(undefined);
    expect(liquidationReason(accountAt(start, 1), table, TINY_SHAPE)).to.equal(1);
  });

  it('never touches a healthy account, whoever asks', () => {
    refusal(at(100n).execute(close(1n, 100n * USD)), 'not-liquidatable');
  });

  it('trades at the edge of the band and not one micro beyond', () => {
    must(at(80n).execute(close(1n, 79_200_000n)));
    refusal(at(80n).execute(close(1n, 79_199_999n)), 'outside-band');
    // Better than the mark is the user's luck.
    must(at(80n).execute(close(1n, 95n * USD)));
  });

  it('closes a short by buying, at most at the band above the mark', () => {
    const short = settle(funded({ 1: 250n, 2: 10_000n, 3: 10_000n }), [match(2, 1, 10n, 100n)]);
    const batch = open(short, { table: marked(112n) });
    const ask = (micros: bigint) => close(5n, micros, { side: 'sell' });
    const closed = run(batch, ask(113_120_000n));
    expect(closed.content.liquidations[0]).to.include({
      isShort: true,
      closedLots: 5n,
      cashMicros: 565_600_000n,
    });
    expect(sizeOf(closed.accountAt(1), PERP)).to.equal(-5n);
    refusal(batch.execute(ask(113_120_001n)), 'outside-band');
    refusal(batch.execute(close(5n, 112n * USD, { side: 'buy' })), 'orders-do-not-match');
  });

  it('takes the penalty of what was closed, once, into the treasury', () => {
    const { batch, state } = run(at(89n), close(10n, 89n * USD), close(5n, 89n * USD)).seal();
    expect(batch.content.liquidatedAccounts[0].penaltyMicros).to.equal(13_350_000n); // 15 lots · 1 % · $89
    expect(batch.penaltiesMicros).to.equal(13_350_000n);
    expect(batch.content.liquidations.length).to.equal(1);
    expect(marginAt(89n).equity - marginAt(89n, state).equity).to.equal(13_350_000n);
  });

  it('ends at IM plus $50: the largest size passes, one lot more does not', () => {
    const lots = largestLiquidationLots(at(89n), close(1n, 89n * USD), 100n);
    expect(lots > 0n && lots < 100n).to.equal(true);
    const { state } = run(at(89n), close(lots, 89n * USD)).seal();
    const after = marginAt(89n, state);
    expect(after.equity <= after.initialMarginMicrosUp + 50n * USD).to.equal(true);
    refusal(at(89n).execute(close(lots + 1n, 89n * USD)), 'liquidated-too-much');
  });

  it('is bounded over several steps of one batch as in one step', () => {
    const lots = largestLiquidationLots(at(89n), close(1n, 89n * USD), 100n);
    const batch = run(at(89n), close(lots - 3n, 89n * USD));
    expect(largestLiquidationLots(batch, close(1n, 89n * USD), 100n)).to.equal(3n);
    refusal(batch.execute(close(4n, 89n * USD)), 'liquidated-too-much');
  });

  it('may empty an account whose MM is below $50, however rich it is after', () => {
    const tiny = settle(funded({ 1: 63n, 2: 10_000n, 3: 10_000n }), [match(1, 2, 3n, 100n)]);
    // At $89: equity 30, MM 44.3. At a price far above the mark it ends with hundreds of dollars.
    must(open(tiny, { table: marked(89n) }).execute(close(3n, 300n * USD)));
    // With four times the size MM is 177: now the bound holds.
    const larger = settle(funded({ 1: 252n, 2: 10_000n, 3: 10_000n }), [match(1, 2, 12n, 100n)]);
    refusal(open(larger, { table: marked(89n) }).execute(close(12n, 300n * USD)), 'liquidated-too-much');
  });

  it('only shrinks: not beyond what is held', () => {
    must(at(70n).execute(close(100n, 70n * USD)));
    refusal(at(70n).execute(close(101n, 70n * USD)), 'must-shrink');
    refusal(at(70n).execute(close(1n, 100n * USD, { instrumentId: OTHER })), 'must-shrink');
  });

  it('lowers maintenance margin: closing the hedge alone is no liquidation', () => {
    const hedged = settle(funded({ 1: 2500n, 2: 100_000n, 3: 100_000n }), [
      match(1, 2, 100n, 100n),
      match(2, 1, 50n, 100n, OTHER),
    ]);
    const table = riskTable({}, { [PERP]: marked(76n).rows[1] });
    expect(liquidationReason(accountAt(hedged, 1), table, TINY_SHAPE)).to.equal(1);
    refusal(
      open(hedged, { table }).execute(close(10n, 100n * USD, { instrumentId: OTHER, side: 'sell' })),
      'margin-not-lower',
    );
    must(open(hedged, { table }).execute(close(10n, 76n * USD)));
  });

  it('takes no penalty from a bankrupt account, and from a poor one only what it has', () => {
    const bankrupt = run(at(70n), close(100n, 70n * USD)).seal(); // equity −506
    expect(bankrupt.batch.penaltiesMicros).to.equal(0n);
    // At $75.50 equity is 44; the rate on 100 lots would be 75.50.
    const table = riskTable({}, { [PERP]: { mark: 75_500_000n as MicrosPerLot } });
    const poor = run(open(start, { table }), close(100n, 75_500_000n)).seal();
    expect(poor.batch.penaltiesMicros).to.equal(44n * USD);
    expect(accountAt(poor.state, 1).cashStar).to.equal(0n);
  });

  it('counts deposits that wait in the queue on both sides', () => {
    const waiting = { quoteMicros: 84n * USD, spotLots: [0n, 0n, 0n] };
    // At $89 equity 1394 against MM 1477.4: short by 83.4.
    refusal(at(89n).execute(close(1n, 89n * USD, { pending: waiting })), 'not-liquidatable');
    const short = { quoteMicros: 83n * USD, spotLots: [0n, 0n, 0n] };
    must(at(89n).execute(close(1n, 89n * USD, { pending: short })));
    expect(liquidationReason(accountAt(start, 1), marked(89n), TINY_SHAPE, waiting)).to.equal(undefined);
    // With the deposit counted after as well, fewer lots reach IM + $50.
    const alone = largestLiquidationLots(at(89n), close(1n, 89n * USD), 100n);
    expect(largestLiquidationLots(at(89n), close(1n, 89n * USD, { pending: short }), 100n) < alone).to.equal(
      true,
    );
    const first = run(at(89n), close(1n, 89n * USD, { pending: short }));
    refusal(first.execute(close(1n, 89n * USD)), 'needs-new-batch');
  });

  it('counts spot that waits while all of it is within the position cap, and none of it beyond', () => {
    const { positionCap } = rowOf(marked(70n), SPOT)!;
    const spotOf = (lots: bigint) => ({ quoteMicros: 0n, spotLots: [lots, 0n, 0n] });
    // At $70 equity is −506: a hundred lots of spot would cover it.
    refusal(at(70n).execute(close(100n, 70n * USD, { pending: spotOf(positionCap) })), 'not-liquidatable');
    const beyond = spotOf(positionCap + 1n);
    const { batch } = run(at(70n), close(100n, 70n * USD, { pending: beyond })).seal();
    // The proof shows the cap of what waits, so the token has a row.
    expect(batchInstruments(batch.accounts, batch.content)).to.deep.equal([SPOT, PERP]);
    expect(batch.content.liquidatedAccounts[0].pending).to.deep.equal(beyond);
    // The contract gives such a deposit back whole.
    const deposited = run(at(70n), {
      kind: 'l1',
      operation: l1('deposit', 1, SPOT, positionCap + 1n),
    }).seal();
    expect(deposited.batch.content.l1Operations[0].outcome).to.include({ isApplied: false, served: 0n });
    // By what the account holds already: one lot less may wait.
    const holder = settle(start, [{ kind: 'l1', operation: l1('deposit', 1, SPOT, 1n) }]);
    const counted = (lots: bigint) =>
      countedDeposits(accountAt(holder, 1), marked(70n), spotOf(lots)).spotLots;
    expect(counted(positionCap - 1n)).to.deep.equal([positionCap - 1n, 0n, 0n]);
    expect(counted(positionCap)).to.deep.equal([0n, 0n, 0n]);
  });

  it('shares its batch with a forced withdrawal that pays nothing only where what waits would not pay it either', () => {
    // Three lots bought with $63 owe $3 at $78; $20 wait. The proof knows one equity of an account: with what waits.
    const small = settle(funded({ 1: 63n, 3: 10_000n }), [match(1, 3, 3n, 100n)]);
    const forced: Operation = { kind: 'l1', operation: l1('withdraw', 1, 0, 50n * USD) };
    const closing = (dollars: bigint) =>
      close(3n, dollars * USD, { pending: { quoteMicros: 20n * USD, spotLots: [0n, 0n, 0n] } });
    const at78 = open(small, { table: marked(78n) });
    refusal(run(at78, closing(78n)).execute(forced), 'needs-new-batch');
    refusal(run(at78, forced).execute(closing(78n)), 'needs-new-batch');
    const at70 = open(small, { table: marked(70n) });
    run(at70, closing(70n), forced).seal();
  });

  it('waits for a round that lists the tokens of which deposits wait', () => {
    const waiting = close(100n, 70n * USD, { pending: { quoteMicros: 0n, spotLots: [0n, 1n, 0n] } });
    refusal(at(70n).execute(waiting), 'holding-not-listed');
  });

  it('shares its batch with no order, withdrawal, deposit or key change of the account', () => {
    const others: Operation[] = [
      match(3, 1, 1n, 89n),
      { kind: 'withdraw', ...withdrawal(1, 1n) },
      { kind: 'l1', operation: l1('deposit', 1, 0, USD) },
      { kind: 'l1', operation: l1('cancelAll', 1) },
      { kind: 'l1', operation: l1('register', 1) },
    ];
    const liquidated = run(at(89n), close(1n, 89n * USD));
    for (const other of others) refusal(liquidated.execute(other), 'needs-new-batch');
    for (const other of [others[0], others[2], others[3]]) {
      refusal(run(at(89n), other).execute(close(1n, 89n * USD)), 'needs-new-batch');
    }
    refusal(
      at(89n).execute({ ...close(1n, 89n * USD), against: order(1, { side: 'buy', sizeLots: 5n }) }),
      'orders-do-not-match',
    );
  });

  it('judges the counterparty like in any trade', () => {
    const poor = settle(start, [{ kind: 'l1', operation: l1('register', 4) }]);
    const ask = { ...close(1n, 89n * USD), against: order(4, { side: 'buy', sizeLots: 5n }) };
    expect(
      refusal(open(poor, { table: marked(89n) }).execute(ask), 'insufficient-margin').data.accountIndex,
    ).to.equal(4);
  });

  it('waits while prices are not usable', () => {
    refusal(
      open(start, { table: marked(70n), pricesUsable: false }).execute(close(1n, 70n * USD)),
      'prices-unusable',
    );
  });

  it('keeps its rows in order of account and instrument, and ends with their room', () => {
    const both = settle(funded({ 1: 440n, 2: 10_000n, 3: 10_000n }), [
      match(1, 2, 10n, 100n),
      match(1, 2, 10n, 100n, OTHER),
    ]);
    const table = riskTable({}, { [PERP]: marked(88n).rows[1], [OTHER]: marked(95n, OTHER).rows[2] });
    const batch = run(
      open(both, { table }),
      close(1n, 95n * USD, { instrumentId: OTHER }),
      close(1n, 88n * USD),
    );
    expect(batch.content.liquidations.map((row) => row.instrumentId)).to.deep.equal([PERP, OTHER]);
    const narrow = open(both, { table }, { ...ROOMY, liquidations: 1 });
    const full = run(narrow, close(1n, 88n * USD));
    must(full.execute(close(1n, 88n * USD)));
    refusal(full.execute(close(1n, 95n * USD, { instrumentId: OTHER })), 'batch-full');
  });
});

describe('a liquidation for quote debt', () => {
  // 10 spot lots bought for $1000 with $632: debt 368. It is deep when 0.6 · 0.92 · 10 · mark < 368: below $66.67.
  const indebted = settle(funded({ 1: 632n, 2: 0n, 3: 100_000n }, { 2: 50n }), [
    match(1, 2, 10n, 100n, SPOT),
  ]);
  const spotAt = (dollars: bigint) => open(indebted, { table: marked(dollars, SPOT) });
  const sell = (lots: bigint, dollars: bigint, reason: 1 | 2 = 2) =>
    close(lots, dollars * USD, { instrumentId: SPOT, reason });

  it('starts below −60 % of the haircut spot value, though margin is fine', () => {
    expect(liquidationReason(accountAt(indebted, 1), marked(67n, SPOT), TINY_SHAPE)).to.equal(undefined);
    refusal(spotAt(67n).execute(sell(1n, 67n)), 'not-liquidatable');
    expect(liquidationReason(accountAt(indebted, 1), marked(66n, SPOT), TINY_SHAPE)).to.equal(2);
    must(spotAt(66n).execute(sell(1n, 66n)));
    refusal(spotAt(66n).execute(sell(1n, 66n, 1)), 'not-liquidatable');
  });

  it('sells spot until the debt is within 40 % and at most a lot beyond', () => {
    const lots = largestLiquidationLots(spotAt(66n), sell(1n, 66n), 10n);
    expect(lots > 3n && lots < 10n).to.equal(true);
    refusal(spotAt(66n).execute(sell(lots + 1n, 66n)), 'liquidated-too-much');
    const { batch } = run(spotAt(66n), sell(lots, 66n)).seal();
    expect(batch.content.liquidatedAccounts[0]).to.include({ reason: 2, penaltyMicros: lots * 660_000n });
  });

  it('sells nothing but spot', () => {
    const state = settle(funded({ 1: 4000n, 2: 50_000n, 3: 100_000n }, { 2: 60n }), [
      match(1, 2, 60n, 100n, SPOT),
      match(1, 2, 1n, 100n),
    ]);
    const table = marked(60n, SPOT);
    refusal(open(state, { table }).execute(close(1n, 100n * USD, { reason: 2 })), 'spot-only');
    must(open(state, { table }).execute(sell(1n, 60n)));
  });

  it('keeps the band', () => {
    must(spotAt(60n).execute({ ...sell(1n, 60n), priceMicrosPerLot: 59_400_000n }));
    refusal(spotAt(60n).execute({ ...sell(1n, 60n), priceMicrosPerLot: 59_399_999n }), 'outside-band');
  });
});

describe('a fund payment', () => {
  const emptied = run(at(70n), close(100n, 70n * USD)).seal().state; // 1 is left with −506
  const pay: Operation = { kind: 'pay-fund', accountIndex: 1 };

  it('covers exactly the debt of an account that holds nothing', () => {
    const { batch, state } = run(open(emptied, { fundBookedMicros: 1000n * USD }), pay).seal();
    expect(batch.fundPaymentsMicros).to.equal(506n * USD);
    expect(accountAt(state, 1).cashStar).to.equal(0n);
    refusal(open(state, { fundBookedMicros: 1000n * USD }).execute(pay), 'fund-payment');
  });

  it('covers what the fund has, and the rest stays', () => {
    const batch = run(open(emptied, { fundBookedMicros: 500n * USD }), pay);
    expect(batch.accountAt(1).cashStar).to.equal(-6n * USD);
    refusal(batch.execute(pay), 'fund-payment');
    refusal(open(emptied).execute(pay), 'fund-empty');
    expect(liquidationReason(accountAt(emptied, 1), marked(70n), TINY_SHAPE)).to.equal(undefined);
  });

  it('never pays an account that still holds something, or owes nothing', () => {
    const fund = { fundBookedMicros: 1000n * USD };
    refusal(open(start, { ...fund, table: marked(70n) }).execute(pay), 'still-holds-positions');
    const withSpot = settle(emptied, [{ kind: 'l1', operation: l1('deposit', 1, SPOT, 1n) }]);
    refusal(open(withSpot, fund).execute(pay), 'still-holds-positions');
    refusal(open(emptied, fund).execute({ kind: 'pay-fund', accountIndex: 3 }), 'still-holds-positions');
    refusal(open(funded({ 3: 10n }), fund).execute({ kind: 'pay-fund', accountIndex: 3 }), 'fund-payment');
    refusal(open(emptied, { ...fund, pricesUsable: false }).execute(pay), 'prices-unusable');
  });

  it('waits for the batch after the liquidation that made the debt', () => {
    const batch = run(
      open(start, { table: marked(70n), fundBookedMicros: 1000n * USD }),
      close(100n, 70n * USD),
    );
    refusal(batch.execute(pay), 'needs-new-batch');
  });
});
