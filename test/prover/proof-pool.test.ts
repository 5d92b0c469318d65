import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { PoisonedJobError, PoolClosedError, ProofPool } from '#prover/proof-pool.ts';
import { ArtifactError, type CircuitArtifacts, verifyProof } from '#prover/prove.ts';
import { ProverPathError } from '#prover/rapidsnark.ts';
import { isRunning } from '#test/support/processes.ts';
import {
  fixtureArtifacts,
  productInput,
  rejectionOf,
  signedChainInput,
  signedChainOutputs,
  temporaryFolder,
} from './support/circuits.ts';

async function until(condition: () => boolean, what: string): Promise<void> {
  for (let waitedMs = 0; !condition(); waitedMs += 20) {
    if (waitedMs > 60_000) throw new Error(`${what}: not within a minute`);
    await sleep(20);
  }
}

describe('proof pool', () => {
  let quick: CircuitArtifacts;
  let slow: CircuitArtifacts;
  let pool: ProofPool;

  before(async () => {
    quick = await fixtureArtifacts('product');
    slow = await fixtureArtifacts('signed-chain-small');
  });
  afterEach(() => pool.close());

  /** The process that proves, once it does. */
  async function busyWorker(): Promise<number> {
    await until(() => pool.workers.some(({ isBusy }) => isBusy), 'a busy worker');
    return pool.workers.find(({ isBusy }) => isBusy)?.processId as number;
  }

  it('proves jobs one after another in one process', async () => {
    pool = new ProofPool({ workerCount: 1 });
    const [first, second] = await Promise.all(
      [3n, 5n].map((left) => pool.prove(quick, productInput(left, 7n))),
    );
    expect(first.publicSignals).to.deep.equal([21n, 0n]);
    expect(second.publicSignals).to.deep.equal([35n, 0n]);
    expect(await verifyProof(quick.verificationKey, second)).to.equal(true);
    expect(pool.workers).to.have.length(1);
  });

  it('completes a job whose worker is killed in the middle of the proof', async () => {
    pool = new ProofPool({ workerCount: 1 });
    const proving = pool.prove(slow, signedChainInput(3n));
    const processId = await busyWorker();
    await sleep(150);
    expect(pool.workers).to.deep.equal([{ processId, isBusy: true }]);
    process.kill(processId, 'SIGKILL');
    const proof = await proving;
    expect(proof.publicSignals.slice(0, 2)).to.deep.equal(signedChainOutputs(3n));
    expect(await verifyProof(slow.verificationKey, proof)).to.equal(true);
    expect(pool.workers.map((worker) => worker.processId)).to.not.include(processId);
  });

  it('quarantines an input without a witness at once, with the reason, and goes on', async () => {
    pool = new ProofPool({ workerCount: 1 });
    const poisoned = pool.prove(quick, { ...productInput(3n, 7n), product: 22n });
    const healthy = pool.prove(quick, productInput(3n, 7n));
    const error = (await rejectionOf(poisoned)) as PoisonedJobError;
    expect(error).to.be.instanceOf(PoisonedJobError);
    expect([error.reason, error.attempts, error.isPermanent]).to.deep.equal(['no-witness', 1, true]);
    expect(error.message).to.contain('assertion failed; Error in template Product');
    expect((await healthy).publicSignals[0]).to.equal(21n);
  });

  it('blames the set-up, not the job, for the input of another circuit', async () => {
    pool = new ProofPool({ workerCount: 1 });
    const refusal = rejectionOf(pool.prove(quick, signedChainInput(3n)));
    const error = (await refusal) as PoisonedJobError;
    expect([error.reason, error.isPermanent]).to.deep.equal(['wrong-circuit', false]);
  });

  it('kills a proof that takes too long, a bounded number of times', async () => {
    pool = new ProofPool({ workerCount: 1, attemptsMax: 2, timeLimitMs: 100 });
    const error = (await rejectionOf(pool.prove(slow, signedChainInput(3n)))) as PoisonedJobError;
    expect([error.reason, error.attempts]).to.deep.equal(['timed-out', 2]);
  });

  it('quarantines a job whose worker dies every time', async () => {
    pool = new ProofPool({ workerCount: 1, attemptsMax: 2 });
    const refusal = rejectionOf(pool.prove(slow, signedChainInput(3n)));
    const first = await busyWorker();
    process.kill(first, 'SIGKILL');
    await until(
      () => pool.workers.some(({ processId, isBusy }) => isBusy && processId !== first),
      'a second try',
    );
    process.kill(await busyWorker(), 'SIGKILL');
    const error = (await refusal) as PoisonedJobError;
    expect([error.reason, error.attempts, error.isPermanent]).to.deep.equal(['crashed', 2, false]);
  });

  it('tries again, a bounded number of times, where the backend fails', async () => {
    const environment = { ...process.env, BALLAST_RAPIDSNARK: '/bin/false' };
    pool = new ProofPool({ workerCount: 1, environment });
    const error = (await rejectionOf(pool.prove(quick, productInput(3n, 7n)))) as PoisonedJobError;
    expect([error.reason, error.attempts]).to.deep.equal(['backend-failed', 3]);
  });

  it('blames a wrong path to the outside prover on the path, at the first try', async () => {
    const environment = { ...process.env, BALLAST_RAPIDSNARK: '/nowhere/rapidsnark' };
    pool = new ProofPool({ workerCount: 1, environment });
    const error = await rejectionOf(pool.prove(quick, productInput(3n, 7n)));
    expect(error).to.be.instanceOf(ProverPathError);
    expect(error.message).to.equal('/nowhere/rapidsnark does not exist');
  });

  it('blames a damaged key on the key, not on the job', async () => {
    const folder = temporaryFolder();
    const zkeyPath = join(folder, 'truncated.zkey');
    writeFileSync(zkeyPath, readFileSync(quick.zkeyPath));
    truncateSync(zkeyPath, 1000);
    pool = new ProofPool({ workerCount: 1 });
    const error = await rejectionOf(pool.prove({ ...quick, zkeyPath }, productInput(3n, 7n)));
    expect(error).to.be.instanceOf(ArtifactError);
    rmSync(folder, { recursive: true });
  });

  it('refuses running, waiting and later jobs when closed, and leaves no process', async () => {
    pool = new ProofPool({ workerCount: 1 });
    const jobs = [1n, 2n].map((start) => rejectionOf(pool.prove(slow, signedChainInput(start))));
    const processId = await busyWorker();
    await pool.close();
    const errors = [...(await Promise.all(jobs)), await rejectionOf(pool.prove(slow, signedChainInput(3n)))];
    for (const error of errors) expect(error).to.be.instanceOf(PoolClosedError);
    expect(pool.workers).to.deep.equal([]);
    expect(isRunning(processId)).to.equal(false);
  });

  it('leaves no worker behind when its own process is killed', async () => {
    pool = new ProofPool({ workerCount: 0 });
    const parent = fork(join(import.meta.dirname, 'support/pool-parent.ts'), {
      serialization: 'advanced',
    });
    parent.send({ artifacts: slow, input: signedChainInput(3n) });
    const [workers] = (await once(parent, 'message')) as [number[]];
    expect(workers.map(isRunning)).to.deep.equal([true, true]);
    parent.kill('SIGKILL');
    await until(() => !workers.some(isRunning), 'the end of orphaned workers');
  });

  it('has workers that end on SIGTERM', async () => {
    pool = new ProofPool({ workerCount: 1 });
    const proving = pool.prove(quick, productInput(3n, 7n));
    const processId = await busyWorker();
    process.kill(processId, 'SIGTERM');
    await until(() => !isRunning(processId), 'the end of the worker');
    expect((await proving).publicSignals[0]).to.equal(21n);
  });
});
