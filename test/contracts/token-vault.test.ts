import { expect } from 'chai';
import type { Contract } from 'ethers';
import { DELAYED_CHAIN_START, recordAllDelayed, unrecordedWords } from '#client/delayed-claims.ts';
import {
  deployRollup,
  deployTestMock,
  outcome,
  type RollupFixture,
  restoreAfterEach,
  type TokenChoice,
  USDC,
} from '#test/support/rollup.ts';

const odd = (contract: string): TokenChoice => ({ contract, values: [], weiPerUnit: 1n });
const withdrawal = (accountIndex: number, tokenId: number, served: bigint): bigint =>
  BigInt(accountIndex) | (BigInt(tokenId) << 24n) | (served << 28n);

/** A rollup whose spot token 1 is a mock, with an account that may deposit it. */
async function withOddToken(contract: string) {
  const fixture = await deployRollup({ tokens: [USDC, odd(contract)] });
  const account = await fixture.open(fixture.signers[0]);
  await fixture.serveQueue();
  return { fixture, account };
}
const vaultOf = (fixture: RollupFixture, who: number) =>
  fixture.vault.connect(fixture.signers[who]) as Contract;
const fee = async (fixture: RollupFixture) => ({ value: await fixture.rollup.queueFeeWei() });

describe('TokenVault', () => {
  describe('deposits', () => {
    let fixture: RollupFixture;
    let account: number;
    before(async () => {
      fixture = await deployRollup({
        tokens: [
          USDC,
          { contract: 'TestToken', values: ['W', 'W', 18], weiPerUnit: 10n ** 16n, capUnits: 50n },
        ],
      });
      account = await fixture.open(fixture.signers[0]);
      await fixture.serveQueue();
    });
    restoreAfterEach(() => fixture);

    const deposit = async (tokenId: number, amountWei: bigint) => {
      await fixture.fund(fixture.signers[0], tokenId, amountWei);
      return fixture.as(fixture.signers[0]).deposit(account, tokenId, amountWei, await fee(fixture));
    };

    it('come in whole units', async () => {
      for (const amountWei of [10n ** 16n - 1n, 10n ** 16n + 1n, 1n]) {
        await expect(deposit(1, amountWei)).to.be.revertedWithCustomError(fixture.vault, 'NotWholeUnits');
      }
      await deposit(1, 3n * 10n ** 16n);
      expect(await fixture.rollup.pendingDeposits(account)).to.equal(3n << 80n);
    });

    it('have a minimum and are never empty', async () => {
      for (const [tokenId, amountWei] of [
        [0, 9_999_999n],
        [0, 0n],
        [1, 0n],
      ] as const) {
        await expect(deposit(tokenId, amountWei)).to.be.revertedWithCustomError(
          fixture.vault,
          'AmountTooSmall',
        );
      }
      await deposit(0, 10_000_000n);
    });

    it('never make the vault hold more than its cap', async () => {
      await deposit(1, 49n * 10n ** 16n);
      await expect(deposit(1, 2n * 10n ** 16n))
        .to.be.revertedWithCustomError(fixture.vault, 'AmountTooLarge')
        .withArgs(2, 1);
      await deposit(1, 10n ** 16n);
      await expect(deposit(1, 10n ** 16n)).to.be.revertedWithCustomError(fixture.vault, 'AmountTooLarge');
    });

    it('need an allowance for the vault', async () => {
      await fixture.tokens[0].mint(fixture.signers[0].address, 10_000_000n);
      await expect(
        fixture.as(fixture.signers[0]).deposit(account, 0, 10_000_000n, await fee(fixture)),
      ).to.be.revertedWithCustomError(fixture.tokens[0], 'ERC20InsufficientAllowance');
    });
  });

  describe('tokens that misbehave', () => {
    it('are refused when they deliver less than was sent', async () => {
      const { fixture, account } = await withOddToken('FeeOnTransferToken');
      await fixture.fund(fixture.signers[0], 1, 100n);
      await expect(fixture.as(fixture.signers[0]).deposit(account, 1, 100n, await fee(fixture)))
        .to.be.revertedWithCustomError(fixture.vault, 'TransferNotExact')
        .withArgs(100, 99);
    });

    it('are refused when they say false', async () => {
      const { fixture, account } = await withOddToken('FalseReturningToken');
      await fixture.fund(fixture.signers[0], 1, 100n);
      await expect(
        fixture.as(fixture.signers[0]).deposit(account, 1, 100n, await fee(fixture)),
      ).to.be.revertedWithCustomError(fixture.vault, 'SafeERC20FailedOperation');
    });

    it('are taken and paid when they return nothing', async () => {
      const { fixture, account } = await withOddToken('NoReturnToken');
      await fixture.deposit(fixture.signers[0], account, 1, 100n);
      await fixture.serveQueue();
      await fixture.submit({ body: { withdrawals: [withdrawal(account, 1, 60n)] } });
      await vaultOf(fixture, 0).claim(1);
      expect(await fixture.tokens[1].balanceOf(fixture.signers[0].address)).to.equal(60n);
    });

    it('that lost their code take no deposit', async () => {
      const { fixture, account } = await withOddToken('NoReturnToken');
      await fixture.fund(fixture.signers[0], 1, 100n);
      await fixture.connection.networkHelpers.setCode(await fixture.tokens[1].getAddress(), '0x');
      // The vault asks it for a balance, and there is nobody to answer.
      await expect(
        fixture.as(fixture.signers[0]).deposit(account, 1, 100n, await fee(fixture)),
      ).to.be.revertedWithoutReason(fixture.connection.ethers);
    });

    for (const [name, call] of [
      ['deposit', (f: RollupFixture, account: number) => [f.rollup, 'deposit', [account, 1, 100n]] as const],
      ['donate', (f: RollupFixture) => [f.rollup, 'donate', [10_000_000n]] as const],
      ['claimFees', (f: RollupFixture) => [f.rollup, 'claimFees', []] as const],
      ['claim', (f: RollupFixture) => [f.vault, 'claim', [1]] as const],
      ['moveTreasury', (f: RollupFixture) => [f.vault, 'moveTreasury', []] as const],
    ] as const) {
      it(`cannot enter ${name} from within a deposit`, async () => {
        const { fixture, account } = await withOddToken('ReentrantToken');
        const [contract, method, values] = call(fixture, account);
        const token = fixture.tokens[1];
        await fixture.fund(fixture.signers[0], 1, 100n);
        await token.arm(await contract.getAddress(), contract.interface.encodeFunctionData(method, values));
        await fixture.as(fixture.signers[0]).deposit(account, 1, 100n, await fee(fixture));
        expect(await token.wasCalled()).to.equal(true);
        expect(await token.didSucceed()).to.equal(false);
        expect(await token.answer()).to.equal(
          fixture.vault.interface.getError('ReentrancyGuardReentrantCall')?.selector,
        );
      });
    }

    it('cannot be claimed twice from within the first claim', async () => {
      const { fixture, account } = await withOddToken('ReentrantToken');
      const token = fixture.tokens[1];
      await fixture.deposit(fixture.signers[0], account, 1, 100n);
      await fixture.serveQueue();
      await fixture.submit({ body: { withdrawals: [withdrawal(account, 1, 40n)] } });
      await token.arm(
        await fixture.vault.getAddress(),
        fixture.vault.interface.encodeFunctionData('claim', [1]),
      );
      await vaultOf(fixture, 0).claim(1);
      expect(await token.didSucceed()).to.equal(false);
      expect(await token.balanceOf(fixture.signers[0].address)).to.equal(40n);
      await expect(vaultOf(fixture, 0).claim(1)).to.be.revertedWithCustomError(
        fixture.vault,
        'NothingToClaim',
      );
    });

    it('gain nothing by recording or releasing delayed claims from within a claim', async () => {
      const fixture = await deployRollup({
        tokens: [USDC, { ...odd('ReentrantToken'), outflowFloorUnits: 4n }],
      });
      const [owner] = fixture.signers;
      const account = await fixture.open(owner);
      await fixture.deposit(owner, account, 1, 100n);
      await fixture.serveQueue();
      const withdraw = (served: bigint) =>
        fixture.submit({ body: { withdrawals: [withdrawal(account, 1, served)] } });
      const token = fixture.tokens[1];
      const paid = async () => BigInt(await token.balanceOf(owner.address));
      const claimable = async () => BigInt(await fixture.vault.claimsUnits(owner.address, 1));
      const claimWhile = async (method: string, values: readonly unknown[]) => {
        const data = fixture.vault.interface.encodeFunctionData(method, values);
        const [before, due] = [await paid(), await claimable()];
        await token.arm(await fixture.vault.getAddress(), data);
        await vaultOf(fixture, 0).claim(1);
        expect(await token.didSucceed(), method).to.equal(true);
        expect((await paid()) - before, method).to.equal(due);
      };
      await withdraw(60n);
      await recordAllDelayed(fixture.vault);
      await fixture.wait(86_400);
      await claimWhile('release', [0]);
      expect(await claimable()).to.be.above(0n);
      await fixture.acceptTable();
      await withdraw(40n);
      const [word] = (await unrecordedWords(fixture.vault)).get(owner.address) ?? [];
      await claimWhile('recordDelayed', [owner.address, DELAYED_CHAIN_START, [word]]);
      expect(await fixture.vault.delayedCount()).to.equal(2n);
      await fixture.wait(30 * 86_400);
      for (const id of [0, 1]) await fixture.vault.release(id);
      await claimWhile('delayedCount', []);
      expect(await paid()).to.equal(100n);
      expect((await fixture.vault.conservation(1)).toObject()).to.include({ heldUnits: 0n, claimsUnits: 0n });
    });

    it('that deny one recipient block neither the batch nor anybody else', async () => {
      const { fixture, account } = await withOddToken('DenyListToken');
      const other = await fixture.open(fixture.signers[1]);
      await fixture.deposit(fixture.signers[0], account, 1, 100n);
      await fixture.deposit(fixture.signers[1], other, 1, 100n);
      await fixture.serveQueue();
      await fixture.tokens[1].deny(fixture.signers[0].address, true);
      await fixture.submit({ body: { withdrawals: [withdrawal(account, 1, 70n)] } });
      await fixture.submit({ body: { withdrawals: [withdrawal(other, 1, 80n)] } });
      await expect(vaultOf(fixture, 0).claim(1)).to.be.revertedWithCustomError(fixture.tokens[1], 'Denied');
      await vaultOf(fixture, 1).claim(1);
      expect(await fixture.tokens[1].balanceOf(fixture.signers[1].address)).to.equal(80n);
      expect(await fixture.vault.claimsUnits(fixture.signers[0].address, 1), 'kept for better days').to.equal(
        70n,
      );
    });
  });

  describe('treasury', () => {
    let fixture: RollupFixture;
    let account: number;
    before(async () => {
      fixture = await deployRollup();
      account = await fixture.open(fixture.signers[0]);
      await fixture.deposit(fixture.signers[0], account, 0, 100_000_000n);
      await fixture.donate(fixture.signers[1], 40_000_000n);
      await fixture.serveQueue();
    });
    restoreAfterEach(() => fixture);

    const sums = async () => (await fixture.vault.conservation(0)).toObject();
    const balances = async () => {
      const [vault, fund] = [await fixture.vault.getAddress(), await fixture.vault.fund()];
      return [await fixture.tokens[0].balanceOf(vault), await fixture.tokens[0].balanceOf(fund)];
    };

    it('books fees and penalties less fund payments, once per batch', async () => {
      await fixture.submit({ feesMicros: 5n, penaltiesMicros: 3n, fundPaymentsMicros: 2n });
      expect(await sums()).to.include({ fundBookedMicros: 40_000_006n, liquidUnits: 99_999_994n });
    });

    it('pays no more from the fund than was booked before the batch, its own fees not counted', async () => {
      await expect(fixture.submit({ feesMicros: 50n, fundPaymentsMicros: 40_000_001n }))
        .to.be.revertedWithCustomError(fixture.rollup, 'FundOverdrawn')
        .withArgs(40_000_000n, 40_000_001n);
    });

    it('moves tokens when asked, not in the batch', async () => {
      await fixture.submit({ feesMicros: 1_000_000n });
      expect(await balances()).to.deep.equal([140_000_000n, 0n]);
      await fixture.vault.moveTreasury();
      expect(await balances()).to.deep.equal([99_000_000n, 41_000_000n]);
      await fixture.submit({ fundPaymentsMicros: 11_000_000n });
      await fixture.vault.moveTreasury();
      expect(await balances()).to.deep.equal([110_000_000n, 30_000_000n]);
      expect(await sums()).to.include({ heldUnits: 110_000_000n, fundHeldMicros: 30_000_000n });
    });

    it('fetches what a claim lacks from the fund', async () => {
      await fixture.vault.moveTreasury();
      await fixture.submit({ fundPaymentsMicros: 40_000_000n });
      await fixture.submit({ body: { withdrawals: [withdrawal(account, 0, 140_000_000n)] } });
      await vaultOf(fixture, 0).claim(0);
      expect(await fixture.tokens[0].balanceOf(fixture.signers[0].address)).to.equal(140_000_000n);
      expect(await balances()).to.deep.equal([0n, 0n]);
    });

    it('leaves in the vault what a dry vault owes to claims', async () => {
      await fixture.vault.moveTreasury();
      await fixture.submit({ fundPaymentsMicros: 40_000_000n });
      await fixture.submit({
        body: { withdrawals: [withdrawal(account, 0, 140_000_000n)] },
        feesMicros: 40_000_000n,
      });
      // 40 are booked for the fund, but the L2 accounts owe them: the tokens belong to the claim.
      expect(await sums()).to.include({ liquidUnits: -40_000_000n, fundBookedMicros: 40_000_000n });
      await fixture.vault.moveTreasury();
      expect(await balances()).to.deep.equal([140_000_000n, 0n]);
      await vaultOf(fixture, 0).claim(0);
      expect(await fixture.tokens[0].balanceOf(fixture.signers[0].address)).to.equal(140_000_000n);
    });

    it('obeys the rollup and the vault alone', async () => {
      const stranger = vaultOf(fixture, 4);
      const fund = (await fixture.connection.ethers.getContractAt(
        'InsuranceFund',
        await fixture.vault.fund(),
        fixture.signers[4],
      )) as unknown as Contract;
      const user = fixture.signers[4].address;
      for (const call of [
        () => stranger.pull(user, 0, 10_000_000n),
        () => stranger.book([4n | (1n << 8n) | (BigInt(user) << 96n)], 0n, 0n),
        () => stranger.book([], 0n, 1n),
        () => stranger.open(user),
      ]) {
        await expect(call()).to.be.revertedWithCustomError(fixture.vault, 'NotRollup').withArgs(user);
      }
      await expect(fund.payVault(1n)).to.be.revertedWithCustomError(fund, 'NotVault');
      expect(await fund.vault()).to.equal(await fixture.vault.getAddress());
      expect(await fixture.vault.rollup()).to.equal(await fixture.rollup.getAddress());
    });
  });

  describe('claims', () => {
    it('of all tokens stay apart, up to the most that a token can have', async () => {
      const most = [2n ** 70n - 1n, 2n ** 30n, 2n ** 30n, 2n ** 30n];
      const token = (i: number): TokenChoice => ({
        contract: 'TestToken',
        values: [`T${i}`, `T${i}`, 6],
        weiPerUnit: 1n,
        capUnits: most[i],
        outflowFloorUnits: i === 0 ? 2n ** 56n - 1n : 2n ** 40n - 1n,
      });
      const fixture = await deployRollup({ tokens: [0, 1, 2, 3].map(token) });
      const [owner] = fixture.signers;
      const account = await fixture.open(owner);
      for (const [i, units] of most.entries()) await fixture.deposit(owner, account, i, units);
      await fixture.serveQueue();
      for (const [i, units] of most.entries()) {
        await fixture.submit({ body: { withdrawals: [withdrawal(account, i, units)] } });
      }
      await recordAllDelayed(fixture.vault);
      const claims = () =>
        Promise.all([0, 1, 2, 3].map((i) => fixture.vault.claimsUnits(owner.address, i) as Promise<bigint>));
      // Of the quote token the outflow limit lets a part through at once.
      const [atOnce] = await claims();
      const delayed = (await fixture.vault.delayedClaims(0)).amountUnits;
      expect(await claims()).to.deep.equal([most[0] - delayed, ...most.slice(1)]);
      await fixture.wait(30n * 86_400n);
      await fixture.vault.release(0);
      expect(atOnce).to.be.below(most[0]);
      expect(await claims()).to.deep.equal(most);
      const left = [...most];
      for (const i of [2, 0, 3, 1]) {
        await vaultOf(fixture, 0).claim(i);
        left[i] = 0n;
        expect(await claims()).to.deep.equal(left);
        expect(await fixture.tokens[i].balanceOf(owner.address)).to.equal(most[i]);
        await expect(vaultOf(fixture, 0).claim(i)).to.be.revertedWithCustomError(
          fixture.vault,
          'NothingToClaim',
        );
      }
    });

    it('cannot be made of a token that does not exist', async () => {
      const fixture = await deployRollup({ tokens: [USDC] });
      await fixture.open(fixture.signers[0]);
      await fixture.serveQueue();
      for (const tokenId of [1, 4, 5, 15]) {
        await expect(vaultOf(fixture, 0).claim(tokenId))
          .to.be.revertedWithCustomError(fixture.vault, 'UnknownToken')
          .withArgs(tokenId);
      }
    });

    it('of Ether by a recipient that refuses it stay with that recipient', async () => {
      const fixture = await deployRollup();
      const recipient = await deployTestMock(fixture.connection, 'SubmitThroughContract');
      const value = await fixture.rollup.queueFeeWei();
      const target = await fixture.rollup.getAddress();
      const { KEY_POINT } = await import('#test/support/rollup.ts');
      const encode = (name: string, values: readonly unknown[]) =>
        fixture.rollup.interface.encodeFunctionData(name, values);
      await recipient.forward(target, encode('registerAccount', KEY_POINT), { value: value + 9n });
      await fixture.submit({ body: { outcomes: [outcome(true)] } });
      await expect(recipient.forward(target, encode('claimFees', []))).to.be.revertedWithCustomError(
        fixture.rollup,
        'FeeTransferFailed',
      );
      expect(await fixture.rollup.feeClaimsWei(await recipient.getAddress())).to.equal(9n);
      await recipient.setTakesEther(true);
      await recipient.forward(target, encode('claimFees', []));
      expect(await fixture.connection.ethers.provider.getBalance(await recipient.getAddress())).to.equal(9n);
    });
  });
});
