import { expect } from 'chai';
import type { Contract } from 'ethers';
import fc from 'fast-check';
import {
  DELAYED_CHAIN_START,
  delayedChain,
  readDelayedWord,
  recordAllDelayed,
  recordDelayed,
  unrecordedWords,
} from '#client/delayed-claims.ts';
import { InputError } from '#protocol/errors.ts';
import { DAY_SEC, deployRollup, type RollupFixture, restoreAfterEach, USDC } from '#test/support/rollup.ts';

const HELD = 1_000_000_000n;
const FLOOR = 40_000_000n;
/** A tenth of what is held. */
const LIMIT = HELD / 10n;
/** Eight hours of the daily flow of ¾ of the limit. */
const BURST = LIMIT / 4n;
const withdrawal = (accountIndex: number, served: bigint): bigint => BigInt(accountIndex) | (served << 28n);

describe('TokenVault, outflow limit', () => {
  let fixture: RollupFixture;
  let account: number;
  before(async () => {
    fixture = await deployRollup({ tokens: [{ ...USDC, outflowFloorUnits: FLOOR }] });
    account = await fixture.open(fixture.signers[0]);
    await fixture.deposit(fixture.signers[0], account, 0, HELD);
    await fixture.serveQueue();
  });
  restoreAfterEach(() => fixture);

  const withdraw = async (served: bigint) => {
    await fixture.acceptTable();
    return fixture.submit({ body: { withdrawals: [withdrawal(account, served)] } });
  };
  const withdrawAndRecord = async (served: bigint) => {
    await withdraw(served);
    await recordAllDelayed(fixture.vault);
  };
  const claimable = (): Promise<bigint> => fixture.vault.claimsUnits(fixture.signers[0].address, 0);
  const releaseAll = async () => {
    for (let id = 0n; id < (await fixture.vault.delayedCount()); id++) {
      await fixture.vault.release(id).catch(() => undefined);
    }
  };

  it('lets a withdrawal within the burst through at once', async () => {
    await withdraw(BURST);
    expect(await claimable()).to.equal(BURST);
    expect(await fixture.vault.delayedCount()).to.equal(0n);
  });

  it('delays what exceeds it, and never blocks the batch', async () => {
    await expect(withdraw(HELD)).to.emit(fixture.vault, 'ClaimDelayed');
    await recordAllDelayed(fixture.vault);
    expect(await claimable()).to.equal(BURST);
    const delayed = await fixture.vault.delayedClaims(0);
    expect(delayed.amountUnits).to.equal(HELD - BURST);
    // The whole at ¾ of a tenth a day, less the eight hours that went at once.
    const days = Number(delayed.endsAtSec - delayed.startsAtSec) / DAY_SEC;
    expect(Math.abs(days - (10 / 0.75 - 1 / 3))).to.be.below(0.01);
    const { liquidUnits, claimsUnits } = await fixture.vault.conservation(0);
    expect([liquidUnits, claimsUnits]).to.deep.equal([0n, HELD]);
  });

  it('is of what users own, wherever it lies: moving the treasury before a withdrawal changes nothing', async () => {
    const [owner] = fixture.signers;
    const endsAfterSec = async (isMoved: boolean): Promise<bigint> => {
      const { restore } = await fixture.connection.networkHelpers.takeSnapshot();
      await fixture.donate(owner, 9n * HELD);
      await fixture.serveQueue();
      await fixture.vault.moveTreasury();
      // The fund pays the accounts eight times what the vault holds.
      await fixture.acceptTable();
      await fixture.submit({ fundPaymentsMicros: 8n * HELD });
      if (isMoved) await fixture.vault.moveTreasury();
      await withdrawAndRecord(9n * HELD);
      const { endsAtSec } = await fixture.vault.delayedClaims(0);
      const took = endsAtSec - BigInt(await fixture.nowSec());
      expect((await fixture.vault.conservation(0)).liquidUnits).to.equal(0n);
      await restore();
      return took;
    };
    const [moved, unmoved] = [await endsAfterSec(true), await endsAfterSec(false)];
    expect(Number(unmoved)).to.be.closeTo(Number(moved), 60);
    // All that users own, at ¾ of a tenth a day: never longer than this.
    expect(Number(unmoved) / DAY_SEC).to.be.below(10 / 0.75);
  });

  it('is not raised by what the fund owns and the vault still holds', async () => {
    await fixture.donate(fixture.signers[0], 9n * HELD);
    await fixture.serveQueue();
    await withdrawAndRecord(HELD);
    expect(await claimable()).to.equal(BURST);
  });

  it('makes a delayed claim due evenly and pays it out in full', async () => {
    await withdrawAndRecord(HELD);
    const { startsAtSec, endsAtSec, amountUnits } = await fixture.vault.delayedClaims(0);
    await fixture.setNextTime((startsAtSec + endsAtSec) / 2n);
    await fixture.vault.release(0);
    expect(Number(await claimable())).to.be.closeTo(Number(BURST + amountUnits / 2n), 1_000);
    await fixture.setNextTime(endsAtSec);
    await fixture.vault.release(0);
    expect(await claimable()).to.equal(HELD);
    await expect(fixture.vault.release(0)).to.be.revertedWithCustomError(fixture.vault, 'NothingToClaim');
    await expect(fixture.vault.release(1)).to.be.revertedWithCustomError(fixture.vault, 'NothingToClaim');
    await (fixture.vault.connect(fixture.signers[0]) as Contract).claim(0);
    expect(await fixture.tokens[0].balanceOf(fixture.signers[0].address)).to.equal(HELD);
  });

  it('holds for the next one too, behind those before', async () => {
    await withdrawAndRecord(LIMIT);
    await withdrawAndRecord(LIMIT);
    const [first, second] = [await fixture.vault.delayedClaims(0), await fixture.vault.delayedClaims(1)];
    expect(second.startsAtSec).to.be.at.least(first.endsAtSec - 1n);
    expect(second.amountUnits, 'no second burst').to.be.at.least(LIMIT - 10_000n);
  });

  describe('what a batch leaves in the chain of an owner', () => {
    let words: bigint[];
    beforeEach(async () => {
      for (const amount of [HELD / 2n, 1_000_000n, 2_000_000n]) await withdraw(amount);
      words = (await unrecordedWords(fixture.vault)).get(fixture.signers[0].address) ?? [];
      expect(words).to.have.length(3);
    });
    const record = (earlier: string, some: readonly bigint[], owner = fixture.signers[0].address) =>
      fixture.vault.recordDelayed(owner, earlier, some);
    const chainAfter = (count: number) => delayedChain(DELAYED_CHAIN_START, words.slice(0, count));
    const refuses = (call: Promise<unknown>) =>
      expect(call).to.be.revertedWithCustomError(fixture.vault, 'NotTheLastDelayed');

    it('is recorded by anyone, in pieces from the last, whenever', async () => {
      await fixture.wait(100 * DAY_SEC);
      await record(chainAfter(2), words.slice(2));
      expect(await fixture.vault.delayedChain(fixture.signers[0].address)).to.equal(chainAfter(2));
      expect(await claimable(), 'the burst was of the first').to.equal(0n);
      await record(DELAYED_CHAIN_START, words.slice(0, 2));
      expect(await fixture.vault.delayedCount()).to.equal(3n);
      expect(await claimable()).to.equal(BURST);
      await releaseAll();
      expect(await claimable(), 'recorded late, due on time').to.equal(HELD / 2n + 3_000_000n);
    });

    it('is recorded once', async () => {
      await record(chainAfter(2), words.slice(2));
      await refuses(record(chainAfter(2), words.slice(2)));
      await record(DELAYED_CHAIN_START, words.slice(0, 2));
      await refuses(record(DELAYED_CHAIN_START, words));
      await refuses(record(DELAYED_CHAIN_START, words.slice(0, 1)));
      expect(await fixture.vault.delayedCount()).to.equal(3n);
    });

    it('cannot be left out, changed, reordered, made up or taken by another', async () => {
      const other = fixture.signers[1].address;
      await fixture.open(fixture.signers[1]);
      await refuses(record(DELAYED_CHAIN_START, words.slice(1)));
      await refuses(record(DELAYED_CHAIN_START, words.slice(0, 2)));
      await refuses(record(DELAYED_CHAIN_START, [words[0], words[2], words[1]]));
      await refuses(record(DELAYED_CHAIN_START, [words[0], words[1], words[2] + 16n]));
      await refuses(record(DELAYED_CHAIN_START, [...words, 2n ** 256n - 1n]));
      await refuses(record(DELAYED_CHAIN_START, [...words, ...words]));
      await refuses(record(chainAfter(3), []));
      await refuses(record(chainAfter(3), [words[0]]));
      await refuses(record(DELAYED_CHAIN_START, words, other));
      await refuses(record(DELAYED_CHAIN_START, [], other));
      await refuses(record(`0x${'00'.repeat(32)}`, [], fixture.signers[5].address));
      expect(await fixture.vault.delayedCount()).to.equal(0n);
    });

    it('goes on where recording left it, and a second account of the owner leaves it alone', async () => {
      await record(chainAfter(2), words.slice(2));
      await fixture.open(fixture.signers[0]);
      await fixture.serveQueue();
      await withdraw(5_000_000n);
      await recordAllDelayed(fixture.vault);
      expect(await fixture.vault.delayedCount()).to.equal(4n);
      await fixture.wait(100 * DAY_SEC);
      await releaseAll();
      expect(await claimable()).to.equal(HELD / 2n + 8_000_000n);
    });

    it('costs who is overtaken no slot: the call is refused before it fills one', async () => {
      await record(chainAfter(2), words.slice(2));
      const { address } = fixture.signers[0];
      await refuses(
        fixture.vault.recordDelayed.staticCall(address, DELAYED_CHAIN_START, words, { gasLimit: 60_000n }),
      );
    });

    it('is recorded by the client in as many calls as it takes', async () => {
      await recordAllDelayed(fixture.vault, 2);
      expect(await fixture.vault.delayedCount()).to.equal(3n);
      expect(await fixture.vault.delayedChain(fixture.signers[0].address)).to.equal(DELAYED_CHAIN_START);
      expect((await unrecordedWords(fixture.vault)).get(fixture.signers[0].address)).to.deep.equal([]);
    });

    it('stops no client that is overtaken, be it by a recording or by a further withdrawal', async () => {
      const { address } = fixture.signers[0];
      await record(chainAfter(2), words.slice(2));
      await recordDelayed(fixture.vault, address, words);
      expect((await unrecordedWords(fixture.vault)).get(address)).to.deep.equal(words.slice(0, 2));
      await withdraw(3_000_000n);
      await recordDelayed(fixture.vault, address, words.slice(0, 2));
      expect(await fixture.vault.delayedCount()).to.equal(1n);
      await recordAllDelayed(fixture.vault);
      expect(await fixture.vault.delayedCount()).to.equal(4n);
      expect(await claimable()).to.equal(BURST);
    });

    it('tells a client whose node has lost an event, instead of leaving it in the belief that all is recorded', async () => {
      const node = new Proxy(fixture.vault, {
        get: (vault, name) =>
          name === 'queryFilter'
            ? async (events: string[][]) => (await vault.queryFilter(events)).slice(1)
            : Reflect.get(vault, name),
      });
      const failure = await recordAllDelayed(node).catch((error: unknown) => error);
      expect(failure).to.be.instanceOf(InputError);
      expect(await fixture.vault.delayedCount()).to.equal(0n);
    });

    it('tells a client whose call fails for another reason', async () => {
      const reader = fixture.vault.connect(fixture.connection.ethers.provider) as Contract;
      const failure = await recordAllDelayed(reader).catch((error: unknown) => error);
      expect(failure).to.be.instanceOf(Error);
      expect(await fixture.vault.delayedCount()).to.equal(0n);
    });
  });

  it('keeps withdrawals of one batch in their order, forced ones first, whichever account of an owner they are of', async () => {
    const [owner, other] = fixture.signers;
    const [second, stranger] = [await fixture.open(owner), await fixture.open(other)];
    await fixture.serveQueue();
    const value = await fixture.rollup.queueFeeWei();
    await fixture.as(owner).requestWithdrawal(second, 0, HELD / 2n, { value });
    await fixture.as(other).requestWithdrawal(stranger, 0, 7_000_000n, { value });
    await fixture.acceptTable();
    const outcomes = [HELD / 2n, 7_000_000n].map((served) => 1n | (served << 4n));
    await fixture.submit({ body: { outcomes, withdrawals: [withdrawal(account, 9_000_000n)] } });
    const unrecorded = await unrecordedWords(fixture.vault);
    const amounts = (address: string) =>
      (unrecorded.get(address) ?? []).map((word) => {
        const { delayedUnits, immediateUnits } = readDelayedWord(word);
        return [delayedUnits, immediateUnits];
      });
    expect(amounts(owner.address)).to.deep.equal([
      [HELD / 2n - BURST, BURST],
      [9_000_000n, 0n],
    ]);
    expect(amounts(other.address)).to.deep.equal([[7_000_000n, 0n]]);
    await recordAllDelayed(fixture.vault);
    expect(await fixture.vault.delayedCount()).to.equal(3n);
    expect(await claimable()).to.equal(BURST);
  });

  it('has a floor, so that the last tenth does not take for ever', async () => {
    await withdrawAndRecord(HELD - 10_000_000n);
    await fixture.wait(20 * DAY_SEC);
    await releaseAll();
    await (fixture.vault.connect(fixture.signers[0]) as Contract).claim(0);
    await withdrawAndRecord(10_000_000n);
    expect(await claimable()).to.equal(FLOOR / 4n);
  });

  it('never lets more than the limit become claimable in any 24 hours', async () => {
    const step = fc.record({
      waitSec: fc.integer({ min: 0, max: 100_000 }),
      share: fc.integer({ min: 1, max: 300 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 20 }), async (steps) => {
        const { restore } = await fixture.connection.networkHelpers.takeSnapshot();
        const outflows: Outflow[] = [];
        let left = HELD;
        for (const { waitSec, share } of steps) {
          await fixture.wait(waitSec + 1);
          const amount = (HELD * BigInt(share)) / 1_000n;
          if (amount > left) continue;
          left -= amount;
          outflows.push(...(await outflowsOf(amount)));
        }
        await restore();
        // Piecewise linear in its start, so it is greatest where a window begins or ends at a break.
        const breaks = outflows.flatMap(({ fromSec, toSec }) => [fromSec, toSec]);
        for (const startSec of [...breaks, ...breaks.map((sec) => sec - DAY_SEC)]) {
          const inWindow =
            claimableBy(outflows, startSec + DAY_SEC, true) - claimableBy(outflows, startSec, false);
          expect(inWindow).to.be.at.most(Number(LIMIT) + 1);
        }
      }),
      { numRuns: 25 },
    );
  });

  /** What becomes claimable evenly between two times, or at one. */
  interface Outflow {
    readonly fromSec: number;
    readonly toSec: number;
    readonly amount: number;
  }

  async function outflowsOf(amount: bigint): Promise<Outflow[]> {
    const credited = await claimable();
    const delayedId = await fixture.vault.delayedCount();
    await withdraw(amount);
    const now = await fixture.nowSec();
    await recordAllDelayed(fixture.vault);
    const immediate = { fromSec: now, toSec: now, amount: Number((await claimable()) - credited) };
    if ((await fixture.vault.delayedCount()) === delayedId) return [immediate];
    const { startsAtSec, endsAtSec, amountUnits } = await fixture.vault.delayedClaims(delayedId);
    expect(BigInt(immediate.amount) + amountUnits).to.equal(amount);
    return [
      immediate,
      { fromSec: Number(startsAtSec), toSec: Number(endsAtSec), amount: Number(amountUnits) },
    ];
  }

  function claimableBy(outflows: readonly Outflow[], atSec: number, includesThen: boolean): number {
    return outflows.reduce((sum, { fromSec, toSec, amount }) => {
      if (fromSec === toSec) {
        const isThere = fromSec < atSec || (includesThen && fromSec === atSec);
        return isThere ? sum + amount : sum;
      }
      return sum + amount * Math.min(1, Math.max(0, (atSec - fromSec) / (toSec - fromSec)));
    }, 0);
  }
});
