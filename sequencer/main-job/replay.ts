/** The clock of the replay: which minute the oracle knows, which the live feed shows, who acts when. */
import { type Bar, barsBetween, readBars } from '#sequencer/market-data/bars.ts';
import type { CastMember } from './cast.ts';

/** First and last minute the oracle reports (UTC, 2021-05-19); the live feed is one minute ahead. */
export const FIRST_MINUTE = '12:38';
export const LAST_MINUTE = '13:10';
/** Traders have watched the market for a while before the first step. */
const WATCHED_SINCE = '12:28';

export interface Step {
  readonly index: number;
  /** What the oracle reports in this step. */
  readonly oracleBar: Bar;
  /** What the live feed shows, oldest first; the last bar is one minute later than the oracle's. */
  readonly feed: readonly (readonly [btc: bigint, eth: bigint])[];
}

export function replaySteps(): Step[] {
  const bars = readBars();
  const watched = barsBetween(bars, WATCHED_SINCE, LAST_MINUTE);
  const following = bars[bars.indexOf(watched[watched.length - 1]) + 1];
  const seen = [...watched, following];
  return barsBetween(bars, FIRST_MINUTE, LAST_MINUTE).map((oracleBar, index) => ({
    index,
    oracleBar,
    feed: seen.slice(0, seen.indexOf(oracleBar) + 2).map((bar) => bar.closeMicros),
  }));
}

/**
 * Whether a member trades in a step. A taker waits for the step after its arrival: a batch that registers its key
 * may hold no order of it.
 */
export function actsIn(member: CastMember, step: number): boolean {
  const first = member.arrivesAtStep + (member.isMarketMaker ? 0 : 1);
  return step >= first && (step - first) % member.everySteps === 0;
}
