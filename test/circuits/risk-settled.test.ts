import { expect } from 'chai';
import fc from 'fast-check';
import { pack, unpack } from '#protocol/pack.ts';
import { markPerLotNearest } from '#protocol/risk/linear-price.ts';
import { FORWARD_MICROS_MAX, STRIKE_MICROS_MAX } from '#protocol/risk/option/domain.ts';
import {
  INSTRUMENT_PRICE_LAYOUT,
  SETTLEMENT_LAYOUT,
  type SegmentStatement,
  STRIKE_LAYOUT,
  TERMS_LAYOUT,
} from '#protocol/risk/risk-words.ts';
import { type CompiledCircuit, compileCircuit } from '#prover/setup/compile.ts';
import { circuitInputOf } from '#prover/witness/risk.ts';
import { calculateWitness, refusedBy } from '#test/support/circuit-witness.ts';
import { type BlockListing, inDays } from '#test/support/option-registry.ts';
import { RISK_BLOCK_CIRCUIT, riskBlockTask } from '#test/support/risk-block.ts';
import { ROUND_TIME_SEC, type RoundChoices } from '#test/support/risk-rounds.ts';
import { restated } from '#test/support/risk-statements.ts';

/** Of the fixture: a linear place, then the block's future, terms, settlement and two strikes. */
const [LINEAR, PRICE, TERMS, SETTLEMENT, LOW] = [7, 9, 11, 12, 13];
const WRONG_TABLE = 'RiskTable: words[3] === segment.endHash;';
const UNUSED_PRICE = 'ExpiryBlock: (1 - isSettled) * settlement.fields[0] === 0;';
const TWO_STATES = 'ExpiryBlock: future.isSettled === isSettled;';
const [STRIKE_LOW, STRIKE_HIGH] = [90_000_000n, 110_000_000n];

