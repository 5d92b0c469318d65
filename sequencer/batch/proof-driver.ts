/**
 * Asks for proofs of sealed batches, several at a time, and reports them to the engine. A batch that has none is reported
 * too, for the engine to take apart; a prover that fails otherwise is asked again.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BatchProof, PublicInputs, SealedBatch } from '#protocol/batch/batch.ts';
import type { EngineEvent } from '../commands.ts';
import type { Engine } from '../engine.ts';
import type { SealingHalt } from '../state.ts';

/** The prover as the sequencer sees it. May be asked again for the same batch; proofs of a batch are all right. */
export interface ProofService {
  /**
   * @param attempt the how-many-th sealing of that batch number
   * @throws UnprovableBatch when the batch is at fault; any other error is the prover's, and passes or is repaired
   */
  prove(
    batch: SealedBatch,
    attempt: number,
  ): Promise<{ readonly proof: BatchProof; readonly inputs: PublicInputs }>;
  /** Nobody will ask again: the engine has the proof, or the batch was withdrawn. */
  forget?(batchNumber: number, attempt: number): Promise<void>;
}

/** There is no witness, or no proof that verifies: asking again gives the same answer. */
export class UnprovableBatch extends Error {
  override readonly name = 'UnprovableBatch';
}

/** What an operator must hear of: the engine takes a batch apart, or has halted. */
export class ProofAlarm extends Error {
  override readonly name = 'ProofAlarm';
}

interface Unproved {
  readonly number: number;
  readonly attempt: number;
  readonly sealed: SealedBatch;
}

export interface ProofDriverOptions {
  readonly concurrency: number;
  /** Told of what will be tried again. */
  readonly report: (error: Error) => void;
  readonly alarm: (error: ProofAlarm) => void;
  readonly retryMs?: number;
}

const RETRY_MS = 1_000;
/** A second look, in case a bit fell over in the first. */
const UNPROVABLE_TRIES = 2;
/**
 * So many things in a row are left out with no proof between them; then the prover is suspected and nothing more is lost
 * to it: a wrong key fails every batch alike.
 */
const LEFT_OUT_IN_A_ROW_MAX = 3;

export class ProofDriver {
  readonly #engine: Engine;
  readonly #prover: ProofService;
  readonly #options: ProofDriverOptions;
  /** `number/attempt` of batches a proof was asked for. */
  readonly #asked = new Set<string>();
  /** How often a batch was found unprovable; kept until it is withdrawn. */
  readonly #unprovable = new Map<string, number>();
  /** Batches that halted the engine: only another life asks for them again, with a prover that was repaired. */
  readonly #given = new Set<string>();
  /** The how-many-th question of all was the last about a batch. */
  readonly #askedLast = new Map<string, number>();
  #questions = 0;
  readonly #waiters: (() => void)[] = [];
  #unsubscribe: () => void = () => undefined;
  #leftOutInARow = 0;
  #isStopped = false;

  constructor(engine: Engine, prover: ProofService, options: ProofDriverOptions) {
    this.#engine = engine;
    this.#prover = prover;
    this.#options = options;
  }

