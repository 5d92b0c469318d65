import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import * as snarkjs from 'snarkjs';
import { R1csFormatError } from '#prover/setup/r1cs.ts';
import { toxicWasteFromSeed } from '#prover/setup/toxic-waste.ts';
import { writeDevelopmentZkey } from '#prover/setup/write-development-zkey.ts';
import { readVerificationKey, withCurve } from '#prover/snarkjs.ts';
import { compileFixture, rejectionOf, temporaryFolder } from '../support/circuits.ts';
import { writeKnownPtau } from '../support/known-ptau.ts';

/** Contents of a zkey by section number. */
function sectionsOf(path: string): Map<number, Buffer> {
  const bytes = readFileSync(path);
  const sections = new Map<number, Buffer>();
  let at = 12;
  while (at < bytes.length) {
    const length = Number(bytes.readBigUInt64LE(at + 4));
    sections.set(bytes.readUInt32LE(at), bytes.subarray(at + 12, at + 12 + length));
    at += 12 + length;
  }
  expect(sections.size).to.equal(bytes.readUInt32LE(8));
  return sections;
}

describe('development zkey', () => {
  let folder: string;
  const waste = toxicWasteFromSeed('a seed of this test');

  before(() => {
    folder = temporaryFolder();
  });
  after(() => rmSync(folder, { recursive: true }));

  for (const [name, power] of [
    ['product', 4],
    ['square-chain-short', 6],
  ] as const) {
    it(`has the sections of snarkjs' own key of the same trapdoors (${name})`, async () => {
      const { r1csPath } = await compileFixture(name);
      // One power more than the circuit's: at its own power snarkjs' H lack a term that cancels in proofs.
      // A key of snarkjs before contributions has gamma = delta = 1.
      const bare = { ...waste, gamma: 1n, delta: 1n };
      const [ptau, theirs, ours] = ['known.ptau', 'theirs.zkey', 'ours.zkey'].map((file) =>
        join(folder, file),
      );
      await writeKnownPtau(ptau, power, bare);
      await withCurve(() => snarkjs.zKey.newZKey(r1csPath, ptau, theirs));
      await writeDevelopmentZkey({ r1csPath, zkeyPath: ours, waste: bare, threadCount: 2 });
      const [expected, actual] = [sectionsOf(theirs), sectionsOf(ours)];
      for (let section = 1; section <= 9; section++) {
        expect(actual.get(section)?.equals(expected.get(section) as Buffer), `section ${section}`).to.equal(
          true,
        );
      }
    });
  }

  it('has the same bytes whatever the number of threads, and others for another seed', async () => {
    const { r1csPath } = await compileFixture('square-chain-short');
    const write = async (name: string, threadCount: number, seed: string) => {
      const zkeyPath = join(folder, name);
      await writeDevelopmentZkey({ r1csPath, zkeyPath, waste: toxicWasteFromSeed(seed), threadCount });
      return readFileSync(zkeyPath);
    };
    const one = await write('one.zkey', 1, 'x');
    expect((await write('three.zkey', 3, 'x')).equals(one)).to.equal(true);
    expect((await write('other.zkey', 1, 'y')).equals(one)).to.equal(false);
  });

  it('has the same bytes with and without the kernel', async () => {
    const { r1csPath } = await compileFixture('square-chain-short');
    const [fast, portable] = ['fast.zkey', 'portable.zkey'].map((file) => join(folder, file));
    await writeDevelopmentZkey({ r1csPath, zkeyPath: fast, waste, threadCount: 2 });
    await writeDevelopmentZkey({ r1csPath, zkeyPath: portable, waste, threadCount: 2, isPortable: true });
    expect(readFileSync(fast).equals(readFileSync(portable))).to.equal(true);
  });

  it('takes contributions on top', async () => {
    const { r1csPath } = await compileFixture('product');
    const [zkeyPath, contributed] = ['dev.zkey', 'contributed.zkey'].map((file) => join(folder, file));
    await writeDevelopmentZkey({ r1csPath, zkeyPath, waste, threadCount: 1 });
    await withCurve(() => snarkjs.zKey.contribute(zkeyPath, contributed, 'somebody', 'entropy of a test'));
    const [bare, changed] = [await readVerificationKey(zkeyPath), await readVerificationKey(contributed)];
    expect(changed.vk_delta_2).to.not.deep.equal(bare.vk_delta_2);
    expect(changed.vk_gamma_2).to.deep.equal(bare.vk_gamma_2);
  });

  it('is not made from a truncated r1cs, and its threads end', async () => {
    const r1csPath = join(folder, 'short.r1cs');
    const zkeyPath = join(folder, 'short.zkey');
    // Valid up to the constraints, which then end early: the threads run already.
    const bytes = readFileSync((await compileFixture('square-chain-short')).r1csPath);
    const constraintsAt = bytes.indexOf(Buffer.from([2, 0, 0, 0]), 12);
    bytes.writeBigUInt64LE(bytes.readBigUInt64LE(constraintsAt + 4) - 40n, constraintsAt + 4);
    writeFileSync(r1csPath, bytes);
    const attempt = () => writeDevelopmentZkey({ r1csPath, zkeyPath, waste, threadCount: 2 });
    expect(await rejectionOf(attempt())).to.be.instanceOf(R1csFormatError);
    truncateSync(r1csPath, 100);
    expect(await rejectionOf(attempt())).to.be.instanceOf(R1csFormatError);
  });
});
