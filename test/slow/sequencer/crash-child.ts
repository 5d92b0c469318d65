/**
 * The process that is killed. It runs a whole sequencer over a ledger on disk and a local chain, takes signed
 * messages from its parent, acknowledges them, and kills itself with SIGKILL at one durable write of its choice.
 */
import { writeSync } from 'node:fs';
import { JsonRpcProvider, Wallet } from 'ethers';
import { challengeOf, evaluationOf, publicWords } from '#protocol/batch/words.ts';
import type { SignedMessages } from '#protocol/message.ts';
import { stateRoot } from '#protocol/state.ts';
import type { OrderOptions } from '#sequencer/commands.ts';
import { decode, encode } from '#sequencer/ledger/codec.ts';
import { PgliteStore } from '#sequencer/ledger/pglite-store.ts';
import type { LedgerStore } from '#sequencer/ledger/store.ts';
import { type ProofService, type Sequencer, startSequencer } from '#sequencer/start.ts';
import type { EngineState } from '#sequencer/state.ts';
import { testConfig } from '../../support/engine.ts';
import { domainOf, TestContracts, type TestRollup, WIDE_BATCH } from '../../support/settlement.ts';

export interface ChildSettings {
  readonly directory: string;
  readonly rpcUrl: string;
  readonly submitterKey: string;
  readonly place: TestRollup;
  /** Milliseconds of work after which it kills itself; undefined lives. */
  readonly killAfterMs: number | undefined;
  /** Durable writes it still makes after that. */
  readonly writesLeft: number;
  /** Before the write, while it is under way, or after it and before anyone hears of it. */
  readonly killMoment: 'before' | 'during' | 'after';
  readonly proofMs: number;
}

/** Parent → child. */
export type ToChild =
  | { readonly kind: 'submit'; readonly id: number; readonly text: string }
  | { readonly kind: 'report'; readonly id: number }
  | { readonly kind: 'stop' };

/** Child → parent. */
export type FromChild =
  | { readonly kind: 'ready'; readonly text: string }
  | { readonly kind: 'answer'; readonly id: number; readonly text: string }
  | { readonly kind: 'fatal'; readonly message: string };

/** What is compared from one life to the next. */
export interface LifeReport {
  readonly logSequence: number;
  readonly root: bigint;
  /** Root after each sealed batch and how often it was sealed again. */
  readonly batches: readonly { number: number; attempt: number; root: bigint; status: string }[];
  /** Bodies that were taken, with the hashes of their messages. */
  readonly bodies: readonly string[];
  readonly trades: number;
}

const settings = decode<ChildSettings>(process.argv[2]);
let sequencer: Sequencer | undefined;
let writes = 0;
let isDue = false;
let { writesLeft } = settings;

const counted = (state: EngineState): Record<string, number> => {
  const counts: Record<string, number> = {
    open: state.open?.actions.length ?? 0,
    sealed: 0,
    proven: 0,
    submitted: 0,
    final: 0,
  };
  for (const { status } of state.batches.values()) counts[status] += 1;
  return counts;
};

let lastCounts: Record<string, number> = {};

function die(write: string): never {
  // Synchronous, so that the parent learns what was in flight; nothing else may happen after it.
  const { killMoment } = settings;
  writeSync(
    1,
    `${JSON.stringify({ killedAt: { write, number: writes, moment: killMoment }, batches: lastCounts })}\n`,
  );
  process.kill(process.pid, 'SIGKILL');
  for (;;) {
    // SIGKILL cannot be handled; this loop never turns twice.
  }
}

const WRITES = ['appendLog', 'putIntent'] as const;

/** The same store, whose writes are counted. */
function withDeath(store: PgliteStore): LedgerStore {
  const wrapped = Object.create(store) as Record<string, unknown>;
  for (const name of WRITES) {
    const write = (store[name] as (...values: unknown[]) => Promise<void>).bind(store);
    wrapped[name] = async (...values: unknown[]) => {
      writes += 1;
      if (!isDue) return write(...values);
      writesLeft -= 1;
      if (writesLeft >= 0) return write(...values);
      if (settings.killMoment === 'before') die(name);
      const written = write(...values);
      if (settings.killMoment === 'during') {
        // Somewhere inside: the query has begun on another turn of the event loop.
        setImmediate(() => die(name));
      }
      await written;
      die(name);
    };
  }
  return wrapped as unknown as LedgerStore;
}

const proofs: ProofService = {
  prove: async (batch) => {
    await new Promise((resolve) => setTimeout(resolve, settings.proofMs));
    const words = publicWords(batch);
    const challenge = challengeOf(1n, words);
    return {
      proof: {
        a: [1n, 2n],
        b: [
          [3n, 4n],
          [5n, 6n],
        ],
        c: [7n, 8n],
      },
      inputs: { commitment: 1n, challenge, evaluation: evaluationOf(words, challenge) },
    };
  },
};

const send = (message: FromChild): void => {
  process.send?.(message);
};

const lifeReport =
  (logSequence: number) =>
  (state: EngineState): LifeReport => ({
    logSequence,
    root: stateRoot(state.ledger),
    batches: [...state.batches.values()].map(({ number, attempt, newStateRoot, status }) => ({
      number,
      attempt,
      root: newStateRoot,
      status,
    })),
    bodies: [...state.bodies.keys()],
    trades: state.tradeCount,
  });

async function report(): Promise<string> {
  const { engine } = sequencer as Sequencer;
  return encode(await engine.read(lifeReport(engine.logSequence)));
}

async function answer(message: ToChild): Promise<void> {
  if (sequencer === undefined) return;
  if (message.kind === 'report') {
    send({ kind: 'answer', id: message.id, text: await report() });
  } else if (message.kind === 'submit') {
    const { signed, options } = decode<{ signed: SignedMessages; options: OrderOptions[] }>(message.text);
    const done = await sequencer.engine.submit(signed, options);
    send({ kind: 'answer', id: message.id, text: encode(done) });
  } else {
    await sequencer.stop();
    process.exit(0);
  }
}

async function main(): Promise<void> {
  const provider = new JsonRpcProvider(settings.rpcUrl, undefined, {
    staticNetwork: true,
    cacheTimeout: -1,
    batchMaxCount: 1,
  });
  const store = await PgliteStore.open(settings.directory);
  sequencer = await startSequencer({
    config: testConfig({
      capacity: WIDE_BATCH,
      ...domainOf(31337n, settings.place.rollup),
      orderMinMicros: 1n,
    }),
    store: withDeath(store),
    proofs,
    proofConcurrency: 2,
    l1: {
      contracts: new TestContracts(provider, settings.place),
      signer: new Wallet(settings.submitterKey, provider),
      sizeIndex: 0,
      depths: { round: 0, deposit: 1, final: 2 },
      firstBlock: settings.place.firstBlock,
      receiptTimeoutMs: 5_000,
    },
    pollMs: 60,
    sealAgeMs: 300,
    report: (error) => writeSync(2, `${error.message}\n`),
    onFatal: (error) => {
      send({ kind: 'fatal', message: error.stack ?? error.message });
      process.exit(1);
    },
  });
  sequencer.engine.subscribe((_, state) => {
    lastCounts = counted(state);
  });
  await sequencer.engine.read((state) => {
    lastCounts = counted(state);
  });
  if (settings.killAfterMs !== undefined) {
    setTimeout(() => {
      isDue = true;
    }, settings.killAfterMs);
  }
  send({ kind: 'ready', text: await report() });
}

process.on('message', (message: ToChild) => {
  answer(message).catch((error: Error) => {
    send({ kind: 'fatal', message: error.message });
  });
});
await main();
