import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import type { SealedBatch } from '#protocol/batch/batch.ts';
import { ProofDriver, type ProofService, UnprovableBatch } from '#sequencer/batch/proof-driver.ts';
import { hashOf, World } from '../../support/engine.ts';
import { l1, sign, USD, withdrawMessage } from '../../support/ledger.ts';
import { UNCHECKED_INPUTS, UNCHECKED_PROOF } from '../../support/unchecked-proof.ts';

const PROVED = { proof: UNCHECKED_PROOF, inputs: UNCHECKED_INPUTS };
const RETRY_MS = 5;

/** What the prover is asked for, in order; a test decides what it answers. */
class ScriptedProver implements ProofService {
  readonly asked: string[] = [];
  readonly forgotten: string[] = [];
  inFlight = 0;
  inFlightMax = 0;
  answer: (batch: SealedBatch) => Promise<void> = async () => undefined;

  async prove(batch: SealedBatch, attempt: number) {
    this.asked.push(`${batch.content.header.batchNumber}/${attempt}`);
    this.inFlight++;
    this.inFlightMax = Math.max(this.inFlightMax, this.inFlight);
    try {
      await this.answer(batch);
      return PROVED;
    } finally {
      this.inFlight--;
    }
  }

  async forget(batchNumber: number, attempt: number): Promise<void> {
    this.forgotten.push(`${batchNumber}/${attempt}`);
  }
}

