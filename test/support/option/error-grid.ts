/** Errors of an option row against double-precision Black-76, as shares of the forward. */

import { quarterMoveNearest } from '#protocol/risk/linear-price.ts';
import { FORWARD_MICROS_MAX, FORWARD_MICROS_MIN } from '#protocol/risk/option/domain.ts';
import {
  forwardMoves,
  isTail,
  MOVE_PAIRS,
  type MovePair,
  QUARTER_MOVES,
  QUARTERS_MAX,
  TAIL_MOVES,
  underlyingMoves,
} from '#protocol/risk/option/moves.ts';
import { priceStrike } from '#protocol/risk/option/option-row.ts';
import { floatBlack76, SECONDS_PER_YEAR } from './float-black76.ts';
import { isPriceable } from './priceable.ts';

export interface GridPoint {
  readonly forward: bigint;
  readonly strike: bigint;
  readonly timeSec: bigint;
  readonly volPpm: bigint;
  readonly scanRangePpm: bigint;
}

/** Largest errors so far, each over the forward. */
export interface Errors {
  points: number;
  prices: number;
  mark: number;
  regularLoss: number;
  tailLoss: number;
  putLoss: number;
  /** Over 1, not over the forward: delta is a share itself. */
  delta: number;
}

export const noErrors = (): Errors => ({
  points: 0,
  prices: 0,
  mark: 0,
  regularLoss: 0,
  tailLoss: 0,
  putLoss: 0,
  delta: 0,
});

const MOVE_ONE = 2 ** 20;

/** The price move of a pair and its weight as real numbers: R and the tails are whole multiples of 2^-20. */
export function floatMove({ move }: MovePair, quarterMove: bigint): { move: number; weight: number } {
  const quarter = Number(quarterMove) / MOVE_ONE;
  if (move < QUARTER_MOVES) return { move: (move - QUARTERS_MAX) * quarter, weight: 1 };
  const tail = Number(TAIL_MOVES[move - QUARTER_MOVES]) / MOVE_ONE;
  return { move: tail, weight: (3 * quarter) / Math.abs(tail) };
}

/** Volatility moves of the measurement: +45 % and −25 %, whole ppm. */
export const volsOf = (volPpm: bigint) => ({
  same: volPpm,
  up: (volPpm * 145n) / 100n,
  down: (volPpm * 75n) / 100n,
});

export const isInDomain = ({ forward, timeSec, volPpm }: GridPoint): boolean =>
  forward >= FORWARD_MICROS_MIN && forward <= FORWARD_MICROS_MAX && isPriceable(volsOf(volPpm), timeSec);

/** Prices one row and widens `errors` by what it is off. */
export function measure(point: GridPoint, errors: Errors): void {
  const volsPpm = volsOf(point.volPpm);
  const underlying = underlyingMoves(quarterMoveNearest(point.scanRangePpm));
  const shared = forwardMoves(point.forward, point.timeSec, underlying.quarterMove);
  const { call, put } = priceStrike({ strike: point.strike, volsPpm }, shared, underlying);
  const [forward, strike, seconds] = [Number(point.forward), Number(point.strike), Number(point.timeSec)];
  const base = floatBlack76(forward, strike, Number(volsPpm.same) / 1e6, seconds);
  const widen = (name: keyof Errors, error: number) => {
    errors[name] = Math.max(errors[name], Math.abs(error));
  };
  widen('mark', (Number(call.mark) - base.call) / forward);
  widen('mark', (Number(put.mark) - base.put) / forward);
  widen('delta', Number(call.delta) / forward - base.callDelta);
  MOVE_PAIRS.forEach((pair, i) => {
    const { move, weight } = floatMove(pair, underlying.quarterMove);
    const moved = floatBlack76(forward * (1 + move), strike, Number(volsPpm[pair.volMove]) / 1e6, seconds);
    const error = (Number(call.losses[i]) - weight * (base.call - moved.call)) / forward;
    widen(isTail(pair) ? 'tailLoss' : 'regularLoss', error);
    widen('putLoss', (Number(put.losses[i]) - weight * (base.put - moved.put)) / forward);
  });
  errors.points++;
  errors.prices += 1 + MOVE_PAIRS.length;
}

/** From `least` to `most` in equal ratios, both ends included. */
export const ratios = (least: number, most: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => least * (most / least) ** (i / (count - 1)));

const DAY_SEC = 86_400;
/** Half of the strikes lie within this many deviations of the forward: a short option is flat anywhere else. */
const DEVIATIONS = 4;
const [STRIKE_RATIO_MIN, STRIKE_RATIO_MAX] = [0.05, 20];

function strikeRatios(deviation: number, count: number): number[] {
  const far = ratios(STRIKE_RATIO_MIN, STRIKE_RATIO_MAX, count / 2);
  const near = ratios(Math.exp(-DEVIATIONS * deviation), Math.exp(DEVIATIONS * deviation), count / 2);
  return [...far, ...near.filter((ratio) => ratio >= STRIKE_RATIO_MIN && ratio <= STRIKE_RATIO_MAX)];
}

/** The domain of the requirement: 1 day to 2 years, volatility 5 to 500 %, strike 0.05 to 20 forwards. */
export function* gridPoints(times: number, vols: number, strikes: number): Generator<GridPoint> {
  let counter = 0;
  // Multiples of an irrational number spread forwards, and so the pieces of the logarithm, and scan ranges evenly.
  const share = (irrational: number) => (counter * irrational) % 1;
  for (const seconds of ratios(DAY_SEC, 730 * DAY_SEC, times)) {
    for (const vol of ratios(0.05, 5, vols)) {
      for (const ratio of strikeRatios(vol * Math.sqrt(seconds / SECONDS_PER_YEAR), strikes)) {
        counter++;
        const forward = Math.round(2 ** (26.5 + 1.9 * share(0.618_033_988_749_895)));
        yield {
          forward: BigInt(forward),
          strike: BigInt(Math.round(forward * ratio)),
          timeSec: BigInt(Math.round(seconds)),
          volPpm: BigInt(Math.round(vol * 1e6)),
          scanRangePpm: BigInt(160_000 + Math.round(200_000 * share(0.754_877_666_246_693))),
        };
      }
    }
  }
}
