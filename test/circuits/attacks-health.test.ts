/** Accounts that trade, withdraw, are liquidated or paid against the rules of docs/protocol.md §5. */
import type { Account } from '#protocol/account.ts';
import type { BatchContent, BatchHeader } from '#protocol/batch/batch.ts';
import type { LedgerState } from '#protocol/state.ts';
import type { MicrosPerLot } from '#protocol/units.ts';
import { type Attack, accepts, BUS, refuses, tinyCircuit } from '#test/support/attack.ts';
import { close, indebtedLong, positions, sealTiny } from '#test/support/batch-traces.ts';
import { type Forgery, forge, withCash } from '#test/support/forged-batch.ts';
import * as ledger from '#test/support/ledger.ts';

const { PERP, SPOT, USD } = ledger;
const rule = {
  margin:
    'AccountHealth: RangeCheck(MONEY_BITS())(transferRule + openRule + lowerRule - isMarginLiquidation);',
  line: 'AccountHealth: RangeCheck(MONEY_BITS())(nearerRule + belowRule + debtRule);',
  loss: 'AccountHealth: RangeCheck(MONEY_BITS())(lossRule);',
  end: 'AccountHealth: RangeCheck(MONEY_BITS())(aboveRule + endRule + smallRule + debtEndRule);',
  quote: 'AccountHealth: RangeCheck(MONEY_BITS())(dryRule + measureRule);',
  treasury: 'AccountHealth: RangeCheck(MONEY_BITS())(signedEquity + belowRate + debtLeft);',
};

const withHeader = (content: BatchContent, change: Partial<BatchHeader>): BatchContent => ({
  ...content,
  header: { ...content.header, ...change },
});

/** Rows that open ten lots between accounts 1 and 2, executed on accounts with this much cash. */
function opened(first: bigint, change: Partial<BatchHeader> = {}): Attack {
  const state = ledger.funded({ 1: 10_000n, 2: 10_000n });
  const { content } = ledger.run(ledger.open(state), ledger.match(1, 2, 10n, 100n));
  const poor: LedgerState = ledger.settle(state, [
    { kind: 'withdraw', ...ledger.withdrawal(1, 10_000n * USD - first) },
  ]);
  return { batch: forge(poor, withHeader(content, change)) };
}

/** Rows of an honest liquidation at $89, executed at another price or on another state. */
function liquidated(
  at: {
    mark?: bigint;
    lots?: bigint;
    state?: LedgerState;
    penalty?: bigint;
    reason?: 1 | 2;
    cash?: bigint;
  } = {},
  forgery: Forgery = {},
): Attack {
  const { mark = 89n * USD, lots = 10n, state = indebtedLong(), reason = 1 } = at;
  const { content } = ledger.run(
    ledger.open(indebtedLong(), { table: ledger.marked(89n) }),
    close(1n, 89n * USD),
  );
  const whole = ledger.riskRow(PERP, { mark: (((mark + USD - 1n) / USD) * USD) as MicrosPerLot });
  const table = ledger.riskTable({}, { [PERP]: { ...whole, mark: mark as MicrosPerLot } });
  const cashMicros = at.cash ?? lots * mark;
  const penaltyMicros = at.penalty ?? lots * whole.penalty;
  return {
    batch: forge(
      state,
      {
        ...withHeader(content, { table }),
        messages: content.messages.map((row) => ({ ...row, fillLots: lots, cashMicros })),
        liquidations: content.liquidations.map((row) => ({ ...row, closedLots: lots, cashMicros })),
        liquidatedAccounts: content.liquidatedAccounts.map((row) => ({ ...row, reason, penaltyMicros })),
      },
      forgery,
    ),
  };
}

