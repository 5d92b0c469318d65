/**
 * Sums of points times scalars, window by window (Pippenger): points with the same digit are added up as
 * balanced trees, all trees of a window at once, so that every addition shares its inversion with
 * thousands of others; then the buckets are weighed by their digits.
 */

import { DIGITS } from './field-code.ts';
import type { Kernel } from './kernel.ts';
import { groupBytes, INFINITY_DIGIT } from './point-addition.ts';
import { ADDITION_BYTES, type Degree, ELEMENT_BYTES } from './point-code.ts';
import type { PointSection } from './point-section.ts';
import { DigitReader } from './scalar-digits.ts';

/** Additions that share an inversion: enough to make it cheap, few enough for the cache. */
const ADDITIONS_PER_RUN = 2048;
/** Buckets that one running sum goes through. */
const CHAIN_LENGTH = 8;
const PRODUCT_BYTES = 256;
const WORD_BYTES = 4;
const DOUBLE_BYTES = 8;

const pointBytes = (degree: Degree): number => 2 * degree * ELEMENT_BYTES;

/** Bytes of scratch memory for windows of `windowBits` over `count` points. */
export function scratchBytes(degree: Degree, count: number, windowBits: number): number {
  const runs = ADDITIONS_PER_RUN * ADDITION_BYTES + (ADDITIONS_PER_RUN / 2) * groupBytes(degree);
  // Half the points as sums of pairs, four slots a chain, and one point for padding.
  const points = Math.ceil(count / 2) + 2 ** windowBits + 64;
  return PRODUCT_BYTES + runs + points * pointBytes(degree) + 1024;
}

/** An address of a point, its lowest bit the sign; 0 where there is no point. */
type Reference = number;

/** Adds points in one thread's scratch memory. */
export class PointSums {
  readonly #kernel: Kernel;
  readonly #words: Uint32Array;
  readonly #doubles: Float64Array;
  readonly #group: 'g1' | 'g2';
  readonly #pointBytes: number;
  readonly #inversionBits: number;
  readonly #product: number;
  readonly #additions: number;
  readonly #groups: number;
  /** Where a run's odd addition is repeated to. */
  readonly #spare: number;
  readonly #arena: number;
  #nextPoint: number;
  #pending = 0;

  constructor(
    kernel: Kernel,
    memory: WebAssembly.Memory,
    degree: Degree,
    scratch: number,
    inversionBits: number,
  ) {
    this.#kernel = kernel;
    this.#words = new Uint32Array(memory.buffer);
    this.#doubles = new Float64Array(memory.buffer);
    this.#group = degree === 1 ? 'g1' : 'g2';
    this.#pointBytes = pointBytes(degree);
    this.#inversionBits = inversionBits;
    this.#product = scratch;
    this.#additions = scratch + PRODUCT_BYTES;
    this.#groups = Math.ceil((this.#additions + ADDITIONS_PER_RUN * ADDITION_BYTES) / 64) * 64;
    this.#spare = this.#groups + (ADDITIONS_PER_RUN / 2) * groupBytes(degree);
    this.#arena = this.#spare + this.#pointBytes;
    this.#nextPoint = this.#arena;
  }

  /** Σ digit·point for one window of a section: the digits of an affine point, none for infinity. */
  windowSum(section: PointSection, window: number): number[] | undefined {
    this.#nextPoint = this.#arena;
    const buckets = this.#sortByDigit(section, window);
    this.#addWithin(buckets);
    return this.#read(this.#weigh(buckets.firsts()));
  }

  #read(point: Reference): number[] | undefined {
    if (point === 0) return undefined;
    const first = (point - (point % 2)) / DOUBLE_BYTES;
    const digits = Array.from(this.#doubles.subarray(first, first + this.#pointBytes / DOUBLE_BYTES));
    if (Math.abs(digits[DIGITS - 1]) === INFINITY_DIGIT) return undefined;
    const half = digits.length / 2;
    return point % 2 === 0 ? digits : digits.map((digit, at) => (at < half ? digit : -digit));
  }

