import { expect } from 'chai';
import { TINY_BATCH } from '#protocol/limits.ts';
import { stateRoot } from '#protocol/state.ts';
import { hashOf, rejectionOf, World } from '../../support/engine.ts';
import { PERP, sign, USD, withdrawMessage } from '../../support/ledger.ts';

const root = (world: World) => world.engine.read((state) => stateRoot(state.ledger));

describe('back-pressure by proofs', () => {
  /** Two accounts a batch; one unproved batch for all, one more for whoever reduces. */
  async function crowded(): Promise<World> {
    const world = await World.open({
      capacity: TINY_BATCH,
      unprovedBatchesMax: 1,
      unprovedBatchesReserve: 2,
    });
    await world.fund({ 1: 10_000n, 2: 10_000n, 3: 10_000n });
    hashOf(await world.order(1, 'sell', 5n, 100n));
    hashOf(await world.order(2, 'buy', 5n, 100n));
    await world.seal();
    return world;
  }

  it('refuses an order while too many batches wait for their proofs, and says how many', async () => {
    const world = await crowded();
    const before = await root(world);
    const refused = rejectionOf(await world.order(3, 'buy', 1n, 100n));
    expect(refused.code).to.equal('proof-backlog');
    expect(refused.data).to.deep.equal({ unprovedBatches: 1, limit: 1, lane: 'ordinary' });
    expect(await root(world)).to.equal(before);
  });

  it('keeps taking cancels, reduce-only orders and withdrawals', async () => {
    const world = await crowded();
    hashOf(await world.submit(sign(3, [{ kind: 'cancel', nonce: 9n, floorBackWords: 1 }])));
    hashOf(await world.order(1, 'buy', 1n, 101n, { isReduceOnly: true }));
    hashOf(await world.submit(sign(2, [withdrawMessage({ amount: USD, nonce: world.nonce(2) })])));
  });

  it('takes orders again after a proof', async () => {
    const world = await crowded();
    rejectionOf(await world.order(3, 'buy', 1n, 100n));
    await world.prove();
    hashOf(await world.order(3, 'buy', 1n, 100n));
  });

  it('ends what a sweep cannot place any more, with the numbers', async () => {
    const world = await World.open({
      capacity: TINY_BATCH,
      unprovedBatchesMax: 1,
      unprovedBatchesReserve: 2,
    });
    await world.fund({ 1: 10_000n, 2: 10_000n, 3: 10_000n });
    hashOf(await world.order(1, 'sell', 1n, 100n));
    hashOf(await world.order(2, 'sell', 1n, 100n));
    // Two counterparties need two batches of two accounts.
    const hash = hashOf(await world.order(3, 'buy', 2n, 100n));
    const order = await world.engine.read((state) => state.orders.get(hash)!);
    expect(order.filledLots).to.equal(1n);
    expect(order.closed?.reason).to.equal('proof-backlog');
    expect(order.closed?.because?.data).to.include({ unprovedBatches: 1, limit: 1 });
  });

  it('ends the reserve at twelve: then even an exit is refused, with the numbers, until a proof comes', async () => {
    const world = await World.open({ capacity: TINY_BATCH });
    await world.fund({ 1: 10_000n, 2: 10_000n, 3: 10_000n });
    for (let i = 0; i < 8; i++) {
      hashOf(await world.order(1, 'sell', 1n, 100n));
      hashOf(await world.order(2, 'buy', 1n, 100n));
      await world.seal();
    }
    const ordinary = rejectionOf(await world.order(3, 'buy', 1n, 100n));
    expect(ordinary.data).to.deep.equal({ unprovedBatches: 8, limit: 8, lane: 'ordinary' });
    const withdraw = () =>
      world.submit(sign(3, [withdrawMessage({ amount: USD, nonce: world.nonce(3), floorBackWords: 1 })]));
    for (let i = 0; i < 4; i++) {
      hashOf(await withdraw());
      await world.seal();
    }
    const exit = rejectionOf(await withdraw());
    expect(exit.code).to.equal('proof-backlog');
    expect(exit.data).to.deep.equal({ unprovedBatches: 12, limit: 12, lane: 'protected' });
    await world.prove();
    hashOf(await withdraw());
  });

  it('gives orders and cancels nothing of the reserve after an exit that failed on it', async () => {
    const world = await crowded();
    const failed = rejectionOf(
      await world.submit(sign(3, [withdrawMessage({ amount: 50_000n * USD, nonce: world.nonce(3) })])),
    );
    expect(failed.code).to.equal('quote-debt');
    expect(await world.engine.read((state) => state.open)).to.equal(undefined);
    const refused = rejectionOf(await world.order(3, 'buy', 1n, 100n));
    expect(refused.data).to.deep.equal({ unprovedBatches: 1, limit: 1, lane: 'ordinary' });
    hashOf(await world.submit(sign(3, [{ kind: 'cancel', nonce: 9n, floorBackWords: 1 }])));
    await world.seal();
    expect(await world.engine.read((state) => state.unprovedBatches.length)).to.equal(1);
  });

  it('seals a full batch and goes on in the next', async () => {
    const world = await World.open({ capacity: TINY_BATCH });
    await world.fund({ 1: 10_000n, 2: 10_000n, 3: 10_000n });
    const sealed = await world.engine.read((state) => state.nextBatchNumber);
    hashOf(await world.order(1, 'sell', 1n, 100n));
    hashOf(await world.order(2, 'sell', 1n, 100n));
    hashOf(await world.order(3, 'buy', 2n, 100n));
    expect(await world.engine.read((state) => state.nextBatchNumber)).to.equal(sealed + 1);
    await world.settle();
    expect(await world.engine.read((state) => state.account(3).slots[0])).to.deep.equal({
      instrumentId: PERP,
      size: 2n,
    });
  });
});
