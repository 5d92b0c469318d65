/**
 * Options through the crash of 2026-02-05/06, with the chains of that night. Bars are quarter hours: longer than any
 * lag of an oracle, so the live feed and the oracle know the same bar.
 */
import { barSecOf, lastClosed, readBars } from '#sequencer/market-data/bars.ts';
import { readChains, secondsOf } from '#sequencer/market-data/option-chain.ts';
import { liveBlocks } from '../live.ts';
import type { MarketPlan } from '../plan.ts';
import { type Replay, stepBeyond, stepsAt } from '../replay.ts';
import { OPTIONS_CAST } from './cast.ts';
import { NEAR, OPTIONS_LISTING } from './listing.ts';

const RECORDING = 'crash-2026';
const MINUTE_SEC = 60n;
/** An expiry is listed a day ahead at least (contracts/libraries/ListingRules.sol); this one an hour more. */
const LISTED_BEFORE_SEC = 25n * 60n * MINUTE_SEC;
/** Closes at which something happens: half hours, quarter hours through the crash, then hours until after the expiry. */
const CLOSES = [
  ...['19:30', '20:00', '20:30', '21:00', '21:30', '22:00', '22:30', '23:00', '23:30', '23:45'].map(
    (time) => `2026-02-05T${time}:00Z`,
  ),
  ...['00:00', '00:15', '00:30', '00:45', '01:00', '02:00', '03:00', '04:00', '05:00', '06:00', '07:00'].map(
    (time) => `2026-02-06T${time}:00Z`,
  ),
  '2026-02-06T08:15:00Z',
];
/** Traders have watched the market for a while before the first step. */
const WATCHED_BARS = 8;

/** The window over which an expiry settles, and how often the oracle speaks in it (docs/protocol.md: at least ten times). */
const SETTLEMENT_WINDOW_SEC = 30n * MINUTE_SEC;
const SETTLEMENT_ROUND_SEC = 3n * MINUTE_SEC;

/**
 * Times of the rounds that settle the near expiry: one before the window, whose price is carried into it, those in it,
 * and one to spare, posted only if the signers' clocks put the one at the expiry before it. Nothing was recorded
 * between quarter hours, so each of them reports the last close (`lastClosed`): a price that was known, not one in
 * between.
 */
export const SETTLEMENT_ROUND_TIMES: readonly bigint[] = Array.from(
  { length: Number(SETTLEMENT_WINDOW_SEC / SETTLEMENT_ROUND_SEC) + 3 },
  (_, i) => NEAR.expirySec - SETTLEMENT_WINDOW_SEC + BigInt(i - 1) * SETTLEMENT_ROUND_SEC,
);

export function optionsMarket(): MarketPlan {
  const bars = readBars(RECORDING);
  const chains = readChains();
  const places = CLOSES.map((close) => bars.indexOf(lastClosed(bars, secondsOf(close))));
  const replay: Replay = {
    bars,
    barSec: barSecOf(RECORDING),
    watchedFrom: places[0] - WATCHED_BARS,
    lead: 0,
    blocksAt: (prices, timeSec) => liveBlocks(OPTIONS_LISTING, chains, prices, timeSec),
  };
  const steps = stepsAt(replay, places);
  return {
    headline:
      'The night of 2026-02-05, bar by bar: options, futures and perpetuals (live feed and oracle alike)',
    recording: RECORDING,
    listing: OPTIONS_LISTING,
    deployedSec: NEAR.expirySec - LISTED_BEFORE_SEC,
    cast: OPTIONS_CAST,
    steps,
    expiry: {
      futureId: NEAR.future,
      beforeStep: steps.findIndex(({ oracleBar }) => oracleBar.closeSec >= NEAR.expirySec),
      rounds: SETTLEMENT_ROUND_TIMES.map((timeSec) => ({ timeSec, bar: lastClosed(bars, timeSec) })),
    },
    stepAfter: (n) => stepBeyond(replay, places[places.length - 1] + n),
  };
}
