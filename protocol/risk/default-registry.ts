/** What a deployment starts with: docs/margin.md, parameters. Governance moves it from there. */
import { type StateShape, TINY_SHAPE } from '../limits.ts';
import { lots } from '../units.ts';
import type { UnderlyingParameters } from './oracle-state.ts';
import {
  type LinearKind,
  type OptionParameters,
  type RegistryEntry,
  RISK_SMALL,
  RISK_TINY,
  type SegmentGeometry,
} from './registry.ts';

const COMMON_OPTION_PARAMETERS = {
  volUpPpm: 450_000n,
  volDownPpm: 250_000n,
  rollMinPpm: 7_500n,
  rollPerYearPpm: 60_000n,
  shortImPpm: 5_000n,
  shortMmPpm: 3_000n,
  bandPpm: 5_000n,
  penaltyPpm: 1_000n,
};

/** Per underlying, in the order of UNDERLYINGS. */
export const DEFAULT_OPTION_PARAMETERS: readonly OptionParameters[] = [
  { ...COMMON_OPTION_PARAMETERS, volUpFloorPpm: 450_000n, addOnUnitDollars: 10_000_000n },
  { ...COMMON_OPTION_PARAMETERS, volUpFloorPpm: 500_000n, addOnUnitDollars: 5_000_000n },
];

/**
 * R0 and the daily volatility at which the scan range is R0. The latter is √(¾·v + ¼·v_stressed) over the daily
 * closes of April 2022 to April 2026 (Binance spot), stressed being the quarter of days with the highest trailing
 * exponentially weighted variance: 2.77 % and 3.87 %.
 */
export const DEFAULT_UNDERLYING_PARAMETERS: readonly UnderlyingParameters[] = [
  { baseScanRangePpm: 160_000n, referenceVolPpm: 28_000n, options: DEFAULT_OPTION_PARAMETERS[0] },
  { baseScanRangePpm: 180_000n, referenceVolPpm: 39_000n, options: DEFAULT_OPTION_PARAMETERS[1] },
];

/** The circuits that prove a table of a shape between them. */
export const defaultSegments = ({ marketSlots }: StateShape): readonly SegmentGeometry[] =>
  marketSlots === TINY_SHAPE.marketSlots ? [RISK_TINY] : [RISK_SMALL];

const SPOT_RATES = { chargeImPpm: 75_000n, chargeMmPpm: 50_000n };
const PERP_RATES = { chargeImPpm: 10_000n, chargeMmPpm: 6_000n };

function entry(
  id: number,
  kind: LinearKind,
  underlying: number,
  lotE8: bigint,
  caps: { openInterest: bigint; position: bigint },
): RegistryEntry {
  return {
    id,
    kind,
    underlying,
    lotE8,
    ...(kind === 'spot' ? SPOT_RATES : PERP_RATES),
    bandPpm: 10_000n,
    penaltyPpm: 10_000n,
    openInterestCap: lots(caps.openInterest),
    positionCap: lots(caps.position),
    isReduceOnly: false,
    expirySec: 0n,
    strikeMicrosPerLot: 0n,
  };
}

const BTC_LOT_E8 = 100_000n; // 0.001 BTC
const ETH_LOT_E8 = 1_000_000n; // 0.01 ETH

/** Spot and perpetual of both underlyings; ids 1, 2, 4, 5 in the first four places, market slots 0 to 3. */
export const DEFAULT_REGISTRY: readonly RegistryEntry[] = [
  entry(1, 'spot', 0, BTC_LOT_E8, { openInterest: 10_000_000n, position: 1_000_000n }),
  entry(2, 'spot', 1, ETH_LOT_E8, { openInterest: 30_000_000n, position: 3_000_000n }),
  entry(4, 'perp', 0, BTC_LOT_E8, { openInterest: 10_000_000n, position: 1_000_000n }),
  entry(5, 'perp', 1, ETH_LOT_E8, { openInterest: 30_000_000n, position: 3_000_000n }),
];
