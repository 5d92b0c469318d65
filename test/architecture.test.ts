import { expect } from 'chai';
import { type Import, importsOf, roomOf, withoutComments } from './static/imports.ts';
import { isGenerated, readSource, sourceFiles, trackedFiles } from './static/repository-files.ts';

/** What a room may reach. `files` names rooms; `packages` is a list, or a test where most are welcome. */
interface Room {
  files: string[];
  packages: (name: string) => boolean;
  node: (specifier: string) => boolean;
  banned?: RegExp[];
}

const every = () => true;
const none = () => false;
const only =
  (...names: string[]) =>
  (name: string) =>
    names.some((allowed) => name === allowed || (allowed.endsWith('/') && name.startsWith(allowed)));
const except =
  (...names: string[]) =>
  (name: string) =>
    !only(...names)(name);

const PROOF_PACKAGES = ['snarkjs', 'circom2', 'circomlib', 'circomlibjs', 'ffjavascript', 'circom_runtime'];
const HTTP_MODULES = ['node:http', 'node:https', 'node:http2'];
const CLOCK_AND_CHANCE = [
  /\bnew Date\b|\bDate\.\w/,
  /\bMath\.random\b/,
  /\bperformance\.now\b/,
  /\bprocess\./,
  /\bfetch\s*\(/,
  /\bgetRandomValues\b/,
];

/** The arrows. A room that is not here may not hold TypeScript. */
const ROOMS: Record<string, Room> = {
  protocol: {
    files: ['protocol'],
    packages: only('@noble/'),
    node: none,
    banned: CLOCK_AND_CHANCE,
  },
  client: { files: ['protocol', 'client'], packages: only('@noble/', 'ethers'), node: none },
  web: { files: ['protocol', 'client', 'web'], packages: none, node: none },
  circuits: { files: ['protocol', 'circuits'], packages: only('circom2'), node: every },
  prover: {
    files: ['protocol', 'circuits', 'prover'],
    packages: except('fastify', 'ws', 'ethers', 'hardhat', '@nomicfoundation/', '@electric-sql/'),
    node: except(...HTTP_MODULES),
  },
  sequencer: {
    files: ['protocol', 'sequencer', 'contracts', 'build'],
    packages: except(...PROOF_PACKAGES),
    node: every,
  },
  contracts: { files: ['protocol', 'contracts'], packages: only('ethers'), node: every },
  test: { files: ['*'], packages: every, node: every },
  bench: { files: ['*'], packages: every, node: every },
  '': { files: ['*'], packages: every, node: every },
};

/** Where the rooms are joined: the only part of the sequencer that may name any of them. */
const COMPOSITION_ROOT: Room = { files: ['*'], packages: every, node: every };
const isCompositionRoot = (path: string) =>
  path === 'sequencer/main.ts' || path.startsWith('sequencer/main-job/');

function mayImport(room: Room, wanted: Import): boolean {
  if (wanted.kind === 'node') return room.node(wanted.specifier);
  if (wanted.kind === 'package') return room.packages(wanted.name);
  return room.files.includes('*') || room.files.includes(wanted.room);
}

function brokenArrows(path: string, text: string): string[] {
  const room = isCompositionRoot(path) ? COMPOSITION_ROOT : ROOMS[roomOf(path)];
  if (room === undefined) return [`${path}: "${roomOf(path)}" is not a room of the architecture`];
  const imports = importsOf(path, text).filter((wanted) => !mayImport(room, wanted));
  const banned = (room.banned ?? []).filter((pattern) => pattern.test(withoutComments(text)));
  return [
    ...imports.map(({ specifier }) => `${path}: must not import ${specifier}`),
    ...banned.map((pattern) => `${path}: must not use ${pattern.source}`),
  ];
}

const LINES_MAX = 400;
/** A contract that is read in one sitting; Solidity has no other place for what one contract holds. */
const SOLIDITY_LINES_MAX = 500;
const linesMax = (path: string): number => (path.endsWith('.sol') ? SOLIDITY_LINES_MAX : LINES_MAX);
/** circom declares all inputs of a main template in its body: most of this file is that list and its wiring. */
const LONGER: ReadonlyMap<string, number> = new Map([['circuits/batch.circom', 720]]);
const MEASURED = /\.(ts|js|circom|sol)$/;
// Spelled in two halves, so that this file passes its own test.
const UNFINISHED = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX'].join('|')})\\b`);
const NOT_OURS = ['LICENSE', 'package-lock.json'];
const BUILD_OUTPUT =
  /^(build|coverage|node_modules)\/|\.(r1cs|sym|wasm|wtns|zkey|ptau|log|tsbuildinfo)$|\/(artifacts|cache)\//;

const texts = () => sourceFiles().map((path) => ({ path, text: readSource(path) }));

describe('architecture', () => {
  it('lets each room import only what it may know', () => {
    const sources = texts().filter(({ path }) => path.endsWith('.ts'));
    expect(sources.flatMap(({ path, text }) => brokenArrows(path, text))).to.deep.equal([]);
  });

  it('notices a broken arrow', () => {
    const refused = (path: string, text: string) => expect(brokenArrows(path, text)).to.have.length(1);
    const allowed = (path: string, text: string) => expect(brokenArrows(path, text)).to.deep.equal([]);
    refused('protocol/a.ts', "import { a } from '#sequencer/engine.ts';");
    refused('protocol/a.ts', "import { readFileSync } from 'node:fs';");
    refused('protocol/risk/a.ts', "export * from '../../client/sign.ts';");
    refused('protocol/a.ts', 'const now = Date.now();');
    refused('client/a.ts', "import snarkjs from 'snarkjs';");
    refused('prover/a.ts', "import type {\n  A,\n} from '../sequencer/a.ts';");
    refused('sequencer/batch/a.ts', "const a = await import('#prover/prove.ts');");
    refused('web/a.ts', "import '#sequencer/api.ts';");
    refused('helpers/a.ts', 'export {};');
    allowed('sequencer/main-job/start.ts', "import { prove } from '#prover/prove.ts';");
    allowed('sequencer/batch/a.ts', "import type { SealedBatch } from '#protocol/batch.ts';");
    allowed('client/sign.ts', "import { sha256 } from '@noble/hashes/sha2.js';");
  });

  it('lets no rule read what is computed for display, in floating point', () => {
    const displayed = /['"](?:#protocol\/|\.{1,2}\/(?:\.\.\/)*)display\//;
    const readers = texts().filter(
      ({ path, text }) => /^(protocol|circuits|prover|contracts)\//.test(path) && displayed.test(text),
    );
    expect(readers.map(({ path }) => path)).to.deep.equal([]);
  });

  it(`keeps every file within ${LINES_MAX} lines, a contract within ${SOLIDITY_LINES_MAX}`, () => {
    const tooLong = texts()
      .filter(({ path, text }) => MEASURED.test(path) && !isGenerated(path, text))
      .map(({ path, text }) => ({ path, lines: text.trimEnd().split('\n').length }))
      .filter(({ path, lines }) => lines > (LONGER.get(path) ?? linesMax(path)));
    expect(tooLong).to.deep.equal([]);
  });

  it('leaves no note of unfinished work', () => {
    const notes = texts()
      .filter(({ path, text }) => !NOT_OURS.includes(path) && !text.includes('\0'))
      .flatMap(({ path, text }) =>
        text.split('\n').flatMap((line, at) => (UNFINISHED.test(line) ? [`${path}:${at + 1}`] : [])),
      );
    expect(notes).to.deep.equal([]);
  });

  it('keeps build output out of git', () => {
    expect(trackedFiles().filter((path) => BUILD_OUTPUT.test(path))).to.deep.equal([]);
  });
});
