/** Input of the risk circuits (`circuits/risk/risk-linear.circom`) for one round. */
import { type StateShape, TINY_SHAPE } from '#protocol/limits.ts';
import {
  RISK_HEADER_WORDS,
  RISK_LINEAR,
  RISK_LINEAR_TINY,
  type RiskCapacity,
  type RiskStatement,
  riskStatement,
} from '#protocol/risk/risk-words.ts';
import type { RiskRoundInputs } from '#protocol/risk/round.ts';

/** Signals of `template RiskLinear`, as snarkjs takes them. */
export interface RiskCircuitInput {
  readonly commitment: bigint;
  readonly challenge: bigint;
  readonly evaluation: bigint;
  readonly domain: bigint;
  readonly roundNumber: bigint;
  readonly tableHash: bigint;
  readonly underlyingWords: readonly bigint[];
  /** [instruments][2] */
  readonly instrumentWords: readonly (readonly bigint[])[];
}

export interface RiskCircuitTask extends RiskStatement {
  readonly circuit: RiskCapacity;
  readonly input: RiskCircuitInput;
}

/** The circuit that proves tables of a shape. */
export const riskCircuitOf = (shape: StateShape): RiskCapacity =>
  shape.marketSlots === TINY_SHAPE.marketSlots ? RISK_LINEAR_TINY : RISK_LINEAR;

/** @throws InputError when no proof of these inputs exists. */
export function buildRiskCircuitInput(
  inputs: RiskRoundInputs,
  shape: StateShape,
  domainWord: bigint,
): RiskCircuitTask {
  const circuit = riskCircuitOf(shape);
  const statement = riskStatement(inputs, shape, circuit, domainWord);
  return { ...statement, circuit, input: circuitInputOf(statement, inputs.underlyings.length) };
}

/** Lays a statement's words out as signals; it checks nothing, the circuit does. */
export function circuitInputOf(
  { words, publicInputs }: Pick<RiskStatement, 'words' | 'publicInputs'>,
  underlyings: number,
): RiskCircuitInput {
  const [domain, roundNumber, tableHash] = words;
  const rows = words.slice(RISK_HEADER_WORDS + underlyings);
  return {
    ...publicInputs,
    domain,
    roundNumber,
    tableHash,
    underlyingWords: words.slice(RISK_HEADER_WORDS, RISK_HEADER_WORDS + underlyings),
    instrumentWords: Array.from({ length: rows.length / 2 }, (_, i) => [rows[2 * i], rows[2 * i + 1]]),
  };
}
