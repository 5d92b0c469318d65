import type { Artifact } from '#contracts/deploy/artifact.ts';
import type { BatchProof } from '#protocol/batch/batch.ts';
import type { StateShape } from '#protocol/limits.ts';
import type { RiskRoundInputs } from '#protocol/risk/round.ts';
import { artifactsOf, openBackend } from '#prover/prove.ts';
import { type CompiledCircuit, compileCircuit } from '#prover/setup/compile.ts';
import { developmentKey, type ProvingKey } from '#prover/setup/development-keys.ts';
import { exportVerifier } from '#prover/setup/export-verifier.ts';
import { type RiskCircuitTask, type RiskProofTasks, riskProofTasks } from '#prover/witness/risk.ts';
import type { CircuitInput } from '#prover/witness-calculator.ts';
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

export async function riskProver(mainPath: string, shape: StateShape): Promise<RiskProver> {
  const circuit = await compileCircuit(mainPath);
  const key = await developmentKey(circuit);
  const exported = await exportVerifier(key.zkeyPath, circuit.name);
  const kept = new Map<string, Promise<ProvedRisk>>();
  const proveNow = async (inputs: RiskRoundInputs, domainWord: bigint): Promise<ProvedRisk> => {
    const { table, tableHash, segments } = riskProofTasks(inputs, shape, [domainWord]);
    const [task] = segments;
    const { proof } = await backend.prove(task.input as unknown as CircuitInput);
    return { ...task, table, tableHash, proof };
  };
  // Opened once for all proofs.
  const backend = await openBackend(artifactsOf(circuit, key));
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
    close: () => backend.close(),
  };
}
