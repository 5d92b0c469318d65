/** Templates of circuits/risk/linear-row.circom, against their twins and at every bound. Losses: losses.test.ts. */
import { expect } from 'chai';
import fc from 'fast-check';
import { UNDERLYINGS } from '#protocol/instrument.ts';
import { STANDARD_SHAPE, TINY_SHAPE } from '#protocol/limits.ts';
import { layoutBits, pack } from '#protocol/pack.ts';
import { DEFAULT_REGISTRY } from '#protocol/risk/default-registry.ts';
import { quarterMoveNearest } from '#protocol/risk/linear-price.ts';
import { RISK_SMALL, RISK_TINY } from '#protocol/risk/registry.ts';
import {
  INSTRUMENT_LIMITS_LAYOUT,
  INSTRUMENT_PRICE_LAYOUT,
  RISK_HEADER_WORDS,
  riskStatements,
  UNDERLYING_LAYOUT,
  WORDS_PER_BLOCK,
  WORDS_PER_LINEAR_PLACE,
} from '#protocol/risk/risk-words.ts';
import { META_LAYOUT, rowHash } from '#protocol/risk/table.ts';
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
  const row = template(FILE, 'LinearRow(2)');
  const ETH = 3_312_345_678n;
  const FIRST_PLACE = RISK_HEADER_WORDS + UNDERLYINGS.length;
  const FIRST_BLOCK = FIRST_PLACE + WORDS_PER_LINEAR_PLACE * RISK_SMALL.linear;
  type Choices = Omit<NonNullable<Parameters<typeof roundOf>[1]>, 'segments'>;
  const round = (choices: Choices, btc = 97_123_456_789n, segment = RISK_TINY) => {
    const shape = segment === RISK_TINY ? TINY_SHAPE : STANDARD_SHAPE;
    const inputs = roundOf({ btc, eth: ETH }, { ...choices, segments: [segment] });
    const { table, segments } = riskStatements(inputs, shape, [1n]);
    return { table, shape, words: segments[0].words };
  };
  type Statement = ReturnType<typeof round>;
  /** @param at the first of the instrument's two words. */
  function inputOf({ words }: Statement, at = FIRST_PLACE) {
    const underlyings = words.slice(RISK_HEADER_WORDS, FIRST_PLACE);
    return {
      priceWord: words[at],
      limitsWord: words[at + 1],
      indexMicros: underlyings.map((word) => word & last(44)),
      quarterMoves: underlyings.map((word) => quarterMoveNearest(word >> 44n)),
    };
  }
  async function check(statement: Statement, at: number, kind: 'spot' | 'perp' | 'future'): Promise<void> {
    const { table, shape } = statement;
    const input = inputOf(statement, at);
    const risk = table.rows.find(({ instrumentId }) => BigInt(instrumentId) === (input.priceWord & last(20)));
    if (risk === undefined) throw new Error(`word ${at} names an instrument of the table`);
    expect([risk.isSpot, risk.expirySec > 0n]).to.deep.equal([kind === 'spot', kind === 'future']);
    const { underlying } = risk;
    await (await row()).equals(input, {
      rowHash: rowHash(risk, shape),
      isListed: 1,
      mark: risk.mark,
      underlying,
      isUnderlying: [underlying === 0, underlying === 1],
      rowMove: input.quarterMoves[underlying],
      indexLotE8:
        input.indexMicros[underlying] * ((input.priceWord >> BigInt(layoutBits(META_LAYOUT))) & last(27)),
      expirySec: risk.expirySec,
    });
  }
  const percents = fc.bigInt(-10_000n, 10_000n);
  const funding = fc.bigInt(-(1n << 49n), 1n << 49n);
  const bitcoin = fc.bigInt(1_000_000_000n, 400_000_000_000n);

  it("is its twin's for spot and perpetuals", async () => {
    await fc.assert(
      fc.asyncProperty(
        bitcoin,
        fc.bigInt(1n, 500_000n),
        percents,
        funding,
        fc.boolean(),
        async (btc, range, premiumPpm, fundingMicros, isReduceOnly) => {
          const statement = round(
            {
              registry: DEFAULT_REGISTRY.map((entry) => ({ ...entry, isReduceOnly })),
              scanRangePpm: [range, 500_001n - range],
              scanFactorE9: [1_000_000_000n + 2_000n * range, 2_000_000_000n - range],
              premiumPpm: [premiumPpm, -premiumPpm],
              fundingMicrosPerCoin: [fundingMicros, -fundingMicros],
            },
            btc,
          );
          for (let i = 0; i < 4; i++)
            await check(statement, FIRST_PLACE + WORDS_PER_LINEAR_PLACE * i, i < 2 ? 'spot' : 'perp');
        },
      ),
      { numRuns: 8 },
    );
  });

  it("is its twin's for dated futures", async () => {
    const days = fc.bigInt(1n, 400n);
    await fc.assert(
      fc.asyncProperty(bitcoin, days, percents, fc.boolean(), async (btc, day, basis, isReduceOnly) => {
        const block = { expirySec: inDays(day), strikes: [], isReduceOnly };
        const registry = registryOf(
          [RISK_SMALL],
          [
            { ...block, underlying: 0 },
            { ...block, underlying: 1 },
          ],
        );
        const statement = round({ registry, basisPpb: [1_000n * basis, 7n - basis] }, btc, RISK_SMALL);
        const perBlock = WORDS_PER_BLOCK + RISK_SMALL.strikesPerBlock;
        for (let b = 0; b < RISK_SMALL.blocks; b++)
          await check(statement, FIRST_BLOCK + perBlock * b, 'future');
      }),
      { numRuns: 6 },
    );
  });

  const field = (layout: typeof INSTRUMENT_PRICE_LAYOUT, name: string, value: bigint): bigint => {
    const at = layout.findIndex((entry) => entry.name === name);
    return value << BigInt(layoutBits(layout.slice(0, at)));
  };

  it('has a mark of 1 to 2^40 − 1, an underlying that exists, and words without a bit too many', async () => {
    const entry = { ...DEFAULT_REGISTRY[2], lotE8: 100_000_000n, openInterestCap: 1n as Lots };
    const top = round({ registry: [entry], scanRangePpm: [500_000n, 1n] }, last(40));
    await check(top, FIRST_PLACE, 'perp');
    const input = inputOf(top);
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
    await (await row()).refuses(
      { ...input, priceWord: input.priceWord + (1n << BigInt(layoutBits(INSTRUMENT_PRICE_LAYOUT))) },
      WORD,
    );
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
    const input = { priceWord: 0, limitsWord: 0, indexMicros: [5, 6], quarterMoves: [7, 8] };
    await (await row()).equals(input, {
      rowHash: 0,
      isListed: 0,
      mark: 0,
      underlying: 0,
      isUnderlying: [1, 0],
      rowMove: 7,
      indexLotE8: 0,
      expirySec: 0,
    });
    expect(rowHash(round({}).table.rows[0], TINY_SHAPE)).to.not.equal(0n);
  });
});
