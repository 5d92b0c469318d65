import { expect } from 'chai';
import { buildBabyjub, buildEddsa } from 'circomlibjs';
import fc from 'fast-check';
import {
  addPoints,
  BASE8,
  type CurvePoint,
  IDENTITY,
  multiplyPoint,
  pointsEqual,
  SUBGROUP_ORDER,
} from '#protocol/crypto/baby-jubjub.ts';
import {
  clearCofactor,
  createVerifier,
  derivePublicKey,
  deriveRegistrationPoint,
  isOnCurve,
  SECRET_LIMIT,
  SECRET_MIN,
  type Signature,
  sign,
  verify,
} from '#protocol/crypto/eddsa.ts';
import { FIELD_MODULUS } from '#protocol/crypto/field.ts';
import { WindowTable } from '#protocol/crypto/window-table.ts';

const secrets = fc.bigInt({ min: SECRET_MIN, max: SECRET_LIMIT - 1n });
const messages = fc.bigInt({ min: 0n, max: FIELD_MODULUS - 1n });

/** Generator of the whole curve, order 8·l (EIP-2494). */
const FULL_GENERATOR: CurvePoint = [
  995203441582195749578291179787384436505546430278305826713579947235728471134n,
  5472060717959818805561601436314318772137091100104008585924551046643952123905n,
];
const ORDER_2: CurvePoint = [0n, FIELD_MODULUS - 1n];
/** Order 8: the torsion part of the full generator. */
const ORDER_8 = multiplyPoint(FULL_GENERATOR, SUBGROUP_ORDER);
const secret = (1n << 255n) + 0x1234567890abcdefn;
const publicKey = derivePublicKey(secret);

