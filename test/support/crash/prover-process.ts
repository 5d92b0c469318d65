/**
 * A prover that outlives the sequencers it works for: a queue, a runner and a worker behind a socket. A batch that a
 * dead sequencer asked for is proved all the same, and whoever asks for it next gets that proof. One JSON text a line.
 */
import { createHash } from 'node:crypto';
import { createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SealedBatch } from '#protocol/batch/batch.ts';
import { ProofPool } from '#prover/proof-pool.ts';
import { MemoryProofJobStore, type ProofJobKey, StoredProofQueue } from '#prover/proof-queue.ts';
import { runProofJobs } from '#prover/proof-runner.ts';
import { buildCircuitInput } from '#prover/witness/build-circuit-input.ts';
import type { CircuitInput } from '#prover/witness-calculator.ts';
import { decode, encode } from '#sequencer/ledger/codec.ts';
import type { ProverPlace } from './plan.ts';

const POLL_MS = 15;
const LEASE_MS = 60_000;

const { artifacts, socket } = decode<ProverPlace>(process.argv[2]);
const pool = new ProofPool({ workerCount: 1 });
const queue = new StoredProofQueue(new MemoryProofJobStore(), {
  nowMs: () => performance.now(),
  leaseMs: LEASE_MS,
});
/** Contents seen of each batch number, oldest first: a batch that was sealed again is another job. */
const contents = new Map<number, string[]>();

function keyOf(batch: SealedBatch, text: string): ProofJobKey {
  const batchNumber = Number(batch.content.header.batchNumber);
  const hash = createHash('sha256').update(text).digest('hex');
  const seen = contents.get(batchNumber) ?? [];
  if (!seen.includes(hash)) seen.push(hash);
  contents.set(batchNumber, seen);
  return { batchNumber, sealAttempt: seen.indexOf(hash) };
}

async function proved(text: string): Promise<unknown> {
  const batch = decode<SealedBatch>(text);
  const key = keyOf(batch, text);
  const { input, publicInputs } = buildCircuitInput(batch);
  await queue.enqueue({ ...key, circuitName: artifacts.name, input: input as unknown as CircuitInput });
  for (;;) {
    const record = await queue.read(key);
    if (record?.proof !== undefined) return { proof: record.proof.proof, inputs: publicInputs };
    if (record?.status === 'quarantined') return { refused: record.lastFailure };
    await sleep(POLL_MS);
  }
}

function serve(client: Socket): void {
  // A sequencer that was killed in the middle of a line leaves half of one, or none to answer to.
  client.on('error', () => client.destroy());
  const lines = createInterface({ input: client });
  lines.on('error', () => client.destroy());
  lines.on('line', (text) => {
    proved(text).then(
      (answer) => client.write(`${encode(answer)}\n`),
      (error: Error) => client.write(`${encode({ refused: error.message })}\n`),
    );
  });
}

process.once('disconnect', () => process.exit());
createServer(serve).listen(socket, () => process.send?.('listening'));
await runProofJobs(
  { queue, pool, artifactsOf: () => artifacts, jobsAtOnce: 1, pollMs: POLL_MS },
  new AbortController().signal,
);
