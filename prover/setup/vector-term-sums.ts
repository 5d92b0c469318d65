/**
 * The sums of a circuit's terms by the prover's kernel, several times faster than one product at a time.
 *
 * A circuit has few different coefficients, so each is converted once and found by its bytes after that,
 * with the form in which the proving key stores it. Products wait in a list that the kernel adds up.
 */
import { FIELD_MODULUS } from '#protocol/crypto/field.ts';
import { INTEGER_BYTES, TERM_BYTES } from '../groth16/field-functions.ts';
import { instantiateKernel, inversePowerOfTwo, type Kernel, kernelMemory } from '../groth16/kernel.ts';
import { Reservation } from '../groth16/key-memory.ts';
import { ELEMENT_BYTES } from '../groth16/point-code.ts';
import { ELEMENT_SCALE, writeElement } from '../groth16/point-section.ts';
import type { TermPlaces, TermSums } from './qap-evaluation.ts';
import type { Matrix } from './r1cs.ts';
import type { WasmCurve } from './wasm-curve.ts';

/** Even, since terms are added in couples. */
const TERMS_PER_RUN = 4096;
const CHUNK = 8192;
const WORDS = INTEGER_BYTES / 4;
/** A power of two. */
const SLOTS = 65_536;
/** More coefficients than this, and all are forgotten: memory stays bounded, searches short. */
const COEFFICIENTS_MAX = SLOTS / 2;
/** The curve's Montgomery factor is 2^256; the file's coefficients are stored times its square. */
const CURVE_SCALE = 256;
const RECORD_SCALE = 512;

function layOut(wireCount: number, rowCount: number) {
  const reservation = new Reservation();
  const elements = (count: number) => reservation.take((count + 2) * ELEMENT_BYTES);
  return {
    factor: reservation.take(ELEMENT_BYTES),
    toElement: reservation.take(ELEMENT_BYTES),
    toRecord: reservation.take(ELEMENT_BYTES),
    /** A couple of elements, and of integers, for one conversion. */
    couple: elements(0),
    integers: reservation.take(CHUNK * INTEGER_BYTES),
    terms: reservation.take(TERMS_PER_RUN * TERM_BYTES),
    coefficients: elements(SLOTS),
    rows: elements(rowCount),
    sums: elements(3 * wireCount),
    /** A sum that nobody reads. */
    spare: elements(0),
    end: reservation.next,
  };
}

export class VectorTermSums implements TermSums {
  readonly #kernel: Kernel;
  readonly #memory: WebAssembly.Memory;
  readonly #layout: ReturnType<typeof layOut>;
  readonly #words: Uint32Array;
  readonly #doubles: Float64Array;
  readonly #curve: WasmCurve;
  readonly #curveWords: Uint32Array;
  readonly #places: TermPlaces;
  /** By slot: a coefficient's bytes as in the r1cs, as in the proving key, and whether there is one. */
  readonly #keys = new Uint32Array(SLOTS * WORDS);
  readonly #records = new Uint32Array(SLOTS * WORDS);
  readonly #isTaken = new Uint8Array(SLOTS);
  #coefficientCount = 0;
  #pending = 0;
  #lastSum = 0;

