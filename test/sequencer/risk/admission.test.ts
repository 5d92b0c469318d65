import { expect } from 'chai';
import fc from 'fast-check';
import { type Account, emptyAccount, sizeOf } from '#protocol/account.ts';
import { TINY_SHAPE } from '#protocol/limits.ts';
import { marginOf } from '#protocol/risk/margin.ts';
import { rowOf } from '#protocol/risk/table.ts';
import { lots, micros } from '#protocol/units.ts';
import { checkAdmission, type OpenOrder, worstCaseOf } from '#sequencer/risk/admission.ts';
import { OTHER, PERP, riskTable, USD } from '../../support/ledger.ts';

const context = {
  table: riskTable(),
  shape: TINY_SHAPE,
  feePpmMax: 500n,
  liveMarks: new Map<number, bigint>(),
};

const account = (cash: bigint, perp: bigint, other: bigint): Account => ({
  ...emptyAccount(TINY_SHAPE),
  cashStar: micros(cash),
  slots: [
    { instrumentId: perp === 0n ? 0 : PERP, size: lots(perp) },
    { instrumentId: other === 0n ? 0 : OTHER, size: lots(other) },
    { instrumentId: 0, size: lots(0n) },
  ],
});

/** The account after a fill of `filledLots` at the limit, with the full fee. */
function filled(before: Account, order: OpenOrder, filledLots: bigint): Account {
  const change = order.side === 'buy' ? filledLots : -filledLots;
  const cash = change * order.limitMicrosPerLot;
  const fee = (filledLots * order.limitMicrosPerLot * 500n) / 1_000_000n;
  const size = sizeOf(before, order.instrumentId) + change;
  const others = before.slots.filter(
    (slot) => slot.instrumentId !== 0 && slot.instrumentId !== order.instrumentId,
  );
  const slots = [...others, { instrumentId: order.instrumentId, size: lots(size) }].filter(
    (slot) => slot.size !== 0n,
  );
  while (slots.length < TINY_SHAPE.derivativeSlots) slots.push({ instrumentId: 0, size: lots(0n) });
  return { ...before, cashStar: micros(before.cashStar - cash - fee), slots };
}

const orderArbitrary: fc.Arbitrary<OpenOrder> = fc.record({
  instrumentId: fc.constantFrom(PERP, OTHER),
  side: fc.constantFrom<'buy' | 'sell'>('buy', 'sell'),
  remainingLots: fc.bigInt({ min: 1n, max: 30n }),
  limitMicrosPerLot: fc.bigInt({ min: 80n, max: 120n }).map((dollars) => dollars * USD),
  isReduceOnly: fc.constant(false),
});

describe('admission', () => {
  it('covers whatever part of the open orders is filled', () => {
    const scenario = fc.record({
      cash: fc.bigInt({ min: 0n, max: 20_000n }),
      perp: fc.bigInt({ min: -50n, max: 50n }),
      other: fc.bigInt({ min: -50n, max: 50n }),
      orders: fc.array(orderArbitrary, { minLength: 1, maxLength: 6 }),
      parts: fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 6, maxLength: 6 }),
    });
    fc.assert(
      fc.property(scenario, ({ cash, perp, other, orders, parts }) => {
        const start = account(cash * USD, perp, other);
        const worst = worstCaseOf(start, orders, context);
        const after = orders.reduce(
          (sofar, order, i) => filled(sofar, order, (order.remainingLots * BigInt(parts[i])) / 100n),
          start,
        );
        const margin = marginOf(after, context.table, TINY_SHAPE);
        expect(margin.esCount * margin.equity >= worst.kEquity, 'equity is not below its bound').to.equal(
          true,
        );
        expect(
          margin.initialMarginTimes100k <= worst.initialMarginTimes100k,
          'IM is not above its bound',
        ).to.equal(true);
      }),
      { numRuns: 500 },
    );
  });

  const one = (change: Partial<OpenOrder>): OpenOrder => ({
    instrumentId: PERP,
    side: 'buy',
    remainingLots: 1n,
    limitMicrosPerLot: 100n * USD,
    isReduceOnly: false,
    ...change,
  });

  it('lets an account below initial margin close, not open', () => {
    // Long 50 at 100: IM 1,050, equity 900.
    const low = account(900n * USD - 5_000n * USD, 50n, 0n);
    expect(checkAdmission(low, one({ side: 'sell', remainingLots: 50n }), [], context)).to.equal(undefined);
    expect(checkAdmission(low, one({ side: 'sell', remainingLots: 51n }), [], context)?.code).to.equal(
      'insufficient-margin',
    );
    expect(checkAdmission(low, one({ side: 'buy' }), [], context)?.code).to.equal('insufficient-margin');
  });

  it('counts the closing orders that are already open', () => {
    const low = account(900n * USD - 5_000n * USD, 50n, 0n);
    const open = one({ side: 'sell', remainingLots: 30n });
    expect(checkAdmission(low, one({ side: 'sell', remainingLots: 20n }), [open], context)).to.equal(
      undefined,
    );
    expect(checkAdmission(low, one({ side: 'sell', remainingLots: 21n }), [open], context)?.code).to.equal(
      'insufficient-margin',
    );
  });

  it('refuses more at live prices, and never less', () => {
    const held = account(1_100n * USD - 5_000n * USD, 50n, 0n);
    const order = one({ instrumentId: OTHER, remainingLots: 2n });
    expect(checkAdmission(held, order, [], context)).to.equal(undefined);
    const fallen = { ...context, liveMarks: new Map([[PERP, 99n * USD]]) };
    expect(checkAdmission(held, order, [], fallen)?.code).to.equal('insufficient-margin');
    const poor = account(1_000n * USD - 5_000n * USD, 50n, 0n);
    const risen = { ...context, liveMarks: new Map([[PERP, 200n * USD]]) };
    expect(checkAdmission(poor, order, [], risen)?.code).to.equal('insufficient-margin');
  });

  it('keeps to the position cap with every open order filled', () => {
    const rich = account(10n ** 15n, 0n, 0n);
    const { positionCap } = rowOf(context.table, PERP)!;
    const open = one({ remainingLots: positionCap - 1n });
    expect(checkAdmission(rich, one({}), [open], context)).to.equal(undefined);
    const refused = checkAdmission(rich, one({ remainingLots: 2n }), [open], context);
    expect(refused?.code).to.equal('position-cap');
    expect(refused?.data).to.deep.equal({ reachLots: positionCap + 1n, capLots: positionCap });
  });
});
