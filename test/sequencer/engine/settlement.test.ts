import { expect } from 'chai';
import { sizeOf } from '#protocol/account.ts';
import type { RiskTable } from '#protocol/instrument.ts';
import { accountAt, stateRoot } from '#protocol/state.ts';
import type { EngineEvent } from '#sequencer/commands.ts';
import { settlementsView } from '#sequencer/views.ts';
import { hashOf, rejectionOf, World } from '../../support/engine.ts';
import { OTHER, PERP, ROOMY, settledAt, THIRD, USD } from '../../support/ledger.ts';

/** Longs 1, 3, 5 and shorts 2, 4 in the perp; 1 and 2 also hold the option. */
async function held(capacity = ROOMY): Promise<World> {
  const world = await World.open({ capacity });
  await world.fund({ 1: 1_000n, 2: 1_000n, 3: 1_000n, 4: 1_000n, 5: 1_000n });
  const trade = async (buyer: number, seller: number, lots: bigint, id = PERP) => {
    hashOf(await world.order(seller, 'sell', lots, 100n, { instrumentId: id }));
    hashOf(await world.order(buyer, 'buy', lots, 100n, { instrumentId: id }));
  };
  await trade(1, 2, 4n);
  await trade(3, 2, 2n);
  await trade(5, 4, 3n);
  await trade(1, 2, 1n, THIRD);
  await world.settle();
  return world;
}

function collect(world: World): EngineEvent[] {
  const seen: EngineEvent[] = [];
  world.engine.subscribe((events) => seen.push(...events));
  return seen;
}
const settledIn = (events: readonly EngineEvent[]) =>
  events.flatMap((event) => (event.kind === 'position-settled' ? [event] : []));
const retiredIn = (events: readonly EngineEvent[]) =>
  events.flatMap((event) => (event.kind === 'instrument-retired' ? [event.instrumentId] : []));
const holders = (world: World, id = PERP) =>
  world.engine.read((state) => [1, 2, 3, 4, 5].filter((index) => sizeOf(state.account(index), id) !== 0n));
const expired: RiskTable = settledAt({ [PERP]: 110n });

