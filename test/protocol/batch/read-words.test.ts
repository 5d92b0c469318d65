import { expect } from 'chai';
import { publishedLeaf, readLiquidationRows, readPublicWords } from '#protocol/batch/read-words.ts';
import { publicWords } from '#protocol/batch/words.ts';
import { InputError } from '#protocol/errors.ts';
import { TINY_SHAPE } from '#protocol/limits.ts';
import { accountAt } from '#protocol/state.ts';
import { openBatch } from '#protocol/transition/open-batch.ts';
import { batchHeader, funded, keyOf, l1, match, ROOMY, run, USD, withdrawal } from '../../support/ledger.ts';

const sealed = run(
  openBatch(funded({ 1: 5_000n, 2: 5_000n }), batchHeader(), ROOMY),
  { kind: 'l1', operation: l1('deposit', 3, 0, 9n * USD) },
  match(1, 2, 10n, 100n),
  { kind: 'withdraw', ...withdrawal(2, 70n * USD) },
).seal();
const words = publicWords(sealed.batch);
const read = (changed: readonly bigint[]) => readPublicWords(changed, TINY_SHAPE, ROOMY);

describe('reading public words', () => {
  it('gives back header, operations, withdrawals and leaves', () => {
    const published = read(words);
    expect(published.header.newStateRoot).to.equal(sealed.batch.newStateRoot);
    expect(published.header.hasTrades).to.equal(true);
    expect(published.l1Operations).to.deep.equal(sealed.batch.content.l1Operations);
    expect(published.withdrawals).to.deep.equal([
      { accountIndex: 2, tokenId: 0, servedAmount: 70n * USD, isShort: false },
    ]);
    for (const account of published.accounts) {
      const { accountIndex } = account;
      const key = accountIndex === 3 ? ([0n, 0n] as const) : keyOf(accountIndex);
      expect(publishedLeaf(account, key, TINY_SHAPE)).to.deep.equal(accountAt(sealed.state, accountIndex));
    }
    expect(published.accounts.map(({ accountIndex }) => accountIndex)).to.deep.equal([1, 2, 3]);
  });

  it('refuses another number of words', () => {
    expect(() => read(words.slice(1))).to.throw(InputError);
    expect(() => read([...words, 0n])).to.throw(InputError);
  });

  it('refuses a flag that is no bit', () => {
    expect(() => read(words.with(14, 2n))).to.throw(InputError, 'hasTrades');
  });

  it('refuses content in an unused row', () => {
    const unusedOutcome = 15 + 4 + 3;
    expect(words[unusedOutcome]).to.equal(0n);
    expect(() => read(words.with(unusedOutcome, 1n))).to.throw(InputError, 'unused rows');
  });

  describe('of liquidations, as the L1 event tells them', () => {
    const word = (account: bigint) => account | (5n << 24n) | (1n << 44n) | (7n << 45n) | (9n << 92n);
    const pending = 3n | (4n << 80n) | (5n << 127n) | (6n << 174n);
    const row = (accountIndex: number) => ({
      accountIndex,
      instrumentId: 5,
      isShort: true,
      closedLots: 7n,
      cashMicros: 9n,
      pending: { quoteMicros: 3n, spotLots: [4n, 5n, 6n] },
    });

    it('gives every row with its pending deposits', () => {
      expect(readLiquidationRows([])).to.deep.equal([]);
      const words = [word(1n), pending, word(2n ** 24n - 1n), pending];
      expect(readLiquidationRows(words)).to.deep.equal([row(1), row(2 ** 24 - 1)]);
    });

    it('refuses half a row, a gap, and a bit above a layout', () => {
      expect(() => readLiquidationRows([word(1n)])).to.throw(InputError, 'two words a row');
      expect(() => readLiquidationRows([0n, 0n, word(1n), pending])).to.throw(InputError, 'unused rows');
      expect(() => readLiquidationRows([word(1n), pending, 0n, 1n])).to.throw(InputError, 'unused rows');
      expect(() => readLiquidationRows([word(1n) | (1n << 180n), pending])).to.throw(InputError);
      expect(() => readLiquidationRows([word(1n), 1n << 221n])).to.throw(InputError);
    });
  });
});
