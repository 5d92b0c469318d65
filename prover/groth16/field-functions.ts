/**
 * WebAssembly functions on arrays of field elements: conversion from and to integers, products of the
 * constraint matrices with the witness, and the layers of number-theoretic transforms.
 *
 * *Single* layout: an element is its five digits, 40 bytes. *Paired* layout: elements 2i and 2i + 1 share
 * five vectors, 80 bytes, digit by digit; there `pairs` counts such couples. All hold reduced elements
 * unless said otherwise.
 */

import {
  bothI64,
  type Code,
  FunctionCode,
  f64FromI64,
  get,
  i32,
  i32Add,
  i32And,
  i32IsLess,
  i32Multiply,
  i32ShiftLeft,
  i32ShiftRight,
  i64,
  i64Add,
  i64And,
  i64FromF64,
  i64Or,
  i64ShiftLeft,
  i64ShiftRight,
  i64ShiftRightSigned,
  laneF64,
  loadHigh,
  loadI32,
  loadI64,
  loadLow,
  loadVector,
  set,
  shuffle,
  storeF64,
  storeI64,
  storeLane,
  storeVector,
  when,
  xor,
} from '#protocol/crypto/wasm-assembler.ts';
import { balancedDigits, DIGIT_BITS, DIGITS, type Element, FieldCode } from './field-code.ts';
import { ELEMENT_BYTES, VECTOR_BYTES } from './point-code.ts';

export const PAIR_BYTES = 2 * ELEMENT_BYTES;
export const INTEGER_BYTES = 32;
/** Bytes of a term of `addProducts`. */
export const TERM_BYTES = 12;
const DIGIT_MASK = (1n << BigInt(DIGIT_BITS)) - 1n;
const WORD_BITS = 64;
const WORDS = 4;

/** A function with its field and the address arithmetic that all of them need. */
class ArrayCode {
  readonly code: FunctionCode;
  readonly field: FieldCode;

  constructor(name: string, parameterCount: number, modulus: bigint) {
    this.code = new FunctionCode(
      name,
      Array.from({ length: parameterCount }, () => 'i32' as const),
    );
    this.field = new FieldCode(this.code, modulus);
  }

  /** start + index·bytes in a local. */
  at(start: number, index: Code, bytes: number): number {
    const address = this.code.local('i32');
    this.code.emit(set(address, i32Add(get(start), i32Multiply(index, i32(bytes)))));
    return address;
  }

  loadPair(address: number, out: Element): void {
    out.forEach((digit, at) => {
      this.code.emit(set(digit, loadVector(get(address), at * VECTOR_BYTES)));
    });
  }

  storePair(address: number, element: Element): void {
    element.forEach((digit, at) => {
      this.code.emit(storeVector(get(address), get(digit), at * VECTOR_BYTES));
    });
  }

  /** Lanes from two single elements. */
  loadSingles(low: number, high: number, out: Element): void {
    out.forEach((digit, at) => {
      this.code.emit(set(digit, loadHigh(get(high), loadLow(get(low), 8 * at), 8 * at)));
    });
  }
}

/**
 * `importField(source, target, couples, factor)`: integers below 2^256, 32 little-endian bytes each, to
 * single elements of `integer · factor / R`; `factor` addresses a single element.
 */
export function importField(name: string, modulus: bigint): FunctionCode {
  const array = new ArrayCode(name, 4, modulus);
  const { code, field } = array;
  const [source, target, couples, factorAt] = [0, 1, 2, 3];
  const [factor, value] = [field.element(), field.element()];
  const words = code.locals('i64', WORDS);
  const digits = code.locals('f64', DIGITS);
  array.loadSingles(factorAt, factorAt, factor);
  code.repeat(get(couples), (couple) => {
    const integer = array.at(source, get(couple), 2 * INTEGER_BYTES);
    const out = array.at(target, get(couple), PAIR_BYTES);
    // Each lane's digits pass through the target's memory.
    for (const lane of [0, 1]) {
      words.forEach((word, at) => {
        code.emit(set(word, loadI64(get(integer), lane * INTEGER_BYTES + 8 * at)));
      });
      digits.forEach((digit, at) => {
        code.emit(set(digit, f64FromI64(digitOf(words, at))));
        code.emit(storeF64(get(out), get(digit), lane * ELEMENT_BYTES + 8 * at));
      });
    }
    const second = array.at(out, i32(1), ELEMENT_BYTES);
    array.loadSingles(out, second, value);
    field.multiply([[value, factor]], value);
    field.reduce(value);
    value.forEach((digit, at) => {
      code.emit(storeLane(0, get(out), get(digit), 8 * at), storeLane(1, get(second), get(digit), 8 * at));
    });
  });
  return code;
}

