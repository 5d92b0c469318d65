import { expect } from 'chai';
import type { BatchSize } from '#protocol/batch/sizes.ts';
import { InputError } from '#protocol/errors.ts';
import type { RiskTable } from '#protocol/instrument.ts';
import { MEDIUM_BATCH, SMALL_BATCH, type StateShape, TINY_BATCH, TINY_SHAPE } from '#protocol/limits.ts';
import { heldInstruments, marginOf } from '#protocol/risk/margin.ts';
import { microsPerLot } from '#protocol/units.ts';
import type { BatchEntry } from '#sequencer/state.ts';
import { batchView } from '#sequencer/views.ts';
import { emptyStore, hashOf, INSTRUMENTS, World } from '../../support/engine.ts';
import {
  linearLosses,
  marked,
  orderMessage,
  PERP,
  riskRow,
  riskTable,
  sign,
  USD,
} from '../../support/ledger.ts';

/** As many legs as an account of the standard shape has. */
const SHAPE: StateShape = { ...TINY_SHAPE, derivativeSlots: 13, marketSlots: 16 };
const LEGS = Array.from({ length: 12 }, (_, i) => PERP + i);
const SIZES: readonly BatchSize[] = [
  { capacity: SMALL_BATCH, domainWord: 11n },
  { capacity: MEDIUM_BATCH, domainWord: 22n },
];
const [TRADER, SELLER, MAKER] = [1, 2, 3];

const tableAt = (dollars: bigint): RiskTable => {
  const { mark } = marked(dollars).rows[1];
  const linear = { mark, underlying: 0, ...linearLosses(microsPerLot(-mark / 20n)) };
  return riskTable({ rows: [riskRow(1), ...LEGS.map((id) => riskRow(id, linear))] });
};

const openWorld = (sizes = SIZES): Promise<World> =>
  World.open({
    shape: SHAPE,
    sizes,
    instruments: [INSTRUMENTS[0], ...LEGS.map((id) => ({ ...INSTRUMENTS[1], id, marketSlot: id - 3 }))],
  });

/** The trader long a lot of every leg at $100, $260 on the account; bids of the maker, signed together. */
async function portfolioWorld(): Promise<World> {
  const world = await openWorld();
  await world.fund({ [TRADER]: 260n, [SELLER]: 100_000n, [MAKER]: 100_000n });
  await world.round(tableAt(100n));
  for (const instrumentId of LEGS) {
    hashOf(await world.order(SELLER, 'sell', 1n, 100n, { instrumentId }));
    hashOf(await world.order(TRADER, 'buy', 1n, 100n, { instrumentId }));
    await world.prove();
  }
  await world.settle();
  return world;
}

/** One bid for each of `legs`, all under one signature. */
async function placeBids(world: World, dollars: bigint, legs = LEGS, sizeLots = 1n): Promise<void> {
  const bids = legs.map((instrumentId) =>
    orderMessage({
      side: 'buy',
      sizeLots,
      limitMicrosPerLot: dollars * USD,
      instrumentId,
      nonce: world.nonce(MAKER),
    }),
  );
  const signed = await world.engine.submit(sign(MAKER, bids));
  if (!signed.ok) throw new Error(signed.message);
  for (const result of signed.value.results) if (!result.ok) throw new Error(result.rejection.message);
}

/** What every sealed batch from `first` on was sealed for. */
const sealedFrom = (world: World, first: number) =>
  world.engine.read((state) =>
    [...state.batches.values()]
      .filter(({ number }) => number >= first)
      .map(({ sizeIndex, sealed }) => ({
        sizeIndex,
        name: sealed!.capacity.name,
        domainWord: sealed!.content.header.domainWord,
        legs: sealed!.content.liquidations.length,
      })),
  );
const nextNumber = (world: World) => world.engine.read((state) => state.nextBatchNumber);
const held = (world: World, accountIndex: number) =>
  world.engine.read((state) => heldInstruments(state.account(accountIndex)).length);
const healthOf = (world: World, accountIndex: number) =>
  world.engine.read(
    (state) => marginOf(state.account(accountIndex), state.table!.table, state.config.shape).health,
  );

