import { expect } from 'chai';
import fc from 'fast-check';
import { TINY_SHAPE } from '#protocol/limits.ts';
import { DEFAULT_REGISTRY } from '#protocol/risk/default-registry.ts';
import { markPerLotNearest } from '#protocol/risk/linear-price.ts';
import { RISK_TINY } from '#protocol/risk/registry.ts';
import type { SegmentStatement } from '#protocol/risk/risk-words.ts';
import type { RiskRoundInputs } from '#protocol/risk/round.ts';
import { columnLosses, tableHash } from '#protocol/risk/table.ts';
import { lots, microsPerLot } from '#protocol/units.ts';
import { type CompiledCircuit, compileCircuit } from '#prover/setup/compile.ts';
import { R1csFile } from '#prover/setup/r1cs.ts';
import { circuitInputOf, riskProofTasks } from '#prover/witness/risk.ts';
import { readSource } from '#test/static/repository-files.ts';
import { calculateWitness, refusedBy } from '#test/support/circuit-witness.ts';
import { type RoundChoices, roundOf as standardRoundOf } from '#test/support/risk-rounds.ts';
import { restated } from '#test/support/risk-statements.ts';

const DOMAIN = 0x1234n;
/** Words of RISK_TINY. */
const [START_HASH, END_HASH, FLAGS, FIRST_UNDERLYING, FIRST_PLACE] = [2, 3, 4, 5, 7];
const PRICES = { btc: 97_123_456_789n, eth: 3_312_345_678n };
const WRONG_TABLE = 'RiskTable: words[3] === segment.endHash;';

function constraintCount({ r1csPath }: CompiledCircuit): number {
  const file = new R1csFile(r1csPath);
  file.close();
  return file.header.constraintCount;
}

const roundOf = (price: { btc: bigint; eth: bigint }, choices: RoundChoices = {}) =>
  standardRoundOf(price, { segments: [RISK_TINY], ...choices });

const taskOf = (inputs: RiskRoundInputs) => {
  const { table, tableHash: hash, segments } = riskProofTasks(inputs, TINY_SHAPE, [DOMAIN]);
  return { table, tableHash: hash, task: segments[0] };
};

