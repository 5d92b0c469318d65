/**
 * The single writer. Commands are applied one at a time; what a command caused is acknowledged, and shown to
 * anyone, only after its record is durable; commands that wait share a write. If a write fails or an invariant breaks, the engine stops for good:
 * its memory may then be ahead of the log.
 */
import { createVerifier, type Verifier } from '#protocol/crypto/eddsa.ts';
import { accept, invariant, type Rejection, type Result, reject } from '#protocol/errors.ts';
import type { SignedMessages } from '#protocol/message.ts';
import { rememberChecked, signedHashOf, verifySignedMessages } from '#protocol/signing.ts';
import { stateRoot } from '#protocol/state.ts';
import type { Command, EngineEvent, OrderOptions } from './commands.ts';
import type { EngineConfig } from './config.ts';
import { type Applied, applyCommand, isProgress, isReport } from './core.ts';
import { bodyHashOf } from './identity.ts';
import { isNewsFromL1 } from './l1.ts';
import { encode } from './ledger/codec.ts';
import { CorruptLogError, Log, outcomeHashOf, sha256Hex } from './ledger/log.ts';
import type { BatchWrite, LedgerStore, LogRow } from './ledger/store.ts';
import { EngineState, type MessageResult } from './state.ts';
import { refuseEnvelope } from './submit.ts';

export type EngineListener = (events: readonly EngineEvent[], state: EngineState) => void;

export interface SubmissionResult {
  readonly bodyHash: string;
  readonly results: readonly MessageResult[];
  /** True when the same body had been taken before. */
  readonly isRepeat: boolean;
}

/** What a job did: its answer, and the record that must be durable before anyone gets it. */
interface Done<T> {
  readonly value: T;
  readonly record?: {
    readonly row: LogRow;
    readonly events: readonly EngineEvent[];
    readonly batches: readonly BatchWrite[];
  };
}

interface Job {
  /** Applies the job; afterwards `finish` gives its answer. */
  readonly run: () => { readonly record: Done<unknown>['record']; readonly finish: () => void };
  readonly fail: (error: Error) => void;
}

/** So many waiting commands share one write: under load the database is asked less often, never later. */
const GROUP_MAX = 32;
/** So many reads go along: whoever asks much waits himself, and takes no command's place. */
const GROUP_READS_MAX = 32;

const VERIFIERS_MAX = 4_000;
const QUEUE_MAX = 10_000;

/** Stopped, or stopping: nothing further is taken. */
export class EngineStopped extends Error {
  constructor(cause?: unknown) {
    super('the engine has stopped', { cause });
    this.name = 'EngineStopped';
  }
}

export class Engine {
  readonly #state: EngineState;
  readonly #store: LedgerStore;
  readonly #log: Log<Command>;
  readonly #onFatal: (error: Error) => void;
  readonly #listeners = new Set<EngineListener>();
  readonly #urgent: Job[] = [];
  readonly #jobs: Job[] = [];
  readonly #reads: Job[] = [];
  readonly #verifiers = new Map<string, Verifier>();
  #isDraining = false;
  #stopped: EngineStopped | undefined;

  private constructor(config: EngineConfig, store: LedgerStore, onFatal: (error: Error) => void) {
    this.#state = new EngineState(config);
    this.#store = store;
    this.#log = new Log(store);
    this.#onFatal = onFatal;
  }

