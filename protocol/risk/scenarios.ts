/**
 * The joint scenarios of docs/margin.md §2, one list for all underlyings, in the order of the risk array.
 *
 * Moves are counted in quarters of an underlying's scan range R. A tail's true move is an absolute one, but
 * its weight 0.75·R/|move| turns it into exactly three quarters for anything linear in the price.
 */
import { InputError } from '../errors.ts';

export interface Scenario {
  /** Place in the full list. */
  readonly row: number;
  /** Price move per underlying, in the order of UNDERLYINGS, after weighting. */
  readonly quarters: readonly number[];
  readonly volMove: 'up' | 'down' | 'same';
  /** The unweighted move of a tail row, the same for every underlying; 0 in regular rows. */
  readonly tailMovePpm: number;
}

const TAIL_QUARTERS = 3;

const joint = (quarters: number, volMove: Scenario['volMove']) => ({
  quarters: [quarters, quarters],
  volMove,
  tailMovePpm: 0,
});
const split = (btc: number, eth: number) => ({
  quarters: [btc, eth],
  volMove: 'up' as const,
  tailMovePpm: 0,
});
const tail = (tailMovePpm: number) => ({
  quarters: [Math.sign(tailMovePpm) * TAIL_QUARTERS, Math.sign(tailMovePpm) * TAIL_QUARTERS],
  volMove: 'same' as const,
  tailMovePpm,
});

const LIST: readonly Omit<Scenario, 'row'>[] = [
  ...[-3, -2, -1, 0, 1, 2, 3].flatMap((quarters) => [joint(quarters, 'up'), joint(quarters, 'down')]),
  ...[-4, 4].map((quarters) => joint(quarters, 'up')),
  ...[split(4, 0), split(-4, 0), split(0, 4), split(0, -4)],
  ...[split(4, -2), split(-4, 2), split(2, -4), split(-2, 4)],
  ...[-660_000, -330_000, 500_000, 1_000_000, 2_000_000, 3_000_000, 4_000_000, 5_000_000].map(tail),
];

/** All 32 rows. */
export const SCENARIOS: readonly Scenario[] = LIST.map((scenario, row) => ({ row, ...scenario }));

/**
 * Rows of the full list that the tiny shape keeps: both underlyings at ∓R, one alone at ±R, one at ±R
 * against the other at half, and the outermost tails. So longs, shorts and hedges each have a losing row.
 */
export const TINY_SCENARIO_ROWS: readonly number[] = [14, 15, 18, 19, 20, 21, 24, 31];

/** The list of a shape, by its number of scenarios. */
export function scenariosOf(count: number): readonly Scenario[] {
  if (count === SCENARIOS.length) return SCENARIOS;
  if (count === TINY_SCENARIO_ROWS.length) return TINY_SCENARIO_ROWS.map((row) => SCENARIOS[row]);
  throw new InputError(
    'scenarios',
    count,
    `only ${SCENARIOS.length} or ${TINY_SCENARIO_ROWS.length} are defined`,
  );
}
