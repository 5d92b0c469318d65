import { expect } from 'chai';
import { quarterMoveNearest, SCAN_RANGE_PPM_MAX } from '#protocol/risk/linear-price.ts';
import { fineStepsNearest, rootOfTimeDown } from '#protocol/risk/option/deviation.ts';
import * as domain from '#protocol/risk/option/domain.ts';
import { logNearest } from '#protocol/risk/option/fixed-log.ts';
import {
  MOVE_COUNT,
  MOVE_PAIRS,
  QUARTER_MOVES,
  QUARTERS_MAX,
  TAIL_LOGS,
  TAIL_MOVES,
  underlyingMoves,
} from '#protocol/risk/option/moves.ts';
import * as scales from '#protocol/risk/option/scales.ts';
import { abs } from '#protocol/units.ts';
import { readSource } from '#test/static/repository-files.ts';

const circuitLimits = new Map(
  [
    ...readSource('circuits/risk/option/option-limits.circom').matchAll(
      /function (\w+)\(\) \{ return (\d+); \}/g,
    ),
  ].map(([, name, value]) => [name, BigInt(value)]),
);
const limit = (name: string): bigint => {
  const value = circuitLimits.get(name);
  if (value === undefined) throw new RangeError(`${name} is not in option-limits.circom`);
  return value;
};
/** The list in a circom function, which returns one of its places. */
const circuitList = (name: string): bigint[] => {
  const source = readSource('circuits/risk/option/moves.circom');
  const list = new RegExp(`function ${name}\\([^[]*\\[\\d+\\] = \\[([^\\]]*)\\]`).exec(source)?.[1];
  return (list ?? '').split(',').map((value) => BigInt(value.trim()));
};
/** Constants by name, as the circuits have them. */
const PROTOCOL: Readonly<Record<string, unknown>> = { ...scales, ...domain };
const fits = (value: bigint, bits: bigint) => expect(value >= 0n && value < 1n << bits).to.equal(true);

describe('widths of the option circuits', () => {
  it('are those of the protocol', () => {
    for (const name of [
      'LOG_BITS',
      'LOG_INNER_BITS',
      'LOG_PIECE_BITS',
      'LOG_ARGUMENT_BITS',
      'FINE_BITS',
      'DEVIATION_DROPPED_BITS',
      'TIME_SCALE',
      'RECIPROCAL_SCALE',
      'D2_DROPPED_BITS',
      'CDF_PIECE_BITS',
      'CDF_ARGUMENT_BITS',
      'PRICE_FRACTION_BITS',
      'MOVE_BITS',
      'TAIL_WEIGHT_BITS',
    ])
      expect(limit(name), name).to.equal(PROTOCOL[name]);
    for (const name of ['FORWARD_BITS', 'STRIKE_BITS', 'OPTION_TIME_BITS', 'VOL_BITS'])
      expect(limit(name), name).to.equal(PROTOCOL[name]);
    expect(1n << limit('D2_STEPS_BITS')).to.equal(scales.D2_STEPS_MAX);
    expect(limit('QUARTERS_MAX')).to.equal(BigInt(QUARTERS_MAX));
    expect(limit('QUARTER_MOVES')).to.equal(BigInt(QUARTER_MOVES));
    expect(limit('TAILS')).to.equal(BigInt(TAIL_MOVES.length));
    expect(limit('MOVES')).to.equal(BigInt(MOVE_COUNT));
    expect(limit('MOVE_PAIRS')).to.equal(BigInt(MOVE_PAIRS.length));
    expect(circuitList('tailMove')).to.deep.equal(TAIL_MOVES);
    expect(circuitList('tailLog')).to.deep.equal(TAIL_LOGS);
  });

  it('hold every value of the domain', () => {
    const root = rootOfTimeDown(domain.OPTION_TIME_SEC_MAX);
    fits(root, limit('ROOT_OF_TIME_BITS'));
    fits(domain.OPTION_TIME_SEC_MAX * scales.TIME_SCALE, 2n * limit('ROOT_OF_TIME_BITS'));
    const most = fineStepsNearest(domain.VOL_PPM_MAX, root);
    fits(most, limit('FINE_STEPS_BITS'));
    fits(scales.RECIPROCAL_SCALE / domain.FINE_STEPS_MIN, limit('RECIPROCAL_BITS'));
    // The least deviation is exactly the one whose reciprocal just fits.
    expect(scales.RECIPROCAL_SCALE / (domain.FINE_STEPS_MIN - 1n) >= 1n << limit('RECIPROCAL_BITS')).to.equal(
      true,
    );
    // d1 is at most the clamped d2 and the largest deviation away, in half steps.
    const coarse = (most + (1n << 12n)) >> limit('FINE_BITS');
    fits(((2n << limit('D2_STEPS_BITS')) + 1n + 2n * coarse) / 2n, limit('D1_STEPS_BITS'));
    // Clamped at 24 deviations on one side, d1 stays beyond 6 on that side.
    expect((1n << limit('D2_STEPS_BITS')) - coarse > scales.CDF_STEPS).to.equal(true);
  });

  it('hold d2 for every forward, move and strike at the least deviation', () => {
    const moves = underlyingMoves(quarterMoveNearest(SCAN_RANGE_PPM_MAX));
    const most = logNearest(domain.FORWARD_MICROS_MAX) + moves.logs[MOVE_COUNT - 1];
    const least = logNearest(domain.STRIKE_MICROS_MAX) - moves.logs[QUARTER_MOVES];
    for (const log of [most, least])
      fits(
        log * ((1n << limit('RECIPROCAL_BITS')) - 1n) + (32n << limit('FINE_STEPS_BITS')),
        limit('D2_BITS'),
      );
    for (const weight of moves.tailWeights) fits(weight, limit('TAIL_WEIGHT_WIDTH'));
  });

  it('hold every loss: the weights and moves of the largest scan range leave room', () => {
    const { tailWeights } = underlyingMoves(quarterMoveNearest(SCAN_RANGE_PPM_MAX));
    const forward = domain.FORWARD_MICROS_MAX;
    // A call changes by no more than its forward's own move, or than its whole worth, at most a moved forward.
    const regular = (3n * forward) / 2n;
    expect(regular < 1n << (limit('FORWARD_BITS') + 1n)).to.equal(true);
    TAIL_MOVES.forEach((move, tail) => {
      const weighted =
        (((forward * abs(move)) >> scales.MOVE_BITS) * tailWeights[tail]) >> scales.TAIL_WEIGHT_BITS;
      expect(weighted < 1n << limit('FORWARD_BITS')).to.equal(true);
    });
  });
});
