/** A small real round: index prices of 2021-05-19 12:46 UTC (see sequencer/market-data/prices/SOURCE.md). */
import { type Account, emptyAccount } from '#protocol/account.ts';
import type { RiskTable } from '#protocol/instrument.ts';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { DEFAULT_OPTION_PARAMETERS, defaultSegments } from '#protocol/risk/default-registry.ts';
import type { LinearKind, RegistryEntry } from '#protocol/risk/registry.ts';
import { buildRiskTable } from '#protocol/risk/round.ts';
import { type Lots, type Micros, microsPerLot } from '#protocol/units.ts';

const entry = (id: number, kind: LinearKind, underlying: number): RegistryEntry => ({
  id,
  kind,
  underlying,
  lotE8: underlying === 0 ? 100_000n : 1_000_000n,
  chargeImPpm: kind === 'spot' ? 75_000n : 10_000n,
  chargeMmPpm: kind === 'spot' ? 50_000n : 6_000n,
  bandPpm: 10_000n,
  penaltyPpm: 10_000n,
  openInterestCap: (1n << 30n) as Lots,
  positionCap: 5_000n as Lots,
  isReduceOnly: false,
  expirySec: 0n,
  strikeMicrosPerLot: 0n,
});

export function crashTable(
  indexMicros: readonly [bigint, bigint] = [37_085_350_000n, 2_532_190_000n],
): RiskTable {
  const places = [entry(1, 'spot', 0), entry(2, 'spot', 1), entry(4, 'perp', 0), entry(5, 'perp', 1)].map(
    (registryEntry) => ({
      entry: registryEntry,
      premiumPpb: registryEntry.kind === 'perp' ? 500_000n : 0n,
      fundingIndexMicrosPerLot: microsPerLot(registryEntry.kind === 'perp' ? 12_345n : 0n),
      volPpm: 0n,
      settlementMicros: 0n,
    }),
  );
  const underlyings = indexMicros.map((price, i) => ({
    indexMicros: price,
    scanRangePpm: [160_000n, 180_000n][i],
    scanFactorE9: 1_000_000_000n,
    options: DEFAULT_OPTION_PARAMETERS[i],
  }));
  return buildRiskTable(
    {
      roundNumber: 1n,
      timeSec: 1_621_428_420n,
      underlyings,
      segments: defaultSegments(STANDARD_SHAPE),
      places,
      esCount: 1,
      isJump: false,
    },
    STANDARD_SHAPE,
  );
}

export const holderOf = (cashMicros: bigint, spot: readonly bigint[] = [0n, 0n, 0n]): Account => ({
  ...emptyAccount(STANDARD_SHAPE),
  cashStar: cashMicros as Micros,
  spot: spot as readonly Lots[],
});
