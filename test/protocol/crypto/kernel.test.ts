import { expect } from 'chai';
import fc from 'fast-check';
import {
  addPoints,
  BASE8,
  CURVE_A,
  type CurvePoint,
  IDENTITY,
  multiplyPoint,
  pointsEqual,
  SUBGROUP_ORDER,
} from '#protocol/crypto/baby-jubjub.ts';
import { createVerifier, isOnCurve, type Signature, verify } from '#protocol/crypto/eddsa.ts';
import { FIELD_MODULUS, isFieldElement, toField } from '#protocol/crypto/field.ts';
import { kernel } from '#protocol/crypto/kernel.ts';
import { AT, ENTRIES_MAX, POINT_BYTES } from '#protocol/crypto/kernel-code.ts';
import { DOT_MAX, ELEMENT_BYTES, LIMB_BITS, LIMBS } from '#protocol/crypto/limb-code.ts';
import { poseidon } from '#protocol/crypto/poseidon.ts';
import { poseidonReference } from '#protocol/crypto/poseidon-reference.ts';
import { WindowTable } from '#protocol/crypto/window-table.ts';

const P = FIELD_MODULUS;
const R = 1n << BigInt(LIMB_BITS * LIMBS);
/** Where carries run longest: limbs all ones, alternating, and the neighbours of multiples of p. */
const EDGES = [
  ...[0n, 1n, 2n, P - 1n, P, P + 1n, 2n * P - 1n, 2n * P, 2n * P + 1n, 75n * P, 168n * P, R - 1n, R - 2n],
  ...Array.from({ length: LIMBS }, (_, at) => (1n << BigInt(LIMB_BITS * (at + 1))) - 1n),
  ...Array.from({ length: LIMBS }, (_, at) => 1n << BigInt(LIMB_BITS * at)),
  BigInt(`0b${'01'.repeat(130)}`),
  BigInt(`0b${'10'.repeat(130)}`),
];
const unreduced = fc.oneof(fc.constantFrom(...EDGES), fc.bigInt({ min: 0n, max: R - 1n }));
const element = fc.oneof(
  { weight: 1, arbitrary: fc.constantFrom(0n, 1n, 2n, P - 2n, P - 1n, P >> 1n, (1n << 253n) - 1n) },
  { weight: 3, arbitrary: fc.bigInt({ min: 0n, max: P - 1n }) },
);

// The space of table entries is free between two calls.
const [OUT, LEFT, RIGHT] = [
  AT.entries,
  AT.entries + ELEMENT_BYTES,
  AT.entries + (1 + DOT_MAX) * ELEMENT_BYTES,
];

function limbsAt(address: number): bigint[] {
  return Array.from(kernel().limbs.subarray(address / 4, address / 4 + LIMBS), BigInt);
}
const valueAt = (address: number): bigint =>
  limbsAt(address).reduceRight((value, limb) => (value << BigInt(LIMB_BITS)) + limb, 0n);
/** Whether all limbs but the highest have 29 bits, as every function needs them. */
const isNormal = (address: number): boolean =>
  limbsAt(address)
    .slice(0, -1)
    .every((limb) => limb < 1n << BigInt(LIMB_BITS));

/** (product + m·p)/R with the only m below R that makes it whole: Montgomery's definition. */
function reduced(product: bigint): bigint {
  let inverse = 1n;
  for (let i = 0; i < 9; i++) inverse = BigInt.asUintN(LIMB_BITS * LIMBS, inverse * (2n - P * inverse));
  const factor = BigInt.asUintN(LIMB_BITS * LIMBS, -product * inverse);
  const total = product + factor * P;
  expect(total % R).to.equal(0n);
  return total / R;
}

