/**
 * Poseidon over the BN254 scalar field, bit-equal to `Poseidon(n)` of circomlib 2.0.5.
 */
import { poseidon1 } from 'poseidon-lite/poseidon1';
import { poseidon2 } from 'poseidon-lite/poseidon2';
import { poseidon3 } from 'poseidon-lite/poseidon3';
import { poseidon4 } from 'poseidon-lite/poseidon4';
import { poseidon5 } from 'poseidon-lite/poseidon5';
import { poseidon6 } from 'poseidon-lite/poseidon6';
import { poseidon7 } from 'poseidon-lite/poseidon7';
import { poseidon8 } from 'poseidon-lite/poseidon8';
import { poseidon9 } from 'poseidon-lite/poseidon9';
import { poseidon10 } from 'poseidon-lite/poseidon10';
import { poseidon11 } from 'poseidon-lite/poseidon11';
import { poseidon12 } from 'poseidon-lite/poseidon12';
import { poseidon13 } from 'poseidon-lite/poseidon13';
import { poseidon14 } from 'poseidon-lite/poseidon14';
import { poseidon15 } from 'poseidon-lite/poseidon15';
import { poseidon16 } from 'poseidon-lite/poseidon16';
import { isFieldElement } from './field.ts';

const BY_INPUT_COUNT: readonly ((inputs: bigint[]) => bigint)[] = [
  poseidon1,
  poseidon2,
  poseidon3,
  poseidon4,
  poseidon5,
  poseidon6,
  poseidon7,
  poseidon8,
  poseidon9,
  poseidon10,
  poseidon11,
  poseidon12,
  poseidon13,
  poseidon14,
  poseidon15,
  poseidon16,
];

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
  const hash = BY_INPUT_COUNT[inputs.length - 1];
  if (hash === undefined) {
    throw new RangeError(`Poseidon takes 1 to ${POSEIDON_INPUTS_MAX} inputs, not ${inputs.length}`);
  }
  for (const input of inputs) {
    if (!isFieldElement(input)) throw new RangeError(`${input} is not a field element`);
  }
  return hash(inputs as bigint[]);
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
