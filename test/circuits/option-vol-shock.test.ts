import { expect } from 'chai';
import fc from 'fast-check';
import { DEFAULT_OPTION_PARAMETERS } from '#protocol/risk/default-registry.ts';
import { VOL_PPM_MAX } from '#protocol/risk/option/domain.ts';
import { shockedVols } from '#protocol/risk/option/vol-shock.ts';
import { type BlockTerms, blockTerms } from '#protocol/risk/terms.ts';
import { type CompiledCircuit, compileCircuit } from '#prover/setup/compile.ts';
import { calculateWitness } from '#test/support/circuit-witness.ts';

const limitsOf = ({ upPpm, downPpm, upFloorPpm, leastVolPpm }: BlockTerms) => ({
  upPpm,
  downPpm,
  upFloorPpm,
  leastVolPpm,
});

describe('circuit of the volatility shocks', () => {
  let circuit: CompiledCircuit;
  before(async function () {
    this.timeout(120_000);
    circuit = await compileCircuit('test/fixtures/circuits/option/vol-shock.circom');
  });

  const expectTwin = async (volPpm: bigint, terms: BlockTerms) => {
    const { same, up, down } = shockedVols(volPpm, terms);
    const witness = await calculateWitness(circuit.wasmPath, { volPpm, ...limitsOf(terms) });
    expect(witness.slice(1, 4)).to.deep.equal([same, up, down]);
  };
  const DAY_SEC = 86_400n;

  it('computes what its twin computes: halves, floors and the cap', async () => {
    // 2 ppm · 0.75 is one and a half; a floor is met exactly; the extremes of time and of volatility.
    for (const options of DEFAULT_OPTION_PARAMETERS) {
      for (const timeSec of [1n, DAY_SEC, 30n * DAY_SEC, 730n * DAY_SEC, 1n << 30n]) {
        const terms = blockTerms(timeSec, 0n, options);
        const least = terms.leastVolPpm;
        for (const volPpm of [0n, 1n, 2n, 310_345n, 450_000n, least - 1n, least, least + 1n])
          await expectTwin(volPpm, terms);
        const cap = (VOL_PPM_MAX * 1_000_000n) / terms.upPpm;
        for (const volPpm of [cap - 1n, cap, cap + 1n, 8_000_000n, VOL_PPM_MAX])
          await expectTwin(volPpm, terms);
      }
    }
  });

  it('computes it for random volatilities and times', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.bigInt(0n, VOL_PPM_MAX),
        fc.bigInt(1n, 731n * DAY_SEC),
        fc.constantFrom(...DEFAULT_OPTION_PARAMETERS),
        (volPpm, timeSec, options) => expectTwin(volPpm, blockTerms(timeSec, 0n, options)),
      ),
      { numRuns: 100 },
    );
  });

  it('has a witness at the ends of every width', async () => {
    const widest = { upPpm: (1n << 22n) - 1n, downPpm: (1n << 20n) - 1n };
    for (const floor of [0n, VOL_PPM_MAX]) {
      const input = { volPpm: VOL_PPM_MAX, ...widest, upFloorPpm: floor, leastVolPpm: floor };
      const { same, up } = shockedVols(input.volPpm, input);
      expect((await calculateWitness(circuit.wasmPath, input)).slice(1, 3)).to.deep.equal([same, up]);
    }
  });
});
