import { expect } from 'chai';
import type { Contract } from 'ethers';
import { INSTRUMENT_TUPLE } from '#protocol/risk/oracle-abi.ts';
import { instrumentStruct } from '#protocol/risk/oracle-structs.ts';
import { L1Contracts } from '#sequencer/settlement/l1-contracts.ts';
import { EXPIRING_IDS, ExpiringBlock } from '#test/support/expiring-block.ts';
import { futureEntry } from '#test/support/option-registry.ts';
import { DAY_SEC, START_PRICES } from '#test/support/risk-oracle.ts';
import { deployRollup, type RollupFixture, restoreAfterEach } from '#test/support/rollup.ts';
import { sizesOf } from '#test/support/settlement.ts';

const [FUTURE, CALL, PUT] = EXPIRING_IDS;
const BLOCK = 0;
const FIRST_PLACE = 6;
const LIST = 0;
const DELAY_SEC = 14 * DAY_SEC;

/** Oracle, registry and rollup are the real ones; only proofs are not looked at. */
describe('a block from its expiry to its clearing, on L1', () => {
  let block: ExpiringBlock;
  let parameters: Contract;
  let rollup: RollupFixture;
  let anyone: Contract;

  before(async () => {
    block = await ExpiringBlock.deploy();
    await block.watch();
    const { connection, oracle } = block.fixture;
    ({ parameters } = block.fixture);
    rollup = await deployRollup({ oracle: { connection, contract: oracle } });
    anyone = rollup.as(rollup.signers[5]);
  });
  restoreAfterEach(() => rollup);

  const settled = async () => {
    await parameters.bindRollup(rollup.rollup);
    return block.round(block.expirySec);
  };
  const retiringBatch = (id: number) => rollup.submit({ body: { retirement: BigInt(id) } });
  const retire = async (id: number) => {
    await retiringBatch(id);
    await anyone.finishRetirement();
  };
  const refusal = async (
    attempt: Promise<unknown>,
    error: string,
    args: unknown[],
    contract = parameters,
  ) => {
    await expect(attempt)
      .to.be.revertedWithCustomError(contract, error)
      .withArgs(...args);
  };
  const inUse = (left: number) => refusal(parameters.clearBlock(BLOCK), 'BlockInUse', [BLOCK, left]);
  const unfinished = async () => Number(await rollup.rollup.unfinishedRetirement());

  it('settles, is retired by batches of its rollup and whoever finishes them, and makes room', async () => {
    const values = await settled();
    expect(values.settlementMicros[0]).to.equal(START_PRICES[0]);
    for (const [i, id] of EXPIRING_IDS.entries()) {
      await expect(retiringBatch(id)).not.to.emit(parameters, 'InstrumentRetired');
      // Nothing of it is free before the registry was told.
      await inUse(EXPIRING_IDS.length - i);
      expect([await unfinished(), await parameters.isRetired(id)]).to.deep.equal([id, false]);
      await expect(anyone.finishRetirement()).to.emit(parameters, 'InstrumentRetired').withArgs(id);
      expect([await unfinished(), await parameters.isRetired(id)]).to.deep.equal([0, true]);
    }
    await parameters.clearBlock(BLOCK);
    expect(
      (await parameters.instruments()).every(({ expirySec: sec }: { expirySec: bigint }) => sec === 0n),
    ).to.equal(true);
  });

  it('is run by no sequencer before its registry is bound: no retirement would ever be finished', async () => {
    const { connection } = rollup;
    const { chainId } = block.fixture;
    const address = await rollup.rollup.getAddress();
    const contracts = new L1Contracts(connection.ethers.provider as never, address, {
      shape: rollup.shape,
      tokenCount: 1,
      firstBlock: 0,
    });
    const { domain, sizes } = sizesOf(chainId, address, rollup.capacities);
    let refused: unknown;
    await contracts.requireDeployed(sizes, domain).catch((error) => {
      refused = error;
    });
    expect(String(refused)).to.include('not bound');
    await parameters.bindRollup(rollup.rollup);
    await contracts.requireDeployed(sizes, domain);
  });

  it('is retired by nobody who only says so: not early, not twice, not past the rollup', async () => {
    await settled();
    await refusal(anyone.finishRetirement(), 'NothingRetired', [], rollup.rollup);
    await retire(CALL);
    await refusal(anyone.finishRetirement(), 'NothingRetired', [], rollup.rollup);
    for (const signer of [rollup.signers[5], rollup.submitter, rollup.operator]) {
      const direct = parameters.connect(signer) as Contract;
      await refusal(direct.retire(PUT), 'NotRollup', [signer.address]);
    }
    await inUse(2);
  });

  it('is not retired again by a batch that says so again, cleared or not', async () => {
    await settled();
    await retire(CALL);
    await retire(CALL);
    await inUse(2);
    for (const id of [FUTURE, PUT]) await retire(id);
    await parameters.clearBlock(BLOCK);
    await retire(PUT);
    expect(await unfinished()).to.equal(0);
  });

  it('loses no retirement to the next: that waits, and no other batch does', async () => {
    await settled();
    await retiringBatch(CALL);
    for (const id of [PUT, CALL, FUTURE]) {
      await refusal(retiringBatch(id), 'RetirementUnfinished', [CALL], rollup.rollup);
    }
    await rollup.submit();
    await anyone.finishRetirement();
    await retiringBatch(PUT);
    await anyone.finishRetirement();
    await inUse(1);
  });

  it('goes on in rounds that can be proved, before the registry is told and after', async () => {
    await settled();
    const registryHash = await parameters.registryHash();
    await retiringBatch(FUTURE);
    const values = await block.round(block.expirySec + 60n);
    expect(values.settlementMicros[0]).to.equal(START_PRICES[0]);
    await anyone.finishRetirement();
    await block.round(block.expirySec + 120n);
    expect(await parameters.registryHash()).to.equal(registryHash);
    await rollup.submit();
  });

  it('gives its places to nothing before the registry is told, and nothing new to an old id', async () => {
    await parameters.bindRollup(rollup.rollup);
    const listing = {
      underlying: 1,
      expirySec: block.expirySec + BigInt(60 * DAY_SEC),
      strikes: [],
    };
    const { ethers } = block.fixture.connection;
    const change = ethers.AbiCoder.defaultAbiCoder().encode(
      ['uint256', INSTRUMENT_TUPLE],
      [FIRST_PLACE, instrumentStruct(futureEntry(200, listing))],
    );
    await parameters.announceChange(LIST, change);
    await block.round(block.expirySec);
    for (const id of [CALL, PUT]) await retire(id);
    await retiringBatch(FUTURE);
    await rollup.wait(DELAY_SEC);
    await inUse(1);
    await refusal(parameters.applyChange(0, LIST, change), 'PlaceTaken', [FIRST_PLACE]);
    await anyone.finishRetirement();
    await parameters.clearBlock(BLOCK);
    await parameters.applyChange(0, LIST, change);
    // The new future stands where the old ids stood; saying those again does not touch it.
    for (const id of EXPIRING_IDS) {
      await retiringBatch(id);
      await expect(anyone.finishRetirement()).not.to.emit(parameters, 'InstrumentRetired');
    }
    await inUse(1);
    expect(await parameters.isRetired(200)).to.equal(false);
  });

  it('is noted while the registry refuses, and stops nothing but the next retirement', async () => {
    await parameters.bindRollup(rollup.rollup);
    await block.round(block.expirySec - 30n);
    await retiringBatch(FUTURE);
    await refusal(anyone.finishRetirement(), 'NotExpired', [FUTURE]);
    expect(await unfinished()).to.equal(FUTURE);
    await refusal(retiringBatch(PUT), 'RetirementUnfinished', [FUTURE], rollup.rollup);
    await rollup.submit();
    await rollup.wait(60);
    await anyone.finishRetirement();
    await inUse(2);
  });

  it('keeps its places while the rollup is not bound, and is told once it is', async () => {
    await block.round(block.expirySec);
    await retiringBatch(FUTURE);
    await refusal(anyone.finishRetirement(), 'NotRollup', [await rollup.rollup.getAddress()]);
    await rollup.submit();
    expect(await parameters.isRetired(FUTURE)).to.equal(false);
    await parameters.bindRollup(rollup.rollup);
    await anyone.finishRetirement();
    expect(await parameters.isRetired(FUTURE)).to.equal(true);
  });
});
