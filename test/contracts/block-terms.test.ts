import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Contract } from 'ethers';
import fc from 'fast-check';
import { network } from 'hardhat';
import { TERM_DAYS_MAX, termFactorsSource } from '#contracts/libraries/term-factors.ts';
import { DEFAULT_OPTION_PARAMETERS } from '#protocol/risk/default-registry.ts';
import type { OptionParameters } from '#protocol/risk/registry.ts';
import { blockTerms } from '#protocol/risk/terms.ts';
import { DAY_SEC, inDays } from '#test/support/option-registry.ts';
import { ROUND_TIME_SEC } from '#test/support/risk-rounds.ts';
import { deployTestMock } from '#test/support/rollup.ts';

describe('BlockTerms', () => {
  let reader: Contract;
  before(async () => {
    reader = await deployTestMock(await network.connect(), 'BlockTermsReader');
  });

  const expectTwin = async (expiries: readonly bigint[], options: OptionParameters) => {
    const told = await reader.termsOf(expiries, ROUND_TIME_SEC, options);
    expiries.forEach((expirySec, i) => {
      const { timeSec, upPpm, downPpm, leastVolPpm, rollImPpm, rollMmPpm } = blockTerms(
        expirySec,
        ROUND_TIME_SEC,
        options,
      );
      const expected = [timeSec, upPpm, downPpm, leastVolPpm, rollImPpm, rollMmPpm];
      expect([...told[i]], `${expirySec - ROUND_TIME_SEC} seconds left`).to.deep.equal(expected);
    });
  };

  it('has the term factors that its twin generates', () => {
    const path = join(import.meta.dirname, '../../contracts/libraries/TermFactors.sol');
    expect(readFileSync(path, 'utf8')).to.equal(termFactorsSource());
  });

  it('derives what its twin derives on every day of two years, and a second around it', async () => {
    const days = Array.from({ length: TERM_DAYS_MAX }, (_, day) => BigInt(day));
    const moments = days.flatMap((day) => [-1n, 0n, 1n].map((second) => inDays(day) + second));
    for (let first = 0; first < moments.length; first += 100) {
      await expectTwin(moments.slice(first, first + 100), DEFAULT_OPTION_PARAMETERS[0]);
    }
  });

  it('prices the last hour, an expired block and one of long ago as an hour', async () => {
    const ends = [3_601n, 3_600n, 3_599n, 1n, 0n, -1n, -400n * DAY_SEC].map((left) => ROUND_TIME_SEC + left);
    await expectTwin(ends, DEFAULT_OPTION_PARAMETERS[1]);
    const [, , , , last] = await reader.termsOf(ends, ROUND_TIME_SEC, DEFAULT_OPTION_PARAMETERS[1]);
    expect(last.timeSec).to.equal(3_600n);
  });

  it('derives what its twin derives for any governed parameters', async () => {
    const rate = (least: bigint, most: bigint) => fc.bigInt(least, most);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.bigInt(-DAY_SEC, 731n * DAY_SEC - 1n), { minLength: 1, maxLength: 20 }),
        fc.record({
          volUpPpm: rate(1n, 1_000_000n),
          volDownPpm: rate(1n, 350_000n),
          volUpFloorPpm: rate(125_000n, 2_000_000n),
          rollMinPpm: rate(1n, 200_000n),
          rollPerYearPpm: rate(1n, 200_000n),
          shortImPpm: rate(1n, 200_000n),
          shortMmPpm: fc.constant(1n),
          bandPpm: fc.constant(1n),
          penaltyPpm: fc.constant(1n),
          addOnUnitDollars: rate(1_000n, (1n << 36n) - 1n),
        }),
        (lefts, options) =>
          expectTwin(
            lefts.map((left) => ROUND_TIME_SEC + left),
            options,
          ),
      ),
      { numRuns: 40 },
    );
  });
});
