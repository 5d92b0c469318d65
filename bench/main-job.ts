/**
 * How long is the way from a command to proved batches, and what does it need? Runs `npm start -- --exit` and adds
 * the peak memory of all its processes to the figures it writes. `--clean` removes the caches first.
 */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '..');
const SAMPLE_MS = 500;
const MIB = 1024;

/** Resident memory of a process and all its descendants in MiB, from /proc; 0 where there is none. */
function treeMemoryMib(rootId: number): number {
  const memory = new Map<number, number>();
  const children = new Map<number, number[]>();
  for (const name of processIds()) {
    try {
      const status = readFileSync(`/proc/${name}/status`, 'utf8');
      const field = (key: string): number =>
        Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
      const id = Number(name);
      memory.set(id, field('VmRSS'));
      children.set(field('PPid'), [...(children.get(field('PPid')) ?? []), id]);
    } catch {
      // The process ended between listing and reading.
    }
  }
  const sum = (id: number): number =>
    (memory.get(id) ?? 0) + (children.get(id) ?? []).reduce((total, child) => total + sum(child), 0);
  return sum(rootId) / MIB;
}

function processIds(): string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    // Not Linux: memory is then not measured.
    return [];
  }
}

async function main(): Promise<number> {
  if (process.argv.includes('--clean')) rmSync(join(ROOT, 'build'), { recursive: true, force: true });
  const child = spawn(process.execPath, [join(ROOT, 'sequencer/main-job/main.ts'), '--exit'], {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  let peakMemoryMib = 0;
  const timer = setInterval(() => {
    peakMemoryMib = Math.max(peakMemoryMib, treeMemoryMib(child.pid as number));
  }, SAMPLE_MS);
  const code = await new Promise<number>((done) =>
    child.once('exit', (exitCode, signal) => {
      if (signal !== null) console.error(`the job was ended by ${signal}`);
      done(exitCode ?? 1);
    }),
  );
  clearInterval(timer);
  if (code !== 0) return code;
  const figures = JSON.parse(readFileSync(join(ROOT, 'build/main-job/figures.json'), 'utf8'));
  const machine = {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model ?? 'unknown',
    memoryMib: Math.round(totalmem() / MIB / MIB),
    node: process.version,
  };
  const result = { ...figures, peakMemoryMib: Math.round(peakMemoryMib), machine };
  writeFileSync(join(ROOT, 'build/main-job/bench.json'), `${JSON.stringify(result, null, 2)}\n`);
  console.log(JSON.stringify(result, null, 2));
  return 0;
}

process.exitCode = await main();