describe('batch circuit, broken rules of health', function () {
  this.timeout(600_000);
  before(tinyCircuit);

  accepts({
    'a fill that leaves equity exactly at IM': () => opened(210n * USD),
    'a liquidation one micro below maintenance margin': () => liquidated({ mark: 90n * USD - 1n }),
    'a fund payment of the whole debt': () => paid(506n * USD, 1_000n * USD),
  });

  refuses({
    'a fill that leaves equity one micro below IM': [rule.margin, () => opened(210n * USD - 1n)],
    'a fill judged as reducing that raises MM': [
      rule.margin,
      () => ({ ...opened(150n), signals: (s) => s.set('accountIsReducing', 0, 1n) }),
    ],
    'a fill with a better threshold than there is': [
      'ScanUpperBound: RangeCheck(DISTANCE_BITS)(distances[s]);',
      () => ({ ...opened(150n), signals: (s) => s.set('accountLossDistances', 0, 0, -5n) }),
    ],
    'a fill whose expected shortfall is called a gain': [
      'ScanUpperBound: RangeCheck(BOUND_BITS)(2 * kScan - bound);',
      () => ({ ...opened(150n), signals: (s) => s.set('accountIsScanPositive', 0, 0n) }),
    ],
    'an account that trades without being called filled': [
      'AccountRow: (1 - isFilled) * orderCount === 0;',
      () => ({ ...opened(150n), signals: (s) => s.set('accountIsFilled', 0, 0n) }),
    ],
    'an order count that hides a fill': [
      BUS,
      () => ({
        ...opened(150n),
        commit: (c) => {
          c.accounts[0].orderCount = 0;
        },
        signals: (s) => {
          s.set('accountIsFilled', 0, 0n);
          s.set('accountIsReducing', 0, 0n);
        },
      }),
    ],
    'a fill while prices are not usable': [
      'Batch: (1 - pricesUsable) * (trades + fundPaid) === 0;',
      () => {
        const state = ledger.funded({ 1: 1_000n, 2: 1_000n });
        const { content } = ledger.run(ledger.open(state), ledger.match(1, 2, 1n, 100n));
        return { batch: forge(state, withHeader(content, { pricesUsable: false })) };
      },
    ],
    'a trade hidden from the contract': [
      'Batch: hasAny === hasTrades;',
      () => ({ ...opened(1_000n * USD), signals: (s) => s.set('hasTrades', 0n) }),
    ],
    'a fill that runs into quote debt beyond 40 % of the spot': [
      rule.quote,
      () => {
        const state = ledger.funded({ 1: 1_000n, 2: 0n }, { 2: 50n });
        const { content } = ledger.run(ledger.open(state), ledger.match(1, 2, 10n, 100n, SPOT));
        return {
          batch: forge(
            ledger.settle(state, [{ kind: 'withdraw', ...ledger.withdrawal(1, 400n * USD) }]),
            content,
          ),
        };
      },
    ],
    'quote debt called no worse than before': [
      rule.quote,
      () => {
        const state = ledger.funded({ 1: 1_000n, 2: 0n }, { 2: 50n });
        const { content } = ledger.run(ledger.open(state), ledger.match(1, 2, 10n, 100n, SPOT));
        const poor = ledger.settle(state, [{ kind: 'withdraw', ...ledger.withdrawal(1, 400n * USD) }]);
        return { batch: forge(poor, content), signals: (s) => s.set('accountIsQuoteRelative', 0, 1n) };
      },
    ],
    'a reducing fill of an account under its margin that loses more than the band': [
      rule.loss,
      () => {
        const state = ledger.settle(ledger.funded({ 1: 215n, 2: 10_000n }), [ledger.match(1, 2, 10n, 100n)]);
        const { content } = ledger.run(
          ledger.open(state, { table: ledger.marked(90n) }),
          ledger.match(2, 1, 3n, 90n),
        );
        const cashMicros = 3n * 89n * USD;
        return {
          batch: forge(state, {
            ...content,
            messages: content.messages.map((row) => ({ ...row, cashMicros })),
          }),
        };
      },
    ],
    'a reducing account under its margin that says it is not': [
      rule.end,
      () => {
        const state = ledger.settle(ledger.funded({ 1: 215n, 2: 10_000n }), [ledger.match(1, 2, 10n, 100n)]);
        const batch = sealTiny(state, [ledger.match(2, 1, 3n, 90n)], { table: ledger.marked(90n) });
        return { batch, signals: (s) => s.set('accountIsUnderMargin', 0, 0n) };
      },
    ],
    'a withdrawal that leaves less than 1.25 IM': [rule.margin, () => withdrawn(1n, 800n * USD)],
    'a quote withdrawal against spot': [rule.quote, () => withdrawn(2n, 1_001n * USD)],
    'a withdrawal that is not called one': [
      'Batch: (1 - accountIsQuoteWithdrawn[a]) * quoteServed === 0;',
      () => ({ ...withdrawn(1n, 800n * USD), signals: (s) => s.set('accountIsQuoteWithdrawn', 1, 0n) }),
    ],
    'a withdrawal with derivatives while prices are not usable': [
      'AccountHealth: isUnpriced * openSlots === 0;',
      () => {
        const content = ledger.run(ledger.open(positions()), {
          kind: 'withdraw',
          ...ledger.withdrawal(1, USD),
        }).content;
        return { batch: forge(positions(), withHeader(content, { pricesUsable: false })) };
      },
    ],

    'a liquidation exactly at maintenance margin': [rule.line, () => liquidated({ mark: 90n * USD })],
    'a liquidation of a healthy account': [rule.line, () => liquidated({ mark: 100n * USD })],
    'a liquidation made to look due by scenarios that are not the worst': [
      'ScanLowerBound: count === k * isPositive;',
      () => ({
        ...liquidated({ mark: 90n * USD }),
        signals: (s) => {
          for (const scenario of [0, 1, 2]) s.set('accountIsOldWorst', 0, scenario, 1n);
        },
      }),
    ],
    'a liquidation that goes on beyond IM and $50': [rule.end, () => liquidated({ lots: 90n })],
    'a liquidation that calls a large account small': [
      rule.end,
      () => ({ ...liquidated({ lots: 90n }), signals: (s) => s.set('accountIsSmallAccount', 0, 1n) }),
    ],
    'a liquidation beyond the band': [
      'LiquidationRow: RangeCheck(AMOUNT_BITS() + 5)((1 - 2 * isShort) * (cashMicros - edgeMicros));',
      () => liquidated({ cash: 10n * 88_110_000n - 1n }),
    ],
    'a liquidation beyond what is held': [
      'AlignedSlot: isShrinking * isOtherSide === 0;',
      () => liquidated({ mark: 70n * USD, lots: 101n, penalty: 0n }),
    ],
    'a liquidation for quote debt of an account without any': [rule.line, () => liquidated({ reason: 2 })],
    'a penalty above the rate': [
      'AccountHealth: isPenaltyFull * (treasuryMicros - closedPenalty) === 0;',
      () => penalty(1n, 1),
    ],
    'a penalty below the rate': ['AccountHealth: isPenaltyRest * equityAfter === 0;', () => penalty(-1n, 0)],
    'a penalty of a bankrupt account': [
      rule.treasury,
      () => ({
        ...liquidated({ mark: 70n * USD, lots: 100n, penalty: 70n * USD }, stated(70n * USD)),
        signals: (s) => {
          s.set('accountIsPenaltyFull', 0, 1n);
          s.set('accountIsPenaltyRest', 0, 0n);
        },
      }),
    ],
    'liquidation rows of an account that is not called liquidated': [
      'Batch: (1 - accounts[a].isLiquidated) * liquidationCount === 0;',
      () => ({
        ...liquidated({ penalty: 0n }, stated(0n)),
        commit: (c) => {
          c.accounts[0].isLiquidated = false;
        },
        signals: (s) => {
          for (const flag of ['IsMarginLiquidation', 'IsPenaltyFull', 'IsPenaltyRest'])
            s.set(`account${flag}`, 0, 0n);
          s.set('liquidationIsFirst', 0, 0n);
        },
      }),
    ],
    'a healthy account called liquidated, without a row': [
      rule.line,
      () => ({
        ...liquidated(),
        commit: (c) => {
          c.accounts[1].isLiquidated = true;
        },
        signals: (s) => {
          s.set('accountIsFilled', 1, 0n);
          s.set('accountOrderCount', 1, 0n);
          s.set('accountIsMarginLiquidation', 1, 1n);
        },
      }),
    ],
    'pending deposits left out for one of two rows': [
      'Batch: pendingOfRow[q] === liquidations[q].pendingWord;',
      () => {
        const state = ledger.settle(ledger.funded({ 1: 440n, 2: 100_000n }), [
          ledger.match(1, 2, 10n, 100n),
          ledger.match(1, 2, 10n, 100n, ledger.OTHER),
        ]);
        const table = ledger.riskTable(
          {},
          { [PERP]: ledger.marked(88n).rows[1], [ledger.OTHER]: ledger.marked(95n, ledger.OTHER).rows[2] },
        );
        const pending = { quoteMicros: USD, spotLots: [0n, 0n, 0n] };
        const batch = sealTiny(
          state,
          [close(1n, 88n * USD, { pending }), close(1n, 95n * USD, { instrumentId: ledger.OTHER, pending })],
          { table },
        );
        return { batch, signals: (s) => s.set('liquidationPendingQuoteMicros', 1, 0n) };
      },
    ],

    'a fund payment beyond the debt': [rule.treasury, () => paid(507n * USD, 507n * USD)],
    'a fund payment below the debt while the fund has more': [
      'AccountHealth: paidShort * newCashStarMicros === 0;',
      () => paid(505n * USD, 1_000n * USD),
    ],
    'a fund called exhausted that is not': [
      'Batch: isFundExhausted * fundLeft === 0;',
      () => ({ ...paid(505n * USD, 1_000n * USD), signals: (s) => s.set('isFundExhausted', 1n) }),
    ],
    'a fund payment of more than is booked': [
      'Batch: RangeCheck(MONEY_BITS())(fundLeft);',
      () => paid(506n * USD, 500n * USD),
    ],
    'a fund payment to an account that holds spot': [
      'AccountHealth: isFundPaid * (openSlots + heldSpotLots) === 0;',
      () => {
        const { content } = ledger.run(ledger.open(bankrupt(), { fundBookedMicros: 1_000n * USD }), payFund);
        const state = ledger.settle(bankrupt(), [
          { kind: 'l1', operation: ledger.l1('deposit', 1, SPOT, 1n) },
        ]);
        return { batch: forge(state, content) };
      },
    ],
  });
});

