import { expect } from 'chai';
import { FIELD_MODULUS } from '#protocol/crypto/field.ts';
import { type CompiledCircuit, compileCircuit } from '#prover/setup/compile.ts';
import type { RiskCircuitTask } from '#prover/witness/risk.ts';
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
import { inDays } from '#test/support/option-registry.ts';
import { RISK_BLOCK_CIRCUIT, riskBlockTask } from '#test/support/risk-block.ts';

/**
 * Hints that nothing reads, and when: the inverse of a number that is 0 (IsZero, IsEqual), of a d2 within 24
 * deviations, the larger of two equal numbers.
 */
const UNREAD = /(\.inv|\.farInverse|\.isFirst)$/;

const listing = { underlying: 0, expirySec: inDays(30n), strikes: [90_000_000n, 110_000_000n] };
const JUDGED: Readonly<Record<string, () => RiskCircuitTask>> = {
  'two strikes': () => riskBlockTask(listing),
  'a strike and an empty place, volatility at its floors': () =>
    riskBlockTask({ ...listing, strikes: [90_000_000n] }, { volPpm: () => 1n }),
  'an empty block': () => riskBlockTask(undefined),
  'a broken surface': () =>
    riskBlockTask(
      { ...listing, strikes: [97_000_000n, 98_000_000n] },
      { volPpm: (id) => (id === 1000 ? 300_000n : 900_000n) },
    ),
};

describe('risk table with options, in full', function () {
  this.timeout(3_600_000);
  let circuit: CompiledCircuit;
  let system: ConstraintSystem;
  let names: Map<number, string>;

  before(async () => {
    circuit = await compileCircuit(RISK_BLOCK_CIRCUIT);
    system = readConstraintSystem(circuit.r1csPath);
    names = namesByWire(circuit.symPath);
  });

  for (const [what, task] of Object.entries(JUDGED)) {
    it(`notices another value of any wire but unread hints, and leaves no other freedom: ${what}`, async () => {
      const witness = await calculateWitness(circuit.wasmPath, task().input);
      expect(firstViolation(system, witness)).to.equal(-1);
      const determination = determineWires(system, witness);
      const mutator = new WitnessMutator(system, witness, determination);
      const unread = new Set<number>();
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
          unread.add(wire);
        }
      }
      const { undetermined } = determination;
      const free = undetermined.length - residualRank(system, witness, undetermined);
      // A bit of two equal numbers has two values but no direction.
      const inverses = [...unread].filter((wire) => !names.get(wire)?.endsWith('.isFirst'));
      console.log(`      ${system.wireCount} wires, ${unread.size} unread hints, ${free} free dimensions`);
      expect(free).to.equal(inverses.length);
    });
  }
});
