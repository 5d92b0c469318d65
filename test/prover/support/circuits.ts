import { mkdirSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { derivePublicKey, sign } from '#protocol/crypto/eddsa.ts';
import { poseidonChain } from '#protocol/crypto/poseidon.ts';
import { artifactsOf, type CircuitArtifacts } from '#prover/prove.ts';
import { type CompiledCircuit, compileCircuit } from '#prover/setup/compile.ts';
import { developmentKey } from '#prover/setup/development-keys.ts';
import type { CircuitInput } from '#prover/witness-calculator.ts';

const ROOT = join(import.meta.dirname, '../../..');

/** Compiles a main file of test/fixtures/circuits, from the cache of the project. */
export function compileFixture(name: string): Promise<CompiledCircuit> {
  return compileCircuit(join(ROOT, 'test/fixtures/circuits', `${name}.circom`));
}

export async function fixtureArtifacts(name: string): Promise<CircuitArtifacts> {
  const circuit = await compileFixture(name);
  return artifactsOf(circuit, await developmentKey(circuit));
}

/** A new empty folder under build/, which git ignores and the compiler can see. */
export function temporaryFolder(): string {
  mkdirSync(join(ROOT, 'build'), { recursive: true });
  return mkdtempSync(join(ROOT, 'build/test-'));
}

const SECRET = (1n << 240n) + 99n;

/** An input with a witness for signed-chain-small; public signals: chain, chain + salt, key, salt. */
export function signedChainInput(seed: bigint): CircuitInput {
  const values = Array.from({ length: 16 }, (_, index) => seed * 1000n + BigInt(index));
  const { r8, s } = sign(SECRET, poseidonChain(values));
  const [Ax, Ay] = derivePublicKey(SECRET);
  return { Ax, Ay, salt: 5n, S: s, R8x: r8[0], R8y: r8[1], values };
}

/** Its first two public signals. */
export function signedChainOutputs(seed: bigint): [bigint, bigint] {
  const chain = poseidonChain(Array.from({ length: 16 }, (_, index) => seed * 1000n + BigInt(index)));
  return [chain, chain + 5n];
}

/** An input for the product circuit; public signals: product, unused. */
export function productInput(left: bigint, right: bigint): CircuitInput {
  return { product: left * right, unused: 0n, left, right };
}

/** An input for the square chains. */
export function squareChainInput(start: bigint): CircuitInput {
  return { start, unused: [7n, 8n, 9n] };
}

/** The error a promise is rejected with. @throws when it resolves. */
export async function rejectionOf(promise: Promise<unknown>): Promise<Error> {
  const nothing = Symbol('resolved');
  const outcome = await promise.then(
    () => nothing,
    (error) => error,
  );
  if (outcome === nothing) throw new Error('expected a rejection');
  return outcome;
}
