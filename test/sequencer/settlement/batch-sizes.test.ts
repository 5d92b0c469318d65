import { expect } from 'chai';
import { NonceManager, type Wallet } from 'ethers';
import { network } from 'hardhat';
import type { BatchSize } from '#protocol/batch/sizes.ts';
import { InputError } from '#protocol/errors.ts';
import { type BatchCapacity, TINY_BATCH, TINY_SHAPE } from '#protocol/limits.ts';
import { genesisState, stateRoot } from '#protocol/state.ts';
import type { PgliteStore } from '#sequencer/ledger/pglite-store.ts';
import { L1Reader } from '#sequencer/reconstruct/read-l1.ts';
import { rebuild } from '#sequencer/reconstruct/rebuild.ts';
import type { Sequencer } from '#sequencer/start.ts';
import { emptyStore } from '../../support/engine.ts';
import { orderMessage, PERP, USD } from '../../support/ledger.ts';
import type { Connection } from '../../support/rollup.ts';
import {
  settleOverChain,
  startOverChain,
  submitSigned,
  testWallet,
} from '../../support/sequencer-over-chain.ts';
import { deployTestRollup, L1World, sizesOf, type TestRollup } from '../../support/settlement.ts';

const ROOMIER: BatchCapacity = { ...TINY_BATCH, name: 'batch-roomier', accounts: 4, l1Operations: 4 };

describe('settlement with two batch sizes', () => {
  let connection: Connection;
  let place: TestRollup;
  let submitter: Wallet;
  let l1: L1World;
  let store: PgliteStore;
  let sequencer: Sequencer | undefined;
  let contractSizes: readonly BatchSize[];
  const troubles: string[] = [];

  async function start(sizes: readonly BatchSize[]): Promise<Sequencer> {
    const note = ({ message }: Error) => troubles.push(message);
    const change = { sizes };
    const settings = { connection, place, submitter, store, change, report: note, onFatal: note };
    sequencer = await startOverChain(settings);
    return sequencer;
  }

  beforeEach(async () => {
    connection = await network.connect();
    submitter = testWallet(connection, 1);
    const deployer = new NonceManager(testWallet(connection, 0));
    place = await deployTestRollup(deployer, submitter.address, TINY_BATCH, undefined, [ROOMIER]);
    l1 = new L1World(place, deployer);
    store = await emptyStore();
    troubles.length = 0;
    ({ sizes: contractSizes } = sizesOf(31337n, place.rollup, [TINY_BATCH, ROOMIER]));
  });
  afterEach(() => sequencer?.stop());

  it('sends each batch for the size it was sealed for', async () => {
    const running = await start(contractSizes);
    const settle = () => settleOverChain(running, () => troubles.join('; '));
    const order = (account: number, side: 'buy' | 'sell') => {
      const change = { limitMicrosPerLot: 100n * USD, nonce: 0n, expirySec: 4_000_000_000n };
      return submitSigned(running, place, account, [orderMessage({ side, sizeLots: 5n, ...change })]);
    };
    await l1.acceptRound();
    for (const account of [1, 2]) await l1.open(account);
    for (const account of [1, 2]) await l1.deposit(account, 10_000n * USD);
    await running.syncL1();
    await settle();
    await order(1, 'sell');
    await order(2, 'buy');
    await settle();
    const finalRoot = await running.engine.stateRoot();
    expect(await l1.rollup.stateRoot()).to.equal(finalRoot);
    const batches = await new L1Reader(connection.ethers.provider as never, place.rollup).batches();
    // Four queue entries need the larger one, a trade does not.
    expect(batches.map(({ submission }) => submission.header.sizeIndex)).to.deep.equal([1, 0]);
    const rebuilt = rebuild(genesisState(TINY_SHAPE), batches, new Map([[PERP, 1]]));
    expect(stateRoot(rebuilt[1].ledger)).to.equal(finalRoot);
  });

  it('does not start with sizes that are not the contract’s, place by place', async () => {
    const [tiny, roomier] = contractSizes;
    const third = { capacity: { ...ROOMIER, name: 'third', accounts: 5 }, domainWord: 5n };
    const wrong: [field: string, given: readonly BatchSize[]][] = [
      ['sizes[0]', [roomier]],
      ['sizes[1]', [tiny, { ...roomier, domainWord: roomier.domainWord + 1n }]],
      ['sizes[1]', [tiny, { ...roomier, capacity: third.capacity }]],
      ['sizes[2]', [...contractSizes, third]],
    ];
    for (const [field, given] of wrong) {
      const error = await start(given).then(
        () => undefined,
        (failure: Error) => failure,
      );
      expect(error).to.be.instanceOf(InputError).with.property('field', field);
    }
    await start([tiny]);
  });
});
