/** A process with a pool of two workers, one of them busy; tells their process ids and waits to be killed. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ProofPool } from '#prover/proof-pool.ts';

process.once('message', async ({ artifacts, input }) => {
  const pool = new ProofPool({ workerCount: 2 });
  pool.prove(artifacts, input).catch(() => {});
  while (!pool.workers.some(({ isBusy }) => isBusy)) await sleep(20);
  await sleep(200);
  process.send?.(pool.workers.map(({ processId }) => processId));
});
