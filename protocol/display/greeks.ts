/**
 * Implied volatility and Greeks of instruments and portfolios. Computed in double precision and for display only: no
 * rule reads them, margin is `risk/margin`.
 *
 * Greeks of one lot are rounded to whole micros, those of a position are its size times them, those of an underlying
 * the sum over positions: so what is shown of parts adds up exactly. Of a long lot:
 * - `delta`: gain per whole rise of the forward, to first order; a hundredth of it for 1 %.
 * - `gamma…PerPercent`: by how much delta's rate changes when the forward moves 1 %: F²·Γ/100.
 * - `vega…PerVolPoint`: gain when volatility rises by one point (0.01 of a year's).
 * - `theta…PerDay`: gain by a day that passes with nothing else moving; never positive for a long option.
 */
import { invariant } from '../errors.ts';
import { type RiskRow, UNDERLYINGS } from '../instrument.ts';
import { markPerLotNearest } from '../risk/linear-price.ts';
import type { Holding } from '../risk/margin.ts';
import { shockedVols } from '../risk/option/vol-shock.ts';
import { blocksOf, type RiskRoundInputs } from '../risk/round.ts';
import { YEAR_SEC } from '../risk/terms.ts';
import { type Lots, type Micros, type MicrosPerLot, microsPerLot } from '../units.ts';
import { blackGreeks, type OptionKind, type OptionTerms } from './black76.ts';

const PPM_ONE = 1e6;
const DAYS_PER_YEAR = 365;
const PERCENT = 100;

/** What a round priced an option with: its row says what came of it. */
export interface OptionQuote {
  readonly instrumentId: number;
  readonly kind: OptionKind;
  readonly forwardMicrosPerLot: MicrosPerLot;
  readonly strikeMicrosPerLot: MicrosPerLot;
  /** Until expiry, at least the hour that an option is margined with. */
  readonly timeSec: bigint;
  /** Of a year; floor and cap of the round included. */
  readonly volPpm: bigint;
}

export interface LotGreeks {
  readonly deltaMicrosPerLot: bigint;
  readonly gammaMicrosPerLotPerPercent: bigint;
  readonly vegaMicrosPerLotPerVolPoint: bigint;
  readonly thetaMicrosPerLotPerDay: bigint;
}

/** One lot of an instrument at a round. */
export interface InstrumentGreeks extends LotGreeks {
  /** Undefined but for options that are not settled. */
  readonly impliedVolPpm: bigint | undefined;
}

export interface PortfolioGreeks {
  readonly deltaMicros: bigint;
  readonly gammaMicrosPerPercent: bigint;
  readonly vegaMicrosPerVolPoint: bigint;
  readonly thetaMicrosPerDay: bigint;
}

export interface PositionGreeks extends PortfolioGreeks {
  readonly instrumentId: number;
  readonly underlying: number;
  /** Signed. */
  readonly sizeLots: Lots;
  readonly isSettled: boolean;
  /** Of the proved row, as is the value. */
  readonly markMicrosPerLot: MicrosPerLot;
  readonly valueMicros: Micros;
  readonly impliedVolPpm: bigint | undefined;
}

export interface UnderlyingGreeks extends PortfolioGreeks {
  readonly underlying: number;
}

/** Every option of a round that is not settled. */
export function optionQuotes(inputs: RiskRoundInputs): OptionQuote[] {
  return blocksOf(inputs).flatMap((block) => {
    if (block === undefined || block.settlementMicros !== 0n) return [];
    const { entry, premiumPpb } = block.future;
    const { indexMicros } = inputs.underlyings[entry.underlying];
    const forwardMicrosPerLot = markPerLotNearest(indexMicros, entry.lotE8, premiumPpb);
    return block.strikes.flatMap(({ listed }): OptionQuote[] => {
      const shared = {
        forwardMicrosPerLot,
        strikeMicrosPerLot: microsPerLot(listed.entry.strikeMicrosPerLot),
        timeSec: block.terms.timeSec,
        volPpm: shockedVols(listed.volPpm, block.terms).same,
      };
      const callId = listed.entry.id;
      return [
        { instrumentId: callId, kind: 'call', ...shared },
        { instrumentId: callId + 1, kind: 'put', ...shared },
      ];
    });
  });
}

