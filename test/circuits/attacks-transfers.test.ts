/** L1 operations and withdrawals with another effect or outcome than the rules give. */
import type { L1Outcome } from '#protocol/batch/batch.ts';
import { TINY_BATCH } from '#protocol/limits.ts';
import type { LedgerState } from '#protocol/state.ts';
import type { Operation } from '#protocol/transition/operation.ts';
import type { MicrosPerLot } from '#protocol/units.ts';
import {
  type Attack,
  accepts,
  BUS,
  circuitOf,
  refuses,
  type Signals,
  tinyCircuit,
} from '#test/support/attack.ts';
import { positions, sealTiny, TRACES } from '#test/support/batch-traces.ts';
import { forge, withCash, withLots } from '#test/support/forged-batch.ts';
import * as ledger from '#test/support/ledger.ts';

const { SPOT, USD } = ledger;
const l1 = (...parameters: Parameters<typeof ledger.l1>): Operation => ({
  kind: 'l1',
  operation: ledger.l1(...parameters),
});

/** The honest batch of one L1 operation, with its outcome replaced and executed so. */
function outcome(state: LedgerState, operation: Operation, change: Partial<L1Outcome>): Attack {
  const { content } = ledger.run(ledger.open(state), operation);
  const l1Operations = content.l1Operations.map((entry) => ({
    ...entry,
    outcome: { ...entry.outcome, ...change },
  }));
  return { batch: forge(state, { ...content, l1Operations }) };
}
const two = ledger.funded({ 1: 100n, 2: 100n }, { 2: 5n });
/** Of a batch that touches accounts 1 and 2. */
const ROW_OF_1 = 0;
const SHORT = 'ShortService: RangeCheck(MONEY_BITS())(byMargin + byQuote + byDebt);';

