/** What the API says of instruments and portfolios at a round: marks and margin as proved, Greeks for display. */
import type {
  InstrumentGreeks,
  LotGreeks,
  PortfolioGreeks,
  PositionGreeks,
  UnderlyingGreeks,
} from '#protocol/display/greeks.ts';
import type { Instrument, InstrumentKind } from '#protocol/instrument.ts';
import type { Health } from '#protocol/risk/margin.ts';
import { lots, type Micros, type MicrosPerLot, microsPerLot } from '#protocol/units.ts';
import { flag, integer, integers, type Json, list, object, word } from './json.ts';

export interface InstrumentRisk extends InstrumentGreeks {
  readonly markMicrosPerLot: MicrosPerLot;
  readonly isSettled: boolean;
}

export interface ListedInstrument extends Instrument {
  /** Undefined where the last accepted round does not list it. */
  readonly risk: InstrumentRisk | undefined;
}

export interface PortfolioRisk {
  readonly roundNumber: bigint;
  readonly cashMicros: Micros;
  readonly equityMicros: Micros;
  readonly quoteBalanceMicros: Micros;
  readonly haircutSpotMicros: Micros;
  /** Rounded up. */
  readonly initialMarginMicros: Micros;
  readonly maintenanceMarginMicros: Micros;
  readonly health: Health;
  /** In every scenario of the margin rule; loss +. */
  readonly scenarioLossMicros: readonly Micros[];
  /** Spot first, then by slot. */
  readonly positions: readonly PositionGreeks[];
  /** In the order of UNDERLYINGS. */
  readonly byUnderlying: readonly UnderlyingGreeks[];
}

const KINDS: readonly InstrumentKind[] = ['spot', 'perp', 'future', 'call', 'put'];
const HEALTHS: readonly Health[] = ['open', 'reduce-only', 'liquidatable', 'bankrupt'];

const impliedVolOf = (body: Json): bigint | undefined =>
  body.impliedVolPpm === null ? undefined : integer(body, 'impliedVolPpm');

const lotGreeksOf = (body: Json): LotGreeks => ({
  deltaMicrosPerLot: integer(body, 'deltaMicrosPerLot'),
  gammaMicrosPerLotPerPercent: integer(body, 'gammaMicrosPerLotPerPercent'),
  vegaMicrosPerLotPerVolPoint: integer(body, 'vegaMicrosPerLotPerVolPoint'),
  thetaMicrosPerLotPerDay: integer(body, 'thetaMicrosPerLotPerDay'),
});

const greeksOf = (body: Json): PortfolioGreeks => ({
  deltaMicros: integer(body, 'deltaMicros'),
  gammaMicrosPerPercent: integer(body, 'gammaMicrosPerPercent'),
  vegaMicrosPerVolPoint: integer(body, 'vegaMicrosPerVolPoint'),
  thetaMicrosPerDay: integer(body, 'thetaMicrosPerDay'),
});

/** @throws InputError naming the field that is not what it should be */
export function listedInstrumentOf(body: Json): ListedInstrument {
  const risk = body.risk === null ? undefined : object(body, 'risk');
  return {
    id: Number(integer(body, 'id')),
    symbol: String(body.symbol),
    kind: word(body, 'kind', KINDS),
    underlying: Number(integer(body, 'underlying')),
    marketSlot: Number(integer(body, 'marketSlot')),
    lotE8: integer(body, 'lotE8'),
    tickMicrosPerLot: integer(body, 'tickMicrosPerLot'),
    expirySec: integer(body, 'expirySec'),
    strikeMicrosPerLot: integer(body, 'strikeMicrosPerLot'),
    risk: risk && {
      markMicrosPerLot: microsPerLot(integer(risk, 'markMicrosPerLot')),
      isSettled: flag(risk, 'isSettled'),
      impliedVolPpm: impliedVolOf(risk),
      ...lotGreeksOf(risk),
    },
  };
}

const positionOf = (body: Json): PositionGreeks => ({
  instrumentId: Number(integer(body, 'instrumentId')),
  underlying: Number(integer(body, 'underlying')),
  sizeLots: lots(integer(body, 'sizeLots')),
  isSettled: flag(body, 'isSettled'),
  markMicrosPerLot: microsPerLot(integer(body, 'markMicrosPerLot')),
  valueMicros: integer(body, 'valueMicros') as Micros,
  impliedVolPpm: impliedVolOf(body),
  ...greeksOf(body),
});

/**
 * @param body with the round's number; margin and Greeks lie in it or are it
 * @throws InputError naming the field that is not what it should be
 */
export function portfolioRiskOf(body: Json, margin: Json, greeks: Json): PortfolioRisk {
  const money = (field: string) => integer(margin, field) as Micros;
  return {
    roundNumber: integer(body, 'roundNumber'),
    cashMicros: money('cashMicros'),
    equityMicros: money('equityMicros'),
    quoteBalanceMicros: money('quoteBalanceMicros'),
    haircutSpotMicros: money('haircutSpotMicros'),
    initialMarginMicros: money('initialMarginMicros'),
    maintenanceMarginMicros: money('maintenanceMarginMicros'),
    health: word(margin, 'health', HEALTHS),
    scenarioLossMicros: integers(margin, 'scenarioLossMicros') as Micros[],
    positions: list(greeks, 'positions').map((position) => positionOf(position as Json)),
    byUnderlying: list(greeks, 'byUnderlying').map((sum) => ({
      underlying: Number(integer(sum as Json, 'underlying')),
      ...greeksOf(sum as Json),
    })),
  };
}
