/** Runs the main job as a process of its own and waits for its end. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../..');

export interface FinishedJob {
  readonly code: number | null;
  readonly output: string;
  readonly figures: Readonly<Record<string, number | string>>;
}

/** `npm start -- --exit` with further flags. */
export async function runMainJob(...flags: readonly string[]): Promise<FinishedJob> {
  const child = spawn(process.execPath, ['sequencer/main-job/main.ts', '--exit', ...flags], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  const code = await new Promise<number | null>((done) => child.once('close', done));
  const figures = JSON.parse(readFileSync(`${ROOT}/build/main-job/figures.json`, 'utf8'));
  return { code, output, figures };
}
