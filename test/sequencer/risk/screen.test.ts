import { expect } from 'chai';
import fc from 'fast-check';
import { type Account, emptyAccount } from '#protocol/account.ts';
import { TINY_SHAPE } from '#protocol/limits.ts';
import { heldInstruments, marginOf } from '#protocol/risk/margin.ts';
import { liquidationReason } from '#protocol/transition/liquidation-rules.ts';
import { lots, micros, microsPerLot } from '#protocol/units.ts';
import { AccountScreen } from '#sequencer/risk/screen.ts';
import { OTHER, PERP, riskTable, THIRD, USD } from '../../support/ledger.ts';

const ids = [PERP, OTHER, THIRD];
const table = (esCount: number, fundingIndex: bigint) =>
  riskTable({ esCount }, { [PERP]: { fundingIndex: microsPerLot(fundingIndex) } });

function account(cashStar: bigint, sizes: readonly bigint[], spot: bigint): Account {
  return {
    ...emptyAccount(TINY_SHAPE),
    cashStar: micros(cashStar),
    slots: sizes.map((size, i) => ({ instrumentId: size === 0n ? 0 : ids[i], size: lots(size) })),
    spot: [lots(spot), lots(0n), lots(0n)],
  };
}

/** Near the edge, where a rounding error would show: equity is put within a few micros of maintenance margin. */
const portfolio = fc.record({
  sizes: fc.array(fc.bigInt({ min: -(2n ** 40n), max: 2n ** 40n }), { minLength: 3, maxLength: 3 }),
  spot: fc.bigInt({ min: 0n, max: 2n ** 33n }),
  offset: fc.bigInt({ min: -3n, max: 3n }),
  isFar: fc.boolean(),
  funding: fc.bigInt({ min: -(2n ** 49n), max: 2n ** 49n }),
  esCount: fc.integer({ min: 1, max: 3 }),
});

describe('margin screen', () => {
  it('picks every account that the exact rule would liquidate, to the micro', () => {
    let due = 0;
    fc.assert(
      fc.property(portfolio, ({ sizes, spot, offset, isFar, funding, esCount }) => {
        const round = table(esCount, funding);
        const margin = marginOf(account(0n, sizes, spot), round, TINY_SHAPE);
        // Cash that makes equity exactly maintenance margin, give or take.
        const cash = margin.maintenanceMarginMicrosUp - margin.equity + offset * (isFar ? 10n ** 12n : 1n);
        const held = account(cash, sizes, spot);
        const screen = new AccountScreen(TINY_SHAPE);
        screen.set(7, held);
        const reason = liquidationReason(held, round, TINY_SHAPE);
        if (reason === undefined) return;
        due++;
        expect(screen.candidates(round)).to.deep.equal([7]);
      }),
      { numRuns: 2_000 },
    );
    expect(due).to.be.greaterThan(300);
  });

  it('passes over accounts that are clearly healthy, empty or in credit', () => {
    const screen = new AccountScreen(TINY_SHAPE);
    screen.set(1, account(0n, [0n, 0n, 0n], 0n));
    screen.set(2, account(5n, [0n, 0n, 0n], 0n));
    screen.set(3, account(10_000n * USD, [10n, -10n, 0n], 5n));
    screen.set(4, account(-1n, [0n, 0n, 0n], 0n));
    expect(screen.candidates(table(1, 0n))).to.deep.equal([4]);
    expect(heldInstruments(account(0n, [0n, 0n, 0n], 0n))).to.deep.equal([]);
  });

  it('hands an account that holds something unlisted to the exact check', () => {
    const screen = new AccountScreen(TINY_SHAPE);
    screen.set(1, account(10_000n * USD, [1n, 0n, 0n], 0n));
    const round = riskTable();
    expect(
      screen.candidates({ ...round, rows: round.rows.filter((row) => row.instrumentId !== PERP) }),
    ).to.deep.equal([1]);
  });

  it('follows an account as it changes and grows beyond its first arrays', () => {
    const screen = new AccountScreen(TINY_SHAPE);
    for (let index = 1; index <= 200; index++) screen.set(index, account(-1n, [1n, 0n, 0n], 0n));
    expect(screen.candidates(table(1, 0n))).to.deep.equal([]);
    for (let index = 1; index <= 200; index++) screen.set(index, account(-90n * USD, [1n, 0n, 0n], 0n));
    expect(screen.candidates(table(1, 0n))).to.have.length(200);
    for (let index = 2; index <= 200; index++) screen.set(index, account(0n, [0n, 0n, 0n], 0n));
    expect(screen.candidates(table(1, 0n))).to.deep.equal([1]);
    expect(screen.accountCount).to.equal(200);
  });
});
