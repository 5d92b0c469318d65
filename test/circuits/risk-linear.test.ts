import { expect } from 'chai';
import fc from 'fast-check';
import { challengeOf, evaluationOf } from '#protocol/batch/words.ts';
import { poseidonChain } from '#protocol/crypto/poseidon.ts';
import { STANDARD_SHAPE, type StateShape, TINY_SHAPE } from '#protocol/limits.ts';
import { DEFAULT_REGISTRY } from '#protocol/risk/default-registry.ts';
import type { RiskStatement } from '#protocol/risk/risk-words.ts';
import { markPerLotNearest, type RiskRoundInputs } from '#protocol/risk/round.ts';
import { tableHash } from '#protocol/risk/table.ts';
import { lots, microsPerLot } from '#protocol/units.ts';
import { type CompiledCircuit, compileCircuit } from '#prover/setup/compile.ts';
import { R1csFile } from '#prover/setup/r1cs.ts';
import { buildRiskCircuitInput, circuitInputOf } from '#prover/witness/risk.ts';
import { readSource } from '#test/static/repository-files.ts';
import { calculateWitness, refusedBy } from '#test/support/circuit-witness.ts';
import { changedInstrument, roundOf } from '#test/support/risk-rounds.ts';

const DOMAIN = 0x1234n;
const PRICES = { btc: 97_123_456_789n, eth: 3_312_345_678n };
const UNDERLYINGS = 2;
const WRONG_TABLE = 'RiskLinear: tableHash === table.hash;';

function constraintCount({ r1csPath }: CompiledCircuit): number {
  const file = new R1csFile(r1csPath);
  file.close();
  return file.header.constraintCount;
}

/** A statement with other words, its commitment, challenge and evaluation made honestly for them. */
function restated(
  statement: RiskStatement,
  change: (words: bigint[]) => void,
): Pick<RiskStatement, 'words' | 'publicInputs'> {
  const words = [...statement.words];
  change(words);
  const commitment = poseidonChain(words);
  const challenge = challengeOf(commitment, words);
  return { words, publicInputs: { commitment, challenge, evaluation: evaluationOf(words, challenge) } };
}