describe('risk circuit: settled blocks', () => {
  let circuit: CompiledCircuit;
  before(async function () {
    this.timeout(300_000);
    circuit = await compileCircuit(RISK_BLOCK_CIRCUIT);
  });

  const block = (change: Partial<BlockListing> = {}): BlockListing => ({
    underlying: 0,
    expirySec: ROUND_TIME_SEC - 60n,
    strikes: [STRIKE_LOW, STRIKE_HIGH],
    ...change,
  });
  const settledTask = (
    settlementMicros: bigint,
    change: Partial<BlockListing> = {},
    choices: RoundChoices = {},
  ) => riskBlockTask(block(change), { settlementMicros: [settlementMicros], volPpm: () => 0n, ...choices });
  /** The circuit computes the hash that the twin names, so every value of every row is the twin's. */
  const expectProvable = async (task: ReturnType<typeof riskBlockTask>) => {
    const witness = await calculateWitness(circuit.wasmPath, task.input);
    expect(witness[1]).to.equal(task.publicInputs.commitment);
    return task;
  };
  const expectRefused = async (
    changed: Pick<SegmentStatement, 'words' | 'publicInputs'>,
    constraint: string,
    what = '',
  ) => expect(await refusedBy(circuit.wasmPath, circuitInputOf(changed)), what).to.equal(constraint);

  it('compute the rows of their twin at any settlement price, strike, lot and underlying', async function () {
    this.timeout(300_000);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(1),
        fc.bigInt(1_000_000n, 400_000_000_000n),
        fc.uniqueArray(fc.bigInt(1n, 300_000_000n), { maxLength: 2 }),
        fc.bigInt(1_000n, 1_000_000n),
        fc.boolean(),
        async (underlying, settlementMicros, strikes, lotE8, isReduceOnly) => {
          const value = markPerLotNearest(settlementMicros, lotE8, 0n);
          fc.pre(value >= 1n && value <= FORWARD_MICROS_MAX);
          const ascending = [...strikes].sort((a, b) => (a < b ? -1 : 1));
          await expectProvable(
            settledTask(settlementMicros, { underlying, strikes: ascending, lotE8, isReduceOnly }),
          );
        },
      ),
      { numRuns: 12, seed: 20_261_121 },
    );
  });

  it('compute them at the strike itself, one micro beside it, and at both ends', async function () {
    this.timeout(300_000);
    // A lot of a thousandth of a coin: the strike is settled at exactly.
    for (const coin of [STRIKE_LOW * 1_000n, STRIKE_LOW * 1_000n - 1_000n, STRIKE_LOW * 1_000n + 1_000n])
      await expectProvable(settledTask(coin));
    // A half of a micro is rounded up.
    for (const coin of [STRIKE_LOW * 1_000n - 500n, STRIKE_LOW * 1_000n - 501n])
      await expectProvable(settledTask(coin));
    const widest = { strikes: [1n, STRIKE_MICROS_MAX] };
    for (const value of [1n, FORWARD_MICROS_MAX]) await expectProvable(settledTask(value * 1_000n, widest));
  });

  it('are sound whatever the volatilities said last, and pay nothing in any scenario', async () => {
    const live = riskBlockTask(block({ expirySec: inDays(1n) }), {
      volPpm: (callId) => (callId === 1_000 ? 100_000n : 6_000_000n),
    });
    expect(live.isSurfaceSound).to.equal(false);
    const settled = await expectProvable(
      settledTask(97_000_000_000n, {}, { volPpm: (callId) => (callId === 1_000 ? 100_000n : 6_000_000n) }),
    );
    expect(settled.isSurfaceSound).to.equal(true);
    await expectRefused(
      restated(settled, (words) => (words[4] = 1n)),
      'RiskTable: flags.fields[1] === isSurfaceSound;',
    );
  });

  it('refuse another settlement price, none, and one of a block that is not settled', async () => {
    const settled = settledTask(97_000_123_000n);
    const price = (task: Pick<SegmentStatement, 'words'>, change: (old: bigint) => bigint) =>
      restated(task, (words) => {
        const { settlementMicros } = unpack(SETTLEMENT_LAYOUT, words[SETTLEMENT]);
        words[SETTLEMENT] = pack(SETTLEMENT_LAYOUT, { settlementMicros: change(settlementMicros) });
      });
    // A thousandth of a coin a lot: a thousand micros are one.
    for (const change of [1_000n, -1_000n])
      await expectRefused(
        price(settled, (old) => old + change),
        WRONG_TABLE,
      );
    await expectRefused(
      price(settled, () => 0n),
      WRONG_TABLE,
    );
    const live = riskBlockTask(block());
    await expectProvable(live);
    await expectRefused(
      price(live, () => 1n),
      UNUSED_PRICE,
    );
    await expectRefused(
      restated(settled, (words) => (words[SETTLEMENT] = 1n << 44n)),
      'Num2Bits: lc1 === in;',
    );
  });

  it('refuse the bit of a settled block in one of its words only, or in none', async () => {
    const [inPrice, inTerms] = [1n << 30n, 1n << 235n];
    const settled = settledTask(97_000_123_000n);
    const live = riskBlockTask(block());
    expect(settled.words[PRICE] & inPrice).to.equal(inPrice);
    expect(settled.words[TERMS] & inTerms).to.equal(inTerms);
    expect(settled.words[TERMS] ^ inTerms).to.equal(live.words[TERMS]);
    for (const task of [settled, live]) {
      await expectRefused(
        restated(task, (words) => (words[PRICE] ^= inPrice | (task === live ? 1n << 29n : 0n))),
        TWO_STATES,
      );
      await expectRefused(
        restated(task, (words) => (words[TERMS] ^= inTerms)),
        TWO_STATES,
      );
    }
    // Both bits: another table. A live block called settled would lose its margin; a settled one would be tradable again.
    await expectRefused(
      restated(live, (words) => {
        words[PRICE] |= inPrice | (1n << 29n);
        words[TERMS] |= inTerms;
        words[SETTLEMENT] = 97_000_123_000n;
      }),
      WRONG_TABLE,
    );
    await expectRefused(
      restated(settled, (words) => {
        words[PRICE] ^= inPrice;
        words[TERMS] ^= inTerms;
        words[SETTLEMENT] = 0n;
        words[LOW] |= 600_000n << 56n;
      }),
      WRONG_TABLE,
    );
  });

  it('are reduce-only, each of their rows', async () => {
    const settled = settledTask(97_000_123_000n);
    await expectRefused(
      restated(settled, (words) => (words[PRICE] ^= 1n << 29n)),
      'LinearRow: isSettled * (1 - isReduceOnly) === 0;',
    );
    // An option's own word may say either: its row says so in any case.
    const { isReduceOnly } = unpack(STRIKE_LAYOUT, settled.words[LOW]);
    expect(isReduceOnly).to.equal(0n);
    await expectProvable(settledTask(97_000_123_000n, { isReduceOnly: true }));
    const changed = restated(settled, (words) => (words[LOW] ^= 1n << 20n));
    expect(await refusedBy(circuit.wasmPath, circuitInputOf(changed))).to.equal(undefined);
  });

  it('refuse a token or perpetual that is called settled', async () => {
    const live = riskBlockTask(block({ expirySec: inDays(1n) }));
    const { isSettled } = unpack(INSTRUMENT_PRICE_LAYOUT, live.words[LINEAR]);
    expect(isSettled).to.equal(0n);
    await expectRefused(
      restated(live, (words) => (words[LINEAR] |= 3n << 29n)),
      'LinearRow: isSettled === 0;',
    );
    expect(TERMS_LAYOUT.at(-1)?.name).to.equal('isSettled');
  });
});
