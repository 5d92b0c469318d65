/**
 * A proving key in shared memory, in the form the threads compute with: points and coefficients in the
 * kernel's representation, terms by row, and room for one proof's witness, polynomials and scalars.
 */
import { FIELD_MODULUS } from '#protocol/crypto/field.ts';
import { ZKEY_SECTION } from '../setup/zkey-layout.ts';
import {
  ProverFileError,
  readSections,
  readZkeyHeader,
  sectionOf,
  type ZkeyHeader,
} from './binary-sections.ts';
import { INTEGER_BYTES } from './field-functions.ts';
import {
  instantiateKernel,
  inversePowerOfTwo,
  inversionBits,
  type Kernel,
  PAGE_BYTES,
  PAGES_MAX,
} from './kernel.ts';
import { type Degree, ELEMENT_BYTES } from './point-code.ts';
import {
  ELEMENT_SCALE,
  type FinitePoints,
  finitePoints,
  type PointSection,
  writeElement,
  writePoints,
} from './point-section.ts';
import { bestWindowBits } from './scalar-digits.ts';
import { fillTransformTables, reserveTransform, type TransformLayout } from './transform.ts';

export type SectionName = 'a' | 'b1' | 'b2' | 'c' | 'h';

/** Addresses and sizes; plain data, the same for all threads. */
export interface KeyLayout {
  readonly wireCount: number;
  readonly domainSize: number;
  readonly sections: Readonly<Record<SectionName, PointSection>>;
  /** Canonical values of the wires, the same as field elements, and recoded. */
  readonly witnessIntegers: number;
  readonly witness: number;
  readonly witnessScalars: number;
  /** Starts of rows, wires and coefficients of the matrices A and B. */
  readonly matrices: readonly {
    readonly starts: number;
    readonly wires: number;
    readonly coefficients: number;
  }[];
  readonly transform: TransformLayout;
  readonly quotientScalars: number;
  readonly inversionBits: number;
  /** Factor that makes elements of canonical integers. */
  readonly toElement: number;
  /** Where free memory begins: scratch space, cut among the threads. */
  readonly scratch: number;
}

/** The key with its memory. */
export interface KeyMemory {
  readonly header: ZkeyHeader;
  readonly layout: KeyLayout;
  readonly memory: WebAssembly.Memory;
}

/** Hands out addresses in ascending order. */
export class Reservation {
  #next = PAGE_BYTES;

  get next(): number {
    return this.#next;
  }

  take(byteCount: number): number {
    const address = this.#next;
    // Whole cache lines, so that threads do not contend for the ends of arrays.
    this.#next = address + Math.ceil(byteCount / 64) * 64;
    return address;
  }
}

const RECORD_BYTES = 12 + INTEGER_BYTES;
const TERM_PADDING = 4;
/** Coefficients are stored times 2^512. */
const COEFFICIENT_SCALE = 512;
const CHUNK = 8192;

/** Terms of both matrices as they lie in the file. */
interface Terms {
  readonly records: DataView;
  readonly count: number;
  /** Even number of places from each row's start to the next, by matrix. */
  readonly starts: readonly Uint32Array[];
}

/**
 * Reads a key into new memory with `scratchBytes(layout)` bytes behind it.
 * @throws ProverFileError when it is damaged; RangeError beyond 4 GiB.
 */
export function loadKey(
  zkey: Uint8Array,
  module: WebAssembly.Module,
  scratchBytes: (layout: KeyLayout) => number,
): KeyMemory {
  const sections = readSections(zkey, 'zkey');
  const header = readZkeyHeader(sections);
  const terms = readTerms(sectionOf(sections, ZKEY_SECTION.coefficients), header);
  const finite = finiteSections(sections, header);
  const layout = layOut(header, terms, finite);
  const pages = Math.ceil((layout.scratch + scratchBytes(layout)) / PAGE_BYTES);
  if (pages > PAGES_MAX) throw new RangeError('the circuit needs more than 4 GiB of memory to prove');
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const kernel = instantiateKernel(module, memory);
  writeConstants(memory, layout);
  for (const name of Object.keys(finite) as SectionName[]) {
    writePoints(kernel, memory, layout.scratch, layout.sections[name], finite[name]);
  }
  writeTerms(kernel, memory, layout, terms);
  fillTransformTables(kernel, memory, layout.transform);
  return { header, layout, memory };
}

/** Wires that do not occur in a matrix have points at infinity: nothing to add. */
function finiteSections(
  sections: ReadonlyMap<number, Uint8Array>,
  { wireCount, publicCount, domainSize }: ZkeyHeader,
): Record<SectionName, FinitePoints> {
  const read = (name: SectionName, degree: Degree, count: number, firstScalar: number): FinitePoints => {
    const bytes = sectionOf(sections, ZKEY_SECTION[name], count * 2 * degree * INTEGER_BYTES);
    return finitePoints(bytes, degree, firstScalar);
  };
  return {
    a: read('a', 1, wireCount, 0),
    b1: read('b1', 1, wireCount, 0),
    b2: read('b2', 2, wireCount, 0),
    c: read('c', 1, wireCount - publicCount - 1, publicCount + 1),
    h: read('h', 1, domainSize, 0),
  };
}

