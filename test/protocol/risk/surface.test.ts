import { expect } from 'chai';
import fc from 'fast-check';
import { FORWARD_MICROS_MAX, FORWARD_MICROS_MIN, leastVolPpmUp } from '#protocol/risk/option/domain.ts';
import { forwardMoves, underlyingMoves } from '#protocol/risk/option/moves.ts';
import { priceStrike } from '#protocol/risk/option/option-row.ts';
import { medianDown } from '#protocol/risk/oracle-state.ts';
import { isBlockSound, surfaceTolerance } from '#protocol/risk/surface.ts';

const FORWARD = 102_400_000n;
const TOLERANCE = 100_000n;
const calls = (...quotes: [strike: bigint, mark: bigint][]) =>
  quotes.map(([strike, mark]) => ({ strike, mark }));

describe('soundness of a surface', () => {
  it('tolerates a 1024th of the forward, rounded down', () => {
    expect(surfaceTolerance(FORWARD)).to.equal(TOLERANCE);
    expect(surfaceTolerance(FORWARD + 1_023n)).to.equal(TOLERANCE);
    expect(surfaceTolerance(1_023n)).to.equal(0n);
  });

  it('is given where fewer than two strikes are listed', () => {
    expect(isBlockSound(FORWARD, [])).to.equal(true);
    expect(isBlockSound(FORWARD, calls([90_000_000n, 1n << 34n]))).to.equal(true);
  });

  it('wants calls that fall with the strike, to the unit', () => {
    const of = (mark: bigint) => calls([90_000_000n, 20_000_000n], [100_000_000n, mark]);
    expect(isBlockSound(FORWARD, of(20_000_000n + TOLERANCE))).to.equal(true);
    expect(isBlockSound(FORWARD, of(20_000_000n + TOLERANCE + 1n))).to.equal(false);
  });

  it('wants calls that fall by no more than the strike rises, to the unit', () => {
    const of = (mark: bigint) => calls([90_000_000n, 20_000_000n], [100_000_000n, mark]);
    expect(isBlockSound(FORWARD, of(10_000_000n - TOLERANCE))).to.equal(true);
    expect(isBlockSound(FORWARD, of(10_000_000n - TOLERANCE - 1n))).to.equal(false);
  });

  it('wants calls that are convex, over strikes of unequal distance, to the unit', () => {
    // 1/4 of the way from 90 to 130: a convex middle is at most 3/4 · 30 + 1/4 · 2 = 23, plus the tolerance.
    const of = (mark: bigint) =>
      calls([90_000_000n, 30_000_000n], [100_000_000n, mark], [130_000_000n, 2_000_000n]);
    // Falls of 30 − m and m − 2, gaps of 10 and 30: (30 − m)·30 − (m − 2)·10 + tolerance·40 ≥ 0.
    expect(isBlockSound(FORWARD, of(23_000_000n + TOLERANCE))).to.equal(true);
    expect(isBlockSound(FORWARD, of(23_000_000n + TOLERANCE + 1n))).to.equal(false);
  });

  it('looks at every pair and every three', () => {
    const sound = calls([80n, 24n], [90n, 16n], [100n, 10n], [110n, 6n], [120n, 4n]);
    expect(isBlockSound(0n, sound)).to.equal(true);
    for (let i = 0; i < sound.length; i++) {
      const broken = sound.map((call, j) => (j === i ? { ...call, mark: call.mark + 100n } : call));
      expect(isBlockSound(0n, broken), `call ${i}`).to.equal(false);
    }
  });

  // A known limit: medians are taken value by value, so one signer of three chooses between the honest two at each strike.
  it('is lost to one crossing signer where two honest ones differ by a point and a half of volatility', () => {
    const forward = forwardMoves(97_000_000n, 30n * 86_400n, 41_943n);
    const strikes = [95_060_000n, 97_000_000n, 98_940_000n];
    const surfaceOf = (vols: readonly bigint[]) =>
      strikes.map((strike, i) => {
        const volsPpm = { same: vols[i], up: vols[i], down: vols[i] };
        return {
          strike,
          mark: priceStrike({ strike, volsPpm }, forward, underlyingMoves(41_943n)).call.mark,
        };
      });
    const [low, high, crossing] = [Array(3).fill(600_000n), Array(3).fill(615_000n), [1n, 8_000_000n, 1n]];
    for (const honest of [low, high]) {
      expect(isBlockSound(forward.forward, surfaceOf(honest))).to.equal(true);
    }
    const medians = strikes.map((_, i) => medianDown([low[i], high[i], crossing[i]]));
    expect(medians).to.deep.equal([600_000n, 615_000n, 600_000n]);
    expect(isBlockSound(forward.forward, surfaceOf(medians))).to.equal(false);
  });

  // Else the formula's own error could void a round of honest reports.
  it('is given to every surface of one volatility, at strikes as near to one another as can be', () => {
    const underlying = underlyingMoves(41_943n);
    fc.assert(
      fc.property(
        fc.bigInt(FORWARD_MICROS_MIN, FORWARD_MICROS_MAX),
        fc.bigInt(3_600n, 730n * 86_400n),
        fc.bigInt(1n, 8_000_000n),
        fc.bigInt(50n, 20_000n),
        fc.array(fc.oneof(fc.bigInt(1n, 3n), fc.bigInt(1n, 1n << 30n)), { minLength: 1, maxLength: 6 }),
        (forward, timeSec, reportedVol, moneynessPerMille, gaps) => {
          const least = leastVolPpmUp(timeSec);
          const vol = reportedVol < least ? least : reportedVol;
          const shared = forwardMoves(forward, timeSec, underlying.quarterMove);
          let strike = (forward * moneynessPerMille) / 1_000n;
          const quotes = [0n, ...gaps].flatMap((gap) => {
            strike += gap;
            if (strike >= 1n << 35n) return [];
            const volsPpm = { same: vol, up: vol, down: vol };
            return [{ strike, mark: priceStrike({ strike, volsPpm }, shared, underlying).call.mark }];
          });
          return isBlockSound(forward, quotes);
        },
      ),
      { numRuns: 300, seed: 3 },
    );
  });
});