describe('the engine after an expiry', () => {
  it('converts every holder at the settlement price and says so', async () => {
    const world = await held();
    const events = collect(world);
    await world.round(expired);
    await world.settle();
    expect(settledIn(events)).to.have.length(5);
    const [first] = settledIn(events);
    expect(first).to.include({ accountIndex: 1, instrumentId: PERP, isShort: false, lots: 4n });
    expect(first).to.include({ priceMicrosPerLot: 110n * USD, cashMicros: 440n * USD });
    expect(settledIn(events).find((event) => event.accountIndex === 2)).to.include({
      isShort: true,
      lots: 6n,
      cashMicros: -660n * USD,
    });
    const { sealed } = await world.engine.read((state) => ({
      sealed: [...state.batches.values()].at(-1)?.sealed,
    }));
    const rows = settlementsView(sealed!);
    expect(rows.map((row) => row.cashMicros)).to.deep.equal(
      settledIn(events).map((event) => event.cashMicros),
    );
    expect(rows[0]).to.include({ accountIndex: 1, lots: 4n, priceMicrosPerLot: 110n * USD });
    expect(settledIn(events).reduce((sum, event) => sum + event.cashMicros, 0n)).to.equal(0n);
    expect(await holders(world)).to.deep.equal([]);
    expect(await holders(world, THIRD), 'what is not settled stays').to.deep.equal([1, 2]);
    expect(retiredIn(events)).to.deep.equal([PERP]);
  });

  it('converts no more in a batch than it has rows, over as many batches as it takes', async () => {
    const world = await held({ ...ROOMY, settlements: 2 });
    const events = collect(world);
    await world.round(expired);
    expect(settledIn(events)).to.have.length(2);
    for (let turn = 0; turn < 4; turn++) await world.settle();
    const perBatch = new Map<number, number>();
    for (const { batchNumber } of settledIn(events))
      perBatch.set(batchNumber, (perBatch.get(batchNumber) ?? 0) + 1);
    expect([...perBatch.values()]).to.deep.equal([2, 2, 1]);
    expect(await holders(world)).to.deep.equal([]);
    expect(retiredIn(events), 'by the last of them').to.deep.equal([PERP]);
  });

  it('leaves room for a trade in the batch that it opens', async () => {
    const world = await held({ ...ROOMY, accounts: 4, settlements: 8 });
    const events = collect(world);
    hashOf(await world.order(4, 'sell', 1n, 100n, { instrumentId: OTHER }));
    await world.round(expired);
    await world.seal();
    hashOf(await world.order(5, 'buy', 1n, 100n, { instrumentId: OTHER }));
    const trade = events.find((event) => event.kind === 'trade');
    expect(trade).to.not.equal(undefined);
  });

  it('takes orders in the instrument off the book and takes no more of them', async () => {
    const world = await held();
    const resting = hashOf(await world.order(3, 'sell', 2n, 200n, { isReduceOnly: true }));
    await world.round(expired);
    expect(await world.engine.read((state) => state.orders.get(resting)?.closed?.reason)).to.equal('expired');
    rejectionOf(await world.order(3, 'sell', 1n, 110n));
  });

  it('retires what nobody holds, one instrument a batch', async () => {
    const world = await held();
    const events = collect(world);
    await world.round(settledAt({ [OTHER]: 100n, [PERP]: 110n, [THIRD]: 0n }));
    for (let turn = 0; turn < 4; turn++) await world.settle();
    expect([...retiredIn(events)].sort()).to.deep.equal([PERP, OTHER, THIRD]);
    const batches = events.filter((event) => event.kind === 'instrument-retired').map((e) => e.batchNumber);
    expect(new Set(batches).size).to.equal(3);
    const before = await world.engine.read((state) => state.nextBatchNumber);
    await world.round(settledAt({ [OTHER]: 100n, [PERP]: 110n, [THIRD]: 0n }));
    await world.settle();
    expect(await world.engine.read((state) => state.nextBatchNumber), 'each once').to.equal(before);
  });

  it('pays a debt that a settlement uncovers from the fund', async () => {
    const world = await held();
    const events = collect(world);
    await world.round(settledAt({ [PERP]: 700n }));
    await world.settle();
    const { cashStar } = await world.engine.read((state) => accountAt(state.ledger, 4));
    expect(cashStar).to.equal((1_000n - 3n * 600n) * USD);
    expect(
      events.some((event) => event.kind === 'fund-payment'),
      'the fund is empty here',
    ).to.equal(false);
  });

  it('does its conversions again in a reseal, and what they made possible', async () => {
    const world = await held();
    await world.round(expired);
    await world.seal();
    const [batch] = await world.engine.read((state) => state.unprovedBatches.map(({ number }) => number));
    const root = await world.engine.stateRoot();
    const events = collect(world);
    await world.round(expired);
    expect(await world.engine.command({ kind: 'reseal', batchNumber: batch, reason: 'asked' })).to.equal(
      undefined,
    );
    await world.seal();
    expect(settledIn(events)).to.have.length(5);
    expect(retiredIn(events)).to.deep.equal([PERP]);
    expect(await world.engine.stateRoot()).to.equal(root);
  });

  it('folds its log to the same ledger', async () => {
    const world = await held();
    await world.round(expired);
    await world.seal();
    const root = await world.engine.stateRoot();
    await world.engine.stop();
    await world.start();
    expect(await world.engine.stateRoot()).to.equal(root);
    expect(await world.engine.read((state) => stateRoot(state.ledger))).to.equal(root);
    expect(await world.engine.read((state) => [...state.retired])).to.deep.equal([PERP]);
  });
});
