import { expect } from 'chai';
import { sizeOf } from '#protocol/account.ts';
import type { RiskTable } from '#protocol/instrument.ts';
import { stateRoot } from '#protocol/state.ts';
import { nameOf } from '#sequencer/batch/reseal.ts';
import { ENGINE_DEFAULTS } from '#sequencer/config.ts';
import { Engine } from '#sequencer/engine.ts';
import type { BatchEntry } from '#sequencer/state.ts';
import { healthView } from '#sequencer/views.ts';
import { hashOf, rejectionOf, testConfig, World } from '../../support/engine.ts';
import { l1, marked, OTHER, PERP, settledAt, sign, USD, withdrawMessage } from '../../support/ledger.ts';

/** Whether a batch of these actions has no proof: the fault that a test injects. */
type Fault = (names: readonly string[], entry: BatchEntry) => boolean;

const ERROR = 'assertion failed in template Batch';

/** Reports on sealed batches in order, as a prover would, until none is left or sealing is halted. @returns batches poisoned */
async function prove(world: World, fault: Fault): Promise<string[][]> {
  const poisoned: string[][] = [];
  for (let turn = 0; turn < 200; turn++) {
    const [entry, isHalted] = await world.engine.read(
      (state) =>
        [
          state.unprovedBatches.sort((a, b) => a.number - b.number)[0],
          state.isolation.halted !== undefined,
        ] as const,
    );
    if (entry === undefined || isHalted) return poisoned;
    const names = entry.actions.map(nameOf);
    if (!fault(names, entry)) {
      await world.prove(entry.number);
      continue;
    }
    poisoned.push(names);
    const { number: batchNumber, attempt } = entry;
    const refusal = await world.engine.command({
      kind: 'batch-poisoned',
      batchNumber,
      attempt,
      error: ERROR,
    });
    if (refusal !== undefined) throw new Error(`${refusal.code}: ${refusal.message}`);
    await world.seal();
  }
  throw new Error('poison is looked for without end');
}

const holds =
  (...names: string[]): Fault =>
  (held) =>
    names.every((name) => held.includes(name));

const signedBy =
  (accountIndex: number): Fault =>
  (_, { sealed }) =>
    sealed?.content.signatures.some((signed) => signed.accountIndex === accountIndex) ?? false;

const order = (world: World, hash: string) => world.engine.read((state) => state.orders.get(hash)!);
const sizeNow = (world: World, account: number, id = PERP) =>
  world.engine.read((state) => sizeOf(state.account(account), id));

/** Eight trades in one batch, maker 2, taker 1; lot counts tell them apart. */
async function eightTrades(): Promise<{ world: World; batch: number; takers: string[] }> {
  const world = await World.open();
  await world.fund({ 1: 10_000n, 2: 10_000n, 3: 10_000n, 4: 10_000n });
  const takers: string[] = [];
  for (let lots = 1n; lots <= 8n; lots++) {
    hashOf(await world.order(2, 'sell', lots, 100n));
    takers.push(hashOf(await world.order(lots > 4n ? 3 : 1, 'buy', lots, 100n)));
  }
  await world.seal();
  const batch = await world.engine.read((state) => state.nextBatchNumber - 1);
  return { world, batch, takers };
}

const tradeOf = async (world: World, hash: string) => `trade:${(await order(world, hash)).fills[0].tradeId}`;

