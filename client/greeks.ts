/**
 * Implied volatility, Greeks and scenario losses of a portfolio from public data alone: the round's inputs (the
 * oracle's events), its table, the account's leaf. For display; the sequencer's API shows the same numbers.
 */
import type { Account } from '#protocol/account.ts';
import {
  optionQuotes,
  type PositionGreeks,
  portfolioGreeks,
  type UnderlyingGreeks,
} from '#protocol/display/greeks.ts';
import { InputError } from '#protocol/errors.ts';
import type { RiskTable } from '#protocol/instrument.ts';
import { STANDARD_SHAPE, type StateShape } from '#protocol/limits.ts';
import { holdingsOf, lossVector } from '#protocol/risk/margin.ts';
import type { RiskRoundInputs } from '#protocol/risk/round.ts';
import type { Micros } from '#protocol/units.ts';

export { impliedVol } from '#protocol/display/black76.ts';
export { type OptionQuote, optionGreeks, optionQuotes } from '#protocol/display/greeks.ts';

export interface AccountGreeks {
  readonly positions: readonly PositionGreeks[];
  /** In the order of UNDERLYINGS. */
  readonly byUnderlying: readonly UnderlyingGreeks[];
  /** What the account loses in every scenario of the margin rule; loss +. Exact. */
  readonly scenarioLossMicros: readonly Micros[];
}

/** @throws InputError when table and inputs are of different rounds */
export function accountGreeks(
  account: Account,
  inputs: RiskRoundInputs,
  table: RiskTable,
  shape: StateShape = STANDARD_SHAPE,
): AccountGreeks {
  if (inputs.roundNumber !== table.roundNumber)
    throw new InputError('inputs', inputs.roundNumber, `the table is of round ${table.roundNumber}`);
  return {
    ...portfolioGreeks(holdingsOf(account, table), optionQuotes(inputs)),
    scenarioLossMicros: lossVector(account, table, shape),
  };
}
