/**
 * The WebAssembly module of hashes and signature checks: Poseidon's permutation and additions on Baby
 * Jubjub, above the arithmetic of limb-code.ts. It holds no secret and takes variable time.
 */
import {
  callAdd,
  callDot,
  callMultiply,
  callSquare,
  callSubtract,
  DOT_MAX,
  ELEMENT_BYTES,
  LIMBS,
  limbFunctions,
  PLACE,
} from './limb-code.ts';
import { FULL_ROUNDS } from './poseidon-parameters.ts';
import {
  assembleModule,
  type Code,
  call,
  FunctionCode,
  get,
  i32,
  i32Add,
  i32IsLess,
  i32Multiply,
  i32Subtract,
  i64,
  loadI64From32,
  set,
  storeI64As32,
  when,
} from './wasm-assembler.ts';

/** 4 MiB: scratch space below, and the parameters of Poseidon, of which all sixteen take less than 1. */
export const PAGES = 64;
export const PAGE_BYTES = 65_536;

/** X, Y, Z and T of a point, or what an entry of a window table keeps. */
export const POINT_BYTES = 4 * ELEMENT_BYTES;
/** Most entries that are in memory at a time: one window of the widest table. */
export const ENTRIES_MAX = 128;

/** Addresses of the scratch space. */
export const AT = {
  /** Values as four 64-bit words each: inputs and the result. */
  words: 0,
  state: 1_024,
  nextState: 2_048,
  /** The limbs 1, 0, …: a product with them leaves Montgomery form. */
  one: 3_072,
  /** R² mod p, which brings a value into Montgomery form. */
  squareOfR: 3_136,
  /** 2·d' of the curve, in Montgomery form. */
  twiceD: 3_200,
  point: 3_264,
  /** An element for a comparison. */
  other: 3_456,
  temporary: 3_648,
  entries: 8_192,
  parameters: 32_768,
} as const;

const TEMPORARIES = Array.from({ length: 10 }, (_, at): Code => i32(AT.temporary + 40 * at));
const FIRST_PLACE = Object.keys(PLACE).length;
const OWN_PLACE = { longDot: FIRST_PLACE, fullRound: FIRST_PLACE + 1, partialRound: FIRST_PLACE + 2 };

const element = (base: Code, index: Code): Code => i32Add(base, i32Multiply(index, i32(ELEMENT_BYTES)));
const after = (address: Code, elements: number): Code => i32Add(address, i32(elements * ELEMENT_BYTES));

/** longDot(out, left, right, count): as `dot`, of any number of products; below 4·p for three groups. */
function longDot(): FunctionCode {
  const code = new FunctionCode('longDot', ['i32', 'i32', 'i32', 'i32']);
  const size = code.local('i32');
  for (let at = 0; at < LIMBS; at++) code.emit(storeI64As32(get(0), i64(0n), 4 * at));
  code.repeat(
    get(3),
    (start) => {
      const rest = i32Subtract(get(3), get(start));
      code.emit(
        set(size, i32(DOT_MAX)),
        when(i32IsLess(rest, i32(DOT_MAX)), set(size, rest)),
        callDot(TEMPORARIES[0], element(get(1), get(start)), element(get(2), get(start)), get(size)),
        callAdd(get(0), get(0), TEMPORARIES[0]),
      );
    },
    DOT_MAX,
  );
  return code;
}

/** value ← value⁵. At most 75·p comes in, and 35·p, 8·p, 5·p go out of the three products. */
const fifthPower = (value: Code): Code => [
  ...callSquare(TEMPORARIES[1], value),
  ...callSquare(TEMPORARIES[1], TEMPORARIES[1]),
  ...callMultiply(value, TEMPORARIES[1], value),
];

/** fullRound(width, from, to, constants, mixing): `from` is used up. */
function fullRound(): FunctionCode {
  const code = new FunctionCode('fullRound', ['i32', 'i32', 'i32', 'i32', 'i32']);
  code.repeat(get(0), (place) => {
    const value = element(get(1), get(place));
    code.emit(callAdd(value, value, element(get(3), get(place))), fifthPower(value));
  });
  code.repeat(get(0), (place) => {
    const row = element(get(4), i32Multiply(get(place), get(0)));
    code.emit(call(OWN_PLACE.longDot, element(get(2), get(place)), get(1), row, get(0)));
  });
  return code;
}

/**
 * partialRound(width, constants) on the state: a constant, the row with its corner, the column. The others
 * are not reduced: each of at most 70 rounds adds less than 1.01·p, so that they stay below 75·p and the
 * dot product below 11·p.
 */
function partialRound(): FunctionCode {
  const code = new FunctionCode('partialRound', ['i32', 'i32']);
  const first = i32(AT.state);
  code.emit(
    callAdd(first, first, get(1)),
    fifthPower(first),
    call(OWN_PLACE.longDot, i32(AT.nextState), first, after(get(1), 1), get(0)),
  );
  const column = after(element(get(1), get(0)), 1);
  code.repeat(i32Subtract(get(0), i32(1)), (place) => {
    const other = after(element(first, get(place)), 1);
    code.emit(
      callMultiply(TEMPORARIES[0], first, element(column, get(place))),
      callAdd(other, other, TEMPORARIES[0]),
    );
  });
  for (let at = 0; at < LIMBS; at++) {
    code.emit(storeI64As32(first, loadI64From32(i32(AT.nextState), 4 * at), 4 * at));
  }
  return code;
}