describe('a batch that cannot be proved', () => {
  it('is halved until the trade at fault stands alone; it is voided, everything else is proved', async () => {
    const { world, batch, takers } = await eightTrades();
    const culprit = await tradeOf(world, takers[5]);
    const poisoned = await prove(world, holds(culprit));
    expect(poisoned.map((names) => names.length)).to.deep.equal([8, 4, 2, 1]);
    for (const [i, hash] of takers.entries()) {
      const { closed } = await order(world, hash);
      expect(closed?.reason, `taker ${i}`).to.equal(i === 5 ? 'voided' : 'filled');
    }
    const because = (await order(world, takers[5])).closed?.because;
    expect([because?.code, because?.data.error]).to.deep.equal(['unprovable', ERROR]);
    expect(await sizeNow(world, 2)).to.equal(-30n);
    expect([await sizeNow(world, 1), await sizeNow(world, 3)]).to.deep.equal([10n, 20n]);
    const sealed = await world.engine.read((state) =>
      [...state.batches.values()].filter(({ number }) => number >= batch),
    );
    expect(sealed.map(({ status }) => status)).to.deep.equal(sealed.map(() => 'proven'));
    expect(sealed.flatMap(({ actions }) => actions.map(nameOf))).to.not.include(culprit);
  });

  it('tells what it looks for, and what it left out', async () => {
    const { world, takers } = await eightTrades();
    const culprit = await tradeOf(world, takers[0]);
    const told: (readonly string[])[] = [];
    const voided: string[] = [];
    world.engine.subscribe((events) => {
      for (const event of events) {
        if (event.kind === 'batch-poisoned') told.push(event.dropped);
        if (event.kind === 'trade-voided') voided.push(`trade:${event.tradeId} ${event.because.code}`);
      }
    });
    await prove(world, holds(culprit));
    expect(told).to.deep.equal([[], [], [], [culprit]]);
    expect(voided).to.deep.equal([`${culprit} unprovable`]);
    expect((await world.engine.read(healthView)).poisonedBatches).to.equal(4);
  });

  it('leaves nothing out where two actions have no proof only together', async () => {
    const { world, takers } = await eightTrades();
    const pair = [await tradeOf(world, takers[2]), await tradeOf(world, takers[3])];
    const poisoned = await prove(world, holds(...pair));
    expect(poisoned.map((names) => names.length)).to.deep.equal([8, 4, 2]);
    for (const hash of takers) expect((await order(world, hash)).closed?.reason).to.equal('filled');
  });

  it('keeps the parts apart when a window is missed meanwhile', async () => {
    const { world, batch, takers } = await eightTrades();
    const pair = [await tradeOf(world, takers[2]), await tradeOf(world, takers[3])];
    await prove(world, holds(...pair));
    await world.round(marked(100n));
    const refusal = await world.engine.command({
      kind: 'reseal',
      batchNumber: batch,
      reason: 'BatchTooLate',
    });
    expect(refusal).to.equal(undefined);
    expect(await prove(world, holds(...pair))).to.deep.equal([]);
  });

  it('finds several faults in batches that follow one another', async () => {
    const { world, takers } = await eightTrades();
    const faults = [await tradeOf(world, takers[0]), await tradeOf(world, takers[7])];
    hashOf(await world.order(4, 'sell', 9n, 100n));
    const late = hashOf(await world.order(1, 'buy', 9n, 100n));
    await world.seal();
    await prove(world, (names) => faults.some((fault) => names.includes(fault)));
    const reasons = await Promise.all(
      [...takers, late].map(async (hash) => (await order(world, hash)).closed?.reason),
    );
    expect(reasons).to.deep.equal(['voided', ...Array(6).fill('filled'), 'voided', 'filled']);
  });

  it('drops a withdrawal with the reason, and its nonce can be used again', async () => {
    const { world } = await eightTrades();
    await world.prove();
    const nonce = world.nonce(4);
    const hash = hashOf(await world.submit(sign(4, [withdrawMessage({ amount: 5n * USD, nonce })])));
    hashOf(await world.submit(sign(1, [{ kind: 'cancel', nonce: 20n, floorBackWords: 1 }])));
    await world.seal();
    await prove(world, holds(`message:${hash}`));
    const record = await world.engine.read((state) => state.messages.get(hash));
    expect([record?.dropped?.code, record?.batchNumber]).to.deep.equal(['unprovable', undefined]);
    expect(await world.engine.read((state) => state.account(4).cashStar)).to.equal(10_000n * USD);
    hashOf(await world.submit(sign(4, [withdrawMessage({ amount: 6n * USD, nonce })])));
  });

  it('gives the same state to a restart in the middle and after it', async () => {
    const { world, batch, takers } = await eightTrades();
    const culprit = await tradeOf(world, takers[6]);
    await world.engine.command({ kind: 'batch-poisoned', batchNumber: batch, attempt: 0, error: ERROR });
    await world.start();
    await prove(world, holds(culprit));
    const again = await Engine.start(testConfig(), world.store, () => undefined);
    expect(await again.read((state) => stateRoot(state.ledger))).to.equal(await world.engine.stateRoot());
    expect(await again.read(({ isolation }) => [...isolation.cuts])).to.deep.equal(
      await world.engine.read(({ isolation }) => [...isolation.cuts]),
    );
    expect((await again.read((state) => state.orders.get(takers[6])!)).closed?.reason).to.equal('voided');
  });

  it('is left as it is by a report that comes twice, or too late', async () => {
    const { world, batch } = await eightTrades();
    const report = { kind: 'batch-poisoned', batchNumber: batch, attempt: 0, error: ERROR } as const;
    await world.engine.command(report);
    const { logSequence } = world.engine;
    expect(await world.engine.command(report)).to.equal(undefined);
    expect(world.engine.logSequence).to.equal(logSequence);
  });

  it('waits for a usable round before it is taken apart, as a missed window does', async () => {
    const { world, batch, takers } = await eightTrades();
    await world.round({ ...marked(70n), isJump: true });
    const report = { kind: 'batch-poisoned', batchNumber: batch, attempt: 0, error: ERROR } as const;
    expect((await world.engine.command(report))?.code).to.equal('prices-unusable');
    await world.round(marked(100n));
    expect(await world.engine.command(report)).to.equal(undefined);
    await prove(world, () => false);
    for (const hash of takers) expect((await order(world, hash)).closed?.reason).to.equal('filled');
  });
});

