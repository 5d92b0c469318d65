/**
 * Our own Groth16 prover on snarkjs' proving keys and witnesses: the same proofs as snarkjs makes for the
 * same blinding, several times faster.
 *
 * The key lies in memory shared by all threads. A proof is: wires to field elements and signed digits; rows
 * of A and B; then the three transforms and, beside them, the sums over the wires' points (A, B1, B2, C),
 * window by window; at the end the sum over the quotient (H). Each step is a list of independent tasks, so
 * that all threads are busy until the last windows.
 */
import { randomBytes } from 'node:crypto';
import { bn254 } from '@noble/curves/bn254.js';
import { FIELD_MODULUS } from '#protocol/crypto/field.ts';
import type { PointMaker } from '../prove.ts';
import type { SnarkjsProof } from '../snarkjs.ts';
import { readInteger, readWitness } from './binary-sections.ts';
import { DIGITS } from './field-code.ts';
import { INTEGER_BYTES } from './field-functions.ts';
import { BASE_MODULUS, fromMontgomeryDigits, inversePowerOfTwo, loadKernel } from './kernel.ts';
import { type KeyLayout, type KeyMemory, loadKey, type SectionName } from './key-memory.ts';
import { scratchBytes } from './multi-exponentiation.ts';
import { windowCount } from './scalar-digits.ts';
import type { PointDigits, Task } from './thread.ts';
import { ThreadPool } from './thread-pool.ts';

type G1Point = InstanceType<typeof bn254.G1.Point>;
type G2Point = InstanceType<typeof bn254.G2.Point>;
type Component = { readonly c0: bigint; readonly c1: bigint };

/** Random numbers that hide the witness, each in [0, r). */
export interface Blinding {
  readonly r: bigint;
  readonly s: bigint;
}

export interface Groth16Prover extends PointMaker {
  /** @param blinding fixed by tests only: see `randomBlinding`. @throws ProverFileError, ProverThreadError. */
  make(witness: Uint8Array, blinding?: Blinding): ReturnType<PointMaker['make']>;
}

/** Less than this does not pay for a message to a thread. */
const RANGE_MIN = 1024;
/** What loading a key passes through. */
const SCRATCH_BYTES_MIN = 1 << 22;
const WITNESS_SECTIONS: readonly SectionName[] = ['b2', 'a', 'c', 'b1'];
const SCALAR_BYTES = 32;
const SCALAR_TOP_MASK = 0x3f;

/** Whether this machine can run the prover: its vector unit must multiply and add with one rounding. */
export async function isGroth16Supported(): Promise<boolean> {
  return (await loadKernel()) !== undefined;
}

/**
 * @param zkey bytes of a snarkjs Groth16 key over BN254; not needed any more afterwards.
 * @throws ProverFileError when the key is damaged; RangeError when it needs more than 4 GiB or the machine
 *   is not supported.
 */
export async function openGroth16(zkey: Uint8Array, threadCount: number): Promise<Groth16Prover> {
  const module = await loadKernel();
  if (module === undefined) throw new RangeError('this machine has no exact vector arithmetic');
  const key = loadKey(zkey, module, (layout) => threadCount * scratchPerThread(layout));
  const { memory, layout } = key;
  const size = scratchPerThread(layout);
  const setups = Array.from({ length: threadCount }, (_, at) => ({
    isGroth16Thread: true as const,
    module,
    memory,
    layout,
    scratch: layout.scratch + at * size,
  }));
  const pool = new ThreadPool(setups);
  let previous: Promise<unknown> = Promise.resolve();
  return {
    name: 'ballast',
    make(witness, blinding = randomBlinding()) {
      // One at a time: the memory has room for one witness, and a proof uses all threads.
      const current = previous.then(() => makePoints(key, pool, threadCount, witness, blinding));
      previous = current.catch(() => {});
      return current;
    },
    close: () => pool.close(),
  };
}

/**
 * Uniform numbers below the group order from the system's generator. Zero knowledge rests on them alone:
 * with r and s uniform, the points of a proof are as good as random ones; with known, repeated or skewed
 * ones they tell sums over the witness. So candidates above the order are thrown away, not reduced, which
 * would make small numbers more frequent.
 */
export function randomBlinding(): Blinding {
  const draw = (): bigint => {
    for (;;) {
      const bytes = randomBytes(SCALAR_BYTES);
      bytes[SCALAR_BYTES - 1] &= SCALAR_TOP_MASK;
      const candidate = readInteger(bytes, 0);
      if (candidate < FIELD_MODULUS) return candidate;
    }
  };
  return { r: draw(), s: draw() };
}

function scratchPerThread(layout: KeyLayout): number {
  const needed = Object.values(layout.sections).map(({ degree, count, windowBits }) =>
    scratchBytes(degree, count, windowBits),
  );
  return Math.ceil(Math.max(SCRATCH_BYTES_MIN, ...needed) / 64) * 64;
}

/** [from, to) in even ranges, several for each thread so that none waits long for the others. */
function ranges(count: number, threadCount: number): { from: number; to: number }[] {
  const size = Math.max(RANGE_MIN, Math.ceil(count / (8 * threadCount)) * 2);
  return Array.from({ length: Math.ceil(count / size) }, (_, at) => ({
    from: at * size,
    to: Math.min(count, (at + 1) * size),
  }));
}

