/** THREATS O01, O03: a disk that is full, and a write-ahead log whose end is torn or altered. */
import { spawnSync } from 'node:child_process';
import { cp, mkdtemp, open, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { Engine } from '#sequencer/engine.ts';
import { PgliteStore } from '#sequencer/ledger/pglite-store.ts';
import { testConfig } from '../../support/engine.ts';

const CHILD = fileURLToPath(new URL('../../support/disk-full-process.ts', import.meta.url));
/** Below the 16 MB of a segment of the write-ahead log, above what a new database has written of it. */
const LARGEST_FILE_KB = 10_000;
const STOPPED = 3;

interface Outcome {
  readonly status: number | null;
  readonly acknowledged: number;
  readonly last: string;
}

/** @param largestFile in blocks of 512 bytes, POSIX's unit of `ulimit -f` */
function runSequencer(directory: string, commands: number, largestFile: number | 'unlimited'): Outcome {
  // The system refuses every write beyond the limit, as a full disk does: to the database it is the same error.
  const script = `ulimit -f ${largestFile}; exec "$0" "$@"`;
  const child = spawnSync('sh', ['-c', script, process.execPath, CHILD, directory, `${commands}`], {
    encoding: 'utf8',
    timeout: 120_000,
  });
  const lines = child.stdout.trim().split('\n');
  const acknowledged = lines.flatMap((line) => /^acknowledged (\d+)$/.exec(line)?.[1] ?? []).map(Number);
  return { status: child.status, acknowledged: Math.max(0, ...acknowledged), last: lines.at(-1) ?? '' };
}

/** Starts an engine on the directory without any limit; how many records it found. */
async function recordsIn(directory: string): Promise<number> {
  const store = await PgliteStore.open(directory);
  try {
    const engine = await Engine.start(testConfig(), store, (error) => {
      throw error;
    });
    const found = engine.logSequence;
    await engine.command({ kind: 'feed', marks: [] });
    expect(engine.logSequence).to.equal(found + 1);
    return found;
  } finally {
    await store.close();
  }
}

/** Overwrites the end of the newest segment of the write-ahead log, from so many bytes before `end`. */
async function damage(directory: string, end: number, bytesBefore: number, byte: number): Promise<void> {
  const folder = join(directory, 'pg_wal');
  const [segment] = (await readdir(folder))
    .filter((name) => /^[0-9A-F]{24}$/.test(name))
    .sort()
    .reverse();
  const file = await open(join(folder, segment), 'r+');
  await file.write(Buffer.alloc(bytesBefore, byte), 0, bytesBefore, end - bytesBefore);
  await file.close();
}

describe('a disk that fails', function () {
  this.timeout(240_000);
  let folder: string;
  let ledger: string;
  let full: Outcome;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ballast-disk-'));
    ledger = join(folder, 'ledger');
    const first = runSequencer(ledger, 5, 'unlimited');
    expect(first.last).to.equal('done');
    full = runSequencer(ledger, 100_000, 2 * LARGEST_FILE_KB);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('stops the sequencer with the reason, and nothing is acknowledged after it', () => {
    expect(full.status).to.equal(STOPPED);
    expect(full.last).to.match(/^stopped: .*File too large/);
    expect(full.acknowledged).to.be.greaterThan(100);
  });

  it('keeps every acknowledged command, and goes on once there is room', async () => {
    const copy = join(folder, 'room');
    await cp(ledger, copy, { recursive: true });
    expect(await recordsIn(copy)).to.be.at.least(full.acknowledged);
  });

  for (const [name, byte] of [
    ['torn', 0x00],
    ['altered', 0x5a],
  ] as const) {
    it(`starts on a true prefix, or not at all, where the end of the write-ahead log is ${name}`, async () => {
      const end = LARGEST_FILE_KB * 1024;
      let lost = 0;
      for (const bytesBefore of [9, 8_191, 65_536, 1_000_000]) {
        const copy = join(folder, `${name}-${bytesBefore}`);
        await cp(ledger, copy, { recursive: true });
        await damage(copy, end, bytesBefore, byte);
        // The chain of hashes and the replay have judged what is found: it is what was, up to some record.
        const found = await recordsIn(copy).catch((error: Error) => error);
        if (found instanceof Error) expect(found.message).to.match(/record|log|database/i);
        else if (found < full.acknowledged) lost++;
        await rm(copy, { recursive: true });
      }
      // What is cut away was there: the test looks at the right place.
      expect(lost).to.be.greaterThan(0);
    });
  }
});
