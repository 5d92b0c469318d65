/**
 * A batch without a witness on its way through the whole machinery: real circuit, proof pool, queue in the ledger's database,
 * and the real contract with the circuit's verifier. Only the circuit's input is spoilt, wherever a chosen action is in it.
 */
import { expect } from 'chai';
import { NonceManager, type Wallet } from 'ethers';
import { network } from 'hardhat';
import type { SealedBatch } from '#protocol/batch/batch.ts';
import { TINY_BATCH } from '#protocol/limits.ts';
import type { Message } from '#protocol/message.ts';
import { ProofPool } from '#prover/proof-pool.ts';
import { buildCircuitInput } from '#prover/witness/build-circuit-input.ts';
import type { CircuitInput } from '#prover/witness-calculator.ts';
import type { PgliteStore } from '#sequencer/ledger/pglite-store.ts';
import { QueuedProofs } from '#sequencer/main-job/queued-proofs.ts';
import { type PreparedCircuit, prepareCircuit } from '#sequencer/main-job/setup.ts';
import type { Sequencer } from '#sequencer/start.ts';
import { healthView } from '#sequencer/views.ts';
import { emptyStore } from '../../support/engine.ts';
import { orderMessage, USD } from '../../support/ledger.ts';
import type { Connection } from '../../support/rollup.ts';
import {
  settleOverChain,
  startOverChain,
  submitSigned,
  testWallet,
} from '../../support/sequencer-over-chain.ts';
import { deployTestRollup, domainOf, L1World, type TestRollup } from '../../support/settlement.ts';

const ROOT = `${import.meta.dirname}/../../..`;
const EXPIRY_SEC = 4_000_000_000n;
/** Signed for by nothing but the order that is at fault. */
const SPOILT_LOTS = 3n;

const isSpoilt = ({ content }: SealedBatch): boolean =>
  content.signatures.some(({ messages }) =>
    messages.some((message) => message.kind === 'order' && message.sizeLots === SPOILT_LOTS),
  ) &&
  content.messages.some(({ signatureIndex, position }) => {
    const message = content.signatures[signatureIndex].messages[position];
    return message.kind === 'order' && message.sizeLots === SPOILT_LOTS;
  });

const isDepositOf =
  (accountIndex: number) =>
  ({ content }: SealedBatch): boolean =>
    content.l1Operations.some(
      ({ operation }) => operation.kind === 'deposit' && operation.accountIndex === accountIndex,
    );

