/** Liquidation rows that do not fit the account they close, its flags, or each other. */
import type { BatchContent } from '#protocol/batch/batch.ts';
import { pendingWord } from '#protocol/batch/words.ts';
import { TINY_BATCH } from '#protocol/limits.ts';
import { type Attack, accepts, refuses, type Signals, tinyCircuit } from '#test/support/attack.ts';
import { close, indebtedLong, TRACES } from '#test/support/batch-traces.ts';
import { forge } from '#test/support/forged-batch.ts';
import * as ledger from '#test/support/ledger.ts';

const { OTHER, SPOT, USD } = ledger;
const BOUGHT_SPOT = 10n;
const SLOTS = [0, 1, 2, 3, 4, 5];
/** Place of the first liquidation word among the event words. */
const LIQUIDATIONS_AT = 4 * TINY_BATCH.l1Operations + TINY_BATCH.withdrawals;
const ROW_SIGNALS = [
  'AccountIndex',
  'InstrumentId',
  'IsShort',
  'ClosedLots',
  'CashMicros',
  'IsFirst',
] as const;

const long = () => TRACES['a liquidation of a long']();
/** The same nonces, whatever was signed before. */
const apart = (make: () => Attack) => (): Attack => ledger.withOwnNonces(make);
const twoPositions = () => TRACES['a liquidation of two positions']();

/** Ten lots of the long of account 1 closed at $89, as several rows say it. */
function told(rows: (row: BatchContent['liquidations'][number]) => BatchContent['liquidations']) {
  return apart(() => {
    const { content } = ledger.run(
      ledger.open(indebtedLong(), { table: ledger.marked(89n) }),
      close(10n, 89n * USD),
    );
    return { batch: forge(indebtedLong(), { ...content, liquidations: rows(content.liquidations[0]) }) };
  });
}

/** Account 1 owes more than 60 % of its spot at $66, and one lot of its perp is closed at the mark. */
function perpForDebt(): Attack {
  const state = ledger.settle(ledger.funded({ 1: 632n, 2: 100_000n }, { 2: 50n }), [
    ledger.match(1, 2, BOUGHT_SPOT, 100n, SPOT),
    ledger.match(1, 2, 1n, 100n),
  ]);
  const { content } = ledger.run(
    ledger.open(indebtedLong(), { table: ledger.marked(89n) }),
    close(1n, 89n * USD),
  );
  const cashMicros = 100n * USD;
  return {
    batch: forge(state, {
      ...content,
      header: { ...content.header, table: ledger.marked(66n, SPOT) },
      messages: content.messages.map((row) => ({ ...row, cashMicros })),
      liquidations: content.liquidations.map((row) => ({ ...row, cashMicros })),
      liquidatedAccounts: content.liquidatedAccounts.map((row) => ({
        ...row,
        reason: 2,
        penaltyMicros: USD,
      })),
    }),
  };
}

/** What the row says, taken out of signals and words. */
function withoutRow(row: number, isUsed: boolean) {
  return {
    commit: (c: { events: bigint[] }) => {
      c.events[LIQUIDATIONS_AT + 2 * row] = 0n;
    },
    signals: (s: Signals) => {
      if (!isUsed) s.set('liquidationIsUsed', row, 0n);
      for (const name of ROW_SIGNALS) s.set(`liquidation${name}`, row, 0n);
    },
  };
}

/** Account 1, below its margin, sells ten lots of the perp's twin at $102: a hedge at a gain, and no fill that shrinks. */
function hedgedUnderMargin(): Attack {
  const start = ledger.settle(ledger.funded({ 1: 250n, 2: 10_000n }), [ledger.match(1, 2, 10n, 100n)]);
  const { content } = ledger.run(ledger.open(start), ledger.match(2, 1, 10n, 102n, OTHER));
  const fallen = { ...content, header: { ...content.header, table: ledger.marked(80n) } };
  return {
    batch: forge(start, fallen),
    commit: (c) => {
      for (const account of c.accounts) account.isShrinking = account.isShrinking.map(() => false);
    },
    signals: (s) => {
      for (const account of [0, 1]) for (const slot of SLOTS) s.set('accountIsShrinking', account, slot, 0n);
      for (const flag of ['Reducing', 'UnderMargin']) s.set(`accountIs${flag}`, 0, 1n);
    },
  };
}

const ORDER =
  'Batch: RangeCheck(ACCOUNT_INDEX_BITS() + INSTRUMENT_ID_BITS())( liquidationIsUsed[q] * (liquidations[q].positionKey - liquidations[q - 1].positionKey - 1));';
const SHRINKING = 'AccountRow: health.mustShrink * (ALL_SLOTS - shrinkingSlots) === 0;';

