import { expect } from 'chai';
import { TINY_BATCH } from '#protocol/limits.ts';
import { Engine } from '#sequencer/engine.ts';
import { encode } from '#sequencer/ledger/codec.ts';
import { hashOf, rejectionOf, World } from '../../support/engine.ts';
import { marked, orderMessage, sign, USD, withdrawMessage } from '../../support/ledger.ts';

const cancelOf = (accountIndex: number, nonce: bigint) =>
  sign(accountIndex, [{ kind: 'cancel', nonce, floorBackWords: 0 }]);

const sizesOf = (world: World) =>
  world.engine.read(({ messages, messageOrder, bodies, cancelledNonces }) => ({
    messages: messages.size,
    order: messageOrder.length,
    bodies: bodies.size,
    promises: cancelledNonces.get(1)?.size ?? 0,
  }));

describe('what the engine remembers', () => {
  const KEPT = 10;

  async function cancelling(cancels: number): Promise<World> {
    const world = await World.open({ closedOrdersKept: KEPT });
    await world.fund({ 1: 10_000n, 2: 10_000n });
    await world.finalize();
    for (let nonce = 0; nonce < cancels; nonce++) {
      hashOf(await world.submit(cancelOf(1, BigInt(nonce))));
      if (nonce % 8 === 7) await world.settle();
    }
    await world.settle();
    return world;
  }

  it('of a final batch is a few numbers, and not the table of its round', async () => {
    const world = await cancelling(8);
    const entries = () => world.engine.read((state) => [...state.batches.values()].map(encode));
    const table = encode(await world.engine.read((state) => state.table?.table));
    expect((await entries()).at(-1)).to.include(table);
    await world.finalize();
    for (const text of await entries()) {
      expect(text).not.to.include(table);
      expect(text.length).to.be.lessThan(1_000);
    }
  });

  it('of cancels in batches that are not final is everything', async () => {
    const world = await cancelling(40);
    expect(await sizesOf(world)).to.deep.equal({ messages: 40, order: 40, bodies: 40, promises: 40 });
  });

  it('of cancels and withdrawals in final batches is the last of them, and no promise', async () => {
    const world = await cancelling(40);
    const nonce = 70n;
    hashOf(await world.submit(sign(2, [withdrawMessage({ amount: USD, nonce, floorBackWords: 0 })])));
    await world.settle();
    await world.finalize();
    expect(await sizesOf(world)).to.deep.equal({ messages: KEPT, order: KEPT, bodies: KEPT, promises: 0 });
    // What is forgotten is judged anew, by the leaf.
    expect(rejectionOf(await world.submit(cancelOf(1, 5n))).code).to.equal('nonce-dead');
    const used = rejectionOf(await world.order(1, 'buy', 1n, 100n, { nonce: 39n }));
    expect(used.code).to.equal('nonce-used');
    expect(used.data).to.include({ isCancelled: false });
  });

  it('of a cancel that was dropped goes too', async () => {
    const world = await World.open({ capacity: TINY_BATCH, closedOrdersKept: 0 });
    await world.fund({ 1: 10_000n, 2: 10_000n });
    for (let nonce = 0n; nonce < 5n; nonce++) hashOf(await world.submit(cancelOf(1, nonce)));
    hashOf(await world.submit(sign(1, [{ kind: 'cancel-all' }])));
    for (let turn = 0; turn < 3; turn++) {
      await world.settle();
      await world.finalize();
      hashOf(await world.submit(cancelOf(2, BigInt(turn))));
    }
    await world.settle();
    await world.finalize();
    expect(await sizesOf(world)).to.deep.equal({ messages: 0, order: 0, bodies: 0, promises: 0 });
  });

  it('of a body is kept while one of its orders is open', async () => {
    const world = await World.open({ closedOrdersKept: 0 });
    await world.fund({ 1: 10_000n, 2: 10_000n });
    const order = (nonce: bigint, dollars: bigint) =>
      orderMessage({ side: 'buy', sizeLots: 1n, limitMicrosPerLot: dollars * USD, nonce });
    const body = sign(1, [order(0n, 90n), order(1n, 91n)]);
    hashOf(await world.submit(body));
    hashOf(await world.submit(cancelOf(1, 0n)));
    const again = await world.engine.submit(body);
    expect(again.ok && again.value.isRepeat).to.equal(true);
    hashOf(await world.submit(cancelOf(1, 1n)));
    await world.settle();
    await world.finalize();
    expect(await world.engine.read((state) => [state.orders.size, state.bodies.size])).to.deep.equal([0, 0]);
  });

  it('of a promise lasts through a reseal of the batch that holds the cancel', async () => {
    const world = await cancelling(3);
    await world.round(marked(99n));
    const batchNumber = await world.engine.read((state) => state.nextBatchNumber - 1);
    expect(await world.engine.command({ kind: 'reseal', batchNumber, reason: 'asked' })).to.equal(undefined);
    expect((await sizesOf(world)).promises).to.equal(3);
    expect(rejectionOf(await world.order(1, 'buy', 1n, 100n, { nonce: 1n })).code).to.equal('nonce-used');
  });

  it('of batches without a proof is an index, right through proofs, a reseal and a restart', async () => {
    const world = await World.open();
    await world.fund({ 1: 10_000n, 2: 10_000n });
    const check = async (expected: number) => {
      const [indexed, all] = await world.engine.read((state) => [
        state.unprovedBatches.map(({ number, attempt }) => [number, attempt]),
        [...state.batches.values()]
          .filter(({ status }) => status === 'sealed')
          .map(({ number, attempt }) => [number, attempt]),
      ]);
      expect(indexed).to.deep.equal(all);
      expect(indexed).to.have.length(expected);
    };
    for (let i = 0; i < 3; i++) {
      hashOf(await world.order(1, 'sell', 1n, 100n));
      hashOf(await world.order(2, 'buy', 1n, 100n));
      await world.seal();
    }
    await check(3);
    const batchNumber = await world.engine.read((state) => state.nextBatchNumber - 2);
    await world.engine.command({ kind: 'reseal', batchNumber, reason: 'asked' });
    await check(1);
    await world.seal();
    await check(2);
    await world.prove();
    await check(0);
    expect(await world.engine.read((state) => state.unprovedNumbers.size)).to.equal(0);
    const again = await Engine.start(world.config, world.store, () => undefined);
    expect(encode(await again.read((state) => [...state.unprovedNumbers]))).to.equal(encode([]));
  });
});