describe('batch sizes in the engine', () => {
  it('seals for the small size until a batch needs more instruments than it has', async () => {
    const world = await portfolioWorld();
    const sizes = await world.engine.read((state) =>
      [...state.batches.values()].flatMap(({ sealed, sizeIndex }) => {
        const { messages } = sealed!.content;
        const touched = sealed!.accounts.filter(({ isTouched }) => isTouched);
        const count = Math.max(...touched.map(({ after }) => heldInstruments(after).length));
        return messages.length === 0 ? [] : [{ count, sizeIndex, rows: sealed!.capacity.instruments }];
      }),
    );
    // Two trades fill the four signatures of a batch.
    expect(sizes).to.deep.equal([
      { count: 2, sizeIndex: 0, rows: 8 },
      { count: 4, sizeIndex: 0, rows: 8 },
      { count: 6, sizeIndex: 0, rows: 8 },
      { count: 8, sizeIndex: 0, rows: 8 },
      { count: 10, sizeIndex: 1, rows: 16 },
      { count: 12, sizeIndex: 1, rows: 16 },
    ]);
  });

  it('liquidates an account of twelve positions in one medium batch', async () => {
    const world = await portfolioWorld();
    const first = await nextNumber(world);
    await placeBids(world, 88n);
    // Equity 260 − 144 = 116, IM 221.76; a lot less takes 18.48 off IM and costs a penalty of 0.88: seven legs.
    await world.round(tableAt(88n));
    await world.settle();
    expect(await sealedFrom(world, first)).to.deep.equal([
      { sizeIndex: 1, name: 'batch-medium', domainWord: 22n, legs: 7 },
    ]);
    expect(await held(world, TRADER)).to.equal(5);
    expect(await healthOf(world, TRADER)).to.equal('open');
  });

  it('goes on in the next batch where even the medium one has no row left', async () => {
    const world = await portfolioWorld();
    const first = await nextNumber(world);
    await placeBids(world, 80n);
    // Equity 260 − 240 = 20: all twelve legs go, and a batch executes eight orders.
    await world.round(tableAt(80n));
    await world.settle();
    expect((await sealedFrom(world, first)).map(({ name, legs }) => [name, legs])).to.deep.equal([
      ['batch-medium', 8],
      ['batch-medium', 4],
    ]);
    expect(await held(world, TRADER)).to.equal(0);
  });

  it('takes the medium size for liquidations alone: six legs of two accounts in three instruments', async () => {
    const world = await World.open({ sizes: SIZES });
    await world.fund({ 1: 700n, 2: 700n, [MAKER]: 100_000n, 4: 100_000n });
    for (const instrumentId of [4, 5, 6]) {
      hashOf(await world.order(4, 'sell', 20n, 100n, { instrumentId }));
      for (const account of [1, 2]) {
        hashOf(await world.order(account, 'buy', 10n, 100n, { instrumentId }));
        await world.settle();
      }
    }
    const first = await nextNumber(world);
    await placeBids(world, 78n, [4, 4, 5, 5, 6, 6], 10n);
    const rows = Object.fromEntries([4, 5, 6].map((id) => [id, { mark: marked(78n).rows[1].mark }]));
    await world.round(riskTable({}, rows));
    await world.settle();
    const liquidating = (await sealedFrom(world, first)).filter(({ legs }) => legs > 0);
    expect(liquidating).to.deep.equal([{ sizeIndex: 1, name: 'batch-medium', domainWord: 22n, legs: 6 }]);
    for (const account of [1, 2]) expect(await healthOf(world, account)).to.equal('open');
  });

  it('chooses the same sizes when the log is folded again', async () => {
    const world = await portfolioWorld();
    const shown = () =>
      world.engine.read((state) => [...state.batches.values()].map((entry: BatchEntry) => batchView(entry)));
    const before = await shown();
    await world.start();
    expect(await shown()).to.deep.equal(before);
    expect(before.map(({ sizeIndex }) => sizeIndex)).to.include.members([0, 1]);
  });

  it('does not start with sizes out of order, or with others than its ledger was made with', async () => {
    const refused = (start: Promise<unknown>): Promise<Error> =>
      start.then(
        () => {
          throw new Error('was not refused');
        },
        (error: Error) => error,
      );
    expect(await refused(openWorld([SIZES[1], SIZES[0]]))).to.be.instanceOf(InputError);
    expect(await refused(openWorld([]))).to.be.instanceOf(InputError);
    const store = await emptyStore();
    await World.open({ sizes: SIZES }, store);
    const tiny = { capacity: TINY_BATCH, domainWord: 33n };
    for (const sizes of [[SIZES[0]], [tiny, ...SIZES]]) {
      expect(await refused(World.open({ sizes }, store))).to.match(/ledger|deployment/);
    }
    await World.open({ sizes: SIZES }, store);
  });
});
