/**
 * Poseidon over the BN254 scalar field, bit-equal to `Poseidon(n)` of circomlib 2.0.5. The permutation runs in
 * the WebAssembly kernel; poseidon-reference.ts is the same in bigints.
 */
import { isFieldElement } from './field.ts';
import { kernel } from './kernel.ts';
import { derivePoseidonParameters } from './poseidon-parameters.ts';

/** The widest hash there is; one call absorbs this many elements. */
export const POSEIDON_INPUTS_MAX = 16;

/** New values each further block of a chain absorbs: the first input carries the hash so far. */
export const CHAIN_RATE = POSEIDON_INPUTS_MAX - 1;

/**
 * The hash of 1 to 16 field elements.
 * @throws RangeError on a wrong count or a value that is not a canonical field element: a circuit
 *   would silently reduce it, and two inputs would then share a hash.
 */
export function poseidon(inputs: readonly bigint[]): bigint {
  if (inputs.length < 1 || inputs.length > POSEIDON_INPUTS_MAX) {
    throw new RangeError(`Poseidon takes 1 to ${POSEIDON_INPUTS_MAX} inputs, not ${inputs.length}`);
  }
  for (const input of inputs) {
    if (!isFieldElement(input)) throw new RangeError(`${input} is not a field element`);
  }
  return kernel().poseidon(inputs, derivePoseidonParameters);
}

/**
 * One hash over a list of any length: h = Poseidon(first 16 values), then h = Poseidon(h, next 15)
 * until the list ends, the last block padded with zeros. Twin of the commitment chain in circuits.
 *
 * Zero padding is not injective over lengths ([1] and [1, 0] share a hash), so the length must be
 * fixed by context: each use commits to lists of one length known to prover and verifier alike.
 * @throws RangeError on an empty list or a value that is not a field element.
 */
export function poseidonChain(values: readonly bigint[]): bigint {
  if (values.length === 0) throw new RangeError('a Poseidon chain needs at least one value');
  let hash = poseidon(padded(values.slice(0, POSEIDON_INPUTS_MAX), POSEIDON_INPUTS_MAX));
  for (let start = POSEIDON_INPUTS_MAX; start < values.length; start += CHAIN_RATE) {
    hash = poseidon([hash, ...padded(values.slice(start, start + CHAIN_RATE), CHAIN_RATE)]);
  }
  return hash;
}

function padded(values: readonly bigint[], length: number): bigint[] {
  return [...values, ...new Array<bigint>(length - values.length).fill(0n)];
}