  /**
   * Folds the log and opens for commands. @throws CorruptLogError when the log is damaged or leads elsewhere,
   * InputError when the batch sizes are not in order.
   * @param onFatal is told once when the engine stops by failure; the process should end then.
   */
  static async start(
    config: EngineConfig,
    store: LedgerStore,
    onFatal: (error: Error) => void,
  ): Promise<Engine> {
    const engine = new Engine(config, store, onFatal);
    // Instruments, fees and limits may change from one run to the next; chain, contract, sizes and shape may not.
    await store.bindTo(sha256Hex(encode([config.domain, config.sizes, config.shape])));
    for await (const { sequence, command, outcomeHash } of engine.#log.replay()) {
      let applied: Applied;
      try {
        if (command.kind === 'submit') engine.#trustRecorded(command.signed, command.signedHash);
        applied = applyCommand(engine.#state, command);
      } catch (error) {
        throw new CorruptLogError(sequence, `replaying it failed (${(error as Error).message})`);
      }
      if (outcomeHashOf(applied.events) !== outcomeHash) {
        throw new CorruptLogError(sequence, 'replaying it leads elsewhere than it did');
      }
    }
    const isConfigured = engine.#log.sequence > 0 && encode(engine.#state.config) === encode(config);
    if (!isConfigured) await engine.#configure(config);
    return engine;
  }

  #configure(config: EngineConfig): Promise<void> {
    return this.#enqueue(this.#urgent, () => ({
      value: undefined,
      record: this.#apply({ kind: 'configure', config }).record,
    }));
  }

  get logSequence(): number {
    return this.#log.sequence;
  }

  get hasStopped(): boolean {
    return this.#stopped !== undefined;
  }

  /** Stops for a reason found outside: L1 disagrees with this ledger. */
  abort(error: Error): void {
    this.#fail(error);
  }

  get waitingCommands(): number {
    return this.#jobs.length + this.#urgent.length;
  }

  /** Root of the ledger after the last sealed batch. */
  async stateRoot(): Promise<bigint> {
    return this.read((state) => stateRoot(state.ledger));
  }

  /** Called after every durable command that caused something. A listener must not throw. */
  subscribe(listener: EngineListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Verifies and submits signed messages. Idempotent by what is signed. Cancels overtake everything else that
   * waits: a cancel that arrives before its order kills the nonce, so the order is refused.
   * @param onVerified runs once the signature is known to be right; what it throws, this throws
   */
  async submit(
    signed: SignedMessages,
    options: readonly OrderOptions[] = [],
    onVerified: () => void = () => undefined,
  ): Promise<Result<SubmissionResult>> {
    this.#requireRunning();
    const refused = this.#verify(signed);
    if (refused !== undefined) return refused;
    onVerified();
    const isUrgent = signed.messages.every(({ kind }) => kind === 'cancel' || kind === 'cancel-all');
    const queue = isUrgent ? this.#urgent : this.#jobs;
    if (queue.length >= QUEUE_MAX) {
      return reject('engine-busy', 'too many commands wait; retry', {
        waiting: queue.length,
        limit: QUEUE_MAX,
      });
    }
    return this.#enqueue(queue, (): Done<Result<SubmissionResult>> => {
      const bodyHash = bodyHashOf(this.#state.config.domain, signed);
      const known = this.#state.bodies.get(bodyHash);
      if (known !== undefined) return { value: accept({ bodyHash, results: known, isRepeat: true }) };
      const signedHash = signedHashOf(this.#state.config.domain, signed);
      const { applied, record } = this.#apply({ kind: 'submit', signed, options, signedHash });
      return { value: accept({ bodyHash, results: applied.results, isRepeat: false }), record };
    });
  }

  /** Any other command. Resolves with its refusal, or undefined when it was taken (or was no news). */
  async command(command: Exclude<Command, { kind: 'submit' }>): Promise<Rejection | undefined> {
    this.#requireRunning();
    return this.#enqueue(this.#urgent, () => {
      if (command.kind === 'l1-block' && !isNewsFromL1(this.#state, command)) return { value: undefined };
      if (isReport(command) && !isProgress(this.#state, command)) return { value: undefined };
      const { applied, record } = this.#apply(command);
      return { value: applied.refusal, record };
    });
  }

  /**
   * Reads between two commands; the answer comes when everything it saw is durable. `view` must not keep the
   * state, which changes afterwards.
   */
  async read<T>(view: (state: EngineState) => T): Promise<T> {
    this.#requireRunning();
    const seen = await this.#enqueue(this.#reads, (): Done<{ value: T } | { error: unknown }> => {
      // A view that throws is its caller's affair and must not stop the writer.
      try {
        return { value: { value: view(this.#state) } };
      } catch (error) {
        return { value: { error } };
      }
    });
    if ('error' in seen) throw seen.error;
    return seen.value;
  }

  /** Finishes what waits and takes nothing more. */
  async stop(): Promise<void> {
    if (this.#stopped !== undefined) return;
    await this.read(() => undefined);
    this.#stopped = new EngineStopped();
  }

  #requireRunning(): void {
    if (this.#stopped !== undefined) throw this.#stopped;
  }

  #enqueue<T>(queue: Job[], task: () => Done<T>): Promise<T> {
    return new Promise<T>((resolve, fail) => {
      const run: Job['run'] = () => {
        const { value, record } = task();
        return { record, finish: () => resolve(value) };
      };
      queue.push({ run, fail });
      void this.#drain();
    });
  }

  async #drain(): Promise<void> {
    if (this.#isDraining) return;
    this.#isDraining = true;
    // What arrives in the same turn shares the first write.
    await Promise.resolve();
    for (let group = this.#nextGroup(); group.length > 0; group = this.#nextGroup()) {
      try {
        if (this.#stopped !== undefined) throw this.#stopped;
        await this.#runGroup(group);
      } catch (error) {
        this.#fail(error as Error);
        for (const job of group) job.fail(error as Error);
      }
    }
    this.#isDraining = false;
  }

  #nextGroup(): Job[] {
    const urgent = this.#urgent.splice(0, GROUP_MAX);
    const jobs = this.#jobs.splice(0, GROUP_MAX - urgent.length);
    return [...urgent, ...jobs, ...this.#reads.splice(0, GROUP_READS_MAX)];
  }

  /** Applies the jobs in order, makes their records durable, then answers them in order. */
  async #runGroup(group: readonly Job[]): Promise<void> {
    const done = group.map((job) => job.run());
    const records = done.flatMap(({ record }) => (record === undefined ? [] : [record]));
    if (records.length > 0) {
      await this.#store.appendLog(
        records.map(({ row }) => row),
        records.flatMap(({ batches }) => batches),
      );
    }
    for (const { events } of records) {
      for (const listener of this.#listeners) listener(events, this.#state);
    }
    for (const { finish } of done) finish();
  }

  #fail(error: Error): void {
    if (this.#stopped !== undefined) return;
    this.#stopped = new EngineStopped(error);
    this.#onFatal(error);
  }

  /** Applies a command and forms its record, which the caller makes durable. */
  #apply(command: Command): { readonly applied: Applied; readonly record: Done<unknown>['record'] } {
    const applied = applyCommand(this.#state, command);
    const { events } = applied;
    // A refusal that changed nothing leaves no trace. What time or L1 said is recorded even if nothing followed.
    const isRecorded = events.length > 0 || (command.kind !== 'submit' && applied.refusal === undefined);
    if (!isRecorded) return { applied, record: undefined };
    const row = this.#log.next(command, outcomeHashOf(events));
    return { applied, record: { row, events, batches: this.#batchWrites(events) } };
  }

  /**
   * Sealed batches and proofs go to their table too: the prover and readers take them from there. Formed right after
   * the command, before a later one of the same write can change the batch again.
   */
  #batchWrites(events: readonly EngineEvent[]): BatchWrite[] {
    return events.flatMap((event): BatchWrite[] => {
      const isSeal = event.kind === 'batch-sealed';
      if (!isSeal && !(event.kind === 'batch-status' && event.status === 'proven')) return [];
      const { batchNumber, attempt } = event;
      const entry = this.#state.batches.get(batchNumber);
      invariant(entry?.attempt === attempt, 'a command seals a batch number once');
      return [
        {
          batchNumber,
          attempt,
          ...(isSeal ? { sealed: encode(entry.sealed) } : { proof: encode(entry.proof) }),
        },
      ];
    });
  }

  /**
   * A signature in the log was checked before it got there, and the chain of hashes says that it is still that one:
   * a replay does not spend most of its time on checking and hashing it again. A forged log cannot steal: no batch with
   * a wrong signature, or messages other than the signed ones, can be proved.
   */
  #trustRecorded(signed: SignedMessages, signedHash: bigint): void {
    const { publicKey } = this.#state.account(signed.accountIndex);
    rememberChecked(this.#state.config.domain, publicKey, signed, signedHash);
  }

  /** Cheap checks first; the signature last. Keys seen lately have a window table. */
  #verify(signed: SignedMessages): Rejection | undefined {
    const refused = refuseEnvelope(this.#state, signed);
    if (refused !== undefined) return refused;
    const { publicKey } = this.#state.account(signed.accountIndex);
    const name = `${publicKey[0]}`;
    let verifier = this.#verifiers.get(name);
    if (verifier === undefined) {
      verifier = createVerifier(publicKey);
      if (this.#verifiers.size >= VERIFIERS_MAX) {
        const oldest = this.#verifiers.keys().next().value;
        if (oldest !== undefined) this.#verifiers.delete(oldest);
      }
      this.#verifiers.set(name, verifier);
    }
    if (verifySignedMessages(this.#state.config.domain, publicKey, signed, verifier)) return undefined;
    return reject('wrong-signature', 'not signed by the key of this account for this chain and contract', {
      accountIndex: signed.accountIndex,
      epoch: signed.epoch,
      chainId: this.#state.config.domain.chainId,
    });
  }
}
