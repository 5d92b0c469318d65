/**
 * Poseidon over the BN254 scalar field, bit-equal to `Poseidon(n)` of circomlib 2.0.5.
 */
import { FIELD_MODULUS, isFieldElement } from './field.ts';
import { derivePoseidonParameters, FULL_ROUNDS, type PoseidonParameters } from './poseidon-parameters.ts';

/** The widest hash there is; one call absorbs this many elements. */
export const POSEIDON_INPUTS_MAX = 16;

/** New values each further block of a chain absorbs: the first input carries the hash so far. */
export const CHAIN_RATE = POSEIDON_INPUTS_MAX - 1;

/** Parameters derived so far, by number of inputs. */
const byInputCount: PoseidonParameters[] = [];

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
  byInputCount[inputs.length] ??= derivePoseidonParameters(inputs.length);
  return permute([0n, ...inputs], byInputCount[inputs.length])[0];
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

function permute(start: readonly bigint[], parameters: PoseidonParameters): readonly bigint[] {
  const { fullConstants, mixing, lastMixing, corner, partialRounds } = parameters;
  const half = FULL_ROUNDS / 2;
  let state = start;
  for (let round = 0; round < half; round++) {
    state = fullRound(state, fullConstants[round], round === half - 1 ? lastMixing : mixing);
  }
  let first = state[0];
  const others = state.slice(1);
  for (const { constant, row, column } of partialRounds) {
    const powered = fifthPower(first + constant);
    // Products are summed before they are reduced: reductions are most of the time spent here.
    let total = corner * powered;
    for (let place = 0; place < others.length; place++) {
      total += row[place] * others[place];
      others[place] = (others[place] + column[place] * powered) % FIELD_MODULUS;
    }
    first = total % FIELD_MODULUS;
  }
  state = [first, ...others];
  for (let round = half; round < FULL_ROUNDS; round++) state = fullRound(state, fullConstants[round], mixing);
  return state;
}

function fullRound(
  state: readonly bigint[],
  constants: readonly bigint[],
  mixing: readonly (readonly bigint[])[],
): bigint[] {
  const powered = state.map((value, place) => fifthPower(value + constants[place]));
  return mixing.map((row) => {
    let total = 0n;
    for (let place = 0; place < powered.length; place++) total += row[place] * powered[place];
    return total % FIELD_MODULUS;
  });
}

function fifthPower(value: bigint): bigint {
  const square = (value * value) % FIELD_MODULUS;
  return (((square * square) % FIELD_MODULUS) * value) % FIELD_MODULUS;
}
