/** The rounds of a market plan without signers: what the honest would report, and the table it makes. */
import { type OptionQuote, optionQuotes } from '#protocol/display/greeks.ts';
import type { RiskTable } from '#protocol/instrument.ts';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { DEFAULT_UNDERLYING_PARAMETERS, defaultSegments } from '#protocol/risk/default-registry.ts';
import {
  applyRound,
  initialOracleState,
  type OracleState,
  riskRoundInputs,
} from '#protocol/risk/oracle-state.ts';
import { blockListings } from '#protocol/risk/oracle-surface.ts';
import type { Registry } from '#protocol/risk/registry.ts';
import { buildRiskTable } from '#protocol/risk/round.ts';
import type { MarketPlan } from '#sequencer/main-job/plan.ts';
import type { Step } from '#sequencer/main-job/replay.ts';
import type { Bar } from '#sequencer/market-data/bars.ts';
import { readChains } from '#sequencer/market-data/option-chain.ts';
import { surfaceReport } from '#sequencer/oracle-signer/surface-report.ts';

const SEGMENTS = defaultSegments(STANDARD_SHAPE);
const CHAINS = readChains();

export function planRound(
  registry: Registry,
  oracle: OracleState,
  { closeSec: timeSec, closeMicros: indexMicros }: Bar,
): { readonly state: OracleState; readonly table: RiskTable; readonly quotes: readonly OptionQuote[] } {
  const blocks = blockListings(registry, SEGMENTS);
  const surface = surfaceReport(CHAINS, blocks, indexMicros, timeSec);
  const medians = { timeSec, indexMicros, premiumPpm: [0n, 0n], ...surface };
  const { state, values } = applyRound(oracle, medians, DEFAULT_UNDERLYING_PARAMETERS, 1, blocks);
  const inputs = riskRoundInputs(values, registry, SEGMENTS);
  return { state, table: buildRiskTable(inputs, STANDARD_SHAPE), quotes: optionQuotes(inputs) };
}

/** The table of this step's prices, were it the first round of its oracle. */
export function firstTable(plan: MarketPlan, { oracleBar }: Step): RiskTable {
  const oracle = initialOracleState(
    DEFAULT_UNDERLYING_PARAMETERS,
    oracleBar.closeMicros,
    oracleBar.closeSec - 60n,
  );
  return planRound(plan.listing.registry, oracle, oracleBar).table;
}
