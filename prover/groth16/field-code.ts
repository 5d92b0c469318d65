/**
 * Arithmetic modulo a prime below 2^254 on two elements at once, as WebAssembly on vectors of doubles.
 *
 * An element is five digits in base 2^51, doubles holding signed integers, in Montgomery form with
 * R = 2^255. A *balanced* element has digits within ±2^50 (the top one holds the rest); a *reduced* one is
 * balanced and lies within ±(1/2 + 2^-40) of the modulus. Memory holds reduced elements.
 *
 * One fused multiply-add a·b + 3·2^102, which rounds to a multiple of 2^51, gives the upper half of a
 * product of digits; a second one subtracts it and gives the lower half exactly (Emmart, Zheng, Weems,
 * "Faster modular exponentiation using double precision floating point arithmetic on the GPU"). The bits
 * of both sums are integers with an offset, so columns add up as 64-bit integers; the offsets are
 * constants, taken out where a column begins. The digits of two factors may be sums of others as long as
 * their products stay within 2^102: two sums of two, or a sum of four and a balanced one.
 *
 * Magnitudes, in units of the modulus: a product of |a| and |b| is at most |a||b|/2.64 + 1/2, because
 * R is 2.64 moduli and the quotient digits are balanced too.
 */
import {
  and,
  bothF64,
  bothI64,
  type Code,
  type FunctionCode,
  f64x2Add,
  f64x2MultiplyAdd,
  f64x2Subtract,
  get,
  i64x2Add,
  i64x2ShrUnsigned,
  or,
  set,
} from '#protocol/crypto/wasm-assembler.ts';

export const DIGITS = 5;
export const DIGIT_BITS = 51;
/** log2 of the Montgomery factor R. */
export const MONTGOMERY_BITS = DIGITS * DIGIT_BITS;

/** Five locals of type v128: one element in each lane. */
export type Element = readonly number[];

const HIGH_ROUNDER = 1.5 * 2 ** 103;
const LOW_ROUNDER = 1.5 * 2 ** 52;
const bitsOf = (value: number): bigint => new BigUint64Array(Float64Array.of(value).buffer)[0];
const HIGH_OFFSET = bitsOf(HIGH_ROUNDER);
const LOW_OFFSET = bitsOf(LOW_ROUNDER);
/** Keeps columns positive, so that a logical shift divides them; |column| stays below it. */
const COLUMN_BIAS = 1n << 58n;
const CARRIED_BIAS = COLUMN_BIAS >> BigInt(DIGIT_BITS);
const DIGIT_MASK = (1n << BigInt(DIGIT_BITS)) - 1n;
const HALF_DIGIT = 2 ** (DIGIT_BITS - 1);

/** Balanced digits of any integer; the last takes what is left. */
export function balancedDigits(value: bigint): number[] {
  const digits: number[] = [];
  let rest = value;
  for (let at = 0; at < DIGITS - 1; at++) {
    const digit = BigInt.asIntN(DIGIT_BITS, rest);
    digits.push(Number(digit));
    rest = (rest - digit) >> BigInt(DIGIT_BITS);
  }
  return [...digits, Number(rest)];
}

/** Emits field arithmetic into one function; constants are set where it is made. */
export class FieldCode {
  readonly code: FunctionCode;
  readonly #modulus: readonly number[];
  readonly #topShare: number;
  readonly #negativeInverse: number;
  readonly #highRounder: number;
  readonly #splitter: number;
  readonly #lowRounder: number;
  readonly #mask: number;
  readonly #integerBits: number;
  readonly #integerOffset: number;
  readonly #balanceOffset: number;
  readonly #downShift: number;
  readonly #starts = new Map<Products, readonly number[]>();
  readonly #high: number;
  readonly #low: number;
  readonly #quotient: number;
  readonly #columns: readonly number[];
  readonly #doubled: Element;

