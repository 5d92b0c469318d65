import { readFileSync } from 'node:fs';
import { type CircuitInput, WitnessCalculator, WitnessError } from '#prover/witness-calculator.ts';
import { readSource, sourceFiles } from '#test/static/repository-files.ts';

const calculators = new Map<string, Promise<WitnessCalculator>>();
/** Of a .wtns file with one section before the values and elements of 32 bytes. */
const HEADER_BYTES = 76;
const ELEMENT_BYTES = 32;

/** Test inputs are plain objects whose fields are signals. */
function calculate(wasmPath: string, input: object): Promise<Uint8Array> {
  const calculator = calculators.get(wasmPath) ?? WitnessCalculator.create(readFileSync(wasmPath));
  calculators.set(wasmPath, calculator);
  return calculator.then((ready) => ready.calculate(input as CircuitInput));
}

/** The full assignment of a compiled circuit. @throws WitnessError */
export async function calculateWitness(wasmPath: string, input: object): Promise<bigint[]> {
  return valuesOf(await calculate(wasmPath, input));
}

/** The assignment in a .wtns file. */
export function valuesOf(file: Uint8Array): bigint[] {
  const view = new DataView(file.buffer, file.byteOffset + HEADER_BYTES);
  return Array.from({ length: (file.length - HEADER_BYTES) / ELEMENT_BYTES }, (_, i) =>
    [3, 2, 1, 0].reduce(
      (value, limb) => (value << 64n) | view.getBigUint64(ELEMENT_BYTES * i + 8 * limb, true),
      0n,
    ),
  );
}

/**
 * The constraint that refuses an input, as written in the circuit's source; undefined if there is a witness.
 * A test that names it cannot pass because something else went wrong.
 */
export async function refusedBy(wasmPath: string, input: object): Promise<string | undefined> {
  try {
    await calculate(wasmPath, input);
  } catch (error) {
    if (!(error instanceof WitnessError)) throw error;
    return constraintNamedBy(error.message);
  }
  return undefined;
}

function constraintNamedBy(message: string): string {
  // The innermost template comes first.
  const place = /Error in template (\w+)_\d+ line: (\d+)/.exec(message);
  if (place === null) return message;
  const [, template, line] = place;
  const defines = new RegExp(`^\\s*template\\s+${template}\\s*\\(`, 'm');
  const own = sourceFiles().filter((path) => path.startsWith('circuits/') && path.endsWith('.circom'));
  const source = own.map(readSource).find((text) => defines.test(text)) ?? libraryTemplate(defines);
  return `${template}: ${source?.split('\n')[Number(line) - 1]?.trim() ?? `line ${line}`}`;
}

const LIBRARY = ['bitify', 'comparators', 'poseidon', 'gates'];
const libraryTemplate = (defines: RegExp): string | undefined =>
  LIBRARY.map((name) => readFileSync(`node_modules/circomlib/circuits/${name}.circom`, 'utf8')).find((text) =>
    defines.test(text),
  );
