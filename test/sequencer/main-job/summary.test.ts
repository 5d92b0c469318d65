import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect } from 'chai';
import { dollars, table } from '#sequencer/main-job/terminal.ts';
import {
  bankruptOf,
  endedInPlace,
  partialOf,
  shownLiquidations,
  spotSalesOf,
} from '../../support/main-job-summary.ts';

const README = readFileSync(resolve(import.meta.dirname, '../../../README.md'), 'utf8');

describe('the liquidations that the main job prints', () => {
  const all = shownLiquidations(README);

  it('are read from the sample in the README, each with its numbers', () => {
    expect(all.map(({ name, batchNumber }) => [name, batchNumber])).to.deep.equal([
      ['Aspen', 18],
      ['Hazel', 19],
      ['Willow', 28],
      ['Willow', 34],
    ]);
    expect(all[0]).to.deep.equal({
      name: 'Aspen',
      batchNumber: 18,
      reason: 'equity below maintenance margin',
      closed: ['23.92 ETH-PERP sold at 2,004.40'],
      penaltyCents: 0,
      before: { equityCents: -54_194, initialMarginCents: 933_048, maintenanceMarginCents: 736_813 },
      after: { equityCents: -71_987, initialMarginCents: 0, maintenanceMarginCents: 0 },
    });
  });

  it('are told apart: in part, of collateral, bankrupt', () => {
    expect(partialOf(all).map(({ batchNumber }) => batchNumber)).to.deep.equal([28, 34]);
    expect(partialOf(all).every(endedInPlace)).to.equal(true);
    expect(spotSalesOf(all).map(({ name }) => name)).to.deep.equal(['Hazel']);
    expect(bankruptOf(all).map(({ name }) => name)).to.deep.equal(['Aspen']);
  });

  it('are read as they are printed, and judged to the cent', () => {
    const printed = (equityCents: number) => {
      const money = (value: number) => dollars(BigInt(value) * 10_000n);
      return table(
        ['liquidated (before, after)', 'equity', 'IM', 'MM'],
        [
          ['Oak, batch 7: equity below maintenance margin', ...[900_00, 1_300_00, 1_000_00].map(money)],
          [
            '  1.00 ETH-PERP sold at 2,000.00, 0.50 BTC-PERP bought at 40,000.00; penalty 1.20',
            ...[equityCents, 1_000_00, 800_00].map(money),
          ],
        ],
      ).join('\n');
    };
    const judged = (equityCents: number) =>
      partialOf(shownLiquidations(printed(equityCents))).map(endedInPlace);
    expect(shownLiquidations(printed(0))[0].closed).to.deep.equal([
      '1.00 ETH-PERP sold at 2,000.00',
      '0.50 BTC-PERP bought at 40,000.00',
    ]);
    expect(judged(800_00)).to.deep.equal([true]);
    expect(judged(799_99)).to.deep.equal([false]);
    expect(judged(1_050_00)).to.deep.equal([true]);
    expect(judged(1_050_01)).to.deep.equal([false]);
  });
});
