/** The templates of circuits/risk one by one, against their twins and at every bound. Options: the option tests. */
import { expect } from 'chai';
import fc from 'fast-check';
import { poseidon, poseidonChain } from '#protocol/crypto/poseidon.ts';
import { STANDARD_SHAPE, TINY_SHAPE } from '#protocol/limits.ts';
import { pack, unpack } from '#protocol/pack.ts';
import { DEFAULT_REGISTRY } from '#protocol/risk/default-registry.ts';
import { quarterMoveNearest } from '#protocol/risk/linear-price.ts';
import { RISK_SMALL, RISK_TINY } from '#protocol/risk/registry.ts';
import {
  INSTRUMENT_LIMITS_LAYOUT,
  INSTRUMENT_PRICE_LAYOUT,
  riskStatements,
  UNDERLYING_LAYOUT,
  WORDS_PER_BLOCK,
} from '#protocol/risk/risk-words.ts';
import { rowHash } from '#protocol/risk/table.ts';
import { divideNearest, type Lots, PPM_ONE } from '#protocol/units.ts';
import { HALF, RUNS, template } from '#test/support/circuits/template.ts';
import { inDays, registryOf } from '#test/support/option-registry.ts';
import { roundOf } from '#test/support/risk-rounds.ts';

const FILE = 'circuits/risk/linear-row.circom';
const last = (bits: number): bigint => (1n << BigInt(bits)) - 1n;

describe('moves of an underlying', () => {
  const moves = template(FILE, 'UnderlyingMoves()');
  const check = async (indexMicros: bigint, scanRangePpm: bigint): Promise<void> =>
    (await moves()).equals(
      { word: pack(UNDERLYING_LAYOUT, { indexMicros, scanRangePpm }) },
      { indexMicros, quarterMove: quarterMoveNearest(scanRangePpm) },
    );

  it("are its twin's over the whole word", async () => {
    await fc.assert(fc.asyncProperty(fc.bigInt(0n, last(44)), fc.bigInt(0n, last(20)), check), RUNS);
    for (const index of [0n, 1n, last(44)])
      for (const range of [0n, 1n, 2n, last(20)]) await check(index, range);
    for (const word of [1n << 64n, -1n, HALF])
      await (await moves()).refuses({ word }, 'Unpack: bits.in <== packed;');
    await (await moves()).leavesNoChoice({ word: (123_457n << 44n) + 5n });
  });
});

describe('share of the mark', () => {
  const share = template(FILE, 'ShareOfMark()');
  const check = async (mark: bigint, ratePpm: bigint): Promise<void> =>
    (await share()).equals({ mark, ratePpm }, { share: divideNearest(mark * ratePpm, PPM_ONE) });

  it('is rounded to nearest, halves up', async () => {
    await fc.assert(fc.asyncProperty(fc.bigInt(0n, last(40)), fc.bigInt(0n, last(20)), check), RUNS);
    for (const mark of [0n, 1n, last(40)])
      for (const rate of [0n, 1n, 499_999n, 500_000n, last(20)]) await check(mark, rate);
    await (await share()).leavesNoChoice({ mark: 3, ratePpm: 500_000 });
  });
});

