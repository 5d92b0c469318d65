import { expect } from 'chai';
import { toField } from '#protocol/crypto/field.ts';
import { type CompiledCircuit, compileCircuit } from '#prover/setup/compile.ts';
import { firstViolation, readConstraintSystem } from '#test/soundness/constraint-system.ts';

describe('look-up of a row by its key', function () {
  this.timeout(60_000);
  /** As the ids of instrument rows: two markets and two unused rows. */
  const keys = [1n, 4n, 0n, 0n];
  let circuit: CompiledCircuit;

  before(async () => {
    circuit = await compileCircuit('test/fixtures/circuits/find-key.circom');
  });

  /** Is this assignment a witness? Wires: one, the marks, the keys, the key and whether it is wanted. */
  function isAccepted(key: bigint, isWanted: bigint, marks: readonly bigint[]): boolean {
    const system = readConstraintSystem(circuit.r1csPath);
    const values = [1n, ...marks.map(toField), ...keys, key, isWanted];
    expect(system.wireCount).to.equal(values.length);
    return firstViolation(system, values) === -1;
  }

  it('marks the one row, or none', () => {
    expect(isAccepted(4n, 1n, [0n, 1n, 0n, 0n])).to.equal(true);
    expect(isAccepted(0n, 0n, [0n, 0n, 0n, 0n])).to.equal(true);
  });

  it('has no witness for another row, for two, or for none where one is wanted', () => {
    expect(isAccepted(4n, 1n, [1n, 0n, 0n, 0n])).to.equal(false);
    expect(isAccepted(0n, 1n, [0n, 0n, 1n, 1n])).to.equal(false);
    expect(isAccepted(4n, 1n, [0n, 0n, 0n, 0n])).to.equal(false);
    expect(isAccepted(4n, 0n, [0n, 1n, 0n, 0n])).to.equal(false);
  });

  // A forced withdrawal of quote has token 0, the id of unused instrument rows, and looks up no mark. With x and −x on two
  // of them its mark was any number, and a healthy account's withdrawal could be cut to nothing "for margin".
  it('has no witness for marks that cancel over unused rows', () => {
    expect(isAccepted(0n, 0n, [0n, 0n, 1n << 80n, -(1n << 80n)])).to.equal(false);
    expect(isAccepted(0n, 0n, [0n, 0n, 1n, -1n])).to.equal(false);
  });
});
