import { expect } from 'chai';
import { TINY_BATCH } from '#protocol/limits.ts';
import { deployRollup, outcome, type RollupFixture, restoreAfterEach } from '#test/support/rollup.ts';

const WINDOW_SEC = 300;
const WIDTHS = [80n, 47n, 47n, 47n];
/** An amount at its token's place in a pending word. */
const placed = (tokenId: number, units: bigint): bigint =>
  units << WIDTHS.slice(0, tokenId).reduce((sum, width) => sum + width, 0n);
const liquidation = (account: number): bigint => BigInt(account) | (4n << 24n) | (1n << 45n);

describe('Pending deposits', () => {
  let fixture: RollupFixture;
  let a: number;
  let b: number;
  before(async () => {
    fixture = await deployRollup({ capacity: { ...TINY_BATCH, l1Operations: 8 } });
    [a, b] = [await fixture.open(fixture.signers[0]), await fixture.open(fixture.signers[1])];
    await fixture.serveQueue();
    for (const signer of fixture.signers.slice(0, 2)) {
      for (const tokenId of [0, 1, 2]) await fixture.fund(signer, tokenId, 10n ** 20n);
    }
  });
  restoreAfterEach(() => fixture);

  const UNIT_WEI = [10_000_000n, 100_000n, 10n ** 16n];
  const deposit = async (account: number, tokenId = 1, count = 1n) =>
    fixture
      .as(fixture.signers[account - a])
      .deposit(account, tokenId, UNIT_WEI[tokenId] * count, { value: await fixture.rollup.queueFeeWei() });
  const cancelAll = async (account: number) =>
    fixture
      .as(fixture.signers[account - a])
      .requestCancelAll(account, { value: await fixture.rollup.queueFeeWei() });

  /** What waits below an end, by a walk over the whole queue. */
  async function walked(account: number, end: bigint): Promise<bigint> {
    const [head] = await fixture.rollup.queueBounds();
    let sum = 0n;
    for (let i = head; i < end; i++) {
      const [{ word }] = await fixture.rollup.queueEntry(i);
      if ((word & 15n) !== 2n || (word >> 4n) % 2n ** 24n !== BigInt(account)) continue;
      sum += placed(Number((word >> 28n) & 15n), word >> 32n);
    }
    return sum;
  }

  it('are, for every cut of the queue, what a walk over all of it finds', async () => {
    const batchTimeSec = BigInt(await fixture.nowSec());
    await deposit(a, 0, 3n);
    await deposit(b, 2);
    await deposit(a, 1, 5n);
    await cancelAll(a);
    await deposit(b, 1, 7n);
    await deposit(a, 2, 11n);
    await fixture.donate(fixture.signers[2], 10_000_000n);
    await deposit(a, 0, 13n);
    await deposit(b, 0, 17n);
    // Batches take none, some and all of them; a new one joins those that are left.
    for (const served of [0, 1, 3, 6, 9]) {
      const { restore } = await fixture.connection.networkHelpers.takeSnapshot();
      const outcomes: bigint[] = [];
      for (let i = 0n; i < served; i++) {
        const [{ word }] = await fixture.rollup.queueEntry((await fixture.rollup.queueBounds())[0] + i);
        outcomes.push(outcome(true, (word & 15n) === 2n ? word >> 32n : 0n));
      }
      for (const part of [outcomes.slice(0, 8), outcomes.slice(8)]) {
        if (part.length > 0) await fixture.submit({ batchTimeSec, body: { outcomes: part } });
      }
      if (served > 0) await deposit(b, 2, 19n);
      const [head, tail] = await fixture.rollup.queueBounds();
      for (let end = head; end <= tail; end++) {
        const submission = { batchTimeSec, pendingEnd: end, body: { liquidations: [a, b].map(liquidation) } };
        const number = (await fixture.rollup.batchNumber()) + 1n;
        const rows = [liquidation(a), await walked(a, end), liquidation(b), await walked(b, end)];
        await expect(fixture.submit(submission), `${served} served, cut at ${end}`)
          .to.emit(fixture.rollup, 'Liquidated')
          .withArgs(number, rows);
      }
      expect(await fixture.rollup.pendingDeposits(a)).to.equal(await walked(a, tail));
      await restore();
    }
  });

  it('are taken four at a time: the fifth when the first has waited five minutes, to the second', async () => {
    await deposit(a);
    const retryAtSec = (await fixture.nowSec()) + WINDOW_SEC;
    for (const tokenId of [0, 1, 2]) await deposit(a, tokenId);
    await fixture.setNextTime(retryAtSec - 1);
    await expect(deposit(a))
      .to.be.revertedWithCustomError(fixture.rollup, 'TooManyDeposits')
      .withArgs(a, retryAtSec);
    expect((await fixture.rollup.queueBounds())[1], 'nothing was queued').to.equal(6n);
    await fixture.setNextTime(retryAtSec);
    await deposit(a);
  });

  it('bind the account that made them alone, and no other kind of operation', async () => {
    for (let i = 0; i < 4; i++) await deposit(a);
    await expect(deposit(a)).to.be.revertedWithCustomError(fixture.rollup, 'TooManyDeposits');
    await cancelAll(a);
    await fixture.donate(fixture.signers[0], 10_000_000n);
    for (let i = 0; i < 4; i++) await deposit(b);
    // Nobody deposits into an account but its owner, so nobody can use up its room.
    const other = fixture.as(fixture.signers[1]);
    await expect(other.deposit(a, 1, UNIT_WEI[1], { value: await fixture.rollup.queueFeeWei() }))
      .to.be.revertedWithCustomError(fixture.rollup, 'NotOwner')
      .withArgs(a, fixture.signers[1].address);
  });

  it('that a batch took make room at once', async () => {
    for (let i = 0; i < 4; i++) await deposit(a);
    await expect(deposit(a)).to.be.revertedWithCustomError(fixture.rollup, 'TooManyDeposits');
    await fixture.submit({ body: { outcomes: [outcome(true, 1n)] } });
    await deposit(a);
    await expect(deposit(a)).to.be.revertedWithCustomError(fixture.rollup, 'TooManyDeposits');
    await fixture.serveQueue();
    for (let i = 0; i < 4; i++) await deposit(a);
  });

  it('wait for hours if they must, and a young one joins them', async () => {
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 4; i++) await deposit(a);
      await fixture.wait(WINDOW_SEC);
    }
    expect(await fixture.rollup.pendingDeposits(a)).to.equal(placed(1, 12n));
  });
});