describe('risk circuit', () => {
  let circuit: CompiledCircuit;
  before(async function () {
    this.timeout(600_000);
    circuit = await compileCircuit('circuits/main/risk-linear-tiny.circom');
  });

  const round = roundOf(PRICES, {
    premiumPpm: [-777n, 1_234n],
    fundingMicrosPerCoin: [5_000_000n, -3_333_333n],
  });
  const expectProvable = async (
    inputs: RiskRoundInputs,
    shape: StateShape = TINY_SHAPE,
    wasm = circuit.wasmPath,
  ) => {
    const { input, publicInputs } = buildRiskCircuitInput(inputs, shape, DOMAIN);
    const witness = await calculateWitness(wasm, input);
    expect(witness.slice(1, 4)).to.deep.equal([
      publicInputs.commitment,
      publicInputs.challenge,
      publicInputs.evaluation,
    ]);
  };
  const expectRefused = async (
    changed: Pick<RiskStatement, 'words' | 'publicInputs'>,
    constraint: string,
  ): Promise<void> => {
    expect(await refusedBy(circuit.wasmPath, circuitInputOf(changed, UNDERLYINGS))).to.equal(constraint);
  };

  it('computes the table of its TypeScript twin for random rounds', async () => {
    const rate = fc.bigInt(1n, 450_000n);
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          btc: fc.bigInt(1_000_000_000n, 400_000_000_000n),
          eth: fc.bigInt(30_000_000n, 20_000_000_000n),
          range: fc.tuple(fc.bigInt(1n, 500_000n), fc.bigInt(1n, 500_000n)),
          factor: fc.bigInt(1_000_000_000n, 2_000_000_000n),
          premium: fc.tuple(fc.bigInt(-10_000n, 10_000n), fc.bigInt(-10_000n, 10_000n)),
          funding: fc.tuple(fc.bigInt(-(2n ** 49n), 2n ** 49n), fc.bigInt(-(2n ** 49n), 2n ** 49n)),
          listed: fc.integer({ min: 0, max: 4 }),
          rates: fc.tuple(rate, rate, rate),
          isReduceOnly: fc.boolean(),
        }),
        async ({ btc, eth, range, factor, premium, funding, listed, rates, isReduceOnly }) => {
          const [low, middle, high] = [...rates].sort((a, b) => (a < b ? -1 : 1));
          const registry = DEFAULT_REGISTRY.slice(0, listed).map((entry) => ({
            ...entry,
            isReduceOnly,
            chargeImPpm: high,
            chargeMmPpm: middle,
            bandPpm: low,
          }));
          await expectProvable(
            roundOf(
              { btc, eth },
              {
                registry,
                scanRangePpm: range,
                scanFactorE9: [factor, 2_000_000_000n],
                premiumPpm: premium,
                fundingMicrosPerCoin: funding,
              },
            ),
          );
        },
      ),
      { numRuns: 25 },
    );
  });

  it('computes it at the ends of the domain', async () => {
    const onlyPerp = (changes: object) => [
      { ...DEFAULT_REGISTRY[2], marketSlot: 0, openInterestCap: lots(1n), ...changes },
    ];
    // The largest mark below 2^40: 2^40 − 1 micros a coin, one coin a lot, at no premium.
    const top = roundOf(
      { btc: (1n << 40n) - 1n, eth: (1n << 44n) - 1n },
      { registry: onlyPerp({ lotE8: 100_000_000n }), scanRangePpm: [500_000n, 500_000n] },
    );
    await expectProvable(top);
    // The smallest mark, 1 micro, and rates whose products all round.
    await expectProvable(
      roundOf({ btc: 100n, eth: 1n }, { registry: onlyPerp({ lotE8: 500_000n }), scanRangePpm: [1n, 1n] }),
    );
    await expectProvable(
      roundOf(PRICES, {
        registry: onlyPerp({
          openInterestCap: lots(2n ** 30n - 1n),
          positionCap: lots(2n ** 47n - 1n),
          chargeImPpm: 1_000_000n,
          chargeMmPpm: 0n,
          bandPpm: 0n,
          penaltyPpm: 0n,
          id: 2 ** 20 - 1,
        }),
        fundingMicrosPerCoin: [2n ** 49n, 0n],
      }),
    );
  });

  it('rounds halves of the mark up, as its twin does', async () => {
    const half = { ...DEFAULT_REGISTRY[2], marketSlot: 0, lotE8: 50_000_000n };
    expect(markPerLotNearest(7n, half.lotE8, 0n)).to.equal(4n);
    await expectProvable(roundOf({ btc: 7n, eth: 1n }, { registry: [half] }));
  });

  it('takes a dated future and an empty registry', async () => {
    await expectProvable(roundOf(PRICES, { registry: [] }));
    const future = changedInstrument(round, 2, { kind: 'future', expirySec: 1_900_000_000n });
    await expectProvable(future);
  });

  const statement = buildRiskCircuitInput(round, TINY_SHAPE, DOMAIN);
  const firstInstrument = 3 + UNDERLYINGS;

  for (const [what, word, change] of [
    ['a price off by a cent', 3, 10_000n],
    ['a scan range off by four ppm, its resolution', 4, 4n << 44n],
    ['a premium off by one ppm', firstInstrument + 4, 1n << 57n],
    ['a charge off by one ppm', firstInstrument + 4, 1n << 78n],
    ['a maintenance charge off by one ppm', firstInstrument + 4, 1n << 98n],
    ['a band off by one ppm', firstInstrument + 4, 1n << 118n],
    ['a penalty off by one ppm', firstInstrument + 4, 1n << 138n],
    ['a funding index off by one micro', firstInstrument + 4, 1n << 158n],
    ['a lot off by one', firstInstrument + 4, 1n << 30n],
    ['an instrument that takes new risk though it is reduce-only', firstInstrument + 4, 1n << 29n],
    ['another id', firstInstrument + 4, 1n],
    ['an open-interest cap off by one', firstInstrument + 5, 1n],
    ['a position cap off by one', firstInstrument + 5, 1n << 47n],
    ['an expiry where there is none', firstInstrument + 5, 1n << 94n],
  ] as const) {
    it(`refuses the table of a round with ${what}`, async () => {
      await expectRefused(
        restated(statement, (words) => {
          words[word] += change;
        }),
        WRONG_TABLE,
      );
    });
  }

  it('refuses the table with one value off by one', async () => {
    const { table } = statement;
    for (const field of [
      'mark',
      'delta',
      'fundingIndex',
      'chargeImLong',
      'chargeMmShort',
      'band',
      'penalty',
    ] as const) {
      const rows = table.rows.map((row, i) =>
        i === 2 ? { ...row, [field]: microsPerLot(row[field] + 1n) } : row,
      );
      const forged = tableHash({ ...table, rows }, TINY_SHAPE);
      await expectRefused(
        restated(statement, (words) => (words[2] = forged)),
        WRONG_TABLE,
      );
    }
    for (const scenario of [0, 7]) {
      const losses = table.rows[3].losses.map((loss, s) => (s === scenario ? microsPerLot(loss - 1n) : loss));
      const rows = table.rows.map((row, i) => (i === 3 ? { ...row, losses } : row));
      const forged = tableHash({ ...table, rows }, TINY_SHAPE);
      await expectRefused(
        restated(statement, (words) => (words[2] = forged)),
        WRONG_TABLE,
      );
    }
  });

  it('refuses a table that lacks an instrument of the registry, or has one more', async () => {
    const three = buildRiskCircuitInput(
      roundOf(PRICES, { registry: DEFAULT_REGISTRY.slice(0, 3) }),
      TINY_SHAPE,
      DOMAIN,
    );
    const four = buildRiskCircuitInput(roundOf(PRICES), TINY_SHAPE, DOMAIN);
    await expectRefused(
      restated(four, (words) => (words[2] = three.tableHash)),
      WRONG_TABLE,
    );
    await expectRefused(
      restated(three, (words) => (words[2] = four.tableHash)),
      WRONG_TABLE,
    );
  });

  it('refuses prices of the underlyings exchanged, and an instrument under the wrong one', async () => {
    await expectRefused(
      restated(statement, (words) => ([words[3], words[4]] = [words[4], words[3]])),
      WRONG_TABLE,
    );
    await expectRefused(
      restated(statement, (words) => (words[firstInstrument + 4] += 1n << 20n)),
      WRONG_TABLE,
    );
  });

  it('refuses an underlying that has no price', async () => {
    await expectRefused(
      restated(statement, (words) => (words[firstInstrument + 4] += 2n << 20n)),
      'LinearRow: matches === 1;',
    );
  });

  it('refuses a listed instrument that is worth nothing and a worth without an instrument', async () => {
    const lot = DEFAULT_REGISTRY[2].lotE8 << 30n;
    const worthless = 'LinearRow: isWorthless === isUnlisted;';
    await expectRefused(
      restated(statement, (words) => (words[firstInstrument + 4] -= lot)),
      worthless,
    );
    await expectRefused(
      restated(statement, (words) => (words[firstInstrument + 4] -= 4n)),
      worthless,
    );
  });

  it('refuses a mark of 2^40, beyond the width of the table', async () => {
    const registry = [
      { ...DEFAULT_REGISTRY[2], marketSlot: 0, lotE8: 100_000_000n, openInterestCap: lots(1n) },
    ];
    const top = buildRiskCircuitInput(
      roundOf({ btc: (1n << 40n) - 1n, eth: 1n }, { registry }),
      TINY_SHAPE,
      DOMAIN,
    );
    await expectRefused(
      restated(top, (words) => (words[3] += 1n)),
      'RangeCheck: sum === value;',
    );
  });

  it('refuses fields that spill out of their word', async () => {
    await expectRefused(
      restated(statement, (words) => (words[firstInstrument + 4] += 1n << 209n)),
      'Num2Bits: lc1 === in;',
    );
    await expectRefused(
      restated(statement, (words) => (words[3] += 1n << 64n)),
      'Num2Bits: lc1 === in;',
    );
  });

  it('binds every word by the commitment and by the evaluation', async () => {
    const { words, publicInputs } = statement;
    for (let i = 0; i < words.length; i++) {
      if (i === 2 || i === 3) continue; // the table's hash and a price: refused before, tested above
      const changed = words.map((word, at) => (at === i ? word + 1n : word));
      const refusal = await refusedBy(
        circuit.wasmPath,
        circuitInputOf({ words: changed, publicInputs }, UNDERLYINGS),
      );
      expect(refusal, `word ${i}`).to.be.oneOf([WRONG_TABLE, 'RiskLinear: commitment === wordsHash;']);
    }
    const shifted = { ...publicInputs, evaluation: publicInputs.evaluation + 1n };
    await expectRefused({ words, publicInputs: shifted }, 'RiskLinear: evaluation === partialSums[0];');
    const challenged = { ...publicInputs, challenge: publicInputs.challenge + 1n };
    await expectRefused({ words, publicInputs: challenged }, 'RiskLinear: evaluation === partialSums[0];');
  });

  it('binds a proof to its round and its deployment', async () => {
    for (const word of [0, 1]) {
      const { publicInputs } = restated(statement, (words) => (words[word] += 1n));
      await expectRefused({ words: statement.words, publicInputs }, 'RiskLinear: commitment === wordsHash;');
    }
  });

  it('costs what circuits/constraints.json says', async function () {
    this.timeout(600_000);
    const standard = await compileCircuit('circuits/main/risk-linear.circom');
    const recorded = JSON.parse(readSource('circuits/constraints.json'));
    expect(constraintCount(standard)).to.equal(recorded.riskLinearTotal);
    expect(constraintCount(circuit)).to.equal(recorded.riskLinearTinyTotal);
  });

  it('computes the standard table, 32 scenarios in 64 slots', async function () {
    this.timeout(600_000);
    const standard = await compileCircuit('circuits/main/risk-linear.circom');
    await expectProvable(round, STANDARD_SHAPE, standard.wasmPath);
    const registry = Array.from({ length: 8 }, (_, slot) => ({
      ...DEFAULT_REGISTRY[slot < 2 ? slot : 2 + (slot % 2)],
      id: slot < 2 ? slot + 1 : slot + 2,
      marketSlot: slot,
    }));
    await expectProvable(roundOf(PRICES, { registry }), STANDARD_SHAPE, standard.wasmPath);
  });
});
