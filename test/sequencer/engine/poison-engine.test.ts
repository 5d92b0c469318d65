import { expect } from 'chai';
import type { RiskTable } from '#protocol/instrument.ts';
import { ENGINE_DEFAULTS } from '#sequencer/config.ts';
import { healthView } from '#sequencer/views.ts';
import { hashOf, rejectionOf, World } from '../../support/engine.ts';
import { l1, marked, OTHER, PERP, settledAt, sign, USD } from '../../support/ledger.ts';
import { type Fault, holds, order, prove, signedBy, sizeNow } from '../../support/poison.ts';

describe('what the engine does by itself and cannot be proved', () => {
  /** Rounds until an account is no longer left alone. */
  async function pause(world: World, table: RiskTable): Promise<void> {
    for (let sec = 0n; sec < ENGINE_DEFAULTS.unprovablePauseSec; sec += 60n) await world.round(table);
  }

  async function indebted(): Promise<World> {
    const world = await World.open();
    await world.fund({ 1: 250n, 2: 10_000n, 3: 10_000n, 4: 10_000n });
    hashOf(await world.order(2, 'sell', 10n, 100n));
    hashOf(await world.order(1, 'buy', 10n, 100n));
    await world.settle();
    hashOf(await world.order(3, 'buy', 10n, 80n));
    hashOf(await world.order(4, 'buy', 10n, 80n));
    hashOf(await world.order(2, 'sell', 1n, 79n));
    return world;
  }

  it('parts a liquidation from the trades beside it, leaves it out alone, and tries again later', async () => {
    const world = await indebted();
    await world.round(marked(80n));
    await world.seal();
    const maker = await world.engine.read(
      (state) =>
        state.batches
          .get(state.nextBatchNumber - 1)
          ?.actions.flatMap((a) => (a.kind === 'liquidate' ? [a.makerHash] : []))[0] ?? '',
    );
    expect(maker).to.not.equal('');
    await prove(world, holds('account:1'));
    expect(await sizeNow(world, 1), 'it still holds its position').to.equal(10n);
    expect((await order(world, maker)).closed?.because?.code).to.equal('unprovable');
    await world.round(marked(80n));
    expect(await sizeNow(world, 1), 'left alone for a while').to.equal(10n);
    await pause(world, marked(80n));
    hashOf(await world.order(4, 'buy', 10n, 80n));
    await world.round(marked(80n));
    expect(await sizeNow(world, 1)).to.be.lessThan(10n);
    await world.seal();
    expect(await prove(world, () => false)).to.deep.equal([]);
  });

  it('liquidates an account in a batch of its own where only the company was at fault', async () => {
    const world = await indebted();
    await world.round(marked(80n));
    hashOf(await world.order(3, 'sell', 1n, 85n));
    const trade = hashOf(await world.order(4, 'buy', 1n, 85n));
    await world.seal();
    const poisoned = await prove(world, (names) => names.includes('account:1') && new Set(names).size > 1);
    expect(poisoned).to.have.length(1);
    expect(await sizeNow(world, 1)).to.be.lessThan(10n);
    expect((await order(world, trade)).closed?.reason).to.equal('filled');
  });

  /** 1 is long and under water at 87; 3 bids above the honest bid of 4, and nothing that 3 signed can be proved. */
  async function outbid(lots: bigint): Promise<World> {
    const world = await World.open();
    await world.fund({ 1: 260n, 2: 10_000n, 3: 10_000n, 4: 10_000n });
    hashOf(await world.order(2, 'sell', 10n, 100n));
    hashOf(await world.order(1, 'buy', 10n, 100n));
    await world.settle();
    hashOf(await world.order(3, 'buy', lots, 91n));
    hashOf(await world.order(4, 'buy', 10n, 90n));
    await world.round(marked(80n));
    await world.seal();
    return world;
  }
  const liquidators = (world: World) =>
    world.engine.read((state) =>
      [...state.batches.values()].flatMap(({ actions }) =>
        actions.flatMap((a) => (a.kind === 'liquidate' ? [a.operation.against.signed.accountIndex] : [])),
      ),
    );

  it('passes by the bidder against whom a liquidation had no proof, and goes on against the next', async () => {
    const world = await outbid(10n);
    await prove(world, signedBy(3));
    expect(await liquidators(world)).to.deep.equal([4]);
    expect(await world.engine.read(({ isolation }) => isolation.barredUntilSec.size)).to.equal(0);
    // Its next bid closes nothing either, as long as it is barred.
    hashOf(await world.order(3, 'buy', 10n, 85n));
    hashOf(await world.order(4, 'buy', 10n, 70n));
    await world.round(marked(70n));
    await world.seal();
    expect(await prove(world, signedBy(3))).to.deep.equal([]);
    expect(new Set(await liquidators(world))).to.deep.equal(new Set([4]));
  });

  it('takes the steps of a liquidation apart, so that an honest bidder is not left out with another', async () => {
    const world = await outbid(1n);
    expect(await liquidators(world)).to.deep.equal([3, 4]);
    const honest = await world.engine.read((state) => state.book(PERP).best('buy')?.hash ?? '');
    await prove(world, signedBy(3));
    expect(await liquidators(world)).to.deep.equal([4]);
    const { closed, fills } = await order(world, honest);
    expect([closed?.reason === 'voided', fills.length]).to.deep.equal([false, 1]);
    const { barredMakers } = await world.engine.read(({ isolation }) => isolation);
    expect([...barredMakers.keys()]).to.deep.equal([3]);
  });

  it('bars bidders longer each time: two of them cannot starve a liquidation by turns', async () => {
    const world = await outbid(10n);
    const { unprovablePauseSec } = ENGINE_DEFAULTS;
    const isPoisoned: Fault = (names, entry) => signedBy(3)(names, entry) || signedBy(2)(names, entry);
    await world.submit(sign(4, [{ kind: 'cancel', nonce: 0n, floorBackWords: 1 }]));
    hashOf(await world.order(2, 'buy', 10n, 90n));
    await prove(world, isPoisoned);
    expect(await sizeNow(world, 1)).to.equal(10n);
    let turns = 0;
    for (; turns < 4 && (await sizeNow(world, 1)) === 10n; turns++) {
      world.timeSec += unprovablePauseSec;
      for (const attacker of [2, 3]) hashOf(await world.order(attacker, 'buy', 10n, 92n));
      hashOf(await world.order(4, 'buy', 10n, 90n));
      await world.round(marked(80n));
      await world.seal();
      await prove(world, isPoisoned);
    }
    expect(turns).to.be.lessThan(4);
    expect(new Set(await liquidators(world))).to.deep.equal(new Set([4]));
  });

  it('keeps a retirement for itself that cannot be proved', async () => {
    const world = await World.open();
    await world.fund({ 1: 10_000n });
    await world.round(settledAt({ [OTHER]: 101n }));
    await world.seal();
    const dropped: string[] = [];
    world.engine.subscribe((events) => {
      for (const event of events) if (event.kind === 'batch-poisoned') dropped.push(...event.dropped);
    });
    const poisoned = await prove(world, (_, { sealed }) => sealed?.content.retiredInstrument === OTHER);
    expect([poisoned, dropped]).to.deep.equal([[[]], [`retirement:${OTHER}`]]);
    await world.round(settledAt({ [OTHER]: 101n }));
    await world.seal();
    expect(await prove(world, () => false)).to.deep.equal([]);
  });

  it('leaves a settlement, and a retirement, that cannot be proved alone', async () => {
    const world = await World.open();
    await world.fund({ 1: 10_000n, 2: 10_000n });
    hashOf(await world.order(2, 'sell', 10n, 100n, { instrumentId: OTHER }));
    hashOf(await world.order(1, 'buy', 10n, 100n, { instrumentId: OTHER }));
    await world.settle();
    await world.round(settledAt({ [OTHER]: 101n }));
    await world.seal();
    const poisoned = await prove(world, holds(`settlement:2:${OTHER}`));
    expect(poisoned.map((names) => names.length)).to.deep.equal([2, 1]);
    expect([await sizeNow(world, 1, OTHER), await sizeNow(world, 2, OTHER)]).to.deep.equal([0n, -10n]);
    await pause(world, settledAt({ [OTHER]: 101n }));
    await world.seal();
    await prove(world, (_, { sealed }) => sealed?.content.retiredInstrument === OTHER);
    expect(await sizeNow(world, 2, OTHER)).to.equal(-10n);
    await pause(world, settledAt({ [OTHER]: 101n }));
    await world.seal();
    expect(await prove(world, () => false)).to.deep.equal([]);
    expect(await sizeNow(world, 2, OTHER)).to.equal(0n);
  });

  /** What is alone in a batch beside a retirement. */
  async function besideRetirement(isDeposit: boolean): Promise<{ world: World; dropped: string[] }> {
    const world = await World.open();
    await world.fund({ 1: 10_000n });
    if (isDeposit) await world.l1Block([l1('deposit', 1, 0, 5n * USD)], [], { confirmed: false });
    const timeSec = world.timeSec + 60n;
    await world.l1Block([], [settledAt({ [OTHER]: 101n })], { timeSec, confirmed: true });
    if (!isDeposit) hashOf(await world.submit(sign(1, [{ kind: 'cancel', nonce: 3n, floorBackWords: 1 }])));
    await world.seal();
    const dropped: string[] = [];
    world.engine.subscribe((events) => {
      for (const event of events) if (event.kind === 'batch-poisoned') dropped.push(...event.dropped);
    });
    return { world, dropped };
  }
  const retires: Fault = (_, { sealed }) => sealed?.content.retiredInstrument === OTHER;

  for (const isDeposit of [false, true]) {
    const what = isDeposit ? 'a deposit' : 'a cancel';
    it(`leaves out the retirement beside ${what}, not the sound neighbour`, async () => {
      const { world, dropped } = await besideRetirement(isDeposit);
      const poisoned = await prove(world, retires);
      expect(poisoned.map((names) => names.length)).to.deep.equal([1]);
      expect(dropped).to.deep.equal([`retirement:${OTHER}`]);
      expect((await world.engine.read(healthView)).sealingHalt).to.equal(null);
      expect(
        await world.engine.read((state) => [state.retired.has(OTHER), state.unprovedBatches.length]),
      ).to.deep.equal([true, 0]);
    });
  }

  it('tells of the retirement again where the neighbour was at fault', async () => {
    const { world, dropped } = await besideRetirement(false);
    await prove(world, signedBy(1));
    expect(dropped[0]).to.equal(`retirement:${OTHER}`);
    expect(dropped.at(1)).to.match(/^message:/);
    const told = await world.engine.read((state) =>
      [...state.batches.values()].map(({ sealed }) => sealed?.content.retiredInstrument),
    );
    expect(told).to.include(OTHER);
  });
});

