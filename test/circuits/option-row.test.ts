import { expect } from 'chai';
import { FIELD_MODULUS, toField } from '#protocol/crypto/field.ts';
import { leastVolPpmUp, OPTION_TIME_SEC_MAX, STRIKE_MICROS_MAX } from '#protocol/risk/option/domain.ts';
import { logNearest } from '#protocol/risk/option/fixed-log.ts';
import { forwardMoves, underlyingMoves } from '#protocol/risk/option/moves.ts';
import { priceStrike } from '#protocol/risk/option/option-row.ts';
import { max } from '#protocol/units.ts';
import { type CompiledCircuit, compileCircuit } from '#prover/setup/compile.ts';
import { R1csFile } from '#prover/setup/r1cs.ts';
import { CircuitUnderTest } from '#test/support/circuit-refusal.ts';
import { calculateWitness } from '#test/support/circuit-witness.ts';
import {
  cornerInputs,
  type OptionCircuitInput,
  PRICES_PER_ROW,
  randomInputs,
  STRIKE_CIRCUIT,
  twinOutputs,
} from '#test/support/option/option-circuit.ts';

const RANDOM_ROWS = 60;
/** Constraints: all of one strike alone, and of the parts it stands on (docs/options.md). */
const CONSTRAINTS_MAX = { row: 6_300, wholeStrike: 8_300 };

const ORDINARY: OptionCircuitInput = {
  quarterMove: 41_943n,
  forward: 96_543_210n,
  timeSec: 604_800n,
  strike: 101_000_000n,
  volsPpm: [620_000n, 899_000n, 465_000n],
};
/** One half of an odd number: a field element that is no integer below 2^200. */
const halfOf = (odd: bigint): bigint => (odd + FIELD_MODULUS) / 2n;

