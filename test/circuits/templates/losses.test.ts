/** Losses of pairs in circuits/risk/losses.circom and what ScenarioValue makes of them, against their twins. */
import { expect } from 'chai';
import fc from 'fast-check';
import { FIELD_MODULUS } from '#protocol/crypto/field.ts';
import { STANDARD_SHAPE, TINY_SHAPE } from '#protocol/limits.ts';
import { MOVE_PAIRS } from '#protocol/risk/option/moves.ts';
import {
  columnLosses,
  LOSSES_PER_ELEMENT,
  lossElementCount,
  lossElements,
  lossesHash,
  PAIR_LOSS_BITS,
  pairsOf,
} from '#protocol/risk/table.ts';
import type { MicrosPerLot } from '#protocol/units.ts';
import { list } from '#test/support/circuits/arbitrary-account.ts';
import { fieldElement, HALF, template } from '#test/support/circuits/template.ts';

const BIAS = 1n << BigInt(PAIR_LOSS_BITS);
const [LEAST, MOST] = [-BIAS, BIAS - 1n];
const perLot = (values: readonly bigint[]) => values as MicrosPerLot[];
const loss = fc.oneof(
  { weight: 3, arbitrary: fc.bigInt(LEAST, MOST) },
  { weight: 1, arbitrary: fc.constantFrom(LEAST, MOST, 0n, -1n) },
);
const WORD = 'Unpack: bits.in <== packed;';
const FEW = { numRuns: 12 } as const;

