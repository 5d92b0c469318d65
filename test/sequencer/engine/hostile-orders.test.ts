/** THREATS S02, S15, R15: orders and cancels of somebody who wishes others ill. */
import { expect } from 'chai';
import { sizeOf } from '#protocol/account.ts';
import { signMessages } from '#protocol/signing.ts';
import { hashOf, rejectionOf, World } from '../../support/engine.ts';
import {
  DOMAIN,
  marked,
  NOW_SEC,
  PERP,
  ROOMY,
  secretOf,
  sign,
  USD,
  withdrawMessage,
} from '../../support/ledger.ts';

const closedReason = (world: World, hash: string) =>
  world.engine.read((state) => state.orders.get(hash)?.closed?.reason);

describe('hostile orders', () => {
  it('lets nobody but its signer cancel an order, in its epoch, once', async () => {
    const world = await World.open();
    await world.fund({ 1: 10_000n, 2: 10_000n });
    const hash = hashOf(await world.order(1, 'buy', 1n, 90n, { nonce: 3n }));
    const cancel = { kind: 'cancel', nonce: 3n, floorBackWords: 1 } as const;
    const by = (signer: number, epoch = 1n) =>
      signMessages(DOMAIN, secretOf(signer), { accountIndex: 1, epoch, messages: [cancel] });
    const before = world.engine.logSequence;
    expect(rejectionOf(await world.submit(by(2))).code).to.equal('wrong-signature');
    expect(rejectionOf(await world.submit(by(1, 2n))).code).to.equal('wrong-epoch');
    const elsewhere = signMessages({ ...DOMAIN, chainId: 1n }, secretOf(1), {
      accountIndex: 1,
      epoch: 1n,
      messages: [cancel],
    });
    expect(rejectionOf(await world.submit(elsewhere)).code).to.equal('wrong-signature');
    // The same nonce of the attacker's own account is another nonce.
    hashOf(await world.submit(sign(2, [cancel])));
    expect(await closedReason(world, hash)).to.equal(undefined);
    expect(world.engine.logSequence).to.equal(before + 1);
    hashOf(await world.submit(by(1)));
    expect(await closedReason(world, hash)).to.equal('cancelled');
  });

  it('takes as many open orders of an account as the limit says, and the next when one is gone', async () => {
    const world = await World.open({ openOrdersPerAccountMax: 40 });
    await world.fund({ 1: 100_000n });
    for (let nonce = 0n; nonce < 40n; nonce++) {
      hashOf(await world.order(1, 'buy', 1n, 10n + nonce, { nonce }));
    }
    const refused = rejectionOf(await world.order(1, 'buy', 1n, 10n, { nonce: 40n }));
    expect(refused.code).to.equal('too-many-open-orders');
    expect(refused.data).to.deep.equal({ open: 40, limit: 40 });
    hashOf(await world.submit(sign(1, [{ kind: 'cancel', nonce: 5n, floorBackWords: 1 }])));
    hashOf(await world.order(1, 'buy', 1n, 10n, { nonce: 40n }));
  });

  it('takes an order of five dollars and refuses one of a micro less', async () => {
    const world = await World.open();
    await world.fund({ 1: 100_000n });
    const limitMicrosPerLot = 4_990_000n;
    const refused = rejectionOf(await world.order(1, 'buy', 1n, 0n, { limitMicrosPerLot }));
    expect(refused.code).to.equal('order-too-small');
    expect(refused.data).to.deep.equal({ notionalMicros: limitMicrosPerLot, minMicros: 5n * USD });
    hashOf(await world.order(1, 'buy', 1n, 5n));
  });

  it('liquidates an account whose own orders stand in front, and ends them', async () => {
    const world = await World.open();
    await world.fund({ 1: 350n, 2: 10_000n, 3: 10_000n });
    hashOf(await world.order(2, 'sell', 10n, 100n));
    hashOf(await world.order(1, 'buy', 10n, 100n));
    await world.settle();
    // The victim's own bid is the best one inside the band, and forty offers of it stand above.
    const own = [hashOf(await world.order(1, 'buy', 1n, 76n, { nonce: 5n }))];
    for (let nonce = 6n; nonce < 46n; nonce++) {
      own.push(hashOf(await world.order(1, 'sell', 1n, 101n + nonce, { nonce, isReduceOnly: true })));
    }
    hashOf(await world.order(3, 'buy', 10n, 75n));
    await world.round(marked(75n));
    for (const hash of own) expect(await closedReason(world, hash)).to.equal('liquidated');
    expect(await world.engine.read((state) => sizeOf(state.account(1), PERP))).to.be.lessThan(10n);
  });

  it('lets no order in on a new nonce while its account is being liquidated in the batch', async () => {
    const world = await World.open();
    await world.fund({ 1: 230n, 2: 10_000n, 3: 10_000n });
    hashOf(await world.order(2, 'sell', 10n, 100n));
    hashOf(await world.order(1, 'buy', 10n, 100n));
    await world.settle();
    hashOf(await world.order(3, 'buy', 10n, 92n));
    await world.round(marked(92n));
    const left = await world.engine.read((state) => sizeOf(state.account(1), PERP));
    const batch = await world.engine.read((state) => state.open?.number);
    // It sells on; the engine gives that a batch of its own, after the liquidation.
    const sell = hashOf(
      await world.order(1, 'sell', 1n, 92n, { isReduceOnly: true, expirySec: NOW_SEC + 600n }),
    );
    const fills = await world.engine.read((state) =>
      state.orders.get(sell)?.fills.map((fill) => fill.batchNumber),
    );
    expect(left).to.be.lessThan(10n);
    expect(fills).to.deep.equal([(batch ?? 0) + 1]);
    await world.settle();
    expect(world.fatal).to.equal(undefined);
  });

  it('leaves no trace of a refused withdrawal or fill-or-kill order: no record, no batch', async () => {
    const world = await World.open();
    await world.fund({ 1: 1_000n, 2: 1_000n });
    const log = world.engine.logSequence;
    const tooMuch = withdrawMessage({ amount: 1_001n * USD, nonce: 9n });
    expect(rejectionOf(await world.submit(sign(1, [tooMuch]))).code).to.equal('quote-debt');
    const kill = await world.order(1, 'buy', 1n, 90n, {}, { timeInForce: 'fok' });
    expect(rejectionOf(kill).code).to.equal('fok-not-fillable');
    expect(world.engine.logSequence).to.equal(log);
    expect(await world.engine.read(({ open }) => open)).to.equal(undefined);
  });

  it('seals no batch for a fill-or-kill order that no batch has room for', async () => {
    const world = await World.open({ capacity: { ...ROOMY, accounts: 3 } });
    await world.fund({ 1: 10_000n, 2: 10_000n, 3: 10_000n, 4: 10_000n, 5: 10_000n });
    hashOf(await world.order(1, 'buy', 1n, 90n));
    hashOf(await world.order(2, 'sell', 1n, 90n));
    const batch = await world.engine.read(({ open }) => open?.number);
    for (const maker of [2, 3, 4]) hashOf(await world.order(maker, 'sell', 1n, 100n));
    for (let turn = 0; turn < 3; turn++) {
      const kill = await world.order(5, 'buy', 3n, 100n, {}, { timeInForce: 'fok' });
      expect(rejectionOf(kill).code).to.equal('fok-not-fillable');
    }
    expect(await world.engine.read(({ open }) => open?.number)).to.equal(batch);
    // What has room in the next one still gets it.
    hashOf(await world.order(5, 'buy', 2n, 100n, {}, { timeInForce: 'fok' }));
    expect(await world.engine.read(({ open }) => open?.number)).to.equal((batch ?? 0) + 1);
  });

  it('seals no batch for what is refused in the next one too, of an account whose epoch ends in this one', async () => {
    const world = await World.open({ capacity: { ...ROOMY, accounts: 4 } });
    await world.fund({ 1: 10_000n, 2: 10_000n, 3: 10_000n, 4: 10_000n, 5: 10_000n });
    for (const maker of [1, 2, 3, 4]) hashOf(await world.order(maker, 'sell', 1n, 100n));
    hashOf(await world.submit(sign(5, [{ kind: 'cancel-all' }])));
    const numberOf = () => world.engine.read(({ open }) => open?.number);
    const batch = await numberOf();
    const tooMuch = withdrawMessage({ amount: 50_000n * USD, nonce: 0n });
    expect(rejectionOf(await world.submit(sign(5, [tooMuch], 2n))).code).to.equal('quote-debt');
    const tooWide = world.signOrder(5, 'buy', 4n, 100n, { nonce: 0n }, 2n);
    const kill = await world.submit(tooWide, [{ timeInForce: 'fok', isPostOnly: false }]);
    expect(rejectionOf(kill).code).to.equal('fok-not-fillable');
    expect(await numberOf()).to.equal(batch);
    hashOf(await world.submit(sign(5, [withdrawMessage({ amount: 5n * USD, nonce: 0n })], 2n)));
    expect(await numberOf()).to.equal((batch ?? 0) + 1);
  });

  it('ends no order for a fill-or-kill order that would have used up its margin by another order', async () => {
    const world = await World.open();
    await world.fund({ 1: 450n, 2: 10_000n, 3: 10_000n });
    const makers = [
      hashOf(await world.order(1, 'sell', 10n, 100n)),
      hashOf(await world.order(1, 'sell', 10n, 100n)),
    ];
    await world.round(marked(109n));
    hashOf(await world.order(3, 'sell', 10n, 100n));
    const kill = await world.order(2, 'buy', 30n, 100n, {}, { timeInForce: 'fok' });
    expect(rejectionOf(kill).code).to.equal('fok-not-fillable');
    for (const hash of makers) expect(await closedReason(world, hash)).to.equal(undefined);
    hashOf(await world.order(2, 'buy', 20n, 100n, {}, { timeInForce: 'fok' }));
    expect(await closedReason(world, makers[0])).to.equal('filled');
    expect(await closedReason(world, makers[1])).to.equal('no-longer-passes');
  });

  it('fills a fill-or-kill order from reduce-only orders that together are larger than the position', async () => {
    const world = await World.open();
    await world.fund({ 1: 10_000n, 2: 10_000n, 3: 10_000n });
    hashOf(await world.order(3, 'sell', 10n, 100n));
    hashOf(await world.order(1, 'buy', 10n, 100n));
    for (const lots of [4n, 8n]) hashOf(await world.order(1, 'sell', lots, 101n, { isReduceOnly: true }));
    const tooLarge = await world.order(2, 'buy', 11n, 101n, {}, { timeInForce: 'fok' });
    expect(rejectionOf(tooLarge).data.takeableLots).to.equal(10n);
    const kill = hashOf(await world.order(2, 'buy', 10n, 101n, {}, { timeInForce: 'fok' }));
    expect(await closedReason(world, kill)).to.equal('filled');
  });

  it('answers an order within two turns of the writer, however many questions wait', async () => {
    const world = await World.open();
    await world.fund({ 1: 10_000n });
    const answered: string[] = [];
    const questions = Array.from({ length: 1_000 }, () =>
      world.engine.read(() => undefined).then(() => answered.push('question')),
    );
    const order = world.order(1, 'buy', 1n, 90n).then(() => answered.push('order'));
    await Promise.all([...questions, order]);
    expect(answered.indexOf('order')).to.be.at.most(64);
    expect(answered.filter((name) => name === 'question')).to.have.length(1_000);
  });
});
