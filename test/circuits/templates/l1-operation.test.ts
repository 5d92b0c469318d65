/** circuits/row/l1-operation.circom alone, against its twins in protocol/ and at every bound. */
import { expect } from 'chai';
import fc from 'fast-check';
import type { Account } from '#protocol/account.ts';
import { emptyAccount } from '#protocol/account.ts';
import { L1_KIND, type L1Operation, type L1Outcome } from '#protocol/batch/batch.ts';
import { l1OperationWord, outcomeWord } from '#protocol/batch/words.ts';
import { TINY_SHAPE } from '#protocol/limits.ts';
import { depositOutcome } from '#protocol/transition/withdrawal-rules.ts';
import type { Lots } from '#protocol/units.ts';
import { SIZE_MAX } from '#test/support/circuits/arbitrary-account.ts';
import { type BusEntry, busSum, CHALLENGES } from '#test/support/circuits/bus.ts';
import { ACCOUNTS } from '#test/support/circuits/event-rows.ts';
import { HALF, template } from '#test/support/circuits/template.ts';
import { batchHeader, riskTable, SPOT } from '#test/support/ledger.ts';

const FILE = 'circuits/row/l1-operation.circom';
const ACCOUNT = ACCOUNTS[1];
const CAP = 50n;
const MARK = 9n;
const HELD = 20n;
const AMOUNT_MAX = (1n << 88n) - 1n;
type Bound = 'isMarginBound' | 'isQuoteBound' | 'isDebtBound' | 'isEmptyBound';

