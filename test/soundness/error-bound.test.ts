/** The error of one draw of challenges, as docs/soundness.md §3 adds it up, for every batch size there is. */
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { FIELD_MODULUS } from '#protocol/crypto/field.ts';
import {
  type BatchCapacity,
  MEDIUM_BATCH,
  SMALL_BATCH,
  SPOT_SLOTS,
  STANDARD_SHAPE,
  type StateShape,
  TINY_BATCH,
  TINY_SHAPE,
} from '#protocol/limits.ts';
import { compileCircuit } from '#prover/setup/compile.ts';
import { readSource } from '#test/static/repository-files.ts';

const VALUES = 10;
const HEADER_WORDS = 15;

/** Entries on the bus, by the rows that make them. */
function entriesOf(capacity: BatchCapacity, shape: StateShape): number {
  const slots = shape.derivativeSlots + SPOT_SLOTS;
  const perAccount = shape.nonceWords + 2 * shape.recordSlots + 4 * slots + 7;
  return (
    capacity.accounts * perAccount +
    6 * capacity.instruments +
    capacity.signatures +
    13 * capacity.messages +
    4 * capacity.withdrawals +
    3 * capacity.l1Operations +
    5 * capacity.liquidations +
    2 * capacity.settlements +
    shape.marketSlots
  );
}

/** Words of a batch; of a leaf all elements but the key, and its index. */
function wordsOf(capacity: BatchCapacity, shape: StateShape): number {
  const furtherRecords = Math.ceil(Math.max(0, shape.recordSlots - 2) / 4);
  const leafElements = 4 + furtherRecords + Math.ceil((shape.derivativeSlots - 1) / 3) + 1;
  const events = 4 * capacity.l1Operations + capacity.withdrawals + 2 * capacity.liquidations + 1;
  return HEADER_WORDS + events + capacity.accounts * (leafElements - 1);
}

/** Chances in p that a draw misses a lie. */
function missesOf(capacity: BatchCapacity, shape: StateShape): number {
  const entries = entriesOf(capacity, shape);
  const words = wordsOf(capacity, shape) - 1;
  const freivalds = 2 * capacity.accounts + shape.scenarios + VALUES - 1;
  const withoutRow = 2 * capacity.accounts;
  const weightKeys = 2 * capacity.instruments ** 2;
  return words + freivalds + withoutRow + 4 * entries + weightKeys + 2 * entries;
}
const errorBits = (misses: number): number => Math.log2(Number(FIELD_MODULUS)) - Math.log2(misses);

describe('error of one draw of challenges', function () {
  this.timeout(600_000);

  it('counts the entries and words that the circuit has', async () => {
    const { symPath } = await compileCircuit('circuits/main/batch-tiny.circom');
    const symbols = readFileSync(symPath, 'utf8');
    const count = (name: RegExp): number => new Set(symbols.match(name)).size;
    expect(count(/[^,\n]*\.BusEntry_[^.\n]*\.quotient$/gm)).to.equal(entriesOf(TINY_BATCH, TINY_SHAPE));
    expect(count(/main\.words\.words\[\d+\]$/gm)).to.equal(wordsOf(TINY_BATCH, TINY_SHAPE));
  });

  for (const [name, capacity] of [
    ['small', SMALL_BATCH],
    ['medium', MEDIUM_BATCH],
  ] as const)
    it(`is below 2^-240 for the ${name} batch, and as the page says it`, () => {
      const misses = missesOf(capacity, STANDARD_SHAPE);
      const bits = errorBits(misses);
      expect(bits).to.be.greaterThan(240);
      const counts = [wordsOf, entriesOf].map((countOf) => countOf(capacity, STANDARD_SHAPE));
      const row = [name, ...[...counts, misses].map((count) => count.toLocaleString('en'))];
      const line = `| ${row.join(' | ')} | 2^-${bits.toFixed(1)} |`;
      expect(readSource('docs/soundness.md')).to.include(line);
    });
});
