import { createHash } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { FIELD_MODULUS, fieldInverse, fieldPower, toField } from '#protocol/crypto/field.ts';
import { loadKernel } from '#prover/groth16/kernel.ts';
import { lagrangeFactor, rootOfUnity } from '#prover/setup/lagrange.ts';
import { domainPower, evaluateQap, type QapScalars } from '#prover/setup/qap-evaluation.ts';
import { R1csFile } from '#prover/setup/r1cs.ts';
import { toxicWasteFromSeed } from '#prover/setup/toxic-waste.ts';
import { type CurveCode, loadCurveCode, WasmCurve } from '#prover/setup/wasm-curve.ts';
import { temporaryFolder } from '../support/circuits.ts';

type Term = readonly [wire: number, coefficient: bigint];
/** Linear combinations A, B, C. */
type Constraint = readonly [Term[], Term[], Term[]];

const PUBLIC_INPUTS = 2;
const R_SQUARED = (1n << 512n) % FIELD_MODULUS;

const integer = (value: bigint | number, byteCount: number): Buffer =>
  Buffer.from(
    value
      .toString(16)
      .padStart(2 * byteCount, '0')
      .slice(-2 * byteCount),
    'hex',
  ).reverse();

/** An .r1cs file by the published format, as circom would write it. */
function r1csBytes(wireCount: number, constraints: readonly Constraint[]): Buffer {
  const header = Buffer.concat([
    integer(32, 4),
    integer(FIELD_MODULUS, 32),
    ...[wireCount, 0, PUBLIC_INPUTS, 1].map((count) => integer(count, 4)),
    integer(wireCount, 8),
    integer(constraints.length, 4),
  ]);
  const combinations = constraints
    .flat()
    .flatMap((terms) => [
      integer(terms.length, 4),
      ...terms.flatMap(([wire, coefficient]) => [integer(wire, 4), integer(coefficient, 32)]),
    ]);
  const sections = [header, Buffer.concat(combinations)].flatMap((content, at) => [
    integer(at + 1, 4),
    integer(content.length, 8),
    content,
  ]);
  return Buffer.concat([Buffer.from('r1cs'), integer(1, 4), integer(2, 4), ...sections]);
}

/** A number that depends on its name alone. */
const numberOf = (name: string): bigint =>
  BigInt(`0x${createHash('sha256').update(name).digest('hex')}`) % FIELD_MODULUS;

const scalarsAt = (words: Uint32Array, wire: number): bigint =>
  Array.from(words.subarray(8 * wire, 8 * wire + 8)).reduceRight(
    (value, word) => (value << 32n) + BigInt(word),
    0n,
  );

