import { expect } from 'chai';
import { InvariantError } from '#protocol/errors.ts';
import { stateRoot } from '#protocol/state.ts';
import type { Command } from '#sequencer/commands.ts';
import { Engine } from '#sequencer/engine.ts';
import { CorruptLogError, Log } from '#sequencer/ledger/log.ts';
import type { PgliteStore } from '#sequencer/ledger/pglite-store.ts';
import type { LedgerStore } from '#sequencer/ledger/store.ts';
import { hashOf, testConfig, World } from '../../support/engine.ts';
import { l1, marked, NOW_SEC, PERP, sign, USD, withdrawMessage } from '../../support/ledger.ts';

/** A day in the life: trades, cancels, a withdrawal, a liquidation, an open batch with resting orders. */
async function livedWorld(): Promise<World> {
  const world = await World.open();
  await world.fund({ 1: 230n, 2: 10_000n, 3: 10_000n });
  hashOf(await world.order(2, 'sell', 10n, 100n));
  hashOf(await world.order(1, 'buy', 10n, 100n));
  await world.settle();
  hashOf(await world.submit(sign(3, [withdrawMessage({ amount: 5n * USD, nonce: world.nonce(3) })])));
  hashOf(await world.order(3, 'buy', 10n, 92n));
  hashOf(await world.order(2, 'sell', 3n, 105n, { nonce: 40n }));
  hashOf(await world.submit(sign(2, [{ kind: 'cancel', nonce: 40n, floorBackWords: 1 }])));
  await world.engine.command({ kind: 'feed', marks: [{ instrumentId: PERP, markMicrosPerLot: 99n * USD }] });
  await world.round(marked(92n));
  await world.l1Block([l1('deposit', 2, 0, 10n * USD)]);
  hashOf(await world.order(2, 'sell', 1n, 92n));
  return world;
}

const fingerprint = (engine: Engine) =>
  engine.read((state) => ({
    root: stateRoot(state.ledger),
    next: state.nextBatchNumber,
    open: state.open?.actions.length,
    openAccounts: state.open?.batch.touched,
    orders: [...state.orders.values()].map(({ hash, filledLots, closed }) => [
      hash,
      filledLots,
      closed?.reason,
    ]),
    book: [...state.book(PERP).inPriority('buy'), ...state.book(PERP).inPriority('sell')],
    ledger: state.l1Ledger,
    trades: state.tradeCount,
  }));

const startAgain = (store: LedgerStore) =>
  Engine.start(testConfig(), store, (error) => {
    throw error;
  });