describe('kernel limbs', () => {
  const { functions } = kernel();

  function expectProduct(left: bigint, right: bigint): void {
    kernel().writeLimbs(LEFT, left);
    kernel().writeLimbs(RIGHT, right);
    functions.multiply(OUT, LEFT, RIGHT);
    expect(valueAt(OUT), `${left}·${right}`).to.equal(reduced(left * right));
    expect(isNormal(OUT)).to.equal(true);
    functions.square(OUT, LEFT);
    expect(valueAt(OUT), `${left}²`).to.equal(reduced(left * left));
    expect(isNormal(OUT)).to.equal(true);
  }

  it('multiply and square as Montgomery defines it, every pair of edges included', () => {
    for (const left of EDGES) for (const right of EDGES) expectProduct(left, right);
    fc.assert(fc.property(unreduced, unreduced, expectProduct), { numRuns: 3_000 });
  });

  it('multiply into an operand', () => {
    for (const [left, right] of [
      [R - 1n, P - 1n],
      [5n, R - 1n],
    ]) {
      for (const out of [LEFT, RIGHT]) {
        kernel().writeLimbs(LEFT, left);
        kernel().writeLimbs(RIGHT, right);
        functions.multiply(out, LEFT, RIGHT);
        expect(valueAt(out)).to.equal(reduced(left * right));
      }
    }
  });

  it('sum as many products as fit without losing a carry', () => {
    const pairs = fc.array(fc.tuple(unreduced, unreduced), { minLength: 1, maxLength: DOT_MAX });
    const property = (list: [bigint, bigint][]): void => {
      for (const [at, [left, right]] of list.entries()) {
        kernel().writeLimbs(LEFT + at * ELEMENT_BYTES, left);
        kernel().writeLimbs(RIGHT + at * ELEMENT_BYTES, right);
      }
      functions.dot(OUT, LEFT, RIGHT, list.length);
      expect(valueAt(OUT)).to.equal(reduced(list.reduce((sum, [left, right]) => sum + left * right, 0n)));
      expect(isNormal(OUT)).to.equal(true);
    };
    for (let count = 1; count <= DOT_MAX; count++) {
      for (const edge of EDGES) property(new Array(count).fill([edge, R - 1n]));
    }
    fc.assert(fc.property(pairs, property), { numRuns: 2_000 });
  });

  it('add, and subtract up to 2·p, with limbs of 29 bits again', () => {
    const property = (left: bigint, right: bigint): void => {
      kernel().writeLimbs(LEFT, left % (R / 2n));
      kernel().writeLimbs(RIGHT, right % (2n * P + 1n));
      functions.add(OUT, LEFT, RIGHT);
      expect(valueAt(OUT)).to.equal((left % (R / 2n)) + (right % (2n * P + 1n)));
      expect(isNormal(OUT)).to.equal(true);
      functions.subtract(OUT, LEFT, RIGHT);
      expect(valueAt(OUT)).to.equal((left % (R / 2n)) + 2n * P - (right % (2n * P + 1n)));
      expect(isNormal(OUT)).to.equal(true);
    };
    for (const left of EDGES) for (const right of EDGES) property(left, right);
    fc.assert(fc.property(unreduced, unreduced, property), { numRuns: 1_000 });
  });

  it('come and go as field elements, multiples of p as 0', () => {
    const property = (value: bigint): void => {
      kernel().write(OUT, value);
      expect(kernel().read(OUT)).to.equal(value);
    };
    fc.assert(fc.property(element, property), { numRuns: 2_000 });
    for (const edge of EDGES) {
      kernel().writeLimbs(OUT, edge);
      const plain = kernel().read(OUT);
      expect(isFieldElement(plain)).to.equal(true);
      expect((plain * R - edge) % P).to.equal(0n);
    }
  });

  it('scale the curve so that a is −1', () => {
    expect(toField(kernel().scale ** 2n + CURVE_A)).to.equal(0n);
  });
});

