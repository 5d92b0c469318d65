/**
 * How long a whole risk table takes to prove, every place of it listed, and what memory that takes. Prints JSON.
 *
 *     node bench/risk-proving.ts [risk-small | risk-64]…      both by default
 *
 * Each circuit runs in a process of its own, so that the peak of memory is its own too.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { RISK_64, RISK_SMALL, slotsOf } from '#protocol/risk/registry.ts';
import { artifactsOf, openPointMaker, PROVER_VARIABLE } from '#prover/prove.ts';
import { compileCircuit } from '#prover/setup/compile.ts';
import { developmentKey } from '#prover/setup/development-keys.ts';
import { R1csFile } from '#prover/setup/r1cs.ts';
import { holdCurve, verifyPoints } from '#prover/snarkjs.ts';
import { riskProofTasks } from '#prover/witness/risk.ts';
import { type CircuitInput, WitnessCalculator } from '#prover/witness-calculator.ts';
import { fullBlocks, registryOf } from '#test/support/option-registry.ts';
import { roundOf } from '#test/support/risk-rounds.ts';
import { median } from './median.ts';

const GEOMETRIES = [RISK_SMALL, RISK_64];
const PRICE = { btc: 97_123_456_789n, eth: 3_312_345_678n };
const RUNS = 3;
const MEASURE = '--measure';

async function timed<T>(use: () => Promise<T>): Promise<[T, number]> {
  const started = performance.now();
  const result = await use();
  return [result, Math.round(performance.now() - started) / 1000];
}

async function measure(name: string) {
  const geometry = GEOMETRIES.find((known) => known.name === name);
  if (geometry === undefined) throw new RangeError(`no such circuit: ${name}`);
  const [circuit, compileSeconds] = await timed(() => compileCircuit(`circuits/main/${name}.circom`));
  const file = new R1csFile(circuit.r1csPath);
  file.close();
  const [key, keySeconds] = await timed(() => developmentKey(circuit));
  const artifacts = artifactsOf(circuit, key);
  const calculator = await WitnessCalculator.create(readFileSync(artifacts.wasmPath));
  const registry = registryOf([geometry], fullBlocks([geometry], PRICE));
  const shape = { ...STANDARD_SHAPE, marketSlots: slotsOf(RISK_64) };
  const round = roundOf(PRICE, { segments: [geometry], registry });
  const [tasks, tableSeconds] = await timed(async () => riskProofTasks(round, shape, [1n]));
  const input = tasks.segments[0].input as unknown as CircuitInput;
  const [witness, witnessSeconds] = await timed(() => calculator.calculate(input));
  const [maker, openSeconds] = await timed(() =>
    openPointMaker(readFileSync(artifacts.zkeyPath), artifacts.verificationKey.nPublic, {
      [PROVER_VARIABLE]: 'ballast',
    }),
  );
  const release = await holdCurve();
  const proofSeconds: number[] = [];
  let isVerified = true;
  for (let run = 0; run <= RUNS; run++) {
    const [{ proof, publicSignals }, seconds] = await timed(() => maker.make(witness));
    proofSeconds.push(seconds);
    isVerified &&= await verifyPoints(artifacts.verificationKey, publicSignals, proof);
  }
  await maker.close();
  await release();
  return {
    constraints: file.header.constraintCount,
    rows: tasks.table.rows.length,
    isSurfaceSound: tasks.isSurfaceSound,
    // Near 0 where they lie in the cache.
    compileSeconds,
    keySeconds,
    tableSeconds,
    witnessSeconds,
    openSeconds,
    firstProofSeconds: proofSeconds[0],
    proofSeconds: median(proofSeconds.slice(1)),
    runs: RUNS,
    isVerified,
    peakMemoryMB: Math.round(process.resourceUsage().maxRSS / 1024),
  };
}

function compare(names: readonly string[]) {
  const results = names.map((name) => {
    const { status, stdout } = spawnSync(process.execPath, [import.meta.filename, MEASURE, name], {
      stdio: ['ignore', 'pipe', 'inherit'],
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`the benchmark of ${name} ended with ${status}`);
    return [name, JSON.parse(stdout) as Awaited<ReturnType<typeof measure>>];
  });
  return {
    bench: 'risk-proving',
    ...Object.fromEntries(results),
    machine: { cpu: os.cpus()[0]?.model, cores: os.cpus().length, node: process.version },
  };
}

const [first, ...rest] = process.argv.slice(2);
if (first === MEASURE) {
  console.log(JSON.stringify(await measure(rest[0])));
  process.exit();
}
const names = first === undefined ? GEOMETRIES.map(({ name }) => name) : [first, ...rest];
console.log(JSON.stringify(compare(names), null, 2));
