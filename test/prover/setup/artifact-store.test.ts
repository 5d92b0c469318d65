/** THREATS P08: artefacts are whole or not there, whatever the disk does while they are made. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';
import { findIntact, publish } from '#prover/setup/artifact-store.ts';

const STORE = pathToFileURL(join(import.meta.dirname, '../../../prover/setup/artifact-store.ts')).href;
const MADE_FROM = { source: 'a' };

/** Publishes a file of so many bytes in a process whose files end at 64 KiB, as on a full disk. */
function publishOnFullDisk(record: string, bytes: number): { status: number | null; error: string } {
  const script = `
    import { writeFile } from 'node:fs/promises';
    import { join } from 'node:path';
    const { publish } = await import(${JSON.stringify(STORE)});
    await publish(${JSON.stringify(record)}, ${JSON.stringify(MADE_FROM)}, (folder) =>
      writeFile(join(folder, 'key'), Buffer.alloc(${bytes}, 7)));`;
  const { status, stderr } = spawnSync(
    'sh',
    ['-c', 'ulimit -f 128; exec "$0" "$@"', process.execPath, '--input-type=module', '-e', script],
    { encoding: 'utf8' },
  );
  return { status, error: stderr };
}

describe('the store of artefacts', () => {
  let folder: string;
  let record: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'ballast-artifacts-'));
    record = join(folder, 'record.json');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('leaves nothing behind when the disk is full, and makes the set again when it is not', async () => {
    const full = publishOnFullDisk(record, 200_000);
    expect(full.status).to.equal(1);
    expect(full.error).to.contain('EFBIG');
    expect(readdirSync(folder)).to.deep.equal([]);
    expect(publishOnFullDisk(record, 60_000)).to.deep.equal({ status: 0, error: '' });
    expect((await findIntact(record, MADE_FROM))?.sha256).to.have.property('key');
  });

  it('keeps the set that was there when a new one cannot be written', async () => {
    await publish(record, { source: 'before' }, async () => undefined);
    expect(publishOnFullDisk(record, 200_000).status).to.equal(1);
    expect(await findIntact(record, { source: 'before' })).to.not.equal(undefined);
    expect(await findIntact(record, MADE_FROM)).to.equal(undefined);
    expect(existsSync(join(folder, 'key'))).to.equal(false);
  });
});
