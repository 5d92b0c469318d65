/**
 * The WebAssembly module of the prover: everything that touches field elements and points, so that no
 * loop over them pays for calls from JavaScript. All threads run it on one shared memory.
 */
import { FIELD_MODULUS } from '#protocol/crypto/field.ts';
import { assembleModule } from '#protocol/crypto/wasm-assembler.ts';
import { balancedDigits, DIGIT_BITS, DIGITS, MONTGOMERY_BITS } from './field-code.ts';
import {
  addProducts,
  butterflies,
  exportField,
  importField,
  joinQuotient,
  multiplyPairs,
  neighbours,
  rows,
  scalePairs,
} from './field-functions.ts';
import { EXPONENT_BITS, pointAdditions } from './point-addition.ts';

/** The prime under BN254's points: their coordinates are elements of this field. */
export const BASE_MODULUS = 21888242871839275222246405745257275088696311157297823662689037894645226208583n;
export const PAGE_BYTES = 65_536;
/** 4 GiB, the most that one memory can have. */
export const PAGES_MAX = 65_536;

/** The module's functions by name; parameters are addresses and counts. */
export type Kernel = Readonly<Record<string, (...parameters: number[]) => void>>;

/** Assembles the module, a few hundredths of a second. */
export function kernelBytes(): Uint8Array<ArrayBuffer> {
  const g1 = pointAdditions('g1', 0, BASE_MODULUS, 1);
  const g2 = pointAdditions('g2', g1.length, BASE_MODULUS, 2);
  const functions = [
    ...g1,
    ...g2,
    importField('importBase', BASE_MODULUS),
    exportField('exportBase', BASE_MODULUS),
    importField('importScalars', FIELD_MODULUS),
    exportField('exportScalars', FIELD_MODULUS),
    addProducts(FIELD_MODULUS),
    rows(FIELD_MODULUS),
    multiplyPairs(FIELD_MODULUS),
    scalePairs(FIELD_MODULUS),
    butterflies('decimateFrequency', FIELD_MODULUS),
    butterflies('decimateTime', FIELD_MODULUS),
    neighbours(FIELD_MODULUS),
    joinQuotient(FIELD_MODULUS),
  ];
  return assembleModule(functions, PAGES_MAX, 'shared');
}

export function instantiateKernel(module: WebAssembly.Module, memory: WebAssembly.Memory): Kernel {
  return new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Kernel;
}

/** New memory for a kernel. @throws RangeError beyond 4 GiB. */
export function kernelMemory(byteCount: number): WebAssembly.Memory {
  const pages = Math.ceil(byteCount / PAGE_BYTES);
  if (pages > PAGES_MAX) throw new RangeError('this needs more than 4 GiB of WASM memory');
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
}

/** A number's Montgomery form as the five doubles of a single element. */
export function montgomeryDigits(value: bigint, modulus: bigint): number[] {
  const form = ((((value % modulus) + modulus) % modulus) << BigInt(MONTGOMERY_BITS)) % modulus;
  return balancedDigits(form > modulus >> 1n ? form - modulus : form);
}

/** The number in Montgomery form that a single element holds, canonical. */
export function fromMontgomeryDigits(digits: ArrayLike<number>, modulus: bigint): bigint {
  let form = 0n;
  for (let at = digits.length - 1; at >= 0; at--) form = (form << BigInt(DIGIT_BITS)) + BigInt(digits[at]);
  const plain = (form * inversePowerOfTwo(MONTGOMERY_BITS, modulus)) % modulus;
  return plain < 0n ? plain + modulus : plain;
}

/** 2^(−exponent) by halving: a number, or else its sum with the odd modulus, is even. */
export function inversePowerOfTwo(exponent: number, modulus: bigint): bigint {
  let inverse = 1n;
  for (let bit = 0; bit < exponent; bit++) {
    inverse = (inverse % 2n === 0n ? inverse : inverse + modulus) >> 1n;
  }
  return inverse;
}

/** The bits of p − 2 below its leading one, from the highest down: the exponent of an inversion. */
export function inversionBits(): Uint8Array {
  const exponent = BASE_MODULUS - 2n;
  return Uint8Array.from({ length: EXPONENT_BITS - 1 }, (_, at) =>
    Number((exponent >> BigInt(EXPONENT_BITS - 2 - at)) & 1n),
  );
}

let compiled: Promise<WebAssembly.Module | undefined> | undefined;

/**
 * The compiled module, made once per process; undefined where the machine cannot run it: without relaxed
 * vector instructions, or where they round products before adding.
 */
export function loadKernel(): Promise<WebAssembly.Module | undefined> {
  compiled ??= compileKernel();
  return compiled;
}

async function compileKernel(): Promise<WebAssembly.Module | undefined> {
  const bytes = kernelBytes();
  if (!WebAssembly.validate(bytes)) return undefined;
  const module = await WebAssembly.compile(bytes);
  return isExact(module) ? module : undefined;
}

/** Whether a product comes out right: with a second rounding its lower halves would be lost. */
function isExact(module: WebAssembly.Module): boolean {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const kernel = instantiateKernel(module, memory);
  const doubles = new Float64Array(memory.buffer);
  const [source, target, factor] = [0, 512, 1024];
  const value = FIELD_MODULUS / 3n;
  const words = new BigUint64Array(memory.buffer, source, 8);
  words.forEach((_, at) => {
    words[at] = BigInt.asUintN(64, value >> BigInt(64 * (at % 4)));
  });
  doubles.set(montgomeryDigits(value, FIELD_MODULUS), factor / 8);
  kernel.importScalars(source, target, 1, factor);
  // integer · factor / R is the plain product, of which the element is the form times 1/R.
  const expected = (value * value * inversePowerOfTwo(MONTGOMERY_BITS, FIELD_MODULUS)) % FIELD_MODULUS;
  return [0, 1].every((lane) => {
    const start = (target + 8 * DIGITS * lane) / 8;
    return fromMontgomeryDigits(doubles.subarray(start, start + DIGITS), FIELD_MODULUS) === expected;
  });
}