describe('batch circuit, forged transfers', function () {
  this.timeout(600_000);
  before(tinyCircuit);

  /** Haircut and scan range are more than 0.8 of the token: less of it needs less margin than it is worth. */
  const strict = (operation: Operation, state: LedgerState): Attack => {
    const perLot = (dollars: bigint) => (dollars * USD) as MicrosPerLot;
    const scan = ledger.linearLosses(perLot(-12n));
    const table = ledger.riskTable(
      {},
      { [SPOT]: { chargeImLong: perLot(50n), ...scan }, [ledger.PERP]: scan },
    );
    return { batch: ledger.run(ledger.open(state, { table }, TINY_BATCH), operation).seal().batch };
  };
  accepts({
    'a forced withdrawal that is served in full because all of it mends the account': () =>
      strict(l1('withdraw', 1, SPOT, 2n), ledger.funded({ 1: 0n }, { 1: 2n })),
    'a forced withdrawal that is refused where a lot less would mend the account': () => {
      const funded = ledger.funded({ 1: 10n, 2: 1000n }, { 1: 2n });
      return strict(l1('withdraw', 1, SPOT, 2n), ledger.settle(funded, [ledger.match(2, 1, 1n, 75n)]));
    },
  });

  refuses({
    'a deposit credited to another account': [
      BUS,
      () => {
        const { content } = ledger.run(ledger.open(two), l1('deposit', 1, 0, 7n * USD));
        return {
          batch: forge(two, content, {
            alsoTouched: [2],
            after: (a, index) =>
              index === 1 ? withCash(a, -7n * USD) : index === 2 ? withCash(a, 7n * USD) : a,
          }),
        };
      },
    ],
    'a deposit of quote credited as spot': [
      BUS,
      () => {
        const { content } = ledger.run(ledger.open(two), l1('deposit', 2, 0, 7n));
        return {
          batch: forge(two, content, {
            after: (a, index) => (index === 2 ? withLots(withCash(a, -7n), SPOT, 7n) : a),
          }),
        };
      },
    ],
    'a quote deposit that is refused': [
      'L1OperationRow: isQuoteDeposit * (1 - isApplied) === 0;',
      () => outcome(two, l1('deposit', 1, 0, 7n), { isApplied: false, served: 0n }),
    ],
    'a spot deposit within the cap that is refused': [
      'L1OperationRow: RangeCheck(AMOUNT_BITS() + 1)(isSpotDeposit * capMargin);',
      () =>
        outcome(two, l1('deposit', 1, SPOT, 100_000n), {
          isApplied: false,
          served: 0n,
          reason: 'positionCap',
        }),
    ],
    'a spot deposit beyond the cap that is applied': [
      'L1OperationRow: RangeCheck(AMOUNT_BITS() + 1)(isSpotDeposit * capMargin);',
      () =>
        outcome(two, l1('deposit', 1, SPOT, 100_001n), { isApplied: true, served: 100_001n, reason: 'none' }),
    ],
    'a deposit credited in part': [
      'L1OperationRow: isDeposit * (served - creditedAmount) === 0;',
      () => outcome(two, l1('deposit', 1, 0, 7n), { served: 6n }),
    ],
    'a forced withdrawal cut short without a reason': [
      'L1OperationRow: isShort === hasShortfall;',
      () => outcome(two, l1('withdraw', 1, 0, 7n), { served: 6n }),
    ],
    'a forced withdrawal cut short for margin one micro early': [
      SHORT,
      () =>
        outcome(positions(), l1('withdraw', 1, 0, 5_000n * USD), { served: 737_499_999n, reason: 'margin' }),
    ],
    'a forced withdrawal paid short by an expected shortfall of three rows instead of one': [
      'ScanLowerBound: count === k * isPositive;',
      () => ({
        ...outcome(positions(), l1('withdraw', 1, 0, 5_000n * USD), { served: 700n * USD, reason: 'margin' }),
        signals: (s) => {
          for (const scenario of [0, 1, 2, 3, 4, 5, 6, 7])
            s.set('accountIsNewWorst', ROW_OF_1, scenario, scenario < 3 ? 1n : 0n);
        },
      }),
    ],
    'a forced withdrawal refused as if no lot were held': [
      'ShortService: isEmptyBound * heldLots === 0;',
      () => ({
        ...outcome(two, l1('withdraw', 2, SPOT, 3n), { isApplied: false, served: 0n, reason: 'margin' }),
        signals: (s) => {
          for (const bound of ['Margin', 'Debt', 'Quote']) s.set(`l1Is${bound}Bound`, 0, 0n);
          s.set('l1IsEmptyBound', 0, 1n);
        },
      }),
    ],
    'a forced spot withdrawal refused by the bound of quote': [
      'ShortService: isQuoteBound * (1 - isQuote) === 0;',
      () => ({
        ...outcome(two, l1('withdraw', 2, SPOT, 3n), { isApplied: false, served: 0n, reason: 'margin' }),
        signals: (s) => {
          for (const bound of ['Margin', 'Debt', 'Empty']) s.set(`l1Is${bound}Bound`, 0, 0n);
          s.set('l1IsQuoteBound', 0, 1n);
        },
      }),
    ],
    'a forced withdrawal cut short by a price that may not be used': [
      'ShortService: (isMarginBound + isDebtBound) * (1 - pricesUsable) === 0;',
      () => {
        const batch = sealTiny(positions(), [l1('withdraw', 1, 0, 5_000n * USD)]);
        const empty = {
          ...batch,
          content: { ...batch.content, header: { ...batch.content.header, pricesUsable: false } },
        };
        return {
          batch: forge(positions(), {
            ...empty.content,
            l1Operations: empty.content.l1Operations.map((e) => ({
              ...e,
              outcome: { isApplied: false, reason: 'margin', served: 0n },
            })),
          }),
          signals: (s) => {
            s.set('l1IsMarginBound', 0, 1n);
            s.set('l1IsQuoteBound', 0, 0n);
          },
        };
      },
    ],
    'a forced withdrawal that serves more than was asked': [
      'L1OperationRow: RangeCheck(AMOUNT_BITS())(shortfall);',
      () => ({ ...outcome(two, l1('withdraw', 1, 0, 7n), {}), signals: (s) => s.set('l1Served', 0, 8n) }),
    ],
    'a served withdrawal that is called refused': [
      'L1OperationRow: isWithdraw * (isApplied - isPaid) === 0;',
      () => ({ ...outcome(two, l1('withdraw', 1, 0, 7n), {}), signals: (s) => s.set('l1IsApplied', 0, 0n) }),
    ],
    'a withdrawal paid and not debited': [
      BUS,
      () => {
        const { content } = ledger.run(ledger.open(two), l1('withdraw', 1, 0, 7n));
        return { batch: forge(two, content, { after: (a, index) => (index === 1 ? withCash(a, 7n) : a) }) };
      },
    ],
    'a registration that keeps the old key': [
      'Batch: accounts[0].oldRoot === oldAccountsRoot;',
      () => ({
        batch: TRACES['a registration and a first deposit'](),
        signals: (s) => s.add('oldAccountsRoot', 1n),
      }),
    ],
    'a registration of another key than the queue names': [
      'Batch: evaluation === words.evaluation;',
      () => ({
        batch: TRACES['a registration and a first deposit'](),
        signals: (s) => s.add('l1PublicKey', 0, 0, 1n),
      }),
    ],
    'a registration that is not applied': [
      'L1OperationRow: isPlain * (1 - isApplied) === 0;',
      () => ({
        batch: TRACES['a registration and a first deposit'](),
        signals: (s) => s.set('l1IsApplied', 0, 0n),
      }),
    ],
    'a cancel-all from L1 that leaves the epoch': [
      BUS,
      () => {
        const { content } = ledger.run(ledger.open(two), l1('cancelAll', 1));
        return {
          batch: forge(two, content, { after: (a, index) => (index === 1 ? { ...a, epoch: 1n } : a) }),
          commit: (c) => {
            for (const account of c.accounts) account.isEpochChanged = false;
          },
        };
      },
    ],
    'two kinds in one row': [
      'L1OperationRow: RequireBit()(isUsed);',
      () => ({ ...outcome(two, l1('deposit', 1, 0, 7n), {}), signals: (s) => s.set('l1IsDonation', 0, 1n) }),
    ],
    'an operation after an unused row': [
      'Batch: (1 - l1Rows[o - 1].isUsed) * l1Rows[o].isUsed === 0;',
      () => ({
        ...outcome(two, l1('deposit', 1, 0, 7n), {}),
        signals: (s) => {
          for (const name of ['IsDeposit', 'AccountIndex', 'Amount', 'IsApplied', 'Served']) {
            s.set(`l1${name}`, 1, s.get(`l1${name}`, 0));
            s.set(`l1${name}`, 0, 0n);
          }
        },
      }),
    ],
    'a deposit to a liquidated account': [
      'Batch: accounts[a].isLiquidated * deposits === 0;',
      () => {
        const batch = TRACES['a liquidation of a long']();
        const { content } = ledger.run(ledger.open(two), l1('deposit', 1, 0, 7n * USD));
        return { batch: { ...batch, content: { ...batch.content, l1Operations: content.l1Operations } } };
      },
    ],
    'a signed withdrawal that pays nothing': [
      'WithdrawalRow: servedAmount * servedInverse === isUsed;',
      () => ({
        batch: TRACES['a signed withdrawal'](),
        signals: (s) => s.set('withdrawalServedAmount', 0, 0n),
      }),
    ],
    'a signed withdrawal of more than was signed': [
      'WithdrawalRow: RangeCheck(AMOUNT_BITS())(fields.amount - servedAmount);',
      () => ({
        batch: TRACES['a signed withdrawal'](),
        signals: (s) => s.add('withdrawalServedAmount', 0, 1n),
      }),
    ],
    'a signed withdrawal in part that hides that it is short': [
      'Batch: evaluation === words.evaluation;',
      () => ({
        batch: TRACES['a signed withdrawal'](),
        signals: (s) => s.add('withdrawalServedAmount', 0, -1n),
      }),
    ],
    'treasury fees other than the fees of the rows': [
      'Batch: evaluation === words.evaluation;',
      () => {
        const batch = TRACES['a trade that opens two positions, with fees']();
        return { batch: { ...batch, feesMicros: (batch.feesMicros + 1n) as never } };
      },
    ],
    'a penalty word other than the penalties taken': [
      'Batch: evaluation === words.evaluation;',
      () => {
        const batch = TRACES['a liquidation of a long']();
        return { batch: { ...batch, penaltiesMicros: (batch.penaltiesMicros - 1n) as never } };
      },
    ],
    'a spot withdrawal that is not called one': [
      'Batch: (1 - accountIsSpotWithdrawn[a]) * spotServed === 0;',
      () => ({
        batch: TRACES['a spot withdrawal and a forced one cut short for margin'](),
        signals: (s) => s.set('accountIsSpotWithdrawn', ROW_OF_1 + 1, 0n),
      }),
    ],
    'a forced spot withdrawal that is not called one': [
      'Batch: (1 - accountIsSpotWithdrawn[a]) * spotServed === 0;',
      () => {
        const batch = TRACES['a forced withdrawal in full']();
        const account = batch.accounts.findIndex(({ isTouched }) => isTouched);
        return { batch, signals: (s) => s.set('accountIsSpotWithdrawn', account, 0n) };
      },
    ],
    'a signed withdrawal of an account whose epoch changes, which could be signed again': [
      'Batch: accountIsEpochChanged[a] * signedWithdrawals === 0;',
      // The nonce lies in the first window, so it fits the base word 0 of the next epoch.
      () =>
        ledger.withOwnNonces(() => {
          const from = positions();
          const withdrawn: Operation = { kind: 'withdraw', ...ledger.withdrawal(1, USD) };
          const { content } = ledger.run(ledger.open(from), withdrawn);
          const { l1Operations } = ledger.run(ledger.open(from), l1('cancelAll', 1)).content;
          return { batch: forge(from, { ...content, l1Operations }) };
        }),
    ],
    'a key beside an operation that registers none': [
      'Batch: (1 - l1IsRegister[o]) * l1PublicKey[o][0] === 0;',
      () => ({
        ...outcome(two, l1('deposit', 1, 0, 7n), {}),
        signals: (s) => s.set('l1PublicKey', 0, 0, 1n),
      }),
    ],
    'the second half of a key beside an operation that registers none': [
      'Batch: (1 - l1IsRegister[o]) * l1PublicKey[o][1] === 0;',
      () => ({
        ...outcome(two, l1('deposit', 1, 0, 7n), {}),
        signals: (s) => s.set('l1PublicKey', 0, 1, 1n),
      }),
    ],
    'k = 0, which would call every account covered': [
      'Batch: RangeCheck(ES_COUNT_BITS())(esCount - 1);',
      () => ({ batch: TRACES['a signed withdrawal'](), signals: (s) => s.set('esCount', 0n) }),
    ],
  });
});

