import { expect } from 'chai';
import fc from 'fast-check';
import { OPTION_TIME_SEC_MAX, VOL_PPM_MAX } from '#protocol/risk/option/domain.ts';
import { shockedVols, VOL_UP_FLOOR_PPM, volFactors } from '#protocol/risk/option/vol-shock.ts';
import { type CompiledCircuit, compileCircuit } from '#prover/setup/compile.ts';
import { CircuitUnderTest } from '#test/support/circuit-refusal.ts';
import { calculateWitness } from '#test/support/circuit-witness.ts';

describe('circuit of the volatility shocks', () => {
  let circuit: CompiledCircuit;
  before(async () => {
    circuit = await compileCircuit('test/fixtures/circuits/option/vol-shock.circom');
  });

  it('computes what its twin computes, halves and the floor included', async () => {
    const expectTwin = async (volPpm: bigint, timeSec: bigint, upFloorPpm: bigint) => {
      const factors = volFactors(timeSec);
      const { same, up, down } = shockedVols(volPpm, factors, upFloorPpm);
      if (up > VOL_PPM_MAX) return;
      const witness = await calculateWitness(circuit.wasmPath, { volPpm, ...factors, upFloorPpm });
      expect(witness.slice(1, 4)).to.deep.equal([same, up, down]);
    };
    // 2 ppm · 0.75 is one and a half; the floor is met exactly; the extremes of time.
    for (const volPpm of [0n, 1n, 2n, 310_345n, 450_000n]) {
      for (const timeSec of [1n, 30n * 86_400n, OPTION_TIME_SEC_MAX])
        for (const floor of VOL_UP_FLOOR_PPM) await expectTwin(volPpm, timeSec, floor);
    }
    await fc.assert(
      fc.asyncProperty(
        fc.bigInt(0n, VOL_PPM_MAX),
        fc.bigInt(1n, OPTION_TIME_SEC_MAX),
        fc.constantFrom(...VOL_UP_FLOOR_PPM),
        expectTwin,
      ),
      { numRuns: 100 },
    );
  });

  it('refuses a volatility that is too large, before or after its shock', async () => {
    const underTest = await CircuitUnderTest.open(circuit.wasmPath);
    const input = { ...volFactors(86_400n), upFloorPpm: 450_000n };
    expect(await underTest.refusal({ ...input, volPpm: VOL_PPM_MAX + 1n })).to.equal(
      'ShockedVols: RangeCheck(VOL_BITS())(volPpm);',
    );
    expect(await underTest.refusal({ ...input, volPpm: VOL_PPM_MAX })).to.equal(
      'DivideNearest: RangeCheck(QUOTIENT_BITS)(quotient);',
    );
  });
});
