/** The markets that the main job can play, one of them at a time. */
import type { Bar, RecordingName } from '#sequencer/market-data/bars.ts';
import type { CastMember } from './cast.ts';
import { linearMarket } from './linear/market.ts';
import type { Listing } from './listing.ts';
import { optionsMarket } from './options/market.ts';
import type { Step } from './replay.ts';

/** An expiry that falls between two steps. */
export interface PlannedExpiry {
  readonly futureId: number;
  /** Index of the first step after it. */
  readonly beforeStep: number;
  /** When the oracle speaks meanwhile, and what it reports. The first round that settles the block is the last one of them. */
  readonly rounds: readonly { readonly timeSec: bigint; readonly bar: Bar }[];
}

export interface MarketPlan {
  /** For people: which day, how fast. */
  readonly headline: string;
  /** What the oracle's signers know. */
  readonly recording: RecordingName;
  readonly listing: Listing;
  /** When its rollup is deployed, by the chain's clock: before the first step, and early enough for what is listed. */
  readonly deployedSec: bigint;
  readonly cast: readonly CastMember[];
  readonly steps: readonly Step[];
  readonly expiry: PlannedExpiry | undefined;
  /** The n-th bar after the story, from 1. */
  readonly stepAfter: (n: number) => Step;
}

const MARKETS = { linear: linearMarket, options: optionsMarket } as const satisfies Record<
  string,
  () => MarketPlan
>;

export type MarketName = keyof typeof MARKETS;

export const MARKET_NAMES = Object.keys(MARKETS) as readonly MarketName[];

export const planOf = (name: MarketName): MarketPlan => MARKETS[name]();
