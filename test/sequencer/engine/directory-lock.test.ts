import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { DirectoryLock, LedgerInUse } from '#sequencer/ledger/directory-lock.ts';

describe('a ledger directory', () => {
  const root = mkdtempSync(join(tmpdir(), 'ballast-lock-'));
  after(() => rmSync(root, { recursive: true }));

  it('has one owner: a second one is refused and told which process it is', async () => {
    const directory = join(root, 'a');
    const lock = await DirectoryLock.take(directory);
    const refused = await DirectoryLock.take(directory).catch((error: Error) => error);
    expect(refused).to.be.instanceOf(LedgerInUse);
    expect((refused as Error).message).to.contain(`${process.pid}`);
    await lock.release();
    await (await DirectoryLock.take(directory)).release();
  });

  it('is taken over from an owner that died, even while it wrote its name', async () => {
    const directory = join(root, 'b');
    for (const text of ['4194303', '', 'nonsense']) {
      writeFileSync(`${directory}.lock`, text);
      await (await DirectoryLock.take(directory)).release();
    }
  });
});
