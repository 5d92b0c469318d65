/** circuits/row/health.circom alone: the rules of docs/protocol.md §5 against their twin, on random accounts. */
import { expect } from 'chai';
import fc from 'fast-check';
import { type Account, emptyAccount } from '#protocol/account.ts';
import { listValues } from '#protocol/batch/commitment.ts';
import type { RiskTable } from '#protocol/instrument.ts';
import { LIQUIDATION_TOLERANCE_MICROS, TINY_SHAPE } from '#protocol/limits.ts';
import { type AccountMargin, isBelowMaintenance, marginOf } from '#protocol/risk/margin.ts';
import type { AccountEvents } from '#protocol/transition/events.ts';
import { bandAllowance, type Judged, quoteMeasure, shrinksEverywhere } from '#protocol/transition/judged.ts';
import { judgeAccount } from '#protocol/transition/rules.ts';
import { judgeTransfers } from '#protocol/transition/withdrawal-rules.ts';
import { abs, divideUp, type Lots, type Micros, max, min } from '#protocol/units.ts';
import { valuesOf } from '#prover/witness/list-values.ts';
import { noEvents } from '#test/support/circuits/event-rows.ts';
import { template, type Values } from '#test/support/circuits/template.ts';
import { batchHeader, NO_PENDING, OTHER, PERP, riskTable, SPOT, THIRD } from '#test/support/ledger.ts';

const health = template('circuits/row/health.circom', 'AccountHealth()');

type Cause = 'fill' | 'withdraw-quote' | 'withdraw-spot' | 'fill-and-withdraw' | 'margin' | 'debt' | 'fund';
type Sizes = readonly [perp: bigint, other: bigint, option: bigint, spot: bigint];
const HELD = [PERP, OTHER, THIRD, SPOT] as const;
/** A line of the rules; cash is chosen so that the account stands on it, or next to it. */
const ANCHORS = [
  'im',
  'mm',
  'under-mm',
  'transfer',
  'zero',
  'quote',
  'measure',
  'deep',
  'tolerance',
  'rich',
  'poor',
] as const;
const RELATIVE = ['equity', 'band', 'buffer', 'same-measure'] as const;
type Anchor = (typeof ANCHORS)[number] | (typeof RELATIVE)[number];

const accountOf = ([perp, other, option, spot]: Sizes, cash = 0n): Account => {
  const none = emptyAccount(TINY_SHAPE);
  const slot = (id: number, size: bigint) => ({ instrumentId: size === 0n ? 0 : id, size: size as Lots });
  return {
    ...none,
    cashStar: cash as Micros,
    slots: [slot(PERP, perp), slot(OTHER, other), slot(THIRD, option)],
    spot: [spot, 0n, 0n] as Lots[],
  };
};

/** Cash at which an account with these margins at cash 0 stands on a line. */
function cashOn(anchor: Anchor, at: AccountMargin, before: AccountMargin, allowance: bigint): bigint {
  const k = at.esCount;
  const IM = at.initialMarginTimes100k;
  const MM = (margin: AccountMargin) => margin.maintenanceMarginTimes1000k;
  switch (anchor) {
    case 'im':
      return divideUp(IM, 100n * k) - at.equity;
    case 'mm':
      return divideUp(MM(at), 1000n * k) - at.equity;
    case 'under-mm':
      return divideUp(MM(at), 1000n * k) - 1n - at.equity;
    case 'transfer':
      return divideUp(5n * IM, 400n * k) - at.equity;
    case 'zero':
      return -at.equity;
    case 'quote':
      return -at.quoteBalance;
    case 'measure':
      return divideUp(-4n * at.haircutSpot, 10n) - at.quoteBalance;
    case 'deep':
      return divideUp(-6n * at.haircutSpot, 10n) - at.quoteBalance;
    case 'tolerance':
      return IM / (100n * k) + 50_000_000n - at.equity;
    case 'rich':
      return 10n ** 10n;
    case 'poor':
      return -(10n ** 10n);
    case 'equity':
      return before.equity - at.equity;
    case 'band':
      return before.equity - allowance - at.equity;
    case 'buffer':
      return before.equity + divideUp(MM(at) - MM(before), 1000n * k) - at.equity;
    case 'same-measure':
      return divideUp(quoteMeasure(before) - quoteMeasure(at), 10n);
  }
}

