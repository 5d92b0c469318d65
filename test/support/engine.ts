/** An engine in memory over the small world of `ledger.ts`, with L1 played by hand. */
import type { L1Operation } from '#protocol/batch/batch.ts';
import type { BatchSize } from '#protocol/batch/sizes.ts';
import type { OptionQuote } from '#protocol/display/greeks.ts';
import type { Rejection } from '#protocol/errors.ts';
import type { Instrument, RiskTable } from '#protocol/instrument.ts';
import { TINY_SHAPE } from '#protocol/limits.ts';
import type { OrderMessage, SignedMessages } from '#protocol/message.ts';
import type { OrderOptions } from '#sequencer/commands.ts';
import { ENGINE_DEFAULTS, type EngineConfig } from '#sequencer/config.ts';
import { Engine, type SubmissionResult } from '#sequencer/engine.ts';
import { PgliteStore } from '#sequencer/ledger/pglite-store.ts';
import type { LedgerStore } from '#sequencer/ledger/store.ts';
import { DOMAIN, l1, NOW_SEC, orderMessage, QUOTES, ROOMY, riskTable, sign, USD } from './ledger.ts';
import { UNCHECKED_INPUTS, UNCHECKED_PROOF } from './unchecked-proof.ts';

export const INSTRUMENTS: readonly Instrument[] = [1, 4, 5, 6].map((id) => ({
  id,
  symbol: `I${id}`,
  kind: id === 1 ? 'spot' : 'perp',
  underlying: 0,
  marketSlot: id === 1 ? 0 : id - 3,
  lotE8: 100_000n,
  tickMicrosPerLot: 10_000n,
  expirySec: 0n,
  strikeMicrosPerLot: 0n,
}));

/** What a test changes; `capacity` and `domainWord` where there is one batch size, else `sizes`. */
export type ConfigChange = Partial<EngineConfig> & Partial<BatchSize>;

export const testConfig = ({ capacity, domainWord, ...change }: ConfigChange = {}): EngineConfig => ({
  ...ENGINE_DEFAULTS,
  takerFeePpm: 0n,
  shape: TINY_SHAPE,
  sizes: [{ capacity: capacity ?? ROOMY, domainWord: domainWord ?? 1n }],
  domain: DOMAIN,
  instruments: INSTRUMENTS,
  ...change,
});

let shared: PgliteStore | undefined;

/** An empty ledger. PGlite takes seconds to open, so tests of one process share one and wipe it. */
export async function emptyStore(): Promise<PgliteStore> {
  shared ??= await PgliteStore.open();
  await shared.database.exec('TRUNCATE log, batch, settlement_intent, deployment');
  return shared;
}

/** Plays L1: queue indices, block numbers and table indices without gaps. */
export class World {
  engine!: Engine;
  store!: LedgerStore;
  fatal: Error | undefined;
  readonly config: EngineConfig;
  #block = 0;
  #queueIndex = 0;
  #tableIndex = 0;
  #nonces = new Map<number, bigint>();
  timeSec = NOW_SEC;

  private constructor(config: EngineConfig) {
    this.config = config;
  }

  static async open(change: ConfigChange = {}, store?: LedgerStore): Promise<World> {
    const world = new World(testConfig(change));
    world.store = store ?? (await emptyStore());
    await world.start();
    return world;
  }

  /** Also the restart: a new engine over the same store. */
  async start(): Promise<void> {
    this.fatal = undefined;
    this.engine = await Engine.start(this.config, this.store, (error) => {
      this.fatal = error;
    });
  }