describe('batch circuit, liquidation rows and flags', function () {
  this.timeout(600_000);
  before(tinyCircuit);

  accepts({
    'the liquidation that is told in other rows': told((row) => [row]),
    'rows of two positions, in order': () => ({ batch: twoPositions() }),
  });

  refuses({
    'a position churned by two liquidation rows of it': [
      ORDER,
      told((row) => Array(2).fill({ ...row, closedLots: 5n, cashMicros: 445n * USD })),
    ],
    'liquidation rows out of order': [
      ORDER,
      () => {
        const batch = twoPositions();
        const { content } = batch;
        return {
          batch: { ...batch, content: { ...content, liquidations: [...content.liquidations].reverse() } },
        };
      },
    ],
    'a used liquidation row after an unused one': [
      'Batch: (1 - liquidationIsUsed[q - 1]) * liquidationIsUsed[q] === 0;',
      () => ({
        batch: long(),
        commit: (c) => {
          const [first, second] = [c.events[LIQUIDATIONS_AT], c.events[LIQUIDATIONS_AT + 2]];
          c.events[LIQUIDATIONS_AT] = second;
          c.events[LIQUIDATIONS_AT + 2] = first;
        },
        signals: (s) => {
          for (const name of ['IsUsed', ...ROW_SIGNALS]) {
            const [first, second] = [s.get(`liquidation${name}`, 0), s.get(`liquidation${name}`, 1)];
            s.set(`liquidation${name}`, 0, second);
            s.set(`liquidation${name}`, 1, first);
          }
        },
      }),
    ],
    'a first row twice over': [
      'Batch: RequireBit()(liquidationIsFirst[q]);',
      () => ({ batch: long(), signals: (s) => s.set('liquidationIsFirst', 0, 2n) }),
    ],
    'an unused row called the first of an account': [
      'Batch: (1 - liquidationIsUsed[q]) * liquidationIsFirst[q] === 0;',
      () => ({ batch: long(), signals: (s) => s.set('liquidationIsFirst', 1, 1n) }),
    ],
    'two first rows of one account, which count its pending deposits twice': [
      'Batch: firstCount === accounts[a].isLiquidated;',
      () => ({ batch: twoPositions(), signals: (s) => s.set('liquidationIsFirst', 1, 1n) }),
    ],
    'no first row of an account, which leaves its pending deposits out': [
      'Batch: firstCount === accounts[a].isLiquidated;',
      () => ({ batch: long(), signals: (s) => s.set('liquidationIsFirst', 0, 0n) }),
    ],
    'a liquidation of an account that spot within the cap covers while it waits': [
      'AccountHealth: RangeCheck(MONEY_BITS())(nearerRule + belowRule + debtRule);',
      apart(() => {
        const { content } = ledger.run(
          ledger.open(indebtedLong(), { table: ledger.marked(89n) }),
          close(10n, 89n * USD),
        );
        const pending = { quoteMicros: 0n, spotLots: [2n, 0n, 0n] };
        const liquidatedAccounts = content.liquidatedAccounts.map((row) => ({ ...row, pending }));
        return { batch: forge(indebtedLong(), { ...content, liquidatedAccounts }) };
      }),
    ],
    'waiting lots of a token that has no row, so that nothing shows its cap': [
      'Batch: isSpotInstrument[t] <== FindKey(INSTRUMENTS)(instrumentIds, t + 1, isSpotPending[t]);',
      () => ({
        batch: long(),
        commit: (c) => {
          c.events[LIQUIDATIONS_AT + 1] = pendingWord({ quoteMicros: 0n, spotLots: [0n, 1n, 0n] });
        },
        signals: (s) => s.set('liquidationPendingLots', 0, 1, 1n),
      }),
    ],
    'an account called liquidated, and changed so, without a row': [
      'Batch: firstCount === accounts[a].isLiquidated;',
      () => ({ batch: long(), ...withoutRow(0, false) }),
    ],
    'a liquidation row of nothing': [
      'LiquidationRow: closedLots * closedInverse === isUsed;',
      () => ({ batch: long(), ...withoutRow(0, true) }),
    ],
    'a liquidation for quote debt that touches a derivative': [
      'AccountRow: isDebtLiquidation * closedDerivatives === 0;',
      apart(perpForDebt),
    ],
    'a liquidated account with a place that need not shrink': [
      SHRINKING,
      () => ({
        batch: long(),
        commit: (c) => {
          c.accounts[0].isShrinking[1] = false;
        },
        signals: (s) => s.set('accountIsShrinking', 0, 1, 0n),
      }),
    ],
    'an account below maintenance margin that hedges instead of shrinking': [
      SHRINKING,
      apart(hedgedUnderMargin),
    ],
    'a liquidated account whose epoch changes': [
      'AccountRow: isLiquidated * isEpochChanged === 0;',
      () => {
        const state = ledger.withOwnNonces(indebtedLong);
        const operation = ledger.l1('cancelAll', 1);
        const { l1Operations } = ledger.run(ledger.open(state), { kind: 'l1', operation }).content;
        return { batch: forge(state, { ...long().content, l1Operations }) };
      },
    ],
    'both reasons of a liquidation at once': [
      'AccountHealth: RequireBit()(isLiquidated);',
      () => ({ batch: long(), signals: (s) => s.set('accountIsDebtLiquidation', 0, 1n) }),
    ],
  });
});