function eventsOf(cause: Cause, treasuryMicros: bigint): AccountEvents {
  const none = noEvents(7);
  // Judged here are the rules of health alone: what an order or a close says is for other rows.
  const orders = [{ message: {}, execution: { isShrinking: false } }] as unknown as AccountEvents['orders'];
  const withdrawals = (tokenId: number) =>
    [{ message: { tokenId } }] as unknown as AccountEvents['withdrawals'];
  const liquidated = (reason: 1 | 2): Partial<AccountEvents> => ({
    liquidations: [{}] as unknown as AccountEvents['liquidations'],
    liquidated: {
      accountIndex: 7,
      reason,
      penaltyMicros: treasuryMicros,
      pending: { quoteMicros: 0n, spotLots: [0n, 0n, 0n] },
    },
  });
  switch (cause) {
    case 'fill':
      return { ...none, orders };
    case 'withdraw-quote':
      return { ...none, withdrawals: withdrawals(0) };
    case 'withdraw-spot':
      return { ...none, withdrawals: withdrawals(SPOT) };
    case 'fill-and-withdraw':
      return { ...none, orders, withdrawals: withdrawals(SPOT) };
    case 'margin':
      return { ...none, ...liquidated(1) };
    case 'debt':
      return { ...none, ...liquidated(2) };
    case 'fund':
      return { ...none, fundPayments: [{ accountIndex: 7, amountMicros: treasuryMicros }] };
  }
}

interface Case {
  readonly judged: Judged;
  readonly cause: Cause;
  readonly treasuryMicros: bigint;
  readonly closedPenalty: bigint;
  readonly isFundExhausted: boolean;
}

/** The twin's verdict, with the penalty of docs/protocol.md §5 for a liquidated account. */
function isAllowed({ judged, cause, treasuryMicros, closedPenalty, isFundExhausted }: Case): boolean {
  if (judgeAccount(judged, isFundExhausted) !== undefined || judgeTransfers(judged) !== undefined)
    return false;
  if (cause !== 'margin' && cause !== 'debt') return true;
  const due = min(closedPenalty, max(0n, judged.marginAfter.equity + treasuryMicros));
  return treasuryMicros === due;
}

function inputOf({ judged, cause, treasuryMicros, isFundExhausted }: Case): Values {
  const { before, after, header, marginBefore, marginAfter, feesMicros } = judged;
  const values = (account: Account) => listValues(valuesOf({ account, counted: undefined }, header.table));
  return {
    k: marginAfter.esCount,
    pricesUsable: header.pricesUsable,
    isFundExhausted,
    oldCashStarMicros: before.cashStar,
    newCashStarMicros: after.cashStar,
    oldValues: values(before),
    newValues: values(after),
    oldScanLow: marginBefore.kScan,
    newScanLow: marginAfter.kScan,
    newScanUp: marginAfter.kScan,
    oldAddOnTimes100Low: marginBefore.sizeAddOnTimes100,
    newAddOnTimes100: marginAfter.sizeAddOnTimes100,
    pendingQuoteMicros: 0,
    feesMicros,
    treasuryMicros,
    isFilled: cause === 'fill' || cause === 'fill-and-withdraw',
    isQuoteWithdrawn: cause === 'withdraw-quote',
    isSpotWithdrawn: cause === 'withdraw-spot' || cause === 'fill-and-withdraw',
    isMarginLiquidation: cause === 'margin',
    isDebtLiquidation: cause === 'debt',
    isFundPaid: cause === 'fund',
    openSlots: after.slots.filter(({ size }) => size !== 0n).length,
    heldSpotLots: after.spot[0],
  };
}

/** All that a prover may say besides. */
function choicesOf(cause: Cause): Values[] {
  const none = {
    isReducing: 0,
    isUnderMargin: 0,
    isQuoteRelative: 0,
    isSmallAccount: 0,
    isPenaltyFull: 0,
    isPenaltyRest: 0,
  };
  const both = (list: Values[], name: string): Values[] =>
    list.flatMap((flags) => [flags, { ...flags, [name]: 1 }]);
  if (cause === 'fill') return ['isReducing', 'isUnderMargin', 'isQuoteRelative'].reduce(both, [none]);
  if (cause !== 'margin' && cause !== 'debt') return both([none], 'isQuoteRelative');
  const penalties = [none, { ...none, isPenaltyFull: 1 }, { ...none, isPenaltyRest: 1 }];
  return cause === 'margin' ? both(penalties, 'isSmallAccount') : penalties;
}

/** What the prover says of the account before in place of its margin: at most the same. */
type Understated = Partial<Record<'oldScanLow' | 'oldAddOnTimes100Low', bigint>>;

