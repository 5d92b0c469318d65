import { expect } from 'chai';
import { portfolioMargin } from '#client/legs.ts';
import { afterFill, marginOf } from '#client/margin.ts';
import type { Account } from '#protocol/account.ts';
import { InputError } from '#protocol/errors.ts';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { rowOf } from '#protocol/risk/table.ts';
import { FAR, NEAR } from '#sequencer/main-job/options/listing.ts';
import { planOf } from '#sequencer/main-job/plan.ts';
import { BTC_PERP, ETH_PERP } from '#sequencer/main-job/strategies/strategy.ts';
import { firstTable } from '../support/plan-round.ts';
import { holderOf } from './crash-table.ts';

const plan = planOf('options');
const table = firstTable(plan, plan.steps[0]);

/** An account with cash and positions bought at the mark. */
const holding = (sizes: Readonly<Record<number, bigint>>, spot = 0n): Account =>
  Object.entries(sizes).reduce(
    (account, [id, lots]) => {
      const row = rowOf(table, Number(id))!;
      return afterFill(account, row, lots, row.mark);
    },
    holderOf(50_000_000_000n, [spot, 0n, 0n]),
  );

describe('portfolio margin and its legs', () => {
  it('is the margin of the rule, and a single leg is the whole of it, whatever the cash', () => {
    const short = holding({ [NEAR.put60]: -1_000n });
    const { margin, legs, ...sums } = portfolioMargin(short, table);
    expect(margin).to.deep.equal(marginOf(short, table, STANDARD_SHAPE));
    expect(legs.map(({ instrumentId, sizeLots }) => [instrumentId, sizeLots])).to.deep.equal([
      [NEAR.put60, -1_000n],
    ]);
    expect(sums.legsInitialMarginMicros).to.equal(margin.initialMarginMicrosUp);
    expect(sums.legsMaintenanceMarginMicros).to.equal(margin.maintenanceMarginMicrosUp);
    const poor = { ...short, cashStar: (short.cashStar - 49_000_000_000n) as typeof short.cashStar };
    expect(portfolioMargin(poor, table).legs).to.deep.equal(legs);
  });

  it('is less than half of its legs for a calendar, a covered call and a conversion', () => {
    const books = [
      holding({ [NEAR.put60]: -1_500n, [FAR.put60]: 1_500n }),
      holding({ [FAR.call70]: -1_000n, [FAR.put70]: 1_000n, [FAR.future]: 1_000n }),
    ];
    for (const book of books) {
      const { margin, legsInitialMarginMicros } = portfolioMargin(book, table);
      expect(2n * margin.initialMarginMicrosUp < legsInitialMarginMicros).to.equal(true);
    }
    const covered = portfolioMargin(holding({ [FAR.call70]: -2_000n }, 2_000n), table);
    expect(covered.legs.map(({ instrumentId }) => instrumentId)).to.deep.equal([1, FAR.call70]);
    expect(covered.margin.initialMarginMicrosUp < covered.legsInitialMarginMicros).to.equal(true);
  });

  it('is never more than its legs below the size add-on, for any book', () => {
    const ids = table.rows.filter(({ isSpot }) => !isSpot).map(({ instrumentId }) => instrumentId);
    let seed = 7n;
    const draw = (most: bigint): bigint => {
      seed = (seed * 6_364_136_223_846_793_005n + 1_442_695_040_888_963_407n) % (1n << 64n);
      return (seed >> 16n) % most;
    };
    for (let trial = 0; trial < 60; trial++) {
      const sizes = Object.fromEntries(
        ids.map((id) => [id, draw(4_001n) - 2_000n]).filter(() => draw(2n) === 0n),
      );
      const { margin, legs, ...sums } = portfolioMargin(holding(sizes, draw(3_000n)), table);
      expect(
        margin.initialMarginMicrosUp <= sums.legsInitialMarginMicros,
        JSON.stringify(legs.length),
      ).to.equal(true);
      expect(margin.maintenanceMarginMicrosUp <= sums.legsMaintenanceMarginMicros).to.equal(true);
    }
  });

  it('may be more than its legs above it: size counts together', () => {
    const book = holding({ [BTC_PERP]: 1_000n, [NEAR.future]: 1_000n });
    const small = { ...table, addOnUnitDollars: [50_000n, 50_000n] };
    const { margin, legsInitialMarginMicros } = portfolioMargin(book, small);
    expect(margin.initialMarginMicrosUp > legsInitialMarginMicros).to.equal(true);
  });

  it('is not known for what the round does not list', () => {
    const without = { ...table, rows: table.rows.filter(({ instrumentId }) => instrumentId !== ETH_PERP) };
    expect(() => portfolioMargin(holding({ [ETH_PERP]: 1n }), without)).to.throw(InputError);
  });
});
