/** Lies about what options lose in the scenarios, and about the add-on for the size of a net delta. */
import type { BatchContent } from '#protocol/batch/batch.ts';

import { type Attack, accepts, refuses, tinyCircuit } from '#test/support/attack.ts';
import { forge } from '#test/support/forged-batch.ts';
import * as ledger from '#test/support/ledger.ts';

const { THIRD, USD } = ledger;
const MARGIN =
  'AccountHealth: RangeCheck(MONEY_BITS())(transferRule + openRule + lowerRule - isMarginLiquidation);';
const LOSSES = 'ScenarioValue: lossesHash === hasLosses * losses.hash;';
const BELOW = 'SizeAddOn: RangeCheck(BITS)(size - low);';
const ABOVE = 'SizeAddOn: RangeCheck(BITS)(belowHigh);';

/** Account 2 sells ten options to account 1; an option is the one row of the batch. */
function optionTrade(cash = 9_999n): Attack {
  const state = ledger.funded({ 1: 10_000n, 2: 10_000n });
  const { content } = ledger.run(ledger.open(state), ledger.match(1, 2, 10n, 100n, THIRD));
  const poor = ledger.settle(state, [
    { kind: 'withdraw', ...ledger.withdrawal(2, 10_000n * USD - cash * USD) },
  ]);
  return { batch: forge(poor, content) };
}

/** Fifty lots at $100 between accounts 1 and 2 with a unit of $1,000: each pays 2 % of $4,000 for the size. */
function largeTrade(firstMicros: bigint, content: Partial<BatchContent> = {}): Attack {
  const table = ledger.riskTable({ addOnUnitDollars: [1_000n, 1_000n] });
  const state = ledger.funded({ 1: 10_000n, 2: 10_000n });
  const batch = ledger.run(ledger.open(state, { table }), ledger.match(1, 2, 50n, 100n));
  const poor = ledger.settle(state, [
    { kind: 'withdraw', ...ledger.withdrawal(1, 10_000n * USD - firstMicros) },
  ]);
  return { batch: forge(poor, { ...batch.content, ...content }) };
}

/** IM of fifty lots: 20 % of scan, 1 % of charge, $80 of add-on. */
const IM = (1_000n + 50n + 80n) * USD;

describe('batch circuit, lies about risk', function () {
  this.timeout(600_000);
  before(tinyCircuit);

  accepts({
    'a trade of options, by the losses of their row': () => optionTrade(),
    'a fill that leaves equity exactly at IM with its add-on': () => largeTrade(IM),
    'a smaller add-on of the account before: it is a lower bound': () => ({
      ...largeTrade(IM),
      signals: (s) => s.set('accountIsOldDeltaNegative', 0, 0, 1n),
    }),
  });

  refuses({
    'an option row that claims to have no losses': [
      LOSSES,
      () => ({ ...optionTrade(), signals: (s) => s.set('instrumentHasLosses', 0, 0n) }),
    ],
    'a linear row that claims losses': [
      LOSSES,
      () => ({ ...largeTrade(IM), signals: (s) => s.set('instrumentHasLosses', 0, 1n) }),
    ],
    'half a row of losses': [
      'ScenarioValue: RequireBit()(hasLosses);',
      () => ({ ...optionTrade(), signals: (s) => s.set('instrumentHasLosses', 0, 2n) }),
    ],
    'another loss of an option': [
      LOSSES,
      () => ({ ...optionTrade(), signals: (s) => s.add('instrumentLossElements', 0, 0, 1n << 36n) }),
    ],
    'an option wired as one of the other underlying': [
      'InstrumentRow: RangeCheck(INSTRUMENT_ID_BITS())(rowId);',
      () => ({ ...optionTrade(), signals: (s) => s.set('instrumentUnderlying', 0, 0n) }),
    ],
    'an option by a row of another linear loss': [
      'Batch: commitment === committed.commitment;',
      () => ({ ...optionTrade(), signals: (s) => s.add('instrumentRow', 0, 13, 1n) }),
    ],
    'a short option that its margin does not cover': [MARGIN, () => optionTrade(100n)],
    'a fill that leaves equity one micro below IM with its add-on': [MARGIN, () => largeTrade(IM - 1n)],
    'an add-on by a lower piece': [
      ABOVE,
      () => ({
        ...largeTrade(IM - 80n * USD),
        signals: (s) => {
          s.set('accountIsNewAddOnPiece', 0, 0, 1, 0n);
          s.set('accountIsNewAddOnPiece', 0, 0, 2, 0n);
          s.set('accountIsNewAddOnPiece', 0, 0, 0, 1n);
        },
      }),
    ],
    'an add-on by a higher piece, which lies lower': [
      BELOW,
      () => ({
        ...largeTrade(IM - 80n * USD),
        signals: (s) => {
          s.set('accountIsNewAddOnPiece', 0, 0, 1, 0n);
          s.set('accountIsNewAddOnPiece', 0, 0, 2, 0n);
          s.set('accountIsNewAddOnPiece', 0, 0, 3, 1n);
        },
      }),
    ],
    'an add-on by no piece': [
      'SizeAddOn: pieces === 1;',
      () => ({
        ...largeTrade(IM - 80n * USD),
        signals: (s) => {
          for (let i = 0; i < 4; i++) s.set('accountIsNewAddOnPiece', 0, 0, i, 0n);
        },
      }),
    ],
    'an add-on by pieces that cancel out': [
      'SizeAddOn: isPiece[i] * (isPiece[i] - 1) === 0;',
      () => ({
        ...largeTrade(IM - 80n * USD),
        signals: (s) => {
          s.set('accountIsNewAddOnPiece', 0, 0, 1, 2n);
          s.set('accountIsNewAddOnPiece', 0, 0, 2, -1n);
        },
      }),
    ],
    'a net delta of the wrong sign': [
      BELOW,
      () => ({ ...largeTrade(IM), signals: (s) => s.set('accountIsNewDeltaNegative', 0, 0, 1n) }),
    ],
    'a net delta that is not the sum of the positions': [
      'Batch: values === 0;',
      () => ({
        ...largeTrade(IM - 80n * USD),
        commit: (c) => {
          c.accounts[0].newValues = { ...c.accounts[0].newValues, deltas: [0n, 0n] };
        },
        signals: (s) => s.set('accountIsReducing', 0, 0n),
      }),
    ],
    'a larger unit of size than the round has': [
      'Batch: evaluation === words.evaluation;',
      () => ({
        ...largeTrade(IM - 80n * USD),
        signals: (s) => {
          s.set('addOnUnitDollars', 0, 5_000n);
          for (const account of [0, 1]) {
            s.set('accountIsReducing', account, 0n);
            s.set('accountIsNewAddOnPiece', account, 0, 0, 1n);
            s.set('accountIsNewAddOnPiece', account, 0, 1, 0n);
            s.set('accountIsNewAddOnPiece', account, 0, 2, 0n);
          }
        },
      }),
    ],
    'two pieces of the add-on before': [
      'SizeAddOnLow: pieces * (pieces - 1) === 0;',
      () => ({
        ...largeTrade(IM),
        signals: (s) => {
          s.set('accountIsOldAddOnPiece', 0, 0, 0, 1n);
          s.set('accountIsOldAddOnPiece', 0, 0, 1, 1n);
        },
      }),
    ],
  });
});
