/**
 * What a batch that liquidates costs on L1, whatever waits in the queue: nobody may make it dearer than its transaction
 * can pay. The verifier does all its work and then says yes.
 */
import { expect } from 'chai';
import { hexlify } from 'ethers';
import { network } from 'hardhat';
import { accountWordCount, type BatchSubmission, encodeSubmitBatch } from '#protocol/batch/calldata.ts';
import {
  type BatchCapacity,
  MEDIUM_BATCH,
  SMALL_BATCH,
  STANDARD_SHAPE,
  TINY_SHAPE,
} from '#protocol/limits.ts';
import { gasLimitOf, lateDepositsGas } from '#sequencer/settlement/submit-batch.ts';
import { riskProver } from '#test/support/risk-prover.ts';
import {
  deployRollup,
  deployTestMock,
  outcome,
  type RollupFixture,
  restoreAfterEach,
  WBTC,
} from '#test/support/rollup.ts';
import { pointsOf, yesVerifier } from '../../bench/yes-verifier.ts';

/** What an account may queue within the time that a liquidating batch has. */
const OWN_DEPOSITS_MAX = 4;
const WINDOW_SEC = 300;
const THOUSAND = 1_000;
/** That something waits: the contract reads when the oldest is due, and what stands at the end of the pending ones. */
const READS_OF_A_QUEUE_GAS = 6_000;
const BLOCK_GAS = 30_000_000;
/** A deposit: one lot of a spot token. */
const TOKEN_ID = 1;
const LOT_WEI = WBTC.weiPerUnit;
/** More than any fee here; what is too much is credited. */
const FEE = { value: 10n ** 17n, gasLimit: 300_000n };

