/** Rows that stand in for each other: nonces used twice, positions that move, markets that do not exist. */
import type { SealedBatch } from '#protocol/batch/batch.ts';
import { poseidonChain } from '#protocol/crypto/poseidon.ts';
import { ROW_VALUES } from '#protocol/risk/table.ts';
import { type Attack, accepts, BUS, refuses, tinyCircuit } from '#test/support/attack.ts';
import { positions } from '#test/support/batch-traces.ts';
import { forge } from '#test/support/forged-batch.ts';
import * as ledger from '#test/support/ledger.ts';

const { USD } = ledger;
const rich = ledger.funded({ 1: 10_000n, 2: 10_000n });
const NONCE = 33n;
const bid = ledger.sign(1, [
  ledger.orderMessage({ side: 'buy', sizeLots: 9n, nonce: NONCE }),
  { kind: 'cancel', nonce: NONCE, floorBackWords: 1 },
]);

/** Account 1's order takes `lots` of nine; the batch with one more row of account 1 in its third message row. */
function withThirdRow(
  lots: bigint,
  row: { position: number; fillLots: bigint; isCancelled: boolean },
): SealedBatch {
  const sell = ledger.order(2, { side: 'sell', sizeLots: lots });
  const { content } = ledger.run(
    ledger.open(rich),
    ledger.trade(sell, { signed: bid, position: 0 }, lots, 100n),
  );
  const batch = forge(rich, content, {
    after: (account, index) => (index === 1 && row.isCancelled ? { ...account, records: [] } : account),
  });
  const signatureIndex = content.signatures.findIndex(({ accountIndex }) => accountIndex === 1);
  const split = content.messages.map((message) =>
    message.signatureIndex === signatureIndex
      ? { ...message, fillLots: lots - row.fillLots, cashMicros: 100n * USD * (lots - row.fillLots) }
      : message,
  );
  const third = {
    ...content.messages[0],
    signatureIndex,
    position: row.position,
    fillLots: row.fillLots,
    cashMicros: 100n * USD * row.fillLots,
    feeMicros: 0n,
  };
  return { ...batch, content: { ...content, messages: [...split, third] as typeof content.messages } };
}

/** The third row goes on where the order of the same batch stopped, with this much left of it. */
const goesOn = (batch: SealedBatch, restLots: bigint): Attack => ({
  batch,
  commit: (c) => {
    c.messages[2].isContinued = true;
    c.messages[2].restLots = restLots;
  },
});

/** Orders of account 1 with itself in an instrument 0, whose row is called unused. */
function withoutMarket(): Attack {
  const orders = (['buy', 'sell'] as const).map((side, i) =>
    ledger.orderMessage({ side, sizeLots: 5n, instrumentId: 0, nonce: BigInt(i) }),
  );
  const table = ledger.riskTable({ rows: [ledger.riskRow(0, { marketSlot: 1, isSpot: false })] });
  const { content } = ledger.open(rich, { table });
  const row = { signatureIndex: 0, fillLots: 5n, cashMicros: 500n * USD, feeMicros: 0n, isShrinking: false };
  const traded = {
    ...content,
    signatures: [ledger.sign(1, orders)],
    messages: [
      { ...row, position: 0 },
      { ...row, position: 1 },
    ],
  } as typeof content;
  return {
    batch: forge(rich, traded),
    commit: (c) => {
      c.instruments[0].openingFills = 2;
    },
  };
}