function readTerms(section: Uint8Array, { wireCount, domainSize }: ZkeyHeader): Terms {
  const records = new DataView(section.buffer, section.byteOffset + 4, section.byteLength - 4);
  const count = new DataView(section.buffer, section.byteOffset).getUint32(0, true);
  if (records.byteLength !== count * RECORD_BYTES) throw new ProverFileError('coefficients are cut off');
  const starts = [new Uint32Array(domainSize + 1), new Uint32Array(domainSize + 1)];
  for (let at = 0; at < count; at++) {
    const [matrix, row, wire] = [0, 4, 8].map((word) => records.getUint32(at * RECORD_BYTES + word, true));
    if (matrix > 1 || row >= domainSize || wire >= wireCount) {
      throw new ProverFileError(`coefficient ${at} lies outside the circuit`);
    }
    starts[matrix][row + 1]++;
  }
  for (const ends of starts) {
    for (let row = 0; row < domainSize; row++) ends[row + 1] = ends[row] + Math.ceil(ends[row + 1] / 2) * 2;
  }
  return { records, count, starts };
}

function layOut(header: ZkeyHeader, terms: Terms, finite: Record<SectionName, FinitePoints>): KeyLayout {
  const { wireCount, domainSize } = header;
  const reservation = new Reservation();
  const take = (byteCount: number) => reservation.take(byteCount);
  const evenWires = wireCount + (wireCount % 2);
  const shared = {
    inversionBits: take(INTEGER_BYTES * 8),
    toElement: take(ELEMENT_BYTES),
    witnessIntegers: take(evenWires * INTEGER_BYTES),
    witness: take(evenWires * ELEMENT_BYTES),
    witnessScalars: take(evenWires * INTEGER_BYTES),
    quotientScalars: take(domainSize * INTEGER_BYTES),
  };
  const matrices = terms.starts.map((starts) => {
    const termCount = starts[domainSize];
    return {
      starts: take(4 * (domainSize + 1)),
      wires: take(4 * termCount),
      coefficients: take((termCount + TERM_PADDING) * ELEMENT_BYTES),
    };
  });
  const transform = reserveTransform(reservation, domainSize);
  // Of the wires about half hold full-size values; the others are bits and cost one addition.
  const witnessWindowBits = bestWindowBits(wireCount / 2);
  const place = (name: SectionName): PointSection => {
    const { degree, places } = finite[name];
    return {
      degree,
      count: places.length,
      points: take((places.length + 1) * 2 * degree * ELEMENT_BYTES),
      scalarNumbers: take(4 * places.length),
      scalars: name === 'h' ? shared.quotientScalars : shared.witnessScalars,
      windowBits: name === 'h' ? bestWindowBits(domainSize) : witnessWindowBits,
    };
  };
  const sections = { a: place('a'), b1: place('b1'), b2: place('b2'), c: place('c'), h: place('h') };
  return { wireCount, domainSize, sections, ...shared, matrices, transform, scratch: reservation.next };
}

function writeConstants(memory: WebAssembly.Memory, layout: KeyLayout): void {
  new Uint8Array(memory.buffer).set(inversionBits(), layout.inversionBits);
  writeElement(memory, layout.toElement, 1n << BigInt(ELEMENT_SCALE), FIELD_MODULUS);
}

/** Sorts the terms by matrix and row; odd rows end with a term of coefficient 0. */
function writeTerms(kernel: Kernel, memory: WebAssembly.Memory, layout: KeyLayout, terms: Terms): void {
  const { records, count, starts } = terms;
  const words = new Uint32Array(memory.buffer);
  const bytes = new Uint8Array(memory.buffer);
  const source = new Uint8Array(records.buffer, records.byteOffset, records.byteLength);
  const [factor, staging] = [layout.scratch, layout.scratch + 64];
  const converted = staging + CHUNK * INTEGER_BYTES;
  writeElement(
    memory,
    factor,
    (1n << BigInt(ELEMENT_SCALE)) * inversePowerOfTwo(COEFFICIENT_SCALE, FIELD_MODULUS),
    FIELD_MODULUS,
  );
  const next = starts.map((rows, matrix) => {
    words.set(rows, layout.matrices[matrix].starts / 4);
    return rows.slice();
  });
  for (let first = 0; first < count; first += CHUNK) {
    const chunk = Math.min(CHUNK, count - first);
    for (let at = 0; at < chunk; at++) {
      const start = (first + at) * RECORD_BYTES + 12;
      bytes.set(source.subarray(start, start + INTEGER_BYTES), staging + at * INTEGER_BYTES);
    }
    kernel.importScalars(staging, converted, Math.ceil(chunk / 2), factor);
    for (let at = 0; at < chunk; at++) {
      const record = (first + at) * RECORD_BYTES;
      const matrix = records.getUint32(record, true);
      const place = next[matrix][records.getUint32(record + 4, true)]++;
      const { wires, coefficients } = layout.matrices[matrix];
      words[wires / 4 + place] = records.getUint32(record + 8, true) * ELEMENT_BYTES;
      const from = converted + at * ELEMENT_BYTES;
      bytes.copyWithin(coefficients + place * ELEMENT_BYTES, from, from + ELEMENT_BYTES);
    }
  }
}