describe('MarginRollup, gas of a liquidating batch', function () {
  this.timeout(300_000);
  let fixture: RollupFixture;
  let proof: BatchSubmission['proof'];
  let close: () => Promise<void>;
  /** Accounts of two wallets: what is liquidated, and who else deposits. */
  let victims: number[];
  let crowd: number[];

  before(async () => {
    const prover = await riskProver('circuits/main/risk-tiny.circom', TINY_SHAPE);
    close = () => prover.close();
    proof = pointsOf(prover.key.verificationKey);
    const connection = await network.connect({ override: { allowBlocksWithSameTimestamp: true } });
    fixture = await deployRollup({
      shape: STANDARD_SHAPE,
      capacity: SMALL_BATCH,
      larger: [{ capacity: MEDIUM_BATCH, circuitHash: 1n }],
      verifier: await yesVerifier(prover),
      oracle: { connection, contract: await deployTestMock(connection, 'OracleStub') },
    });
    await fixture.acceptTable();
    const open = async (count: number, who: number) => {
      const opened: number[] = [];
      for (let i = 0; i < count; i++) opened.push(await fixture.open(fixture.signers[who]));
      return opened;
    };
    victims = await open(MEDIUM_BATCH.liquidations, 0);
    crowd = await open(THOUSAND / OWN_DEPOSITS_MAX, 1);
    await fixture.serveQueue();
    for (const signer of fixture.signers.slice(0, 2)) await fixture.fund(signer, TOKEN_ID, LOT_WEI * 10_000n);
  });
  after(() => close());
  restoreAfterEach(() => fixture);

  const depositEach = async (accounts: readonly number[], who: number) => {
    const owner = fixture.as(fixture.signers[who]);
    for (const account of accounts) {
      for (let i = 0; i < OWN_DEPOSITS_MAX; i++) await owner.deposit(account, TOKEN_ID, LOT_WEI, FEE);
    }
  };
  const thousandDeposits = () => depositEach(crowd, 1);

  /** All liquidation rows of a size, over so many accounts. @param isFull every other row too */
  async function sealed(accountCount: number, sizeIndex = 0, isFull = false): Promise<BatchSubmission> {
    const { liquidations, accounts }: BatchCapacity = fixture.capacities[sizeIndex];
    const account = (i: number) => BigInt(victims[Math.floor((i * accountCount) / liquidations)]);
    const words = accounts * accountWordCount(STANDARD_SHAPE);
    const body = {
      liquidations: Array.from(
        { length: liquidations },
        (_, i) => account(i) | (BigInt(0x101 + i) << 24n) | (0x1a7a7a7n << 44n),
      ),
      ...(isFull && {
        outcomes: [outcome(true, 1n), outcome(true, 1n)],
        retirement: 77n,
        withdrawals: crowd
          .slice(0, 2)
          .map((index) => BigInt(index) | (BigInt(TOKEN_ID) << 24n) | (1n << 28n)),
        accounts: Array.from({ length: words }, (_, i) => BigInt(i + 1) << 200n),
      }),
    };
    return { ...(await fixture.submission({ body, sizeIndex, hasTrades: true })), proof };
  }

  /** Of a batch that leaves the chain as it was. */
  async function gasOf(submission: BatchSubmission): Promise<number> {
    const { restore } = await fixture.connection.networkHelpers.takeSnapshot();
    const receipt = await (await fixture.send(submission)).wait();
    await restore();
    return Number(receipt?.gasUsed);
  }

  it('does not rise with a thousand deposits queued before sealing and a thousand after', async () => {
    const counts = [1, SMALL_BATCH.liquidations];
    await fixture.acceptTable();
    const alone = new Map<number, number>();
    for (const count of counts) alone.set(count, await gasOf(await sealed(count)));
    await thousandDeposits();
    await fixture.wait(WINDOW_SEC);
    await fixture.acceptTable();
    const batches: [number, BatchSubmission][] = [];
    for (const count of counts) batches.push([count, await sealed(count)]);
    await fixture.wait(1);
    await thousandDeposits();
    const [head, tail] = await fixture.rollup.queueBounds();
    expect(tail - head).to.equal(2n * BigInt(THOUSAND));
    for (const [count, batch] of batches) {
      const risen = (await gasOf(batch)) - (alone.get(count) ?? 0);
      expect(risen, `${count} liquidated`).to.be.within(1, READS_OF_A_QUEUE_GAS);
    }
  });

  it('rises with the deposits of its own accounts after sealing, of which there are four in its window', async () => {
    const count = SMALL_BATCH.liquidations;
    await fixture.acceptTable();
    const batch = await sealed(count);
    await fixture.wait(1);
    const alone = await gasOf(batch);
    await depositEach(victims.slice(0, count), 0);
    const owner = fixture.as(fixture.signers[0]);
    for (const account of victims.slice(0, count)) {
      await expect(owner.deposit(account, TOKEN_ID, LOT_WEI, FEE)).to.be.revertedWithCustomError(
        fixture.rollup,
        'TooManyDeposits',
      );
    }
    const risen = (await gasOf(batch)) - alone;
    expect(risen - READS_OF_A_QUEUE_GAS).to.be.below(Number(lateDepositsGas(count)));
    expect(risen, 'they are counted, none is left out').to.be.above(2_100 * count * OWN_DEPOSITS_MAX);
  });

  it('stays within the limit that the submitter sets before those deposits come', async () => {
    await fixture.acceptTable();
    const batch = await sealed(MEDIUM_BATCH.liquidations, 1);
    await fixture.wait(1);
    const { submitter, rollup } = fixture;
    const tx = { to: await rollup.getAddress(), data: hexlify(encodeSubmitBatch(batch)) };
    const estimated = await fixture.connection.ethers.provider.estimateGas({
      ...tx,
      from: submitter.address,
    });
    await depositEach(victims, 0);
    // Without the reserve for them it runs out.
    const withoutReserve = { ...tx, gasLimit: gasLimitOf(estimated, 0) };
    await expect(submitter.sendTransaction(withoutReserve)).to.be.revertedWithoutReason(
      fixture.connection.ethers,
    );
    const sent = submitter.sendTransaction({ ...tx, gasLimit: gasLimitOf(estimated, victims.length) });
    await expect(sent).to.emit(rollup, 'BatchAccepted');
  });

  it('is far below half a block for the largest batch with every row and a long queue', async () => {
    await thousandDeposits();
    await fixture.acceptTable();
    const batch = await sealed(MEDIUM_BATCH.liquidations, 1, true);
    await fixture.wait(1);
    await depositEach(victims, 0);
    const gas = await gasOf(batch);
    expect(gas).to.be.below(BLOCK_GAS / 2);
    expect(gas, 'by far').to.be.below(BLOCK_GAS / 40);
  });
});
