/**
 * The process that is killed: a whole sequencer over a ledger on disk and a local chain. It takes signed messages from
 * the campaign, acknowledges them, and kills itself with SIGKILL at the durable write that its plan asks for.
 */
import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { JsonRpcProvider, type TransactionResponse, Wallet } from 'ethers';
import { TINY_BATCH } from '#protocol/limits.ts';
import type { SignedMessages } from '#protocol/message.ts';
import type { OrderOptions } from '#sequencer/commands.ts';
import { decode, encode } from '#sequencer/ledger/codec.ts';
import { PgliteStore } from '#sequencer/ledger/pglite-store.ts';
import type { LedgerStore } from '#sequencer/ledger/store.ts';
import { type Sequencer, startSequencer } from '#sequencer/start.ts';
import { testConfig } from '../engine.ts';
import { domainOf, TestContracts } from '../settlement.ts';
import { hastyStore } from './hasty-store.ts';
import { LedgerWatch, lifeReport } from './ledger-watch.ts';
import type { FromLife, KillMoment, KillRecord, KillState, LifeSettings, ToLife } from './plan.ts';
import { proofService } from './proof-services.ts';

/** A state that does not come within this time is given up: it dies anyway, and the record says so. */
const TARGET_LIMIT_MS = 60_000;
const SEAL_AGE_MS = 350;
const POLL_MS = 110;
const RECEIPT_TIMEOUT_MS = 8_000;
/** A write that never comes is held up so long: an answer that did not wait for it reaches the campaign. */
const HOLD_MS = 100;

const settings = decode<LifeSettings>(process.argv[2]);
const { plan } = settings;
const proofs = proofService(settings.proverPlace, plan?.prover ?? 'apart');
const permission = Promise.withResolvers<void>();
let sequencer: Sequencer | undefined;
let watch: LedgerWatch | undefined;
let writes = 0;
let writesLeft = plan?.writesLeft ?? 0;
let goneMs: number | undefined;
let isDying = false;

/** The write in hand. */
interface Write {
  readonly name: 'appendLog' | 'putIntent';
  readonly commands: readonly { readonly kind: string; readonly isL1News: boolean }[];
  readonly sealsBatch: boolean;
  readonly batchNumber: number | undefined;
}

/** What holds at this instant, the write in hand included. */
function statesAt(write: Write): KillState[] {
  const { counts, sent } = watch as LedgerWatch;
  const { open, sealed, proven, submitted, resealed } = counts;
  const states: KillState[] = [];
  const isQuiet = open + sealed + proven + submitted === 0 && !write.sealsBatch;
  if (isQuiet && (watch as LedgerWatch).durable.openOrders > 0) states.push('resting');
  if (write.sealsBatch || sealed > proofs.inFlight) states.push('sealed');
  if (proofs.inFlight > 0) states.push('proving');
  if (proven > sent.size) states.push('proved');
  if (write.commands.some(({ isL1News }) => isL1News)) states.push('l1-events');
  if (write.commands.some(({ kind }) => kind === 'reseal')) states.push('resealing');
  if (resealed > 0) states.push('resealed');
  return states;
}

function isOnTarget(write: Write, states: readonly KillState[]): boolean {
  const { sent } = watch as LedgerWatch;
  const isReceipt = write.commands.some(({ kind }) => kind === 'batch-submitted');
  switch (plan?.target) {
    case 'any':
    case 'starting':
      return true;
    case 'unmined':
      return sent.size > 0 && !isReceipt;
    case 'unseen':
      return sent.size > 0 && isReceipt;
    default:
      return states.includes(plan?.target as KillState);
  }
}

/** A thread that does nothing but kill this process so many microseconds after it is told to. */
const KILLER = `
  const { parentPort, workerData } = require('node:worker_threads');
  parentPort.once('message', (micros) => {
    const end = performance.now() + micros / 1000;
    while (performance.now() < end);
    process.kill(workerData, 'SIGKILL');
  });
`;
const killer =
  plan?.moment === 'during' ? new Worker(KILLER, { eval: true, workerData: process.pid }) : undefined;

/** Last words; synchronous, so that nothing else happens between them and what they describe. */
function tell(write: Write, moment: KillMoment, onTarget: boolean): void {
  const seen = watch as LedgerWatch;
  const record: KillRecord = {
    write: write.name,
    writeNumber: writes,
    commands: write.commands.map(({ kind }) => kind),
    moment,
    isOnTarget: onTarget,
    states: statesAt(write),
    batches: seen.counts,
    sent: [...seen.sent],
    durable: seen.durable,
    inMemory: seen.inMemory,
    digest: lifeReport(seen.state, 0).digest,
    workers: proofs.workers,
  };
  writeSync(1, `${encode(record)}\n`);
}

function die(): never {
  process.kill(process.pid, 'SIGKILL');
  for (;;) {
    // SIGKILL cannot be handled; this loop never turns twice.
  }
}

function isDue(write: Write): boolean {
  if (plan === undefined || watch === undefined || goneMs === undefined) return false;
  const workedMs = performance.now() - goneMs;
  if (workedMs < plan.afterMs) return false;
  if (workedMs > TARGET_LIMIT_MS) return true;
  if (!isOnTarget(write, statesAt(write))) return false;
  writesLeft -= 1;
  return writesLeft < 0 || (plan.target === 'resealed' && confirms(write));
}

/** Whether the write says that L1 has a batch. */
const confirms = ({ commands }: Write): boolean =>
  commands.some(({ kind }) => kind === 'batch-submitted' || kind === 'batch-final');

