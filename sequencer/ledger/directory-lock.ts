/**
 * One process per ledger directory. PGlite runs its database inside the process and takes no lock of its own: two
 * of them on one directory would destroy it. The lock is the operating system's, on a file beside the directory, held
 * through SQLite because Node offers no other way to one: it ends with its process, however that ends, so there is
 * nothing stale to judge, no process id to mistake for another's, and no moment at which two can take it over.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

export class LedgerInUse extends Error {
  constructor(directory: string, owner: string) {
    super(`process ${owner} works on the ledger ${directory}`);
    this.name = 'LedgerInUse';
  }
}

const SQLITE_BUSY = 5;

export class DirectoryLock {
  readonly #held: DatabaseSync;

  private constructor(held: DatabaseSync) {
    this.#held = held;
  }

  /** @throws LedgerInUse while another process, or another part of this one, holds it */
  static async take(directory: string): Promise<DirectoryLock> {
    await mkdir(dirname(directory), { recursive: true });
    const ownerFile = `${directory}.owner`;
    const held = new DatabaseSync(`${directory}.lock`);
    try {
      held.exec('BEGIN EXCLUSIVE');
    } catch (error) {
      held.close();
      if ((error as { errcode?: number }).errcode === SQLITE_BUSY) {
        throw new LedgerInUse(directory, readOwner(ownerFile));
      }
      throw error;
    }
    // For people only: nothing is decided by it.
    writeFileSync(ownerFile, `${process.pid}`);
    return new DirectoryLock(held);
  }

  /** The file stays: removing it would take the lock from whoever opened it meanwhile. */
  release(): void {
    this.#held.close();
  }
}

function readOwner(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return 'unknown';
  }
}
