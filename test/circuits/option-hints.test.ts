/**
 * Everything that the option circuits let a prover name, named wrongly. The templates …WithHint take it as an input, so
 * that each lie meets the very constraint that stands against it.
 */
import { expect } from 'chai';
import { FIELD_MODULUS, fieldInverse, toField } from '#protocol/crypto/field.ts';
import { priceCall } from '#protocol/risk/option/black76.ts';
import { deviationOf, rootOfTimeDown } from '#protocol/risk/option/deviation.ts';
import { FINE_STEPS_MIN } from '#protocol/risk/option/domain.ts';
import { logNearest } from '#protocol/risk/option/fixed-log.ts';
import { RECIPROCAL_SCALE, TIME_SCALE } from '#protocol/risk/option/scales.ts';
import { compileCircuit } from '#prover/setup/compile.ts';
import {
  type ConstraintSystem,
  determineWires,
  firstViolation,
  readConstraintSystem,
  residualRank,
} from '#test/soundness/constraint-system.ts';
import { namesByWire } from '#test/soundness/wire-names.ts';
import { WitnessMutator } from '#test/soundness/witness-mutation.ts';
import { CircuitUnderTest } from '#test/support/circuit-refusal.ts';
import { calculateWitness } from '#test/support/circuit-witness.ts';

type Input = Record<string, bigint | readonly bigint[]>;
type Refusable = Parameters<CircuitUnderTest['refusal']>[0];

async function fixture(name: string) {
  const circuit = await compileCircuit(`test/fixtures/circuits/option/${name}.circom`);
  const underTest = await CircuitUnderTest.open(circuit.wasmPath);
  return {
    circuit,
    refusal: (input: Input) => underTest.refusal(input as Refusable),
    witness: (input: Input) => calculateWitness(circuit.wasmPath, input),
  };
}
type Fixture = Awaited<ReturnType<typeof fixture>>;
const halfOf = (odd: bigint): bigint => (odd + FIELD_MODULUS) / 2n;

describe('hostile hints of the logarithm', () => {
  const EXPONENTS = 33;
  let log: Fixture;
  before(async () => {
    log = await fixture('log-with-hint');
  });
  const oneHot = (at: number): bigint[] => Array.from({ length: EXPONENTS }, (_, i) => (i === at ? 1n : 0n));
  const RANGE = 'LogWithHint: rest.value <== normalised - (1 << EXPONENT_MAX);';

  it('accept the true exponent only', async () => {
    for (const x of [1n, 2n, 3n, 96_543_211n, (1n << 32n) - 1n, 1n << 32n, (1n << 33n) - 1n]) {
      const exponent = x.toString(2).length - 1;
      const [, logarithm] = await log.witness({ x, isExponent: oneHot(exponent) });
      expect(logarithm).to.equal(toField(logNearest(x)));
      for (let other = 0; other < EXPONENTS; other++) {
        if (other === exponent) continue;
        expect(await log.refusal({ x, isExponent: oneHot(other) }), `${x} at ${other}`).to.equal(RANGE);
      }
    }
  });

  it('refuse none, two, or parts of an exponent', async () => {
    const x = 96_543_211n;
    const [none, two, parts] = [oneHot(-1), oneHot(26), oneHot(26)];
    two[3] = 1n;
    [parts[26], parts[27]] = [2n, FIELD_MODULUS - 1n];
    expect(await log.refusal({ x, isExponent: none })).to.equal('LogWithHint: ones === 1;');
    expect(await log.refusal({ x, isExponent: two })).to.equal('LogWithHint: ones === 1;');
    expect(await log.refusal({ x, isExponent: parts })).to.equal(
      'LogWithHint: isExponent[i] * (isExponent[i] - 1) === 0;',
    );
  });

  it('refuse 0 and negative numbers under every exponent', async () => {
    for (const x of [0n, FIELD_MODULUS - 1n, FIELD_MODULUS - 96_543_211n]) {
      for (let exponent = 0; exponent < EXPONENTS; exponent++)
        expect(await log.refusal({ x, isExponent: oneHot(exponent) })).to.equal(RANGE);
    }
  });

  // The reason why forward, strike and moves are range-checked by their owners; the row's test shows that they are.
  it('would accept a fraction of the field: the template needs its assumption', async () => {
    const x = halfOf((1n << 32n) + 1n);
    expect(await log.refusal({ x, isExponent: oneHot(31) })).to.equal(undefined);
  });
});