describe('row of a linear instrument', () => {
  const row = template(FILE, 'LinearRow(2, 0)');
  const round = (change: Parameters<typeof roundOf>[1], btc = 97_123_456_789n) =>
    riskStatements(roundOf({ btc, eth: 3_312_345_678n }, { segments: [RISK_TINY], ...change }), TINY_SHAPE, [
      1n,
    ]);
  type Statement = ReturnType<typeof round>;
  const wordOfPlace = (i: number): number => 7 + 2 * i;
  const inputOf = ({ segments: [{ words }] }: Statement, i: number, wordOf = wordOfPlace) => ({
    priceWord: words[wordOf(i)],
    limitsWord: words[wordOf(i) + 1],
    indexMicros: [words[5] & last(44), words[6] & last(44)],
    quarterMoves: [quarterMoveNearest(words[5] >> 44n), quarterMoveNearest(words[6] >> 44n)],
    settlementMicros: 0,
  });
  /** @param wordOf place of the first word of the table's i-th row. */
  const checkAll = async (statement: Statement, wordOf = wordOfPlace): Promise<void> => {
    for (const [i, risk] of statement.table.rows.entries()) {
      const input = inputOf(statement, i, wordOf);
      const { underlying, mark, expirySec } = risk;
      await (await row()).equals(input, {
        rowHash: rowHash(risk, { scenarios: risk.losses.length }),
        isListed: 1,
        isSettled: 0,
        settledMark: 0,
        mark,
        liveMark: mark,
        underlying,
        isUnderlying: [underlying === 0, underlying === 1],
        rowMove: input.quarterMoves[underlying],
        indexLotE8: input.indexMicros[underlying] * unpack(INSTRUMENT_PRICE_LAYOUT, input.priceWord).lotE8,
        expirySec,
      });
    }
  };

  it("is its twin's for spot and perpetuals", async () => {
    const premium = fc.bigInt(-10_000n, 10_000n);
    const funding = fc.bigInt(-(1n << 49n), 1n << 49n);
    await fc.assert(
      fc.asyncProperty(
        fc.bigInt(1_000_000_000n, 400_000_000_000n),
        fc.bigInt(1n, 500_000n),
        premium,
        funding,
        fc.boolean(),
        async (btc, range, premiumPpm, fundingMicros, isReduceOnly) => {
          const registry = DEFAULT_REGISTRY.slice(0, 4).map((entry) => ({ ...entry, isReduceOnly }));
          await checkAll(
            round(
              {
                registry,
                scanRangePpm: [range, 500_001n - range],
                premiumPpm: [premiumPpm, -premiumPpm],
                fundingMicrosPerCoin: [fundingMicros, -fundingMicros],
              },
              btc,
            ),
          );
        },
      ),
      { numRuns: 8 },
    );
  });

  it("is its twin's for dated futures", async () => {
    const price = fc.bigInt(1_000_000_000n, 400_000_000_000n);
    const basis = fc.bigInt(-10_000_000n, 10_000_000n);
    const wordOfBlock = (block: number): number =>
      wordOfPlace(RISK_SMALL.linear) + block * (WORDS_PER_BLOCK + RISK_SMALL.strikesPerBlock);
    await fc.assert(
      fc.asyncProperty(
        price,
        fc.bigInt(1n, 400n),
        basis,
        fc.boolean(),
        async (btc, days, ppb, isReduceOnly) => {
          const block = { expirySec: inDays(days), strikes: [], isReduceOnly };
          const blocks = [0, 1].map((underlying) => ({ ...block, underlying }));
          const inputs = roundOf(
            { btc, eth: 3_312_345_678n },
            {
              registry: registryOf([RISK_SMALL], blocks, []),
              segments: [RISK_SMALL],
              basisPpb: [ppb, 7n - ppb],
            },
          );
          const statement = riskStatements(inputs, STANDARD_SHAPE, [1n]);
          expect(statement.table.rows.map(({ expirySec }) => expirySec)).to.deep.equal(
            blocks.map(({ expirySec }) => expirySec),
          );
          await checkAll(statement, wordOfBlock);
        },
      ),
      { numRuns: 6 },
    );
  });

  const field = (layout: typeof INSTRUMENT_PRICE_LAYOUT, name: string, value: bigint): bigint => {
    const at = layout.findIndex((entry) => entry.name === name);
    return value << BigInt(layout.slice(0, at).reduce((sum, { bits }) => sum + bits, 0));
  };

  it('has a mark of 1 to 2^40 − 1, an underlying that exists, and words without a bit too many', async () => {
    const entry = { ...DEFAULT_REGISTRY[2], lotE8: 100_000_000n, openInterestCap: 1n as Lots };
    const top = round({ registry: [entry], scanRangePpm: [500_000n, 1n] }, last(40));
    await checkAll(top);
    const input = inputOf(top, 0);
    const MARK = 'DivideNearest: RangeCheck(QUOTIENT_BITS)(quotient);';
    await (await row()).refuses({ ...input, indexMicros: [1n << 40n, 1n] }, MARK);
    const WORTH = 'LinearRow: isWorthless === isUnlisted;';
    await (await row()).accepts({ ...input, indexMicros: [1n, 1n] });
    await (await row()).refuses({ ...input, indexMicros: [0n, 1n] }, WORTH);
    const id = BigInt(entry.id);
    await (await row()).refuses({ ...input, priceWord: input.priceWord - id }, WORTH);
    const UNDERLYING = 'LinearRow: matches === 1;';
    for (const other of [2n, 255n])
      await (await row()).refuses(
        { ...input, priceWord: input.priceWord + field(INSTRUMENT_PRICE_LAYOUT, 'underlying', other) },
        UNDERLYING,
      );
    const WORD = 'Unpack: bits.in <== packed;';
    await (await row()).refuses({ ...input, priceWord: input.priceWord + (1n << 220n) }, WORD);
    const limits = pack(INSTRUMENT_LIMITS_LAYOUT, {
      openInterestCap: last(47),
      positionCap: last(47),
      expirySec: last(32),
    });
    await (await row()).accepts({ ...input, limitsWord: limits });
    await (await row()).refuses({ ...input, limitsWord: limits + 1n }, WORD);
    await (await row()).leavesNoChoice(input, ['main.IsEqual[0].isz.inv']);
  });

  it('is 0 for an empty place of the registry', async () => {
    const words = { priceWord: 0, limitsWord: 0, settlementMicros: 0 };
    const input = { ...words, indexMicros: [5, 6], quarterMoves: [7, 8] };
    await (await row()).equals(input, {
      ...{ rowHash: 0, isListed: 0, mark: 0, underlying: 0, isUnderlying: [1, 0] },
      ...{ isSettled: 0, settledMark: 0, liveMark: 0 },
      ...{ rowMove: 7, indexLotE8: 0, expirySec: 0 },
    });
    expect(rowHash(round({}).table.rows[0], TINY_SHAPE)).to.not.equal(0n);
  });
});