/** Account 1 trades with itself; a liquidation row that is called unused closes `lots` of nothing of account 0. */
function unusedLiquidation(closedLots: bigint): Attack {
  const orders = (['buy', 'sell'] as const).map((side, i) =>
    ledger.orderMessage({ side, sizeLots: 5n, nonce: BigInt(i) }),
  );
  const row = { signatureIndex: 0, fillLots: 5n, cashMicros: 500n * USD, feeMicros: 0n, isShrinking: false };
  const messages = orders.map((_, position) => ({ ...row, position }));
  const content = { ...ledger.open(rich).content, signatures: [ledger.sign(1, orders)], messages };
  const pending = { quoteMicros: 0n, spotLots: [0n, 0n, 0n] };
  const nobody = { accountIndex: 0, instrumentId: 0, isShort: false, closedLots, cashMicros: 0n };
  return {
    batch: {
      ...forge(rich, content),
      content: {
        ...content,
        liquidations: [nobody],
        liquidatedAccounts: [{ accountIndex: 0, reason: 1, penaltyMicros: 0n, pending }],
      },
    },
    commit: (c) => {
      c.accounts[0].isLiquidated = false;
    },
    signals: (s) => {
      for (const flag of ['liquidationIsUsed', 'liquidationIsFirst']) s.set(flag, 0, 0n);
      for (const flag of ['MarginLiquidation', 'PenaltyFull', 'PenaltyRest', 'SmallAccount'])
        s.set(`accountIs${flag}`, 0, 0n);
    },
  };
}

/** $50 of a healthy account's $100 is refused for margin; an unused instrument row has a mark. */
function shortServed(): Attack {
  const state = ledger.funded({ 1: 100n });
  const forced = { kind: 'l1', operation: ledger.l1('withdraw', 1, 0, 50n * USD) } as const;
  const { content } = ledger.run(ledger.open(state, { liquid: [0n, 0n, 0n, 0n] }), forced);
  const outcome = { isApplied: false, reason: 'margin', served: 0n } as const;
  const marked = Array.from({ length: ROW_VALUES }, (_, i) => (i === 1 ? 1n : 0n));
  return {
    batch: forge(state, {
      ...content,
      l1Operations: content.l1Operations.map((row) => ({ ...row, outcome })),
    }),
    commit: (c) => {
      c.instruments[3].rowHash = poseidonChain(marked);
    },
    signals: (s) => {
      s.set('l1IsQuoteBound', 0, 0n);
      s.set('l1IsMarginBound', 0, 1n);
      s.set('instrumentRow', 3, 1, 1n);
    },
  };
}

describe('batch circuit, rows that stand in for others', function () {
  this.timeout(600_000);
  before(tinyCircuit);

  accepts({
    'an unused liquidation row without lots': () => unusedLiquidation(0n),
    'an order with no further row of its nonce': () => ({
      batch: forge(rich, ledger.run(ledger.open(rich), ledger.match(1, 2, 5n, 100n)).content),
    }),
  });
  refuses({
    'a cancel of an order that the same batch fills': [
      BUS,
      () => goesOn(withThirdRow(5n, { position: 1, fillLots: 0n, isCancelled: true }), 5n),
    ],
    'an order in two rows of one batch': [
      BUS,
      () => goesOn(withThirdRow(9n, { position: 0, fillLots: 4n, isCancelled: false }), 0n),
    ],
    'a position that moves to another slot under no message': [
      'DistinctSlots: (instrumentIds[i] - instrumentIds[j]) * inverses[i * COUNT + j] === isOpen[i];',
      () => {
        const state = positions();
        const batch = forge(state, ledger.open(state).content, {
          alsoTouched: [1],
          after: ({ slots, ...account }, index) =>
            index === 1
              ? { ...account, slots: [slots[1], slots[0], ...slots.slice(2)] }
              : { ...account, slots },
        });
        return { batch };
      },
    ],
    'orders in an instrument without a market': [
      'InstrumentRow: (1 - isUsed) * (openingFills + shrinkingFills) === 0;',
      withoutMarket,
    ],
    'lots in an unused liquidation row': [
      'LiquidationRow: (1 - isUsed) * (isShort + closedLots + cashMicros + pendingWord) === 0;',
      () => unusedLiquidation(1n),
    ],
    'a forced withdrawal of quote cut short by the mark of an unused row': [
      'ShortService: RangeCheck(MONEY_BITS())(byMargin + byQuote + byDebt);',
      shortServed,
    ],
  });
});
