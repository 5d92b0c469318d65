/**
 * How long whole risk tables take to prove, every place of them listed, by each prover, and what memory that takes; then
 * what follows from it: seconds of a strike and of a round, the largest listing that a minute proves, and a real chain.
 * Prints JSON, and each measurement on the error stream as it is made.
 *
 *     node bench/risk-proving.ts [--runs 3] [ballast | snarkjs | rapidsnark]…      all by default
 *
 * rapidsnark only where BALLAST_RAPIDSNARK names its binary. Each measurement runs in a process of its own, so that the
 * peak of memory is its own too.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import { parseArgs } from 'node:util';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { RISK_64, RISK_MORE, RISK_SMALL, type SegmentGeometry } from '#protocol/risk/registry.ts';
import { artifactsOf, openPointMaker, PROVER_VARIABLE, RAPIDSNARK_VARIABLE } from '#prover/prove.ts';
import { requireProgram } from '#prover/rapidsnark.ts';
import { compileCircuit } from '#prover/setup/compile.ts';
import { developmentKey } from '#prover/setup/development-keys.ts';
import { R1csFile } from '#prover/setup/r1cs.ts';
import { holdCurve, verifyPoints } from '#prover/snarkjs.ts';
import { riskProofTasks } from '#prover/witness/risk.ts';
import { type CircuitInput, WitnessCalculator } from '#prover/witness-calculator.ts';
import { fullBlocks, registryOf } from '#test/support/option-registry.ts';
import { roundOf } from '#test/support/risk-rounds.ts';
import { median } from './median.ts';
import { consequences } from './risk-listings.ts';

/** In front of a segment that begins later: what its round proves besides. */
const SEGMENTS: Record<string, readonly SegmentGeometry[]> = {
  [RISK_SMALL.name]: [RISK_SMALL],
  [RISK_MORE.name]: [RISK_SMALL, RISK_MORE],
  [RISK_64.name]: [RISK_64],
};
const BACKENDS = ['ballast', 'snarkjs', 'rapidsnark'];
const PRICE = { btc: 97_123_456_789n, eth: 3_312_345_678n };
const RUNS_DEFAULT = '3';

const rounded = (seconds: number): number => Math.round(1000 * seconds) / 1000;

async function timed<T>(use: () => Promise<T>): Promise<[T, number]> {
  const started = performance.now();
  const result = await use();
  return [result, rounded((performance.now() - started) / 1000)];
}

async function measure(name: string, backend: string, runs: number) {
  const segments = SEGMENTS[name];
  const [circuit, compileSeconds] = await timed(() => compileCircuit(`circuits/main/${name}.circom`));
  const file = new R1csFile(circuit.r1csPath);
  file.close();
  const [key, keySeconds] = await timed(() => developmentKey(circuit));
  const artifacts = artifactsOf(circuit, key);
  const calculator = await WitnessCalculator.create(readFileSync(artifacts.wasmPath));
  const registry = registryOf(segments, fullBlocks(segments, PRICE));
  const round = roundOf(PRICE, { segments, registry });
  const domainWords = segments.map((_, i) => BigInt(i + 1));
  const [tasks, tableSeconds] = await timed(async () => riskProofTasks(round, STANDARD_SHAPE, domainWords));
  const input = tasks.segments[segments.length - 1].input as unknown as CircuitInput;
  const [witness, witnessSeconds] = await timed(() => calculator.calculate(input));
  const environment = {
    [PROVER_VARIABLE]: backend,
    [RAPIDSNARK_VARIABLE]: backend === 'rapidsnark' ? process.env[RAPIDSNARK_VARIABLE] : undefined,
  };
  const [maker, openSeconds] = await timed(() =>
    openPointMaker(readFileSync(artifacts.zkeyPath), artifacts.verificationKey.nPublic, environment),
  );
  const release = await holdCurve();
  const proofSeconds: number[] = [];
  // On a shared machine the share of its cores this process got matters.
  const proofCpuSeconds: number[] = [];
  let isVerified = true;
  for (let run = 0; run <= runs; run++) {
    const cpu = process.cpuUsage();
    const [{ proof, publicSignals }, seconds] = await timed(() => maker.make(witness));
    const used = process.cpuUsage(cpu);
    proofSeconds.push(seconds);
    proofCpuSeconds.push(rounded((used.user + used.system) / 1e6));
    isVerified &&= await verifyPoints(artifacts.verificationKey, publicSignals, proof);
  }
  await maker.close();
  await release();
  const { blocks, strikesPerBlock } = segments[segments.length - 1];
  const strikes = blocks * strikesPerBlock;
  const segmentSeconds = witnessSeconds + median(proofSeconds.slice(1));
  return {
    constraints: file.header.constraintCount,
    strikes,
    isSurfaceSound: tasks.isSurfaceSound,
    // Near 0 where they lie in the cache.
    compileSeconds,
    keySeconds,
    tableSeconds,
    witnessSeconds,
    openSeconds,
    firstProofSeconds: proofSeconds[0],
    proofSeconds: median(proofSeconds.slice(1)),
    proofSecondsMin: Math.min(...proofSeconds.slice(1)),
    proofSecondsMax: Math.max(...proofSeconds.slice(1)),
    // All threads of this process; an outside prover's are not in it, nor is its memory.
    proofCpuSeconds: backend === 'rapidsnark' ? null : median(proofCpuSeconds.slice(1)),
    /** Witness and proof: with its key open, what a segment of a round takes. */
    segmentSeconds: rounded(segmentSeconds),
    constraintsPerStrike: Math.round(file.header.constraintCount / strikes),
    secondsPerStrike: rounded(segmentSeconds / strikes),
    runs,
    isVerified,
    peakMemoryMB: Math.round(process.resourceUsage().maxRSS / 1024),
  };
}

