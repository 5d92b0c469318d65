/**
 * Where everything lies in a Groth16 proving key of snarkjs (.zkey version 1), and its header.
 *
 * The coefficients come last: their number is known only when the constraints have been read, and
 * readers find sections by type. All other sections have places known from the sizes alone, so that
 * threads can write them in any order.
 */
import { FIELD_MODULUS } from '#protocol/crypto/field.ts';
import { pointBytes } from './fixed-base.ts';
import { FIELD_BYTES } from './wasm-curve.ts';

/** Sections by their number in the file format. */
export const ZKEY_SECTION = {
  protocol: 1,
  header: 2,
  inputCommitments: 3,
  coefficients: 4,
  a: 5,
  b1: 6,
  b2: 7,
  c: 8,
  h: 9,
  contributions: 10,
} as const;

/** The field under the curve, q: coordinates of points. */
const BASE_FIELD_MODULUS = 21888242871839275222246405745257275088696311157297823662689037894645226208583n;
const GROTH16 = 1;
const SECTION_HEAD_BYTES = 12;
const CIRCUIT_HASH_BYTES = 64;

/** Bytes of a coefficient record: matrix, constraint, wire, value. */
export const COEFFICIENT_BYTES = 12 + FIELD_BYTES;

/** Sizes that fix the layout. */
export interface ZkeyShape {
  readonly wireCount: number;
  /** Outputs and public inputs; the constant wire not counted. */
  readonly publicCount: number;
  readonly domainSize: number;
}

/** Points of the header, encoded affine. */
export interface ZkeyHeaderPoints {
  readonly alpha1: Uint8Array;
  readonly beta1: Uint8Array;
  readonly beta2: Uint8Array;
  readonly gamma2: Uint8Array;
  readonly delta1: Uint8Array;
  readonly delta2: Uint8Array;
}

export interface ZkeyLayout {
  /** File offset of each section's content, in bytes; the coefficients' count comes first in theirs. */
  readonly offsets: Readonly<Record<keyof typeof ZKEY_SECTION, number>>;
  /** Everything before and between the points: magic, section heads and fixed contents, by offset. */
  readonly pieces: readonly { readonly offset: number; readonly bytes: Buffer }[];
}

/**
 * The layout for one circuit.
 * @param circuitHash 64 bytes that contributions chain from.
 */
export function layOutZkey(shape: ZkeyShape, points: ZkeyHeaderPoints, circuitHash: Uint8Array): ZkeyLayout {
  if (circuitHash.length !== CIRCUIT_HASH_BYTES) throw new RangeError('a circuit hash has 64 bytes');
  const g1 = pointBytes('g1');
  const contents: [keyof typeof ZKEY_SECTION, number | Buffer][] = [
    ['protocol', uint32(GROTH16)],
    ['header', headerBytes(shape, points)],
    ['inputCommitments', (shape.publicCount + 1) * g1],
    ['a', shape.wireCount * g1],
    ['b1', shape.wireCount * g1],
    ['b2', shape.wireCount * pointBytes('g2')],
    ['c', (shape.wireCount - shape.publicCount - 1) * g1],
    ['h', shape.domainSize * g1],
    ['contributions', Buffer.concat([circuitHash, uint32(0)])],
    ['coefficients', 0],
  ];
  const pieces: { offset: number; bytes: Buffer }[] = [
    { offset: 0, bytes: Buffer.concat([Buffer.from('zkey'), uint32(1), uint32(contents.length)]) },
  ];
  const offsets = {} as Record<keyof typeof ZKEY_SECTION, number>;
  let offset = 12;
  for (const [name, content] of contents) {
    const length = typeof content === 'number' ? content : content.length;
    pieces.push({ offset, bytes: sectionHead(ZKEY_SECTION[name], length) });
    offset += SECTION_HEAD_BYTES;
    offsets[name] = offset;
    if (typeof content !== 'number') pieces.push({ offset, bytes: content });
    offset += length;
  }
  return { offsets, pieces };
}

/** The head and count of the coefficients' section once `count` is known, and where they go. */
export function coefficientsHead(layout: ZkeyLayout, count: number): { offset: number; bytes: Buffer } {
  const head = sectionHead(ZKEY_SECTION.coefficients, 4 + count * COEFFICIENT_BYTES);
  return {
    offset: layout.offsets.coefficients - SECTION_HEAD_BYTES,
    bytes: Buffer.concat([head, uint32(count)]),
  };
}

function headerBytes(shape: ZkeyShape, points: ZkeyHeaderPoints): Buffer {
  return Buffer.concat([
    uint32(FIELD_BYTES),
    uint256(BASE_FIELD_MODULUS),
    uint32(FIELD_BYTES),
    uint256(FIELD_MODULUS),
    uint32(shape.wireCount),
    uint32(shape.publicCount),
    uint32(shape.domainSize),
    points.alpha1,
    points.beta1,
    points.beta2,
    points.gamma2,
    points.delta1,
    points.delta2,
  ]);
}

function sectionHead(type: number, length: number): Buffer {
  const bytes = Buffer.alloc(SECTION_HEAD_BYTES);
  bytes.writeUInt32LE(type, 0);
  bytes.writeBigUInt64LE(BigInt(length), 4);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function uint256(value: bigint): Buffer {
  return Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse();
}
