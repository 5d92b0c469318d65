/**
 * What a trader sees and what it wants. Strategies are pure: the same view gives the same intents. None of
 * them knows other accounts, the oracle's next round or what the engine will liquidate.
 */
import type { Account } from '#protocol/account.ts';
import type { RiskTable } from '#protocol/instrument.ts';
import { divideDown, divideUp, PPM_ONE } from '#protocol/units.ts';
import type { LiveBlock } from '../live.ts';

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
  /** Dated instruments that trade, at live prices. */
  readonly blocks: readonly LiveBlock[];
  /** The trader's own leaf as the engine has it. */
  readonly account: Account;
  /** The newest proved table: what the engine judges margin by. It may be behind the feed. */
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

/** The perpetual of an underlying. */
export const perpetualOf = (underlying: number): number => [BTC_PERP, ETH_PERP][underlying];

/** A price rounded to a tick: down for a buyer, up for a seller. `scale` divides the price. */
export function limitAround(price: bigint, side: 'buy' | 'sell', scale = 1n): bigint {
  const step = TICK_MICROS_PER_LOT * scale;
  const ticks = side === 'buy' ? divideDown(price, step) : divideUp(price, step);
  return ticks * TICK_MICROS_PER_LOT;
}

/** `price` moved by `offsetPpm` and rounded to a tick: down for a buyer, up for a seller. */
export function limitAt(price: bigint, offsetPpm: bigint, side: 'buy' | 'sell'): bigint {
  return limitAround(price * (PPM_ONE + offsetPpm), side, PPM_ONE);
}

/** A quote: it rests until it expires, and is not made of nothing. */
export const restingOrder = (
  instrumentId: number,
  side: 'buy' | 'sell',
  sizeLots: bigint,
  limitMicrosPerLot: bigint,
): OrderIntent[] =>
  sizeLots <= 0n
    ? []
    : [
        {
          kind: 'order',
          instrumentId,
          side,
          sizeLots,
          limitMicrosPerLot,
          isReduceOnly: false,
          isResting: true,
        },
      ];

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
