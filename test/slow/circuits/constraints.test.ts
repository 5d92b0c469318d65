import { expect } from 'chai';
import { readSource } from '#test/static/repository-files.ts';
import { measure, riskCounts } from '../../../bench/constraints.ts';

/** The budgets of the design. */
const RISK_BUDGETS = { perStrike: 8_000, riskTable64Total: 320_000 };
const BUDGETS = {
  ...RISK_BUDGETS,
  batchSmallTotal: 150_000,
  batchMediumTotal: 200_000,
  perTouchedAccount: 19_000,
  perAccountOneSided: 17_000,
  perSignature: 4_600,
  perFurtherOrder: 1_400,
  perInstrument: 2_200,
};

describe('constraints of the circuits', function () {
  this.timeout(3_600_000);

  it('are what circuits/constraints.json says, and within their budgets', async () => {
    const measured = await measure();
    expect(JSON.parse(readSource('circuits/constraints.json'))).to.deep.include(measured);
    for (const [name, budget] of Object.entries(BUDGETS)) expect(measured[name], name).to.be.at.most(budget);
  });

  it('of the risk table alone are recorded too, within its budgets', async () => {
    const measured: Record<string, unknown> = await riskCounts();
    expect(JSON.parse(readSource('circuits/constraints.json'))).to.deep.include(measured);
    for (const [name, budget] of Object.entries(RISK_BUDGETS))
      expect(measured[name], name).to.be.at.most(budget);
  });
});
