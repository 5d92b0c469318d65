/**
 * What netting is worth: an account's margin beside the sum of the margins its legs would need one by one. Of the
 * leaf and the round's table alone, like everything in client/margin.
 */
import { type Account, emptyAccount, sizeOf } from '#protocol/account.ts';
import { InputError } from '#protocol/errors.ts';
import type { RiskTable } from '#protocol/instrument.ts';
import { SPOT_SLOTS, STANDARD_SHAPE, type StateShape } from '#protocol/limits.ts';
import { type AccountMargin, heldInstruments, marginOf, unlistedHolding } from '#protocol/risk/margin.ts';
import type { Lots, Micros } from '#protocol/units.ts';

/** One position on its own. */
export interface LegMargin {
  readonly instrumentId: number;
  readonly sizeLots: Lots;
  readonly initialMarginMicrosUp: Micros;
  readonly maintenanceMarginMicrosUp: Micros;
}

export interface PortfolioMargin {
  readonly margin: AccountMargin;
  /** Spot first, then by slot. */
  readonly legs: readonly LegMargin[];
  readonly legsInitialMarginMicros: Micros;
  readonly legsMaintenanceMarginMicros: Micros;
}

/** Nothing but one of the account's positions. Margin does not depend on cash. */
function aloneWith(account: Account, instrumentId: number, shape: StateShape): Account {
  const nothing = emptyAccount(shape);
  const size = sizeOf(account, instrumentId);
  if (instrumentId <= SPOT_SLOTS) {
    return { ...nothing, spot: nothing.spot.map((none, i) => (i + 1 === instrumentId ? size : none)) };
  }
  return {
    ...nothing,
    slots: nothing.slots.map((slot, i) => (i === 0 ? { instrumentId, size } : slot)),
  };
}

/** @throws InputError when the account holds something that the round does not list */
export function portfolioMargin(
  account: Account,
  table: RiskTable,
  shape: StateShape = STANDARD_SHAPE,
): PortfolioMargin {
  const unlisted = unlistedHolding(account, table);
  if (unlisted !== undefined) throw new InputError('instrumentId', unlisted, 'not listed in this round');
  const legs = heldInstruments(account).map((instrumentId): LegMargin => {
    const alone = marginOf(aloneWith(account, instrumentId, shape), table, shape);
    return {
      instrumentId,
      sizeLots: sizeOf(account, instrumentId) as Lots,
      initialMarginMicrosUp: alone.initialMarginMicrosUp,
      maintenanceMarginMicrosUp: alone.maintenanceMarginMicrosUp,
    };
  });
  const sumOf = (amount: (leg: LegMargin) => bigint): Micros =>
    legs.reduce((sum, leg) => sum + amount(leg), 0n) as Micros;
  return {
    margin: marginOf(account, table, shape),
    legs,
    legsInitialMarginMicros: sumOf((leg) => leg.initialMarginMicrosUp),
    legsMaintenanceMarginMicros: sumOf((leg) => leg.maintenanceMarginMicrosUp),
  };
}
