/** One section of a proving key: from the file's points to the finite ones in shared memory. */
import { INTEGER_BYTES } from './field-functions.ts';
import { BASE_MODULUS, inversePowerOfTwo, type Kernel, montgomeryDigits } from './kernel.ts';
import { type Degree, ELEMENT_BYTES } from './point-code.ts';

/** The finite points of one section, each with the scalar it is multiplied by. */
export interface PointSection {
  readonly degree: Degree;
  readonly count: number;
  /** Address of the points. */
  readonly points: number;
  /** Address of each point's scalar number, 32-bit words. */
  readonly scalarNumbers: number;
  /** Address of the recoded scalars, and the width of their windows. */
  readonly scalars: number;
  readonly windowBits: number;
}

/** Points of the file that are not infinity. */
export interface FinitePoints {
  readonly degree: Degree;
  readonly bytes: Uint8Array;
  /** Their places in the section. */
  readonly places: Uint32Array;
  /** Scalar number of the section's first point. */
  readonly firstScalar: number;
}

/** Points that pass through scratch memory at once, and the most that takes. */
const CHUNK = 8192;
export const SCRATCH_BYTES = 64 + CHUNK * 4 * INTEGER_BYTES;
/** Coordinates are stored times 2^256; an element is its number times 2^255. */
const POINT_SCALE = 256;
export const ELEMENT_SCALE = 255;

/** Finds the points that are not all zeros, the encoding of infinity. */
export function finitePoints(bytes: Uint8Array, degree: Degree, firstScalar: number): FinitePoints {
  const size = 2 * degree * INTEGER_BYTES;
  const words = new BigUint64Array(Uint8Array.from(bytes).buffer);
  const wordsPerPoint = size / 8;
  const places: number[] = [];
  for (let start = 0; start < words.length; start += wordsPerPoint) {
    if (words.subarray(start, start + wordsPerPoint).some((word) => word !== 0n)) {
      places.push(start / wordsPerPoint);
    }
  }
  return { degree, bytes, places: Uint32Array.from(places), firstScalar };
}

/** Converts a section's points in chunks that pass through `SCRATCH_BYTES` of scratch memory. */
export function writePoints(
  kernel: Kernel,
  memory: WebAssembly.Memory,
  scratch: number,
  section: PointSection,
  { degree, bytes, places, firstScalar }: FinitePoints,
): void {
  const memoryBytes = new Uint8Array(memory.buffer);
  const [factor, staging] = [scratch, scratch + 64];
  writeImportFactor(memory, factor);
  const size = 2 * degree * INTEGER_BYTES;
  for (let first = 0; first < places.length; first += CHUNK) {
    const count = Math.min(CHUNK, places.length - first);
    for (let at = 0; at < count; at++) {
      const start = places[first + at] * size;
      memoryBytes.set(bytes.subarray(start, start + size), staging + at * size);
    }
    const target = section.points + first * 2 * degree * ELEMENT_BYTES;
    kernel.importBase(staging, target, count * degree, factor);
  }
  const scalarNumbers = places.map((placeInFile) => placeInFile + firstScalar);
  new Uint32Array(memory.buffer).set(scalarNumbers, section.scalarNumbers / 4);
}

/** Writes the factor by which `importBase` takes coordinates as the file stores them. */
export function writeImportFactor(memory: WebAssembly.Memory, address: number): void {
  const scale = (1n << BigInt(ELEMENT_SCALE)) * inversePowerOfTwo(POINT_SCALE, BASE_MODULUS);
  writeElement(memory, address, scale, BASE_MODULUS);
}

/** Writes a single element. */
export function writeElement(
  memory: WebAssembly.Memory,
  address: number,
  value: bigint,
  modulus: bigint,
): void {
  new Float64Array(memory.buffer).set(montgomeryDigits(value, modulus), address / 8);
}
