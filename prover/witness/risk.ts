/** Inputs of the risk circuits (`circuits/risk/risk-table.circom`) for one round. */
import type { StateShape } from '#protocol/limits.ts';
import { type RiskStatements, riskStatements, type SegmentStatement } from '#protocol/risk/risk-words.ts';
import type { RiskRoundInputs } from '#protocol/risk/round.ts';

/** Signals of `template RiskTable`, as snarkjs takes them. */
export interface RiskCircuitInput {
  readonly commitment: bigint;
  readonly challenge: bigint;
  readonly evaluation: bigint;
  readonly words: readonly bigint[];
}

export interface RiskCircuitTask extends SegmentStatement {
  readonly input: RiskCircuitInput;
}

/** What has to be proved of a round, a proof for each segment in use. */
export interface RiskProofTasks extends RiskStatements {
  readonly segments: readonly RiskCircuitTask[];
}

/** @throws InputError when no proof of these inputs exists. @param domainWords by segment */
export function riskProofTasks(
  inputs: RiskRoundInputs,
  shape: StateShape,
  domainWords: readonly bigint[],
): RiskProofTasks {
  const statements = riskStatements(inputs, shape, domainWords);
  return {
    ...statements,
    segments: statements.segments.map((segment) => ({ ...segment, input: circuitInputOf(segment) })),
  };
}

/** Lays a statement's words out as signals; it checks nothing, the circuit does. */
export const circuitInputOf = ({
  words,
  publicInputs,
}: Pick<SegmentStatement, 'words' | 'publicInputs'>): RiskCircuitInput => ({ ...publicInputs, words });