/** Bits [51·at, 51·at + 51) of four words; all that are left for the last digit. */
function digitOf(words: readonly number[], at: number): Code {
  const from = at * DIGIT_BITS;
  const [word, shift] = [Math.floor(from / WORD_BITS), BigInt(from % WORD_BITS)];
  const low = i64ShiftRight(get(words[word]), i64(shift));
  if (at === DIGITS - 1) return low;
  const isWithin = Number(shift) + DIGIT_BITS <= WORD_BITS;
  const bits = isWithin
    ? low
    : i64Or(low, i64ShiftLeft(get(words[word + 1]), i64(BigInt(WORD_BITS) - shift)));
  return i64And(bits, i64(DIGIT_MASK));
}

/**
 * `rows(starts, wires, coefficients, witness, target, first, last)`: for each row from `first` to before
 * `last` the sum of coefficient times witness value, paired by row number. Terms of row m are those from
 * starts[m] to before starts[m + 1], an even number; `wires` holds byte offsets into the witness.
 */
export function rows(modulus: bigint): FunctionCode {
  const array = new ArrayCode('rows', 7, modulus);
  const { code, field } = array;
  const [starts, wires, coefficients, witness, target, first, last] = [0, 1, 2, 3, 4, 5, 6];
  const [coefficient, value, sum] = [field.element(), field.element(), field.element()];
  const [row, term, end] = code.locals('i32', 3);
  const [lowValue, highValue] = code.locals('i32', 2);
  const oneRow = code.capture(() => {
    const start = array.at(starts, get(row), 4);
    code.emit(set(term, loadI32(get(start))), set(end, loadI32(get(start), 4)));
    field.setConstant(0n, sum);
    const oneTerm = code.capture(() => {
      const low = array.at(coefficients, get(term), ELEMENT_BYTES);
      const high = array.at(low, i32(1), ELEMENT_BYTES);
      const wire = array.at(wires, get(term), 4);
      code.emit(set(lowValue, i32Add(get(witness), loadI32(get(wire)))));
      code.emit(set(highValue, i32Add(get(witness), loadI32(get(wire), 4))));
      array.loadSingles(low, high, coefficient);
      array.loadSingles(lowValue, highValue, value);
      field.multiply([[coefficient, value]], value);
      field.add(sum, value, sum);
      field.reduce(sum);
      code.emit(set(term, i32Add(get(term), i32(2))));
    });
    code.emit(whileLess(term, end, oneTerm));
    sum.forEach((digit, at) => {
      code.emit(set(value[at], shuffle(get(digit), get(digit), 1, 0)));
    });
    field.add(sum, value, sum);
    field.reduce(sum);
    const pair = array.at(target, i32ShiftRight(get(row), i32(1)), PAIR_BYTES);
    const place = array.at(pair, i32And(get(row), i32(1)), 8);
    sum.forEach((digit, at) => {
      code.emit(storeLane(0, get(place), get(digit), at * VECTOR_BYTES));
    });
    code.emit(set(row, i32Add(get(row), i32(1))));
  });
  code.emit(set(row, get(first)), whileLess(row, last, oneRow));
  return code;
}

function whileLess(counter: number, end: number, body: Code): Code {
  const isLess = i32IsLess(get(counter), get(end));
  return when(isLess, [0x03, 0x40, ...body, ...isLess, 0x0d, 0, 0x0b]);
}

/**
 * `addProducts(terms, couples)`: adds left·right to the sum of each term, three 32-bit words: addresses of
 * the single elements left, right and sum. The two sums of a couple must differ.
 */
