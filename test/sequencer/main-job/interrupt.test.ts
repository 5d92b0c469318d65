import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { PgliteStore } from '#sequencer/ledger/pglite-store.ts';
import { descendantsOf, isRunning } from '../../support/processes.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const JOB = 'sequencer/main-job/main.ts';
const JOB_WITHOUT_MARKET = 'test/support/main-job-process.ts';
/** Chain, five oracle signers, two proof workers. */
const CHILDREN = 8;
const ORPHAN_LIMIT_MS = 5_000;

/** A job in a process group of its own, as a shell starts it. */
class Job {
  readonly process: ChildProcess;
  readonly #ended: Promise<unknown[]>;
  errors = '';
  #output = '';

  constructor(script: string, ...parameters: readonly string[]) {
    this.process = spawn(process.execPath, [script, ...parameters], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    this.#ended = once(this.process, 'close');
    this.process.stdout?.on('data', (chunk: Buffer) => {
      this.#output += chunk.toString();
    });
    this.process.stderr?.on('data', (chunk: Buffer) => {
      this.errors += chunk.toString();
    });
  }

  get processId(): number {
    return this.process.pid as number;
  }

  get descendants(): readonly number[] {
    return descendantsOf(this.processId);
  }

  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      expect(this.process.exitCode, this.errors).to.equal(null);
      await sleep(20);
    }
  }

  says(text: string): Promise<void> {
    return this.until(() => this.#output.includes(text));
  }

  /** @returns the exit code, after all that it had started is gone */
  async end(): Promise<number | null> {
    const started = this.descendants;
    const [code] = await this.#ended;
    const beganMs = performance.now();
    while (started.some(isRunning) && performance.now() - beganMs < ORPHAN_LIMIT_MS) await sleep(20);
    expect(started.filter(isRunning), 'orphans').to.deep.equal([]);
    return code as number | null;
  }
}

describe('the main job told to stop', function () {
  this.timeout(300_000);
  let folder: string;
  let job: Job;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'ballast-interrupt-'));
  });
  afterEach(() => {
    if (job.process.exitCode === null) job.process.kill('SIGKILL');
  });
  after(() => rmSync(folder, { recursive: true }));

  it('by Ctrl-C, which its group hears and npm passes on, ends all it started and then itself with 130', async () => {
    job = new Job(JOB_WITHOUT_MARKET, folder);
    await job.says('running');
    expect(job.descendants).to.have.length(CHILDREN);
    process.kill(-job.processId, 'SIGINT');
    await sleep(20);
    process.kill(job.processId, 'SIGINT');
    expect(await job.end(), job.errors).to.equal(130);
    expect(job.errors.trim()).to.equal('stopped by SIGINT');
    // Nobody holds the ledger, and nothing in it is damaged.
    await (await PgliteStore.open(join(folder, 'ledger'))).close();
  });

  it('by SIGTERM while it starts leaves nothing behind and ends with 143', async () => {
    job = new Job(JOB_WITHOUT_MARKET, folder);
    await job.says('prepared');
    // Workers and chain are there, contracts and signers not yet.
    await job.until(() => job.descendants.length >= 3);
    process.kill(job.processId, 'SIGTERM');
    expect(await job.end(), job.errors).to.equal(143);
  });

  it('while it compiles ends the compilers too', async () => {
    job = new Job(JOB);
    await job.until(() => job.descendants.length > 0);
    process.kill(job.processId, 'SIGINT');
    expect(await job.end(), job.errors).to.equal(130);
  });
});
