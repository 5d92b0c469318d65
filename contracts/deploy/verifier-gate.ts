/**
 * What a verifier must pass before a rollup is built on it. A stub, a verifier of another key and a key whose second
 * phase was skipped all end here, on the deployed code itself.
 */
import { Contract, getBytes, hexlify, type InterfaceAbi, type Provider, randomBytes } from 'ethers';

/** As snarkjs exports it; G1 points [x, y, 1], G2 points [[c0, c1], [c0, c1], [1, 0]]. */
export interface VerificationKey {
  readonly nPublic: number;
  readonly vk_alpha_1: readonly string[];
  readonly vk_beta_2: readonly (readonly string[])[];
  readonly vk_gamma_2: readonly (readonly string[])[];
  readonly vk_delta_2: readonly (readonly string[])[];
  readonly IC: readonly (readonly string[])[];
}

/** Refuses a key for a chain by throwing; prover/setup knows which keys are for development only. */
export type KeyGate = (key: VerificationKey, chainId: bigint) => void;

export class DeploymentRefused extends Error {
  constructor(reason: string) {
    super(`deployment refused: ${reason}`);
    this.name = 'DeploymentRefused';
  }
}

type Pair = readonly [bigint, bigint];
interface Proof {
  readonly a: Pair;
  readonly b: readonly [Pair, Pair];
  readonly c: Pair;
}

const VERIFIER_ABI: InterfaceAbi = [
  'function verifyProof(uint256[2] a, uint256[2][2] b, uint256[2] c, uint256[3] inputs) view returns (bool)',
];
const PUBLIC_INPUTS = 3;
const RANDOM_PROOFS = 4;
/** Base field of BN254: coordinates are below it. */
const BASE_FIELD = 21888242871839275222246405745257275088696311157297823662689037894645226208583n;
const SCALAR_FIELD = 21888242871839275222246405745257275088548364400416034343698204186575808495617n;

const randomBelow = (limit: bigint): bigint => BigInt(hexlify(randomBytes(48))) % limit;
const pair = (point: readonly string[]): Pair => [BigInt(point[0]), BigInt(point[1])];
/** The precompile takes the imaginary part first. */
const swapped = (point: readonly string[]): Pair => [BigInt(point[1]), BigInt(point[0])];
const g2 = (point: readonly (readonly string[])[]): readonly [Pair, Pair] => [
  swapped(point[0]),
  swapped(point[1]),
];

/** Proofs that no sound verifier takes, whatever its key. */
function badProofs(
  key: VerificationKey,
): { readonly name: string; readonly proof: Proof; readonly inputs: bigint[] }[] {
  const randomInputs = () => Array.from({ length: PUBLIC_INPUTS }, () => randomBelow(SCALAR_FIELD));
  const alpha = pair(key.vk_alpha_1);
  const ic0 = pair(key.IC[0]);
  const zero: Pair = [0n, 0n];
  const randomPair = (): Pair => [randomBelow(BASE_FIELD), randomBelow(BASE_FIELD)];
  return [
    ...Array.from({ length: RANDOM_PROOFS }, () => ({
      name: 'a random proof',
      proof: { a: randomPair(), b: [randomPair(), randomPair()] as const, c: randomPair() },
      inputs: randomInputs(),
    })),
    {
      name: 'points of its own key',
      proof: { a: alpha, b: g2(key.vk_beta_2), c: alpha },
      inputs: randomInputs(),
    },
    { name: 'points at infinity', proof: { a: zero, b: [zero, zero], c: zero }, inputs: randomInputs() },
    {
      // With gamma = delta, (alpha, beta, −Σ IC) proves anything. For inputs 0 the sum is IC_0.
      name: 'the forgery of a key without second phase',
      proof: { a: alpha, b: g2(key.vk_beta_2), c: [ic0[0], BASE_FIELD - ic0[1]] },
      inputs: [0n, 0n, 0n],
    },
  ];
}

const PUSH0 = 0x5f;

/** PUSH instruction of a constant, hex. */
function pushOf(constant: bigint): string {
  const digits = constant.toString(16);
  const data = digits.length % 2 === 0 ? digits : `0${digits}`;
  return (PUSH0 + data.length / 2).toString(16) + data;
}

/** A coordinate of the key that the code does not hold as a constant. */
function missingConstant(code: Uint8Array, key: VerificationKey): string | undefined {
  const text = hexlify(code);
  const coordinates = [
    ...key.vk_alpha_1.slice(0, 2),
    ...[key.vk_beta_2, key.vk_gamma_2, key.vk_delta_2].flatMap((point) => point.slice(0, 2).flat()),
    ...key.IC.flatMap((point) => point.slice(0, 2)),
  ];
  return coordinates.find((coordinate) => !text.includes(pushOf(BigInt(coordinate))));
}

/**
 * @throws DeploymentRefused when the code at `address` is not a sound verifier of `key`
 */
export async function requireSoundVerifier(
  provider: Provider,
  address: string,
  key: VerificationKey,
): Promise<void> {
  if (key.nPublic !== PUBLIC_INPUTS || key.IC.length !== PUBLIC_INPUTS + 1) {
    throw new DeploymentRefused(`a verification key with ${key.nPublic} public inputs, not ${PUBLIC_INPUTS}`);
  }
  const code = getBytes(await provider.getCode(address));
  if (code.length === 0) throw new DeploymentRefused(`no code at verifier ${address}`);
  const missing = missingConstant(code, key);
  const verifier = new Contract(address, VERIFIER_ABI, provider);
  for (const { name, proof, inputs } of badProofs(key)) {
    const isTaken = await verifier.verifyProof(proof.a, proof.b, proof.c, inputs).catch(() => false);
    if (isTaken) throw new DeploymentRefused(`the verifier at ${address} accepts ${name}`);
  }
  if (missing !== undefined) {
    throw new DeploymentRefused(
      `the verifier at ${address} does not hold the coordinate ${missing} of its key`,
    );
  }
}