export function addProducts(modulus: bigint): FunctionCode {
  const array = new ArrayCode('addProducts', 2, modulus);
  const { code, field } = array;
  const [product, value] = [field.element(), field.element()];
  const [low, high] = code.locals('i32', 2);
  code.repeat(get(1), (couple) => {
    const term = array.at(0, get(couple), 2 * TERM_BYTES);
    const load = (word: number, out: Element) => {
      code.emit(set(low, loadI32(get(term), word)), set(high, loadI32(get(term), TERM_BYTES + word)));
      array.loadSingles(low, high, out);
    };
    load(0, product);
    load(4, value);
    field.multiply([[product, value]], product);
    load(8, value);
    field.add(product, value, value);
    field.reduce(value);
    value.forEach((digit, at) => {
      code.emit(storeLane(0, get(low), get(digit), 8 * at), storeLane(1, get(high), get(digit), 8 * at));
    });
  });
  return code;
}

/** `multiplyPairs(left, right, target, pairs)`: products place by place, paired. */
export function multiplyPairs(modulus: bigint): FunctionCode {
  const array = new ArrayCode('multiplyPairs', 4, modulus);
  const { code, field } = array;
  const [left, right] = [field.element(), field.element()];
  code.repeat(get(3), (pair) => {
    array.loadPair(array.at(0, get(pair), PAIR_BYTES), left);
    array.loadPair(array.at(1, get(pair), PAIR_BYTES), right);
    field.multiply([[left, right]], left);
    field.reduce(left);
    array.storePair(array.at(2, get(pair), PAIR_BYTES), left);
  });
  return code;
}

/** `scalePairs(source, factor, target, pairs)`: products with one single element, paired. */
export function scalePairs(modulus: bigint): FunctionCode {
  const array = new ArrayCode('scalePairs', 4, modulus);
  const { code, field } = array;
  const [value, factor] = [field.element(), field.element()];
  array.loadSingles(1, 1, factor);
  code.repeat(get(3), (pair) => {
    array.loadPair(array.at(0, get(pair), PAIR_BYTES), value);
    field.multiply([[value, factor]], value);
    field.reduce(value);
    array.storePair(array.at(2, get(pair), PAIR_BYTES), value);
  });
  return code;
}

/**
 * `decimateFrequency(values, pairs, half, twiddles)` and `decimateTime`: one layer of butterflies between
 * places `half` pairs apart, in place. The first kind takes natural order towards bit-reversed order
 * (u + v, (u − v)·w), the second back (u + v·w, u − v·w).
 */
export function butterflies(name: 'decimateFrequency' | 'decimateTime', modulus: bigint): FunctionCode {
  const array = new ArrayCode(name, 4, modulus);
  const { code, field } = array;
  const [values, pairs, half, twiddles] = [0, 1, 2, 3];
  const [upper, lower, sum, twiddle] = Array.from({ length: 4 }, () => field.element());
  const [block, high, low] = code.locals('i32', 3);
  const butterfly = code.capture(() =>
    code.repeat(get(half), (at) => {
      const upperAt = array.at(high, get(at), PAIR_BYTES);
      const lowerAt = array.at(low, get(at), PAIR_BYTES);
      array.loadPair(upperAt, upper);
      array.loadPair(lowerAt, lower);
      array.loadPair(array.at(twiddles, get(at), PAIR_BYTES), twiddle);
      if (name === 'decimateTime') field.multiply([[lower, twiddle]], lower);
      field.add(upper, lower, sum);
      field.subtract(upper, lower, lower);
      field.reduce(sum);
      // Not reduced in the first kind: |u − v| ≤ 1.3 gives a product of at most 0.75 moduli.
      if (name === 'decimateFrequency') field.multiply([[lower, twiddle]], lower);
      else field.reduce(lower);
      array.storePair(upperAt, sum);
      array.storePair(lowerAt, lower);
    }),
  );
  const oneBlock = code.capture(() => {
    code.emit(set(high, get(array.at(values, get(block), PAIR_BYTES))));
    code.emit(set(low, get(array.at(high, get(half), PAIR_BYTES))));
    code.emit(butterfly, set(block, i32Add(get(block), i32ShiftLeft(get(half), i32(1)))));
  });
  code.emit(set(block, i32(0)), whileLess(block, pairs, oneBlock));
  return code;
}