  constructor(code: FunctionCode, modulus: bigint) {
    this.code = code;
    const constant = (bits: Code): number => {
      const local = code.local('v128');
      code.emit(set(local, bits));
      return local;
    };
    const number = (value: number) => constant(bothF64(value));
    this.#modulus = balancedDigits(modulus).map(number);
    this.#topShare = number(1 / (Number(modulus) / 2 ** (DIGIT_BITS * (DIGITS - 1))));
    this.#negativeInverse = number(negativeInverse(modulus));
    this.#highRounder = number(HIGH_ROUNDER);
    this.#splitter = number(HIGH_ROUNDER + LOW_ROUNDER);
    this.#lowRounder = number(LOW_ROUNDER);
    this.#mask = constant(bothI64(DIGIT_MASK));
    this.#integerBits = constant(bothI64(bitsOf(2 ** 52)));
    this.#integerOffset = number(2 ** 52);
    this.#balanceOffset = number(2 ** 52 + HALF_DIGIT);
    this.#downShift = number(2 ** -DIGIT_BITS);
    for (const products of [SINGLE, DOUBLE, SQUARE]) {
      this.#starts.set(
        products,
        columnStarts(products).map((bits) => constant(bothI64(bits))),
      );
    }
    [this.#high, this.#low, this.#quotient] = code.locals('v128', 3);
    this.#columns = code.locals('v128', 2 * DIGITS);
    this.#doubled = this.element();
  }

  element(): Element {
    return this.code.locals('v128', DIGITS);
  }

  /** Digit by digit, without carries: digits and magnitudes add up. */
  add(left: Element, right: Element, out: Element): void {
    out.forEach((local, at) => {
      this.code.emit(set(local, f64x2Add(get(left[at]), get(right[at]))));
    });
  }

  subtract(left: Element, right: Element, out: Element): void {
    out.forEach((local, at) => {
      this.code.emit(set(local, f64x2Subtract(get(left[at]), get(right[at]))));
    });
  }

  copy(from: Element, to: Element): void {
    to.forEach((local, at) => {
      this.code.emit(set(local, get(from[at])));
    });
  }

  setConstant(value: bigint, out: Element): void {
    const digits = balancedDigits(value);
    out.forEach((local, at) => {
      this.code.emit(set(local, bothF64(digits[at])));
    });
  }

