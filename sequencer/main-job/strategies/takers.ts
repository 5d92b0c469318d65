/** Traders who take prices. Each is a rule over the live feed and its own account; sizes follow its own money. */

import { equityMicros, largestOrderLots, withdrawableMicros } from '#client/margin.ts';
import { sizeOf } from '#protocol/account.ts';
import { abs, min } from '#protocol/units.ts';
import {
  BTC_PERP,
  ETH_PERP,
  type Intent,
  limitAt,
  liveMicrosPerLot,
  movePpm,
  type Strategy,
  type TraderView,
  take,
  WBTC,
  WETH,
} from './strategy.ts';

const isFlat = (view: TraderView): boolean => view.account.slots.every((slot) => slot.size === 0n);

/** Lots worth `sharePpm` of the account's equity at the live price; 0 without equity. */
function lotsForShare(view: TraderView, instrumentId: number, sharePpm: bigint): bigint {
  const equity = equityMicros(view.account, view.table);
  if (equity <= 0n) return 0n;
  return (equity * sharePpm) / 1_000_000n / liveMicrosPerLot(view, instrumentId);
}

/** As large as initial margin lets it be, less 2 %, so that a small move before the fill does not refuse it. */
function largestBuy(view: TraderView, instrumentId: number): bigint {
  const limit = limitAt(liveMicrosPerLot(view, instrumentId), 6_000n, 'buy');
  return (largestOrderLots(view.account, view.table, instrumentId, 'buy', limit) * 98n) / 100n;
}

const BOUNCE_PPM = 40_000n;

/** A sharp bounce that holds for one more minute is a bottom, it thinks. It is all in and has no stop. */
export const dipBuyer: Strategy = {
  name: 'dip buyer',
  idea: 'buys the first bounce with all the leverage it gets',
  intents: (view) => {
    const bounced = movePpm(view, ETH_PERP, 2) - movePpm(view, ETH_PERP, 1) > BOUNCE_PPM;
    const held = movePpm(view, ETH_PERP, 1) > -10_000n;
    if (!bounced || !held || !isFlat(view)) return [];
    return take(view, ETH_PERP, 'buy', largestBuy(view, ETH_PERP));
  },
};

const RISING_BARS = 5;

/** Five rising minutes are a trend, it thinks; all in once more. */
export const reboundBuyer: Strategy = {
  name: 'rebound buyer',
  idea: 'buys after five rising minutes with all the leverage it gets',
  intents: (view) => {
    const last = view.feed.slice(-RISING_BARS - 1);
    const isRising = last.length > RISING_BARS && last.every((bar, i) => i === 0 || bar[1] > last[i - 1][1]);
    if (!isRising || !isFlat(view)) return [];
    return take(view, ETH_PERP, 'buy', largestBuy(view, ETH_PERP));
  },
};

/** Brings WETH, buys more of it on credit and a perp on top: everything it owns and owes is one bet. */
export const collateralLong: Strategy = {
  name: 'WETH holder',
  idea: 'WETH as collateral, more WETH on credit, and long ETH-PERP',
  intents: (view) => {
    const held = view.account.spot[WETH - 1];
    if (view.age === 0) return take(view, WETH, 'buy', (held * 33n) / 100n);
    if (view.age === 1) return take(view, ETH_PERP, 'buy', held);
    return [];
  },
};

const TREND_BARS = 3;

/** Sells weakness, takes half off after a sharp bounce, and takes money home once it has won. */
export function trendSeller(depositMicros: bigint): Strategy {
  return {
    name: 'trend seller',
    idea: 'sells BTC-PERP into weakness, buys half back on a bounce, withdraws its profit',
    intents: (view) => {
      const position = sizeOf(view.account, BTC_PERP);
      if (movePpm(view, BTC_PERP, 1) > 20_000n && position < 0n) {
        return take(view, BTC_PERP, 'buy', (-position + 1n) / 2n, true);
      }
      const profit = withdrawableMicros(view.account, view.table) - depositMicros / 2n;
      if (view.age > 16 && profit > depositMicros / 50n) return [{ kind: 'withdraw', amountMicros: profit }];
      const isWeak = movePpm(view, BTC_PERP, TREND_BARS) < -12_000n;
      const step = lotsForShare(view, BTC_PERP, 400_000n);
      const room = lotsForShare(view, BTC_PERP, 1_500_000n) + position;
      return isWeak && 2n * room > step ? take(view, BTC_PERP, 'sell', min(room, step)) : [];
    },
  };
}

/** Owns WBTC and shorts as much of the perp; sells some of both when the perp has earned it. */
export const hedger: Strategy = {
  name: 'hedger',
  idea: 'holds WBTC and is short BTC-PERP against it',
  intents: (view) => {
    const gap = view.account.spot[WBTC - 1] + sizeOf(view.account, BTC_PERP);
    if (gap > 0n) return take(view, BTC_PERP, 'sell', gap);
    if (view.age > 0 && view.age % 12 === 0)
      return take(view, WBTC, 'sell', view.account.spot[WBTC - 1] / 5n);
    return gap < 0n ? take(view, BTC_PERP, 'buy', -gap, true) : [];
  },
};

/** The same small amount on a schedule, whatever the price. */
export const saver: Strategy = {
  name: 'saver',
  idea: 'buys a little BTC and a little WETH by turns, without debt',
  intents: (view) =>
    view.age % 2 === 0
      ? take(view, BTC_PERP, 'buy', lotsForShare(view, BTC_PERP, 25_000n))
      : take(view, WETH, 'buy', lotsForShare(view, WETH, 25_000n)),
};

/** Fades every sharp minute in ETH and goes home flat after the next. */
export const fader: Strategy = {
  name: 'fader',
  idea: 'trades against each sharp minute in ETH-PERP, small',
  intents: (view) => {
    const position = sizeOf(view.account, ETH_PERP);
    const move = movePpm(view, ETH_PERP, 1);
    const size = lotsForShare(view, ETH_PERP, 200_000n);
    if (position !== 0n) return take(view, ETH_PERP, position > 0n ? 'sell' : 'buy', abs(position), true);
    if (abs(move) < 10_000n) return [];
    return take(view, ETH_PERP, move > 0n ? 'sell' : 'buy', size);
  },
};

/** Thinks ETH falls more than BTC: equal money on both sides, a little more each time. */
export const pairTrader: Strategy = {
  name: 'pair trader',
  idea: 'long BTC-PERP, short ETH-PERP, equal money',
  intents: (view): Intent[] => {
    const exposure = abs(sizeOf(view.account, BTC_PERP)) * liveMicrosPerLot(view, BTC_PERP);
    if (exposure > 2n * equityMicros(view.account, view.table)) return [];
    return [
      ...take(view, BTC_PERP, 'buy', lotsForShare(view, BTC_PERP, 300_000n)),
      ...take(view, ETH_PERP, 'sell', lotsForShare(view, ETH_PERP, 300_000n)),
    ];
  },
};
