/**
 * How long are a circuit's way from its source to an R1CS and to INSECURE development keys? Everything is made anew in
 * a temporary folder, the keys several times. Prints JSON; seconds of wall time.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileCircuit } from '#prover/setup/compile.ts';
import { INSECURE_SEED, toxicWasteFromSeed } from '#prover/setup/toxic-waste.ts';
import { writeDevelopmentZkey } from '#prover/setup/write-development-zkey.ts';
import { defaultThreadCount } from '#prover/threads.ts';
import { median } from './median.ts';

const CIRCUITS = ['batch-small', 'batch-medium', 'risk-small'];
const KEY_RUNS = 3;

async function timed<T>(work: () => Promise<T>): Promise<{ readonly result: T; readonly seconds: number }> {
  const startMs = performance.now();
  const result = await work();
  return { result, seconds: Number(((performance.now() - startMs) / 1000).toFixed(2)) };
}

async function measure(name: string, folder: string) {
  const { result: circuit, seconds: compileSec } = await timed(() =>
    compileCircuit(`circuits/main/${name}.circom`, { outputRoot: folder }),
  );
  const zkeyPath = join(folder, `${name}.zkey`);
  const waste = toxicWasteFromSeed(INSECURE_SEED);
  const threadCount = defaultThreadCount();
  const keySec: number[] = [];
  for (let run = 0; run < KEY_RUNS; run++) {
    const { r1csPath } = circuit;
    keySec.push(
      (await timed(() => writeDevelopmentZkey({ r1csPath, zkeyPath, waste, threadCount }))).seconds,
    );
  }
  return { name, compileSec, developmentKeySec: median(keySec), zkeyBytes: statSync(zkeyPath).size };
}

const folder = mkdtempSync(join(tmpdir(), 'ballast-setup-'));
try {
  const circuits = [];
  for (const name of CIRCUITS) circuits.push(await measure(name, folder));
  const question = 'seconds to compile a circuit and to make its development key';
  console.log(
    JSON.stringify({ question, keyRuns: KEY_RUNS, cores: availableParallelism(), circuits }, null, 2),
  );
} finally {
  rmSync(folder, { recursive: true });
}
process.exit();
