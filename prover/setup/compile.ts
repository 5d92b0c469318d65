/**
 * Compiles a circuit's main file with the npm circom2 compiler (WebAssembly) in a child process.
 *
 * Results are kept in build/circuits/<name>-<hash>, where the hash covers every included source, the
 * compiler's version and its flags: a circuit is compiled once per content, and a result that no
 * longer has its recorded hash is made again.
 *
 *     node prover/setup/compile.ts [main.circom]…      all of circuits/main by default
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, join, relative, resolve } from 'node:path';
import { findIntact, publish } from './artifact-store.ts';
import { circuitSources, hashSources, mainCircuits, projectRoot } from './circuit-sources.ts';
import { endWithProcess } from './end-with-process.ts';

/** Where a compiled circuit lies. */
export interface CompiledCircuit {
  /** Name of the main file without its ending. */
  readonly name: string;
  /** Hash over sources, compiler and flags, lower-case hex. */
  readonly contentHash: string;
  readonly folder: string;
  readonly r1csPath: string;
  readonly wasmPath: string;
  readonly symPath: string;
  /** SHA-256 by file name within the folder. */
  readonly sha256: Readonly<Record<string, string>>;
}

export interface CompileOptions {
  /** Folder of all compiled circuits; build/circuits under the project by default. */
  readonly outputRoot?: string;
  /** Further folders searched for includes; node_modules and the project's own root always are. */
  readonly libraries?: readonly string[];
  /** The compiler is stopped after this long. Default: 30 minutes. */
  readonly timeLimitMs?: number;
}

/** The compiler refused the circuit, ran out of memory or time; `output` is what it printed. */
export class CompileError extends Error {
  override readonly name = 'CompileError';
  readonly output: string;

  constructor(message: string, output: string) {
    super(`${message}\n${output}`.trim());
    this.output = output;
  }
}

const COMPILER_FLAGS = ['--r1cs', '--wasm', '--sym', '--O2'];
const TIME_LIMIT_MS = 30 * 60_000;
const OUTPUT_KEPT_CHARS = 8_000;

/**
 * The compiled circuit of `mainPath`, from the cache where it is intact.
 * @throws CompileError, MissingIncludeError, or the system's error.
 */
export async function compileCircuit(
  mainPath: string,
  options: CompileOptions = {},
): Promise<CompiledCircuit> {
  const root = projectRoot(import.meta.dirname);
  const libraries = ['.', 'node_modules', ...(options.libraries ?? [])];
  const searched = libraries.map((folder) => resolve(root, folder));
  const compiler = compilerOf(root);
  const madeFrom = {
    sources: hashSources(circuitSources(mainPath, searched), root),
    compiler: compiler.version,
    flags: COMPILER_FLAGS.join(' '),
  };
  const contentHash = createHash('sha256').update(JSON.stringify(madeFrom)).digest('hex');
  const name = basename(mainPath, '.circom');
  const outputRoot = resolve(root, options.outputRoot ?? 'build/circuits');
  const folder = join(outputRoot, `${name}-${contentHash.slice(0, 16)}`);
  const recordPath = join(folder, 'circuit.json');
  const record =
    (await findIntact(recordPath, madeFrom)) ??
    (await publish(recordPath, madeFrom, async (unfinished) => {
      const flags = [...COMPILER_FLAGS, ...searched.flatMap((path) => ['-l', relative(root, path) || '.'])];
      const source = relative(root, resolve(mainPath));
      const parameters = [source, ...flags, '-o', relative(root, unfinished)];
      await runCompiler(compiler.script, parameters, root, options.timeLimitMs ?? TIME_LIMIT_MS);
      await rename(join(unfinished, `${name}_js`, `${name}.wasm`), join(unfinished, `${name}.wasm`));
      await rm(join(unfinished, `${name}_js`), { recursive: true });
    }));
  return {
    name,
    contentHash,
    folder,
    r1csPath: join(folder, `${name}.r1cs`),
    wasmPath: join(folder, `${name}.wasm`),
    symPath: join(folder, `${name}.sym`),
    sha256: record.sha256,
  };
}

function compilerOf(root: string): { script: string; version: string } {
  const require = createRequire(join(root, 'package.json'));
  const { version } = JSON.parse(readFileSync(require.resolve('circom2/package.json'), 'utf8'));
  return { script: require.resolve('circom2/cli.js'), version: `circom2 ${version}` };
}

/** Runs in `root` with relative paths: the compiler sees no file outside its working folder. */
function runCompiler(script: string, parameters: string[], root: string, timeLimitMs: number): Promise<void> {
  const child = spawn(process.execPath, ['--no-warnings', script, ...parameters], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: timeLimitMs,
    killSignal: 'SIGKILL',
  });
  endWithProcess(child);
  let output = '';
  const keep = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-OUTPUT_KEPT_CHARS);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  return new Promise((done, fail) => {
    child.once('error', fail);
    child.once('close', (code, signal) => {
      if (code === 0 && output.includes('Everything went okay')) done();
      else fail(new CompileError(`circom2 ended with ${signal ?? `code ${code}`}`, output));
    });
  });
}

if (import.meta.main) {
  const paths = process.argv.slice(2);
  for (const mainPath of paths.length > 0 ? paths : mainCircuits()) {
    const startMs = performance.now();
    const { folder } = await compileCircuit(mainPath);
    console.log(`${folder} (${((performance.now() - startMs) / 1000).toFixed(1)} s)`);
  }
}