describe('L1 operation row', () => {
  const row = template(FILE, 'L1OperationRow(2, 2)');
  const DEPOSIT: L1Operation = {
    kind: 'deposit',
    accountIndex: Number(ACCOUNT),
    tokenId: SPOT,
    amount: 30n,
    publicKey: [0n, 0n],
  };
  const APPLIED: L1Outcome = { isApplied: true, reason: 'none', served: 30n };

  function inputOf(operation: L1Operation, outcome: L1Outcome, bound: Bound = 'isMarginBound') {
    const { kind, tokenId } = operation;
    const ofMargin = (name: Bound): boolean => outcome.reason === 'margin' && bound === name;
    return {
      isRegister: kind === 'register',
      isDeposit: kind === 'deposit',
      isWithdraw: kind === 'withdraw',
      isCancelAll: kind === 'cancelAll',
      isDonation: kind === 'fundDonation',
      accountIndex: operation.accountIndex,
      tokenLow: tokenId & 1,
      tokenHigh: tokenId >> 1,
      amount: operation.amount,
      isApplied: outcome.isApplied,
      served: outcome.served,
      isLiquidityShort: outcome.reason === 'liquidity',
      isMarginBound: ofMargin('isMarginBound'),
      isQuoteBound: ofMargin('isQuoteBound'),
      isDebtBound: ofMargin('isDebtBound'),
      isEmptyBound: ofMargin('isEmptyBound'),
      isShrinking: 0,
      accountIndexes: ACCOUNTS,
      oldSpotLots: [
        [1n, HELD],
        [2n, HELD + 1n],
        [3n, HELD + 2n],
      ],
      instrumentIds: [SPOT, 2],
      marks: [MARK, MARK + 1n],
      positionCaps: [CAP, CAP + 1n],
      ...CHALLENGES,
    };
  }
  function twinOutputs(operation: L1Operation, outcome: L1Outcome) {
    const { kind, tokenId } = operation;
    const [isDeposit, isWithdraw] = [kind === 'deposit', kind === 'withdraw'];
    const flow = (isDeposit ? 1n : isWithdraw ? -1n : 0n) * outcome.served;
    const isEpoch = kind === 'register' || kind === 'cancelAll';
    const entry: BusEntry =
      tokenId === 0
        ? { tag: 'cash', fields: [0n, ACCOUNT], amount: -flow }
        : { tag: 'position', fields: [BigInt(tokenId), ACCOUNT], amount: -flow };
    const isPaid = isWithdraw && outcome.served > 0n;
    return {
      isHere: [0, kind === 'fundDonation' ? 0 : 1],
      isQuoteServed: isPaid && tokenId === 0,
      isSpotServed: isPaid && tokenId !== 0,
      word: l1OperationWord(operation),
      outcomeWord: outcomeWord(outcome),
      isUsed: 1,
      markMicrosPerLot: (isDeposit || isWithdraw) && tokenId > 0 ? MARK + BigInt(tokenId) - 1n : 0,
      busSum: busSum([entry, { tag: 'epoch', fields: [0n, ACCOUNT], amount: isEpoch ? 1n : 0n }]),
    };
  }
  const equals = async (operation: L1Operation, outcome: L1Outcome, bound?: Bound): Promise<void> =>
    (await row()).equals(inputOf(operation, outcome, bound), twinOutputs(operation, outcome));
  const refuses = async (
    operation: Partial<L1Operation>,
    outcome: Partial<L1Outcome>,
    line: string,
    change: object = {},
  ): Promise<void> =>
    (await row()).refuses(
      { ...inputOf({ ...DEPOSIT, ...operation }, { ...APPLIED, ...outcome }), ...change },
      `L1OperationRow: ${line}`,
    );
  const CAP_LINE = 'RangeCheck(AMOUNT_BITS() + 1)(isSpotDeposit * capMargin);';

  it('applies a deposit exactly where its twin does', async () => {
    const spot = [HELD, HELD + 1n, HELD + 2n] as Lots[];
    const before: Account = { ...emptyAccount(TINY_SHAPE), spot };
    const table = riskTable({}, { [SPOT]: { positionCap: CAP as Lots } });
    const amounts = fc.oneof(fc.bigInt(0n, 2n * CAP), fc.constantFrom(30n, 31n, AMOUNT_MAX));
    await fc.assert(
      fc.asyncProperty(amounts, fc.constantFrom(0, SPOT), async (amount, tokenId) => {
        const operation = { ...DEPOSIT, amount, tokenId };
        const outcome = depositOutcome(before, operation, batchHeader({ table }));
        await equals(operation, outcome);
        const lie: L1Outcome = outcome.isApplied
          ? { isApplied: false, reason: 'positionCap', served: 0n }
          : { isApplied: true, reason: 'none', served: amount };
        const line = tokenId === 0 ? 'isQuoteDeposit * (1 - isApplied) === 0;' : CAP_LINE;
        await refuses(operation, lie, line);
        const served = outcome.served > 0n ? outcome.served - 1n : 1n;
        await refuses(operation, { ...outcome, served }, 'isDeposit * (served - creditedAmount) === 0;');
      }),
      { numRuns: 40 },
    );
    // The cap itself, and one lot beyond.
    await equals(DEPOSIT, APPLIED);
    await refuses({ amount: 31n }, { served: 31n }, CAP_LINE);
  });

  it('serves a withdrawal in full, or short for one reason', async () => {
    const withdraw: L1Operation = { ...DEPOSIT, kind: 'withdraw' };
    for (const tokenId of [0, 1, 2]) {
      const operation = { ...withdraw, tokenId };
      await equals(operation, APPLIED);
      for (const served of [0n, 29n])
        for (const reason of ['margin', 'liquidity'] as const) {
          const outcome = { isApplied: served > 0n, reason, served };
          for (const bound of ['isMarginBound', 'isQuoteBound', 'isDebtBound', 'isEmptyBound'] as const)
            await equals(operation, outcome, bound);
        }
    }
    const kind = 'withdraw' as const;
    const SHORT = 'isShort === hasShortfall;';
    await refuses({ kind }, { served: 29n }, SHORT);
    await refuses({ kind }, { reason: 'margin' }, SHORT);
    await refuses({ kind }, { served: 29n, reason: 'margin' }, SHORT, { isLiquidityShort: 1 });
    await refuses({ kind }, { served: 29n, reason: 'margin' }, SHORT, { isDebtBound: 1 });
    await refuses({ kind }, { served: 31n }, 'RangeCheck(AMOUNT_BITS())(shortfall);');
    const PAID = 'isWithdraw * (isApplied - isPaid) === 0;';
    await refuses({ kind }, { served: 0n, reason: 'liquidity' }, PAID);
    await refuses({ kind }, { isApplied: false }, PAID);
  });

  it('always applies what serves nothing', async () => {
    for (const kind of ['register', 'cancelAll', 'fundDonation'] as const) {
      const tokenId = 0;
      const operation = { ...DEPOSIT, kind, tokenId, amount: kind === 'fundDonation' ? 5n : 0n };
      const done: L1Outcome = { isApplied: true, reason: 'none', served: 0n };
      await equals(operation, done);
      await refuses(operation, { ...done, isApplied: false }, 'isPlain * (1 - isApplied) === 0;');
      await refuses(operation, { ...done, served: 1n }, 'isPlain * served === 0;');
    }
    expect(L1_KIND.fundDonation).to.equal(6);
  });

  it('finds account and instrument, and keeps its widths, bits and kinds', async () => {
    await refuses(
      { accountIndex: 6 },
      {},
      'isHere <== FindKey(ACCOUNTS)(accountIndexes, accountIndex, ofAccount);',
    );
    const FIND =
      'signal isInstrument[INSTRUMENTS] <== FindKey(INSTRUMENTS)(instrumentIds, tokenId, isSpotDeposit + isSpotWithdraw);';
    await refuses({ tokenId: 3 }, {}, FIND);
    await equals({ ...DEPOSIT, tokenId: 0, amount: AMOUNT_MAX }, { ...APPLIED, served: AMOUNT_MAX });
    const none = (change: object, line: string) => refuses({}, {}, line, change);
    await none({ amount: AMOUNT_MAX + 1n }, 'RangeCheck(AMOUNT_BITS())(amount);');
    await none({ served: -1n }, 'RangeCheck(AMOUNT_BITS())(served);');
    await none({ accountIndex: 1n << 24n }, 'RangeCheck(ACCOUNT_INDEX_BITS())(accountIndex);');
    await none({ isWithdraw: 1 }, 'RequireBit()(isUsed);');
    for (const flag of [
      'isRegister',
      'isDeposit',
      'isWithdraw',
      'isCancelAll',
      'isDonation',
      'tokenLow',
      'tokenHigh',
      'isApplied',
      'isLiquidityShort',
      'isShrinking',
      'isMarginBound',
      'isQuoteBound',
      'isDebtBound',
      'isEmptyBound',
    ])
      for (const bit of [2n, HALF]) await none({ [flag]: bit }, `RequireBit()(${flag});`);
    await (await row()).leavesNoChoice({
      ...inputOf({ ...DEPOSIT, kind: 'withdraw' }, { ...APPLIED, served: 7n, reason: 'margin' }),
    });
  });

  it('unused is all zero', async () => {
    const zero = {
      ...inputOf(DEPOSIT, { isApplied: false, reason: 'none', served: 0n }),
      isDeposit: 0,
      accountIndex: 0,
      tokenLow: 0,
      amount: 0,
    };
    await (await row()).equals(zero, {
      isHere: [0, 0],
      isQuoteServed: 0,
      isSpotServed: 0,
      word: 0,
      outcomeWord: 0,
      isUsed: 0,
      markMicrosPerLot: 0,
      busSum: 0,
    });
    const at = await row();
    for (const change of [{ accountIndex: 1 }, { tokenLow: 1 }, { tokenHigh: 1 }, { amount: 1 }])
      await at.refuses({ ...zero, ...change }, 'L1OperationRow: (1 - isUsed) * word === 0;');
    for (const change of [{ isApplied: 1 }, { served: 1 }, { isLiquidityShort: 1 }, { isEmptyBound: 1 }])
      await at.refuses({ ...zero, ...change }, 'L1OperationRow: (1 - isUsed) * outcomeWord === 0;');
  });
});

