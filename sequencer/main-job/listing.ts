/** What this market lists, derived from the registry that is deployed: one home for lots and caps. */
import type { Instrument } from '#protocol/instrument.ts';
import { UNDERLYINGS } from '#protocol/instrument.ts';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { DEFAULT_REGISTRY, defaultSegments } from '#protocol/risk/default-registry.ts';
import { marketSlotsById, type RegistryEntry } from '#protocol/risk/registry.ts';
import { lots } from '#protocol/units.ts';
import { TICK_MICROS_PER_LOT, WBTC } from './strategies/strategy.ts';

/** 10 WBTC: one account's cap, so that a deposit beyond it can be shown to come back. */
const WBTC_POSITION_CAP_LOTS = 10_000n;

export const REGISTRY: readonly RegistryEntry[] = DEFAULT_REGISTRY.map((entry) =>
  entry.id === WBTC ? { ...entry, positionCap: lots(WBTC_POSITION_CAP_LOTS) } : entry,
);

/** Market slots by instrument id. */
export const MARKET_SLOTS: ReadonlyMap<number, number> = marketSlotsById(
  REGISTRY,
  defaultSegments(STANDARD_SHAPE),
);

const symbolOf = (entry: RegistryEntry): string =>
  entry.kind === 'spot' ? `W${UNDERLYINGS[entry.underlying]}` : `${UNDERLYINGS[entry.underlying]}-PERP`;

export const INSTRUMENTS: readonly Instrument[] = REGISTRY.map((entry) => ({
  id: entry.id,
  symbol: symbolOf(entry),
  kind: entry.kind === 'spot' ? 'spot' : 'perp',
  underlying: entry.underlying,
  marketSlot: MARKET_SLOTS.get(entry.id) as number,
  lotE8: entry.lotE8,
  tickMicrosPerLot: TICK_MICROS_PER_LOT,
  expirySec: entry.expirySec,
  strikeMicrosPerLot: 0n,
}));

export const symbolById = (instrumentId: number): string =>
  INSTRUMENTS.find((instrument) => instrument.id === instrumentId)?.symbol ?? `#${instrumentId}`;

/** Live price of one lot of each instrument: the perpetual of this market is quoted at the index. */
export const liveMarks = (closeMicros: readonly bigint[]) =>
  INSTRUMENTS.map(({ id, underlying, lotE8 }) => ({
    instrumentId: id,
    markMicrosPerLot: (closeMicros[underlying] * lotE8) / 100_000_000n,
  }));
