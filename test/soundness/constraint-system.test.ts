import { expect } from 'chai';
import { FIELD_MODULUS } from '#protocol/crypto/field.ts';
import { type Constraint, type ConstraintSystem, isUnread } from './constraint-system.ts';

/** Wires: 1, value, inverse, isNonZero, other. */
const [ONE, VALUE, INVERSE, IS_NON_ZERO, OTHER] = [0, 1, 2, 3, 4];
const of = (...wires: number[]) => ({ wires, coefficients: wires.map(() => 1n) });
/** value · inverse = isNonZero. */
const DEFINED: Constraint = [of(VALUE), of(INVERSE), of(IS_NON_ZERO)];

function systemOf(constraints: readonly Constraint[]): ConstraintSystem {
  const wireCount = 5;
  const constraintsOf = Array.from({ length: wireCount }, (_, wire) =>
    constraints.flatMap((constraint, index) =>
      constraint.some(({ wires }) => wires.includes(wire)) ? [index] : [],
    ),
  );
  return { wireCount, publicCount: 0, privateInputCount: 1, constraints, constraintsOf };
}

describe('a wire that nothing reads', () => {
  const zero = [1n, 0n, 5n, 0n, 5n];

  it('is the inverse of a zero', () => {
    expect(isUnread(systemOf([DEFINED]), zero, INVERSE)).to.equal(true);
  });

  it('is not the inverse of another number', () => {
    const four = [1n, 4n, (3n * FIELD_MODULUS + 1n) / 4n, 1n, 0n];
    expect(isUnread(systemOf([DEFINED]), four, INVERSE)).to.equal(false);
  });

  it('is not the inverse of a zero that another wire follows: both could change together', () => {
    const followed: Constraint = [of(INVERSE), of(ONE), of(OTHER)];
    expect(isUnread(systemOf([DEFINED, followed]), zero, INVERSE)).to.equal(false);
  });

  it('is not a bit, which may take a second value', () => {
    // inverse · inverse = inverse, at 0.
    const bit: Constraint = [of(INVERSE), of(INVERSE), of(INVERSE)];
    expect(isUnread(systemOf([bit]), [1n, 0n, 0n, 0n, 0n], INVERSE)).to.equal(false);
  });
});
