/**
 * Takes jobs from a queue and proves them in a pool, with heartbeats while they run. Any number of
 * runners may share a queue.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { PoisonedJobError, PoolClosedError, type ProofPool } from './proof-pool.ts';
import type { ProofLease, ProofQueue } from './proof-queue.ts';
import type { CircuitArtifacts } from './prove.ts';

export interface ProofRunnerOptions {
  readonly queue: ProofQueue;
  readonly pool: ProofPool;
  /** The circuits this runner has keys for. */
  readonly artifactsOf: (circuitName: string) => CircuitArtifacts | undefined;
  /** Jobs in flight: the pool's workers, so that no lease runs while its job waits. */
  readonly jobsAtOnce: number;
  /** Must be well below the queue's lease. Default 10 s. */
  readonly heartbeatMs?: number;
  /** Pause before an empty queue is asked again. Default 250 ms. */
  readonly pollMs?: number;
}

const HEARTBEAT_MS = 10_000;
const POLL_MS = 250;

/** No keys here for a job's circuit: this runner is set up wrongly, the job is not at fault. */
export class UnknownCircuitError extends Error {
  override readonly name = 'UnknownCircuitError';
}

/**
 * Runs until `signal` aborts and the jobs in flight have ended. Close the pool to end them at once:
 * they go back to the queue untried.
 * @throws UnknownCircuitError, ArtifactError, ProverPathError or the store's error, when the fault is on this side;
 *   the job has been given back where that was possible.
 */
export async function runProofJobs(options: ProofRunnerOptions, signal: AbortSignal): Promise<void> {
  const failed = new AbortController();
  const stop = AbortSignal.any([signal, failed.signal]);
  const lane = async () => {
    while (!stop.aborted) {
      const lease = await options.queue.lease();
      if (lease) await proveLeased(options, lease);
      else await sleep(options.pollMs ?? POLL_MS, undefined, { signal: stop }).catch(() => {});
    }
  };
  const lanes = Array.from({ length: options.jobsAtOnce }, () =>
    lane().catch((error) => {
      failed.abort();
      throw error;
    }),
  );
  const results = await Promise.allSettled(lanes);
  for (const result of results) {
    if (result.status === 'rejected' && !(result.reason instanceof PoolClosedError)) throw result.reason;
  }
}

async function proveLeased(options: ProofRunnerOptions, { job, fencingToken }: ProofLease): Promise<void> {
  const { queue, pool } = options;
  // A lost heartbeat is no reason to stop: the report itself is fenced.
  const beat = () => void queue.heartbeat(job, fencingToken).catch(() => {});
  const heart = setInterval(beat, options.heartbeatMs ?? HEARTBEAT_MS);
  const artifacts = options.artifactsOf(job.circuitName);
  const unknown = new UnknownCircuitError(`no keys for the circuit ${job.circuitName}`);
  const proving = artifacts ? pool.prove(artifacts, job.input) : Promise.reject(unknown);
  const result = await proving.catch((error: Error) => error).finally(() => clearInterval(heart));
  if (!(result instanceof Error)) {
    await queue.complete(job, fencingToken, result);
  } else if (result instanceof PoisonedJobError) {
    await queue.fail(job, fencingToken, { message: result.message, isPermanent: result.isPermanent });
  } else {
    await queue.release(job, fencingToken);
    throw result;
  }
}
