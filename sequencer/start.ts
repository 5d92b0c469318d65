/**
 * Joins engine, API, L1 and prover into one running sequencer. Clocks live here: when to poll, to seal by age, to
 * ask for a proof, to send. What is decided is the engine's affair.
 */
import type { Signer } from 'ethers';
import { type Lane, type RateLimit, RateLimiter } from './api/rate-limit.ts';
import { registerRoutes, unavailable } from './api/routes.ts';
import { type ApiLimits, createServer, DEFAULT_API_LIMITS, listen } from './api/server.ts';
import { ProofDriver, type ProofService } from './batch/proof-driver.ts';
import { isSealDue } from './batch/seal-policy.ts';
import type { EngineConfig } from './config.ts';
import { Engine } from './engine.ts';
import type { LedgerStore } from './ledger/store.ts';
import type { L1Contracts } from './settlement/l1-contracts.ts';
import { BatchSubmitter, isMissedWindow } from './settlement/submit-batch.ts';
import { type ConfirmationDepths, L1Conflict, L1Watcher, PRODUCTION_DEPTHS } from './settlement/watch-l1.ts';

export interface L1Options {
  readonly contracts: L1Contracts;
  /** Sends batches; it must sign locally, for transactions are written down before they are sent. */
  readonly signer: Signer;
  /** Those of production unless said. */
  readonly depths?: ConfirmationDepths;
  /** The rollup's own block. */
  readonly firstBlock: number;
  readonly receiptTimeoutMs?: number;
}

export interface ApiOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly limits?: Partial<ApiLimits>;
  readonly peerLimits?: Partial<Record<Lane, RateLimit>>;
  readonly accountLimits?: Partial<typeof DEFAULT_ACCOUNT_LIMITS>;
}

export interface SequencerOptions {
  readonly config: EngineConfig;
  readonly store: LedgerStore;
  readonly proofs: ProofService;
  readonly proofConcurrency?: number;
  /** Without L1, blocks are given to the engine by hand. */
  readonly l1?: L1Options;
  readonly api?: ApiOptions;
  /** A batch is sealed at this age even if there is room. */
  readonly sealAgeMs?: number;
  /** How often clocks look; 0 turns them off: the caller drives by `syncL1`, `seal`, `submit`. */
  readonly pollMs?: number;
  /** Told of failures that will be tried again (L1 unreachable, a proof failed). */
  readonly report?: (error: Error) => void;
  /** Told of batches that cannot be proved, and of a halt of sealing (batch/poison.ts): an operator must look. Default: stderr. */
  readonly alarm?: (error: Error) => void;
  /** Told once when the sequencer cannot go on; the process should end. */
  readonly onFatal: (error: Error) => void;
}

export interface Sequencer {
  readonly engine: Engine;
  /** Base URL of the API, undefined without one. */
  readonly url: string | undefined;
  /** Takes over what L1 says now. */
  syncL1(): Promise<void>;
  /** Seals the open batch now. */
  seal(): Promise<void>;
  /** Sends every proved batch that L1 can take and tells the registry what they retired; resolves when nothing is left to send now. */
  submit(): Promise<void>;
  /** Resolves when every sealed batch has its proof. */
  proven(): Promise<void>;
  stop(): Promise<void>;
}

const SEAL_AGE_MS = 10_000;
const POLL_MS = 1_000;
const RECEIPT_TIMEOUT_MS = 60_000;
const RECEIPT_POLL_MS = 50;

export const DEFAULT_PEER_LIMITS: Record<Lane, RateLimit> = {
  order: { perSec: 500, burst: 1_000 },
  cancel: { perSec: 500, burst: 1_000 },
  read: { perSec: 500, burst: 1_000 },
  malformed: { perSec: 20, burst: 100 },
};
export const DEFAULT_ACCOUNT_LIMITS: Record<'order' | 'cancel', RateLimit> = {
  order: { perSec: 100, burst: 400 },
  cancel: { perSec: 200, burst: 800 },
};

/**
 * Replays the ledger, opens the API and begins to work.
 * @throws InputError when the batch sizes are not in order, or not those that the contract has
 */
export async function startSequencer(options: SequencerOptions): Promise<Sequencer> {
  const report = options.report ?? (() => undefined);
  const { sizes, domain } = options.config;
  await options.l1?.contracts.requireDeployed(sizes, domain);
  const engine = await Engine.start(options.config, options.store, options.onFatal);
  const running = new RunningSequencer(engine, options, report);
  await running.open();
  return running;
}

class RunningSequencer implements Sequencer {
  readonly engine: Engine;
  url: string | undefined;
  readonly #options: SequencerOptions;
  readonly #report: (error: Error) => void;
  readonly #proofs: ProofDriver;
  readonly #watcher: L1Watcher | undefined;
  readonly #submitter: BatchSubmitter | undefined;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #busy = new Map<string, Promise<void>>();
  #app: ReturnType<typeof createServer> | undefined;
  /** The open batch and since when this process has seen it; a restart finds it open and begins to count. */
  #openBatch: { readonly name: string; readonly sinceMs: number } | undefined;
  #isStopping = false;

