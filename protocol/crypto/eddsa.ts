/**
 * EdDSA-Poseidon over Baby Jubjub, accepted exactly where circomlib's `EdDSAPoseidonVerifier` is
 * satisfied by a registered key: S·BASE8 = R8 + 8·h·A with h = Poseidon(R8x, R8y, Ax, Ay, M).
 *
 * Keys: a client registers the point P on L1 and signs for A = 8·P, which the contract computes, so
 * A is in the prime subgroup without a subgroup check on chain. Here A = scalar·BASE8 and
 * P = (scalar/8 mod l)·BASE8: both lie in the prime subgroup, and P tells no more than A does.
 */
import { babyjubjub } from '@noble/curves/misc.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { BASE8, type CurvePoint, IDENTITY, isOnCurve, pointsEqual, SUBGROUP_ORDER } from './baby-jubjub.ts';
import { isFieldElement } from './field.ts';
import { poseidon } from './poseidon.ts';
import { WindowTable } from './window-table.ts';

export { type CurvePoint, clearCofactor, isOnCurve, SUBGROUP_ORDER } from './baby-jubjub.ts';

/** A signature: the nonce point R8 and the scalar S, 0 ≤ s < SUBGROUP_ORDER. */
export interface Signature {
  readonly r8: CurvePoint;
  readonly s: bigint;
}

/** Checks signatures of one key. */
export type Verifier = (message: bigint, signature: Signature) => boolean;

/** Least secret accepted: a uniform 256-bit secret is below it with probability 2^-128. */
export const SECRET_MIN = 1n << 128n;
/** Secrets are below this: 32 bytes. */
export const SECRET_LIMIT = 1n << 256n;

const COFACTOR = 8n;
/** 1/8 mod l: the cube of 1/2. */
const COFACTOR_INVERSE = ((SUBGROUP_ORDER + 1n) / 2n) ** 3n % SUBGROUP_ORDER;

const KEY_WINDOW_BITS = 5;
const BASE_WINDOW_BITS = 8;
let baseTable: WindowTable | undefined;

/**
 * The signing key A of a secret of 32 uniformly random bytes.
 * @throws RangeError when the secret is outside SECRET_MIN … SECRET_LIMIT.
 */
export function derivePublicKey(secret: bigint): CurvePoint {
  return secretMultiple(secretScalar(secret));
}

/**
 * The point P a client registers on L1 for `secret`: clearCofactor(P) is derivePublicKey(secret).
 * @throws RangeError when the secret is outside SECRET_MIN … SECRET_LIMIT.
 */
export function deriveRegistrationPoint(secret: bigint): CurvePoint {
  return secretMultiple((secretScalar(secret) * COFACTOR_INVERSE) % SUBGROUP_ORDER);
}

/**
 * Signs one field element. The nonce comes from secret, key and message, so equal messages give
 * equal signatures and no random source can leak the key.
 * @throws RangeError when the message is not a field element or the secret out of range.
 */
export function sign(secret: bigint, message: bigint): Signature {
  if (!isFieldElement(message)) throw new RangeError(`message ${message} is not a field element`);
  const scalar = secretScalar(secret);
  const publicKey = secretMultiple(scalar);
  const nonce = hashToScalar('ballast/eddsa-poseidon/nonce', [secret, ...publicKey, message]);
  const r8 = secretMultiple(nonce);
  const s = (nonce + COFACTOR * challenge(r8, publicKey, message) * scalar) % SUBGROUP_ORDER;
  return { r8, s };
}

/**
 * Whether `signature` is a signature of `message` by `publicKey`. Never throws: invalid keys and
 * values out of range verify nothing. For a key seen often, `createVerifier` is several times faster.
 */
export function verify(publicKey: CurvePoint, message: bigint, signature: Signature): boolean {
  if (!isWellFormed(message, signature)) return false;
  const table = keyTable(publicKey);
  return table !== undefined && satisfies(publicKey, table, message, signature);
}

/**
 * A verifier with a window table of the key: about 3 ms and 0.1 MB once, then a quarter of a
 * millisecond per signature.
 * @throws RangeError when the key is not valid.
 */
export function createVerifier(publicKey: CurvePoint): Verifier {
  const key: CurvePoint = [publicKey[0], publicKey[1]];
  const table = keyTable(key);
  if (table === undefined) throw new RangeError('not a valid public key');
  return (message, signature) =>
    isWellFormed(message, signature) && satisfies(key, table, message, signature);
}

/** The multiples of a key the contract can hold: on the curve, of prime order. Of any other point, undefined. */
function keyTable(key: CurvePoint): WindowTable | undefined {
  if (!isOnCurve(key) || pointsEqual(key, IDENTITY)) return undefined;
  const table = new WindowTable(key, KEY_WINDOW_BITS);
  return table.isInSubgroup() ? table : undefined;
}

/** S·BASE8 + factor·A = R8, of values that are well formed. */
function satisfies(key: CurvePoint, table: WindowTable, message: bigint, { r8, s }: Signature): boolean {
  baseTable ??= new WindowTable(BASE8, BASE_WINDOW_BITS);
  return WindowTable.isSumOfMultiples([baseTable, s], [table, keyFactor(r8, key, message)], r8);
}

function isWellFormed(message: bigint, { r8, s }: Signature): boolean {
  return (
    isFieldElement(message) &&
    isFieldElement(r8[0]) &&
    isFieldElement(r8[1]) &&
    // A larger S would be a second signature of the same message; the circuit refuses it too.
    typeof s === 'bigint' &&
    s >= 0n &&
    s < SUBGROUP_ORDER
  );
}

function challenge(r8: CurvePoint, publicKey: CurvePoint, message: bigint): bigint {
  return poseidon([...r8, ...publicKey, message]);
}

/** −8·h mod l: S·BASE8 + factor·A must be R8, which is then on the curve by itself. */
function keyFactor(r8: CurvePoint, publicKey: CurvePoint, message: bigint): bigint {
  const product = (COFACTOR * challenge(r8, publicKey, message)) % SUBGROUP_ORDER;
  return product === 0n ? 0n : SUBGROUP_ORDER - product;
}

/** scalar·BASE8 by noble's constant-time multiplication: the scalar is secret. */
function secretMultiple(scalar: bigint): CurvePoint {
  const { x, y } = babyjubjub.Point.BASE.multiply(scalar).toAffine();
  return [x, y];
}

function secretScalar(secret: bigint): bigint {
  if (secret < SECRET_MIN || secret >= SECRET_LIMIT) {
    throw new RangeError('a secret is 32 random bytes: at least 2^128 and below 2^256');
  }
  return hashToScalar('ballast/eddsa-poseidon/key', [secret]);
}

/** SHA-512 of a label and 32-byte big-endian words, as a scalar in 1 … l − 1; bias below 2^-260. */
function hashToScalar(label: string, words: readonly bigint[]): bigint {
  const text = new TextEncoder().encode(label);
  const hexWords = words.map((word) => word.toString(16).padStart(64, '0')).join('');
  const preimage = new Uint8Array(text.length + hexWords.length / 2);
  preimage.set(text);
  for (let index = 0; index < hexWords.length / 2; index++) {
    preimage[text.length + index] = Number.parseInt(hexWords.slice(2 * index, 2 * index + 2), 16);
  }
  let wide = 0n;
  for (const byte of sha512(preimage)) wide = (wide << 8n) | BigInt(byte);
  return (wide % (SUBGROUP_ORDER - 1n)) + 1n;
}