  /** Begins with what a restart left unproved. */
  async start(): Promise<void> {
    this.#unsubscribe = this.#engine.subscribe((events) => {
      for (const event of events) this.#hear(event);
      if (events.some((event) => event.kind === 'batch-sealed')) void this.#fill();
    });
    const halted = await this.#engine.read(({ isolation }) => isolation.halted);
    if (halted !== undefined) this.#options.alarm(haltAlarm(halted));
    await this.#fill();
  }

  #hear(event: EngineEvent): void {
    if (event.kind === 'batch-poisoned') {
      this.#leftOutInARow += event.dropped.length;
      this.#options.alarm(poisonAlarm(event));
      if (this.#isSuspected) this.#options.alarm(suspicionAlarm());
    }
    if (event.kind === 'batch-status' && event.status === 'proven') this.#leftOutInARow = 0;
    if (event.kind === 'sealing-halted') {
      this.#given.add(`${event.batchNumber}/${event.attempt}`);
      this.#options.alarm(haltAlarm(event));
      this.#wake();
    }
    const isOver =
      event.kind === 'batch-status' && (event.status === 'withdrawn' || event.status === 'proven');
    if (!isOver) return;
    const name = `${event.batchNumber}/${event.attempt}`;
    this.#unprovable.delete(name);
    this.#given.delete(name);
    this.#askedLast.delete(name);
    this.#prover.forget?.(event.batchNumber, event.attempt).catch((error: Error) => this.#complain(error));
  }

  /** Resolves when no sealed batch waits for a proof, or sealing is halted. */
  async settled(): Promise<void> {
    for (;;) {
      if (this.#isStopped || (await this.#unproved()).length === 0 || this.#given.size > 0) return;
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
  }

  /** Proofs under way are forgotten: a restart asks again. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#unsubscribe();
    this.#wake();
  }

  /** Batches without a proof, with what the prover needs. */
  #unproved(): Promise<Unproved[]> {
    return this.#engine.read((state) =>
      state.unprovedBatches.flatMap(({ number, attempt, sealed }) =>
        sealed === undefined ? [] : [{ number, attempt, sealed }],
      ),
    );
  }

  async #fill(): Promise<void> {
    if (this.#isStopped || this.#engine.hasStopped) return;
    let waiting: Unproved[];
    try {
      waiting = await this.#unproved();
    } catch (error) {
      this.#complain(error as Error);
      return;
    }
    for (const { number, attempt, sealed } of this.#inTurn(waiting)) {
      const name = `${number}/${attempt}`;
      if (this.#asked.size >= this.#options.concurrency) return;
      if (this.#asked.has(name) || this.#given.has(name)) continue;
      this.#asked.add(name);
      this.#askedLast.set(name, ++this.#questions);
      void this.#prove(number, attempt, sealed)
        .catch((error: Error) => this.#complain(error))
        .finally(() => {
          this.#asked.delete(name);
          this.#wake();
          void this.#fill();
        });
    }
  }

  /** The lowest first; under suspicion by turns, for a proof of any of them clears the prover. */
  #inTurn(waiting: readonly Unproved[]): Unproved[] {
    const turnOf = ({ number, attempt }: Unproved): number =>
      this.#isSuspected ? (this.#askedLast.get(`${number}/${attempt}`) ?? 0) : 0;
    return waiting.toSorted((a, b) => turnOf(a) - turnOf(b) || a.number - b.number);
  }

  get #isSuspected(): boolean {
    return this.#leftOutInARow >= LEFT_OUT_IN_A_ROW_MAX;
  }

  async #prove(batchNumber: number, attempt: number, sealed: SealedBatch): Promise<void> {
    try {
      const { proof, inputs } = await this.#prover.prove(sealed, attempt);
      if (this.#isStopped || this.#engine.hasStopped) return;
      await this.#engine.command({ kind: 'batch-proven', batchNumber, attempt, proof, inputs });
    } catch (error) {
      if (this.#isStopped || this.#engine.hasStopped || !(await this.#stands(batchNumber, attempt))) return;
      this.#options.report(error as Error);
      const isIsolated =
        error instanceof UnprovableBatch && (await this.#isolate(batchNumber, attempt, error.message));
      // The slot stays taken meanwhile, so that a broken prover is not asked in a tight loop.
      if (!isIsolated) await sleep(this.#options.retryMs ?? RETRY_MS, undefined, { ref: false });
    }
  }

  /** A batch that was withdrawn meanwhile fails nobody. */
  #stands(batchNumber: number, attempt: number): Promise<boolean> {
    return this.#engine.read((state) => state.batches.get(batchNumber)?.attempt === attempt);
  }

  /** Has the engine take the batch apart once it was found unprovable often enough; false while it does not. */
  async #isolate(batchNumber: number, attempt: number, error: string): Promise<boolean> {
    const name = `${batchNumber}/${attempt}`;
    const tries = (this.#unprovable.get(name) ?? 0) + 1;
    this.#unprovable.set(name, tries);
    if (tries < UNPROVABLE_TRIES || this.#isSuspected) return false;
    const refusal = await this.#engine.command({ kind: 'batch-poisoned', batchNumber, attempt, error });
    if (refusal !== undefined) this.#options.report(new Error(`${refusal.code}: ${refusal.message}`));
    return refusal === undefined;
  }

  /** Only a stopping engine refuses a read or a command. */
  #complain(error: Error): void {
    if (!this.#isStopped && !this.#engine.hasStopped) this.#options.report(error);
  }

  #wake(): void {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }
}

const poisonAlarm = ({
  batchNumber,
  attempt,
  error,
  dropped,
}: Extract<EngineEvent, { kind: 'batch-poisoned' }>): ProofAlarm =>
  new ProofAlarm(
    `batch ${batchNumber} (attempt ${attempt}) cannot be proved; ${
      dropped.length === 0 ? 'its halves are tried apart' : `left out: ${dropped.join(', ')}`
    }: ${error}`,
  );

const suspicionAlarm = (): ProofAlarm =>
  new ProofAlarm(
    `${LEFT_OUT_IN_A_ROW_MAX} things in a row had no proof: the prover or its key is suspected, nothing more is left out ` +
      'and every batch is only tried again; repair the prover and restart',
  );

const haltAlarm = ({ batchNumber, queueIndex, operation, error }: SealingHalt): ProofAlarm =>
  new ProofAlarm(
    `sealing is halted: the ${operation.kind} at L1 queue index ${queueIndex}, alone in batch ${batchNumber}, cannot be ` +
      `proved, and nothing may overtake it; repair the prover and restart: ${error}`,
  );
