import { expect } from 'chai';
import fc from 'fast-check';
import { sizeOf } from '#protocol/account.ts';
import type { SignedMessages } from '#protocol/message.ts';
import type { EngineEvent } from '#sequencer/commands.ts';
import { hashOf, rejectionOf, World } from '../../support/engine.ts';
import { marked, NOW_SEC, PERP, SPOT, sign, USD, withdrawMessage } from '../../support/ledger.ts';

const positionOf = (world: World, accountIndex: number, id = PERP) =>
  world.engine.read((state) => sizeOf(state.account(accountIndex), id));
const orderOf = (world: World, hash: string) => world.engine.read((state) => state.orders.get(hash)!);
const cancel = (accountIndex: number, nonce: bigint, floorBackWords = 1): SignedMessages =>
  sign(accountIndex, [{ kind: 'cancel', nonce, floorBackWords }]);

describe('orders in the engine', () => {
  let world: World;
  beforeEach(async () => {
    world = await World.open();
    await world.fund({ 1: 10_000n, 2: 10_000n, 3: 10_000n }, { 1: 50n });
  });

  it('lets an ioc order take what it can and ends it', async () => {
    await world.order(1, 'sell', 3n, 100n);
    const hash = hashOf(await world.order(2, 'buy', 10n, 100n, {}, { timeInForce: 'ioc' }));
    const order = await orderOf(world, hash);
    expect(order.filledLots).to.equal(3n);
    expect(order.closed?.reason).to.equal('ioc');
    expect(await world.engine.read((state) => state.book(PERP).best('buy'))).to.equal(undefined);
  });

  it('takes a fok order only when the whole size can be had', async () => {
    await world.order(1, 'sell', 3n, 100n);
    const refused = rejectionOf(await world.order(2, 'buy', 4n, 100n, {}, { timeInForce: 'fok' }));
    expect(refused.code).to.equal('fok-not-fillable');
    expect(refused.data).to.deep.equal({ sizeLots: 4n, takeableLots: 3n });
    const hash = hashOf(await world.order(2, 'buy', 3n, 100n, {}, { timeInForce: 'fok' }));
    expect((await orderOf(world, hash)).closed?.reason).to.equal('filled');
  });

  it('fills a fok order past a resting order that no longer passes, and leaves nothing of a failed one', async () => {
    const poor = await World.open();
    await poor.fund({ 1: 250n, 2: 10_000n, 3: 10_000n });
    await poor.order(2, 'sell', 10n, 100n);
    await poor.order(1, 'buy', 10n, 100n);
    await poor.settle();
    const dead = hashOf(await poor.order(1, 'buy', 1n, 91n));
    hashOf(await poor.order(2, 'buy', 3n, 90n));
    await poor.round(marked(95n));
    const log = poor.engine.logSequence;
    const refused = rejectionOf(await poor.order(3, 'sell', 5n, 90n, {}, { timeInForce: 'fok' }));
    expect(refused.code).to.equal('fok-not-fillable');
    expect(refused.data).to.deep.equal({ sizeLots: 5n, takeableLots: 4n });
    expect(poor.engine.logSequence).to.equal(log);
    const hash = hashOf(await poor.order(3, 'sell', 3n, 90n, {}, { timeInForce: 'fok' }));
    expect((await orderOf(poor, dead)).closed?.reason).to.equal('no-longer-passes');
    expect((await orderOf(poor, hash)).fills.map(({ lots }) => lots)).to.deep.equal([3n]);
    expect(await positionOf(poor, 3)).to.equal(-3n);
  });

  it('refuses a post-only order that would trade at once', async () => {
    await world.order(1, 'sell', 3n, 100n);
    const refused = rejectionOf(await world.order(2, 'buy', 1n, 100n, {}, { isPostOnly: true }));
    expect(refused.code).to.equal('post-only-would-take');
    expect(refused.data.bestMicrosPerLot).to.equal(100n * USD);
    hashOf(await world.order(2, 'buy', 1n, 99n, {}, { isPostOnly: true }));
  });

  it('never trades an account with itself: the incoming order ends, the resting one stays', async () => {
    const resting = hashOf(await world.order(1, 'sell', 3n, 100n));
    const incoming = hashOf(await world.order(1, 'buy', 3n, 100n));
    expect((await orderOf(world, incoming)).closed?.reason).to.equal('self-trade');
    expect((await orderOf(world, resting)).closed).to.equal(undefined);
  });

  it('clamps a resting reduce-only order to the position as it is when it trades', async () => {
    await world.order(2, 'sell', 10n, 100n);
    await world.order(1, 'buy', 10n, 100n);
    await world.settle();
    const reduce = hashOf(await world.order(1, 'sell', 10n, 101n, { isReduceOnly: true }));
    // The position shrinks on another way before the order is reached.
    await world.order(3, 'buy', 8n, 100n);
    await world.order(1, 'sell', 8n, 100n);
    await world.settle();
    await world.order(3, 'buy', 5n, 101n);
    expect(await positionOf(world, 1)).to.equal(0n);
    expect((await orderOf(world, reduce)).filledLots).to.equal(2n);
    expect((await orderOf(world, reduce)).closed?.reason).to.equal('no-longer-passes');
  });

  it('never lets a reduce-only order flip a position, whatever else happens', async () => {
    const actions = fc.array(
      fc.record({
        account: fc.constantFrom(1, 2, 3),
        side: fc.constantFrom<'buy' | 'sell'>('buy', 'sell'),
        lots: fc.bigInt({ min: 1n, max: 6n }),
        price: fc.bigInt({ min: 98n, max: 102n }),
        isReduceOnly: fc.boolean(),
      }),
      { minLength: 5, maxLength: 20 },
    );
    await fc.assert(
      fc.asyncProperty(actions, async (list) => {
        const fresh = await World.open();
        await fresh.fund({ 1: 10_000n, 2: 10_000n, 3: 10_000n });
        const sizes = new Map<number, bigint>();
        const broken: string[] = [];
        fresh.engine.subscribe((events, state) => {
          for (const event of events) {
            if (event.kind !== 'trade') continue;
            const taker = state.orders.get(event.takerHash)!;
            const maker = state.orders.get(event.makerHash)!;
            for (const record of [maker, taker]) {
              const account = record.signed.accountIndex;
              const before = sizes.get(account) ?? 0n;
              const after = before + (record.order.side === 'buy' ? event.lots : -event.lots);
              const shrinks = before > 0n ? after >= 0n && after < before : after <= 0n && after > before;
              if (record.order.isReduceOnly && !shrinks) broken.push(`${before} → ${after}`);
              sizes.set(account, after);
            }
          }
        });
        for (const { account, side, lots, price, isReduceOnly } of list) {
          await fresh.order(account, side, lots, price, { isReduceOnly });
        }
        expect(broken).to.deep.equal([]);
        for (const [account, size] of sizes) expect(await positionOf(fresh, account)).to.equal(size);
      }),
      { numRuns: 8 },
    );
  });

  it('fills nothing of a nonce after its cancel was acknowledged, in any interleaving', async function () {
    this.timeout(240_000);
    const scenario = fc.record({
      cancelAt: fc.nat(8),
      takers: fc.array(fc.bigInt({ min: 1n, max: 4n }), { minLength: 3, maxLength: 8 }),
      sealAt: fc.nat(8),
    });
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), scenario, async (scheduler, { cancelAt, takers, sealAt }) => {
        const fresh = await World.open();
        await fresh.fund({ 1: 10_000n, 2: 10_000n });
        const resting = hashOf(await fresh.order(1, 'sell', 20n, 100n, { nonce: 0n }));
        let acknowledgedAt: number | undefined;
        const trades: number[] = [];
        let clock = 0;
        fresh.engine.subscribe((events: readonly EngineEvent[]) => {
          for (const event of events) if (event.kind === 'trade') trades.push(++clock);
        });
        const jobs: Promise<unknown>[] = [];
        takers.forEach((lots, i) => {
          if (i === cancelAt % takers.length) {
            jobs.push(
              scheduler.schedule(Promise.resolve()).then(async () => {
                const done = await fresh.submit(cancel(1, 0n));
                if ('hash' in done) acknowledgedAt = ++clock;
              }),
            );
          }
          if (i === sealAt % takers.length)
            jobs.push(scheduler.schedule(Promise.resolve()).then(() => fresh.seal()));
          const order = fresh.signOrder(2, 'buy', lots, 100n);
          jobs.push(scheduler.schedule(Promise.resolve()).then(() => fresh.submit(order)));
        });
        await scheduler.waitAll();
        await Promise.all(jobs);
        const after = acknowledgedAt;
        if (after !== undefined) expect(trades.filter((at) => at > after)).to.deep.equal([]);
        expect((await orderOf(fresh, resting)).closed?.reason).to.be.oneOf(['cancelled', 'filled']);
      }),
      { numRuns: 200, endOnFailure: true },
    );
  });

  it('refuses an order whose cancel came first', async () => {
    hashOf(await world.submit(cancel(1, 5n)));
    const refused = rejectionOf(await world.order(1, 'buy', 1n, 90n, { nonce: 5n }));
    expect(refused.code).to.equal('nonce-used');
    expect(refused.data.isCancelled).to.equal(true);
  });

  it('proves a cancel in a batch: the nonce is dead in the state', async () => {
    const order = hashOf(await world.order(1, 'buy', 1n, 90n, { nonce: 7n }));
    const hash = hashOf(await world.submit(cancel(1, 7n)));
    expect((await orderOf(world, order)).closed?.reason).to.equal('cancelled');
    await world.settle();
    const message = await world.engine.read((state) => state.messages.get(hash)!);
    expect(message.batchNumber).to.be.greaterThan(0);
    const usedMap = await world.engine.read((state) => state.account(1).usedMap);
    expect((usedMap >> 7n) & 1n).to.equal(1n);
    expect(rejectionOf(await world.submit(cancel(1, 7n, 0))).code).to.equal('nonce-dead');
  });

  it('cancels everything with one message, and takes orders of the next epoch after its batch', async () => {
    const first = hashOf(await world.order(1, 'buy', 1n, 90n));
    const second = hashOf(await world.order(1, 'sell', 1n, 110n));
    hashOf(await world.submit(sign(1, [{ kind: 'cancel-all' }])));
    for (const hash of [first, second]) {
      expect((await orderOf(world, hash)).closed?.reason).to.equal('cancelled-all');
    }
    expect(rejectionOf(await world.order(1, 'buy', 1n, 90n)).code).to.equal('wrong-epoch');
    await world.settle();
    const next = world.signOrder(1, 'buy', 1n, 90n, { nonce: 0n }, 2n);
    hashOf(await world.submit(next));
  });

  it('refuses a cancel-all that is sent again after its epoch has ended', async () => {
    const signed = sign(1, [{ kind: 'cancel-all' }]);
    hashOf(await world.submit(signed));
    await world.settle();
    const again = await world.engine.submit(structuredClone(signed));
    expect(again.ok ? again.value.isRepeat : again.code).to.be.oneOf([true, 'wrong-epoch']);
    expect(await world.engine.read((state) => state.account(1).epoch)).to.equal(2n);
  });

  it('expires orders when batch time passes their expiry', async () => {
    const hash = hashOf(await world.order(1, 'buy', 1n, 90n, { expirySec: NOW_SEC + 10n }));
    await world.l1Block([], [], { timeSec: NOW_SEC + 10n });
    expect((await orderOf(world, hash)).closed).to.equal(undefined);
    await world.l1Block([], [], { timeSec: NOW_SEC + 11n });
    expect((await orderOf(world, hash)).closed?.reason).to.equal('expired');
  });

  it('ends orders that a moved nonce floor has killed', async () => {
    const old = hashOf(await world.order(1, 'buy', 1n, 90n, { nonce: 3n }));
    await world.order(2, 'sell', 1n, 100n);
    hashOf(await world.order(1, 'buy', 1n, 100n, { nonce: 32n, floorBackWords: 0 }));
    expect((await orderOf(world, old)).closed?.reason).to.equal('nonce-dead');
  });

  it('sells spot only as far as it is held, over all open orders', async () => {
    hashOf(await world.order(1, 'sell', 30n, 100n, { instrumentId: SPOT }));
    const refused = rejectionOf(await world.order(1, 'sell', 21n, 101n, { instrumentId: SPOT }));
    expect(refused.code).to.equal('insufficient-spot');
    expect(refused.data).to.deep.equal({ heldLots: 50n, sellLots: 51n, shortLots: 1n });
    hashOf(await world.order(1, 'sell', 20n, 101n, { instrumentId: SPOT }));
    await world.order(2, 'buy', 35n, 101n, { instrumentId: SPOT });
    expect(await positionOf(world, 1, SPOT)).to.equal(15n);
    expect(await positionOf(world, 2, SPOT)).to.equal(35n);
  });

  it('ends an order that would trade in a jump round for its prices, not for a backlog', async () => {
    await world.round({ ...marked(100n), isJump: true });
    const ask = hashOf(await world.order(2, 'sell', 1n, 100n));
    const bid = hashOf(await world.order(1, 'buy', 1n, 100n));
    const closed = (await orderOf(world, bid)).closed;
    expect(closed?.reason).to.equal('prices-unusable');
    expect(closed?.because?.code).to.equal('prices-unusable');
    expect((await orderOf(world, ask)).closed).to.equal(undefined);
  });

  it('cancels a resting order that no longer passes at the new round, with its numbers', async () => {
    const poor = await World.open();
    await poor.fund({ 1: 250n, 2: 10_000n, 3: 10_000n });
    // Long 10 at 100: margin 210 of 250. The bid for one more is admitted at this round.
    await poor.order(2, 'sell', 10n, 100n);
    await poor.order(1, 'buy', 10n, 100n);
    await poor.settle();
    const bid = hashOf(await poor.order(1, 'buy', 1n, 90n));
    await poor.round(marked(95n));
    const ask = hashOf(await poor.order(3, 'sell', 1n, 90n));
    const closed = (await orderOf(poor, bid)).closed;
    expect(closed?.reason).to.equal('no-longer-passes');
    expect(closed?.because?.data).to.include({ accountIndex: 1 });
    expect((await orderOf(poor, ask)).closed).to.equal(undefined);
  });

  it('serves a withdrawal down to 1.25 times margin and refuses one micro more', async () => {
    await world.order(2, 'sell', 100n, 100n);
    await world.order(1, 'buy', 100n, 100n);
    await world.settle();
    const withdraw = (amount: bigint) =>
      world.submit(sign(1, [withdrawMessage({ amount, nonce: world.nonce(1) })]));
    // Equity 10,000 + 50 spot lots at 100; margin 21 % of 10,000 and 28 % of 5,000. Quote balance binds first.
    const room = await world.engine.read((state) => state.account(1).cashStar + 100n * 100n * USD);
    const refused = rejectionOf(await withdraw(room + 1n));
    expect(refused.code).to.equal('quote-debt');
    hashOf(await withdraw(USD));
    await world.settle();
    expect(await world.engine.read((state) => state.account(1).cashStar)).to.equal(
      room - 100n * 100n * USD - USD,
    );
  });
});
