/**
 * Worker processes that prove, and what happens when they do not: a crashed or stuck job is tried
 * again in a fresh worker, a bounded number of times; a job that can never succeed is quarantined
 * with the reason. One failed job never takes another with it.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ArtifactError, type CircuitArtifacts, type CircuitProof } from './prove.ts';
import { ProverPathError } from './rapidsnark.ts';
import type { CircuitInput } from './witness-calculator.ts';
import type { WorkerFailure, WorkerReply, WorkerRequest } from './worker.ts';

export interface ProofPoolOptions {
  /** Processes that prove at the same time. snarkjs uses all cores by itself: 1 unless memory is plenty. */
  readonly workerCount: number;
  /** Tries before a job that crashes, hangs or gives invalid proofs is quarantined. Default 3. */
  readonly attemptsMax?: number;
  /** A try that takes longer is ended by SIGKILL. Default 10 minutes. */
  readonly timeLimitMs?: number;
  /** Environment of the workers; by default that of this process. */
  readonly environment?: NodeJS.ProcessEnv;
}

/**
 * Why a job was given up. The first two are about the job itself, the same wherever it is tried; the others may as well be
 * the fault of the machine, of the set-up, or of somebody who kills processes.
 */
export type PoisonReason =
  | 'no-witness'
  | 'invalid-proof'
  | 'wrong-circuit'
  | 'crashed'
  | 'timed-out'
  | 'backend-failed';

/** A job that was given up. */
export class PoisonedJobError extends Error {
  override readonly name = 'PoisonedJobError';
  readonly reason: PoisonReason;
  readonly attempts: number;

  constructor(reason: PoisonReason, attempts: number, message: string) {
    super(`${message} (${reason} after ${attempts} ${attempts === 1 ? 'try' : 'tries'})`);
    this.reason = reason;
    this.attempts = attempts;
  }

  /** No prover will do better: a batch behind it is to be rebuilt without its cause. */
  get isPermanent(): boolean {
    return this.reason === 'no-witness' || this.reason === 'invalid-proof';
  }
}

/** The pool was closed before the job was done; the job itself may be tried elsewhere. */
export class PoolClosedError extends Error {
  override readonly name = 'PoolClosedError';
}

/** What a worker process does at the moment. */
export interface WorkerStatus {
  readonly processId: number;
  readonly isBusy: boolean;
}

interface Job {
  readonly id: number;
  readonly artifacts: CircuitArtifacts;
  readonly input: CircuitInput;
  readonly resolve: (proof: CircuitProof) => void;
  readonly reject: (error: Error) => void;
  attempts: number;
}

interface PoolWorker {
  readonly process: ChildProcess;
  isReady: boolean;
  job: Job | undefined;
  hasTimedOut: boolean;
  timer: NodeJS.Timeout | undefined;
}

const ATTEMPTS_MAX = 3;
const TIME_LIMIT_MS = 10 * 60_000;
/** A worker that dies at once must not make the pool spin. */
const RESTART_DELAY_MS = 200;
const CLOSE_LIMIT_MS = 5_000;
const WORKER_FILE = fileURLToPath(new URL('./worker.ts', import.meta.url));

export class ProofPool {
  readonly #options: ProofPoolOptions;
  readonly #workers = new Set<PoolWorker>();
  readonly #waiting: Job[] = [];
  #nextJobId = 1;
  #isClosed = false;

  /** Starts the worker processes. Close the pool, or they keep this process alive. */
  constructor(options: ProofPoolOptions) {
    this.#options = options;
    for (let count = 0; count < options.workerCount; count++) this.#startWorker();
  }

