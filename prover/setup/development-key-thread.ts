/**
 * A thread that computes the points of a development key: it takes runs of scalars from shared
 * counters and writes the points to their places in the file. The H points need τ and δ only, so
 * they come first, while the main thread still reads the constraints.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { fieldInverse, fieldPower, toField } from '#protocol/crypto/field.ts';
import {
  bestWindowBits,
  FixedBase,
  type GeneratorMultiples,
  type Group,
  pointBytes,
  SCALARS_PER_RUN,
} from './fixed-base.ts';
import { LagrangeRow, lagrangeFactor, rootOfUnity } from './lagrange.ts';
import type { QapScalars } from './qap-evaluation.ts';
import type { ToxicWaste } from './toxic-waste.ts';
import { bestSignedWindowBits, VectorFixedBase } from './vector-fixed-base.ts';
import { type CurveCode, FIELD_BYTES, WasmCurve } from './wasm-curve.ts';
import type { ZkeyLayout, ZkeyShape } from './zkey-layout.ts';

/** Places in the shared control words. */
export const CONTROL = { nextHRun: 0, state: 1, nextPointRun: 2 } as const;
/** Values of the shared state word. */
export const STATE = { readingConstraints: 0, scalarsReady: 1, aborted: 2 } as const;

/** All a thread is given; buffers are shared with the main thread. */
export interface ThreadTask {
  readonly code: CurveCode;
  /** The prover's kernel, where the machine can run it. */
  readonly kernel: WebAssembly.Module | undefined;
  readonly path: string;
  readonly waste: ToxicWaste;
  readonly shape: ZkeyShape;
  readonly offsets: ZkeyLayout['offsets'];
  readonly scalars: QapScalars;
  readonly control: Int32Array;
  readonly threadCount: number;
}

const WORDS = FIELD_BYTES / 4;

function run(task: ThreadTask): void {
  const { shape, control } = task;
  const curve = new WasmCurve(task.code);
  const descriptor = openSync(task.path, 'r+');
  try {
    const scalarsInG1 = (3 * shape.wireCount + shape.domainSize) / task.threadCount;
    const g1 = multiplesOf(task, curve, 'g1', scalarsInG1);
    writeH(task, curve, g1, descriptor);
    const g2 = multiplesOf(task, curve, 'g2', shape.wireCount / task.threadCount);
    Atomics.wait(control, CONTROL.state, STATE.readingConstraints);
    if (Atomics.load(control, CONTROL.state) === STATE.aborted) return;
    writePoints(task, g1, g2, descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function multiplesOf(
  { kernel }: ThreadTask,
  curve: WasmCurve,
  group: Group,
  scalarCount: number,
): GeneratorMultiples {
  return kernel
    ? new VectorFixedBase(kernel, curve, group, bestSignedWindowBits(scalarCount))
    : new FixedBase(curve, group, bestWindowBits(scalarCount));
}

/** H_i: the Lagrange polynomials of the odd points of the domain twice as large, over δ. */
function writeH(task: ThreadTask, curve: WasmCurve, g1: GeneratorMultiples, descriptor: number): void {
  const { waste, shape, control } = task;
  const root = rootOfUnity(Math.log2(shape.domainSize) + 1);
  const factor = toField(lagrangeFactor(waste.tau, 2 * shape.domainSize) * fieldInverse(waste.delta));
  const row = new LagrangeRow(curve, waste.tau, factor, toField(root * root));
  const values = curve.allocate(SCALARS_PER_RUN * FIELD_BYTES);
  for (;;) {
    const first = Atomics.add(control, CONTROL.nextHRun, 1) * SCALARS_PER_RUN;
    const count = Math.min(SCALARS_PER_RUN, shape.domainSize - first);
    if (count <= 0 || Atomics.load(control, CONTROL.state) === STATE.aborted) return;
    row.write(values, fieldPower(root, BigInt(2 * first + 1)), count);
    curve.call.frm_batchFromMontgomery(values, count, values);
    const scalars = new Uint32Array(curve.bytes.buffer, values, count * WORDS);
    writeAll(descriptor, g1.multiply(scalars, count), task.offsets.h + first * pointBytes('g1'));
  }
}

/** One section of points: scalar `first + i` gives the point at place i. */
interface PointSection {
  readonly base: GeneratorMultiples;
  readonly pointBytes: number;
  readonly offset: number;
  readonly scalars: Uint32Array;
  readonly first: number;
  readonly count: number;
}

function writePoints(
  task: ThreadTask,
  g1: GeneratorMultiples,
  g2: GeneratorMultiples,
  descriptor: number,
): void {
  const { shape, offsets, control } = task;
  const { a, b, c } = task.scalars;
  const { wireCount, publicCount } = shape;
  const inG1 = { base: g1, pointBytes: pointBytes('g1'), first: 0, count: wireCount };
  // The longest runs first, so that threads end together.
  const sections: PointSection[] = [
    { ...inG1, base: g2, pointBytes: pointBytes('g2'), offset: offsets.b2, scalars: b },
    { ...inG1, offset: offsets.a, scalars: a },
    { ...inG1, offset: offsets.b1, scalars: b },
    { ...inG1, offset: offsets.c, scalars: c, first: publicCount + 1, count: wireCount - publicCount - 1 },
    { ...inG1, offset: offsets.inputCommitments, scalars: c, count: publicCount + 1 },
  ];
  for (;;) {
    let run = Atomics.add(control, CONTROL.nextPointRun, 1);
    const section = sections.find(({ count }) => {
      const runs = Math.ceil(count / SCALARS_PER_RUN);
      if (run < runs) return true;
      run -= runs;
      return false;
    });
    if (!section || Atomics.load(control, CONTROL.state) === STATE.aborted) return;
    const place = run * SCALARS_PER_RUN;
    const count = Math.min(SCALARS_PER_RUN, section.count - place);
    const from = (section.first + place) * WORDS;
    const points = section.base.multiply(section.scalars.subarray(from, from + count * WORDS), count);
    writeAll(descriptor, points, section.offset + place * section.pointBytes);
  }
}

/** Writes all bytes at a file offset. @throws the system's error, such as a full disk. */
export function writeAll(descriptor: number, bytes: Uint8Array, offset: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(descriptor, bytes, done, bytes.length - done, offset + done);
  }
}

if (workerData?.isDevelopmentKeyThread) run(workerData.task as ThreadTask);
