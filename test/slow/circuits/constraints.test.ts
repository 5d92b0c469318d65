import { expect } from 'chai';
import { readSource } from '#test/static/repository-files.ts';
import { measure } from '../../../bench/constraints.ts';

/** The budgets of the design. */
const BUDGETS = {
  batchSmallTotal: 150_000,
  batchMediumTotal: 200_000,
  perTouchedAccount: 19_000,
  perAccountOneSided: 17_000,
  perSignature: 4_600,
  perFurtherOrder: 1_400,
  perInstrument: 2_200,
};

describe('constraints of the batch circuit', function () {
  this.timeout(3_600_000);

  it('are what circuits/constraints.json says, and within their budgets', async () => {
    const measured = await measure();
    expect(JSON.parse(readSource('circuits/constraints.json'))).to.deep.include(measured);
    for (const [name, budget] of Object.entries(BUDGETS)) expect(measured[name], name).to.be.at.most(budget);
  });
});