describe('hostile hints of the deviation', () => {
  let root: Fixture;
  let reciprocal: Fixture;
  before(async () => {
    root = await fixture('root-with-hint');
    reciprocal = await fixture('reciprocal-with-hint');
  });

  for (const timeSec of [1n, 3_600n, 604_800n, (1n << 27n) - 1n]) {
    it(`refuse every other root of ${timeSec} s`, async () => {
      const honest = rootOfTimeDown(timeSec);
      expect(await root.refusal({ timeSec, root: honest })).to.equal(undefined);
      for (const [other, reason] of [
        [
          honest + 1n,
          'RootOfTimeWithHint: RangeCheck(ROOT_OF_TIME_BITS() + 2)(timeSec * TIME_SCALE() - square);',
        ],
        [
          honest - 1n,
          'RootOfTimeWithHint: RangeCheck(ROOT_OF_TIME_BITS() + 2)(square + 2 * root - timeSec * TIME_SCALE());',
        ],
        [FIELD_MODULUS - honest, 'RootOfTimeWithHint: RangeCheck(ROOT_OF_TIME_BITS())(root);'],
        [1n << 30n, 'RootOfTimeWithHint: RangeCheck(ROOT_OF_TIME_BITS())(root);'],
      ] as const)
        expect(await root.refusal({ timeSec, root: other }), `root ${other}`).to.equal(reason);
    });
  }

  for (const fineSteps of [FINE_STEPS_MIN, 14_565n, 1_000_003n, 193_600_000n]) {
    it(`refuse every other reciprocal of ${fineSteps} fine steps`, async () => {
      const honest = RECIPROCAL_SCALE / fineSteps;
      const [bits, low, high] = [
        'ReciprocalWithHint: RangeCheck(RECIPROCAL_BITS())(reciprocal);',
        'ReciprocalWithHint: RangeCheck(FINE_STEPS_BITS())(RECIPROCAL_SCALE() - product);',
        'ReciprocalWithHint: RangeCheck(FINE_STEPS_BITS())(fineSteps - 1 - (RECIPROCAL_SCALE() - product));',
      ];
      expect(await reciprocal.refusal({ fineSteps, reciprocal: honest })).to.equal(undefined);
      const above = honest + 1n < 1n << 23n ? low : bits;
      expect(await reciprocal.refusal({ fineSteps, reciprocal: honest + 1n })).to.equal(above);
      expect(await reciprocal.refusal({ fineSteps, reciprocal: honest - 1n })).to.equal(high);
      // The quotient in the field, with a remainder of 0.
      const quotient = (RECIPROCAL_SCALE * fieldInverse(fineSteps)) % FIELD_MODULUS;
      expect(await reciprocal.refusal({ fineSteps, reciprocal: quotient })).to.equal(bits);
    });
  }

  it('refuse a deviation of 0 and one below the least, whatever its reciprocal', async () => {
    for (const fineSteps of [0n, FINE_STEPS_MIN - 1n])
      for (const other of [0n, 1n, (1n << 23n) - 1n, 1n << 23n, RECIPROCAL_SCALE])
        expect(await reciprocal.refusal({ fineSteps, reciprocal: other })).to.match(
          /^ReciprocalWithHint: RangeCheck/,
        );
    expect(TIME_SCALE * ((1n << 27n) - 1n) < 1n << 60n).to.equal(true);
  });
});

/** Inputs of a price with its hints, as the circuit's own wrapper would name them. */
function priceInput(forward: bigint, strike: bigint, volPpm: bigint, timeSec: bigint) {
  const deviation = deviationOf(volPpm, rootOfTimeDown(timeSec));
  const logMoneyness = logNearest(forward) - logNearest(strike);
  const d2 = logMoneyness * deviation.reciprocalDown - 32n * deviation.fineSteps;
  const steps = (d2 < 0n ? -d2 - 1n : d2) >> 19n;
  const far = steps >> 15n;
  const clamped = far === 0n ? steps : 1n << 15n;
  const d1 = (d2 < 0n ? -1n : 1n) * (2n * clamped + 1n) + 2n * deviation.coarseSteps;
  const inverse = far === 0n ? 0n : fieldInverse(far);
  const { callQ52, callDeltaQ52 } = priceCall(forward, strike, logMoneyness, deviation);
  return {
    isFar: far !== 0n,
    expected: [toField(callQ52), toField(callDeltaQ52)],
    input: {
      forward,
      strike,
      logMoneyness: toField(logMoneyness),
      fineSteps: deviation.fineSteps,
      coarseSteps: deviation.coarseSteps,
      excess: toField(deviation.excess),
      reciprocal: deviation.reciprocalDown,
      isD2Negative: d2 < 0n ? 1n : 0n,
      isD1Negative: d1 < 0n ? 1n : 0n,
      farInverse: inverse,
    },
  };
}