describe('the ledger of the engine', () => {
  it('leads a restart to the same root, book and open batch', async () => {
    const world = await livedWorld();
    const before = await fingerprint(world.engine);
    const again = await startAgain(world.store);
    expect(await fingerprint(again)).to.deep.equal(before);
    expect(again.logSequence).to.equal(world.engine.logSequence);
  });

  it('goes on after a restart as if there had been none', async () => {
    const world = await livedWorld();
    await world.start();
    hashOf(await world.order(2, 'sell', 2n, 92n));
    await world.settle();
    const once = await fingerprint(world.engine);
    expect(await fingerprint(await startAgain(world.store))).to.deep.equal(once);
  });

  it('answers a body it had taken before the restart with the same order', async () => {
    const world = await livedWorld();
    const signed = world.signOrder(2, 'sell', 1n, 120n);
    const hash = hashOf(await world.submit(signed));
    const sequence = world.engine.logSequence;
    await world.start();
    expect(hashOf(await world.submit(signed))).to.equal(hash);
    expect(world.engine.logSequence).to.equal(sequence);
  });

  /** Changes one record of the log behind the engine's back and expects a start to refuse. */
  async function expectRefusal(
    damage: (store: PgliteStore) => Promise<unknown>,
    reason: RegExp,
  ): Promise<void> {
    const world = await livedWorld();
    await damage(world.store as PgliteStore);
    const failure = await startAgain(world.store).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(failure).to.be.instanceOf(CorruptLogError);
    expect((failure as Error).message).to.match(reason);
  }

  it('refuses to start when one bit of a command is flipped', async () => {
    await expectRefusal(
      // 'e' and 'm' differ in one bit: a sell that nobody signed.
      (store) =>
        store.database.query(`UPDATE log SET command = replace(command, '"sell"', '"smll"')
          WHERE sequence = (SELECT min(sequence) FROM log WHERE command LIKE '%"sell"%')`),
      /its content does not match its hash/,
    );
  });

  it('refuses to start when an outcome is changed, a record is missing, or two are exchanged', async () => {
    await expectRefusal(
      (store) => store.database.query(`UPDATE log SET outcome_hash = repeat('0', 64) WHERE sequence = 5`),
      /record 5/,
    );
    await expectRefusal(
      (store) => store.database.query('DELETE FROM log WHERE sequence = 3'),
      /record 3: missing/,
    );
    await expectRefusal(
      (store) =>
        store.database.exec(`UPDATE log SET sequence = -1 WHERE sequence = 4;
          UPDATE log SET sequence = 4 WHERE sequence = 5; UPDATE log SET sequence = 5 WHERE sequence = -1`),
      /record 4/,
    );
  });

  it('replays old commands under the settings of their time, new ones under the new', async () => {
    const world = await World.open();
    await world.fund({ 1: 1_000n, 2: 1_000n });
    hashOf(await world.order(1, 'buy', 1n, 100n));
    hashOf(await world.order(2, 'sell', 1n, 100n));
    const paid = (engine: Engine) =>
      engine.read((state) =>
        [...state.orders.values()].flatMap(({ fills }) => fills.map(({ feeMicros }) => feeMicros)),
      );
    const dearer = testConfig({ takerFeePpm: 1_000n });
    const engine = await Engine.start(dearer, world.store, () => undefined);
    expect(await paid(engine)).to.deep.equal([0n, 0n]);
    await engine.submit(world.signOrder(1, 'buy', 1n, 100n));
    await engine.submit(world.signOrder(2, 'sell', 1n, 100n));
    expect(await paid(engine)).to.deep.equal([0n, 0n, 0n, 100_000n]);
    const again = await Engine.start(dearer, world.store, () => undefined);
    expect(again.logSequence).to.equal(engine.logSequence);
    expect(await paid(again)).to.deep.equal([0n, 0n, 0n, 100_000n]);
  });

  it('refuses to start when the rules now lead elsewhere', async () => {
    await expectRefusal(
      // Re-chained by an insider, so only the replay can tell: the record says that something else happened.
      async (store) => {
        const log = new Log<Command>(store);
        const records = [];
        for await (const record of log.replay()) records.push(record);
        await store.database.exec('DELETE FROM log');
        const forged = new Log<Command>(store);
        for (const { command, outcomeHash } of records) {
          await store.appendLog([
            forged.next(command, command.kind === 'submit' ? 'f'.repeat(64) : outcomeHash),
          ]);
        }
      },
      /leads elsewhere/,
    );
  });

  it('refuses the ledger of another deployment', async () => {
    const world = await livedWorld();
    const other = testConfig({ domain: { chainId: 1n, rollupAddress: 5n } });
    const failure = await Engine.start(other, world.store, () => undefined).then(
      () => undefined,
      (error: Error) => error.message,
    );
    expect(failure).to.match(/belongs to/);
  });

  it('stops for good when a write fails, and acknowledges nothing after it', async () => {
    const world = await World.open();
    await world.fund({ 1: 1_000n, 2: 1_000n });
    const { store } = world;
    const failing: LedgerStore = Object.assign(Object.create(store), {
      appendLog: async () => {
        throw new Error('disk full');
      },
    });
    let fatal: Error | undefined;
    const engine = await Engine.start(testConfig(), failing, (error) => {
      fatal = error;
    });
    const submit = () =>
      engine.submit(world.signOrder(1, 'buy', 1n, 100n)).then(
        () => 'acknowledged',
        (error: Error) => error.message,
      );
    const answers = await Promise.all([submit(), submit(), submit()]);
    // The three share a write: none of them was made durable, none is acknowledged.
    expect(answers).to.deep.equal(['disk full', 'disk full', 'disk full']);
    expect(fatal?.message).to.equal('disk full');
    expect(await submit()).to.equal('the engine has stopped');
    const again = await startAgain(store);
    expect(await again.read((state) => state.orders.size)).to.equal(0);
  });

  it('has sealed batches and proofs of one write in the store with their records, or none of it', async () => {
    const world = await World.open();
    await world.fund({ 1: 1_000n, 2: 1_000n });
    hashOf(await world.order(1, 'buy', 1n, 100n));
    hashOf(await world.order(2, 'sell', 1n, 100n));
    const { store } = world;
    // Dies right after the write: nothing that would follow it happens.
    const dying: LedgerStore = Object.assign(Object.create(store), {
      appendLog: async (...values: Parameters<LedgerStore['appendLog']>) => {
        await store.appendLog(...values);
        throw new Error('killed');
      },
    });
    const engine = await Engine.start(testConfig(), dying, () => undefined);
    const length = engine.logSequence;
    const answers = await Promise.allSettled([
      engine.command({ kind: 'seal', reason: 'age' }),
      engine.submit(world.signOrder(1, 'buy', 1n, 90n)),
      engine.submit(world.signOrder(2, 'sell', 1n, 110n)),
    ]);
    expect(answers.map(({ status }) => status)).to.deep.equal(['rejected', 'rejected', 'rejected']);
    await world.start();
    expect(world.engine.logSequence).to.equal(length + 3);
    const [sealed] = await world.engine.read((state) =>
      state.unprovedBatches.map(({ number, attempt }) => ({ number, attempt })),
    );
    expect(await store.getBatch(sealed.number, sealed.attempt)).to.include({ proof: undefined });
    await world.prove();
    expect(world.fatal).to.equal(undefined);
    expect((await store.getBatch(sealed.number, sealed.attempt))?.proof).to.contain('commitment');
  });

  it('never takes an L1 block or queue entry twice', async () => {
    const world = await World.open();
    await world.fund({ 1: 1_000n });
    const before = await world.engine.read((state) => state.account(1).cashStar);
    const repeated = {
      kind: 'l1-block',
      blockNumber: 1,
      blockHash: '0x1',
      timeSec: NOW_SEC,
      operations: [{ queueIndex: 1, operation: l1('deposit', 1, 0, 1_000n * USD) }],
      confirmedQueueEnd: 2,
      tables: [],
      numbers: undefined,
    } as const;
    await world.engine.command(repeated);
    await world.settle();
    expect(await world.engine.read((state) => state.account(1).cashStar)).to.equal(before);
    expect(await world.engine.read((state) => state.l1QueueEnd)).to.equal(2);
    const again = await world.engine.command({ ...repeated, blockNumber: 9 }).catch((error: Error) => error);
    expect(again).to.be.instanceOf(InvariantError);
    expect(world.fatal?.message).to.match(/queue entries come in order, each once/);
  });
});
