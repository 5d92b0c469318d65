/**
 * Quotes everything dated that trades around the live surface: options by vega, futures by price, both against
 * its inventory. Spot and perpetuals it quotes as any market maker does.
 */
import { sizeOf } from '#protocol/account.ts';
import { divideUp, max } from '#protocol/units.ts';
import type { LiveBlock, LiveOption } from '../live.ts';
import {
  isCrash,
  leanShare,
  type MarketMakerSettings,
  marketMaker,
  quietOrCrashLots,
  spreadFactor,
} from './market-maker.ts';
import {
  limitAround,
  limitAt,
  type OrderIntent,
  perpetualOf,
  restingOrder,
  type Strategy,
  type TraderView,
} from './strategy.ts';

export interface SurfaceMakerSettings extends MarketMakerSettings {
  /** Half of an option's spread in a quiet market, in hundredths of a point of volatility. */
  readonly halfSpreadCentipoints: bigint;
  /** Lots on each side in a quiet market of every option, and of every future. */
  readonly optionLots: bigint;
  readonly futureLots: bigint;
}

const CENTIPOINTS = 100n;
/** Part of the half spread by which inventory may move both quotes of an option: fewer than all, so they never cross. */
const LEAN_PERCENT = 80n;
/** A quote below it is dust (the engine's least notional). */
const QUOTE_MIN_MICROS = 5_000_000n;

export function surfaceMaker(settings: SurfaceMakerSettings): Strategy {
  const linear = marketMaker(settings);
  return {
    name: settings.name,
    idea: 'market maker: quotes every expiry from the surface, steps back in the crash',
    intents: (view) => [
      ...linear.intents(view),
      ...view.blocks.flatMap((block) => [
        ...futureQuotes(view, block, settings),
        ...block.options.flatMap((option) => optionQuotes(view, block, option, settings)),
      ]),
    ],
  };
}

function futureQuotes(view: TraderView, block: LiveBlock, settings: SurfaceMakerSettings): OrderIntent[] {
  const isStepping = isCrash(view, perpetualOf(block.underlying));
  const halfSpread = settings.halfSpreadPpm * spreadFactor(isStepping);
  const lots = quietOrCrashLots(settings.futureLots, isStepping);
  // All of the lean is a half spread: a full inventory bids at the forward, or asks there.
  const inventory = sizeOf(view.account, block.futureId);
  const lean = (halfSpread * leanShare(inventory, settings.futureLots)) / CENTIPOINTS;
  return (['buy', 'sell'] as const).flatMap((side) => {
    const offset = lean + (side === 'buy' ? -halfSpread : halfSpread);
    return restingOrder(block.futureId, side, lots, limitAt(block.forwardMicrosPerLot, offset, side));
  });
}

function optionQuotes(
  view: TraderView,
  block: LiveBlock,
  { instrumentId, markMicrosPerLot, vegaMicrosPerLot }: LiveOption,
  settings: SurfaceMakerSettings,
): OrderIntent[] {
  const isStepping = isCrash(view, perpetualOf(block.underlying));
  const halfSpread =
    (vegaMicrosPerLot * settings.halfSpreadCentipoints * spreadFactor(isStepping)) / CENTIPOINTS;
  const quiet = quietOrCrashLots(settings.optionLots, isStepping);
  const share = leanShare(sizeOf(view.account, instrumentId), settings.optionLots);
  const lean = (halfSpread * share * LEAN_PERCENT) / (CENTIPOINTS * 100n);
  return (['buy', 'sell'] as const).flatMap((side) => {
    const price = markMicrosPerLot + lean + (side === 'buy' ? -halfSpread : halfSpread);
    const limit = limitAround(price, side);
    if (limit <= 0n) return [];
    return restingOrder(instrumentId, side, max(quiet, divideUp(QUOTE_MIN_MICROS, limit)), limit);
  });
}
