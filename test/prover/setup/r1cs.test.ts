import { appendFileSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { FIELD_MODULUS } from '#protocol/crypto/field.ts';
import { R1csFile, R1csFormatError } from '#prover/setup/r1cs.ts';
import { compileFixture, temporaryFolder } from '../support/circuits.ts';

describe('r1cs file', () => {
  let folder: string;
  let original: string;
  let path: string;

  before(async () => {
    folder = temporaryFolder();
    original = (await compileFixture('square-chain-short')).r1csPath;
    path = join(folder, 'copy.r1cs');
  });
  beforeEach(() => writeFileSync(path, readFileSync(original)));
  after(() => rmSync(folder, { recursive: true }));

  /** All terms as text, read through a block of the given size. */
  function terms(blockBytes: number): string[] {
    const block = new Uint8Array(blockBytes);
    const file = new R1csFile(path);
    const found: string[] = [];
    try {
      file.visitTerms(() => block, {
        term(matrix, constraintIndex, wire, at) {
          const value = Buffer.from(block.subarray(at, at + 32)).toString('hex');
          found.push(`${matrix} ${constraintIndex} ${wire} ${value}`);
        },
      });
    } finally {
      file.close();
    }
    return found;
  }

  it('tells the sizes of the circuit', () => {
    const file = new R1csFile(path);
    expect(file.header).to.deep.equal({
      prime: FIELD_MODULUS,
      wireCount: 1 + 2 + 3 + 1 + 18,
      outputCount: 2,
      publicInputCount: 3,
      privateInputCount: 1,
      constraintCount: 20,
    });
    file.close();
  });

  it('shows the same terms through a block of any size', () => {
    const all = terms(1 << 20);
    expect(all.length).to.be.greaterThan(60);
    for (const blockBytes of [36, 37, 40, 71, 100, 1000]) expect(terms(blockBytes)).to.deep.equal(all);
  });

  it('refuses a truncated file, wherever it ends', () => {
    const size = readFileSync(original).length;
    for (const length of [0, 3, 11, 20, 60, 200, size - 1]) {
      writeFileSync(path, readFileSync(original));
      truncateSync(path, length);
      expect(() => terms(1000), `${length} bytes`).to.throw(R1csFormatError);
    }
  });

  it('refuses other files and versions', () => {
    const bytes = readFileSync(original);
    for (const [offset, value] of [
      [0, 0x7a],
      [4, 2],
    ]) {
      writeFileSync(path, bytes.with(offset, value));
      expect(() => new R1csFile(path)).to.throw(R1csFormatError);
    }
  });

  it('refuses wires that do not exist and bytes after the last constraint', () => {
    const file = craft((body) => body.writeUInt32LE(5, 4));
    writeFileSync(path, file);
    expect(() => terms(1000)).to.throw(R1csFormatError, 'wire 5 of 2');
    writeFileSync(
      path,
      craft(() => {}, Buffer.alloc(4)),
    );
    expect(() => terms(1000)).to.throw(R1csFormatError, 'bytes are left');
    writeFileSync(
      path,
      craft(() => {}),
    );
    expect(terms(1000)).to.have.length(1);
    appendFileSync(path, 'x');
    expect(terms(1000)).to.have.length(1);
  });
});

/** One constraint w1 · 0 = 0 over two wires, changed as told, with bytes added to its section. */
function craft(change: (constraints: Buffer) => void, extra = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(64);
  header.writeUInt32LE(32, 0);
  Buffer.from(FIELD_MODULUS.toString(16).padStart(64, '0'), 'hex').reverse().copy(header, 4);
  header.writeUInt32LE(2, 36);
  header.writeUInt32LE(1, 60);
  const constraints = Buffer.alloc(4 + 36 + 8);
  constraints.writeUInt32LE(1, 0);
  constraints.writeUInt32LE(1, 4);
  constraints.writeUInt8(1, 8);
  change(constraints);
  const section = (type: number, bytes: Buffer) => {
    const head = Buffer.alloc(12);
    head.writeUInt32LE(type, 0);
    head.writeBigUInt64LE(BigInt(bytes.length), 4);
    return Buffer.concat([head, bytes]);
  };
  const start = Buffer.from([0x72, 0x31, 0x63, 0x73, 1, 0, 0, 0, 2, 0, 0, 0]);
  return Buffer.concat([start, section(2, Buffer.concat([constraints, extra])), section(1, header)]);
}
