import { expect } from 'chai';
import { FIELD_MODULUS } from '#protocol/crypto/field.ts';
import { TINY_SHAPE } from '#protocol/limits.ts';
import { DEFAULT_REGISTRY } from '#protocol/risk/default-registry.ts';
import { RISK_TINY } from '#protocol/risk/registry.ts';
import { type CompiledCircuit, compileCircuit } from '#prover/setup/compile.ts';
import { riskProofTasks } from '#prover/witness/risk.ts';
import { calculateWitness } from '#test/support/circuit-witness.ts';
import { roundOf } from '#test/support/risk-rounds.ts';
import {
  type ConstraintSystem,
  determineWires,
  firstViolation,
  readConstraintSystem,
  residualRank,
} from './constraint-system.ts';
import { namesByWire } from './wire-names.ts';
import { WitnessMutator } from './witness-mutation.ts';

/**
 * Wires that may take any value, by the end of their name: the inverse that IsZero asks for is not used where
 * the tested value is 0, and nothing else reads it.
 */
const FREE_WIRES = /\.inv$/;
/** One underlying matches in each of four rows; the empty row has neither id nor mark. */
const FREE_COUNT = 4 + 2;

describe('soundness of the risk circuit', () => {
  let circuit: CompiledCircuit;
  let system: ConstraintSystem;
  let witness: bigint[];

  before(async function () {
    this.timeout(600_000);
    circuit = await compileCircuit('circuits/main/risk-tiny.circom');
    system = readConstraintSystem(circuit.r1csPath);
    const round = roundOf(
      { btc: 97_123_456_789n, eth: 3_312_345_678n },
      {
        segments: [RISK_TINY],
        registry: DEFAULT_REGISTRY.slice(0, 3),
        premiumPpm: [-777n, 1_234n],
        fundingMicrosPerCoin: [5_000_000n, -3_333_333n],
      },
    );
    const [task] = riskProofTasks(round, TINY_SHAPE, [0x1234n]).segments;
    witness = await calculateWitness(circuit.wasmPath, task.input);
    expect(firstViolation(system, witness)).to.equal(-1);
  });

  it('leaves no wire free but unused inverses: the Jacobian has full rank', function () {
    this.timeout(120_000);
    const { undetermined } = determineWires(system, witness);
    expect(undetermined.length - residualRank(system, witness, undetermined)).to.equal(FREE_COUNT);
  });

  it('notices another value of any wire, with all that follows from it recomputed', () => {
    const mutator = new WitnessMutator(system, witness, determineWires(system, witness));
    const names = namesByWire(circuit.symPath);
    const unnoticed = new Set<number>();
    for (let wire = 1; wire < system.wireCount; wire++) {
      const value = witness[wire];
      const others = [value + 1n, value - 1n, FIELD_MODULUS - value, 1n - value, 1n << 20n];
      for (const other of others) {
        if ((other - value) % FIELD_MODULUS === 0n) continue;
        if (mutator.mutate(wire, other) < 0) unnoticed.add(wire);
      }
    }
    for (const wire of unnoticed) expect(names.get(wire)).to.match(FREE_WIRES);
    expect(unnoticed.size).to.equal(FREE_COUNT);
  });
});
