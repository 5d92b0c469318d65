import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { Contract, NonceManager, Transaction, toQuantity, type Wallet } from 'ethers';
import { network } from 'hardhat';
import { TINY_BATCH } from '#protocol/limits.ts';
import type { PgliteStore } from '#sequencer/ledger/pglite-store.ts';
import type { Sequencer } from '#sequencer/start.ts';
import { compileMock } from '../../support/compile-mock.ts';
import { emptyStore } from '../../support/engine.ts';
import { orderMessage, PERP, USD, withdrawMessage } from '../../support/ledger.ts';
import type { Connection } from '../../support/rollup.ts';
import {
  settleOverChain,
  startOverChain,
  submitSigned,
  testWallet,
} from '../../support/sequencer-over-chain.ts';
import { deployTestRollup, L1World, TestContracts, type TestRollup } from '../../support/settlement.ts';

const GWEI = 1_000_000_000n;

describe('settlement', () => {
  let place: TestRollup;
  let submitter: Wallet;
  let l1: L1World;
  let store: PgliteStore;
  let sequencer: Sequencer;
  let fatal: Error | undefined;
  let connection: Connection;
  const reports: string[] = [];

  async function start(receiptTimeoutMs?: number, betweenQuestions?: () => Promise<void>): Promise<void> {
    fatal = undefined;
    const contracts = new TestContracts(connection.ethers.provider as never, place);
    const rootOf = contracts.stateRoot;
    contracts.stateRoot = async (block) => {
      await betweenQuestions?.();
      return rootOf.call(contracts, block);
    };
    sequencer = await startOverChain({
      connection,
      place,
      submitter,
      store,
      contracts,
      receiptTimeoutMs,
      report: (error) => reports.push(error.message),
      onFatal: (error) => {
        fatal = error;
      },
    });
  }

  beforeEach(async () => {
    connection = await network.connect();
    submitter = testWallet(connection, 1);
    const deployer = new NonceManager(testWallet(connection, 0));
    place = await deployTestRollup(deployer, submitter.address, TINY_BATCH);
    l1 = new L1World(place, deployer);
    store = await emptyStore();
    reports.length = 0;
    await start();
    await l1.acceptRound();
    for (const account of [1, 2]) await l1.open(account);
    for (const account of [1, 2]) await l1.deposit(account, 10_000n * USD);
    await sequencer.syncL1();
  });
  afterEach(() => sequencer?.stop());

  const nonces = new Map<number, bigint>();
  async function order(accountIndex: number, side: 'buy' | 'sell', sizeLots: bigint): Promise<void> {
    const nonce = (nonces.get(accountIndex) ?? -1n) + 1n;
    nonces.set(accountIndex, nonce);
    const message = orderMessage({
      side,
      sizeLots,
      limitMicrosPerLot: 100n * USD,
      nonce,
      expirySec: 4_000_000_000n,
    });
    await submitSigned(sequencer, place, accountIndex, [message]);
  }

  const settle = () => settleOverChain(sequencer, () => `${reports.join('; ')} ${fatal?.message ?? ''}`);
  const finalRoot = () => sequencer.engine.stateRoot();

  it('takes registrations and deposits from L1 and settles them there', async () => {
    await settle();
    expect(await l1.rollup.stateRoot()).to.equal(await finalRoot());
    expect(await sequencer.engine.read((state) => state.account(2).cashStar)).to.equal(10_000n * USD);
    expect(await sequencer.engine.read((state) => state.l1Ledger.liquid[0])).to.equal(20_000n * USD);
    const statuses = await sequencer.engine.read((state) =>
      [...state.batches.values()].map(({ status }) => status),
    );
    expect(new Set(statuses)).to.deep.equal(new Set(['final']));
  });

  it('sends words that the contract forms in the same way, trade and withdrawal included', async () => {
    await settle();
    const { abi } = compileMock('PermissiveVerifier');
    const verifier = new Contract(
      place.verifier,
      abi,
      new NonceManager(submitter.connect(connection.ethers.provider as never)),
    );
    await order(1, 'sell', 5n);
    await order(2, 'buy', 5n);
    await sequencer.seal();
    await sequencer.proven();
    const inputs = await sequencer.engine.read(
      (state) => state.batches.get(state.nextBatchNumber - 1)!.proof!.inputs,
    );
    const expected = [inputs.commitment, inputs.challenge, inputs.evaluation];
    await (await verifier.expectInputs([expected[0], expected[1], expected[2] + 1n])).wait();
    await sequencer.submit();
    expect(reports.at(-1)).to.match(/InvalidBatchProof/);
    await (await verifier.expectInputs(expected)).wait();
    await sequencer.submit();
    await sequencer.syncL1();
    expect(await l1.rollup.stateRoot()).to.equal(await finalRoot());
    expect(await sequencer.engine.read((state) => state.account(2).slots[0])).to.deep.equal({
      instrumentId: PERP,
      size: 5n,
    });
  });

  it('does not send again what an earlier run had sent', async () => {
    await settle();
    await order(1, 'sell', 1n);
    await order(2, 'buy', 1n);
    await sequencer.seal();
    await sequencer.proven();
    // The process dies after the broadcast and before it hears of the receipt.
    const sent = await connection.ethers.provider.getTransactionCount(submitter.address);
    const { engine } = sequencer;
    const command = engine.command.bind(engine);
    engine.command = async (given) => {
      if (given.kind === 'batch-submitted') throw new Error('killed');
      return command(given);
    };
    await sequencer.submit().catch(() => undefined);
    await sequencer.stop();
    const batch = await connection.ethers.provider.getTransactionCount(submitter.address);
    expect(batch).to.equal(sent + 1);
    await start();
    await sequencer.submit();
    await sequencer.syncL1();
    expect(await connection.ethers.provider.getTransactionCount(submitter.address)).to.equal(batch);
    const last = await engine.read((state) => state.nextBatchNumber - 1).catch(() => undefined);
    expect(last).to.equal(undefined);
    const status = await sequencer.engine.read(
      (state) => state.batches.get(state.nextBatchNumber - 1)!.status,
    );
    expect(status).to.equal('final');
  });

  it('goes on from the dearest of its transactions that no block has taken', async () => {
    await settle();
    await order(1, 'sell', 1n);
    await order(2, 'buy', 1n);
    await sequencer.seal();
    await sequencer.proven();
    const batchNumber = await sequencer.engine.read((state) => state.nextBatchNumber - 1);
    const feesOf = async () =>
      (await store.intentsOf(batchNumber)).map(({ rawTx }) => Transaction.from(rawTx).maxFeePerGas ?? 0n);
    const largest = (fees: readonly bigint[]) => fees.reduce((a, b) => (a > b ? a : b));
    const { provider } = connection.ethers;
    await provider.send('evm_setAutomine', [false]);
    await sequencer.stop();
    await start(60);
    await sequencer.submit();
    const before = await feesOf();
    expect(before.length).to.be.above(3);
    await sequencer.stop();
    await start(60);
    await sequencer.submit();
    const after = (await feesOf()).filter((fee) => !before.includes(fee));
    for (const fee of after) expect(Number(fee)).to.be.above(Number(largest(before)));
    expect(after.length).to.be.above(0);
    await provider.send('evm_mine', []);
    await sequencer.submit();
    await sequencer.syncL1();
    expect(await l1.rollup.stateRoot()).to.equal(await finalRoot());
    expect(await l1.rollup.batchNumber()).to.equal(BigInt(batchNumber));
    await provider.send('evm_setAutomine', [true]);
  });

  /** A batch whose transaction waits in no block, and its number. */
  async function sendWithoutBlock(): Promise<number> {
    await settle();
    await order(1, 'sell', 2n);
    await order(2, 'buy', 2n);
    await sequencer.seal();
    await sequencer.proven();
    await connection.ethers.provider.send('evm_setAutomine', [false]);
    await sequencer.stop();
    await start(60);
    await sequencer.submit();
    return sequencer.engine.read((state) => state.nextBatchNumber - 1);
  }

  /** L1 has the batch as it was sealed first, and the ledger knows. */
  async function expectFirstAttempt(batchNumber: number): Promise<void> {
    await sequencer.syncL1();
    const { attempt, status } = await sequencer.engine.read((state) => state.batches.get(batchNumber)!);
    expect({ attempt, status }).to.deep.equal({ attempt: 0, status: 'final' });
    expect(await l1.rollup.stateRoot()).to.equal(await finalRoot());
    expect(reports).to.deep.equal([]);
  }

  it('knows a batch as its own that is mined while it asks for number and root', async () => {
    const batchNumber = await sendWithoutBlock();
    await sequencer.stop();
    await start(60, () => connection.ethers.provider.send('evm_mine', []));
    await sequencer.submit();
    await expectFirstAttempt(batchNumber);
  });

  it('does not execute a batch again that is mined while it looks for it, even if late', async () => {
    const batchNumber = await sendWithoutBlock();
    const { provider } = connection.ethers;
    const receiptOf = provider.getTransactionReceipt.bind(provider);
    const questions = (await store.intentsOf(batchNumber)).length;
    let asked = 0;
    provider.getTransactionReceipt = async (hash) => {
      const receipt = await receiptOf(hash);
      asked += 1;
      // Right after the last of its transactions was not there yet; then the window passes.
      if (asked === questions) {
        await provider.send('evm_mine', []);
        await connection.networkHelpers.time.increase(600);
      }
      return receipt;
    };
    await sequencer.submit();
    expect(asked).to.be.at.least(questions);
    await expectFirstAttempt(batchNumber);
  });

  const feesOf = async (batchNumber: number): Promise<bigint[]> =>
    (await store.intentsOf(batchNumber)).map(({ rawTx }) => Transaction.from(rawTx).maxFeePerGas ?? 0n);
  const dearestOf = (fees: readonly bigint[]) => fees.reduce((a, b) => (a > b ? a : b));

  it('stops raising a price that is far above what blocks ask for', async () => {
    const batchNumber = await sendWithoutBlock();
    const { provider } = connection.ethers;
    for (let turn = 0; turn < 4; turn++) await sequencer.submit();
    const { maxFeePerGas } = await provider.getFeeData();
    expect(Number(dearestOf(await feesOf(batchNumber)))).to.be.at.most(10 * Number(maxFeePerGas));
    await provider.send('evm_mine', []);
    await sequencer.submit();
    await expectFirstAttempt(batchNumber);
  });

  it('raises no price beyond what its wallet can pay: what it sent before stays worth sending', async () => {
    await settle();
    const { provider } = connection.ethers;
    const { maxFeePerGas } = await provider.getFeeData();
    // Two batches at the price of now, or one at twice that price.
    await connection.networkHelpers.setBalance(submitter.address, 1_500_000n * (maxFeePerGas ?? 0n));
    const batchNumber = await sendWithoutBlock();
    await sequencer.submit();
    expect(reports).to.deep.equal([]);
    // The node forgets what waited.
    for (const { txHash } of await store.intentsOf(batchNumber))
      await provider.send('hardhat_dropTransaction', [txHash]);
    await sequencer.submit();
    await provider.send('evm_mine', []);
    await sequencer.submit();
    await expectFirstAttempt(batchNumber);
  });

  it('sends for little what it could not pay while blocks were dear', async () => {
    await settle();
    const { provider } = connection.ethers;
    await order(1, 'sell', 2n);
    await order(2, 'buy', 2n);
    await sequencer.seal();
    await sequencer.proven();
    const batchNumber = await sequencer.engine.read((state) => state.nextBatchNumber - 1);
    const { maxFeePerGas } = await provider.getFeeData();
    const balance = await provider.getBalance(submitter.address);
    await connection.networkHelpers.setBalance(submitter.address, 4_000_000n * (maxFeePerGas ?? 0n));
    const feeData = provider.getFeeData.bind(provider);
    provider.getFeeData = async () => {
      const fees = await feeData();
      const dear = (fee: bigint | null) => (fee ?? 0n) * 100n;
      return {
        ...fees,
        maxFeePerGas: dear(fees.maxFeePerGas),
        maxPriorityFeePerGas: dear(fees.maxPriorityFeePerGas),
      } as never;
    };
    for (let turn = 0; turn < 3; turn++)
      expect(await sequencer.submit().catch((error: Error) => error.message)).to.match(/funds|wallet/);
    provider.getFeeData = feeData;
    await sequencer.submit();
    await expectFirstAttempt(batchNumber);
    await connection.networkHelpers.setBalance(submitter.address, balance);
  });

  it('executes a batch again whose window passed while its transaction was too cheap for any block', async () => {
    const batchNumber = await sendWithoutBlock();
    const { provider } = connection.ethers;
    await provider.send('hardhat_setNextBlockBaseFeePerGas', [toQuantity(1_000n * GWEI)]);
    await connection.networkHelpers.time.increase(600);
    let isAccepted = false;
    const accepted = l1.acceptRound().finally(() => {
      isAccepted = true;
    });
    // Few blocks: their fee falls by an eighth each.
    for (let blocks = 0; blocks < 10 && !isAccepted; blocks++) {
      await sleep(50);
      await provider.send('evm_mine', []);
    }
    await accepted;
    const sent = await store.intentsOf(batchNumber);
    const receipts = await Promise.all(sent.map(({ txHash }) => provider.getTransactionReceipt(txHash)));
    expect(receipts).to.deep.equal(sent.map(() => null));
    await sequencer.syncL1();
    await sequencer.submit();
    await sequencer.seal();
    await sequencer.proven();
    await sequencer.submit();
    // One nonce, so that a block can take only one of them.
    const nonces = (await store.intentsOf(batchNumber)).map(({ l1Nonce }) => l1Nonce);
    expect(new Set(nonces).size).to.equal(1);
    await provider.send('evm_mine', []);
    await sequencer.submit();
    await sequencer.syncL1();
    const { attempt, status } = await sequencer.engine.read((state) => state.batches.get(batchNumber)!);
    expect({ attempt, status }).to.deep.equal({ attempt: 1, status: 'final' });
    expect(await l1.rollup.stateRoot()).to.equal(await finalRoot());
  });

  it('executes a batch again that missed its window', async () => {
    await settle();
    await order(1, 'sell', 2n);
    await order(2, 'buy', 2n);
    await sequencer.seal();
    await sequencer.proven();
    await connection.networkHelpers.time.increase(600);
    await l1.acceptRound();
    // The contract says BatchTooLate; the engine must know a newer round before it can do better.
    await sequencer.syncL1();
    await sequencer.submit();
    expect(reports).to.deep.equal([]);
    const attempt = await sequencer.engine.read((state) => state.attempts.get(state.nextBatchNumber) ?? 0);
    expect(attempt).to.equal(1);
    await settle();
    expect(await l1.rollup.stateRoot()).to.equal(await finalRoot());
  });

  it('serves a signed withdrawal, and carries liquidity and fees as the contract does', async () => {
    await settle();
    const message = withdrawMessage({ amount: 300n * USD, nonce: 31n, expirySec: 4_000_000_000n });
    await submitSigned(sequencer, place, 1, [message]);
    await settle();
    // syncL1 compares the engine's numbers with the vault's and would have stopped the engine.
    await l1.acceptRound();
    await sequencer.syncL1();
    expect(fatal).to.equal(undefined);
    expect(await sequencer.engine.read((state) => state.l1Ledger.liquid[0])).to.equal(19_700n * USD);
  });

  it('stops when L1 holds a batch this ledger never made', async () => {
    await settle();
    const copy = await emptyStore();
    await sequencer.stop();
    store = copy;
    await start();
    const failure = await sequencer.syncL1().then(
      () => undefined,
      (error: Error) => error.name,
    );
    expect(failure).to.equal('L1Conflict');
  });

  it('stops when L1 was reorganised below what it had believed', async () => {
    const { restore } = await connection.networkHelpers.takeSnapshot();
    await l1.deposit(1, 5n * USD);
    await sequencer.syncL1();
    await restore();
    await connection.networkHelpers.mine(5);
    const failure = await sequencer.syncL1().then(
      () => undefined,
      (error: Error) => error.message,
    );
    expect(failure).to.match(/reorganised/);
  });
});
