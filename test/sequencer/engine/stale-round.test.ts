/** THREATS R03, R06: what a round may not do once it is old, also after a restart in the middle of a fall. */
import { expect } from 'chai';
import { sizeOf } from '#protocol/account.ts';
import { hashOf, rejectionOf, World } from '../../support/engine.ts';
import { l1, marked, NOW_SEC, PERP, sign, USD, withdrawMessage } from '../../support/ledger.ts';

/** Account 1 long 10 perps at 100 with $230, 2 on the other side, 3 with dollars alone and a bid within the band of 92. */
async function fallingWorld(): Promise<World> {
  const world = await World.open();
  await world.fund({ 1: 230n, 2: 10_000n, 3: 10_000n });
  hashOf(await world.order(2, 'sell', 10n, 100n));
  hashOf(await world.order(1, 'buy', 10n, 100n));
  await world.settle();
  const expirySec = NOW_SEC + 100_000n;
  hashOf(await world.order(3, 'buy', 10n, 0n, { limitMicrosPerLot: 91_500_000n, expirySec }));
  return world;
}

const sizeNow = (world: World, accountIndex: number) =>
  world.engine.read((state) => sizeOf(state.account(accountIndex), PERP));
/** L1 goes on without a new round until the one in force is `ageSec` old. */
const letAge = (world: World, ageSec: bigint) =>
  world.engine
    .read((state) => state.table?.table.timeSec ?? 0n)
    .then((timeSec) => world.l1Block([], [], { timeSec: timeSec + ageSec }));

const MAX_AGE_SEC = 180n;

describe('a round that grows old', () => {
  it('still fills an order at its age limit', async () => {
    const world = await fallingWorld();
    await letAge(world, MAX_AGE_SEC);
    hashOf(await world.order(2, 'sell', 1n, 91n));
    expect(await sizeNow(world, 3)).to.equal(1n);
  });

  it('fills nothing a second later, and says that it is the prices', async () => {
    const world = await fallingWorld();
    await letAge(world, MAX_AGE_SEC + 1n);
    const sell = await world.order(2, 'sell', 1n, 91n);
    expect(await sizeNow(world, 3)).to.equal(0n);
    const because = await world.engine.read((state) =>
      'hash' in sell ? state.orders.get(sell.hash)?.closed?.because?.code : sell.rejection.code,
    );
    expect(because).to.equal('prices-unusable');
  });

  it('lets a holder of dollars leave, and deposits and cancels go on, but no holder of positions', async () => {
    const world = await fallingWorld();
    const resting = hashOf(await world.order(2, 'sell', 1n, 120n, { nonce: 40n }));
    await letAge(world, 3_600n);
    const withdraw = (accountIndex: number) =>
      world.submit(
        sign(accountIndex, [
          withdrawMessage({ amount: USD, nonce: world.nonce(accountIndex), expirySec: world.timeSec }),
        ]),
      );
    hashOf(await withdraw(3));
    expect(rejectionOf(await withdraw(2)).code).to.equal('prices-unusable');
    hashOf(await world.submit(sign(2, [{ kind: 'cancel', nonce: 40n, floorBackWords: 1 }])));
    await world.l1Block([l1('deposit', 3, 0, 5n * USD)]);
    await world.settle();
    const { closed, cash } = await world.engine.read((state) => ({
      closed: state.orders.get(resting)?.closed?.reason,
      cash: state.account(3).cashStar,
    }));
    expect(closed).to.equal('cancelled');
    expect(cash).to.equal(10_004n * USD);
  });

  it('liquidates nobody on it after a restart, and the right account on the first fresh round', async () => {
    const world = await fallingWorld();
    await world.engine.command({
      kind: 'feed',
      marks: [{ instrumentId: PERP, markMicrosPerLot: 92n * USD }],
    });
    // Eight hours without a process: the market fell meanwhile, the last round knows nothing of it.
    await world.start();
    await letAge(world, 28_800n);
    await world.engine.command({ kind: 'liquidation-scan' });
    expect(await sizeNow(world, 1)).to.equal(10n);
    await world.round(marked(92n));
    expect(await sizeNow(world, 1)).to.equal(7n);
    await world.settle();
    expect(world.fatal).to.equal(undefined);
  });

  it('does not liquidate on an old round of an account that is below margin in it', async () => {
    const world = await World.open();
    await world.fund({ 1: 230n, 2: 10_000n, 3: 10_000n });
    hashOf(await world.order(2, 'sell', 10n, 100n));
    hashOf(await world.order(1, 'buy', 10n, 100n));
    await world.settle();
    // Below maintenance margin at 92, and nobody to buy until the round is old.
    await world.round(marked(92n));
    expect(await world.engine.read((state) => state.isLiquidationDue)).to.equal(true);
    await letAge(world, MAX_AGE_SEC + 1n);
    await world.start();
    hashOf(await world.order(3, 'buy', 10n, 92n));
    await world.engine.command({ kind: 'liquidation-scan' });
    expect(await sizeNow(world, 1)).to.equal(10n);
    await world.round(marked(92n));
    expect(await sizeNow(world, 1)).to.be.lessThan(10n);
  });
});