async function written(write: Write, make: () => Promise<void>): Promise<void> {
  writes += 1;
  // Nothing is written once the last words are said.
  if (isDying) return new Promise(() => undefined);
  if (!isDue(write)) return make();
  isDying = true;
  const { moment, duringMicros } = plan as NonNullable<typeof plan>;
  tell(write, moment, isOnTarget(write, statesAt(write)));
  if (moment === 'before') {
    await sleep(HOLD_MS);
    die();
  }
  if (moment === 'during') killer?.postMessage(duringMicros);
  await make();
  // Nobody hears of it, whichever instant the thread has chosen.
  if (moment === 'after') die();
  for (;;) {
    // The kill is on its way.
  }
}

/** The same store, whose writes may be the last. */
function withDeath(store: PgliteStore): LedgerStore {
  const wrapped: Pick<LedgerStore, 'appendLog' | 'putIntent'> = {
    appendLog: (rows, batches = []) => {
      const commands = rows.map(({ command }) => {
        const { kind, operations, tables } = JSON.parse(command);
        return { kind, isL1News: kind === 'l1-block' && operations.length + tables.length > 0 };
      });
      const sealsBatch = batches.some((write) => 'sealed' in write);
      const write: Write = { name: 'appendLog', commands, sealsBatch, batchNumber: undefined };
      return written(write, () => store.appendLog(rows, batches));
    },
    putIntent: async (row) => {
      intents.set(row.rawTx, row.batchNumber);
      const write: Write = {
        name: 'putIntent',
        commands: [],
        sealsBatch: false,
        batchNumber: row.batchNumber,
      };
      await written(write, () => store.putIntent(row));
    },
  };
  return Object.assign(Object.create(store), wrapped) as LedgerStore;
}

/** Batch numbers of transactions written down in this life. */
const intents = new Map<string, number>();

/** Says nothing to the sequencer before the campaign has seen what the replay led to, and notes what is sent. */
class WatchedProvider extends JsonRpcProvider {
  override async send(method: string, parameters: unknown[]): Promise<unknown> {
    // Reading what the contracts are is part of starting; news begin with a block.
    if (method !== 'eth_call') await permission.promise;
    return super.send(method, parameters as never);
  }

  override async broadcastTransaction(rawTx: string): Promise<TransactionResponse> {
    const number = intents.get(rawTx) ?? (await batchOfEarlierLife(rawTx));
    try {
      return await super.broadcastTransaction(rawTx);
    } finally {
      if (number !== undefined && watch?.state.batches.get(number)?.status === 'proven')
        watch.sent.add(number);
    }
  }
}

let store: PgliteStore;
async function batchOfEarlierLife(rawTx: string): Promise<number | undefined> {
  const { rows } = await store.database.query<{ batch_number: number | string }>(
    'SELECT batch_number FROM settlement_intent WHERE raw_tx = $1',
    [rawTx],
  );
  return rows[0] === undefined ? undefined : Number(rows[0].batch_number);
}

const send = (message: FromLife): void => {
  process.send?.(message, undefined, undefined, () => undefined);
};

const report = (): Promise<string> =>
  (sequencer as Sequencer).engine.read((state) =>
    encode(lifeReport(state, (sequencer as Sequencer).engine.logSequence)),
  );

async function answer(message: ToLife): Promise<void> {
  if (message.kind === 'go') {
    goneMs = performance.now();
    permission.resolve();
    return;
  }
  if (sequencer === undefined) return;
  if (message.kind === 'stop') {
    await sequencer.stop();
    await proofs.close();
    await store.close();
    process.exit(0);
  }
  const text = message.kind === 'report' ? await report() : await submitted(sequencer, message.text);
  send({ kind: 'answer', id: message.id, text, news: encode(watch?.takeNews()) });
}

async function submitted({ engine }: Sequencer, text: string): Promise<string> {
  const { signed, options } = decode<{ signed: SignedMessages; options: OrderOptions[] }>(text);
  return encode(await engine.submit(signed, options));
}

async function main(): Promise<void> {
  const { place, circuitHash, rpcUrl, submitterKey, directory } = settings;
  const provider = new WatchedProvider(rpcUrl, 31337, {
    staticNetwork: true,
    cacheTimeout: -1,
    batchMaxCount: 1,
  });
  store = await PgliteStore.open(directory);
  const fatal = (error: Error): never => {
    writeSync(2, `fatal: ${error.stack ?? error.message}\n`);
    process.exit(1);
  };
  sequencer = await startSequencer({
    config: testConfig({
      capacity: TINY_BATCH,
      ...domainOf(31337n, place.rollup, circuitHash),
      orderMinMicros: 1n,
    }),
    store: settings.store === 'hasty' ? hastyStore(withDeath(store)) : withDeath(store),
    proofs: {
      prove: async (batch, attempt) => {
        await permission.promise;
        return proofs.prove(batch, attempt);
      },
    },
    l1: {
      contracts: new TestContracts(provider, place),
      signer: new Wallet(submitterKey, provider),
      depths: { round: 0, deposit: 1, final: 2 },
      firstBlock: place.firstBlock,
      receiptTimeoutMs: RECEIPT_TIMEOUT_MS,
    },
    pollMs: POLL_MS,
    sealAgeMs: SEAL_AGE_MS,
    report: (error) => writeSync(2, `again: ${error.message}\n`),
    onFatal: fatal,
  });
  watch = await LedgerWatch.of(sequencer.engine);
  send({ kind: 'ready', text: await report() });
}

process.once('disconnect', () => process.exit());
process.on('message', (message: ToLife) => {
  answer(message).catch((error: Error) => {
    writeSync(2, `fatal: ${error.stack ?? error.message}\n`);
    process.exit(1);
  });
});
await main();
