/**
 * Baby Jubjub, the twisted Edwards curve a·x² + y² = 1 + d·x²·y² over the BN254 scalar field
 * (EIP-2494), as circomlib uses it: keys and nonces are multiples of BASE8.
 *
 * Arithmetic here is variable-time and for public values only: keys as they arrive. Signatures are checked
 * by the same arithmetic in the kernel (window-table.ts). Secrets are multiplied by @noble/curves in eddsa.ts. The addition law is complete (a is a square,
 * d is not), so no case needs an exception, the identity included.
 */
import { FIELD_MODULUS, fieldInverse, isFieldElement, toField } from './field.ts';

/** An affine point, canonical when both coordinates are field elements. */
export type CurvePoint = readonly [x: bigint, y: bigint];

export const CURVE_A = 168700n;
export const CURVE_D = 168696n;

/** Order l of the prime subgroup, a 251-bit prime; the whole curve has 8·l points. */
export const SUBGROUP_ORDER = 2736030358979909402780800718157159386076813972158567259200215660948447373041n;

/** Generator of the prime subgroup: eight times the curve's generator. */
export const BASE8: CurvePoint = [
  5299619240641551281634865583518297030282874472190772894086521144482721001553n,
  16950150798460657717958625567821834550301663161624707787222815936182638968203n,
];

export const IDENTITY: CurvePoint = [0n, 1n];

/** Extended coordinates: x = X/Z, y = Y/Z, T = X·Y/Z (add-2008-hwcd of the EFD). */
interface ExtendedPoint {
  readonly x: bigint;
  readonly y: bigint;
  readonly z: bigint;
  readonly t: bigint;
}

const EXTENDED_IDENTITY: ExtendedPoint = { x: 0n, y: 1n, z: 1n, t: 0n };

/** Whether both coordinates are canonical and satisfy the curve equation. */
export function isOnCurve(point: CurvePoint): boolean {
  const [x, y] = point;
  if (!isFieldElement(x) || !isFieldElement(y)) return false;
  const xx = (x * x) % FIELD_MODULUS;
  const yy = (y * y) % FIELD_MODULUS;
  return (CURVE_A * xx + yy - 1n - CURVE_D * ((xx * yy) % FIELD_MODULUS)) % FIELD_MODULUS === 0n;
}

/** Whether two canonical affine points are the same. */
export function pointsEqual(left: CurvePoint, right: CurvePoint): boolean {
  return left[0] === right[0] && left[1] === right[1];
}

/** @throws RangeError when either point is not on the curve. */
export function addPoints(left: CurvePoint, right: CurvePoint): CurvePoint {
  requireOnCurve(left);
  requireOnCurve(right);
  return toAffine(add(toExtended(left), toExtended(right)));
}

/**
 * `scalar` times a public point; the scalar is not reduced, so points outside the subgroup work.
 * @throws RangeError when the point is off the curve or the scalar negative.
 */
export function multiplyPoint(point: CurvePoint, scalar: bigint): CurvePoint {
  requireOnCurve(point);
  if (scalar < 0n) throw new RangeError('a scalar is at least 0');
  return toAffine(multiplyExtended(toExtended(point), scalar));
}

/**
 * Eight times the point: always in the prime subgroup, and what the contract stores as signing key
 * for a registered point. The identity when the point has small order: refuse that as a key.
 * @throws RangeError when the point is not on the curve.
 */
export function clearCofactor(point: CurvePoint): CurvePoint {
  return multiplyPoint(point, 8n);
}

function requireOnCurve(point: CurvePoint): void {
  if (!isOnCurve(point)) throw new RangeError(`(${point[0]}, ${point[1]}) is not on Baby Jubjub`);
}

function toExtended([x, y]: CurvePoint): ExtendedPoint {
  return { x, y, z: 1n, t: (x * y) % FIELD_MODULUS };
}

function toAffine({ x, y, z }: ExtendedPoint): CurvePoint {
  const inverse = fieldInverse(z);
  return [toField(x * inverse), toField(y * inverse)];
}

// Between operations coordinates may be negative (`%` keeps the sign) and the small multiples of a and
// d stay unreduced: a product reduces them anyway, and reductions are most of the time spent here.

function add(left: ExtendedPoint, right: ExtendedPoint): ExtendedPoint {
  const a = (left.x * right.x) % FIELD_MODULUS;
  const b = (left.y * right.y) % FIELD_MODULUS;
  const c = CURVE_D * ((left.t * right.t) % FIELD_MODULUS);
  const d = right.z === 1n ? left.z : (left.z * right.z) % FIELD_MODULUS;
  const e = ((left.x + left.y) * (right.x + right.y) - a - b) % FIELD_MODULUS;
  const f = d - c;
  const g = d + c;
  const h = b - CURVE_A * a;
  return {
    x: (e * f) % FIELD_MODULUS,
    y: (g * h) % FIELD_MODULUS,
    z: (f * g) % FIELD_MODULUS,
    t: (e * h) % FIELD_MODULUS,
  };
}

function double(point: ExtendedPoint): ExtendedPoint {
  const a = (point.x * point.x) % FIELD_MODULUS;
  const b = (point.y * point.y) % FIELD_MODULUS;
  const d = CURVE_A * a;
  const e = (2n * point.x * point.y) % FIELD_MODULUS;
  const g = d + b;
  const f = (g - 2n * point.z * point.z) % FIELD_MODULUS;
  const h = d - b;
  return {
    x: (e * f) % FIELD_MODULUS,
    y: (g * h) % FIELD_MODULUS,
    z: (f * g) % FIELD_MODULUS,
    t: (e * h) % FIELD_MODULUS,
  };
}

function multiplyExtended(point: ExtendedPoint, scalar: bigint): ExtendedPoint {
  const multiples = [EXTENDED_IDENTITY, point];
  while (multiples.length < 16) multiples.push(add(multiples[multiples.length - 1], point));
  let result = EXTENDED_IDENTITY;
  const digits = scalar.toString(16);
  for (const digit of digits) {
    if (result !== EXTENDED_IDENTITY) result = double(double(double(double(result))));
    if (digit !== '0') result = add(result, multiples[Number.parseInt(digit, 16)]);
  }
  const { x, y, z, t } = result;
  return { x: toField(x), y: toField(y), z: toField(z), t: toField(t) };
}
