import { expect } from 'chai';
import { randomTradingKey } from '#client/keys.ts';
import { L1Account } from '#client/l1.ts';
import { L1_OPERATION_LAYOUT } from '#protocol/batch/words.ts';
import { InputError } from '#protocol/errors.ts';
import { unpack } from '#protocol/pack.ts';
import { deployRollup, type RollupFixture, USDC } from '../support/rollup.ts';

const DOLLARS_100 = 100_000_000n;
/** isApplied, no reason, served. */
const applied = (served: bigint): bigint => 1n | (served << 4n);
const refusedForCap = 1n << 1n;

describe('a wallet on L1', () => {
  let fixture: RollupFixture;
  let l1: L1Account;
  const key = randomTradingKey();

  beforeEach(async () => {
    fixture = await deployRollup();
    const owner = fixture.signers[5];
    l1 = new L1Account(await fixture.rollup.getAddress(), owner);
    for (const token of fixture.tokens) await token.mint(await owner.getAddress(), 10n ** 24n);
  });

  const queued = async (queueIndex: number): Promise<Record<string, bigint>> => {
    const [entry, keys] = await fixture.rollup.queueEntry(queueIndex);
    return { ...unpack(L1_OPERATION_LAYOUT, entry.word), keyX: keys.x, keyY: keys.y };
  };

  it('opens an account for the key it will sign with: the contract stores A, not P', async () => {
    const { accountIndex, queueIndex } = await l1.open(key.registrationPoint);
    expect(accountIndex).to.equal(1);
    const entry = await queued(queueIndex);
    expect([entry.keyX, entry.keyY]).to.deep.equal([...key.publicKey]);
    expect(await fixture.rollup.ownerOf(accountIndex)).to.equal(await fixture.signers[5].getAddress());
  });

  it('deposits in units, whatever the token calls them', async () => {
    await l1.open(key.registrationPoint);
    const quote = await l1.deposit(0, DOLLARS_100);
    const weth = await l1.deposit(2, 7n);
    expect((await queued(quote.queueIndex)).amount).to.equal(DOLLARS_100);
    expect(await queued(weth.queueIndex)).to.include({ kind: 2n, tokenId: 2n, amount: 7n });
    expect(await fixture.tokens[2].balanceOf(await fixture.vault.getAddress())).to.equal(7n * 10n ** 16n);
  });

  it('asks before it has an account: refused here, without a transaction', async () => {
    const failure = await l1.deposit(0, DOLLARS_100).catch((error: unknown) => error);
    expect(failure).to.be.instanceOf(InputError);
  });

  it('queues a forced withdrawal and a cancel-all', async () => {
    await l1.open(key.registrationPoint);
    const withdrawal = await l1.requestWithdrawal(0, 5n);
    const cancelAll = await l1.requestCancelAll();
    expect(await queued(withdrawal.queueIndex)).to.include({ kind: 3n, amount: 5n });
    expect(await queued(cancelAll.queueIndex)).to.include({ kind: 4n, accountIndex: 1n });
  });

  it('claims the refund of a deposit that was refused, down to the last unit', async () => {
    await l1.open(key.registrationPoint);
    await l1.deposit(2, 9n);
    const before = await l1.walletBalanceWei(2);
    await fixture.acceptTable();
    await fixture.send(await fixture.submission({ body: { outcomes: [applied(0n), refusedForCap] } }));
    expect(await l1.claimableUnits(2)).to.equal(9n);
    expect(await l1.claim(2)).to.equal(9n);
    expect((await l1.walletBalanceWei(2)) - before).to.equal(9n * 10n ** 16n);
    expect(await l1.claimableUnits(2)).to.equal(0n);
  });

  it('cannot claim what was credited on L2', async () => {
    await l1.open(key.registrationPoint);
    await l1.deposit(2, 9n);
    await fixture.acceptTable();
    await fixture.send(await fixture.submission({ body: { outcomes: [applied(0n), applied(9n)] } }));
    const failure = await l1.claim(2).catch((error: Error) => error);
    expect((failure as Error).message).to.include('NothingToClaim');
  });

  it('reaches a withdrawal beyond the outflow limit: what was within it at once', async () => {
    fixture = await deployRollup({ tokens: [{ ...USDC, outflowFloorUnits: 40_000_000n }] });
    const [owner, other] = fixture.signers.slice(5);
    l1 = new L1Account(await fixture.rollup.getAddress(), owner);
    await fixture.tokens[0].mint(owner.address, DOLLARS_100);
    await l1.open(key.registrationPoint);
    await fixture.open(other);
    await l1.deposit(0, DOLLARS_100);
    await fixture.serveQueue();
    await l1.recordDelayed();
    const withdrawals = [1n | ((DOLLARS_100 / 2n) << 28n)];
    await fixture.acceptTable();
    await fixture.submit({ body: { withdrawals } });
    await fixture.submit({ body: { withdrawals: [2n | (1_000_000n << 28n)] } });
    expect(await l1.claimableUnits(0)).to.equal(0n);
    await l1.recordDelayed();
    expect(await l1.claim(0), 'a quarter of the limit').to.equal(10_000_000n);
    expect(await fixture.vault.delayedCount(), 'only the own ones').to.equal(1n);
    await fixture.wait(30 * 86_400);
    await fixture.vault.release(0);
    expect(await l1.claim(0)).to.equal(DOLLARS_100 / 2n - 10_000_000n);
  });
});
