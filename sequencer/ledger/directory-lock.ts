/**
 * One process per ledger directory. PGlite runs its database inside the process and takes no lock of its own: two
 * of them on one directory would destroy it. The lock is a file with the owner's process id; a dead owner's is taken over.
 */
import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

export class LedgerInUse extends Error {
  constructor(file: string, owner: number) {
    super(`process ${owner} works on this ledger; if it does not, remove ${file}`);
    this.name = 'LedgerInUse';
  }
}

export class DirectoryLock {
  readonly #file: string;

  private constructor(file: string) {
    this.#file = file;
  }

  /** @throws LedgerInUse while another process that lives holds it */
  static async take(directory: string): Promise<DirectoryLock> {
    const file = `${directory}.lock`;
    await mkdir(dirname(file), { recursive: true });
    for (;;) {
      try {
        const handle = await open(file, 'wx');
        await handle.writeFile(`${process.pid}`);
        await handle.close();
        return new DirectoryLock(file);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const owner = await ownerOf(file);
      if (owner !== undefined && isAlive(owner)) throw new LedgerInUse(file, owner);
      await rm(file, { force: true });
    }
  }

  async release(): Promise<void> {
    await rm(this.#file, { force: true });
  }
}

/** Undefined for a file that vanished or that its owner died while writing. */
async function ownerOf(file: string): Promise<number | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return /^[1-9][0-9]*$/.test(text) ? Number(text) : undefined;
}

function isAlive(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    // EPERM: it lives and belongs to someone else.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
