/**
 * rapidsnark as an outside program on the same zkey and witness: several times faster than snarkjs
 * with a fraction of its memory. Files pass through a private folder that is removed at the end.
 */
import { spawn } from 'node:child_process';
import { access, constants, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PointMaker } from './prove.ts';

/** The outside prover could not be run or ended with an error. */
export class BackendError extends Error {
  override readonly name = 'BackendError';
}

/** What is configured as the outside prover is no program: this machine is set up wrongly, no job is at fault. */
export class ProverPathError extends Error {
  override readonly name = 'ProverPathError';
}

const OUTPUT_KEPT_CHARS = 2_000;

/**
 * @param zkey written to the private folder once, so that the program reads the bytes we checked.
 * @throws ProverPathError when the path names no executable file; BackendError for circuits without public
 *   signals, on which rapidsnark fails.
 */
export async function openRapidsnark(
  binary: string,
  zkey: Uint8Array,
  publicCount: number,
): Promise<PointMaker> {
  if (publicCount === 0) throw new BackendError('rapidsnark cannot prove circuits without public signals');
  await requireProgram(binary);
  const folder = await mkdtemp(join(tmpdir(), 'ballast-rapidsnark-'));
  const [zkeyPath, witnessPath, proofPath, publicPath] = [
    'key.zkey',
    'in.wtns',
    'proof.json',
    'public.json',
  ].map((name) => join(folder, name));
  await writeFile(zkeyPath, zkey);
  let previous: Promise<unknown> = Promise.resolve();
  const make: PointMaker['make'] = async (witness) => {
    await writeFile(witnessPath, witness);
    await run(binary, [zkeyPath, witnessPath, proofPath, publicPath]);
    const [proof, publicSignals] = await Promise.all(
      [proofPath, publicPath].map(async (path) => JSON.parse(await readFile(path, 'utf8'))),
    );
    await Promise.all([witnessPath, proofPath, publicPath].map((path) => rm(path)));
    return { proof, publicSignals };
  };
  return {
    name: 'rapidsnark',
    make(witness) {
      // One at a time: the program uses all cores, and the files have fixed names.
      const current = previous.then(() => make(witness));
      previous = current.catch(() => {});
      return current;
    },
    async close() {
      await previous;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** @throws ProverPathError when the path names no executable file */
export async function requireProgram(path: string): Promise<void> {
  try {
    // A folder may be executable too, in its own sense.
    if (!(await stat(path)).isFile()) throw new ProverPathError(`${path} is not a file`);
    await access(path, constants.X_OK);
  } catch (cause) {
    if (cause instanceof ProverPathError) throw cause;
    const isAbsent = ['ENOENT', 'ENOTDIR'].includes((cause as NodeJS.ErrnoException).code ?? '');
    const problem = isAbsent ? 'does not exist' : 'cannot be executed';
    throw new ProverPathError(`${path} ${problem}`, { cause });
  }
}

function run(binary: string, parameters: string[]): Promise<void> {
  const child = spawn(binary, parameters, { stdio: ['ignore', 'pipe', 'pipe'] });
  // A worker that is stopped takes its program with it.
  const stop = () => child.kill('SIGKILL');
  process.once('exit', stop);
  let output = '';
  const keep = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-OUTPUT_KEPT_CHARS);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  return new Promise<void>((done, fail) => {
    child.once('error', (cause) => fail(new BackendError(`${binary} cannot be run`, { cause })));
    child.once('close', (code, signal) => {
      if (code === 0) done();
      else fail(new BackendError(`rapidsnark ended with ${signal ?? `code ${code}`}: ${output.trim()}`));
    });
  }).finally(() => process.off('exit', stop));
}
