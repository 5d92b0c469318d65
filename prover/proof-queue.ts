/**
 * Jobs for provers that may crash, stall or come back late, in one process or a fleet.
 *
 * A job is leased for a time under a fencing token that grows with every lease: whoever reports with
 * an older token is told so, and nothing changes. A job whose failures or lost leases reach the limit
 * is quarantined; one that can never succeed is quarantined at once. The queue knows no clock but the
 * one it is given, and keeps its state in a store that compares and swaps.
 */
import type { CircuitProof } from './prove.ts';
import type { CircuitInput } from './witness-calculator.ts';

/** Which job: a batch, and the how-many-th sealing of that batch number. */
export interface ProofJobKey {
  readonly batchNumber: number;
  /** 0 at first; a batch rebuilt without its poison is another job. */
  readonly sealAttempt: number;
}

export interface ProofJob extends ProofJobKey {
  readonly circuitName: string;
  readonly input: CircuitInput;
}

export type ProofJobStatus = 'waiting' | 'leased' | 'proven' | 'quarantined';

/** What the store keeps of a job beside its input. */
export interface ProofJobRecord extends ProofJobKey {
  readonly circuitName: string;
  readonly status: ProofJobStatus;
  /** Grows by one with every lease. */
  readonly fencingToken: number;
  /** Failures reported and leases lost. */
  readonly failureCount: number;
  /** Not leased before this time: the pause after a failure, or the end of a lease. */
  readonly availableAtMs: number;
  readonly lastFailure: string | undefined;
  /** Quarantined because it can never succeed, not because the provers failed too often. */
  readonly isUnprovable: boolean;
  readonly proof: CircuitProof | undefined;
  /** Grows by one with every change; what compare-and-swap compares. */
  readonly revision: number;
}

/** Where records live. Each call is atomic by itself. */
export interface ProofJobStore {
  /** Adds a record with its input, which never changes; false when there is one of this key. */
  insert(record: ProofJobRecord, input: CircuitInput): Promise<boolean>;
  read(key: ProofJobKey): Promise<ProofJobRecord | undefined>;
  /** The input of a job that is known to exist. */
  readInput(key: ProofJobKey): Promise<CircuitInput>;
  /** The first waiting or leased job with availableAtMs ≤ nowMs, by batch number, then seal attempt. */
  firstAvailable(nowMs: number): Promise<ProofJobRecord | undefined>;
  /** Replaces the record when it still has `revision`; false when it has changed. */
  replace(record: ProofJobRecord, revision: number): Promise<boolean>;
  delete(key: ProofJobKey): Promise<void>;
  /** Deletes every job but those that are proven. */
  deleteUnproved(): Promise<void>;
  /** How many jobs have each status that occurs. */
  countByStatus(): Promise<Partial<Record<ProofJobStatus, number>>>;
}

/** A job on loan. */
export interface ProofLease {
  readonly job: ProofJob;
  readonly fencingToken: number;
  readonly expiresAtMs: number;
}

/** What a report did. 'stale': the lease had passed to another or the job was forgotten. */
export type ReportResult = 'accepted' | 'stale';

export interface ProofFailure {
  readonly message: string;
  /** No retry can help: there is no witness. */
  readonly isPermanent: boolean;
}

export interface ProofQueue {
  /** Adds a job; 'known' when the key is there already (enqueueing twice is harmless). */
  enqueue(job: ProofJob): Promise<'added' | 'known'>;
  /** The oldest job that is free, or undefined. */
  lease(): Promise<ProofLease | undefined>;
  /** Extends a lease; 'stale' tells the holder to stop. */
  heartbeat(key: ProofJobKey, fencingToken: number): Promise<ReportResult>;
  /** Keeps the proof. Repeating an accepted report is accepted again. */
  complete(key: ProofJobKey, fencingToken: number, proof: CircuitProof): Promise<ReportResult>;
  /** Frees the job for a retry after a pause, or quarantines it. */
  fail(key: ProofJobKey, fencingToken: number, failure: ProofFailure): Promise<ReportResult>;
  /** Gives the job back untried: the holder is closing or lacks the circuit's keys. */
  release(key: ProofJobKey, fencingToken: number): Promise<ReportResult>;
  /** Removes a job with its proof: its holder is told 'stale', and the key is not used again. */
  forget(key: ProofJobKey): Promise<void>;
  /**
   * Removes all jobs but the proven ones. For an owner that starts and uses the queue alone: whoever held a lease has ended
   * with the one before, and a quarantine may have been the fault of a program that was repaired since.
   */
  takeOver(): Promise<void>;
  read(key: ProofJobKey): Promise<ProofJobRecord | undefined>;
  /** Jobs that still need a proof: what sealing waits for when there are too many. */
  backlogCount(): Promise<number>;
}

