import { expect } from 'chai';
import fc from 'fast-check';
import { emptyAccount } from '#protocol/account.ts';
import { leafHash } from '#protocol/leaf.ts';
import { TINY_SHAPE } from '#protocol/limits.ts';
import { PersistentArray } from '#protocol/persistent-array.ts';
import {
  accountAt,
  decodeSnapshot,
  encodeSnapshot,
  genesisState,
  isUserIndex,
  stateRoot,
  withAccount,
} from '#protocol/state.ts';
import type { Micros } from '#protocol/units.ts';
import { funded, match, settle } from '../support/ledger.ts';

describe('ledger state', () => {
  it('starts with empty accounts in every leaf', () => {
    const state = genesisState(TINY_SHAPE);
    expect(state.tree.get(17)).to.equal(leafHash(emptyAccount(TINY_SHAPE), TINY_SHAPE));
    expect(stateRoot(withAccount(state, 17, emptyAccount(TINY_SHAPE)))).to.equal(stateRoot(state));
  });

  it('keeps the old version when an account changes: a batch is discarded by forgetting it', () => {
    const state = genesisState(TINY_SHAPE);
    const root = stateRoot(state);
    const next = withAccount(state, 5, { ...accountAt(state, 5), cashStar: 9n as Micros });
    expect(stateRoot(next)).to.not.equal(root);
    expect([stateRoot(state), accountAt(state, 5).cashStar]).to.deep.equal([root, 0n]);
  });

  it('survives a snapshot through JSON', () => {
    const state = settle(funded({ 1: 1000n, 2: 1000n }, { 2: 7n }), [match(1, 2, 10n, 100n)]);
    const again = decodeSnapshot(JSON.parse(JSON.stringify(encodeSnapshot(state))));
    expect(stateRoot(again)).to.equal(stateRoot(state));
    expect([...again.accounts.entries()]).to.deep.equal([...state.accounts.entries()]);
    expect(again.openInterest).to.deep.equal(state.openInterest);
  });

  it('refuses a snapshot whose content is not what its root says', () => {
    const snapshot = encodeSnapshot(funded({ 1: 1000n }));
    const [account] = snapshot.accounts;
    const richer = {
      ...account,
      elements: account.elements.map((e, i) => (i === 3 ? `0x${(BigInt(e) + 1n).toString(16)}` : e)),
    };
    expect(() => decodeSnapshot({ ...snapshot, accounts: [richer] })).to.throw('stateRoot');
    expect(() => decodeSnapshot({ ...snapshot, openInterest: [] })).to.throw('openInterest');
    const market = ['0x1', ...snapshot.openInterest.slice(1)];
    expect(() => decodeSnapshot({ ...snapshot, openInterest: market })).to.throw('stateRoot');
  });

  it('keeps index 0 and indices outside the tree from users', () => {
    const allowed = [0, 1, 63, 64, -1, 1.5].filter((index) => isUserIndex(TINY_SHAPE, index));
    expect(allowed).to.deep.equal([1, 63]);
  });
});

describe('a persistent array', () => {
  it('behaves as a sparse array of which every version stays', () => {
    const index = fc.oneof(fc.nat(40), fc.nat(2 ** 25 - 1));
    const property = fc.property(fc.array(fc.tuple(index, fc.integer()), { maxLength: 60 }), (writes) => {
      const model = new Map<number, { value: number }>();
      let array = PersistentArray.empty<{ value: number }>();
      const versions: [typeof array, [number, { value: number }][]][] = [];
      for (const [place, value] of writes) {
        array = array.set(place, { value });
        model.set(place, { value });
        versions.push([array, [...model].sort(([a], [b]) => a - b)]);
      }
      for (const [version, entries] of versions) {
        expect([...version.entries()]).to.deep.equal(entries);
        expect(version.count).to.equal(entries.length);
      }
    });
    fc.assert(property, { numRuns: 40 });
  });

  it('refuses places it does not have', () => {
    for (const place of [-1, 0.5, 2 ** 25]) {
      expect(() => PersistentArray.empty<object>().set(place, {})).to.throw(RangeError);
      expect(PersistentArray.empty<object>().get(3)).to.equal(undefined);
    }
  });
});