describe('a promise whose batch cannot be proved', () => {
  const sealAndPoison = async (world: World): Promise<void> => {
    await world.seal();
    const poisoned = await prove(world, signedBy(1));
    expect(poisoned).to.have.length(1);
  };

  it('binds the engine when the record of the cancel is forgotten', async () => {
    const world = await World.open({ closedOrdersKept: 0 });
    await world.fund({ 1: 10_000n, 2: 10_000n });
    const hash = hashOf(await world.submit(sign(1, [{ kind: 'cancel', nonce: 9n, floorBackWords: 1 }])));
    await sealAndPoison(world);
    for (let nonce = 20n; nonce < 23n; nonce++) {
      hashOf(await world.submit(sign(2, [{ kind: 'cancel', nonce, floorBackWords: 1 }])));
      await world.finalize();
    }
    expect(await world.engine.read(({ messages }) => messages.has(hash)), 'forgotten').to.equal(false);
    const refused = rejectionOf(await world.order(1, 'buy', 5n, 100n, { nonce: 9n }));
    expect([refused.code, refused.data.isCancelled]).to.deep.equal(['nonce-used', true]);
    // The next epoch has its nonces for itself.
    await world.l1Block([l1('cancelAll', 1)]);
    await world.finalize();
    expect(await world.engine.read(({ cancelledNonces }) => cancelledNonces.has(1))).to.equal(false);
  });

  it('keeps the epoch closed that a cancel-all ended', async () => {
    const world = await World.open();
    await world.fund({ 1: 10_000n, 2: 10_000n });
    hashOf(await world.submit(sign(1, [{ kind: 'cancel-all' }])));
    const next = hashOf(await world.submit(world.signOrder(1, 'buy', 1n, 90n, {}, 2n)));
    await sealAndPoison(world);
    expect(rejectionOf(await world.order(1, 'buy', 5n, 100n, { nonce: 9n })).code).to.equal('wrong-epoch');
    expect((await order(world, next)).closed?.reason, 'its epoch does not begin').to.equal('epoch-changed');
    await world.l1Block([l1('cancelAll', 1)]);
    await world.settle();
    hashOf(await world.submit(world.signOrder(1, 'buy', 1n, 90n, { nonce: 40n }, 2n)));
  });
});
