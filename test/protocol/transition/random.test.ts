import { expect } from 'chai';
import fc from 'fast-check';
import { TINY_SHAPE } from '#protocol/limits.ts';
import { accountAt } from '#protocol/state.ts';
import { RandomMarket } from '#test/support/random-market.ts';
import { ACCOUNTS, step } from '#test/support/random-steps.ts';

describe('random sequences of operations', () => {
  it('conserve money, keep the books balanced and never accept an under-margined fill', function () {
    this.timeout(180_000);
    const counts: Record<string, number> = {};
    const property = fc.property(fc.array(step, { minLength: 20, maxLength: 50 }), (steps) => {
      const market = new RandomMarket({ counts });
      for (const next of steps) market.run(next);
      market.seal();
      for (const index of ACCOUNTS) {
        expect(accountAt(market.state, index).records.length).to.be.at.most(TINY_SHAPE.recordSlots);
      }
    });
    fc.assert(property, { numRuns: 14, seed: 20_261_121, endOnFailure: true });
    // Chance may not empty the test: every kind of operation was accepted many times, and the position cap met.
    for (const [kind, least] of [
      ['trade', 25],
      ['liquidate', 5],
      ['withdraw', 10],
      ['l1', 15],
      ['settle', 5],
      ['position-cap', 10],
    ] as const) {
      expect(counts[kind] ?? 0, kind).to.be.at.least(least);
    }
  });
});
