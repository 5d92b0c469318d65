import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { InterfaceAbi } from 'ethers';

/** A compiled contract. */
export interface Artifact {
  readonly abi: InterfaceAbi;
  /** Creation code, hex. */
  readonly bytecode: string;
}

const ARTIFACTS = join(import.meta.dirname, '../../build/hardhat/artifacts/contracts');

/**
 * What `hardhat build` made of a contract in this folder.
 * @param path of its source without extension, e.g. `mocks/TestToken`; the contract has the file's name
 */
export function readArtifact(path: string): Artifact {
  const name = path.split('/').at(-1);
  const { abi, bytecode } = JSON.parse(readFileSync(join(ARTIFACTS, `${path}.sol`, `${name}.json`), 'utf8'));
  return { abi, bytecode };
}