  async l1Block(
    operations: readonly L1Operation[] = [],
    tables: readonly RiskTable[] = [],
    change: { timeSec?: bigint; confirmed?: boolean; quotes?: readonly OptionQuote[] } = {},
  ): Promise<void> {
    this.timeSec = change.timeSec ?? this.timeSec;
    const queued = operations.map((operation) => ({ queueIndex: this.#queueIndex++, operation }));
    const refusal = await this.engine.command({
      kind: 'l1-block',
      blockNumber: ++this.#block,
      blockHash: `0x${this.#block}`,
      timeSec: this.timeSec,
      operations: queued,
      confirmedQueueEnd: change.confirmed === false ? this.#queueIndex - queued.length : this.#queueIndex,
      tables: tables.map((table) => ({
        index: this.#tableIndex++,
        table,
        quotes: change.quotes ?? QUOTES,
        acceptedAtSec: this.timeSec,
      })),
      numbers: undefined,
    });
    if (refusal !== undefined) throw new Error(refusal.message);
  }

  /** Registers accounts with dollars (and spot lots) on them and accepts a first round. */
  async fund(dollars: Record<number, bigint>, spotLots: Record<number, bigint> = {}): Promise<void> {
    const operations = Object.entries(dollars).flatMap(([key, amount]) => {
      const index = Number(key);
      const spot = spotLots[index] ?? 0n;
      return [
        l1('register', index),
        ...(amount > 0n ? [l1('deposit', index, 0, amount * USD)] : []),
        ...(spot > 0n ? [l1('deposit', index, 1, spot)] : []),
      ];
    });
    await this.l1Block(operations, [riskTable()]);
    await this.settle();
  }

  /** A new round with the perp (or another instrument) marked at `table`, at a later L1 time. */
  async round(table: RiskTable): Promise<void> {
    const timeSec = this.timeSec + 60n;
    await this.l1Block([], [{ ...table, roundNumber: BigInt(this.#tableIndex + 10), timeSec }], { timeSec });
  }

  /** Seals and reports every sealed batch as proven, until nothing waits. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 20; turn++) {
      await this.seal();
      await this.prove();
      const rest = await this.engine.read(
        (state) => state.l1Queue.length + (state.open?.actions.length ?? 0),
      );
      if (rest === 0) return;
    }
    throw new Error('work is left after twenty batches');
  }

  async seal(): Promise<void> {
    await this.engine.command({ kind: 'seal', reason: 'asked' });
  }

  /** @param only of this batch */
  async prove(only?: number): Promise<void> {
    const sealed = await this.engine.read((state) =>
      state.unprovedBatches
        .filter((entry) => only === undefined || entry.number === only)
        .map(({ number, attempt }) => ({ number, attempt })),
    );
    for (const { number, attempt } of sealed) {
      await this.engine.command({
        kind: 'batch-proven',
        batchNumber: number,
        attempt,
        proof: UNCHECKED_PROOF,
        inputs: UNCHECKED_INPUTS,
      });
    }
  }

  /** Proves what is left, and has L1 accept every batch. */
  async finalize(): Promise<void> {
    await this.settle();
    const batches = await this.engine.read((state) =>
      [...state.batches.values()]
        .filter(({ status }) => status !== 'final')
        .map(({ number, newStateRoot }) => ({ batchNumber: number, newStateRoot })),
    );
    for (const batch of batches) {
      await this.engine.command({ kind: 'batch-final', ...batch, l1Block: 1, l1TxHash: '0x1' });
    }
  }

  nonce(accountIndex: number): bigint {
    const nonce = this.#nonces.get(accountIndex) ?? 0n;
    this.#nonces.set(accountIndex, nonce + 1n);
    return nonce;
  }

  signOrder(
    accountIndex: number,
    side: 'buy' | 'sell',
    sizeLots: bigint,
    dollars: bigint,
    change: Partial<OrderMessage> = {},
    epoch = 1n,
  ): SignedMessages {
    const nonce = change.nonce ?? this.nonce(accountIndex);
    const limitMicrosPerLot = dollars * USD;
    return sign(accountIndex, [orderMessage({ side, sizeLots, limitMicrosPerLot, nonce, ...change })], epoch);
  }

  /** Submits and returns what became of the first message. */
  async order(
    accountIndex: number,
    side: 'buy' | 'sell',
    sizeLots: bigint,
    dollars: bigint,
    change: Partial<OrderMessage> = {},
    options: Partial<OrderOptions> = {},
  ): Promise<{ hash: string } | { rejection: Rejection }> {
    const signed = this.signOrder(accountIndex, side, sizeLots, dollars, change);
    return this.submit(signed, [{ timeInForce: 'gtc', isPostOnly: false, ...options }]);
  }

  async submit(
    signed: SignedMessages,
    options: readonly OrderOptions[] = [],
  ): Promise<{ hash: string } | { rejection: Rejection }> {
    const done = await this.engine.submit(signed, options);
    if (!done.ok) return { rejection: done };
    const first = (done.value as SubmissionResult).results[0];
    return first.ok ? { hash: first.hash } : { rejection: first.rejection };
  }
}

export function hashOf(result: { hash: string } | { rejection: Rejection }): string {
  if ('hash' in result) return result.hash;
  throw new Error(`refused: ${result.rejection.code}: ${result.rejection.message}`);
}

export function rejectionOf(result: { hash: string } | { rejection: Rejection }): Rejection {
  if ('rejection' in result) return result.rejection;
  throw new Error('accepted');
}
