/** THREATS O02: L1 reorganisations on a real node, at the depths of production. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { NonceManager, toQuantity, type Wallet } from 'ethers';
import { network } from 'hardhat';
import { TINY_BATCH } from '#protocol/limits.ts';
import { stateRoot } from '#protocol/state.ts';
import { EngineStopped } from '#sequencer/engine.ts';
import type { PgliteStore } from '#sequencer/ledger/pglite-store.ts';
import { L1Conflict, PRODUCTION_DEPTHS } from '#sequencer/settlement/watch-l1.ts';
import type { Sequencer } from '#sequencer/start.ts';
import { emptyStore } from '../../support/engine.ts';
import { USD } from '../../support/ledger.ts';
import type { Connection } from '../../support/rollup.ts';
import { startOverChain, testWallet } from '../../support/sequencer-over-chain.ts';
import { deployTestRollup, L1World, TestContracts, type TestRollup } from '../../support/settlement.ts';

const { round, deposit, final } = PRODUCTION_DEPTHS;

describe('L1 reorganisations at the depths of production', () => {
  let connection: Connection;
  let place: TestRollup;
  let submitter: Wallet;
  let deployer: NonceManager;
  let l1: L1World;
  let store: PgliteStore;
  let contracts: TestContracts;
  let sequencer: Sequencer;
  let fatal: Error | undefined;

  async function start(pollMs = 0, receiptTimeoutMs?: number): Promise<void> {
    fatal = undefined;
    contracts = new TestContracts(connection.ethers.provider as never, place);
    sequencer = await startOverChain({
      connection,
      place,
      submitter,
      store,
      contracts,
      depths: PRODUCTION_DEPTHS,
      pollMs,
      receiptTimeoutMs,
      onFatal: (error) => {
        fatal = error;
      },
    });
  }

  /** One by one: of blocks that Hardhat mines in bulk it keeps no state to be asked for. */
  async function mine(blocks: number): Promise<void> {
    for (let i = 0; i < blocks; i++) await connection.ethers.provider.send('evm_mine', []);
  }
  const head = () => connection.ethers.provider.getBlockNumber();
  const conflictOf = (poll: Promise<void>) =>
    poll.then(
      () => undefined,
      (error: Error) => error,
    );
  /** Dollars of account 1, the open batch included; what waits in the queue is not. */
  const credited = () => sequencer.engine.read((state) => BigInt(state.account(1).cashStar) / USD);
  const known = () =>
    sequencer.engine.read(({ l1QueueEnd, l1QueueConfirmedEnd, l1BlockNumber }) => ({
      entries: l1QueueEnd,
      served: l1QueueConfirmedEnd,
      block: l1BlockNumber,
    }));

  /** What the sequencer takes in may need more than one batch. */
  async function takeIn(): Promise<void> {
    await sequencer.syncL1();
    for (let turn = 0; turn < 4; turn++) {
      await sequencer.seal();
      await sequencer.proven();
    }
  }

  beforeEach(async () => {
    connection = await network.connect();
    submitter = testWallet(connection, 1);
    deployer = new NonceManager(testWallet(connection, 0));
    place = await deployTestRollup(deployer, submitter.address, TINY_BATCH);
    l1 = new L1World(place, deployer);
    store = await emptyStore();
    await start();
    await l1.open(1);
    await l1.deposit(1, 1_000n * USD);
    await mine(deposit);
    await l1.acceptRound();
    await mine(round);
    await takeIn();
    expect(await credited()).to.equal(1_000n);
  });
  afterEach(() => sequencer.stop());

  it('knows a deposit at depth 2 and credits it at depth 64, not a block earlier', async () => {
    await l1.deposit(1, 50n * USD);
    const block = await head();
    await mine(round - 1);
    await takeIn();
    expect(await known()).to.deep.equal({ entries: 2, served: 2, block: block - 1 });
    await mine(1);
    await takeIn();
    expect(await known()).to.deep.equal({ entries: 3, served: 2, block });
    await mine(deposit - round - 1);
    expect(await head()).to.equal(block + deposit - 1);
    await takeIn();
    expect(await credited()).to.equal(1_000n);
    await mine(1);
    await takeIn();
    expect(await credited()).to.equal(1_050n);
  });

  it('does not notice what vanishes before depth 2', async () => {
    const { restore } = await connection.networkHelpers.takeSnapshot();
    await l1.open(2);
    await mine(round - 1);
    await sequencer.syncL1();
    await restore();
    await mine(5);
    await sequencer.syncL1();
    expect(await known()).to.include({ entries: 2, block: (await head()) - round });
    expect(fatal).to.equal(undefined);
  });

  it('believes nothing of a block whose chain is replaced while it asks', async () => {
    const before = await known();
    const { restore } = await connection.networkHelpers.takeSnapshot();
    await l1.open(2);
    await mine(round);
    const numbersOf = contracts.numbers.bind(contracts);
    let isReplaced = false;
    contracts.numbers = async (block) => {
      const numbers = await numbersOf(block);
      if (!isReplaced) {
        isReplaced = true;
        await restore();
        await mine(20);
      }
      return numbers;
    };
    await sequencer.syncL1();
    expect(isReplaced).to.equal(true);
    expect(await known()).to.deep.equal(before);
    await sequencer.syncL1();
    expect(await known()).to.deep.equal({ ...before, block: (await head()) - round });
  });

  it('has never credited a deposit that vanishes before depth 64, and stops', async () => {
    const { restore } = await connection.networkHelpers.takeSnapshot();
    const root = await sequencer.engine.stateRoot();
    await l1.deposit(1, 50n * USD);
    const block = await head();
    await mine(deposit - 1);
    await takeIn();
    expect(await known()).to.deep.equal({ entries: 3, served: 2, block: block + deposit - 1 - round });
    await restore();
    await mine(deposit + 5);
    const conflict = await conflictOf(sequencer.syncL1());
    expect(conflict).to.be.instanceOf(L1Conflict);
    expect(conflict?.message).to.match(
      new RegExp(`^L1 block ${block + deposit - 1 - round} was reorganised after it had been believed: 0x`),
    );
    expect(await credited()).to.equal(1_000n);
    expect(await sequencer.engine.read((state) => stateRoot(state.ledger))).to.equal(root);
  });

  /** The ledger as it was at a length of its log, as a copy made then would be. */
  async function restoreCopy(logLength: number, batches: number): Promise<void> {
    await store.database.query('DELETE FROM log WHERE sequence > $1', [logLength]);
    await store.database.query('DELETE FROM batch WHERE batch_number > $1', [batches]);
    await store.database.query('DELETE FROM settlement_intent');
  }

  it('stops itself when a credited deposit vanishes, and goes on from an older copy of its ledger', async () => {
    const copied = sequencer.engine.logSequence;
    const batches = await sequencer.engine.read((state) => state.nextBatchNumber - 1);
    const { restore } = await connection.networkHelpers.takeSnapshot();
    await l1.deposit(1, 50n * USD);
    await mine(deposit);
    await takeIn();
    expect(await credited()).to.equal(1_050n);
    await sequencer.stop();
    await start(10);
    await restore();
    await mine(deposit + 10);
    for (let i = 0; i < 1_000 && fatal === undefined; i++) await sleep(10);
    expect(fatal).to.be.instanceOf(L1Conflict);
    const answer = await sequencer.engine.read(() => 'an answer').catch((error: Error) => error);
    expect(answer).to.be.instanceOf(EngineStopped).with.property('cause', fatal);
    // The same ledger meets the same conflict: only one from before the block that is named can go on.
    await sequencer.stop();
    await start();
    expect(await conflictOf(sequencer.syncL1())).to.be.instanceOf(L1Conflict);
    await sequencer.stop();
    await restoreCopy(copied, batches);
    await start();
    deployer.reset();
    await l1.deposit(1, 7n * USD);
    await mine(deposit);
    await l1.acceptRound();
    await mine(round);
    await takeIn();
    expect(await credited()).to.equal(1_007n);
    expect(fatal).to.equal(undefined);
  });

  /** The first of two batches is sent and no block takes it; then one comes after its window, which does not take it either. */
  async function missWindow(): Promise<{
    restore: () => Promise<void>;
    attempt: () => Promise<number | undefined>;
  }> {
    const { provider } = connection.ethers;
    await sequencer.submit();
    // Executed again, the two would share a batch.
    for (const batchNumber of [2, 3]) {
      await l1.deposit(1, 50n * USD);
      await mine(deposit);
      await takeIn();
      expect(await sequencer.engine.read((state) => state.nextBatchNumber)).to.equal(batchNumber + 1);
    }
    await sequencer.stop();
    await start(0, 60);
    await provider.send('evm_setAutomine', [false]);
    await sequencer.submit();
    const { restore } = await connection.networkHelpers.takeSnapshot();
    await provider.send('hardhat_setNextBlockBaseFeePerGas', [toQuantity(1_000n * 10n ** 9n)]);
    await provider.send('evm_increaseTime', [3_600]);
    await mine(1);
    expect(await l1.rollup.batchNumber()).to.equal(1n);
    await sequencer.submit();
    const attempt = () => sequencer.engine.read((state) => state.batches.get(2)?.attempt);
    return { restore, attempt };
  }

  it('takes no window for missed on the word of a block that another one replaces', async () => {
    const { provider } = connection.ethers;
    const { restore } = await missWindow();
    await restore();
    for (const { rawTx } of await store.intentsOf(2))
      await provider.broadcastTransaction(rawTx).catch(() => undefined);
    await mine(1);
    expect(await l1.rollup.batchNumber()).to.equal(2n);
    await provider.send('evm_setAutomine', [true]);
    await sequencer.seal();
    await sequencer.proven();
    await sequencer.submit();
    expect(await l1.rollup.batchNumber()).to.equal(3n);
    expect(await l1.rollup.stateRoot()).to.equal(await sequencer.engine.stateRoot());
  });

  it('executes a batch again once the block that missed its window is believed', async () => {
    const { provider } = connection.ethers;
    const { attempt } = await missWindow();
    for (let blocks = 0; blocks < round; blocks++) {
      expect(await attempt()).to.equal(0);
      await provider.send('hardhat_setNextBlockBaseFeePerGas', [toQuantity(1_000n * 10n ** 9n)]);
      await mine(1);
      await sequencer.submit();
    }
    expect(await attempt()).to.not.equal(0);
    await provider.send('evm_setAutomine', [true]);
  });

  it('calls a batch final at depth 64, not a block earlier', async () => {
    await sequencer.submit();
    const accepted = await head();
    const statuses = () =>
      sequencer.engine.read((state) => [...state.batches.values()].map(({ status }) => status));
    const before = await statuses();
    expect(new Set(before)).to.deep.equal(new Set(['submitted']));
    await mine(final - 1);
    await sequencer.syncL1();
    expect((await statuses()).at(-1)).to.equal('submitted');
    await mine(1);
    expect(await head()).to.equal(accepted + final);
    await sequencer.syncL1();
    expect(new Set(await statuses())).to.deep.equal(new Set(['final']));
    expect(await l1.rollup.stateRoot()).to.equal(await sequencer.engine.stateRoot());
  });
});
