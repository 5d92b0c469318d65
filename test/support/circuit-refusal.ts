/** Why a circuit has no witness for an input: the constraint that failed, as its source says it. */
import { readFileSync } from 'node:fs';
import { type CircuitInput, WitnessCalculator, WitnessError } from '#prover/witness-calculator.ts';
import { statementAt } from '#test/static/circuit-checks.ts';
import { readSource, sourceFiles } from '#test/static/repository-files.ts';

const FRAME = /Error in template (\w+)_\d+ line: (\d+)/g;
/** Templates that check a value for whoever calls them: the caller's line says what was checked. */
const HELPERS = new Set([
  'RangeCheck',
  'Bits',
  'Num2Bits',
  'RequireBit',
  'RequireChild',
  'BusEntry',
  'FindKey',
  'OneHot',
  'IsNonZero',
]);

const sources = sourceFiles()
  .filter((path) => path.startsWith('circuits/') && path.endsWith('.circom'))
  .map(readSource);

function lineOf(template: string, line: number): string {
  const defines = new RegExp(`^\\s*template\\s+${template}\\s*\\(`, 'm');
  const source = sources.find((text) => defines.test(text));
  return `${template}: ${source === undefined ? `line ${line}` : statementAt(source, line)}`;
}

export class CircuitUnderTest {
  readonly #calculator: WitnessCalculator;

  constructor(calculator: WitnessCalculator) {
    this.#calculator = calculator;
  }

  static async open(wasmPath: string): Promise<CircuitUnderTest> {
    return new CircuitUnderTest(await WitnessCalculator.create(readFileSync(wasmPath)));
  }

  /** "Template: source statement" of the innermost failing check that is no helper; undefined if there is a witness. */
  async refusal(input: CircuitInput): Promise<string | undefined> {
    try {
      await this.#calculator.calculate(input);
      return undefined;
    } catch (error) {
      if (!(error instanceof WitnessError)) throw error;
      const frames = [...error.message.matchAll(FRAME)];
      const frame = frames.find(([, template]) => !HELPERS.has(template)) ?? frames[0];
      return frame === undefined ? error.message : lineOf(frame[1], Number(frame[2]));
    }
  }
}
