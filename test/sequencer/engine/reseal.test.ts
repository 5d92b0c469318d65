import { expect } from 'chai';
import { sizeOf } from '#protocol/account.ts';
import { stateRoot } from '#protocol/state.ts';
import type { EngineEvent } from '#sequencer/commands.ts';
import { ENGINE_DEFAULTS } from '#sequencer/config.ts';
import { Engine } from '#sequencer/engine.ts';
import { hashOf, testConfig, World } from '../../support/engine.ts';
import { l1, marked, PERP, sign, USD, withdrawMessage } from '../../support/ledger.ts';
import { UNCHECKED_INPUTS, UNCHECKED_PROOF } from '../../support/unchecked-proof.ts';

const order = (world: World, hash: string) => world.engine.read((state) => state.orders.get(hash)!);
const sizeNow = (world: World, account: number) =>
  world.engine.read((state) => sizeOf(state.account(account), PERP));

async function reseal(world: World, batchNumber: number): Promise<EngineEvent[]> {
  const seen: EngineEvent[] = [];
  const stop = world.engine.subscribe((events) => seen.push(...events));
  const refusal = await world.engine.command({ kind: 'reseal', batchNumber, reason: 'BatchTooLate' });
  stop();
  if (refusal !== undefined) throw new Error(`${refusal.code}: ${refusal.message}`);
  return seen;
}

const WAIT_SEC = ENGINE_DEFAULTS.resealWaitMaxSec;

