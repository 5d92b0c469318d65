import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { type Sequencer, startSequencer } from '#sequencer/start.ts';
import { hashOf, World } from '../../support/engine.ts';
import { l1 } from '../../support/ledger.ts';

const SEAL_AGE_MS = 50;

describe('sealing by age', () => {
  let sequencer: Sequencer | undefined;
  afterEach(() => sequencer?.stop());

  /** A second life over the ledger of `world`, with clocks. */
  const restart = async (world: World): Promise<Sequencer> => {
    sequencer = await startSequencer({
      config: world.config,
      store: world.store,
      proofs: { prove: () => new Promise(() => undefined) },
      sealAgeMs: SEAL_AGE_MS,
      pollMs: 10,
      onFatal: (error) => {
        throw error;
      },
    });
    return sequencer;
  };

  it('does not forget the batch that a restart finds open', async () => {
    const world = await World.open();
    await world.fund({ 1: 1_000n, 2: 1_000n });
    hashOf(await world.order(1, 'buy', 1n, 100n));
    hashOf(await world.order(2, 'sell', 1n, 100n));
    const number = await world.engine.read(({ open }) => open?.number);
    expect(number).to.be.a('number');
    const { engine } = await restart(world);
    const sealed = Promise.withResolvers<number>();
    engine.subscribe((events) => {
      for (const event of events) if (event.kind === 'batch-sealed') sealed.resolve(event.batchNumber);
    });
    expect(await sealed.promise).to.equal(number);
  });

  it('does not fill the log with seals of a batch that holds nothing', async () => {
    const world = await World.open();
    await world.fund({ 1: 1_000n });
    const { engine } = await restart(world);
    world.engine = engine;
    // It waits for a round that lists its token: a batch is open for it and cannot take it yet.
    await world.l1Block([l1('deposit', 1, 2, 5n)]);
    expect(await engine.read(({ open }) => open?.batch.isEmpty)).to.equal(true);
    const before = engine.logSequence;
    await sleep(6 * SEAL_AGE_MS);
    expect(engine.logSequence).to.equal(before);
  });
});
