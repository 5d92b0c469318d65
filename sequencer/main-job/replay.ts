/** The clock of a replay: which bar the oracle knows, which the live feed shows, who acts when. */
import type { Bar } from '#sequencer/market-data/bars.ts';
import type { CastMember } from './cast.ts';
import type { LiveBlock } from './live.ts';

export type LivePrices = readonly [btc: bigint, eth: bigint];

export interface Step {
  readonly index: number;
  /** What the oracle reports in this step. */
  readonly oracleBar: Bar;
  /** What the live feed shows, oldest first; the last is now. */
  readonly feed: readonly LivePrices[];
  /** Dated instruments that trade, at live prices. */
  readonly blocks: readonly LiveBlock[];
  /** What is signed in this step is good for as long. */
  readonly barSec: bigint;
}

/** A recording and how it is played. */
export interface Replay {
  /** All recorded bars, in order. */
  readonly bars: readonly Bar[];
  readonly barSec: bigint;
  /** Traders have watched the market from this bar on. */
  readonly watchedFrom: number;
  /** Bars by which the live feed is ahead of the oracle. */
  readonly lead: number;
  readonly blocksAt: (prices: LivePrices, timeSec: bigint) => readonly LiveBlock[];
}

/** The step in which the oracle reports bar `place`. */
export function stepAt(replay: Replay, place: number, index: number): Step {
  const { bars, barSec, watchedFrom, lead, blocksAt } = replay;
  const live = bars[place + lead];
  return {
    index,
    oracleBar: bars[place],
    feed: bars.slice(watchedFrom, place + lead + 1).map((bar) => bar.closeMicros),
    blocks: blocksAt(live.closeMicros, live.closeSec),
    barSec,
  };
}

/** Steps at the given places, numbered from 0. */
export const stepsAt = (replay: Replay, places: readonly number[]): Step[] =>
  places.map((place, index) => stepAt(replay, place, index));

/** After a story: bar by bar from `place` on, the last recorded one again when there are no more; no story's index. */
export const stepBeyond = (replay: Replay, place: number): Step =>
  stepAt(replay, Math.min(place, replay.bars.length - 1 - replay.lead), Number.MAX_SAFE_INTEGER);

/**
 * Whether a member trades in a step. A taker waits for the step after its arrival: a batch that registers its key
 * may hold no order of it.
 */
export function actsIn(member: CastMember, step: number): boolean {
  const first = member.arrivesAtStep + (member.isMarketMaker ? 0 : 1);
  return step >= first && (step - first) % member.everySteps === 0;
}
