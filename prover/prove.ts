/**
 * Circuit input to proof. A backend holds one circuit's generator and key in memory; whatever makes
 * the proof, it is verified here before anyone sees it: a wrong proof on L1 costs gas and a batch.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { BatchProof } from '#protocol/batch/batch.ts';
import { isGroth16Supported, openGroth16 } from './groth16/groth16.ts';
import { openRapidsnark } from './rapidsnark.ts';
import type { CompiledCircuit } from './setup/compile.ts';
import type { ProvingKey } from './setup/development-keys.ts';
import { holdCurve, provePoints, type SnarkjsProof, type VerificationKey, verifyPoints } from './snarkjs.ts';
import { defaultThreadCount } from './threads.ts';
import { type CircuitInput, WitnessCalculator } from './witness-calculator.ts';

/** A circuit's files and their hashes: all a prover needs. Plain data, can be sent to a worker. */
export interface CircuitArtifacts {
  readonly name: string;
  readonly wasmPath: string;
  readonly wasmSha256: string;
  readonly zkeyPath: string;
  readonly zkeySha256: string;
  readonly verificationKey: VerificationKey;
}

/** A verified proof with the public signals it is about, outputs first, in order of declaration. */
export interface CircuitProof {
  readonly proof: BatchProof;
  readonly publicSignals: readonly bigint[];
}

/** Proves one circuit. */
export interface ProofBackend {
  readonly name: string;
  /**
   * @throws WitnessError when the input has no witness (permanent); InvalidProofError when the result
   *   does not verify; BackendError when an outside prover fails.
   */
  prove(input: CircuitInput): Promise<CircuitProof>;
  /** Frees threads and files. Node does not end before every backend is closed. */
  close(): Promise<void>;
}

/** A file is not the one that was recorded: truncated, altered or missing. Make it again. */
export class ArtifactError extends Error {
  override readonly name = 'ArtifactError';
}

/** The backend gave a proof that does not verify. */
export class InvalidProofError extends Error {
  override readonly name = 'InvalidProofError';
}

/** Makes points from a witness; what differs between backends. */
export interface PointMaker {
  readonly name: string;
  make(witness: Uint8Array): Promise<{ proof: SnarkjsProof; publicSignals: readonly string[] }>;
  close(): Promise<void>;
}

/** Names the path of a rapidsnark binary, which then makes the proofs. */
export const RAPIDSNARK_VARIABLE = 'BALLAST_RAPIDSNARK';
/** `snarkjs` or `ballast` names the prover in this process; by default ours, where the machine can run it. */
export const PROVER_VARIABLE = 'BALLAST_PROVER';

export function artifactsOf(circuit: CompiledCircuit, key: ProvingKey): CircuitArtifacts {
  return {
    name: circuit.name,
    wasmPath: circuit.wasmPath,
    wasmSha256: circuit.sha256[`${circuit.name}.wasm`],
    zkeyPath: key.zkeyPath,
    zkeySha256: key.zkeySha256,
    verificationKey: key.verificationKey,
  };
}

/**
 * Opens rapidsnark where the environment names its binary, otherwise our own prover (prover/groth16), or
 * snarkjs where the environment says so or the machine lacks what ours needs.
 * @throws ArtifactError when a file does not have its recorded hash; ProverPathError when what is named as
 *   rapidsnark cannot be run; RangeError for an unknown prover.
 */
export async function openBackend(
  artifacts: CircuitArtifacts,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<ProofBackend> {
  const wasm = await readChecked(artifacts.wasmPath, artifacts.wasmSha256);
  const zkey = await readChecked(artifacts.zkeyPath, artifacts.zkeySha256);
  const calculator = await WitnessCalculator.create(wasm);
  const maker = await openPointMaker(zkey, artifacts.verificationKey.nPublic, environment);
  const release = await holdCurve();
  return {
    name: maker.name,
    async prove(input) {
      const { proof, publicSignals } = await maker.make(await calculator.calculate(input));
      if (!(await isAccepted(artifacts.verificationKey, publicSignals, proof))) {
        throw new InvalidProofError(
          `the proof that ${maker.name} made for ${artifacts.name} does not verify`,
        );
      }
      return { proof: contractPoints(proof), publicSignals: publicSignals.map(BigInt) };
    },
    async close() {
      await maker.close();
      await release();
    },
  };
}

/** The prover that the environment names; see `openBackend`. */
export async function openPointMaker(
  zkey: Uint8Array,
  publicCount: number,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<PointMaker> {
  const binary = environment[RAPIDSNARK_VARIABLE];
  if (binary) return openRapidsnark(binary, zkey, publicCount);
  const prover = environment[PROVER_VARIABLE] || ((await isGroth16Supported()) ? 'ballast' : 'snarkjs');
  if (prover === 'ballast') return openGroth16(zkey, defaultThreadCount());
  if (prover !== 'snarkjs') throw new RangeError(`${PROVER_VARIABLE} names no prover: ${prover}`);
  return { name: 'snarkjs', make: (witness) => provePoints(zkey, witness), close: async () => {} };
}

/** Whether a proof in the contract's form verifies under a key. */
export function verifyProof(key: VerificationKey, { proof, publicSignals }: CircuitProof): Promise<boolean> {
  const text = (values: readonly bigint[]) => values.map(String);
  const swapped = proof.b.map(([imaginary, real]) => [String(real), String(imaginary)]);
  const points: SnarkjsProof = {
    pi_a: [...text(proof.a), '1'],
    pi_b: [...swapped, ['1', '0']],
    pi_c: [...text(proof.c), '1'],
    protocol: 'groth16',
  };
  return isAccepted(key, text(publicSignals), points);
}

async function isAccepted(
  key: VerificationKey,
  publicSignals: readonly string[],
  proof: SnarkjsProof,
): Promise<boolean> {
  try {
    return await verifyPoints(key, publicSignals, proof);
  } catch {
    // snarkjs throws where values are not numbers or points: no proof either.
    return false;
  }
}

/** The EVM's pairing takes the imaginary part of G2 coordinates first; snarkjs writes it second. */
function contractPoints({ pi_a, pi_b, pi_c }: SnarkjsProof): BatchProof {
  const pair = ([x, y]: readonly string[]): [bigint, bigint] => [BigInt(x), BigInt(y)];
  const swapped = ([real, imaginary]: readonly string[]): [bigint, bigint] => [
    BigInt(imaginary),
    BigInt(real),
  ];
  return { a: pair(pi_a), b: [swapped(pi_b[0]), swapped(pi_b[1])], c: pair(pi_c) };
}

/** The bytes that were hashed are the bytes that are used: nothing can change between. */
async function readChecked(path: string, sha256: string): Promise<Uint8Array> {
  const bytes = await readFile(path).catch((cause) => {
    throw new ArtifactError(`${path} cannot be read`, { cause });
  });
  const actual = createHash('sha256').update(bytes).digest('hex');
  if (actual !== sha256) throw new ArtifactError(`${path} has SHA-256 ${actual}, recorded is ${sha256}`);
  return bytes;
}
