import { expect } from 'chai';
import fc from 'fast-check';
import {
  FIELD_MODULUS,
  fieldAdd,
  fieldInverse,
  fieldMultiply,
  fieldPower,
  fieldSubtract,
  fieldToSigned,
  isFieldElement,
  signedToField,
  toField,
} from '#protocol/crypto/field.ts';

const integers = fc.bigInt({ min: -(FIELD_MODULUS ** 2n), max: FIELD_MODULUS ** 2n });

describe('field', () => {
  it('gives canonical results for any integers, negative ones included', () => {
    fc.assert(
      fc.property(integers, integers, (left, right) => {
        const results = [
          fieldAdd(left, right),
          fieldSubtract(left, right),
          fieldMultiply(left, right),
          toField(left),
        ];
        expect(results.every(isFieldElement)).to.equal(true);
        expect((results[0] - left - right) % FIELD_MODULUS).to.equal(0n);
        expect((results[1] - left + right) % FIELD_MODULUS).to.equal(0n);
        expect((results[2] - left * right) % FIELD_MODULUS).to.equal(0n);
      }),
    );
  });

  it('inverts every element but 0', () => {
    fc.assert(
      fc.property(integers, (value) => {
        fc.pre(value % FIELD_MODULUS !== 0n);
        const inverse = fieldInverse(value);
        expect(isFieldElement(inverse) && fieldMultiply(inverse, value) === 1n).to.equal(true);
        expect(inverse).to.equal(fieldPower(value, FIELD_MODULUS - 2n));
      }),
      { numRuns: 30 },
    );
    expect(() => fieldInverse(0n)).to.throw(RangeError);
    expect(() => fieldInverse(FIELD_MODULUS)).to.throw(RangeError);
  });

  it('raises to powers, and refuses negative exponents', () => {
    expect(fieldPower(3n, 5n)).to.equal(243n);
    expect(fieldPower(0n, 0n)).to.equal(1n);
    expect(fieldPower(-2n, 3n)).to.equal(FIELD_MODULUS - 8n);
    expect(() => fieldPower(2n, -1n)).to.throw(RangeError);
  });

  it('counts only canonical bigints as elements', () => {
    expect([0n, 1n, FIELD_MODULUS - 1n].every(isFieldElement)).to.equal(true);
    for (const other of [-1n, FIELD_MODULUS, 1, '1', null, undefined]) {
      expect(isFieldElement(other)).to.equal(false);
    }
  });

  it('carries signed integers both ways and refuses ambiguous ones', () => {
    const half = FIELD_MODULUS >> 1n;
    for (const value of [0n, 1n, -1n, half, -half, -(2n ** 200n)]) {
      expect(fieldToSigned(signedToField(value))).to.equal(value);
    }
    expect(() => signedToField(half + 1n)).to.throw(RangeError);
    expect(() => signedToField(-half - 1n)).to.throw(RangeError);
    expect(() => fieldToSigned(FIELD_MODULUS)).to.throw(RangeError);
  });
});
