/**
 * What the oracle remembers, and how a round changes it: jumps, volatility, scan range, funding, averages.
 * Twin of `contracts/libraries/RiskFeed.sol` and `RiskOracle.postRound`, bit for bit; docs/margin.md §5.
 */
import { invariant } from '../errors.ts';
import {
  abs,
  DAY_SEC,
  divideNearest,
  type MicrosPerLot,
  max,
  microsPerLot,
  min,
  PPM_ONE,
  squareRootDown,
} from '../units.ts';
import type { RiskReport } from './oracle-report.ts';
import { type BlockListing, type SurfaceValues, surfaceOf, unsettled } from './oracle-surface.ts';
import { type OptionParameters, placesOfAll, type Registry, type SegmentGeometry } from './registry.ts';
import type { RiskRoundInputs } from './round.ts';
import { PREMIUM_PPM_MAX, SCAN_FACTOR_E9_MAX, SCAN_FACTOR_ONE_E9 } from './round-limits.ts';
import { afterRound, type SettlementWindow } from './settlement-window.ts';

/** A price within 10 % of another is near it. */
const NEAR_DIVISOR = 10n;
/** Time nobody measured counts no longer than this in funding, decay and scan range. */
export const GAP_SEC_MAX = 600n;
const FACTOR_RISE_PER_HOUR_E9 = 100_000_000n;
const FACTOR_FALL_PER_DAY_E9 = 50_000_000n;
/** −ln 0.97: an exponentially weighted variance that keeps 97 % a day. */
const VARIANCE_WEIGHT_E9 = 30_459_207n;
const VARIANCE_MAX = (1n << 64n) - 1n;
/** 0.5 % per 8 hours. */
export const FUNDING_RATE_PPM_MAX = 5_000n;
const FUNDING_PERIOD_SEC = 28_800n;
const FUNDING_MICROS_MAX = 1n << 49n;
const E9 = 1_000_000_000n;
const HOUR_SEC = 3_600n;
const LOT_ONE_E8 = 100_000_000n;

/** Governed per underlying. */
export interface UnderlyingParameters {
  /** R0: the scan range at factor 1. */
  readonly baseScanRangePpm: bigint;
  /** Long-run volatility of a day, where the factor is 1. */
  readonly referenceVolPpm: bigint;
  readonly options: OptionParameters;
}

export interface Feed {
  /** Price of the last normal round. */
  readonly confirmedIndexMicros: bigint;
  /** Price of the last round, normal or jump. */
  readonly lastIndexMicros: bigint;
  readonly scanFactorE9: bigint;
  /** Running sum, micros of one coin; + was paid by longs. */
  readonly fundingMicrosPerCoin: bigint;
  /** Variance of a day's return, 1e-18. */
  readonly varianceE18: bigint;
}

export interface OracleState {
  readonly lastRound: bigint;
  readonly lastTimeSec: bigint;
  readonly lastNormalTimeSec: bigint;
  /** The last round's prices jumped. That a block waits for its settlement makes no such round. */
  readonly isAfterJump: boolean;
  readonly feeds: readonly Feed[];
  /** Running Σ price · Δt up to lastTimeSec, micros of one coin times seconds. */
  readonly indexSeconds: readonly bigint[];
  /** By block over all segments; missing or of an earlier expiry before a block's window begins. */
  readonly windows: readonly (SettlementWindow | undefined)[];
}

/** What a round says of one underlying, as in the event RoundPosted. */
export interface UnderlyingValues {
  readonly indexMicros: bigint;
  readonly premiumPpm: bigint;
  readonly scanRangePpm: bigint;
  readonly scanFactorE9: bigint;
  readonly fundingMicrosPerCoin: bigint;
  /** In force when the round was posted. */
  readonly options: OptionParameters;
}

/** As in the event RoundPosted, without the registry's hash. */
export interface RoundValues extends SurfaceValues {
  readonly roundNumber: bigint;
  readonly timeSec: bigint;
  /** Prices moved too far to be used unconfirmed, or an expired block is not settled yet. */
  readonly isJump: boolean;
  readonly esCount: number;
  readonly underlyings: readonly UnderlyingValues[];
  /** One for each expiry block: index price of one coin at which it is settled, 0 until then. */
  readonly settlementMicros: readonly bigint[];
}

export type RoundMedians = Omit<RiskReport, 'roundNumber'>;