describe('poseidon in the kernel', () => {
  for (let inputCount = 1; inputCount <= 16; inputCount++) {
    it(`equals the bigint reference with ${inputCount} inputs`, () => {
      const edges = [0n, 1n, P - 1n, P - 2n, (1n << 253n) - 1n].map((edge) =>
        new Array(inputCount).fill(edge),
      );
      for (const inputs of edges) {
        expect(poseidon(inputs)).to.equal(poseidonReference(inputs));
        const last = inputs.with(-1, P - 1n);
        expect(poseidon(last)).to.equal(poseidonReference(last));
      }
      const inputs = fc.array(element, { minLength: inputCount, maxLength: inputCount });
      fc.assert(
        fc.property(inputs, (values) => poseidon(values) === poseidonReference(values)),
        { numRuns: 150 },
      );
    });
  }

  it('rounds values as large as the partial rounds let them grow, which stay far below 2^261', () => {
    const { functions } = kernel();
    const [start, lowest] = [AT.parameters, 75n * P - 9n];
    const constant = P - 1n;
    const fifth = (plain: bigint): bigint => (plain * plain * plain * plain * plain) % P;
    const plainOf = (address: number): bigint => kernel().read(address);
    // The parameters of the hashes live there: they are put back at the end.
    const words = kernel().limbs.slice(start / 4, start / 4 + 400 * LIMBS);
    for (let at = 0; at < 400; at++) kernel().writeLimbs(start + at * ELEMENT_BYTES, constant);
    const factor = plainOf(start);
    for (const width of [2, 6, 7, 12, 13, 17]) {
      for (let at = 0; at < width; at++)
        kernel().writeLimbs(AT.state + at * ELEMENT_BYTES, lowest - BigInt(at));
      kernel().writeLimbs(AT.state, 11n * P - 1n);
      const before = Array.from({ length: width }, (_, at) => plainOf(AT.state + at * ELEMENT_BYTES));
      functions.partialRound(width, start);
      const powered = fifth(before[0] + factor);
      const total = before.slice(1).reduce((sum, other) => sum + other * factor, powered * factor);
      expect(plainOf(AT.state)).to.equal(total % P);
      expect(valueAt(AT.state) < 11n * P).to.equal(true);
      for (let at = 1; at < width; at++) {
        const address = AT.state + at * ELEMENT_BYTES;
        expect(plainOf(address)).to.equal((before[at] + factor * powered) % P);
        expect(valueAt(address) - (lowest - BigInt(at)) < (101n * P) / 100n).to.equal(true);
        expect(isNormal(address)).to.equal(true);
      }

      for (let at = 0; at < width; at++) kernel().writeLimbs(AT.state + at * ELEMENT_BYTES, lowest);
      const same = plainOf(AT.state);
      functions.fullRound(width, AT.state, AT.nextState, start, start);
      for (let at = 0; at < width; at++) {
        const address = AT.nextState + at * ELEMENT_BYTES;
        expect(plainOf(address)).to.equal((BigInt(width) * factor * fifth(same + factor)) % P);
        expect(valueAt(address) < 4n * P).to.equal(true);
        expect(isNormal(address)).to.equal(true);
      }
    }
    kernel().limbs.set(words, start / 4);
    expect(poseidon([1n, 2n])).to.equal(poseidonReference([1n, 2n]));
  });
});

/** The circuit's equation in bigints, by the arithmetic and hash that the kernel does not share. */
function satisfiesEquation(key: CurvePoint, message: bigint, { r8, s }: Signature): boolean {
  const isInRange = [message, ...r8].every(isFieldElement) && s >= 0n && s < SUBGROUP_ORDER;
  if (!isInRange || !isOnCurve(key) || pointsEqual(key, IDENTITY)) return false;
  if (!pointsEqual(multiplyPoint(key, SUBGROUP_ORDER), IDENTITY)) return false;
  const factor = 8n * poseidonReference([...r8, ...key, message]);
  const negated: CurvePoint = [toField(-key[0]), key[1]];
  return pointsEqual(addPoints(multiplyPoint(BASE8, s), multiplyPoint(negated, factor)), r8);
}

