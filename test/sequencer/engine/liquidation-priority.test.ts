import { expect } from 'chai';
import { sizeOf } from '#protocol/account.ts';
import { SMALL_BATCH } from '#protocol/limits.ts';
import { hashOf, rejectionOf, World } from '../../support/engine.ts';
import { l1, marked, PERP, sign, USD, withdrawMessage } from '../../support/ledger.ts';
import { UNCHECKED_INPUTS, UNCHECKED_PROOF } from '../../support/unchecked-proof.ts';

const UNDER = 1;
const sizeNow = (world: World) => world.engine.read((state) => sizeOf(state.account(UNDER), PERP));
const unproved = (world: World) => world.engine.read((state) => state.unprovedBatches.length);
const isWaiting = (world: World) => world.engine.read((state) => state.liquidationWait !== undefined);

/** One proof, of the oldest batch. */
async function proveOne(world: World): Promise<void> {
  const oldest = await world.engine.read(({ unprovedBatches: [entry] }) =>
    entry === undefined ? undefined : { batchNumber: entry.number, attempt: entry.attempt },
  );
  if (oldest === undefined) return;
  const evidence = { proof: UNCHECKED_PROOF, inputs: UNCHECKED_INPUTS };
  await world.engine.command({ kind: 'batch-proven', ...oldest, ...evidence });
}

/** Crosses inside the band of the fallen price, in a batch of its own. */
async function trade(world: World) {
  await world.order(3, 'sell', 1n, 93n);
  const done = await world.order(2, 'buy', 1n, 93n, {}, { timeInForce: 'ioc' });
  await world.seal();
  return done;
}

describe('a liquidation under load', () => {
  /** A long account that a fall to $92 puts below maintenance margin, and eight batches without a proof. */
  async function loaded(
    bidDollars = 92n,
    dollars = 230n,
    ownBid: bigint | undefined = undefined,
  ): Promise<World> {
    const world = await World.open({ capacity: SMALL_BATCH });
    await world.fund({ [UNDER]: dollars, 2: 100_000n, 3: 100_000n, 4: 100_000n, 5: 100_000n });
    hashOf(await world.order(2, 'sell', 10n, 100n));
    hashOf(await world.order(UNDER, 'buy', 10n, 100n));
    if (ownBid !== undefined) hashOf(await world.order(UNDER, 'buy', 1n, ownBid));
    hashOf(await world.order(4, 'buy', 10n, bidDollars));
    await world.settle();
    for (let i = 0; i < 8; i++) await trade(world);
    expect(await unproved(world)).to.equal(8);
    return world;
  }

  /** Proofs until the account is smaller, while `load` goes on. */
  async function proofsUntilClosed(world: World, load: () => Promise<unknown>): Promise<number> {
    for (let proofs = 0; proofs < 40; proofs++) {
      if ((await sizeNow(world)) < 10n) return proofs;
      await proveOne(world);
      await load();
      await world.l1Block();
      await load();
    }
    throw new Error('forty proofs and no liquidation');
  }

  it('gets its turn after as many proofs as bring the backlog below three, though orders keep coming', async () => {
    const world = await loaded();
    await world.round(marked(92n));
    expect(await isWaiting(world)).to.equal(true);
    expect(await proofsUntilClosed(world, () => trade(world))).to.be.at.most(6);
    expect(await isWaiting(world)).to.equal(false);
  });

  it('refuses an order that would trade meanwhile, with numbers that say why', async () => {
    const world = await loaded();
    await world.round(marked(92n));
    hashOf(await world.order(3, 'sell', 1n, 95n));
    const refused = rejectionOf(await world.order(2, 'buy', 1n, 95n));
    expect(refused.code).to.equal('proof-backlog');
    expect(refused.data).to.deep.equal({
      unprovedBatches: 8,
      limit: 2,
      lane: 'ordinary',
      isLiquidationWaiting: true,
    });
  });

  it('lets orders rest meanwhile: they may be what it closes against', async () => {
    const world = await loaded(80n);
    await world.prove();
    for (let i = 0; i < 4; i++) await trade(world);
    await world.round(marked(92n));
    expect(await isWaiting(world), 'nothing to close against').to.equal(false);
    hashOf(await world.order(4, 'buy', 1n, 92n));
    await world.l1Block();
    expect(await isWaiting(world)).to.equal(true);
    hashOf(await world.order(5, 'buy', 1n, 91n, { nonce: 50n }));
  });

  it('holds nobody back where no order could close anything', async () => {
    const world = await loaded(80n);
    await world.round(marked(92n));
    expect(await world.engine.read((state) => state.isLiquidationDue)).to.equal(true);
    for (let i = 0; i < 5; i++) {
      await proveOne(world);
      const hash = hashOf(await trade(world));
      const closed = await world.engine.read((state) => state.orders.get(hash)?.closed);
      expect(closed?.reason, `trade ${i}`).to.equal('filled');
    }
  });

  it('is not hidden by an order of the account itself at the best price', async () => {
    const world = await loaded(92n, 239n, 92n);
    await world.round(marked(91n));
    expect(await isWaiting(world)).to.equal(true);
    expect(await proofsUntilClosed(world, () => trade(world))).to.be.at.most(6);
  });

  it('waits for the reserve of exits once, however many withdrawals come', async () => {
    const world = await loaded();
    await world.round(marked(92n));
    let withdrawn = 0;
    const withdraw = async () => {
      const message = withdrawMessage({ amount: USD, nonce: BigInt(withdrawn), floorBackWords: 1 });
      const wasWaiting = await isWaiting(world);
      const done = await world.submit(sign(5, [message]));
      if ('hash' in done) withdrawn++;
      else if (wasWaiting) {
        expect(done.rejection.code).to.equal('proof-backlog');
        expect(done.rejection.data).to.include({ lane: 'protected', limit: 2, isLiquidationWaiting: true });
      }
      await world.seal();
    };
    // Eight, four of the reserve, and room for the liquidation: less than three.
    expect(await proofsUntilClosed(world, withdraw)).to.be.at.most(8 + 4 - 2);
    expect(withdrawn, 'exits while it waited').to.be.at.least(4);
  });

  it('waits for the reserve once, however many L1 operations and cancels come', async () => {
    const world = await loaded();
    await world.round(marked(92n));
    let cancels = 0n;
    const spam = async () => {
      // Of the account itself: nothing of it shares a batch with its liquidation.
      await world.l1Block([l1('deposit', UNDER, 0, 1n), l1('deposit', UNDER, 0, 1n)]);
      await world.submit(sign(5, [{ kind: 'cancel', nonce: cancels++, floorBackWords: 1 }]));
      await world.seal();
    };
    expect(await proofsUntilClosed(world, spam)).to.be.at.most(8 + 4 + 1 - 2);
  });
});
