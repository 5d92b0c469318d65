/**
 * A child process that proves jobs for its parent, one at a time (prover/proof-pool.ts starts it).
 *
 * It always ends: when the parent says stop, when the parent is gone, and on SIGTERM, which keeps its
 * default action so that a busy event loop cannot delay it. It leads a process group of its own, so
 * that Ctrl-C reaches the parent only, which decides what becomes of running proofs.
 */
import { type CircuitArtifacts, type CircuitProof, openBackend, type ProofBackend } from './prove.ts';
import { type CircuitInput, WitnessError } from './witness-calculator.ts';

/** From the parent. */
export type WorkerRequest =
  | {
      readonly kind: 'prove';
      readonly jobId: number;
      readonly artifacts: CircuitArtifacts;
      readonly input: CircuitInput;
    }
  | { readonly kind: 'stop' };

/** An error as it crosses the process boundary. */
export interface WorkerFailure {
  /** Class of the error, such as WitnessError. */
  readonly name: string;
  readonly code?: string;
  readonly message: string;
}

/** To the parent. */
export type WorkerReply =
  | { readonly kind: 'ready' }
  | { readonly kind: 'proved'; readonly jobId: number; readonly result: CircuitProof }
  | { readonly kind: 'failed'; readonly jobId: number; readonly failure: WorkerFailure };

/** Circuits kept open at once: two batch sizes and a round. A key takes its file's size in memory, once it is used. */
const BACKENDS_MAX = 3;

/** Open backends by the hash of their key, least recently used first. */
const backends = new Map<string, ProofBackend>();

const backendId = ({ wasmSha256, zkeySha256 }: CircuitArtifacts): string => `${wasmSha256} ${zkeySha256}`;

async function backendFor(artifacts: CircuitArtifacts): Promise<ProofBackend> {
  const id = backendId(artifacts);
  const backend = backends.get(id) ?? (await openBackend(artifacts));
  backends.delete(id);
  backends.set(id, backend);
  if (backends.size > BACKENDS_MAX) {
    const [oldest, unused] = backends.entries().next().value as [string, ProofBackend];
    backends.delete(oldest);
    await unused.close();
  }
  return backend;
}

/** A prover that failed may fail for ever, as one that has lost a thread: the next job opens it anew. */
async function dropBackend(artifacts: CircuitArtifacts): Promise<void> {
  const id = backendId(artifacts);
  const backend = backends.get(id);
  backends.delete(id);
  await backend?.close();
}

async function answer(request: WorkerRequest & { kind: 'prove' }): Promise<WorkerReply> {
  const { jobId, artifacts, input } = request;
  try {
    const backend = await backendFor(artifacts);
    return { kind: 'proved', jobId, result: await backend.prove(input) };
  } catch (error) {
    if (!(error instanceof WitnessError)) await dropBackend(artifacts);
    const { name, message, code } = error as Error & { code?: string };
    return { kind: 'failed', jobId, failure: { name, message, code } };
  }
}

async function stop(): Promise<void> {
  for (const backend of backends.values()) await backend.close();
  if (process.connected) process.disconnect();
}

function main(): void {
  // A failure to send means that the parent is gone: 'disconnect' follows.
  const send = (reply: WorkerReply) => process.send?.(reply, undefined, undefined, () => {});
  let queue: Promise<unknown> = Promise.resolve();
  process.once('disconnect', () => process.exit());
  process.on('message', (request: WorkerRequest) => {
    queue = queue.then(async () => (request.kind === 'stop' ? stop() : send(await answer(request))));
  });
  send({ kind: 'ready' });
}

if (import.meta.main) main();
