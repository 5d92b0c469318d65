import { expect } from 'chai';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { DEFAULT_REGISTRY, DEFAULT_UNDERLYING_PARAMETERS } from '#protocol/risk/default-registry.ts';
import { applyRound, initialOracleState, riskRoundInputs } from '#protocol/risk/oracle-state.ts';
import { RISK_SMALL } from '#protocol/risk/registry.ts';
import { buildRiskTable } from '#protocol/risk/round.ts';
import { readBars } from '#sequencer/market-data/bars.ts';

describe('oracle state on the crash of 19 May 2021', () => {
  const bars = readBars();
  const premiumPpm = [0n, 0n];
  const rounds = () => {
    let state = initialOracleState(
      DEFAULT_UNDERLYING_PARAMETERS,
      bars[0].closeMicros,
      bars[0].closeSec - 60n,
    );
    return bars.map(({ closeSec, closeMicros }) => {
      const medians = {
        timeSec: closeSec,
        indexMicros: closeMicros,
        premiumPpm,
        basisPpb: [],
        volPpm: [],
      };
      const applied = applyRound(state, medians, DEFAULT_UNDERLYING_PARAMETERS, 1, []);
      state = applied.state;
      return applied;
    });
  };

  it('has no minute beyond the move bound: a real crash does not stop liquidation', () => {
    expect(rounds().filter(({ values }) => values.isJump)).to.deep.equal([]);
  });

  it('raises the scan range, by no more than the notice allows', () => {
    const factors = rounds().map(({ values }) => values.underlyings[0].scanFactorE9);
    const hours = bars.length / 60;
    const risen = factors[factors.length - 1] - 1_000_000_000n;
    expect(Number(risen))
      .to.be.greaterThan(0)
      .and.at.most(1e8 * hours);
  });

  it('averages to the mean of the minutes', () => {
    const all = rounds();
    const [first, last] = [all[0].state, all[all.length - 1].state];
    const seconds = last.lastTimeSec - first.lastTimeSec;
    // Each price is carried until the next: all but the last count one minute.
    const sum = bars.slice(0, -1).reduce((total, { closeMicros }) => total + closeMicros[0] * 60n, 0n);
    expect(last.indexSeconds[0] - first.indexSeconds[0]).to.equal(sum);
    expect(seconds).to.equal(60n * BigInt(bars.length - 1));
  });

  it('gives every minute a table', () => {
    for (const { values } of rounds().slice(0, 30)) {
      const table = buildRiskTable(riskRoundInputs(values, DEFAULT_REGISTRY, [RISK_SMALL]), STANDARD_SHAPE);
      expect(table.rows.map(({ mark }) => mark > 0n)).to.deep.equal([true, true, true, true]);
    }
  });
});