describe('reseal', () => {
  async function world(
    dollars = 250n,
  ): Promise<{ world: World; batch: number; maker: string; taker: string }> {
    const opened = await World.open();
    await opened.fund({ 1: dollars, 2: 10_000n, 3: 10_000n });
    const maker = hashOf(await opened.order(2, 'sell', 12n, 100n));
    const taker = hashOf(await opened.order(1, 'buy', 10n, 100n));
    await opened.seal();
    const batch = await opened.engine.read((state) => state.nextBatchNumber - 1);
    return { world: opened, batch, maker, taker };
  }

  it('executes the signed orders again at the newest round when they still pass', async () => {
    const { world: opened, batch, maker, taker } = await world(1_000n);
    await opened.round(marked(99n));
    const before = await opened.engine.read((state) => state.batches.get(batch)!);
    await reseal(opened, batch);
    await opened.seal();
    const after = await opened.engine.read((state) => state.batches.get(batch)!);
    expect(after.attempt).to.equal(before.attempt + 1);
    expect(after.tableIndex).to.be.greaterThan(before.tableIndex);
    expect(after.oldStateRoot).to.equal(before.oldStateRoot);
    expect(after.newStateRoot).to.equal(before.newStateRoot);
    expect(await sizeNow(opened, 1)).to.equal(10n);
    expect((await order(opened, taker)).closed?.reason).to.equal('filled');
    expect((await order(opened, maker)).filledLots).to.equal(10n);
    expect((await opened.engine.read((state) => state.book(PERP).best('sell')))?.remainingLots).to.equal(2n);
  });

  it('voids a fill that no longer passes, with its numbers, and puts the other side back on the book', async () => {
    const { world: opened, batch, maker, taker } = await world();
    await opened.round(marked(94n));
    const events = await reseal(opened, batch);
    const voided = events.filter((event) => event.kind === 'trade-voided');
    expect(voided).to.have.length(1);
    expect(voided[0].because.code).to.equal('insufficient-margin');
    expect(voided[0].because.data).to.include({ accountIndex: 1 });
    const closed = (await order(opened, taker)).closed;
    expect(closed?.reason).to.equal('voided');
    expect(closed?.because?.data.equityMicros).to.be.a('bigint');
    expect(await sizeNow(opened, 1)).to.equal(0n);
    expect((await order(opened, maker)).filledLots).to.equal(0n);
    expect((await opened.engine.read((state) => state.book(PERP).best('sell')))?.remainingLots).to.equal(12n);
  });

  it('keeps L1 operations, withdrawals and cancels in their order', async () => {
    const { world: opened, batch } = await world(1_000n);
    await opened.l1Block([l1('deposit', 3, 0, 500n * USD)]);
    hashOf(
      await opened.submit(sign(3, [withdrawMessage({ amount: 10_200n * USD, nonce: opened.nonce(3) })])),
    );
    hashOf(await opened.submit(sign(3, [{ kind: 'cancel', nonce: 20n, floorBackWords: 1 }])));
    await opened.seal();
    const root = await opened.engine.stateRoot();
    await opened.round(marked(99n));
    await reseal(opened, batch);
    await opened.settle();
    expect(await opened.engine.stateRoot()).to.equal(root);
    expect(await opened.engine.read((state) => state.account(3).cashStar)).to.equal(300n * USD);
    expect(await opened.engine.read((state) => state.l1Queue.length)).to.equal(0);
  });

  it('ignores a proof of the batch as it was before', async () => {
    const { world: opened, batch } = await world(1_000n);
    await opened.round(marked(99n));
    await reseal(opened, batch);
    await opened.seal();
    const refusal = await opened.engine.command({
      kind: 'batch-proven',
      batchNumber: batch,
      attempt: 0,
      proof: UNCHECKED_PROOF,
      inputs: UNCHECKED_INPUTS,
    });
    expect(refusal).to.equal(undefined);
    expect((await opened.engine.read((state) => state.batches.get(batch)!)).status).to.equal('sealed');
  });

  it('waits for a usable round for a while: one jump voids no trade', async () => {
    const { world: opened, batch } = await world(1_000n);
    await opened.round({ ...marked(70n), isJump: true });
    const jumpedAtSec = opened.timeSec;
    await opened.l1Block([], [], { timeSec: jumpedAtSec + WAIT_SEC });
    const jump = await opened.engine.command({ kind: 'reseal', batchNumber: batch, reason: 'asked' });
    expect(jump?.code).to.equal('prices-unusable');
    expect(jump?.data).to.include({ batchNumber: batch, waitedSec: WAIT_SEC, resealWaitMaxSec: WAIT_SEC });
    await opened.round(marked(99n));
    const events = await reseal(opened, batch);
    expect(events.filter((event) => event.kind === 'trade-voided')).to.deep.equal([]);
    expect(await sizeNow(opened, 1)).to.equal(10n);
  });

  it('voids the trades of a missed batch when the oracle stays dead, and serves what needs no price', async () => {
    const { world: opened, batch, maker, taker } = await world(1_000n);
    await opened.l1Block([l1('deposit', 3, 0, 500n * USD)]);
    hashOf(await opened.submit(sign(2, [{ kind: 'cancel', nonce: 20n, floorBackWords: 1 }])));
    const leaving = sign(3, [withdrawMessage({ amount: 10_200n * USD, nonce: opened.nonce(3) })]);
    const withdrawal = hashOf(await opened.submit(leaving));
    await opened.seal();
    const usableUntilSec = opened.timeSec + 180n;
    await opened.l1Block([l1('deposit', 2, 0, 7n * USD)], [], { timeSec: usableUntilSec + WAIT_SEC });
    const early = await opened.engine.command({ kind: 'reseal', batchNumber: batch, reason: 'BatchTooLate' });
    expect(early?.code).to.equal('prices-unusable');
    await opened.l1Block([], [], { timeSec: usableUntilSec + WAIT_SEC + 1n });
    const events = await reseal(opened, batch);
    const voided = events.filter((event) => event.kind === 'trade-voided');
    expect(voided.map(({ because }) => because.code)).to.deep.equal(['prices-unusable']);
    expect(voided[0].because.data).to.include({ pricesUsableUntilSec: usableUntilSec });
    const closed = (await order(opened, taker)).closed;
    expect([closed?.reason, closed?.because?.code]).to.deep.equal(['voided', 'prices-unusable']);
    expect((await order(opened, maker)).closed).to.equal(undefined);
    expect((await opened.engine.read((state) => state.book(PERP).best('sell')))?.remainingLots).to.equal(12n);
    expect([await sizeNow(opened, 1), await sizeNow(opened, 2)]).to.deep.equal([0n, 0n]);
    await opened.settle();
    expect(await opened.engine.read((state) => state.l1Queue.length)).to.equal(0);
    expect(await opened.engine.read((state) => state.account(3).cashStar)).to.equal(300n * USD);
    expect(await opened.engine.read((state) => state.account(2).cashStar)).to.equal(10_007n * USD);
    const message = await opened.engine.read((state) => state.messages.get(withdrawal));
    expect([message?.dropped, message?.batchNumber]).to.deep.equal([undefined, batch]);
    const hasTrades = await opened.engine.read((state) =>
      [...state.batches.values()].some(
        ({ number, sealed }) =>
          number >= batch &&
          sealed?.content.signatures.some((s) => s.messages.some((m) => m.kind === 'order')),
      ),
    );
    expect(hasTrades, 'a batch without trades has thirty minutes to reach L1').to.equal(false);
  });

  it('does not wait for prices where nothing needs one', async () => {
    const { world: opened } = await world(1_000n);
    await opened.prove();
    await opened.l1Block([l1('deposit', 3, 0, 500n * USD)]);
    await opened.seal();
    const batch = await opened.engine.read((state) => state.nextBatchNumber - 1);
    await opened.l1Block([], [], { timeSec: opened.timeSec + 181n });
    await reseal(opened, batch);
    await opened.settle();
    expect(await opened.engine.read((state) => state.account(3).cashStar)).to.equal(10_500n * USD);
  });

  it('counts jump rounds as no rounds', async () => {
    const { world: opened, batch, taker } = await world(1_000n);
    for (let minute = 0; minute < 16; minute++) {
      await opened.round({ ...marked(minute % 2 === 0 ? 70n : 130n), isJump: true });
    }
    const early = await opened.engine.command({ kind: 'reseal', batchNumber: batch, reason: 'BatchTooLate' });
    expect(early?.code).to.equal('prices-unusable');
    await opened.round({ ...marked(70n), isJump: true });
    await reseal(opened, batch);
    expect((await order(opened, taker)).closed?.because?.code).to.equal('prices-unusable');
  });

  it('leaves no crossed book where orders of voided trades meet and cannot trade', async () => {
    const { world: opened, batch } = await world(1_000n);
    hashOf(await opened.order(3, 'buy', 2n, 100n));
    const late = hashOf(await opened.order(3, 'buy', 4n, 101n));
    hashOf(await opened.order(2, 'sell', 4n, 101n));
    await opened.seal();
    await opened.l1Block([], [], { timeSec: opened.timeSec + 180n + WAIT_SEC + 1n });
    await reseal(opened, batch);
    expect((await order(opened, late)).closed?.reason).to.equal('voided');
    expect(await opened.engine.read((state) => state.book(PERP).best('buy'))).to.equal(undefined);
  });

  it('refuses a batch that is final', async () => {
    const { world: opened } = await world(1_000n);
    const { newStateRoot } = await opened.engine.read((state) => state.batches.get(1)!);
    await opened.engine.command({
      kind: 'batch-final',
      batchNumber: 1,
      newStateRoot,
      l1Block: 5,
      l1TxHash: '0x1',
    });
    const final = await opened.engine.command({ kind: 'reseal', batchNumber: 1, reason: 'asked' });
    expect(final?.code).to.equal('not-resealable');
  });

  it('is part of the log: a restart leads to the same place', async () => {
    const { world: opened, batch } = await world();
    await opened.round(marked(94n));
    await reseal(opened, batch);
    await opened.settle();
    const again = await Engine.start(testConfig(), opened.store, () => undefined);
    expect(await again.read((state) => stateRoot(state.ledger))).to.equal(await opened.engine.stateRoot());
  });
});