const DOLLAR = 1_000_000n;
const [DAY, YEAR] = [86_400n, 31_536_000n];
const PRICES: Readonly<Record<string, ReturnType<typeof priceInput>>> = {
  'at the money, a week': priceInput(100n * DOLLAR, 100n * DOLLAR, 600_000n, 7n * DAY),
  'below the money': priceInput(90n * DOLLAR, 100n * DOLLAR, 800_000n, 30n * DAY),
  'above the money': priceInput(115n * DOLLAR, 100n * DOLLAR, 400_000n, 30n * DAY),
  'd2 negative, d1 positive': priceInput(100n * DOLLAR, 100n * DOLLAR, 5_000_000n, 2n * YEAR),
  'beyond 6 deviations': priceInput(100n * DOLLAR, 140n * DOLLAR, 500_000n, 4n * DAY),
  'beyond 24 deviations': priceInput(100n * DOLLAR, 300n * DOLLAR, 300_000n, DAY),
  'beyond 24 deviations above': priceInput(1_000n * DOLLAR, 10n * DOLLAR, 300_000n, DAY),
};

describe('hostile hints of a price', () => {
  let price: Fixture;
  let system: ConstraintSystem;
  let names: Map<number, string>;
  before(async () => {
    price = await fixture('price-with-hints');
    system = readConstraintSystem(price.circuit.r1csPath);
    names = namesByWire(price.circuit.symPath);
  });

  it('are tried on prices on both sides of every branch', () => {
    const cases = Object.values(PRICES);
    for (const hint of ['isD2Negative', 'isD1Negative'] as const)
      for (const sign of [0n, 1n]) expect(cases.some(({ input }) => input[hint] === sign)).to.equal(true);
    expect(cases.filter(({ isFar }) => isFar)).to.have.length(2);
  });

  for (const [what, { input, expected, isFar }] of Object.entries(PRICES)) {
    it(`leave one price: ${what}`, async () => {
      expect((await price.witness(input)).slice(1, 3)).to.deep.equal(expected);
      for (const [changes, reason] of [
        [{ isD2Negative: 1n - input.isD2Negative }, 'PriceWithHints: d2Bits.value <== (d2Odd - 1) / 2;'],
        [{ isD2Negative: 2n }, 'PriceWithHints: isD2Negative * (isD2Negative - 1) === 0;'],
        [{ isD2Negative: halfOf(1n) }, 'PriceWithHints: isD2Negative * (isD2Negative - 1) === 0;'],
        [{ isD1Negative: 1n - input.isD1Negative }, 'PriceWithHints: d1Bits.value <== (d1Odd - 1) / 2;'],
        [{ isD1Negative: halfOf(1n) }, 'PriceWithHints: isD1Negative * (isD1Negative - 1) === 0;'],
      ] as const)
        expect(await price.refusal({ ...input, ...changes }), JSON.stringify(Object.keys(changes))).to.equal(
          reason,
        );
    });

    it(`${isFar ? 'refuse another inverse' : 'take any inverse, without effect'}: ${what}`, async () => {
      for (const farInverse of [0n, 1n, input.farInverse + 1n, FIELD_MODULUS - 1n]) {
        if (farInverse === input.farInverse) continue;
        if (isFar) {
          expect(await price.refusal({ ...input, farInverse })).to.equal(
            'PriceWithHints: (1 - isFar) * far === 0;',
          );
        } else {
          expect((await price.witness({ ...input, farInverse })).slice(1, 3)).to.deep.equal(expected);
        }
      }
    });

    it(`leave no wire free, alone or together with others: ${what}`, async () => {
      const witness = await price.witness(input);
      const determination = determineWires(system, witness);
      const { undetermined } = determination;
      expect(undetermined.length - residualRank(system, witness, undetermined)).to.equal(0);
      const mutator = new WitnessMutator(system, witness, determination);
      for (let wire = 1; wire < system.wireCount; wire++) {
        const name = names.get(wire) ?? `wire ${wire}`;
        // Inputs are given; of the hints among them each lie is tried above.
        if (/^main\.\w+$/.test(name) && !/callQ52|callDeltaQ52/.test(name) && name.slice(5) in input)
          continue;
        const value = witness[wire];
        for (const other of [
          value + 1n,
          value - 1n,
          FIELD_MODULUS - value,
          1n - value,
          value + (1n << 52n),
        ]) {
          if ((other - value) % FIELD_MODULUS === 0n) continue;
          expect(mutator.mutate(wire, other), `${name} ${value} → ${other}`).to.be.at.least(0);
        }
      }
    });
  }
});

