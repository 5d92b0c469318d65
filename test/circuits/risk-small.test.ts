import { expect } from 'chai';
import fc from 'fast-check';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { type PackField, pack, unpack } from '#protocol/pack.ts';
import { DEFAULT_REGISTRY } from '#protocol/risk/default-registry.ts';
import {
  FORWARD_MICROS_MAX,
  leastVolPpmUp,
  OPTION_TIME_SEC_MAX,
  STRIKE_MICROS_MAX,
} from '#protocol/risk/option/domain.ts';
import { RISK_64, RISK_SMALL, slotsOf } from '#protocol/risk/registry.ts';
import {
  INSTRUMENT_LIMITS_LAYOUT,
  INSTRUMENT_PRICE_LAYOUT,
  type SegmentStatement,
  STRIKE_LAYOUT,
  TERMS_LAYOUT,
} from '#protocol/risk/risk-words.ts';
import type { RiskRoundInputs } from '#protocol/risk/round.ts';
import { type CompiledCircuit, compileCircuit } from '#prover/setup/compile.ts';
import { R1csFile } from '#prover/setup/r1cs.ts';
import { circuitInputOf, riskProofTasks } from '#prover/witness/risk.ts';
import { readSource } from '#test/static/repository-files.ts';
import { calculateWitness, refusedBy } from '#test/support/circuit-witness.ts';
import { type BlockListing, inDays, registryOf } from '#test/support/option-registry.ts';
import { ROUND_TIME_SEC, type RoundChoices, roundOf } from '#test/support/risk-rounds.ts';
import { restated } from '#test/support/risk-statements.ts';

const SHAPE = { ...STANDARD_SHAPE, marketSlots: slotsOf(RISK_64) };
const DOMAIN = 0x1234n;
const PRICE = { btc: 97_123_456_789n, eth: 3_312_345_678n };
/** Words of RISK_SMALL: six linear places of two, then blocks of price, limits, terms, settlement and two strikes. */
const [START_HASH, END_HASH, FLAGS, BLOCK, PRICES_WORD, LIMITS, TERMS, LOW, HIGH] = [
  2, 3, 4, 19, 19, 20, 21, 23, 24,
];
const NEXT_BLOCK = 25;
const WORDS = 31;
const WRONG_TABLE = 'RiskTable: words[3] === segment.endHash;';
const WRONG_FLAG = 'RiskTable: flags.fields[1] === isSurfaceSound;';

/** No place takes part in an option that is not listed: a floor of 1 ppm where the low strike has an ordinary one. */
const listing: BlockListing = { underlying: 0, expirySec: inDays(30n), strikes: [90_000_000n, 110_000_000n] };
const withBlocks = (blocks: readonly (BlockListing | undefined)[], choices: RoundChoices = {}) =>
  roundOf(PRICE, {
    registry: registryOf([RISK_SMALL], blocks),
    basisPpb: [10_000_000n, -20_000_000n],
    ...choices,
  });
const taskOf = (inputs: RiskRoundInputs) => {
  const { segments, ...statements } = riskProofTasks(inputs, SHAPE, [DOMAIN]);
  return { ...statements, task: segments[0] };
};

