import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { DirectoryLock, LedgerInUse } from '#sequencer/ledger/directory-lock.ts';
import { PgliteStore } from '#sequencer/ledger/pglite-store.ts';

const OWNER = join(import.meta.dirname, 'lock-owner.ts');

/** A process that tries to take the lock: resolves with it and whether it did. */
async function contender(directory: string) {
  const child = spawn(process.execPath, [OWNER, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [answer] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, owns: answer.toString().trim() === 'owner' };
}

const refusalOf = (directory: string) =>
  DirectoryLock.take(directory).then(
    (lock) => {
      lock.release();
      return undefined;
    },
    (error: Error) => error,
  );

describe('a ledger directory', () => {
  const root = mkdtempSync(join(tmpdir(), 'ballast-lock-'));
  after(() => rmSync(root, { recursive: true }));

  it('has one owner: a second one is refused and told which process it is', async () => {
    const directory = join(root, 'a');
    const lock = await DirectoryLock.take(directory);
    const refused = await refusalOf(directory);
    expect(refused).to.be.instanceOf(LedgerInUse);
    expect((refused as Error).message).to.contain(`process ${process.pid} `);
    lock.release();
    expect(await refusalOf(directory)).to.equal(undefined);
  });

  it('is free the moment its owner is killed', async () => {
    const directory = join(root, 'b');
    const { child, owns } = await contender(directory);
    expect(owns).to.equal(true);
    expect((await refusalOf(directory))?.message).to.contain(`process ${child.pid} `);
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    expect(await refusalOf(directory)).to.equal(undefined);
  });

  it('does not take the name of a dead owner for its own or that of a living one', async () => {
    const directory = join(root, 'c');
    // In a container every life has the same process id; elsewhere ids come round again.
    for (const name of [`${process.pid}`, `${process.ppid}`, '', 'nonsense']) {
      writeFileSync(`${directory}.owner`, name);
      expect(await refusalOf(directory)).to.equal(undefined);
    }
  });

  it('goes to one of several that want it at the same time after its owner was killed', async () => {
    const directory = join(root, 'd');
    const first = await contender(directory);
    const ended = once(first.child, 'exit');
    first.child.kill('SIGKILL');
    await ended;
    const several = await Promise.all([1, 2, 3].map(() => contender(directory)));
    for (const { child } of several) child.kill('SIGKILL');
    expect(several.filter(({ owns }) => owns)).to.have.length(1);
  });

  it('is not emptied while another works on it', async () => {
    const directory = join(root, 'e');
    const store = await PgliteStore.open(directory);
    await store.bindTo('deployment');
    const refused = await PgliteStore.openEmpty(directory).catch((error: Error) => error);
    expect(refused).to.be.instanceOf(LedgerInUse);
    await store.bindTo('deployment');
    await store.close();
    const empty = await PgliteStore.openEmpty(directory);
    await empty.bindTo('another deployment');
    await empty.close();
  });
});
