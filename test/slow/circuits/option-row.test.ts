import { expect } from 'chai';
import { FIELD_MODULUS } from '#protocol/crypto/field.ts';
import { type CompiledCircuit, compileCircuit } from '#prover/setup/compile.ts';
import {
  type ConstraintSystem,
  determineWires,
  firstViolation,
  readConstraintSystem,
  residualRank,
} from '#test/soundness/constraint-system.ts';
import { namesByWire } from '#test/soundness/wire-names.ts';
import { WitnessMutator } from '#test/soundness/witness-mutation.ts';
import { calculateWitness } from '#test/support/circuit-witness.ts';
import {
  inputOf,
  type OptionCircuitInput,
  PRICES_PER_ROW,
  randomInputs,
  STRIKE_CIRCUIT,
  twinOutputs,
} from '#test/support/option/option-circuit.ts';

const RANDOM_ROWS = 1_000;
/** Hints that nothing reads, and when: the inverse of a d2 within 24 deviations, the larger of two equal numbers. */
const UNREAD = /^main\.row\.(prices\[\d+\]\.farInverse|Larger_\d+_\d+\.isFirst)$/;

const vols = (same: bigint) => ({ same, up: (same * 145n) / 100n, down: (same * 75n) / 100n });
const DAY_SEC = 86_400n;
const JUDGED: Readonly<Record<string, OptionCircuitInput>> = {
  'at the money, a week': inputOf(41_943n, 96_543_210n, 7n * DAY_SEC, 97_000_000n, vols(620_000n)),
  'far out of the money: prices beyond 24 deviations': inputOf(
    131_072n,
    96_543_210n,
    DAY_SEC,
    250_000_000n,
    vols(200_000n),
  ),
  'deep in the money, two years': inputOf(
    47_186n,
    3_412_345_678n,
    730n * DAY_SEC,
    900_000_000n,
    vols(800_000n),
  ),
};

describe('option row circuit, in full', function () {
  this.timeout(3_600_000);
  let circuit: CompiledCircuit;
  let system: ConstraintSystem;
  let names: Map<number, string>;

  before(async () => {
    circuit = await compileCircuit(STRIKE_CIRCUIT);
    system = readConstraintSystem(circuit.r1csPath);
    names = namesByWire(circuit.symPath);
  });

  it(`equals its twin bit for bit in ${RANDOM_ROWS * PRICES_PER_ROW} prices of random rows`, async () => {
    const inputs = randomInputs(7_654_321);
    for (let i = 0; i < RANDOM_ROWS; i++) {
      const input = inputs.next().value;
      const expected = twinOutputs(input);
      const witness = await calculateWitness(circuit.wasmPath, input);
      const label = JSON.stringify(input, (_, value) => (typeof value === 'bigint' ? String(value) : value));
      expect(witness.slice(1, 1 + expected.length), label).to.deep.equal(expected);
    }
  });

  for (const [what, input] of Object.entries(JUDGED)) {
    it(`notices another value of any wire but unread hints: ${what}`, async () => {
      const witness = await calculateWitness(circuit.wasmPath, input);
      expect(firstViolation(system, witness)).to.equal(-1);
      const mutator = new WitnessMutator(system, witness, determineWires(system, witness));
      let unread = 0;
      for (let wire = 1; wire < system.wireCount; wire++) {
        const value = witness[wire];
        const others = [value + 1n, value - 1n, FIELD_MODULUS - value, 1n - value, value + (1n << 52n)];
        for (const other of others) {
          if ((other - value) % FIELD_MODULUS === 0n || mutator.mutate(wire, other) >= 0) continue;
          expect(names.get(wire), 'may change unnoticed').to.match(UNREAD);
          // No other wire, and so no output, has to follow it.
          const alone = [...witness];
          alone[wire] = ((other % FIELD_MODULUS) + FIELD_MODULUS) % FIELD_MODULUS;
          expect(firstViolation(system, alone), `${names.get(wire)} alone`).to.equal(-1);
          unread++;
        }
      }
      console.log(
        `      ${5 * system.wireCount} changes of ${system.wireCount} wires, ${unread} of unread hints`,
      );
    });

    it(`leaves a prover nothing but unread inverses: the Jacobian has full rank otherwise: ${what}`, async () => {
      const witness = await calculateWitness(circuit.wasmPath, input);
      const { undetermined } = determineWires(system, witness);
      const free = undetermined.length - residualRank(system, witness, undetermined);
      const far = undetermined.filter((wire) => UNREAD.test(names.get(wire) ?? ''));
      expect(free).to.equal(far.length);
      console.log(`      ${free} free dimensions of ${undetermined.length}`);
    });
  }
});
