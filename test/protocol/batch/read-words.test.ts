import { expect } from 'chai';
import { publishedLeaf, readPublicWords } from '#protocol/batch/read-words.ts';
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
});
