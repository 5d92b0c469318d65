/**
 * WebAssembly functions on elements of the BN254 scalar field: Montgomery arithmetic with R = 2^261.
 *
 * An element is nine limbs of 29 bits, four bytes each, lowest first. It need not be reduced: any value
 * below 2^261 > 169·p stands for its residue, so that sums cost no comparison. A product of a·p and b·p
 * is below (1 + a·b/169)·p; every caller keeps the bounds of its values in its comments.
 *
 * 29 bits: a column of nine products of two limbs, and nine more of the reduction, stay far below 2^64
 * (18·2^58), so that carries are taken once a column.
 */
import { FIELD_MODULUS } from './field.ts';
import {
  type Code,
  call,
  FunctionCode,
  get,
  i32,
  i32Add,
  i64,
  i64Add,
  i64And,
  i64Multiply,
  i64Or,
  i64ShiftLeft,
  i64ShiftRight,
  i64ShiftRightSigned,
  i64Subtract,
  loadI64,
  loadI64From32,
  set,
  storeI64,
  storeI64As32,
} from './wasm-assembler.ts';

export const LIMB_BITS = 29;
export const LIMBS = 9;
export const ELEMENT_BYTES = 4 * LIMBS;
/** Montgomery's R modulo p: the element that stands for 1. */
export const MONTGOMERY_ONE = (1n << BigInt(LIMB_BITS * LIMBS)) % FIELD_MODULUS;

const MASK = (1n << BigInt(LIMB_BITS)) - 1n;
const COLUMNS = 2 * LIMBS - 1;
const MODULUS_LIMBS = limbsOf(FIELD_MODULUS);
const TWICE_MODULUS_LIMBS = limbsOf(2n * FIELD_MODULUS);

/** Places of the functions in the module, which calls go by. */
export const PLACE = { multiply: 0, square: 1, add: 2, subtract: 3, dot: 4, split: 5, join: 6 } as const;

/** Limbs of a value below 2^261. */
export function limbsOf(value: bigint): bigint[] {
  return Array.from({ length: LIMBS }, (_, at) => (value >> BigInt(LIMB_BITS * at)) & MASK);
}

const masked = (value: Code): Code => i64And(value, i64(MASK));
const carried = (value: Code): Code => i64ShiftRight(value, i64(BigInt(LIMB_BITS)));
const sum = (terms: readonly Code[]): Code => terms.reduce((left, right) => i64Add(left, right));

function loadLimbs(code: FunctionCode, address: number): number[] {
  const limbs = code.locals('i64', LIMBS);
  for (const [at, limb] of limbs.entries()) code.emit(set(limb, loadI64From32(get(address), 4 * at)));
  return limbs;
}

/** The pairs of limbs whose product belongs to a column. */
function pairsOf(column: number): [number, number][] {
  const pairs: [number, number][] = [];
  for (let at = Math.max(0, column - LIMBS + 1); at < LIMBS && at <= column; at++)
    pairs.push([at, column - at]);
  return pairs;
}

/**
 * Writes sum/R for the sum whose columns `terms` lists, by adding multiples of p that clear the lower
 * half. The factor of a column is −column/p mod 2^29, and p = 2^28 + 1 modulo 2^29 is its own inverse
 * there, so both the factor and its product with the lowest limb are shifts.
 */
function reduceColumns(code: FunctionCode, out: number, terms: (column: number) => readonly Code[]): void {
  const factors = code.locals('i64', LIMBS);
  const total = code.local('i64');
  const withHighCopy = (value: Code): Code => i64Add(value, i64ShiftLeft(value, i64(28n)));
  for (let column = 0; column < COLUMNS; column++) {
    const reducing = pairsOf(column)
      .filter(([at, other]) => other > 0 && at < column)
      .map(([at, other]) => i64Multiply(get(factors[at]), i64(MODULUS_LIMBS[other])));
    const carry = column === 0 ? [] : [get(total)];
    code.emit(set(total, sum([...terms(column), ...carry, ...reducing])));
    if (column < LIMBS) {
      code.emit(
        set(factors[column], masked(i64Subtract(i64(0n), withHighCopy(get(total))))),
        set(total, carried(i64Add(get(total), withHighCopy(get(factors[column]))))),
      );
    } else {
      code.emit(
        storeI64As32(get(out), masked(get(total)), 4 * (column - LIMBS)),
        set(total, carried(get(total))),
      );
    }
  }
  code.emit(storeI64As32(get(out), get(total), 4 * (LIMBS - 1)));
}

/** multiply(out, left, right): left·right/R. `out` may be an operand. */
function multiply(): FunctionCode {
  const code = new FunctionCode('multiply', ['i32', 'i32', 'i32']);
  const left = loadLimbs(code, 1);
  const right = loadLimbs(code, 2);
  reduceColumns(code, 0, (column) =>
    pairsOf(column).map(([at, other]) => i64Multiply(get(left[at]), get(right[other]))),
  );
  return code;
}

/** square(out, value): value²/R, with each mixed product taken once and doubled. */
function square(): FunctionCode {
  const code = new FunctionCode('square', ['i32', 'i32']);
  const value = loadLimbs(code, 1);
  const doubled = code.locals('i64', LIMBS);
  for (const [at, limb] of value.entries()) code.emit(set(doubled[at], i64ShiftLeft(get(limb), i64(1n))));
  reduceColumns(code, 0, (column) =>
    pairsOf(column)
      .filter(([at, other]) => at <= other)
      .map(([at, other]) => i64Multiply(get(value[at]), get(at === other ? value[other] : doubled[other]))),
  );
  return code;
}

