/**
 * What a trader sees and what it wants. Strategies are pure: the same view gives the same intents. None of
 * them knows other accounts, the oracle's next round or what the engine will liquidate.
 */
import type { Account } from '#protocol/account.ts';
import type { RiskTable } from '#protocol/instrument.ts';

/** Ids of the instruments this market lists. */
export const WBTC = 1;
export const WETH = 2;
export const BTC_PERP = 4;
export const ETH_PERP = 5;

export interface TraderView {
  /** Bars the trader has lived through, 0 at its first. */
  readonly age: number;
  /** Live closes per coin (BTC, ETH) in micros, oldest first; the last is now. At least one. */
  readonly feed: readonly (readonly [btc: bigint, eth: bigint])[];
  /** The trader's own leaf as the engine has it. */
  readonly account: Account;
  /** The newest proved table: what the engine judges margin by. One bar behind the feed. */
  readonly table: RiskTable;
}

export interface OrderIntent {
  readonly kind: 'order';
  readonly instrumentId: number;
  readonly side: 'buy' | 'sell';
  readonly sizeLots: bigint;
  readonly limitMicrosPerLot: bigint;
  readonly isReduceOnly: boolean;
  /** Quotes rest until the next bar; takers take what is there and leave nothing. */
  readonly isResting: boolean;
}

/** Asks for a share of the quote money that could leave now. */
export interface WithdrawIntent {
  readonly kind: 'withdraw';
  readonly amountMicros: bigint;
}

export type Intent = OrderIntent | WithdrawIntent;

export interface Strategy {
  readonly name: string;
  /** One line for people. */
  readonly idea: string;
  intents(view: TraderView): readonly Intent[];
}

const UNDERLYING_OF: Readonly<Record<number, 0 | 1>> = { [WBTC]: 0, [WETH]: 1, [BTC_PERP]: 0, [ETH_PERP]: 1 };
/** 0.001 BTC, 0.01 ETH: lots per coin by underlying. */
const LOTS_PER_COIN = [1000n, 100n] as const;
export const TICK_MICROS_PER_LOT = 1_000n;

/** The live price of one lot, in micros, not rounded to a tick. */
export function liveMicrosPerLot(view: TraderView, instrumentId: number): bigint {
  const underlying = UNDERLYING_OF[instrumentId];
  return view.feed[view.feed.length - 1][underlying] / LOTS_PER_COIN[underlying];
}

/** Change of the live price over the last `bars` bars in ppm, towards zero; 0 while the feed is shorter. */
export function movePpm(view: TraderView, instrumentId: number, bars: number): bigint {
  const underlying = UNDERLYING_OF[instrumentId];
  const now = view.feed[view.feed.length - 1][underlying];
  const then = view.feed[view.feed.length - 1 - bars]?.[underlying];
  return then === undefined ? 0n : ((now - then) * 1_000_000n) / then;
}

/** `price` moved by `offsetPpm` and rounded to a tick: down for a buyer, up for a seller. */
export function limitAt(price: bigint, offsetPpm: bigint, side: 'buy' | 'sell'): bigint {
  const scaled = price * (1_000_000n + offsetPpm);
  const step = TICK_MICROS_PER_LOT * 1_000_000n;
  const ticks = side === 'buy' ? scaled / step : (scaled + step - 1n) / step;
  return ticks * TICK_MICROS_PER_LOT;
}

/** How far through the live price a taker is ready to go. */
const TAKER_REACH_PPM = 6_000n;

/** An order that takes what is there within 0.6 % of the live price. */
export function take(
  view: TraderView,
  instrumentId: number,
  side: 'buy' | 'sell',
  sizeLots: bigint,
  isReduceOnly = false,
): OrderIntent[] {
  if (sizeLots <= 0n) return [];
  const reach = side === 'buy' ? TAKER_REACH_PPM : -TAKER_REACH_PPM;
  const limitMicrosPerLot = limitAt(liveMicrosPerLot(view, instrumentId), reach, side);
  return [{ kind: 'order', instrumentId, side, sizeLots, limitMicrosPerLot, isReduceOnly, isResting: false }];
}
