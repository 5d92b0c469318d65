import { expect } from 'chai';
import { derivedBounds } from '#test/support/option/error-bound.ts';
import { type Errors, gridPoints, isInDomain, measure, noErrors } from '#test/support/option/error-grid.ts';

/** The bounds of docs/options.md; bench/option-error.ts measures on a grid ten times as dense. */
const BOUNDS = { mark: 5e-7, regularLoss: 9e-7, tailLoss: 6.5e-7, putLoss: 9e-7, delta: 3.5e-3 };
/** The largest scan range of the grid. */
const SCAN_RANGE_MAX = 0.36;

describe('error of the option price', () => {
  it('is derived to be below 5e-7 of the forward in a mark and 9e-7 in a loss', function () {
    this.timeout(60_000);
    const derived = derivedBounds(SCAN_RANGE_MAX);
    for (const name of ['mark', 'regularLoss', 'tailLoss'] as const)
      expect(derived[name], name).to.be.below(BOUNDS[name]);
  });

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
