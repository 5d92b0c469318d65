import { DEFAULT_REGISTRY, DEFAULT_UNDERLYING_PARAMETERS } from '#protocol/risk/default-registry.ts';
import { riskRoundInputs } from '#protocol/risk/oracle-state.ts';
import type { RegistryEntry, RiskRoundInputs, UnderlyingRound } from '#protocol/risk/round.ts';

/** What a test may say of a round; the rest is the default registry at rest. */
export interface RoundChoices {
  premiumPpm?: readonly bigint[];
  scanRangePpm?: readonly bigint[];
  scanFactorE9?: readonly bigint[];
  fundingMicrosPerCoin?: readonly bigint[];
  registry?: readonly RegistryEntry[];
}

export function roundOf(price: { btc: bigint; eth: bigint }, choices: RoundChoices = {}): RiskRoundInputs {
  const underlyings = [price.btc, price.eth].map((indexMicros, u) => ({
    indexMicros,
    premiumPpm: choices.premiumPpm?.[u] ?? 0n,
    scanRangePpm: choices.scanRangePpm?.[u] ?? DEFAULT_UNDERLYING_PARAMETERS[u].baseScanRangePpm,
    scanFactorE9: choices.scanFactorE9?.[u] ?? 1_000_000_000n,
    fundingMicrosPerCoin: choices.fundingMicrosPerCoin?.[u] ?? 0n,
  }));
  const values = { roundNumber: 7n, timeSec: 1_700_000_000n, isJump: false, esCount: 1, underlyings };
  return riskRoundInputs(values, choices.registry ?? DEFAULT_REGISTRY);
}

export function changedInstrument(
  round: RiskRoundInputs,
  slot: number,
  change: Partial<RegistryEntry>,
): RiskRoundInputs {
  const instruments = round.instruments.map((instrument, i) =>
    i === slot ? { ...instrument, entry: { ...instrument.entry, ...change } } : instrument,
  );
  return { ...round, instruments };
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
