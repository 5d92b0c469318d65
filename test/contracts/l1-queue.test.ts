import { expect } from 'chai';
import {
  DAY_SEC,
  deployRollupWithAccount,
  KEY_POINT,
  outcome,
  type RollupFixture,
  restoreAfterEach,
} from '#test/support/rollup.ts';

const FEE_UNIT_WEI = 200_000_000_000_000n;
const DEADLINE_SEC = 3 * DAY_SEC;
const PAUSE_SEC_MAX = 7 * DAY_SEC;

describe('L1Operations, the queue', () => {
  let fixture: RollupFixture;
  let account: number;
  before(async () => {
    ({ fixture, account } = await deployRollupWithAccount());
  });
  restoreAfterEach(() => fixture);

  const owner = () => fixture.as(fixture.signers[0]);
  const request = async () =>
    owner().requestWithdrawal(account, 0, 1n, { value: await fixture.rollup.queueFeeWei() });
  /** Makes the queue's oldest operation. @returns when it was queued */
  async function queueOne(): Promise<number> {
    await request();
    return fixture.nowSec();
  }
  const frozen = async () => (await fixture.rollup.frozenAtSec()) !== 0n;

  describe('entrance', () => {
    it('refuses operations on accounts of others and on accounts that do not exist', async () => {
      const stranger = fixture.as(fixture.signers[1]);
      const value = await fixture.rollup.queueFeeWei();
      const calls = (index: number) => [
        () => stranger.deposit(index, 0, 10_000_000n, { value }),
        () => stranger.requestWithdrawal(index, 0, 1n, { value }),
        () => stranger.requestCancelAll(index, { value }),
        () => stranger.changeKey(index, 0n, 1n, { value }),
      ];
      for (const call of [...calls(account), ...calls(account + 1), ...calls(0)]) {
        await expect(call()).to.be.revertedWithCustomError(fixture.rollup, 'NotOwner');
      }
    });

    it('refuses amounts that no batch could hold, and unknown tokens', async () => {
      const value = await fixture.rollup.queueFeeWei();
      const { capUnits } = await fixture.vault.tokenConfig(1);
      for (const amount of [0n, capUnits + 1n]) {
        await expect(owner().requestWithdrawal(account, 1, amount, { value }))
          .to.be.revertedWithCustomError(fixture.rollup, 'AmountOutOfRange')
          .withArgs(amount, capUnits);
      }
      for (const call of [
        () => owner().requestWithdrawal(account, 3, 1n, { value }),
        () => owner().deposit(account, 3, 1n, { value }),
      ]) {
        await expect(call()).to.be.revertedWithCustomError(fixture.vault, 'UnknownToken').withArgs(3);
      }
    });

    it('refuses the reserved forced close by its own error', async () => {
      await expect(owner().requestClose(account, 4)).to.be.revertedWithCustomError(
        fixture.rollup,
        'CloseNotSupported',
      );
    });

    it('takes a fee that rises by one unit with every 16 waiting operations', async () => {
      for (let waiting = 0n; waiting < 33n; waiting++) {
        expect(await fixture.rollup.queueFeeWei()).to.equal((1n + waiting / 16n) * FEE_UNIT_WEI);
        await request();
      }
      await expect(owner().requestCancelAll(account, { value: 3n * FEE_UNIT_WEI - 1n }))
        .to.be.revertedWithCustomError(fixture.rollup, 'FeeTooLow')
        .withArgs(3n * FEE_UNIT_WEI, 3n * FEE_UNIT_WEI - 1n);
    });

    it('gives what was paid in excess back, and the fee to whoever serves', async () => {
      const { rollup, submitter, signers, connection } = fixture;
      const before = await rollup.feeClaimsWei(submitter.address);
      await owner().requestCancelAll(account, { value: 5n * FEE_UNIT_WEI });
      expect(await rollup.feeClaimsWei(signers[0].address)).to.equal(4n * FEE_UNIT_WEI);
      await fixture.submit({ body: { outcomes: [outcome(true)] } });
      expect(await rollup.feeClaimsWei(submitter.address)).to.equal(before + FEE_UNIT_WEI);
      await expect(owner().claimFees()).to.changeEtherBalance(
        connection.ethers,
        signers[0],
        4n * FEE_UNIT_WEI,
      );
      await expect(owner().claimFees()).to.be.revertedWithCustomError(rollup, 'NoFees');
      await fixture.as(submitter).claimFees();
      expect(await connection.ethers.provider.getBalance(await rollup.getAddress())).to.equal(0n);
    });

    it('takes no Ether that buys nothing', async () => {
      const [sender] = fixture.signers;
      for (const to of [fixture.rollup, fixture.vault]) {
        await expect(
          sender.sendTransaction({ to: await to.getAddress(), value: 1n }),
        ).to.be.revertedWithoutReason(fixture.connection.ethers);
      }
      const { rollup, vault } = fixture;
      const sent = { value: 5n * FEE_UNIT_WEI };
      const etherBefore = await fixture.connection.ethers.provider.getBalance(await rollup.getAddress());
      for (const [call, contract, error] of [
        [() => owner().deposit(account, 0, 0n, sent), vault, 'AmountTooSmall'],
        [() => owner().donate(0n, sent), vault, 'AmountTooSmall'],
        [() => owner().requestWithdrawal(account, 0, 0n, sent), rollup, 'AmountOutOfRange'],
        [() => owner().requestClose(account, 4, sent), rollup, 'CloseNotSupported'],
        [() => owner().registerAccount(0n, 0n, sent), rollup, 'BadKey'],
        [() => owner().changeKey(account, 0n, 0n, sent), rollup, 'BadKey'],
        [
          () => owner().registerAccountFor(sender.address, ...KEY_POINT, 2n ** 40n, '0x', sent),
          rollup,
          'BadSignature',
        ],
      ] as const) {
        await expect(call()).to.be.revertedWithCustomError(contract, error);
      }
      expect(await fixture.connection.ethers.provider.getBalance(await rollup.getAddress())).to.equal(
        etherBefore,
      );
    });

    it('strands no Ether: whatever was paid is a fee or comes back', async () => {
      const { rollup, submitter, signers, connection } = fixture;
      await fixture.as(submitter).claimFees();
      await fixture.fund(signers[0], 0, 20_000_000n);
      const sent = { value: 7n * FEE_UNIT_WEI };
      await owner().requestCancelAll(account, sent);
      await owner().changeKey(account, ...KEY_POINT, sent);
      await owner().requestWithdrawal(account, 0, 1n, sent);
      await owner().deposit(account, 0, 10_000_000n, sent);
      await owner().donate(10_000_000n, sent);
      await owner().registerAccount(...KEY_POINT, sent);
      await fixture.submit({ body: { outcomes: [outcome(true), outcome(true)] } });
      await fixture.submit({ body: { outcomes: [outcome(false, 0n, 2n), outcome(true, 10_000_000n)] } });
      await fixture.submit({ body: { outcomes: [outcome(true), outcome(true)] } });
      await expect(owner().claimFees()).to.changeEtherBalance(
        connection.ethers,
        signers[0],
        36n * FEE_UNIT_WEI,
      );
      await expect(fixture.as(submitter).claimFees()).to.changeEtherBalance(
        connection.ethers,
        submitter,
        6n * FEE_UNIT_WEI,
      );
      expect(await connection.ethers.provider.getBalance(await rollup.getAddress())).to.equal(0n);
    });
  });

  describe('deadline', () => {
    it('lets batches run and nobody freeze until one second before', async () => {
      const queuedAt = await queueOne();
      await fixture.setNextTime(queuedAt + DEADLINE_SEC - 1);
      await expect(fixture.rollup.freeze()).to.be.revertedWithCustomError(fixture.rollup, 'NothingOverdue');
    });

    it('still takes the batch that serves it one second before', async () => {
      const queuedAt = await queueOne();
      await fixture.wait(DEADLINE_SEC - 10);
      await fixture.acceptTable();
      const batchTimeSec = BigInt(await fixture.nowSec());
      const submission = await fixture.submission({
        batchTimeSec,
        body: { outcomes: [outcome(false, 0n, 2n)] },
      });
      await fixture.setNextTime(queuedAt + DEADLINE_SEC - 1);
      await expect(fixture.send(submission)).to.emit(fixture.rollup, 'BatchAccepted');
    });

    it('ends batches at the deadline, also one that serves the overdue operation', async () => {
      const queuedAt = await queueOne();
      await fixture.wait(DEADLINE_SEC - 10);
      await fixture.acceptTable();
      const batchTimeSec = BigInt(await fixture.nowSec());
      const submission = await fixture.submission({
        batchTimeSec,
        body: { outcomes: [outcome(false, 0n, 2n)] },
      });
      await fixture.setNextTime(queuedAt + DEADLINE_SEC);
      await expect(fixture.send(submission)).to.be.revertedWithCustomError(
        fixture.rollup,
        'OperationOverdue',
      );
    });

    it('lets anyone freeze at the deadline, once and for good', async () => {
      const { rollup, signers } = fixture;
      const queuedAt = await queueOne();
      await fixture.setNextTime(queuedAt + DEADLINE_SEC);
      await expect(fixture.as(signers[7]).freeze()).to.emit(rollup, 'Frozen');
      await expect(rollup.freeze()).to.be.revertedWithCustomError(rollup, 'IsFrozen');
      await fixture.acceptTable();
      await expect(fixture.submit()).to.be.revertedWithCustomError(rollup, 'IsFrozen');
      const value = await rollup.queueFeeWei();
      await fixture.fund(signers[0], 0, 10_000_000n);
      for (const call of [
        () => owner().deposit(account, 0, 10_000_000n, { value }),
        () => owner().requestWithdrawal(account, 0, 1n, { value }),
        () => owner().requestCancelAll(account, { value }),
        () => owner().registerAccount(...KEY_POINT, { value }),
        () => owner().changeKey(account, ...KEY_POINT, { value }),
        () => owner().donate(10_000_000n, { value }),
      ]) {
        await expect(call()).to.be.revertedWithCustomError(rollup, 'IsFrozen');
      }
      expect(await fixture.tokens[0].balanceOf(await fixture.vault.getAddress()), 'nothing went in').to.equal(
        0n,
      );
      expect(await frozen()).to.equal(true);
    });

    it('cannot be made to pass by an operation that was served', async () => {
      const queuedAt = await queueOne();
      await fixture.submit({ body: { outcomes: [outcome(false, 0n, 2n)] } });
      await fixture.setNextTime(queuedAt + 2 * DEADLINE_SEC);
      await expect(fixture.rollup.freeze()).to.be.revertedWithCustomError(fixture.rollup, 'NothingOverdue');
    });

    it('refuses new operations once one is overdue, so that nothing follows it into the trap', async () => {
      await queueOne();
      await fixture.wait(DEADLINE_SEC);
      await expect(request()).to.be.revertedWithCustomError(fixture.rollup, 'OperationOverdue');
    });

    it('keeps 30 s between neighbours, so that a full queue can be served', async () => {
      const { networkHelpers } = fixture.connection;
      const value = 10n * FEE_UNIT_WEI;
      const [head] = await fixture.rollup.queueBounds();
      const at = (await fixture.nowSec()) + 10;
      await networkHelpers.time.setNextBlockTimestamp(at);
      await owner().requestCancelAll(account, { value });
      await owner().requestCancelAll(account, { value });
      await owner().requestCancelAll(account, { value });
      const dues = await Promise.all(
        [0n, 1n, 2n].map(async (i) => Number((await fixture.rollup.queueEntry(head + i))[0].dueNetSec)),
      );
      expect(dues).to.deep.equal([at + DEADLINE_SEC, at + DEADLINE_SEC + 30, at + DEADLINE_SEC + 60]);
    });
  });

  describe('pause of the oracle', () => {
    it('stops the clock of deadlines', async () => {
      const queuedAt = await queueOne();
      await fixture.oracle.setPaused(1_000);
      await fixture.setNextTime(queuedAt + DEADLINE_SEC + 999);
      await expect(fixture.rollup.freeze()).to.be.revertedWithCustomError(fixture.rollup, 'NothingOverdue');
      await fixture.setNextTime(queuedAt + DEADLINE_SEC + 1_000);
      await expect(fixture.rollup.freeze()).to.emit(fixture.rollup, 'Frozen');
    });

    it('before an operation was queued does not lengthen its deadline', async () => {
      await fixture.wait(5_000);
      await fixture.oracle.setPaused(5_000);
      const queuedAt = await queueOne();
      await fixture.setNextTime(queuedAt + DEADLINE_SEC - 1);
      await expect(fixture.rollup.freeze()).to.be.revertedWithCustomError(fixture.rollup, 'NothingOverdue');
      await fixture.setNextTime(queuedAt + DEADLINE_SEC);
      await expect(fixture.rollup.freeze()).to.emit(fixture.rollup, 'Frozen');
    });

    it('lengthens the deadline of an operation by seven days at most', async () => {
      const queuedAt = await queueOne();
      await fixture.oracle.setPaused(30 * DAY_SEC);
      await fixture.setNextTime(queuedAt + DEADLINE_SEC + PAUSE_SEC_MAX - 1);
      await expect(fixture.rollup.freeze()).to.be.revertedWithCustomError(fixture.rollup, 'NothingOverdue');
      await fixture.setNextTime(queuedAt + DEADLINE_SEC + PAUSE_SEC_MAX);
      await expect(fixture.rollup.freeze()).to.emit(fixture.rollup, 'Frozen');
    });

    it('counts seven days for each operation anew', async () => {
      await fixture.wait(6 * DAY_SEC);
      await fixture.oracle.setPaused(6 * DAY_SEC);
      const queuedAt = await queueOne();
      await fixture.oracle.setPaused(13 * DAY_SEC);
      await fixture.setNextTime(queuedAt + DEADLINE_SEC + PAUSE_SEC_MAX - 1);
      await expect(fixture.rollup.freeze()).to.be.revertedWithCustomError(fixture.rollup, 'NothingOverdue');
    });
  });

  it('undoes after the freeze what no batch took up: deposits, donations and all fees, once each', async () => {
    const { rollup, vault, signers, tokens } = fixture;
    const [head] = await rollup.queueBounds();
    const etherBefore = await rollup.feeClaimsWei(signers[0].address);
    await fixture.deposit(signers[0], account, 0, 25_000_000n);
    await request();
    await fixture.donate(signers[1], 10_000_000n);
    await expect(rollup.reclaim(head)).to.be.revertedWithCustomError(rollup, 'NotFrozen');
    await fixture.wait(DEADLINE_SEC);
    await rollup.freeze();
    for (const index of [head, head + 1n, head + 2n]) await fixture.as(signers[5]).reclaim(index);
    for (const index of [head, head + 1n, head + 2n, head + 3n]) {
      await expect(rollup.reclaim(index)).to.be.revertedWithCustomError(rollup, 'NoWaitingOperation');
    }
    expect(await rollup.pendingDeposits(account)).to.equal(0n);
    expect(await rollup.feeClaimsWei(signers[0].address)).to.equal(etherBefore + 2n * FEE_UNIT_WEI);
    expect(await rollup.feeClaimsWei(signers[5].address)).to.equal(FEE_UNIT_WEI);
    await (vault.connect(signers[0]) as typeof vault).claim(0);
    expect(await tokens[0].balanceOf(signers[0].address)).to.equal(25_000_000n);
    expect(await vault.conservation(0)).to.deep.equal([10_000_000n, 0n, 0n, 0n, 10_000_000n, 0n]);
  });
});
