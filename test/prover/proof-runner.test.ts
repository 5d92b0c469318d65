import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { PoisonedJobError, PoolClosedError, ProofPool } from '#prover/proof-pool.ts';
import { MemoryProofJobStore, type ProofJob, StoredProofQueue } from '#prover/proof-queue.ts';
import { type ProofRunnerOptions, runProofJobs, UnknownCircuitError } from '#prover/proof-runner.ts';
import { ArtifactError, type CircuitArtifacts, type CircuitProof } from '#prover/prove.ts';
import type { CircuitInput } from '#prover/witness-calculator.ts';
import { UNCHECKED_PROOF } from '#test/support/unchecked-proof.ts';
import { fixtureArtifacts, productInput, rejectionOf } from './support/circuits.ts';

const circuitName = 'product';
const job = (batchNumber: number, input: CircuitInput): ProofJob => ({
  batchNumber,
  sealAttempt: 0,
  circuitName,
  input,
});

/** Runs jobs until none is left to do, then stops. */
async function drain(options: Omit<ProofRunnerOptions, 'pollMs'>, numbers: number[]): Promise<void> {
  const stop = new AbortController();
  const running = runProofJobs({ ...options, pollMs: 10 }, stop.signal);
  const isOver = async (batchNumber: number) => {
    const record = await options.queue.read({ batchNumber, sealAttempt: 0 });
    return record?.status === 'proven' || record?.status === 'quarantined';
  };
  const watch = async () => {
    while (!(await Promise.all(numbers.map(isOver))).every(Boolean)) await sleep(10);
    stop.abort();
  };
  await Promise.race([running, watch()]);
  await running;
}

describe('proof runner', () => {
  const queueOf = (leaseMs?: number) =>
    new StoredProofQueue(new MemoryProofJobStore(), { nowMs: Date.now, leaseMs });

  /** A pool that answers as told, for what does not need a real proof. */
  const poolOf = (prove: (input: CircuitInput) => Promise<CircuitProof>) =>
    ({ prove: (_: CircuitArtifacts, input: CircuitInput) => prove(input) }) as unknown as ProofPool;
  const artifactsOf = () => ({ name: circuitName }) as CircuitArtifacts;
  const proof: CircuitProof = { proof: UNCHECKED_PROOF, publicSignals: [] };

  it('proves what is queued; a poisoned batch is quarantined and the others go on', async () => {
    const artifacts = await fixtureArtifacts(circuitName);
    const pool = new ProofPool({ workerCount: 1 });
    const queue = queueOf();
    await queue.enqueue(job(1, productInput(3n, 5n)));
    await queue.enqueue(job(2, { ...productInput(3n, 7n), product: 22n }));
    await queue.enqueue(job(3, productInput(3n, 9n)));
    await drain({ queue, pool, artifactsOf: () => artifacts, jobsAtOnce: 1 }, [1, 2, 3]);
    await pool.close();
    const records = await Promise.all(
      [1, 2, 3].map((batchNumber) => queue.read({ batchNumber, sealAttempt: 0 })),
    );
    expect(records.map((record) => record?.status)).to.deep.equal(['proven', 'quarantined', 'proven']);
    expect(records[2]?.proof?.publicSignals).to.deep.equal([27n, 0n]);
    expect(records[1]?.lastFailure).to.contain('no-witness');
  });

  it('keeps its lease by heartbeats while a proof takes long', async () => {
    const queue = queueOf(60);
    await queue.enqueue(job(1, {}));
    const pool = poolOf(async () => {
      await sleep(300);
      return proof;
    });
    await drain({ queue, pool, artifactsOf, jobsAtOnce: 2, heartbeatMs: 10 }, [1]);
    const record = await queue.read(job(1, {}));
    expect([record?.status, record?.fencingToken]).to.deep.equal(['proven', 1]);
  });

  it('gives jobs back untried when the pool closes, and ends', async () => {
    const queue = queueOf();
    await queue.enqueue(job(1, {}));
    const pool = poolOf(() => Promise.reject(new PoolClosedError('closed')));
    await runProofJobs({ queue, pool, artifactsOf, jobsAtOnce: 2 }, new AbortController().signal);
    const record = await queue.read(job(1, {}));
    expect([record?.status, record?.failureCount]).to.deep.equal(['waiting', 0]);
  });

  it('ends with the error when its own set-up is at fault, and the job stays good', async () => {
    const queue = queueOf();
    await queue.enqueue(job(1, {}));
    const damaged = poolOf(() => Promise.reject(new ArtifactError('a truncated key')));
    const { signal } = new AbortController();
    const base = { queue, pool: damaged, jobsAtOnce: 2 };
    expect(await rejectionOf(runProofJobs({ ...base, artifactsOf }, signal))).to.be.instanceOf(ArtifactError);
    const without = runProofJobs({ ...base, artifactsOf: () => undefined }, signal);
    expect(await rejectionOf(without)).to.be.instanceOf(UnknownCircuitError);
    const record = await queue.read(job(1, {}));
    expect([record?.status, record?.failureCount]).to.deep.equal(['waiting', 0]);
  });

  it('proves as many jobs at once as it may', async () => {
    const queue = queueOf();
    for (let batchNumber = 0; batchNumber < 6; batchNumber++) await queue.enqueue(job(batchNumber, {}));
    let [running, most] = [0, 0];
    const pool = poolOf(async () => {
      most = Math.max(most, ++running);
      await sleep(20);
      running--;
      if (most > 3) throw new PoisonedJobError('no-witness', 1, 'too many at once');
      return proof;
    });
    await drain({ queue, pool, artifactsOf, jobsAtOnce: 3 }, [0, 1, 2, 3, 4, 5]);
    expect(most).to.equal(3);
  });
});
