/** Everything that is made once and kept in build/: contracts, circuits, development keys, verifiers. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { CircuitPlan } from '#contracts/deploy/deploy.ts';
import { artifactsOf, type CircuitArtifacts } from '#prover/prove.ts';
import { compileCircuit } from '#prover/setup/compile.ts';
import { developmentKey } from '#prover/setup/development-keys.ts';
import { endWithProcess } from '#prover/setup/end-with-process.ts';
import { exportVerifier } from '#prover/setup/export-verifier.ts';
import { R1csFile } from '#prover/setup/r1cs.ts';
import { verifierArtifact } from './verifier-artifact.ts';

export interface PreparedCircuit {
  /** What a proof worker needs. */
  readonly artifacts: CircuitArtifacts;
  /** What the deployment needs. */
  readonly plan: CircuitPlan;
  readonly constraintCount: number;
  readonly seconds: number;
}

/** Compiles the contracts; nothing is done when nothing has changed. */
export function buildContracts(root: string): Promise<void> {
  const child = spawn(
    process.execPath,
    [join(root, 'node_modules/hardhat/dist/src/cli.js'), 'build', '--quiet', '--no-tests'],
    { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NO_COLOR: '1' } },
  );
  endWithProcess(child);
  // The compiler's remarks are shown only when it fails.
  let output = '';
  const keep = (chunk: Buffer): void => {
    output += chunk.toString();
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`hardhat build ended with code ${code}\n${output}`)),
    );
  });
}

/** Compiles a circuit, writes its INSECURE development key, and the verifier contract for it. */
export async function prepareCircuit(root: string, name: string): Promise<PreparedCircuit> {
  const startMs = performance.now();
  const circuit = await compileCircuit(join(root, 'circuits/main', `${name}.circom`));
  const key = await developmentKey(circuit);
  const exported = await exportVerifier(key.zkeyPath, circuit.name);
  const verifier = verifierArtifact(exported, join(root, 'build/main-job/verifiers'));
  return {
    artifacts: artifactsOf(circuit, key),
    plan: {
      verifier,
      verificationKey: key.verificationKey,
      circuitHash: BigInt(`0x${circuit.contentHash}`),
    },
    constraintCount: constraintsIn(circuit.r1csPath),
    seconds: (performance.now() - startMs) / 1000,
  };
}

function constraintsIn(r1csPath: string): number {
  const file = new R1csFile(r1csPath);
  try {
    return file.header.constraintCount;
  } finally {
    file.close();
  }
}
