/** Quotes both sides around the live feed, leans against its inventory and steps back in a crash. */
import { sizeOf } from '#protocol/account.ts';
import { abs, max } from '#protocol/units.ts';
import {
  BTC_PERP,
  ETH_PERP,
  limitAt,
  liveMicrosPerLot,
  movePpm,
  type OrderIntent,
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
  const isCrash = abs(movePpm(view, instrumentId, 1)) > CRASH_MOVE_PPM;
  const halfSpread = isCrash ? settings.halfSpreadPpm * CRASH_SPREAD_FACTOR : settings.halfSpreadPpm;
  const sizeLots = max(1n, isCrash ? (quietLots * CRASH_SIZE_PERCENT) / 100n : quietLots);
  const lean = leanPpm(sizeOf(view.account, instrumentId), quietLots, instrumentId);
  const price = liveMicrosPerLot(view, instrumentId);
  const quote = (side: 'buy' | 'sell', size: bigint): OrderIntent[] => {
    if (size <= 0n) return [];
    const offset = lean + (side === 'buy' ? -halfSpread : halfSpread);
    const limitMicrosPerLot = limitAt(price, offset, side);
    return [
      {
        kind: 'order',
        instrumentId,
        side,
        sizeLots: size,
        limitMicrosPerLot,
        isReduceOnly: false,
        isResting: true,
      },
    ];
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