type Measured = Awaited<ReturnType<typeof measure>>;

function measureApart(name: string, backend: string): Measured {
  const parameters = ['--runs', values.runs, '--measure', name, backend];
  const { status, stdout } = spawnSync(process.execPath, [import.meta.filename, ...parameters], {
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`the benchmark of ${name} by ${backend} ended with ${status}`);
  console.error(`${backend} ${name} ${stdout.trim()}`);
  return JSON.parse(stdout);
}

/** Every circuit by one prover, with what a minute and a real chain make of the seconds. */
function judge(backend: string) {
  if (backend === 'rapidsnark' && !process.env[RAPIDSNARK_VARIABLE])
    return `not configured: ${RAPIDSNARK_VARIABLE} names no binary`;
  const names = Object.keys(SEGMENTS);
  const circuits = Object.fromEntries(names.map((name) => [name, measureApart(name, backend)]));
  const secondsBy = (seconds: (measured: Measured) => number) =>
    consequences(Object.fromEntries(names.map((name) => [name, seconds(circuits[name])])));
  return {
    circuits,
    asMeasured: secondsBy(({ segmentSeconds }) => segmentSeconds),
    // What a busy machine hides: the CPU time of the proof, shared evenly by all cores. An idle one comes near it.
    atAllCores:
      backend === 'rapidsnark'
        ? null
        : secondsBy(
            ({ witnessSeconds, proofCpuSeconds }) =>
              witnessSeconds + (proofCpuSeconds ?? 0) / os.cpus().length,
          ),
  };
}

const loadAverage = () => os.loadavg().map((load) => Math.round(100 * load) / 100);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: RUNS_DEFAULT },
    // How this script calls itself.
    measure: { type: 'boolean', default: false },
  },
});
if (values.measure) {
  const [name, backend] = positionals;
  console.log(JSON.stringify(await measure(name, backend, Number(values.runs))));
  process.exit();
}
const wanted = positionals.length === 0 ? BACKENDS : positionals;
for (const backend of wanted)
  if (!BACKENDS.includes(backend)) throw new RangeError(`no such prover: ${backend}`);
// A wrong path is told before minutes of other work, not after.
const binary = process.env[RAPIDSNARK_VARIABLE];
if (wanted.includes('rapidsnark') && binary) await requireProgram(binary);
const loadBefore = loadAverage();
const results = Object.fromEntries(wanted.map((backend) => [backend, judge(backend)]));
console.log(
  JSON.stringify(
    {
      bench: 'risk-proving',
      ...results,
      machine: {
        cpu: os.cpus()[0]?.model,
        cores: os.cpus().length,
        node: process.version,
        loadBefore,
        loadAfter: loadAverage(),
      },
    },
    null,
    2,
  ),
);