describe('risk circuit of linear instruments', () => {
  let circuit: CompiledCircuit;
  before(async function () {
    this.timeout(600_000);
    circuit = await compileCircuit('circuits/main/risk-tiny.circom');
  });

  const round = roundOf(PRICES, {
    premiumPpm: [-777n, 1_234n],
    fundingMicrosPerCoin: [5_000_000n, -3_333_333n],
  });
  const expectProvable = async (inputs: RiskRoundInputs) => {
    const { input, publicInputs } = taskOf(inputs).task;
    const witness = await calculateWitness(circuit.wasmPath, input);
    expect(witness.slice(1, 4)).to.deep.equal([
      publicInputs.commitment,
      publicInputs.challenge,
      publicInputs.evaluation,
    ]);
  };
  const expectRefused = async (
    changed: Pick<SegmentStatement, 'words' | 'publicInputs'>,
    constraint: string,
  ): Promise<void> => {
    expect(await refusedBy(circuit.wasmPath, circuitInputOf(changed))).to.equal(constraint);
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
    const onlyPerp = (changes: object) => [{ ...DEFAULT_REGISTRY[2], openInterestCap: lots(1n), ...changes }];
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
    const half = { ...DEFAULT_REGISTRY[2], lotE8: 50_000_000n };
    expect(markPerLotNearest(7n, half.lotE8, 0n)).to.equal(4n);
    await expectProvable(roundOf({ btc: 7n, eth: 1n }, { registry: [half] }));
  });

  it('takes an empty registry, and one with holes', async () => {
    await expectProvable(roundOf(PRICES, { registry: [] }));
    const [, ether, , etherPerp] = DEFAULT_REGISTRY;
    await expectProvable(roundOf(PRICES, { registry: [undefined, ether, undefined, etherPerp] }));
  });

  const honest = taskOf(round);
  const statement = honest.task;

  for (const [what, word, change] of [
    ['a price off by a cent', FIRST_UNDERLYING, 10_000n],
    ['a scan range off by four ppm, its resolution', FIRST_UNDERLYING + 1, 4n << 44n],
    ['a premium off by one ppm', FIRST_PLACE + 4, 1_000n << 58n],
    ['a charge off by one ppm', FIRST_PLACE + 4, 1n << 89n],
    ['a maintenance charge off by one ppm', FIRST_PLACE + 4, 1n << 109n],
    ['a band off by one ppm', FIRST_PLACE + 4, 1n << 129n],
    ['a penalty off by one ppm', FIRST_PLACE + 4, 1n << 149n],
    ['a funding index off by one micro', FIRST_PLACE + 4, 1n << 169n],
    ['a lot off by one', FIRST_PLACE + 4, 1n << 31n],
    ['an instrument that takes new risk though it is reduce-only', FIRST_PLACE + 4, 1n << 29n],
    ['another id', FIRST_PLACE + 4, 1n],
    ['an open-interest cap off by one', FIRST_PLACE + 5, 1n],
    ['a position cap off by one', FIRST_PLACE + 5, 1n << 47n],
    ['an expiry where there is none', FIRST_PLACE + 5, 1n << 94n],
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
    const { table } = honest;
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
        restated(statement, (words) => (words[END_HASH] = forged)),
        WRONG_TABLE,
      );
    }
    const rows = table.rows.map((row, i) => {
      const linearLoss = microsPerLot(row.linearLoss - 1n);
      const losses = columnLosses(linearLoss, [], row.underlying, TINY_SHAPE);
      return i === 3 ? { ...row, linearLoss, losses } : row;
    });
    const forged = tableHash({ ...table, rows }, TINY_SHAPE);
    await expectRefused(
      restated(statement, (words) => (words[END_HASH] = forged)),
      WRONG_TABLE,
    );
  });

  it('refuses a table that lacks an instrument of the registry, or has one more', async () => {
    const three = taskOf(roundOf(PRICES, { registry: DEFAULT_REGISTRY.slice(0, 3) }));
    const four = taskOf(roundOf(PRICES));
    await expectRefused(
      restated(four.task, (words) => (words[END_HASH] = three.tableHash)),
      WRONG_TABLE,
    );
    await expectRefused(
      restated(three.task, (words) => (words[END_HASH] = four.tableHash)),
      WRONG_TABLE,
    );
  });

  it('refuses prices of the underlyings exchanged, and an instrument under the wrong one', async () => {
    await expectRefused(
      restated(statement, (words) => ([words[5], words[6]] = [words[6], words[5]])),
      WRONG_TABLE,
    );
    await expectRefused(
      restated(statement, (words) => (words[FIRST_PLACE + 4] += 1n << 20n)),
      WRONG_TABLE,
    );
  });

  it('refuses an underlying that has no price', async () => {
    await expectRefused(
      restated(statement, (words) => (words[FIRST_PLACE + 4] += 2n << 20n)),
      'LinearRow: matches === 1;',
    );
  });

  it('refuses a listed instrument that is worth nothing and a worth without an instrument', async () => {
    const lot = DEFAULT_REGISTRY[2].lotE8 << 31n;
    const worthless = 'LinearRow: isWorthless === isUnlisted;';
    await expectRefused(
      restated(statement, (words) => (words[FIRST_PLACE + 4] -= lot)),
      worthless,
    );
    await expectRefused(
      restated(statement, (words) => (words[FIRST_PLACE + 4] -= 4n)),
      worthless,
    );
  });

  it('refuses a mark of 2^40, beyond the width of the table', async () => {
    const registry = [{ ...DEFAULT_REGISTRY[2], lotE8: 100_000_000n, openInterestCap: lots(1n) }];
    const top = taskOf(roundOf({ btc: (1n << 40n) - 1n, eth: 1n }, { registry }));
    await expectRefused(
      restated(top.task, (words) => (words[FIRST_UNDERLYING] += 1n)),
      'RangeCheck: sum === value;',
    );
  });

  it('refuses fields that spill out of their word', async () => {
    await expectRefused(
      restated(statement, (words) => (words[FIRST_PLACE + 4] += 1n << 220n)),
      'Num2Bits: lc1 === in;',
    );
    await expectRefused(
      restated(statement, (words) => (words[FIRST_UNDERLYING] += 1n << 64n)),
      'Num2Bits: lc1 === in;',
    );
  });

  it('binds every word by the commitment and by the evaluation', async () => {
    const { words, publicInputs } = statement;
    for (let i = 0; i < words.length; i++) {
      // The hashes, the flags and a price are refused before, which is tested apart.
      if ([START_HASH, END_HASH, FLAGS, FIRST_UNDERLYING].includes(i)) continue;
      const changed = words.map((word, at) => (at === i ? word + 1n : word));
      const refusal = await refusedBy(circuit.wasmPath, circuitInputOf({ words: changed, publicInputs }));
      expect(refusal, `word ${i}`).to.be.oneOf([WRONG_TABLE, 'RiskTable: commitment === wordsHash;']);
    }
    const shifted = { ...publicInputs, evaluation: publicInputs.evaluation + 1n };
    await expectRefused({ words, publicInputs: shifted }, 'RiskTable: evaluation === partialSums[0];');
    const challenged = { ...publicInputs, challenge: publicInputs.challenge + 1n };
    await expectRefused({ words, publicInputs: challenged }, 'RiskTable: evaluation === partialSums[0];');
  });

  it('binds a proof to its round and its deployment', async () => {
    for (const word of [0, 1]) {
      const { publicInputs } = restated(statement, (words) => (words[word] += 1n));
      await expectRefused({ words: statement.words, publicInputs }, 'RiskTable: commitment === wordsHash;');
    }
  });

  it('refuses a table that does not begin at its first slot', async () => {
    await expectRefused(
      restated(statement, (words) => (words[START_HASH] = 1n)),
      'SegmentHash: startHash === 0;',
    );
  });

  it('says that a table without options has a sound surface, and nothing else', async () => {
    expect(statement.words[FLAGS]).to.equal(3n);
    await expectRefused(
      restated(statement, (words) => (words[FLAGS] = 1n)),
      'RiskTable: flags.fields[1] === isSurfaceSound;',
    );
    await expectRefused(
      restated(statement, (words) => (words[FLAGS] = 4n)),
      'Num2Bits: lc1 === in;',
    );
  });

  it('costs what circuits/constraints.json says', () => {
    const recorded = JSON.parse(readSource('circuits/constraints.json'));
    expect(constraintCount(circuit)).to.equal(recorded.riskTinyTotal);
  });
});
