/**
 * Poseidon in plain bigints: the readable reference of the kernel that `poseidon` runs, and what it is
 * compared with bit for bit.
 */
import { FIELD_MODULUS } from './field.ts';
import { derivePoseidonParameters, FULL_ROUNDS, type PoseidonParameters } from './poseidon-parameters.ts';

/** Parameters derived so far, by number of inputs. */
const byInputCount: PoseidonParameters[] = [];

/** The hash of 1 to 16 canonical field elements, which are not checked. */
export function poseidonReference(inputs: readonly bigint[]): bigint {
  byInputCount[inputs.length] ??= derivePoseidonParameters(inputs.length);
  return permute([0n, ...inputs], byInputCount[inputs.length])[0];
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
