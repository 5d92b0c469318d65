import { expect } from 'chai';
import { type Errors, gridPoints, isInDomain, measure, noErrors } from '#test/support/option/error-grid.ts';

/** The bounds of docs/options.md; bench/option-error.ts measures on a grid ten times as dense. */
const BOUNDS: Partial<Errors> = {
  mark: 5e-7,
  regularLoss: 8e-7,
  tailLoss: 5e-7,
  putLoss: 8e-7,
  delta: 3.5e-3,
};

describe('error of the option price', () => {
  it('stays within its bounds over the domain: 1 day to 2 years, 5 to 500 %, strikes 0.05 to 20 forwards', function () {
    this.timeout(60_000);
    const errors = noErrors();
    for (const point of gridPoints(10, 10, 30)) {
      expect(isInDomain(point)).to.equal(true);
      measure(point, errors);
    }
    expect(errors.prices).to.be.greaterThan(50_000);
    for (const [name, bound] of Object.entries(BOUNDS) as [keyof Errors, number][]) {
      expect(errors[name], name).to.be.below(bound);
      // An error of nothing would mean that nothing was compared.
      expect(errors[name], name).to.be.above(bound / 20);
    }
  });
});
