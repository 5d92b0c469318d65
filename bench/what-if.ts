/**
 * Margin what-if requests a second over HTTP: the whole answer (margin, 32 scenario losses, Greeks) of a portfolio of
 * six kinds of position, of one of 64 positions, and the list of instruments with their Greeks. Prints JSON: median and
 * spread of several runs, latencies, and requests per second of the server's own CPU time.
 *
 *     node bench/what-if.ts
 *
 * The requests come from a process of their own over connections that stay open. Rate limits are lifted.
 */
import { spawn } from 'node:child_process';
import { Agent, request } from 'node:http';
import os from 'node:os';
import { json } from 'node:stream/consumers';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { ApiWorld } from '#test/support/api.ts';
import {
  CASH_MICROS,
  type ChainMarket,
  chainMarket,
  mixedPositions,
} from '#test/support/option/chain-portfolio.ts';
import { median } from './median.ts';

const RUNS = 5;
const RUN_MS = 3_000;
const WARM_UP_MS = 1_500;
const CONNECTIONS = 16;
const POSITIONS_MAX = 64;
const LOAD = '--load';
const UNLIMITED = { perSec: 1e9, burst: 1e9 };

interface Load {
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body: string;
  readonly ms: number;
}

interface Run {
  readonly requests: number;
  readonly seconds: number;
  /** Sorted. */
  readonly latenciesMs: number[];
}

/** One request; its answer is read to the end. @throws when it is refused */
function send({ url, method, path, body }: Load, agent: Agent): Promise<void> {
  return new Promise((done, fail) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const sent = request(
      url + path,
      { method, agent, headers: method === 'POST' ? headers : {} },
      (answer) => {
        if (answer.statusCode !== 200) fail(new Error(`status ${answer.statusCode}`));
        answer.resume();
        answer.once('end', done);
      },
    );
    sent.once('error', fail);
    sent.end(method === 'POST' ? body : undefined);
  });
}

async function run(load: Load): Promise<Run> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const latenciesMs: number[] = [];
  const started = performance.now();
  const lane = async () => {
    while (performance.now() - started < load.ms) {
      const sentMs = performance.now();
      await send(load, agent);
      latenciesMs.push(performance.now() - sentMs);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, lane));
  const seconds = (performance.now() - started) / 1000;
  agent.destroy();
  return { requests: latenciesMs.length, seconds, latenciesMs: latenciesMs.sort((a, b) => a - b) };
}

async function runApart(load: Load): Promise<Run> {
  const child = spawn(process.execPath, [import.meta.filename, LOAD], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(JSON.stringify(load));
  return (await json(child.stdout)) as Run;
}

async function measure(load: Omit<Load, 'ms'>) {
  await runApart({ ...load, ms: WARM_UP_MS });
  const [rates, cpuRates, middles, tails]: number[][] = [[], [], [], []];
  for (let i = 0; i < RUNS; i++) {
    const before = process.cpuUsage();
    const { requests, seconds, latenciesMs } = await runApart({ ...load, ms: RUN_MS });
    const used = process.cpuUsage(before);
    rates.push(requests / seconds);
    cpuRates.push((1e6 * requests) / (used.user + used.system));
    middles.push(median(latenciesMs));
    tails.push(latenciesMs[Math.floor(0.99 * latenciesMs.length)]);
  }
  return {
    requestsPerSecondMedian: Math.round(median(rates)),
    requestsPerSecondMin: Math.round(Math.min(...rates)),
    requestsPerSecondMax: Math.round(Math.max(...rates)),
    requestsPerServerCpuSecondMedian: Math.round(median(cpuRates)),
    latencyMsMedian: Number(median(middles).toFixed(2)),
    latencyMsP99Median: Number(median(tails).toFixed(2)),
  };
}

type Positions = ReturnType<typeof mixedPositions>;

/** Long and short in turn, of every derivative until the request is full. */
const fullPositions = ({ table }: ChainMarket): Positions =>
  table.rows
    .filter(({ isSpot }) => !isSpot)
    .slice(0, POSITIONS_MAX)
    .map(({ instrumentId }, i) => ({ instrumentId, sizeLots: BigInt((i % 2 === 0 ? 1 : -1) * (100 + i)) }));

const bodyOf = (positions: Positions): string =>
  JSON.stringify({
    cashMicros: `${CASH_MICROS}`,
    positions: positions.map(({ instrumentId, sizeLots }) => ({ instrumentId, sizeLots: `${sizeLots}` })),
  });

async function compare() {
  const market = chainMarket();
  const { inputs, table, quotes, listing } = market;
  const api = await ApiWorld.open(
    { shape: STANDARD_SHAPE, instruments: listing.instruments },
    {},
    { peer: { order: UNLIMITED, read: UNLIMITED } },
  );
  await api.world.l1Block([], [table], { timeSec: inputs.timeSec, quotes });
  const whatIf = (positions: Positions) =>
    ({ url: api.url, method: 'POST', path: '/v1/margin/what-if', body: bodyOf(positions) }) as const;
  const mixed = mixedPositions(market);
  const full = fullPositions(market);
  const results = {
    whatIfMixed: { positions: mixed.length, ...(await measure(whatIf(mixed))) },
    whatIfFull: { positions: full.length, ...(await measure(whatIf(full))) },
    instruments: {
      instruments: listing.instruments.length,
      ...(await measure({ url: api.url, method: 'GET', path: '/v1/instruments', body: '' })),
    },
  };
  await api.close();
  return {
    bench: 'what-if',
    ...results,
    scenarios: STANDARD_SHAPE.scenarios,
    connections: CONNECTIONS,
    runs: RUNS,
    runMs: RUN_MS,
    machine: {
      cpu: os.cpus()[0]?.model,
      cores: os.cpus().length,
      node: process.version,
      loadAverage: os.loadavg()[0],
    },
  };
}

const result = process.argv[2] === LOAD ? await run((await json(process.stdin)) as Load) : await compare();
// The parent reads it as a whole; the ledger's database would keep this process alive.
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit());
