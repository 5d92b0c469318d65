/** What the engine has acknowledged binds it through a reseal too: cancels, epochs, forgotten orders; and a replay agrees. */
import { expect } from 'chai';
import { hashOf, rejectionOf, World } from '../../support/engine.ts';
import { l1, marked, PERP, ROOMY, sign, USD, withdrawMessage } from '../../support/ledger.ts';

const GTC = [{ timeInForce: 'gtc', isPostOnly: false }] as const;
const cancelAll = (accountIndex: number, epoch = 1n) => sign(accountIndex, [{ kind: 'cancel-all' }], epoch);
const lastSealed = (world: World) => world.engine.read((state) => state.nextBatchNumber - 1);
const reseal = (world: World, batchNumber: number) =>
  world.engine.command({ kind: 'reseal', batchNumber, reason: 'BatchTooLate' });
const orderOf = (world: World, hash: string) => world.engine.read((state) => state.orders.get(hash)!);

describe('promises through a reseal', () => {
  it('keeps orders of two epochs apart that have one nonce', async () => {
    const world = await World.open();
    await world.fund({ 1: 10_000n, 2: 10_000n, 3: 10_000n });
    hashOf(await world.order(2, 'sell', 10n, 100n, { nonce: 0n }));
    hashOf(await world.order(1, 'buy', 10n, 100n));
    await world.seal();
    const batch = await lastSealed(world);
    hashOf(await world.submit(cancelAll(2)));
    await world.seal();
    const again = (dollars: bigint, nonce: bigint) =>
      world.submit(world.signOrder(2, 'sell', 5n, dollars, { nonce }, 2n), GTC);
    const same = hashOf(await again(101n, 0n));
    const other = hashOf(await again(102n, 1n));
    await world.round(marked(100n));
    expect(await reseal(world, batch)).to.equal(undefined);
    // Neither ended while the account was back in its first epoch, and both can be cancelled.
    for (const hash of [same, other]) expect((await orderOf(world, hash)).closed).to.equal(undefined);
    hashOf(await world.submit(sign(2, [{ kind: 'cancel', nonce: 0n, floorBackWords: 1 }], 2n)));
    hashOf(await world.order(3, 'buy', 3n, 101n));
    expect(await orderOf(world, same)).to.deep.include({ filledLots: 0n });
    expect((await orderOf(world, same)).closed?.reason).to.equal('cancelled');
  });

  it('matches no order anew whose account has sent a cancel-all that still waits', async () => {
    const world = await World.open();
    await world.fund({ 1: 250n, 2: 10_000n, 3: 10_000n });
    const sell = hashOf(await world.order(2, 'sell', 10n, 100n));
    hashOf(await world.order(1, 'buy', 10n, 100n));
    await world.seal();
    const batch = await lastSealed(world);
    await world.round(marked(94n));
    // The account is in the open batch, so its cancel-all has to wait; a bid that the sell crosses rests meanwhile.
    hashOf(await world.order(2, 'sell', 1n, 95n));
    hashOf(await world.order(3, 'buy', 1n, 95n));
    hashOf(await world.order(3, 'buy', 10n, 100n));
    hashOf(await world.submit(cancelAll(2)));
    expect(await world.engine.read((state) => state.waitingCancels.count)).to.equal(1);
    expect(await reseal(world, batch)).to.equal(undefined);
    const after = await orderOf(world, sell);
    expect(after.fills).to.deep.equal([]);
    expect(after.closed?.reason).to.equal('cancelled-all');
  });

  it('keeps what was promised in an epoch that a registration, served again, begins', async () => {
    const world = await World.open();
    await world.fund({ 1: 10_000n, 2: 10_000n });
    await world.l1Block([l1('register', 5), l1('deposit', 5, 0, 1_000n * USD)]);
    await world.seal();
    const batch = await lastSealed(world);
    await world.round(marked(100n));
    hashOf(await world.order(2, 'sell', 10n, 100n));
    hashOf(await world.order(5, 'buy', 1n, 100n));
    hashOf(await world.submit(sign(5, [{ kind: 'cancel', nonce: 9n, floorBackWords: 1 }])));
    hashOf(await world.submit(cancelAll(5)));
    expect(await reseal(world, batch)).to.equal(undefined);
    expect(await world.engine.read((state) => state.epochEnding.get(5))).to.equal(1n);
    expect(rejectionOf(await world.order(5, 'buy', 2n, 100n, { nonce: 8n })).code).to.equal('wrong-epoch');
  });

  it('leads a replay to the same after a refusal that would have begun a batch with what waited', async () => {
    const world = await World.open({ capacity: { ...ROOMY, accounts: 2 }, unprovedBatchesMax: 1 });
    await world.fund({ 1: 10_000n, 2: 10_000n, 3: 10_000n });
    hashOf(await world.order(2, 'sell', 10n, 100n));
    hashOf(await world.order(1, 'buy', 10n, 100n));
    hashOf(await world.submit(sign(3, [{ kind: 'cancel', nonce: 20n, floorBackWords: 1 }])));
    await world.seal();
    const tooMuch = withdrawMessage({ amount: 50_000n * USD, nonce: world.nonce(1) });
    expect(rejectionOf(await world.submit(sign(1, [tooMuch]))).code).to.equal('quote-debt');
    expect(await world.engine.read((state) => state.isTurnOfCancels)).to.equal(true);
    await world.prove();
    await world.start();
    expect(world.fatal).to.equal(undefined);
  });

  it('forgets no order whose fills are about to be executed again', async () => {
    const kept = 3;
    const world = await World.open({ closedOrdersKept: kept });
    await world.fund({ 1: 10_000n, 2: 10_000n, 3: 10_000n });
    hashOf(await world.submit(sign(2, [withdrawMessage({ amount: 5n * USD, nonce: 0n })])));
    const partly = hashOf(await world.order(3, 'sell', 10n, 100n, { nonce: 0n }));
    hashOf(await world.order(1, 'buy', 4n, 100n));
    hashOf(await world.submit(sign(3, [{ kind: 'cancel', nonce: 0n, floorBackWords: 1 }])));
    await world.seal();
    const batch = await lastSealed(world);
    hashOf(await world.submit(cancelAll(2)));
    await world.seal();
    hashOf(await world.submit(world.signOrder(2, 'sell', 5n, 102n, { nonce: 1n }, 2n), GTC));
    for (let i = 0n; i <= BigInt(kept); i++) {
      await world.order(1, 'buy', 1n, 50n, { nonce: 20n + i }, { timeInForce: 'ioc' });
    }
    for (let turn = 0; turn < 2; turn++) {
      await world.round(marked(100n));
      expect(await reseal(world, batch)).to.equal(undefined);
      await world.seal();
    }
    expect((await orderOf(world, partly)).fills.map(({ lots }) => lots)).to.deep.equal([4n]);
    await world.start();
    expect(world.fatal).to.equal(undefined);
    expect(
      await world.engine.read((state) =>
        state.account(3).slots.some(({ instrumentId }) => instrumentId === PERP),
      ),
    ).to.equal(true);
  });

  it('keeps a cancel that was dropped for a fill which a reseal takes back', async () => {
    const world = await World.open({ capacity: { ...ROOMY, accounts: 2 }, closedOrdersKept: 0 });
    await world.fund({ 1: 250n, 2: 10_000n, 3: 10_000n });
    const order = world.signOrder(2, 'sell', 1n, 100n, { nonce: 5n });
    hashOf(await world.submit(order, GTC));
    const cancel = hashOf(await world.submit(sign(2, [{ kind: 'cancel', nonce: 5n, floorBackWords: 1 }])));
    // A fill moves the window past the nonce before there is room for the cancel.
    hashOf(await world.order(2, 'sell', 10n, 100n, { nonce: 70n, floorBackWords: 0 }));
    hashOf(await world.order(1, 'buy', 10n, 100n));
    await world.seal();
    const batch = await lastSealed(world);
    await world.seal();
    const dropped = await world.engine.read((state) => state.messages.get(cancel)?.dropped?.code);
    expect(dropped).to.equal('nonce-dead');
    await world.round(marked(94n));
    expect(await reseal(world, batch)).to.equal(undefined);
    for (let turn = 0; turn < 3; turn++) {
      await world.l1Block([l1('deposit', 3, 0, USD)]);
      await world.finalize();
    }
    expect(rejectionOf(await world.submit(order, GTC)).code).to.equal('nonce-used');
  });

  it('keeps a cancel-all that was dropped for one of L1 which a reseal leaves in the queue', async () => {
    const world = await World.open();
    await world.fund({ 1: 10_000n, 2: 10_000n, 3: 10_000n });
    hashOf(await world.order(1, 'sell', 5n, 100n));
    hashOf(await world.order(3, 'buy', 5n, 100n));
    await world.settle();
    const sell = hashOf(await world.order(2, 'sell', 10n, 100n));
    hashOf(await world.order(1, 'buy', 10n, 100n));
    await world.seal();
    const batch = await lastSealed(world);
    // Both wait, for the account is in the open batch; L1 is served first, for a cancel of another had its turn.
    hashOf(await world.order(2, 'sell', 1n, 100n));
    hashOf(await world.order(1, 'buy', 1n, 100n));
    hashOf(await world.submit(sign(3, [{ kind: 'cancel', nonce: 9n, floorBackWords: 1 }])));
    hashOf(await world.submit(cancelAll(2)));
    await world.l1Block([l1('withdraw', 3, 0, 10n * USD), l1('cancelAll', 2)]);
    await world.seal();
    await world.seal();
    expect(await world.engine.read((state) => state.account(2).epoch)).to.equal(2n);
    // Executed again without prices, the withdrawal waits for one, and what is behind it, too.
    const { roundAgeMaxSec, resealWaitMaxSec } = world.config;
    await world.l1Block([], [], { timeSec: world.timeSec + roundAgeMaxSec + resealWaitMaxSec + 1n });
    expect(await reseal(world, batch)).to.equal(undefined);
    expect(await world.engine.read((state) => state.l1Queue.length)).to.equal(2);
    expect((await orderOf(world, sell)).closed?.reason).to.equal('cancelled-all');
    expect(rejectionOf(await world.order(2, 'sell', 1n, 101n)).code).to.equal('wrong-epoch');
  });

  it('keeps cancel-alls of two epochs that a reseal leaves waiting in their order', async () => {
    const world = await World.open();
    await world.fund({ 1: 10_000n, 2: 10_000n, 3: 10_000n });
    hashOf(await world.order(1, 'sell', 5n, 100n));
    hashOf(await world.order(3, 'buy', 5n, 100n));
    await world.settle();
    const batch = (await lastSealed(world)) + 1;
    await world.l1Block([l1('withdraw', 3, 0, 10n * USD), l1('cancelAll', 2)]);
    await world.seal();
    for (const epoch of [2n, 3n]) {
      hashOf(await world.submit(cancelAll(2, epoch)));
      await world.seal();
    }
    expect(await world.engine.read((state) => state.account(2).epoch)).to.equal(4n);
    const { roundAgeMaxSec, resealWaitMaxSec } = world.config;
    await world.l1Block([], [], { timeSec: world.timeSec + roundAgeMaxSec + resealWaitMaxSec + 1n });
    expect(await reseal(world, batch)).to.equal(undefined);
    expect(await world.engine.read((state) => state.account(2).epoch)).to.equal(1n);
    await world.round(marked(100n));
    await world.settle();
    await world.settle();
    expect(await world.engine.read((state) => state.account(2).epoch)).to.equal(4n);
    hashOf(await world.submit(world.signOrder(2, 'sell', 1n, 101n, { nonce: 0n }, 4n), GTC));
  });
});
