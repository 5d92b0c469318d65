/**
 * Comparison of floating-point numbers. Not chai's `closeTo`: the contract tests' matchers, loaded in the same run, make
 * that one of integers.
 */
import { expect } from 'chai';

/** Fails unless |actual − expected| ≤ tolerance; NaN fails too. */
export function expectNear(actual: number, expected: number, tolerance: number, what = 'value'): void {
  const difference = Math.abs(actual - expected);
  expect(difference <= tolerance, `${what}: ${actual}, expected ${expected} ± ${tolerance}`).to.equal(true);
}
