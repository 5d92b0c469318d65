/**
 * Soundness gate of the batch circuit on its constraint system, at one witness of an honest trace: each wire in turn
 * gets other values, what follows from it is recomputed, and some constraint must notice. The exceptions are
 * listed with their reasons (batch-wires.ts); anything else that goes unnoticed fails.
 */
import { expect } from 'chai';
import { FIELD_MODULUS } from '#protocol/crypto/field.ts';
import { compileCircuit } from '#prover/setup/compile.ts';
import { buildCircuitInput } from '#prover/witness/build-circuit-input.ts';
import { TRACES } from '#test/support/batch-traces.ts';
import { calculateWitness } from '#test/support/circuit-witness.ts';
import { BatchWires } from './batch-wires.ts';
import {
  type ConstraintSystem,
  type Determination,
  determineWires,
  firstViolation,
  readConstraintSystem,
} from './constraint-system.ts';
import { WitnessMutator } from './witness-mutation.ts';

interface Subject {
  readonly system: ConstraintSystem;
  readonly witness: readonly bigint[];
  readonly determination: Determination;
}

/** Wires of which some other value went unnoticed. */
function unnoticedWires({ system, witness, determination }: Subject): number[] {
  const mutator = new WitnessMutator(system, witness, determination);
  const unnoticed: number[] = [];
  for (let wire = 1; wire < system.wireCount; wire++) {
    const value = witness[wire];
    const others = [value + 1n, value - 1n, FIELD_MODULUS - value, 1n - value, 1n << 47n];
    const isFree = others.some(
      (other) => (other - value) % FIELD_MODULUS !== 0n && mutator.mutate(wire, other) < 0,
    );
    if (isFree) unnoticed.push(wire);
  }
  return unnoticed;
}

/** The gate at these traces (TRACES), as tests. */
export function noticesEveryWire(traces: readonly string[]): void {
  let system: ConstraintSystem;
  let wires: BatchWires;
  let witnessOf: (trace: string) => Promise<bigint[]>;

  before(async () => {
    const circuit = await compileCircuit('circuits/main/batch-tiny.circom');
    system = readConstraintSystem(circuit.r1csPath);
    wires = new BatchWires(circuit.symPath, system);
    witnessOf = (trace) => calculateWitness(circuit.wasmPath, buildCircuitInput(TRACES[trace]()).input);
  });

  for (const trace of traces) {
    it(`notices another value of any wire: ${trace}`, async () => {
      const witness = await witnessOf(trace);
      expect(firstViolation(system, witness)).to.equal(-1);
      const determination = determineWires(system, witness);
      for (const wire of unnoticedWires({ system, witness, determination })) {
        const reason = wires.reasonOfFreedom(wire, witness);
        expect(reason, `${wires.nameOf(wire)} may change unnoticed`).to.be.a('string');
      }
    });
  }
}