export interface ProofQueueOptions {
  readonly nowMs: () => number;
  /** How long a lease lasts without a heartbeat. Default 60 s. */
  readonly leaseMs?: number;
  /** Failures and lost leases before quarantine. Default 5. */
  readonly failuresMax?: number;
  /** Pause after the first failure; doubles with each. Default 1 s. */
  readonly retryPauseMs?: number;
}

const LEASE_MS = 60_000;
const FAILURES_MAX = 5;
const RETRY_PAUSE_MS = 1_000;

/** The rules of the queue over any store. */
export class StoredProofQueue implements ProofQueue {
  readonly #store: ProofJobStore;
  readonly #nowMs: () => number;
  readonly #leaseMs: number;
  readonly #failuresMax: number;
  readonly #retryPauseMs: number;

  constructor(store: ProofJobStore, options: ProofQueueOptions) {
    this.#store = store;
    this.#nowMs = options.nowMs;
    this.#leaseMs = options.leaseMs ?? LEASE_MS;
    this.#failuresMax = options.failuresMax ?? FAILURES_MAX;
    this.#retryPauseMs = options.retryPauseMs ?? RETRY_PAUSE_MS;
  }

  async enqueue({ input, batchNumber, sealAttempt, circuitName }: ProofJob): Promise<'added' | 'known'> {
    const record: ProofJobRecord = {
      batchNumber,
      sealAttempt,
      circuitName,
      status: 'waiting',
      fencingToken: 0,
      failureCount: 0,
      availableAtMs: this.#nowMs(),
      lastFailure: undefined,
      isUnprovable: false,
      proof: undefined,
      revision: 0,
    };
    const added = await this.#store.insert(record, input);
    return added ? 'added' : 'known';
  }

  async lease(): Promise<ProofLease | undefined> {
    for (;;) {
      const nowMs = this.#nowMs();
      const record = await this.#store.firstAvailable(nowMs);
      if (record === undefined) return undefined;
      const isLost = record.status === 'leased';
      const failureCount = record.failureCount + (isLost ? 1 : 0);
      const lastFailure = isLost ? 'the lease ended without a report' : record.lastFailure;
      if (failureCount >= this.#failuresMax) {
        await this.#replace(record, { status: 'quarantined', failureCount, lastFailure });
        continue;
      }
      const expiresAtMs = nowMs + this.#leaseMs;
      const fencingToken = record.fencingToken + 1;
      const change = {
        status: 'leased',
        fencingToken,
        failureCount,
        lastFailure,
        availableAtMs: expiresAtMs,
      } as const;
      // Another prover was faster where this is false: look again.
      if (!(await this.#replace(record, change))) continue;
      const { batchNumber, sealAttempt, circuitName } = record;
      const input = await this.#store.readInput(record);
      return { job: { batchNumber, sealAttempt, circuitName, input }, fencingToken, expiresAtMs };
    }
  }

  heartbeat(key: ProofJobKey, fencingToken: number): Promise<ReportResult> {
    return this.#report(key, fencingToken, () => ({ availableAtMs: this.#nowMs() + this.#leaseMs }));
  }

  async complete(key: ProofJobKey, fencingToken: number, proof: CircuitProof): Promise<ReportResult> {
    const record = await this.#store.read(key);
    if (record?.status === 'proven' && record.fencingToken === fencingToken) return 'accepted';
    return this.#report(key, fencingToken, () => ({ status: 'proven', proof, lastFailure: undefined }));
  }

  fail(key: ProofJobKey, fencingToken: number, failure: ProofFailure): Promise<ReportResult> {
    return this.#report(key, fencingToken, (record) => {
      const failureCount = record.failureCount + 1;
      const isOver = failure.isPermanent || failureCount >= this.#failuresMax;
      const pauseMs = this.#retryPauseMs * 2 ** (failureCount - 1);
      return {
        status: isOver ? 'quarantined' : 'waiting',
        isUnprovable: failure.isPermanent,
        failureCount,
        lastFailure: failure.message,
        availableAtMs: this.#nowMs() + pauseMs,
      };
    });
  }

