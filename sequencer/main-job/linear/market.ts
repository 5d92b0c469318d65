/** Spot and perpetuals through the crash of 2021-05-19, minute by minute. */
import { BAR_SEC, barsBetween, readBars } from '#sequencer/market-data/bars.ts';
import { LINEAR_LISTING } from '../listing.ts';
import type { MarketPlan } from '../plan.ts';
import { type Replay, stepBeyond, stepsAt } from '../replay.ts';
import { LINEAR_CAST } from './cast.ts';

/** First and last minute the oracle reports (UTC, 2021-05-19); the live feed is one minute ahead. */
const FIRST_MINUTE = '12:38';
const LAST_MINUTE = '13:10';
/** Traders have watched the market for a while before the first step. */
const WATCHED_SINCE = '12:28';

export function linearMarket(): MarketPlan {
  const bars = readBars('crash-2021');
  const placeOf = (minute: string): number => bars.indexOf(barsBetween(bars, minute, minute)[0]);
  const [first, last] = [placeOf(FIRST_MINUTE), placeOf(LAST_MINUTE)];
  const replay: Replay = {
    bars,
    barSec: BAR_SEC,
    watchedFrom: placeOf(WATCHED_SINCE),
    lead: 1,
    blocksAt: () => [],
  };
  const places = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  return {
    headline: 'The market of 2021-05-19, minute by minute (live feed; the oracle is one bar behind)',
    recording: 'crash-2021',
    listing: LINEAR_LISTING,
    deployedSec: bars[0].closeSec,
    cast: LINEAR_CAST,
    steps: stepsAt(replay, places),
    expiry: undefined,
    stepAfter: (n) => stepBeyond(replay, last + n),
  };
}
