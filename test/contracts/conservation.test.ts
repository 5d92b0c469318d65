import { expect } from 'chai';
import type { Contract } from 'ethers';
import fc from 'fast-check';
import { readDelayedWord, recordAllDelayed, unrecordedWords } from '#client/delayed-claims.ts';
import {
  DAY_SEC,
  deployRollup,
  outcome,
  type RollupFixture,
  restoreAfterEach,
  USDC,
  WBTC,
  WETH,
} from '#test/support/rollup.ts';

const USERS = 3;
const TOKENS = 3;
const FEE_UNIT_WEI = 200_000_000_000_000n;
const REASON = { positionCap: 1n, margin: 2n, liquidity: 3n };
const MINIMUM = [10_000_000n, 1n, 1n];

/** What chance decides of one step; each step reads what it needs. */
interface Step {
  readonly action: (typeof ACTIONS)[number];
  readonly user: number;
  readonly tokenId: number;
  /** 1 … 1000, scales amounts. */
  readonly share: bigint;
  readonly choices: readonly number[];
}
const ACTIONS = [
  'deposit',
  'deposit',
  'request',
  'donate',
  'batch',
  'batch',
  'batch',
  'claim',
  'release',
  'moveTreasury',
  'wait',
] as const;
const step: fc.Arbitrary<Step> = fc.record({
  action: fc.constantFrom(...ACTIONS),
  user: fc.integer({ min: 0, max: USERS - 1 }),
  tokenId: fc.integer({ min: 0, max: TOKENS - 1 }),
  share: fc.bigInt({ min: 1n, max: 1_000n }),
  choices: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 8, maxLength: 8 }),
});

/** Takes one reason for a refusal and no other. */
const unlessRefusedBy = (name: string, call: Promise<unknown>): Promise<unknown> =>
  call.catch((error: Error) => {
    if (!error.message.includes(name)) throw error;
  });

/** The ledger as docs/protocol.md §6 says it runs, kept beside the contract. */
interface Model {
  readonly liquid: bigint[];
  fundBooked: bigint;
}