export function initialOracleState(
  parameters: readonly UnderlyingParameters[],
  indexMicros: readonly bigint[],
  timeSec: bigint,
): OracleState {
  return {
    lastRound: 0n,
    lastTimeSec: timeSec,
    lastNormalTimeSec: timeSec,
    isAfterJump: false,
    feeds: parameters.map(({ referenceVolPpm }, u) => ({
      confirmedIndexMicros: indexMicros[u],
      lastIndexMicros: indexMicros[u],
      scanFactorE9: SCAN_FACTOR_ONE_E9,
      fundingMicrosPerCoin: 0n,
      varianceE18: referenceVolPpm ** 2n * PPM_ONE,
    })),
    indexSeconds: parameters.map(() => 0n),
    windows: [],
  };
}

/** The middle value, the lower of two. */
export function medianDown(values: readonly bigint[]): bigint {
  invariant(values.length > 0, 'a median needs a value');
  const sorted = [...values].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  return sorted[(sorted.length - 1) >> 1];
}

/** Value by value; premiums clamped to what a mark may differ from the index. */
export function mediansOf(reports: readonly RiskReport[]): RoundMedians {
  const underlyings = [...reports[0].indexMicros.keys()];
  return {
    timeSec: medianDown(reports.map(({ timeSec }) => timeSec)),
    indexMicros: underlyings.map((u) => medianDown(reports.map(({ indexMicros }) => indexMicros[u]))),
    premiumPpm: underlyings.map((u) =>
      clamp(medianDown(reports.map(({ premiumPpm }) => premiumPpm[u])), PREMIUM_PPM_MAX),
    ),
    basisPpb: reports[0].basisPpb.map((_, b) => medianDown(reports.map(({ basisPpb }) => basisPpb[b]))),
    volPpm: reports[0].volPpm.map((_, k) => medianDown(reports.map(({ volPpm }) => volPpm[k]))),
  };
}

/**
 * The round that the oracle makes of these medians, and what it remembers afterwards. The medians are such as it
 * takes: later than the last round, and a surface that `surfaceOf` does not refuse.
 * @param blocks what is listed
 */
export function applyRound(
  state: OracleState,
  medians: RoundMedians,
  parameters: readonly UnderlyingParameters[],
  esCount: number,
  blocks: readonly BlockListing[],
): { readonly state: OracleState; readonly values: RoundValues } {
  const { timeSec, indexMicros } = medians;
  invariant(timeSec > state.lastTimeSec, 'round time rises');
  const isJump = state.feeds.some((feed, u) => !isNormal(feed, indexMicros[u], state.isAfterJump));
  const carried = state.feeds.map((feed, u) => {
    const isConfirmed = state.isAfterJump && !isJump && isNear(indexMicros[u], feed.lastIndexMicros);
    return isConfirmed ? feed.lastIndexMicros : feed.confirmedIndexMicros;
  });
  const indexSeconds = carried.map(
    (micros, u) => state.indexSeconds[u] + micros * (timeSec - state.lastTimeSec),
  );
  const windows = blocks.map(({ expirySec, underlying }, b) =>
    expirySec === 0n
      ? undefined
      : afterRound(state.windows[b], expirySec, {
          previousSec: state.lastTimeSec,
          previousNormalSec: state.lastNormalTimeSec,
          timeSec,
          previousIndexSeconds: state.indexSeconds[underlying],
          carriedMicros: carried[underlying],
          isNormal: !isJump,
        }),
  );
  const settlementMicros = windows.map((window) => window?.settlementMicros ?? 0n);
  const isWaiting = blocks.some(
    ({ expirySec }, b) => expirySec !== 0n && timeSec >= expirySec && settlementMicros[b] === 0n,
  );
  const surface = surfaceOf(medians, unsettled(blocks, settlementMicros), indexMicros, timeSec);
  invariant(surface.ok, 'the surface of a posted round was accepted');
  const elapsedSec = min(timeSec - state.lastNormalTimeSec, GAP_SEC_MAX);
  const feeds = state.feeds.map((feed, u) =>
    isJump
      ? { ...feed, lastIndexMicros: indexMicros[u] }
      : afterNormalRound(feed, parameters[u], indexMicros[u], medians.premiumPpm[u], elapsedSec),
  );
  const roundNumber = state.lastRound + 1n;
  const underlyings = feeds.map(({ scanFactorE9, fundingMicrosPerCoin }, u) => ({
    indexMicros: indexMicros[u],
    premiumPpm: medians.premiumPpm[u],
    scanRangePpm: divideNearest(parameters[u].baseScanRangePpm * scanFactorE9, E9),
    scanFactorE9,
    fundingMicrosPerCoin,
    options: parameters[u].options,
  }));
  return {
    state: {
      lastRound: roundNumber,
      lastTimeSec: timeSec,
      lastNormalTimeSec: isJump ? state.lastNormalTimeSec : timeSec,
      isAfterJump: isJump,
      feeds,
      indexSeconds,
      windows,
    },
    values: {
      roundNumber,
      timeSec,
      isJump: isJump || isWaiting,
      esCount,
      underlyings,
      ...surface.value,
      settlementMicros,
    },
  };
}

