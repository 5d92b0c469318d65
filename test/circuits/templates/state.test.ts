/** The templates of circuits/state one by one, against their twins and at every bound. */
import { expect } from 'chai';
import fc from 'fast-check';
import { type Account, emptyAccount } from '#protocol/account.ts';
import { MerkleTree } from '#protocol/crypto/merkle-tree.ts';
import { poseidonChain } from '#protocol/crypto/poseidon.ts';
import { leafElements, leafHash, packedRecords, packSlot } from '#protocol/leaf.ts';
import { STANDARD_SHAPE, TINY_SHAPE } from '#protocol/limits.ts';
import { marketsHash } from '#protocol/state.ts';
import type { Lots, Micros } from '#protocol/units.ts';
import { childrenOnPath } from '#prover/witness/paths.ts';
import { anyAccount, ID_MAX, list, SIZE_MAX } from '#test/support/circuits/arbitrary-account.ts';
import { busSum, CHALLENGES } from '#test/support/circuits/bus.ts';
import { fieldElement, HALF, template } from '#test/support/circuits/template.ts';

describe('account leaf', () => {
  for (const [name, shape] of [
    ['tiny', TINY_SHAPE],
    ['standard', STANDARD_SHAPE],
  ] as const) {
    const leaf = template(
      'circuits/state/account-leaf.circom',
      `AccountLeaf(${shape.derivativeSlots}, ${shape.recordSlots})`,
    );
    const inputOf = (account: Account) => ({
      publicKey: account.publicKey,
      usedMap: account.usedMap,
      epoch: account.epoch,
      cashStarMicros: account.cashStar,
      baseWord: account.baseWord,
      records: packedRecords(account, shape),
      slots: account.slots.map(packSlot),
      spotLots: account.spot,
    });
    const check = async (account: Account): Promise<void> =>
      (await leaf()).equals(inputOf(account), {
        elements: leafElements(account, shape),
        hash: leafHash(account, shape),
      });

    it(`of the ${name} shape is its twin's`, async () => {
      await fc.assert(fc.asyncProperty(anyAccount(shape), check), { numRuns: 10 });
      await check(emptyAccount(shape));
      // Every field at its last value: none runs into its neighbour.
      const full: Account = {
        publicKey: [1n, 2n],
        epoch: (1n << 32n) - 1n,
        baseWord: (1n << 35n) - 1n,
        usedMap: (1n << 192n) - 1n,
        cashStar: ((1n << 99n) - 1n) as Micros,
        records: Array.from({ length: shape.recordSlots }, () => ({
          nonce: 32n * ((1n << 35n) - 1n) + 255n,
          filled: SIZE_MAX as Lots,
        })),
        slots: Array.from({ length: shape.derivativeSlots }, () => ({
          instrumentId: ID_MAX,
          size: -SIZE_MAX as Lots,
        })),
        spot: [SIZE_MAX, SIZE_MAX, SIZE_MAX] as Lots[],
      };
      await check(full);
      if (shape === TINY_SHAPE) await (await leaf()).leavesNoChoice(inputOf(full));
    });
  }
});

