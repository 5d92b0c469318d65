import { expect } from 'chai';
import { buildPoseidon } from 'circomlibjs';
import fc from 'fast-check';
import { FIELD_MODULUS } from '#protocol/crypto/field.ts';
import { poseidon, poseidonChain } from '#protocol/crypto/poseidon.ts';

const element = fc.bigInt({ min: 0n, max: FIELD_MODULUS - 1n });

describe('poseidon', () => {
  let circomlib: (inputs: bigint[]) => bigint;

  before(async () => {
    const reference = await buildPoseidon();
    circomlib = (inputs) => reference.F.toObject(reference(inputs));
  });

  for (let inputCount = 1; inputCount <= 16; inputCount++) {
    it(`equals circomlib with ${inputCount} inputs`, () => {
      const largest = new Array<bigint>(inputCount).fill(FIELD_MODULUS - 1n);
      const smallest = new Array<bigint>(inputCount).fill(0n);
      expect(poseidon(largest)).to.equal(circomlib(largest));
      expect(poseidon(smallest)).to.equal(circomlib(smallest));
      const inputs = fc.array(element, { minLength: inputCount, maxLength: inputCount });
      fc.assert(
        fc.property(inputs, (values) => poseidon(values) === circomlib(values)),
        { numRuns: 5 },
      );
    });
  }

  it('refuses counts and values the circuit cannot hold', () => {
    for (const inputs of [[], new Array<bigint>(17).fill(1n), [FIELD_MODULUS], [-1n], [1n, 2n ** 300n]]) {
      expect(() => poseidon(inputs)).to.throw(RangeError);
    }
    expect(() => poseidon(['1' as unknown as bigint])).to.throw(RangeError);
  });
});

describe('poseidon chain', () => {
  const list = (length: number) => Array.from({ length }, (_, index) => BigInt(index + 1));

  it('hashes 16 values, then 15 at a time after the hash so far', () => {
    const values = list(46);
    const first = poseidon(values.slice(0, 16));
    const second = poseidon([first, ...values.slice(16, 31)]);
    expect(poseidonChain(values)).to.equal(poseidon([second, ...values.slice(31, 46)]));
  });

  for (const length of [1, 15, 16, 17, 30, 31, 32]) {
    it(`pads a list of ${length} with zeros to whole blocks`, () => {
      const whole = length <= 16 ? 16 : 16 + 15 * Math.ceil((length - 16) / 15);
      const zeros = new Array<bigint>(whole - length).fill(0n);
      expect(poseidonChain(list(length))).to.equal(poseidonChain([...list(length), ...zeros]));
    });
  }

  it('changes with every value and with their order', () => {
    const values = list(33);
    const hash = poseidonChain(values);
    for (const index of [0, 15, 16, 30, 31, 32]) {
      const changed = values.with(index, 999n);
      expect(poseidonChain(changed)).to.not.equal(hash);
    }
    expect(poseidonChain(values.toReversed())).to.not.equal(hash);
  });

  it('refuses an empty list', () => {
    expect(() => poseidonChain([])).to.throw(RangeError);
  });
});
