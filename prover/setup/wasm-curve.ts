/**
 * Raw access to BN254 arithmetic in WebAssembly: the module that ffjavascript builds, without its
 * task queue, so that loops of single field operations pay no message or copy.
 *
 * Values live in linear memory: field elements as 32 little-endian bytes, in Montgomery form where
 * a function says so; affine points as x, y in Montgomery form (64 bytes in G1, 128 in G2), the
 * point at infinity as zeros. `frm_*` is the scalar field, `f1m_*`/`f2m_*` the fields under G1/G2.
 */
import { FIELD_MODULUS } from '#protocol/crypto/field.ts';

/** What a thread needs to make its own instance; can be sent to worker threads. */
export interface CurveCode {
  readonly module: WebAssembly.Module;
  /** Jacobian generators in the module's initial memory. */
  readonly g1Generator: number;
  readonly g2Generator: number;
}

type WasmFunction = (...parameters: number[]) => number;

/** Bytes of a scalar, or of a coordinate in G1. */
export const FIELD_BYTES = 32;
const PAGE_BYTES = 65_536;
const MEMORY_PAGES_MAX = 65_536;

/** 2^256 mod r: a scalar times this is its Montgomery form. */
export const MONTGOMERY_R = (1n << 256n) % FIELD_MODULUS;

let curveCode: Promise<CurveCode> | undefined;

/**
 * Builds and compiles the module, once per process; about 0.1 s. Not for worker threads: there
 * ffjavascript's imports take over the thread as one of their own.
 */
export function loadCurveCode(): Promise<CurveCode> {
  curveCode ??= buildCurveCode();
  return curveCode;
}

async function buildCurveCode(): Promise<CurveCode> {
  const { buildBn128 } = await import('ffjavascript');
  const curve = await buildBn128(true);
  return {
    module: await WebAssembly.compile(curve.tm.code),
    g1Generator: curve.tm.pG1gen,
    g2Generator: curve.tm.pG2gen,
  };
}

export class WasmCurve {
  /** The module's functions by name, taking and giving pointers and counts. */
  readonly call: Record<string, WasmFunction>;
  readonly code: CurveCode;
  readonly #memory: WebAssembly.Memory;
  #bytes: Uint8Array;
  #scratch = PAGE_BYTES;

  constructor(code: CurveCode) {
    this.code = code;
    this.#memory = new WebAssembly.Memory({ initial: 25, maximum: MEMORY_PAGES_MAX });
    const instance = new WebAssembly.Instance(code.module, { env: { memory: this.#memory } });
    this.call = instance.exports as Record<string, WasmFunction>;
    this.#bytes = new Uint8Array(this.#memory.buffer);
  }

  /** All of linear memory. Do not keep it: allocation may replace the view. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /**
   * Reserves zeroed memory for the life of the instance and returns its address.
   * @param scratch bytes to keep free behind all allocations from now on: word 0 is the module's
   *   stack pointer, and `*_batchInverse` of n elements takes n + 1 from there without growing memory.
   * @throws RangeError beyond 4 GiB.
   */
  allocate(byteCount: number, scratch = 0): number {
    this.#scratch = Math.max(this.#scratch, scratch);
    const stackPointer = new Uint32Array(this.#memory.buffer, 0, 1);
    const address = Math.ceil(stackPointer[0] / 8) * 8;
    const pages = Math.ceil((address + byteCount + this.#scratch) / PAGE_BYTES);
    if (pages > MEMORY_PAGES_MAX) throw new RangeError('the circuit needs more than 4 GiB of WASM memory');
    stackPointer[0] = address + byteCount;
    const missing = pages - this.#memory.buffer.byteLength / PAGE_BYTES;
    if (missing > 0) {
      this.#memory.grow(missing);
      this.#bytes = new Uint8Array(this.#memory.buffer);
    }
    // It may have been scratch space before.
    this.#bytes.fill(0, address, address + byteCount);
    return address;
  }

  /** Writes a number below 2^256 as 32 little-endian bytes. */
  write(address: number, value: bigint): void {
    const view = new DataView(this.#memory.buffer);
    for (let word = 0; word < 4; word++) {
      view.setBigUint64(address + 8 * word, BigInt.asUintN(64, value >> BigInt(64 * word)), true);
    }
  }

  /** Reserves and writes a scalar in Montgomery form. */
  constant(value: bigint): number {
    const address = this.allocate(FIELD_BYTES);
    this.write(address, (value * MONTGOMERY_R) % FIELD_MODULUS);
    return address;
  }
}
