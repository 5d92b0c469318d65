import { expect } from 'chai';
import { sizeOf } from '#protocol/account.ts';
import { accountFromElements } from '#protocol/leaf.ts';
import { TINY_BATCH } from '#protocol/limits.ts';
import { countedDeposits, marginOf } from '#protocol/risk/margin.ts';
import type { MicrosPerLot } from '#protocol/units.ts';
import { compileCircuit } from '#prover/setup/compile.ts';
import { buildCircuitInput } from '#prover/witness/build-circuit-input.ts';
import type { EngineEvent } from '#sequencer/commands.ts';
import { liquidationView } from '#sequencer/views.ts';
import { refusedBy } from '../../support/circuit-witness.ts';
import { hashOf, World } from '../../support/engine.ts';
import {
  l1,
  marked,
  OTHER,
  PERP,
  ROOMY,
  riskRow,
  SPOT,
  settledAt,
  THIRD,
  USD,
} from '../../support/ledger.ts';

/** Events of one kind that `act` causes. */
async function eventsOf<K extends EngineEvent['kind']>(world: World, kind: K, act: () => Promise<void>) {
  const seen: Extract<EngineEvent, { kind: K }>[] = [];
  const stop = world.engine.subscribe((events) => {
    for (const event of events)
      if (event.kind === kind) seen.push(event as Extract<EngineEvent, { kind: K }>);
  });
  await act();
  stop();
  return seen;
}

const marginNow = (world: World, accountIndex: number) =>
  world.engine.read((state) => marginOf(state.account(accountIndex), state.table!.table, state.config.shape));
const sizeNow = (world: World, accountIndex: number, id = PERP) =>
  world.engine.read((state) => sizeOf(state.account(accountIndex), id));

/** Account 1 long 10 perps at 100 with $230 on it; 2 on the other side; 3 ready to buy. */
async function longWorld(dollars = 230n): Promise<World> {
  const world = await World.open();
  await world.fund({ 1: dollars, 2: 10_000n, 3: 10_000n });
  hashOf(await world.order(2, 'sell', 10n, 100n));
  hashOf(await world.order(1, 'buy', 10n, 100n));
  await world.settle();
  return world;
}