describe('proof driver', () => {
  let world: World;
  let prover: ScriptedProver;
  let driver: ProofDriver;
  const reports: string[] = [];
  const alarms: string[] = [];

  function drive(concurrency = 1): Promise<void> {
    const told = (list: string[]) => (error: Error) => void list.push(`${error.name}: ${error.message}`);
    driver = new ProofDriver(world.engine, prover, {
      concurrency,
      retryMs: RETRY_MS,
      report: told(reports),
      alarm: told(alarms),
    });
    return driver.start();
  }

  /** Seals a batch with a deposit for each account. */
  async function seal(...accounts: number[]): Promise<void> {
    await world.l1Block(accounts.map((account) => l1('deposit', account, 0, USD)));
    await world.seal();
  }

  beforeEach(async () => {
    world = await World.open();
    await world.fund({ 1: 1_000n, 2: 1_000n, 3: 1_000n });
    prover = new ScriptedProver();
    reports.length = 0;
    alarms.length = 0;
  });
  afterEach(() => driver.stop());

  const statuses = () =>
    world.engine.read((state) =>
      [...state.batches.values()].map(({ number, status }) => `${number} ${status}`),
    );

  async function until(isSo: () => boolean): Promise<void> {
    for (let turn = 0; turn < 1_000; turn++) {
      if (isSo()) return;
      await sleep(5);
    }
    throw new Error(`not so: ${[...prover.asked, ...reports].join('; ')}`);
  }

  it('asks for what a restart left unproved, oldest first, and for what is sealed later', async () => {
    await seal(1);
    await seal(2);
    await drive();
    await driver.settled();
    await seal(3);
    await driver.settled();
    expect(prover.asked).to.deep.equal(['2/0', '3/0', '4/0']);
    expect(await statuses()).to.deep.equal(['1 proven', '2 proven', '3 proven', '4 proven']);
    expect(prover.forgotten).to.deep.equal(prover.asked);
  });

  it('has as many proofs under way as it may, never two of one batch', async () => {
    for (const account of [1, 2, 3]) await seal(account);
    prover.answer = () => sleep(20);
    await drive(2);
    await driver.settled();
    expect(prover.inFlightMax).to.equal(2);
    expect(prover.asked.toSorted()).to.deep.equal(['2/0', '3/0', '4/0']);
  });

  it('asks again after a failure of the prover, as often as it takes, and blames no batch', async () => {
    let failures = 0;
    prover.answer = async () => {
      if (++failures <= 5) throw new Error('the worker was killed');
    };
    await drive();
    await seal(1);
    await driver.settled();
    expect(prover.asked).to.have.length(6);
    expect(reports).to.deep.equal(Array(5).fill('Error: the worker was killed'));
    expect(alarms).to.deep.equal([]);
    expect(await world.engine.read(({ isolation }) => isolation.poisonedCount)).to.equal(0);
  });

  it('has a batch taken apart that is found unprovable twice, and asks for its parts', async () => {
    prover.answer = async ({ content }) => {
      if (content.l1Operations.length > 1) throw new UnprovableBatch('no witness');
    };
    await drive();
    await seal(1, 2);
    await driver.settled();
    expect(prover.asked).to.deep.equal(['2/0', '2/0', '2/1', '3/0']);
    expect(alarms).to.deep.equal([
      'ProofAlarm: batch 2 (attempt 0) cannot be proved; its halves are tried apart: no witness',
    ]);
    expect(prover.forgotten).to.deep.equal(['2/0', '2/1', '3/0']);
  });

  it('suspects the prover after three things in a row without a proof, and leaves out nothing more', async () => {
    prover.answer = async () => {
      throw new UnprovableBatch('no proof verifies');
    };
    await drive();
    for (let nonce = 0n; nonce < 5n; nonce++) {
      hashOf(await world.submit(sign(1, [withdrawMessage({ amount: USD, nonce })])));
      await world.seal();
    }
    for (let turn = 0; turn < 200 && !alarms.some((alarm) => alarm.includes('suspected')); turn++) {
      await world.seal();
      await sleep(5);
    }
    const asked = prover.asked.length;
    await until(() => prover.asked.length > asked + 10);
    expect(alarms.filter((alarm) => alarm.includes('left out: message:'))).to.have.length(3);
    expect(alarms.at(-1)).to.match(
      /^ProofAlarm: 3 things in a row had no proof: the prover or its key is suspected/,
    );
    // What is left is still there, and is proved once the prover is right.
    prover.answer = async () => undefined;
    await driver.settled();
    await world.seal();
    await driver.settled();
    const included = await world.engine.read((state) =>
      [...state.messages.values()].map(({ batchNumber }) => batchNumber !== undefined),
    );
    expect(included.filter((isIn) => isIn)).to.have.length(2);
  });

  it('asks by turns under suspicion, so that a proof of a sound batch behind them clears the prover', async () => {
    prover.answer = async ({ content }) => {
      if (content.signatures.some(({ accountIndex }) => accountIndex === 1)) throw new UnprovableBatch('x');
    };
    for (let nonce = 0n; nonce < 4n; nonce++)
      hashOf(await world.submit(sign(1, [withdrawMessage({ amount: USD, nonce })])));
    await world.seal();
    hashOf(await world.submit(sign(2, [withdrawMessage({ amount: USD, nonce: 0n })])));
    await world.seal();
    await drive();
    await until(() => alarms.filter((alarm) => alarm.includes('left out: message:')).length === 4);
    expect(alarms.filter((alarm) => alarm.includes('suspected'))).to.have.length(1);
    await driver.settled();
    const included = await world.engine.read((state) =>
      [...state.messages.values()].map(({ batchNumber }) => batchNumber !== undefined),
    );
    expect(included).to.deep.equal([false, false, false, false, true]);
  });

  it('takes a single finding for an accident', async () => {
    let tries = 0;
    prover.answer = async () => {
      if (++tries === 1) throw new UnprovableBatch('no witness');
    };
    await drive();
    await seal(1, 2);
    await driver.settled();
    expect([prover.asked, alarms]).to.deep.equal([['2/0', '2/0'], []]);
    expect(reports).to.deep.equal(['UnprovableBatch: no witness']);
  });

  it('does not spin over an operation that halted sealing; another life asks once more', async () => {
    prover.answer = async () => {
      throw new UnprovableBatch('no witness');
    };
    await drive();
    await seal(1);
    await driver.settled();
    const halt = `ProofAlarm: sealing is halted: the deposit at L1 queue index 6, alone in batch 2, cannot be proved`;
    expect(alarms).to.have.length(1);
    expect(alarms[0]).to.contain(halt);
    await sleep(20 * RETRY_MS);
    expect(prover.asked).to.deep.equal(['2/0', '2/0']);
    await driver.stop();
    prover.answer = async () => undefined;
    await world.start();
    await drive();
    expect(alarms[1], 'an operator who restarts is told again').to.contain(halt);
    await driver.settled();
    expect((await statuses()).at(-1)).to.equal('2 proven');
    expect(await world.engine.read(({ isolation }) => isolation.halted)).to.equal(undefined);
  });

  it('lets go of a batch that is sealed again while it is proved', async () => {
    const first = Promise.withResolvers<void>();
    prover.answer = () => (prover.asked.length === 1 ? first.promise : Promise.resolve());
    await drive();
    await seal(1);
    await until(() => prover.asked.length === 1);
    await world.engine.command({ kind: 'reseal', batchNumber: 2, reason: 'BatchTooLate' });
    expect(prover.forgotten).to.deep.equal(['2/0']);
    first.reject(new Error('no such job any more'));
    await world.seal();
    await driver.settled();
    expect(prover.asked).to.deep.equal(['2/0', '2/1']);
    expect(reports).to.deep.equal([]);
  });

  it('says nothing after it was stopped', async () => {
    const proving = Promise.withResolvers<void>();
    prover.answer = () => proving.promise;
    await drive();
    await seal(1);
    await until(() => prover.asked.length === 1);
    await driver.stop();
    proving.resolve();
    await sleep(10);
    expect((await statuses()).at(-1)).to.equal('2 sealed');
    expect(reports).to.deep.equal([]);
  });
});
