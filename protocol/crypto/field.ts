/**
 * The scalar field of BN254: what every circuit signal, hash and Merkle node is an element of.
 *
 * Elements are plain bigints in [0, FIELD_MODULUS). The functions take any bigint and return a
 * canonical element, so intermediate sums need not be reduced by the caller.
 */

/** The order of BN254's groups, p in the circuits; about 2^253.6. */
export const FIELD_MODULUS = 21888242871839275222246405745257275088548364400416034343698204186575808495617n;

const HALF_MODULUS = FIELD_MODULUS >> 1n;

/** Whether `value` is a bigint written canonically: at least 0 and below the modulus. */
export function isFieldElement(value: unknown): value is bigint {
  return typeof value === 'bigint' && value >= 0n && value < FIELD_MODULUS;
}

/** The canonical element congruent to any integer, negative ones included. */
export function toField(value: bigint): bigint {
  const remainder = value % FIELD_MODULUS;
  return remainder < 0n ? remainder + FIELD_MODULUS : remainder;
}

export function fieldAdd(left: bigint, right: bigint): bigint {
  return toField(left + right);
}

export function fieldSubtract(left: bigint, right: bigint): bigint {
  return toField(left - right);
}

export function fieldMultiply(left: bigint, right: bigint): bigint {
  return toField(left * right);
}

/**
 * `base` to the power `exponent`; 0 to the power 0 is 1.
 * @throws RangeError when the exponent is negative (invert first).
 */
export function fieldPower(base: bigint, exponent: bigint): bigint {
  if (exponent < 0n) throw new RangeError('a field power needs an exponent of at least 0');
  let power = toField(base);
  let result = 1n;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * power) % FIELD_MODULUS;
    power = (power * power) % FIELD_MODULUS;
  }
  return result;
}

/**
 * The element whose product with `value` is 1, by the extended Euclidean algorithm
 * (several times faster than a power in bigints; not constant time, so not for secrets).
 * @throws RangeError for 0, which has none.
 */
export function fieldInverse(value: bigint): bigint {
  let [remainder, nextRemainder] = [FIELD_MODULUS, toField(value)];
  if (nextRemainder === 0n) throw new RangeError('0 has no inverse in the field');
  let [factor, nextFactor] = [0n, 1n];
  while (nextRemainder !== 0n) {
    const quotient = remainder / nextRemainder;
    [remainder, nextRemainder] = [nextRemainder, remainder - quotient * nextRemainder];
    [factor, nextFactor] = [nextFactor, factor - quotient * nextFactor];
  }
  return toField(factor);
}

/**
 * A signed integer as circuits carry it: negative values count down from the modulus.
 * @throws RangeError when the magnitude exceeds half the modulus, where signs would be ambiguous.
 */
export function signedToField(value: bigint): bigint {
  if (value > HALF_MODULUS || value < -HALF_MODULUS) {
    throw new RangeError(`${value} does not fit the field as a signed integer`);
  }
  return toField(value);
}

/**
 * The inverse of `signedToField`: elements above half the modulus are negative.
 * @throws RangeError when `element` is not a canonical field element.
 */
export function fieldToSigned(element: bigint): bigint {
  if (!isFieldElement(element)) throw new RangeError(`${element} is not a field element`);
  return element > HALF_MODULUS ? element - FIELD_MODULUS : element;
}
