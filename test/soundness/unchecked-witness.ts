/** Witnesses of lies: what the circuit computes from inputs that it refuses, for judging each constraint by itself. */
import { readFileSync } from 'node:fs';
import { type CircuitInput, WitnessCalculator } from '#prover/witness-calculator.ts';
import { valuesOf } from '#test/support/circuit-witness.ts';

/** How circom's WebAssembly ends when `===` does not hold: i32.const 4, return, end. */
const REFUSAL = Buffer.of(0x41, 0x04, 0x0f, 0x0b);
const NO_OPERATION = 0x01;

/** A circuit's calculator without its checks: hints and wires are computed as ever, nothing is refused. */
export class UncheckedCalculator {
  readonly #calculator: WitnessCalculator;

  private constructor(calculator: WitnessCalculator) {
    this.#calculator = calculator;
  }

  static async open(wasmPath: string): Promise<UncheckedCalculator> {
    const wasm = readFileSync(wasmPath);
    for (let at = wasm.indexOf(REFUSAL); at >= 0; at = wasm.indexOf(REFUSAL, at + 1)) {
      wasm.fill(NO_OPERATION, at, at + REFUSAL.length - 1);
    }
    return new UncheckedCalculator(await WitnessCalculator.create(wasm));
  }

  async calculate(input: CircuitInput): Promise<bigint[]> {
    return valuesOf(await this.#calculator.calculate(input));
  }
}