  release(key: ProofJobKey, fencingToken: number): Promise<ReportResult> {
    return this.#report(key, fencingToken, () => ({ status: 'waiting', availableAtMs: this.#nowMs() }));
  }

  forget(key: ProofJobKey): Promise<void> {
    return this.#store.delete(key);
  }

  takeOver(): Promise<void> {
    return this.#store.deleteUnproved();
  }

  read(key: ProofJobKey): Promise<ProofJobRecord | undefined> {
    return this.#store.read(key);
  }

  async backlogCount(): Promise<number> {
    const counts = await this.#store.countByStatus();
    return (counts.waiting ?? 0) + (counts.leased ?? 0) + (counts.quarantined ?? 0);
  }

  /** Applies a report of the lease's holder; of anybody else, nothing. */
  async #report(
    key: ProofJobKey,
    fencingToken: number,
    change: (record: ProofJobRecord) => Partial<ProofJobRecord>,
  ): Promise<ReportResult> {
    for (;;) {
      const record = await this.#store.read(key);
      if (record?.status !== 'leased' || record.fencingToken !== fencingToken) return 'stale';
      if (await this.#replace(record, change(record))) return 'accepted';
    }
  }

  #replace(record: ProofJobRecord, change: Partial<ProofJobRecord>): Promise<boolean> {
    return this.#store.replace({ ...record, ...change, revision: record.revision + 1 }, record.revision);
  }
}

/** Keeps records in this process: for tests and for provers without a database. */
export class MemoryProofJobStore implements ProofJobStore {
  readonly #records = new Map<string, ProofJobRecord>();
  readonly #inputs = new Map<string, CircuitInput>();

  async insert(record: ProofJobRecord, input: CircuitInput): Promise<boolean> {
    if (this.#records.has(mapKey(record))) return false;
    this.#records.set(mapKey(record), record);
    this.#inputs.set(mapKey(record), input);
    return true;
  }

  async readInput(key: ProofJobKey): Promise<CircuitInput> {
    return this.#inputs.get(mapKey(key)) as CircuitInput;
  }

  async read(key: ProofJobKey): Promise<ProofJobRecord | undefined> {
    return this.#records.get(mapKey(key));
  }

  async firstAvailable(nowMs: number): Promise<ProofJobRecord | undefined> {
    const free = [...this.#records.values()].filter(
      ({ status, availableAtMs }) => (status === 'waiting' || status === 'leased') && availableAtMs <= nowMs,
    );
    return free.sort((x, y) => x.batchNumber - y.batchNumber || x.sealAttempt - y.sealAttempt)[0];
  }

  async replace(record: ProofJobRecord, revision: number): Promise<boolean> {
    if (this.#records.get(mapKey(record))?.revision !== revision) return false;
    this.#records.set(mapKey(record), record);
    return true;
  }

  async delete(key: ProofJobKey): Promise<void> {
    this.#records.delete(mapKey(key));
    this.#inputs.delete(mapKey(key));
  }

  async deleteUnproved(): Promise<void> {
    for (const record of this.#records.values()) if (record.status !== 'proven') await this.delete(record);
  }

  async countByStatus(): Promise<Partial<Record<ProofJobStatus, number>>> {
    const counts: Partial<Record<ProofJobStatus, number>> = {};
    for (const { status } of this.#records.values()) counts[status] = (counts[status] ?? 0) + 1;
    return counts;
  }
}

function mapKey({ batchNumber, sealAttempt }: ProofJobKey): string {
  return `${batchNumber}/${sealAttempt}`;
}
