/** The risk table of a market plan at a round: what signers would report of its surface, without signers. */
import type { RiskTable } from '#protocol/instrument.ts';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import {
  DEFAULT_OPTION_PARAMETERS,
  DEFAULT_UNDERLYING_PARAMETERS,
  defaultSegments,
} from '#protocol/risk/default-registry.ts';
import {
  applyRound,
  initialOracleState,
  type RoundValues,
  riskRoundInputs,
} from '#protocol/risk/oracle-state.ts';
import { placesOfAll } from '#protocol/risk/registry.ts';
import { buildRiskTable, type RiskRoundInputs } from '#protocol/risk/round.ts';
import type { MarketPlan } from '#sequencer/main-job/plan.ts';
import type { Step } from '#sequencer/main-job/replay.ts';
import { readChains } from '#sequencer/market-data/option-chain.ts';
import { surfaceReport, watchedBlocks } from '#sequencer/oracle-signer/surface-report.ts';

const SEGMENTS = defaultSegments(STANDARD_SHAPE);
const CHAINS = readChains();
/** docs/margin.md. */
const ADD_ON_UNIT_DOLLARS = [10_000_000n, 5_000_000n];

export function planInputs({ listing }: MarketPlan, values: RoundValues): RiskRoundInputs {
  const inputs = riskRoundInputs(values, listing.registry, SEGMENTS, DEFAULT_OPTION_PARAMETERS);
  const index = values.underlyings.map(({ indexMicros }) => indexMicros);
  const blocks = watchedBlocks(listing.registry, SEGMENTS);
  const { basisPpb, volPpm } = surfaceReport(CHAINS, blocks, index, values.timeSec);
  const places = placesOfAll(SEGMENTS);
  const strikes = places.filter(({ kind }) => kind === 'strike');
  return {
    ...inputs,
    underlyings: inputs.underlyings.map((underlying, u) => ({
      ...underlying,
      addOnUnitDollars: ADD_ON_UNIT_DOLLARS[u],
    })),
    places: inputs.places.map((listed, i) => {
      if (listed === undefined) return undefined;
      const { kind, block } = places[i];
      if (kind === 'future') return { ...listed, premiumPpb: basisPpb[block] };
      return kind === 'strike' ? { ...listed, volPpm: volPpm[strikes.indexOf(places[i])] } : listed;
    }),
  };
}

/** The table that a round of this step's prices has, were it the first of its oracle. */
export function firstTable(plan: MarketPlan, { oracleBar }: Step): RiskTable {
  const { closeMicros: indexMicros, closeSec: timeSec } = oracleBar;
  const oracle = initialOracleState(DEFAULT_UNDERLYING_PARAMETERS, indexMicros, timeSec - 60n);
  const medians = { timeSec, indexMicros, premiumPpm: [0n, 0n] };
  return planTable(plan, applyRound(oracle, medians, DEFAULT_UNDERLYING_PARAMETERS, 1).values);
}

export const planTable = (plan: MarketPlan, values: RoundValues): RiskTable =>
  buildRiskTable(planInputs(plan, values), STANDARD_SHAPE);
