import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { MissingIncludeError } from '#prover/setup/circuit-sources.ts';
import { type CompiledCircuit, CompileError, compileCircuit } from '#prover/setup/compile.ts';
import { developmentKey } from '#prover/setup/development-keys.ts';
import { rejectionOf, temporaryFolder } from '../support/circuits.ts';

const SOURCE = `pragma circom 2.2.0;
include "lib/square.circom"; // include "lib/not-there.circom";
component main = Square();
`;
const LIBRARY = `pragma circom 2.2.0;
template Square() { signal input x; signal output y; y <== x * x; }
`;

describe('compile', () => {
  let folder: string;
  let mainPath: string;
  const compile = (path = mainPath) => compileCircuit(path, { outputRoot: join(folder, 'out') });
  const changedMs = (circuit: CompiledCircuit) => statSync(join(circuit.folder, 'circuit.json')).mtimeMs;

  before(() => {
    folder = temporaryFolder();
    mkdirSync(join(folder, 'lib'));
    mainPath = join(folder, 'twice.circom');
    writeFileSync(mainPath, SOURCE);
    writeFileSync(join(folder, 'lib/square.circom'), LIBRARY);
  });
  after(() => rmSync(folder, { recursive: true }));

  it('compiles once per content, and again when an included file changes', async () => {
    const first = await compile();
    expect(readdirSync(first.folder).sort()).to.deep.equal([
      'circuit.json',
      'twice.r1cs',
      'twice.sym',
      'twice.wasm',
    ]);
    const madeMs = changedMs(first);
    expect((await compile()).folder).to.equal(first.folder);
    expect(changedMs(first)).to.equal(madeMs);

    writeFileSync(join(folder, 'lib/square.circom'), LIBRARY.replace('x * x', 'x * (x + 1)'));
    const second = await compile();
    expect(second.folder).to.not.equal(first.folder);
    writeFileSync(join(folder, 'lib/square.circom'), LIBRARY);
    expect((await compile()).folder).to.equal(first.folder);
  });

  const damages: Record<string, (circuit: CompiledCircuit) => void> = {
    'a truncated wasm': ({ wasmPath }) => truncateSync(wasmPath, 100),
    'a flipped bit in the r1cs': ({ r1csPath }) => {
      const bytes = readFileSync(r1csPath);
      bytes[bytes.length - 1] ^= 1;
      writeFileSync(r1csPath, bytes);
    },
    'a missing file': ({ symPath }) => rmSync(symPath),
    'a record that is not JSON': (circuit) => writeFileSync(join(circuit.folder, 'circuit.json'), '{"madeFr'),
  };
  for (const [name, damage] of Object.entries(damages)) {
    it(`compiles again after ${name}`, async () => {
      const circuit = await compile();
      const bytes = [circuit.r1csPath, circuit.wasmPath, circuit.symPath].map((path) => readFileSync(path));
      damage(circuit);
      const again = await compile();
      expect(again.sha256).to.deep.equal(circuit.sha256);
      expect([again.r1csPath, again.wasmPath, again.symPath].map((path) => readFileSync(path))).to.deep.equal(
        bytes,
      );
    });
  }

  it('lets two compilations of one circuit run at the same time', async () => {
    rmSync((await compile()).folder, { recursive: true });
    const [left, right] = await Promise.all([compile(), compile()]);
    expect(left).to.deep.equal(right);
    expect(readdirSync(left.folder).filter((name) => name.startsWith('.'))).to.deep.equal([]);
  });

  it('removes what a killed process has left behind', async () => {
    const { folder: made } = await compile();
    // Process ids end far below this number.
    const abandoned = join(made, '.unfinished-99999999-aa');
    mkdirSync(abandoned);
    rmSync(join(made, 'twice.sym'));
    await compile();
    expect(existsSync(abandoned)).to.equal(false);
  });

  it('says what the compiler says of a wrong circuit, and leaves nothing behind', async () => {
    const path = join(folder, 'wrong.circom');
    writeFileSync(
      path,
      'pragma circom 2.2.0;\ntemplate T() { signal output y; y <== z; }\ncomponent main = T();\n',
    );
    const error = await rejectionOf(compile(path));
    expect(error).to.be.instanceOf(CompileError);
    expect((error as CompileError).output).to.match(/z/);
    const left = readdirSync(join(folder, 'out')).filter((name) => name.startsWith('wrong'));
    expect(left.flatMap((name) => readdirSync(join(folder, 'out', name)))).to.deep.equal([]);
  });

  it('names an include that does not exist', async () => {
    const path = join(folder, 'missing.circom');
    writeFileSync(path, 'include "nowhere.circom";\n');
    const error = await rejectionOf(compile(path));
    expect(error).to.be.instanceOf(MissingIncludeError);
    expect(error.message).to.contain('nowhere.circom');
  });

  it('stops a compiler that takes too long', async () => {
    const path = join(folder, 'slow.circom');
    writeFileSync(path, `${SOURCE}// slow`);
    const error = await rejectionOf(
      compileCircuit(path, { outputRoot: join(folder, 'out'), timeLimitMs: 1 }),
    );
    expect(error).to.be.instanceOf(CompileError);
  });

  it('keeps a development key that says what it is, and makes a damaged one again', async () => {
    const circuit = await compile();
    const key = await developmentKey(circuit);
    expect(key.zkeyPath).to.contain('INSECURE');
    expect(key.verificationKeyPath).to.contain('INSECURE');
    expect(key.verificationKey).to.have.property('warning').that.contains('INSECURE');
    const bytes = readFileSync(key.zkeyPath);
    expect((await developmentKey(circuit)).zkeySha256).to.equal(key.zkeySha256);

    truncateSync(key.zkeyPath, bytes.length - 1);
    const again = await developmentKey(circuit);
    expect(readFileSync(again.zkeyPath).equals(bytes)).to.equal(true);
    expect(again).to.deep.equal(key);
  });
});
