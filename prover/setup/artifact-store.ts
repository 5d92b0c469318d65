/**
 * Made files with a record of what they were made from and their hashes: a cache that notices a
 * truncated or altered file, and never shows a half-written one.
 *
 * Files are made in a private folder and renamed into place, the record last: a crash at any point
 * leaves either the complete set or one that is made again.
 */
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** What a set of files was made from, and the SHA-256 of each file, by file name. */
export interface ArtifactRecord {
  readonly madeFrom: Readonly<Record<string, string>>;
  readonly sha256: Readonly<Record<string, string>>;
}

const UNFINISHED_PREFIX = '.unfinished-';

/** SHA-256 of a file's bytes in lower-case hex, read as a stream. @throws the system's error. */
export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}

/**
 * The record at `recordPath` when it tells of the same origins and every file beside it still has
 * its recorded hash; otherwise undefined: missing, stale or damaged, the set must be made again.
 */
export async function findIntact(
  recordPath: string,
  madeFrom: ArtifactRecord['madeFrom'],
): Promise<ArtifactRecord | undefined> {
  const record = await readRecord(recordPath);
  if (record === undefined || JSON.stringify(record.madeFrom) !== JSON.stringify(madeFrom)) return undefined;
  for (const [name, expected] of Object.entries(record.sha256)) {
    const actual = await sha256OfFile(join(dirname(recordPath), name)).catch(() => undefined);
    if (actual !== expected) return undefined;
  }
  return record;
}

/**
 * Makes a set of files and puts it beside `recordPath`, replacing what is there.
 * @param make writes the files into the folder it is given and returns nothing; all files it leaves
 *   there belong to the set.
 */
export async function publish(
  recordPath: string,
  madeFrom: ArtifactRecord['madeFrom'],
  make: (folder: string) => Promise<void>,
): Promise<ArtifactRecord> {
  const target = dirname(recordPath);
  await mkdir(target, { recursive: true });
  await removeAbandoned(target);
  const folder = join(target, `${UNFINISHED_PREFIX}${process.pid}-${randomBytes(4).toString('hex')}`);
  await mkdir(folder);
  try {
    await make(folder);
    const names = (await readdir(folder)).sort();
    const hashes = await Promise.all(
      names.map(async (name) => [name, await sha256OfFile(join(folder, name))] as const),
    );
    const record: ArtifactRecord = { madeFrom, sha256: Object.fromEntries(hashes) };
    const recordName = basename(recordPath);
    await writeFile(join(folder, recordName), `${JSON.stringify(record, null, 2)}\n`);
    for (const name of [...names, recordName]) await rename(join(folder, name), join(target, name));
    return record;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function readRecord(path: string): Promise<ArtifactRecord | undefined> {
  try {
    const record = JSON.parse(await readFile(path, 'utf8'));
    return typeof record?.madeFrom === 'object' && typeof record?.sha256 === 'object' ? record : undefined;
  } catch {
    // Absent or not JSON: both mean that there is nothing to reuse.
    return undefined;
  }
}

/** Removes what processes that no longer run have left behind. */
async function removeAbandoned(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const processId = Number(name.startsWith(UNFINISHED_PREFIX) && name.split('-')[1]);
    if (processId > 0 && !isRunning(processId))
      await rm(join(folder, name), { recursive: true, force: true });
  }
}

function isRunning(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