describe('option row circuit', () => {
  let circuit: CompiledCircuit;
  let underTest: CircuitUnderTest;

  before(async function () {
    this.timeout(120_000);
    circuit = await compileCircuit(STRIKE_CIRCUIT);
    underTest = await CircuitUnderTest.open(circuit.wasmPath);
  });

  const expectTwin = async (input: OptionCircuitInput) => {
    const expected = twinOutputs(input);
    const witness = await calculateWitness(circuit.wasmPath, input);
    expect(witness.slice(1, 1 + expected.length)).to.deep.equal(expected);
  };
  const refusalOf = (changes: Partial<OptionCircuitInput>): Promise<string | undefined> =>
    underTest.refusal({ ...ORDINARY, ...changes } as Parameters<CircuitUnderTest['refusal']>[0]);

  it('computes what its TypeScript twin computes at all 54 corners of the domain', async function () {
    this.timeout(120_000);
    const corners = cornerInputs();
    expect(corners).to.have.length(54);
    for (const corner of corners) await expectTwin(corner);
  });

  it(`computes it for ${RANDOM_ROWS} random rows, ${RANDOM_ROWS * PRICES_PER_ROW} prices`, async function () {
    this.timeout(120_000);
    await expectTwin(ORDINARY);
    const inputs = randomInputs(20_261);
    for (let i = 0; i < RANDOM_ROWS; i++) await expectTwin(inputs.next().value);
  });

  it('computes it where halves of a micro and of a step decide', async () => {
    // The least lot and the most even numbers: many quotients fall on halves.
    for (const forward of [1n, 2n, 3n, 1n << 20n, 1n << 32n]) {
      for (const strike of [forward, 2n * forward])
        await expectTwin({ ...ORDINARY, forward, strike, quarterMove: 131_072n });
    }
    await expectTwin({ ...ORDINARY, quarterMove: 0n });
  });

  for (const [what, changes, constraint] of [
    ['a forward of 0', { forward: 0n }, 'LogWithHint: ones === 1;'],
    ['a forward of 2^33', { forward: 1n << 33n }, 'OptionForward: RangeCheck(FORWARD_BITS())(forward);'],
    ['a strike of 0', { strike: 0n }, 'LogWithHint: ones === 1;'],
    ['a strike of 2^35', { strike: STRIKE_MICROS_MAX + 1n }, 'StrikeLog: RangeCheck(STRIKE_BITS())(strike);'],
    // Its normalised mantissa is a whole number in range: the range check alone stands against it.
    [
      'a forward that is a fraction of the field',
      { forward: halfOf((1n << 32n) + 1n) },
      'OptionForward: RangeCheck(FORWARD_BITS())(forward);',
    ],
    [
      'a strike that is a fraction of the field',
      { strike: halfOf((1n << 34n) + 1n) },
      'StrikeLog: RangeCheck(STRIKE_BITS())(strike);',
    ],
    [
      'a time of 2^27 seconds',
      { timeSec: OPTION_TIME_SEC_MAX + 1n },
      'RootOfTime: RangeCheck(OPTION_TIME_BITS())(timeSec);',
    ],
    [
      'a volatility of 2^23 ppm',
      { volsPpm: [620_000n, 1n << 23n, 465_000n] },
      'Deviation: RangeCheck(VOL_BITS())(volPpm);',
    ],
    [
      'a negative volatility',
      { volsPpm: [620_000n, 899_000n, FIELD_MODULUS - 465_000n] },
      'Deviation: RangeCheck(VOL_BITS())(volPpm);',
    ],
    [
      'a volatility one ppm below the least for its time',
      { volsPpm: [620_000n, 899_000n, leastVolPpmUp(604_800n) - 1n] },
      'ReciprocalWithHint: RangeCheck(RECIPROCAL_BITS())(reciprocal);',
    ],
    [
      'no volatility at all',
      { volsPpm: [0n, 899_000n, 465_000n] },
      'ReciprocalWithHint: RangeCheck(FINE_STEPS_BITS())(RECIPROCAL_SCALE() - product);',
    ],
    ['a scan range above 50 %', { quarterMove: 131_073n }, 'LogWithHint: ones === 1;'],
  ] as const) {
    it(`refuses ${what}`, async () => {
      expect(await refusalOf(changes)).to.equal(constraint);
    });
  }

  // The formula's own error reaches −0.497 micro at the largest forward: a wrong logarithm makes the floor visible.
  for (const [what, strike, error] of [
    ['of its exercise in the money', 80_000_000n, -30_000n],
    ['of nothing out of the money', 120_000_000n, 30_000n],
  ] as const) {
    it(`keeps a mark at its floor ${what}, where the formula would fall below`, async () => {
      const { quarterMove, forward, timeSec, volsPpm } = ORDINARY;
      const underlying = underlyingMoves(quarterMove);
      const honest = forwardMoves(forward, timeSec, quarterMove);
      const shared = { ...honest, log: honest.log + error };
      const [same, up, down] = volsPpm;
      const { call, put } = priceStrike({ strike, volsPpm: { same, up, down } }, shared, underlying);
      expect(call.mark).to.equal(max(0n, forward - strike));
      expect(put.mark).to.equal(max(0n, strike - forward));
      const row = await compileCircuit('test/fixtures/circuits/option/option-row.circom');
      const witness = await calculateWitness(row.wasmPath, {
        strike,
        strikeLog: logNearest(strike),
        volsPpm,
        forward,
        forwardLog: shared.log,
        quarterGain: shared.quarterGain,
        moved: shared.moved,
        rootOfTime: shared.rootOfTime,
        logs: underlying.logs.map(toField),
        tailWeights: underlying.tailWeights,
      });
      const outputs = [call, put].flatMap(({ mark, delta, losses }) => [mark, delta, ...losses]);
      expect(witness.slice(1, 1 + outputs.length)).to.deep.equal(outputs.map(toField));
    });
  }

  it('takes the least volatility that the protocol says may enter', async () => {
    const least = leastVolPpmUp(604_800n);
    await expectTwin({ ...ORDINARY, volsPpm: [least, least, least] });
  });

  it('costs what docs/options.md says', async function () {
    this.timeout(120_000);
    const countOf = ({ r1csPath }: CompiledCircuit): number => {
      const file = new R1csFile(r1csPath);
      file.close();
      return file.header.constraintCount;
    };
    const row = await compileCircuit('test/fixtures/circuits/option/option-row.circom');
    expect(countOf(row)).to.be.at.most(CONSTRAINTS_MAX.row);
    expect(countOf(circuit)).to.be.at.most(CONSTRAINTS_MAX.wholeStrike);
  });
});
