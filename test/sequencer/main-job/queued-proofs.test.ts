import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import type { PublicInputs, SealedBatch } from '#protocol/batch/batch.ts';
import type { ProofPool } from '#prover/proof-pool.ts';
import type { CircuitArtifacts, CircuitProof } from '#prover/prove.ts';
import type { PgliteStore } from '#sequencer/ledger/pglite-store.ts';
import { QueuedProofs } from '#sequencer/main-job/queued-proofs.ts';
import { emptyStore } from '../../support/engine.ts';
import { UNCHECKED_PROOF } from '../../support/unchecked-proof.ts';

const HOUR_MS = 3_600_000;

const batch = (number: bigint): SealedBatch =>
  ({ content: { header: { batchNumber: number } }, capacity: { name: 'tiny' } }) as unknown as SealedBatch;
const publicInputs: PublicInputs = { commitment: 1n, challenge: 2n, evaluation: 3n };

describe('proofs by way of the queue', () => {
  const wallClock = Date.now;
  let stepMs: number;
  let store: PgliteStore;
  let proofs: QueuedProofs;
  let proved: (() => void)[];

  beforeEach(async () => {
    store = await emptyStore();
    proved = [];
    stepMs = 0;
    Date.now = () => wallClock() + stepMs;
    const pool = {
      prove: () =>
        new Promise<CircuitProof>((resolve) => {
          proved.push(() => resolve({ proof: UNCHECKED_PROOF, publicSignals: [1n, 2n, 3n] }));
        }),
    } as unknown as ProofPool;
    proofs = await QueuedProofs.open({
      database: store.database,
      pool,
      artifactsOf: () => ({}) as CircuitArtifacts,
      jobsAtOnce: 1,
      inputOf: () => ({ input: {}, publicInputs }),
    });
  });
  afterEach(async () => {
    Date.now = wallClock;
    await proofs.close();
    await store.database.exec('DELETE FROM proof_job');
  });

  async function asked(count: number): Promise<void> {
    for (let tries = 0; tries < 60 && proved.length < count; tries++) await sleep(50);
    expect(proved).to.have.length(count);
  }

  for (const [name, ms] of [
    ['back', -HOUR_MS],
    ['forward', HOUR_MS],
  ] as const) {
    it(`proves what waits though the wall clock is set ${name}`, async () => {
      const first = proofs.prove(batch(1n), 0);
      await asked(1);
      const second = proofs.prove(batch(2n), 0);
      await sleep(100);
      stepMs = ms;
      proved[0]();
      expect((await first).proof).to.deep.equal(UNCHECKED_PROOF);
      await asked(2);
      proved[1]();
      await second;
    });
  }
});