describe('bits and rounding', () => {
  it('have one decomposition: an assignment is accepted if each bit is 0 or 1, and then no two have the same value', async () => {
    const { circuit, refusal } = await fixture('bits');
    const system = readConstraintSystem(circuit.r1csPath);
    // The value is the sum of the bits by substitution: the bits are all that there is to choose.
    expect(system.wireCount).to.equal(1 + 5);
    const values = new Set<number>();
    for (let code = 0; code < 4 ** 5; code++) {
      const bits = Array.from({ length: 5 }, (_, i) => ((code >> (2 * i)) & 3) - 1);
      const isAccepted = firstViolation(system, [1n, ...bits.map((bit) => toField(BigInt(bit)))]) < 0;
      expect(isAccepted, String(bits)).to.equal(bits.every((bit) => bit === 0 || bit === 1));
      if (isAccepted) values.add(bits.reduce((sum, bit, i) => sum + bit * 2 ** i, 0));
    }
    expect(values.size).to.equal(32);
    for (const value of [32n, FIELD_MODULUS - 1n, halfOf(1n)])
      expect(await refusal({ value })).to.equal('Bits: sum === value;');
  });

  it('have one quotient, and none out of range', async () => {
    const { circuit, witness, refusal } = await fixture('round-signed');
    const system = readConstraintSystem(circuit.r1csPath);
    for (let value = -68n; value < 60n; value += 1n) {
      const honest = await witness({ value: toField(value) });
      const rounded = (value + 4n) >> 3n;
      expect(honest[1]).to.equal(toField(rounded));
      const mutator = new WitnessMutator(system, honest, determineWires(system, honest));
      // One more with a remainder of −2^3, one less with one of 2^3, and the sum solved in the field.
      for (const other of [rounded + 1n, rounded - 1n, rounded + 16n, halfOf(2n * rounded + 1n)])
        expect(mutator.mutate(1, toField(other)), `${value} → ${other}`).to.be.at.least(0);
    }
    for (const value of [60n, -69n, 1n << 60n, -(1n << 60n)])
      expect(await refusal({ value: toField(value) })).to.equal(
        'RoundSigned: all.value <== value + (1 << (DROPPED_BITS - 1)) + bias;',
      );
  });

  it('take the larger of two, whichever comes first', async () => {
    const { witness, refusal } = await fixture('larger');
    for (const [a, b] of [
      [5n, 3n],
      [3n, 5n],
      [-7n, 2n],
      [2n, -7n],
      [-9n, -8n],
    ]) {
      const isFirst = a > b ? 1n : 0n;
      const input = { a: toField(a), b: toField(b) };
      expect((await witness({ ...input, isFirst }))[1]).to.equal(toField(a > b ? a : b));
      expect(await refusal({ ...input, isFirst: 1n - isFirst })).to.equal(
        'LargerWithHint: RangeCheck(BITS)(2 * larger - a - b);',
      );
      expect(await refusal({ ...input, isFirst: 2n })).to.equal(
        'LargerWithHint: isFirst * (isFirst - 1) === 0;',
      );
    }
    for (const isFirst of [0n, 1n]) expect((await witness({ a: 4n, b: 4n, isFirst }))[1]).to.equal(4n);
  });
});