describe('quadratic program at tau', () => {
  const waste = toxicWasteFromSeed('quadratic program');
  let folder: string;
  let code: CurveCode;

  before(async () => {
    folder = temporaryFolder();
    code = await loadCurveCode();
  });
  after(() => rmSync(folder, { recursive: true }));

  async function evaluate(wireCount: number, constraints: readonly Constraint[], isPortable: boolean) {
    const path = join(folder, 'circuit.r1cs');
    writeFileSync(path, r1csBytes(wireCount, constraints));
    const r1cs = new R1csFile(path);
    const words = () => new Uint32Array(8 * wireCount);
    const scalars: QapScalars = { a: words(), b: words(), c: words() };
    const blocks: Buffer[] = [];
    try {
      const kernel = isPortable ? undefined : await loadKernel();
      if (!isPortable) expect(kernel, 'the kernel does not run here').to.not.equal(undefined);
      const task = { curve: new WasmCurve(code), kernel, r1cs, waste };
      const count = evaluateQap(task, scalars, (records) => blocks.push(Buffer.from(records)));
      const records = Buffer.concat(blocks);
      expect(records.length).to.equal(44 * count);
      return { scalars, records };
    } finally {
      r1cs.close();
    }
  }

  for (const isPortable of [false, true]) {
    it(`sums terms as the definition says, ${isPortable ? 'without' : 'with'} the kernel`, async () => {
      const wireCount = 6;
      // Wires 3 and 4 follow themselves: such terms may not be added at once. Wire 5 is not in B.
      const constraints: Constraint[] = [
        [
          [
            [3, 1n],
            [3, 5n],
            [3, FIELD_MODULUS - 1n],
          ],
          [
            [4, numberOf('x')],
            [5, 7n],
          ],
          [[0, 3n]],
        ],
        [
          [],
          [
            [4, 2n],
            [4, numberOf('y')],
          ],
          [
            [4, 0n],
            [4, 1n],
          ],
        ],
        [
          [
            [0, 1n],
            [1, numberOf('z')],
            [5, 1n],
          ],
          [],
          [],
        ],
      ];
      const omega = rootOfUnity(domainPower(constraints.length, PUBLIC_INPUTS));
      const size = 2 ** domainPower(constraints.length, PUBLIC_INPUTS);
      const lagrange = (row: number) => {
        const point = fieldPower(omega, BigInt(row));
        return toField(lagrangeFactor(waste.tau, size) * point * fieldInverse(toField(waste.tau - point)));
      };
      const sums = [0, 1, 2].map((matrix) => {
        const values = new Array<bigint>(wireCount).fill(0n);
        constraints.forEach((combinations, row) => {
          for (const [wire, coefficient] of combinations[matrix]) values[wire] += coefficient * lagrange(row);
        });
        return values;
      });
      for (let wire = 0; wire <= PUBLIC_INPUTS; wire++) sums[0][wire] += lagrange(constraints.length + wire);

      const { scalars, records } = await evaluate(wireCount, constraints, isPortable);
      for (let wire = 0; wire < wireCount; wire++) {
        const [u, v, w] = sums.map((values) => toField(values[wire]));
        const divisor = fieldInverse(wire <= PUBLIC_INPUTS ? waste.gamma : waste.delta);
        expect(scalarsAt(scalars.a, wire), `u of wire ${wire}`).to.equal(u);
        expect(scalarsAt(scalars.b, wire), `v of wire ${wire}`).to.equal(v);
        const combined = toField((waste.beta * u + waste.alpha * v + w) * divisor);
        expect(scalarsAt(scalars.c, wire), `combination of wire ${wire}`).to.equal(combined);
      }
      const expected = [
        ...constraints.flatMap((combinations, row) =>
          [0, 1].flatMap((matrix) =>
            combinations[matrix].map(([wire, coefficient]) => [matrix, row, wire, coefficient] as const),
          ),
        ),
        ...[0, 1, 2].map((wire) => [0, constraints.length + wire, wire, 1n] as const),
      ].map(([matrix, row, wire, coefficient]) =>
        Buffer.concat([
          ...[matrix, row, wire].map((word) => integer(word, 4)),
          integer(toField(coefficient * R_SQUARED), 32),
        ]),
      );
      expect(records.equals(Buffer.concat(expected))).to.equal(true);
    });
  }

  it('gives with the kernel what it gives without, for more coefficients than it remembers', async () => {
    const wireCount = 500;
    // 36,000 different ones, then the first again: by then they have been forgotten once, while terms waited.
    const coefficients = Array.from({ length: 36_000 }, (_, at) => numberOf(String(at)));
    const all = [...coefficients.slice(0, 1800), ...coefficients, ...coefficients.slice(0, 9_000)];
    const constraints = Array.from({ length: all.length / 9 }, (_, row): Constraint => {
      const terms = all
        .slice(9 * row, 9 * row + 9)
        .map((value, at): Term => [(7 * row + at) % wireCount, value]);
      return [terms.slice(0, 4), terms.slice(4, 7), terms.slice(7)];
    });
    const fast = await evaluate(wireCount, constraints, false);
    const plain = await evaluate(wireCount, constraints, true);
    expect(fast.records.equals(plain.records)).to.equal(true);
    expect(fast.scalars).to.deep.equal(plain.scalars);
  });
});
