/**
 * Option books that are opened once and then lived with. Targets are sizes in lots by instrument id; what the makers
 * did not offer at first is asked for again in the next turns, and after that the book is what it is.
 */
import { largestOrderLots } from '#client/margin.ts';
import { sizeOf } from '#protocol/account.ts';
import { abs, divideNearest, max } from '#protocol/units.ts';
import type { LiveOption } from '../live.ts';
import {
  limitAround,
  liveMicrosPerLot,
  type OrderIntent,
  perpetualOf,
  type Strategy,
  type TraderView,
  take,
} from './strategy.ts';

/** Sizes in lots by instrument id: + long, − short. */
export type Targets = Readonly<Record<number, bigint>>;

/** Turns in which a book is opened. */
const OPENING_TURNS = 4;
/** How far through the live mark of an option a taker is ready to go, in points of volatility. */
const REACH_POINTS = 12n;
/** A hedge is not moved for less: a hundredth of a coin. */
const HEDGE_STEP_LOTS = 10n;

export const liveOptionOf = (view: TraderView, instrumentId: number): LiveOption | undefined =>
  view.blocks.flatMap(({ options }) => options).find((option) => option.instrumentId === instrumentId);

/** Takes what is there within twelve points of the live volatility; nothing once the option has expired. */
export function takeOption(view: TraderView, instrumentId: number, signedLots: bigint): OrderIntent[] {
  const option = liveOptionOf(view, instrumentId);
  if (option === undefined || signedLots === 0n) return [];
  const side = signedLots > 0n ? 'buy' : 'sell';
  const reach = REACH_POINTS * option.vegaMicrosPerLot;
  // At least a micro, so that a sale has a limit above nothing; a buyer of what is worth less than a tick has none.
  const price = max(1n, option.markMicrosPerLot + (side === 'buy' ? reach : -reach));
  const limitMicrosPerLot = limitAround(price, side);
  if (limitMicrosPerLot === 0n) return [];
  return [
    {
      kind: 'order',
      instrumentId,
      side,
      sizeLots: abs(signedLots),
      limitMicrosPerLot,
      isReduceOnly: false,
      isResting: false,
    },
  ];
}

/** What is missing of the targets, while the book is being opened; what is bought first, for it may cover what is sold. */
function opening(view: TraderView, targets: Targets): OrderIntent[] {
  if (view.age >= OPENING_TURNS) return [];
  const missing = Object.entries(targets).map(([id, target]) => ({
    id: Number(id),
    lots: target - sizeOf(view.account, Number(id)),
  }));
  const bySide = [...missing.filter(({ lots }) => lots > 0n), ...missing.filter(({ lots }) => lots < 0n)];
  return bySide.flatMap(({ id, lots }) => takeOption(view, id, lots));
}

/** Opens a book and holds it. */
export const holdBook = (name: string, idea: string, targets: Targets): Strategy => ({
  name,
  idea,
  intents: (view) => opening(view, targets),
});

/** Sells one option once, as much of it as initial margin allows less 2 %, and hopes. */
export const nakedShort = (name: string, idea: string, instrumentId: number): Strategy => ({
  name,
  idea,
  intents: (view) => {
    const [order] = takeOption(view, instrumentId, -1n);
    if (order === undefined || view.age > 0) return [];
    const { limitMicrosPerLot } = order;
    const most = largestOrderLots(view.account, view.table, instrumentId, 'sell', limitMicrosPerLot);
    return takeOption(view, instrumentId, -(most * 98n) / 100n);
  },
});

/** Delta of all options of an account in an underlying, micros. */
export const optionDeltaMicros = (view: TraderView, underlying: number): bigint =>
  view.blocks
    .filter((block) => block.underlying === underlying)
    .flatMap(({ options }) => options)
    .reduce((sum, option) => sum + sizeOf(view.account, option.instrumentId) * option.deltaMicrosPerLot, 0n);

/** Opens a book and keeps its delta at 0 with the perpetual, turn by turn. */
export const hedgedBook = (name: string, idea: string, underlying: number, targets: Targets): Strategy => ({
  name,
  idea,
  intents: (view) => {
    const perpetual = perpetualOf(underlying);
    const wanted = divideNearest(-optionDeltaMicros(view, underlying), liveMicrosPerLot(view, perpetual));
    const missing = wanted - sizeOf(view.account, perpetual);
    const hedge = abs(missing) < HEDGE_STEP_LOTS ? 0n : missing;
    return [...opening(view, targets), ...take(view, perpetual, hedge > 0n ? 'buy' : 'sell', abs(hedge))];
  },
});
