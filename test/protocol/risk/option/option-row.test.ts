import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import fc from 'fast-check';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { quarterMoveNearest } from '#protocol/risk/linear-price.ts';
import { FORWARD_MICROS_MIN, leastVolPpmUp, OPTION_TIME_SEC_MAX } from '#protocol/risk/option/domain.ts';
import {
  forwardLoss,
  forwardMoves,
  MOVE_PAIRS,
  pairOfColumns,
  underlyingMoves,
} from '#protocol/risk/option/moves.ts';
import { priceStrike, riskArrayOf } from '#protocol/risk/option/option-row.ts';
import { RISK_SMALL } from '#protocol/risk/registry.ts';
import { buildRiskTable } from '#protocol/risk/round.ts';
import { TINY_SCENARIO_ROWS } from '#protocol/risk/scenarios.ts';
import { abs, max } from '#protocol/units.ts';
import { expectNear } from '#test/support/near.ts';
import { volsOf } from '#test/support/option/error-grid.ts';
import { floatBlack76 } from '#test/support/option/float-black76.ts';
import { inDays, registryOf } from '#test/support/option-registry.ts';
import { roundOf } from '#test/support/risk-rounds.ts';

interface Row {
  readonly forward: bigint;
  readonly strike: bigint;
  readonly timeSec: bigint;
  readonly volPpm: bigint;
  readonly scanRangePpm: bigint;
}

/** Rows over the whole domain: the volatility from the least that its time allows, for the shocked one too. */
const rows = fc
  .record({
    forward: fc.bigInt(FORWARD_MICROS_MIN, (1n << 33n) - 1n),
    strikeShare: fc.double({ min: Math.log(0.02), max: Math.log(50), noNaN: true }),
    timeSec: fc.bigInt(3_600n, OPTION_TIME_SEC_MAX),
    volShare: fc.double({ min: 0, max: 1, noNaN: true }),
    scanRangePpm: fc.bigInt(1n, 500_000n),
  })
  .map(({ forward, strikeShare, timeSec, volShare, scanRangePpm }): Row => {
    const least = (leastVolPpmUp(timeSec) * 4n) / 3n + 2n;
    const volPpm = least + BigInt(Math.floor(volShare * Number(5_700_000n - least)));
    const share = BigInt(Math.round(Math.exp(strikeShare) * 2 ** 30));
    const strike = max(1n, (forward * share) >> 30n);
    const capped = strike >= 1n << 35n ? (1n << 35n) - 1n : strike;
    return { forward, strike: capped, timeSec, volPpm, scanRangePpm };
  });

function priceOf(row: Row) {
  const underlying = underlyingMoves(quarterMoveNearest(row.scanRangePpm));
  const shared = forwardMoves(row.forward, row.timeSec, underlying.quarterMove);
  return {
    shared,
    ...priceStrike({ strike: row.strike, volsPpm: volsOf(row.volPpm) }, shared, underlying),
  };
}

/** Bound of the error of one price, in micros: docs/options.md, for any strike. */
const errorMicros = ({ forward, strike }: Row): bigint => forward / 2_500_000n + strike / 150_000_000n + 1n;
const RUNS = { numRuns: 400 };

