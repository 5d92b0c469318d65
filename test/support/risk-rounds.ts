import { STANDARD_SHAPE } from '#protocol/limits.ts';
import {
  DEFAULT_OPTION_PARAMETERS,
  DEFAULT_REGISTRY,
  DEFAULT_UNDERLYING_PARAMETERS,
  defaultSegments,
} from '#protocol/risk/default-registry.ts';
import { fundingIndexPerLotNearest } from '#protocol/risk/oracle-state.ts';
import type { Registry, RegistryEntry, SegmentGeometry } from '#protocol/risk/registry.ts';
import type { PlaceRound, RiskRoundInputs, UnderlyingRound } from '#protocol/risk/round.ts';
import { microsPerLot } from '#protocol/units.ts';

/** What a test may say of a round; the rest is the default registry at rest. */
export interface RoundChoices {
  premiumPpm?: readonly bigint[];
  scanRangePpm?: readonly bigint[];
  scanFactorE9?: readonly bigint[];
  fundingMicrosPerCoin?: readonly bigint[];
  registry?: Registry;
  segments?: readonly SegmentGeometry[];
  /** Forward over index − 1, for every block in turn. */
  basisPpb?: readonly bigint[];
  /** Implied volatility of every option by the id of its call. */
  volPpm?: (callId: number) => bigint;
  /** Index price of one coin at which a block is settled, for every block in use in turn; 0 until then. */
  settlementMicros?: readonly bigint[];
}

export const ROUND_TIME_SEC = 1_700_000_000n;
const VOL_PPM = 620_000n;

export function roundOf(price: { btc: bigint; eth: bigint }, choices: RoundChoices = {}): RiskRoundInputs {
  const registry = choices.registry ?? DEFAULT_REGISTRY;
  const futures = registry.filter((entry) => entry?.kind === 'future');
  const placeOf = (entry: RegistryEntry): PlaceRound => {
    const { kind, underlying, lotE8, id } = entry;
    const premiumPpb = {
      spot: 0n,
      option: 0n,
      perp: 1000n * (choices.premiumPpm?.[underlying] ?? 0n),
      future: choices.basisPpb?.[futures.indexOf(entry)] ?? 0n,
    }[kind];
    return {
      entry,
      premiumPpb,
      fundingIndexMicrosPerLot:
        kind === 'perp'
          ? fundingIndexPerLotNearest(choices.fundingMicrosPerCoin?.[underlying] ?? 0n, lotE8)
          : microsPerLot(0n),
      volPpm: kind === 'option' ? (choices.volPpm?.(id) ?? VOL_PPM) : 0n,
      settlementMicros: choices.settlementMicros?.[futures.indexOf(entry)] ?? 0n,
    };
  };
  return {
    roundNumber: 7n,
    timeSec: ROUND_TIME_SEC,
    isJump: false,
    esCount: 1,
    underlyings: [price.btc, price.eth].map((indexMicros, u) => ({
      indexMicros,
      scanRangePpm: choices.scanRangePpm?.[u] ?? DEFAULT_UNDERLYING_PARAMETERS[u].baseScanRangePpm,
      scanFactorE9: choices.scanFactorE9?.[u] ?? 1_000_000_000n,
      options: DEFAULT_OPTION_PARAMETERS[u],
    })),
    segments: choices.segments ?? defaultSegments(STANDARD_SHAPE),
    places: registry.map((entry) => (entry === undefined ? undefined : placeOf(entry))),
  };
}

export function changedPlace(
  round: RiskRoundInputs,
  place: number,
  change: Partial<Omit<PlaceRound, 'entry'>>,
): RiskRoundInputs {
  const places = round.places.map((listed, i) => (i === place && listed ? { ...listed, ...change } : listed));
  return { ...round, places };
}

export function changedInstrument(
  round: RiskRoundInputs,
  place: number,
  change: Partial<RegistryEntry>,
): RiskRoundInputs {
  const places = round.places.map((listed, i) =>
    i === place && listed ? { ...listed, entry: { ...listed.entry, ...change } } : listed,
  );
  return { ...round, places };
}

export function changedUnderlying(
  round: RiskRoundInputs,
  underlying: number,
  change: Partial<UnderlyingRound>,
): RiskRoundInputs {
  const underlyings = round.underlyings.map((values, u) =>
    u === underlying ? { ...values, ...change } : values,
  );
  return { ...round, underlyings };
}
