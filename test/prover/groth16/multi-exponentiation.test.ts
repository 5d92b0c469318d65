import { expect } from 'chai';
import { buildBn128 } from 'ffjavascript';
import { FIELD_MODULUS } from '#protocol/crypto/field.ts';
import { combineG1, combineG2 } from '#prover/groth16/groth16.ts';
import { instantiateKernel, inversionBits, loadKernel, PAGE_BYTES } from '#prover/groth16/kernel.ts';
import { PointSums, scratchBytes } from '#prover/groth16/multi-exponentiation.ts';
import { type Degree, ELEMENT_BYTES } from '#prover/groth16/point-code.ts';
import {
  finitePoints,
  type PointSection,
  SCRATCH_BYTES,
  writePoints,
} from '#prover/groth16/point-section.ts';
import { bestWindowBits, recodeScalars, windowCount } from '#prover/groth16/scalar-digits.ts';

const SCALAR_BYTES = 32;

/** Our sum of affine points (as in a proving key) times scalars, as decimal coordinates; 'infinity' for none. */
async function ourSum(degree: Degree, points: Uint8Array, scalars: bigint[], bits: number): Promise<unknown> {
  const module = (await loadKernel())!;
  const finite = finitePoints(points, degree, 0);
  const count = finite.places.length;
  let next = PAGE_BYTES;
  const take = (byteCount: number) => {
    const address = next;
    next += Math.ceil(byteCount / 64) * 64;
    return address;
  };
  const bitsAt = take(256);
  const section: PointSection = {
    degree,
    count,
    points: take((count + 1) * 2 * degree * ELEMENT_BYTES),
    scalarNumbers: take(4 * count),
    scalars: take(scalars.length * SCALAR_BYTES),
    windowBits: bits,
  };
  const scratch = take(Math.max(SCRATCH_BYTES, scratchBytes(degree, count, bits)));
  const pages = Math.ceil(next / PAGE_BYTES);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const kernel = instantiateKernel(module, memory);
  new Uint8Array(memory.buffer).set(inversionBits(), bitsAt);
  writePoints(kernel, memory, scratch, section, finite);
  const words = new Uint32Array(memory.buffer, section.scalars, 8 * scalars.length);
  recodeScalars(new Uint32Array(scalarBytes(scalars).buffer), words, bits);
  const sums = new PointSums(kernel, memory, degree, scratch, bitsAt);
  const windows = Array.from({ length: windowCount(bits) }, (_, window) => sums.windowSum(section, window));
  const point = degree === 1 ? combineG1(windows, bits) : combineG2(windows, bits);
  if (point.is0()) return 'infinity';
  return JSON.stringify(point.toAffine(), decimal);
}

const decimal = (_: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value);

function scalarBytes(scalars: bigint[]): Uint8Array<ArrayBuffer> {
  const words = new BigUint64Array(4 * scalars.length);
  scalars.forEach((scalar, at) => {
    for (let word = 0; word < 4; word++) {
      words[4 * at + word] = BigInt.asUintN(64, scalar >> BigInt(64 * word));
    }
  });
  return new Uint8Array(words.buffer);
}

/** The same sum by snarkjs' arithmetic. */
async function theirSum(
  curve: Curve,
  degree: Degree,
  points: Uint8Array,
  scalars: bigint[],
): Promise<unknown> {
  const group = degree === 1 ? curve.G1 : curve.G2;
  const sum = await group.multiExpAffine(points, scalarBytes(scalars));
  if (group.isZero(sum)) return 'infinity';
  const [x, y] = group.toObject(group.toAffine(sum));
  const coordinate = (value: unknown) =>
    degree === 1 ? value : { c0: (value as bigint[])[0], c1: (value as bigint[])[1] };
  return JSON.stringify({ x: coordinate(x), y: coordinate(y) }, decimal);
}

type Curve = Awaited<ReturnType<typeof buildBn128>>;

/** Scalars that repeat from run to run, spread over the field. */
function generator(seed: bigint): () => bigint {
  let state = seed;
  return () => {
    state = (state * 6364136223846793005n + 1442695040888963407n) % (1n << 320n);
    return (state * state) % FIELD_MODULUS;
  };
}