describe('row of an option', () => {
  it('keeps put–call parity to the micro: mark, delta and every loss', () => {
    fc.assert(
      fc.property(rows, (row) => {
        const { call, put, shared } = priceOf(row);
        expect(call.mark - put.mark).to.equal(row.forward - row.strike);
        expect(call.delta - put.delta).to.equal(row.forward);
        MOVE_PAIRS.forEach((pair, i) => {
          expect(call.losses[i] - put.losses[i]).to.equal(forwardLoss(pair, shared));
        });
      }),
      RUNS,
    );
  });

  it('loses between call and put exactly what the row of the dated future loses', () => {
    const listing = { underlying: 0, expirySec: inDays(7n), strikes: [] };
    const round = roundOf(
      { btc: 97_123_456_789n, eth: 3_312_345_678n },
      { registry: registryOf([RISK_SMALL], [listing], []), scanRangePpm: [173_219n, 180_000n] },
    );
    const [future] = buildRiskTable(round, STANDARD_SHAPE).rows;
    const { call, put } = priceOf({
      forward: future.mark,
      strike: future.mark,
      timeSec: 604_800n,
      volPpm: 600_000n,
      scanRangePpm: 173_219n,
    });
    const [calls, puts] = [call, put].map((option) => riskArrayOf(option, 32, 0));
    expect(calls.map((loss, s) => loss - puts[s])).to.deep.equal([...future.losses]);
  });

  it('never has a negative mark, nor one below exercise, nor above the forward or the strike', () => {
    fc.assert(
      fc.property(rows, (row) => {
        const { call, put } = priceOf(row);
        const error = errorMicros(row);
        expect(call.mark >= max(0n, row.forward - row.strike)).to.equal(true);
        expect(put.mark >= max(0n, row.strike - row.forward)).to.equal(true);
        expect(call.mark <= row.forward + error).to.equal(true);
        expect(put.mark <= row.strike + error).to.equal(true);
        expect(call.delta >= 0n && call.delta <= row.forward).to.equal(true);
      }),
      RUNS,
    );
  });

  it('loses of a long option at most what it is worth, times the weight of a tail', () => {
    fc.assert(
      fc.property(rows, (row) => {
        const { call, put } = priceOf(row);
        const { tailWeights } = underlyingMoves(quarterMoveNearest(row.scanRangePpm));
        for (const { mark, losses } of [call, put]) {
          // R above 44 % gives the first tails a weight above 1.
          const weightQ28 = max(1n << 28n, tailWeights[1]);
          const most = ((mark * weightQ28) >> 28n) + 3n * errorMicros(row) + 3n;
          for (const loss of losses) expect(loss <= most).to.equal(true);
        }
      }),
      RUNS,
    );
  });

  it('rises with the forward, the volatility and time, and falls with the strike, up to its error', () => {
    const step = fc.bigInt(1n, 50_000_000n);
    fc.assert(
      fc.property(rows, step, (row, by) => {
        const { call, put } = priceOf(row);
        const slack = 2n * errorMicros({ ...row, forward: row.forward + by, strike: row.strike + by });
        const dearer = priceOf({ ...row, forward: row.forward + by }).call.mark;
        if (row.forward + by < 1n << 33n) expect(dearer >= call.mark - slack, 'forward').to.equal(true);
        if (row.strike + by < 1n << 35n) {
          const higher = priceOf({ ...row, strike: row.strike + by });
          expect(higher.call.mark <= call.mark + slack, 'call and strike').to.equal(true);
          expect(higher.put.mark >= put.mark - slack, 'put and strike').to.equal(true);
        }
        const wilder = priceOf({ ...row, volPpm: (row.volPpm * 101n) / 100n });
        expect(wilder.call.mark >= call.mark - slack, 'volatility').to.equal(true);
        if (row.timeSec + by <= OPTION_TIME_SEC_MAX) {
          const later = priceOf({ ...row, timeSec: row.timeSec + by });
          expect(later.put.mark >= put.mark - slack, 'time').to.equal(true);
        }
      }),
      RUNS,
    );
  });

  it('is convex in the strike, up to its error', () => {
    fc.assert(
      fc.property(rows, fc.double({ min: 0.001, max: 0.9, noNaN: true }), (row, share) => {
        const by = max(1n, (row.strike * BigInt(Math.round(share * 1e6))) / 1_000_000n);
        if (row.strike <= by || row.strike + by >= 1n << 35n) return;
        const [low, middle, high] = [-by, 0n, by].map(
          (change) => priceOf({ ...row, strike: row.strike + change }).call.mark,
        );
        const slack = 4n * errorMicros({ ...row, strike: row.strike + by });
        expect(low + high >= 2n * middle - slack).to.equal(true);
      }),
      RUNS,
    );
  });

  it('loses nothing, and gains nothing, where neither price nor volatility moves', () => {
    const underlying = underlyingMoves(0n);
    const shared = forwardMoves(100_000_000n, 604_800n, 0n);
    const volsPpm = { same: 500_000n, up: 500_000n, down: 500_000n };
    const { call, put } = priceStrike({ strike: 105_000_000n, volsPpm }, shared, underlying);
    for (const { losses } of [call, put]) for (const loss of losses) expect(loss).to.equal(0n);
  });
});

interface VectorRow {
  readonly row: number;
  readonly moveOfScanRangePpm?: Readonly<Record<'BTC' | 'ETH', number>>;
  readonly moveAbsolutePpm?: Readonly<Record<'BTC' | 'ETH', number>>;
  readonly vol: 'up' | 'down' | 'same';
}
const VECTORS = JSON.parse(readFileSync('protocol/vectors/scenarios.json', 'utf8')) as { rows: VectorRow[] };

describe('columns of an option', () => {
  const row: Row = {
    forward: 96_543_210n,
    strike: 101_000_000n,
    timeSec: 1_209_600n,
    volPpm: 620_000n,
    scanRangePpm: 160_000n,
  };
  /** R is counted in quarters of 2^-20: up to 2 ppm of the forward; the rest is the error of a price. */
  const TOLERANCE_MICROS = 96_543_210 * 3e-6;

  for (const [underlying, name] of (['BTC', 'ETH'] as const).entries()) {
    it(`are the 32 scenarios of the published list, in its order, for ${name}`, () => {
      const { call, put } = priceOf(row);
      const vols = volsOf(row.volPpm);
      const float = (move: number, vol: 'up' | 'down' | 'same') =>
        floatBlack76(
          Number(row.forward) * (1 + move),
          Number(row.strike),
          Number(vols[vol]) / 1e6,
          Number(row.timeSec),
        );
      const base = float(0, 'same');
      const [calls, puts] = [call, put].map((option) => riskArrayOf(option, 32, underlying));
      VECTORS.rows.forEach(({ moveOfScanRangePpm, moveAbsolutePpm, vol }, s) => {
        const move =
          moveAbsolutePpm === undefined
            ? (moveOfScanRangePpm![name] / 1e6) * 0.16
            : moveAbsolutePpm[name] / 1e6;
        const weight = moveAbsolutePpm === undefined ? 1 : (0.75 * 0.16) / Math.abs(move);
        const moved = float(move, vol);
        expectNear(Number(calls[s]), weight * (base.call - moved.call), TOLERANCE_MICROS, `call, row ${s}`);
        expectNear(Number(puts[s]), weight * (base.put - moved.put), TOLERANCE_MICROS, `put, row ${s}`);
      });
    });
  }

  it('use every pair, and in the tiny shape the pairs of its rows', () => {
    const used = new Set([0, 1].flatMap((underlying) => pairOfColumns(32, underlying)));
    expect(used.size).to.equal(MOVE_PAIRS.length);
    const all = pairOfColumns(32, 1);
    expect(pairOfColumns(8, 1)).to.deep.equal(TINY_SCENARIO_ROWS.map((at) => all[at]));
  });

  it('weigh a tail so that a delta of one loses three quarters of R', () => {
    const { quarterMove, tailWeights } = underlyingMoves(quarterMoveNearest(160_000n));
    const { call } = priceOf({ ...row, strike: 1n });
    const expected = (3n * quarterMove * row.forward) >> 20n;
    for (const loss of call.losses.slice(16)) expect(abs(abs(loss) - expected) <= 40n).to.equal(true);
    expect(tailWeights).to.have.length(8);
  });
});
