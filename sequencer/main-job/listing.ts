/** What a market lists, derived from the registry that is deployed: one home for symbols, lots and caps. */
import { type Instrument, type InstrumentKind, UNDERLYINGS } from '#protocol/instrument.ts';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { DEFAULT_REGISTRY, defaultSegments } from '#protocol/risk/default-registry.ts';
import {
  marketSlotsById,
  type Registry,
  type RegistryEntry,
  type SegmentGeometry,
} from '#protocol/risk/registry.ts';
import { lots } from '#protocol/units.ts';
import { TICK_MICROS_PER_LOT, WBTC } from './strategies/strategy.ts';

const COIN_E8 = 100_000_000n;
const MICROS = 1_000_000n;
/** 10 WBTC: one account's cap, so that a deposit beyond it can be shown to come back. */
const WBTC_POSITION_CAP_LOTS = 10_000n;

/** Spot and perpetual of both underlyings: what every market lists. */
export const LINEAR_REGISTRY: readonly RegistryEntry[] = DEFAULT_REGISTRY.map((entry) =>
  entry.id === WBTC ? { ...entry, positionCap: lots(WBTC_POSITION_CAP_LOTS) } : entry,
);

/** '6FEB26', as exchanges write the day of an expiry. */
function dayOf(expirySec: bigint): string {
  const [, day, month, year] = new Date(Number(expirySec) * 1000).toUTCString().split(' ');
  return `${Number(day)}${month.toUpperCase()}${year.slice(2)}`;
}

function symbolOf({ underlying, expirySec, strikeMicrosPerLot, lotE8 }: RegistryEntry, kind: InstrumentKind) {
  const coin = UNDERLYINGS[underlying];
  if (kind === 'spot') return `W${coin}`;
  if (kind === 'perp') return `${coin}-PERP`;
  const dated = `${coin}-${dayOf(expirySec)}`;
  if (kind === 'future') return dated;
  return `${dated}-${(strikeMicrosPerLot * COIN_E8) / lotE8 / MICROS}-${kind === 'call' ? 'C' : 'P'}`;
}

function instrumentsOf(entry: RegistryEntry, marketSlots: ReadonlyMap<number, number>): Instrument[] {
  const { underlying, lotE8, expirySec, strikeMicrosPerLot } = entry;
  const instrument = (id: number, kind: InstrumentKind): Instrument => ({
    id,
    symbol: symbolOf(entry, kind),
    kind,
    underlying,
    marketSlot: marketSlots.get(id) as number,
    lotE8,
    tickMicrosPerLot: TICK_MICROS_PER_LOT,
    expirySec,
    strikeMicrosPerLot,
  });
  return entry.kind === 'option'
    ? [instrument(entry.id, 'call'), instrument(entry.id + 1, 'put')]
    : [instrument(entry.id, entry.kind)];
}

/** A registry and what follows from it. */
export class Listing {
  /** By place of the risk circuit. */
  readonly registry: Registry;
  readonly instruments: readonly Instrument[];
  /** By instrument id. */
  readonly marketSlots: ReadonlyMap<number, number>;

  constructor(registry: Registry, segments: readonly SegmentGeometry[] = defaultSegments(STANDARD_SHAPE)) {
    this.registry = registry;
    this.marketSlots = marketSlotsById(registry, segments);
    this.instruments = registry.flatMap((entry) =>
      entry === undefined ? [] : instrumentsOf(entry, this.marketSlots),
    );
  }

  #find(instrumentId: number): Instrument | undefined {
    return this.instruments.find(({ id }) => id === instrumentId);
  }

  symbolOf(instrumentId: number): string {
    return this.#find(instrumentId)?.symbol ?? `#${instrumentId}`;
  }

  /** One coin for what is not listed. */
  lotE8Of(instrumentId: number): bigint {
    return this.#find(instrumentId)?.lotE8 ?? COIN_E8;
  }
}

export const LINEAR_LISTING = new Listing(LINEAR_REGISTRY);
