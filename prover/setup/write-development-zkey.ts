/**
 * Writes a Groth16 proving key directly from known trapdoors: no powers of tau, no transform of
 * points, a few seconds instead of many minutes. The file is what snarkjs' `groth16 setup` and one
 * contribution would write for the same trapdoors, section by section; the same r1cs and trapdoors
 * give the same bytes whatever the number of threads.
 */

import { createHash } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { FIELD_MODULUS } from '#protocol/crypto/field.ts';
import { loadKernel } from '../groth16/kernel.ts';
import { CONTROL, STATE, type ThreadTask, writeAll } from './development-key-thread.ts';
import { type Group, pointBytes } from './fixed-base.ts';
import { domainPower, evaluateQap, type QapScalars } from './qap-evaluation.ts';
import { R1csFile, R1csFormatError } from './r1cs.ts';
import type { ToxicWaste } from './toxic-waste.ts';
import { FIELD_BYTES, loadCurveCode, WasmCurve } from './wasm-curve.ts';
import { coefficientsHead, layOutZkey, type ZkeyHeaderPoints, type ZkeyShape } from './zkey-layout.ts';

/** What to write, and with how many threads (the main thread reads constraints meanwhile). */
export interface DevelopmentZkeyTask {
  readonly r1csPath: string;
  readonly zkeyPath: string;
  readonly waste: ToxicWaste;
  readonly threadCount: number;
  /** Whether to do without the prover's kernel even where the machine can run it: slower, the same bytes. */
  readonly isPortable?: boolean;
}

/**
 * Writes the key to `zkeyPath`, which is incomplete until the promise resolves.
 * @throws R1csFormatError for a damaged or foreign r1cs; RangeError beyond 2^27 rows or 4 GiB of
 *   scalars; the system's errors.
 */
export async function writeDevelopmentZkey(task: DevelopmentZkeyTask): Promise<void> {
  const r1cs = new R1csFile(task.r1csPath);
  const descriptor = openSync(task.zkeyPath, 'w');
  try {
    const { prime, wireCount, constraintCount, outputCount, publicInputCount } = r1cs.header;
    if (prime !== FIELD_MODULUS) throw new R1csFormatError('the circuit is not over the BN254 scalar field');
    const publicCount = outputCount + publicInputCount;
    const shape = { wireCount, publicCount, domainSize: 2 ** domainPower(constraintCount, publicCount) };
    const code = await loadCurveCode();
    const curve = new WasmCurve(code);
    const kernel = task.isPortable ? undefined : await loadKernel();
    const layout = layOutZkey(shape, headerPoints(curve, task.waste), circuitHash(shape, constraintCount));
    for (const { offset, bytes } of layout.pieces) writeAll(descriptor, bytes, offset);

    const scalars = sharedScalars(wireCount);
    const control = new Int32Array(new SharedArrayBuffer(4 * Object.keys(CONTROL).length));
    const { zkeyPath: path, waste, threadCount } = task;
    const threads = startThreads({
      code,
      kernel,
      path,
      waste,
      shape,
      offsets: layout.offsets,
      scalars,
      control,
      threadCount,
    });
    let state: number = STATE.aborted;
    try {
      let offset = layout.offsets.coefficients + 4;
      const count = evaluateQap({ curve, kernel, r1cs, waste }, scalars, (records) => {
        writeAll(descriptor, records, offset);
        offset += records.length;
      });
      const head = coefficientsHead(layout, count);
      writeAll(descriptor, head.bytes, head.offset);
      state = STATE.scalarsReady;
    } finally {
      Atomics.store(control, CONTROL.state, state);
      Atomics.notify(control, CONTROL.state);
      await threads;
    }
  } finally {
    closeSync(descriptor);
    r1cs.close();
  }
}

/** Starts all threads; resolves when all have ended, rejects with the first error after that. */
async function startThreads(task: ThreadTask): Promise<void> {
  const abort = () => {
    Atomics.store(task.control, CONTROL.state, STATE.aborted);
    Atomics.notify(task.control, CONTROL.state);
  };
  const threads = Array.from({ length: task.threadCount }, () => {
    const url = new URL('./development-key-thread.ts', import.meta.url);
    const thread = new Worker(url, { workerData: { isDevelopmentKeyThread: true, task } });
    return new Promise<void>((resolve, reject) => {
      thread.once('error', (error) => {
        abort();
        reject(error);
      });
      thread.once('exit', () => resolve());
    });
  });
  const results = await Promise.allSettled(threads);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

function sharedScalars(wireCount: number): QapScalars {
  const words = () => new Uint32Array(new SharedArrayBuffer(wireCount * FIELD_BYTES));
  return { a: words(), b: words(), c: words() };
}

function headerPoints(curve: WasmCurve, waste: ToxicWaste): ZkeyHeaderPoints {
  const multiple = (group: Group, scalar: bigint): Uint8Array => {
    const size = pointBytes(group);
    const [factor, jacobian, affine] = [FIELD_BYTES, 2 * size, size].map((bytes) => curve.allocate(bytes));
    curve.write(factor, scalar);
    const generator = group === 'g1' ? curve.code.g1Generator : curve.code.g2Generator;
    curve.call[`${group}m_timesScalar`](generator, factor, FIELD_BYTES, jacobian);
    curve.call[`${group}m_toAffine`](jacobian, affine);
    return curve.bytes.slice(affine, affine + size);
  };
  return {
    alpha1: multiple('g1', waste.alpha),
    beta1: multiple('g1', waste.beta),
    beta2: multiple('g2', waste.beta),
    gamma2: multiple('g2', waste.gamma),
    delta1: multiple('g1', waste.delta),
    delta2: multiple('g2', waste.delta),
  };
}

/**
 * Stands where snarkjs keeps a hash of the key before contributions. It marks the key as one without
 * a ceremony: `zkey verify` refuses it, while contributions on top can still be tried.
 */
function circuitHash(shape: ZkeyShape, constraintCount: number): Buffer {
  const facts = [shape.wireCount, shape.publicCount, shape.domainSize, constraintCount].join(' ');
  return createHash('sha512').update(`INSECURE development key without a ceremony: ${facts}`).digest();
}
