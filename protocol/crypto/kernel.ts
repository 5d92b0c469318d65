/**
 * The WebAssembly kernel of protocol/crypto: one instance, made at first use and used synchronously, so its
 * scratch memory needs no lock. Nothing secret is written to it.
 */
import { babyjubjub } from '@noble/curves/misc.js';
import { CURVE_A, CURVE_D } from './baby-jubjub.ts';
import { FIELD_MODULUS, fieldInverse, toField } from './field.ts';
import { AT, kernelBytes, PAGE_BYTES, PAGES } from './kernel-code.ts';
import { ELEMENT_BYTES, LIMBS, limbsOf, MONTGOMERY_ONE } from './limb-code.ts';
import type { PoseidonParameters } from './poseidon-parameters.ts';

type Exported = 'multiply' | 'square' | 'add' | 'subtract' | 'dot' | 'split' | 'join';
type ExportedAbove =
  | 'fullRound'
  | 'partialRound'
  | 'permute'
  | 'addEntries'
  | 'subtractEntries'
  | 'makeEntry';
type Functions = Readonly<Record<Exported | ExportedAbove, (...parameters: number[]) => void>>;

const WORD = 64n;

export class Kernel {
  readonly functions: Functions;
  /** The memory by limbs, four bytes each. */
  readonly limbs: Uint32Array;
  /** x' = scale·x makes a = −1, which saves products; scale² = −a. */
  readonly scale: bigint;
  readonly #words: BigUint64Array;
  /** By number of inputs. */
  readonly #parameters: { readonly address: number; readonly partialCount: number }[] = [];
  #free: number = AT.parameters;

  constructor() {
    const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES });
    const module = new WebAssembly.Module(kernelBytes());
    this.functions = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Functions;
    this.limbs = new Uint32Array(memory.buffer);
    this.#words = new BigUint64Array(memory.buffer);
    this.scale = babyjubjub.Point.Fp.sqrt(toField(-CURVE_A));
    this.writeLimbs(AT.one, 1n);
    this.writeLimbs(AT.squareOfR, MONTGOMERY_ONE ** 2n % FIELD_MODULUS);
    this.write(AT.twiceD, toField(-2n * CURVE_D * fieldInverse(CURVE_A)));
  }

  /** Places the limbs of a value below 2^261 as they are. */
  writeLimbs(address: number, value: bigint): void {
    for (const [at, limb] of limbsOf(value).entries()) this.limbs[address / 4 + at] = Number(limb);
  }

  /** Places a field element in Montgomery form. */
  write(address: number, value: bigint): void {
    this.#writeWords(AT.words, value);
    this.functions.split(address, AT.words);
    this.functions.multiply(address, address, AT.squareOfR);
  }

  /** The field element, canonical, that an address holds in Montgomery form. */
  read(address: number): bigint {
    this.functions.multiply(AT.temporary, address, AT.one);
    this.functions.join(AT.words, AT.temporary);
    return this.#readWords();
  }

  /** The hash of 1 to 16 canonical elements, whose parameters `derive` gives when first needed. */
  poseidon(inputs: readonly bigint[], derive: (inputCount: number) => PoseidonParameters): bigint {
    const width = inputs.length + 1;
    const { address, partialCount } = (this.#parameters[width] ??= this.#place(derive(inputs.length)));
    for (let at = 0; at < inputs.length; at++) this.#writeWords(AT.words + 32 * at, inputs[at]);
    this.functions.permute(width, address, partialCount);
    return this.#readWords();
  }

  #place(parameters: PoseidonParameters): { readonly address: number; readonly partialCount: number } {
    const { fullConstants, mixing, lastMixing, corner, partialRounds } = parameters;
    const address = this.#free;
    const elements = [
      ...fullConstants.flat(),
      ...mixing.flat(),
      ...lastMixing.flat(),
      ...partialRounds.flatMap(({ constant, row, column }) => [constant, corner, ...row, ...column]),
    ];
    const end = address + elements.length * ELEMENT_BYTES;
    if (end > PAGES * PAGE_BYTES) throw new RangeError('the parameters do not fit the memory of the kernel');
    for (const [at, value] of elements.entries()) this.write(address + at * ELEMENT_BYTES, value);
    this.#free = end;
    return { address, partialCount: partialRounds.length };
  }

  #writeWords(address: number, value: bigint): void {
    const at = address / 8;
    // Each store keeps the low 64 bits.
    this.#words[at] = value;
    this.#words[at + 1] = value >> WORD;
    this.#words[at + 2] = value >> (2n * WORD);
    this.#words[at + 3] = value >> (3n * WORD);
  }

  /** A Montgomery product with 1 is at most p, and p stands for 0. */
  #readWords(): bigint {
    const [w0, w1, w2, w3] = this.#words;
    const value = (((w3 << WORD) | w2) << (2n * WORD)) | (w1 << WORD) | w0;
    return value === FIELD_MODULUS ? 0n : value;
  }
}

let instance: Kernel | undefined;

/** The kernel, assembled at first use: some hundredths of a second. */
export function kernel(): Kernel {
  instance ??= new Kernel();
  return instance;
}

/** Limbs of one point or table entry. */
export const POINT_LIMBS = 4 * LIMBS;
