/** The main job without its market, as a process of its own: all that it starts, until it is told to stop. */
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { planOf } from '#sequencer/main-job/plan.ts';
import { prepareCircuit } from '#sequencer/main-job/setup.ts';
import { runToEnd } from '#sequencer/main-job/stops.ts';
import { startWorld } from '#sequencer/main-job/world.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const [folder] = process.argv.slice(2);

await runToEnd(async (stops) => {
  // Any circuit of three public inputs serves where nothing is proved; each size has one of its own.
  const circuit = await prepareCircuit(ROOT, 'batch-tiny');
  const { plan } = circuit;
  const larger = { ...circuit, plan: { ...plan, circuitHash: plan.circuitHash + 1n } };
  console.log('prepared');
  const world = await startWorld(
    {
      root: ROOT,
      folder,
      circuits: { batches: [circuit, larger], risk: circuit },
      plan: planOf('linear'),
      ownerCount: 1,
      port: 0,
      report: console.error,
    },
    stops,
  );
  console.log('running');
  // As a market does, it needs what is ended, and fails.
  for (;;) {
    await world.sequencer.engine.stateRoot();
    await sleep(10);
  }
});
