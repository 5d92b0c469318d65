/**
 * Refuses verification keys under which proofs mean nothing, before they reach a chain. It judges
 * the key alone: markers can be stripped, points cannot be talked away.
 */
import { bn254 } from '@noble/curves/bn254.js';
import type { VerificationKey } from '../snarkjs.ts';
import { INSECURE_SEED, toxicWasteFromSeed } from './toxic-waste.ts';

export type KeyRefusal =
  /** Not a complete key: counts, numbers, points off the curve or its subgroup, or at infinity. */
  | 'malformed'
  /** No phase 2: (alpha, beta, −Σ x·IC) is a proof of anything. */
  | 'gamma-equals-delta'
  /** A trapdoor is 1: the file behind the key had no contribution. */
  | 'no-contribution'
  /** A public input does not enter the equation, so any value passes: what tau = 1 leaves behind. */
  | 'public-input-unbound'
  /** Made from the public seed: anyone can compute its trapdoors. */
  | 'development-key';

/** The key must not be used; `refusal` says why. */
export class KeyRefusedError extends Error {
  override readonly name = 'KeyRefusedError';
  readonly refusal: KeyRefusal;

  constructor(refusal: KeyRefusal, message: string) {
    super(message);
    this.refusal = refusal;
  }
}

/** The only chain on which a development key may be used: a simulated one on this machine. */
export const LOCAL_CHAIN_ID = 31337n;

type G1Point = InstanceType<typeof bn254.G1.Point>;
type G2Point = InstanceType<typeof bn254.G2.Point>;

/** The key's points, checked to be finite and in their groups. */
interface KeyPoints {
  readonly alpha1: G1Point;
  readonly beta2: G2Point;
  readonly gamma2: G2Point;
  readonly delta2: G2Point;
  readonly inputs: readonly G1Point[];
}

/**
 * Passes silently when the key may verify batches on the chain `chainId`.
 * @throws KeyRefusedError
 */
export function checkVerificationKey(key: VerificationKey, chainId: bigint): void {
  const points = readPoints(key);
  if (points.gamma2.equals(points.delta2)) {
    throw new KeyRefusedError('gamma-equals-delta', 'gamma equals delta: the key has no phase 2');
  }
  const generators = [
    points.alpha1.equals(bn254.G1.Point.BASE),
    points.beta2.equals(bn254.G2.Point.BASE),
    points.delta2.equals(bn254.G2.Point.BASE),
  ];
  if (generators.includes(true)) {
    throw new KeyRefusedError('no-contribution', 'alpha, beta or delta is 1: nobody has contributed');
  }
  checkInputsAreDistinct(points.inputs);
  if (chainId !== LOCAL_CHAIN_ID && isDevelopmentKey(key)) {
    throw new KeyRefusedError('development-key', `INSECURE development key refused on chain ${chainId}`);
  }
}

/**
 * Whether the key shares a trapdoor with the development keys, also after contributions on top:
 * with tau, alpha and beta known, a secret delta protects nothing.
 * @throws KeyRefusedError when the key is malformed.
 */
export function isDevelopmentKey(key: VerificationKey): boolean {
  const { alpha1, beta2, gamma2, delta2 } = readPoints(key);
  const known = developmentPoints();
  return (
    alpha1.equals(known.alpha1) ||
    beta2.equals(known.beta2) ||
    gamma2.equals(known.gamma2) ||
    delta2.equals(known.delta2)
  );
}

let cachedDevelopmentPoints: Omit<KeyPoints, 'inputs'> | undefined;

function developmentPoints(): Omit<KeyPoints, 'inputs'> {
  const { alpha, beta, gamma, delta } = toxicWasteFromSeed(INSECURE_SEED);
  cachedDevelopmentPoints ??= {
    alpha1: bn254.G1.Point.BASE.multiply(alpha),
    beta2: bn254.G2.Point.BASE.multiply(beta),
    gamma2: bn254.G2.Point.BASE.multiply(gamma),
    delta2: bn254.G2.Point.BASE.multiply(delta),
  };
  return cachedDevelopmentPoints;
}

/** Equal or opposite commitments would let a prover shift value between two public inputs. */
function checkInputsAreDistinct(inputs: readonly G1Point[]): void {
  const abscissas = new Set(inputs.map((point) => point.toAffine().x));
  if (abscissas.size !== inputs.length) {
    throw new KeyRefusedError('public-input-unbound', 'two public inputs have the same commitment');
  }
}

function readPoints(key: VerificationKey): KeyPoints {
  const malformed = (what: string) => new KeyRefusedError('malformed', `verification key: ${what}`);
  if (key.protocol !== 'groth16' || key.curve !== 'bn128') throw malformed('not Groth16 over BN254');
  if (!Number.isInteger(key.nPublic) || key.IC?.length !== key.nPublic + 1) {
    throw malformed('IC must have one point more than there are public inputs');
  }
  const inputs = key.IC.map((coordinates, index) => {
    if (coordinates[2] === '0') {
      throw new KeyRefusedError(
        'public-input-unbound',
        `the commitment of public input ${index} is infinity`,
      );
    }
    return readPoint(() => toG1(coordinates), malformed(`IC[${index}] is not a point of G1`));
  });
  return {
    alpha1: readPoint(() => toG1(key.vk_alpha_1), malformed('alpha is not a point of G1')),
    beta2: readPoint(() => toG2(key.vk_beta_2), malformed('beta is not a point of G2')),
    gamma2: readPoint(() => toG2(key.vk_gamma_2), malformed('gamma is not a point of G2')),
    delta2: readPoint(() => toG2(key.vk_delta_2), malformed('delta is not a point of G2')),
    inputs,
  };
}

/** Reads a point and checks that it is finite, on its curve and in the prime subgroup. */
function readPoint<Point extends { assertValidity(): void; is0(): boolean }>(
  read: () => Point,
  refusal: KeyRefusedError,
): Point {
  try {
    const point = read();
    point.assertValidity();
    if (!point.is0()) return point;
  } catch {
    // noble says in its own words what the refusal says in ours.
  }
  throw refusal;
}

function toG1([x, y, z]: readonly string[]): G1Point {
  if (z !== '1') throw new RangeError('not affine');
  return bn254.G1.Point.fromAffine({ x: BigInt(x), y: BigInt(y) });
}

function toG2([x, y, z]: readonly (readonly string[])[]): G2Point {
  if (z[0] !== '1' || z[1] !== '0') throw new RangeError('not affine');
  const element = ([c0, c1]: readonly string[]) => ({ c0: BigInt(c0), c1: BigInt(c1) });
  return bn254.G2.Point.fromAffine({ x: element(x), y: element(y) });
}