describe('a batch without a witness, and the real prover and contract', function () {
  this.timeout(300_000);
  let circuit: PreparedCircuit;
  let pool: ProofPool;
  let proofs: QueuedProofs;
  let place: TestRollup;
  let l1: L1World;
  let submitter: Wallet;
  let store: PgliteStore;
  let sequencer: Sequencer;
  let connection: Connection;
  let fault: (batch: SealedBatch) => boolean;
  const reports: string[] = [];
  const alarms: string[] = [];

  before(async () => {
    circuit = await prepareCircuit(ROOT, 'batch-tiny');
    pool = new ProofPool({ workerCount: 1 });
  });
  after(() => pool?.close());

  async function start(): Promise<void> {
    proofs = await QueuedProofs.open({
      database: store.database,
      pool,
      artifactsOf: (name) => (name === circuit.artifacts.name ? circuit.artifacts : undefined),
      jobsAtOnce: 1,
      inputOf: (batch) => {
        const { input, publicInputs } = buildCircuitInput(batch);
        const evaluation = publicInputs.evaluation + (fault(batch) ? 1n : 0n);
        return { input: { ...(input as unknown as CircuitInput), evaluation }, publicInputs };
      },
    });
    sequencer = await startOverChain({
      connection,
      place,
      submitter,
      store,
      proofs,
      change: {
        capacity: { ...TINY_BATCH, name: circuit.artifacts.name },
        ...domainOf(31337n, place.rollup, circuit.plan.circuitHash),
        orderMinMicros: 1n,
      },
      report: ({ message }) => reports.push(message),
      alarm: ({ message }) => alarms.push(message),
      onFatal: ({ message }) => reports.push(`fatal: ${message}`),
    });
  }

  async function stop(): Promise<void> {
    await sequencer.stop();
    await proofs.close();
  }

  beforeEach(async () => {
    connection = await network.connect();
    submitter = testWallet(connection, 1);
    const deployer = new NonceManager(testWallet(connection, 0));
    place = await deployTestRollup(deployer, submitter.address, TINY_BATCH, circuit.plan);
    l1 = new L1World(place, deployer);
    store = await emptyStore();
    await store.database.exec('DROP TABLE IF EXISTS proof_job');
    fault = () => false;
    reports.length = 0;
    alarms.length = 0;
    await start();
    await l1.acceptRound();
    for (const account of [1, 2]) await l1.open(account);
    for (const account of [1, 2]) await l1.deposit(account, 10_000n * USD);
    await sequencer.syncL1();
    await settle();
  });
  afterEach(() => stop());

  const submit = (accountIndex: number, messages: readonly Message[]) =>
    submitSigned(sequencer, place, accountIndex, messages);

  const order = (side: 'buy' | 'sell', sizeLots: bigint, nonce: bigint) =>
    orderMessage({ side, sizeLots, limitMicrosPerLot: 100n * USD, nonce, expirySec: EXPIRY_SEC });

  /** Two trades of one maker in one batch; the second has the order at fault. */
  async function trade(): Promise<{ maker: string; sound: string; spoilt: string }> {
    const [maker] = await submit(2, [order('sell', 9n, 0n)]);
    const [sound, spoilt] = await submit(1, [order('buy', 2n, 0n), order('buy', SPOILT_LOTS, 1n)]);
    return { maker, sound, spoilt };
  }

  const settle = () => settleOverChain(sequencer, () => reports.join('; '));

  const closedOf = (hash: string) => sequencer.engine.read((state) => state.orders.get(hash)?.closed);
  const l1Root = (): Promise<bigint> => l1.rollup.stateRoot();
  const jobs = async () =>
    (await store.database.query<{ status: string }>('SELECT status FROM proof_job')).rows.map(
      ({ status }) => status,
    );

  it('leaves out the action at fault; all others are proved, and accepted by the contract; a restart between two halves changes nothing', async () => {
    fault = isSpoilt;
    const { maker, sound, spoilt } = await trade();
    await sequencer.seal();
    await l1.deposit(1, 77n * USD);
    await sequencer.syncL1();
    while (alarms.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    await stop();
    await start();
    await settle();
    // How often the number of the second half was sealed before, for the deposit, is a matter of time.
    const told = alarms.map((text) => text.split(':')[0].replace(/ \(attempt \d\)/, ''));
    expect(told).to.deep.equal([
      'batch 3 cannot be proved; its halves are tried apart',
      'batch 4 cannot be proved; left out',
    ]);
    expect(alarms[1]).to.contain('no-witness').and.to.contain('assertion failed');
    expect((await closedOf(sound))?.reason).to.equal('filled');
    for (const hash of [maker, spoilt]) {
      expect((await closedOf(hash))?.because?.code, 'both orders of the trade end').to.equal('unprovable');
    }
    expect(await l1Root()).to.equal(await sequencer.engine.stateRoot());
    const account = await sequencer.engine.read((state) => state.account(1));
    expect([account.slots[0].size, account.cashStar]).to.deep.equal([2n, 9_877n * USD]);
    expect(await jobs(), 'no job is kept of what is done').to.deep.equal([]);
  });

  it('halts before an operation of the queue, and goes on with a repaired prover', async () => {
    fault = isDepositOf(2);
    await trade();
    await l1.deposit(2, 55n * USD);
    await sequencer.syncL1();
    await settle();
    expect(alarms.at(-1)).to.contain('sealing is halted: the deposit at L1 queue index 4, alone in batch');
    const { sealingHalt } = await sequencer.engine.read(healthView);
    expect(sealingHalt?.operation).to.deep.include({ kind: 'deposit', accountIndex: 2 });
    const { logSequence } = sequencer.engine;
    const { length } = reports;
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect([sequencer.engine.logSequence, reports.length], 'nothing spins').to.deep.equal([
      logSequence,
      length,
    ]);
    await stop();
    fault = () => false;
    // As if the life before had been killed at work: nobody waits for the end of its lease.
    await store.database.exec(
      `UPDATE proof_job SET status = 'leased', fencing_token = 9, available_at_ms = ${Date.now() + 3_600_000}`,
    );
    expect(await jobs()).to.include('leased');
    await start();
    await settle();
    expect((await sequencer.engine.read(healthView)).sealingHalt).to.equal(null);
    expect(await l1Root()).to.equal(await sequencer.engine.stateRoot());
    expect(await sequencer.engine.read((state) => state.account(2).cashStar)).to.equal(
      10_055n * USD + 5n * 100n * USD,
    );
  });
});
