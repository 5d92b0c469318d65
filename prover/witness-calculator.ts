/**
 * Computes witnesses with the WebAssembly that circom emits (its interface version 2).
 *
 * The module is compiled once and instantiated for each witness: an instance that has failed an
 * assertion keeps half a witness, and a fresh one costs milliseconds.
 */
import { isFieldElement } from '#protocol/crypto/field.ts';

/** The value of an input signal: a field element, or nested arrays of them as declared. */
export type SignalValue = bigint | readonly SignalValue[];

/** Input of a circuit: field names are signal names. */
export type CircuitInput = Readonly<Record<string, SignalValue>>;

/** Why there is no witness. */
export type WitnessErrorCode =
  /** The input does not have the circuit's signals or shapes: it was made for another circuit. */
  | 'input-mismatch'
  /** A value is no field element. */
  | 'not-in-field'
  /** A constraint or assertion failed: no witness exists for this input. */
  | 'constraint-failed'
  /** The generator itself failed: memory, or an index out of range. */
  | 'generator-failed';

/** This input has no witness, and never will: not worth a retry. */
export class WitnessError extends Error {
  override readonly name = 'WitnessError';
  readonly code: WitnessErrorCode;

  constructor(code: WitnessErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** The functions of circom's module; numbers are 32-bit words. */
interface GeneratorExports {
  readonly memory: WebAssembly.Memory;
  init(sanityCheck: number): void;
  getSharedRWMemoryStart(): number;
  getFieldNumLen32(): number;
  getRawPrime(): void;
  getWitnessSize(): number;
  getInputSize(): number;
  getInputSignalSize(hashHigh: number, hashLow: number): number;
  setInputSignal(hashHigh: number, hashLow: number, position: number): void;
  getWitness(index: number): void;
  getMessageChar(): number;
}

const FIELD_BYTES = 32;
const FAILURES: Readonly<Record<number, readonly [WitnessErrorCode, string]>> = {
  1: ['input-mismatch', 'signal not found'],
  2: ['input-mismatch', 'too many signals set'],
  3: ['input-mismatch', 'signal already set'],
  4: ['constraint-failed', 'assertion failed'],
  5: ['generator-failed', 'not enough memory'],
  6: ['input-mismatch', 'input signal array too long'],
  7: ['generator-failed', 'array access out of bounds'],
};

export class WitnessCalculator {
  readonly #module: WebAssembly.Module;

  private constructor(module: WebAssembly.Module) {
    this.#module = module;
  }

  /** @throws WebAssembly.CompileError when the bytes are not a module. */
  static async create(wasm: Uint8Array): Promise<WitnessCalculator> {
    return new WitnessCalculator(await WebAssembly.compile(wasm as BufferSource));
  }

  /**
   * The witness as a .wtns file (version 2) in memory.
   * @throws WitnessError
   */
  async calculate(input: CircuitInput): Promise<Uint8Array> {
    const generator = await this.#instantiate();
    generator.init(0);
    let valueCount = 0;
    for (const [name, value] of Object.entries(input)) valueCount += setSignal(generator, name, value);
    if (valueCount !== generator.getInputSize()) {
      throw new WitnessError(
        'input-mismatch',
        `${valueCount} input values for ${generator.getInputSize()} input signals`,
      );
    }
    return readWitness(generator);
  }

  async #instantiate(): Promise<GeneratorExports> {
    const trace: string[] = [];
    const readMessage = (): string => {
      let message = '';
      for (let code = generator.getMessageChar(); code !== 0; code = generator.getMessageChar()) {
        message += String.fromCharCode(code);
      }
      return message;
    };
    const instance = await WebAssembly.instantiate(this.#module, {
      runtime: {
        exceptionHandler(failure: number) {
          const [code, text] = FAILURES[failure] ?? ['generator-failed', `unknown failure ${failure}`];
          throw new WitnessError(code, [text, ...trace].join('; '));
        },
        printErrorMessage() {
          trace.push(readMessage().trim());
        },
        // Output of log() in circuits: read, so that the buffer empties, and dropped.
        writeBufferMessage: readMessage,
        showSharedRWMemory() {},
      },
    });
    const generator = instance.exports as unknown as GeneratorExports;
    return generator;
  }
}

/** Sets one signal and returns how many values it took. The last one set starts the computation. */
function setSignal(generator: GeneratorExports, name: string, value: SignalValue): number {
  const [high, low] = signalHash(name);
  const size = generator.getInputSignalSize(high, low);
  if (size < 0) throw new WitnessError('input-mismatch', `the circuit has no input signal "${name}"`);
  const values = flatten(value);
  if (values.length !== size) {
    throw new WitnessError('input-mismatch', `signal "${name}" takes ${size} values, not ${values.length}`);
  }
  values.forEach((element, position) => {
    // The generator would reduce larger values silently, and two inputs would share a witness.
    if (!isFieldElement(element)) {
      throw new WitnessError('not-in-field', `${name}[${position}] = ${element} is not a field element`);
    }
    const view = new DataView(generator.memory.buffer, generator.getSharedRWMemoryStart());
    for (let word = 0; word < FIELD_BYTES / 8; word++) {
      view.setBigUint64(8 * word, BigInt.asUintN(64, element >> BigInt(64 * word)), true);
    }
    generator.setInputSignal(high, low, position);
  });
  return values.length;
}

function flatten(value: SignalValue): bigint[] {
  return typeof value === 'object' ? value.flatMap(flatten) : [value];
}

/** FNV-1a, 64 bits, as two words: how circom names signals at run time. */
function signalHash(name: string): [high: number, low: number] {
  let hash = 0xcbf29ce484222325n;
  for (const character of name) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(character.charCodeAt(0))) * 0x100000001b3n);
  }
  return [Number(hash >> 32n), Number(hash & 0xffffffffn)];
}

/** The .wtns format: magic, version, section 1 (field, size), section 2 (values, 32 bytes each). */
function readWitness(generator: GeneratorExports): Uint8Array {
  const size = generator.getWitnessSize();
  const headerBytes = 12 + 12 + 4 + FIELD_BYTES + 4 + 12;
  const bytes = new Uint8Array(headerBytes + size * FIELD_BYTES);
  const view = new DataView(bytes.buffer);
  const shared = generator.getSharedRWMemoryStart();
  const copyShared = (at: number) =>
    bytes.set(new Uint8Array(generator.memory.buffer, shared, FIELD_BYTES), at);
  bytes.set(new TextEncoder().encode('wtns'));
  view.setUint32(4, 2, true);
  view.setUint32(8, 2, true);
  view.setUint32(12, 1, true);
  view.setBigUint64(16, BigInt(4 + FIELD_BYTES + 4), true);
  view.setUint32(24, FIELD_BYTES, true);
  generator.getRawPrime();
  copyShared(28);
  view.setUint32(60, size, true);
  view.setUint32(64, 2, true);
  view.setBigUint64(68, BigInt(size * FIELD_BYTES), true);
  for (let index = 0; index < size; index++) {
    generator.getWitness(index);
    copyShared(headerBytes + index * FIELD_BYTES);
  }
  return bytes;
}
