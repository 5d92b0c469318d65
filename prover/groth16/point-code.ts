/**
 * Coordinates of points in WebAssembly: two points at once, one in each lane, in G1 or in G2.
 *
 * A point in memory is x then y, each one field element of five doubles in G1 and two in G2; infinity is a
 * first coordinate whose top digit is huge. The lowest bit of an address means the opposite point.
 */

import {
  bothI64,
  type Code,
  FunctionCode,
  get,
  i32,
  i32And,
  i64,
  i64FromI32,
  i64ShiftLeft,
  i64x2Equal,
  loadHigh,
  loadI32,
  loadLow,
  loadVector,
  or,
  replaceHighI64,
  set,
  splatI64,
  storeLane,
  storeVector,
  xor,
} from '#protocol/crypto/wasm-assembler.ts';
import { DIGITS, type Element, FieldCode, MONTGOMERY_BITS } from './field-code.ts';

/** Components of a coordinate: 1 in G1, 2 in G2 (real, imaginary). */
export type Degree = 1 | 2;
/** A coordinate of both lanes' points. */
export type Value = readonly Element[];

/** Bytes of a field element, of one addition in a list, and of a vector. */
export const ELEMENT_BYTES = 8 * DIGITS;
export const ADDITION_BYTES = 12;
export const VECTOR_BYTES = 16;
const SIGN_BIT = 63n;

/** What the functions that add points share: loading, storing, and arithmetic of coordinates. */
export class PointCode {
  readonly code: FunctionCode;
  readonly field: FieldCode;
  readonly degree: Degree;
  readonly #negated: Element;
  readonly #component: Element;
  readonly #sign: number;
  readonly #one: bigint;

  constructor(name: string, parameterCount: number, modulus: bigint, degree: Degree) {
    this.code = new FunctionCode(
      name,
      Array.from({ length: parameterCount }, () => 'i32' as const),
    );
    this.field = new FieldCode(this.code, modulus);
    this.degree = degree;
    this.#one = (1n << BigInt(MONTGOMERY_BITS)) % modulus;
    this.#negated = this.field.element();
    this.#component = this.field.element();
    this.#sign = this.code.local('v128');
  }

  value(): Value {
    return Array.from({ length: this.degree }, () => this.field.element());
  }

  add(left: Value, right: Value, out: Value): void {
    out.forEach((element, at) => {
      this.field.add(left[at], right[at], element);
    });
  }

  subtract(left: Value, right: Value, out: Value): void {
    out.forEach((element, at) => {
      this.field.subtract(left[at], right[at], element);
    });
  }

  reduce(value: Value): void {
    for (const element of value) this.field.reduce(element);
  }

  /** In G2 the result is reduced, in G1 balanced and below 1.1 moduli. `out` may be a factor. */
  multiply(left: Value, right: Value, out: Value): void {
    const { field } = this;
    if (this.degree === 1) {
      field.multiply([[left[0], right[0]]], out[0]);
      return;
    }
    this.#negated.forEach((digit, at) => {
      this.code.emit(set(digit, xor(get(left[1][at]), bothI64(1n << SIGN_BIT))));
    });
    const real = this.#component;
    field.multiply(
      [
        [left[0], right[0]],
        [this.#negated, right[1]],
      ],
      real,
    );
    field.multiply(
      [
        [left[0], right[1]],
        [left[1], right[0]],
      ],
      out[1],
    );
    field.copy(real, out[0]);
    this.reduce(out);
  }

  /** Of a balanced value; the result as by `multiply`. */
  square(value: Value, out: Value): void {
    if (this.degree === 1) this.field.square(value[0], out[0]);
    else this.multiply(value, value, out);
  }

  setOne(out: Value): void {
    out.forEach((element, at) => {
      this.field.setConstant(at === 0 ? this.#one : 0n, element);
    });
  }

  /** All bits set in the lanes where every digit is 0. */
  isZero(value: Value): Code {
    const [first, ...rest] = value.flat();
    return i64x2Equal(
      rest.reduce<Code>((bits, digit) => or(bits, get(digit)), get(first)),
      bothI64(0n),
    );
  }

  /** Sets the lanes' addresses from the word at `offset` in both additions of a group. */
  setAddresses(group: number, offset: number, addresses: readonly number[]): void {
    addresses.forEach((address, lane) => {
      this.code.emit(set(address, loadI32(get(group), offset + lane * ADDITION_BYTES)));
    });
  }

  /** Loads x and y of the points at the lanes' addresses, y with the sign of the address. */
  loadPoint(addresses: readonly number[], x: Value, y: Value, plain: readonly number[]): void {
    this.setPlain(addresses, plain);
    this.loadCoordinate(plain, 0, x);
    this.loadY(addresses, plain, y);
  }

  setPlain(addresses: readonly number[], plain: readonly number[]): void {
    plain.forEach((local, lane) => {
      this.code.emit(set(local, i32And(get(addresses[lane]), i32(-8))));
    });
  }

  loadY(addresses: readonly number[], plain: readonly number[], y: Value): void {
    const sign = (lane: number) => i64ShiftLeft(i64FromI32(get(addresses[lane])), i64(SIGN_BIT));
    this.code.emit(set(this.#sign, replaceHighI64(splatI64(sign(0)), sign(1))));
    this.loadCoordinate(plain, this.degree * ELEMENT_BYTES, y);
    for (const digit of y.flat()) this.code.emit(set(digit, xor(get(digit), get(this.#sign))));
  }

  loadCoordinate(plain: readonly number[], offset: number, value: Value): void {
    value.flat().forEach((digit, at) => {
      {
        const low = loadLow(get(plain[0]), offset + 8 * at);
        this.code.emit(set(digit, loadHigh(get(plain[1]), low, offset + 8 * at)));
      }
    });
  }

  storeCoordinate(addresses: readonly number[], offset: number, value: Value): void {
    value.flat().forEach((digit, at) => {
      this.code.emit(storeLane(0, get(addresses[0]), get(digit), offset + 8 * at));
      this.code.emit(storeLane(1, get(addresses[1]), get(digit), offset + 8 * at));
    });
  }

  loadValue(address: Code, offset: number, value: Value): void {
    value.flat().forEach((digit, at) => {
      this.code.emit(set(digit, loadVector(address, offset + at * VECTOR_BYTES)));
    });
  }

  storeValue(address: Code, offset: number, value: Value): void {
    value.flat().forEach((digit, at) => {
      this.code.emit(storeVector(address, get(digit), offset + at * VECTOR_BYTES));
    });
  }
}