/** One withdrawal in a batch with rows for two. */
function oneOfTwo(change: Partial<Attack> = {}): Attack {
  const capacity = { ...TINY_BATCH, name: 'batch-two-withdrawals', withdrawals: 2 };
  const withdrawn: Operation = { kind: 'withdraw', ...ledger.withdrawal(1, 20n * USD) };
  return { batch: ledger.run(ledger.open(positions(), {}, capacity), withdrawn).seal().batch, ...change };
}
const WITHDRAWALS_AT = 4 * TINY_BATCH.l1Operations;
/** What a row has besides its part of the commitment. */
const PLACES: readonly [name: string, ...place: number[]][] = [
  ['Place'],
  ['ServedAmount'],
  ...[0, 1].flatMap((level) =>
    [0, 1, 2, 3].map((child) => ['Children', level, child] as [string, ...number[]]),
  ),
];
function swapRows(s: Signals): void {
  for (const [name, ...place] of PLACES) {
    const [first, second] = [0, 1].map((row) => s.get(`withdrawal${name}`, row, ...place));
    s.set(`withdrawal${name}`, 0, ...place, second);
    s.set(`withdrawal${name}`, 1, ...place, first);
  }
}

describe('batch circuit with two withdrawal rows', function () {
  this.timeout(600_000);
  const two = circuitOf('test/fixtures/circuits/batch-two-withdrawals.circom');
  before(two);

  accepts({ 'a withdrawal in the first of them': () => oneOfTwo() }, two);
  refuses(
    {
      'a withdrawal after an unused row': [
        'Batch: for (var w = 1; w < WITHDRAWALS; w++) { (1 - withdrawals[w - 1].isUsed) * withdrawals[w].isUsed === 0; }',
        () =>
          oneOfTwo({
            commit: (c) => {
              c.withdrawals.reverse();
              const [first, second] = c.events.slice(WITHDRAWALS_AT, WITHDRAWALS_AT + 2);
              c.events.splice(WITHDRAWALS_AT, 2, second, first);
            },
            signals: swapRows,
          }),
      ],
    },
    two,
  );
});
