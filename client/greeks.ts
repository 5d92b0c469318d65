/**
 * Greeks and scenario losses of options and portfolios from public data: the round's inputs (the oracle's events), its
 * table, the account's leaf. In double precision and for display only: margin is `protocol/risk/margin`.
 *
 * Units, all of a long position of the given size and additive over positions of one underlying:
 * - `valueDollars`: at the model's price.
 * - `deltaDollars`: dollars gained per whole rise of the forward, to first order; a hundredth of it for 1 %.
 * - `gammaDollarsPerPercent`: by how many dollars deltaDollars' rate changes when the forward moves 1 %: F²·Γ/100.
 * - `vegaDollarsPerVolPoint`: dollars gained when volatility rises by one point (0.01 of a year's).
 * - `thetaDollarsPerDay`: dollars gained by a day that passes with nothing else moving; negative for a long option.
 */
import type { Account } from '#protocol/account.ts';
import { InputError } from '#protocol/errors.ts';
import { type RiskTable, UNDERLYINGS } from '#protocol/instrument.ts';
import { STANDARD_SHAPE, type StateShape } from '#protocol/limits.ts';
import { markPerLotNearest } from '#protocol/risk/linear-price.ts';
import { holdingsOf, lossVector } from '#protocol/risk/margin.ts';
import { shockedVols } from '#protocol/risk/option/vol-shock.ts';
import { blocksOf, type RiskRoundInputs } from '#protocol/risk/round.ts';
import { YEAR_SEC } from '#protocol/risk/terms.ts';
import type { Micros } from '#protocol/units.ts';
import { blackGreeks, type OptionTerms } from './black76.ts';

export { impliedVol } from './black76.ts';

const MICROS_PER_DOLLAR = 1e6;
const PPM_ONE = 1e6;
const DAYS_PER_YEAR = 365;
const PERCENT = 100;

export interface DollarGreeks {
  readonly valueDollars: number;
  readonly deltaDollars: number;
  readonly gammaDollarsPerPercent: number;
  readonly vegaDollarsPerVolPoint: number;
  readonly thetaDollarsPerDay: number;
}

export interface PositionGreeks extends DollarGreeks {
  readonly instrumentId: number;
  readonly underlying: number;
  /** Signed. */
  readonly sizeLots: bigint;
}

export interface PortfolioGreeks {
  readonly positions: readonly PositionGreeks[];
  /** Sums, in the order of UNDERLYINGS: deltas of different coins do not add up. */
  readonly byUnderlying: readonly DollarGreeks[];
  /** What the account loses in every scenario of the margin rule; loss +. Exact. */
  readonly scenarioLossMicros: readonly Micros[];
}

/** An option of a round as it is priced: dollars per lot, years, volatility as a fraction. */
export interface QuotedOption {
  readonly terms: OptionTerms;
  readonly vol: number;
}

const dollarsOf = (micros: bigint): number => Number(micros) / MICROS_PER_DOLLAR;

/** Every listed option of a round by instrument id, at the volatility and time that its row was priced with. */
export function quotedOptions(inputs: RiskRoundInputs): Map<number, QuotedOption> {
  const quoted = new Map<number, QuotedOption>();
  for (const block of blocksOf(inputs)) {
    if (block === undefined) continue;
    const { entry, premiumPpb } = block.future;
    const { indexMicros } = inputs.underlyings[entry.underlying];
    const forward = dollarsOf(markPerLotNearest(indexMicros, entry.lotE8, premiumPpb));
    const years = Number(block.terms.timeSec) / Number(YEAR_SEC);
    for (const { listed } of block.strikes) {
      const strike = dollarsOf(listed.entry.strikeMicrosPerLot);
      const vol = Number(shockedVols(listed.volPpm, block.terms).same) / PPM_ONE;
      quoted.set(listed.entry.id, { terms: { kind: 'call', forward, strike, years }, vol });
      quoted.set(listed.entry.id + 1, { terms: { kind: 'put', forward, strike, years }, vol });
    }
  }
  return quoted;
}

/** Of one long lot. */
export function optionGreeks({ terms, vol }: QuotedOption): DollarGreeks {
  const { price, delta, gamma, vega, theta } = blackGreeks(terms, vol);
  return {
    valueDollars: price,
    deltaDollars: terms.forward * delta,
    gammaDollarsPerPercent: (terms.forward ** 2 * gamma) / PERCENT,
    vegaDollarsPerVolPoint: vega / PERCENT,
    thetaDollarsPerDay: theta / DAYS_PER_YEAR,
  };
}

const NO_GREEKS: DollarGreeks = {
  valueDollars: 0,
  deltaDollars: 0,
  gammaDollarsPerPercent: 0,
  vegaDollarsPerVolPoint: 0,
  thetaDollarsPerDay: 0,
};

const combine = (a: DollarGreeks, b: DollarGreeks, lots: number): DollarGreeks => ({
  valueDollars: a.valueDollars + lots * b.valueDollars,
  deltaDollars: a.deltaDollars + lots * b.deltaDollars,
  gammaDollarsPerPercent: a.gammaDollarsPerPercent + lots * b.gammaDollarsPerPercent,
  vegaDollarsPerVolPoint: a.vegaDollarsPerVolPoint + lots * b.vegaDollarsPerVolPoint,
  thetaDollarsPerDay: a.thetaDollarsPerDay + lots * b.thetaDollarsPerDay,
});

/**
 * Of everything an account holds, spot included.
 * @param table of the same round, for what is linear and for the scenario losses
 * @throws InputError when table and inputs are of different rounds
 */
export function portfolioGreeks(
  account: Account,
  inputs: RiskRoundInputs,
  table: RiskTable,
  shape: StateShape = STANDARD_SHAPE,
): PortfolioGreeks {
  if (inputs.roundNumber !== table.roundNumber)
    throw new InputError('inputs', inputs.roundNumber, `the table is of round ${table.roundNumber}`);
  const quoted = quotedOptions(inputs);
  const positions = holdingsOf(account, table).map(({ row, size }): PositionGreeks => {
    const option = quoted.get(row.instrumentId);
    const mark = dollarsOf(row.mark);
    const ofOneLot = option ? optionGreeks(option) : { ...NO_GREEKS, valueDollars: mark, deltaDollars: mark };
    return {
      instrumentId: row.instrumentId,
      underlying: row.underlying,
      sizeLots: size,
      ...combine(NO_GREEKS, ofOneLot, Number(size)),
    };
  });
  const byUnderlying = UNDERLYINGS.map((_, u) =>
    positions
      .filter(({ underlying }) => underlying === u)
      .reduce<DollarGreeks>((sum, position) => combine(sum, position, 1), NO_GREEKS),
  );
  return { positions, byUnderlying, scenarioLossMicros: lossVector(account, table, shape) };
}