/**
 * permute(width, parameters, partialCount): takes width − 1 inputs from the words and leaves the hash there.
 * Parameters: constants of the full rounds, mixing, last mixing before the partial rounds, partial rounds.
 */
function permute(): FunctionCode {
  const code = new FunctionCode('permute', ['i32', 'i32', 'i32']);
  const [state, next] = [i32(AT.state), i32(AT.nextState)];
  const square = i32Multiply(get(0), get(0));
  const mixing = element(get(1), i32Multiply(get(0), i32(FULL_ROUNDS)));
  const lastMixing = element(mixing, square);
  for (let at = 0; at < LIMBS; at++) code.emit(storeI64As32(state, i64(0n), 4 * at));
  code.repeat(i32Subtract(get(0), i32(1)), (place) => {
    const value = after(element(state, get(place)), 1);
    const words = i32Add(i32(AT.words), i32Multiply(get(place), i32(32)));
    code.emit(call(PLACE.split, value, words), callMultiply(value, value, i32(AT.squareOfR)));
  });
  const half = FULL_ROUNDS / 2;
  const full = (round: number): Code => {
    const [from, to] = round % 2 === 0 ? [state, next] : [next, state];
    const constants = element(get(1), i32Multiply(get(0), i32(round)));
    return call(OWN_PLACE.fullRound, get(0), from, to, constants, round === half - 1 ? lastMixing : mixing);
  };
  for (let round = 0; round < half; round++) code.emit(full(round));
  const constants = code.local('i32');
  code.emit(set(constants, element(lastMixing, square)));
  code.repeat(get(2), () => {
    code.emit(
      call(OWN_PLACE.partialRound, get(0), get(constants)),
      set(constants, element(get(constants), i32Add(get(0), get(0)))),
    );
  });
  for (let round = half; round < FULL_ROUNDS; round++) code.emit(full(round));
  code.emit(callMultiply(state, state, i32(AT.one)), call(PLACE.join, i32(AT.words), state));
  return code;
}

const coordinates = (point: Code): Code[] => [0, 1, 2, 3].map((place) => after(point, place));

/**
 * Adds entries in a row to a point, or subtracts them (add-2008-hwcd-3 of the EFD, for a = −1): a negated
 * entry has its first two elements exchanged and 2·d·T negated, which exchanges F and G. The law is complete
 * as −1 is a square and d' is not: no case needs an exception.
 *
 * Coordinates stay below 1.1·p: F and G below 4.3·p, E and H below 3.2·p.
 */
function addEntries(name: string, isNegative: boolean): FunctionCode {
  const code = new FunctionCode(name, ['i32', 'i32', 'i32']);
  const [x, y, z, t] = coordinates(get(0));
  const [a, b, c, d, e, f, g, h] = TEMPORARIES;
  const entry = code.local('i32');
  code.emit(set(entry, get(1)));
  code.repeat(get(2), () => {
    const [first, second, twiceDT, twiceZ] = coordinates(get(entry));
    const [difference, total] = isNegative ? [second, first] : [first, second];
    const [minus, plus] = isNegative ? [g, f] : [f, g];
    code.emit(
      callSubtract(a, y, x),
      callMultiply(a, a, difference),
      callAdd(b, y, x),
      callMultiply(b, b, total),
      callMultiply(c, t, twiceDT),
      callMultiply(d, z, twiceZ),
      callSubtract(e, b, a),
      callSubtract(minus, d, c),
      callAdd(plus, d, c),
      callAdd(h, b, a),
      callMultiply(x, e, f),
      callMultiply(y, g, h),
      callMultiply(z, f, g),
      callMultiply(t, e, h),
      set(entry, i32Add(get(entry), i32(POINT_BYTES))),
    );
  });
  return code;
}

/** makeEntry(entry, point): Y − X, Y + X, 2·d·T and 2·Z, below 3.2·p. */
function makeEntry(): FunctionCode {
  const code = new FunctionCode('makeEntry', ['i32', 'i32']);
  const [x, y, z, t] = coordinates(get(1));
  const [difference, total, twiceDT, twiceZ] = coordinates(get(0));
  code.emit(
    callSubtract(difference, y, x),
    callAdd(total, y, x),
    callMultiply(twiceDT, t, i32(AT.twiceD)),
    callAdd(twiceZ, z, z),
  );
  return code;
}

/** The module; parameters of its functions are addresses and counts. */
export const kernelBytes = (): Uint8Array<ArrayBuffer> =>
  assembleModule(
    [
      ...limbFunctions(),
      longDot(),
      fullRound(),
      partialRound(),
      permute(),
      addEntries('addEntries', false),
      addEntries('subtractEntries', true),
      makeEntry(),
    ],
    PAGES,
    'unshared',
  );