async function makePoints(
  key: KeyMemory,
  pool: ThreadPool,
  threadCount: number,
  witness: Uint8Array,
  blinding: Blinding,
): ReturnType<PointMaker['make']> {
  const { layout, header, memory } = key;
  const values = readWitness(witness, layout.wireCount);
  new Uint8Array(memory.buffer).set(values, layout.witnessIntegers);
  const all = (tasks: readonly Task[]) => Promise.all(tasks.map((task) => pool.run(task, true)));
  const rangesOf = (kind: 'witness' | 'rows' | 'quotient', count: number) =>
    all(ranges(count, threadCount).map((range) => ({ kind, ...range })));
  const sum = (section: SectionName) => windowSums(pool, layout, section);

  await rangesOf('witness', layout.wireCount);
  await rangesOf('rows', layout.domainSize);
  const transforms = all([0, 1, 2].map((polynomial) => ({ kind: 'transform' as const, polynomial })));
  const quotient = transforms.then(async () => {
    await rangesOf('quotient', layout.domainSize);
    return sum('h');
  });
  const [b2, a, c, b1, h] = await Promise.all([...WITNESS_SECTIONS.map(sum), quotient]);
  const publicSignals = Array.from({ length: header.publicCount }, (_, at) =>
    String(readInteger(values, (at + 1) * INTEGER_BYTES)),
  );
  const bits = (section: SectionName) => layout.sections[section].windowBits;
  const sums = {
    a: combineG1(a, bits('a')),
    b1: combineG1(b1, bits('b1')),
    b2: combineG2(b2, bits('b2')),
    c: combineG1(c, bits('c')),
    h: combineG1(h, bits('h')),
  };
  return { proof: blind(key, sums, blinding), publicSignals };
}

function windowSums(pool: ThreadPool, layout: KeyLayout, section: SectionName): Promise<PointDigits[]> {
  const count = windowCount(layout.sections[section].windowBits);
  // The lowest window first: it alone holds the bits, and takes longest.
  return Promise.all(
    Array.from({ length: count }, (_, window) => pool.run({ kind: 'window', section, window })),
  );
}

interface Sums {
  readonly a: G1Point;
  readonly b1: G1Point;
  readonly b2: G2Point;
  readonly c: G1Point;
  readonly h: G1Point;
}

/** Groth16's last step: A = Σa + α + rδ, B = Σb + β + sδ, C = Σc + Σh + sA + rB₁ − rsδ. */
function blind({ header }: KeyMemory, sums: Sums, { r, s }: Blinding): SnarkjsProof {
  const delta1 = fileG1(header.delta1);
  const times = (point: G1Point, scalar: bigint) =>
    scalar === 0n ? bn254.G1.Point.ZERO : point.multiply(scalar);
  const delta2 = fileG2(header.delta2);
  const shiftB2 = s === 0n ? bn254.G2.Point.ZERO : delta2.multiply(s);
  const a = sums.a.add(fileG1(header.alpha1)).add(times(delta1, r));
  const b1 = sums.b1.add(fileG1(header.beta1)).add(times(delta1, s));
  const b2 = sums.b2.add(fileG2(header.beta2)).add(shiftB2);
  const c = sums.c
    .add(sums.h)
    .add(times(a, s))
    .add(times(b1, r))
    .subtract(times(delta1, (r * s) % FIELD_MODULUS));
  return {
    pi_a: textG1(a),
    pi_b: textG2(b2),
    pi_c: textG1(c),
    protocol: 'groth16',
    curve: 'bn128',
  };
}

/** Σ 2^(bits·w)·window_w. */
export function combineG1(windows: readonly PointDigits[], bits: number): G1Point {
  return horner(windows, bits, bn254.G1.Point.ZERO, (digits) => {
    const [x, y] = components(digits);
    return bn254.G1.Point.fromAffine({ x, y });
  });
}

export function combineG2(windows: readonly PointDigits[], bits: number): G2Point {
  return horner(windows, bits, bn254.G2.Point.ZERO, (digits) => {
    const [x0, x1, y0, y1] = components(digits);
    return bn254.G2.Point.fromAffine({ x: { c0: x0, c1: x1 }, y: { c0: y0, c1: y1 } });
  });
}

function horner<Point extends { double(): Point; add(other: Point): Point }>(
  windows: readonly PointDigits[],
  bits: number,
  zero: Point,
  pointOf: (digits: readonly number[]) => Point,
): Point {
  return windows.reduceRight((sum, digits) => {
    let shifted = sum;
    for (let bit = 0; bit < bits; bit++) shifted = shifted.double();
    return digits === undefined ? shifted : shifted.add(pointOf(digits));
  }, zero);
}

function components(digits: readonly number[]): bigint[] {
  return Array.from({ length: digits.length / DIGITS }, (_, at) =>
    fromMontgomeryDigits(digits.slice(at * DIGITS, (at + 1) * DIGITS), BASE_MODULUS),
  );
}

const FILE_R_INVERSE = inversePowerOfTwo(256, BASE_MODULUS);

/** A point of the key's header: coordinates times 2^256. */
function fileG1(bytes: Uint8Array): G1Point {
  const [x, y] = [0, 1].map((at) => (readInteger(bytes, at * INTEGER_BYTES) * FILE_R_INVERSE) % BASE_MODULUS);
  return bn254.G1.Point.fromAffine({ x, y });
}

function fileG2(bytes: Uint8Array): G2Point {
  const [x0, x1, y0, y1] = [0, 1, 2, 3].map(
    (at) => (readInteger(bytes, at * INTEGER_BYTES) * FILE_R_INVERSE) % BASE_MODULUS,
  );
  return bn254.G2.Point.fromAffine({ x: { c0: x0, c1: x1 }, y: { c0: y0, c1: y1 } });
}

function textG1(point: G1Point): string[] {
  const { x, y } = point.toAffine();
  return [String(x), String(y), '1'];
}

function textG2(point: G2Point): string[][] {
  const { x, y } = point.toAffine();
  const pair = ({ c0, c1 }: Component) => [String(c0), String(c1)];
  return [pair(x), pair(y), ['1', '0']];
}
