import { expect } from 'chai';
import { NonceManager } from 'ethers';
import { network } from 'hardhat';
import { requireAcceptedTable } from '#client/accepted-table.ts';
import type { SealedBatch } from '#protocol/batch/batch.ts';
import { InputError } from '#protocol/errors.ts';
import type { RiskTable } from '#protocol/instrument.ts';
import { TINY_BATCH, TINY_SHAPE } from '#protocol/limits.ts';
import type { MicrosPerLot } from '#protocol/units.ts';
import { decode } from '#sequencer/ledger/codec.ts';
import { emptyStore } from '../support/engine.ts';
import { USD } from '../support/ledger.ts';
import type { Connection } from '../support/rollup.ts';
import { settleOverChain, startOverChain, testWallet } from '../support/sequencer-over-chain.ts';
import { deployTestRollup, L1World, type TestRollup } from '../support/settlement.ts';

describe('the table of a batch, compared with L1', () => {
  let connection: Connection;
  let place: TestRollup;
  let table: RiskTable;

  before(async () => {
    connection = await network.connect();
    const [deployer, submitter] = [0, 1].map((index) => testWallet(connection, index));
    const owner = new NonceManager(deployer);
    place = await deployTestRollup(owner, submitter.address, TINY_BATCH);
    const l1 = new L1World(place, owner);
    const store = await emptyStore();
    const sequencer = await startOverChain({
      connection,
      place,
      submitter,
      store,
      onFatal: (error) => {
        throw error;
      },
    });
    await l1.acceptRound();
    await l1.open(1);
    await l1.deposit(1, 1_000n * USD);
    await sequencer.syncL1();
    await settleOverChain(sequencer, () => '');
    // A later round is not the one that the batch was judged by.
    await l1.acceptRound();
    const row = await store.getBatch(1, 0);
    if (row === undefined) throw new Error('no batch was sealed');
    table = decode<SealedBatch>(row.sealed).content.header.table;
    await sequencer.stop();
  });

  const judged = (changed: Partial<RiskTable>, batchNumber = 1): Promise<unknown> =>
    requireAcceptedTable(
      connection.ethers.provider as never,
      { rollupAddress: place.rollup, firstBlock: place.firstBlock },
      batchNumber,
      { ...table, ...changed },
      TINY_SHAPE,
    ).then(
      () => 'accepted',
      (error: unknown) => (error instanceof InputError ? error.field : error),
    );

  it('is the one that the oracle had accepted', async () => {
    expect(await judged({})).to.equal('accepted');
  });

  it('is refused where a number is another, in its hash or beside it', async () => {
    const [first, ...rest] = table.rows;
    const rows = [{ ...first, mark: (first.mark + 1n) as MicrosPerLot }, ...rest];
    expect(await judged({ rows })).to.equal('tableHash');
    expect(await judged({ esCount: table.esCount + 1 })).to.equal('esCount, addOnUnitDollars');
    const addOnUnitDollars = table.addOnUnitDollars.map((unit) => unit + 1n);
    expect(await judged({ addOnUnitDollars })).to.equal('esCount, addOnUnitDollars');
    expect(await judged({ isJump: !table.isJump })).to.equal('isJump');
    expect(await judged({ roundNumber: table.roundNumber + 1n })).to.equal('roundNumber');
    expect(await judged({ timeSec: table.timeSec + 1n })).to.equal('timeSec');
  });

  it('is refused for a batch that L1 does not have', async () => {
    expect(await judged({}, 9)).to.equal('batchNumber');
  });
});
