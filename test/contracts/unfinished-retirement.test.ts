import { expect } from 'chai';
import {
  DAY_SEC,
  deployRollupWithAccount,
  outcome,
  type RollupFixture,
  restoreAfterEach,
} from '#test/support/rollup.ts';

const ID = 77;
const BATCH = { body: { retirement: BigInt(ID) } };
/** The largest that a public word holds. */
const LAST_ID = 2 ** 20 - 1;

/** It shares a storage slot with the queue; what the registry makes of it: settlement-rollup.test.ts. */
describe('MarginRollup, a retirement that the registry was not told of', () => {
  let fixture: RollupFixture;
  let account: number;
  before(async () => {
    ({ fixture, account } = await deployRollupWithAccount());
  });
  restoreAfterEach(() => fixture);

  const owner = () => fixture.as(fixture.signers[0]);
  const anyone = () => fixture.as(fixture.signers[5]);
  const request = async () =>
    owner().requestCancelAll(account, { value: await fixture.rollup.queueFeeWei() });
  const told = async (): Promise<number[]> => (await fixture.oracle.retired()).map(Number);
  const waiting = async () => Number(await fixture.rollup.unfinishedRetirement());
  const bounds = async () => [...(await fixture.rollup.queueBounds())].map(Number);

  it('is what the batch says, and nothing without one', async () => {
    await fixture.submit();
    expect(await waiting()).to.equal(0);
    await expect(anyone().finishRetirement()).to.be.revertedWithCustomError(fixture.rollup, 'NothingRetired');
    for (const id of [ID, LAST_ID]) {
      await fixture.submit({ body: { retirement: BigInt(id) } });
      expect([await waiting(), (await told()).includes(id)]).to.deep.equal([id, false]);
      await anyone().finishRetirement();
      expect([await waiting(), (await told()).includes(id)]).to.deep.equal([0, true]);
    }
    expect(await told()).to.deep.equal([ID, LAST_ID]);
  });

  it('is refused with a bit above its id', async () => {
    await expect(fixture.submit({ body: { retirement: BigInt(LAST_ID + 1) } }))
      .to.be.revertedWithCustomError(fixture.rollup, 'UnusedBitsSet')
      .withArgs(LAST_ID + 1);
    await expect(fixture.submit({ body: { retirement: (1n << 24n) | 5n } })).to.be.revertedWithCustomError(
      fixture.rollup,
      'UnusedBitsSet',
    );
  });

  it('comes with the operations of its batch, and both are kept', async () => {
    for (let i = 0; i < 3; i++) await request();
    const [head, tail] = await bounds();
    await fixture.submit({ body: { outcomes: [outcome(true), outcome(true)], retirement: BigInt(ID) } });
    expect([await bounds(), await waiting()]).to.deep.equal([[head + 2, tail], ID]);
    await fixture.submit({ body: { outcomes: [outcome(true)] } });
    expect([await bounds(), await waiting()]).to.deep.equal([[tail, tail], ID]);
    await anyone().finishRetirement();
    expect([await bounds(), await told()]).to.deep.equal([[tail, tail], [ID]]);
  });

  it('costs a batch that serves the queue next to nothing: the registry is paid for by who has it told', async () => {
    const gasOf = async (retirement: bigint): Promise<number> => {
      await request();
      const sent = await fixture.submit({ body: { outcomes: [outcome(true)], retirement } });
      return Number((await sent.wait())?.gasUsed);
    };
    const without = await gasOf(0n);
    expect((await gasOf(BigInt(ID))) - without).to.be.within(1, 1_500);
  });

  it('outlives whatever else is written beside it, and takes nothing of that away', async () => {
    await fixture.submit(BATCH);
    await request();
    const earned = await fixture.rollup.feeClaimsWei(fixture.submitter.address);
    expect(earned).to.not.equal(0n);
    await fixture.as(fixture.submitter).claimFees();
    await fixture.serveQueue();
    await fixture.as(fixture.operator).setSubmitter(fixture.signers[1].address);
    await request();
    expect(await waiting()).to.equal(ID);
    // The deadline, and the spacing to the operation before it.
    await fixture.wait(3 * DAY_SEC + 60);
    await anyone().freeze();
    expect(await waiting()).to.equal(ID);
    const [before, frozenAtSec] = [await bounds(), await fixture.rollup.frozenAtSec()];
    await anyone().finishRetirement();
    expect(await told()).to.deep.equal([ID]);
    expect([await bounds(), await fixture.rollup.frozenAtSec()]).to.deep.equal([before, frozenAtSec]);
    // The queue is undone as ever.
    await anyone().reclaim(before[0]);
  });

  it('is refused with everything else of its batch while another waits', async () => {
    await fixture.submit(BATCH);
    await request();
    const [before, number] = [await bounds(), await fixture.rollup.batchNumber()];
    const body = { outcomes: [outcome(true)], retirement: BigInt(ID + 1) };
    await expect(fixture.submit({ body }))
      .to.be.revertedWithCustomError(fixture.rollup, 'RetirementUnfinished')
      .withArgs(ID);
    expect([await bounds(), await fixture.rollup.batchNumber(), await waiting()]).to.deep.equal([
      before,
      number,
      ID,
    ]);
    await anyone().finishRetirement();
    await fixture.submit({ body });
    expect(await waiting()).to.equal(ID + 1);
  });
});