function isValidKey(point: CurvePoint): boolean {
  try {
    createVerifier(point);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

// biome-ignore lint/suspicious/noExplicitAny: circomlibjs ships no types
type Untyped = any;

describe('baby jubjub', () => {
  let reference: Untyped;

  before(async () => {
    reference = await buildBabyjub();
  });

  const referencePoint = (point: CurvePoint) => point.map((value) => reference.F.e(value));
  const plainPoint = (point: Untyped) => point.map((value: Untyped) => reference.F.toObject(value));

  it('adds and multiplies like circomlibjs, torsion and special points included', () => {
    const points = [BASE8, FULL_GENERATOR, IDENTITY, ORDER_2, ORDER_8, publicKey];
    for (const left of points) {
      for (const right of points) {
        const expected = plainPoint(reference.addPoint(referencePoint(left), referencePoint(right)));
        expect(addPoints(left, right)).to.deep.equal(expected);
      }
      for (const scalar of [
        0n,
        1n,
        2n,
        8n,
        15n,
        16n,
        17n,
        SUBGROUP_ORDER - 1n,
        SUBGROUP_ORDER,
        2n ** 256n - 1n,
      ]) {
        const expected = plainPoint(reference.mulPointEscalar(referencePoint(left), scalar));
        expect(multiplyPoint(left, scalar)).to.deep.equal(expected);
      }
    }
  });

  it('multiplies by a window table of any width as without one', () => {
    const extremes = [0n, 1n, SUBGROUP_ORDER - 1n, SUBGROUP_ORDER >> 1n, (1n << 250n) - 1n, 1n << 250n];
    for (let windowBits = 2; windowBits <= 8; windowBits++) {
      const table = new WindowTable(publicKey, windowBits);
      const scalars = [...extremes, BigInt(`0x${'37'.repeat(31)}`)];
      for (const scalar of scalars) {
        expect(table.multiply(scalar), `width ${windowBits}`).to.deep.equal(multiplyPoint(publicKey, scalar));
      }
    }
    expect(() => new WindowTable([0n, 0n], 4)).to.throw(RangeError);
  });

  it('tells curve, subgroup and valid keys apart', () => {
    const rows: [CurvePoint, boolean, boolean, boolean][] = [
      [publicKey, true, true, true],
      [IDENTITY, true, true, false],
      [ORDER_2, true, false, false],
      [ORDER_8, true, false, false],
      [FULL_GENERATOR, true, false, false],
      [addPoints(publicKey, ORDER_2), true, false, false],
      [[0n, 0n], false, false, false],
      [[publicKey[1], publicKey[0]], false, false, false],
      [[publicKey[0] + FIELD_MODULUS, publicKey[1]], false, false, false],
      [[-publicKey[0], publicKey[1]], false, false, false],
    ];
    for (const [point, curve, subgroup, key] of rows) {
      expect(isOnCurve(point)).to.equal(curve);
      if (curve) expect(new WindowTable(point, 4).isInSubgroup()).to.equal(subgroup);
      expect(isValidKey(point)).to.equal(key);
    }
  });
});

describe('eddsa keys', () => {
  it('register a point whose eightfold is the signing key', () => {
    const property = fc.property(secrets, (any) => {
      const registered = deriveRegistrationPoint(any);
      expect(clearCofactor(registered)).to.deep.equal(derivePublicKey(any));
      expect(isValidKey(registered) && isValidKey(derivePublicKey(any))).to.equal(true);
    });
    fc.assert(property, { numRuns: 10 });
  });

  it('lose any torsion a client adds before registering', () => {
    const dirty = addPoints(deriveRegistrationPoint(secret), ORDER_8);
    expect(clearCofactor(dirty)).to.deep.equal(publicKey);
    for (const small of [IDENTITY, ORDER_2, ORDER_8]) expect(clearCofactor(small)).to.deep.equal(IDENTITY);
    expect(() => clearCofactor([1n, 1n])).to.throw(RangeError);
  });

  it('are not made of secrets too short or too long', () => {
    for (const wrong of [0n, SECRET_MIN - 1n, SECRET_LIMIT, -secret]) {
      expect(() => derivePublicKey(wrong)).to.throw(RangeError);
      expect(() => sign(wrong, 1n)).to.throw(RangeError);
    }
  });
});

describe('eddsa signatures', () => {
  let reference: Untyped;
  const verifier = createVerifier(publicKey);
  const both = (message: bigint, signature: Signature) => {
    const answer = verify(publicKey, message, signature);
    expect(verifier(message, signature)).to.equal(answer);
    return answer;
  };

  before(async () => {
    reference = await buildEddsa();
  });

  const acceptedByReference = (key: CurvePoint, message: bigint, { r8, s }: Signature): boolean => {
    const encode = (point: CurvePoint) => point.map((value) => reference.F.e(value));
    return reference.verifyPoseidon(reference.F.e(message), { R8: encode(r8), S: s }, encode(key));
  };

  it('verify here and in circomlibjs, for the signed message only', () => {
    const property = fc.property(messages, messages, (message, other) => {
      const signature = sign(secret, message);
      expect(both(message, signature)).to.equal(true);
      expect(acceptedByReference(publicKey, message, signature)).to.equal(true);
      expect(both(other, signature)).to.equal(other === message);
    });
    fc.assert(property, { numRuns: 10 });
  });

  it('made by circomlibjs verify here', () => {
    for (const seed of [1, 77, 255]) {
      const key = new Uint8Array(32).fill(seed);
      const plain = (point: Untyped) => point.map((value: Untyped) => reference.F.toObject(value));
      const made = reference.signPoseidon(key, reference.F.e(BigInt(seed) ** 20n));
      const signature = { r8: plain(made.R8), s: made.S } as Signature;
      const point = plain(reference.prv2pub(key)) as CurvePoint;
      expect(verify(point, BigInt(seed) ** 20n, signature)).to.equal(true);
      expect(createVerifier(point)(BigInt(seed) ** 20n, signature)).to.equal(true);
    }
  });

  it('are deterministic, with a nonce of their own for each message and key', () => {
    expect(sign(secret, 5n)).to.deep.equal(sign(secret, 5n));
    const nonces = [sign(secret, 5n), sign(secret, 6n), sign(secret + 1n, 5n)].map(({ r8 }) => r8[0]);
    expect(new Set(nonces).size).to.equal(3);
    expect(() => sign(secret, FIELD_MODULUS)).to.throw(RangeError);
  });

  const honest = sign(secret, 5n);
  const forgeries: Record<string, Partial<Signature>> = {
    's + l': { s: honest.s + SUBGROUP_ORDER },
    's + 1': { s: honest.s + 1n },
    '−s': { s: -honest.s },
    'another nonce point': { r8: sign(secret, 6n).r8 },
    'a negated nonce point': { r8: [FIELD_MODULUS - honest.r8[0], honest.r8[1]] },
    'a nonce point with torsion': { r8: addPoints(honest.r8, ORDER_2) },
    'a nonce point off the curve': { r8: [honest.r8[0], honest.r8[1] + 1n] },
    'a nonce coordinate beyond the field': { r8: [honest.r8[0] + FIELD_MODULUS, honest.r8[1]] },
    'the identity as nonce point and s = 0': { r8: IDENTITY, s: 0n },
    's that is not a bigint': { s: 5 as unknown as bigint },
  };
  for (const [name, forged] of Object.entries(forgeries)) {
    it(`are refused with ${name}`, () => expect(both(5n, { ...honest, ...forged })).to.equal(false));
  }

  it('are refused for a message beyond the field', () => {
    expect(both(5n + FIELD_MODULUS, honest)).to.equal(false);
    expect(both(-5n, honest)).to.equal(false);
  });

  it('are refused, never thrown at, with any part out of place', () => {
    const [x, y] = publicKey;
    const points: CurvePoint[] = [
      [0n, 0n],
      [1n, 1n],
      [y, x],
      [x + FIELD_MODULUS, y],
      [-x, y],
      IDENTITY,
      ORDER_2,
      ORDER_8,
      FULL_GENERATOR,
      addPoints(publicKey, ORDER_8),
      [Number.NaN, 1] as unknown as CurvePoint,
      [] as unknown as CurvePoint,
    ];
    for (const point of points) {
      expect(verify(point, 5n, honest)).to.equal(false);
      expect(() => createVerifier(point)).to.throw(RangeError);
      expect(both(5n, { ...honest, r8: point })).to.equal(false);
    }
    for (const s of [-1n, SUBGROUP_ORDER, SUBGROUP_ORDER + honest.s, 2n ** 256n, Number.NaN, undefined]) {
      expect(both(5n, { ...honest, s: s as bigint })).to.equal(false);
    }
    for (const message of [-1n, FIELD_MODULUS, 2n ** 256n, 5, undefined]) {
      expect(both(message as bigint, honest)).to.equal(false);
    }
  });

  it('are refused under keys anyone could sign for, which circomlibjs accepts', () => {
    // Under a key of small order 8·h·A vanishes: S = 0 with R8 = identity signs every message.
    const free = { r8: IDENTITY, s: 0n };
    for (const weak of [IDENTITY, ORDER_2, ORDER_8]) {
      expect(acceptedByReference(weak, 99n, free)).to.equal(true);
      expect(verify(weak, 99n, free)).to.equal(false);
      expect(() => createVerifier(weak)).to.throw(RangeError);
    }
  });

  it('are refused under a key with a torsion part', () => {
    const dirty = addPoints(publicKey, ORDER_2);
    expect(verify(dirty, 5n, honest)).to.equal(false);
    expect(() => createVerifier(dirty)).to.throw(RangeError);
  });

  it('are not affected by a caller changing the key behind a verifier', () => {
    const key = [...publicKey] as [bigint, bigint];
    const check = createVerifier(key);
    key[0] = 0n;
    expect(check(5n, honest)).to.equal(true);
    expect(pointsEqual(key, publicKey)).to.equal(false);
  });
});
