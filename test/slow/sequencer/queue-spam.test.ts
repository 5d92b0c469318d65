/**
 * Somebody fills the L1 queue: a thousand operations at the highest fee it comes to. A liquidation does not wait behind
 * them, and an operator who begins to serve them at the last moment still serves every one before it is overdue.
 */
import { expect } from 'chai';
import { NonceManager } from 'ethers';
import { network } from 'hardhat';
import { type BatchCapacity, TINY_BATCH } from '#protocol/limits.ts';
import { signMessages } from '#protocol/signing.ts';
import type { Sequencer } from '#sequencer/start.ts';
import { emptyStore } from '../../support/engine.ts';
import { marked, orderMessage, riskTable, secretOf, USD } from '../../support/ledger.ts';
import type { Connection } from '../../support/rollup.ts';
import { startOverChain, testWallet } from '../../support/sequencer-over-chain.ts';
import {
  deployTestRollup,
  domainOf,
  L1World,
  TestContracts,
  type TestRollup,
} from '../../support/settlement.ts';

const SPAM = 1_000;
const SPAMMER = 3;
/** Room of a deployed size: the tiny batch has no account left beside two that the queue brings. */
const CAPACITY: BatchCapacity = { ...TINY_BATCH, name: 'test-spam', accounts: 4, signatures: 4, messages: 8 };
const SEC_PER_OPERATION = 30;
const FALLEN = marked(92n);

describe('a thousand operations in the L1 queue', function () {
  this.timeout(3_600_000);
  let connection: Connection;
  let place: TestRollup;
  let l1: L1World;
  let sequencer: Sequencer;
  const failures: string[] = [];
  after(() => sequencer?.stop());

  async function open(): Promise<void> {
    connection = await network.connect();
    const submitter = testWallet(connection, 1);
    const owner = new NonceManager(testWallet(connection, 0));
    place = await deployTestRollup(owner, submitter.address, CAPACITY);
    l1 = new L1World(place, owner);
    sequencer = await startOverChain({
      connection,
      place,
      submitter,
      store: await emptyStore(),
      contracts: new TestContracts(connection.ethers.provider as never, place, [riskTable(), FALLEN]),
      proofConcurrency: 4,
      change: { capacity: CAPACITY },
      receiptTimeoutMs: 60_000,
      report: (error) => failures.push(error.message),
      onFatal: (error) => failures.push(error.message),
    });
    await l1.acceptRound();
    for (const account of [1, 2, SPAMMER, 4]) {
      await l1.open(account);
      await l1.deposit(account, account === 1 ? 230n * USD : 10_000n * USD);
    }
    await work();
  }

  /** One turn of the operator: everything L1 says, a seal, its proof, its transaction. */
  async function work(): Promise<void> {
    await sequencer.syncL1();
    await sequencer.seal();
    await sequencer.proven();
    await sequencer.submit();
    await sequencer.syncL1();
  }

  const nonces = new Map<number, bigint>();
  async function order(
    account: number,
    side: 'buy' | 'sell',
    sizeLots: bigint,
    dollars: bigint,
  ): Promise<void> {
    const nonce = nonces.get(account) ?? 0n;
    nonces.set(account, nonce + 1n);
    const { domain } = domainOf(31337n, place.rollup);
    const limitMicrosPerLot = dollars * USD;
    const message = orderMessage({ side, sizeLots, limitMicrosPerLot, nonce, expirySec: 4_000_000_000n });
    const content = { accountIndex: account, epoch: 1n, messages: [message] };
    const done = await sequencer.engine.submit(signMessages(domain, secretOf(account), content));
    expect(
      done.ok && done.value.results[0].ok,
      JSON.stringify(done, (_, v) => `${v}`),
    ).to.equal(true);
  }

  async function waiting(): Promise<number> {
    const [head, tail] = await l1.rollup.queueBounds();
    return Number(tail - head);
  }

  /** Withdrawals of one micro and cancel-alls by turns: two cancel-alls of an account never share a batch. */
  async function spam(): Promise<void> {
    const { rollup } = l1;
    for (let i = 0; i < SPAM; i++) {
      const change = { value: await rollup.queueFeeWei(), gasLimit: 500_000n };
      if (i % 2 === 0) await rollup.requestWithdrawal(SPAMMER, 0, 1n, change);
      else await rollup.requestCancelAll(SPAMMER, change);
    }
  }

  before(open);

  it('do not stop a liquidation', async () => {
    for (let turn = 0; (await waiting()) > 0; turn++) {
      expect(turn).to.be.below(10);
      await work();
    }
    await order(2, 'sell', 10n, 100n);
    await order(1, 'buy', 10n, 100n);
    await order(4, 'buy', 10n, 92n);
    await work();
    await spam();
    expect(await waiting()).to.equal(SPAM);
    await l1.acceptRound(FALLEN);
    const liquidations: number[] = [];
    const stop = sequencer.engine.subscribe((events) => {
      for (const event of events) if (event.kind === 'liquidation') liquidations.push(event.batchNumber);
    });
    const acceptedBefore = Number(await l1.rollup.batchNumber());
    await work();
    stop();
    expect(liquidations.length).to.be.at.least(1);
    expect(Math.max(...liquidations) - acceptedBefore, 'batches after the fall').to.be.at.most(2);
    expect(Number(await l1.rollup.batchNumber())).to.be.at.least(Math.max(...liquidations));
    expect(await waiting(), 'operations that still wait').to.be.above(SPAM - 10);
    expect(failures).to.deep.equal([]);
  });

  it('freeze nothing, though the operator begins at the last moment and serves no faster than they fall due', async () => {
    const [head] = await l1.rollup.queueBounds();
    const [{ dueNetSec }] = await l1.rollup.queueEntry(head);
    await connection.networkHelpers.time.increaseTo(Number(dueNetSec) - 2 * SEC_PER_OPERATION);
    const beganSec = Number(await l1.nowSec());
    // What was open three days ago has missed its window and is executed again.
    await l1.acceptRound(FALLEN);
    await work();
    for (let turn = 0; (await waiting()) > 0; turn++) {
      expect(turn, 'batches').to.be.at.most(SPAM);
      const left = await waiting();
      await l1.acceptRound(FALLEN);
      await work();
      await expectFreezeRefused();
      const served = left - (await waiting());
      expect(served, `served in turn ${turn}: ${failures.at(-1)}`).to.be.at.least(1);
      await connection.networkHelpers.time.increase(SEC_PER_OPERATION * served - 5);
    }
    await expectFreezeRefused();
    expect(await l1.rollup.frozenAtSec()).to.equal(0n);
    expect(failures).to.deep.equal([]);
    expect(Number(await l1.nowSec()) - beganSec).to.be.above((SPAM - 20) * (SEC_PER_OPERATION - 5));
    expect(await sequencer.engine.stateRoot()).to.equal(await l1.rollup.stateRoot());
  });

  async function expectFreezeRefused(): Promise<void> {
    const refusal = await l1.rollup.freeze.staticCall().then(
      () => 'frozen',
      (error: Error) => error.message,
    );
    expect(refusal).to.match(/NothingOverdue/);
  }
});