describe('hash of a segment', () => {
  const TABLE = 'circuits/risk/risk-table.circom';
  const rows = (count: number, first = 1n) => Array.from({ length: count }, (_, i) => first + BigInt(i));

  it('is, at the end of the table, that of all its slots, the last block filled with zeros', async () => {
    const whole = template(TABLE, 'SegmentHash(0, 4, 4)');
    const rowHashes = rows(4);
    for (const isLast of [0, 1])
      await (await whole()).equals(
        { startHash: 0, isLast, rowHashes },
        { endHash: poseidon([...rowHashes, ...Array<bigint>(12).fill(0n)]) },
      );
    await (await whole()).refuses({ startHash: 1, isLast: 1, rowHashes }, 'SegmentHash: startHash === 0;');
    await (await whole()).leavesNoChoice({ startHash: 0, isLast: 1, rowHashes });
  });

  it('is its own link in the middle, and the whole table where nothing follows', async () => {
    const middle = template(TABLE, 'SegmentHash(16, 15, 62)');
    const startHash = poseidon(rows(16, 100n));
    const rowHashes = rows(15);
    await (await middle()).equals(
      { startHash, isLast: 0, rowHashes },
      { endHash: poseidon([startHash, ...rowHashes]) },
    );
    // 31 slots of 62: three links of nothing, the last of them one slot long.
    const all = [...rows(16, 100n), ...rowHashes, ...Array<bigint>(31).fill(0n)];
    await (await middle()).equals({ startHash, isLast: 1, rowHashes }, { endHash: poseidonChain(all) });
  });
});