describe('multi-exponentiation', () => {
  let curve: Curve;
  before(async () => {
    curve = await buildBn128(true);
  });

  /** Points 1·G, 2·G, … of affine bytes as a key holds them. */
  function multiples(degree: Degree, factors: number[]): Uint8Array {
    const group = degree === 1 ? curve.G1 : curve.G2;
    const size = 64 * degree;
    const out = new Uint8Array(factors.length * size);
    const known = new Map<number, Uint8Array>();
    factors.forEach((factor, at) => {
      if (factor === 0) return;
      if (!known.has(factor)) {
        const multiple = group.timesScalar(group.g, BigInt(Math.abs(factor)));
        known.set(factor, group.toAffine(factor < 0 ? group.neg(multiple) : multiple));
      }
      out.set(known.get(factor)!, at * size);
    });
    return out;
  }

  async function expectEqualSums(factors: number[], scalars: bigint[], widths: number[] = []): Promise<void> {
    for (const degree of [1, 2] as const) {
      const points = multiples(degree, factors);
      const expected = await theirSum(curve, degree, points, scalars);
      for (const bits of [bestWindowBits(factors.length), ...widths]) {
        expect(await ourSum(degree, points, scalars, bits)).to.equal(expected);
      }
    }
  }

  const count = 40;
  const distinct = Array.from({ length: count }, (_, at) => at + 1);
  const random = generator(1n);
  const randomScalars = distinct.map(random);

  for (const [name, scalars] of [
    ['zero', distinct.map(() => 0n)],
    ['one', distinct.map(() => 1n)],
    ['minus one', distinct.map(() => FIELD_MODULUS - 1n)],
    ['the two middle elements', distinct.map((at) => (FIELD_MODULUS >> 1n) + BigInt(at % 2))],
    ['random', randomScalars],
    [
      'bits, small and large by turns',
      distinct.map((at) => [0n, 1n, BigInt(at), FIELD_MODULUS - 3n, random()][at % 5]),
    ],
  ] as const) {
    it(`gives snarkjs' sum when scalars are ${name}`, () => expectEqualSums(distinct, [...scalars]));
  }

  for (const [name, factors] of [
    ['all equal', distinct.map(() => 7)],
    ['opposite by pairs', distinct.map((at) => (at % 2 ? 5 : -5))],
    ['often infinity', distinct.map((at) => (at % 3 ? 0 : at))],
    ['few different ones', distinct.map((at) => [3, -3, 0, 6, 9][at % 5])],
  ] as const) {
    it(`gives snarkjs' sum when points are ${name}`, async () => {
      await expectEqualSums([...factors], randomScalars);
      await expectEqualSums(
        [...factors],
        distinct.map(() => 1n),
      );
      await expectEqualSums(
        [...factors],
        distinct.map((at) => (at % 2 ? 2n : FIELD_MODULUS - 2n)),
      );
    });
  }

  it('gives infinity when all points are', async () => {
    for (const degree of [1, 2] as const) {
      const points = multiples(
        degree,
        distinct.map(() => 0),
      );
      expect(await ourSum(degree, points, randomScalars, 5)).to.equal('infinity');
    }
  });

  for (const size of [0, 1, 2, 3, 1000]) {
    it(`gives snarkjs' sum of ${size} points`, async () => {
      const factors = Array.from({ length: size }, (_, at) => 1 + (at % 90));
      await expectEqualSums(factors, factors.map(random));
    });
  }

  it("gives snarkjs' sum for windows of every width, those that divide no word included", () =>
    expectEqualSums(distinct, randomScalars, [2, 3, 4, 5, 6, 7, 8, 9, 10, 11]));

  it("gives snarkjs' sum of 20 000 points with equal, opposite and infinite ones", async () => {
    const factors = Array.from({ length: 20_000 }, (_, at) => (at % 11 === 0 ? 0 : (at % 401) - 200));
    const scalars = factors.map((_, at) => (at % 3 === 0 ? BigInt(at % 2) : random()));
    await expectEqualSums(factors, scalars);
  });
});
