/** Settlements that convert too much, too little, too early or twice, and retirements that would strand a holder. */
import type { BatchContent, SettlementExecution } from '#protocol/batch/batch.ts';
import type { Operation } from '#protocol/transition/operation.ts';
import { type Attack, accepts, BUS, refuses } from '#test/support/attack.ts';
import { positions } from '#test/support/batch-traces.ts';
import { type Forgery, forge, withCash } from '#test/support/forged-batch.ts';
import * as ledger from '#test/support/ledger.ts';

const { PERP, OTHER, USD } = ledger;
const convert = (accountIndex: number): Operation => ({ kind: 'settle', accountIndex, instrumentId: PERP });
const header = { table: ledger.settledAt({ [PERP]: 107n }) };
/** Account 1 long, account 2 short ten lots. */
const start = positions();
const honest = ledger.run(ledger.open(start, header), convert(1)).content;
const ROW: SettlementExecution = honest.settlements[0];

/** The batch that converts the position of account 1, with other rows or otherwise changed. */
const forged = (content: Partial<BatchContent>, forgery: Forgery = {}) =>
  forge(start, { ...honest, ...content }, forgery);
/** The leaves as the honest row makes them; the row itself says something else. */
const toldOtherwise = (change: Partial<SettlementExecution>, forgery: Forgery = {}): Attack => ({
  batch: forged({}, { alsoTouched: [2], ...forgery }),
  commit: (c) => {
    Object.assign(c.settlements[0], change);
  },
});
/** A first row that is called unused, but for one field. */
const almostUnused = (change: Partial<SettlementExecution>): Attack => ({
  batch: forged({ settlements: [] }, { alsoTouched: [1, 2] }),
  commit: (c) => {
    Object.assign(c.settlements[1], change);
  },
});
const converted = ledger.settle(start, [convert(1)], header);
const retiring = (instrumentId: number, table = header.table): Attack => ({
  batch: forge(converted, { ...ledger.open(converted, { table }).content, retiredInstrument: instrumentId }),
});
/** The perp is retired and L1 may not have told the registry: a trade that opens it again, with or without another retirement. */
const reopening = (retiredInstrument: number): Attack => {
  const emptied = ledger.settle(converted, [convert(2)], header);
  const { content } = ledger.run(ledger.open(emptied), ledger.match(1, 2, 4n, 100n));
  // The leaves are those of a round in which it traded: the twin makes none in this.
  const batch = forge(emptied, content);
  const settled = { ...content.header, table: header.table };
  return { batch: { ...batch, content: { ...content, header: settled, retiredInstrument } } };
};
const ORDER =
  'Batch: RangeCheck(ACCOUNT_INDEX_BITS() + INSTRUMENT_ID_BITS())( settlementIsUsed[q] * (settlements[q].positionKey - settlements[q - 1].positionKey - 1));';

