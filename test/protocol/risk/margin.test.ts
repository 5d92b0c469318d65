import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import fc from 'fast-check';
import { type Account, emptyAccount } from '#protocol/account.ts';
import { TINY_SHAPE } from '#protocol/limits.ts';
import {
  bestThreshold,
  dualKScan,
  kScanOf,
  kWorstSum,
  lossVector,
  marginOf,
  primalKScan,
  worstScenarios,
} from '#protocol/risk/margin.ts';
import type { Lots, Micros, MicrosPerLot } from '#protocol/units.ts';
import { OTHER, PERP, riskTable, SPOT, USD } from '../../support/ledger.ts';

const holding = (cash: bigint, sizes: Record<number, bigint>): Account => ({
  ...emptyAccount(TINY_SHAPE),
  cashStar: (cash * USD) as Micros,
  slots: [PERP, OTHER, 0].map((id) => ({
    instrumentId: sizes[id] ? id : 0,
    size: (sizes[id] ?? 0n) as Lots,
  })),
  spot: [sizes[SPOT] ?? 0n, 0n, 0n] as Lots[],
});
const margin = (account: Account, k = 1) => marginOf(account, riskTable({ esCount: k }), TINY_SHAPE);

describe('margin of an account', () => {
  it('is scan plus charges: ten long lots at $100', () => {
    const m = margin(holding(-500n, { [PERP]: 10n }));
    expect(m.equity).to.equal(500n * USD);
    expect(m.quoteBalance).to.equal(500n * USD);
    expect(m.kScan).to.equal(200n * USD); // 20 % down
    expect(m.initialMarginTimes100k).to.equal(21_000n * USD);
    expect(m.maintenanceMarginTimes1000k).to.equal(166_000n * USD); // 1000 · (160 + 6)
    expect(m.health).to.equal('open');
  });

  it('nets positions before it takes the worst scenario', () => {
    const m = margin(holding(0n, { [PERP]: 10n, [OTHER]: -10n }));
    expect(m.kScan).to.equal(0n);
    expect(m.initialMarginTimes100k).to.equal(2_000n * USD); // the charges of both legs stay
  });

  it('averages the k worst scenarios, kept multiplied by k', () => {
    const m = margin(holding(0n, { [PERP]: 10n }), 3);
    expect(m.kScan).to.equal(550n * USD); // 200 + 200 + 150
    expect(m.initialMarginTimes100k).to.equal(58_000n * USD);
    expect(m.initialMarginMicrosUp).to.equal(193_333_334n);
  });

  it('takes funding out of cash, from longs to shorts', () => {
    const table = riskTable({}, { [PERP]: { fundingIndex: (2n * USD) as MicrosPerLot } });
    const [long, short] = [10n, -10n].map((size) =>
      marginOf(holding(1000n, { [PERP]: size }), table, TINY_SHAPE),
    );
    expect(long.cash).to.equal(980n * USD);
    expect(short.cash).to.equal(1020n * USD);
  });

  it('counts spot in equity but not in the quote balance, and its haircut as a charge', () => {
    const m = margin(holding(100n, { [SPOT]: 5n }));
    expect(m.equity).to.equal(600n * USD);
    expect(m.quoteBalance).to.equal(100n * USD);
    expect(m.haircutSpot).to.equal(460n * USD);
    expect(m.initialMarginTimes100k).to.equal(14_000n * USD);
  });

  it('adds for the size of the net delta: 2, 5 and 10 % of what lies beyond 1, 5 and 20 units', () => {
    const sized = (size: bigint, unit: bigint) =>
      marginOf(holding(0n, { [PERP]: size }), riskTable({ addOnUnitDollars: [unit, 1n] }), TINY_SHAPE);
    for (const [size, addOn] of [
      [10n, 0n], // $1,000, exactly the unit
      [20n, 20n],
      [50n, 80n],
      [200n, 830n], // 80 + 5 % of 15,000
      [201n, 840n],
      [300n, 1_830n],
    ] as const) {
      for (const sign of [1n, -1n]) {
        const m = sized(sign * size, 1_000n);
        expect(m.sizeAddOnTimes100, `${size} lots`).to.equal(100n * addOn * USD);
        expect(m.initialMarginMicrosUp).to.equal((21n * size + addOn) * USD);
        expect(5n * m.maintenanceMarginMicrosUp).to.equal((83n * size + 3n * addOn) * USD);
      }
    }
    const hedged = holding(0n, { [PERP]: 300n, [OTHER]: -300n });
    expect(
      marginOf(hedged, riskTable({ addOnUnitDollars: [1n, 1n] }), TINY_SHAPE).sizeAddOnTimes100,
    ).to.equal(0n);
  });

  it('counts what waits in the L1 queue when asked to', () => {
    const pending = { quoteMicros: 7n * USD, spotLots: [2n, 0n, 0n] };
    const m = marginOf(holding(0n, { [SPOT]: 5n }), riskTable(), TINY_SHAPE, pending);
    expect(m.cash).to.equal(7n * USD);
    expect(m.equity).to.equal(707n * USD);
  });

  for (const [cash, health] of [
    [-790n, 'open'],
    [-791n, 'reduce-only'],
    [-834n, 'reduce-only'],
    [-835n, 'liquidatable'],
    [-1000n, 'liquidatable'],
    [-1001n, 'bankrupt'],
  ] as const) {
    it(`is ${health} with ${1000n + cash} of equity against IM 210 and MM 166`, () => {
      expect(margin(holding(cash, { [PERP]: 10n })).health).to.equal(health);
    });
  }

  it('rounds requirements up only for display', () => {
    const table = riskTable(
      { esCount: 3 },
      { [PERP]: { losses: [1n, 0n, 0n, 0n, 0n, 0n, 0n, 0n] as MicrosPerLot[] } },
    );
    const m = marginOf(holding(0n, { [PERP]: 1n }), table, TINY_SHAPE);
    expect(m.initialMarginTimes100k).to.equal(100n + 300n * USD);
    expect(m.initialMarginMicrosUp).to.equal(USD + 1n);
  });
});

