/**
 * The price at which an expiry block is settled: a mean over the half hour before its expiry, if the oracle looked
 * often enough in it; else over a later time in which it did. Twin of `contracts/libraries/SettlementWindow.sol`.
 */
import { divideNearest, max } from '../units.ts';

export const WINDOW_SEC = 1_800n;
/** Prices of fewer rounds are no mean. */
export const WINDOW_ROUNDS_MIN = 10;
/** A price carried longer than this is a guess: the window begins anew at the round that ended the gap. */
export const WINDOW_GAP_SEC_MAX = 300n;

/** Of one expiry; both ends of the window belong to it. */
export interface SettlementWindow {
  /** Whose window it is: a block listed anew has a later one. */
  readonly expirySec: bigint;
  readonly startSec: bigint;
  /** Running Σ price · Δt of the underlying at the start. */
  readonly startIndexSeconds: bigint;
  /** Normal rounds since the start. */
  readonly rounds: number;
  /** Of the newest normal round, which at first lies before the start: its price is the one carried into the window. */
  readonly lastRoundSec: bigint;
  /** 0 until settled; nothing else changes afterwards. */
  readonly settlementMicros: bigint;
}

/** What a round says of an underlying's past. */
export interface PriceStep {
  /** Of the round before it, of any kind. */
  readonly previousSec: bigint;
  /** Of the last normal one. */
  readonly previousNormalSec: bigint;
  readonly timeSec: bigint;
  /** Running Σ price · Δt up to previousSec, and the price that held since. */
  readonly previousIndexSeconds: bigint;
  readonly carriedMicros: bigint;
  /** Otherwise a jump: no look at the market, until a later round confirms it. */
  readonly isNormal: boolean;
}

const indexSecondsAt = ({ previousSec, previousIndexSeconds, carriedMicros }: PriceStep, atSec: bigint) =>
  previousIndexSeconds + carriedMicros * (atSec - previousSec);

const settledAt = (window: SettlementWindow, step: PriceStep, endSec: bigint): SettlementWindow => ({
  ...window,
  settlementMicros: divideNearest(
    indexSecondsAt(step, endSec) - window.startIndexSeconds,
    endSec - window.startSec,
  ),
});

/** The window of an expiry as it begins, in the step that reaches its start. */
function opened(expirySec: bigint, step: PriceStep): SettlementWindow {
  const startSec = max(expirySec - WINDOW_SEC, step.previousSec);
  return {
    expirySec,
    startSec,
    startIndexSeconds: indexSecondsAt(step, startSec),
    rounds: 0,
    lastRoundSec: step.previousNormalSec,
    settlementMicros: 0n,
  };
}

/**
 * The window after a round; undefined while the round lies before it.
 * @param before the block's window so far, perhaps of an expiry listed there earlier
 */
export function afterRound(
  before: SettlementWindow | undefined,
  expirySec: bigint,
  step: PriceStep,
): SettlementWindow | undefined {
  const { timeSec, isNormal } = step;
  if (timeSec < expirySec - WINDOW_SEC) return undefined;
  const window = before?.expirySec === expirySec ? before : opened(expirySec, step);
  if (window.settlementMicros !== 0n) return window;
  const endSec = window.startSec + WINDOW_SEC;
  const isWatched = endSec - window.lastRoundSec <= WINDOW_GAP_SEC_MAX;
  if (timeSec >= endSec && window.rounds >= WINDOW_ROUNDS_MIN && isWatched) {
    return settledAt(window, step, endSec);
  }
  if (!isNormal) return window;
  if (timeSec - window.lastRoundSec > WINDOW_GAP_SEC_MAX) {
    const startIndexSeconds = indexSecondsAt(step, timeSec);
    return { ...window, startSec: timeSec, startIndexSeconds, rounds: 1, lastRoundSec: timeSec };
  }
  const counted = { ...window, rounds: window.rounds + 1, lastRoundSec: timeSec };
  // Half an hour without a gap but with too few rounds goes on until there are enough.
  const isComplete = timeSec >= endSec && counted.rounds >= WINDOW_ROUNDS_MIN;
  return isComplete ? settledAt(counted, step, timeSec) : counted;
}
