/** A verifier that does all its work and then says yes: for gas, which does not depend on the proof. */
import type { Artifact } from '#contracts/deploy/artifact.ts';
import type { BatchProof } from '#protocol/batch/batch.ts';
import { exportVerifier } from '#prover/setup/export-verifier.ts';
import type { VerificationKey } from '#prover/snarkjs.ts';
import type { RiskProver } from '#test/support/risk-prover.ts';
import { verifierArtifact } from '../sequencer/main-job/verifier-artifact.ts';

/** The exported verifier of a key, but for its answer. */
export async function yesVerifier({ key, circuit }: Pick<RiskProver, 'key' | 'circuit'>): Promise<Artifact> {
  const exported = await exportVerifier(key.zkeyPath, circuit.name);
  const solidity = exported.solidity.replace('mstore(0, isValid)', 'mstore(0, or(isValid, 1))');
  if (solidity === exported.solidity) throw new Error('the exported verifier does not end as expected');
  return verifierArtifact({ ...exported, solidity }, 'build/verifiers');
}

/** Points of a key in the place of a proof: on their curves, which is all that gas depends on. */
export function pointsOf({ vk_alpha_1, vk_beta_2 }: VerificationKey): BatchProof {
  const pair = (values: readonly string[]): [bigint, bigint] => [BigInt(values[0]), BigInt(values[1])];
  const swapped = (values: readonly string[]): [bigint, bigint] => [BigInt(values[1]), BigInt(values[0])];
  return { a: pair(vk_alpha_1), b: [swapped(vk_beta_2[0]), swapped(vk_beta_2[1])], c: pair(vk_alpha_1) };
}
