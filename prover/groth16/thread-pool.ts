/** Threads of the prover, each with one task at a time; waiting tasks are done in order, urgent ones first. */
import { Worker } from 'node:worker_threads';
import type { PointDigits, Task, TaskReply, ThreadSetup } from './thread.ts';

/** A thread ended or failed: the prover that it belongs to is of no further use. */
export class ProverThreadError extends Error {
  override readonly name = 'ProverThreadError';
}

interface Job {
  readonly task: Task;
  readonly resolve: (point: PointDigits) => void;
  readonly reject: (error: Error) => void;
}

export class ThreadPool {
  readonly #idle: Worker[] = [];
  readonly #threads: readonly Worker[];
  readonly #running = new Map<Worker, Job>();
  readonly #urgent: Job[] = [];
  readonly #waiting: Job[] = [];
  #failure: ProverThreadError | undefined;

  constructor(setups: readonly ThreadSetup[]) {
    this.#threads = setups.map((setup) => this.#start(setup));
    this.#idle.push(...this.#threads);
  }

  /** @throws ProverThreadError when the task or any thread fails, or the pool is closed. */
  run(task: Task, isUrgent = false): Promise<PointDigits> {
    return new Promise((resolve, reject) => {
      (isUrgent ? this.#urgent : this.#waiting).push({ task, resolve, reject });
      this.#dispatch();
    });
  }

  /** Ends all threads at once; tasks that are left fail. */
  async close(): Promise<void> {
    this.#fail(new ProverThreadError('the prover is closed'));
    await Promise.all(this.#threads.map((thread) => thread.terminate()));
  }

  #start(setup: ThreadSetup): Worker {
    const thread = new Worker(new URL('./thread.ts', import.meta.url), { workerData: setup });
    thread.on('message', (reply: TaskReply) => {
      const job = this.#running.get(thread);
      this.#running.delete(thread);
      if ('error' in reply) job?.reject(new ProverThreadError(reply.error));
      else job?.resolve(reply.point);
      this.#idle.push(thread);
      this.#dispatch();
    });
    thread.on('error', (cause) =>
      this.#fail(new ProverThreadError('a thread of the prover failed', { cause })),
    );
    thread.on('exit', () => this.#fail(new ProverThreadError('a thread of the prover ended')));
    return thread;
  }

  #dispatch(): void {
    if (this.#failure) {
      this.#rejectAll(this.#failure);
      return;
    }
    while (this.#idle.length > 0) {
      const job = this.#urgent.shift() ?? this.#waiting.shift();
      if (job === undefined) return;
      const thread = this.#idle.pop() as Worker;
      this.#running.set(thread, job);
      thread.postMessage(job.task);
    }
  }

  #fail(failure: ProverThreadError): void {
    this.#failure ??= failure;
    this.#rejectAll(this.#failure);
  }

  #rejectAll(failure: ProverThreadError): void {
    for (const job of [...this.#running.values(), ...this.#urgent, ...this.#waiting]) job.reject(failure);
    this.#running.clear();
    this.#urgent.length = 0;
    this.#waiting.length = 0;
  }
}