/** `neighbours(values, pairs)`: the layer within pairs, (u + v, u − v), the same for both kinds. */
export function neighbours(modulus: bigint): FunctionCode {
  const array = new ArrayCode('neighbours', 2, modulus);
  const { code, field } = array;
  const [value, upper] = [field.element(), field.element()];
  const sign = code.local('v128');
  code.emit(set(sign, shuffle(bothI64(0n), bothI64(1n << 63n), 0, 2)));
  code.repeat(get(1), (pair) => {
    const address = array.at(0, get(pair), PAIR_BYTES);
    array.loadPair(address, value);
    value.forEach((digit, at) => {
      code.emit(set(upper[at], shuffle(get(digit), get(digit), 0, 0)));
      code.emit(set(digit, xor(shuffle(get(digit), get(digit), 1, 1), get(sign))));
    });
    field.add(upper, value, value);
    field.reduce(value);
    array.storePair(address, value);
  });
  return code;
}

/**
 * `joinQuotient(a, b, c, target, pairs)`: a·b − c of paired elements as canonical integers, 32 little-endian
 * bytes each; R is divided out.
 */
export function joinQuotient(modulus: bigint): FunctionCode {
  const array = new ArrayCode('joinQuotient', 5, modulus);
  const { code, field } = array;
  const [a, b, one] = [field.element(), field.element(), field.element()];
  field.setConstant(1n, one);
  code.repeat(get(4), (pair) => {
    array.loadPair(array.at(0, get(pair), PAIR_BYTES), a);
    array.loadPair(array.at(1, get(pair), PAIR_BYTES), b);
    field.multiply([[a, b]], a);
    array.loadPair(array.at(2, get(pair), PAIR_BYTES), b);
    field.subtract(a, b, a);
    field.multiply([[a, one]], a);
    field.reduce(a);
    const target = array.at(3, get(pair), 2 * INTEGER_BYTES);
    for (const lane of [0, 1] as const) storeCanonical(code, modulus, a, lane, target);
  });
  return code;
}

/**
 * `exportField(source, target, couples, factor)`: single elements to canonical integers of
 * `element · factor / R`, 32 little-endian bytes each; `factor` addresses a single element.
 */
export function exportField(name: string, modulus: bigint): FunctionCode {
  const array = new ArrayCode(name, 4, modulus);
  const { code, field } = array;
  const [source, target, couples, factorAt] = [0, 1, 2, 3];
  const [factor, value] = [field.element(), field.element()];
  array.loadSingles(factorAt, factorAt, factor);
  code.repeat(get(couples), (couple) => {
    const first = array.at(source, get(couple), PAIR_BYTES);
    array.loadSingles(first, array.at(first, i32(1), ELEMENT_BYTES), value);
    field.multiply([[value, factor]], value);
    field.reduce(value);
    const out = array.at(target, get(couple), 2 * INTEGER_BYTES);
    for (const lane of [0, 1] as const) storeCanonical(code, modulus, value, lane, out);
  });
  return code;
}

/** Adds the modulus to a negative value and packs five digits into four words. */
function storeCanonical(
  code: FunctionCode,
  modulus: bigint,
  element: Element,
  lane: 0 | 1,
  target: number,
): void {
  const digits = code.locals('i64', DIGITS);
  const isNegative = code.local('i64');
  digits.forEach((digit, at) => {
    code.emit(set(digit, i64FromF64(laneF64(lane, get(element[at])))));
  });
  const carry = () => {
    for (let at = 0; at < DIGITS - 1; at++) {
      const carried = i64ShiftRightSigned(get(digits[at]), i64(BigInt(DIGIT_BITS)));
      code.emit(set(digits[at + 1], i64Add(get(digits[at + 1]), carried)));
      code.emit(set(digits[at], i64And(get(digits[at]), i64(DIGIT_MASK))));
    }
  };
  carry();
  code.emit(set(isNegative, i64ShiftRightSigned(get(digits[DIGITS - 1]), i64(63n))));
  balancedDigits(modulus).forEach((digit, at) => {
    {
      const added = i64And(get(isNegative), i64(BigInt(digit)));
      code.emit(set(digits[at], i64Add(get(digits[at]), added)));
    }
  });
  carry();
  for (let word = 0; word < WORDS; word++) {
    const from = word * WORD_BITS;
    const first = Math.floor(from / DIGIT_BITS);
    const shift = BigInt(from % DIGIT_BITS);
    const low = i64ShiftRight(get(digits[first]), i64(shift));
    const high = i64ShiftLeft(get(digits[first + 1]), i64(BigInt(DIGIT_BITS) - shift));
    code.emit(storeI64(get(target), i64Or(low, high), lane * INTEGER_BYTES + 8 * word));
  }
}
