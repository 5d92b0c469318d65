/** Quotes both sides around the live feed, leans against its inventory and steps back in a crash. */
import { sizeOf } from '#protocol/account.ts';
import { abs, max, min } from '#protocol/units.ts';
import {
  BTC_PERP,
  ETH_PERP,
  limitAt,
  liveMicrosPerLot,
  movePpm,
  type OrderIntent,
  restingOrder,
  type Strategy,
  type TraderView,
  WBTC,
  WETH,
} from './strategy.ts';

export interface MarketMakerSettings {
  readonly name: string;
  /** Half of the spread in a quiet market. */
  readonly halfSpreadPpm: bigint;
  /** Lots on each side in a quiet market, by instrument; an instrument not named is not quoted. */
  readonly sizeLots: Readonly<Partial<Record<number, bigint>>>;
}

/** A minute's move beyond this is a crash to a market maker. */
const CRASH_MOVE_PPM = 15_000n;
/** In a crash: spread times three, size down to 40 %. */
const CRASH_SPREAD_FACTOR = 3n;
const CRASH_SIZE_PERCENT = 40n;
/** Inventory of one quiet quote size moves both quotes by this much, against the inventory. */
const LEAN_PPM = 150n;
const LEAN_MAX_PPM = 900n;

/** Whether the underlying of a spot token or perpetual moved too far in the last bar. */
export const isCrash = (view: TraderView, instrumentId: number): boolean =>
  abs(movePpm(view, instrumentId, 1)) > CRASH_MOVE_PPM;

export const spreadFactor = (isStepping: boolean): bigint => (isStepping ? CRASH_SPREAD_FACTOR : 1n);

export const quietOrCrashLots = (quietLots: bigint, isStepping: boolean): bigint =>
  max(1n, isStepping ? (quietLots * CRASH_SIZE_PERCENT) / 100n : quietLots);

export function marketMaker(settings: MarketMakerSettings): Strategy {
  const instruments = [WBTC, WETH, BTC_PERP, ETH_PERP].filter((id) => settings.sizeLots[id] !== undefined);
  return {
    name: settings.name,
    idea: 'market maker: quotes from the feed, steps back in the crash',
    intents: (view) => instruments.flatMap((id) => quotes(view, id, settings)),
  };
}

function quotes(view: TraderView, instrumentId: number, settings: MarketMakerSettings): OrderIntent[] {
  const quietLots = settings.sizeLots[instrumentId] ?? 0n;
  const isStepping = isCrash(view, instrumentId);
  const halfSpread = settings.halfSpreadPpm * spreadFactor(isStepping);
  const sizeLots = quietOrCrashLots(quietLots, isStepping);
  const lean = leanPpm(sizeOf(view.account, instrumentId), quietLots, instrumentId);
  const price = liveMicrosPerLot(view, instrumentId);
  const quote = (side: 'buy' | 'sell', size: bigint): OrderIntent[] => {
    const offset = lean + (side === 'buy' ? -halfSpread : halfSpread);
    return restingOrder(instrumentId, side, size, limitAt(price, offset, side));
  };
  return [...quote('buy', sizeLots), ...quote('sell', sellable(view, instrumentId, sizeLots))];
}

/** Spot can only be sold when held. */
function sellable(view: TraderView, instrumentId: number, sizeLots: bigint): bigint {
  if (instrumentId > WETH) return sizeLots;
  const held = sizeOf(view.account, instrumentId);
  return held < sizeLots ? held : sizeLots;
}

/** A maker that is long quotes lower, one that is short higher. Spot stock is what it came with: no lean. */
function leanPpm(inventoryLots: bigint, quietLots: bigint, instrumentId: number): bigint {
  if (instrumentId <= WETH || quietLots === 0n) return 0n;
  const lean = (-inventoryLots * LEAN_PPM) / quietLots;
  return lean > LEAN_MAX_PPM ? LEAN_MAX_PPM : lean < -LEAN_MAX_PPM ? -LEAN_MAX_PPM : lean;
}

/** Share of a full lean in percent, against the inventory: full at twice a quiet quote. */
export function leanShare(inventoryLots: bigint, quietLots: bigint): bigint {
  if (quietLots === 0n) return 0n;
  return max(-100n, min(100n, (-inventoryLots * 50n) / quietLots));
}
