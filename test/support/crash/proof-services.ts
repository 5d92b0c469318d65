/** The prover as a life of the campaign sees it: in children of its own, or apart behind a socket. */
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import type { SealedBatch } from '#protocol/batch/batch.ts';
import { ProofPool } from '#prover/proof-pool.ts';
import { buildCircuitInput } from '#prover/witness/build-circuit-input.ts';
import type { CircuitInput } from '#prover/witness-calculator.ts';
import type { ProofService } from '#sequencer/batch/proof-driver.ts';
import { decode, encode } from '#sequencer/ledger/codec.ts';
import type { KillPlan, ProverPlace } from './plan.ts';

type Proved = Awaited<ReturnType<ProofService['prove']>>;

export interface WatchedProofs extends ProofService {
  /** Proofs asked for and not there yet. */
  readonly inFlight: number;
  /** Processes of its own that prove. */
  readonly workers: readonly number[];
  close(): Promise<void>;
}

export function proofService(place: ProverPlace, prover: KillPlan['prover']): WatchedProofs {
  return prover === 'own' ? ownWorkers(place) : proverApart(place);
}

function ownWorkers({ artifacts }: ProverPlace): WatchedProofs {
  const pool = new ProofPool({ workerCount: 1 });
  let inFlight = 0;
  return {
    get inFlight() {
      return inFlight;
    },
    get workers() {
      return pool.workers.map(({ processId }) => processId);
    },
    async prove(batch) {
      inFlight++;
      try {
        const { input, publicInputs } = buildCircuitInput(batch);
        const { proof } = await pool.prove(artifacts, input as unknown as CircuitInput);
        return { proof, inputs: publicInputs };
      } finally {
        inFlight--;
      }
    },
    close: () => pool.close(),
  };
}

function proverApart({ socket }: ProverPlace): WatchedProofs {
  let inFlight = 0;
  return {
    get inFlight() {
      return inFlight;
    },
    workers: [],
    async prove(batch) {
      inFlight++;
      try {
        return await askOnce(socket, batch);
      } finally {
        inFlight--;
      }
    },
    close: async () => undefined,
  };
}

/** One connection, one batch, one answer. */
function askOnce(socket: string, batch: SealedBatch): Promise<Proved> {
  return new Promise((resolve, reject) => {
    const client = connect(socket);
    client.once('error', reject);
    client.once('close', () => reject(new Error('the prover closed the connection')));
    const lines = createInterface({ input: client });
    lines.once('error', reject);
    lines.once('line', (text) => {
      const answer = decode<Proved | { readonly refused: string }>(text);
      if ('refused' in answer) reject(new Error(`the prover refused: ${answer.refused}`));
      else resolve(answer);
      client.destroy();
    });
    client.write(`${encode(batch)}\n`);
  });
}