  /** out = the sum of one or two products, over R; balanced. `out` may be a factor. */
  multiply(factors: readonly (readonly [Element, Element])[], out: Element): void {
    const products = factors.length === 1 ? SINGLE : DOUBLE;
    this.#multiplyReduced(products, out, (row, addProduct) => {
      for (const [left, right] of factors) {
        for (let at = 0; at < DIGITS; at++) addProduct(left[row], right[at], row + at);
      }
    });
  }

  /** out = a² over R for balanced a, which may be `out`: 10 of 25 products fewer than by `multiply`. */
  square(value: Element, out: Element): void {
    this.add(value, value, this.#doubled);
    this.#multiplyReduced(SQUARE, out, (row, addProduct) => {
      addProduct(value[row], value[row], 2 * row);
      for (let at = row + 1; at < DIGITS; at++) addProduct(value[row], this.#doubled[at], row + at);
    });
  }

  #multiplyReduced(
    products: Products,
    out: Element,
    addRow: (row: number, addProduct: (left: number, right: number, column: number) => void) => void,
  ): void {
    const { code } = this;
    const columns = this.#columns;
    const starts = this.#starts.get(products)!;
    const begun = new Set<number>();
    const addTo = (column: number, value: Code) => {
      const before = get(begun.has(column) ? columns[column] : starts[column]);
      begun.add(column);
      code.emit(set(columns[column], i64x2Add(before, value)));
    };
    const addProduct = (left: number, right: number, column: number) => {
      this.#split(left, right);
      addTo(column + 1, get(this.#high));
      addTo(column, get(this.#low));
    };
    for (let row = 0; row < DIGITS; row++) {
      addRow(row, addProduct);
      this.#setQuotient(columns[row]);
      for (let at = 0; at < DIGITS; at++) addProduct(this.#quotient, this.#modulus[at], row + at);
      addTo(row + 1, i64x2ShrUnsigned(get(columns[row]), DIGIT_BITS));
    }
    for (let at = 0; at < DIGITS - 1; at++) {
      const column = columns[DIGITS + at];
      addTo(DIGITS + at + 1, i64x2ShrUnsigned(get(column), DIGIT_BITS));
      const digit = or(and(get(column), get(this.#mask)), get(this.#integerBits));
      code.emit(set(out[at], f64x2Subtract(digit, get(this.#balanceOffset))));
    }
    code.emit(set(out[DIGITS - 1], f64x2Subtract(get(columns[2 * DIGITS - 1]), get(this.#lowRounder))));
  }

  /** Adds the multiple of the modulus that brings an element of any few moduli within half of one. */
  reduce(element: Element): void {
    const { code } = this;
    const top = element[DIGITS - 1];
    // Adding and taking away 3·2^51 rounds to the nearest integer.
    const share = f64x2MultiplyAdd(get(top), get(this.#topShare), get(this.#lowRounder));
    code.emit(set(this.#quotient, f64x2Subtract(get(this.#lowRounder), share)));
    element.forEach((digit, at) => {
      code.emit(set(digit, f64x2MultiplyAdd(get(this.#quotient), get(this.#modulus[at]), get(digit))));
    });
    this.balance(element);
  }

  /** Carries digits of up to 2^53 on until they are balanced. */
  balance(element: Element): void {
    const { code } = this;
    for (let at = 0; at < DIGITS - 1; at++) {
      const [digit, next] = [element[at], element[at + 1]];
      const rounded = f64x2Add(get(digit), get(this.#highRounder));
      code.emit(
        set(this.#high, f64x2Subtract(rounded, get(this.#highRounder))),
        set(digit, f64x2Subtract(get(digit), get(this.#high))),
        set(next, f64x2MultiplyAdd(get(this.#high), get(this.#downShift), get(next))),
      );
    }
  }

  /** Upper and lower half of a product of digits, as bits with their offsets. */
  #split(left: number, right: number): void {
    this.code.emit(
      set(this.#high, f64x2MultiplyAdd(get(left), get(right), get(this.#highRounder))),
      set(
        this.#low,
        f64x2MultiplyAdd(get(left), get(right), f64x2Subtract(get(this.#splitter), get(this.#high))),
      ),
    );
  }

  /** The balanced digit that, times the modulus, clears the column's lowest digit. */
  #setQuotient(column: number): void {
    const { code } = this;
    const bits = or(and(get(column), get(this.#mask)), get(this.#integerBits));
    code.emit(set(this.#quotient, f64x2Subtract(bits, get(this.#integerOffset))));
    this.#split(this.#quotient, this.#negativeInverse);
    code.emit(set(this.#quotient, f64x2Subtract(get(this.#low), get(this.#lowRounder))));
  }
}

/** How many products of digits i and j are summed. */
type Products = (i: number, j: number) => number;
const SINGLE: Products = () => 1;
const DOUBLE: Products = () => 2;
const SQUARE: Products = (i, j) => (i <= j ? 1 : 0);

/** What each column begins with: the products' offsets taken out, those with the modulus included. */
function columnStarts(products: Products): bigint[] {
  const starts = new Array<bigint>(2 * DIGITS).fill(0n);
  for (let i = 0; i < DIGITS; i++) {
    for (let j = 0; j < DIGITS; j++) {
      const count = BigInt(products(i, j) + 1);
      starts[i + j] -= count * LOW_OFFSET;
      starts[i + j + 1] -= count * HIGH_OFFSET;
    }
  }
  const last = 2 * DIGITS - 1;
  return starts.map((start, column) => {
    const carried = column > 0 ? CARRIED_BIAS : 0n;
    const bias = column === last ? LOW_OFFSET : COLUMN_BIAS;
    const rounding = column >= DIGITS && column < last ? BigInt(HALF_DIGIT) : 0n;
    return BigInt.asUintN(64, start + bias + rounding - carried);
  });
}

/** −1/modulus mod 2^51, balanced: Newton's iteration doubles the right bits each time. */
function negativeInverse(modulus: bigint): number {
  let inverse = 1n;
  for (let bits = 1; bits < DIGIT_BITS; bits *= 2)
    inverse = BigInt.asUintN(64, inverse * (2n - modulus * inverse));
  return Number(BigInt.asIntN(DIGIT_BITS, -inverse));
}