/** The lie that serves best: MM that the equity just covers, or that is just small. */
function mostFlattering({ judged: { marginBefore }, cause }: Case): Understated {
  const { esCount: k, equity, kScan, sizeAddOnTimes100, maintenanceMarginTimes1000k } = marginBefore;
  const charges = maintenanceMarginTimes1000k - 800n * kScan - 6n * k * sizeAddOnTimes100;
  const target = cause === 'fill' ? 1000n * k * equity : 1000n * k * LIQUIDATION_TOLERANCE_MICROS - 1n;
  const room = max(0n, target - charges);
  const oldAddOnTimes100Low = min(sizeAddOnTimes100, room / (6n * k));
  return { oldAddOnTimes100Low, oldScanLow: min(kScan, (room - 6n * k * oldAddOnTimes100Low) / 800n) };
}

/** Whether any choice has a witness, with what the account row adds: the slots that must shrink do. */
async function hasWitness(entry: Case, understated: Understated = {}): Promise<boolean> {
  const { before, after } = entry.judged;
  const isSpotOnly = before.slots.every(({ size }, i) => size === after.slots[i].size);
  if (entry.cause === 'debt' && !isSpotOnly) return false;
  const input = { ...inputOf(entry), ...understated };
  for (const choice of choicesOf(entry.cause)) {
    if (!(await (await health()).isAccepted({ ...input, ...choice }))) continue;
    const { mustShrink } = await (await health()).outputs({ ...input, ...choice });
    if (mustShrink === 0n || shrinksEverywhere(entry.judged)) return true;
  }
  return false;
}

const size = fc.bigInt(-4n, 4n);
const sizesOf = ({ spotLots }: Drawn) => fc.tuple(size, size, size, fc.constantFrom(...spotLots));
const delta = fc.constantFrom(-1n, 0n, 0n, 1n);
const NOTHING: Sizes = [0n, 0n, 0n, 0n];
/** Dollars: sizes of some hundreds of dollars lie on every piece of the add-on. */
const unit = fc.constantFrom(1n, 10n, 30n, 100n, 400n, 1_000_000n);

/** What cases are drawn from; what stands twice is drawn more often. */
interface Drawn {
  readonly before: readonly (typeof ANCHORS)[number][];
  readonly after: readonly Anchor[];
  readonly spotLots: readonly bigint[];
  /** How each position moves: 0 stays, 1 closes by half, 2 wholly, 3 to anything. */
  readonly moves: readonly number[];
}
const ANYTHING: Drawn = {
  before: ANCHORS,
  after: [...ANCHORS, ...RELATIVE],
  spotLots: [0n, 1n, 2n, 3n, 4n],
  moves: [0, 1, 1, 2, 2, 3],
};
/** More of that by which a liquidation is allowed. */
const LIQUIDATED: Drawn = {
  before: [...ANCHORS, 'under-mm', 'under-mm', 'under-mm', 'deep', 'deep', 'deep', 'deep'],
  after: [...ANYTHING.after, ...RELATIVE, 'equity', 'equity', 'band', 'band'],
  spotLots: ANYTHING.spotLots,
  moves: [0, 1, 1, 1, 2, 2, 2, 3],
};
/** An account with something to hide: a fill while under MM, a liquidation that closes too much. */
const HIDING: Readonly<Record<'fill' | 'margin', Drawn>> = {
  fill: { ...ANYTHING, before: ['under-mm'], after: ['mm', 'equity'], spotLots: [0n] },
  margin: { ...ANYTHING, before: ['zero'], after: ['rich', 'tolerance'], moves: [1, 2] },
};