  /**
   * Proves one input, after the jobs that wait already.
   * @throws PoisonedJobError; ArtifactError when the circuit's files are damaged (make them again);
   *   PoolClosedError.
   */
  prove(artifacts: CircuitArtifacts, input: CircuitInput): Promise<CircuitProof> {
    if (this.#isClosed) return Promise.reject(new PoolClosedError('the proof pool is closed'));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ id: this.#nextJobId++, artifacts, input, resolve, reject, attempts: 0 });
      this.#assign();
    });
  }

  /** The worker processes that run now. */
  get workers(): WorkerStatus[] {
    return [...this.#workers].map(({ process: child, job }) => ({
      processId: child.pid as number,
      isBusy: job !== undefined,
    }));
  }

  /**
   * Ends all workers: idle ones are told, busy ones are killed and their jobs refused with
   * PoolClosedError. Resolves when every process has ended.
   */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const job of this.#waiting.splice(0)) job.reject(new PoolClosedError('the proof pool was closed'));
    const ends = [...this.#workers].map((worker) => {
      const ended = new Promise((resolve) => worker.process.once('exit', resolve));
      if (worker.job === undefined && worker.isReady) send(worker, { kind: 'stop' });
      else kill(worker);
      const limit = setTimeout(() => kill(worker), CLOSE_LIMIT_MS);
      return ended.finally(() => clearTimeout(limit));
    });
    await Promise.all(ends);
  }

  #startWorker(): void {
    const child = fork(WORKER_FILE, [], {
      serialization: 'advanced',
      env: this.#options.environment ?? process.env,
      // A group of its own: it can be killed together with an outside prover it has started.
      detached: true,
    });
    const worker: PoolWorker = {
      process: child,
      isReady: false,
      job: undefined,
      hasTimedOut: false,
      timer: undefined,
    };
    this.#workers.add(worker);
    child.on('message', (reply: WorkerReply) => this.#onReply(worker, reply));
    child.on('error', () => kill(worker));
    child.once('exit', (code, signal) => this.#onExit(worker, signal ?? `code ${code}`));
  }

  #assign(): void {
    for (const worker of this.#workers) {
      if (!worker.isReady || worker.job !== undefined || this.#waiting.length === 0) continue;
      const job = this.#waiting.shift() as Job;
      job.attempts++;
      worker.job = job;
      worker.timer = setTimeout(() => {
        worker.hasTimedOut = true;
        kill(worker);
      }, this.#options.timeLimitMs ?? TIME_LIMIT_MS);
      send(worker, { kind: 'prove', jobId: job.id, artifacts: job.artifacts, input: job.input });
    }
  }

  #onReply(worker: PoolWorker, reply: WorkerReply): void {
    if (reply.kind === 'ready') worker.isReady = true;
    else if (worker.job?.id === reply.jobId) {
      const job = this.#release(worker) as Job;
      if (reply.kind === 'proved') job.resolve(reply.result);
      else this.#onFailure(job, reply.failure);
    }
    this.#assign();
  }

  #onFailure(job: Job, { name, message, code }: WorkerFailure): void {
    if (name === 'WitnessError' && code !== 'generator-failed') {
      const reason = code === 'input-mismatch' ? 'wrong-circuit' : 'no-witness';
      job.reject(new PoisonedJobError(reason, job.attempts, message));
    } else if (name === 'InvalidProofError') {
      this.#retry(job, 'invalid-proof', message);
    } else if (name === 'ArtifactError') {
      job.reject(new ArtifactError(message));
    } else if (name === 'ProverPathError') {
      job.reject(new ProverPathError(message));
    } else {
      this.#retry(job, 'backend-failed', `${name}: ${message}`);
    }
  }

  #onExit(worker: PoolWorker, ending: string): void {
    this.#workers.delete(worker);
    const job = this.#release(worker);
    if (this.#isClosed) {
      job?.reject(new PoolClosedError('the proof pool was closed'));
      return;
    }
    if (job) {
      const reason = worker.hasTimedOut ? 'timed-out' : 'crashed';
      this.#retry(job, reason, `the worker proving ${job.artifacts.name} ended with ${ending}`);
    }
    const restart = () => {
      if (!this.#isClosed) this.#startWorker();
    };
    setTimeout(restart, worker.isReady ? 0 : RESTART_DELAY_MS);
  }

  #release(worker: PoolWorker): Job | undefined {
    const { job } = worker;
    clearTimeout(worker.timer);
    worker.job = undefined;
    return job;
  }

  /** Back to the front of the line, or into quarantine. */
  #retry(job: Job, reason: PoisonReason, message: string): void {
    if (job.attempts >= (this.#options.attemptsMax ?? ATTEMPTS_MAX)) {
      job.reject(new PoisonedJobError(reason, job.attempts, message));
    } else {
      this.#waiting.unshift(job);
    }
  }
}

function send(worker: PoolWorker, request: WorkerRequest): void {
  // A failure to send means that the process is ending: its exit is handled where it arrives.
  worker.process.send(request, () => {});
}

/** SIGKILL to the worker's process group, or to the worker alone where groups are not known. */
function kill({ process: child }: PoolWorker): void {
  try {
    process.kill(-(child.pid as number), 'SIGKILL');
  } catch {
    child.kill('SIGKILL');
  }
}