  /**
   * @param module the compiled kernel.
   * @param curve's memory may not grow until `finish`.
   */
  constructor(module: WebAssembly.Module, curve: WasmCurve, places: TermPlaces) {
    this.#curve = curve;
    this.#curveWords = new Uint32Array(curve.bytes.buffer);
    this.#places = places;
    this.#layout = layOut(places.wireCount, places.rowCount);
    this.#memory = kernelMemory(this.#layout.end);
    this.#kernel = instantiateKernel(module, this.#memory);
    this.#words = new Uint32Array(this.#memory.buffer);
    this.#doubles = new Float64Array(this.#memory.buffer);
    const scale = 1n << BigInt(ELEMENT_SCALE);
    writeElement(this.#memory, this.#layout.toElement, scale, FIELD_MODULUS);
    // The element of 2^257 multiplies a coefficient's number times 2^255 by 2^257.
    const toRecord = 1n << BigInt(RECORD_SCALE - ELEMENT_SCALE);
    writeElement(this.#memory, this.#layout.toRecord, toRecord, FIELD_MODULUS);
    this.#importRows();
  }

  add(matrix: Matrix, row: number, wire: number, coefficient: number, record: number): void {
    const slot = this.#slotOf(coefficient / 4);
    const { terms, coefficients, rows, sums } = this.#layout;
    const sum = sums + (matrix * this.#places.wireCount + wire) * ELEMENT_BYTES;
    // A couple is added at once: one of its sums must not wait for the other.
    if (this.#pending % 2 === 1 && sum === this.#lastSum) this.#pad();
    if (this.#pending === TERMS_PER_RUN) this.#flush();
    const word = (terms + this.#pending++ * TERM_BYTES) / 4;
    this.#words[word] = coefficients + slot * ELEMENT_BYTES;
    this.#words[word + 1] = rows + row * ELEMENT_BYTES;
    this.#words[word + 2] = sum;
    this.#lastSum = sum;
    if (record === 0) return;
    const [from, to] = [slot * WORDS, record / 4];
    for (let at = 0; at < WORDS; at++) this.#curveWords[to + at] = this.#records[from + at];
  }

  finish(): void {
    this.#flush();
    const { wireCount, sums: target } = this.#places;
    const { factor, sums, integers } = this.#layout;
    const toInteger = inversePowerOfTwo(ELEMENT_SCALE, FIELD_MODULUS);
    writeElement(this.#memory, factor, toInteger, FIELD_MODULUS);
    const bytes = new Uint8Array(this.#memory.buffer);
    for (let first = 0; first < 3 * wireCount; first += CHUNK) {
      const count = Math.min(CHUNK, 3 * wireCount - first);
      this.#kernel.exportScalars(sums + first * ELEMENT_BYTES, integers, Math.ceil(count / 2), factor);
      const exported = bytes.subarray(integers, integers + count * INTEGER_BYTES);
      this.#curve.bytes.set(exported, target + first * INTEGER_BYTES);
    }
  }

  #importRows(): void {
    const { lagrange, rowCount } = this.#places;
    const { factor, rows, integers } = this.#layout;
    const scale = (1n << BigInt(ELEMENT_SCALE)) * inversePowerOfTwo(CURVE_SCALE, FIELD_MODULUS);
    writeElement(this.#memory, factor, scale, FIELD_MODULUS);
    const bytes = new Uint8Array(this.#memory.buffer);
    for (let first = 0; first < rowCount; first += CHUNK) {
      const count = Math.min(CHUNK, rowCount - first);
      const from = lagrange + first * INTEGER_BYTES;
      bytes.set(this.#curve.bytes.subarray(from, from + count * INTEGER_BYTES), integers);
      this.#kernel.importScalars(integers, rows + first * ELEMENT_BYTES, Math.ceil(count / 2), factor);
    }
  }

  /** Completes a couple with a term that goes to the spare sum. */
  #pad(): void {
    const { terms, coefficients, rows, spare } = this.#layout;
    const word = (terms + this.#pending++ * TERM_BYTES) / 4;
    this.#words[word] = coefficients;
    this.#words[word + 1] = rows;
    this.#words[word + 2] = spare;
  }

  #flush(): void {
    if (this.#pending === 0) return;
    if (this.#pending % 2 === 1) this.#pad();
    this.#kernel.addProducts(this.#layout.terms, this.#pending / 2);
    this.#pending = 0;
  }

  /** The slot of the coefficient at a word of the curve's memory; converts those that are new. */
  #slotOf(from: number): number {
    const [words, keys] = [this.#curveWords, this.#keys];
    let hash = 0;
    for (let at = 0; at < WORDS; at++) hash = Math.imul(hash ^ words[from + at], 0x9e3779b1) ^ (hash >>> 15);
    let slot = (hash ^ (hash >>> 16)) & (SLOTS - 1);
    for (; this.#isTaken[slot] === 1; slot = (slot + 1) & (SLOTS - 1)) {
      let at = 0;
      while (at < WORDS && keys[slot * WORDS + at] === words[from + at]) at++;
      if (at === WORDS) return slot;
    }
    if (this.#coefficientCount < COEFFICIENTS_MAX) {
      this.#convert(from, slot);
      return slot;
    }
    // Terms that wait still name coefficients by their slots.
    this.#flush();
    this.#isTaken.fill(0);
    this.#coefficientCount = 0;
    return this.#slotOf(from);
  }

  #convert(from: number, slot: number): void {
    const { integers, couple, coefficients, toElement, toRecord } = this.#layout;
    const coefficient = this.#curveWords.subarray(from, from + WORDS);
    this.#words.set(coefficient, integers / 4);
    this.#kernel.importScalars(integers, couple, 1, toElement);
    const [first, target] = [couple / 8, (coefficients + slot * ELEMENT_BYTES) / 8];
    this.#doubles.copyWithin(target, first, first + ELEMENT_BYTES / 8);
    this.#kernel.exportScalars(couple, integers, 1, toRecord);
    this.#records.set(this.#words.subarray(integers / 4, integers / 4 + WORDS), slot * WORDS);
    this.#keys.set(coefficient, slot * WORDS);
    this.#isTaken[slot] = 1;
    this.#coefficientCount++;
  }
}