const casesOf = (cause: Cause, from: Drawn): fc.Arbitrary<Case> =>
  fc
    .record({
      esCount: fc.constantFrom(1, 3),
      units: fc.tuple(unit, unit),
      from: sizesOf(from),
      to: sizesOf(from),
      moves: fc.tuple(...HELD.map(() => fc.constantFrom(...from.moves))),
      anchorBefore: fc.constantFrom(...from.before),
      anchorAfter: fc.constantFrom(...from.after),
      deltas: fc.tuple(delta, delta),
      feesMicros: fc.bigInt(0n, 3n),
      penaltyOff: fc.constantFrom(0n, 0n, 0n, 1n, -1n),
      pricesUsable: fc.constantFrom(true, true, true, false),
      isFundExhausted: fc.boolean(),
    })
    .map((drawn): Case => {
      const isFill = cause === 'fill' || cause === 'fill-and-withdraw';
      const isLiquidation = cause === 'margin' || cause === 'debt';
      const table: RiskTable = riskTable({ esCount: drawn.esCount, addOnUnitDollars: drawn.units });
      const to = drawn.from.map((lots, i) => {
        const move = cause === 'debt' && i < 3 ? 0 : drawn.moves[i];
        return [lots, lots / 2n, 0n, drawn.to[i]][move];
      }) as unknown as Sizes;
      const from = cause === 'fund' && drawn.moves[0] > 0 ? NOTHING : drawn.from;
      const target = cause === 'fund' && drawn.moves[0] > 0 ? NOTHING : to;
      const margin = (account: Account) => marginOf(account, table, TINY_SHAPE);
      const emptyBefore = margin(accountOf(from));
      const before = accountOf(
        from,
        cashOn(drawn.anchorBefore, emptyBefore, emptyBefore, 0n) + drawn.deltas[0],
      );
      const marginBefore = margin(before);
      const rows = { before, after: accountOf(target), header: batchHeader({ table }) } as unknown as Judged;
      const feesMicros = isFill ? drawn.feesMicros : 0n;
      const closedPenalty = HELD.reduce((sum, id, i) => {
        const rate = table.rows.find((row) => row.instrumentId === id)?.penalty ?? 0n;
        return sum + (abs(from[i] as Lots) - abs(target[i] as Lots)) * rate;
      }, 0n);
      const atZero = margin(accountOf(target));
      const allowance = bandAllowance(rows) + feesMicros + (isLiquidation ? max(0n, closedPenalty) : 0n);
      const cash = cashOn(drawn.anchorAfter, atZero, marginBefore, allowance) + drawn.deltas[1];
      const due = min(closedPenalty, max(0n, atZero.equity + cash));
      const after = accountOf(target, isLiquidation ? cash - max(0n, due) : cash);
      const paid = isLiquidation ? due : cause === 'fund' ? 5n : 0n;
      const treasuryMicros = paid + (isLiquidation ? drawn.penaltyOff : 0n);
      const isUsable = drawn.pricesUsable || isFill || isLiquidation || cause === 'fund';
      const judged: Judged = {
        accountIndex: 7,
        before,
        after,
        events: eventsOf(cause, treasuryMicros),
        feesMicros,
        penaltyMicros: isLiquidation ? treasuryMicros : 0n,
        header: batchHeader({ table, pricesUsable: isUsable }),
        shape: TINY_SHAPE,
        counted: NO_PENDING,
        marginBefore,
        marginAfter: margin(after),
      };
      return { judged, cause, treasuryMicros, closedPenalty, isFundExhausted: drawn.isFundExhausted };
    })
    .filter(({ treasuryMicros }) => treasuryMicros >= 0n);

describe('account health', () => {
  for (const cause of [
    'fill',
    'withdraw-quote',
    'withdraw-spot',
    'fill-and-withdraw',
    'margin',
    'debt',
    'fund',
  ] as const)
    it(`has a witness exactly where its twin accepts: ${cause}`, async () => {
      const isLiquidation = cause === 'margin' || cause === 'debt';
      const seen = { accepted: 0, refused: 0, sized: 0 };
      await fc.assert(
        fc.asyncProperty(casesOf(cause, isLiquidation ? LIQUIDATED : ANYTHING), async (entry) => {
          const isRight = isAllowed(entry);
          seen[isRight ? 'accepted' : 'refused']++;
          const { marginBefore, marginAfter } = entry.judged;
          if (isRight && marginBefore.sizeAddOnTimes100 + marginAfter.sizeAddOnTimes100 > 0n) seen.sized++;
          expect(await hasWitness(entry)).to.equal(isRight);
        }),
        { numRuns: isLiquidation ? 200 : 100 },
      );
      expect(seen.accepted).to.be.at.least(1);
      expect(seen.refused).to.be.at.least(1);
      if (cause !== 'fund') expect(seen.sized).to.be.at.least(1);
    });

  for (const cause of ['fill', 'margin'] as const)
    it(`lets nothing bad pass by margin of the account before named too low: ${cause}`, async () => {
      let hidden = 0;
      await fc.assert(
        fc.asyncProperty(casesOf(cause, HIDING[cause]), async (entry) => {
          if (isAllowed(entry) || !(await hasWitness(entry, mostFlattering(entry)))) return;
          hidden++;
          const { marginBefore, marginAfter } = entry.judged;
          expect(isBelowMaintenance(marginBefore)).to.equal(true);
          // The fills of an account that hides that it was under MM leave it above; an account that hides that it is
          // not small has less than the tolerance.
          if (cause === 'fill') expect(isBelowMaintenance(marginAfter)).to.equal(false);
          else expect(marginBefore.equity < LIQUIDATION_TOLERANCE_MICROS).to.equal(true);
        }),
        { numRuns: 150 },
      );
      expect(hidden).to.be.at.least(1);
    });
});
