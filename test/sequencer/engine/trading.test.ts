import { expect } from 'chai';
import { sizeOf } from '#protocol/account.ts';
import type { Lots } from '#protocol/units.ts';
import { hashOf, rejectionOf, World } from '../../support/engine.ts';
import { PERP, riskTable } from '../../support/ledger.ts';

const sizeOfAccount = (world: World, accountIndex: number) =>
  world.engine.read((state) => sizeOf(state.account(accountIndex), PERP));
const order = (world: World, hash: string) => world.engine.read((state) => state.orders.get(hash)!);

describe('the engine', () => {
  it('trades at the price of the resting order, in price-time priority', async () => {
    const world = await World.open();
    await world.fund({ 1: 1000n, 2: 1000n, 3: 1000n });
    const worse = hashOf(await world.order(1, 'sell', 5n, 102n));
    const first = hashOf(await world.order(1, 'sell', 5n, 101n));
    const second = hashOf(await world.order(2, 'sell', 5n, 101n));
    const taker = hashOf(await world.order(3, 'buy', 7n, 103n));
    expect((await order(world, taker)).closed?.reason).to.equal('filled');
    expect((await order(world, first)).filledLots).to.equal(5n);
    expect((await order(world, second)).filledLots).to.equal(2n);
    expect((await order(world, worse)).filledLots).to.equal(0n);
    expect(await sizeOfAccount(world, 3)).to.equal(7n);
    expect((await order(world, taker)).fills.map((fill) => fill.cashMicros)).to.deep.equal([
      505000000n,
      202000000n,
    ]);
    await world.settle();
    expect(await world.engine.read((state) => state.batches.size)).to.be.greaterThan(1);
  });

  it('refuses an order whose margin is short by one lot, with both numbers', async () => {
    const world = await World.open();
    await world.fund({ 1: 210n, 2: 10000n });
    const refused = rejectionOf(await world.order(1, 'buy', 11n, 100n));
    expect(refused.code).to.equal('insufficient-margin');
    expect(refused.data).to.include({ equityMicros: 210_000_000n, requiredMicros: 231_000_000n });
    hashOf(await world.order(1, 'buy', 10n, 100n));
  });

  it('ends a resting order that a lowered position cap leaves no room, and lets what is above it shrink', async () => {
    const world = await World.open();
    await world.fund({ 1: 1000n, 2: 1000n, 3: 1000n, 4: 1000n });
    await world.order(2, 'sell', 6n, 100n);
    await world.order(1, 'buy', 6n, 100n);
    await world.settle();
    const resting = hashOf(await world.order(1, 'buy', 4n, 99n));
    const next = hashOf(await world.order(3, 'buy', 4n, 98n));
    await world.round(riskTable({}, { [PERP]: { positionCap: 5n as Lots } }));
    // The first in line would make it eight lots and ends; the next takes the sale.
    const sale = hashOf(await world.order(4, 'sell', 2n, 98n));
    expect((await order(world, sale)).closed?.reason).to.equal('filled');
    const ended = (await order(world, resting)).closed;
    expect(ended?.reason).to.equal('no-longer-passes');
    expect(ended?.because?.code).to.equal('position-cap');
    expect((await order(world, next)).filledLots).to.equal(2n);
    const closing = hashOf(await world.order(1, 'sell', 2n, 98n, { isReduceOnly: true }));
    expect((await order(world, closing)).closed?.reason).to.equal('filled');
    expect(await sizeOfAccount(world, 1)).to.equal(4n);
    await world.settle();
  });
});