  #sortByDigit(section: PointSection, window: number): Buckets {
    const recoded = this.#words.subarray(section.scalars / WORD_BYTES);
    const firstNumber = section.scalarNumbers / WORD_BYTES;
    const numbers = this.#words.subarray(firstNumber, firstNumber + section.count);
    const digits = new Int32Array(section.count);
    new DigitReader(recoded, window, section.windowBits).digits(numbers, digits);
    return new Buckets(digits, 2 ** (section.windowBits - 1), section.points, this.#pointBytes);
  }

  /** Halves the members of every bucket until each has at most one. */
  #addWithin(buckets: Buckets): void {
    const { members, starts, lengths } = buckets;
    const [words, arena, pointBytes] = [this.#words, this.#arena, this.#pointBytes];
    const firstWord = this.#additions / WORD_BYTES;
    let active = buckets.crowded();
    while (active.length > 0) {
      const next: number[] = [];
      for (const bucket of active) {
        const [start, length] = [starts[bucket], lengths[bucket]];
        const pairs = length >> 1;
        for (let pair = 0; pair < pairs; pair++) {
          const [left, right] = [members[start + 2 * pair], members[start + 2 * pair + 1]];
          // A sum replaces a summand that is itself a sum: neither is used again.
          let slot = left >= arena ? left : right;
          if (slot < arena) {
            slot = this.#nextPoint;
            this.#nextPoint += pointBytes;
          }
          if (this.#pending === ADDITIONS_PER_RUN) this.#flush();
          const word = firstWord + 3 * this.#pending++;
          words[word] = left;
          words[word + 1] = right;
          words[word + 2] = slot;
          members[start + pair] = slot;
        }
        if (length & 1) members[start + pairs] = members[start + length - 1];
        lengths[bucket] = length - pairs;
        if (lengths[bucket] > 1) next.push(bucket);
      }
      this.#flush();
      active = next;
    }
  }

  /** Σ (place + 1)·point: running sums over chains, then the chains' own totals weighed the same way. */
  #weigh(points: Uint32Array): Reference {
    if (points.length === 0) return 0;
    const chainCount = Math.ceil(points.length / CHAIN_LENGTH);
    const chains = Array.from({ length: chainCount }, () => new Chain(this.#reserve(4), this.#pointBytes));
    for (let step = CHAIN_LENGTH - 1; step >= -1; step--) {
      for (let at = 0; at < chainCount; at++) {
        const chain = chains[at];
        const total = chain.total;
        // The weighted sum takes the total of the step before, while the total takes the next bucket.
        chain.weighted = this.#add(chain.weighted, total, chain.weightedSlot);
        const place = at * CHAIN_LENGTH + step;
        if (step >= 0 && place < points.length && points[place] !== 0) {
          chain.total = this.#add(total, points[place], chain.nextTotalSlot());
        }
      }
      this.#flush();
    }
    const weighted = this.#sum(chains.map((chain) => chain.weighted));
    let rest = this.#weigh(Uint32Array.from(chains.slice(1), (chain) => chain.total));
    if (rest === 0) return weighted;
    for (let factor = CHAIN_LENGTH; factor > 1; factor /= 2) rest = this.#addNow(rest, rest);
    return weighted === 0 ? rest : this.#addNow(weighted, rest);
  }

  /** Sums into new places: a weighted sum and a total may be the same point, and totals are needed again. */
  #sum(points: readonly Reference[]): Reference {
    let rest = points.filter((point) => point !== 0);
    while (rest.length > 1) {
      const sums: Reference[] = [];
      for (let at = 0; at + 1 < rest.length; at += 2)
        sums.push(this.#add(rest[at], rest[at + 1], this.#reserve(1)));
      if (rest.length % 2 === 1) sums.push(rest[rest.length - 1]);
      this.#flush();
      rest = sums;
    }
    return rest[0] ?? 0;
  }

  #addNow(left: Reference, right: Reference): Reference {
    const sum = this.#add(left, right, this.#reserve(1));
    this.#flush();
    return sum;
  }

  /** The result is there after the next flush. */
  #add(left: Reference, right: Reference, slot: number): Reference {
    if (left === 0) return right;
    if (right === 0) return left;
    if (this.#pending === ADDITIONS_PER_RUN) this.#flush();
    this.#write(this.#pending++, left, right, slot);
    return slot;
  }

  #write(at: number, left: number, right: number, slot: number): void {
    const word = this.#additions / WORD_BYTES + 3 * at;
    this.#words[word] = left;
    this.#words[word + 1] = right;
    this.#words[word + 2] = slot;
  }

