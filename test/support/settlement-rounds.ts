/** Rounds around an expiry, and the rule of its settlement said once more: over every second, not round by round. */

import type { PriceStep } from '#protocol/risk/settlement-window.ts';
import { divideNearest } from '#protocol/units.ts';

export interface Look {
  readonly timeSec: bigint;
  readonly micros: bigint;
  readonly isJump: boolean;
}

/** What the oracle says of each round after the first: a jump's price is never confirmed here. */
export function stepsOf(looks: readonly Look[]): PriceStep[] {
  let indexSeconds = 0n;
  let carried = looks[0].micros;
  let previousNormalSec = looks[0].timeSec;
  return looks.slice(1).map((look, i) => {
    const previous = looks[i];
    if (!previous.isJump) [carried, previousNormalSec] = [previous.micros, previous.timeSec];
    const step = {
      previousSec: previous.timeSec,
      previousNormalSec,
      timeSec: look.timeSec,
      previousIndexSeconds: indexSeconds,
      carriedMicros: carried,
      isNormal: !look.isJump,
    };
    indexSeconds += carried * (look.timeSec - previous.timeSec);
    return step;
  });
}

export interface Settlement {
  readonly startSec: bigint;
  readonly endSec: bigint;
  readonly micros: bigint;
  /** Of the round that settles. */
  readonly atSec: bigint;
}

/** Half an hour up to expiry or later: whole, watched at least every five minutes, and at least ten times. */
export function settlementOf(looks: readonly Look[], expirySec: bigint): Settlement | undefined {
  const times = looks.filter(({ isJump }) => !isJump).map(({ timeSec }) => timeSec);
  let startSec = expirySec - 1_800n;
  // The price carried into the window must not be old either.
  let firstLook = times.findLast((timeSec) => timeSec < startSec) ?? startSec;
  for (;;) {
    const inside = times.filter((timeSec) => timeSec >= startSec);
    const tenth = inside[9];
    if (tenth === undefined) return undefined;
    const endSec = tenth > startSec + 1_800n ? tenth : startSec + 1_800n;
    const points = [firstLook, ...inside.filter((timeSec) => timeSec < endSec), endSec];
    const gap = points.findIndex((point, i) => i > 0 && point - points[i - 1] > 300n);
    if (gap === -1) {
      const settling = looks.find(({ timeSec }) => timeSec >= endSec);
      if (settling === undefined) return undefined;
      return { startSec, endSec, micros: meanNearest(looks, startSec, endSec), atSec: settling.timeSec };
    }
    const restart = inside.find((timeSec) => timeSec > points[gap - 1]);
    if (restart === undefined) return undefined;
    startSec = restart;
    firstLook = restart;
  }
}

/** Second by second: the price of the last round before it that was no jump. */
function meanNearest(looks: readonly Look[], startSec: bigint, endSec: bigint): bigint {
  const normal = looks.filter(({ isJump }) => !isJump);
  let [sum, next] = [0n, 0];
  for (let second = startSec; second < endSec; second++) {
    while (next + 1 < normal.length && normal[next + 1].timeSec <= second) next++;
    sum += normal[next].micros;
  }
  return divideNearest(sum, endSec - startSec);
}