const losses = fc.array(fc.bigInt({ min: -(10n ** 12n), max: 10n ** 12n }), { minLength: 8, maxLength: 32 });

describe('expected shortfall without sorting', () => {
  for (const k of [1, 3]) {
    it(`k = ${k}: a bad threshold only raises the requirement, the best one is exact`, () => {
      const property = fc.property(losses, fc.bigInt({ min: -(10n ** 13n), max: 10n ** 13n }), (list, t) => {
        expect(primalKScan(list, k, t) >= kScanOf(list, k)).to.equal(true);
        expect(primalKScan(list, k, bestThreshold(list, k))).to.equal(kScanOf(list, k));
      });
      fc.assert(property);
    });

    it(`k = ${k}: a bad selection only lowers it, the best one is exact`, () => {
      const property = fc.property(losses, fc.infiniteStream(fc.nat(31)), (list, stream) => {
        const rows = new Set<number>();
        for (const row of stream) if (rows.add(row % list.length).size === k) break;
        expect(dualKScan(list, k, [...rows]) <= kScanOf(list, k)).to.equal(true);
        expect(dualKScan(list, k, worstScenarios(list, k))).to.equal(kScanOf(list, k));
      });
      fc.assert(property);
    });
  }

  it('refuses to count one scenario twice', () => {
    expect(() => dualKScan([5n, 1n, 0n], 2, [0, 0])).to.throw('distinct');
    expect(() => dualKScan([5n, 1n, 0n], 2, [0])).to.throw('distinct');
    expect(() => dualKScan([5n, 1n, 0n], 2, [0, 3])).to.throw('distinct');
  });

  it('never turns a portfolio that only gains into negative margin', () => {
    expect(kScanOf([-5n, -3n, -1n], 1)).to.equal(0n);
    expect(worstScenarios([-5n, -3n, -1n], 2)).to.deep.equal([]);
    expect(primalKScan([-5n, -3n, -1n], 2, bestThreshold([-5n, -3n, -1n], 2))).to.equal(0n);
  });

  it('is the dot product of sizes and risk arrays', () => {
    const vector = lossVector(holding(0n, { [PERP]: 3n, [OTHER]: -1n }), riskTable(), TINY_SHAPE);
    expect(vector.map((loss) => loss / USD)).to.deep.equal([40n, -40n, 0n, 0n, -40n, 40n, 30n, -30n]);
  });
});

interface ShortfallCase {
  inp: { losses?: number[]; weights?: number[]; mean?: number[]; cov?: number[][]; beta: number };
  exp: { es: number };
}
const fixture: { groups: { id: string; source: string; cases: ShortfallCase[] }[] } = JSON.parse(
  readFileSync(new URL('../../fixtures/expected-shortfall.json', import.meta.url), 'utf8'),
);
const casesOf = (id: string) => fixture.groups.find((group) => group.id === id)?.cases ?? [];

/** Inverse of the normal distribution by bisection on erfc (Numerical Recipes §6.2, error < 1.2e-7). */
function normalQuantile(p: number): number {
  const cdf = (x: number) => {
    const t = 1 / (1 + (0.5 * Math.abs(x)) / Math.SQRT2);
    const c = [
      -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587,
      -0.82215223, 0.17087277,
    ];
    const erfc = t * Math.exp(-(x * x) / 2 + c.reduceRight((sum, value) => value + t * sum, 0));
    return x > 0 ? 1 - erfc / 2 : erfc / 2;
  };
  let [low, high] = [-8, 8];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (cdf(middle) < p) low = middle;
    else high = middle;
  }
  return high;
}

describe('expected shortfall of known distributions', () => {
  for (const { inp, exp } of casesOf('es.discrete')) {
    it(`equals ${exp.es} for ten equally likely losses beyond ${inp.beta}`, () => {
      // Every loss twice, so that (1 − β) of the rows is a whole number for every β.
      const rows = (inp.losses ?? []).flatMap((loss) => [BigInt(loss), BigInt(loss)]);
      const k = Math.round(rows.length * (1 - inp.beta));
      // Not `closeTo`: the contract tests' matchers, loaded in the same run, make it one of integers.
      expect(Math.abs(Number(kWorstSum(rows, k)) / k - exp.es) < 1e-9).to.equal(true);
    });
  }

  for (const { inp, exp } of casesOf('es.rockafellar_uryasev')) {
    it(`equals the published ${exp.es} of a normal portfolio beyond ${inp.beta}`, () => {
      const { weights = [], mean = [], cov = [], beta } = inp;
      const mu = weights.reduce((sum, w, i) => sum + w * mean[i], 0);
      const variance = weights.reduce(
        (sum, w, i) => sum + w * weights.reduce((row, v, j) => row + v * cov[i][j], 0),
        0,
      );
      const count = 20_000;
      const rows = Array.from({ length: count }, (_, i) => {
        const z = normalQuantile((i + 0.5) / count);
        return BigInt(Math.round(1e12 * (-mu + Math.sqrt(variance) * z)));
      });
      const k = Math.round(count * (1 - beta));
      expect(Math.abs(Number(kWorstSum(rows, k)) / k / 1e12 - exp.es) < 1e-4).to.equal(true);
    });
  }

  it('has all its vectors', () => {
    expect(casesOf('es.discrete').length + casesOf('es.rockafellar_uryasev').length).to.equal(8);
  });
});
