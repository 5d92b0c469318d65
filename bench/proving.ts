/**
 * How long a full small batch takes to prove, with our prover and with snarkjs, a full medium one with ours, and what
 * memory that takes. Prints JSON: seconds of the witness, of opening the key, and of making a proof (median of several).
 *
 *     node bench/proving.ts [prover [circuit]]
 *
 * Each prover runs in a process of its own, so that the peak of memory is its own too.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import type { SealedBatch } from '#protocol/batch/batch.ts';
import { artifactsOf, openPointMaker, PROVER_VARIABLE } from '#prover/prove.ts';
import { compileCircuit } from '#prover/setup/compile.ts';
import { developmentKey } from '#prover/setup/development-keys.ts';
import { holdCurve, verifyPoints } from '#prover/snarkjs.ts';
import { buildCircuitInput } from '#prover/witness/build-circuit-input.ts';
import { WitnessCalculator } from '#prover/witness-calculator.ts';
import { fullMediumBatch } from '#test/support/full-medium-batch.ts';
import { fullSmallBatch } from '#test/support/full-small-batch.ts';
import { median } from './median.ts';

const BATCHES: Record<string, () => SealedBatch> = {
  'batch-small': fullSmallBatch,
  'batch-medium': fullMediumBatch,
};
const RUNS: Record<string, number> = { ballast: 7, snarkjs: 3 };
const WITNESS_RUNS = 5;

interface Timing {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

async function timed<T>(use: () => Promise<T>): Promise<[T, number]> {
  const started = performance.now();
  return [await use(), (performance.now() - started) / 1000];
}

/** Seconds, to the millisecond. */
function timing(seconds: number[]): Timing {
  const sorted = seconds.map((value) => Math.round(value * 1000) / 1000).sort((a, b) => a - b);
  return { median: median(sorted), min: sorted[0], max: sorted[sorted.length - 1] };
}

/** The circuit with its key, from the cache or made now. */
async function batchArtifacts(name: string) {
  const circuit = await compileCircuit(`circuits/main/${name}.circom`);
  return artifactsOf(circuit, await developmentKey(circuit));
}

/** What one prover takes, the first proof (with the code still cold) apart. */
async function measure(prover: string, name: string) {
  const artifacts = await batchArtifacts(name);
  const calculator = await WitnessCalculator.create(readFileSync(artifacts.wasmPath));
  const { input } = buildCircuitInput(BATCHES[name]());
  const witnessSeconds: number[] = [];
  let witness = await calculator.calculate(input);
  for (let run = 0; run < WITNESS_RUNS; run++) {
    const [again, seconds] = await timed(() => calculator.calculate(input));
    witness = again;
    witnessSeconds.push(seconds);
  }
  const [maker, openSeconds] = await timed(() =>
    openPointMaker(readFileSync(artifacts.zkeyPath), artifacts.verificationKey.nPublic, {
      [PROVER_VARIABLE]: prover,
    }),
  );
  const release = await holdCurve();
  const proofSeconds: number[] = [];
  let isVerified = true;
  for (let run = 0; run <= RUNS[prover]; run++) {
    const [{ proof, publicSignals }, seconds] = await timed(() => maker.make(witness));
    proofSeconds.push(seconds);
    isVerified &&= await verifyPoints(artifacts.verificationKey, publicSignals, proof);
  }
  await maker.close();
  await release();
  return {
    witnessSeconds: timing(witnessSeconds),
    openSeconds: timing([openSeconds]).median,
    firstProofSeconds: timing(proofSeconds.slice(0, 1)).median,
    proofSeconds: timing(proofSeconds.slice(1)),
    runs: RUNS[prover],
    isVerified,
    peakMemoryMB: Math.round(process.resourceUsage().maxRSS / 1024),
  };
}

/** Measures in a process of its own. */
function measureApart(prover: string, name: string): Awaited<ReturnType<typeof measure>> {
  const { status, stdout } = spawnSync(process.execPath, [import.meta.filename, prover, name], {
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`the benchmark of ${prover} with ${name} ended with ${status}`);
  return JSON.parse(stdout);
}

async function compare() {
  for (const name of Object.keys(BATCHES)) await batchArtifacts(name);
  const ballast = measureApart('ballast', 'batch-small');
  const snarkjs = measureApart('snarkjs', 'batch-small');
  const ratio = snarkjs.proofSeconds.median / ballast.proofSeconds.median;
  return {
    bench: 'proving',
    'batch-small': { ballast, snarkjs },
    'batch-medium': { ballast: measureApart('ballast', 'batch-medium') },
    snarkjsOverBallast: Math.round(ratio * 100) / 100,
    machine: { cpu: os.cpus()[0]?.model, cores: os.cpus().length, node: process.version },
  };
}

const [prover, name = 'batch-small'] = process.argv.slice(2);
if (prover !== undefined && RUNS[prover] === undefined) throw new RangeError(`no such prover: ${prover}`);
if (BATCHES[name] === undefined) throw new RangeError(`no such batch: ${name}`);
console.log(JSON.stringify(prover === undefined ? await compare() : await measure(prover, name)));
