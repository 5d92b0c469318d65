import { expect } from 'chai';
import { sizeOf } from '#protocol/account.ts';
import { SMALL_BATCH, TINY_BATCH } from '#protocol/limits.ts';
import { nonceState } from '#protocol/transition/nonces.ts';
import { type ConfigChange, hashOf, rejectionOf, World } from '../../support/engine.ts';
import { l1, marked, PERP, sign, USD, withdrawMessage } from '../../support/ledger.ts';

const cancel = (nonce: bigint) => ({ kind: 'cancel', nonce, floorBackWords: 1 }) as const;
const cancelOf = (accountIndex: number, nonce: bigint) => sign(accountIndex, [cancel(nonce)]);

const numbersOf = (world: World) =>
  world.engine.read((state) => ({
    waiting: state.waitingCancels.count,
    unproved: state.unprovedBatches.length,
    next: state.nextBatchNumber,
  }));
const waitingOf = (world: World, accountIndex: number) =>
  world.engine.read((state) => state.waitingCancels.countOf(accountIndex));

const FLOODER = 3;
const BUYER = 5;

describe('waiting cancels', () => {
  /** A long account and a bid that would close it; then the flood. */
  async function flooded(cancels: number, change: ConfigChange = {}): Promise<World> {
    const world = await World.open({ capacity: SMALL_BATCH, ...change });
    await world.fund({ 1: 230n, 2: 10_000n, [FLOODER]: 10_000n, 4: 10_000n, [BUYER]: 10_000n });
    hashOf(await world.order(2, 'sell', 10n, 100n));
    hashOf(await world.order(1, 'buy', 10n, 100n));
    hashOf(await world.order(4, 'buy', 10n, 92n));
    await world.settle();
    for (let i = 0; i < cancels; i++) hashOf(await world.submit(cancelOf(FLOODER, BigInt(i))));
    return world;
  }

  it('of one account stop no liquidation', async () => {
    const world = await flooded(100);
    const before = await numbersOf(world);
    expect(before.waiting).to.be.above(90);
    await world.round(marked(92n));
    expect(await world.engine.read((state) => sizeOf(state.account(1), PERP))).to.equal(7n);
    // The batch that was open at the old round, and no chain of others.
    expect((await numbersOf(world)).next).to.equal(before.next + 1);
  });

  it('of one account stop no trade of others', async () => {
    const world = await flooded(100);
    const before = await numbersOf(world);
    hashOf(await world.order(BUYER, 'sell', 1n, 100n));
    const hash = hashOf(await world.order(2, 'buy', 1n, 100n));
    expect((await world.engine.read((state) => state.orders.get(hash)?.closed))?.reason).to.equal('filled');
    expect((await numbersOf(world)).next - before.next).to.be.at.most(1);
  });

  it('of one account stop no withdrawal and no L1 operation of others', async () => {
    const world = await flooded(100);
    const before = await numbersOf(world);
    hashOf(await world.submit(sign(BUYER, [withdrawMessage({ amount: USD, nonce: world.nonce(BUYER) })])));
    await world.l1Block([l1('deposit', 4, 0, 5n * USD)]);
    expect(await world.engine.read((state) => state.l1Queue.length)).to.equal(0);
    expect((await numbersOf(world)).next - before.next).to.be.at.most(1);
  });

  it('of many accounts, one each, stop neither trades nor a liquidation', async () => {
    const world = await World.open({ capacity: SMALL_BATCH });
    const crowd = Array.from({ length: 20 }, (_, i) => 10 + i);
    await world.fund({
      1: 230n,
      2: 10_000n,
      4: 10_000n,
      ...Object.fromEntries(crowd.map((index) => [index, 0n])),
    });
    hashOf(await world.order(2, 'sell', 10n, 100n));
    hashOf(await world.order(1, 'buy', 10n, 100n));
    hashOf(await world.order(4, 'buy', 10n, 92n));
    await world.settle();
    for (const index of crowd) hashOf(await world.submit(cancelOf(index, 0n)));
    const before = await numbersOf(world);
    expect(before.waiting).to.be.above(15);
    hashOf(await world.order(2, 'sell', 1n, 100n));
    hashOf(await world.order(4, 'buy', 1n, 100n));
    expect(await world.engine.read((state) => sizeOf(state.account(4), PERP))).to.equal(1n);
    await world.round(marked(92n));
    expect(await world.engine.read((state) => sizeOf(state.account(1), PERP))).to.equal(7n);
    expect((await numbersOf(world)).next - before.next).to.be.at.most(2);
  });

  it('are all proved in the end, and their nonces are dead then', async () => {
    const world = await flooded(30);
    for (let turn = 0; turn < 12; turn++) await world.settle();
    expect((await numbersOf(world)).waiting).to.equal(0);
    const account = await world.engine.read((state) => state.account(FLOODER));
    for (let nonce = 0n; nonce < 30n; nonce++) expect(nonceState(account, nonce).kind).to.equal('dead');
  });

  it('go in by turns: the one cancel of an account does not wait behind the many of another', async () => {
    const world = await flooded(100);
    hashOf(await world.submit(cancelOf(4, 40n)));
    expect(await waitingOf(world, 4)).to.equal(1);
    await world.seal();
    expect(await waitingOf(world, 4)).to.equal(0);
    expect(await waitingOf(world, FLOODER)).to.be.above(90);
  });

  it('of one signature share its row', async () => {
    const world = await flooded(0);
    hashOf(
      await world.submit(
        sign(
          FLOODER,
          [0n, 1n, 2n, 3n, 4n, 5n].map((nonce) => cancel(nonce)),
        ),
      ),
    );
    await world.seal();
    const [{ sealed }] = await world.engine.read((state) => state.unprovedBatches);
    expect(sealed?.content.signatures).to.have.length(1);
    expect(sealed?.content.messages).to.have.length(6);
  });

  it('begin no batch on the reserve that is there for exits', async () => {
    const world = await flooded(0, { unprovedBatchesMax: 2, unprovedBatchesReserve: 1 });
    for (let i = 0; i < 100; i++) hashOf(await world.submit(cancelOf(FLOODER, BigInt(i))));
    for (let i = 0; i < 5; i++) await world.seal();
    expect((await numbersOf(world)).unproved).to.be.at.most(2);
    hashOf(await world.submit(sign(BUYER, [withdrawMessage({ amount: USD, nonce: world.nonce(BUYER) })])));
  });

  describe('where a batch holds one trade and no more', () => {
    /** Every trade is of another pair, so each fills a batch; nobody asks for a seal. */
    async function busy(world: World, trades: number): Promise<void> {
      for (let i = 0; i < trades; i++) {
        const seller = i % 2 === 0 ? 1 : 4;
        hashOf(await world.order(seller, 'sell', 1n, 100n));
        const hash = hashOf(await world.order(2, 'buy', 1n, 100n));
        const closed = await world.engine.read((state) => state.orders.get(hash)?.closed);
        expect(closed?.reason, `trade ${i}`).to.equal('filled');
        await world.prove();
      }
    }

    async function tiny(change: ConfigChange = {}): Promise<World> {
      const world = await World.open({ capacity: TINY_BATCH, ...change });
      await world.fund({ 1: 10_000n, 2: 10_000n, [FLOODER]: 10_000n, 4: 10_000n });
      return world;
    }

    it('neither trades nor cancels are left out of two batches in a row', async () => {
      const world = await tiny();
      for (let i = 0; i < 6; i++) hashOf(await world.submit(cancelOf(FLOODER, BigInt(i))));
      const before = await numbersOf(world);
      expect(before.waiting).to.equal(6);
      await busy(world, 8);
      const after = await numbersOf(world);
      expect(after.waiting).to.equal(0);
      expect(after.next - before.next).to.be.at.most(16);
    });

    it('trades of one pair after the other leave an L1 operation out of one batch at most', async () => {
      const world = await tiny();
      await busy(world, 2);
      await world.l1Block([l1('deposit', FLOODER, 0, 5n * USD)]);
      expect(await world.engine.read((state) => state.l1Queue.length)).to.equal(1);
      await busy(world, 2);
      expect(await world.engine.read((state) => state.l1Queue.length)).to.equal(0);
    });

    it('every open order can be cancelled; cancels of other nonces are refused with the numbers', async () => {
      const world = await tiny({ openOrdersPerAccountMax: 4, ordersAndCancelsPerAccountMax: 6 });
      for (let i = 0; i < 4; i++) hashOf(await world.order(FLOODER, 'buy', 1n, 90n));
      for (const nonce of [40n, 41n]) hashOf(await world.submit(cancelOf(FLOODER, nonce)));
      const refused = rejectionOf(await world.submit(cancelOf(FLOODER, 42n)));
      expect(refused.code).to.equal('too-many-waiting-cancels');
      expect(refused.data).to.deep.equal({ waiting: 2, open: 4, limit: 6 });
      for (let nonce = 0n; nonce < 4n; nonce++) hashOf(await world.submit(cancelOf(FLOODER, nonce)));
      const order = rejectionOf(await world.order(FLOODER, 'buy', 1n, 90n));
      expect(order.code).to.equal('too-many-waiting-cancels');
      expect(order.data).to.deep.equal({ waiting: 6, open: 0, limit: 6 });
      hashOf(await world.submit(sign(FLOODER, [{ kind: 'cancel-all' }])));
    });

    it('a cancel-all goes before the cancels of its account, which it makes needless', async () => {
      const world = await tiny();
      const hashes: string[] = [];
      for (let i = 0; i < 8; i++) hashes.push(hashOf(await world.submit(cancelOf(FLOODER, BigInt(i)))));
      const all = hashOf(await world.submit(sign(FLOODER, [{ kind: 'cancel-all' }])));
      await world.seal();
      const records = await world.engine.read((state) => hashes.map((hash) => state.messages.get(hash)!));
      expect((await world.engine.read((state) => state.messages.get(all)))?.batchNumber).to.be.a('number');
      expect(new Set(records.map(({ dropped }) => dropped?.code))).to.deep.equal(new Set(['wrong-epoch']));
      expect((await numbersOf(world)).waiting).to.equal(0);
    });

    it('an order that follows a cancel-all in its body is refused like one that is sent after it', async () => {
      const world = await tiny();
      const [order] = world.signOrder(FLOODER, 'buy', 1n, 90n).messages;
      const done = await world.engine.submit(sign(FLOODER, [{ kind: 'cancel-all' }, order]));
      const result = done.ok ? done.value.results[1] : undefined;
      expect(result?.ok === false && result.rejection.code).to.equal('wrong-epoch');
      expect(await world.engine.read((state) => state.openOrders.get(FLOODER))).to.equal(undefined);
    });
  });
});