/** Most products that `dot` sums: with those of the reduction (6 + 1)·9·2^58 is below 2^64. */
export const DOT_MAX = 6;

/** dot(out, left, right, count): Σ left[i]·right[i]/R over 1 to DOT_MAX elements in a row, reduced once. */
function dot(): FunctionCode {
  const code = new FunctionCode('dot', ['i32', 'i32', 'i32', 'i32']);
  const columns = code.locals('i64', COLUMNS);
  const addresses = [code.local('i32'), code.local('i32')];
  code.emit(set(addresses[0], get(1)), set(addresses[1], get(2)));
  code.repeat(get(3), () => {
    const left = loadLimbs(code, addresses[0]);
    const right = loadLimbs(code, addresses[1]);
    for (const [column, total] of columns.entries()) {
      const products = pairsOf(column).map(([at, other]) => i64Multiply(get(left[at]), get(right[other])));
      code.emit(set(total, sum([get(total), ...products])));
    }
    for (const address of addresses) code.emit(set(address, i32Add(get(address), i32(ELEMENT_BYTES))));
  });
  reduceColumns(code, 0, (column) => [get(columns[column])]);
  return code;
}

/** Writes limbs that may be negative or too long as such of 29 bits; their value is at least 0. */
function normalize(code: FunctionCode, out: number, limb: (at: number) => Code): void {
  const total = code.local('i64');
  for (let at = 0; at < LIMBS; at++) {
    const carry = i64ShiftRightSigned(get(total), i64(BigInt(LIMB_BITS)));
    code.emit(set(total, at === 0 ? limb(at) : i64Add(limb(at), carry)));
    code.emit(storeI64As32(get(out), at === LIMBS - 1 ? get(total) : masked(get(total)), 4 * at));
  }
}

/** add(out, left, right): the sum, not reduced. */
function add(): FunctionCode {
  const code = new FunctionCode('add', ['i32', 'i32', 'i32']);
  normalize(code, 0, (at) => i64Add(loadI64From32(get(1), 4 * at), loadI64From32(get(2), 4 * at)));
  return code;
}

/** subtract(out, left, right): left + 2·p − right, for right up to 2·p. */
function subtract(): FunctionCode {
  const code = new FunctionCode('subtract', ['i32', 'i32', 'i32']);
  normalize(code, 0, (at) =>
    i64Subtract(
      i64Add(loadI64From32(get(1), 4 * at), i64(TWICE_MODULUS_LIMBS[at])),
      loadI64From32(get(2), 4 * at),
    ),
  );
  return code;
}

/** split(out, words): four 64-bit words, lowest first, as limbs. */
function split(): FunctionCode {
  const code = new FunctionCode('split', ['i32', 'i32']);
  const words = code.locals('i64', 4);
  for (const [at, word] of words.entries()) code.emit(set(word, loadI64(get(1), 8 * at)));
  for (let at = 0; at < LIMBS; at++) {
    const bit = LIMB_BITS * at;
    const [word, shift] = [bit >> 6, bit & 63];
    const low = i64ShiftRight(get(words[word]), i64(BigInt(shift)));
    const isAcross = shift + LIMB_BITS > 64 && word < 3;
    const high = isAcross ? [i64ShiftLeft(get(words[word + 1]), i64(BigInt(64 - shift)))] : [];
    code.emit(
      storeI64As32(get(0), masked([low, ...high].reduce((left, right) => i64Or(left, right))), 4 * at),
    );
  }
  return code;
}

/** join(words, value): the limbs of a value below 2^256 as four 64-bit words, lowest first. */
function join(): FunctionCode {
  const code = new FunctionCode('join', ['i32', 'i32']);
  const limbs = loadLimbs(code, 1);
  for (let word = 0; word < 4; word++) {
    const parts = limbs.flatMap((limb, at): Code[] => {
      const shift = LIMB_BITS * at - 64 * word;
      if (shift <= -LIMB_BITS || shift >= 64) return [];
      const bits = i64(BigInt(Math.abs(shift)));
      return [shift < 0 ? i64ShiftRight(get(limb), bits) : i64ShiftLeft(get(limb), bits)];
    });
    code.emit(
      storeI64(
        get(0),
        parts.reduce((left, right) => i64Or(left, right)),
        8 * word,
      ),
    );
  }
  return code;
}

/** The functions in the order of `PLACE`. */
export const limbFunctions = (): FunctionCode[] => [
  multiply(),
  square(),
  add(),
  subtract(),
  dot(),
  split(),
  join(),
];

type Call = (...parameters: Code[]) => Code;
export const callMultiply: Call = (...parameters) => call(PLACE.multiply, ...parameters);
export const callSquare: Call = (...parameters) => call(PLACE.square, ...parameters);
export const callAdd: Call = (...parameters) => call(PLACE.add, ...parameters);
export const callSubtract: Call = (...parameters) => call(PLACE.subtract, ...parameters);
export const callDot: Call = (...parameters) => call(PLACE.dot, ...parameters);
