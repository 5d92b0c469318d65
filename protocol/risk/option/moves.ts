/**
 * The distinct (price move, volatility move) pairs behind the joint scenarios, and what they make of an
 * underlying and of a forward: twin of circuits/risk/option/moves.circom and forward.circom.
 *
 * The 32 rows of the scenario list ask for 24 different revaluations of an option, because decorrelation
 * rows repeat moves of the regular rows: 9 moves with volatility up, 7 with it down, 8 tails with it unchanged.
 */
import { invariant } from '../../errors.ts';
import { abs, divideNearest, microsPerLot } from '../../units.ts';
import { quarterLossNearest } from '../linear-price.ts';
import { SCENARIOS, scenariosOf } from '../scenarios.ts';
import { rootOfTimeDown } from './deviation.ts';
import { logNearest } from './fixed-log.ts';
import { MOVE_BITS, TAIL_WEIGHT_BITS } from './scales.ts';

export type VolMove = 'same' | 'up' | 'down';

export interface MovePair {
  /** Index into the moves of an underlying: 0 … 8 are −4 … 4 quarters of R, then the tails. */
  readonly move: number;
  readonly volMove: VolMove;
}

/** −R … R in quarters. */
export const QUARTERS_MAX = 4;
export const QUARTER_MOVES = 2 * QUARTERS_MAX + 1;
/** Quarters of R that a weighted tail is worth to anything linear. */
const TAIL_QUARTERS = 3n;

const MOVE_ONE = 1n << MOVE_BITS;

/** The unweighted tails in 2^-20, to nearest. */
export const TAIL_MOVES: readonly bigint[] = SCENARIOS.filter(({ tailMovePpm }) => tailMovePpm !== 0).map(
  ({ tailMovePpm }) => divideNearest(BigInt(tailMovePpm) * MOVE_ONE, 1_000_000n),
);
/** ln(1 + tail) in 2^-16: constants of the circuit. */
export const TAIL_LOGS: readonly bigint[] = TAIL_MOVES.map((move) => logNearest(MOVE_ONE + move, MOVE_BITS));

export const MOVE_COUNT = QUARTER_MOVES + TAIL_MOVES.length;

const quarterMoves = (least: number, most: number, volMove: VolMove): MovePair[] =>
  Array.from({ length: most - least + 1 }, (_, i) => ({ move: least + i + QUARTERS_MAX, volMove }));

export const MOVE_PAIRS: readonly MovePair[] = [
  ...quarterMoves(-4, 4, 'up'),
  ...quarterMoves(-3, 3, 'down'),
  ...TAIL_MOVES.map((_, tail) => ({ move: QUARTER_MOVES + tail, volMove: 'same' as const })),
];

export const isTail = (pair: MovePair): boolean => pair.move >= QUARTER_MOVES;

/** Which pair stands in each column of the risk array of an underlying. */
export function pairOfColumns(scenarioCount: number, underlying: number): number[] {
  return scenariosOf(scenarioCount).map(({ quarters, volMove, tailMovePpm }) => {
    const tail = SCENARIOS.filter((other) => other.tailMovePpm !== 0).findIndex(
      (other) => other.tailMovePpm === tailMovePpm,
    );
    const move = tail >= 0 ? QUARTER_MOVES + tail : quarters[underlying] + QUARTERS_MAX;
    const pair = MOVE_PAIRS.findIndex((other) => other.move === move && other.volMove === volMove);
    invariant(pair >= 0, 'every scenario is one of the pairs');
    return pair;
  });
}

/** Once per underlying and round. */
export interface UnderlyingOptionMoves {
  /** A quarter of the scan range in 2^-20. */
  readonly quarterMove: bigint;
  /** ln(1 + move) in 2^-16 of every move. */
  readonly logs: readonly bigint[];
  /** Weight ¾·R / |move| of every tail, in 2^-28. */
  readonly tailWeights: readonly bigint[];
}

/** @param quarterMove R/4 in 2^-20, at most 2^17 (R ≤ 50 %). */
export function underlyingMoves(quarterMove: bigint): UnderlyingOptionMoves {
  const regular = Array.from({ length: QUARTER_MOVES }, (_, i) =>
    logNearest(MOVE_ONE + BigInt(i - QUARTERS_MAX) * quarterMove, MOVE_BITS),
  );
  return {
    quarterMove,
    logs: [...regular, ...TAIL_LOGS],
    tailWeights: TAIL_MOVES.map((move) =>
      divideNearest((TAIL_QUARTERS * quarterMove) << TAIL_WEIGHT_BITS, abs(move)),
    ),
  };
}

/** Once per forward (underlying and expiry) and round. */
export interface ForwardMoves {
  readonly forward: bigint;
  /** ln of the forward in micros, in 2^-16. */
  readonly log: bigint;
  /** What one lot of the forward gains in a quarter of the scan range: as in the row of a dated future. */
  readonly quarterGain: bigint;
  /** The forward after every move. */
  readonly moved: readonly bigint[];
  readonly rootOfTime: bigint;
}

export function forwardMoves(forward: bigint, timeSec: bigint, quarterMove: bigint): ForwardMoves {
  const quarterGain: bigint = quarterLossNearest(microsPerLot(forward), quarterMove);
  const regular = Array.from(
    { length: QUARTER_MOVES },
    (_, i) => forward + BigInt(i - QUARTERS_MAX) * quarterGain,
  );
  return {
    forward,
    log: logNearest(forward),
    quarterGain,
    moved: [...regular, ...TAIL_MOVES.map((move) => forward + divideNearest(forward * move, MOVE_ONE))],
    rootOfTime: rootOfTimeDown(timeSec),
  };
}

/** What one lot of the forward loses in a pair: exactly the loss of a dated future's row. */
export function forwardLoss(pair: MovePair, { quarterGain }: ForwardMoves): bigint {
  if (!isTail(pair)) return -BigInt(pair.move - QUARTERS_MAX) * quarterGain;
  const isUp = TAIL_MOVES[pair.move - QUARTER_MOVES] > 0n;
  return (isUp ? -TAIL_QUARTERS : TAIL_QUARTERS) * quarterGain;
}