describe('short service', () => {
  const short = template(FILE, 'ShortService(2)');
  const K = 3n;
  const BY = 'ShortService: RangeCheck(MONEY_BITS())(byMargin + byQuote + byDebt);';
  interface Numbers {
    gap: bigint;
    balance: bigint;
    measure: bigint;
    mark: bigint;
    lots: bigint;
    open: number;
  }
  const EASY: Numbers = { gap: 0n, balance: 0n, measure: 0n, mark: 0n, lots: 0n, open: 0 };
  const inputOf = (
    bound: Bound | undefined,
    tokenId: number,
    numbers: Partial<Numbers>,
    pricesUsable = 1,
  ) => {
    const { gap, balance, measure, mark, lots, open } = { ...EASY, ...numbers };
    const flags = Object.fromEntries(
      ['isMarginBound', 'isQuoteBound', 'isDebtBound', 'isEmptyBound'].map((name) => [name, name === bound]),
    );
    return {
      ...flags,
      tokenLow: tokenId & 1,
      tokenHigh: tokenId >> 1,
      markMicrosPerLot: mark,
      isHere: [0, 1],
      k: K,
      pricesUsable,
      // The other account would meet every bound.
      newSpotLots: [1, 2, 3].map((token) => [0n, token === tokenId ? lots : 7n]),
      openSlots: [0, open],
      transferGaps: [1n << 60n, gap],
      quoteBalances: [-5n, balance],
      quoteMeasures: [-(1n << 60n), measure],
    };
  };
  const holds = async (bound: Bound, tokenId: number, numbers: Partial<Numbers>): Promise<boolean> =>
    (await short()).isAccepted(inputOf(bound, tokenId, numbers));

  it('holds where one unit more would break the bound, as docs/protocol.md §5 counts a unit', async () => {
    const small = fc.oneof(fc.bigInt(-200n, 200n), fc.bigInt(-20_000n, 20_000n));
    await fc.assert(
      fc.asyncProperty(small, fc.bigInt(1n, 9n), async (value, mark) => {
        // gap = 500·k·IM − 400·k·equity: one unit less equity, or two marks.
        expect(await holds('isMarginBound', 0, { gap: value })).to.equal(value + 400n * K > 0n);
        expect(await holds('isMarginBound', 2, { gap: value, mark })).to.equal(value + 800n * K * mark > 0n);
        expect(await holds('isQuoteBound', 0, { balance: value })).to.equal(value - 1n < 0n);
        // 10·balance + 4·(haircut − mark) < 0
        expect(await holds('isDebtBound', 3, { measure: value, mark })).to.equal(value - 4n * mark < 0n);
        expect(await holds('isEmptyBound', 1, { lots: value < 0n ? 0n : value })).to.equal(value <= 0n);
      }),
      { numRuns: 60 },
    );
  });

  it('stands exactly on each bound', async () => {
    const at = await short();
    for (const [bound, token, on, beyond] of [
      ['isMarginBound', 0, { gap: 1n - 400n * K }, { gap: -400n * K }],
      ['isMarginBound', 2, { gap: 1n - 800n * K * MARK, mark: MARK }, { gap: -800n * K * MARK, mark: MARK }],
      ['isQuoteBound', 0, { balance: 0n }, { balance: 1n }],
      ['isDebtBound', 3, { measure: 4n * MARK - 1n, mark: MARK }, { measure: 4n * MARK, mark: MARK }],
    ] as const) {
      await at.accepts(inputOf(bound, token, on), bound);
      await at.refuses(inputOf(bound, token, beyond), BY, bound);
    }
    await at.accepts(inputOf('isEmptyBound', 1, { lots: 0n }));
    for (const lots of [1n, SIZE_MAX])
      await at.refuses(inputOf('isEmptyBound', 1, { lots }), 'ShortService: isEmptyBound * heldLots === 0;');
    await at.accepts(inputOf(undefined, 0, { gap: -5n, balance: 9n, measure: 9n }));
    await at.leavesNoChoice(inputOf('isMarginBound', 2, { gap: 5n, mark: MARK }));
  });

  it('takes each bound for its token only, and without prices only facts', async () => {
    const at = await short();
    await at.refuses(inputOf('isQuoteBound', 1, {}), 'ShortService: isQuoteBound * (1 - isQuote) === 0;');
    const SPOT_ONLY = 'ShortService: (isDebtBound + isEmptyBound) * isQuote === 0;';
    await at.refuses(inputOf('isDebtBound', 0, { measure: -9n }), SPOT_ONLY);
    await at.refuses(inputOf('isEmptyBound', 0, {}), SPOT_ONLY);
    const PRICED = 'ShortService: (isMarginBound + isDebtBound) * (1 - pricesUsable) === 0;';
    await at.refuses(inputOf('isMarginBound', 0, { gap: 9n }, 0), PRICED);
    await at.refuses(inputOf('isDebtBound', 1, { measure: -9n }, 0), PRICED);
    await at.accepts(inputOf('isEmptyBound', 1, { open: 1 }, 0));
    await at.accepts(inputOf('isQuoteBound', 0, {}, 0));
    await at.refuses(
      inputOf('isQuoteBound', 0, { open: 1 }, 0),
      'ShortService: isPriceFree * derivatives === 0;',
    );
    await at.accepts(inputOf('isQuoteBound', 0, { open: 1 }));
  });
});