const payFund = { kind: 'pay-fund', accountIndex: 1 } as const;
const bankrupt = (): LedgerState =>
  ledger.settle(indebtedLong(), [close(100n, 70n * USD)], { table: ledger.marked(70n) });

function paid(amountMicros: bigint, fundBookedMicros: bigint): Attack {
  const { content } = ledger.run(ledger.open(bankrupt(), { fundBookedMicros: 1_000n * USD }), payFund);
  return {
    batch: forge(bankrupt(), {
      ...withHeader(content, { fundBookedMicros }),
      fundPayments: [{ accountIndex: 1, amountMicros }],
    }),
  };
}

/** A signed quote withdrawal of an account that holds ten lots of the perp; 2 also five spot lots. */
function withdrawn(accountIndex: bigint, amount: bigint): Attack {
  const state = positions();
  const rich = ledger.settle(state, [
    { kind: 'l1', operation: ledger.l1('deposit', Number(accountIndex), 0, 10_000n * USD) },
  ]);
  const { content } = ledger.run(ledger.open(rich), {
    kind: 'withdraw',
    ...ledger.withdrawal(Number(accountIndex), amount),
  });
  return { batch: forge(state, content) };
}

/** The leaf pays the stated penalty, whatever the right one is. */
function stated(penaltyMicros: bigint): Forgery {
  return {
    after: (account: Account, index: number) => {
      if (index !== 1) return account;
      // Ten lots at $89 or a hundred at $70: what the honest execution took is put back first.
      return withCash(account, honestPenalty(account) - penaltyMicros);
    },
  };
}
const honestPenalty = (account: Account): bigint =>
  account.slots.every((slot) => slot.size === 0n) ? 0n : 8_900_000n;

function penalty(difference: bigint, isFull: 0 | 1): Attack {
  const right = 10n * 890_000n;
  return {
    ...liquidated({ penalty: right + difference }, stated(right + difference)),
    signals: (s) => {
      s.set('accountIsPenaltyFull', 0, BigInt(isFull));
      s.set('accountIsPenaltyRest', 0, BigInt(1 - isFull));
    },
  };
}