describe('attacks on settlements', function () {
  this.timeout(600_000);

  accepts({
    'the honest batch': () => ({ batch: forged({}) }),
    'a part of a position, which changes what nobody is worth': () => ({
      batch: forged({ settlements: [{ ...ROW, lots: 4n }] }),
    }),
  });

  refuses({
    'a conversion before the instrument is settled': [
      'SettlementRow: isItSettled === isUsed;',
      () => ({ batch: forged({ header: ledger.batchHeader() }) }),
    ],
    'a row of the table that is called settled': [
      'InstrumentRow: RangeCheck(INSTRUMENT_ID_BITS())(rowId);',
      () => ({
        batch: forged({ header: ledger.batchHeader() }),
        signals: (s) => s.set('instrumentIsSettled', 0, 1n),
      }),
    ],
    'fewer lots than left the position': [BUS, () => toldOtherwise({ lots: 9n })],
    'more lots than left the position': [BUS, () => toldOtherwise({ lots: 11n })],
    'the other side': [BUS, () => toldOtherwise({ isShort: true })],
    'the position of another account': [BUS, () => toldOtherwise({ accountIndex: 2 })],
    'a conversion of another instrument': [
      'SettlementRow: isItSettled === isUsed;',
      () => toldOtherwise({ instrumentId: 1 }),
    ],
    'one micro more than the value': [
      BUS,
      () => ({
        batch: forged({}, { after: (account, index) => (index === 1 ? withCash(account, 1n) : account) }),
      }),
    ],
    'one micro less than the value': [
      BUS,
      () => ({
        batch: forged({}, { after: (account, index) => (index === 1 ? withCash(account, -1n) : account) }),
      }),
    ],
    'a settlement that grows the position': [
      'AlignedSlot: RangeCheck(SIZE_BITS())(closedLots);',
      () => ({ batch: forged({ settlements: [{ ...ROW, isShort: true }] }) }),
    ],
    'a settlement that turns the position around': [
      'AlignedSlot: isShrinking * isOtherSide === 0;',
      () => ({ batch: forged({ settlements: [{ ...ROW, lots: 15n }] }) }),
    ],
    'a settlement of a position that is not said to shrink': [
      BUS,
      () => ({
        batch: forged({}),
        commit: (c) => {
          for (const account of c.accounts) account.isShrinking = account.isShrinking.map(() => false);
        },
        signals: (s) => {
          for (const slot of [0, 1, 2, 3, 4, 5]) s.set('accountIsShrinking', 1, slot, 0n);
        },
      }),
    ],
    'a settlement of an untouched account': [
      'AccountRow: (1 - isTouched) * (activityCount + keyUses + otherRows + isEpochChanged + isFundPaid) === 0;',
      () => ({
        batch: forged({ settlements: [] }, { alsoTouched: [] }),
        commit: (c) => {
          const account = c.accounts.findIndex((row) => row.accountIndex === 1);
          c.settlements[0] = {
            ...c.settlements[0],
            ...ROW,
            accountIndex: c.accounts[account].accountIndex,
            isUsed: true,
          };
        },
      }),
    ],
    'one position in two rows': [
      ORDER,
      () => ({
        batch: forged({
          settlements: [
            { ...ROW, lots: 4n },
            { ...ROW, lots: 6n },
          ],
        }),
      }),
    ],
    'rows out of order': [
      ORDER,
      () => {
        const content = ledger.run(ledger.open(start, header), convert(1), convert(2)).content;
        return { batch: forged({ ...content, settlements: [...content.settlements].reverse() }) };
      },
    ],
    'a used row after an unused one': [
      'Batch: (1 - settlementIsUsed[q - 1]) * settlementIsUsed[q] === 0;',
      () => ({
        batch: forged({}),
        commit: (c) => c.settlements.reverse(),
      }),
    ],
    'a used row without lots': [
      'SettlementRow: lots * lotsInverse === isUsed;',
      () => toldOtherwise({ lots: 0n }),
    ],
    'an unused row with lots': [
      'SettlementRow: (1 - isUsed) * (isShort + lots) === 0;',
      () => almostUnused({ lots: 1n }),
    ],
    'an unused row with a side': [
      'SettlementRow: (1 - isUsed) * (isShort + lots) === 0;',
      () => almostUnused({ isShort: true }),
    ],
    'an unused row of an account': [
      'SettlementRow: (1 - isUsed) * accountIndex === 0;',
      () => almostUnused({ accountIndex: 1 }),
    ],
    'an unused row of an instrument': [
      'SettlementRow: (1 - isUsed) * instrumentId === 0;',
      () => almostUnused({ instrumentId: PERP }),
    ],
    'an unused instrument that is called settled': [
      'InstrumentRow: (1 - isUsed) * isSettled === 0;',
      () => ({ batch: forged({}), signals: (s) => s.set('instrumentIsSettled', 3, 1n) }),
    ],
  });
});

describe('attacks on retirements', function () {
  this.timeout(600_000);

  refuses({
    'a retirement while shorts are left, though every long is gone': [
      'Retirement: heldLots === 0;',
      () => retiring(PERP),
    ],
    'a retirement of an instrument that is not settled': [
      'Retirement: isItSettled === isRetiring;',
      () => retiring(OTHER),
    ],
    'a retirement of an instrument that is not listed': [
      'Retirement: signal isInstrument[INSTRUMENTS] <== FindKey(INSTRUMENTS)(instrumentIds, instrumentId, isRetiring);',
      () => ({ ...retiring(0), signals: (s) => s.set('retiredInstrument', 99n) }),
    ],
    'a fill in an instrument that an earlier batch retired': [
      'InstrumentRow: isReduceOnly * openingFills === 0;',
      () => reopening(0),
    ],
    'a fill in an instrument that the same batch retires': [
      'InstrumentRow: isReduceOnly * openingFills === 0;',
      () => reopening(PERP),
    ],
    'a retirement that the commitment does not tell': [
      'Batch: evaluation === words.evaluation;',
      () => ({
        ...retiring(OTHER, ledger.settledAt({ [OTHER]: (5n * USD) / USD })),
        signals: (s) => s.set('retiredInstrument', 0n),
      }),
    ],
  });
});
