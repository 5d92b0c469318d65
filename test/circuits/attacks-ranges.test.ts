/** Numbers of the header and of accounts beyond their widths, and flags that are no bits. */
import type { Account } from '#protocol/account.ts';
import { accountAt, type LedgerState, withAccount } from '#protocol/state.ts';
import type { Micros } from '#protocol/units.ts';
import { type Attack, accepts, refuses, type Signals, tinyCircuit } from '#test/support/attack.ts';
import { TRACES } from '#test/support/batch-traces.ts';
import { HALF } from '#test/support/circuits/template.ts';
import { forge } from '#test/support/forged-batch.ts';
import * as ledger from '#test/support/ledger.ts';

const { USD } = ledger;
const EPOCH_END = 1n << 32n;
const CASH_STAR_END = 1n << 99n;
/** Accounts 1 and 2, in this order. */
const [FIRST, SECOND] = [0, 1];

const trade = () => TRACES['a trade that opens two positions, with fees']();
const lie = (signals: (s: Signals) => void): Attack => ({ batch: trade(), signals });

const two = ledger.funded({ 1: 100n, 2: 100n });
const changed = (change: (account: Account) => Account): LedgerState =>
  withAccount(two, 1, change(accountAt(two, 1)));

/** A cancel-all from L1 in this epoch of account 1; the leaf says 0 where the next has no room. */
function nextEpoch(epoch: bigint): Attack {
  const state = changed((account) => ({ ...account, epoch }));
  const { content } = ledger.run(ledger.open(two), { kind: 'l1', operation: ledger.l1('cancelAll', 1) });
  return {
    batch: forge(state, content, {
      after: (account) => (account.epoch === EPOCH_END ? { ...account, epoch: 0n } : account),
    }),
  };
}

/** Account 1 receives seven dollars on top of this much. */
function deposited(cashStar: bigint): Attack {
  const state = changed((account) => ({ ...account, cashStar: cashStar as Micros }));
  const operation = ledger.l1('deposit', 1, 0, 7n * USD);
  const { content } = ledger.run(ledger.open(two), { kind: 'l1', operation });
  return { batch: forge(state, content) };
}

const noBits = (name: string, statement: string, ...place: number[]) =>
  Object.fromEntries(
    (
      [
        [2n, '2'],
        [-1n, '−1'],
        [HALF, 'one half'],
      ] as const
    ).map(([value, said]): [string, [string, () => Attack]] => [
      `${name} of ${said}`,
      [statement, () => lie((s) => s.set(name, ...place, value))],
    ]),
  );

describe('batch circuit, widths and bits', function () {
  this.timeout(600_000);
  before(tinyCircuit);

  accepts({
    'the last epoch that has a next': () => nextEpoch(EPOCH_END - 2n),
    'a deposit up to the most cash that a leaf holds': () => deposited(CASH_STAR_END - 1n - 7n * USD),
    'a deposit on the deepest debt that a leaf holds': () => deposited(-CASH_STAR_END),
  });

  refuses({
    // C12: an order's seconds to its expiry are compared below 2^32.
    'a batch time of 2^32': [
      'Batch: RangeCheck(TIME_BITS())(batchTimeSec);',
      () => lie((s) => s.set('batchTimeSec', 1n << 32n)),
    ],
    'a batch time before all time': [
      'Batch: RangeCheck(TIME_BITS())(batchTimeSec);',
      () => lie((s) => s.set('batchTimeSec', -1n)),
    ],
    'an expected shortfall of 65 rows': [
      'Batch: RangeCheck(ES_COUNT_BITS())(esCount - 1);',
      () => lie((s) => s.set('esCount', 65n)),
    ],
    'a unit of size of 2^36 dollars': [
      'Batch: for (var u = 0; u < DELTA_UNDERLYINGS(); u++) { RangeCheck(ADD_ON_UNIT_BITS())(addOnUnitDollars[u]); }',
      () => lie((s) => s.set('addOnUnitDollars', 1, 1n << 36n)),
    ],
    ...noBits('pricesUsable', 'Batch: RequireBit()(pricesUsable);'),
    ...noBits('hasTrades', 'Batch: RequireBit()(hasTrades);'),
    ...noBits('isFundExhausted', 'Batch: RequireBit()(isFundExhausted);'),
    ...noBits('accountIsTouched', 'AccountRow: RequireBit()(isTouched);', FIRST),
    ...noBits('accountIsEpochChanged', 'AccountRow: RequireBit()(isEpochChanged);', FIRST),
    ...noBits('accountIsRaised', 'AccountRow: RequireBit()(isRaised);', SECOND),
    ...noBits('accountIsRecordChanged', 'AccountRow: RequireBit()(isRecordChanged[i]);', SECOND, 1),

    'an epoch that begins anew after its last, with every signature of the first': [
      'AccountRow: RangeCheck(EPOCH_BITS())(oldEpoch + isEpochChanged);',
      () => nextEpoch(EPOCH_END - 1n),
    ],
    'cash before the batch beyond its 99 bits': [
      'AccountRow: RangeCheck(CASH_STAR_BITS() + 1)(oldCashStarMicros + (1 << CASH_STAR_BITS()));',
      () => lie((s) => s.set('accountOldCashStarMicros', FIRST, CASH_STAR_END)),
    ],
    'debt before the batch beyond its 99 bits': [
      'AccountRow: RangeCheck(CASH_STAR_BITS() + 1)(oldCashStarMicros + (1 << CASH_STAR_BITS()));',
      () => lie((s) => s.set('accountOldCashStarMicros', FIRST, -CASH_STAR_END - 1n)),
    ],
    'debt after the batch beyond its 99 bits': [
      'AccountRow: RangeCheck(CASH_STAR_BITS() + 1)(newCashStarMicros + (1 << CASH_STAR_BITS()));',
      () => lie((s) => s.set('accountNewCashStarMicros', FIRST, -CASH_STAR_END - 1n)),
    ],
    'more orders than a batch has rows': [
      'AccountRow: RangeCheck(ROW_COUNT_BITS())(orderCount);',
      () => lie((s) => s.set('accountOrderCount', FIRST, 1n << 7n)),
    ],
    'an activity below nothing': [
      'AccountRow: RangeCheck(ROW_COUNT_BITS())(activityCount);',
      () => lie((s) => s.set('accountActivityCount', FIRST, -1n)),
    ],
    'signatures below nothing': [
      'AccountRow: RangeCheck(ROW_COUNT_BITS())(keyUses);',
      () => lie((s) => s.set('accountKeyUses', FIRST, -1n)),
    ],
    'a flow into the treasury below nothing': [
      'AccountRow: RangeCheck(AMOUNT_BITS())(treasuryMicros);',
      () => lie((s) => s.set('accountTreasuryMicros', FIRST, -1n)),
    ],
    'a flow into the treasury beyond its width': [
      'AccountRow: RangeCheck(AMOUNT_BITS())(treasuryMicros);',
      () => lie((s) => s.set('accountTreasuryMicros', FIRST, 1n << 88n)),
    ],
  });
});
