import { expect } from 'chai';
import { FIELD_MODULUS } from '#protocol/crypto/field.ts';
import { poseidon } from '#protocol/crypto/poseidon.ts';
import { compileCircuit } from '#prover/setup/compile.ts';
import { determineWires, firstViolation, readConstraintSystem } from '#test/soundness/constraint-system.ts';
import { WitnessMutator } from '#test/soundness/witness-mutation.ts';
import { calculateWitness } from '#test/support/circuit-witness.ts';

const WIDTHS = 16;

describe('Poseidon in the circuit', function () {
  this.timeout(120_000);

  it('is the function of its twin at every width', async () => {
    const { wasmPath } = await compileCircuit('test/fixtures/circuits/poseidon-widths.circom');
    const random = (seed: bigint) => poseidon([seed, 0xba11a57n]);
    const inputs = [
      Array<bigint>(WIDTHS).fill(0n),
      Array<bigint>(WIDTHS).fill(FIELD_MODULUS - 1n),
      Array.from({ length: WIDTHS }, (_, i) => BigInt(i + 1)),
      ...Array.from({ length: 20 }, (_, round) =>
        Array.from({ length: WIDTHS }, (_, i) => random(BigInt(round * WIDTHS + i))),
      ),
    ];
    for (const values of inputs) {
      const hashes = (await calculateWitness(wasmPath, { values })).slice(1, 1 + WIDTHS);
      const expected = Array.from({ length: WIDTHS }, (_, i) => poseidon(values.slice(0, i + 1)));
      expect(hashes).to.deep.equal(expected);
    }
  });

  it('leaves the prover no choice: every wire follows from the inputs, every other value is noticed', async () => {
    const { wasmPath, r1csPath } = await compileCircuit('test/fixtures/circuits/poseidon-pair.circom');
    const system = readConstraintSystem(r1csPath);
    const witness = await calculateWitness(wasmPath, { inputs: [3n, 5n] });
    expect(firstViolation(system, witness)).to.equal(-1);
    const determination = determineWires(system, witness);
    expect(determination.undetermined).to.deep.equal([]);
    // Three to a fifth power; the capacity's first is a constant, and the output costs none of its own.
    expect(system.constraints.length).to.equal(3 * (8 * 3 - 1 + 57));
    const mutator = new WitnessMutator(system, witness, determination);
    const inputWires = [2, 3];
    for (let wire = 1; wire < system.wireCount; wire++) {
      // Another input is another honest hash.
      if (inputWires.includes(wire)) continue;
      for (const value of [0n, 1n, witness[wire] + 1n, FIELD_MODULUS - witness[wire]]) {
        if (value !== witness[wire]) expect(mutator.mutate(wire, value)).to.be.at.least(0);
      }
    }
  });
});
