/**
 * Mark, delta and risk arrays of the call and the put at one strike: twin of
 * circuits/risk/option/option-row.circom. Every distinct revaluation is made once and wired into the columns.
 */
import { divideNearest, type MicrosPerLot, max, microsPerLot } from '../../units.ts';
import { priceCall } from './black76.ts';
import { type Deviation, deviationOf } from './deviation.ts';
import { logNearest } from './fixed-log.ts';
import {
  type ForwardMoves,
  forwardLoss,
  isTail,
  MOVE_PAIRS,
  pairOfColumns,
  QUARTER_MOVES,
  type UnderlyingOptionMoves,
  type VolMove,
} from './moves.ts';
import { PROBABILITY_ONE, TAIL_WEIGHT_BITS } from './scales.ts';

const TAIL_LOSS_SCALE = PROBABILITY_ONE << TAIL_WEIGHT_BITS;

/** What is known of one strike in a round. */
export interface StrikeInputs {
  /** Micros per lot, below 2^35. */
  readonly strike: bigint;
  readonly volsPpm: Readonly<Record<VolMove, bigint>>;
}

/** One option of a strike. Losses are of one long lot, one for each of MOVE_PAIRS. */
export interface OptionValues {
  readonly mark: MicrosPerLot;
  readonly delta: MicrosPerLot;
  readonly losses: readonly MicrosPerLot[];
}

/** Call and put of a strike. Their values differ by exactly those of the forward: put–call parity holds to the micro. */
export function priceStrike(
  { strike, volsPpm }: StrikeInputs,
  forward: ForwardMoves,
  underlying: UnderlyingOptionMoves,
): { call: OptionValues; put: OptionValues } {
  const deviations: Record<VolMove, Deviation> = {
    same: deviationOf(volsPpm.same, forward.rootOfTime),
    up: deviationOf(volsPpm.up, forward.rootOfTime),
    down: deviationOf(volsPpm.down, forward.rootOfTime),
  };
  const logMoneyness = forward.log - logNearest(strike);
  const base = priceCall(forward.forward, strike, logMoneyness, deviations.same);
  const callLosses = MOVE_PAIRS.map((pair) => {
    const moved = priceCall(
      forward.moved[pair.move],
      strike,
      logMoneyness + underlying.logs[pair.move],
      deviations[pair.volMove],
    );
    const lossQ52 = base.callQ52 - moved.callQ52;
    return isTail(pair)
      ? divideNearest(lossQ52 * underlying.tailWeights[pair.move - QUARTER_MOVES], TAIL_LOSS_SCALE)
      : divideNearest(lossQ52, PROBABILITY_ONE);
  });
  // No option is worth less than its exercise: that keeps both marks from falling below 0 by an error of the formula.
  const intrinsic = max(0n, forward.forward - strike);
  const callMark = max(intrinsic, divideNearest(base.callQ52, PROBABILITY_ONE));
  const callDelta = divideNearest(base.callDeltaQ52, PROBABILITY_ONE);
  return {
    call: {
      mark: microsPerLot(callMark),
      delta: microsPerLot(callDelta),
      losses: callLosses.map(microsPerLot),
    },
    put: {
      mark: microsPerLot(callMark - forward.forward + strike),
      delta: microsPerLot(callDelta - forward.forward),
      losses: callLosses.map((loss, i) => microsPerLot(loss - forwardLoss(MOVE_PAIRS[i], forward))),
    },
  };
}

/** The losses in the order of the scenario list. */
export const riskArrayOf = (
  { losses }: OptionValues,
  scenarioCount: number,
  underlying: number,
): MicrosPerLot[] => pairOfColumns(scenarioCount, underlying).map((pair) => losses[pair]);
