import { expect } from 'chai';
import { stateRoot } from '#protocol/state.ts';
import { nameOf } from '#sequencer/batch/reseal.ts';
import { Engine } from '#sequencer/engine.ts';
import { healthView } from '#sequencer/views.ts';
import { hashOf, rejectionOf, testConfig, type World } from '../../support/engine.ts';
import { l1, marked, sign, USD, withdrawMessage } from '../../support/ledger.ts';
import { ERROR, eightTrades, holds, order, prove, sizeNow, tradeOf } from '../../support/poison.ts';

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