describe('liquidation', () => {
  it('closes just enough of an account below maintenance margin, inside the band', async () => {
    const world = await longWorld();
    hashOf(await world.order(3, 'buy', 10n, 0n, { limitMicrosPerLot: 91_500_000n }));
    // At 92 equity is 150, MM 152.72, IM 193.2. Each lot closed frees IM of 19.32 and costs 0.50 and a penalty of 0.92.
    const events = await eventsOf(world, 'liquidation', () => world.round(marked(92n)));
    expect(events).to.have.length(1);
    expect(events[0]).to.include({ accountIndex: 1, instrumentId: PERP, isShort: false, reason: 1 });
    expect(events[0].closedLots).to.equal(3n);
    expect(events[0].cashMicros).to.equal(3n * 91_500_000n);
  });

  it('leaves alone what no order inside the band can close', async () => {
    const world = await longWorld();
    // The band is 1 %: a bid at 91 is outside of 92 − 0.92.
    hashOf(await world.order(3, 'buy', 10n, 91n));
    const events = await eventsOf(world, 'liquidation', () => world.round(marked(92n)));
    expect(events).to.deep.equal([]);
    expect(await world.engine.read((state) => state.isLiquidationDue)).to.equal(true);
  });

  it('lands between maintenance margin and initial margin plus $50', async () => {
    const world = await longWorld();
    hashOf(await world.order(3, 'buy', 10n, 92n));
    const events = await eventsOf(world, 'liquidation', () => world.round(marked(92n)));
    expect(events).to.have.length(1);
    expect(events[0].closedLots).to.be.greaterThan(0n);
    expect(events[0].closedLots).to.be.lessThan(10n);
    const after = await marginNow(world, 1);
    expect(after.health).to.equal('open');
    expect(after.equity).to.be.lessThan(after.initialMarginMicrosUp + 50n * USD);
    await world.settle();
  });

  it('leaves an account exactly at maintenance margin alone', async () => {
    // At 92: MM = 10 · 92 · (0.8 · 20 % + 0.6 %) = 152.72, equity = deposit − 80.
    const world = await World.open();
    await world.fund({ 1: 230n, 2: 10_000n, 3: 10_000n });
    await world.l1Block([l1('deposit', 1, 0, 2_720_000n)]);
    hashOf(await world.order(2, 'sell', 10n, 100n));
    hashOf(await world.order(1, 'buy', 10n, 100n));
    hashOf(await world.order(3, 'buy', 10n, 92n));
    await world.settle();
    const events = await eventsOf(world, 'liquidation', () => world.round(marked(92n)));
    expect(events).to.deep.equal([]);
    expect((await marginNow(world, 1)).equity).to.equal(152_720_000n);
  });

  it('counts deposits that wait in the queue before it judges', async () => {
    const world = await longWorld();
    hashOf(await world.order(3, 'buy', 10n, 92n));
    // Known on L1, not yet deep enough to be credited.
    const events = await eventsOf(world, 'liquidation', async () => {
      const timeSec = world.timeSec + 60n;
      await world.l1Block([l1('deposit', 1, 0, 5n * USD)], [{ ...marked(92n), roundNumber: 99n, timeSec }], {
        timeSec,
        confirmed: false,
      });
    });
    expect(events).to.deep.equal([]);
  });

  /** Account 1 long 10 of PERP and short 10 of OTHER, which move alike; 3 quotes both at `dollars` and 100. */
  async function hedgedWorld(dollars: bigint, lots = 10n): Promise<World> {
    const world = await World.open();
    await world.fund({ 1: 250n, 2: 100_000n, 3: 100_000n });
    hashOf(await world.order(2, 'sell', 10n, 100n));
    hashOf(await world.order(1, 'buy', 10n, 100n));
    hashOf(await world.order(2, 'buy', 10n, 100n, { instrumentId: OTHER }));
    hashOf(await world.order(1, 'sell', 10n, 100n, { instrumentId: OTHER }));
    await world.settle();
    hashOf(await world.order(3, 'buy', lots, dollars));
    hashOf(await world.order(3, 'sell', lots, 100n, { instrumentId: OTHER }));
    return world;
  }

  it('closes both legs of a hedge, of which either alone would raise the margin', async () => {
    const world = await hedgedWorld(76n);
    // At 76 equity is 10 and MM 48.96; with one leg less the other alone asks for 130 or more.
    const events = await eventsOf(world, 'liquidation', () => world.round(marked(76n)));
    expect(events.map(({ instrumentId, isShort }) => [instrumentId, isShort])).to.deep.equal([
      [PERP, false],
      [OTHER, true],
    ]);
    expect(events[0].closedLots).to.equal(events[1].closedLots);
    expect((await marginNow(world, 1)).health).to.not.equal('liquidatable');
    expect(await world.engine.read((state) => state.isLiquidationDue)).to.equal(false);
    await world.settle();
  });

  it('closes as much of a hedge as its counterparties take', async () => {
    const world = await hedgedWorld(76n, 4n);
    const events = await eventsOf(world, 'liquidation', () => world.round(marked(76n)));
    expect(events.map(({ closedLots }) => closedLots)).to.deep.equal([4n, 4n]);
    expect([await sizeNow(world, 1), await sizeNow(world, 1, OTHER)]).to.deep.equal([6n, -6n]);
    expect(await world.engine.read((state) => state.isLiquidationDue)).to.equal(true);
  });

  it('finds room for a hedge and both its counterparties while settlements wait', async () => {
    const world = await World.open({ capacity: { ...ROOMY, accounts: 3 } });
    await world.fund({ 1: 250n, 2: 100_000n, 3: 100_000n, 4: 100_000n, 5: 1_000n, 6: 1_000n });
    const trade = async (buyer: number, seller: number, lots: bigint, instrumentId: number) => {
      hashOf(await world.order(seller, 'sell', lots, 100n, { instrumentId }));
      hashOf(await world.order(buyer, 'buy', lots, 100n, { instrumentId }));
    };
    await trade(1, 2, 10n, PERP);
    await trade(2, 1, 10n, OTHER);
    await trade(5, 6, 1n, THIRD);
    await world.settle();
    hashOf(await world.order(3, 'buy', 10n, 76n));
    hashOf(await world.order(4, 'sell', 10n, 100n, { instrumentId: OTHER }));
    const round = settledAt({ [THIRD]: 100n }, { [PERP]: { mark: (76n * USD) as MicrosPerLot } });
    const events = await eventsOf(world, 'liquidation', () => world.round(round));
    expect(events).to.have.length(2);
    expect(events[0].batchNumber).to.equal(events[1].batchNumber);
    await world.settle();
    expect(await sizeNow(world, 5, THIRD)).to.equal(0n);
  });

  it('leaves a hedge alone while nobody takes one of its legs', async () => {
    const world = await World.open();
    await world.fund({ 1: 250n, 2: 100_000n, 3: 100_000n });
    hashOf(await world.order(2, 'sell', 10n, 100n));
    hashOf(await world.order(1, 'buy', 10n, 100n));
    hashOf(await world.order(2, 'buy', 10n, 100n, { instrumentId: OTHER }));
    hashOf(await world.order(1, 'sell', 10n, 100n, { instrumentId: OTHER }));
    await world.settle();
    hashOf(await world.order(3, 'buy', 10n, 76n));
    expect(await eventsOf(world, 'liquidation', () => world.round(marked(76n)))).to.deep.equal([]);
  });

  it('does nothing in a jump round and resumes in the next', async () => {
    const world = await longWorld();
    hashOf(await world.order(3, 'buy', 10n, 92n));
    const jump = await eventsOf(world, 'liquidation', () => world.round({ ...marked(92n), isJump: true }));
    expect(jump).to.deep.equal([]);
    const next = await eventsOf(world, 'liquidation', () => world.round(marked(92n)));
    expect(next).to.have.length(1);
  });

  it('closes a short against asks, and takes the best price first', async () => {
    const world = await World.open();
    await world.fund({ 1: 230n, 2: 10_000n, 3: 10_000n });
    hashOf(await world.order(2, 'buy', 10n, 100n));
    hashOf(await world.order(1, 'sell', 10n, 100n));
    await world.settle();
    hashOf(await world.order(3, 'sell', 1n, 107n));
    hashOf(await world.order(2, 'sell', 10n, 108n));
    const events = await eventsOf(world, 'liquidation', () => world.round(marked(107n)));
    expect(events.map(({ isShort }) => isShort)).to.deep.equal(events.map(() => true));
    expect(events[0].cashMicros).to.equal(107n * USD);
    expect(events[1].cashMicros).to.equal(events[1].closedLots * 108n * USD);
  });

  it('closes a bankrupt account at the band without a penalty, and the fund pays the debt once', async () => {
    const world = await longWorld();
    await world.l1Block([{ ...l1('fundDonation', 0, 0, 1_000n * USD) }]);
    await world.settle();
    hashOf(await world.order(3, 'buy', 20n, 75n));
    const closed: EngineEvent[] = [];
    world.engine.subscribe((events) => {
      closed.push(...events.filter(({ kind }) => kind === 'fund-payment' || kind === 'account-liquidated'));
    });
    await world.round(marked(75n));
    await world.settle();
    await world.round(marked(75n));
    await world.settle();
    expect(await sizeNow(world, 1)).to.equal(0n);
    // 230 − 10 · 25 = −20.
    const payments = closed.filter(({ kind }) => kind === 'fund-payment');
    expect(payments).to.deep.equal([
      {
        kind: 'fund-payment',
        batchNumber: payments.length > 0 ? (payments[0] as { batchNumber: number }).batchNumber : 0,
        accountIndex: 1,
        amountMicros: 20n * USD,
      },
    ]);
    expect(await world.engine.read((state) => state.account(1).cashStar)).to.equal(0n);
    expect(await world.engine.read((state) => state.l1Ledger.fundBookedMicros)).to.equal(980n * USD);
    const told = closed.find(({ kind }) => kind === 'account-liquidated') as Extract<
      EngineEvent,
      { kind: 'account-liquidated' }
    >;
    expect(told.penaltyMicros).to.equal(0n);
    expect(told.before.equityMicros).to.equal(-20n * USD);
  });

  it('sells spot collateral for quote debt', async () => {
    const world = await World.open();
    await world.fund({ 1: 0n, 2: 100_000n, 3: 100_000n }, { 1: 100n });
    hashOf(await world.order(2, 'sell', 100n, 100n));
    hashOf(await world.order(1, 'buy', 100n, 100n));
    await world.settle();
    hashOf(await world.order(3, 'buy', 100n, 100n, { instrumentId: SPOT }));
    hashOf(await world.order(3, 'buy', 100n, 44n));
    // The perp falls to 44: quote balance −5,600, spot after haircut 9,200, so debt is beyond 60 %. Equity of
    // 4,400 covers MM of 2,830.40. 31 lots of spot at 100 (penalty 1 each) bring the debt within 40 %.
    const events = await eventsOf(world, 'liquidation', () => world.round(marked(44n)));
    expect(events).to.have.length(1);
    expect(events[0]).to.include({ instrumentId: SPOT, reason: 2, closedLots: 31n });
    expect(await sizeNow(world, 1)).to.equal(100n);
    const after = await marginNow(world, 1);
    expect(after.quoteBalance).to.equal((-5_600n + 31n * 99n) * USD);
    expect(10n * after.quoteBalance + 4n * after.haircutSpot >= 0n).to.equal(true);
    await world.settle();
  });

  it('shows numbers from which anyone can compute the verdict', async () => {
    const world = await longWorld();
    hashOf(await world.order(3, 'buy', 10n, 92n));
    await world.round(marked(92n));
    await world.seal();
    const sealed = await world.engine.read(
      (state) => [...state.batches.values()].find((entry) => entry.isLiquidating)!.sealed!,
    );
    const view = liquidationView(sealed, 0)!;
    expect(view.before.equityMicros).to.equal(150n * USD);
    expect(view.before.maintenanceMarginMicros).to.equal(152_720_000n);
    const { before, table, pending } = view;
    const leaf = accountFromElements(before.leafElements, sealed.shape);
    const again = marginOf(leaf, table, sealed.shape, countedDeposits(leaf, table, pending));
    expect(again.losses).to.deep.equal(before.scenarioLossMicros);
    expect(again.equity < again.maintenanceMarginMicrosUp).to.equal(true);
  });

  it('is held off by spot that waits within the position cap, not by a lot more, which L1 gives back', async () => {
    const { positionCap } = riskRow(SPOT);
    for (const [lots, isHeldOff] of [
      [positionCap, true],
      [positionCap + 1n, false],
    ] as const) {
      const world = await longWorld();
      hashOf(await world.order(3, 'buy', 10n, 92n));
      await world.l1Block([l1('deposit', 1, SPOT, lots)], [], { confirmed: false });
      const events = await eventsOf(world, 'liquidation', () => world.round(marked(92n)));
      expect(events.map(({ accountIndex }) => accountIndex)).to.deep.equal(isHeldOff ? [] : [1]);
      // The queue is confirmed: the deposit is taken up, or refused.
      await world.l1Block();
      await world.settle();
      expect(await sizeNow(world, 1, SPOT)).to.equal(isHeldOff ? lots : 0n);
    }
  });

  it('has a proof beside a lot of a token that waits and is not held', async function () {
    this.timeout(600_000);
    const world = await World.open({ capacity: TINY_BATCH });
    await world.fund({ 1: 1_130n, 2: 10_000n });
    hashOf(await world.order(2, 'sell', 50n, 100n));
    hashOf(await world.order(1, 'buy', 50n, 100n));
    await world.settle();
    hashOf(await world.order(2, 'buy', 50n, 90n));
    await world.l1Block([l1('deposit', 1, SPOT, 1n)], [], { confirmed: false });
    await world.round(marked(90n));
    await world.seal();
    const sealed = await world.engine.read(
      (state) => [...state.batches.values()].find((entry) => entry.isLiquidating)?.sealed,
    );
    expect(sealed?.content.liquidatedAccounts[0].pending.spotLots).to.deep.equal([1n, 0n, 0n]);
    const { wasmPath } = await compileCircuit('circuits/main/batch-tiny.circom');
    expect(await refusedBy(wasmPath, buildCircuitInput(sealed!).input)).to.equal(undefined);
  });

  it('works through accounts that do not fit one batch, and stops at three unproved ones', async () => {
    const capacity = { ...ROOMY, accounts: 3, liquidations: 1 };
    const world = await World.open({ capacity });
    await world.fund({ 1: 230n, 4: 230n, 5: 230n, 6: 230n, 7: 230n, 2: 100_000n, 3: 100_000n });
    for (const account of [1, 4, 5, 6, 7]) {
      hashOf(await world.order(2, 'sell', 10n, 100n));
      hashOf(await world.order(account, 'buy', 10n, 100n));
      await world.settle();
    }
    hashOf(await world.order(3, 'buy', 100n, 92n));
    const first = await eventsOf(world, 'liquidation', () => world.round(marked(92n)));
    expect(new Set(first.map(({ accountIndex }) => accountIndex)).size).to.be.within(3, 4);
    expect(await world.engine.read((state) => state.unprovedBatches.length)).to.be.at.most(3);
    await world.settle();
    for (const account of [1, 4, 5, 6, 7]) {
      expect((await marginNow(world, account)).health, `account ${account}`).to.equal('open');
    }
  });

  it('never touches a healthy account', async () => {
    const world = await longWorld(10_000n);
    hashOf(await world.order(3, 'buy', 10n, 92n));
    hashOf(await world.order(3, 'buy', 10n, 92n, { instrumentId: OTHER }));
    expect(await eventsOf(world, 'liquidation', () => world.round(marked(92n)))).to.deep.equal([]);
    await world.engine.command({ kind: 'liquidation-scan' });
    expect(await sizeNow(world, 1)).to.equal(10n);
  });
});
