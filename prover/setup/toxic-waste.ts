/**
 * The secrets behind a Groth16 key. In production nobody holds them together; a development key is
 * made from ones that everybody can compute, and whoever can forges any proof under it.
 */
import { createHash } from 'node:crypto';
import { FIELD_MODULUS } from '#protocol/crypto/field.ts';

/** Trapdoors of a proving key, non-zero elements of the scalar field. */
export interface ToxicWaste {
  readonly tau: bigint;
  readonly alpha: bigint;
  readonly beta: bigint;
  readonly gamma: bigint;
  readonly delta: bigint;
}

/** The seed of every development key. Public: the key gate recognises keys made from it. */
export const INSECURE_SEED = 'ballast INSECURE development key: anyone can forge proofs under it';

/** Trapdoors computed from a seed: each SHA-512 of its name and the seed, reduced to 1 … r − 1. */
export function toxicWasteFromSeed(seed: string): ToxicWaste {
  const trapdoor = (name: string): bigint => {
    const digest = createHash('sha512').update(`${name}\0${seed}`).digest('hex');
    return (BigInt(`0x${digest}`) % (FIELD_MODULUS - 1n)) + 1n;
  };
  return {
    tau: trapdoor('tau'),
    alpha: trapdoor('alpha'),
    beta: trapdoor('beta'),
    gamma: trapdoor('gamma'),
    delta: trapdoor('delta'),
  };
}