describe('signature checks in the kernel', () => {
  const L = SUBGROUP_ORDER;
  const ORDER_2: CurvePoint = [0n, P - 1n];
  // Keys at which additions meet the base point's own multiples, and common ones.
  const scalars = [1n, 2n, 16n, 32n, L - 1n, L - 8n, (L - 1n) / 2n, 3n ** 150n % L, 7n ** 85n % L];
  const keys = scalars.map((scalar) => {
    const point = multiplyPoint(BASE8, scalar);
    return { scalar, point, check: createVerifier(point) };
  });
  const anyScalar = fc.oneof(fc.constantFrom(0n, 1n, 8n, L - 1n), fc.bigInt({ min: 0n, max: L - 1n }));

  function signedWith(scalar: bigint, point: CurvePoint, nonce: bigint, message: bigint): Signature {
    const r8 = multiplyPoint(BASE8, nonce);
    return { r8, s: (nonce + 8n * poseidonReference([...r8, ...point, message]) * scalar) % L };
  }

  const tamper: Record<string, (signature: Signature, other: bigint) => Partial<Signature>> = {
    nothing: () => ({}),
    's + l': ({ s }) => ({ s: s + L }),
    's + 2l': ({ s }) => ({ s: s + 2n * L }),
    's = l': () => ({ s: L }),
    '−s': ({ s }) => ({ s: (L - s) % L }),
    'one bit of s': ({ s }, other) => ({ s: s ^ (1n << (other % 256n)) }),
    'another s': (_, other) => ({ s: other }),
    'another nonce point': (_, other) => ({ r8: multiplyPoint(BASE8, other) }),
    'a negated nonce point': ({ r8 }) => ({ r8: [toField(-r8[0]), r8[1]] }),
    'torsion in the nonce point': ({ r8 }) => ({ r8: addPoints(r8, ORDER_2) }),
    'a nonce point off the curve': ({ r8 }) => ({ r8: [r8[0], toField(r8[1] + 1n)] }),
    'coordinates exchanged': ({ r8 }) => ({ r8: [r8[1], r8[0]] }),
    'zeros as nonce point': () => ({ r8: [0n, 0n] }),
    'a coordinate beyond the field': ({ r8 }) => ({ r8: [r8[0] + P, r8[1]] }),
    'the identity, s = 0': () => ({ r8: IDENTITY, s: 0n }),
    'a point of order 2, s = 0': () => ({ r8: ORDER_2, s: 0n }),
  };

  it('take every honest signature, of any nonce and key', () => {
    const property = fc.property(fc.constantFrom(...keys), anyScalar, element, (key, nonce, message) =>
      key.check(message, signedWith(key.scalar, key.point, nonce, message)),
    );
    fc.assert(property, { numRuns: 600 });
  });

  for (const [name, change] of Object.entries(tamper)) {
    it(`agree with the bigint equation: ${name}`, () => {
      const property = fc.property(
        fc.constantFrom(...keys),
        anyScalar,
        element,
        anyScalar,
        ({ scalar, point, check }, nonce, message, other) => {
          const honest = signedWith(scalar, point, nonce, message);
          const signature = { ...honest, ...change(honest, other) };
          expect(check(message, signature)).to.equal(satisfiesEquation(point, message, signature));
          if (!isFieldElement(message + 1n)) return;
          const isOther = satisfiesEquation(point, message + 1n, signature);
          expect(check(message + 1n, signature)).to.equal(isOther);
        },
      );
      fc.assert(property, { numRuns: 60 });
    });
  }

  // The holder of a key can fit s to a hash over any claimed point: then only the comparison of both
  // coordinates with the sum refuses it. The circuit would not take it, and the batch could not be proved.
  const claims: Record<string, (point: CurvePoint, other: bigint) => CurvePoint> = {
    'with x negated': ([x, y]) => [toField(-x), y],
    'with y negated': ([x, y]) => [x, toField(-y)],
    'with another x': ([_, y], other) => [other, y],
    'with another y': ([x], other) => [x, other],
    'with torsion': (point) => addPoints(point, ORDER_2),
    'of another nonce': (_, other) => multiplyPoint(BASE8, other),
  };
  for (const [name, claim] of Object.entries(claims)) {
    it(`refuse an s made for a hash over the nonce point ${name}`, () => {
      const property = fc.property(
        fc.constantFrom(...keys),
        fc.bigInt({ min: 1n, max: L - 1n }),
        element,
        fc.bigInt({ min: 2n, max: L - 1n }),
        ({ scalar, point, check }, nonce, message, other) => {
          fc.pre(nonce !== other);
          const r8 = claim(multiplyPoint(BASE8, nonce), other);
          const s = (nonce + 8n * poseidonReference([...r8, ...point, message]) * scalar) % L;
          expect(check(message, { r8, s })).to.equal(false);
        },
      );
      fc.assert(property, { numRuns: 60 });
    });
  }

  it('do not take a signature of one key for another, by either way', () => {
    for (const one of keys) {
      const signature = signedWith(one.scalar, one.point, 12_345n, 99n);
      expect(verify(one.point, 99n, signature)).to.equal(true);
      for (const other of keys) expect(other.check(99n, signature)).to.equal(other === one);
    }
  });

  it('multiply like bigints where every signed digit is at its edge', () => {
    const repeated = (digit: number, bits: number): bigint => {
      let value = 0n;
      for (let at = 0; at + bits <= 250; at += bits) value |= BigInt(digit) << BigInt(at);
      return value;
    };
    for (const bits of [5, 8]) {
      const table = new WindowTable(keys[7].point, bits);
      const half = 1 << (bits - 1);
      const edges = [half - 1, half, half + 1, 2 * half - 1].map((digit) => repeated(digit, bits));
      for (const scalar of [...edges, 0n, 1n, L - 1n, L - 2n, 2n ** 250n]) {
        expect(table.multiply(scalar)).to.deep.equal(multiplyPoint(keys[7].point, scalar));
      }
      const property = fc.property(anyScalar, (scalar) =>
        pointsEqual(table.multiply(scalar), multiplyPoint(keys[7].point, scalar)),
      );
      fc.assert(property, { numRuns: 100 });
    }
  });

  it('have room for the entries of the widest and the narrowest windows', () => {
    expect(ENTRIES_MAX).to.be.at.least(Math.max(1 << 7, Math.ceil(252 / 2)));
    expect(AT.entries + ENTRIES_MAX * POINT_BYTES).to.be.at.most(AT.parameters);
    for (const bits of [1, 9, 2.5]) expect(() => new WindowTable(BASE8, bits)).to.throw(RangeError);
  });
});
