import { expect } from 'chai';
import fc from 'fast-check';
import { FIELD_MODULUS } from '#protocol/crypto/field.ts';
import {
  emptySubtreeHash,
  type MerklePath,
  MerkleTree,
  rootOfPath,
  verifyMerklePath,
} from '#protocol/crypto/merkle-tree.ts';
import { poseidon } from '#protocol/crypto/poseidon.ts';

/** The root by the definition: hash every level of the full list of leaves. */
function rootOfLeaves(leaves: bigint[]): bigint {
  if (leaves.length === 1) return leaves[0];
  const parents: bigint[] = [];
  for (let start = 0; start < leaves.length; start += 4)
    parents.push(poseidon(leaves.slice(start, start + 4)));
  return rootOfLeaves(parents);
}

const depth = 3;
const changes = fc.array(
  fc.record({ index: fc.nat(63), leaf: fc.bigInt({ min: 0n, max: FIELD_MODULUS - 1n }) }),
  { minLength: 1, maxLength: 8 },
);

describe('merkle tree', () => {
  it('has the root of the full tree after any changes, in any grouping', () => {
    const property = fc.property(changes, (list) => {
      const leaves = new Array<bigint>(64).fill(0n);
      let tree = MerkleTree.empty(depth);
      for (const { index, leaf } of list) {
        leaves[index] = leaf;
        tree = tree.set(index, leaf);
      }
      expect(tree.root).to.equal(rootOfLeaves(leaves));
      for (const { index } of list) expect(tree.get(index)).to.equal(leaves[index]);
    });
    fc.assert(property, { numRuns: 10 });
  });

  it('starts as the tree of empty leaves, and returns to it', () => {
    const empty = MerkleTree.empty(depth);
    expect(empty.root).to.equal(rootOfLeaves(new Array<bigint>(64).fill(0n)));
    expect(empty.root).to.equal(emptySubtreeHash(depth));
    expect(empty.set(17, 5n).set(17, 0n).root).to.equal(empty.root);
    expect(empty.get(63)).to.equal(0n);
  });

  it('keeps old versions: a batch is discarded by forgetting its tree', () => {
    const before = MerkleTree.empty(depth).set(1, 10n).set(60, 20n);
    const root = before.root;
    const after = before.set(1, 11n).set(2, 12n);
    expect(after.root).to.not.equal(root);
    expect([before.root, before.get(1), before.get(2)]).to.deep.equal([root, 10n, 0n]);
    expect(after.set(1, 10n).set(2, 0n).root).to.equal(root);
  });

  it('proves every leaf, set or empty', () => {
    const tree = MerkleTree.empty(depth).set(0, 1n).set(27, 2n).set(63, 3n);
    for (const index of [0, 1, 27, 40, 63]) {
      const path = tree.prove(index);
      expect(path.siblings.length).to.equal(depth);
      expect(path.leaf).to.equal(tree.get(index));
      expect(verifyMerklePath(tree.root, depth, path)).to.equal(true);
    }
    expect(tree.prove(27).positions).to.deep.equal([3, 2, 1]);
  });

  it('holds leaf indices beyond 32 bits', () => {
    const last = 4 ** 20 - 1;
    const tree = MerkleTree.empty(20).set(last, 7n);
    expect(tree.get(last)).to.equal(7n);
    expect(tree.get(last - 2 ** 32)).to.equal(0n);
    expect(verifyMerklePath(tree.root, 20, tree.prove(last))).to.equal(true);
  });

  it('refuses indices, leaves and depths that do not exist', () => {
    const tree = MerkleTree.empty(depth);
    for (const index of [-1, 64, 1.5, Number.NaN]) {
      expect(() => tree.get(index)).to.throw(RangeError);
      expect(() => tree.set(index, 1n)).to.throw(RangeError);
      expect(() => tree.prove(index)).to.throw(RangeError);
    }
    for (const leaf of [-1n, FIELD_MODULUS]) expect(() => tree.set(0, leaf)).to.throw(RangeError);
    for (const wrong of [0, 25, 2.5]) expect(() => MerkleTree.empty(wrong)).to.throw(RangeError);
  });
});

describe('merkle path', () => {
  const tree = MerkleTree.empty(depth).set(27, 2n).set(28, 9n);
  const honest = tree.prove(27);
  const forgeries: Record<string, Partial<MerklePath>> = {
    'another leaf': { leaf: 3n },
    'another index': { leafIndex: 26 },
    'an index outside the tree': { leafIndex: 64 },
    'positions of another leaf': { positions: [2, 2, 1] },
    'a changed sibling': { siblings: [[1n, 0n, 0n], ...honest.siblings.slice(1)] },
    'a missing level': { siblings: honest.siblings.slice(1), positions: honest.positions.slice(1) },
    'a leaf beyond the field': { leaf: 2n + FIELD_MODULUS },
    'a sibling beyond the field': {
      siblings: [[FIELD_MODULUS, 0n, 0n], ...honest.siblings.slice(1)],
    },
    'two siblings': {
      siblings: [[0n, 0n] as unknown as [bigint, bigint, bigint], ...honest.siblings.slice(1)],
    },
  };

  for (const [name, forged] of Object.entries(forgeries)) {
    it(`is not valid with ${name}`, () => {
      expect(verifyMerklePath(tree.root, depth, { ...honest, ...forged })).to.equal(false);
    });
  }

  it('is not valid under another root', () => {
    expect(verifyMerklePath(tree.set(5, 1n).root, depth, honest)).to.equal(false);
  });

  it('leads to the root after an update of its leaf: one path serves old and new', () => {
    expect(rootOfPath(5n, honest.siblings, honest.positions)).to.equal(tree.set(27, 5n).root);
    expect(() => rootOfPath(5n, honest.siblings, [4, 0, 0])).to.throw(RangeError);
  });
});