for (const [name, shape] of [
  ['the tiny shape', TINY_SHAPE],
  ['the standard shape', STANDARD_SHAPE],
] as const) {
  const pairs = pairsOf(shape);
  const count = lossElementCount(shape);
  /** Losses in an element: seven, and the rest in the last. */
  const lossesIn = (element: number): number =>
    Math.min(LOSSES_PER_ELEMENT, pairs.length - LOSSES_PER_ELEMENT * element);

  describe(`losses of pairs, ${name}`, () => {
    // One compilation: what packs and what unpacks.
    const losses = template(
      'circuits/risk/losses.circom',
      `PackAndUnpack(${shape.scenarios})`,
      [],
      `template PackAndUnpack(SCENARIOS) {
    signal input losses[MOVE_PAIRS()];
    signal input elements[lossElementCount(SCENARIOS)];
    signal output packedHash <== LossesHash(SCENARIOS)(losses);
    signal output unpacked[usedPairs(SCENARIOS)];
    signal output hash;
    component unpack = UnpackLosses(SCENARIOS);
    unpack.elements <== elements;
    unpacked <== unpack.losses;
    hash <== unpack.hash;
}
`,
    );
    const allOf = (value: bigint) => MOVE_PAIRS.map(() => value);
    const usedOf = (all: readonly bigint[]) => perLot(pairs.map((pair) => all[pair]));
    const check = async (all: readonly bigint[]): Promise<void> => {
      const used = usedOf(all);
      const hash = lossesHash(used);
      const input = { losses: all, elements: lossElements(used) };
      await (await losses()).equals(input, { packedHash: hash, unpacked: used, hash });
    };

    it('are packed, unpacked and hashed as their twins do it', async () => {
      await fc.assert(fc.asyncProperty(list(loss, MOVE_PAIRS.length), check), FEW);
      await check(allOf(LEAST));
      await check(allOf(MOST));
      await check(MOVE_PAIRS.map((_, pair) => (pair % 2 === 0 ? LEAST : MOST)));
    });

    it('fill their elements: the first value beyond is none', async () => {
      const [zero, full] = [allOf(LEAST), allOf(MOST)].map((all) => lossElements(usedOf(all)));
      for (let at = 0; at < count; at++) {
        const room = 1n << BigInt((PAIR_LOSS_BITS + 1) * lossesIn(at));
        expect([zero[at], full[at]]).to.deep.equal([0n, room - 1n]);
        for (const element of [room, -1n, HALF, FIELD_MODULUS - 2n]) {
          const elements = zero.map((other, e) => (e === at ? element : other));
          await (await losses()).refuses({ losses: allOf(0n), elements }, WORD, `${at}: ${element}`);
        }
      }
    });

    it('are hashed where a column uses them, and every one of those counts', async () => {
      const at = async (all: readonly bigint[]) =>
        (await (await losses()).outputs({ losses: all, elements: Array(count).fill(0) })).packedHash;
      const hash = await at(allOf(5n));
      for (const pair of MOVE_PAIRS.keys()) {
        const other = await at(MOVE_PAIRS.map((_, p) => (p === pair ? 6n : 5n)));
        expect(other !== hash, `pair ${pair}`).to.equal(pairs.includes(pair));
      }
    });

    it('need the bound that the rows of options keep: beyond it two lists are one', async () => {
      const [first, second] = pairs;
      const put = (values: Record<number, bigint>) => MOVE_PAIRS.map((_, pair) => values[pair] ?? 0n);
      const elements = Array(count).fill(0);
      const beyond = await (await losses()).outputs({ losses: put({ [first]: MOST + 1n }), elements });
      const within = await (await losses()).outputs({
        losses: put({ [first]: LEAST, [second]: 1n }),
        elements,
      });
      expect(beyond.packedHash).to.equal(within.packedHash);
    });

    if (shape === TINY_SHAPE)
      it('leave the prover no choice', async () => {
        const all = MOVE_PAIRS.map((_, pair) => BigInt(pair) - 9n);
        await (await losses()).leavesNoChoice({ losses: all, elements: lossElements(usedOf(all)) });
      });
  });

  describe(`scenario value, ${name}`, () => {
    const value = template('circuits/row/instrument.circom', `ScenarioValue(${shape.scenarios})`);
    const LOSSES = 'ScenarioValue: lossesHash === hasLosses * losses.hash;';
    interface Row {
      readonly underlying: number;
      readonly linearLoss: bigint;
      /** None for anything linear. */
      readonly pairLosses: readonly bigint[];
    }
    const inputOf = ({ underlying, linearLoss, pairLosses }: Row, gamma: readonly bigint[]) => ({
      underlying,
      linearLoss,
      lossesHash: lossesHash(perLot(pairLosses)),
      hasLosses: pairLosses.length > 0,
      lossElements: pairLosses.length > 0 ? lossElements(perLot(pairLosses)) : Array<bigint>(count).fill(0n),
      gamma,
    });
    const columnsOf = ({ underlying, linearLoss, pairLosses }: Row): bigint[] =>
      columnLosses(linearLoss as MicrosPerLot, perLot(pairLosses), underlying, shape);
    const twinOf = (row: Row, gamma: readonly bigint[]) => ({
      scenarioValue: columnsOf(row).reduce((sum, lost, s) => sum + lost * gamma[s], 0n),
    });
    const pairLosses = list(loss, pairs.length);
    const rows: fc.Arbitrary<Row> = fc.record({
      underlying: fc.nat(1),
      linearLoss: fc.oneof(fc.constant(0n), fc.bigInt(-(1n << 41n), 1n << 41n)),
      pairLosses: fc.oneof(fc.constant([]), pairLosses, pairLosses),
    });
    const gammas = list(fieldElement, shape.scenarios);
    const OPTION: Row = {
      underlying: 1,
      linearLoss: 7n,
      pairLosses: pairs.map((pair) => 1_000n * BigInt(pair) - 9_999n),
    };
    const LINEAR: Row = { underlying: 0, linearLoss: -123n, pairLosses: [] };
    const GAMMA = Array.from({ length: shape.scenarios }, (_, s) => BigInt(s + 2) ** 50n);

    it("is the weighted sum of its twin's columns", async () => {
      await fc.assert(
        fc.asyncProperty(rows, gammas, async (row, gamma) =>
          (await value()).equals(inputOf(row, gamma), twinOf(row, gamma)),
        ),
        { numRuns: 20 },
      );
    });

    it('wires every column of both underlyings to its pair and its quarters', async () => {
      const distinct = pairs.map((_, i) => 1_000n ** BigInt(i % 3) * BigInt(i + 1));
      for (const underlying of [0, 1]) {
        const row = { underlying, linearLoss: 1_000_000_007n, pairLosses: distinct };
        const columns = columnsOf(row);
        for (const s of columns.keys()) {
          const gamma = columns.map((_, other) => (other === s ? 1n : 0n));
          await (await value()).equals(inputOf(row, gamma), { scenarioValue: columns[s] });
        }
      }
    });

    it('counts no losses of a row without them, whatever is named', async () => {
      const input = { ...inputOf(LINEAR, GAMMA), lossElements: lossElements(perLot(OPTION.pairLosses)) };
      await (await value()).equals(input, twinOf(LINEAR, GAMMA));
    });

    it('takes no lie about having losses', async () => {
      await (await value()).refuses({ ...inputOf(OPTION, GAMMA), hasLosses: 0 }, LOSSES);
      const elements = [lossElements(perLot(OPTION.pairLosses)), Array<bigint>(count).fill(0n)];
      for (const lossElements of elements)
        await (await value()).refuses({ ...inputOf(LINEAR, GAMMA), hasLosses: 1, lossElements }, LOSSES);
      for (const row of [OPTION, LINEAR])
        for (const hasLosses of [2n, -1n, HALF])
          await (await value()).refuses(
            { ...inputOf(row, GAMMA), hasLosses },
            'ScenarioValue: RequireBit()(hasLosses);',
          );
    });

    it('takes no other losses than those behind the hash', async () => {
      const honest = inputOf(OPTION, GAMMA);
      for (const i of pairs.keys()) {
        const step = 1n << BigInt((PAIR_LOSS_BITS + 1) * (i % LOSSES_PER_ELEMENT));
        for (const by of [step, -step]) {
          const lossElements = honest.lossElements.map((element, e) =>
            e === Math.floor(i / LOSSES_PER_ELEMENT) ? element + by : element,
          );
          await (await value()).refuses({ ...honest, lossElements }, LOSSES, `loss ${i}`);
        }
      }
      for (let at = 0; at < count; at++) {
        const room = 1n << BigInt((PAIR_LOSS_BITS + 1) * lossesIn(at));
        const lossElements = honest.lossElements.map((element, e) => (e === at ? element + room : element));
        await (await value()).refuses({ ...honest, lossElements }, WORD, `element ${at}`);
      }
      await (await value()).refuses({ ...honest, lossesHash: honest.lossesHash + 1n }, LOSSES);
      await (await value()).refuses({ ...honest, lossesHash: 0n }, LOSSES);
    });

    if (shape === TINY_SHAPE)
      it('leaves the prover no choice', async () => {
        for (const row of [OPTION, LINEAR]) await (await value()).leavesNoChoice(inputOf(row, GAMMA));
      });
  });
}
