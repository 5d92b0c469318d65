import { readFileSync } from 'node:fs';
import type { Artifact } from '#contracts/deploy/artifact.ts';
import type { BatchProof } from '#protocol/batch/batch.ts';
import type { StateShape } from '#protocol/limits.ts';
import type { RiskRoundInputs } from '#protocol/risk/round.ts';
import { type CompiledCircuit, compileCircuit } from '#prover/setup/compile.ts';
import { developmentKey, type ProvingKey } from '#prover/setup/development-keys.ts';
import { exportVerifier } from '#prover/setup/export-verifier.ts';
import { provePoints, type SnarkjsProof, withCurve } from '#prover/snarkjs.ts';
import { type RiskCircuitTask, type RiskProofTasks, riskProofTasks } from '#prover/witness/risk.ts';
import { type CircuitInput, WitnessCalculator } from '#prover/witness-calculator.ts';
import { verifierArtifact } from '../../sequencer/main-job/verifier-artifact.ts';

/** A risk circuit with its development key and verifier contract: everything real. */
export interface RiskProver {
  readonly circuit: CompiledCircuit;
  readonly circuitHash: bigint;
  readonly key: ProvingKey;
  readonly verifier: Artifact;
  /** Same inputs, same proof: kept, because tests that begin at one state ask for the same. */
  prove(inputs: RiskRoundInputs, domainWord: bigint): Promise<ProvedRisk>;
  /** Ends the threads. */
  close(): Promise<void>;
}
/** The only segment of a round and its proof. */
export type ProvedRisk = RiskCircuitTask &
  Pick<RiskProofTasks, 'table' | 'tableHash'> & { readonly proof: BatchProof };

const big = (pair: readonly string[]): readonly [bigint, bigint] => [BigInt(pair[0]), BigInt(pair[1])];
/** The precompile takes the imaginary part of a coordinate first. */
const swapped = (pair: readonly string[]): readonly [bigint, bigint] => [BigInt(pair[1]), BigInt(pair[0])];

export const proofPoints = ({ pi_a, pi_b, pi_c }: SnarkjsProof): BatchProof => ({
  a: big(pi_a),
  b: [swapped(pi_b[0]), swapped(pi_b[1])],
  c: big(pi_c),
});

export async function riskProver(mainPath: string, shape: StateShape): Promise<RiskProver> {
  const circuit = await compileCircuit(mainPath);
  const key = await developmentKey(circuit);
  const calculator = await WitnessCalculator.create(readFileSync(circuit.wasmPath));
  const exported = await exportVerifier(key.zkeyPath, circuit.name);
  const kept = new Map<string, Promise<ProvedRisk>>();
  const proveNow = async (inputs: RiskRoundInputs, domainWord: bigint): Promise<ProvedRisk> => {
    const { table, tableHash, segments } = riskProofTasks(inputs, shape, [domainWord]);
    const [task] = segments;
    const witness = await calculator.calculate(task.input as unknown as CircuitInput);
    const { proof } = await provePoints(key.zkeyPath, witness);
    return { ...task, table, tableHash, proof: proofPoints(proof) };
  };
  // Threads are started once for all proofs.
  let release = () => {};
  const held = withCurve(() => new Promise<void>((done) => (release = done)));
  return {
    circuit,
    circuitHash: BigInt(`0x${circuit.contentHash}`),
    key,
    verifier: verifierArtifact(exported, 'build/verifiers'),
    prove(inputs, domainWord) {
      const name = JSON.stringify([inputs, domainWord], (_, value) =>
        typeof value === 'bigint' ? `${value}n` : value,
      );
      const proved = kept.get(name) ?? proveNow(inputs, domainWord);
      kept.set(name, proved);
      return proved;
    },
    async close() {
      release();
      await held;
    },
  };
}
