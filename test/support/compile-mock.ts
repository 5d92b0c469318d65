import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { InterfaceAbi } from 'ethers';

const require = createRequire(import.meta.url);
const ROOT = join(import.meta.dirname, '../..');
const FOLDER = 'test/contracts/mocks';
const compiled = new Map<string, { abi: InterfaceAbi; bytecode: string }>();

/** Packages lie in node_modules, everything else where the path says. */
const readImport = (path: string) => {
  const file = path.startsWith('@') ? join('node_modules', path) : path;
  return { contents: readFileSync(join(ROOT, file), 'utf8') };
};

/**
 * A contract of test/contracts/mocks. Those are compiled here and nowhere else, so that no build ever holds a
 * verifier that accepts everything.
 */
export function compileMock(name: string): { abi: InterfaceAbi; bytecode: string } {
  const known = compiled.get(name);
  if (known !== undefined) return known;
  // Loaded where it is needed: it takes longer than everything else a process of the tests loads.
  const solc = require('solc');
  const path = `${FOLDER}/${name}.sol`;
  const input = {
    language: 'Solidity',
    sources: { [path]: { content: readFileSync(join(ROOT, path), 'utf8') } },
    settings: {
      optimizer: { enabled: true, runs: 10_000 },
      evmVersion: 'cancun',
      outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object'] } },
    },
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: readImport }));
  const contract = output.contracts?.[path]?.[name];
  if (contract === undefined) throw new Error(JSON.stringify(output.errors));
  const artifact = { abi: contract.abi, bytecode: `0x${contract.evm.bytecode.object}` };
  compiled.set(name, artifact);
  return artifact;
}