describe('risk circuit with options', () => {
  let circuit: CompiledCircuit;
  before(async function () {
    this.timeout(600_000);
    circuit = await compileCircuit('circuits/main/risk-small.circom');
  });

  /** The circuit computes the hash that the twin names: every value of every row is the same. */
  const expectProvable = async (inputs: RiskRoundInputs) => {
    const { task } = taskOf(inputs);
    const witness = await calculateWitness(circuit.wasmPath, task.input);
    const { commitment, challenge, evaluation } = task.publicInputs;
    expect(witness.slice(1, 4)).to.deep.equal([commitment, challenge, evaluation]);
    return task;
  };
  const expectRefused = async (
    changed: Pick<SegmentStatement, 'words' | 'publicInputs'>,
    constraint = WRONG_TABLE,
    what = '',
  ) => {
    expect(await refusedBy(circuit.wasmPath, circuitInputOf(changed)), what).to.equal(constraint);
  };

  it('computes the table of its twin for random registries: empty places and blocks, one strike and all', async function () {
    this.timeout(300_000);
    const block = (underlying: number) =>
      fc.option(
        fc.record({
          underlying: fc.constant(underlying),
          expirySec: fc.bigInt(ROUND_TIME_SEC - 100_000n, inDays(730n)),
          strikes: fc
            .uniqueArray(fc.bigInt(10_000_000n, 300_000_000n), { maxLength: 2 })
            .map((strikes) => [...strikes].sort((a, b) => (a < b ? -1 : 1))),
          isReduceOnly: fc.boolean(),
        }),
        { nil: undefined, freq: 4 },
      );
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 1 }).chain((u) => fc.tuple(block(u), block(1 - u))),
        fc.subarray([0, 1, 2, 3]),
        fc.tuple(fc.bigInt(-500_000_000n, 500_000_000n), fc.bigInt(-500_000_000n, 500_000_000n)),
        fc.array(fc.bigInt(1n, 3_000_000n), { minLength: 4, maxLength: 4 }),
        fc.tuple(fc.bigInt(1n, 500_000n), fc.bigInt(1n, 500_000n)),
        async (blocks, linear, basisPpb, vols, scanRangePpm) => {
          const listed = DEFAULT_REGISTRY.map((entry, i) => (linear.includes(i) ? entry : undefined));
          await expectProvable(
            withBlocks(blocks, {
              registry: registryOf([RISK_SMALL], blocks, listed),
              basisPpb,
              scanRangePpm,
              volPpm: (callId) => vols[(callId / 2) % 4],
            }),
          );
        },
      ),
      { numRuns: 20, seed: 20_261_121 },
    );
  });

  it('computes it at the floors of volatility and time, and at the widest strikes and forwards', async function () {
    this.timeout(300_000);
    const far = ROUND_TIME_SEC + OPTION_TIME_SEC_MAX;
    const strikes = [1n, STRIKE_MICROS_MAX];
    // An hour at 5 % is below what can be priced; an expired block counts as an hour; 800 % for four years.
    const cases: [bigint, bigint][] = [
      [ROUND_TIME_SEC + 3_600n, 50_000n],
      [ROUND_TIME_SEC - 86_400n, 1n],
      [ROUND_TIME_SEC + 3_600n, 8_000_000n],
      [far, 8_000_000n],
      [far, 1n],
      [far + 1n, leastVolPpmUp(OPTION_TIME_SEC_MAX)],
    ];
    for (const [expirySec, volPpm] of cases) {
      await expectProvable(
        withBlocks(
          [
            { underlying: 0, expirySec, strikes },
            { underlying: 1, expirySec, strikes: [33_000_000n, 33_000_001n] },
          ],
          { volPpm: () => volPpm, scanRangePpm: [500_000n, 1n] },
        ),
      );
    }
    // The largest forward, 2^33 − 1, and the smallest, 1 micro, both with the farthest strikes.
    const oneCoin = { lotE8: 100_000_000n, expirySec: inDays(1n), strikes };
    for (const index of [FORWARD_MICROS_MAX, 1n]) {
      const blocks = [
        { underlying: 0, ...oneCoin },
        { underlying: 1, ...oneCoin },
      ];
      const task = await expectProvable(
        roundOf({ btc: index, eth: index }, { registry: registryOf([RISK_SMALL], blocks, []) }),
      );
      expect(unpack(INSTRUMENT_PRICE_LAYOUT, task.words[BLOCK]).lotE8).to.equal(100_000_000n);
    }
  });

  it('computes an empty registry, and one with a future and no option', async () => {
    await expectProvable(roundOf(PRICE, { registry: [] }));
    await expectProvable(withBlocks([undefined, { ...listing, underlying: 1, strikes: [] }]));
  });

  // The high strike's volatility is at its floors, so that every term of the block enters some row.
  const honest = taskOf(withBlocks([listing], { volPpm: (callId) => (callId === 1000 ? 620_000n : 1n) }));
  const statement = honest.task;
  it('has a statement to change that is provable', async () => {
    expect(statement.words).to.have.length(WORDS);
    await calculateWitness(circuit.wasmPath, statement.input);
  });

  /** One field of a word, one more. */
  const offByOne = (layout: readonly PackField[], word: number, name: string) =>
    restated(statement, (words) => {
      const fields = unpack(layout, words[word]);
      words[word] = pack(layout, { ...fields, [name]: fields[name] + 1n });
    });

  it('refuses the table of a round with any term of a block off by one', async () => {
    // What is settled, the tests of settled blocks change.
    for (const { name } of TERMS_LAYOUT.filter((field) => field.name !== 'isSettled'))
      await expectRefused(offByOne(TERMS_LAYOUT, TERMS, name), WRONG_TABLE, name);
  });

  it('refuses it with any field of a strike off by one', async () => {
    for (const word of [LOW, HIGH])
      for (const { name } of STRIKE_LAYOUT) {
        // A volatility below the least is raised to it, whatever it is: no row depends on it.
        if (name === 'volPpm' && word === HIGH) continue;
        if (name === 'isReduceOnly') continue;
        await expectRefused(offByOne(STRIKE_LAYOUT, word, name), WRONG_TABLE, name);
      }
    await expectRefused(restated(statement, (words) => (words[LOW] ^= 1n << 20n)));
  });

  it('refuses it with any field of the future off by one', async () => {
    for (const { name } of INSTRUMENT_PRICE_LAYOUT) {
      // A billionth of the price is less than a tenth of a micro of this lot: half a micro is tried below.
      if (['isSpot', 'isReduceOnly', 'isSettled', 'underlying', 'pricePpb'].includes(name)) continue;
      await expectRefused(offByOne(INSTRUMENT_PRICE_LAYOUT, PRICES_WORD, name), WRONG_TABLE, name);
    }
    for (const { name } of INSTRUMENT_LIMITS_LAYOUT)
      await expectRefused(offByOne(INSTRUMENT_LIMITS_LAYOUT, LIMITS, name), WRONG_TABLE, name);
    for (const change of [11n << 58n, 1n << 28n, 1n << 29n, 1n << 20n])
      await expectRefused(restated(statement, (words) => (words[PRICES_WORD] += change)));
  });

  it('refuses it with the volatilities of two strikes exchanged', async () => {
    const swapped = restated(statement, (words) => {
      const [low, high] = [LOW, HIGH].map((word) => unpack(STRIKE_LAYOUT, words[word]));
      words[LOW] = pack(STRIKE_LAYOUT, { ...low, volPpm: high.volPpm });
      words[HIGH] = pack(STRIKE_LAYOUT, { ...high, volPpm: low.volPpm });
    });
    await expectRefused(swapped);
  });

  it('refuses it with the terms of another expiry, or in the other block', async () => {
    const other = taskOf(withBlocks([{ ...listing, expirySec: inDays(31n) }])).task;
    await expectRefused(restated(statement, (words) => (words[TERMS] = other.words[TERMS])));
    await expectRefused(
      restated(statement, (words) => {
        for (let i = 0; i < NEXT_BLOCK - BLOCK; i++)
          [words[BLOCK + i], words[NEXT_BLOCK + i]] = [words[NEXT_BLOCK + i], words[BLOCK + i]];
      }),
    );
  });

  it('refuses a table that lacks a strike of the registry, or has one more', async () => {
    const one = taskOf(withBlocks([{ ...listing, strikes: [90_000_000n] }]));
    const two = taskOf(withBlocks([listing]));
    await expectRefused(restated(two.task, (words) => (words[END_HASH] = one.tableHash)));
    await expectRefused(restated(one.task, (words) => (words[END_HASH] = two.tableHash)));
  });

  it('refuses options without their future, which a substitute would price', async () => {
    await expectRefused(
      restated(statement, (words) => {
        for (const word of [PRICES_WORD, LIMITS, TERMS]) words[word] = 0n;
      }),
      'StrikeRows: isListed * (1 - isBlockListed) === 0;',
    );
  });

  it('binds every word by the commitment', async () => {
    const { words, publicInputs } = statement;
    for (const change of [1n, -1n])
      for (let i = 0; i < words.length; i++) {
        const changed = words.map((word, at) => (at === i ? word + change : word));
        if (changed[i] < 0n) continue;
        expect(
          await refusedBy(circuit.wasmPath, circuitInputOf({ words: changed, publicInputs })),
          `word ${i}`,
        ).not.to.equal(undefined);
      }
  });

  it('refuses a wrong start, a wrong end, and the end of another place in the table', async () => {
    await expectRefused(
      restated(statement, (words) => (words[START_HASH] = 1n)),
      'SegmentHash: startHash === 0;',
    );
    await expectRefused(restated(statement, (words) => (words[END_HASH] += 1n)));
    // The hash of the whole table is not that of its first 16 slots.
    await expectRefused(restated(statement, (words) => (words[FLAGS] ^= 1n)));
  });

  it('tells a broken surface, and lets it neither be called sound nor a sound one broken', async () => {
    const crossedBy = (lowVol: bigint, highVol: bigint) =>
      taskOf(
        withBlocks([undefined, { ...listing, strikes: [97_000_000n, 98_000_000n] }], {
          volPpm: (callId) => (callId === 1020 ? lowVol : highVol),
        }),
      ).task;
    const claimed = (task: SegmentStatement, isSound: bigint) =>
      restated(task, (words) => (words[FLAGS] = 1n | (isSound << 1n)));
    // Calls that rise with the strike, calls that fall by more than it rises, and the same at one volatility.
    for (const [low, high, isSound] of [
      [300_000n, 900_000n, false],
      [900_000n, 300_000n, false],
      [600_000n, 600_000n, true],
    ] as const) {
      const task = crossedBy(low, high);
      expect(task.isSurfaceSound).to.equal(isSound);
      await calculateWitness(circuit.wasmPath, task.input);
      await expectRefused(claimed(task, isSound ? 0n : 1n), WRONG_FLAG);
    }
  });

  it('costs what circuits/constraints.json says', () => {
    const file = new R1csFile(circuit.r1csPath);
    file.close();
    const recorded = JSON.parse(readSource('circuits/constraints.json'));
    expect(file.header.constraintCount).to.equal(recorded.riskSmallTotal);
  });
});
