import { expect } from 'chai';
import { NonceManager, Transaction, toQuantity, type Wallet } from 'ethers';
import { network } from 'hardhat';
import { bodyWordCount, decodeBody, splitBodyWords } from '#protocol/batch/calldata.ts';
import { TINY_BATCH, TINY_SHAPE } from '#protocol/limits.ts';
import { genesisState, stateRoot } from '#protocol/state.ts';
import type { PgliteStore } from '#sequencer/ledger/pglite-store.ts';
import { L1Reader } from '#sequencer/reconstruct/read-l1.ts';
import { rebuild } from '#sequencer/reconstruct/rebuild.ts';
import type { Sequencer } from '#sequencer/start.ts';
import { emptyStore } from '../../support/engine.ts';
import { OTHER, riskTable, settledAt, THIRD, USD } from '../../support/ledger.ts';
import type { Connection } from '../../support/rollup.ts';
import { startOverChain, testWallet } from '../../support/sequencer-over-chain.ts';
import { deployTestRollup, L1World, TestContracts, type TestRollup } from '../../support/settlement.ts';

/** Nobody ever held these, so that batches retire them at once. */
const ONE = settledAt({ [OTHER]: 100n });
const TWO = settledAt({ [OTHER]: 100n, [THIRD]: 0n });
const GWEI = 1_000_000_000n;

