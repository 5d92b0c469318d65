import { expect } from 'chai';
import { liquidationWord } from '#protocol/batch/words.ts';
import { TINY_BATCH } from '#protocol/limits.ts';
import {
  type BatchChoice,
  deployRollup,
  outcome,
  type RollupFixture,
  restoreAfterEach,
} from '#test/support/rollup.ts';

const REASON = { none: 0n, positionCap: 1n, margin: 2n, liquidity: 3n };
const withdrawal = (accountIndex: number, tokenId: number, served: bigint, isShort = false): bigint =>
  BigInt(accountIndex) | (BigInt(tokenId) << 24n) | (served << 28n) | ((isShort ? 1n : 0n) << 116n);
const liquidation = (accountIndex: number, instrumentId = 4): bigint =>
  liquidationWord({ accountIndex, instrumentId, isShort: true, closedLots: 3n, cashMicros: 90_000_000n });

describe('MarginRollup, what the words of a batch do', () => {
  let fixture: RollupFixture;
  let first: number;
  let second: number;
  before(async () => {
    fixture = await deployRollup();
    first = await fixture.open(fixture.signers[0]);
    second = await fixture.open(fixture.signers[1]);
    await fixture.deposit(fixture.signers[0], first, 0, 100_000_000n);
    await fixture.deposit(fixture.signers[1], second, 1, 20n);
    await fixture.serveQueue();
  });
  restoreAfterEach(() => fixture);

  const owner = () => fixture.as(fixture.signers[0]);
  const fee = async () => ({ value: await fixture.rollup.queueFeeWei() });
  const sums = async (tokenId: number) => (await fixture.vault.conservation(tokenId)).toObject();
  const claims = (tokenId: number, who = 0) =>
    fixture.vault.claimsUnits(fixture.signers[who].address, tokenId);
  const refuses = (choice: BatchChoice, error: string, contract = fixture.rollup) =>
    expect(fixture.submit(choice)).to.be.revertedWithCustomError(contract, error);
  const serves = async (...outcomes: bigint[]) => fixture.submit({ body: { outcomes } });

  describe('deposits', () => {
    it('count for their account while they wait, then belong to L2', async () => {
      await fixture.deposit(fixture.signers[0], first, 2, 7n);
      expect(await fixture.rollup.pendingDeposits(first)).to.equal(7n << 127n);
      expect(await sums(2)).to.include({ heldUnits: 7n, queuedUnits: 7n, liquidUnits: 0n });
      await serves(outcome(true, 7n));
      expect(await fixture.rollup.pendingDeposits(first)).to.equal(0n);
      expect(await sums(2)).to.include({ heldUnits: 7n, queuedUnits: 0n, liquidUnits: 7n });
    });

    it('of several tokens stand side by side in the pending word', async () => {
      await fixture.deposit(fixture.signers[0], first, 0, 11_000_000n);
      await fixture.deposit(fixture.signers[0], first, 1, 5n);
      await fixture.deposit(fixture.signers[0], first, 2, 3n);
      await fixture.deposit(fixture.signers[0], first, 0, 12_000_000n);
      expect(await fixture.rollup.pendingDeposits(first)).to.equal(23_000_000n | (5n << 80n) | (3n << 127n));
    });

    it('refused for the position cap become a claim of the owner, at once and whatever the outflow limit', async () => {
      await fixture.deposit(fixture.signers[0], first, 1, 9n);
      await serves(outcome(false, 0n, REASON.positionCap));
      expect(await claims(1)).to.equal(9n);
      expect(await fixture.rollup.pendingDeposits(first)).to.equal(0n);
      expect(await sums(1)).to.include({
        heldUnits: 29n,
        queuedUnits: 0n,
        liquidUnits: 20n,
        claimsUnits: 9n,
      });
    });

    it('have no other end', async () => {
      await fixture.deposit(fixture.signers[0], first, 1, 9n);
      const words = [
        0n,
        outcome(true, 8n),
        outcome(true, 10n),
        outcome(true, 0n),
        outcome(true, 9n, REASON.positionCap),
        outcome(false, 9n, REASON.positionCap),
        outcome(false, 0n, REASON.margin),
        outcome(false, 0n, REASON.liquidity),
        outcome(false, 0n),
      ];
      for (const word of words) await refuses({ body: { outcomes: [word] } }, 'BadOutcome');
      for (const bit of [92n, 247n]) {
        await refuses({ body: { outcomes: [outcome(true, 9n) | (1n << bit)] } }, 'UnusedBitsSet');
      }
    });

    it('of quote money are never refused', async () => {
      await fixture.deposit(fixture.signers[0], first, 0, 10_000_000n);
      await refuses({ body: { outcomes: [outcome(false, 0n, REASON.positionCap)] } }, 'BadOutcome');
    });
  });

  describe('forced withdrawals', () => {
    it('served in full become a claim', async () => {
      await owner().requestWithdrawal(first, 0, 30_000_000n, await fee());
      await serves(outcome(true, 30_000_000n));
      expect(await claims(0)).to.equal(30_000_000n);
      expect(await sums(0)).to.include({
        liquidUnits: 70_000_000n,
        claimsUnits: 30_000_000n,
        heldUnits: 100_000_000n,
      });
    });

    it('served short for margin pay what was proved, which may be nothing', async () => {
      await owner().requestWithdrawal(first, 0, 30_000_000n, await fee());
      await owner().requestWithdrawal(first, 0, 30_000_000n, await fee());
      await serves(outcome(true, 29_999_999n, REASON.margin), outcome(false, 0n, REASON.margin));
      expect(await claims(0)).to.equal(29_999_999n);
    });

    it('served short for liquidity pay all that is liquid at their turn', async () => {
      await owner().requestWithdrawal(first, 0, 60_000_000n, await fee());
      await owner().requestWithdrawal(first, 0, 60_000_000n, await fee());
      const withSecond = (served: bigint) => ({
        body: { outcomes: [outcome(true, 60_000_000n), outcome(served > 0n, served, REASON.liquidity)] },
      });
      await refuses(withSecond(39_999_999n), 'ShortWithLiquidityLeft', fixture.vault);
      await refuses(withSecond(40_000_001n), 'ServedBeyondLiquidity', fixture.vault);
      await fixture.submit(withSecond(40_000_000n));
      expect(await claims(0)).to.equal(100_000_000n);
      expect(await sums(0)).to.include({ liquidUnits: 0n });
    });

    it('of an account that owns nothing can be served as nothing, so they freeze nobody', async () => {
      await owner().requestWithdrawal(first, 2, 5n, await fee());
      await serves(outcome(false, 0n, REASON.margin));
      const [head, tail] = await fixture.rollup.queueBounds();
      expect(head).to.equal(tail);
    });

    it('have no other end', async () => {
      await owner().requestWithdrawal(first, 0, 30_000_000n, await fee());
      const words = [
        0n,
        outcome(true, 0n, REASON.margin),
        outcome(false, 5n, REASON.margin),
        outcome(true, 30_000_000n, REASON.margin),
        outcome(true, 30_000_001n),
        outcome(true, 29_999_999n),
        outcome(true, 29_999_999n, REASON.positionCap),
        outcome(true, 29_999_999n, 4n),
        outcome(false, 30_000_000n),
      ];
      for (const word of words) await refuses({ body: { outcomes: [word] } }, 'BadOutcome');
    });
  });

  describe('registration, cancel-all and donation', () => {
    it('end applied, with nothing served', async () => {
      for (const queue of [
        async () => owner().requestCancelAll(first, await fee()),
        async () => owner().registerAccount(...(await keyArguments())),
        () => fixture.donate(fixture.signers[0], 10_000_000n),
      ]) {
        await queue();
        for (const word of [0n, outcome(true, 1n), outcome(true, 0n, REASON.margin), outcome(false)]) {
          await refuses({ body: { outcomes: [word] } }, 'BadOutcome');
        }
        await serves(outcome(true));
      }
    });

    async function keyArguments(): Promise<[bigint, bigint, { value: bigint }]> {
      const { KEY_POINT } = await import('#test/support/rollup.ts');
      return [KEY_POINT[0], KEY_POINT[1], await fee()];
    }

    it('book a donation once, to the micro, for a fund that has no shares', async () => {
      const [giver] = fixture.signers;
      const fund = await fixture.vault.fund();
      const paid = async () => BigInt(await fixture.tokens[0].balanceOf(fund));
      // What is sent to the fund past the rollup is nobody's: it is not booked, and moves nothing that is.
      await fixture.tokens[0].mint(fund, 5_000_000n);
      await fixture.donate(giver, 10_000_001n);
      await serves(outcome(true));
      expect(await sums(0)).to.include({ fundBookedMicros: 10_000_001n, queuedUnits: 0n });
      await refuses({ body: { outcomes: [outcome(true)] } }, 'TooManyOperations');
      for (let i = 0; i < 2; i++) await fixture.vault.moveTreasury();
      expect(await paid()).to.equal(15_000_001n);
      expect(await sums(0)).to.include({ fundBookedMicros: 10_000_001n, fundHeldMicros: 10_000_001n });
      await refuses({ fundPaymentsMicros: 10_000_002n }, 'FundOverdrawn');
      await fixture.submit({ fundPaymentsMicros: 10_000_001n });
      await fixture.vault.moveTreasury();
      expect(await paid()).to.equal(5_000_000n);
      expect(await claims(0)).to.equal(0n);
    });

    it('book a donation for the fund of later batches only', async () => {
      await fixture.donate(fixture.signers[0], 10_000_000n);
      expect(await fixture.vault.fundBookedMicros()).to.equal(0n);
      await refuses({ body: { outcomes: [outcome(true)] }, fundPaymentsMicros: 1n }, 'FundOverdrawn');
      await serves(outcome(true));
      expect(await fixture.vault.fundBookedMicros()).to.equal(10_000_000n);
      await refuses({ fundPaymentsMicros: 10_000_001n }, 'FundOverdrawn');
      await fixture.submit({ fundPaymentsMicros: 10_000_000n });
      expect(await sums(0)).to.include({ fundBookedMicros: 0n, liquidUnits: 110_000_000n });
    });
  });

  describe('signed withdrawals', () => {
    it('become a claim of the owner of the account', async () => {
      await fixture.submit({ body: { withdrawals: [withdrawal(second, 1, 20n)] } });
      expect(await claims(1, 1)).to.equal(20n);
      expect(await sums(1)).to.include({ liquidUnits: 0n, claimsUnits: 20n, heldUnits: 20n });
    });

    it('never pay more than the L2 accounts own together', async () => {
      await refuses(
        { body: { withdrawals: [withdrawal(second, 1, 21n)] } },
        'ServedBeyondLiquidity',
        fixture.vault,
      );
    });

    it('are short only when they take the last unit', async () => {
      const short = (served: bigint) => ({ body: { withdrawals: [withdrawal(second, 1, served, true)] } });
      await refuses(short(19n), 'ShortWithLiquidityLeft', fixture.vault);
      await refuses(short(0n), 'ShortWithLiquidityLeft', fixture.vault);
      await fixture.submit(short(20n));
      await fixture.submit(short(0n));
    });

    it('come after the L1 operations of the batch', async () => {
      await fixture.deposit(fixture.signers[0], first, 1, 4n);
      await fixture.submit({
        body: { outcomes: [outcome(true, 4n)], withdrawals: [withdrawal(second, 1, 24n)] },
      });
      expect(await claims(1, 1)).to.equal(24n);
    });

    it('come before the treasury of the batch', async () => {
      await fixture.submit({
        body: { withdrawals: [withdrawal(first, 0, 100_000_000n)] },
        feesMicros: 10_000_000n,
      });
      expect(await sums(0)).to.include({ liquidUnits: -10_000_000n, fundBookedMicros: 10_000_000n });
      // A dry vault serves nothing, short or not.
      await refuses(
        { body: { withdrawals: [withdrawal(first, 0, 1n)] } },
        'ServedBeyondLiquidity',
        fixture.vault,
      );
      await fixture.submit({ body: { withdrawals: [withdrawal(first, 0, 0n, true)] } });
    });

    it('name a known account and token and use no spare bit', async () => {
      await refuses({ body: { withdrawals: [withdrawal(9, 0, 1n)] } }, 'UnknownAccount');
      await refuses({ body: { withdrawals: [withdrawal(first, 3, 1n)] } }, 'UnknownToken', fixture.vault);
      await refuses({ body: { withdrawals: [withdrawal(first, 0, 1n) | (1n << 117n)] } }, 'UnusedBitsSet');
    });
  });

  describe('liquidations', () => {
    it('are told in an event with what was pending', async () => {
      await fixture.deposit(fixture.signers[1], second, 1, 2n);
      await expect(fixture.submit({ body: { liquidations: [liquidation(second)] } }))
        .to.emit(fixture.rollup, 'Liquidated')
        .withArgs(3, [liquidation(second), 2n << 80n]);
    });

    it('of one batch are told together, each account with its own pending deposits', async () => {
      await fixture.deposit(fixture.signers[1], second, 1, 2n);
      const rows = [first, second].map((account) => liquidation(account));
      await expect(fixture.submit({ body: { liquidations: rows } }))
        .to.emit(fixture.rollup, 'Liquidated')
        .withArgs(3, [rows[0], 0n, rows[1], 2n << 80n]);
    });

    it('use no spare bit', async () => {
      await refuses({ body: { liquidations: [liquidation(second) | (1n << 180n)] } }, 'UnusedBitsSet');
    });

    it('exclude a deposit of the account in the same batch: it would count twice', async () => {
      await fixture.deposit(fixture.signers[1], second, 1, 2n);
      const body = { outcomes: [outcome(true, 2n)], liquidations: [liquidation(second)] };
      await refuses({ body }, 'DepositOfLiquidatedAccount');
      await fixture.submit({ body: { ...body, liquidations: [liquidation(first)] } });
    });

    it('count every deposit that was queued by batch time', async () => {
      const before = await fixture.nowSec();
      const [, end] = await fixture.rollup.queueBounds();
      await fixture.wait(10);
      await fixture.deposit(fixture.signers[1], second, 1, 2n);
      const queuedAt = await fixture.nowSec();
      await fixture.deposit(fixture.signers[1], second, 1, 1n);
      const liquidations = [liquidation(second)];
      const at = (timeSec: number, pendingEnd: bigint) => ({
        body: { liquidations },
        batchTimeSec: BigInt(timeSec),
        pendingEnd,
      });
      await refuses(at(queuedAt, end), 'PendingDepositsCut');
      await refuses(at(queuedAt, end + 3n), 'PendingDepositsCut');
      await refuses(at(queuedAt, end - 1n), 'PendingDepositsCut');
      await expect(fixture.submit(at(before, end)))
        .to.emit(fixture.rollup, 'Liquidated')
        .withArgs(3, [liquidation(second), 0n]);
      await expect(fixture.submit(at(queuedAt, end + 1n)))
        .to.emit(fixture.rollup, 'Liquidated')
        .withArgs(4, [liquidation(second), 2n << 80n]);
      // More may be counted than must be: it speaks for the account.
      await expect(fixture.submit(at(queuedAt, end + 2n)))
        .to.emit(fixture.rollup, 'Liquidated')
        .withArgs(5, [liquidation(second), 3n << 80n]);
    });

    it('cannot be stopped by a deposit after the batch was sealed', async () => {
      const submission = await fixture.submission({ body: { liquidations: [liquidation(second)] } });
      await fixture.deposit(fixture.signers[1], second, 1, 1n);
      await expect(fixture.send(submission))
        .to.emit(fixture.rollup, 'Liquidated')
        .withArgs(3, [liquidation(second), 0n]);
    });
  });

  describe('liquidation rows of several accounts', () => {
    const STRANGER = 2 ** 24 - 1;
    let wide: RollupFixture;
    let a: number;
    let b: number;
    before(async () => {
      wide = await deployRollup({ capacity: { ...TINY_BATCH, liquidations: 5 } });
      [a, b] = [await wide.open(wide.signers[0]), await wide.open(wide.signers[1])];
      await wide.serveQueue();
      await wide.deposit(wide.signers[0], a, 1, 2n);
      await wide.deposit(wide.signers[1], b, 2, 3n);
    });
    restoreAfterEach(() => wide);
    const [pendingOfA, pendingOfB] = [2n << 80n, 3n << 127n];
    const told = async (liquidations: readonly bigint[]): Promise<bigint[]> => {
      const receipt = await (await wide.submit({ body: { liquidations } })).wait();
      const logs = receipt?.logs.map((log) => wide.rollup.interface.parseLog(log)) ?? [];
      return [...(logs.find((log) => log?.name === 'Liquidated')?.args[1] ?? [])];
    };
    const refusesWide = (choice: BatchChoice, error: string) =>
      expect(wide.submit(choice)).to.be.revertedWithCustomError(wide.rollup, error);

    // The proof refuses all but the first; the pending deposits are right all the same.
    for (const [name, accounts] of [
      ['together', () => [a, a, b, b]],
      ['apart', () => [a, b, a, b, a]],
      ['beside an empty row', () => [a, 0, a, 0, b]],
      ['after an empty row', () => [0, 0, b, a]],
      ['around the greatest index, of nobody', () => [STRANGER, a, STRANGER, b, STRANGER]],
    ] as const) {
      it(`tell each account its own pending deposits when they stand ${name}`, async () => {
        const pending: Record<number, bigint> = { [a]: pendingOfA, [b]: pendingOfB };
        const words = accounts().map((account, i) => (account === 0 ? 0n : liquidation(account, 4 + i)));
        const expected = words.flatMap((word, i) => [word, pending[accounts()[i]] ?? 0n]);
        expect(await told(words)).to.deep.equal(expected);
      });
    }

    it('are not told when there is none', async () => {
      expect(await told([])).to.deep.equal([]);
    });

    it('each have their deposits in the batch looked for, whatever row and outcome they have', async () => {
      const refused = outcome(false, 0n, REASON.positionCap);
      for (const [outcomes, culprit] of [
        [[outcome(true, 2n)], a],
        [[refused], a],
        [[outcome(true, 2n), outcome(true, 3n)], b],
        [[outcome(true, 2n), refused], b],
      ] as const) {
        const rows = [STRANGER - 1, STRANGER - 1, culprit, STRANGER];
        const body = { outcomes, liquidations: rows.map((account) => liquidation(account)) };
        await refusesWide({ body }, 'DepositOfLiquidatedAccount');
      }
    });

    it('have their cut of the queue looked at, whichever row is the first', async () => {
      const [head, tail] = await wide.rollup.queueBounds();
      for (const liquidations of [[liquidation(STRANGER)], [0n, 0n, 0n, 0n, liquidation(a)]]) {
        for (const pendingEnd of [head - 1n, head, tail - 1n, tail + 1n, 2n ** 64n - 1n]) {
          await refusesWide({ body: { liquidations }, pendingEnd }, 'PendingDepositsCut');
        }
      }
    });
  });
});
