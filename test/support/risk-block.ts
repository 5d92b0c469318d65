/** Rounds of the least table with options, test/fixtures/circuits/risk-block.circom. */
import { TINY_SHAPE } from '#protocol/limits.ts';
import { DEFAULT_REGISTRY } from '#protocol/risk/default-registry.ts';
import type { SegmentGeometry } from '#protocol/risk/registry.ts';
import { type RiskCircuitTask, riskProofTasks } from '#prover/witness/risk.ts';
import { type BlockListing, registryOf } from './option-registry.ts';
import { type RoundChoices, roundOf } from './risk-rounds.ts';

export const RISK_BLOCK_CIRCUIT = 'test/fixtures/circuits/risk-block.circom';
const GEOMETRY: SegmentGeometry = {
  name: 'risk-block',
  startSlot: 0,
  linear: 1,
  blocks: 1,
  strikesPerBlock: 2,
};
export const RISK_BLOCK_SHAPE = { ...TINY_SHAPE, marketSlots: 6 };

/** A bitcoin token and one block. */
export function riskBlockTask(block: BlockListing | undefined, choices: RoundChoices = {}): RiskCircuitTask {
  const round = roundOf(
    { btc: 97_123_456_789n, eth: 3_312_345_678n },
    {
      segments: [GEOMETRY],
      registry: registryOf([GEOMETRY], [block], [DEFAULT_REGISTRY[0]]),
      ...choices,
    },
  );
  return riskProofTasks(round, RISK_BLOCK_SHAPE, [7n]).segments[0];
}
