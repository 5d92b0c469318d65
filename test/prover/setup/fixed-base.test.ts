import { expect } from 'chai';
import { FIELD_MODULUS } from '#protocol/crypto/field.ts';
import { loadKernel } from '#prover/groth16/kernel.ts';
import {
  bestWindowBits,
  FixedBase,
  type Group,
  pointBytes,
  SCALARS_PER_RUN,
} from '#prover/setup/fixed-base.ts';
import { bestSignedWindowBits, VectorFixedBase } from '#prover/setup/vector-fixed-base.ts';
import { type CurveCode, loadCurveCode, WasmCurve } from '#prover/setup/wasm-curve.ts';

/** Scalars where windows begin and end: 0, 1, r − 1, single bits, runs of ones, and patterns. */
const SCALARS = [
  0n,
  1n,
  2n,
  FIELD_MODULUS - 1n,
  FIELD_MODULUS - 2n,
  FIELD_MODULUS >> 1n,
  (1n << 253n) - 1n,
  1n << 253n,
  ...[7n, 8n, 31n, 32n, 63n, 64n, 127n, 239n, 240n, 247n, 248n, 252n].map((bit) => 1n << bit),
  BigInt(`0x2${'f'.repeat(63)}`),
  BigInt(`0x1${'0123456789abcde'.repeat(4)}fff`),
  BigInt(`0x${'80000001'.repeat(7)}`),
];

function packed(scalars: readonly bigint[]): Uint32Array {
  const words = new Uint32Array(8 * scalars.length);
  scalars.forEach((scalar, index) => {
    for (let word = 0; word < 8; word++) {
      words[8 * index + word] = Number((scalar >> BigInt(32 * word)) & 0xffffffffn);
    }
  });
  return words;
}

describe('fixed base', () => {
  let code: CurveCode;

  before(async () => {
    code = await loadCurveCode();
  });

  /** One multiple by the module's own double-and-add. */
  function timesScalar(curve: WasmCurve, group: Group, scalar: bigint): string {
    const size = pointBytes(group);
    const [factor, result] = [curve.allocate(32), curve.allocate(2 * size)];
    curve.write(factor, scalar);
    const generator = group === 'g1' ? code.g1Generator : code.g2Generator;
    curve.call[`${group}m_timesScalar`](generator, factor, 32, result);
    curve.call[`${group}m_toAffine`](result, result);
    return Buffer.from(curve.bytes.slice(result, result + size)).toString('hex');
  }

  /** The kernel: without it, a machine of ours lacks what the prover is built for. */
  async function kernelModule(): Promise<WebAssembly.Module> {
    const module = await loadKernel();
    expect(module).to.not.equal(undefined);
    return module!;
  }

  // Wide tables of G2 take seconds to build and share all code with narrow ones.
  const widths: Record<Group, number[]> = {
    g1: [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    g2: [4, 5, 7, 8, 9, 11, 12],
  };
  for (const group of ['g1', 'g2'] as const) {
    it(`multiplies the generator of ${group} like timesScalar with windows of every width`, () => {
      const reference = new WasmCurve(code);
      const expected = SCALARS.map((scalar) => timesScalar(reference, group, scalar));
      expect(expected[0]).to.equal('00'.repeat(pointBytes(group)));
      for (const windowBits of widths[group]) {
        const base = new FixedBase(new WasmCurve(code), group, windowBits);
        const points = Buffer.from(base.multiply(packed(SCALARS), SCALARS.length)).toString('hex');
        expect(points.match(new RegExp(`.{${2 * pointBytes(group)}}`, 'g'))).to.deep.equal(
          expected,
          `windows of ${windowBits} bits`,
        );
      }
    });
  }

  const signedWidths: Record<Group, number[]> = {
    g1: [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
    g2: [2, 3, 5, 8, 12, 13],
  };
  for (const group of ['g1', 'g2'] as const) {
    it(`multiplies the generator of ${group} in vectors like timesScalar with windows of every width`, async () => {
      const module = await kernelModule();
      const reference = new WasmCurve(code);
      const expected = SCALARS.map((scalar) => timesScalar(reference, group, scalar));
      for (const windowBits of signedWidths[group]) {
        const base = new VectorFixedBase(module, new WasmCurve(code), group, windowBits);
        const points = Buffer.from(base.multiply(packed(SCALARS), SCALARS.length)).toString('hex');
        expect(points.match(new RegExp(`.{${2 * pointBytes(group)}}`, 'g'))).to.deep.equal(
          expected,
          `windows of ${windowBits} bits`,
        );
      }
    });
  }

  it('gives in vectors what it gives without, in full runs and parts of them, with zeros between', async () => {
    const module = await kernelModule();
    // In each run zeros are at other places, where the run before left points.
    const run = (seed: bigint, count: number) =>
      packed(
        Array.from({ length: count }, (_, index) =>
          (index + Number(seed)) % 7 === 3 ? 0n : (BigInt(index) + seed) ** 25n % FIELD_MODULUS,
        ),
      );
    for (const group of ['g1', 'g2'] as const) {
      const plain = new FixedBase(new WasmCurve(code), group, 8);
      const vectors = new VectorFixedBase(module, new WasmCurve(code), group, 9);
      for (const [seed, count] of [
        [1n, SCALARS_PER_RUN],
        [5000n, 11],
        [9000n, 1],
        [10_000n, SCALARS_PER_RUN - 1],
      ] as const) {
        const scalars = run(seed, count);
        const expected = Buffer.from(plain.multiply(scalars, count));
        expect(expected.equals(vectors.multiply(scalars, count)), `${group}, ${count} scalars`).to.equal(
          true,
        );
      }
    }
  });

  it('gives equal results in a full run, a part of one, and one after another', () => {
    const curve = new WasmCurve(code);
    const base = new FixedBase(curve, 'g1', 8);
    const scalars = Array.from(
      { length: SCALARS_PER_RUN },
      (_, index) => BigInt(index) ** 25n % FIELD_MODULUS,
    );
    const full = Buffer.from(base.multiply(packed(scalars), SCALARS_PER_RUN));
    const part = Buffer.from(base.multiply(packed(scalars.slice(1000, 1010)), 10));
    expect(part).to.deep.equal(full.subarray(1000 * 64, 1010 * 64));
    expect(full.subarray(5 * 64, 6 * 64).toString('hex')).to.equal(timesScalar(curve, 'g1', 5n ** 25n));
  });

  it('takes wider windows for more scalars', () => {
    expect(bestWindowBits(10)).to.equal(4);
    expect(bestWindowBits(1_000)).to.be.within(6, 9);
    expect(bestWindowBits(10_000_000)).to.equal(15);
    expect(bestSignedWindowBits(10)).to.equal(4);
    expect(bestSignedWindowBits(1_000)).to.be.within(7, 10);
    expect(bestSignedWindowBits(10_000_000)).to.equal(16);
  });
});
