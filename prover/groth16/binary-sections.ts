/** Reads the files of snarkjs: a magic word, a version, and sections that are found by their numbers. */
import { FIELD_MODULUS } from '#protocol/crypto/field.ts';
import { ZKEY_SECTION } from '../setup/zkey-layout.ts';
import { INTEGER_BYTES } from './field-functions.ts';
import { BASE_MODULUS } from './kernel.ts';

/** A proving key or witness is not one that this prover can read: damaged, or of another curve or system. */
export class ProverFileError extends Error {
  override readonly name = 'ProverFileError';
}

/** The header of a proving key; points are encoded as in the file (affine, Montgomery form of 2^256). */
export interface ZkeyHeader {
  readonly wireCount: number;
  /** Outputs and public inputs, without the constant wire. */
  readonly publicCount: number;
  readonly domainSize: number;
  readonly alpha1: Uint8Array;
  readonly beta1: Uint8Array;
  readonly beta2: Uint8Array;
  readonly delta1: Uint8Array;
  readonly delta2: Uint8Array;
}

const HEAD_BYTES = 12;
const WTNS_SECTION = { header: 1, values: 2 } as const;
const GROTH16 = 1;
const G1_BYTES = 2 * INTEGER_BYTES;
const G2_BYTES = 4 * INTEGER_BYTES;

/** Contents by section number. @throws ProverFileError */
export function readSections(file: Uint8Array, magic: 'zkey' | 'wtns'): ReadonlyMap<number, Uint8Array> {
  // A Buffer's slices are no copies.
  const bytes = new Uint8Array(file.buffer, file.byteOffset, file.byteLength);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isMagic = bytes.length >= HEAD_BYTES && new TextDecoder().decode(bytes.subarray(0, 4)) === magic;
  if (!isMagic) throw new ProverFileError(`not a ${magic} file`);
  const sections = new Map<number, Uint8Array>();
  for (let at = HEAD_BYTES; at < bytes.length; ) {
    if (at + HEAD_BYTES > bytes.length) throw new ProverFileError(`the ${magic} file is cut off`);
    const start = at + HEAD_BYTES;
    const length = Number(view.getBigUint64(at + 4, true));
    if (start + length > bytes.length) throw new ProverFileError(`the ${magic} file is cut off`);
    sections.set(view.getUint32(at, true), bytes.subarray(start, start + length));
    at = start + length;
  }
  return sections;
}

/** A section of known size. @throws ProverFileError */
export function sectionOf(
  sections: ReadonlyMap<number, Uint8Array>,
  id: number,
  length?: number,
): Uint8Array {
  const content = sections.get(id);
  if (content === undefined) throw new ProverFileError(`section ${id} is missing`);
  if (length !== undefined && content.length !== length) {
    throw new ProverFileError(`section ${id} has ${content.length} bytes instead of ${length}`);
  }
  return content;
}

/** @throws ProverFileError unless it is a Groth16 key over BN254. */
export function readZkeyHeader(sections: ReadonlyMap<number, Uint8Array>): ZkeyHeader {
  const protocol = sectionOf(sections, ZKEY_SECTION.protocol, 4);
  if (protocol[0] !== GROTH16) throw new ProverFileError('the key is not for Groth16');
  const fields = 2 * (4 + INTEGER_BYTES) + 3 * 4;
  const header = sectionOf(sections, ZKEY_SECTION.header, fields + 3 * G1_BYTES + 3 * G2_BYTES);
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  const isOurs =
    readInteger(header, 4) === BASE_MODULUS && readInteger(header, 8 + INTEGER_BYTES) === FIELD_MODULUS;
  if (!isOurs) throw new ProverFileError('the key is not over BN254');
  let at = fields;
  const take = (length: number): Uint8Array => header.slice(at, (at += length));
  const [alpha1, beta1, beta2] = [take(G1_BYTES), take(G1_BYTES), take(G2_BYTES)];
  take(G2_BYTES); // gamma is for the verifier
  const [wireCount, publicCount, domainSize] = [12, 8, 4].map((before) =>
    view.getUint32(fields - before, true),
  );
  const isConsistent = publicCount < wireCount && domainSize >= 2 && Number.isInteger(Math.log2(domainSize));
  if (!isConsistent) throw new ProverFileError('the sizes in the key contradict each other');
  return {
    wireCount,
    publicCount,
    domainSize,
    alpha1,
    beta1,
    beta2,
    delta1: take(G1_BYTES),
    delta2: take(G2_BYTES),
  };
}

/** The values of a .wtns file, 32 little-endian bytes each. @throws ProverFileError */
export function readWitness(bytes: Uint8Array, wireCount: number): Uint8Array {
  const sections = readSections(bytes, 'wtns');
  const header = sectionOf(sections, WTNS_SECTION.header, 4 + INTEGER_BYTES + 4);
  if (readInteger(header, 4) !== FIELD_MODULUS) throw new ProverFileError('the witness is of another field');
  return sectionOf(sections, WTNS_SECTION.values, wireCount * INTEGER_BYTES);
}

/** 32 little-endian bytes as a number. */
export function readInteger(bytes: Uint8Array, at: number): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, INTEGER_BYTES);
  let value = 0n;
  for (let word = 3; word >= 0; word--) value = (value << 64n) | view.getBigUint64(8 * word, true);
  return value;
}
