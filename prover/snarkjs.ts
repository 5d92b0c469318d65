/**
 * The part of snarkjs this project uses, with types, and the life of the threads behind it.
 *
 * snarkjs keeps one curve with a thread per core in `globalThis.curve_bn128`. Node does not end
 * while they live, so whoever proves or verifies holds the curve and releases it; the last release
 * ends the threads.
 */
import * as untyped from 'snarkjs';

/** A Groth16 proof as snarkjs and rapidsnark write it: decimal strings, projective points. */
export interface SnarkjsProof {
  readonly pi_a: readonly string[];
  readonly pi_b: readonly (readonly string[])[];
  readonly pi_c: readonly string[];
  readonly protocol: string;
  readonly curve?: string;
}

/** A Groth16 verification key as snarkjs writes it: decimal strings, projective points. */
export interface VerificationKey {
  readonly protocol: 'groth16';
  readonly curve: 'bn128';
  readonly nPublic: number;
  readonly vk_alpha_1: readonly string[];
  readonly vk_beta_2: readonly (readonly string[])[];
  readonly vk_gamma_2: readonly (readonly string[])[];
  readonly vk_delta_2: readonly (readonly string[])[];
  readonly vk_alphabeta_12: unknown;
  readonly IC: readonly (readonly string[])[];
}

/** A file's path, or its bytes. */
export type FileOrBytes = string | Uint8Array;

let holders = 0;
let ending: Promise<void> | undefined;

/**
 * Lets the curve's threads live until the returned function is called; the last release ends them.
 * Hold it around a series of proofs, so that the threads are started once.
 */
export async function holdCurve(): Promise<() => Promise<void>> {
  holders++;
  // A curve that is being ended must not be picked up again.
  await ending;
  let isReleased = false;
  return async () => {
    if (isReleased) return;
    isReleased = true;
    holders--;
    if (holders > 0) return;
    ending = endThreads();
    await ending;
    ending = undefined;
  };
}

/** Runs `use` while holding the curve. */
export async function withCurve<T>(use: () => Promise<T>): Promise<T> {
  const release = await holdCurve();
  try {
    return await use();
  } finally {
    await release();
  }
}

async function endThreads(): Promise<void> {
  const { curve_bn128: curve } = globalThis as { curve_bn128?: { terminate(): Promise<void> } | null };
  await curve?.terminate();
}

/** @throws when zkey and witness do not belong together. */
export function provePoints(
  provingKey: FileOrBytes,
  witness: Uint8Array,
): Promise<{ proof: SnarkjsProof; publicSignals: string[] }> {
  return withCurve(() => untyped.groth16.prove(provingKey, witness));
}

/**
 * Whether the proof convinces the verifier. Refuses public signals that are not below the modulus,
 * and a wrong number of them, which snarkjs itself takes for zeros.
 */
export async function verifyPoints(
  key: VerificationKey,
  publicSignals: readonly string[],
  proof: SnarkjsProof,
): Promise<boolean> {
  if (publicSignals.length !== key.nPublic) return false;
  return withCurve(() => untyped.groth16.verify(key, publicSignals, proof));
}

export function readVerificationKey(provingKey: FileOrBytes): Promise<VerificationKey> {
  return withCurve(() => untyped.zKey.exportVerificationKey(provingKey));
}

/** @param template the EJS source that renders a verification key. */
export function renderSolidityVerifier(provingKey: FileOrBytes, template: string): Promise<string> {
  return withCurve(() => untyped.zKey.exportSolidityVerifier(provingKey, { groth16: template }));
}