describe('Rollup, conservation over random histories', () => {
  let fixture: RollupFixture;
  before(async () => {
    const low = { outflowFloorUnits: 40n };
    fixture = await deployRollup({
      tokens: [
        { ...USDC, ...low },
        { ...WBTC, ...low },
        { ...WETH, ...low },
      ],
    });
    for (let user = 0; user < USERS; user++) await fixture.open(fixture.signers[user]);
    await fixture.serveQueue();
  });
  restoreAfterEach(() => fixture);

  const max0 = (value: bigint) => (value > 0n ? value : 0n);
  const atMost = (limit: bigint, share: bigint) => (limit * share) / 1_000n;

  async function waitingWords(): Promise<bigint[]> {
    const [head, tail] = await fixture.rollup.queueBounds();
    const words: bigint[] = [];
    for (let i = head; i < tail; i++) words.push((await fixture.rollup.queueEntry(i))[0].word);
    return words;
  }

  /** A fair outcome of an operation, and what it does to the model. */
  function serve(word: bigint, choice: number, share: bigint, model: Model): bigint {
    const [kind, tokenId, amount] = [word & 15n, Number((word >> 28n) & 15n), word >> 32n];
    if (kind === 6n) model.fundBooked += amount;
    if (kind === 2n) {
      if (tokenId !== 0 && choice === 0) return outcome(false, 0n, REASON.positionCap);
      model.liquid[tokenId] += amount;
      return outcome(true, amount);
    }
    if (kind !== 3n) return outcome(true);
    const available = max0(model.liquid[tokenId]);
    if (amount <= available && choice > 1) {
      model.liquid[tokenId] -= amount;
      return outcome(true, amount);
    }
    const isForLiquidity = amount > available && choice > 1;
    const limit = amount - 1n < available ? amount - 1n : available;
    const served = isForLiquidity ? available : atMost(limit, share);
    model.liquid[tokenId] -= served;
    return outcome(served > 0n, served, isForLiquidity ? REASON.liquidity : REASON.margin);
  }

  async function batch({ user, tokenId, share, choices }: Step, model: Model): Promise<void> {
    await fixture.acceptTable();
    const words = (await waitingWords()).slice(0, Math.min(choices[0], fixture.capacity.l1Operations));
    const fundBefore = model.fundBooked;
    const outcomes = words.map((word, i) => serve(word, choices[1 + i], share, model));
    const withdrawals: bigint[] = [];
    if (choices[4] > 0) {
      const available = max0(model.liquid[tokenId]);
      const isShort = choices[4] === 1;
      const served = isShort ? available : atMost(available, share);
      if (served > 0n || isShort) {
        withdrawals.push(
          BigInt(user + 1) | (BigInt(tokenId) << 24n) | (served << 28n) | ((isShort ? 1n : 0n) << 116n),
        );
        model.liquid[tokenId] -= served;
      }
    }
    const feesMicros = share * BigInt(choices[5]) * 10_007n;
    const penaltiesMicros = share * BigInt(choices[6]);
    const fundPaymentsMicros = choices[7] > 1 ? atMost(fundBefore, share) : 0n;
    model.fundBooked += feesMicros + penaltiesMicros - fundPaymentsMicros;
    model.liquid[0] -= feesMicros + penaltiesMicros - fundPaymentsMicros;
    await fixture.submit({
      body: { outcomes, withdrawals },
      feesMicros,
      penaltiesMicros,
      fundPaymentsMicros,
    });
  }

  async function take(current: Step, model: Model): Promise<void> {
    const { action, user, tokenId, share, choices } = current;
    const owner = fixture.signers[user];
    const amount = MINIMUM[tokenId] + share * (tokenId === 0 ? 77_777n : 1n);
    const vault = fixture.vault.connect(owner) as Contract;
    const value = (await fixture.rollup.queueFeeWei()) + BigInt(choices[0]);
    if (action === 'deposit') {
      await unlessRefusedBy('TooManyDeposits', fixture.deposit(owner, user + 1, tokenId, amount));
    }
    if (action === 'request') await fixture.as(owner).requestWithdrawal(user + 1, tokenId, amount, { value });
    if (action === 'donate') await fixture.donate(owner, MINIMUM[0] + share);
    if (action === 'batch') await batch(current, model);
    if (action === 'moveTreasury') await fixture.vault.moveTreasury();
    if (action === 'wait') await waitWithinDeadlines(share * 100n);
    if (action === 'claim' && (await fixture.vault.claimsUnits(owner.address, tokenId)) > 0n) {
      await vault.claim(tokenId);
    }
    if (action === 'release') await releaseAll();
  }

  /** Past the deadline of the oldest operation only the freeze is left, which is how every history here ends. */
  async function waitWithinDeadlines(seconds: bigint): Promise<void> {
    const [head, tail] = await fixture.rollup.queueBounds();
    let left = seconds;
    if (head < tail) {
      const [{ dueNetSec }] = await fixture.rollup.queueEntry(head);
      // The steps of a history, a block each, take less than two hours.
      const untilDue = dueNetSec - BigInt(await fixture.nowSec()) - 7_200n;
      if (untilDue < left) left = untilDue;
    }
    if (left > 0n) await fixture.wait(left);
  }

  async function releaseAll(): Promise<void> {
    await recordAllDelayed(fixture.vault);
    for (let id = 0n; id < (await fixture.vault.delayedCount()); id++) {
      await unlessRefusedBy('NothingToClaim', fixture.vault.release(id));
    }
  }

  async function owedClaims(tokenId: number): Promise<bigint> {
    let owed = 0n;
    for (let user = 0; user < USERS; user++) {
      owed += BigInt(await fixture.vault.claimsUnits(fixture.signers[user].address, tokenId));
    }
    for (const word of [...(await unrecordedWords(fixture.vault)).values()].flat()) {
      const { tokenId: id, delayedUnits, immediateUnits } = readDelayedWord(word);
      if (id === BigInt(tokenId)) owed += delayedUnits + immediateUnits;
    }
    for (let id = 0n; id < (await fixture.vault.delayedCount()); id++) {
      const delayed = await fixture.vault.delayedClaims(id);
      if (delayed.tokenId === BigInt(tokenId)) owed += BigInt(delayed.amountUnits - delayed.releasedUnits);
    }
    return owed;
  }

  async function check(model: Model, isFrozen = false): Promise<void> {
    const waiting = isFrozen ? [] : await waitingWords();
    const fundAddress = await fixture.vault.fund();
    for (let tokenId = 0; tokenId < TOKENS; tokenId++) {
      const sums = await fixture.vault.conservation(tokenId);
      const { weiPerUnit } = await fixture.vault.tokenConfig(tokenId);
      const token = fixture.tokens[tokenId];
      expect(sums.heldUnits * weiPerUnit).to.equal(await token.balanceOf(await fixture.vault.getAddress()));
      expect(sums.fundHeldMicros * weiPerUnit).to.equal(await token.balanceOf(fundAddress));
      expect(
        sums.heldUnits + sums.fundHeldMicros,
        'P1: what is held is owed, and what is owed is held',
      ).to.equal(sums.claimsUnits + sums.queuedUnits + sums.liquidUnits + sums.fundBookedMicros);
      expect(sums.claimsUnits, 'P2: claims are within the vault').to.be.at.most(
        sums.heldUnits + sums.fundHeldMicros,
      );
      expect(sums.claimsUnits, 'P3: claims are the claims of owners').to.equal(await owedClaims(tokenId));
      expect(sums.liquidUnits, 'P4: liquidity runs as in docs/protocol.md').to.equal(model.liquid[tokenId]);
      if (tokenId === 0) expect(sums.fundBookedMicros, 'P5: so does the fund').to.equal(model.fundBooked);
      if (isFrozen) continue;
      const queued = waiting.filter(
        (word) => [2n, 6n].includes(word & 15n) && (word >> 28n) % 16n === BigInt(tokenId),
      );
      expect(sums.queuedUnits, 'P6: the queue holds its principal').to.equal(
        queued.reduce((sum, word) => sum + (word >> 32n), 0n),
      );
    }
    await checkEther();
  }

  async function checkEther(): Promise<void> {
    const [head, tail] = await fixture.rollup.queueBounds();
    let owed = await fixture.rollup.feeClaimsWei(fixture.submitter.address);
    for (let user = 0; user < USERS; user++) {
      owed += await fixture.rollup.feeClaimsWei(fixture.signers[user].address);
    }
    for (let i = head; i < tail; i++) {
      const [{ feeUnits }] = await fixture.rollup.queueEntry(i);
      owed += BigInt(feeUnits) * FEE_UNIT_WEI;
    }
    const balance = await fixture.connection.ethers.provider.getBalance(await fixture.rollup.getAddress());
    expect(balance, 'P7: Ether is fees').to.equal(owed);
  }

  /** The end: nobody serves any more, deposits come back, and everything claimable is paid. */
  async function freezeAndLeave(model: Model): Promise<void> {
    const [head, tail] = await fixture.rollup.queueBounds();
    if (head === tail) await fixture.as(fixture.signers[0]).requestCancelAll(1, { value: FEE_UNIT_WEI * 9n });
    const words = await waitingWords();
    await fixture.wait(4 * DAY_SEC + 30 * words.length);
    await fixture.rollup.freeze();
    for (const [i, word] of words.entries()) {
      await fixture.as(fixture.submitter).reclaim(head + BigInt(i));
      if ((word & 15n) === 6n) model.fundBooked += word >> 32n;
    }
    // In three steps, so that most delayed claims are released in part before they are released whole.
    for (const days of [1, 5, 400]) {
      await fixture.wait(days * DAY_SEC);
      await releaseAll();
    }
    for (let tokenId = 0; tokenId < TOKENS; tokenId++) {
      for (let user = 0; user < USERS; user++) {
        const { address } = fixture.signers[user];
        if ((await fixture.vault.claimsUnits(address, tokenId)) === 0n) continue;
        await (fixture.vault.connect(fixture.signers[user]) as Contract).claim(tokenId);
      }
      expect((await fixture.vault.conservation(tokenId)).claimsUnits, 'P8: every claim can be paid').to.equal(
        0n,
      );
    }
    await check(model, true);
  }

  it('holds after every step, and everyone is paid at the end', async function () {
    this.timeout(600_000);
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40 }), async (steps) => {
        const { restore } = await fixture.connection.networkHelpers.takeSnapshot();
        const model: Model = { liquid: [0n, 0n, 0n], fundBooked: 0n };
        try {
          for (const current of steps) {
            await take(current, model);
            await check(model);
          }
          await freezeAndLeave(model);
        } finally {
          await restore();
        }
      }),
      // Without shrinking: a history takes a second, and seed and path say enough to run it again.
      { numRuns: 8, endOnFailure: true },
    );
  });
});
