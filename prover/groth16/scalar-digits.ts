/**
 * Scalars cut into signed digits.
 *
 * A scalar s above r/2 stands for −(r − s), so that small negative numbers are as cheap as small positive
 * ones. Adding half a window's size in every window but the highest, once, makes windows independent: a
 * digit is the window's bits less that half, within ±2^(bits − 1), without carries from window to window.
 * Scalars are eight 32-bit words, lowest first; bit 255 of a recoded one says that it is negative.
 */
import { FIELD_MODULUS } from '#protocol/crypto/field.ts';

const WORDS = 8;
const SIGN = 0x80000000;
/** Bits of r/2, and one for the highest digit's own sign. */
const SCALAR_BITS = 254;
const WINDOW_BITS_MIN = 2;
const WINDOW_BITS_MAX = 16;

const wordsOf = (value: bigint): Uint32Array =>
  Uint32Array.from({ length: WORDS }, (_, at) => Number((value >> BigInt(32 * at)) & 0xffffffffn));
const MODULUS_WORDS = wordsOf(FIELD_MODULUS);
const HALF_WORDS = wordsOf(FIELD_MODULUS >> 1n);

export const windowCount = (bits: number): number => Math.ceil(SCALAR_BITS / bits);

/**
 * The width with the fewest additions for `scalarCount` full scalars: one for each digit, and two for each
 * bucket, which come in smaller runs and cost a half more.
 */
export function bestWindowBits(scalarCount: number): number {
  const additions = (bits: number) => windowCount(bits) * (scalarCount + 3 * 2 ** (bits - 1));
  let best = WINDOW_BITS_MIN;
  for (let bits = WINDOW_BITS_MIN; bits <= WINDOW_BITS_MAX; bits++) {
    if (additions(bits) < additions(best)) best = bits;
  }
  return best;
}

/** Recodes canonical scalars in `words`; source and target may be the same. */
export function recodeScalars(source: Uint32Array, target: Uint32Array, bits: number): void {
  let offset = 0n;
  for (let window = 0; window < windowCount(bits) - 1; window++)
    offset += 1n << BigInt(window * bits + bits - 1);
  const offsets = wordsOf(offset);
  for (let start = 0; start < source.length; start += WORDS) {
    const isNegative = isAboveHalf(source, start);
    let borrow = 0;
    let carry = 0;
    for (let at = 0; at < WORDS; at++) {
      let word = source[start + at];
      if (isNegative) {
        const difference = MODULUS_WORDS[at] - word - borrow;
        borrow = difference < 0 ? 1 : 0;
        word = difference >>> 0;
      }
      const sum = word + offsets[at] + carry;
      carry = sum > 0xffffffff ? 1 : 0;
      target[start + at] = sum;
    }
    if (isNegative) target[start + WORDS - 1] |= SIGN;
  }
}

function isAboveHalf(words: Uint32Array, start: number): boolean {
  for (let at = WORDS - 1; at >= 0; at--) {
    if (words[start + at] !== HALF_WORDS[at]) return words[start + at] > HALF_WORDS[at];
  }
  return false;
}

/** Reads the digits of one window. */
export class DigitReader {
  readonly #words: Uint32Array;
  readonly #word: number;
  readonly #shift: number;
  readonly #isSplit: boolean;
  readonly #highMask: number;
  readonly #mask: number;
  readonly #half: number;

  constructor(recoded: Uint32Array, window: number, bits: number) {
    const from = window * bits;
    this.#words = recoded;
    this.#word = from >>> 5;
    this.#shift = from & 31;
    // Beyond the highest word lies the next scalar.
    this.#isSplit = this.#shift + bits > 32 && this.#word < WORDS - 1;
    // The sign is no part of a digit, in whichever word it is read.
    this.#highMask = this.#word + 1 === WORDS - 1 ? ~SIGN : -1;
    const lowMaskBits = this.#word === WORDS - 1 ? Math.min(bits, 31 - this.#shift) : bits;
    this.#mask = 2 ** lowMaskBits - 1;
    this.#half = window < windowCount(bits) - 1 ? 2 ** (bits - 1) : 0;
  }

  /** The digit of a scalar, with the scalar's sign: adding |digit| times the point or its opposite. */
  digit(scalar: number): number {
    const out = new Int32Array(1);
    this.digits(Uint32Array.of(scalar), out);
    return out[0];
  }

  /** The digits of many scalars, given by their numbers. */
  digits(scalars: Uint32Array, out: Int32Array): void {
    // Fields are read once: this loop runs for every point in every window.
    const words = this.#words;
    const [word, shift, isSplit] = [this.#word, this.#shift, this.#isSplit];
    const [highMask, mask, half] = [this.#highMask, this.#mask, this.#half];
    for (let at = 0; at < out.length; at++) {
      const start = scalars[at] * WORDS;
      let bits = words[start + word] >>> shift;
      if (isSplit) bits |= (words[start + word + 1] & highMask) << (32 - shift);
      const digit = (bits & mask) - half;
      out[at] = words[start + WORDS - 1] >= SIGN ? -digit : digit;
    }
  }
}