describe('an L1 operation that cannot be proved', () => {
  async function halted(): Promise<{ world: World; batch: number; queueIndex: number }> {
    const { world } = await eightTrades();
    await world.prove();
    await world.l1Block([
      l1('deposit', 1, 0, 50n * USD),
      l1('deposit', 3, 0, 60n * USD),
      l1('deposit', 4, 0, USD),
    ]);
    await world.seal();
    const queueIndex = await world.engine.read((state) => state.l1QueueEnd - 2);
    await prove(world, holds(`l1:${queueIndex}`));
    const batch = await world.engine.read((state) => state.isolation.halted?.batchNumber ?? 0);
    return { world, batch, queueIndex };
  }

  it('halts sealing, names queue index and kind, and is not left out', async () => {
    const { world, batch, queueIndex } = await halted();
    const { sealingHalt } = await world.engine.read(healthView);
    expect(sealingHalt).to.deep.include({ batchNumber: batch, queueIndex, error: ERROR });
    expect(sealingHalt?.operation).to.deep.include({ kind: 'deposit', accountIndex: 3 });
    const before = await world.engine.read((state) => state.nextBatchNumber);
    await world.l1Block([l1('deposit', 2, 0, USD)]);
    await world.round(marked(100n));
    await world.seal();
    expect(await world.engine.read((state) => state.nextBatchNumber)).to.equal(before);
    const refused = rejectionOf(await world.order(1, 'buy', 1n, 100n));
    expect(refused.code).to.equal('sealing-halted');
    expect(refused.data).to.deep.equal({ batchNumber: batch, queueIndex, operationKind: 'deposit' });
    const leaving = await world.submit(sign(4, [withdrawMessage({ amount: USD, nonce: world.nonce(4) })]));
    expect(rejectionOf(leaving).code).to.equal('sealing-halted');
  });

  it('does not stop cancels, which bind at once', async () => {
    const { world } = await eightTrades();
    const resting = hashOf(await world.order(4, 'sell', 1n, 120n, { nonce: 0n }));
    await world.l1Block([l1('deposit', 3, 0, 60n * USD)]);
    await world.seal();
    await world.engine.read((state) => state.unprovedBatches.length);
    const queueIndex = await world.engine.read((state) => state.l1QueueEnd - 1);
    await prove(world, holds(`l1:${queueIndex}`));
    hashOf(await world.submit(sign(4, [{ kind: 'cancel', nonce: 0n, floorBackWords: 1 }])));
    expect((await order(world, resting)).closed?.reason).to.equal('cancelled');
  });

  it('goes on with a proof of that batch, also after a restart', async () => {
    const { world, batch } = await halted();
    await world.start();
    expect((await world.engine.read(healthView)).sealingHalt?.batchNumber).to.equal(batch);
    await world.round(marked(99n));
    await world.prove(batch);
    expect((await world.engine.read(healthView)).sealingHalt).to.equal(null);
    await world.settle();
    expect(await world.engine.read((state) => state.account(3).cashStar)).to.equal(
      10_060n * USD - 26n * 100n * USD,
    );
    hashOf(await world.order(1, 'buy', 1n, 100n));
  });
});

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
      await world.settle();
      const batches = await world.engine.read((state) =>
        [...state.batches.values()]
          .filter(({ status }) => status !== 'final')
          .map(({ number, newStateRoot }) => ({ batchNumber: number, newStateRoot })),
      );
      for (const batch of batches)
        await world.engine.command({ kind: 'batch-final', ...batch, l1Block: 1, l1TxHash: '0x' });
    }
    expect(await world.engine.read(({ messages }) => messages.has(hash)), 'forgotten').to.equal(false);
    const refused = rejectionOf(await world.order(1, 'buy', 5n, 100n, { nonce: 9n }));
    expect([refused.code, refused.data.isCancelled]).to.deep.equal(['nonce-used', true]);
    // The next epoch has its nonces for itself.
    await world.l1Block([l1('cancelAll', 1)]);
    await world.settle();
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
