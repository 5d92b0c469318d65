/** Solidity of a generated verifier to a deployable artifact, with the compiler the contracts use. Cached by content. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Artifact } from '#contracts/deploy/artifact.ts';
import type { ExportedVerifier } from '#prover/setup/export-verifier.ts';

/** As in hardhat.config.ts: gas and size of all contracts come from one setting. */
const SETTINGS = { optimizer: { enabled: true, runs: 200 }, viaIR: false, evmVersion: 'cancun' };

interface CompilerOutput {
  readonly errors?: readonly { readonly severity: string; readonly formattedMessage: string }[];
  readonly contracts?: Record<
    string,
    Record<
      string,
      { readonly abi: Artifact['abi']; readonly evm: { readonly bytecode: { readonly object: string } } }
    >
  >;
}

/** @param folder of the cache; created if missing */
export function verifierArtifact(verifier: ExportedVerifier, folder: string): Artifact {
  const { contractName, solidity } = verifier;
  const madeFrom = JSON.stringify([SETTINGS, solidity]);
  const hash = createHash('sha256').update(madeFrom).digest('hex').slice(0, 16);
  const path = join(folder, `${contractName}-${hash}.json`);
  const cached = readCached(path);
  if (cached !== undefined) return cached;
  const artifact = compile(contractName, solidity);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path, `${JSON.stringify(artifact)}\n`);
  return artifact;
}

function readCached(path: string): Artifact | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Artifact;
  } catch {
    // Absent or half-written by a process that died: compiled again.
    return undefined;
  }
}

function compile(contractName: string, solidity: string): Artifact {
  // Loaded only when needed: the compiler is 9 MB of WebAssembly.
  const solc = createRequire(import.meta.url)('solc') as { compile(input: string): string };
  const file = `${contractName}.sol`;
  const input = {
    language: 'Solidity',
    sources: { [file]: { content: solidity } },
    settings: {
      ...SETTINGS,
      outputSelection: { [file]: { [contractName]: ['abi', 'evm.bytecode.object'] } },
    },
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input))) as CompilerOutput;
  const failure = output.errors?.find(({ severity }) => severity === 'error');
  const contract = output.contracts?.[file]?.[contractName];
  if (failure !== undefined || contract === undefined) {
    throw new Error(`${contractName} does not compile: ${failure?.formattedMessage ?? 'no such contract'}`);
  }
  return { abi: contract.abi, bytecode: `0x${contract.evm.bytecode.object}` };
}