describe('Merkle path', () => {
  const child = template('circuits/state/merkle-path.circom', 'RequireChild()');
  const update = template('circuits/state/merkle-path.circom', 'MerkleUpdate(2)');

  it('names one child of four', async () => {
    const children = [11, 22, 33, 44];
    for (let place = 0; place < 4; place++)
      for (const node of [...children, 0, 55]) {
        const input = { node, children, low: place & 1, high: place >> 1 };
        if (node === children[place]) await (await child()).accepts(input);
        else
          await (await child()).refuses(
            input,
            'RequireChild: high * (highPair - lowPair) === node - lowPair;',
          );
      }
  });

  const twin = (leaves: readonly bigint[], index: number, newLeaf: bigint) => {
    const tree = leaves.reduce((sofar, leaf, i) => sofar.set(i, leaf), MerkleTree.empty(2));
    const { siblings } = tree.prove(index);
    return {
      input: {
        index,
        oldLeaf: leaves[index],
        newLeaf,
        children: childrenOnPath(leaves[index], index, siblings),
      },
      outputs: { oldRoot: tree.root, newRoot: tree.set(index, newLeaf).root },
    };
  };

  it('leads to the roots of its twin, before and after', async () => {
    await fc.assert(
      fc.asyncProperty(list(fieldElement, 16), fc.nat(15), fieldElement, async (leaves, index, newLeaf) => {
        const { input, outputs } = twin(leaves, index, newLeaf);
        await (await update()).equals(input, outputs);
        // Another leaf, another place, another child on the path: no path. Siblings are bound by the root.
        const LINE =
          'MerkleUpdate: RequireChild()(oldNodes[level], children[level], places.out[2 * level], places.out[2 * level + 1]);';
        await (await update()).refuses({ ...input, oldLeaf: input.oldLeaf + 1n }, LINE);
        const children = structuredClone(input.children);
        children[1][index >> 2] += 1n;
        await (await update()).refuses({ ...input, children }, LINE);
        const siblings = structuredClone(input.children);
        siblings[1][((index >> 2) + 1) % 4] += 1n;
        const { oldRoot } = await (await update()).outputs({ ...input, children: siblings });
        expect(oldRoot).to.not.equal(outputs.oldRoot);
      }),
      { numRuns: 10 },
    );
  });

  it('begins inside the tree', async () => {
    const leaves = Array.from({ length: 16 }, (_, i) => BigInt(i + 1));
    const last = twin(leaves, 15, 99n);
    await (await update()).equals(last.input, last.outputs);
    for (const index of [16n, -1n, 15n + HALF])
      await (await update()).refuses({ ...last.input, index }, 'MerkleUpdate: places.in <== index;');
    await (await update()).leavesNoChoice(last.input);
  });
});

describe('market list', () => {
  const markets = template('circuits/state/markets.circom', 'MarketList(4)');
  const rows = list(
    fc.record({
      hash: fieldElement,
      old: fc.bigInt(0n, SIZE_MAX),
      next: fc.bigInt(0n, SIZE_MAX),
      hasRow: fc.boolean(),
    }),
    4,
  );

  it('hashes as its twin and offers each named market once', async () => {
    const check = async (drawn: typeof rows extends fc.Arbitrary<infer T> ? T : never): Promise<void> => {
      const slots = drawn.map((slot) => ({ ...slot, next: slot.hasRow ? slot.next : slot.old }));
      const input = {
        rowHashes: slots.map(({ hash }) => hash),
        oldInterestLots: slots.map(({ old }) => old),
        newInterestLots: slots.map(({ next }) => next),
        hasRow: slots.map(({ hasRow }) => hasRow),
        ...CHALLENGES,
      };
      await (await markets()).equals(input, {
        tableHash: poseidonChain(input.rowHashes),
        oldMarketsHash: marketsHash(input.oldInterestLots),
        newMarketsHash: marketsHash(input.newInterestLots),
        mask: slots.reduce((mask, { hasRow }, m) => mask + (hasRow ? 2 ** m : 0), 0),
        busSum: busSum(
          slots.map(({ hash, old, next, hasRow }, m) => ({
            tag: 'market',
            fields: [BigInt(m), hash, old, next],
            amount: hasRow ? 1n : 0n,
          })),
        ),
      });
      const silent = slots.findIndex(({ hasRow }) => !hasRow);
      if (silent < 0) return;
      const newInterestLots = slots.map(({ next }, m) => (m === silent ? next + 1n : next));
      await (await markets()).refuses(
        { ...input, newInterestLots },
        'MarketList: (1 - hasRow[m]) * (newInterestLots[m] - oldInterestLots[m]) === 0;',
      );
      await (await markets()).refuses(
        { ...input, hasRow: slots.map(({ hasRow }, m) => (m === silent ? 2 : hasRow)) },
        'MarketList: RequireBit()(hasRow[m]);',
      );
    };
    await fc.assert(fc.asyncProperty(rows, check), { numRuns: 8 });
  });
});
