import { expect } from 'chai';
import fc from 'fast-check';
import { FIELD_MODULUS, toField } from '#protocol/crypto/field.ts';
import { FORWARD_MICROS_MAX, STRIKE_MICROS_MAX } from '#protocol/risk/option/domain.ts';
import { type CallQuote, isBlockSound, surfaceTolerance } from '#protocol/risk/surface.ts';
import { type CompiledCircuit, compileCircuit } from '#prover/setup/compile.ts';
import { calculateWitness, refusedBy } from '#test/support/circuit-witness.ts';

const PLACES = 4;
const FORWARD = 102_400_000n;

/** Quotes of the listed strikes in the first places; the others hold what empty places hold, or worse. */
function inputOf(forward: bigint, calls: readonly CallQuote[], filler: CallQuote = { strike: 1n, mark: 0n }) {
  const places = Array.from({ length: PLACES }, (_, i) => calls[i] ?? filler);
  return {
    forward,
    strikes: places.map(({ strike }) => strike),
    marks: places.map(({ mark }) => mark),
    isListed: places.map((_, i) => (i < calls.length ? 1n : 0n)),
  };
}

describe('circuit of the surface', () => {
  let circuit: CompiledCircuit;
  before(async function () {
    this.timeout(120_000);
    circuit = await compileCircuit('test/fixtures/circuits/option/surface.circom');
  });

  const expectTwin = async (forward: bigint, calls: readonly CallQuote[], filler?: CallQuote) => {
    const witness = await calculateWitness(circuit.wasmPath, inputOf(forward, calls, filler));
    expect(witness[1]).to.equal(isBlockSound(forward, calls) ? 1n : 0n);
    return witness[1] === 1n;
  };

  it('judges random surfaces as its twin does, sound and broken ones', async () => {
    const seen = new Set<boolean>();
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: PLACES }),
        fc.array(fc.bigInt(1n, 40_000_000n), { minLength: PLACES, maxLength: PLACES }),
        fc.array(fc.bigInt(-120_000n, 120_000n), { minLength: PLACES, maxLength: PLACES }),
        async (listed, gaps, noise) => {
          // A convex curve that falls by less than strikes rise, and noise about as large as the tolerance.
          let strike = 40_000_000n;
          const calls = gaps.slice(0, listed).map((gap, i) => {
            strike += gap;
            return { strike, mark: 10n ** 15n / strike + noise[i] + 200_000n };
          });
          seen.add(await expectTwin(FORWARD, calls));
        },
      ),
      { numRuns: 200, seed: 5 },
    );
    expect(seen.size, 'both answers').to.equal(2);
  });

  it('judges to the unit on either side of the tolerance', async () => {
    const tolerance = surfaceTolerance(FORWARD);
    const low = { strike: 90_000_000n, mark: 20_000_000n };
    for (const [mark, isSound] of [
      [20_000_000n + tolerance, true],
      [20_000_000n + tolerance + 1n, false],
      [10_000_000n - tolerance, true],
      [10_000_000n - tolerance - 1n, false],
    ] as const)
      expect(await expectTwin(FORWARD, [low, { strike: 100_000_000n, mark }])).to.equal(isSound);
    for (const [mark, isSound] of [
      [23_000_000n + tolerance, true],
      [23_000_000n + tolerance + 1n, false],
    ] as const) {
      const calls = [
        { strike: 90_000_000n, mark: 30_000_000n },
        { strike: 100_000_000n, mark },
        { strike: 130_000_000n, mark: 2_000_000n },
      ];
      expect(await expectTwin(FORWARD, calls)).to.equal(isSound);
    }
  });

  it('takes no account of places where nothing is listed', async () => {
    const calls = [
      { strike: 90_000_000n, mark: 20_000_000n },
      { strike: 100_000_000n, mark: 14_000_000n },
    ];
    for (const filler of [
      { strike: 1n, mark: 0n },
      { strike: STRIKE_MICROS_MAX, mark: FORWARD_MICROS_MAX },
      { strike: 1n, mark: FORWARD_MICROS_MAX },
    ])
      for (let listed = 0; listed <= 2; listed++)
        expect(await expectTwin(FORWARD, calls.slice(0, listed), filler)).to.equal(true);
  });

  it('has an answer at the ends of every width', async () => {
    const ends = [0n, FORWARD_MICROS_MAX];
    for (const forward of [1n, FORWARD_MICROS_MAX])
      for (const first of ends)
        for (const second of ends)
          for (const third of ends) {
            const marks = [first, second, third, second];
            for (const strikes of [
              [1n, 2n, 3n, 4n],
              [1n, 2n, STRIKE_MICROS_MAX - 1n, STRIKE_MICROS_MAX],
            ]) {
              const calls = strikes.map((strike, i) => ({ strike, mark: marks[i] }));
              await expectTwin(forward, calls);
            }
          }
  });

  it('admits one sign for every value: the other hint is refused', async function () {
    this.timeout(120_000);
    const { wasmPath } = await compileCircuit('test/fixtures/circuits/option/sign-with-hint.circom');
    for (let value = -16n; value < 16n; value++) {
      for (const hint of [0n, 1n, 2n, FIELD_MODULUS - 1n]) {
        const refusal = await refusedBy(wasmPath, { value: toField(value), isNonNegative: hint });
        const isRight = hint === (value < 0n ? 0n : 1n);
        if (isRight) expect(refusal).to.equal(undefined);
        else if (hint > 1n)
          expect(refusal).to.equal('SignWithHint: isNonNegative * (isNonNegative - 1) === 0;');
        else expect(refusal).to.equal('RangeCheck: sum === value;');
      }
    }
  });
});
