/** Asks for proofs of sealed batches, several at a time, and reports them to the engine. */
import type { BatchProof, PublicInputs, SealedBatch } from '#protocol/batch/batch.ts';
import type { Engine } from '../engine.ts';

interface Prover {
  prove(batch: SealedBatch): Promise<{ readonly proof: BatchProof; readonly inputs: PublicInputs }>;
}

interface Unproved {
  readonly number: number;
  readonly attempt: number;
  readonly sealed: SealedBatch;
}

const RETRY_MS = 1_000;

export class ProofDriver {
  readonly #engine: Engine;
  readonly #prover: Prover;
  readonly #concurrency: number;
  readonly #report: (error: Error) => void;
  /** `number/attempt` of batches a proof was asked for. */
  readonly #asked = new Set<string>();
  readonly #waiters: (() => void)[] = [];
  #unsubscribe: () => void = () => undefined;
  #isStopped = false;

  constructor(engine: Engine, prover: Prover, concurrency: number, report: (error: Error) => void) {
    this.#engine = engine;
    this.#prover = prover;
    this.#concurrency = concurrency;
    this.#report = report;
  }

  /** Begins with what a restart left unproved. */
  async start(): Promise<void> {
    this.#unsubscribe = this.#engine.subscribe((events) => {
      if (events.some((event) => event.kind === 'batch-sealed')) void this.#fill();
    });
    await this.#fill();
  }

  /** Resolves when no sealed batch waits for a proof. */
  async settled(): Promise<void> {
    for (;;) {
      if (this.#isStopped || (await this.#unproved()).length === 0) return;
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
      // Only a stopping engine refuses a read.
      if (!this.#isStopped && !this.#engine.hasStopped) this.#report(error as Error);
      return;
    }
    for (const { number, attempt, sealed } of waiting.sort((a, b) => a.number - b.number)) {
      const name = `${number}/${attempt}`;
      if (this.#asked.size >= this.#concurrency) return;
      if (this.#asked.has(name)) continue;
      this.#asked.add(name);
      void this.#prove(number, attempt, sealed).finally(() => {
        this.#asked.delete(name);
        this.#wake();
        void this.#fill();
      });
    }
  }

  async #prove(batchNumber: number, attempt: number, sealed: SealedBatch): Promise<void> {
    try {
      const { proof, inputs } = await this.#prover.prove(sealed);
      if (this.#isStopped || this.#engine.hasStopped) return;
      await this.#engine.command({ kind: 'batch-proven', batchNumber, attempt, proof, inputs });
    } catch (error) {
      if (this.#isStopped || this.#engine.hasStopped) return;
      this.#report(error as Error);
      // The slot stays taken meanwhile, so that a broken prover is not asked in a tight loop.
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  #wake(): void {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }
}
