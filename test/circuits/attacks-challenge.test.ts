/**
 * Lies told after the challenge is known, in ways that every equation of it takes: what refuses them is that their subject was
 * fixed before. And the balance of a pair of values whose sum alone was ruled out.
 */
import { firstChallenges, listValues } from '#protocol/batch/commitment.ts';
import { fieldInverse, fieldMultiply, fieldPower, toField } from '#protocol/crypto/field.ts';
import { poseidonChain } from '#protocol/crypto/poseidon.ts';
import { TINY_SHAPE } from '#protocol/limits.ts';
import { lossVector } from '#protocol/risk/margin.ts';
import { accountAt } from '#protocol/state.ts';
import { valuesOf } from '#prover/witness/list-values.ts';
import { type Attack, BUS, refuses, type Signals, tinyCircuit } from '#test/support/attack.ts';
import { TRACES } from '#test/support/batch-traces.ts';
import { withLots } from '#test/support/forged-batch.ts';
import * as ledger from '#test/support/ledger.ts';

const { PERP, USD } = ledger;
const COMMITMENT = 'Batch: commitment === committed.commitment;';
const SCENARIOS = TINY_SHAPE.scenarios;
/** Components of a list of positions after its losses (circuits/bus/functionals.circom). */
const VALUES = 10;
const [MARK, FUNDING, BAND, PENALTY] = [0, 1, 6, 7];
/** The row of account 1, and the row of the perp: the one instrument that accounts 1 and 2 trade. */
const ACCOUNT = 0;
const INSTRUMENT = 0;
const TAG_WEIGHT = 2n;
const TAG_WEIGHT_SHORT = 18n;
const DOLLARS = 1000n * USD;

const trade = (): Attack['batch'] => TRACES['a trade that opens two positions, with fees']();

/** Adds `amount` to a component of a list of account 1 and takes from another what keeps the sum with powers of γ. */
function balanced(list: 'Old' | 'New', component: number, amount: bigint, against: number): Attack {
  return {
    batch: trade(),
    signals: (s) => {
      const { gamma } = firstChallenges(s.get('challenge'));
      const weight = fieldMultiply(
        fieldPower(gamma, BigInt(component)),
        fieldInverse(fieldPower(gamma, BigInt(against))),
      );
      addTo(s, list, component, amount);
      addTo(s, list, against, -amount * weight);
    },
  };
}
function addTo(s: Signals, list: 'Old' | 'New', component: number, amount: bigint): void {
  if (component >= SCENARIOS) s.add(`account${list}Values`, ACCOUNT, component - SCENARIOS, amount);
  else if (list === 'Old') s.add('accountOldLosses', ACCOUNT, component, amount);
  else {
    // A loss after the batch is its distance from the threshold, on one side of it.
    const isAbove = s.get('accountIsLossAbove', ACCOUNT, component) === 1n;
    s.add('accountLossDistances', ACCOUNT, component, isAbove ? amount : -amount);
  }
}

/**
 * Every component of both lists, each balanced by one that no rule of this account reads: its band or penalty. Cash is told by
 * both values of funding, so these change together.
 */
const changedAfterwards = Object.fromEntries(
  (['Old', 'New'] as const).flatMap((list) =>
    Array.from({ length: SCENARIOS + VALUES }, (_, component): [string, [string, () => Attack]] => {
      const against = SCENARIOS + (component === SCENARIOS + BAND ? PENALTY : BAND);
      const what = component < SCENARIOS ? `loss ${component}` : `value ${component - SCENARIOS}`;
      // Every loss is at or below the threshold: a gain keeps its side.
      const amount = component < SCENARIOS ? -1n : 1n;
      return [
        `${list.toLowerCase()} ${what} changed after the challenge, balanced by another component`,
        [
          COMMITMENT,
          () => {
            const attack = balanced(list, component, amount, against);
            if (component !== SCENARIOS + FUNDING) return attack;
            const other = balanced(list === 'Old' ? 'New' : 'Old', component, amount, against);
            return {
              ...attack,
              signals: (s) => {
                attack.signals?.(s);
                other.signals?.(s);
              },
            };
          },
        ],
      ];
    }),
  ),
);

/** Σ γ^c of every component of a list of one lot. */
function worthOfOneLot(lots: bigint, gamma: bigint, batch: Attack['batch']): bigint {
  const { table } = batch.content.header;
  const account = withLots(accountAt(ledger.funded({}), 0), PERP, lots);
  const components = [
    ...lossVector(account, table, TINY_SHAPE),
    ...listValues(valuesOf({ account, counted: undefined }, table)),
  ];
  return components.reduce((sum, value, c) => toField(sum + fieldPower(gamma, BigInt(c)) * value), 0n);
}

/** The mark value of account 1 is committed with a thousand dollars too much, and two weights are solved for it. */
function solvedWeights(): Attack {
  const batch = trade();
  return {
    batch,
    commit: (c) => {
      c.accounts[ACCOUNT].newValues.mark += DOLLARS;
    },
    signals: (s) => {
      const challenge = s.get('challenge');
      const { delta, gamma, beta } = firstChallenges(challenge);
      const rows = TINY_INSTRUMENTS.flatMap((i) => [
        s.get('instrumentLongWeight', i),
        s.get('instrumentShortWeight', i),
      ]);
      // α as it was drawn before the weights were changed: with it both equations would hold.
      const alpha = poseidonChain([challenge, ...rows]);
      const instrumentPart = beta * BigInt(PERP);
      const [longQuotient, shortQuotient] = [TAG_WEIGHT, TAG_WEIGHT_SHORT].map((tag) =>
        fieldInverse(alpha - tag - instrumentPart),
      );
      const [longWorth, shortWorth] = [1n, -1n].map((lots) => worthOfOneLot(lots, gamma, batch));
      // long · longQuotient + short · shortQuotient = 0, and long · longWorth + short · shortWorth = what the lie adds.
      const added =
        fieldPower(delta, BigInt(2 * ACCOUNT + 2)) * fieldPower(gamma, BigInt(SCENARIOS + MARK)) * DOLLARS;
      const ratio = toField(-longQuotient * fieldInverse(shortQuotient));
      const long = toField(added * fieldInverse(longWorth + ratio * shortWorth));
      s.add('instrumentLongWeight', INSTRUMENT, long);
      s.add('instrumentShortWeight', INSTRUMENT, long * ratio);
    },
  };
}
const TINY_INSTRUMENTS = [0, 1, 2, 3];

describe('batch circuit, lies told after the challenge', function () {
  this.timeout(600_000);
  before(tinyCircuit);

  refuses({
    'words that were split anew with the same evaluation': [
      COMMITMENT,
      () => ({
        batch: TRACES['a registration and a first deposit'](),
        signals: (s) => {
          // Word 0 and word 3: domain + x·r³ and batch number − x.
          s.add('domainWord', fieldPower(s.get('challenge'), 3n));
          s.add('batchNumber', -1n);
        },
      }),
    ],
    'a mark value inflated after the challenge, taken from a component that nothing reads': [
      COMMITMENT,
      () => balanced('New', SCENARIOS + MARK, DOLLARS, SCENARIOS + BAND),
    ],
    ...changedAfterwards,
    'weights solved for an inflated mark value, as if α were drawn before them': [BUS, solvedWeights],
    'a row without an order that fills lots against cash below zero': [
      'MessageRow: RangeCheck(ORDER_CASH_BITS())(cashMicros);',
      () => ({
        batch: trade(),
        signals: (s) => {
          s.set('messageFillLots', 2, 1000n);
          s.set('messageCashMicros', 2, -1000n);
        },
      }),
    ],
  });
});
