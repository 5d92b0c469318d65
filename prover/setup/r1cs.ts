/**
 * Reads circom's .r1cs files in bounded memory.
 *
 * Format: iden3 "R1CS binary format" version 1. Magic and version, then sections of (type, length,
 * bytes) in any order; section 1 holds the header, section 2 the constraints. A constraint is three
 * linear combinations A, B, C, each a count and that many (wire, coefficient) terms.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/** Sizes of a constraint system. Wire 0 is the constant 1, then outputs, public and private inputs. */
export interface R1csHeader {
  readonly prime: bigint;
  readonly wireCount: number;
  readonly outputCount: number;
  readonly publicInputCount: number;
  readonly privateInputCount: number;
  readonly constraintCount: number;
}

/** The file is not a complete .r1cs file of a form we know. */
export class R1csFormatError extends Error {
  override readonly name = 'R1csFormatError';
}

/** Which linear combination of a constraint a term belongs to. */
export type Matrix = 0 | 1 | 2;
export const MATRIX_A = 0;
export const MATRIX_B = 1;
export const MATRIX_C = 2;

/** Receives the terms in file order. `coefficientAt`: byte offset of 32 little-endian bytes in the block. */
export interface TermVisitor {
  term(matrix: Matrix, constraintIndex: number, wire: number, coefficientAt: number): void;
  /** The block's bytes are about to be replaced. */
  blockEnd?(): void;
}

const HEADER_SECTION = 1;
const CONSTRAINTS_SECTION = 2;
const FIELD_BYTES = 32;
const TERM_BYTES = 4 + FIELD_BYTES;

/** A section's place in its file, in bytes. */
interface Section {
  readonly start: number;
  readonly length: number;
}

export class R1csFile {
  readonly header: R1csHeader;
  readonly #descriptor: number;
  readonly #constraints: Section;

  /** @throws R1csFormatError when the file is truncated, of another kind or over a field of another width. */
  constructor(path: string) {
    this.#descriptor = openSync(path, 'r');
    try {
      const sections = readSections(this.#descriptor);
      const header = sections.get(HEADER_SECTION);
      const constraints = sections.get(CONSTRAINTS_SECTION);
      if (!header || !constraints) throw new R1csFormatError('header or constraints are missing');
      this.#constraints = constraints;
      this.header = readHeader(readExactly(this.#descriptor, header.start, header.length));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  /**
   * Shows every term of every constraint to `visitor`, reading through `block`, which is overwritten.
   * A constraint may be longer than the block: only single terms must fit.
   * @param block asked for again after each read, since WASM memory may have been replaced.
   * @throws R1csFormatError when the section ends early, has bytes left or names an unknown wire.
   */
  visitTerms(block: () => Uint8Array, visitor: TermVisitor): void {
    const { constraintCount, wireCount } = this.header;
    let unread = this.#constraints;
    let kept = 0;
    let constraintIndex = 0;
    let matrix: Matrix = MATRIX_A;
    let termsLeft = -1;
    while (constraintIndex < constraintCount) {
      const bytes = block();
      const wanted = Math.min(bytes.length - kept, unread.length);
      if (wanted === 0) throw new R1csFormatError('the constraints end early');
      readInto(this.#descriptor, unread.start, bytes.subarray(kept, kept + wanted));
      unread = { start: unread.start + wanted, length: unread.length - wanted };
      const end = kept + wanted;
      const view = new DataView(bytes.buffer, bytes.byteOffset, end);
      let at = 0;
      for (; constraintIndex < constraintCount; ) {
        if (termsLeft < 0) {
          if (end - at < 4) break;
          termsLeft = view.getUint32(at, true);
          at += 4;
        }
        for (; termsLeft > 0 && end - at >= TERM_BYTES; termsLeft--, at += TERM_BYTES) {
          const wire = view.getUint32(at, true);
          if (wire >= wireCount) throw new R1csFormatError(`wire ${wire} of ${wireCount} does not exist`);
          visitor.term(matrix, constraintIndex, wire, at + 4);
        }
        if (termsLeft > 0) break;
        termsLeft = -1;
        if (matrix === MATRIX_C) constraintIndex++;
        matrix = ((matrix + 1) % 3) as Matrix;
      }
      visitor.blockEnd?.();
      const current = block();
      current.copyWithin(0, at, end);
      kept = end - at;
    }
    if (unread.length + kept > 0) throw new R1csFormatError('bytes are left after the last constraint');
  }
}

function readSections(descriptor: number): Map<number, Section> {
  const size = fstatSync(descriptor).size;
  const start = readExactly(descriptor, 0, 12);
  if (start.toString('latin1', 0, 4) !== 'r1cs') throw new R1csFormatError('not an .r1cs file');
  if (start.readUInt32LE(4) !== 1) throw new R1csFormatError(`version ${start.readUInt32LE(4)} is not 1`);
  const sections = new Map<number, Section>();
  let at = 12;
  for (let left = start.readUInt32LE(8); left > 0; left--) {
    const head = readExactly(descriptor, at, 12);
    const type = head.readUInt32LE(0);
    const length = Number(head.readBigUInt64LE(4));
    if (at + 12 + length > size) throw new R1csFormatError('the file is truncated');
    if (sections.has(type)) throw new R1csFormatError(`section ${type} appears twice`);
    sections.set(type, { start: at + 12, length });
    at += 12 + length;
  }
  return sections;
}

function readHeader(bytes: Buffer): R1csHeader {
  if (bytes.length !== 4 + FIELD_BYTES + 28 || bytes.readUInt32LE(0) !== FIELD_BYTES) {
    throw new R1csFormatError('the header is not that of a 32-byte field');
  }
  const prime = BigInt(
    `0x${Buffer.from(bytes.subarray(4, 4 + FIELD_BYTES))
      .reverse()
      .toString('hex')}`,
  );
  const numbers = 4 + FIELD_BYTES;
  return {
    prime,
    wireCount: bytes.readUInt32LE(numbers),
    outputCount: bytes.readUInt32LE(numbers + 4),
    publicInputCount: bytes.readUInt32LE(numbers + 8),
    privateInputCount: bytes.readUInt32LE(numbers + 12),
    constraintCount: bytes.readUInt32LE(numbers + 24),
  };
}

function readExactly(descriptor: number, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  readInto(descriptor, position, bytes);
  return bytes;
}

function readInto(descriptor: number, position: number, target: Uint8Array): void {
  for (let done = 0; done < target.length; ) {
    const count = readSync(descriptor, target, done, target.length - done, position + done);
    if (count === 0) throw new R1csFormatError('the file is truncated');
    done += count;
  }
}