  constructor(engine: Engine, options: SequencerOptions, report: (error: Error) => void) {
    this.engine = engine;
    this.#options = options;
    this.#report = report;
    this.#proofs = new ProofDriver(engine, options.proofs, {
      concurrency: options.proofConcurrency ?? 1,
      report,
      alarm: options.alarm ?? ((error) => process.stderr.write(`alarm: ${error.message}\n`)),
    });
    const { l1 } = options;
    if (l1 === undefined) return;
    const depths = l1.depths ?? PRODUCTION_DEPTHS;
    this.#watcher = new L1Watcher(engine, l1.contracts, depths, l1.firstBlock);
    this.#submitter = new BatchSubmitter(engine, options.store, l1.contracts, {
      signer: l1.signer,
      receiptTimeoutMs: l1.receiptTimeoutMs ?? RECEIPT_TIMEOUT_MS,
      pollMs: RECEIPT_POLL_MS,
      depth: depths.round,
    });
  }

  async open(): Promise<void> {
    const { pollMs = POLL_MS, sealAgeMs = SEAL_AGE_MS, api } = this.#options;
    await this.#proofs.start();
    if (api !== undefined) await this.#openApi(api);
    if (pollMs === 0) return;
    this.#every(pollMs, 'l1', () => this.syncL1());
    this.#every(pollMs, 'submit', () => this.submit());
    this.#every(Math.min(pollMs, sealAgeMs), 'seal', () => this.#sealByAge(sealAgeMs));
  }

  /** An empty batch has no age: sealing it would only fill the log. */
  async #sealByAge(sealAgeMs: number): Promise<void> {
    const name = await this.engine.read(({ open, attempts }) =>
      open === undefined || open.batch.isEmpty
        ? undefined
        : `${open.number}/${attempts.get(open.number) ?? 0}`,
    );
    const nowMs = performance.now();
    if (name !== this.#openBatch?.name)
      this.#openBatch = name === undefined ? undefined : { name, sinceMs: nowMs };
    if (isSealDue(this.#openBatch?.sinceMs, nowMs, sealAgeMs)) {
      await this.engine.command({ kind: 'seal', reason: 'age' });
    }
  }

  async syncL1(): Promise<void> {
    await this.#watcher?.poll();
  }

  async seal(): Promise<void> {
    await this.engine.command({ kind: 'seal', reason: 'asked' });
  }

  proven(): Promise<void> {
    return this.#proofs.settled();
  }

  async submit(): Promise<void> {
    if (this.#submitter === undefined) return;
    for (;;) {
      const outcome = await this.#submitter.submitNext();
      if (outcome.kind === 'waiting') return;
      if (outcome.kind === 'submitted' || outcome.kind === 'retired') continue;
      if (!isMissedWindow(outcome.rejection)) {
        this.#report(new Error(`${outcome.rejection.message} ${JSON.stringify(outcome.rejection.data)}`));
        return;
      }
      const { batchNumber, rejection } = outcome;
      const refusal = await this.engine.command({
        kind: 'reseal',
        batchNumber,
        reason: String(rejection.data.error),
      });
      if (refusal !== undefined) this.#report(new Error(`${refusal.code}: ${refusal.message}`));
      return;
    }
  }

  async stop(): Promise<void> {
    if (this.#isStopping) return;
    this.#isStopping = true;
    for (const timer of this.#timers) clearInterval(timer);
    await this.#app?.close();
    await Promise.allSettled(this.#busy.values());
    await this.#proofs.stop();
    await this.engine.stop();
  }

  async #openApi(api: ApiOptions): Promise<void> {
    const peers = new RateLimiter('peer', { ...DEFAULT_PEER_LIMITS, ...api.peerLimits });
    const accounts = new RateLimiter('account', { ...DEFAULT_ACCOUNT_LIMITS, ...api.accountLimits });
    const app = createServer({ ...DEFAULT_API_LIMITS, ...api.limits }, peers, this.#report);
    app.addHook('onRequest', async () => {
      if (this.engine.hasStopped) throw unavailable();
    });
    const nowMs = () => performance.now();
    registerRoutes(app, { engine: this.engine, store: this.#options.store, peers, accounts, nowMs });
    this.#app = app;
    this.url = await listen(app, api.host, api.port);
  }

  /** Runs a task again and again, never twice at a time. What cannot be healed by trying again stops everything. */
  #every(periodMs: number, name: string, task: () => Promise<void>): void {
    const timer = setInterval(() => {
      if (this.#busy.has(name) || this.#isStopping || this.engine.hasStopped) return;
      const running = task()
        .catch((error: Error) => {
          if (error instanceof L1Conflict) this.engine.abort(error);
          else if (!this.#isStopping) this.#report(error);
        })
        .finally(() => this.#busy.delete(name));
      this.#busy.set(name, running);
    }, periodMs);
    this.#timers.push(timer);
  }
}
