/**
 * INSECURE development keys for compiled circuits: made in seconds from trapdoors that anyone can
 * compute, kept beside the r1cs, and refused by the key gate outside the local chain.
 *
 *     node prover/setup/development-keys.ts [main.circom]…      all of circuits/main by default
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readVerificationKey, type VerificationKey } from '../snarkjs.ts';
import { defaultThreadCount } from '../threads.ts';
import { findIntact, publish } from './artifact-store.ts';
import { mainCircuits } from './circuit-sources.ts';
import { type CompiledCircuit, compileCircuit } from './compile.ts';
import { INSECURE_SEED, toxicWasteFromSeed } from './toxic-waste.ts';
import { writeDevelopmentZkey } from './write-development-zkey.ts';

/** A proving key with its verification key. */
export interface ProvingKey {
  readonly zkeyPath: string;
  /** SHA-256 of the zkey, hex: whoever loads it compares. */
  readonly zkeySha256: string;
  readonly verificationKeyPath: string;
  readonly verificationKey: VerificationKey;
}

/** Raise when the bytes of a key change for the same circuit and seed. */
const FORMAT = '1';

/**
 * The development key of a circuit, from the cache where it is intact. The files say INSECURE in
 * their names; the JSON says so in a field that snarkjs ignores.
 */
export async function developmentKey(
  circuit: CompiledCircuit,
  threadCount = defaultThreadCount(),
): Promise<ProvingKey> {
  const base = `${circuit.name}-INSECURE-development`;
  const recordPath = join(circuit.folder, `${base}.json`);
  const madeFrom = { r1cs: circuit.sha256[`${circuit.name}.r1cs`], seed: INSECURE_SEED, format: FORMAT };
  const [zkeyName, keyName] = [`${base}.zkey`, `${base}.verification-key.json`];
  const record =
    (await findIntact(recordPath, madeFrom)) ??
    (await publish(recordPath, madeFrom, async (folder) => {
      const zkeyPath = join(folder, zkeyName);
      const waste = toxicWasteFromSeed(INSECURE_SEED);
      await writeDevelopmentZkey({ r1csPath: circuit.r1csPath, zkeyPath, waste, threadCount });
      const key = { warning: INSECURE_SEED, ...(await readVerificationKey(zkeyPath)) };
      await writeFile(join(folder, keyName), `${JSON.stringify(key, null, 2)}\n`);
    }));
  const verificationKeyPath = join(circuit.folder, keyName);
  return {
    zkeyPath: join(circuit.folder, zkeyName),
    zkeySha256: record.sha256[zkeyName],
    verificationKeyPath,
    verificationKey: JSON.parse(await readFile(verificationKeyPath, 'utf8')),
  };
}

if (import.meta.main) {
  const paths = process.argv.slice(2);
  for (const path of paths.length > 0 ? paths : mainCircuits()) {
    const circuit = await compileCircuit(path);
    const startMs = performance.now();
    const { zkeyPath } = await developmentKey(circuit);
    const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
    console.warn(`INSECURE development key: ${zkeyPath} (${seconds} s)`);
  }
}