  #flush(): void {
    if (this.#pending === 0) return;
    if (this.#pending % 2 === 1) {
      const last = this.#additions / WORD_BYTES + 3 * (this.#pending - 1);
      this.#write(this.#pending, this.#words[last], this.#words[last + 1], this.#spare);
    }
    const groups = Math.ceil(this.#pending / 2);
    this.#kernel[`${this.#group}Forward`](this.#additions, groups, this.#groups, this.#product);
    this.#kernel[`${this.#group}Invert`](this.#product, this.#inversionBits);
    this.#kernel[`${this.#group}Backward`](this.#additions, groups, this.#groups, this.#product);
    this.#pending = 0;
  }

  #reserve(count: number): number {
    const address = this.#nextPoint;
    this.#nextPoint += count * this.#pointBytes;
    return address;
  }
}

/** A running sum and the sum of its values; slots take turns, as a run reads while it writes. */
class Chain {
  total: Reference = 0;
  weighted: Reference = 0;
  readonly weightedSlot: number;
  readonly #slots: number;
  readonly #pointBytes: number;
  #turn = 0;

  constructor(slots: number, pointBytes: number) {
    this.weightedSlot = slots + 3 * pointBytes;
    this.#slots = slots;
    this.#pointBytes = pointBytes;
  }

  /** Three slots: the weighted sum may still name one that is two totals old. */
  nextTotalSlot(): number {
    this.#turn = (this.#turn + 1) % 3;
    return this.#slots + this.#turn * this.#pointBytes;
  }
}

/** Points by the magnitude of their digits, 1 to `size`; members of a bucket lie together. */
class Buckets {
  readonly members: Uint32Array;
  readonly starts: Uint32Array;
  readonly lengths: Uint32Array;

  constructor(digits: Int32Array, size: number, firstPoint: number, pointBytes: number) {
    const ends = new Uint32Array(size + 1);
    for (let at = 0; at < digits.length; at++) ends[Math.abs(digits[at])]++;
    this.lengths = ends.slice();
    this.lengths[0] = 0;
    ends[0] = 0;
    for (let digit = 1; digit <= size; digit++) ends[digit] += ends[digit - 1];
    const members = new Uint32Array(ends[size]);
    for (let at = 0; at < digits.length; at++) {
      const digit = digits[at];
      if (digit === 0) continue;
      const point = firstPoint + at * pointBytes;
      members[--ends[Math.abs(digit)]] = digit < 0 ? point + 1 : point;
    }
    // Filled from their ends, the buckets' ends have become their starts.
    this.starts = ends;
    this.members = members;
  }

  crowded(): number[] {
    const digits: number[] = [];
    this.lengths.forEach((length, digit) => {
      if (length > 1) digits.push(digit);
    });
    return digits;
  }

  /** The only member of each bucket from digit 1, 0 where there is none, without empty ones at the end. */
  firsts(): Uint32Array {
    let size = this.lengths.length - 1;
    while (size > 0 && this.lengths[size] === 0) size--;
    return Uint32Array.from({ length: size }, (_, at) =>
      this.lengths[at + 1] > 0 ? this.members[this.starts[at + 1]] : 0,
    );
  }
}
