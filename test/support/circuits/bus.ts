/** The bus by its table in circuits/bus/bus.circom, written a second time: what a row must add to the fractional sum. */
import { FIELD_MODULUS, fieldInverse, toField } from '#protocol/crypto/field.ts';

export const TAG = {
  market: 0n,
  position: 1n,
  weight: 2n,
  cash: 3n,
  record: 4n,
  used: 5n,
  size: 6n,
  payment: 7n,
  interest: 8n,
  key: 9n,
  activity: 10n,
  epoch: 11n,
  raise: 12n,
  orders: 13n,
  fees: 14n,
  fills: 15n,
} as const;

export interface BusEntry {
  readonly tag: keyof typeof TAG;
  readonly bit?: boolean;
  /** a, b, c, d: the fields of the key. */
  readonly fields: readonly bigint[];
  readonly amount: bigint;
}

export interface BusChallenges {
  readonly alpha: bigint;
  /** Powers from the zeroth to the fourth. */
  readonly beta: readonly bigint[];
}

const powers = (base: bigint, count: number): bigint[] =>
  Array.from({ length: count - 1 }).reduce<bigint[]>(
    (list) => [...list, (list[list.length - 1] * base) % FIELD_MODULUS],
    [1n],
  );

/** Fixed, and random enough that no two keys of a test meet. */
export const CHALLENGES: BusChallenges = {
  alpha: FIELD_MODULUS / 7n,
  beta: powers(FIELD_MODULUS / 11n, 5),
};
export const gammaPowers = (count: number): bigint[] => powers(FIELD_MODULUS / 13n, count);

/** Σ amount / (α − key). */
export const busSum = (entries: readonly BusEntry[], { alpha, beta } = CHALLENGES): bigint =>
  entries.reduce((sum, { tag, bit, fields, amount }) => {
    const key = fields.reduce((total, field, i) => total + field * beta[i + 1], TAG[tag] + (bit ? 16n : 0n));
    return toField(sum + amount * fieldInverse(toField(alpha - key)));
  }, 0n);