describe('retirements, from a batch to the registry', () => {
  let connection: Connection;
  let place: TestRollup;
  let submitter: Wallet;
  let stranger: Wallet;
  let l1: L1World;
  let store: PgliteStore;
  let sequencer: Sequencer;
  const reports: string[] = [];

  /** A process of the sequencer over the ledger there is. */
  async function start(receiptTimeoutMs?: number): Promise<void> {
    const contracts = new TestContracts(connection.ethers.provider as never, place, [riskTable(), ONE, TWO]);
    sequencer = await startOverChain({
      connection,
      place,
      submitter,
      store,
      contracts,
      receiptTimeoutMs,
      report: (error) => reports.push(error.message),
      onFatal: (error) => reports.push(error.message),
    });
  }

  async function restart(receiptTimeoutMs?: number): Promise<void> {
    await sequencer.stop();
    await start(receiptTimeoutMs);
  }

  /** Seals and proves whatever waits. */
  async function seal(): Promise<void> {
    await sequencer.syncL1();
    await sequencer.seal();
    await sequencer.proven();
  }

  /** Until L1 has everything. */
  async function settle(turns = 4): Promise<void> {
    for (let turn = 0; turn < turns; turn++) {
      await seal();
      await sequencer.submit();
    }
    await sequencer.syncL1();
  }

  const send = (method: string, values: unknown[] = []) => connection.ethers.provider.send(method, values);
  const sentCount = () => connection.ethers.provider.getTransactionCount(submitter.address);
  const told = () => l1.retired();
  const unfinished = async () => Number(await l1.rollup.unfinishedRetirement());
  const batchNumber = async () => Number(await l1.rollup.batchNumber());

  beforeEach(async () => {
    connection = await network.connect();
    [submitter, stranger] = [testWallet(connection, 1), testWallet(connection, 2)];
    const deployer = new NonceManager(testWallet(connection, 0));
    place = await deployTestRollup(deployer, submitter.address, TINY_BATCH);
    l1 = new L1World(place, deployer);
    store = await emptyStore();
    reports.length = 0;
    await start();
    await l1.acceptRound();
    await l1.open(1);
    await l1.deposit(1, 1_000n * USD);
    await settle();
  });
  afterEach(() => sequencer?.stop());

  /** A batch that retired OTHER is on L1, and the registry refuses to hear of it for now. */
  async function retiredUnheard(): Promise<void> {
    await l1.refuseRetirements(true);
    await l1.acceptRound(ONE);
    await seal();
    await sequencer.submit();
    await sequencer.syncL1();
    expect([await unfinished(), await told()]).to.deep.equal([OTHER, []]);
    expect(reports.splice(0)).to.satisfy((texts: string[]) => texts.every((text) => /NotExpired/.test(text)));
    await l1.refuseRetirements(false);
  }

  it('are told by the sequencer itself, each before the next batch that retires', async () => {
    const [batches, sent] = [await batchNumber(), await sentCount()];
    await l1.acceptRound(TWO);
    await settle();
    expect([await told(), await unfinished()]).to.deep.equal([[OTHER, THIRD], 0]);
    expect([(await batchNumber()) - batches, (await sentCount()) - sent]).to.deep.equal([2, 4]);
    expect(reports).to.deep.equal([]);
    // Nothing is left to say, whatever comes.
    await l1.acceptRound(TWO);
    await settle();
    expect(await sentCount()).to.equal(sent + 4);
  });

  it('leave enough on L1 to rebuild the ledger, which knows of no telling', async () => {
    await l1.acceptRound(TWO);
    await settle();
    await l1.deposit(1, 5n * USD);
    await settle();
    const batches = await new L1Reader(connection.ethers.provider as never, place.rollup).batches();
    const retired = batches.map(({ submission, capacity }) => {
      const words = decodeBody(submission.body, bodyWordCount(capacity, TINY_SHAPE));
      return Number(splitBodyWords(words, capacity, TINY_SHAPE).retirement);
    });
    expect(retired.filter((id) => id !== 0)).to.deep.equal([OTHER, THIRD]);
    const rebuilt = rebuild(genesisState(TINY_SHAPE), batches, new Map());
    expect(stateRoot(rebuilt.at(-1)!.ledger)).to.equal(await l1.rollup.stateRoot());
    expect(await sequencer.engine.stateRoot()).to.equal(await l1.rollup.stateRoot());
  });

  it('hold up no batch while the registry refuses, and are told when it does not', async () => {
    await retiredUnheard();
    await l1.refuseRetirements(true);
    const batches = await batchNumber();
    await l1.deposit(1, 5n * USD);
    await settle(2);
    expect([await batchNumber(), await unfinished()]).to.deep.equal([batches + 1, OTHER]);
    await l1.refuseRetirements(false);
    await sequencer.submit();
    expect([await told(), await unfinished()]).to.deep.equal([[OTHER], 0]);
  });

  it('make the next one wait that the contract would refuse, and lose neither', async () => {
    await retiredUnheard();
    await l1.refuseRetirements(true);
    const batches = await batchNumber();
    await l1.acceptRound(TWO);
    await settle(2);
    expect([await batchNumber(), await unfinished()]).to.deep.equal([batches, OTHER]);
    await restart();
    await l1.refuseRetirements(false);
    await settle(2);
    expect([await batchNumber(), await told()]).to.deep.equal([batches + 1, [OTHER, THIRD]]);
  });

  it('are not told again where a stranger has', async () => {
    await retiredUnheard();
    await l1.finishRetirement(stranger);
    const sent = await sentCount();
    await sequencer.submit();
    await restart();
    await sequencer.submit();
    expect([await told(), await sentCount()]).to.deep.equal([[OTHER], sent]);
  });

  it('are told by a new process where the old one died before', async () => {
    await retiredUnheard();
    await restart();
    await sequencer.submit();
    expect([await told(), await unfinished()]).to.deep.equal([[OTHER], 0]);
    expect(reports).to.deep.equal([]);
  });

  describe('whose transaction waits in no block', () => {
    /** The telling was sent; blocks come when asked for. */
    async function waitingUnmined(): Promise<number> {
      await retiredUnheard();
      const sent = await sentCount();
      await send('evm_setAutomine', [false]);
      await restart(60);
      await sequencer.submit();
      expect([await sentCount(), await told()]).to.deep.equal([sent, []]);
      return sent;
    }
    const mine = () => send('evm_mine');

    it('are told once, over turns, restarts and what blocks ask for', async () => {
      const sent = await waitingUnmined();
      for (let turn = 0; turn < 3; turn++) await sequencer.submit();
      await restart(60);
      await send('hardhat_setNextBlockBaseFeePerGas', [toQuantity(20n * GWEI)]);
      await mine();
      expect([await sentCount(), await told()]).to.deep.equal([sent, []]);
      // The first finds the old process's in its place, the second outbids it.
      for (let turn = 0; turn < 2; turn++) await sequencer.submit();
      await mine();
      await sequencer.submit();
      await mine();
      expect([await told(), await sentCount()]).to.deep.equal([[OTHER], sent + 1]);
      expect(reports).to.deep.equal([]);
    });

    it('are told once where a stranger’s comes into the block before', async () => {
      await waitingUnmined();
      await l1.finishRetirement(stranger, 50n * GWEI);
      await mine();
      await sequencer.submit();
      await mine();
      expect([await told(), await unfinished()]).to.deep.equal([[OTHER], 0]);
      expect(reports).to.deep.equal([]);
    });

    /** One of them waits for a block, and a batch is ready behind it. @returns transactions sent and batches before */
    async function batchBehindUnmined(): Promise<readonly [number, number]> {
      await retiredUnheard();
      await l1.deposit(1, 5n * USD);
      const before = [await sentCount(), await batchNumber()] as const;
      await send('evm_setAutomine', [false]);
      await restart(60);
      await sequencer.submit();
      await seal();
      return before;
    }

    it('give their place to a batch, and come after it', async () => {
      const [sent, batches] = await batchBehindUnmined();
      await sequencer.submit();
      await mine();
      expect([await batchNumber(), await told(), await sentCount()]).to.deep.equal([
        batches + 1,
        [],
        sent + 1,
      ]);
      await sequencer.submit();
      await mine();
      await sequencer.submit();
      expect([await told(), await sentCount()]).to.deep.equal([[OTHER], sent + 2]);
      expect(reports).to.deep.equal([]);
    });

    it('do not keep a batch waiting for a nonce that they took after all', async () => {
      const [sent, batches] = await batchBehindUnmined();
      const { provider } = connection.ethers;
      const broadcast = provider.broadcastTransaction.bind(provider);
      const nonces: number[] = [];
      provider.broadcastTransaction = async (raw) => {
        nonces.push(Transaction.from(raw).nonce);
        // The block comes just before the batch.
        if (nonces.length === 1) await mine();
        return broadcast(raw);
      };
      await sequencer.submit();
      expect([nonces, await told()]).to.deep.equal([[sent], [OTHER]]);
      await sequencer.submit();
      await mine();
      await sequencer.submit();
      expect(new Set(nonces)).to.deep.equal(new Set([sent, sent + 1]));
      expect([await batchNumber(), await sentCount()]).to.deep.equal([batches + 1, sent + 2]);
      expect(reports).to.deep.equal([]);
    });
  });
});