/** Terms as the formula takes them: prices in micros per lot. */
export const termsOf = (quote: OptionQuote): OptionTerms => ({
  kind: quote.kind,
  forward: Number(quote.forwardMicrosPerLot),
  strike: Number(quote.strikeMicrosPerLot),
  years: Number(quote.timeSec) / Number(YEAR_SEC),
});

export const volOf = ({ volPpm }: OptionQuote): number => Number(volPpm) / PPM_ONE;

const nearest = (value: number): bigint => BigInt(Math.round(value));

/** Of one long lot. */
export function optionGreeks(quote: OptionQuote): LotGreeks {
  const terms = termsOf(quote);
  const { delta, gamma, vega, theta } = blackGreeks(terms, volOf(quote));
  return {
    deltaMicrosPerLot: nearest(terms.forward * delta),
    gammaMicrosPerLotPerPercent: nearest((terms.forward ** 2 * gamma) / PERCENT),
    vegaMicrosPerLotPerVolPoint: nearest(vega / PERCENT),
    thetaMicrosPerLotPerDay: nearest(theta / DAYS_PER_YEAR),
  };
}

/** Of anything a round lists: what is linear has delta alone, what is settled has nothing. */
export function instrumentGreeks(row: RiskRow, quotes: readonly OptionQuote[]): InstrumentGreeks {
  const quote = row.isSettled
    ? undefined
    : quotes.find(({ instrumentId }) => instrumentId === row.instrumentId);
  if (quote !== undefined) return { impliedVolPpm: quote.volPpm, ...optionGreeks(quote) };
  invariant(row.pairLosses.length === 0, 'a round comes with the quote of every option that is not settled');
  return {
    impliedVolPpm: undefined,
    deltaMicrosPerLot: row.delta,
    gammaMicrosPerLotPerPercent: 0n,
    vegaMicrosPerLotPerVolPoint: 0n,
    thetaMicrosPerLotPerDay: 0n,
  };
}

function positionGreeks({ row, size }: Holding, quotes: readonly OptionQuote[]): PositionGreeks {
  const ofOneLot = instrumentGreeks(row, quotes);
  return {
    instrumentId: row.instrumentId,
    underlying: row.underlying,
    sizeLots: size,
    isSettled: row.isSettled,
    markMicrosPerLot: row.mark,
    valueMicros: (size * row.mark) as Micros,
    impliedVolPpm: ofOneLot.impliedVolPpm,
    deltaMicros: size * ofOneLot.deltaMicrosPerLot,
    gammaMicrosPerPercent: size * ofOneLot.gammaMicrosPerLotPerPercent,
    vegaMicrosPerVolPoint: size * ofOneLot.vegaMicrosPerLotPerVolPoint,
    thetaMicrosPerDay: size * ofOneLot.thetaMicrosPerLotPerDay,
  };
}

/**
 * Of everything held, spot included, and summed by underlying in the order of UNDERLYINGS: deltas of different coins
 * do not add up. @param quotes of the round that the rows are of
 */
export function portfolioGreeks(holdings: readonly Holding[], quotes: readonly OptionQuote[]) {
  const positions = holdings.map((holding) => positionGreeks(holding, quotes));
  const byUnderlying = UNDERLYINGS.map((_, underlying): UnderlyingGreeks => {
    const own = positions.filter((position) => position.underlying === underlying);
    const sum = (name: keyof PortfolioGreeks) => own.reduce((total, position) => total + position[name], 0n);
    return {
      underlying,
      deltaMicros: sum('deltaMicros'),
      gammaMicrosPerPercent: sum('gammaMicrosPerPercent'),
      vegaMicrosPerVolPoint: sum('vegaMicrosPerVolPoint'),
      thetaMicrosPerDay: sum('thetaMicrosPerDay'),
    };
  });
  return { positions, byUnderlying };
}