function afterNormalRound(
  feed: Feed,
  parameters: UnderlyingParameters,
  indexMicros: bigint,
  premiumPpm: bigint,
  elapsedSec: bigint,
): Feed {
  const varianceE18 = nextVariance(feed, indexMicros, elapsedSec);
  const rate = clamp(premiumPpm, FUNDING_RATE_PPM_MAX);
  const accrued = divideNearest(indexMicros * rate * elapsedSec, PPM_ONE * FUNDING_PERIOD_SEC);
  return {
    confirmedIndexMicros: indexMicros,
    lastIndexMicros: indexMicros,
    scanFactorE9: nextFactor(feed.scanFactorE9, varianceE18, parameters.referenceVolPpm, elapsedSec),
    fundingMicrosPerCoin: clamp(feed.fundingMicrosPerCoin + accrued, FUNDING_MICROS_MAX),
    varianceE18,
  };
}

/**
 * v − v·κ·Δt + κ·r², Δt in days, κ = −ln 0.97. The newest return has the weight of its share of a day, so r²
 * enters undivided by time.
 */
function nextVariance(feed: Feed, indexMicros: bigint, elapsedSec: bigint): bigint {
  const returnE9 = (abs(indexMicros - feed.confirmedIndexMicros) * E9) / feed.confirmedIndexMicros;
  const shock = (returnE9 * returnE9 * VARIANCE_WEIGHT_E9) / E9;
  const decay = (feed.varianceE18 * VARIANCE_WEIGHT_E9 * elapsedSec) / (E9 * DAY_SEC);
  return min(feed.varianceE18 - decay + shock, VARIANCE_MAX);
}

/** Towards clamp(σ/σ_ref, 1, 2), by at most 0.1 an hour upwards and 0.05 a day downwards. */
function nextFactor(
  factor: bigint,
  varianceE18: bigint,
  referenceVolPpm: bigint,
  elapsedSec: bigint,
): bigint {
  const ratio = squareRootDown((varianceE18 * E9 * E9) / (referenceVolPpm ** 2n * PPM_ONE));
  const target = max(SCAN_FACTOR_ONE_E9, min(SCAN_FACTOR_E9_MAX, ratio));
  return target > factor
    ? min(target, factor + (FACTOR_RISE_PER_HOUR_E9 * elapsedSec) / HOUR_SEC)
    : max(target, factor - (FACTOR_FALL_PER_DAY_E9 * elapsedSec) / DAY_SEC);
}

const isNear = (price: bigint, other: bigint): boolean => abs(price - other) * NEAR_DIVISOR <= other;

const isNormal = (feed: Feed, indexMicros: bigint, isAfterJump: boolean): boolean =>
  isNear(indexMicros, feed.confirmedIndexMicros) ||
  (isAfterJump && isNear(indexMicros, feed.lastIndexMicros));

const clamp = (value: bigint, limit: bigint): bigint => max(-limit, min(limit, value));

/** The funding index of one lot: the running sum of a coin, so a perpetual listed late needs no history. */
export const fundingIndexPerLotNearest = (fundingMicrosPerCoin: bigint, lotE8: bigint): MicrosPerLot =>
  microsPerLot(divideNearest(fundingMicrosPerCoin * lotE8, LOT_ONE_E8));

/** What a round's table is built from: its values and the registry whose hash it names. */
export function riskRoundInputs(
  values: RoundValues,
  registry: Registry,
  segments: readonly SegmentGeometry[],
): RiskRoundInputs {
  const { roundNumber, timeSec, esCount, isJump, underlyings, basisPpb, volPpm, settlementMicros } = values;
  const places = placesOfAll(segments);
  const strikes = places.filter(({ kind }) => kind === 'strike');
  return {
    roundNumber,
    timeSec,
    esCount,
    isJump,
    underlyings,
    segments,
    places: registry.map((entry, i) => {
      if (entry === undefined) return undefined;
      const { premiumPpm, fundingMicrosPerCoin } = underlyings[entry.underlying];
      const premiumPpb = {
        spot: 0n,
        perp: 1000n * premiumPpm,
        future: basisPpb[places[i].block],
        option: 0n,
      }[entry.kind];
      return {
        entry,
        premiumPpb,
        fundingIndexMicrosPerLot:
          entry.kind === 'perp'
            ? fundingIndexPerLotNearest(fundingMicrosPerCoin, entry.lotE8)
            : microsPerLot(0n),
        volPpm: entry.kind === 'option' ? volPpm[strikes.indexOf(places[i])] : 0n,
        settlementMicros: entry.kind === 'future' ? settlementMicros[places[i].block] : 0n,
      };
    }),
  };
}
