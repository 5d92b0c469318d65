/**
 * Proofs by way of a queue that is kept in the ledger's own database: jobs are leased, fenced and quarantined there, and a proof
 * made before a restart is found again. A fleet of provers would share the same queue on PostgreSQL.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BatchProof, PublicInputs, SealedBatch } from '#protocol/batch/batch.ts';
import type { ProofPool } from '#prover/proof-pool.ts';
import { type ProofJobKey, type ProofQueue, StoredProofQueue } from '#prover/proof-queue.ts';
import { type SqlDatabase, SqlProofJobStore } from '#prover/proof-queue-pglite.ts';
import { runProofJobs } from '#prover/proof-runner.ts';
import type { CircuitArtifacts } from '#prover/prove.ts';
import { buildCircuitInput } from '#prover/witness/build-circuit-input.ts';
import type { CircuitInput } from '#prover/witness-calculator.ts';
import { type ProofService, UnprovableBatch } from '../batch/proof-driver.ts';

export interface QueuedProofsOptions {
  /** Of the ledger, which one process uses at a time. */
  readonly database: SqlDatabase;
  readonly pool: ProofPool;
  readonly artifactsOf: (circuitName: string) => CircuitArtifacts | undefined;
  /** Batches that are proved at once. */
  readonly jobsAtOnce: number;
  /** What the circuit is given for a batch; a test may spoil it. */
  readonly inputOf?: (batch: SealedBatch) => { input: CircuitInput; publicInputs: PublicInputs };
}

/** Of the database, which is in this process: a fraction of a millisecond each. */
const POLL_MS = 50;

/** Jobs of lives before are taken over or done, so no other clock has to agree; the wall clock may be set back for an hour. */
const steadyNowMs = (): number => Math.floor(performance.timeOrigin + performance.now());

const builtInput = (batch: SealedBatch): { input: CircuitInput; publicInputs: PublicInputs } => {
  const { input, publicInputs } = buildCircuitInput(batch);
  return { input: input as unknown as CircuitInput, publicInputs };
};

export class QueuedProofs implements ProofService {
  readonly #options: QueuedProofsOptions;
  readonly #queue: ProofQueue;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #failure: Error | undefined;

  private constructor(options: QueuedProofsOptions, queue: ProofQueue) {
    this.#options = options;
    this.#queue = queue;
  }

  static async open(options: QueuedProofsOptions): Promise<QueuedProofs> {
    const store = await SqlProofJobStore.open(options.database);
    // The pool has tried several times by then, and whoever waits shall hear of it and ask again.
    const queue = new StoredProofQueue(store, { nowMs: steadyNowMs, failuresMax: 1 });
    // The ledger is ours alone, so are its jobs: leases of a life before are held by nobody.
    await queue.takeOver();
    return new QueuedProofs(options, queue);
  }

  async prove(
    batch: SealedBatch,
    attempt: number,
  ): Promise<{ readonly proof: BatchProof; readonly inputs: PublicInputs }> {
    const key: ProofJobKey = { batchNumber: Number(batch.content.header.batchNumber), sealAttempt: attempt };
    const { input, publicInputs } = this.#inputOf(batch);
    // Whoever asks again after a failure wants another try.
    if ((await this.#queue.read(key))?.status === 'quarantined') await this.#queue.forget(key);
    await this.#queue.enqueue({ ...key, circuitName: batch.capacity.name, input });
    this.#run();
    return { proof: await this.#proofOf(key, publicInputs), inputs: publicInputs };
  }

  forget(batchNumber: number, sealAttempt: number): Promise<void> {
    return this.#queue.forget({ batchNumber, sealAttempt });
  }

  /** Takes no further job; close the pool first, so that the one in hand goes back to the queue. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  #inputOf(batch: SealedBatch): { input: CircuitInput; publicInputs: PublicInputs } {
    try {
      return (this.#options.inputOf ?? builtInput)(batch);
    } catch (error) {
      throw new UnprovableBatch(`no circuit input: ${(error as Error).message}`, { cause: error });
    }
  }

  /** Starts the runner, anew where the set-up or the database had stopped it. */
  #run(): void {
    if (this.#running !== undefined) return;
    const { pool, artifactsOf, jobsAtOnce } = this.#options;
    this.#failure = undefined;
    this.#running = runProofJobs(
      { queue: this.#queue, pool, artifactsOf, jobsAtOnce, pollMs: POLL_MS },
      this.#stop.signal,
    )
      .catch((error: Error) => {
        this.#failure = error;
      })
      .finally(() => {
        this.#running = undefined;
      });
  }

  async #proofOf(key: ProofJobKey, statement: PublicInputs): Promise<BatchProof> {
    for (;;) {
      const record = await this.#queue.read(key);
      if (record === undefined)
        throw new Error(`batch ${key.batchNumber} was withdrawn from the proof queue`);
      if (record.proof !== undefined) {
        const { commitment, challenge, evaluation } = statement;
        const [c, r, y] = record.proof.publicSignals;
        if (c === commitment && r === challenge && y === evaluation) return record.proof.proof;
        // Of a life that built its statement otherwise.
        await this.#queue.forget(key);
        throw new Error(`the proof kept of batch ${key.batchNumber} states something else; it is made anew`);
      }
      if (record.status === 'quarantined') {
        const message = `batch ${key.batchNumber}: ${record.lastFailure}`;
        throw record.isUnprovable ? new UnprovableBatch(message) : new Error(message);
      }
      if (this.#running === undefined) throw this.#failure ?? new Error('the proof queue is closed');
      await sleep(POLL_MS, undefined, { ref: false });
    }
  }
}
